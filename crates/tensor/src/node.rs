//! What a tensor's handle points to: an operation that has not run, or memory that holds its result.

use crate::device::Device;
use crate::error::Error;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use warploom_device::Memory;
use warploom_graph::{Elementwise, Literal, Op, Origin, Type};

/// What makes a value.
pub(crate) enum Kind {
    /// A row of the elementwise table. Operands broadcast to the node's shape; one of them may be a literal, which is no
    /// operand of the node, at a position. So most lines of user code are one node, and cost little to record.
    Elementwise { row: Elementwise, literal: Option<(u8, Literal)> },
    /// Any other op with one output.
    Op(Arc<Op>),
    /// A scan or call with all its outputs' types; only [`Kind::Output`] nodes refer to it.
    Several(Arc<Op>, Vec<Type>),
    /// One output of a [`Kind::Several`], its only input.
    Output(usize),
    /// Random bits outside of regions. The stream is chosen when the program is made, and kept once drawn from.
    Random(OnceLock<u32>),
    /// `u32[3]` seed and step from which a region draws: the device's, with the seed changed by a stream number.
    Key(OnceLock<u32>),
    /// What a variable was assigned; its only input is the value. Gradients do not look behind it.
    Version,
    /// A value that was put on the device.
    Leaf,
    /// A parameter of the recording or region that is being recorded.
    Parameter,
    /// A variable as a recording reads it.
    State(Arc<crate::variable::Slot>),
    /// No value, but why there is none.
    Failed(Arc<Error>),
}

/// Whether a value is there.
pub(crate) enum Content {
    /// Not yet: the operands.
    Inputs(SmallVec<[Tensor; 3]>),
    /// Here.
    Ready {
        memory: Memory,
        /// For a variable's current version: the variable's number.
        state: Option<u64>,
        /// For what was computed: ids of the versions it depends on, by which a gradient that would be lost is noticed.
        behind: Option<Arc<[u64]>>,
    },
    /// Where that version is: the value was assigned to a variable.
    Alias(Tensor),
}

/// One value. Operands have smaller ids, so sorting by id is a topological order.
pub(crate) struct Node {
    pub id: u64,
    /// Epoch and position in the traversal that last met this node; see [`crate::trace`].
    pub mark: AtomicU64,
    pub ty: Type,
    pub kind: Kind,
    pub origin: Origin,
    pub device: Option<Device>,
    pub name: OnceLock<Box<str>>,
    content: Mutex<Content>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A number larger than that of every node made before.
pub(crate) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// Nodes kept for use again at most, per thread.
const SPARE: usize = 1024;

thread_local! {
    /// Nodes that nobody holds. A training loop makes and ends as many each round.
    static SPARES: RefCell<Vec<Arc<Node>>> = const { RefCell::new(Vec::new()) };
}

/// Drops a tensor; its node is kept for use again if nobody else holds it.
pub(crate) fn recycle(mut tensor: Tensor) {
    let Some(node) = Arc::get_mut(&mut tensor.0) else { return };
    // Before the list is borrowed: this may drop other nodes.
    node.end();
    SPARES.with_borrow_mut(|spares| {
        if spares.len() < SPARE {
            spares.push(tensor.0);
        }
    });
}

impl Node {
    pub fn new(kind: Kind, ty: Type, content: Content, origin: Origin, device: Option<Device>) -> Arc<Node> {
        let id = next_id();
        if let Some(mut spare) = SPARES.with_borrow_mut(Vec::pop)
            && let Some(node) = Arc::get_mut(&mut spare)
        {
            (node.id, node.ty, node.kind, node.origin, node.device) = (id, ty, kind, origin, device);
            *node.content.get_mut().unwrap_or_else(PoisonError::into_inner) = content;
            // It may have been marked by a walk on another device.
            *node.mark.get_mut() = 0;
            return spare;
        }
        let content = Mutex::new(content);
        let (mark, name) = (AtomicU64::new(0), OnceLock::new());
        Arc::new(Node { id, mark, ty, kind, origin, device, name, content })
    }

    /// Lets go of all that the node holds.
    fn end(&mut self) {
        take_apart(self);
        self.kind = Kind::Leaf;
        self.origin.module = None;
        self.device = None;
        self.name.take();
        *self.content.get_mut().unwrap_or_else(PoisonError::into_inner) = Content::Inputs(SmallVec::new());
    }

    pub fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the value was computed, and what made it is forgotten by now.
    pub fn is_computed(&self) -> bool {
        matches!(
            self.kind,
            Kind::Elementwise { .. } | Kind::Op(_) | Kind::Output(_) | Kind::Random(_) | Kind::Key(_)
        )
    }

    /// The op's name for errors.
    pub fn op_name(&self) -> &'static str {
        match &self.kind {
            Kind::Elementwise { row, .. } => row.row().name,
            Kind::Op(op) | Kind::Several(op, _) => op.name(),
            Kind::Output(_) => "output",
            Kind::Random(_) | Kind::Key(_) => "random",
            Kind::Version => "assign",
            Kind::Leaf => "tensor",
            Kind::Parameter => "parameter",
            Kind::State(_) => "variable",
            Kind::Failed(_) => "failed",
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        take_apart(self);
    }
}

/// Drops what a node is made of one by one: dropping a long chain node within node would overflow the stack.
fn take_apart(node: &mut Node) {
    let mut stack: SmallVec<[Tensor; 8]> = SmallVec::new();
    release(node, &mut stack);
    while let Some(mut tensor) = stack.pop() {
        if let Some(node) = Arc::get_mut(&mut tensor.0) {
            release(node, &mut stack);
        }
    }
}

/// Moves those operands of `node` that nothing else holds to `stack`, and drops the others.
fn release(node: &mut Node, stack: &mut SmallVec<[Tensor; 8]>) {
    let content = node.content.get_mut().unwrap_or_else(PoisonError::into_inner);
    match content {
        Content::Inputs(inputs) => {
            for tensor in inputs.drain(..) {
                if Arc::strong_count(&tensor.0) == 1 {
                    stack.push(tensor);
                }
            }
        }
        Content::Alias(_) => {
            if let Content::Alias(tensor) = std::mem::replace(content, Content::Inputs(SmallVec::new())) {
                stack.push(tensor);
            }
        }
        Content::Ready { .. } => {}
    }
}
