//! Memory limits: what fits stays as it is; what does not is recomputed with the same bits, or refused with what it takes.

use crate::support::training_step;
use smallvec::smallvec;
use std::sync::Arc;
use warploom_compile::{Error, Options, compile};
use warploom_cpu::Cpu;
use warploom_device::null::Null;
use warploom_device::{Bindings, Capabilities, Class, Executor, Memory, Program, Step, Target};
use warploom_graph::*;

fn program(
    recording: &Recording,
    executor: &dyn Executor,
    memory_limit: Option<usize>,
) -> Result<Program, Error> {
    let options = Options { memory_limit, ..Options::default() };
    compile(recording, executor.target(), options).map(|compiled| compiled.program)
}

/// A limit that leaves part of the arena.
fn leaving(program: &Program, percent: usize) -> usize {
    let plan = program.plan(1);
    plan.total() - plan.arena + plan.arena * percent / 100
}

/// Bytes of outputs and of states after `runs` runs from the same pseudo-random contents.
fn run(program: Program, executor: &dyn Executor, runs: usize) -> Vec<Vec<u8>> {
    let mut word = 1u32;
    let mut memory = |ty: &Type| -> Memory {
        let bytes: Vec<u8> = (0..ty.bytes() / 4)
            .flat_map(|_| {
                word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (word as f32 / 2f32.powi(32) * 0.2 + 0.01).to_le_bytes()
            })
            .collect();
        let memory = executor.allocate(ty.bytes()).expect("memory");
        executor.upload(&memory, 0, &bytes).expect("an upload");
        memory
    };
    let states: Vec<Memory> = program.states.iter().map(&mut memory).collect();
    let inputs: Vec<Memory> = program.inputs.iter().map(&mut memory).collect();
    let outputs: Vec<Memory> = program.outputs.iter().map(&mut memory).collect();
    let slab = |bytes: &usize| {
        let memory = executor.allocate((*bytes).max(1)).expect("memory");
        // What is read before it is written shows up as NaN.
        executor.upload(&memory, 0, &vec![0xFF; memory.bytes()]).expect("an upload");
        memory
    };
    let arena: Vec<Memory> = program.slabs.iter().map(slab).collect();
    let executable = executor.prepare(Arc::new(program)).expect("a program");
    for _ in 0..runs {
        let bindings =
            Bindings { states: &states, inputs: &inputs, outputs: &outputs, arena: &arena, derived: &[] };
        executor.wait(executable.launch(bindings).expect("a launch")).expect("a run");
    }
    let read = |memory: &Memory| {
        let mut bytes = vec![0; memory.bytes()];
        executor.download(memory, 0, &mut bytes).expect("a download");
        bytes
    };
    states.iter().chain(&outputs).map(read).collect()
}

/// Compiles with limits that leave these parts of the arena, and compares plan and bits. Returns how many fit.
fn same_under_limits(recording: &Recording, percents: &[usize]) -> usize {
    let cpu = Cpu::new(Some(1));
    let free = program(recording, &cpu, None).expect("it compiles");
    let wanted = run(free.clone(), &cpu, 2);
    let mut fitting = 0;
    for percent in percents {
        let limit = leaving(&free, *percent);
        match program(recording, &cpu, Some(limit)) {
            Ok(limited) => {
                assert!(limited.plan(1).total() <= limit, "{} of {limit}", limited.plan(1).total());
                assert!(run(limited, &cpu, 2) == wanted, "other bits at {percent} % of the arena");
                fitting += 1;
            }
            Err(Error::MemoryLimit { limit: said, least }) => {
                assert!(said == limit && least > limit && least <= free.plan(1).total());
            }
            Err(error) => panic!("{error}"),
        }
    }
    fitting
}

#[test]
fn a_program_that_fits_is_the_one_without_a_limit() {
    let recording = training_step(64, &[32, 64, 64, 10]).expect("the step records");
    let free = program(&recording, &Null::default(), None).expect("it compiles");
    let limited = program(&recording, &Null::default(), Some(leaving(&free, 100))).expect("it compiles");
    assert_eq!(free.to_string(), limited.to_string());
    assert!(limited.notes.is_empty());
}

