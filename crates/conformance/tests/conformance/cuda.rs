//! The suite on kernels in CUDA C++, run on the processor: ops, casts, products and random programs against the interpreter,
//! each kernel with its threads in three orders.
//!
//! Skipped where no C++ compiler is found, unless `WARPLOOM_REQUIRE_CPP` is 1. `WARPLOOM_PROGRAMS` and `WARPLOOM_FIRST_SEED` say
//! which random programs are run.

use std::sync::Arc;
use warploom_compile::Options;
use warploom_conformance::generate::generate_of;
use warploom_conformance::ops::{casts, doubles, products, rough_product, softmax};
use warploom_conformance::precision::{HALVES, narrowed};
use warploom_conformance::run::{Case, Outcome, compare, compiled, from_bytes, run, run_program, to_bytes};
use warploom_conformance::suite::{ops, rows_share_a_dispatch};
use warploom_cuda::CudaCpp;
use warploom_device::{Bindings, BufferSpec, Class, Executor, Memory, Program, Target};
use warploom_emulate::{Emulated, LIMITS, is_available, sanitized};
use warploom_gpu::{FAULT_WORDS, Limits, Node, Plan, Root};
use warploom_graph::{
    Arithmetic, Builder, DType, Dims, Graph, Literal, Op, Origin, ParameterRole, Recording,
};

fn device(limits: Limits) -> Option<Emulated> {
    is_available().then(|| Emulated::new(&CudaCpp, limits))
}

/// Runs cases by name, whose kernels are compiled together; panics with all that are wrong.
fn check(device: &Emulated, cases: &[(String, Case)]) -> Vec<Outcome> {
    let (mut outcomes, mut wrong) = (Vec::with_capacity(cases.len()), Vec::new());
    for cases in cases.chunks(50) {
        let programs: Vec<_> = cases
            .iter()
            .map(|(name, case)| compiled(case, device, Options::default()).expect(name).program)
            .collect();
        device.preload(&programs).expect("its kernels are C++");
        for ((name, case), program) in cases.iter().zip(programs) {
            let outcome = run_program(case, device, program).expect(name);
            wrong.extend(compare(case, &outcome).err().map(|e| format!("{name}: {e}")));
            outcomes.push(outcome);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} wrong:\n{}",
        wrong.len(),
        cases.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
    outcomes
}

#[test]
fn every_op_and_cast_in_every_dtype_it_has() {
    let Some(device) = device(LIMITS) else { return };
    check(&device, &ops(&device));
}

/// Sums go through shared memory, through warps, or stay with a thread.
#[test]
fn what_only_f64_holds_stays_whole() {
    let Some(mut device) = device(LIMITS) else { return };
    for parallel in [1 << 6, 5000, 1 << 18] {
        device = device.with_limits(Limits { parallel, ..LIMITS });
        check(&device, &doubles());
    }
}

/// Those that decimal numbers do not spell go through their bits.
#[test]
fn literals_of_f64_are_exact() {
    let Some(device) = device(LIMITS) else { return };
    let least = f64::from_bits(1);
    let below_one = 1.0 - f64::EPSILON / 2.0;
    let infinity = f64::INFINITY;
    let values = [
        0.1,
        -1.0 / 3.0,
        0.0,
        -0.0,
        1e300,
        f64::MAX,
        f64::MIN_POSITIVE,
        least,
        below_one,
        infinity,
        -infinity,
        f64::NAN,
    ];
    for value in values {
        let builder = Builder::new(Graph::new(), Origin::here());
        let fill = Op::Fill { value: Literal::new(DType::F64, value), shape: Dims::from_slice(&[3]) };
        let filled = builder.apply(fill, &[]).value();
        let mut graph = builder.finish();
        graph.set_results(vec![filled]);
        let case = Case { recording: Recording::stateless(graph), arguments: vec![], tolerance: 0.0 };
        let outcome = run(&case, &device, Options::default()).expect("it runs");
        let got = from_bytes(DType::F64, &outcome.results[0]);
        assert_eq!(got.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), [value.to_bits(); 3], "{value:?}");
    }
}

