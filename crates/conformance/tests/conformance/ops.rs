//! Every elementwise op and every cast in every dtype it takes, and products of many shapes, on every instruction set of the CPU, against the interpreter.

use warploom_compile::Options;
use warploom_conformance::ops::{casts, doubles, elementwise, half_products, products};
use warploom_conformance::run::{compare, run};
use warploom_cpu::{Cpu, Isa};
use warploom_graph::{Arithmetic, DType};

fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2e-3,
        DType::BF16 => 1e-2,
        DType::F32 => 5e-7,
        DType::F64 => 1e-14,
        DType::Bool | DType::U8 | DType::I32 | DType::U32 => 0.0,
    }
}

#[test]
fn every_op_cast_and_product() {
    let single = elementwise(&DType::ALL, tolerance).into_iter().chain(casts(&DType::ALL));
    let cases: Vec<_> = single
        .chain(products(DType::F32, Arithmetic::Own))
        .chain(half_products(&DType::ALL))
        .chain(doubles())
        .collect();
    let mut wrong = Vec::new();
    for isa in Isa::available() {
        let cpu = Cpu::with_isa(isa, Some(1));
        for (name, case) in &cases {
            let outcome = run(case, &cpu, Options::default()).and_then(|o| compare(case, &o));
            wrong.extend(outcome.err().map(|e| format!("{name} {isa:?}: {e}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
