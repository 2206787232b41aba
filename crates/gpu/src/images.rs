//! Convolutions of images as libraries take them, by what they are in a training step: of an input by a kernel, or the gradient
//! of either. All three reach here as convolutions whose operands are views of what lies densely in memory.

use crate::dispatch::Argument;
use crate::matrices::{Start, Target, argument, destination, ending, is_moved};
use crate::place::Places;
use smallvec::SmallVec;
use std::fmt;
use warploom_device::{Convolution, DeviceError, IndexMap, Instruction, Kernel, SpatialAxis};
use warploom_graph::DType;
use warploom_graph::scalar::ScalarOp;

/// Which of the three a convolution is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// Input and kernel give the output.
    Output,
    /// The output's gradient and the kernel give the input's gradient.
    InputGradient,
    /// Input and the output's gradient give the kernel's gradient.
    KernelGradient,
}

/// A convolution of images. The input is `[batch, groups * channels, height, width]`, the kernel
/// `[groups * outputs, channels, height, width]`, the output `[batch, groups * outputs, height, width]`, all dense.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ImageConvolution {
    /// What is computed.
    pub role: Role,
    /// Of all three; sums are held in f32.
    pub dtype: DType,
    /// Whether elements of f32 may be rounded to TF32 before they are multiplied.
    pub tf32: bool,
    /// Examples.
    pub batch: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Channels of the input in a group.
    pub channels: usize,
    /// Channels of the output in a group.
    pub outputs: usize,
    /// Rows and columns.
    pub axes: [ImageAxis; 2],
}

/// One axis of images.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ImageAxis {
    /// Extent of the input.
    pub input: usize,
    /// Extent of the kernel.
    pub kernel: usize,
    /// Extent of the output.
    pub output: usize,
    /// Zeros on either side of the input.
    pub padding: usize,
    /// Positions of the input from one output to the next.
    pub stride: usize,
    /// Positions of the input from one kernel element to the next.
    pub dilation: usize,
}

/// A library's convolution with its place in a plan.
#[derive(Clone, PartialEq, Debug)]
pub struct Convolving {
    /// A name for people, made of the ops within.
    pub name: String,
    /// What is computed.
    pub convolution: ImageConvolution,
    /// The input or the output's gradient for [`Role::InputGradient`].
    pub input: Argument,
    /// The kernel, or the output's gradient for [`Role::KernelGradient`].
    pub kernel: Argument,
    /// What is computed.
    pub result: Argument,
    /// Scratch memory where the library asked for some.
    pub workspace: Option<Argument>,
    /// Operations.
    pub operations: u64,
    /// Bytes that must be read and written at least.
    pub traffic: u64,
}

impl ImageAxis {
    /// Whether the extents are those of a convolution with as much padding on either side.
    fn is_consistent(&self) -> bool {
        let (padded, span) = (self.input + 2 * self.padding, self.dilation * (self.kernel.max(1) - 1) + 1);
        self.input.min(self.kernel).min(self.output) > 0
            && padded >= span
            && (padded - span) / self.stride + 1 == self.output
    }
}

impl ImageConvolution {
    /// `[batch, channels, height, width]` of the input.
    pub fn input(&self) -> [usize; 4] {
        let [rows, columns] = self.axes;
        [self.batch, self.groups * self.channels, rows.input, columns.input]
    }

    /// `[outputs, channels, height, width]` of the kernel.
    pub fn kernel(&self) -> [usize; 4] {
        let [rows, columns] = self.axes;
        [self.groups * self.outputs, self.channels, rows.kernel, columns.kernel]
    }

    /// `[batch, outputs, height, width]` of the output.
    pub fn output(&self) -> [usize; 4] {
        let [rows, columns] = self.axes;
        [self.batch, self.groups * self.outputs, rows.output, columns.output]
    }

    /// Multiplications.
    pub fn work(&self) -> usize {
        let taps = self.channels * self.axes[0].kernel * self.axes[1].kernel;
        elements(self.output()).saturating_mul(taps)
    }

    /// Elements of both operands and of the result.
    fn parts(&self) -> [usize; 3] {
        let [input, kernel, output] = [self.input(), self.kernel(), self.output()].map(elements);
        match self.role {
            Role::Output => [input, kernel, output],
            Role::InputGradient => [output, kernel, input],
            Role::KernelGradient => [input, output, kernel],
        }
    }
}

fn elements(extents: [usize; 4]) -> usize {
    extents.iter().product()
}

impl fmt::Display for ImageConvolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Output => "output",
            Role::InputGradient => "input's gradient",
            Role::KernelGradient => "kernel's gradient",
        };
        let of = |part: fn(&ImageAxis) -> usize| self.axes.each_ref().map(part);
        let (padding, stride) = (of(|axis| axis.padding), of(|axis| axis.stride));
        let (dtype, tf32) = (self.dtype.name(), if self.tf32 { " in TF32" } else { "" });
        write!(
            f,
            "library: the {role} of a convolution of {dtype}{:?} by {:?}{tf32}, {} groups, padding {padding:?}, stride {stride:?}, \
             dilation {:?}",
            self.input(),
            self.kernel(),
            self.groups,
            of(|axis| axis.dilation)
        )
    }
}

