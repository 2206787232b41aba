//! Descriptors of cuDNN, destroyed when they are dropped. They are memory of the host.

use std::ffi::{c_int, c_uint};

use warploom_gpu::{ImageConvolution, Role};
use warploom_graph::DType;

use super::api::{self, Api, Descriptor, Handle, Proposal, Propose, Run, Status};

/// Algorithms that are asked for: the first is taken that gives the same bits every time within the scratch memory.
const PROPOSALS: usize = 8;

struct Owned {
    raw: Descriptor,
    destroy: unsafe extern "C" fn(Descriptor) -> Status,
}

impl Owned {
    fn new(
        api: &Api,
        create: unsafe extern "C" fn(*mut Descriptor) -> Status,
        destroy: unsafe extern "C" fn(Descriptor) -> Status,
    ) -> Result<Owned, String> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: `raw` is written to.
        api.done("a descriptor", unsafe { create(&raw mut raw) })?;
        Ok(Owned { raw, destroy })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: made once; nothing uses it any more.
        unsafe { (self.destroy)(self.raw) };
    }
}

/// A convolution as the library knows it.
pub(crate) struct Descriptors {
    role: Role,
    input: Owned,
    kernel: Owned,
    output: Owned,
    geometry: Owned,
    /// Kept for f32, whatever an algorithm would rather have.
    is_f32: bool,
}

// SAFETY: descriptors are memory of the host that no thread owns, and are not changed after they are made.
unsafe impl Send for Descriptors {}
// SAFETY: as above.
unsafe impl Sync for Descriptors {}

/// An algorithm by its number, with the bytes that it needs.
#[derive(Clone, Copy)]
pub(crate) struct Algorithm {
    number: c_uint,
    pub scratch: usize,
}

fn numbers<const N: usize>(extents: [usize; N]) -> Result<[c_int; N], String> {
    let mut numbers = [0; N];
    for (number, extent) in numbers.iter_mut().zip(extents) {
        *number = c_int::try_from(extent).map_err(|_| format!("an extent of {extent} is too large"))?;
    }
    Ok(numbers)
}

impl Descriptors {
    pub(crate) fn new(api: &Api, convolution: &ImageConvolution) -> Result<Descriptors, String> {
        let dtype = match convolution.dtype {
            DType::F32 => api::TYPE_F32,
            DType::F16 => api::TYPE_F16,
            DType::BF16 => api::TYPE_BF16,
            other => return Err(format!("its images are not of {}", other.name())),
        };
        let images = |extents| {
            let [batch, channels, rows, columns] = numbers(extents)?;
            let made = Owned::new(api, api.images_create, api.images_destroy)?;
            // SAFETY: the descriptor lives.
            let answer = unsafe {
                (api.images_set)(made.raw, api::CHANNELS_FIRST, dtype, batch, channels, rows, columns)
            };
            api.done("images", answer).map(|()| made)
        };
        let (input, output) = (images(convolution.input())?, images(convolution.output())?);
        let [outputs, channels, rows, columns] = numbers(convolution.kernel())?;
        let kernel = Owned::new(api, api.kernel_create, api.kernel_destroy)?;
        // SAFETY: the descriptor lives.
        let answer = unsafe {
            (api.kernel_set)(kernel.raw, dtype, api::CHANNELS_FIRST, outputs, channels, rows, columns)
        };
        api.done("a kernel", answer)?;
        let geometry = Owned::new(api, api.geometry_create, api.geometry_destroy)?;
        let is_f32 = convolution.dtype == DType::F32 && !convolution.tf32;
        let made = Descriptors { role: convolution.role, input, kernel, output, geometry, is_f32 };
        made.set_geometry(api, convolution)?;
        made.check_output(api, convolution)?;
        Ok(made)
    }

    fn set_geometry(&self, api: &Api, convolution: &ImageConvolution) -> Result<(), String> {
        let [rows, columns] = convolution.axes;
        let [groups] = numbers([convolution.groups])?;
        let [top, left, down, across, dilation_down, dilation_across] = numbers([
            rows.padding,
            columns.padding,
            rows.stride,
            columns.stride,
            rows.dilation,
            columns.dilation,
        ])?;
        let raw = self.geometry.raw;
        // SAFETY: the descriptor lives.
        let answer = unsafe {
            (api.geometry_set)(
                raw,
                top,
                left,
                down,
                across,
                dilation_down,
                dilation_across,
                api::NOT_TURNED,
                api::TYPE_F32,
            )
        };
        api.done("a convolution", answer)?;
        // SAFETY: as above.
        api.done("groups", unsafe { (api.geometry_set_groups)(raw, groups) })?;
        let math = match (convolution.dtype, convolution.tf32) {
            (DType::F32, false) => api::MATH_F32,
            (DType::F32, true) => api::MATH_ANY,
            _ => api::MATH_TENSOR,
        };
        self.set_math(api, math)
    }

