//! Kernels of the user's own, with a body that runs where there is no source for the device.

use crate::error::Error;
use crate::region;
use crate::scope;
use crate::tensor::Tensor;
use std::fmt;
use std::sync::Arc;
use warploom_graph::{CallGradient, Op, Source, Type};

type Body = dyn Fn(&[Tensor]) -> Vec<Tensor> + Send + Sync;
type Backward = dyn Fn(&[Tensor], &[Tensor], &[Tensor]) -> Vec<Tensor> + Send + Sync;
type Groups = dyn Fn(&[Type], &[Type]) -> [u32; 3] + Send + Sync;

/// A kernel of the user's own: a body in tensors, and for some devices a source that computes the same.
///
/// The body is what the kernel means: it gives the results' types, it runs on every device for which there is no source (the
/// CPU is one), and tests hold the sources against it. Where a device takes a source, that is one kernel of its own, which
/// nothing fuses with: operands lie dense in memory before it, results after it. It has no gradient until it is given one.
///
/// ```
/// use warploom_tensor::UserKernel;
///
/// // Half of each place and a quarter of its neighbours in the row, [rows, columns] to the same.
/// let smooth = UserKernel::new("smooth", |x| {
///     let windows = x[0].pad(&[(0, 0), (1, 1)]).unfold(1, 3, 1, 1);
///     let [left, here, right] = [0, 1, 2].map(|i| windows.select_at(2, i));
///     vec![here * 0.5 + (left + right) * 0.25]
/// })
/// .with_body_gradient()
/// .with_wgsl(
///     "fn kernel_main(@builtin(global_invocation_id) id: vec3<u32>) {
///         if (id.x >= output0_length) { return; }
///         let columns = output0_shape[1];
///         let column = id.x % columns;
///         var sum = 0.5 * input0(id.x);
///         if (column > 0u) { sum += 0.25 * input0(id.x - 1u); }
///         if (column + 1u < columns) { sum += 0.25 * input0(id.x + 1u); }
///         output0(id.x, sum);
///     }",
///     [64, 1, 1],
///     |_, results| [results[0].elements().div_ceil(64) as u32, 1, 1],
/// );
/// ```
pub struct UserKernel {
    name: &'static str,
    body: Box<Body>,
    gradient: Gradient,
    sources: Vec<Written>,
}

enum Gradient {
    Missing,
    Body,
    Given(Box<Backward>),
}

struct Written {
    language: &'static str,
    text: Arc<str>,
    workgroup: [u32; 3],
    groups: Box<Groups>,
}

impl UserKernel {
    /// A kernel by its body, which gets the inputs and returns at least one result. It may use no values from outside.
    pub fn new(
        name: &'static str,
        body: impl Fn(&[Tensor]) -> Vec<Tensor> + Send + Sync + 'static,
    ) -> UserKernel {
        UserKernel { name, body: Box::new(body), gradient: Gradient::Missing, sources: Vec::new() }
    }

    /// The same with a gradient: `gradient` gets the inputs, the results and the results' cotangents, and returns one
    /// cotangent for each input, of the input's type. It may apply other kernels of the user's, and may use no values from
    /// outside.
    pub fn with_gradient(
        self,
        gradient: impl Fn(&[Tensor], &[Tensor], &[Tensor]) -> Vec<Tensor> + Send + Sync + 'static,
    ) -> UserKernel {
        UserKernel { gradient: Gradient::Given(Box::new(gradient)), ..self }
    }

    /// The same with the gradient that the body has.
    pub fn with_body_gradient(self) -> UserKernel {
        UserKernel { gradient: Gradient::Body, ..self }
    }

