//! Programs and kernels as text, a step a line and a kernel's code below it: what `explain` prints and snapshots hold.

use crate::kernel::{IndexMap, Instruction, Kernel, Register};
use crate::program::{BufferId, Class, Program, Step};
use std::fmt;
use warploom_graph::DType;
use warploom_graph::shape::show;

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "buffers")?;
        for (i, spec) in self.buffers.iter().enumerate() {
            writeln!(f, "  b{i}: {} {}", spec.ty, spec.class)?;
        }
        writeln!(f, "steps")?;
        steps(&self.steps, f, 1)?;
        writeln!(f, "arena {:?} bytes", self.slabs)
    }
}

/// Where the buffer is: `arena 0 at 512`.
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Class::State(slot) => write!(f, "state {slot}"),
            Class::Input(i) => write!(f, "input {i}"),
            Class::Output(i) => write!(f, "output {i}"),
            Class::Arena { slab, offset } => write!(f, "arena {slab} at {offset}"),
            Class::Derived(i) => write!(f, "derived {i}"),
            Class::Window => f.write_str("window"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        steps(std::slice::from_ref(self), f, 0)
    }
}

fn steps(list: &[Step], f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    for step in list {
        match step {
            Step::Kernel(k) => kernel(k, f, depth)?,
            Step::Contraction(c) => {
                let times = if c.batch == 1 { String::new() } else { format!("{} x ", c.batch) };
                let strides = |o: &crate::Operand| format!("b{}[{}, {}]", o.buffer.0, o.row, o.column);
                let (lhs, rhs) = (strides(&c.lhs), strides(&c.rhs));
                writeln!(
                    f,
                    "{indent}product {times}[{}, {}] x [{}, {}] {} {lhs} {rhs}",
                    c.m,
                    c.k,
                    c.k,
                    c.n,
                    numbers(c.dtype, c.tf32)
                )?;
                kernel(&c.epilogue, f, depth + 1)?;
            }
            Step::Convolution(c) => {
                writeln!(
                    f,
                    "{indent}convolution {} * {} {} b{}{:?} b{}{:?}",
                    show(&c.shape.input()),
                    show(&c.shape.kernel()),
                    numbers(c.dtype, c.tf32),
                    c.input.buffer.0,
                    c.input.strides,
                    c.kernel.buffer.0,
                    c.kernel.strides
                )?;
                for axis in &c.shape.spatial {
                    writeln!(
                        f,
                        "{indent}  to {} by {} from {} dilated {} of input, {} of kernel",
                        axis.output, axis.stride, -axis.low, axis.input_dilation, axis.kernel_dilation
                    )?;
                }
                kernel(&c.epilogue, f, depth + 1)?;
            }
            Step::Scatter(s) => writeln!(
                f,
                "{indent}scatter {} b{} [{}, {}, {}] at b{}[{}] from b{}",
                s.kind.name(),
                s.destination.0,
                s.outer,
                s.extent,
                s.inner,
                s.indices.0,
                s.count,
                s.updates.0
            )?,
            Step::Copy { source, destination } => {
                writeln!(f, "{indent}copy b{} to b{}", source.0, destination.0)?
            }
            Step::Loop(l) => {
                let order = if l.reverse { " reverse" } else { "" };
                writeln!(f, "{indent}loop {}{order}", l.iterations)?;
                for window in &l.windows {
                    writeln!(
                        f,
                        "{indent}  b{} = b{} by {} bytes",
                        window.buffer.0, window.parent.0, window.stride
                    )?;
                }
                steps(&l.body, f, depth + 1)?;
            }
            Step::Claimed { name, sources, inputs, outputs, .. } => {
                let ids = |list: &[BufferId]| {
                    list.iter().map(|b| format!("b{}", b.0)).collect::<Vec<_>>().join(", ")
                };
                write!(f, "{indent}{} = call {name} {}", ids(outputs), ids(inputs))?;
                for source in sources {
                    write!(f, " {} of {:?} by {:?}", source.language, source.groups, source.workgroup)?;
                }
                writeln!(f)?;
            }
        }
    }
    Ok(())
}

/// What a product multiplies.
fn numbers(dtype: DType, tf32: bool) -> &'static str {
    if tf32 { "tf32" } else { dtype.name() }
}

fn kernel(k: &Kernel, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    let swept = if k.reduced.is_empty() { String::new() } else { format!(" over {}", show(&k.reduced)) };
    writeln!(f, "{indent}kernel {} {}{swept}", k.name, show(&k.space))?;
    let tail = (k.body.len() + k.reductions.len()) as Register;
    for (register, instruction) in (0..).zip(&k.body) {
        line(register, instruction, f, &indent)?;
    }
    for (register, r) in (k.body.len() as Register..).zip(&k.reductions) {
        writeln!(f, "{indent}  r{register} = reduce {} r{}", r.kind.name(), r.operand)?;
    }
    for (register, instruction) in (tail..).zip(&k.tail) {
        line(register, instruction, f, &indent)?;
    }
    for store in &k.stores {
        writeln!(
            f,
            "{indent}  store {} b{}{} r{}",
            store.dtype,
            store.buffer.0,
            map(&store.map),
            store.register
        )?;
    }
    Ok(())
}

fn line(
    register: Register,
    instruction: &Instruction,
    f: &mut fmt::Formatter<'_>,
    indent: &str,
) -> fmt::Result {
    write!(f, "{indent}  r{register} = ")?;
    match instruction {
        Instruction::Literal(literal) => writeln!(f, "{} {literal}", literal.dtype()),
        Instruction::Load { buffer, dtype, map: m } => writeln!(f, "load {dtype} b{}{}", buffer.0, map(m)),
        Instruction::LoadAt { buffer, dtype, map: m, index, stride, extent } => {
            writeln!(f, "load {dtype} b{}{} + r{index} * {stride} of {extent}", buffer.0, map(m))
        }
        Instruction::Index { dtype, map: m } => writeln!(f, "index {dtype} {}", map(m)),
        Instruction::Random { stream, map: m, .. } => writeln!(f, "random {stream:08x} {}", map(m)),
        Instruction::Product(dtype) => writeln!(f, "product {dtype}"),
        Instruction::Apply { op, dtype, operands } => {
            let names: Vec<String> = operands[..op.arity()].iter().map(|r| format!("r{r}")).collect();
            writeln!(f, "{} {dtype} {}", op.name(), names.join(", "))
        }
    }
}

fn map(map: &IndexMap) -> String {
    let offset = if map.offset == 0 { String::new() } else { format!("{} + ", map.offset) };
    let strides: Vec<String> = map.strides.iter().map(|s| s.to_string()).collect();
    let bounds: String = map.bounds.iter().map(|b| format!(" {}<=i{}<{}", b.start, b.axis, b.end)).collect();
    format!("[{offset}{}{bounds}]", strides.join(", "))
}
