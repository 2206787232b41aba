//! Structure as numbers: two programs are the same if their token streams are. Everything that the compiler sees of an op
//! is in its tokens; lists are preceded by their length, so that no stream is the beginning of another op's.

use warploom_graph::{
    CallGradient, ContractAxes, DType, Elementwise, Graph, Literal, Op, Source, Type, Value,
};

/// What a token stream says about a value; the low byte of its first token.
pub(crate) mod tag {
    pub const RANDOM: u64 = 64;
    pub const KEY: u64 = 65;
    pub const OUTPUT: u64 = 66;
    pub const INPUT: u64 = 67;
    pub const STATE: u64 = 68;
    pub const RANDOM_STATE: u64 = 69;
    pub const RESULT: u64 = 70;
    pub const UPDATE: u64 = 71;
    pub const RANDOM_STEP: u64 = 72;
    pub const GRADIENT: u64 = 73;
    pub const ELEMENTWISE: u64 = 74;
    pub const MEMORY_LIMIT: u64 = 75;
}

/// A hash of a stream. It only says where to look: streams are compared in full.
pub(crate) fn hash(tokens: &[u64]) -> u64 {
    // FxHash's step (rustc): one rotation, exclusive or and multiplication a word; in four lanes, which do not wait for
    // each other.
    let step = |h: u64, token: u64| (h.rotate_left(5) ^ token).wrapping_mul(0x517c_c1b7_2722_0a95);
    let mut lanes = [tokens.len() as u64, 1, 2, 3];
    let (fours, rest) = tokens.as_chunks::<4>();
    for four in fours {
        for (lane, token) in lanes.iter_mut().zip(four) {
            *lane = step(*lane, *token);
        }
    }
    let h = rest.iter().chain(&lanes).fold(0, |h, token| step(h, *token));
    h ^ (h >> 32)
}

pub(crate) fn ty(ty: &Type, out: &mut Vec<u64>) {
    out.push(dtype(ty.dtype) | (ty.shape.len() as u64) << 8);
    out.extend(ty.shape.iter().map(|extent| *extent as u64));
}

fn dtype(dtype: DType) -> u64 {
    dtype as u64
}

fn list(items: &[usize], out: &mut Vec<u64>) {
    out.push(items.len() as u64);
    out.extend(items.iter().map(|i| *i as u64));
}

fn literal(literal: Literal, out: &mut Vec<u64>) {
    // The bits of the f64 keep every value of every dtype apart, since all are exact in it.
    out.push(dtype(literal.dtype()));
    out.push(literal.to_f64().to_bits());
}

fn text(text: &str, out: &mut Vec<u64>) {
    out.push(text.len() as u64);
    let word = |bytes: &[u8]| bytes.iter().fold(0, |token, byte| token << 8 | *byte as u64);
    out.extend(text.as_bytes().chunks(8).map(word));
}

fn source(source: &Source, out: &mut Vec<u64>) {
    text(source.language, out);
    text(&source.text, out);
    out.extend(source.workgroup.iter().chain(&source.groups).map(|extent| *extent as u64));
}

fn pairs(axes: &ContractAxes, out: &mut Vec<u64>) {
    for list in [&axes.batch, &axes.sum] {
        out.push(list.len() as u64);
        out.extend(list.iter().flat_map(|(a, b)| [*a as u64, *b as u64]));
    }
}

