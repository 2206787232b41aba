//! A program as dispatches.

use crate::claimed::Claimed;
use crate::code::{Code, Context, Work};
use crate::dialect::Dialect;
use crate::dispatch::{Dispatch, Node, Plan};
use crate::images::{Convolving, taken_convolution};
use crate::limits::Limits;
use crate::matrices::{Libraries, Multiplication, NoLibrary, taken_product};
use crate::operands::Operands;
use crate::place::Places;
use crate::rows::Touch;
use crate::together::{Stage, Together, touch};
use crate::{product, scatter};
use smallvec::smallvec;
use warploom_device::{BufferId, DeviceError, IndexMap, Instruction, Kernel, Loop, Program, Step, Store};
use warploom_graph::{DType, Dims};

/// Writes all kernels of a program.
pub fn plan(program: &Program, limits: &Limits, dialect: &dyn Dialect) -> Result<Plan, DeviceError> {
    plan_with(program, limits, dialect, &NoLibrary)
}

/// Writes all kernels of a program but for what libraries take.
pub fn plan_with(
    program: &Program,
    limits: &Limits,
    dialect: &dyn Dialect,
    libraries: &dyn Libraries,
) -> Result<Plan, DeviceError> {
    let places = Places::new(program)?;
    let mut planning = Planning {
        program,
        context: Context { dialect, limits, places: &places },
        libraries,
        kernels: Vec::new(),
        counters: 0,
    };
    let nodes = planning.steps(&program.steps)?;
    Ok(Plan { nodes, kernels: planning.kernels, counters: places.loops() })
}

/// Scratch bytes that a step needs on a device.
pub fn workspace_bytes(step: &Step, limits: &Limits) -> usize {
    workspace_bytes_with(step, limits, &NoLibrary)
}

/// Scratch bytes that a step needs on a device with libraries.
pub fn workspace_bytes_with(step: &Step, limits: &Limits, libraries: &dyn Libraries) -> usize {
    match step {
        Step::Contraction(step) => {
            // Kernels multiply what a loop moves, which is not known yet.
            let by_kernels = product::workspace_bytes(Operands::Matrices(step), limits);
            taken_product(step, libraries).map_or(0, |taken| taken.workspace_bytes()).max(by_kernels)
        }
        Step::Convolution(step) => {
            let by_kernels = product::workspace_bytes(Operands::Windows(step), limits);
            let taken = taken_convolution(step, |convolution| libraries.convolution(convolution));
            taken.map_or(0, |taken| taken.workspace_bytes()).max(by_kernels)
        }
        Step::Kernel(_) | Step::Scatter(_) | Step::Copy { .. } | Step::Loop(_) | Step::Claimed { .. } => 0,
    }
}

struct Planning<'a> {
    program: &'a Program,
    context: Context<'a>,
    libraries: &'a dyn Libraries,
    kernels: Vec<String>,
    counters: usize,
}

/// A part of a step.
pub(crate) enum Piece {
    /// A kernel that may share a dispatch.
    Kernel(Kernel),
    /// A dispatch of its own.
    Dispatch(Dispatch),
    /// A library's product.
    Product(Multiplication),
    /// A library's convolution.
    Convolution(Convolving),
}

