//! Plans made ready: kernels checked and loaded, and divided into what is recorded as one.

use std::collections::HashMap;
use std::sync::Arc;

use warploom_device::DeviceError;
use warploom_gpu::{Argument, Convolving, Dispatch, Multiplication, Node, Plan, Root};

use crate::driver::{Gpu, Module};
use crate::kernels::Kernels;
use crate::vendor::Vendor;
use crate::{convolutions, matrices};

/// Kernels of one recording. Each takes about a kilobyte of the driver's memory and microseconds to record; what loops
/// repeat beyond it is launched again.
pub(crate) const MOST_KERNELS: usize = 4096;

/// A plan made ready.
pub(crate) struct Prepared {
    /// Each once, in order.
    pub nodes: Vec<ReadyNode>,
    /// Their names.
    pub names: Vec<String>,
    /// Memories that they see, each once.
    pub roots: Vec<Root>,
    /// What is recorded, as positions of nodes in order.
    pub recordings: Vec<Vec<usize>>,
    pub parts: Vec<Part>,
}

/// What a launch does, in order.
#[derive(PartialEq, Debug)]
pub(crate) enum Part {
    /// A recording, by position.
    Recording(usize),
    /// All of these, this many times.
    Repeat(usize, Vec<Part>),
}

/// A kernel, or a call of a library.
pub(crate) enum ReadyNode {
    Kernel(ReadyKernel),
    Product(ReadyProduct),
    Convolution(ReadyConvolution),
}

/// The position of an argument's root and the bytes from there: first and past the last.
pub(crate) type Bytes = (usize, usize, usize);

/// One kernel and how it is launched.
pub(crate) struct ReadyKernel {
    pub module: Arc<Module>,
    pub workgroup: u32,
    pub groups: [u32; 3],
    pub arguments: Vec<Bytes>,
}

/// A product of cuBLASLt's and what it is called with.
pub(crate) struct ReadyProduct {
    pub product: Arc<matrices::Ready>,
    pub left: Bytes,
    pub right: Bytes,
    pub result: Bytes,
    pub bias: Option<Bytes>,
    pub workspace: Option<Bytes>,
}

/// A convolution of cuDNN's and what it is called with.
pub(crate) struct ReadyConvolution {
    pub convolution: Arc<convolutions::Ready>,
    /// The operands as the step has them, and the result.
    pub arguments: [Bytes; 3],
    pub workspace: Option<Bytes>,
}

/// The memories of a plan.
#[derive(Default)]
struct Roots {
    list: Vec<Root>,
    known: HashMap<Root, usize>,
}

impl Roots {
    fn bytes(&mut self, argument: &Argument) -> Bytes {
        let position = *self.known.entry(argument.root).or_insert_with(|| {
            self.list.push(argument.root);
            self.list.len() - 1
        });
        (position, argument.offset, argument.offset.saturating_add(argument.bytes))
    }
}

pub(crate) fn prepare(
    gpu: &Gpu,
    kernels: &Kernels,
    vendor: &Vendor,
    plan: &Plan,
) -> Result<Prepared, DeviceError> {
    let dispatches: Vec<&Dispatch> = plan.each().into_iter().filter(|kernel| kernel.has_work()).collect();
    dispatches.iter().try_for_each(|kernel| kernel.check(&gpu.limits, &gpu.name))?;
    let modules = kernels.get(&dispatches)?;
    let names = Vec::new();
    let mut making = Making { names, modules: &modules, vendor, roots: Roots::default(), nodes: Vec::new() };
    let tree = making.numbered(&plan.nodes)?;
    let mut division = Division::default();
    let parts = division.divide(&tree);
    let Making { nodes, names, roots, .. } = making;
    Ok(Prepared { nodes, names, roots: roots.list, recordings: division.recordings, parts })
}

struct Making<'a> {
    /// Of the dispatches that have work, in order.
    modules: &'a [Arc<Module>],
    vendor: &'a Vendor,
    roots: Roots,
    nodes: Vec<ReadyNode>,
    names: Vec<String>,
}

