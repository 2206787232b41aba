//! From a recording to a program: passes in the order they run.
//!
//! Graph to graph: [`calls`], [`mod@precision`], [`simplify`], [`layout`], [`multiply_add`], [`widen`]. Graph to program: [`fuse`] decides which ops share
//! a kernel, [`lower`] and [`emit`] write the kernels, [`schedule`] orders them, [`memory`] places what they touch, and
//! [`mod@recompute`] changes the schedule where that is more than there may be.

mod calls;
mod emit;
mod error;
mod fuse;
mod index;
mod layout;
mod lower;
mod memory;
mod multiply_add;
mod precision;
mod product;
mod recompute;
mod rewrite;
mod schedule;
mod simplify;
mod views;
mod widen;

pub use error::Error;
pub use precision::{Precision, PrecisionRow, PrecisionTable};
pub use recompute::Recomputation;

use lower::{Buffers, Home, Unit};
use recompute::{Failure, Recomputed, recompute};
use std::time::{Duration, Instant};
use warploom_device::{BufferId, Class, Program, Target};
use warploom_graph::verify::verify;
use warploom_graph::{Arithmetic, Graph, Op, ParameterRole, Recording, ResultRole, Type};

/// What the compiler may be told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Options {
    /// Join elementwise chains, reductions and epilogues into kernels. Off, every op is a kernel: slower, the same bits.
    pub fuse: bool,
    /// Most bytes of the whole plan with one set of inputs and outputs, [`Program::plan`] of 1: state, arena, rings, derived.
    /// Where the program takes more, values are computed again instead of being kept, with the same bits; the program's
    /// notes say what that costs. A program that fits is the one without a limit.
    pub memory_limit: Option<usize>,
    /// In which numbers products of f32 multiply.
    pub precision: Precision,
}

impl Default for Options {
    fn default() -> Options {
        Options { fuse: true, memory_limit: None, precision: Precision::F32 }
    }
}

/// A program with what was seen on the way.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The program.
    pub program: Program,
    /// The graph after the graph passes, from which kernels were made.
    pub graph: Graph,
    /// What the memory limit costs, where values are computed again.
    pub recomputation: Option<Recomputation>,
    /// Time from recording to program.
    pub elapsed: Duration,
}

/// Compiles a recording for a target.
///
/// # Errors
/// A dtype or a precision that the target does not compute with; [`Error::MemoryLimit`] where even recomputation does not make it fit.
pub fn compile(recording: &Recording, target: &dyn Target, options: Options) -> Result<Compiled, Error> {
    let started = Instant::now();
    check_dtypes(&recording.graph, target)?;
    let mut notes = Vec::new();
    let graph = checked("recording", recording.graph.clone())?;
    let graph = checked("calls", calls::calls(&graph, target, &mut notes)?)?;
    let (roles, device) = (&recording.results, target.capabilities());
    let graph = precision::precision(graph, roles, options.precision, device, &mut notes)?;
    let graph = checked("precision", graph)?;
    let graph = checked("simplify", simplify::simplify(&graph)?)?;
    let graph = checked("layout", layout::layout(&graph)?)?;
    let graph = checked("multiply_add", multiply_add::multiply_add(&graph)?)?;
    let graph = checked("simplify", simplify::simplify(&graph)?)?;
    let graph = checked("widen", widen::widen(&graph)?)?;

    let mut buffers = Buffers { list: Vec::new() };
    let mut states: Vec<Option<(BufferId, Type)>> = vec![None; recording.state_count()];
    let (mut inputs, mut outputs, mut written) = (Vec::new(), Vec::new(), Vec::new());
    let mut parameters = Vec::new();
    for (value, role) in graph.parameters().iter().zip(&recording.parameters) {
        let ty = graph.ty(*value).clone();
        let buffer = match role {
            ParameterRole::Input => {
                inputs.push(ty.clone());
                buffers.add(ty, Home::Bound(Class::Input(inputs.len() - 1)))
            }
            ParameterRole::State(slot) => {
                let buffer = buffers.add(ty.clone(), Home::Bound(Class::State(*slot)));
                states[*slot] = Some((buffer, ty));
                buffer
            }
        };
        parameters.push(buffer);
    }
    let mut targets = Vec::new();
    for (value, role) in graph.results().iter().zip(&recording.results) {
        let ty = graph.ty(*value).clone();
        targets.push(match role {
            ResultRole::Output => {
                outputs.push(ty.clone());
                buffers.add(ty, Home::Bound(Class::Output(outputs.len() - 1)))
            }
            ResultRole::Update(slot) => {
                written.push(*slot);
                match &states[*slot] {
                    Some((buffer, _)) => *buffer,
                    None => {
                        let buffer = buffers.add(ty.clone(), Home::Bound(Class::State(*slot)));
                        states[*slot] = Some((buffer, ty));
                        buffer
                    }
                }
            }
        });
    }
    let units = lower::lower(&graph, &parameters, &targets, &mut buffers, target, options);
    let (specs, slabs) = memory::place(&units, &buffers, target.capabilities())?;
    let unused = || Type::scalar(warploom_graph::DType::U8);
    let mut program = Program {
        buffers: specs,
        steps: Vec::new(),
        states: states.into_iter().map(|s| s.map_or_else(unused, |s| s.1)).collect(),
        written,
        inputs,
        outputs,
        slabs,
        notes,
    };
    let (units, recomputation) = match options.memory_limit {
        Some(limit) => fit(units, &buffers, &mut program, target, limit)?,
        None => (units, None),
    };
    program.steps = memory::flatten(units);
    Ok(Compiled { program, graph, recomputation, elapsed: started.elapsed() })
}

