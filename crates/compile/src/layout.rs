//! Orders of axes. A product that is only wanted transposed is computed so, by exchanging its operands. An operand of which
//! axes that run together are not neighbours is read through a permutation that makes them so. Values keep their logical
//! shapes; all permutations are index maps of the kernels that read.

use crate::rewrite::rewrite;
use warploom_graph::{Builder, ContractAxes, Dims, Error, Graph, Op, Value};

pub(crate) fn layout(graph: &Graph) -> Result<Graph, Error> {
    rewrite(graph, &mut |builder, node, inputs| {
        let made = match &node.op {
            Op::Permute(axes) => exchange(builder, axes, inputs[0]),
            Op::Contract(axes) => gather_axes(builder, axes, inputs[0], inputs[1]),
            _ => None,
        };
        made.map(|value| vec![value])
    })
}

/// The permutation of a product that is the product of the exchanged operands.
fn exchange(builder: &Builder, axes: &[usize], product: Value) -> Option<Value> {
    let (contraction, operands) = builder.with(|g| match &g.maker(product).op {
        Op::Contract(c) => Some((c.clone(), g.maker(product).inputs.clone())),
        _ => None,
    })?;
    let (lhs, rhs) = (builder.expr(operands[0]).ty(), builder.expr(operands[1]).ty());
    let batch = contraction.batch.len();
    let (rows, columns) = (contraction.free_lhs(lhs.rank()).len(), contraction.free_rhs(rhs.rank()).len());
    let exchanged: Dims =
        (0..batch).chain(batch + rows..batch + rows + columns).chain(batch..batch + rows).collect();
    if *axes != exchanged[..] {
        return None;
    }
    let flip = |pairs: &[(usize, usize)]| pairs.iter().map(|p| (p.1, p.0)).collect();
    let flipped = ContractAxes {
        batch: flip(&contraction.batch),
        sum: flip(&contraction.sum),
        arithmetic: contraction.arithmetic,
    };
    builder.try_apply(Op::Contract(flipped), &[operands[1], operands[0]]).ok()
}

/// Permutes operands so that batch, free and summed axes are runs of neighbours, each in the order in which they pair.
fn gather_axes(builder: &Builder, axes: &ContractAxes, lhs: Value, rhs: Value) -> Option<Value> {
    let (left_rank, right_rank) = (builder.expr(lhs).ty().rank(), builder.expr(rhs).ty().rank());
    let groups = |rhs: bool| -> [Dims; 3] {
        let side = |p: &(usize, usize)| if rhs { p.1 } else { p.0 };
        let free = if rhs { axes.free_rhs(right_rank) } else { axes.free_lhs(left_rank) };
        [axes.batch.iter().map(side).collect(), free, axes.sum.iter().map(side).collect()]
    };
    let (left, right) = (groups(false), groups(true));
    let neighbours = |groups: &[Dims; 3]| groups.iter().all(|g| g.windows(2).all(|w| w[1] == w[0] + 1));
    if neighbours(&left) && neighbours(&right) {
        return None;
    }
    let [batch, free, sum] = [left[0].len(), left[1].len(), left[2].len()];
    let order = |groups: &[Dims; 3]| -> Dims { groups.iter().flatten().copied().collect() };
    let lhs = builder.expr(lhs).permute(&order(&left));
    let rhs = builder.expr(rhs).permute(&order(&right));
    let gathered = ContractAxes {
        batch: (0..batch).map(|i| (i, i)).collect(),
        sum: (0..sum).map(|i| (batch + free + i, batch + right[1].len() + i)).collect(),
        arithmetic: axes.arithmetic,
    };
    builder.try_apply(Op::Contract(gathered), &[lhs.value(), rhs.value()]).ok()
}
