//! Convolution steps: the product by `convolution`, finished by the epilogue's kernel part by part.

use smallvec::SmallVec;
use warploom_device::kernel::register_dtype;
use warploom_device::{
    self as device, BufferId, ConvolutionOperand, ConvolutionShape, DeviceError, IndexMap, Instruction,
    SpatialAxis,
};
use warploom_graph::DType;

use crate::contraction::Finisher;
use crate::memory_map::MemoryMap;
use crate::tile::{Context, Epilogue, Worker, WorkerSize};
use crate::widen::{Widened, widen};
use warploom_cpu_kernels::convolution::{self, Convolution, Element, Output, Strided};
use warploom_cpu_kernels::isa::Isa;

/// A convolution made ready.
pub(crate) struct Convolve {
    product: Product,
    finish: Finish,
    outputs_first: bool,
    input: ConvolutionOperand,
    kernel: ConvolutionOperand,
    workspace: Option<BufferId>,
}

enum Product {
    F32(Convolution<f32>),
    F64(Convolution<f64>),
    /// Operands are widened into the workspace first.
    Half(Box<Half>),
}

struct Half {
    convolution: Convolution<f32>,
    input: Widened,
    kernel: Widened,
}

enum Finish {
    /// The result is what is stored, at these strides of [batch, group, output, height, width].
    Store { buffer: usize, offset: i64, strides: [isize; 5] },
    /// Finished parts are handed to the epilogue.
    Epilogue(Box<Epilogue>),
}

fn product(step: &device::Convolution, isa: Isa, threads: usize) -> Result<Product, DeviceError> {
    let shape = &step.shape;
    let extents = extents(shape);
    Ok(match step.dtype {
        DType::F32 => Product::F32(Convolution::new(&extents, isa, threads)),
        DType::F64 => Product::F64(Convolution::new(&extents, isa, threads)),
        DType::F16 | DType::BF16 => {
            let widened = |operand: &ConvolutionOperand, extents: &[usize]| {
                Widened::new(step.dtype, &operand.strides, extents)
            };
            let (input, kernel) =
                (widened(&step.input, &shape.input()), widened(&step.kernel, &shape.kernel()));
            let convolution = Convolution::new(&extents, isa, threads);
            Product::Half(Box::new(Half { convolution, input, kernel }))
        }
        DType::Bool | DType::U8 | DType::I32 | DType::U32 => {
            return Err(DeviceError::Unsupported(format!("a convolution of {}", step.dtype)));
        }
    })
}

fn extents(shape: &ConvolutionShape) -> convolution::Shape {
    let spatial = |axis: &SpatialAxis| convolution::Spatial {
        input: axis.input,
        kernel: axis.kernel,
        output: axis.output,
        stride: axis.stride,
        low: axis.low,
        input_dilation: axis.input_dilation,
        kernel_dilation: axis.kernel_dilation,
    };
    convolution::Shape {
        batch: shape.batch,
        groups: shape.groups,
        channels: shape.channels,
        outputs: shape.outputs,
        spatial: shape.spatial.iter().map(spatial).collect(),
    }
}

impl Product {
    fn workspace_bytes(&self) -> usize {
        match self {
            Product::F32(convolution) => convolution.workspace_bytes(),
            Product::F64(convolution) => convolution.workspace_bytes(),
            Product::Half(half) => {
                half.convolution.workspace_bytes().next_multiple_of(64)
                    + half.input.bytes()
                    + half.kernel.bytes()
            }
        }
    }
}

/// Bytes of workspace that a convolution needs.
pub(crate) fn workspace_bytes(step: &device::Convolution, isa: Isa, threads: usize) -> usize {
    product(step, isa, threads).map_or(0, |product| product.workspace_bytes())
}

/// The store's place when the epilogue does nothing but store the result as it is.
fn plain_store(step: &device::Convolution) -> Option<Finish> {
    let kernel = &step.epilogue;
    let ([Instruction::Product(_)], [store]) = (&kernel.body[..], &kernel.stores[..]) else { return None };
    let is_plain = store.dtype == register_dtype(step.dtype);
    let &[first, output, pixel] = &store.map.strides[..] else { return None };
    let (output, pixel) = (output as isize, pixel as isize);
    let extents = step.shape.spatial.iter().map(|axis| axis.output as isize);
    let (width, pixels) = (extents.clone().next_back().unwrap_or(1), extents.product::<isize>());
    let groups = step.shape.groups as isize;
    let (batch, group) = if step.outputs_first {
        (pixels * pixel, first as isize)
    } else {
        (groups * first as isize, first as isize)
    };
    is_plain.then_some(Finish::Store {
        buffer: store.buffer.0 as usize,
        offset: store.map.offset,
        strides: [batch, group, output, width * pixel, pixel],
    })
}

