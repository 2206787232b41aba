//! What a program becomes on a GPU: dispatches of written kernels over places in memory.

use crate::place::Root;

/// A program as dispatches, in order.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// What is done.
    pub nodes: Vec<Node>,
    /// Every kernel's name, by the ordinal that it reports a fault under.
    pub kernels: Vec<String>,
    /// Words of [`Root::Counters`]: one for each loop.
    pub counters: usize,
}

/// A dispatch, or several repeated.
#[derive(Clone, PartialEq, Debug)]
pub enum Node {
    /// One kernel.
    Dispatch(Dispatch),
    /// All of these, this many times. What changes from time to time is counted on the device.
    Repeat(usize, Vec<Node>),
}

/// One kernel with its launch geometry.
#[derive(Clone, PartialEq, Debug)]
pub struct Dispatch {
    /// A name for people, made of the ops within.
    pub name: String,
    /// Source in the dialect that it was written in; its entry point is [`ENTRY`].
    pub source: String,
    /// Invocations of a workgroup, along one axis.
    pub workgroup: u32,
    /// Workgroups along each axis. The source numbers them row by row, the first axis innermost.
    pub groups: [u32; 3],
    /// What is bound, in the order of the source's bindings.
    pub arguments: Vec<Argument>,
    /// Bytes of memory that a workgroup shares.
    pub shared_bytes: usize,
    /// Floating-point and integer operations of one dispatch, index arithmetic left out.
    pub operations: u64,
    /// Bytes that one dispatch must read and write at least.
    pub traffic: u64,
}

/// The name of every kernel's entry point.
pub const ENTRY: &str = "kernel_main";

/// A part of a memory that a kernel sees.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Argument {
    /// Which memory.
    pub root: Root,
    /// Bytes from its start; a multiple of [`crate::Limits::alignment`].
    pub offset: usize,
    /// Bytes; a multiple of 4.
    pub bytes: usize,
    /// Whether the kernel writes it, or writes another part of the same memory: both are declared writable then, since a
    /// memory is used in one way by a dispatch.
    pub writable: bool,
}

impl Plan {
    /// Dispatches of one run of the program.
    pub fn dispatches(&self) -> usize {
        fn count(nodes: &[Node]) -> usize {
            nodes
                .iter()
                .map(|node| match node {
                    Node::Dispatch(_) => 1,
                    Node::Repeat(times, body) => times * count(body),
                })
                .sum()
        }
        count(&self.nodes)
    }

    /// Every dispatch once, in order.
    pub fn each(&self) -> Vec<&Dispatch> {
        fn collect<'a>(nodes: &'a [Node], all: &mut Vec<&'a Dispatch>) {
            for node in nodes {
                match node {
                    Node::Dispatch(dispatch) => all.push(dispatch),
                    Node::Repeat(_, body) => collect(body, all),
                }
            }
        }
        let mut all = Vec::new();
        collect(&self.nodes, &mut all);
        all
    }
}
