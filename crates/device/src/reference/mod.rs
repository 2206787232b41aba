//! What a step of a program means, by definition: a slow interpreter of the kernel form over copies of buffers on the host.
//! Floats are f64, rounded where a register or memory rounds, and carry how far another honest executor may be away. It
//! shares no code with any executor.

mod host;
mod kernel;
mod number;
mod product;
mod scatter;

pub use host::{Host, View};
pub use number::Number;

use crate::kernel::Kernel;
use crate::program::{BufferId, Step};
use kernel::Machine;
use product::{contraction, convolution};
use warploom_graph::DType;

/// What a step writes to one element.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Written {
    /// Where to.
    pub buffer: BufferId,
    /// How it is stored.
    pub dtype: DType,
    /// Which element.
    pub element: i64,
    /// What.
    pub value: Number,
}

/// Why a step has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// An index read from memory is not in `0..extent`.
    Index {
        /// The index.
        index: i64,
        /// The axis's extent.
        extent: usize,
    },
    /// The step reads what the buffer does not have: the program is malformed.
    Outside {
        /// The buffer.
        buffer: BufferId,
        /// The element.
        element: i64,
    },
}

/// How much of a step was evaluated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// Everything it writes.
    Whole,
    /// Some of it, chosen by a fixed rule.
    Sample,
    /// Nothing: a loop or a call, which are no single steps.
    Nothing,
}

/// Evaluates a step that is neither loop nor call on what its buffers held before, and hands every written element to
/// `sink`. Of a step that needs more than `operations` (loads, arithmetic, terms of sums) some results alone are evaluated,
/// each whole.
///
/// # Errors
/// The first [`Fault`].
pub fn evaluate(
    step: &Step,
    host: &Host,
    operations: usize,
    sink: &mut dyn FnMut(Written),
) -> Result<Extent, Fault> {
    let run =
        |kernel: &Kernel, terms: usize, product: product::Product<'_>, sink: &mut dyn FnMut(Written)| {
            let once = kernel.body.len() * kernel.sweep() + kernel.tail.len() + kernel.stores.len();
            let chosen = Chosen::new(kernel.points(), once + terms, operations);
            let mut machine = Machine::new(kernel, host);
            for point in chosen.each() {
                let product = product(point)?;
                machine.point(point, product, sink)?;
            }
            Ok(chosen.extent())
        };
    match step {
        Step::Kernel(kernel) => run(kernel, 0, &|_| Ok(None), sink),
        Step::Contraction(step) => run(&step.epilogue, step.k, &|point| contraction(step, host, point), sink),
        Step::Convolution(step) => {
            let taps: usize = step.shape.kernel()[2..].iter().product();
            run(&step.epilogue, taps, &|point| convolution(step, host, point), sink)
        }
        Step::Scatter(step) => scatter::evaluate(step, host, operations, sink),
        Step::Copy { source, destination } => {
            let bytes = [source, destination].map(|id| host.buffers.get(id).map_or(0, Vec::len));
            for element in 0..bytes[0].min(bytes[1]) as i64 {
                let value = Number::exact(host.element(*source, DType::U8, element)?);
                sink(Written { buffer: *destination, dtype: DType::U8, element, value });
            }
            Ok(Extent::Whole)
        }
        Step::Loop(_) | Step::Claimed { .. } => Ok(Extent::Nothing),
    }
}

/// Which of several results are evaluated.
struct Chosen {
    all: usize,
    count: usize,
}

impl Chosen {
    /// All of `all` where each takes `once` operations and `most` suffice; else as many as that, one at least.
    fn new(all: usize, once: usize, most: usize) -> Chosen {
        Chosen { all, count: all.min((most / once.max(1)).max(1)) }
    }

    fn extent(&self) -> Extent {
        if self.count == self.all { Extent::Whole } else { Extent::Sample }
    }

    /// The first, the last, and between them the fractional parts of multiples of the golden ratio, which fall evenly on
    /// every axis whatever its extent.
    fn each(&self) -> impl Iterator<Item = usize> + use<> {
        let (all, count) = (self.all, self.count);
        let golden = (5f64.sqrt() - 1.0) / 2.0;
        (0..count).map(move |i| match i {
            _ if count == all => i,
            0 => 0,
            1 => all - 1,
            _ => (((i as f64 * golden).fract() * all as f64) as usize).min(all - 1),
        })
    }
}
