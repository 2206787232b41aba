//! Random well-typed programs. Values are small whole numbers where arithmetic is exact, so that comparisons, roundings and
//! maxima, which jump, are only asked of values every executor must have exactly.

mod structural;
mod windows;

use crate::run::Case;
use smallvec::SmallVec;
use std::collections::BTreeSet;
use warploom_graph::elementwise::TypeRule;
use warploom_graph::interpret::Array;
use warploom_graph::{
    Builder, DType, Dims, Elementwise, ElementwiseMethods, Expr, Graph, Op, Origin, ParameterRole, Recording,
    Reduction, ResultRole, Type, Value, gradient, philox,
};

/// A small reproducible generator of choices.
pub struct Dice {
    seed: [u32; 2],
    at: u32,
    /// Dtypes that may occur.
    dtypes: Vec<DType>,
}

impl Dice {
    /// Choices of one seed.
    pub fn new(seed: u64) -> Dice {
        Dice { seed: [seed as u32, (seed >> 32) as u32], at: 0, dtypes: DType::ALL.to_vec() }
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.at += 1;
        let [word, ..] = philox::block([self.at, 0, 0, 0], self.seed);
        word as usize % n.max(1)
    }

    /// One of `items`.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// One of `items`; f32 for one that may not occur.
    pub fn dtype(&mut self, items: &[DType]) -> DType {
        let dtype = self.pick(items);
        if self.dtypes.contains(&dtype) { dtype } else { DType::F32 }
    }

    /// True once in `n`.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// A value with what is known of it.
#[derive(Clone, Copy)]
struct Known<'b> {
    expr: Expr<'b>,
    /// Whether every executor has it exactly: whole numbers, moved and combined without rounding.
    exact: bool,
    /// No element is larger in magnitude.
    bound: f64,
}

/// What a program contains, for the floors.
pub type Features = BTreeSet<String>;

struct Generator<'b, 'd> {
    builder: &'b Builder,
    dice: &'d mut Dice,
    values: Vec<Known<'b>>,
    features: Features,
    /// No jumps and no ops without gradient: the body will be differentiated.
    smooth_only: bool,
}

/// Largest magnitude at which sums and products of whole numbers still are exact in f32.
const EXACT: f64 = 1_000_000.0;
const EXTENTS: [usize; 9] = [1, 2, 3, 4, 5, 8, 16, 17, 33];
const MOST: usize = 700;

/// The program of a seed, and what it contains.
pub fn generate(seed: u64) -> (Case, Features) {
    generate_of(seed, &DType::ALL)
}

/// As [`generate`], of these dtypes alone, of which f32 must be one.
pub fn generate_of(seed: u64, dtypes: &[DType]) -> (Case, Features) {
    let mut dice = Dice { dtypes: dtypes.to_vec(), ..Dice::new(seed) };
    let main = dice.dtype(&[
        DType::F32,
        DType::F32,
        DType::F32,
        DType::F64,
        DType::F64,
        DType::F16,
        DType::BF16,
        DType::I32,
    ]);
    let builder = Builder::new(Graph::new(), Origin::here());
    let mut arguments = Vec::new();
    let mut parameters = Vec::new();
    let inputs = 2 + dice.below(3);
    let states = dice.below(3);
    let mut features = Features::new();
    let mut values = Vec::new();
    for i in 0..inputs + states {
        let dtype = if i == 0 || i >= inputs || !dice.once_in(3) { main } else { dice.dtype(&DType::ALL) };
        let ty = Type { dtype, shape: shape(&mut dice, 3) };
        values.push(parameter(&builder, &mut dice, ty, &mut arguments));
        parameters.push(if i < inputs { ParameterRole::Input } else { ParameterRole::State(i - inputs) });
    }
    let differentiate = main.is_float() && dice.below(10) < 8;
    let mut generator =
        Generator { builder: &builder, dice: &mut dice, values, features, smooth_only: false };
    let steps = 3 + generator.dice.below(14);
    for _ in 0..steps {
        generator.step();
    }
    let mut results = Vec::new();
    let mut roles = Vec::new();
    for slot in 0..states {
        let old = generator.values[inputs + slot];
        let new = generator.shaped_like(old);
        let keep = generator.dice.once_in(4);
        results.push(if keep { old } else { generator.combine(old, new) });
        roles.push(ResultRole::Update(slot));
        generator.features.insert("assignment".into());
    }
    for _ in 0..1 + generator.dice.below(3) {
        let at = generator.dice.below(generator.values.len());
        results.push(generator.values[at]);
        roles.push(ResultRole::Output);
    }
    if let Some(last) = generator.values.last() {
        results.push(*last);
        roles.push(ResultRole::Output);
    }
    let mut values: Vec<Value> = results.iter().map(|k| k.expr.value()).collect();
    let mut exact = results.iter().all(|k| k.exact);
    // Sums of rounded halves cancel to noise: their gradients are held against f32 only op by op.
    let halves = |g: &Graph| g.nodes().any(|(_, n)| n.outputs().any(|v| is_half(g.ty(v).dtype)));
    if differentiate && !builder.with(halves) {
        exact = false;
        let wrt: Vec<Value> = builder.with(|g| g.parameters().to_vec());
        let floats: Vec<Expr> = results.iter().map(|k| k.expr).filter(|e| e.ty().dtype.is_float()).collect();
        let seeds: Vec<(Value, Value)> = floats.iter().map(|e| (e.value(), e.like(1.0).value())).collect();
        if let Ok(made) = gradient::vjp(&builder, &seeds, &wrt) {
            let made: Vec<Value> = made.into_iter().flatten().collect();
            if !made.is_empty() {
                generator.features.insert("gradient".into());
            }
            roles.extend(made.iter().map(|_| ResultRole::Output));
            values.extend(made);
        }
    }
    features = std::mem::take(&mut generator.features);
    let mut graph = builder.finish();
    graph.set_results(values);
    let mut half = false;
    for (_, node) in graph.nodes() {
        features.insert(node.op.name().into());
        for value in node.outputs() {
            let dtype = graph.ty(value).dtype;
            features.insert(dtype.name().into());
            half |= is_half(dtype);
        }
    }
    let single = features.contains("f32");
    let tolerance = match (exact && !half, half, single) {
        (true, _, _) => 0.0,
        (_, true, _) => 0.15,
        (_, _, true) => 3e-4,
        _ => 1e-9,
    };
    let recording = Recording { graph, parameters, results: roles };
    (Case { recording, arguments, tolerance }, features)
}

fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

fn shape(dice: &mut Dice, most: usize) -> Dims {
    let rank = dice.below(most + 1);
    let mut shape = Dims::new();
    for _ in 0..rank {
        let room = MOST / shape.iter().product::<usize>().max(1);
        let fitting: Vec<usize> = EXTENTS.iter().copied().filter(|e| *e <= room).collect();
        shape.push(dice.pick(&fitting));
    }
    shape
}

fn parameter<'b>(builder: &'b Builder, dice: &mut Dice, ty: Type, arguments: &mut Vec<Array>) -> Known<'b> {
    let numbers: Vec<f64> = (0..ty.elements())
        .map(|_| match ty.dtype {
            DType::Bool => dice.below(2) as f64,
            DType::U8 | DType::U32 => dice.below(6) as f64,
            DType::I32 | DType::F16 | DType::BF16 | DType::F32 | DType::F64 => dice.below(9) as f64 - 4.0,
        })
        .collect();
    arguments.push(Array::new(ty.clone(), numbers));
    Known { expr: builder.parameter(ty), exact: true, bound: 6.0 }
}

impl<'b> Generator<'b, '_> {
    fn any(&mut self) -> Known<'b> {
        // Recent values more often, so that chains grow.
        let n = self.values.len();
        let back = self.dice.below(n).min(self.dice.below(n));
        self.values[n - 1 - back]
    }

    fn any_where(&mut self, fits: impl Fn(&Known<'b>) -> bool) -> Option<Known<'b>> {
        let fitting: Vec<usize> = (0..self.values.len()).filter(|i| fits(&self.values[*i])).collect();
        if fitting.is_empty() { None } else { Some(self.values[self.dice.pick(&fitting)]) }
    }

    fn keep(&mut self, expr: Expr<'b>, exact: bool, bound: f64) {
        let whole = !expr.ty().dtype.is_float();
        let half = is_half(expr.ty().dtype);
        let limit = if half { 128.0 } else { EXACT };
        self.values.push(Known { expr, exact: whole || exact && bound < limit, bound: bound.min(1e12) });
    }

    fn view(&mut self, of: Known<'b>, op: Op) {
        self.keep(of.expr.then(op), of.exact, of.bound);
    }

    fn step(&mut self) {
        match self.dice.below(33) {
            0..9 => self.elementwise(),
            9 => self.reshape(),
            10 => self.permute(),
            11 => self.expand(),
            12 | 13 => self.slice(),
            14 => self.pad(),
            15 => self.concat(),
            16..19 => self.reduce(),
            19..22 => self.contract(),
            22 => self.gather(),
            23 => self.scatter(),
            24 => self.cast(),
            25 => self.source(),
            26 => self.random(),
            27 => self.scan(),
            28 => self.call(),
            29 => self.unfold(),
            30 | 31 => self.convolve(),
            _ => {
                let x = self.any();
                let op = if self.dice.once_in(2) { Op::Barrier } else { Op::StopGradient };
                self.view(x, op);
            }
        }
    }

    /// A value of the same type as `like`, made from some value.
    fn shaped_like(&mut self, like: Known<'b>) -> Known<'b> {
        let ty = like.expr.ty();
        if let Some(found) = self.any_where(|k| k.expr.ty() == ty && k.expr.value() != like.expr.value()) {
            return found;
        }
        let x = self.any_where(|k| k.expr.ty().dtype == ty.dtype).unwrap_or(like);
        let summed = matches!(ty.dtype, DType::Bool | DType::U8);
        let axes: Vec<usize> = (0..x.expr.ty().rank()).collect();
        let kind = if summed { Reduction::Max } else { Reduction::Sum };
        let count = x.expr.ty().elements() as f64;
        let scalar = if axes.is_empty() { x.expr } else { x.expr.reduce(kind, &axes) };
        let bound = x.bound * count;
        Known { expr: scalar.broadcast(&ty.shape), exact: x.exact && bound < EXACT, bound }
    }

    /// Two values of one type in one, without rounding where both are exact.
    fn combine(&mut self, a: Known<'b>, b: Known<'b>) -> Known<'b> {
        match a.expr.ty().dtype {
            DType::Bool => Known { expr: a.expr.xor(&b.expr), exact: true, bound: 1.0 },
            DType::U8 => {
                let sum = a.expr.cast(DType::I32) + b.expr.cast(DType::I32);
                Known { expr: sum.cast(DType::U8), exact: true, bound: 255.0 }
            }
            _ => {
                let bound = a.bound + b.bound;
                Known { expr: a.expr - b.expr, exact: a.exact && b.exact && bound < EXACT, bound }
            }
        }
    }

    fn elementwise(&mut self) {
        let ops: Vec<Elementwise> = Elementwise::all().collect();
        let op = self.dice.pick(&ops);
        let accepted = |k: &Known| op.row().types.accepts(k.expr.ty().dtype);
        let x = self.any_where(accepted).unwrap_or_else(|| self.any());
        let second = self.shaped_like(x);
        let third = self.shaped_like(x);
        let mut operands: SmallVec<[Known; 3]> = SmallVec::from_iter([x, second, third]);
        operands.truncate(op.row().arity);
        if op.row().types == TypeRule::Select {
            let condition = self.condition(x);
            operands = SmallVec::from_iter([condition, x, second]);
        }
        self.apply(op, &operands);
    }

    fn condition(&mut self, like: Known<'b>) -> Known<'b> {
        let shape = like.expr.ty().shape;
        let flag = |k: &Known| k.expr.ty().dtype == DType::Bool && k.expr.ty().shape == shape;
        if let Some(found) = self.any_where(flag) {
            return found;
        }
        let base = if like.exact { like.expr } else { like.expr.like(1.0) };
        Known { expr: base.less(&base.like(1.0)), exact: true, bound: 1.0 }
    }

    fn apply(&mut self, op: Elementwise, operands: &[Known<'b>]) {
        let row = op.row();
        let dtypes: Vec<DType> = operands.iter().map(|k| k.expr.ty().dtype).collect();
        if row.types.result(&dtypes).is_err() {
            return;
        }
        let exact = operands.iter().all(|k| k.exact);
        let bound = operands.iter().map(|k| k.bound).fold(1.0, f64::max);
        let expr = |o: &[Known<'b>]| {
            let exprs: Vec<&Expr> = o.iter().map(|k| &k.expr).collect();
            Expr::elementwise(op, &exprs)
        };
        use Elementwise as E;
        let float = dtypes.iter().any(|d| d.is_float());
        let jumps = [
            E::MINIMUM,
            E::MAXIMUM,
            E::ABS,
            E::SIGN,
            E::FLOOR,
            E::CEIL,
            E::ROUND,
            E::RELU,
            E::LESS,
            E::LESS_EQUAL,
            E::GREATER,
            E::GREATER_EQUAL,
            E::EQUAL,
            E::NOT_EQUAL,
        ];
        if !float {
            return self.keep(expr(operands), true, bound * bound);
        }
        match op {
            _ if self.smooth_only && (jumps.contains(&op) || row.types == TypeRule::FloatTest) => {}
            _ if jumps.contains(&op) && !exact => {}
            E::ADD | E::SUB => self.keep(expr(operands), exact, 2.0 * bound),
            E::MUL | E::SQUARE => self.keep(expr(operands), exact, bound * bound),
            E::MULTIPLY_ADD => self.keep(expr(operands), exact, bound * bound + bound),
            E::SELECT | E::NEG | E::IS_FINITE | E::IS_NAN => self.keep(expr(operands), exact, bound),
            E::REM => {}
            // Where x = 0 or y < 1 quotients and powers have poles: keep away from them.
            E::DIV | E::POW | E::LOG | E::LOG1P | E::SQRT | E::RSQRT | E::RECIPROCAL => {
                let away = |k: &Known<'b>| (k.expr * (3.0 / k.bound.max(3.0))).tanh() + 2.0;
                let mut shifted: SmallVec<[Known; 3]> = SmallVec::from_slice(operands);
                for k in &mut shifted {
                    *k = Known { expr: away(k), exact: false, bound: 3.0 };
                }
                self.keep(expr(&shifted), false, 30.0);
            }
            _ if jumps.contains(&op) => self.keep(expr(operands), true, bound),
            // The rest are smooth functions: bring their argument near 0 first.
            _ => {
                let near = operands[0].expr * (3.0 / bound.max(3.0));
                let near = Known { expr: near, exact: false, bound: 3.0 };
                self.keep(expr(&[near]), false, 25.0);
            }
        }
    }
}
