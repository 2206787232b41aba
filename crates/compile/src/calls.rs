//! Calls the target claims stay; the bodies of the others are copied in.

use crate::rewrite::rewrite;
use warploom_device::Target;
use warploom_graph::{Error, Graph, Op};

/// Rewrites until no unclaimed call is left, and notes what was claimed.
pub(crate) fn calls(graph: &Graph, target: &dyn Target, notes: &mut Vec<String>) -> Result<Graph, Error> {
    let mut current = graph.clone();
    loop {
        let mut inlined = false;
        current = rewrite(&current, &mut |builder, node, inputs| {
            let Op::Call { name, body, sources, .. } = &node.op else { return None };
            if target.claims(name, body, sources) {
                return None;
            }
            if !sources.is_empty() {
                let note = format!(
                    "{name} runs by its body: {} takes none of its sources",
                    target.capabilities().id
                );
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
            inlined = true;
            Some(builder.inline(body, inputs))
        })?;
        if !inlined {
            break;
        }
    }
    for (_, node) in current.nodes() {
        if let Op::Call { name, .. } = node.op {
            notes.push(format!("claimed {name}"));
        }
    }
    Ok(current)
}
