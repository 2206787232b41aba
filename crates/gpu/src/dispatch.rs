//! What a program becomes on a GPU: dispatches of written kernels over places in memory.

use crate::images::Convolving;
use crate::limits::Limits;
use crate::matrices::Multiplication;
use crate::place::Root;
use warploom_device::{DeviceError, WrittenKernel};

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
    /// A product that a library of the device's computes; only where the plan was made with one.
    Product(Multiplication),
    /// The same of a convolution.
    Convolution(Convolving),
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

impl Dispatch {
    /// Whether it computes anything: some drivers do not take a launch of no workgroups.
    pub fn has_work(&self) -> bool {
        !self.groups.contains(&0)
    }

    /// Whether it keeps to a device's limits.
    ///
    /// # Errors
    /// [`DeviceError::Unsupported`] with the first limit that it exceeds; `device` is the name that the message has.
    pub fn check(&self, limits: &Limits, device: &str) -> Result<(), DeviceError> {
        let groups = self.groups.into_iter().max().unwrap_or(0);
        let bytes = self.arguments.iter().map(|argument| argument.bytes).max().unwrap_or(0);
        let off = self.arguments.iter().map(|argument| argument.offset % limits.alignment).max().unwrap_or(0);
        let rules = [
            ("invocations of a workgroup", self.workgroup as usize, limits.workgroup as usize),
            ("workgroups along an axis", groups as usize, limits.groups as usize),
            ("bytes shared by a workgroup", self.shared_bytes, limits.shared_bytes),
            ("arguments", self.arguments.len(), limits.arguments),
            ("bytes of an argument", bytes, limits.argument_bytes),
            ("bytes between an argument and its alignment", off, 0),
        ];
        match rules.into_iter().find(|(_, asked, most)| asked > most) {
            None => Ok(()),
            Some((what, asked, most)) => Err(DeviceError::Unsupported(format!(
                "kernel {} has {asked} {what}; {device} takes at most {most}",
                self.name
            ))),
        }
    }
}

impl Plan {
    /// The kernels with their sources and the calls of libraries, for people.
    pub fn written(&self) -> Vec<WrittenKernel> {
        let mut all = Vec::new();
        self.leaves(&mut |leaf| all.push(leaf.written()));
        all
    }

    /// Dispatches and calls of libraries of one run of the program.
    pub fn dispatches(&self) -> usize {
        fn count(nodes: &[Node]) -> usize {
            nodes
                .iter()
                .map(|node| match node {
                    Node::Dispatch(_) | Node::Product(_) | Node::Convolution(_) => 1,
                    Node::Repeat(times, body) => times * count(body),
                })
                .sum()
        }
        count(&self.nodes)
    }

    /// Dispatches and calls of libraries, those in loops counted once.
    pub fn launches(&self) -> usize {
        let mut count = 0;
        self.leaves(&mut |_| count += 1);
        count
    }

    /// Every dispatch once, in order.
    pub fn each(&self) -> Vec<&Dispatch> {
        let mut all = Vec::new();
        self.leaves(&mut |leaf| {
            if let Leaf::Dispatch(dispatch) = leaf {
                all.push(dispatch);
            }
        });
        all
    }

    fn leaves<'a>(&'a self, visit: &mut dyn FnMut(Leaf<'a>)) {
        fn walk<'a>(nodes: &'a [Node], visit: &mut dyn FnMut(Leaf<'a>)) {
            for node in nodes {
                match node {
                    Node::Dispatch(dispatch) => visit(Leaf::Dispatch(dispatch)),
                    Node::Product(call) => visit(Leaf::Product(call)),
                    Node::Convolution(call) => visit(Leaf::Convolution(call)),
                    Node::Repeat(_, body) => walk(body, visit),
                }
            }
        }
        walk(&self.nodes, visit);
    }
}

/// A node that is one launch.
enum Leaf<'a> {
    Dispatch(&'a Dispatch),
    Product(&'a Multiplication),
    Convolution(&'a Convolving),
}

impl Leaf<'_> {
    fn written(&self) -> WrittenKernel {
        match self {
            Leaf::Dispatch(dispatch) => WrittenKernel {
                name: dispatch.name.clone(),
                source: dispatch.source.clone(),
                workgroup: dispatch.workgroup,
                groups: dispatch.groups,
                shared_bytes: dispatch.shared_bytes,
                operations: dispatch.operations,
                traffic: dispatch.traffic,
                resources: None,
            },
            Leaf::Product(call) => {
                called(&call.name, call.product.to_string(), call.operations, call.traffic)
            }
            Leaf::Convolution(call) => {
                called(&call.name, call.convolution.to_string(), call.operations, call.traffic)
            }
        }
    }
}

/// What a library is asked for, in place of a source.
fn called(name: &str, source: String, operations: u64, traffic: u64) -> WrittenKernel {
    WrittenKernel {
        name: name.to_owned(),
        source,
        workgroup: 0,
        groups: [0; 3],
        shared_bytes: 0,
        operations,
        traffic,
        resources: None,
    }
}
