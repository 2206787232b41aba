//! Graph to graph: a pass is a rule that says what a node becomes.

use warploom_graph::{Builder, Error, Graph, Node, Op, Value};

/// Rebuilds the live part of `graph`, regions included. `rule` gets each node with its inputs already rewritten and
/// returns what its outputs become, or `None` to keep the node.
pub(crate) fn rewrite(
    graph: &Graph,
    rule: &mut dyn FnMut(&Builder, &Node, &[Value]) -> Option<Vec<Value>>,
) -> Result<Graph, Error> {
    let live = graph.live_nodes();
    let Some((_, first)) = graph.nodes().next() else {
        return Ok(graph.clone());
    };
    let builder = Builder::new(Graph::new(), first.origin.clone());
    let mut map: Vec<Option<Value>> = vec![None; graph.value_count()];
    for (id, node) in graph.nodes() {
        if !live[id.index()] {
            continue;
        }
        builder.set_origin(node.origin.clone());
        if matches!(node.op, Op::Parameter(_)) {
            map[node.output().index()] = Some(builder.parameter(graph.ty(node.output()).clone()).value());
            continue;
        }
        let inputs: Vec<Value> = node.inputs.iter().filter_map(|v| map[v.index()]).collect();
        debug_assert_eq!(inputs.len(), node.inputs.len(), "inputs of live nodes are live");
        let made = match rule(&builder, node, &inputs) {
            Some(made) => made,
            None => builder.try_add(with_regions(&node.op, rule)?, &inputs)?,
        };
        for (old, new) in node.outputs().zip(made) {
            map[old.index()] = Some(new);
        }
    }
    let results = graph.results().iter().filter_map(|v| map[v.index()]).collect();
    let mut graph = builder.finish();
    graph.set_results(results);
    Ok(graph)
}

/// The op with the pass applied inside its region.
fn with_regions(
    op: &Op,
    rule: &mut dyn FnMut(&Builder, &Node, &[Value]) -> Option<Vec<Value>>,
) -> Result<Op, Error> {
    let mut op = op.clone();
    if let Op::Scan { body, .. } = &mut op {
        *body = rewrite(body, rule)?.into();
    }
    Ok(op)
}
