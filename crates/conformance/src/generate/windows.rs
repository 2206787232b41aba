//! Windows and convolutions of random programs.

use super::{EXACT, Generator, Known, MOST};
use warploom_graph::{ConvolveAxes, Dims, Op, SpatialWindow, Type};

impl<'b> Generator<'b, '_> {
    pub(super) fn unfold(&mut self) {
        let Some(x) = self.any_where(|k| k.expr.ty().rank() > 0 && k.expr.ty().elements() < 200) else {
            return;
        };
        let shape = x.expr.ty().shape;
        let axis = self.dice.below(shape.len());
        let dilation = 1 + self.dice.below(2);
        let size = 1 + self.dice.below(((shape[axis] - 1) / dilation + 1).min(4));
        let step = if self.dice.once_in(2) { size } else { 1 + self.dice.below(3) };
        self.view(x, Op::Unfold { axis, size, step, dilation });
    }

    pub(super) fn convolve(&mut self) {
        let fits = |k: &Known| k.expr.ty().dtype.is_float() && k.expr.ty().elements() < 300;
        let Some(x) = self.any_where(fits) else { return };
        let ty = x.expr.ty();
        // The elements cut at random into [batch, groups * channels, spatial…].
        let mut rest = ty.elements();
        let mut cut = |most: usize| {
            let divisors: Vec<usize> = (1..=rest.min(most)).filter(|d| rest.is_multiple_of(*d)).collect();
            let d = self.dice.pick(&divisors);
            rest /= d;
            d
        };
        let (batch, groups, channels, rows) = (cut(3), cut(3), cut(4), cut(9));
        let planar = self.dice.once_in(2);
        let mut input = Dims::from_slice(&[batch, groups * channels]);
        input.extend(if planar { vec![rows, rest] } else { vec![rows * rest] });
        let outputs = self.dice.pick(&[1, 2, 3, 4, 9, 20]);
        let mut kernel = Dims::from_slice(&[groups * outputs, channels]);
        let mut axes = ConvolveAxes { outputs_first: self.dice.once_in(3), ..ConvolveAxes::new(groups, &[]) };
        axes.arithmetic = self.arithmetic(ty.dtype);
        for extent in &input[2..] {
            let mut window = SpatialWindow {
                stride: 1 + self.dice.below(3),
                low: self.dice.below(4) as isize - 1,
                high: self.dice.below(4) as isize - 1,
                input_dilation: self.dice.pick(&[1, 1, 2, 3]),
                kernel_dilation: self.dice.pick(&[1, 1, 2]),
            };
            let taps = 1 + self.dice.below(3);
            if window.output(*extent, taps).is_none() {
                let span = ((taps - 1) * window.kernel_dilation) as isize;
                (window.low, window.high) = (span, 0);
            }
            axes.spatial.push(window);
            kernel.push(taps);
        }
        let results: usize = input.iter().product::<usize>() * 9 * outputs;
        if results > 20 * MOST || kernel.iter().product::<usize>() > MOST {
            return;
        }
        let terms: usize = kernel[1..].iter().product();
        let want = Type { dtype: ty.dtype, shape: kernel };
        let like = Known { expr: self.builder.fill(&want, 2.0), exact: true, bound: 2.0 };
        let weights = self.shaped_like(like);
        let bound = x.bound * weights.bound * terms as f64;
        let operands = [x.expr.reshape(&input).value(), weights.expr.value()];
        let Ok(made) = self.builder.try_apply(Op::Convolve(axes), &operands) else { return };
        self.keep(self.builder.expr(made), x.exact && weights.exact && bound < EXACT, bound);
    }
}
