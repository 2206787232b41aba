//! A handle in which rules are written as formulas: gradients, simplifications and composed functions.

use crate::dtype::{DType, Literal};
use crate::elementwise::{Elementwise, ElementwiseMethods};
use crate::error::Error;
use crate::graph::{Graph, Value};
use crate::op::{Op, Reduction};
use crate::origin::Origin;
use crate::shape::{Dims, Type};
use std::cell::RefCell;
use std::ops;

/// A graph under construction, shared by the expressions that add to it.
pub struct Builder {
    graph: RefCell<Graph>,
    origin: RefCell<Origin>,
}

impl Builder {
    /// Continues `graph`; what is added stands at `origin`.
    pub fn new(graph: Graph, origin: Origin) -> Builder {
        Builder { graph: RefCell::new(graph), origin: RefCell::new(origin) }
    }

    /// The place of what is added next.
    pub fn origin(&self) -> Origin {
        self.origin.borrow().clone()
    }

    /// Sets the place of what is added next.
    pub fn set_origin(&self, origin: Origin) {
        *self.origin.borrow_mut() = origin;
    }

    /// The finished graph.
    pub fn finish(self) -> Graph {
        self.graph.into_inner()
    }

    /// Looks at the graph as it stands.
    pub fn with<R>(&self, look: impl FnOnce(&Graph) -> R) -> R {
        look(&self.graph.borrow())
    }

    /// An expression for a value.
    pub fn expr(&self, value: Value) -> Expr<'_> {
        Expr { builder: self, value }
    }

    /// Adds the next parameter.
    pub fn parameter(&self, ty: Type) -> Expr<'_> {
        let value = self.graph.borrow_mut().parameter(ty, self.origin.borrow().clone());
        self.expr(value)
    }

    /// Applies an op of one output.
    pub fn try_apply(&self, op: Op, inputs: &[Value]) -> Result<Value, Error> {
        self.graph.borrow_mut().apply(op, inputs, self.origin.borrow().clone())
    }

    /// Applies an op of several outputs.
    pub fn try_add(&self, op: Op, inputs: &[Value]) -> Result<Vec<Value>, Error> {
        let mut graph = self.graph.borrow_mut();
        let node = graph.add(op, inputs, self.origin.borrow().clone())?;
        Ok(graph.node(node).outputs().collect())
    }

    /// Applies an op inside a rule.
    ///
    /// # Panics
    /// If the operands do not fit: a rule that builds an ill-typed graph is a defect of the rule.
    pub fn apply(&self, op: Op, inputs: &[Value]) -> Expr<'_> {
        match self.try_apply(op, inputs) {
            Ok(value) => self.expr(value),
            Err(error) => panic!("a rule built an ill-typed graph: {error}"),
        }
    }

    /// A tensor filled with `value`.
    pub fn fill(&self, ty: &Type, value: f64) -> Expr<'_> {
        self.apply(Op::Fill { value: Literal::new(ty.dtype, value), shape: ty.shape.clone() }, &[])
    }

    /// Copies a region's nodes in, its parameters replaced by `arguments`.
    pub fn inline(&self, region: &Graph, arguments: &[Value]) -> Vec<Value> {
        self.graph.borrow_mut().inline(region, arguments)
    }
}

/// A value in a [`Builder`], with operators.
#[derive(Clone, Copy)]
pub struct Expr<'b> {
    builder: &'b Builder,
    value: Value,
}

impl<'b> Expr<'b> {
    /// The value.
    pub fn value(self) -> Value {
        self.value
    }