#[test]
fn a_deep_network_trains_in_half_the_arena_with_the_same_bits() {
    let layers = [vec![8], vec![16; 24], vec![4]].concat();
    let recording = training_step(1024, &layers).expect("the step records");
    assert_eq!(same_under_limits(&recording, &[80, 60, 40, 30]), 4);
    let null = Null::default();
    let free = program(&recording, &null, None).expect("it compiles");
    let limited = program(&recording, &null, Some(leaving(&free, 40))).expect("it compiles");
    let [note] = &limited.notes[..] else { panic!("one note") };
    assert!(note.contains("recomputed") && note.contains("more operations"), "{note}");
    assert!(limited.kernel_count() > free.kernel_count());
    // Of 25 products forward, those whose results do not find room any more run a second time.
    assert!(limited.kernel_count() <= free.kernel_count() + 25);
}

#[test]
fn a_step_in_a_loop_recomputes_within_the_loop() {
    let layers = [vec![8], vec![16; 12], vec![4]].concat();
    let step = training_step(1024, &layers).expect("the step records");
    let repeated = step.repeat(3, &[true, false], &Origin::here()).expect("the step repeats");
    assert_eq!(same_under_limits(&repeated, &[70, 50]), 2);
    let free = program(&repeated, &Null::default(), None).expect("it compiles");
    let limited = program(&repeated, &Null::default(), Some(leaving(&free, 50))).expect("it compiles");
    let steps = |program: &Program| {
        let inner = |step: &Step| if let Step::Loop(l) = step { l.body.len() } else { 0 };
        program.steps.iter().map(inner).sum::<usize>()
    };
    assert!(steps(&limited) > steps(&free));
}

/// Convolutions with rectifiers, their largest of four, and the gradients of all kernels.
fn convolutions() -> Recording {
    let b = Builder::new(Graph::new(), Origin::here());
    let mut y = b.parameter(Type::new(DType::F32, &[4, 4, 16, 16]));
    let kernels: Vec<Expr> = (0..10).map(|_| b.parameter(Type::new(DType::F32, &[4, 4, 3, 3]))).collect();
    let window = SpatialWindow { low: 1, high: 1, ..SpatialWindow::PLAIN };
    for kernel in &kernels {
        let axes = ConvolveAxes::new(1, &[window, window]);
        y = b.apply(Op::Convolve(axes), &[y.value(), kernel.value()]).relu() * 0.5;
    }
    let windows = |axis| Op::Unfold { axis, size: 2, step: 2, dilation: 1 };
    let pooled = y.then(windows(3)).then(windows(2)).reduce(Reduction::Max, &[3, 5]);
    let loss = pooled.square().reduce(Reduction::Sum, &[0, 1, 2, 3]);
    let wrt: Vec<Value> = kernels.iter().map(|k| k.value()).collect();
    let gradients = gradient::gradients(&b, loss.value(), &wrt).expect("it is differentiable");
    let results = gradients.into_iter().flatten().chain([loss.value()]).collect();
    let mut graph = b.finish();
    graph.set_results(results);
    Recording::stateless(graph)
}

#[test]
fn convolutions_run_again_with_the_same_bits() {
    assert!(same_under_limits(&convolutions(), &[90, 80, 70]) >= 2);
}

#[test]
fn memory_blocks_and_no_writing_in_place_are_kept_to() {
    let rules = Capabilities {
        in_place: false,
        alignment: 256,
        slab_bytes: 1 << 19,
        ..Null::default().capabilities().clone()
    };
    let null = Null::new(rules);
    let recording = training_step(1024, &[8, 16, 16, 16, 16, 16, 16, 16, 16, 4]).expect("the step records");
    let free = program(&recording, &null, None).expect("it compiles");
    let limit = leaving(&free, 70);
    let limited = program(&recording, &null, Some(limit)).expect("it compiles");
    assert!(limited.plan(1).total() <= limit && limited.slabs.iter().all(|bytes| *bytes <= 1 << 19));
    let mut places: Vec<_> = limited.buffers.iter().map(|b| b.class).collect();
    places.retain(|class| matches!(class, Class::Arena { .. }));
    assert!(places.iter().all(|class| matches!(class, Class::Arena { offset, .. } if offset % 256 == 0)));
    for step in &limited.steps {
        let Step::Kernel(kernel) = step else { continue };
        let reads: Vec<Class> = kernel.reads().map(|b| limited.buffer(b).class).collect();
        assert!(kernel.stores.iter().all(|store| !reads.contains(&limited.buffer(store.buffer).class)));
    }
}

