//! Steps of random programs that are no elementwise op.

use super::{EXACT, Features, Generator, Known, MOST, shape};
use smallvec::SmallVec;
use std::sync::Arc;
use warploom_graph::{
    Arithmetic, Builder, CallGradient, ContractAxes, DType, Dims, ElementwiseMethods, Expr, Graph, Literal,
    Op, Origin, Reduction, ScatterKind, Type,
};

impl<'b> Generator<'b, '_> {
    pub(super) fn reshape(&mut self) {
        let x = self.any();
        let shape = x.expr.ty().shape;
        let mut new = Dims::new();
        let mut rest = shape.iter().product::<usize>();
        while rest > 1 && new.len() < 4 {
            let divisors: Vec<usize> = (1..=rest).filter(|d| rest % d == 0).collect();
            let d = self.dice.pick(&divisors);
            new.push(d);
            rest /= d;
        }
        if rest != 1 || shape.contains(&0) {
            new.push(rest);
        }
        self.view(x, Op::Reshape(new));
    }

    pub(super) fn permute(&mut self) {
        let x = self.any();
        let mut axes: Dims = (0..x.expr.ty().rank()).collect();
        for i in (1..axes.len()).rev() {
            axes.swap(i, self.dice.below(i + 1));
        }
        self.view(x, Op::Permute(axes));
    }

    pub(super) fn expand(&mut self) {
        let Some(x) = self.any_where(|k| k.expr.ty().rank() < 3 && k.expr.ty().elements() < 60) else {
            return;
        };
        let mut from = x.expr.ty().shape;
        let at = self.dice.below(from.len() + 1);
        from.insert(at, 1);
        let mut to = from.clone();
        to[at] = 1 + self.dice.below(6);
        let wide = x.expr.reshape(&from);
        self.keep(wide.then(Op::Expand(to)), x.exact, x.bound);
    }

    pub(super) fn slice(&mut self) {
        let x = self.any();
        let shape = x.expr.ty().shape;
        let (mut starts, mut sizes) = (Dims::new(), Dims::new());
        let mut steps: SmallVec<[isize; 4]> = SmallVec::new();
        for extent in &shape {
            let step = self.dice.pick(&[1isize, 1, 1, 2, -1, -2, 3]);
            let start = self.dice.below(*extent);
            let room = if step > 0 { extent - 1 - start } else { start } / step.unsigned_abs() + 1;
            starts.push(start);
            sizes.push(1 + self.dice.below(room));
            steps.push(step);
        }
        self.view(x, Op::Slice { starts, sizes, steps });
    }

    pub(super) fn pad(&mut self) {
        let Some(x) = self.any_where(|k| k.expr.ty().elements() < 150) else { return };
        let rank = x.expr.ty().rank();
        let low = (0..rank).map(|_| self.dice.below(3)).collect();
        let high = (0..rank).map(|_| self.dice.below(3)).collect();
        self.view(x, Op::Pad { low, high });
    }

    pub(super) fn concat(&mut self) {
        let Some(x) = self.any_where(|k| k.expr.ty().rank() > 0 && k.expr.ty().elements() < 300) else {
            return;
        };
        let y = self.shaped_like(x);
        let axis = self.dice.below(x.expr.ty().rank());
        let joined = self.builder.apply(Op::Concat(axis), &[x.expr.value(), y.expr.value()]);
        self.keep(joined, x.exact && y.exact, x.bound.max(y.bound));
    }

    pub(super) fn reduce(&mut self) {
        let x = self.any();
        let ty = x.expr.ty();
        let mut kind = self.dice.pick(&[
            Reduction::Sum,
            Reduction::Sum,
            Reduction::Max,
            Reduction::Min,
            Reduction::ArgMax,
        ]);
        if !x.exact || self.smooth_only {
            kind = Reduction::Sum;
        }
        if kind == Reduction::Sum && matches!(ty.dtype, DType::Bool | DType::U8) {
            kind = Reduction::Max;
        }
        let mut axes: Dims = (0..ty.rank()).filter(|_| self.dice.once_in(2)).collect();
        if kind == Reduction::ArgMax {
            axes.truncate(1);
        }
        let count: usize = axes.iter().map(|a| ty.shape[*a]).product();
        if axes.is_empty() || count == 0 {
            return;
        }
        let bound = if kind == Reduction::Sum { x.bound * count as f64 } else { x.bound.max(count as f64) };
        self.keep(x.expr.reduce(kind, &axes), x.exact, bound);
    }

    pub(super) fn contract(&mut self) {
        let x = self.any();
        let ty = x.expr.ty();
        if matches!(ty.dtype, DType::Bool | DType::U8) || ty.rank() == 0 {
            return;
        }
        // A second operand that shares some axes of the first: cut from a fresh tensor made of known values.
        let mut axes = ContractAxes::default();
        let mut shape = Dims::new();
        for (axis, extent) in ty.shape.iter().enumerate() {
            match self.dice.below(5) {
                0 => axes.batch.push((axis, shape.len())),
                1 | 2 => axes.sum.push((axis, shape.len())),
                _ => continue,
            }
            shape.push(*extent);
        }
        if shape.iter().product::<usize>() * 4 < MOST {
            shape.push(1 + self.dice.below(5));
        }
        let result = ty.elements() * shape.last().copied().unwrap_or(1);
        if result > 6 * MOST {
            return;
        }
        let want = Type { dtype: ty.dtype, shape: shape.clone() };
        let iota = if shape.is_empty() {
            self.builder.fill(&want, 2.0)
        } else {
            let axis = shape.len() - 1;
            self.builder.apply(Op::Iota { dtype: DType::I32, shape, axis }, &[]).cast(want.dtype) - 2.0
        };
        let found = self.any_where(|k| k.expr.ty() == want);
        let y = found.unwrap_or(Known { expr: iota, exact: true, bound: 40.0 });
        let terms: usize = axes.sum.iter().map(|p| ty.shape[p.0]).product();
        let bound = x.bound * y.bound * terms as f64;
        axes.arithmetic = self.arithmetic(ty.dtype);
        let swap = self.dice.once_in(3);
        let (lhs, rhs) = if swap { (y.expr, x.expr) } else { (x.expr, y.expr) };
        if swap {
            for pair in axes.batch.iter_mut().chain(&mut axes.sum) {
                *pair = (pair.1, pair.0);
            }
        }
        let product = self.builder.apply(Op::Contract(axes), &[lhs.value(), rhs.value()]);
        self.keep(product, x.exact && y.exact && bound < EXACT, bound);
    }

    /// How a product of `dtype` multiplies.
    pub(super) fn arithmetic(&mut self, dtype: DType) -> Arithmetic {
        let half = matches!(dtype, DType::F16 | DType::BF16);
        if half && self.dice.once_in(2) { Arithmetic::Wide } else { Arithmetic::Own }
    }

    pub(super) fn indices(&mut self, extent: usize) -> (Expr<'b>, usize) {
        let count = 1 + self.dice.below(6);
        let shape = Dims::from_slice(&[count]);
        let iota = self.builder.apply(Op::Iota { dtype: DType::I32, shape, axis: 0 }, &[]);
        // Duplicates and reversals: (a + b * i) mod extent, by unsigned arithmetic.
        let (a, b) = (self.dice.below(extent) as f64, self.dice.below(4) as f64);
        let wide = (iota.cast(DType::U32) * b + a).cast(DType::U32);
        (wide.rem(&wide.like(extent as f64)).cast(DType::I32), count)
    }

    pub(super) fn gather(&mut self) {
        let Some(x) = self.any_where(|k| k.expr.ty().rank() > 0 && k.expr.ty().elements() < 200) else {
            return;
        };
        let axis = self.dice.below(x.expr.ty().rank());
        let extent = x.expr.ty().shape[axis];
        let (indices, _) = self.indices(extent);
        let taken = self.builder.apply(Op::Gather { axis }, &[x.expr.value(), indices.value()]);
        self.keep(taken, x.exact, x.bound);
    }

    pub(super) fn scatter(&mut self) {
        let fits = |k: &Known| k.expr.ty().rank() > 0 && k.expr.ty().dtype != DType::Bool;
        let Some(x) = self.any_where(fits) else { return };
        let ty = x.expr.ty();
        let axis = self.dice.below(ty.rank());
        let (indices, count) = self.indices(ty.shape[axis]);
        let mut shape = ty.shape.clone();
        shape[axis] = count;
        if shape.iter().product::<usize>() > MOST {
            return;
        }
        let updates =
            Known { expr: self.builder.fill(&Type { dtype: ty.dtype, shape }, 3.0), exact: true, bound: 3.0 };
        let near = self.shaped_like(updates);
        let kind = if self.smooth_only || !x.exact || !near.exact {
            self.dice.pick(&[ScatterKind::Add, ScatterKind::Set])
        } else {
            self.dice.pick(&[ScatterKind::Add, ScatterKind::Set, ScatterKind::Max])
        };
        let operands = [x.expr.value(), indices.value(), near.expr.value()];
        let bound = x.bound + near.bound * count as f64;
        let exact =
            x.exact && near.exact && (ty.dtype.is_float() || kind != ScatterKind::Add || bound < EXACT);
        self.features.insert(format!("scatter {}", kind.name()));
        let out = self.builder.apply(Op::Scatter { kind, axis }, &operands);
        self.keep(out, exact, bound);
    }

    pub(super) fn cast(&mut self) {
        let Some(x) = self.any_where(|k| k.exact) else { return };
        let to = self.dice.dtype(&DType::ALL);
        let from = x.expr.ty().dtype;
        // u32 and wrapped products exceed what a float holds exactly.
        let wild = x.bound >= EXACT || !from.is_float() && to.is_float() && x.bound > 100.0;
        if to == from || wild {
            return;
        }
        let expr = x.expr.cast(to);
        self.keep(expr, true, x.bound);
    }

    pub(super) fn source(&mut self) {
        let dtype = self.dice.dtype(&[DType::F32, DType::F64, DType::I32, DType::U32]);
        let shape = shape(self.dice, 3);
        if shape.is_empty() || self.dice.once_in(2) {
            let value = Literal::new(dtype, self.dice.below(5) as f64);
            return self.keep(self.builder.apply(Op::Fill { value, shape }, &[]), true, 5.0);
        }
        let axis = self.dice.below(shape.len());
        let count = if dtype == DType::U32 { DType::U32 } else { DType::I32 };
        let iota = self.builder.apply(Op::Iota { dtype: count, shape, axis }, &[]).cast(dtype);
        self.keep(iota, true, 40.0);
    }

    pub(super) fn random(&mut self) {
        let scalar = |n: usize| self.builder.fill(&Type::scalar(DType::U32), n as f64).value();
        let seed = self.builder.fill(&Type::new(DType::U32, &[2]), self.dice.below(1000) as f64).value();
        let (step, iteration) = (scalar(self.dice.below(50)), scalar(self.dice.below(3)));
        let op = Op::Random { stream: self.dice.below(1 << 30) as u32, shape: shape(self.dice, 2) };
        let bits = self.builder.apply(op, &[seed, step, iteration]);
        let small = bits.shift_right(&bits.like(27.0));
        self.keep(small, true, 32.0);
    }

    pub(super) fn call(&mut self) {
        let x = self.any();
        let inner = Builder::new(Graph::new(), Origin::here());
        let parameter = inner.parameter(x.expr.ty());
        let known = Known { expr: parameter, exact: x.exact, bound: x.bound };
        let made = {
            let mut body = Generator {
                builder: &inner,
                dice: self.dice,
                values: vec![known],
                features: Features::new(),
                smooth_only: false,
            };
            for _ in 0..3 {
                body.elementwise();
            }
            body.values.last().copied().unwrap_or(known)
        };
        let (value, exact, bound) = (made.expr.value(), made.exact, made.bound);
        let mut body = inner.finish();
        body.set_results(vec![value]);
        self.features.insert("call".into());
        let op =
            Op::Call { name: "block", body: Arc::new(body), gradient: CallGradient::Body, sources: vec![] };
        let out = self.builder.apply(op, &[x.expr.value()]);
        self.keep(out, exact, bound);
    }

    pub(super) fn scan(&mut self) {
        let small =
            |k: &Known| k.expr.ty().dtype.is_float() && k.expr.ty().elements() < 120 && k.bound < 50.0;
        let Some(carry) = self.any_where(small) else { return };
        let length = 1 + self.dice.below(4);
        let carry_type = carry.expr.ty();
        let mut sliced_shape = carry_type.shape.clone();
        sliced_shape.insert(0, length);
        let count = Op::Iota { dtype: DType::I32, shape: sliced_shape.clone(), axis: 0 };
        let whole =
            carry.expr.broadcast(&sliced_shape) + self.builder.apply(count, &[]).cast(carry_type.dtype);
        let captured = self.shaped_like(carry);
        let inner = Builder::new(Graph::new(), Origin::here());
        let iteration = inner.parameter(Type::scalar(DType::U32));
        let [c, s, k] = [0; 3].map(|_| inner.parameter(carry_type.clone()));
        let count = iteration.cast(DType::I32).cast(carry_type.dtype).broadcast(&carry_type.shape);
        let mixed = if self.dice.once_in(2) { c + s * count } else { c - k };
        let next = if self.dice.once_in(2) { mixed } else { (mixed * 0.125).tanh() + s };
        let stacked = next * k;
        let (next, stacked) = (next.value(), stacked.value());
        let mut body = inner.finish();
        body.set_results(vec![next, stacked]);
        let reverse = self.dice.once_in(2);
        let op = Op::Scan { body: Arc::new(body), length, carries: 1, slices: 1, reverse };
        let operands = [carry.expr.value(), whole.value(), captured.expr.value()];
        let Ok(outputs) = self.builder.try_add(op, &operands) else { return };
        let bound = (carry.bound + captured.bound) * 30.0;
        self.keep(self.builder.expr(outputs[0]), false, bound);
        self.keep(self.builder.expr(outputs[1]), false, bound * bound);
    }
}
