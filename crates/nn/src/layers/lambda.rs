//! Functions as layers.

use crate::module::{Mode, Module};
use crate::parameters::{Parameters, Visitor, VisitorMut};
use warploom_tensor::Tensor;

/// A function without variables as a layer.
///
/// ```
/// use warploom_nn::{Dense, Lambda, Sequential, layers};
/// use warploom_tensor::Tensor;
///
/// let centred = Lambda::new(|x: &Tensor| x - x.mean_keep(-1));
/// let description = Sequential::new(layers![Dense::new(16), centred, Dense::new(1)]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Lambda<F>(F);

impl<F: Fn(&Tensor) -> Tensor + Send + Sync> Lambda<F> {
    /// Of a function of a batch `[batch, …]`.
    pub fn new(function: F) -> Lambda<F> {
        Lambda(function)
    }
}

impl<F> Parameters for Lambda<F> {
    fn visit(&self, _: &mut Visitor<'_>) {}
    fn visit_mut(&mut self, _: &mut VisitorMut<'_>) {}
}

impl<F: Fn(&Tensor) -> Tensor + Send + Sync> Module for Lambda<F> {
    #[track_caller]
    fn forward(&self, x: &Tensor, _: Mode) -> Tensor {
        (self.0)(x)
    }
}