/// An op with its attributes; operands are up to the caller.
pub(crate) fn op(op: &Op, out: &mut Vec<u64>) {
    match op {
        Op::Parameter(index) => out.push((*index as u64) << 8),
        Op::Fill { value, shape } => {
            out.push(1);
            literal(*value, out);
            list(shape, out);
        }
        Op::Iota { dtype: counted, shape, axis } => {
            out.push(2 | dtype(*counted) << 8 | (*axis as u64) << 16);
            list(shape, out);
        }
        Op::Random { stream, shape } => {
            out.push(3 | (*stream as u64) << 8);
            list(shape, out);
        }
        Op::Elementwise(op) => {
            let (number, address) = row(*op);
            out.push(4 | number << 8);
            out.extend(address);
        }
        Op::Cast(to) => out.push(5 | dtype(*to) << 8),
        Op::Reshape(shape) => {
            out.push(6);
            list(shape, out);
        }
        Op::Permute(axes) => {
            out.push(7);
            list(axes, out);
        }
        Op::Expand(shape) => {
            out.push(8);
            list(shape, out);
        }
        Op::Slice { starts, sizes, steps } => {
            out.push(9);
            list(starts, out);
            list(sizes, out);
            out.push(steps.len() as u64);
            out.extend(steps.iter().map(|s| *s as u64));
        }
        Op::Pad { low, high } => {
            out.push(10);
            list(low, out);
            list(high, out);
        }
        Op::Concat(axis) => out.push(11 | (*axis as u64) << 8),
        Op::Reduce { kind, axes } => {
            out.push(12 | (*kind as u64) << 8);
            list(axes, out);
        }
        Op::Contract(axes) => {
            out.push(13 | (axes.arithmetic as u64) << 8);
            pairs(axes, out);
        }
        Op::Gather { axis } => out.push(14 | (*axis as u64) << 8),
        Op::Scatter { kind, axis } => out.push(15 | (*kind as u64) << 8 | (*axis as u64) << 16),
        Op::Scan { body, length, carries, slices, reverse } => {
            out.push(16 | (*reverse as u64) << 8);
            out.extend([*length as u64, *carries as u64, *slices as u64]);
            graph(body, out);
        }
        Op::Call { name, body, gradient, sources } => {
            out.push(17 | (sources.len() as u64) << 8);
            text(name, out);
            sources.iter().for_each(|source| self::source(source, out));
            graph(body, out);
            match gradient {
                CallGradient::Body => out.push(0),
                CallGradient::Region(region) => {
                    out.push(1);
                    graph(region, out);
                }
                CallGradient::Missing => out.push(2),
            }
        }
        Op::StopGradient => out.push(18),
        Op::Barrier => out.push(19),
        Op::Unfold { axis, size, step, dilation } => {
            out.push(20);
            list(&[*axis, *size, *step, *dilation], out);
        }
        Op::Convolve(axes) => {
            out.push(21 | (axes.spatial.len() as u64) << 8 | (axes.outputs_first as u64) << 16);
            out.extend([axes.groups, axes.arithmetic as usize].map(|n| n as u64));
            for window in &axes.spatial {
                out.extend([window.stride, window.input_dilation, window.kernel_dilation].map(|n| n as u64));
                out.extend([window.low as u64, window.high as u64]);
            }
        }
    }
}

/// A lazy node's row, with its literal and the shape that operands broadcast to.
pub(crate) fn elementwise(op: Elementwise, with: Option<(u8, Literal)>, shape: &[usize], out: &mut Vec<u64>) {
    let position = with.map_or(0, |(position, _)| position as u64 + 1);
    let (number, address) = row(op);
    out.push(tag::ELEMENTWISE | position << 8 | (shape.len() as u64) << 16 | number << 32);
    out.extend(address);
    out.extend(shape.iter().map(|extent| *extent as u64));
    if let Some((_, value)) = with {
        literal(value, out);
    }
}

/// A row's number in the table, or the largest of 32 bits and, as a token of its own, where a row of another crate lies.
fn row(op: Elementwise) -> (u64, Option<u64>) {
    match op.position() {
        Some(position) => (position as u64, None),
        None => (u32::MAX as u64, Some((&raw const *op.row()).addr() as u64)),
    }
}

fn graph(graph: &Graph, out: &mut Vec<u64>) {
    let values = |values: &[Value], out: &mut Vec<u64>| {
        out.push(values.len() as u64);
        out.extend(values.iter().map(|v| v.index() as u64));
    };
    out.push(graph.len() as u64);
    for (_, node) in graph.nodes() {
        op(&node.op, out);
        if let Op::Parameter(_) = node.op {
            ty(graph.ty(node.output()), out);
        } else {
            values(&node.inputs, out);
        }
    }
    values(graph.results(), out);
}
