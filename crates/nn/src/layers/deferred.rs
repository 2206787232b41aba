//! Modules made when the model is built.

use crate::layers::{Assembly, Layer};
use crate::module::Module;
use warploom_tensor::Error;

/// The description of a module with variables by the function that makes it, from the shape of one example. So any module
/// stands among descriptions, with its variables on the model's device and drawn by its place.
///
/// ```
/// use warploom_nn::{Deferred, Dense, Embedding, Flatten, Sequential, layers};
///
/// let words = Deferred::new(|_| Embedding::new(1000, 16));
/// let description = Sequential::new(layers![words, Flatten::new(), Dense::new(2)]);
/// ```
pub struct Deferred<F>(F);

impl<M, F> Deferred<F>
where
    M: Module + 'static,
    F: FnOnce(&[usize]) -> Result<M, Error>,
{
    /// By a function that gets the shape of one example, without the batch axis.
    pub fn new(make: F) -> Deferred<F> {
        Deferred(make)
    }
}

impl<M, F> Layer for Deferred<F>
where
    M: Module + 'static,
    F: FnOnce(&[usize]) -> Result<M, Error>,
{
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        assembly.add(self.0)
    }
}
