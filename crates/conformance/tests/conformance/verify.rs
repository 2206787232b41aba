//! Execution held to the reference of the kernel form: what is right passes, with the same bits, and what is planted is found
//! and named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use warploom_compile::Options;
use warploom_conformance::broken::Broken;
use warploom_conformance::generate::generate;
use warploom_conformance::mutate::MUTATIONS;
use warploom_conformance::ops::{casts, elementwise, half_products, products};
use warploom_conformance::run::Case;
use warploom_conformance::run::{compare, compiled, run, run_program};
use warploom_cpu::Cpu;
use warploom_device::{Executor, Step, Verifying};
use warploom_graph::interpret::Array;
use warploom_graph::{Arithmetic, Builder, DType, Graph, Op, Origin, Recording, Type};

fn cpu() -> Arc<dyn Executor> {
    Arc::new(Cpu::new(Some(2)))
}

fn check(wrong: &[String], of: usize) {
    let shown = wrong[..wrong.len().min(10)].join("\n");
    assert!(wrong.is_empty(), "{} of {of} wrong:\n{shown}", wrong.len());
}

#[test]
fn every_op_cast_and_product_passes() {
    let verifying = Verifying::new(cpu());
    let single = elementwise(&DType::ALL, |_| 0.0).into_iter().chain(casts(&DType::ALL));
    let cases: Vec<_> =
        single.chain(products(DType::F32, Arithmetic::Own)).chain(half_products(&DType::ALL)).collect();
    let failing =
        |(name, case)| run(case, &verifying, Options::default()).err().map(|e| format!("{name}: {e}"));
    let wrong: Vec<String> = cases.iter().map(|(name, case)| (name, case)).filter_map(failing).collect();
    check(&wrong, cases.len());
    println!("{}, {} undecided", verifying.verification(), verifying.verification().undecided);
}

