//! The layers, one to a file, and how descriptions become modules.

mod activation;
mod assembly;
mod batch_norm;
mod branches;
mod conv;
mod convolution;
mod deferred;
mod dense;
mod dropout;
mod embedding;
mod flatten;
mod group_norm;
mod identity;
mod lambda;
mod layer_norm;
mod linear;
mod normalised;
mod pooling;
mod prelu;
mod sequential;
mod transposed;
mod windows;

pub use activation::Activation;
pub use assembly::{Assembly, Layer};
pub use batch_norm::{BatchNorm, BatchNormalization};
pub use branches::{Branches, Joined, Residual};
pub use conv::Conv;
pub use convolution::Convolution;
pub use deferred::Deferred;
pub use dense::Dense;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use group_norm::{GroupNorm, GroupNormalization};
pub use identity::Identity;
pub use lambda::Lambda;
pub use layer_norm::{LayerNorm, LayerNormalization};
pub use linear::Linear;
pub use pooling::{AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool};
pub use prelu::Prelu;
pub use sequential::{Sequential, Stack};
pub use transposed::{ConvTranspose, TransposedConvolution};

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
