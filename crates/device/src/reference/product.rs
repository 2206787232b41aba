//! Elements of matrix products and convolutions.

use std::iter::zip;
use warploom_graph::{DType, round_to_tf32};

use super::kernel::unravel;
use super::number::{Number, Sum, wrap};
use super::{Fault, Host};
use crate::convolution::Convolution;
use crate::program::Contraction;

/// The product at a point of an epilogue; none where the step is a kernel.
pub(crate) type Product<'a> = &'a dyn Fn(usize) -> Result<Option<Number>, Fault>;

/// A sum of products in the class of its dtype.
struct Dot {
    dtype: DType,
    tf32: bool,
    floats: Sum,
    whole: i64,
}

impl Dot {
    fn new(dtype: DType, tf32: bool) -> Dot {
        Dot { dtype, tf32, floats: Sum::new(dtype), whole: 0 }
    }

    fn add(&mut self, a: f64, b: f64) {
        let rounded = |x: f64| f64::from(round_to_tf32(x as f32));
        match self.dtype.is_float() {
            true if self.tf32 => self.floats.add(rounded(a) * rounded(b), 0.0),
            true => self.floats.add(a * b, 0.0),
            false => self.whole = self.whole.wrapping_add((a as i64).wrapping_mul(b as i64)),
        }
    }

    /// Each term was rounded once before it was added, or not.
    fn finish(&self) -> Number {
        match self.dtype.is_float() {
            true => self.floats.finish(1.0),
            false => Number::exact(wrap(self.dtype, self.whole) as f64),
        }
    }
}

pub(crate) fn contraction(step: &Contraction, host: &Host, point: usize) -> Result<Option<Number>, Fault> {
    let mut index = [0; 3];
    unravel(point, &step.epilogue.space, &mut index);
    let [batch, row, column] = index.map(|i| i as i64);
    let (lhs, rhs) = (&step.lhs, &step.rhs);
    let [left, right] = [lhs.buffer, rhs.buffer].map(|buffer| host.view(buffer, step.dtype));
    let mut dot = Dot::new(step.dtype, step.tf32);
    for k in 0..step.k as i64 {
        let a = left.element(lhs.offset + batch * lhs.batch + row * lhs.row + k * lhs.column)?;
        let b = right.element(rhs.offset + batch * rhs.batch + k * rhs.row + column * rhs.column)?;
        dot.add(a, b);
    }
    Ok(Some(dot.finish()))
}

pub(crate) fn convolution(step: &Convolution, host: &Host, point: usize) -> Result<Option<Number>, Fault> {
    let shape = &step.shape;
    let outputs: Vec<usize> = shape.spatial.iter().map(|axis| axis.output).collect();
    let pixels: usize = outputs.iter().product();
    let mut index = [0; 3];
    unravel(point, &step.space(), &mut index);
    let [outer, output, rest] = index;
    let (batch, group, pixel) = if step.outputs_first {
        (rest / pixels, outer, rest % pixels)
    } else {
        (outer / shape.groups, outer % shape.groups, rest)
    };
    let mut position = vec![0; outputs.len()];
    unravel(pixel, &outputs, &mut position);
    let extents = &shape.kernel()[2..];
    let (input, kernel) = (&step.input, &step.kernel);
    let [elements, weights] = [input.buffer, kernel.buffer].map(|buffer| host.view(buffer, step.dtype));
    let mut taps = vec![0; extents.len()];
    let mut dot = Dot::new(step.dtype, step.tf32);
    for tap in 0..extents.iter().product() {
        unravel(tap, extents, &mut taps);
        let mut from = input.offset + batch as i64 * input.strides[0] + group as i64 * input.strides[1];
        from += taps[0] as i64 * input.strides[2];
        let (mut in_gap, mut inside) = (false, true);
        for (a, axis) in shape.spatial.iter().enumerate() {
            let moved = position[a] * axis.stride + taps[a + 1] * axis.kernel_dilation;
            let moved = moved as i64 - axis.low;
            let dilation = axis.input_dilation as i64;
            let source = moved.div_euclid(dilation);
            in_gap |= moved.rem_euclid(dilation) != 0;
            inside &= (0..axis.input as i64).contains(&source);
            from += source * input.strides[a + 3];
        }
        // Between the elements of a dilated input there is nothing; around it are zeros, which are multiplied.
        if in_gap {
            continue;
        }
        let weight = kernel.offset
            + group as i64 * kernel.strides[0]
            + output as i64 * kernel.strides[1]
            + zip(&taps, &kernel.strides[2..]).map(|(tap, stride)| *tap as i64 * stride).sum::<i64>();
        let x = if inside { elements.element(from)? } else { 0.0 };
        dot.add(x, weights.element(weight)?);
    }
    Ok(Some(dot.finish()))
}