impl Convolve {
    /// Makes a convolution ready. `size` grows by what its epilogue needs.
    pub(crate) fn new(
        step: &device::Convolution,
        isa: Isa,
        threads: usize,
        memory: &MemoryMap,
        size: &mut WorkerSize,
    ) -> Result<Convolve, DeviceError> {
        if step.epilogue.space[..] != step.space() {
            let message = format!("{} is not over {:?}", step.epilogue.name, step.space());
            return Err(DeviceError::Unsupported(message));
        }
        for (operand, extents) in [(&step.input, step.shape.input()), (&step.kernel, step.shape.kernel())] {
            let strides = SmallVec::from_slice(&operand.strides);
            let map = IndexMap { offset: operand.offset, strides, bounds: SmallVec::new() };
            memory.check_map(operand.buffer, step.dtype, &map, &extents, 0)?;
        }
        let product = product(step, isa, threads)?;
        memory.check_workspace(step.workspace, product.workspace_bytes(), &step.epilogue.name)?;
        // The epilogue is lowered also where it is not run, which checks it.
        let epilogue = Epilogue::new(&step.epilogue, isa, memory, size)?;
        Ok(Convolve {
            product,
            finish: plain_store(step).unwrap_or_else(|| Finish::Epilogue(Box::new(epilogue))),
            outputs_first: step.outputs_first,
            input: step.input.clone(),
            kernel: step.kernel.clone(),
            workspace: step.workspace,
        })
    }

    fn epilogue(&self) -> Option<&Epilogue> {
        match &self.finish {
            Finish::Epilogue(epilogue) => Some(epilogue),
            Finish::Store { .. } => None,
        }
    }

    /// The name of the epilogue's kernel, if it can meet an index out of range.
    pub(crate) fn can_fault(&self) -> Option<&str> {
        self.epilogue().filter(|e| e.can_fault).map(|e| &*e.name)
    }

    /// Fills the epilogue's table in a worker's memory.
    ///
    /// # Safety
    /// The worker has the size that preparing the steps came to.
    pub(crate) unsafe fn connect(&self, worker: Worker) {
        if let Some(epilogue) = self.epilogue() {
            // SAFETY: the caller's promise.
            unsafe { epilogue.connect(worker) };
        }
    }

    /// Computes the convolution.
    ///
    /// # Safety
    /// As for [`crate::tile::TileKernel::run`].
    pub(crate) unsafe fn run(&self, context: &Context<'_>) {
        let workspace = self.workspace.map_or(std::ptr::null_mut(), |id| context.bases[id.0 as usize]);
        // SAFETY: the caller's promise; operands and workspace were checked when the step was made ready.
        unsafe {
            match &self.product {
                Product::F32(convolution) => {
                    let (input, kernel) = (strided(&self.input, context), strided(&self.kernel, context));
                    self.convolve(convolution, context, input, kernel, workspace);
                }
                Product::F64(convolution) => {
                    let (input, kernel) = (strided(&self.input, context), strided(&self.kernel, context));
                    self.convolve(convolution, context, input, kernel, workspace);
                }
                Product::Half(product) => {
                    let Half { convolution, input, kernel } = &**product;
                    let to = workspace.add(convolution.workspace_bytes().next_multiple_of(64));
                    let half = |operand: &ConvolutionOperand| {
                        let base = context.bases[operand.buffer.0 as usize].cast::<u16>();
                        base.wrapping_offset(operand.offset as isize).cast_const()
                    };
                    let x = widen(input, context, half(&self.input), to.cast());
                    let w = widen(kernel, context, half(&self.kernel), to.add(input.bytes()).cast());
                    let (x, w) = (Strided::new(x, input.dense()), Strided::new(w, kernel.dense()));
                    self.convolve(convolution, context, x, w, workspace);
                }
            }
        }
    }

    unsafe fn convolve<T: Element>(
        &self,
        convolution: &Convolution<T>,
        context: &Context<'_>,
        input: Strided<*const T>,
        kernel: Strided<*const T>,
        workspace: *mut u8,
    ) {
        let finisher;
        let output = match &self.finish {
            Finish::Store { buffer, offset, strides } => {
                let data = context.bases[*buffer].cast::<T>().wrapping_offset(*offset as isize);
                Output::Store(Strided { data, strides: *strides })
            }
            Finish::Epilogue(epilogue) => {
                finisher = Finisher { epilogue, context };
                if self.outputs_first {
                    Output::FinishOutputsFirst(&finisher)
                } else {
                    Output::Finish(&finisher)
                }
            }
        };
        // SAFETY: the caller's promise.
        unsafe { convolution.run(context.pool, input, kernel, &output, workspace) };
    }
}

fn strided<T>(operand: &ConvolutionOperand, context: &Context<'_>) -> Strided<*const T> {
    let data = context.bases[operand.buffer.0 as usize].cast::<T>().wrapping_offset(operand.offset as isize);
    let strides: SmallVec<[isize; 6]> = operand.strides.iter().map(|s| *s as isize).collect();
    Strided::new(data.cast_const(), &strides)
}