/// Recomputes until the plan is within the limit; what is within already stays as it is.
fn fit(
    units: Vec<Unit>,
    buffers: &Buffers,
    program: &mut Program,
    target: &dyn Target,
    limit: usize,
) -> Result<(Vec<Unit>, Option<Recomputation>), Error> {
    let plan = program.plan(1);
    if plan.total() <= limit {
        return Ok((units, None));
    }
    let kept = plan.total() - plan.arena;
    let room = limit.saturating_sub(kept);
    let fitting = recompute(&units, buffers, target.capabilities(), plan.arena, room);
    let Recomputed { units, specs, slabs, cost } = fitting.map_err(|failure| match failure {
        Failure::TooLarge(arena) => Error::MemoryLimit { limit, least: kept + arena },
        Failure::Place(error) => error,
    })?;
    (program.buffers, program.slabs) = (specs, slabs);
    program.notes.push(cost.to_string());
    Ok((units, Some(cost)))
}

/// The verifier after a pass, in tests and debug builds.
fn checked(pass: &str, graph: Graph) -> Result<Graph, Error> {
    if cfg!(debug_assertions) {
        let fail = |e: warploom_graph::Error| {
            warploom_graph::Error::new(format!("after {pass}: {}", e.op), e.message)
        };
        verify(&graph).map_err(fail)?;
    }
    Ok(graph)
}

fn check_dtypes(graph: &Graph, target: &dyn Target) -> Result<(), Error> {
    let capabilities = target.capabilities();
    for (_, node) in graph.nodes() {
        for value in node.outputs() {
            let dtype = graph.ty(value).dtype;
            if !capabilities.dtypes.contains(&dtype) {
                let message = format!("{} does not compute with {dtype}; cast to f32 first", capabilities.id);
                return Err(warploom_graph::Error::new(node.op.name(), message).at(&node.origin).into());
            }
        }
        let tf32 = match &node.op {
            Op::Contract(axes) => axes.arithmetic == Arithmetic::Tf32,
            Op::Convolve(axes) => axes.arithmetic == Arithmetic::Tf32,
            _ => false,
        };
        if tf32 && !capabilities.tf32 {
            let message = format!(
                "{} does not multiply in TF32; leave the product's arithmetic its own",
                capabilities.id
            );
            return Err(warploom_graph::Error::new(node.op.name(), message).at(&node.origin).into());
        }
    }
    Ok(())
}