/// A convolution as a library computes it.
pub(crate) struct TakenConvolution {
    convolution: ImageConvolution,
    input: Start,
    kernel: Start,
    result: Target,
    scratch: usize,
}

/// The convolution by a library, if `takes` gives scratch bytes for it: with the whole epilogue, else with a kernel behind.
pub(crate) fn taken_convolution(
    step: &Convolution,
    takes: impl Fn(&ImageConvolution) -> Option<usize>,
) -> Option<TakenConvolution> {
    // One result is written, in the order of the epilogue's space: with outputs first where it is a kernel's gradient.
    let found = [Role::Output, Role::InputGradient, Role::KernelGradient].into_iter().find_map(|role| {
        let is_ordered = step.outputs_first == (role == Role::KernelGradient);
        if is_ordered { Roles { step, role }.found() } else { None }
    });
    let (convolution, kernel_first) = found?;
    let scratch = takes(&convolution)?;
    let first = |offset: i64| Some(usize::try_from(offset).ok()? * step.dtype.bytes());
    let (input, kernel) = (first(step.input.offset)?, first(kernel_first)?);
    let result = match whole(step) {
        Some(start) => Target::Store(start),
        None if is_rounded_at_once(step) => {
            Target::workspace(elements_of(&step.epilogue) * step.dtype.bytes())
        }
        None => return None,
    };
    let (input, kernel) = ((step.input.buffer, input), (step.kernel.buffer, kernel));
    Some(TakenConvolution { convolution, input, kernel, result, scratch })
}

fn elements_of(kernel: &Kernel) -> usize {
    kernel.space.iter().product()
}

/// Where the result goes if it is stored densely as it is.
fn whole(step: &Convolution) -> Option<Start> {
    let [store] = step.epilogue.stores.as_slice() else { return None };
    let ending = ending(&step.epilogue, store)?;
    let is_plain = ending.bias.is_none() && !ending.relu && store.dtype == step.dtype;
    let dense = IndexMap::dense(&step.epilogue.space);
    let same = store.map.strides.iter().zip(&dense.strides).zip(&step.epilogue.space);
    let is_dense = store.map.bounds.is_empty() && same.clone().all(|((a, b), extent)| a == b || *extent == 1);
    let first = usize::try_from(store.map.offset).ok()? * store.dtype.bytes();
    (is_plain && is_dense).then_some((store.buffer, first))
}

/// Whether the epilogue uses the sum in the dtype that the library rounds it to.
fn is_rounded_at_once(step: &Convolution) -> bool {
    let rounds = |instruction: &Instruction| matches!(instruction, Instruction::Apply { op: ScalarOp::Cast, dtype, .. } if *dtype == step.dtype);
    let body = &step.epilogue.body;
    let products: Vec<u32> = (0..)
        .zip(body)
        .filter(|(_, i)| matches!(i, Instruction::Product(_)))
        .map(|(register, _)| register)
        .collect();
    let uses = body.iter().filter(|instruction| match instruction {
        Instruction::Apply { operands, .. } => operands.iter().any(|operand| products.contains(operand)),
        Instruction::LoadAt { index, .. } => products.contains(index),
        _ => false,
    });
    let stored = step.epilogue.stores.iter().any(|store| products.contains(&store.register));
    step.dtype == DType::F32 || !stored && uses.clone().all(rounds)
}

impl TakenConvolution {
    /// Bytes of the workspace.
    pub(crate) fn workspace_bytes(&self) -> usize {
        self.result.bytes() + self.scratch
    }

    /// The call, and the kernel behind it. Nothing where a loop moves what it reads or writes.
    pub(crate) fn place(
        self,
        step: &Convolution,
        places: &Places,
    ) -> Result<Option<(Convolving, Option<Kernel>)>, DeviceError> {
        let placed = destination(&self.result, &step.epilogue, step.dtype, step.workspace, self.scratch)?;
        if is_moved(places, &[self.input, self.kernel, placed.result])? {
            return Ok(None);
        }
        let bytes = self.convolution.parts().map(|elements| elements * step.dtype.bytes());
        let of =
            |(buffer, first): Start, bytes, writable| argument(places.of(buffer)?, first, bytes, writable);
        let call = Convolving {
            name: placed.name,
            input: of(self.input, bytes[0], false)?,
            kernel: of(self.kernel, bytes[1], false)?,
            result: of(placed.result, bytes[2], true)?,
            workspace: placed.scratch.map(|scratch| of(scratch, self.scratch, true)).transpose()?,
            operations: 2 * self.convolution.work() as u64,
            traffic: bytes.iter().sum::<usize>() as u64,
            convolution: self.convolution,
        };
        Ok(Some((call, placed.behind)))
    }
}

/// A step looked at as one of the roles.
struct Roles<'a> {
    step: &'a Convolution,
    role: Role,
}

