//! The layers, one to a file, and how descriptions become modules.

mod activation;
mod assembly;
mod dense;
mod dropout;
mod flatten;
mod linear;
mod sequential;

pub use activation::Activation;
pub use assembly::{Assembly, Layer};
pub use dense::Dense;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use linear::Linear;
pub use sequential::{Sequential, Stack};

/// A list of layers of different kinds, as [`Sequential::new`] takes it.
///
/// ```
/// use warploom_nn::{Dense, Dropout, Flatten, Sequential, layers};
///
/// let description = Sequential::new(layers![Flatten::new(), Dense::new(512).relu(), Dropout::new(0.5), Dense::new(10)]);
/// ```
#[macro_export]
macro_rules! layers {
    ($($layer:expr),* $(,)?) => { vec![$(Box::new($layer) as Box<dyn $crate::Layer>),*] };
}
