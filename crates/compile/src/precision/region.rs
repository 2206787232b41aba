//! A graph and its regions with products in another precision.

use crate::rewrite::rewrite;
use std::ops::Range;
use std::sync::Arc;
use warploom_graph::{Arithmetic, Builder, DType, Error, Graph, Node, Op, Reduction, Type, Value};

/// Every product of f32 with this arithmetic.
pub(super) fn with_arithmetic(graph: &Graph, arithmetic: Arithmetic) -> Result<Graph, Error> {
    rewrite(graph, &mut |builder, node, inputs| {
        let is_f32 = |v: &Value| builder.expr(*v).ty().dtype == DType::F32;
        let op = product_of(&node.op, arithmetic).filter(|_| inputs.iter().all(is_f32))?;
        builder.try_add(op, inputs).ok()
    })
}

/// A product with another arithmetic; `None` for any other op.
fn product_of(op: &Op, arithmetic: Arithmetic) -> Option<Op> {
    let mut op = op.clone();
    match &mut op {
        Op::Contract(axes) => axes.arithmetic = arithmetic,
        Op::Convolve(axes) => axes.arithmetic = arithmetic,
        _ => return None,
    }
    Some(op)
}

/// The graph with factors of f32 products rounded to `dtype`. `becomes_state` says it of each result.
pub(super) fn narrowed(graph: &Graph, dtype: DType, becomes_state: &[bool]) -> Result<Graph, Error> {
    let parameters: Vec<Handed> = Handed::as_they_are(0..graph.parameters().len()).collect();
    let request = Request {
        dtype,
        becomes_state,
        rounded_results: &vec![false; graph.results().len()],
        parameters: &parameters,
    };
    Region::new(graph, &request).build(&request)
}

/// Views commute with rounding, so a view of a rounded value is the rounded view.
fn is_view(op: &Op) -> bool {
    crate::views::is_view(op) || matches!(op, Op::StopGradient)
}

fn is_product(op: &Op) -> bool {
    matches!(op, Op::Contract(_) | Op::Convolve(_))
}

/// The greatest of rounded numbers is the rounded greatest, and numbers side by side are rounded each on its own.
fn commutes(op: &Op) -> bool {
    is_view(op) || matches!(op, Op::Concat(_) | Op::Reduce { kind: Reduction::Max | Reduction::Min, .. })
}

/// What a value is a view of.
fn base(graph: &Graph, mut value: Value) -> Value {
    while is_view(&graph.maker(value).op) {
        value = graph.maker(value).inputs[0];
    }
    value
}