/// On a device that few invocations fill, each takes 16 bytes at once.
#[test]
fn casts_cross_in_vectors() {
    let Some(device) = device(Limits { parallel: 1 << 4, ..LIMITS }) else { return };
    let dtypes = device.capabilities().dtypes.clone();
    let cases = casts(&dtypes);
    check(&device, &cases);
    let in_vectors = |case: &Case| {
        let program = compiled(case, &device, Options::default()).expect("it compiles").program;
        let kernels = device.written(&program).expect("its kernels are written");
        kernels.iter().all(|kernel| kernel.source.contains("load_vector"))
    };
    let scalar: Vec<&str> =
        cases.iter().filter(|(_, case)| !in_vectors(case)).map(|(name, _)| name.as_str()).collect();
    assert!(scalar.is_empty(), "{scalar:?} cross element by element");
}

/// Invocations that fill a device, and workgroups along an axis: with few of these, launches go over several axes with
/// workgroups to spare.
const SHAPES: [(u32, u32); 3] = [(1 << 6, LIMITS.groups), (5000, 37), (5000, LIMITS.groups)];

/// Sums are exact, so that all tiles give the same bits, and one of them is compared with the interpreter, the others with it.
fn products_in_every_tile(dtype: DType, arithmetic: Arithmetic, others: &[(u32, u32)]) {
    let Some(mut device) = device(LIMITS) else { return };
    let cases = products(dtype, arithmetic);
    let first = check(&device, &cases);
    for &(parallel, groups) in others {
        device = device.with_limits(Limits { parallel, groups, ..LIMITS });
        let program =
            |(name, case): &(String, Case)| compiled(case, &device, Options::default()).expect(name).program;
        let programs: Vec<Program> = cases.iter().map(program).collect();
        device.preload(&programs).expect("its kernels are C++");
        for (((name, case), program), first) in cases.iter().zip(programs).zip(&first) {
            let outcome = run_program(case, &device, program).expect(name);
            assert!(outcome.same_bits(first, case), "{name} is another on {parallel} in parallel");
        }
    }
}

#[test]
fn products_of_f32_in_every_tile() {
    products_in_every_tile(DType::F32, Arithmetic::Own, &SHAPES);
}

/// The loops are those of f32, and so are launches over several axes.
#[test]
fn products_of_f64_in_every_tile() {
    products_in_every_tile(DType::F64, Arithmetic::Own, &SHAPES[..1]);
    let Some(device) = device(LIMITS) else { return };
    check(&device, &[("rough".to_owned(), rough_product(DType::F64, Arithmetic::Own))]);
}

/// What these compute exactly on matrix units here, they must compute exactly on a GPU: only there are the layouts of
/// matrices over a warp put to the proof.
#[test]
fn products_of_bf16_in_every_tile() {
    products_in_every_tile(DType::BF16, Arithmetic::Wide, &SHAPES[..2]);
}

/// As of bf16, but for one instruction.
#[test]
fn products_of_f16_in_every_tile() {
    products_in_every_tile(DType::F16, Arithmetic::Wide, &[]);
}

#[test]
fn products_of_tf32_in_every_tile() {
    products_in_every_tile(DType::F32, Arithmetic::Tf32, &SHAPES[1..2]);
    let Some(device) = device(LIMITS) else { return };
    let rough = |arithmetic: Arithmetic| (format!("{arithmetic:?}"), rough_product(DType::F32, arithmetic));
    let outcomes = check(&device, &[rough(Arithmetic::Own), rough(Arithmetic::Tf32)]);
    compare(&rough_product(DType::F32, Arithmetic::Own), &outcomes[1]).expect_err("operands are rounded");
}

