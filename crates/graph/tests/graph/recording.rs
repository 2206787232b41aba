//! Several rounds in one: `Recording::repeat(n)` against n single runs, bit for bit.

use crate::common::{array, build, contract, counting, dims, f64s, random, run};
use warploom_graph::gradient::gradients;
use warploom_graph::interpret::Array;
use warploom_graph::verify::verify;
use warploom_graph::{
    DType, ElementwiseMethods, Graph, Op, Origin, ParameterRole, Recording, Reduction, ResultRole, Type,
};

const WEIGHT: usize = 0;
const STEP: usize = 1;
const SEED: usize = 2;
const LAST_LOSS: usize = 3;

fn word(x: u32) -> Array {
    Array::new(Type::scalar(DType::U32), [x as f64])
}

/// A step of gradient descent with noise on its input. The seed is only read, the last loss only written, and roles stand
/// in no particular order. Inputs: learning rate, x, target.
fn training_step() -> Recording {
    let words = |shape: &[usize]| Type::new(DType::U32, shape);
    let types = [f64s(&[]), words(&[]), f64s(&[2, 3]), f64s(&[3]), words(&[2]), f64s(&[2])];
    let graph = build(&types, |builder, p| {
        let [rate, step, x, weight, seed, target] = [p[0], p[1], p[2], p[3], p[4], p[5]];
        let zero = builder.fill(&words(&[]), 0.0);
        let random = Op::Random { stream: 5, shape: dims(&[2, 3]) };
        let bits = builder.apply(random, &[seed.value(), step.value(), zero.value()]);
        let noise = bits.cast(DType::F64) * 2f64.powi(-32);
        let product = builder.apply(contract(&[], &[(1, 0)]), &[(x + noise).value(), weight.value()]);
        let loss = (product - target).square().reduce(Reduction::Sum, &[0]);
        let found = gradients(builder, loss.value(), &[weight.value()]).unwrap();
        let slope = builder.expr(found[0].unwrap());
        vec![loss, step + 1.0, noise, weight - slope * rate.broadcast(&[3]), loss]
    });
    use {ParameterRole::Input, ParameterRole::State, ResultRole::Output, ResultRole::Update};
    let parameters = vec![Input, State(STEP), Input, State(WEIGHT), State(SEED), Input];
    let results = vec![Output, Update(STEP), Output, Update(WEIGHT), Update(LAST_LOSS)];
    Recording { graph, parameters, results }
}

/// Runs a recording once: the state is changed, the outputs are returned.
fn launch(recording: &Recording, state: &mut [Array], inputs: &[Array]) -> Vec<Array> {
    let mut inputs = inputs.iter();
    let arguments: Vec<Array> = recording
        .parameters
        .iter()
        .map(|role| match role {
            ParameterRole::Input => inputs.next().expect("an input for each role").clone(),
            ParameterRole::State(slot) => state[*slot].clone(),
        })
        .collect();
    let mut outputs = Vec::new();
    for (role, result) in recording.results.iter().zip(run(&recording.graph, &arguments)) {
        match role {
            ResultRole::Output => outputs.push(result),
            ResultRole::Update(slot) => state[*slot] = result,
        }
    }
    outputs
}

/// The rows of `all` along axis 0.
fn rows(all: &Array) -> Vec<Vec<f64>> {
    let numbers = all.to_f64();
    let run = numbers.len() / all.ty.shape[0];
    numbers.chunks(run).map(<[f64]>::to_vec).collect()
}

fn row(all: &Array, i: usize) -> Array {
    Array::new(Type::new(all.ty.dtype, &all.ty.shape[1..]), rows(all)[i].iter().copied())
}

fn start() -> Vec<Array> {
    let seed = Array::new(Type::new(DType::U32, &[2]), [12.0, 34.0]);
    vec![random(1, &[3]), word(7), seed, array(&[], &[0.0])]
}