impl Roles<'_> {
    /// The convolution, and the element where the memory of the step's kernel begins, if the step is one of this role.
    fn found(&self) -> Option<(ImageConvolution, i64)> {
        let (step, shape) = (self.step, &self.step.shape);
        let axes: Vec<ImageAxis> = shape.spatial.iter().map(|axis| self.axis(axis)).collect::<Option<_>>()?;
        let flat = ImageAxis { input: 1, kernel: 1, output: 1, padding: 0, stride: 1, dilation: 1 };
        let axes = match axes[..] {
            [columns] => [flat, columns],
            [rows, columns] => [rows, columns],
            _ => return None,
        };
        let (batch, channels, outputs) = match self.role {
            Role::Output => (shape.batch, shape.channels, shape.outputs),
            Role::InputGradient => (shape.batch, shape.outputs, shape.channels),
            Role::KernelGradient => (shape.channels, shape.batch, shape.outputs),
        };
        let (dtype, tf32, groups) = (step.dtype, step.tf32, shape.groups);
        if !matches!(dtype, DType::F32 | DType::F16 | DType::BF16)
            || !axes.iter().all(ImageAxis::is_consistent)
        {
            return None;
        }
        let found = ImageConvolution { role: self.role, dtype, tf32, batch, groups, channels, outputs, axes };
        let first = self.kernel_start(&found);
        (self.input_lies_so(&found) && self.kernel_lies_so(&found)).then_some((found, first))
    }

    fn axis(&self, axis: &SpatialAxis) -> Option<ImageAxis> {
        let SpatialAxis { input, kernel, output, stride, low, input_dilation, kernel_dilation } = *axis;
        let padding = |low: i64| usize::try_from(low).ok();
        match self.role {
            Role::Output if input_dilation == 1 => Some(ImageAxis {
                input,
                kernel,
                output,
                padding: padding(low)?,
                stride,
                dilation: kernel_dilation,
            }),
            Role::InputGradient if stride == 1 => {
                let reach = (kernel_dilation * kernel.checked_sub(1)?) as i64;
                let padding = padding(reach - low)?;
                let (stride, dilation) = (input_dilation, kernel_dilation);
                Some(ImageAxis { input: output, kernel, output: input, padding, stride, dilation })
            }
            Role::KernelGradient if input_dilation == 1 => {
                let (padding, dilation) = (padding(low)?, stride);
                let stride = kernel_dilation;
                Some(ImageAxis { input, kernel: output, output: kernel, padding, stride, dilation })
            }
            _ => None,
        }
    }

    /// Strides of `[examples, groups, channels of a group, rows, columns]` of dense images.
    fn images([_, channels, rows, columns]: [usize; 4], groups: usize) -> [usize; 5] {
        let pixels = rows * columns;
        [channels * pixels, channels / groups * pixels, pixels, columns, 1]
    }

    fn input_lies_so(&self, found: &ImageConvolution) -> bool {
        let [example, group, channel, row, column] = match self.role {
            Role::InputGradient => Self::images(found.output(), found.groups),
            Role::Output | Role::KernelGradient => Self::images(found.input(), found.groups),
        }
        .map(|stride| stride as i64);
        let wanted = match self.role {
            Role::KernelGradient => [channel, group, example, row, column],
            Role::Output | Role::InputGradient => [example, group, channel, row, column],
        };
        lies_so(&self.step.input.strides, &self.step.shape.input(), wanted)
    }

    fn kernel_lies_so(&self, found: &ImageConvolution) -> bool {
        let [_, channels, rows, columns] = found.kernel();
        let taps = rows * columns;
        let [output, channel, row] = [channels * taps, taps, columns].map(|stride| stride as i64);
        let wanted = match self.role {
            Role::Output => [output * found.outputs as i64, output, channel, row, 1],
            // From the last tap to the first.
            Role::InputGradient => [output * found.outputs as i64, channel, output, -row, -1],
            Role::KernelGradient => {
                let [example, group, channel, row, column] = Self::images(found.output(), found.groups);
                [group, channel, example, row, column].map(|stride| stride as i64)
            }
        };
        lies_so(&self.step.kernel.strides, &self.step.shape.kernel(), wanted)
    }

    fn kernel_start(&self, found: &ImageConvolution) -> i64 {
        let [_, _, rows, columns] = found.kernel();
        let turned = if self.role == Role::InputGradient { rows * columns - 1 } else { 0 };
        self.step.kernel.offset - turned as i64
    }
}

/// Whether strides along three axes and the spatial ones are these, but for axes of one position.
fn lies_so(strides: &[i64], extents: &[usize], wanted: [i64; 5]) -> bool {
    let [a, b, c, row, column] = wanted;
    let spatial: &[i64] = if strides.len() == 5 { &[row, column] } else { &[column] };
    let wanted: SmallVec<[i64; 5]> = [a, b, c].iter().chain(spatial).copied().collect();
    strides.len() == wanted.len()
        && strides.iter().zip(&wanted).zip(extents).all(|((a, b), extent)| a == b || *extent == 1)
}