#[test]
fn what_cannot_fit_is_refused_with_the_least_that_was_reached() {
    let recording = training_step(64, &[32, 64, 64, 10]).expect("the step records");
    let free = program(&recording, &Null::default(), None).expect("it compiles").plan(1);
    let Err(error) = program(&recording, &Null::default(), Some(1000)) else { panic!("it cannot fit") };
    let Error::MemoryLimit { limit, least } = error else { panic!("{error}") };
    assert!(limit == 1000 && least > free.state && least <= free.total());
    let says = error.to_string();
    assert!(says.contains("1000") && says.contains(&least.to_string()) && says.contains("batch"), "{says}");
}

/// Choices of one seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

const SIDE: usize = 16;

/// A value made of earlier ones: chains, normalisations, products, draws, views, gathers and joins.
fn grow<'b>(
    b: &'b Builder,
    dice: &mut Dice,
    values: &[Expr<'b>],
    key: [Expr<'b>; 3],
    stream: u32,
) -> Expr<'b> {
    // Old values are read again late, so that they wait long.
    let x = values[dice.below(values.len())];
    let y = values[values.len() - 1 - dice.below(values.len().min(3))];
    let shape = y.ty().shape;
    match dice.below(9) {
        0 => (x * y).tanh(),
        1 => x.relu() + y,
        2 => y.sigmoid() * 0.5,
        3 => {
            let mean = y.reduce_keep(Reduction::Sum, &[1]) * (1.0 / SIDE as f64);
            let centred = y - mean.broadcast(&shape);
            let spread = centred.square().reduce_keep(Reduction::Sum, &[1]) + 1.0;
            centred / spread.sqrt().broadcast(&shape)
        }
        4 | 5 => {
            let axes = ContractAxes { sum: smallvec![(1, 0)], ..ContractAxes::default() };
            b.apply(Op::Contract(axes), &[x.value(), y.value()]) * 0.1
        }
        6 => {
            let draw = Op::Random { stream, shape: shape.clone() };
            let bits = b.apply(draw, &key.map(|k| k.value()));
            let keep = bits.then(Op::Cast(DType::F32)) * 2f64.powi(-32);
            y * keep
        }
        7 => x.permute(&[1, 0]) - y,
        _ => {
            let half = |e: Expr<'b>, at: usize| {
                let starts = smallvec![at, 0];
                e.then(Op::Slice { starts, sizes: smallvec![SIDE / 2, SIDE], steps: smallvec![1, 1] })
            };
            b.apply(Op::Concat(0), &[half(x, SIDE / 2).value(), half(y, 0).value()])
        }
    }
}

/// A random network over three weights, with its gradients and a plain update.
fn random_step(seed: u64) -> Recording {
    let mut dice = Dice(seed);
    let b = Builder::new(Graph::new(), Origin::here());
    let square = Type::new(DType::F32, &[SIDE, SIDE]);
    let x = b.parameter(square.clone());
    let key = [&[2][..], &[], &[]].map(|shape| b.parameter(Type::new(DType::U32, shape)));
    let weights: Vec<Expr> = (0..3).map(|_| b.parameter(square.clone())).collect();
    let mut values = vec![x];
    values.extend(&weights);
    for stream in 0..12 + dice.below(20) as u32 {
        let next = grow(&b, &mut dice, &values, key, stream);
        values.push(next);
    }
    let last = values[values.len() - 1] + values[values.len() / 2];
    let loss = last.square().reduce(Reduction::Sum, &[0, 1]);
    let wrt: Vec<Value> = weights.iter().map(|w| w.value()).collect();
    let gradients = gradient::gradients(&b, loss.value(), &wrt).expect("it is differentiable");
    let mut results = vec![loss.value()];
    for (weight, gradient) in weights.iter().zip(gradients) {
        results.push(gradient.map_or(*weight, |g| *weight - b.expr(g) * 0.01).value());
    }
    let mut graph = b.finish();
    graph.set_results(results);
    let state = ParameterRole::State;
    let parameters = [vec![ParameterRole::Input; 4], vec![state(0), state(1), state(2)]].concat();
    let updates = [0, 1, 2].map(ResultRole::Update);
    Recording { graph, parameters, results: [vec![ResultRole::Output], updates.to_vec()].concat() }
}

#[test]
fn random_networks_keep_their_bits() {
    let fitting: usize = (0..150).map(|seed| same_under_limits(&random_step(seed), &[85, 70, 55])).sum();
    assert!(fitting > 150, "only {fitting} of 450 limits were kept");
}
