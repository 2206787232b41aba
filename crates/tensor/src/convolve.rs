//! Convolutions.

use crate::operand::Operand;
use crate::tensor::Tensor;
use warploom_graph::{ConvolveAxes, Op, SpatialWindow};

impl Tensor {
    /// Convolution of `[batch, channels, spatial…]` with a kernel `[outputs, channels / groups, spatial…]`, one window for
    /// each of one or two spatial axes: `[batch, outputs, spatial…]`. The kernel is not flipped, as in every framework.
    #[track_caller]
    pub fn convolve(&self, kernel: &impl Operand, groups: usize, windows: &[SpatialWindow]) -> Tensor {
        Tensor::apply(Op::Convolve(ConvolveAxes::new(groups, windows)), &[self, &kernel.tensor()])
    }
}