impl Planning<'_> {
    fn steps(&mut self, steps: &[Step]) -> Result<Vec<Node>, DeviceError> {
        let mut nodes = Vec::new();
        // Runs as late as it may, so that as many kernels as possible join it.
        let mut together = Together::default();
        for step in steps {
            if let Step::Loop(body) = step {
                nodes.extend(together.dispatch(self.context)?.map(Node::Dispatch));
                self.repeat(body, &mut nodes)?;
                continue;
            }
            for piece in self.pieces(step)? {
                match piece {
                    Piece::Kernel(kernel) => {
                        let ordinal = self.ordinal(&kernel.name);
                        let stage = Stage::new(self.context.places, kernel, ordinal)?;
                        if let Some(mut full) = together.add(stage, self.context.limits) {
                            nodes.extend(full.dispatch(self.context)?.map(Node::Dispatch));
                        }
                    }
                    Piece::Dispatch(dispatch) => {
                        self.finish_before(step, &mut together, &mut nodes)?;
                        nodes.push(Node::Dispatch(dispatch));
                    }
                    Piece::Product(product) => {
                        self.finish_before(step, &mut together, &mut nodes)?;
                        nodes.push(Node::Product(product));
                    }
                    Piece::Convolution(convolution) => {
                        self.finish_before(step, &mut together, &mut nodes)?;
                        nodes.push(Node::Convolution(convolution));
                    }
                }
            }
        }
        nodes.extend(together.dispatch(self.context)?.map(Node::Dispatch));
        Ok(nodes)
    }

    /// Dispatches the kernels that wait for company, where a step needs them done.
    fn finish_before(
        &self,
        step: &Step,
        together: &mut Together,
        nodes: &mut Vec<Node>,
    ) -> Result<(), DeviceError> {
        if together.conflicts(&self.touches(step)?) {
            nodes.extend(together.dispatch(self.context)?.map(Node::Dispatch));
        }
        Ok(())
    }

    fn ordinal(&mut self, name: &str) -> usize {
        self.kernels.push(name.to_owned());
        self.kernels.len() - 1
    }

    fn pieces(&mut self, step: &Step) -> Result<Vec<Piece>, DeviceError> {
        let context = self.context;
        let kernel = |kernel: Kernel| Vec::from_iter((kernel.points() > 0).then_some(Piece::Kernel(kernel)));
        let (operands, epilogue, workspace) = match step {
            Step::Contraction(step) => (Operands::Matrices(step), &step.epilogue, step.workspace),
            Step::Convolution(step) => (Operands::Windows(step), &step.epilogue, step.workspace),
            Step::Kernel(step) => return Ok(kernel(step.clone())),
            Step::Copy { source, destination } => return Ok(kernel(self.copy(*source, *destination)?)),
            Step::Scatter(step) => {
                let ordinal = self.ordinal(&scatter::name(step));
                return Ok(vec![Piece::Dispatch(scatter::dispatch(context, ordinal, step)?)]);
            }
            Step::Loop(_) => return Ok(Vec::new()),
            Step::Claimed { name, sources, inputs, outputs, .. } => {
                let ordinal = self.ordinal(name);
                let call = Claimed { name, sources, inputs, outputs, program: self.program };
                return Ok(call.dispatch(context, ordinal)?.into_iter().map(Piece::Dispatch).collect());
            }
        };
        if epilogue.points() == 0 {
            return Ok(Vec::new());
        }
        if let Some(pieces) = self.by_a_library(step)? {
            return Ok(pieces);
        }
        product::pieces(context, &mut |name| self.ordinal(name), operands, epilogue, workspace)
    }

    /// The call of a library that takes a step, and the kernel behind it.
    fn by_a_library(&self, step: &Step) -> Result<Option<Vec<Piece>>, DeviceError> {
        let places = self.context.places;
        let placed = match step {
            Step::Contraction(step) => {
                let taken = taken_product(step, self.libraries);
                let placed = taken.map(|taken| taken.place(step, places)).transpose()?.flatten();
                placed.map(|(call, behind)| (Piece::Product(call), behind))
            }
            Step::Convolution(step) => {
                let taken = taken_convolution(step, |convolution| self.libraries.convolution(convolution));
                let placed = taken.map(|taken| taken.place(step, places)).transpose()?.flatten();
                placed.map(|(call, behind)| (Piece::Convolution(call), behind))
            }
            _ => None,
        };
        Ok(placed.map(|(call, behind)| [call].into_iter().chain(behind.map(Piece::Kernel)).collect()))
    }

    /// What a step touches.
    fn touches(&self, step: &Step) -> Result<Vec<Touch>, DeviceError> {
        let touches = |list: Vec<BufferId>, written: bool| {
            list.into_iter().map(move |buffer| touch(self.context.places, buffer, written, None))
        };
        let written = [step.writes(), step.workspaces()].concat();
        touches(step.reads(), false).chain(touches(written, true)).collect()
    }

    /// A copy as a kernel, of words where both ends have them.
    fn copy(&self, source: BufferId, destination: BufferId) -> Result<Kernel, DeviceError> {
        let (from, to) = (self.context.places.of(source)?, self.context.places.of(destination)?);
        let size = |buffer| self.program.buffer(buffer).bytes;
        let bytes = size(source).min(size(destination));
        let moves = from.moves.iter().chain(&to.moves);
        let has_words =
            bytes.is_multiple_of(4) && moves.map(|(_, stride)| stride).all(|stride| stride % 4 == 0);
        let dtype = if has_words { DType::U32 } else { DType::U8 };
        let map = IndexMap { offset: 0, strides: smallvec![1], bounds: smallvec![] };
        Ok(Kernel {
            name: "copy".into(),
            space: Dims::from_elem(bytes / dtype.bytes(), 1),
            reduced: Dims::new(),
            body: vec![Instruction::Load { buffer: source, dtype, map: map.clone() }],
            reductions: Vec::new(),
            tail: Vec::new(),
            stores: vec![Store { register: 0, buffer: destination, dtype, map }],
        })
    }

    fn repeat(&mut self, body: &Loop, nodes: &mut Vec<Node>) -> Result<(), DeviceError> {
        let counter = self.counters;
        self.counters += 1;
        if body.iterations == 0 {
            // Counters are numbered as the places of windows are, in the order of all loops.
            self.counters += loops(&body.body);
            return Ok(());
        }
        let last = body.iterations as u32 - 1;
        let (start, step) = if body.reverse { (last.wrapping_add(1), u32::MAX) } else { (u32::MAX, 1) };
        nodes.push(Node::Dispatch(self.count("loop_start", counter, None, &format!("{start}u"))?));
        let next = self.count("loop_next", counter, body.counter, &format!("position + {step}u"))?;
        let mut repeated = vec![Node::Dispatch(next)];
        repeated.extend(self.steps(&body.body)?);
        nodes.push(Node::Repeat(body.iterations, repeated));
        Ok(())
    }

    /// A kernel of one invocation that sets a loop's counter, and the program's own where it has one.
    fn count(
        &mut self,
        name: &str,
        counter: usize,
        also: Option<BufferId>,
        value: &str,
    ) -> Result<Dispatch, DeviceError> {
        let ordinal = self.ordinal(name);
        let mut code = Code::new(self.context, ordinal);
        let counters = code.counters(true);
        code.open("if (group == 0u && thread == 0u)");
        code.line(format!("let position = a{counters}[{counter}];"));
        code.line(format!("let next = {value};"));
        code.line(format!("a{counters}[{counter}] = next;"));
        if let Some(buffer) = also {
            code.store(buffer, DType::U32, "0u", "next")?;
        }
        code.close();
        code.finish(name, 1, 1, Work { operations: 1, traffic: 8 })
    }
}

/// Loops among steps.
fn loops(steps: &[Step]) -> usize {
    steps.iter().map(|step| if let Step::Loop(l) = step { 1 + loops(&l.body) } else { 0 }).sum()
}