/// What a product gives with other text in its kernels.
fn changed(device: &Emulated, case: &Case, from: &str, to: &str) -> Result<Outcome, String> {
    let program = compiled(case, device, Options::default())?.program;
    let mut plan = device.plan(&program).map_err(|e| e.to_string())?;
    for node in &mut plan.nodes {
        let Node::Dispatch(dispatch) = node else { panic!("there is no loop") };
        assert!(dispatch.source.contains(from), "{from} is not in the source");
        dispatch.source = dispatch.source.replace(from, to);
    }
    let allocated = |bytes: usize| device.allocate(bytes).expect("there is memory");
    let uploaded = |bytes: Vec<u8>| {
        let memory = allocated(bytes.len());
        device.upload(&memory, 0, &bytes).map(|_| memory).expect("it has as many bytes")
    };
    let inputs: Vec<Memory> = case.arguments.iter().map(|a| uploaded(to_bytes(a))).collect();
    let outputs: Vec<Memory> = program.outputs.iter().map(|ty| allocated(ty.bytes())).collect();
    let arena: Vec<Memory> = program.slabs.iter().map(|bytes| allocated((*bytes).max(1))).collect();
    let bindings = Bindings { states: &[], inputs: &inputs, outputs: &outputs, arena: &arena, derived: &[] };
    let executable = device.prepare_plan(Arc::new(program), plan).map_err(|e| e.to_string())?;
    executable.launch(bindings).map_err(|e| e.to_string())?;
    let downloaded = |memory: &Memory| {
        let mut bytes = vec![0; memory.bytes()];
        device.download(memory, 0, &mut bytes).map(|()| bytes).expect("it has as many bytes")
    };
    Ok(Outcome { results: outputs.iter().map(downloaded).collect() })
}

/// Threads that do not wait for their block, for their warp, or for their own copies.
#[test]
fn what_is_missing_in_a_product_on_matrix_units_is_found() {
    let Some(device) = device(LIMITS) else { return };
    let (_, case) = products(DType::BF16, Arithmetic::Wide)
        .into_iter()
        .find(|(name, _)| name.contains("136 264 72"))
        .expect("such a product");
    let sound = changed(&device, &case, "// ", "// ").expect("it runs");
    compare(&case, &sound).expect("it agrees");
    for missing in ["        __syncthreads();", "        wait_for_warp();"] {
        let error = changed(&device, &case, missing, "").expect_err(missing);
        assert!(error.contains("in another order"), "{missing}: {error}");
    }
    let late = changed(&device, &case, "        finish_copies();", "").expect("it runs");
    compare(&case, &late).expect_err("nothing is copied");
    let some = changed(&device, &case, "        wait_for_warp();", "        if (lane < 9u) wait_for_warp();");
    let error = some.expect_err("nine threads of a warp wait");
    assert!(error.contains("of a warp wait"), "{error}");
}

/// Runs random programs; `default` of them unless the environment says how many.
fn random(limits: Limits, default: u64) {
    let Some(device) = device(limits) else { return };
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let first: u64 = number("WARPLOOM_FIRST_SEED").unwrap_or(0);
    let programs: u64 = number("WARPLOOM_PROGRAMS").unwrap_or(default);
    let dtypes = device.capabilities().dtypes.clone();
    let case = |seed| (format!("seed {seed}"), generate_of(seed, &dtypes).0);
    check(&device, &(first..first + programs).map(case).collect::<Vec<_>>());
}

#[test]
fn random_programs_agree_with_the_interpreter() {
    random(LIMITS, 60);
}

#[test]
fn random_programs_agree_in_half_precision() {
    let Some(device) = device(LIMITS) else { return };
    let dtypes = device.capabilities().dtypes.clone();
    let (mut cases, mut programs) = (Vec::new(), Vec::new());
    for (seed, precision) in (0..20).flat_map(|seed| HALVES.map(|precision| (seed, precision))) {
        let (case, _) = generate_of(seed, &dtypes);
        let (narrow, program) = narrowed(&case, &device, precision).expect("it compiles");
        cases.push((format!("seed {seed} in {precision}"), narrow));
        programs.push(program);
    }
    device.preload(&programs).expect("its kernels are C++");
    for ((name, case), program) in cases.iter().zip(programs) {
        let outcome = run_program(case, &device, program).expect(name);
        compare(case, &outcome).expect(name);
    }
}

