//! Convolutions of `f32` and `f64`: [`Shape`] says what is computed.
//!
//! A [`Convolution`] is planned once per shape and run many times; it allocates nothing while it runs. It is a product
//! with indirect addressing: rows of a tile are factors of one operand, broadcast from where they lie by a table of
//! offsets, columns are vectors of the other. There are two forms, chosen by shape:
//!
//! * **Columns are pixels** of the result, rows are outputs: convolutions of images, and gradients by an input. Weights
//!   are read where they lie. Pixels are read from a zero-padded copy, shifted for each tap, or gathered into panels
//!   where rows of the image are short.
//! * **Columns are outputs**, rows are pixels of the result: where the kernel has more elements than the result, as in
//!   gradients by weights. The kernel operand is transposed into panels; pixels are read from the padded copy.
//!
//! Results of an input dilation (transposed convolutions, gradients of strided ones) are cut into phases, each the
//! convolution with those taps that meet an input element: zeros between input elements are never multiplied.
//!
//! **Order of summation.** It depends on the shape and the instruction set alone, never on strides, threads, tiling or
//! the place in the batch: terms are ordered (channel, tap row, tap column) and cut into blocks; each block is one chain
//! of multiply-adds from zero, the block sums are added in order (where there are few results, within each of several runs
//! of blocks, then the sums of the runs in order). Padding is multiplied as zero.
//!
//! The files in the order of use: `axis` prepares the spatial axes, `plan` chooses the form and cuts the work, `tables`
//! lays out offsets, `pixels` and `outputs` run the two forms, `output` hands over results, `kernels` is the table of
//! the kernels in `copy`, `gather` and `tile`.

mod axis;
mod copy;
mod gather;
mod kernels;
mod output;
mod outputs;
mod pixels;
mod plan;
mod run;
mod tables;
mod tile;

pub use kernels::Element;
pub use output::Output;
pub use plan::Convolution;

/// One spatial axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spatial {
    /// Extent of the input.
    pub input: usize,
    /// Extent of the kernel.
    pub kernel: usize,
    /// Extent of the result.
    pub output: usize,
    /// Positions of the dilated input from one result to the next.
    pub stride: usize,
    /// Zeros before the first position of the dilated input; negative where positions are left out.
    pub low: i64,
    /// Positions from one input element to the next; between them are zeros.
    pub input_dilation: usize,
    /// Positions from one kernel element to the next.
    pub kernel_dilation: usize,
}

/// Extents: `result[n, g, o, p…] = sum over c, r… of kernel[g, o, c, r…] * input[n, g, c, source(p, r)…]`, where `source`
/// is `(p * stride + r * kernel_dilation - low) / input_dilation` along each axis, and there is a zero where that is not
/// whole or outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Examples.
    pub batch: usize,
    /// Groups: each has channels and outputs of its own.
    pub groups: usize,
    /// Channels of the input in one group.
    pub channels: usize,
    /// Channels of the result in one group.
    pub outputs: usize,
    /// One or two axes, the last of which is the width.
    pub spatial: Vec<Spatial>,
}

impl Shape {
    /// Extents of the result: `[batch, groups, outputs, spatial…]`.
    pub fn result(&self) -> Vec<usize> {
        self.extents([self.batch, self.groups, self.outputs], |axis| axis.output)
    }

    /// Extents of the input: `[batch, groups, channels, spatial…]`.
    pub fn input(&self) -> Vec<usize> {
        self.extents([self.batch, self.groups, self.channels], |axis| axis.input)
    }

    /// Extents of the kernel: `[groups, outputs, channels, spatial…]`.
    pub fn kernel(&self) -> Vec<usize> {
        self.extents([self.groups, self.outputs, self.channels], |axis| axis.kernel)
    }

    fn extents(&self, first: [usize; 3], of: fn(&Spatial) -> usize) -> Vec<usize> {
        first.into_iter().chain(self.spatial.iter().map(of)).collect()
    }
}

/// An operand or a result somewhere in memory. Strides are in elements and may be zero or negative.
#[derive(Clone, Copy, Debug)]
pub struct Strided<P> {
    /// The first element.
    pub data: P,
    /// Of the input `[batch, group, channel, height, width]`, of the kernel `[group, output, channel, height, width]`,
    /// of the result `[batch, group, output, height, width]`.
    pub strides: [isize; 5],
}

impl<P> Strided<P> {
    /// From as many strides as the shape has axes: with one spatial axis, that is the width.
    ///
    /// # Panics
    /// When there are not three strides and one or two more.
    pub fn new(data: P, strides: &[isize]) -> Strided<P> {
        let strides = match *strides {
            [a, b, c, width] => [a, b, c, 0, width],
            [a, b, c, height, width] => [a, b, c, height, width],
            _ => panic!("{} strides for an operand of a convolution", strides.len()),
        };
        Strided { data, strides }
    }
}
