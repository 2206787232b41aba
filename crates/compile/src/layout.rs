//! Transposes that cost nothing: a product that is only wanted transposed is computed so, by exchanging its operands.
//! Values keep their logical shapes; all other permutations are index maps of the kernels that read.

use crate::rewrite::rewrite;
use warploom_graph::{ContractAxes, Dims, Error, Graph, Op};

pub(crate) fn layout(graph: &Graph) -> Result<Graph, Error> {
    rewrite(graph, &mut |builder, node, inputs| {
        let Op::Permute(axes) = &node.op else { return None };
        let (contraction, operands) = builder.with(|g| match &g.maker(inputs[0]).op {
            Op::Contract(c) => Some((c.clone(), g.maker(inputs[0]).inputs.clone())),
            _ => None,
        })?;
        let (lhs, rhs) = (builder.expr(operands[0]).ty(), builder.expr(operands[1]).ty());
        let batch = contraction.batch.len();
        let (rows, columns) = (contraction.free_lhs(lhs.rank()).len(), contraction.free_rhs(rhs.rank()).len());
        let exchanged: Dims =
            (0..batch).chain(batch + rows..batch + rows + columns).chain(batch..batch + rows).collect();
        if *axes != exchanged {
            return None;
        }
        let flip = |pairs: &[(usize, usize)]| pairs.iter().map(|p| (p.1, p.0)).collect();
        let flipped = ContractAxes { batch: flip(&contraction.batch), sum: flip(&contraction.sum) };
        Some(vec![builder.try_apply(Op::Contract(flipped), &[operands[1], operands[0]]).ok()?])
    })
}
