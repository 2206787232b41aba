//! Matrix products and the general dot product.

use crate::error::Error;
use crate::operand::Operand;
use crate::scope;
use crate::tensor::Tensor;
use crate::variable::Variable;
use warploom_graph::shape::{broadcast, show};
use warploom_graph::{ContractAxes, Dims, Op};

impl Tensor {
    /// Matrix product over the last axis of this tensor and the last but one of `other`: `[n, k] x [k, m]` is `[n, m]`.
    /// Leading axes are batches and broadcast. A vector on the left is a row, one on the right a column; its axis
    /// disappears from the result.
    #[track_caller]
    pub fn matmul(&self, other: &impl Operand) -> Tensor {
        let rhs = other.tensor();
        if self.is_failed() {
            return self.clone();
        }
        if rhs.is_failed() {
            return rhs;
        }
        let (l, r) = (self.extents().len(), rhs.extents().len());
        if l == 0 || r == 0 {
            let message = "multiplies matrices and vectors, found a scalar; use * for a product by a scalar";
            return Tensor::failed(Error::at("matmul", message, &scope::origin()));
        }
        if l == 1 {
            let product = self.unsqueeze(0).matmul(&rhs);
            return if product.is_failed() { product } else { product.squeeze(if r == 1 { 0 } else { -2 }) };
        }
        if r == 1 {
            let product = self.matmul(&rhs.unsqueeze(1));
            return if product.is_failed() { product } else { product.squeeze(-1) };
        }
        let (lhs_shape, rhs_shape) = (self.extents(), rhs.extents());
        if lhs_shape[l - 1] != rhs_shape[r - 2] {
            return Tensor::failed(Error::at(
                "matmul",
                misfit(self, &rhs, other.operand_name()),
                &scope::origin(),
            ));
        }
        if r == 2 {
            // One matrix for every batch: the leading axes are free axes of one product.
            let sum = [(l - 1, 0)].into_iter().collect();
            return Tensor::apply(
                Op::Contract(ContractAxes { sum, ..ContractAxes::default() }),
                &[self, &rhs],
            );
        }
        let Some(batch) = broadcast(&lhs_shape[..l - 2], &rhs_shape[..r - 2]) else {
            let message = format!(
                "shapes {} and {}: the leading axes are batches and do not broadcast",
                show(lhs_shape),
                show(rhs_shape)
            );
            return Tensor::failed(Error::at("matmul", message, &scope::origin()));
        };
        let full =
            |matrix: &[usize]| batch.iter().chain(&matrix[matrix.len() - 2..]).copied().collect::<Dims>();
        let (lhs, rhs) = (self.stretched(&full(lhs_shape)), rhs.stretched(&full(rhs_shape)));
        let n = batch.len();
        let axes = ContractAxes {
            batch: (0..n).map(|a| (a, a)).collect(),
            sum: [(n + 1, n)].into_iter().collect(),
            ..ContractAxes::default()
        };
        Tensor::apply(Op::Contract(axes), &[&lhs, &rhs])
    }

    /// The general dot product: axes kept together, axes summed over together; the result's axes are the batch axes, the
    /// free axes of this tensor, those of `other`.
    #[track_caller]
    pub fn contract(&self, other: &impl Operand, axes: ContractAxes) -> Tensor {
        Tensor::apply(Op::Contract(axes), &[self, &other.tensor()])
    }
}

impl Variable {
    /// [`Tensor::matmul`] of the current version.
    #[track_caller]
    pub fn matmul(&self, other: &impl Operand) -> Tensor {
        self.value().matmul(other)
    }
}

fn misfit(lhs: &Tensor, rhs: &Tensor, name: Option<&str>) -> String {
    let (l, r) = (lhs.extents(), rhs.extents());
    let (inner, rows, columns) = (l[l.len() - 1], r[r.len() - 2], r[r.len() - 1]);
    let called = name.map_or("the right operand".into(), |name| format!("`{name}`"));
    let named = |operand: Option<&str>, shape: &[usize]| match operand {
        Some(name) => format!("{} (`{name}`)", show(shape)),
        None => show(shape),
    };
    let (left, right) = (named(lhs.name(), l), named(name, r));
    let mut message = format!(
        "shapes {left} and {right} do not fit: the left has {inner} columns, the right {rows} row{}",
        if rows == 1 { "" } else { "s" }
    );
    if columns == inner {
        let mut fitting = Dims::from_slice(r);
        let last = fitting.len() - 1;
        fitting.swap(last - 1, last);
        message += &format!("; use {} or transpose {called} with .t()", show(&fitting));
    } else if l[l.len() - 2] == rows {
        message += "; transposing the left operand with .t() would fit";
    }
    message
}
