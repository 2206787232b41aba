//! Precisions that a device has and has not.

use crate::support::training_step;
use smallvec::smallvec;
use std::sync::Arc;
use warploom_compile::{Options, Precision, compile};
use warploom_cpu::Cpu;
use warploom_device::null::Null;
use warploom_device::{Capabilities, Executor, Program, Target};
use warploom_graph::{Arithmetic, Builder, ContractAxes, DType, Graph, Op, Origin, Recording, Type};

fn program(recording: &Recording, target: &dyn Target, precision: Precision) -> Result<Program, String> {
    let options = Options { precision, ..Options::default() };
    compile(recording, target, options).map(|compiled| compiled.program).map_err(|e| e.to_string())
}

fn null(change: impl FnOnce(&mut Capabilities)) -> Null {
    let mut capabilities = Null::default().capabilities().clone();
    change(&mut capabilities);
    Null::new(capabilities)
}

#[test]
fn tf32_is_for_devices_that_have_it() {
    let step = training_step(8, &[6, 5, 2]).expect("the step records");
    let (with, without) = (null(|c| c.tf32 = true), Null::default());
    let rounded = program(&step, &with, Precision::Tf32).expect("it compiles");
    assert!(rounded.notes.is_empty() && rounded.to_string().contains("product [8, 6] x [6, 5] tf32"));
    let plain = program(&step, &without, Precision::F32).expect("it compiles");
    let instead = program(&step, &without, Precision::Tf32).expect("it compiles");
    assert_eq!(plain.to_string(), instead.to_string());
    assert_eq!(instead.notes, ["products run in f32: null has no tf32"]);
    let rounded = Arc::new(rounded);
    assert!(with.prepare(rounded.clone()).is_ok());
    for other in [&without as &dyn Executor, &Cpu::new(Some(1))] {
        let error = other.prepare(rounded.clone()).err().expect("it is refused").to_string();
        assert!(error.contains("multiplies in TF32") && error.contains("contract"), "{error}");
    }
}

/// A product recorded in TF32 by hand.
#[test]
fn a_recorded_product_is_refused_by_name() {
    let builder = Builder::new(Graph::new(), Origin::here());
    let x = builder.parameter(Type::new(DType::F32, &[3, 3])).value();
    let axes =
        ContractAxes { sum: smallvec![(1, 0)], arithmetic: Arithmetic::Tf32, ..ContractAxes::default() };
    let y = builder.apply(Op::Contract(axes), &[x, x]).value();
    let mut graph = builder.finish();
    graph.set_results(vec![y]);
    let recording = Recording::stateless(graph);
    let error = program(&recording, &Null::default(), Precision::F32).expect_err("it is refused");
    assert!(error.contains("null does not multiply in TF32") && error.contains("precision.rs"), "{error}");
    assert!(program(&recording, &null(|c| c.tf32 = true), Precision::F32).is_ok());
}

#[test]
fn a_dtype_that_is_missing_is_named_with_what_there_is() {
    let step = training_step(8, &[6, 5, 2]).expect("the step records");
    let small = null(|c| c.dtypes.retain(|dtype| *dtype != DType::BF16));
    let error = program(&step, &small, Precision::Bf16).expect_err("it is refused");
    assert!(error.contains("null does not compute with bf16; it takes f32, tf32, f16"), "{error}");
    assert!(program(&step, &small, Precision::F16).is_ok());
}

#[test]
fn the_table_says_what_runs() {
    let table = |precision: Precision, tf32| {
        precision.table(null(|c| c.tf32 = tf32).capabilities()).expect("the device has it")
    };
    let rows = |precision, tf32| -> Vec<[&str; 3]> {
        let rows = table(precision, tf32).rows;
        rows.iter().map(|row| [row.operands, row.accumulation, row.result]).collect()
    };
    assert!(rows(Precision::F32, false).iter().flatten().all(|cell| matches!(*cell, "f32" | "—")));
    assert_eq!(rows(Precision::Tf32, false), rows(Precision::F32, false));
    assert!(table(Precision::Tf32, false).reason.is_some() && table(Precision::Tf32, true).reason.is_none());
    assert_eq!(rows(Precision::Tf32, true)[..2], [["tf32", "f32", "f32"], ["tf32", "f32", "f32"]]);
    let half = [["f16", "f32", "f16"], ["f16", "f32", "f32"], ["f16", "—", "f16"], ["f32", "—", "f32"]];
    assert_eq!(rows(Precision::F16, false)[..4], half);
    let text = table(Precision::Bf16, false).to_string();
    assert!(text.starts_with("precision bf16\n  ops  ") && text.lines().count() == 8, "{text}");
}