/// In these, one memory holds floats for a kernel and smaller elements, written in whole words, for another of its dispatch.
#[test]
fn memory_is_used_for_words_and_for_parts_of_words() {
    let Some(device) = device(LIMITS) else { return };
    let dtypes = DType::ALL.into_iter().filter(|dtype| *dtype != DType::F64).collect::<Vec<_>>();
    let cases = [777, 960].map(|seed| (format!("seed {seed}"), generate_of(seed, &dtypes).0));
    check(&device, &cases);
}

#[test]
fn random_programs_agree_on_few_cores() {
    random(Limits { parallel: 1 << 6, ..LIMITS }, 40);
}

/// Narrow workgroups hold few points: kernels of one dispatch are then shared out by rows.
#[test]
fn random_programs_agree_when_workgroups_are_narrow() {
    random(Limits { workgroup: 32, ..LIMITS }, 40);
}

/// What a memory of a program holds before it runs.
fn content(case: &Case, program: &Program, plan: &Plan, root: Root) -> Vec<u8> {
    let given = |role: ParameterRole| {
        let position = case.recording.parameters.iter().position(|other| *other == role);
        position.map(|i| to_bytes(&case.arguments[i]))
    };
    let input = |i: usize| {
        let roles = case.recording.parameters.iter().zip(&case.arguments);
        let mut inputs = roles.filter(|(role, _)| **role == ParameterRole::Input);
        inputs.nth(i).map(|(_, argument)| to_bytes(argument))
    };
    let derived = |buffer: &&BufferSpec| {
        buffer.class
            == match root {
                Root::Derived(i) => Class::Derived(i),
                _ => Class::Window,
            }
    };
    match root {
        Root::State(i) => {
            given(ParameterRole::State(i)).unwrap_or_else(|| vec![0; program.states[i].bytes()])
        }
        Root::Input(i) => input(i).expect("a value for each input"),
        Root::Output(i) => vec![0; program.outputs[i].bytes()],
        Root::Slab(i) => vec![0xFF; program.slabs[i]],
        Root::Derived(_) => vec![0; program.buffers.iter().find(derived).map_or(0, |buffer| buffer.bytes)],
        Root::Counters => vec![0; 4 * plan.counters],
        Root::Faults => vec![0; 4 * FAULT_WORDS],
    }
}

/// By AddressSanitizer; the planted ones that it must find are in the tests of `warploom-cuda`.
#[test]
fn no_access_is_out_of_bounds() {
    let Some(device) = device(LIMITS) else { return };
    let dtypes = device.capabilities().dtypes.clone();
    let mut cases: Vec<Case> = (0..4).map(|seed| generate_of(seed, &dtypes).0).collect();
    cases.push(softmax(7, 300));
    for (dtype, arithmetic) in [
        (DType::F32, Arithmetic::Own),
        (DType::F32, Arithmetic::Tf32),
        (DType::BF16, Arithmetic::Own),
        (DType::F64, Arithmetic::Own),
    ] {
        let edges = products(dtype, arithmetic)
            .into_iter()
            .filter(|(name, _)| !name.contains("600") && !name.contains("300"));
        cases.extend(edges.map(|(_, case)| case).skip(6).step_by(5));
    }
    for case in &cases {
        let program = compiled(case, &device, Options::default()).expect("it compiles").program;
        let plan = device.plan(&program).expect("it has kernels");
        sanitized(&plan, |root| content(case, &program, &plan, root)).expect("nothing is out of bounds");
    }
}

#[test]
fn kernels_over_rows_share_a_dispatch() {
    let Some(device) = device(LIMITS) else { return };
    rows_share_a_dispatch(&device).expect("rows share a dispatch");
}