#[test]
fn random_programs_pass_with_the_bits_of_a_run_without() {
    let (plain, verifying) = (cpu(), Verifying::new(cpu()));
    let programs = std::env::var("WARPLOOM_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    let mut wrong = Vec::new();
    for seed in 0..programs {
        let (case, _) = generate(seed);
        match (run(&case, &verifying, Options::default()), run(&case, &*plain, Options::default())) {
            (Err(error), Ok(_)) => wrong.push(format!("seed {seed}: {error}")),
            (Ok(a), Ok(b)) if !a.same_bits(&b, &case) => wrong.push(format!("seed {seed}: other bits")),
            _ => {}
        }
    }
    check(&wrong, programs as usize);
    let counts = verifying.verification();
    println!("{counts}, {} undecided, {} loops", counts.undecided, counts.loops);
    assert!(counts.undecided * 20 < counts.elements && counts.loops > 5 && counts.sampled == 0, "{counts:?}");
}

#[test]
fn planted_faults_are_named() {
    let (mut visible, mut found, mut kinds) = (0, 0, BTreeSet::new());
    let mut named_wrongly = Vec::new();
    let mut passed: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..400 {
        let (case, _) = generate(seed);
        let Ok(right) = compiled(&case, &*cpu(), Options::default()) else { continue };
        for mutation in MUTATIONS {
            let mut wrong = right.program.clone();
            if !(mutation.apply)(&mut wrong) {
                continue;
            }
            let Some(broken) = Broken::new(cpu(), &right.program, &wrong) else { continue };
            // Only defects that show in the program's results, where the executor takes the broken step at all.
            if !run_program(&case, &broken, right.program.clone()).is_ok_and(|o| compare(&case, &o).is_err())
            {
                continue;
            }
            visible += 1;
            let printed: Vec<String> = broken.steps().map(Step::to_string).collect();
            match run_program(&case, &Verifying::new(Arc::new(broken)), right.program.clone()) {
                Err(error) if printed.iter().any(|step| error.ends_with(step.as_str())) => {
                    found += 1;
                    kinds.insert(mutation.name);
                }
                // A fault that went undecided before can make weights NaN. The CPU leaves out a convolution that meets nothing
                // but zeros around its input, where the reference multiplies them.
                Err(error) if error.contains("convolution ") && error.contains("must be NaN") => {}
                Err(error) => named_wrongly.push(format!("seed {seed}, {}: {error}", mutation.name)),
                Ok(_) => *passed.entry(mutation.name).or_default() += 1,
            }
        }
    }
    println!("{found} of {visible} found, of {} kinds; not found: {passed:?}", kinds.len());
    check(&named_wrongly, visible);
    assert!(visible > 500 && found * 100 >= visible * 98 && kinds.len() >= 20, "not found: {passed:?}");
}

/// Indices into a table of 300 rows.
fn gathering(index: f64) -> Case {
    let builder = Builder::new(Graph::new(), Origin::here());
    let types = [Type::new(DType::F32, &[300, 40]), Type::new(DType::I32, &[50])];
    let values = types.each_ref().map(|ty| builder.parameter(ty.clone()).value());
    let result = builder.apply(Op::Gather { axis: 0 }, &values).value();
    let mut graph = builder.finish();
    graph.set_results(vec![result]);
    let table = Array::new(types[0].clone(), (0..12_000).map(f64::from));
    let indices = Array::new(types[1].clone(), (0..50).map(|i| if i == 31 { index } else { f64::from(i) }));
    Case { recording: Recording::stateless(graph), arguments: vec![table, indices], tolerance: 0.0 }
}

#[test]
fn an_index_out_of_range_has_its_own_error() {
    let plain = run(&gathering(300.0), &*cpu(), Options::default()).expect_err("the index is out of range");
    let error =
        run(&gathering(300.0), &Verifying::new(cpu()), Options::default()).expect_err("so it is here");
    assert!(plain == error && error.contains("index 300 is out of range"), "{plain}\n{error}");
    run(&gathering(299.0), &Verifying::new(cpu()), Options::default()).expect("the last row is there");
}

#[test]
fn a_sample_passes_and_finds_a_wrong_stride() {
    let (_, case) = products(DType::F32, Arithmetic::Own).remove(3);
    let right = compiled(&case, &*cpu(), Options::default()).expect("it compiles").program;
    let verifying = Verifying::new(cpu()).with_operations(5_000);
    let outcome = run_program(&case, &verifying, right.clone()).expect("nothing differs");
    compare(&case, &outcome).expect("the results are right");
    let counts = verifying.verification();
    assert!(counts.sampled == 1 && counts.elements > 50 && counts.elements < 5_000, "{counts:?}");
    assert!(counts.to_string().contains("1 kernels by a sample of their results"), "{counts}");
    let mut wrong = right.clone();
    let short = MUTATIONS.iter().find(|mutation| mutation.name == "summed axis of a product too short");
    assert!((short.expect("it is planted").apply)(&mut wrong));
    let broken = Broken::new(cpu(), &right, &wrong).expect("one step differs");
    let error = run_program(&case, &Verifying::new(Arc::new(broken)).with_operations(5_000), right);
    let error = error.expect_err("the sample shows it");
    assert!(error.contains("step 0 of the program") && error.contains("within 0e0"), "{error}");
}

/// Rounds of a loop are run one by one, so that a loop whose steps are all right is found as well.
#[test]
fn a_loop_that_walks_wrongly_is_named() {
    for name in ["loop one round short", "loop in the other direction", "window that does not move"] {
        let mutation = MUTATIONS.iter().find(|mutation| mutation.name == name).expect("it is planted");
        let named = (0..3000).any(|seed| {
            let (case, _) = generate(seed);
            let Ok(right) = compiled(&case, &*cpu(), Options::default()) else { return false };
            let mut wrong = right.program.clone();
            let broken = (mutation.apply)(&mut wrong).then(|| Broken::new(cpu(), &right.program, &wrong));
            let Some(Some(broken)) = broken else { return false };
            let result = run_program(&case, &Verifying::new(Arc::new(broken)), right.program);
            result.is_err_and(|error| error.contains("`loop of") && error.contains("one by one"))
        });
        assert!(named, "{name}");
    }
}
