//! Code that records another program each time it runs is slow without a word; here it gets one.

use crate::encode;
use std::collections::HashMap;
use std::panic::Location;
use warploom_graph::{Graph, Node, Op};

/// From how many programs of one line on it is said.
const WARN_AT: u32 = 8;
/// Lines remembered at most.
const LINES: usize = 1024;

/// Programs compiled, by the line of user code that looked.
#[derive(Default)]
pub(crate) struct Misses {
    lines: HashMap<(&'static str, u32), Line>,
}

struct Line {
    count: u32,
    latest: Graph,
}

impl Misses {
    /// Counts a program of a line; the warning, where one is due.
    pub fn count(&mut self, line: &'static Location<'static>, graph: &Graph) -> Option<String> {
        let key = (line.file(), line.line());
        if self.lines.len() >= LINES && !self.lines.contains_key(&key) {
            return None;
        }
        let entry = self.lines.entry(key).or_insert_with(|| Line { count: 0, latest: Graph::new() });
        entry.count += 1;
        let warning = (entry.count == WARN_AT).then(|| {
            format!(
                "warploom: {}:{} has had {WARN_AT} programs compiled; {}",
                line.file(),
                line.line(),
                difference(&entry.latest, graph)
            )
        });
        entry.latest = if entry.count < WARN_AT { graph.clone() } else { Graph::new() };
        warning
    }
}

/// The first thing in which two programs differ, in words.
fn difference(old: &Graph, new: &Graph) -> String {
    for ((_, a), (_, b)) in old.nodes().zip(new.nodes()) {
        if tokens(old, a) == tokens(new, b) {
            continue;
        }
        let advice = match (&a.op, &b.op) {
            (Op::Fill { shape: x, .. }, Op::Fill { shape: y, .. }) if x == y => {
                "a number written in the code is structure; make one that changes an input with Tensor::from"
            }
            (Op::Parameter(_), Op::Parameter(_)) => {
                "each shape is a program; keep to few, for example by dropping or padding the last batch"
            }
            _ => "code that records other operations each time is another program each time",
        };
        let (a, b) = (describe(old, a), describe(new, b));
        let place = new_place(new, old);
        return format!("the last two differ first in `{a}`, which became `{b}`{place}: {advice}");
    }
    format!("the last two differ in length: {} operations became {}", old.len(), new.len())
}

fn new_place(new: &Graph, old: &Graph) -> String {
    let differing = old.nodes().zip(new.nodes()).find(|((_, a), (_, b))| tokens(old, a) != tokens(new, b));
    differing.map_or(String::new(), |(_, (_, node))| format!(" at {}", node.origin))
}

fn tokens(graph: &Graph, node: &Node) -> Vec<u64> {
    let mut out = Vec::new();
    encode::op(&node.op, &mut out);
    node.outputs().for_each(|v| encode::ty(graph.ty(v), &mut out));
    out.extend(node.inputs.iter().map(|v| v.index() as u64));
    out
}

fn describe(graph: &Graph, node: &Node) -> String {
    let ty = graph.ty(node.output());
    match &node.op {
        Op::Fill { value, .. } => format!("fill {value}, {ty}"),
        op => format!("{} {ty}", op.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Misses, WARN_AT};
    use std::panic::Location;
    use warploom_graph::{DType, Dims, Graph, Literal, Op, Origin, Type};

    fn program(extent: usize, number: f64) -> Graph {
        let mut graph = Graph::new();
        let x = graph.parameter(Type::new(DType::F32, &[extent]), Origin::here());
        let fill = Op::Fill { value: Literal::new(DType::F32, number), shape: Dims::from_slice(&[2]) };
        let value = graph.apply(fill, &[], Origin::here()).unwrap();
        graph.set_results(vec![x, value]);
        graph
    }

    #[test]
    fn a_line_is_warned_about_once_with_what_differs() {
        let mut misses = Misses::default();
        let line = Location::caller();
        let warnings: Vec<String> =
            (0..20).filter_map(|i| misses.count(line, &program(2, i as f64))).collect();
        assert_eq!(warnings.len(), 1);
        let numbers =
            format!("`fill {}.0, f32[2]`, which became `fill {}.0, f32[2]`", WARN_AT - 2, WARN_AT - 1);
        for part in ["misses.rs", &numbers, "Tensor::from"] {
            assert!(warnings[0].contains(part), "{}", warnings[0]);
        }
        let other = Location::caller();
        let warnings: Vec<String> = (0..20).filter_map(|i| misses.count(other, &program(i, 0.0))).collect();
        assert!(warnings[0].contains("parameter f32[6]") && warnings[0].contains("batch"), "{warnings:?}");
    }
}