    /// The same with a source in WGSL, which all GPUs of Vulkan, Metal and DirectX 12 take.
    ///
    /// It begins with `fn kernel_main(`, which takes the builtins it wants; other declarations may follow. Inputs
    /// are read by `input0(i)`, `input1(i)` …, results written by `output0(i, value)` …, with `i: u32` the position in
    /// row-major order, and values `f32` for all floats, `i32`, `u32` (also for u8) or `bool`. The constants
    /// `input0_length: u32`, `input0_shape: array<u32, rank>` (but for scalars) and their like hold the extents. All other names
    /// that begin with these, `a0`, `a1` … and those of the built-in library are taken. Workgroup memory begins undefined.
    ///
    /// `workgroup` has the invocations of a workgroup along its three axes; `groups` gives the number of workgroups from
    /// the types of inputs and results.
    pub fn with_wgsl(
        self,
        text: impl Into<Arc<str>>,
        workgroup: [u32; 3],
        groups: impl Fn(&[Type], &[Type]) -> [u32; 3] + Send + Sync + 'static,
    ) -> UserKernel {
        self.with_source("wgsl", text.into(), workgroup, Box::new(groups))
    }

    /// The same with a source in CUDA C++, which NVIDIA's GPUs take.
    ///
    /// It begins with `__device__ void kernel_main()`; other declarations may follow. Operands are seen as in
    /// [`UserKernel::with_wgsl`], by `input0(i)`, `output0(i, value)`, `input0_length` and `input0_shape[axis]`; all that is
    /// declared is a member of one structure, beside which CUDA's own names (`threadIdx`, `blockIdx`, `blockDim`, `gridDim`,
    /// `__syncthreads`, its mathematical functions) are there, and `__shared__` memory within functions.
    pub fn with_cuda(
        self,
        text: impl Into<Arc<str>>,
        workgroup: [u32; 3],
        groups: impl Fn(&[Type], &[Type]) -> [u32; 3] + Send + Sync + 'static,
    ) -> UserKernel {
        self.with_source("cuda", text.into(), workgroup, Box::new(groups))
    }

    fn with_source(
        mut self,
        language: &'static str,
        text: Arc<str>,
        workgroup: [u32; 3],
        groups: Box<Groups>,
    ) -> UserKernel {
        self.sources.push(Written { language, text, workgroup, groups });
        self
    }

    /// The same by its body alone, on every device: what a source is held against.
    pub fn without_sources(self) -> UserKernel {
        UserKernel { sources: Vec::new(), ..self }
    }

    /// Records the kernel. A failed operand or body, or a launch geometry that computes nothing, makes the results fail; a
    /// body that fails gives one failed result. A source that its compiler rejects is an error when the value is looked at.
    #[track_caller]
    pub fn apply(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        if let Some(failed) = inputs.iter().find(|t| t.is_failed()) {
            return vec![Tensor::clone(failed)];
        }
        match self.op(inputs) {
            Ok(op) => Tensor::apply_several(op, inputs),
            Err(error) => vec![Tensor::failed(error)],
        }
    }

    #[track_caller]
    fn op(&self, inputs: &[&Tensor]) -> Result<Op, Error> {
        let (name, origin) = (self.name, scope::origin());
        let body = region::forward(name, inputs, &origin, &self.body)?;
        let gradient = match &self.gradient {
            Gradient::Missing => CallGradient::Missing,
            Gradient::Body => CallGradient::Body,
            Gradient::Given(gradient) => {
                CallGradient::Region(region::backward(name, inputs, &body, &origin, gradient)?.into())
            }
        };
        let operands = region::types(inputs);
        let results = region::result_types(&body);
        let sources = self.sources.iter().map(|source| Source {
            language: source.language,
            text: source.text.clone(),
            workgroup: source.workgroup,
            groups: (source.groups)(&operands, &results),
        });
        Ok(Op::Call { name, gradient, sources: sources.collect(), body: body.into() })
    }
}

impl fmt::Debug for UserKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let languages: Vec<&str> = self.sources.iter().map(|source| source.language).collect();
        write!(f, "kernel {} with sources in {languages:?}", self.name)
    }
}