/// By value: whether it is a factor of an f32 product, or such a factor is made of it by what commutes with rounding.
fn factors(graph: &Graph) -> Vec<bool> {
    let mut found = vec![false; graph.value_count()];
    for (_, node) in graph.nodes().rev() {
        let passes = commutes(&node.op) && found[node.output().index()];
        let mut mark = |value: Value| found[value.index()] |= graph.ty(value).dtype == DType::F32;
        match &node.op {
            _ if passes => node.inputs.iter().for_each(|v| mark(*v)),
            op if is_product(op) => node.inputs.iter().for_each(|v| mark(*v)),
            Op::Scan { body, carries, .. } => {
                let within = factors(body);
                let parameters = &body.parameters()[1 + carries..];
                for (parameter, input) in parameters.iter().zip(&node.inputs[*carries..]) {
                    if within[parameter.index()] {
                        mark(*input);
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// By value: whether a result marked in `becomes_state` is made of it by elementwise ops and views alone.
fn reaching_state(graph: &Graph, becomes_state: &[bool]) -> Vec<bool> {
    let mut found = vec![false; graph.value_count()];
    let states = graph.results().iter().zip(becomes_state).filter(|(_, state)| **state);
    states.for_each(|(value, _)| found[value.index()] = true);
    for (_, node) in graph.nodes().rev() {
        let passes = is_view(&node.op) || matches!(node.op, Op::Elementwise(_) | Op::Cast(_));
        if passes && found[node.output().index()] {
            node.inputs.iter().for_each(|v| found[v.index()] = true);
        }
    }
    found
}

/// What is wanted of a region.
struct Request<'r> {
    dtype: DType,
    /// By result.
    becomes_state: &'r [bool],
    /// By result: whether it is handed back rounded.
    rounded_results: &'r [bool],
    /// What it takes, in order.
    parameters: &'r [Handed],
}

/// A parameter that the rebuilt region takes.
#[derive(Clone, Copy)]
struct Handed {
    /// Its position among the parameters of the region as it was.
    index: usize,
    /// Whether its value comes rounded.
    rounded: bool,
}

impl Handed {
    fn as_they_are(indices: Range<usize>) -> impl Iterator<Item = Handed> {
        indices.map(|index| Handed { index, rounded: false })
    }

    /// What a scan's body takes: captured values that it multiplies come rounded as well, and slices of what is kept rounded
    /// (`is_kept` says it of a parameter). Other slices are rounded round by round, which takes less memory.
    fn to_body(body: &Graph, carries: usize, slices: usize, is_kept: impl Fn(usize) -> bool) -> Vec<Handed> {
        let factors = factors(body);
        let is_factor = |h: &Handed| factors[body.parameters()[h.index].index()];
        let rounded = |indices: Range<usize>| {
            Handed::as_they_are(indices).filter(is_factor).map(|h| Handed { rounded: true, ..h })
        };
        let (sliced, captured) =
            (1 + carries..1 + carries + slices, 1 + carries + slices..body.parameters().len());
        Handed::as_they_are(0..1 + carries)
            .chain(Handed::as_they_are(sliced.clone()))
            .chain(rounded(sliced).filter(|h| is_kept(h.index)))
            .chain(Handed::as_they_are(captured.clone()))
            .chain(rounded(captured))
            .collect()
    }
}

/// One region while it is rebuilt.
struct Region<'g> {
    graph: &'g Graph,
    dtype: DType,
    builder: Builder,
    /// By value: what it became.
    made: Vec<Option<Value>>,
    /// By value: its rounded value, where that is known.
    rounded: Vec<Option<Value>>,
    factors: Vec<bool>,
    reaching_state: Vec<bool>,
    /// By value: whether it is handed back as f32, seen through views.
    handed_back: Vec<bool>,
}

impl<'g> Region<'g> {
    fn new(graph: &'g Graph, request: &Request<'_>) -> Region<'g> {
        let mut handed_back = vec![false; graph.value_count()];
        for (value, rounded) in graph.results().iter().zip(request.rounded_results) {
            handed_back[base(graph, *value).index()] |= !rounded;
        }
        let origin = graph.nodes().next().map(|(_, node)| node.origin.clone());
        Region {
            graph,
            dtype: request.dtype,
            builder: Builder::new(Graph::new(), origin.unwrap_or_else(warploom_graph::Origin::here)),
            made: vec![None; graph.value_count()],
            rounded: vec![None; graph.value_count()],
            factors: factors(graph),
            reaching_state: reaching_state(graph, request.becomes_state),
            handed_back,
        }
    }

    fn build(mut self, request: &Request<'_>) -> Result<Graph, Error> {
        self.parameters(request.parameters);
        let (graph, live) = (self.graph, self.graph.live_nodes());
        for (id, node) in graph.nodes() {
            if !live[id.index()] || matches!(node.op, Op::Parameter(_)) {
                continue;
            }
            self.builder.set_origin(node.origin.clone());
            self.node(node)?;
        }
        let mut results = Vec::with_capacity(graph.results().len());
        for (value, rounded) in graph.results().iter().zip(request.rounded_results) {
            results.push(if *rounded { self.rounded(*value)? } else { self.value(*value)? });
        }
        let mut graph = self.builder.finish();
        graph.set_results(results);
        Ok(graph)
    }

    fn parameters(&mut self, handed: &[Handed]) {
        for Handed { index, rounded } in handed {
            let value = self.graph.parameters()[*index];
            let ty = self.graph.ty(value).clone();
            if *rounded {
                let ty = Type { dtype: self.dtype, ..ty };
                self.rounded[value.index()] = Some(self.builder.parameter(ty).value());
            } else {
                self.made[value.index()] = Some(self.builder.parameter(ty).value());
            }
        }
    }

    fn node(&mut self, node: &Node) -> Result<(), Error> {
        let factors_are_f32 = || node.inputs.iter().all(|v| self.graph.ty(*v).dtype == DType::F32);
        match &node.op {
            op if is_product(op) && factors_are_f32() => return self.product(node),
            Op::Scan { .. } => return self.scan(node),
            _ => {}
        }
        if commutes(&node.op) && !is_view(&node.op) && self.is_kept_rounded(node.output()) {
            return self.keep_rounded(node.output());
        }
        let inputs = self.values(&node.inputs)?;
        let made = self.builder.try_add(node.op.clone(), &inputs)?;
        for (value, made) in node.outputs().zip(made) {
            self.made[value.index()] = Some(made);
            // A view of what is kept rounded shows that.
            if !is_view(&node.op) && self.is_kept_rounded(value) {
                self.keep_rounded(value)?;
            }
        }
        Ok(())
    }

    /// Makes all that reads a value read the rounded one.
    fn keep_rounded(&mut self, value: Value) -> Result<(), Error> {
        let rounded = self.rounded(value)?;
        self.made[value.index()] = Some(self.builder.try_apply(Op::Cast(DType::F32), &[rounded])?);
        Ok(())
    }

    /// Whether a product reads a value, and neither state nor who runs the program needs it as it is.
    fn is_kept_rounded(&self, value: Value) -> bool {
        let i = value.index();
        let given = matches!(self.graph.maker(value).op, Op::Parameter(_));
        self.factors[i] && !given && !self.reaching_state[i] && !self.handed_back[i]
    }

    /// What reaches state is the sum itself; all else is rounded as factors are.
    fn product(&mut self, node: &Node) -> Result<(), Error> {
        let value = node.output();
        let factors = [self.rounded(node.inputs[0])?, self.rounded(node.inputs[1])?];
        let wide = self.reaching_state[value.index()] || self.handed_back[value.index()];
        let arithmetic = if wide { Arithmetic::Wide } else { Arithmetic::Own };
        let Some(op) = product_of(&node.op, arithmetic) else { unreachable!("it is a product") };
        let product = self.builder.try_apply(op, &factors)?;
        self.made[value.index()] = Some(match wide {
            true => product,
            false => {
                self.rounded[value.index()] = Some(product);
                self.builder.try_apply(Op::Cast(DType::F32), &[product])?
            }
        });
        Ok(())
    }

    /// A scan whose body is rounded too. What a round multiplies without having made it is rounded once, outside; what is
    /// stacked to be multiplied is stacked rounded.
    fn scan(&mut self, node: &Node) -> Result<(), Error> {
        let Op::Scan { body, length, carries, slices, reverse } = &node.op else { return Ok(()) };
        let outputs: Vec<Value> = node.outputs().collect();
        let is_carry: Vec<bool> = (0..outputs.len()).map(|i| i < *carries).collect();
        let rounded_results: Vec<bool> =
            outputs.iter().zip(&is_carry).map(|(v, carry)| !carry && self.is_kept_rounded(*v)).collect();
        let is_kept = |index: usize| self.is_kept_rounded(base(self.graph, node.inputs[index - 1]));
        let handed = Handed::to_body(body, *carries, *slices, is_kept);
        let request = Request {
            dtype: self.dtype,
            becomes_state: &is_carry,
            rounded_results: &rounded_results,
            parameters: &handed,
        };
        let body = Region::new(body, &request).build(&request)?;
        // What only products read is handed in rounded alone.
        let uses = body.use_counts();
        let both = |index: usize| handed.iter().any(|h| h.rounded && h.index == index);
        let read = handed.iter().zip(body.parameters());
        let kept: Vec<bool> = read.map(|(h, v)| h.rounded || !both(h.index) || uses[v.index()] > 0).collect();
        let sliced = 1 + carries..1 + carries + slices;
        let (mut inputs, mut slices) = (Vec::new(), 0);
        // The first is the iteration, which is no input.
        for (h, _) in handed.iter().zip(&kept).skip(1).filter(|(_, kept)| **kept) {
            let input = node.inputs[h.index - 1];
            inputs.push(if h.rounded { self.rounded(input)? } else { self.value(input)? });
            slices += usize::from(sliced.contains(&h.index));
        }
        let body = Arc::new(with_parameters(&body, &kept));
        let op = Op::Scan { body, length: *length, carries: *carries, slices, reverse: *reverse };
        let made = self.builder.try_add(op, &inputs)?;
        for ((value, made), rounded) in outputs.into_iter().zip(made).zip(rounded_results) {
            self.made[value.index()] = Some(match rounded {
                true => {
                    self.rounded[value.index()] = Some(made);
                    self.builder.try_apply(Op::Cast(DType::F32), &[made])?
                }
                false => made,
            });
        }
        Ok(())
    }

    /// A value rounded: of what commutes with that, made of rounded operands.
    fn rounded(&mut self, value: Value) -> Result<Value, Error> {
        if let Some(known) = self.rounded[value.index()] {
            return Ok(known);
        }
        let maker = self.graph.maker(value);
        let rounded = if is_view(&maker.op) || commutes(&maker.op) && self.is_kept_rounded(value) {
            let of: Vec<Value> = maker.inputs.iter().map(|v| self.rounded(*v)).collect::<Result<_, _>>()?;
            self.builder.try_apply(maker.op.clone(), &of)?
        } else {
            let made = self.value(value)?;
            self.builder.try_apply(Op::Cast(self.dtype), &[made])?
        };
        self.rounded[value.index()] = Some(rounded);
        Ok(rounded)
    }

    fn value(&self, value: Value) -> Result<Value, Error> {
        self.made[value.index()].ok_or_else(|| Error::new("precision", "a value is used before it is made"))
    }

    fn values(&self, values: &[Value]) -> Result<Vec<Value>, Error> {
        values.iter().map(|v| self.value(*v)).collect()
    }
}

/// The region without the parameters that are not `kept`, which nothing reads.
fn with_parameters(region: &Graph, kept: &[bool]) -> Graph {
    let mut graph = Graph::new();
    let mut arguments: Vec<Value> = Vec::with_capacity(kept.len());
    for (value, kept) in region.parameters().iter().zip(kept) {
        // The first of a scan's body, its iteration, is always kept.
        arguments.push(match (kept, arguments.first()) {
            (false, Some(first)) => *first,
            _ => graph.parameter(region.ty(*value).clone(), region.maker(*value).origin.clone()),
        });
    }
    let results = graph.inline(region, &arguments);
    graph.set_results(results);
    graph
}
