//! W11: single operations at sizes that show the machine's limits.

use crate::Bench;
use crate::measure::Samples;
use crate::row::Row;
use warploom::Result;
use warploom::prelude::*;

pub(crate) fn micro(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for n in [256, 512, 1024, 2048] {
        let flops = 2.0 * (n as f64).powi(3);
        let square = || Tensor::normal(&[n, n]);
        let operands = bench.device.scope(|| vec![square(), square()]);
        rows.push(run(bench, &format!("matmul{n}"), operands, |v| v[0].matmul(&v[1]), Work::Flops(flops))?);
    }
    let long = |n: usize| bench.device.scope(|| vec![Tensor::normal(&[n])]);
    let elements = 1 << 24;
    let gelu = |v: &[Tensor]| {
        let z = &v[0] * 1.1 + 0.1;
        &z * 0.5 * ((&z * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) - 0.2
    };
    rows.push(run(bench, "fused_chain", long(elements), gelu, Work::Bytes(8.0 * elements as f64))?);
    rows.push(run(bench, "sum", long(elements), |v| v[0].sum_all(), Work::Bytes(4.0 * elements as f64))?);
    let table = bench.device.scope(|| vec![Tensor::normal(&[4096, 1024])]);
    rows.push(run(bench, "softmax", table, |v| v[0].softmax(1), Work::Bytes(8.0 * 4096.0 * 1024.0))?);
    Ok(rows)
}

enum Work {
    Flops(f64),
    Bytes(f64),
}

fn run(
    bench: &Bench,
    name: &str,
    operands: Vec<Tensor>,
    op: impl Fn(&[Tensor]) -> Tensor,
    work: Work,
) -> Result<Row> {
    for operand in &operands {
        operand.evaluate()?;
    }
    let specs: Vec<InputSpec> = operands.iter().map(InputSpec::from).collect();
    let recorded = bench.device.record(&specs, |inputs| vec![op(inputs)])?;
    let operands: Vec<&Tensor> = operands.iter().collect();
    let samples = Samples::take(
        bench.budget,
        || Ok(()),
        || {
            recorded.run(&operands)?;
            Ok(bench.device.sync()?)
        },
    )?;
    let row = Row::new(bench, &format!("W11_{name}"), "infer", "recorded", None, &samples);
    let rate = |amount: f64, ms: f64| (amount / ms / 1e4).round() / 100.0;
    Ok(match work {
        Work::Flops(n) => {
            row.with("gflops", rate(n, samples.median())).with("gflops_best", rate(n, samples.least()))
        }
        Work::Bytes(n) => {
            row.with("gbps", rate(n, samples.median())).with("gbps_best", rate(n, samples.least()))
        }
    })
}