    fn set_math(&self, api: &Api, math: c_uint) -> Result<(), String> {
        // SAFETY: the descriptor lives.
        api.done("its arithmetic", unsafe { (api.geometry_set_math)(self.geometry.raw, math) })
    }

    /// The library's own word on the output's extents.
    fn check_output(&self, api: &Api, convolution: &ImageConvolution) -> Result<(), String> {
        let mut said: [c_int; 4] = [0; 4];
        let [batch, outputs, rows, columns] = said.each_mut();
        // SAFETY: the descriptors live; the four numbers are written to.
        let answer = unsafe {
            (api.geometry_output)(
                self.geometry.raw,
                self.input.raw,
                self.kernel.raw,
                batch,
                outputs,
                rows,
                columns,
            )
        };
        api.done("the extents of the output", answer)?;
        let wanted = numbers(convolution.output())?;
        if said == wanted { Ok(()) } else { Err(format!("its output is {said:?}, not {wanted:?}")) }
    }

    /// Both operands in the order of the library's arguments, and the result.
    fn ordered(&self) -> [Descriptor; 3] {
        let [input, kernel, output] = [self.input.raw, self.kernel.raw, self.output.raw];
        match self.role {
            Role::Output => [input, kernel, output],
            Role::InputGradient => [kernel, output, input],
            Role::KernelGradient => [input, output, kernel],
        }
    }

    /// Asks for an algorithm that gives the same bits every time.
    pub(crate) fn choose(&self, api: &Api, handle: Handle, most_scratch: usize) -> Result<Algorithm, String> {
        let propose: Propose = match self.role {
            Role::Output => api.propose_output,
            Role::InputGradient => api.propose_input_gradient,
            Role::KernelGradient => api.propose_kernel_gradient,
        };
        let [first, second, result] = self.ordered();
        let (mut proposals, mut count) = ([Proposal::default(); PROPOSALS], 0);
        // SAFETY: all descriptors live; as many proposals as announced are written.
        let answer = unsafe {
            propose(
                handle,
                first,
                second,
                self.geometry.raw,
                result,
                PROPOSALS as c_int,
                &raw mut count,
                proposals.as_mut_ptr(),
            )
        };
        api.done("to choose an algorithm", answer)?;
        let mut proposed = proposals.iter().take(usize::try_from(count).unwrap_or(0));
        let fits = |proposal: &&Proposal| {
            proposal.status == 0 && proposal.is_repeatable == 1 && proposal.scratch <= most_scratch
        };
        let found = proposed.find(fits).ok_or("it has no algorithm that gives the same bits every time")?;
        if !self.is_f32 {
            self.set_math(api, found.math)?;
        }
        Ok(Algorithm { number: found.algorithm, scratch: found.scratch })
    }

    /// Queues the convolution on the handle's queue.
    ///
    /// # Safety
    /// The addresses, of the operands as the step has them, of the result and of scratch memory, must be those of as much memory
    /// as the descriptors say.
    pub(crate) unsafe fn run(
        &self,
        api: &Api,
        handle: Handle,
        algorithm: Algorithm,
        [input, kernel, result, scratch]: [u64; 4],
    ) -> Result<(), String> {
        let run: Run = match self.role {
            Role::Output => api.output,
            Role::InputGradient => api.input_gradient,
            Role::KernelGradient => api.kernel_gradient,
        };
        // The kernel comes before the output's gradient.
        let [at_first, at_second] =
            if self.role == Role::InputGradient { [kernel, input] } else { [input, kernel] };
        let [first, second, to] = self.ordered();
        let (one, zero) = (1.0_f32, 0.0_f32);
        // SAFETY: the descriptors live; the caller answers for the addresses.
        let answer = unsafe {
            run(
                handle,
                (&raw const one).cast(),
                first,
                at_first,
                second,
                at_second,
                self.geometry.raw,
                algorithm.number,
                scratch,
                algorithm.scratch,
                (&raw const zero).cast(),
                to,
                result,
            )
        };
        api.done("it", answer)
    }
}
