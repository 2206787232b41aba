//! What a step is called and what it touches.

use crate::error::DeviceError;
#[cfg(doc)]
use crate::executor::Capabilities;
use crate::kernel::Kernel;
use crate::program::{BufferId, Step};

impl Step {
    /// A name for people.
    pub fn name(&self) -> String {
        match self {
            Step::Kernel(kernel) => kernel.name.clone(),
            Step::Contraction(product) => product.epilogue.name.clone(),
            Step::Convolution(product) => product.epilogue.name.clone(),
            Step::Scatter(scatter) => format!("scatter {}", scatter.kind.name()),
            Step::Copy { .. } => "copy".into(),
            Step::Loop(body) => format!("loop of {} rounds", body.iterations),
            Step::Claimed { name, .. } => (*name).into(),
        }
    }

    /// Buffers whose content the step may look at, those that it writes among them; of a loop's windows, what they are
    /// parts of.
    pub fn reads(&self) -> Vec<BufferId> {
        let mut list = self.writes();
        match self {
            Step::Kernel(kernel) => list.extend(kernel.reads()),
            Step::Contraction(product) => {
                list.extend([product.lhs.buffer, product.rhs.buffer]);
                list.extend(product.epilogue.reads());
            }
            Step::Convolution(product) => {
                list.extend([product.input.buffer, product.kernel.buffer]);
                list.extend(product.epilogue.reads());
            }
            Step::Scatter(scatter) => list.extend([scatter.indices, scatter.updates]),
            Step::Copy { source, .. } => list.push(*source),
            Step::Loop(body) => list.extend(self.within(body.body.iter().flat_map(Step::reads).collect())),
            Step::Claimed { inputs, .. } => list.extend(inputs),
        }
        distinct(list)
    }

    /// Buffers that the step writes, workspaces left out; of a loop's windows, what they are parts of.
    pub fn writes(&self) -> Vec<BufferId> {
        let stores = |kernel: &Kernel| kernel.stores.iter().map(|store| store.buffer).collect();
        distinct(match self {
            Step::Kernel(kernel) => stores(kernel),
            Step::Contraction(product) => stores(&product.epilogue),
            Step::Convolution(product) => stores(&product.epilogue),
            Step::Scatter(scatter) => vec![scatter.destination],
            Step::Copy { destination, .. } => vec![*destination],
            Step::Loop(body) => {
                let mut list: Vec<BufferId> = body.body.iter().flat_map(Step::writes).collect();
                list.extend(body.counter);
                self.within(list)
            }
            Step::Claimed { outputs, .. } => outputs.clone(),
        })
    }

    /// Scratch memory of the step.
    pub fn workspaces(&self) -> Vec<BufferId> {
        match self {
            Step::Contraction(product) => product.workspace.into_iter().collect(),
            Step::Convolution(product) => product.workspace.into_iter().collect(),
            Step::Loop(body) => body.body.iter().flat_map(Step::workspaces).collect(),
            Step::Kernel(_) | Step::Scatter(_) | Step::Copy { .. } | Step::Claimed { .. } => Vec::new(),
        }
    }

    /// Refuses a step, or one within, that rounds its factors to TF32, for a device without [`Capabilities::tf32`].
    ///
    /// # Errors
    /// [`DeviceError::Unsupported`] with the step's name.
    pub fn refuse_tf32(&self) -> Result<(), DeviceError> {
        let tf32 = match self {
            Step::Contraction(product) => product.tf32,
            Step::Convolution(product) => product.tf32,
            Step::Loop(body) => return body.body.iter().try_for_each(Step::refuse_tf32),
            Step::Kernel(_) | Step::Scatter(_) | Step::Copy { .. } | Step::Claimed { .. } => false,
        };
        match tf32 {
            true => Err(DeviceError::Unsupported(format!(
                "{} multiplies in TF32, which the device has not; compile with a precision of f32 or bf16",
                self.name()
            ))),
            false => Ok(()),
        }
    }

    /// Buffers with a loop's own windows replaced by what they are parts of.
    fn within(&self, list: Vec<BufferId>) -> Vec<BufferId> {
        let Step::Loop(body) = self else { return list };
        let parent = |id: BufferId| body.windows.iter().find(|w| w.buffer == id).map_or(id, |w| w.parent);
        list.into_iter().map(parent).collect()
    }
}

pub(crate) fn distinct(mut list: Vec<BufferId>) -> Vec<BufferId> {
    list.sort_unstable();
    list.dedup();
    list
}
