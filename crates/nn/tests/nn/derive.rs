//! `#[derive(Parameters)]`: which fields are visited, and under which names.

use crate::common::{cpu, null, numbers};
use warploom_nn::{Dense, Dropout, Kind, Linear, Mode, Module, Parameters, Sequential, Stack, layers};
use warploom_tensor::{DType, ElementwiseMethods, Tensor, Variable};

#[derive(Parameters)]
struct Block<M: Parameters> {
    inner: M,
    scale: Option<Variable>,
    #[parameters(state)]
    statistics: Vec<Variable>,
    #[parameters(skip)]
    heads: usize,
}

#[derive(Parameters)]
struct Pair(Linear, Option<Box<Linear>>);

#[derive(Parameters)]
struct Everything {
    blocks: Vec<Block<Linear>>,
    pairs: Vec<Option<Pair>>,
    array: [Linear; 2],
    tuple: (Variable, Linear),
    head: Box<dyn Module>,
    r#type: Variable,
}

#[derive(Parameters)]
struct Empty;

fn linear() -> Linear {
    Linear::new(2, 3).expect("a layer")
}

fn variable() -> Variable {
    Variable::new(Tensor::from([1.0f32]))
}

fn block(statistics: usize, scale: bool) -> Block<Linear> {
    Block {
        inner: linear(),
        scale: scale.then(variable),
        statistics: (0..statistics).map(|_| variable()).collect(),
        heads: 4,
    }
}

fn everything() -> Everything {
    let head = Sequential::new(layers![Dense::new(4).relu(), Dropout::new(0.5), Dense::new(1).no_bias()]);
    Everything {
        blocks: vec![block(2, true), block(0, false)],
        pairs: vec![None, Some(Pair(linear(), Some(Box::new(linear())))), Some(Pair(linear(), None))],
        array: [linear(), linear()],
        tuple: (variable(), linear()),
        head: Box::new(head.build([3], warploom_tensor::Device::current()).expect("a model")),
        r#type: variable(),
    }
}

#[test]
fn names_are_paths_of_fields_and_positions() {
    null().scope(|| {
        let model = everything();
        let names: Vec<String> = model.named_variables().into_iter().map(|v| v.name).collect();
        let wanted = "blocks.0.inner.weight blocks.0.inner.bias blocks.0.scale blocks.0.statistics.0 \
                      blocks.0.statistics.1 blocks.1.inner.weight blocks.1.inner.bias pairs.1.0.weight pairs.1.0.bias \
                      pairs.1.1.weight pairs.1.1.bias pairs.2.0.weight pairs.2.0.bias array.0.weight array.0.bias \
                      array.1.weight array.1.bias tuple.0 tuple.1.weight tuple.1.bias head.0.weight head.0.bias \
                      head.3.weight type";
        assert_eq!(names.join(" "), wanted.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(model.blocks[0].heads, 4);
        let states = model.named_variables().into_iter().filter(|v| v.kind == Kind::State).count();
        assert_eq!(states, 2);
        assert_eq!(model.parameters().len(), names.len() - 2);
        assert!(model.parameters().iter().zip(names.iter().filter(|n| !n.contains("statistics"))).all(|(v, n)| v.name() == Some(n)));
        // 8 linears of 2·3 + 3, three scalars of one, 3·4 + 4 + 4 of the head.
        assert_eq!(model.parameter_count().expect("a count"), 8 * 9 + 3 + 20);
        assert!(Empty.named_variables().is_empty());
    });
}

#[test]
fn a_variable_held_twice_is_one_parameter_and_stays_one_when_moved() {
    let (here, there) = (cpu(), cpu());
    let shared = here.scope(linear);
    let mut pair = Pair(shared.clone(), Some(Box::new(shared)));
    let before = numbers(&pair.0.weight.value());
    assert_eq!(pair.named_variables().len(), 4);
    assert_eq!(pair.parameters().len(), 2);
    pair.move_to(&there).expect("a move");
    assert_eq!(pair.parameters().len(), 2);
    assert_eq!(pair.0.weight.device().expect("a device"), there);
    assert_eq!(pair.0.weight.name(), Some("0.weight"));
    assert_eq!(numbers(&pair.0.weight.value()), before);
}

struct Residual {
    stack: Stack,
}

impl Parameters for Residual {
    fn visit(&self, visitor: &mut warploom_nn::Visitor<'_>) {
        visitor.field("inner", Kind::Parameter, &self.stack);
    }

    fn visit_mut(&mut self, visitor: &mut warploom_nn::VisitorMut<'_>) {
        visitor.field_mut("inner", Kind::Parameter, &mut self.stack);
    }
}

impl Module for Residual {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        x + self.stack.forward(x, mode)
    }
}

#[test]
fn a_module_by_hand_is_a_layer_and_a_field_like_any_other() {
    let device = cpu();
    let residual =
        device.scope(|| Residual { stack: Stack::new(vec![Box::new(Linear::new(3, 3).expect("a layer"))]) });
    let model = Sequential::new(layers![residual, Dense::new(1)]).build([3], &device).expect("a model");
    let names: Vec<String> = model.named_variables().into_iter().map(|v| v.name).collect();
    assert_eq!(names, ["0.inner.0.weight", "0.inner.0.bias", "1.weight", "1.bias"]);
    let x = device.scope(|| Tensor::ones(&[2, 3], DType::F32));
    assert_eq!(model.forward(&x, Mode::Evaluate).sigmoid().shape().expect("a shape")[..], [2, 1]);
}