    /// The builder.
    pub fn builder(self) -> &'b Builder {
        self.builder
    }

    /// The value's type.
    pub fn ty(self) -> Type {
        self.builder.with(|g| g.ty(self.value).clone())
    }

    /// The literal this is filled with, if it is one (seen through expand and reshape).
    pub fn literal(self) -> Option<Literal> {
        self.builder.with(|g| {
            let mut node = g.maker(self.value);
            loop {
                match &node.op {
                    Op::Fill { value, .. } => return Some(*value),
                    Op::Expand(_) | Op::Reshape(_) => node = g.maker(node.inputs[0]),
                    _ => return None,
                }
            }
        })
    }

    /// Whether this is the literal `x`.
    pub fn is(self, x: f64) -> bool {
        self.literal().is_some_and(|l| l.is(x))
    }

    /// The operands, if this is made by that elementwise op.
    pub fn operands_of(self, op: Elementwise) -> Option<Vec<Expr<'b>>> {
        self.builder.with(|g| {
            let node = g.maker(self.value);
            matches!(node.op, Op::Elementwise(found) if found == op)
                .then(|| node.inputs.iter().map(|v| Expr { builder: self.builder, value: *v }).collect())
        })
    }

    /// A tensor of the same type filled with `value`.
    pub fn like(self, value: f64) -> Expr<'b> {
        self.builder.fill(&self.ty(), value)
    }

    /// Applies an op of one operand.
    pub fn then(self, op: Op) -> Expr<'b> {
        self.builder.apply(op, &[self.value])
    }

    /// Conversion, or the value itself if it has the dtype.
    pub fn cast(self, dtype: DType) -> Expr<'b> {
        if self.ty().dtype == dtype { self } else { self.then(Op::Cast(dtype)) }
    }

    /// The same elements under another shape, or the value itself.
    pub fn reshape(self, shape: &[usize]) -> Expr<'b> {
        if self.ty().shape[..] == *shape { self } else { self.then(Op::Reshape(Dims::from_slice(shape))) }
    }

    /// Permuted axes, or the value itself.
    pub fn permute(self, axes: &[usize]) -> Expr<'b> {
        if axes.iter().enumerate().all(|(i, a)| i == *a) {
            self
        } else {
            self.then(Op::Permute(Dims::from_slice(axes)))
        }
    }

    /// Stretched to `shape`, by NumPy's rule.
    pub fn broadcast(self, shape: &[usize]) -> Expr<'b> {
        let from = self.ty().shape;
        if from[..] == *shape {
            return self;
        }
        let mut full = Dims::from_elem(1, shape.len().saturating_sub(from.len()));
        full.extend_from_slice(&from);
        let full = self.reshape(&full);
        if full.ty().shape[..] == *shape { full } else { full.then(Op::Expand(Dims::from_slice(shape))) }
    }

    /// A reduction over `axes`, which disappear, or the value itself if there are none.
    pub fn reduce(self, kind: Reduction, axes: &[usize]) -> Expr<'b> {
        if axes.is_empty() { self } else { self.then(Op::Reduce { kind, axes: Dims::from_slice(axes) }) }
    }

    /// A reduction over `axes`, which stay with extent 1.
    pub fn reduce_keep(self, kind: Reduction, axes: &[usize]) -> Expr<'b> {
        let mut shape = self.ty().shape;
        axes.iter().for_each(|a| shape[*a] = 1);
        self.reduce(kind, axes).reshape(&shape)
    }
}

impl ElementwiseMethods for Expr<'_> {
    fn elementwise(op: Elementwise, operands: &[&Self]) -> Self {
        let values: Vec<Value> = operands.iter().map(|e| e.value).collect();
        operands[0].builder.apply(Op::Elementwise(op), &values)
    }
}

macro_rules! operators {
    ($($Trait:ident $method:ident $OP:ident),*) => {$(
        impl<'b> ops::$Trait for Expr<'b> {
            type Output = Expr<'b>;
            fn $method(self, other: Expr<'b>) -> Expr<'b> { Expr::elementwise(Elementwise::$OP, &[&self, &other]) }
        }
        impl<'b> ops::$Trait<f64> for Expr<'b> {
            type Output = Expr<'b>;
            fn $method(self, other: f64) -> Expr<'b> { Expr::elementwise(Elementwise::$OP, &[&self, &self.like(other)]) }
        }
        impl<'b> ops::$Trait<Expr<'b>> for f64 {
            type Output = Expr<'b>;
            fn $method(self, other: Expr<'b>) -> Expr<'b> { Expr::elementwise(Elementwise::$OP, &[&other.like(self), &other]) }
        }
    )*};
}
operators!(Add add ADD, Sub sub SUB, Mul mul MUL, Div div DIV);

impl<'b> ops::Neg for Expr<'b> {
    type Output = Expr<'b>;
    fn neg(self) -> Expr<'b> {
        Expr::elementwise(Elementwise::NEG, &[&self])
    }
}