impl Making<'_> {
    /// Makes nodes ready, and gives their tree with positions in place of each.
    fn numbered(&mut self, nodes: &[Node]) -> Result<Vec<Numbered>, DeviceError> {
        let missing =
            |kernel: &Dispatch| DeviceError::Unsupported(format!("{} was not compiled", kernel.name));
        let mut all = Vec::with_capacity(nodes.len());
        for node in nodes {
            let (ready, name) = match node {
                Node::Repeat(times, body) => {
                    all.push(Numbered::Repeat(*times, self.numbered(body)?));
                    continue;
                }
                Node::Dispatch(dispatch) if !dispatch.has_work() => continue,
                Node::Dispatch(dispatch) => {
                    let (module, others) = self.modules.split_first().ok_or_else(|| missing(dispatch))?;
                    self.modules = others;
                    (ReadyNode::Kernel(self.kernel(dispatch, module.clone())), &dispatch.name)
                }
                Node::Product(call) => (ReadyNode::Product(self.product(call)?), &call.name),
                Node::Convolution(call) => (ReadyNode::Convolution(self.convolution(call)?), &call.name),
            };
            self.names.push(name.clone());
            self.nodes.push(ready);
            all.push(Numbered::Kernel(self.nodes.len() - 1));
        }
        Ok(all)
    }

    fn kernel(&mut self, dispatch: &Dispatch, module: Arc<Module>) -> ReadyKernel {
        ReadyKernel {
            module,
            workgroup: dispatch.workgroup,
            groups: dispatch.groups,
            arguments: dispatch.arguments.iter().map(|argument| self.roots.bytes(argument)).collect(),
        }
    }

    fn product(&mut self, call: &Multiplication) -> Result<ReadyProduct, DeviceError> {
        let refused =
            || DeviceError::Unsupported(format!("{}: no library takes {}", call.name, call.product));
        let product = self.vendor.matrices.get(&call.product).ok_or_else(refused)?;
        Ok(ReadyProduct {
            product,
            left: self.roots.bytes(&call.left),
            right: self.roots.bytes(&call.right),
            result: self.roots.bytes(&call.result),
            bias: call.bias.as_ref().map(|bias| self.roots.bytes(bias)),
            workspace: call.workspace.as_ref().map(|workspace| self.roots.bytes(workspace)),
        })
    }

    fn convolution(&mut self, call: &Convolving) -> Result<ReadyConvolution, DeviceError> {
        let refused =
            || DeviceError::Unsupported(format!("{}: no library takes {}", call.name, call.convolution));
        let convolution = self.vendor.convolutions.get(&call.convolution).ok_or_else(refused)?;
        Ok(ReadyConvolution {
            convolution,
            arguments: [&call.input, &call.kernel, &call.result].map(|argument| self.roots.bytes(argument)),
            workspace: call.workspace.as_ref().map(|workspace| self.roots.bytes(workspace)),
        })
    }
}

/// A plan's nodes with kernels as positions.
enum Numbered {
    Kernel(usize),
    Repeat(usize, Vec<Numbered>),
}

/// Kernels of one run.
fn count(nodes: &[Numbered]) -> usize {
    let count = |node: &Numbered| match node {
        Numbered::Kernel(_) => 1,
        Numbered::Repeat(times, body) => times.saturating_mul(count(body)),
    };
    nodes.iter().map(count).fold(0, usize::saturating_add)
}

fn unroll(nodes: &[Numbered], into: &mut Vec<usize>) {
    for node in nodes {
        match node {
            Numbered::Kernel(kernel) => into.push(*kernel),
            Numbered::Repeat(times, body) => (0..*times).for_each(|_| unroll(body, into)),
        }
    }
}

#[derive(Default)]
struct Division {
    recordings: Vec<Vec<usize>>,
    /// What the next recording holds so far.
    open: Vec<usize>,
}

