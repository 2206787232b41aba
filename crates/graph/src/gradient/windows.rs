//! Gradients of windows and of convolutions.

use crate::convolve::{ConvolveAxes, SpatialWindow, dilated};
use crate::expr::Expr;
use crate::op::Op;
use crate::shape::Dims;
use smallvec::SmallVec;

use super::{crop, factor};

/// The adjoint of an unfold: the windows `dy [.., count, size, ..]` added up where they lie in `shape`.
///
/// A window's element `i` lies `i * dilation = shift * step + phase` after its start. So elements with equal `phase` are
/// `dy` shifted by whole windows: a few padded slices are added, and their phases side by side are the axis.
pub(super) fn fold<'b>(
    dy: Expr<'b>,
    shape: &[usize],
    axis: usize,
    size: usize,
    step: usize,
    dilation: usize,
) -> Expr<'b> {
    let count = dy.ty().shape[axis];
    let span = (size - 1) * dilation;
    let blocks = count + span / step;
    let mut total: Option<Expr<'b>> = None;
    let mut element = 0;
    while element < size {
        let (shift, phase) = (element * dilation / step, element * dilation % step);
        // Elements that follow without a gap and stay in the block go together.
        let run = if dilation == 1 { (step - phase).min(size - element) } else { 1 };
        let mut starts = Dims::from_elem(0, dy.ty().rank());
        starts[axis + 1] = element;
        let mut extents = dy.ty().shape;
        extents[axis + 1] = run;
        let part = crop(dy, &starts, &extents);
        let (mut low, mut high) = (Dims::from_elem(0, extents.len()), Dims::from_elem(0, extents.len()));
        (low[axis], high[axis]) = (shift, blocks - count - shift);
        (low[axis + 1], high[axis + 1]) = (phase, step - phase - run);
        let part = padded(part, low, high);
        total = Some(total.map_or(part, |sum| sum + part));
        element += run;
    }
    let total = total.unwrap_or(dy);
    let mut flat = Dims::from_slice(shape);
    flat[axis] = blocks * step;
    let total = total.reshape(&flat);
    let (missing, extra) = (shape[axis].saturating_sub(flat[axis]), flat[axis].saturating_sub(shape[axis]));
    if extra > 0 {
        return crop(total, &Dims::from_elem(0, shape.len()), shape);
    }
    let mut high = Dims::from_elem(0, shape.len());
    high[axis] = missing;
    padded(total, Dims::from_elem(0, shape.len()), high)
}

fn padded(x: Expr<'_>, low: Dims, high: Dims) -> Expr<'_> {
    if low.iter().chain(&high).all(|p| *p == 0) { x } else { x.then(Op::Pad { low, high }) }
}

/// The cotangent of a convolution's input, or of its kernel: a convolution of `dy`.
pub(super) fn convolve<'b>(
    axes: &ConvolveAxes,
    input: Expr<'b>,
    kernel: Expr<'b>,
    dy: Expr<'b>,
    of_kernel: bool,
) -> Expr<'b> {
    // What the type rule of the convolution has checked does not overflow here.
    let (dy, arithmetic) = factor(dy, input, axes.arithmetic);
    let dy = if axes.outputs_first { dy.permute(&swapped(dy.ty().rank())) } else { dy };
    let (x, w, y) = (input.ty().shape, kernel.ty().shape, dy.ty().shape);
    let span = |extent: usize, dilation: usize| dilated(extent, dilation).unwrap_or(0) as isize;
    let groups = axes.groups;
    if of_kernel {
        let spatial = axes.spatial.iter().enumerate().map(|(a, window)| SpatialWindow {
            stride: window.kernel_dilation,
            low: window.low,
            high: (w[a + 2] as isize - 1) * window.kernel_dilation as isize + span(y[a + 2], window.stride)
                - span(x[a + 2], window.input_dilation)
                - window.low,
            input_dilation: window.input_dilation,
            kernel_dilation: window.stride,
        });
        let gradient = ConvolveAxes { groups, spatial: spatial.collect(), outputs_first: true, arithmetic };
        // Channels are the examples of this convolution and examples its channels, within each group.
        let (batch, channels) = (x[0], w[1]);
        let examples = split(input, 1, groups, channels, &[2, 1, 0]).merged(1);
        let weights = dy.permute(&swapped(dy.ty().rank()));
        debug_assert_eq!(examples.ty().shape[1], groups * batch);
        return dy.builder().apply(Op::Convolve(gradient), &[examples.value(), weights.value()]);
    }
    let spatial = axes.spatial.iter().enumerate().map(|(a, window)| {
        let low = span(w[a + 2], window.kernel_dilation) - 1 - window.low;
        let high = (x[a + 2] as isize - 1) * window.input_dilation as isize
            + span(w[a + 2], window.kernel_dilation)
            - span(y[a + 2], window.stride)
            - low;
        SpatialWindow {
            stride: window.input_dilation,
            low,
            high,
            input_dilation: window.stride,
            kernel_dilation: window.kernel_dilation,
        }
    });
    let gradient = ConvolveAxes { groups, spatial: spatial.collect(), outputs_first: false, arithmetic };
    let turned = split(kernel, 0, groups, w[0] / groups, &[0, 2, 1]).merged(0);
    let turned = flipped(turned);
    dy.builder().apply(Op::Convolve(gradient), &[dy.value(), turned.value()])
}

/// The axes of `[a, b, …]` as `[b, a, …]`.
fn swapped(rank: usize) -> Dims {
    let mut axes: Dims = (0..rank).collect();
    axes.swap(0, 1);
    axes
}

/// A tensor whose first two axes have become three, in some order.
struct Split<'b>(Expr<'b>);

/// Cuts `axis` (0 or 1) into `[outer, inner]` and orders the three leading axes.
fn split<'b>(x: Expr<'b>, axis: usize, outer: usize, inner: usize, order: &[usize; 3]) -> Split<'b> {
    let mut shape = x.ty().shape;
    shape[axis] = outer;
    shape.insert(axis + 1, inner);
    let mut axes: Dims = (0..shape.len()).collect();
    axes[..3].copy_from_slice(order);
    Split(x.reshape(&shape).permute(&axes))
}

impl<'b> Split<'b> {
    /// Joins axes `first` and `first + 1` again.
    fn merged(self, first: usize) -> Expr<'b> {
        let mut shape = self.0.ty().shape;
        let inner = shape.remove(first + 1);
        shape[first] *= inner;
        self.0.reshape(&shape)
    }
}

/// Spatial axes (from the third on) from last to first.
fn flipped(x: Expr<'_>) -> Expr<'_> {
    let sizes = x.ty().shape;
    let turn = |a: usize| a >= 2 && sizes[a] > 1;
    if !(0..sizes.len()).any(turn) {
        return x;
    }
    x.then(Op::Slice {
        starts: (0..sizes.len()).map(|a| if turn(a) { sizes[a] - 1 } else { 0 }).collect(),
        steps: (0..sizes.len()).map(|a| if turn(a) { -1 } else { 1 }).collect::<SmallVec<[isize; 4]>>(),
        sizes,
    })
}