#[test]
fn repeating_equals_single_runs() {
    const ROUNDS: usize = 5;
    let once = training_step();
    let rates = array(&[ROUNDS], &[0.1, 0.05, 0.02, 0.01, 0.005]);
    let xs = random(2, &[ROUNDS, 2, 3]);
    let targets = random(3, &[ROUNDS, 2]);
    for flags in 0..8 {
        let sliced = [flags & 1 != 0, flags & 2 != 0, flags & 4 != 0];
        let many = once.repeat(ROUNDS, &sliced, &Origin::here()).unwrap();
        verify(&many.graph).unwrap();
        let all = [&rates, &xs, &targets];
        let inputs: Vec<Array> =
            all.iter().zip(sliced).map(|(a, cut)| if cut { (*a).clone() } else { row(a, 0) }).collect();
        let mut state = start();
        let outputs = launch(&many, &mut state, &inputs);

        let mut single = start();
        for round in 0..ROUNDS {
            let at = |cut: bool| if cut { round } else { 0 };
            let inputs: Vec<Array> = all.iter().zip(sliced).map(|(a, cut)| row(a, at(cut))).collect();
            let made = launch(&once, &mut single, &inputs);
            assert_eq!(made.len(), outputs.len());
            for (made, stacked) in made.iter().zip(&outputs) {
                assert_eq!(made.to_f64(), rows(stacked)[round], "round {round}, sliced {sliced:?}");
            }
        }
        assert_eq!(state, single, "sliced {sliced:?}");
        assert_eq!(state[STEP], word(7 + ROUNDS as u32));
        assert_ne!(rows(&outputs[1])[0], rows(&outputs[1])[1], "each step draws its own noise");
    }
}

#[test]
fn roles_are_listed_in_order() {
    let many = training_step().repeat(2, &[false, true, true], &Origin::here()).unwrap();
    use {ParameterRole::Input, ParameterRole::State, ResultRole::Output, ResultRole::Update};
    assert_eq!(many.parameters, [State(0), State(1), State(2), State(3), Input, Input, Input]);
    assert_eq!(many.results, [Update(WEIGHT), Update(STEP), Update(LAST_LOSS), Output, Output]);
    let shape = |i: usize| many.graph.ty(many.graph.parameters()[4 + i]).shape.to_vec();
    assert_eq!([shape(0), shape(1), shape(2)], [vec![], vec![2, 2, 3], vec![2, 2]]);
}

#[test]
fn repeats_nest() {
    let once = training_step();
    let (x, target, rate) = (random(4, &[2, 3]), random(5, &[2]), array(&[], &[0.05]));
    let flags = [false; 3];
    let nested = once.repeat(2, &flags, &Origin::here()).unwrap().repeat(3, &flags, &Origin::here()).unwrap();
    let flat = once.repeat(6, &flags, &Origin::here()).unwrap();
    let (mut first, mut second) = (start(), start());
    let inputs = [rate, x, target];
    let (from_nested, from_flat) =
        (launch(&nested, &mut first, &inputs), launch(&flat, &mut second, &inputs));
    assert_eq!(first, second);
    assert_eq!(from_nested[0].to_f64(), from_flat[0].to_f64());
    let none = once.repeat(0, &flags, &Origin::here()).unwrap();
    let mut state = start();
    assert_eq!(launch(&none, &mut state, &inputs)[0].len(), 0);
    assert_eq!(state, start());
}

#[test]
fn without_state() {
    let graph = build(&[f64s(&[2])], |_, p| vec![p[0].square()]);
    let many = Recording::stateless(graph).repeat(3, &[true], &Origin::here()).unwrap();
    let x = counting(&[3, 2]);
    let found = launch(&many, &mut [], &[x]);
    assert_eq!(found, [array(&[3, 2], &[1.0, 4.0, 9.0, 16.0, 25.0, 36.0])]);
}

#[test]
fn wrong_roles_are_refused() {
    let fails = |change: &dyn Fn(&mut Recording), sliced: &[bool]| {
        let mut recording = training_step();
        change(&mut recording);
        recording.repeat(2, sliced, &Origin::here()).unwrap_err().to_string()
    };
    let flags = [false; 3];
    assert!(fails(&|_| (), &[true]).contains("3 inputs, but 1 flags"));
    assert!(
        fails(&|r| r.parameters.truncate(5), &flags[..2])
            .contains("6 parameters and 5 results, but 5 and 5 roles")
    );
    assert!(
        fails(&|r| r.parameters[1] = ParameterRole::State(SEED), &flags)
            .contains("two parameters read state slot 2")
    );
    assert!(
        fails(&|r| r.results[1] = ResultRole::Update(WEIGHT), &flags)
            .contains("two results write state slot 0")
    );
    assert!(
        fails(&|r| r.results[4] = ResultRole::Update(5), &flags)
            .contains("state slot 3 is neither read nor written")
    );
    // The next version of a slot has the type of the one before.
    let error = fails(&|r| r.results[1..4].swap(0, 2), &flags);
    assert!(error.contains("returns u32[] for carry 0, which is f64[3]"), "{error}");
    assert!(error.contains("recording.rs:"), "{error}");
    let empty = Recording::stateless(Graph::new()).repeat(2, &[], &Origin::here()).unwrap_err().to_string();
    assert!(empty.contains("returns nothing"), "{empty}");
}