impl Division {
    /// The parts of a run, as few recordings as the bound allows.
    fn divide(&mut self, nodes: &[Numbered]) -> Vec<Part> {
        let mut parts = Vec::new();
        for node in nodes {
            match node {
                Numbered::Kernel(kernel) => {
                    self.room(1, &mut parts);
                    self.open.push(*kernel);
                }
                Numbered::Repeat(times, body) => self.repeat(*times, body, &mut parts),
            }
        }
        self.room(MOST_KERNELS, &mut parts);
        parts
    }

    fn repeat(&mut self, times: usize, body: &[Numbered], parts: &mut Vec<Part>) {
        let each = count(body);
        if times == 0 || each == 0 {
            return;
        }
        let total = times.saturating_mul(each);
        if total <= MOST_KERNELS {
            self.room(total, parts);
            (0..times).for_each(|_| unroll(body, &mut self.open));
            return;
        }
        self.room(MOST_KERNELS, parts);
        let rounds = MOST_KERNELS / each;
        if rounds == 0 {
            let inner = self.divide(body);
            parts.push(Part::Repeat(times, inner));
            return;
        }
        (0..rounds).for_each(|_| unroll(body, &mut self.open));
        let mut inner = Vec::new();
        self.room(MOST_KERNELS, &mut inner);
        parts.push(Part::Repeat(times / rounds, inner));
        (0..times % rounds).for_each(|_| unroll(body, &mut self.open));
    }

    /// Closes the open recording where it has no room for so many kernels more.
    fn room(&mut self, kernels: usize, parts: &mut Vec<Part>) {
        if !self.open.is_empty() && self.open.len() + kernels > MOST_KERNELS {
            self.recordings.push(std::mem::take(&mut self.open));
            parts.push(Part::Recording(self.recordings.len() - 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(parts: &[Part], recordings: &[Vec<usize>], order: &mut Vec<usize>, launches: &mut usize) {
        for part in parts {
            match part {
                Part::Recording(position) => {
                    *launches += 1;
                    order.extend(&recordings[*position]);
                }
                Part::Repeat(times, inner) => {
                    (0..*times).for_each(|_| run(inner, recordings, order, launches));
                }
            }
        }
    }

    /// Whatever the division, the order is that of the plan; gives the launches and the kernels recorded.
    fn divided(nodes: &[Numbered]) -> (usize, usize) {
        let mut division = Division::default();
        let parts = division.divide(nodes);
        assert!(division.recordings.iter().all(|recording| recording.len() <= MOST_KERNELS));
        let (mut expected, mut order, mut launches) = (Vec::new(), Vec::new(), 0);
        unroll(nodes, &mut expected);
        run(&parts, &division.recordings, &mut order, &mut launches);
        assert!(order == expected);
        (launches, division.recordings.iter().map(Vec::len).sum())
    }

    use Numbered::{Kernel, Repeat};

    #[test]
    fn what_fits_is_one_recording() {
        let nodes = [Kernel(0), Repeat(100, vec![Kernel(1), Repeat(3, vec![Kernel(2)])]), Kernel(3)];
        assert_eq!(divided(&nodes), (1, 402));
        assert_eq!(divided(&[]), (0, 0));
        assert_eq!(divided(&[Repeat(0, vec![Kernel(0)]), Repeat(5, vec![])]), (0, 0));
    }

    #[test]
    fn long_loops_launch_a_recording_again() {
        // 1,365 rounds of 3 fit; 7 times, and 445 rounds with the kernel behind.
        let nodes = [Kernel(0), Repeat(10_000, vec![Kernel(1), Kernel(2), Kernel(3)]), Kernel(4)];
        assert_eq!(divided(&nodes), (1 + 7 + 1, 1 + 4095 + 3 * 445 + 1));
        let inner = Repeat(5_000, vec![Kernel(0)]);
        let (launches, recorded) = divided(&[Repeat(10, vec![inner, Kernel(1)])]);
        assert_eq!((launches, recorded), (20, 4096 + 905));
    }

    #[test]
    fn many_kernels_in_a_row_are_several_recordings() {
        let nodes: Vec<Numbered> = (0..10_000).map(Kernel).collect();
        assert_eq!(divided(&nodes), (3, 10_000));
    }
}
