//! W11: single operations.

use super::Setting;
use super::measure::{measure_launches, noise};
use super::row::{Row, emit};
use serde_json::{Map, json};
use warploom::Result;
use warploom::tensor::{DType, ElementwiseMethods, InputSpec, SpatialWindow, Tensor};

const MATRICES: [usize; 4] = [256, 512, 1024, 2048];
const ROWS: [usize; 2] = [4096, 1024];
const LONG: usize = 16_777_216;
const EPSILON: f64 = 1e-5;

/// What a rate is counted in.
enum Work {
    Flops(f64),
    Bytes(f64),
}

/// Every operation.
pub fn run(setting: &Setting) -> Result<()> {
    for n in MATRICES {
        let flops = Work::Flops(2.0 * (n as f64).powi(3));
        one(setting, &format!("matmul{n}"), &[&[n, n], &[n, n]], flops, |x| x[0].matmul(&x[1]))?;
    }
    let flops = Work::Flops(2.0 * (8 * 64 * 64 * 56 * 56 * 9) as f64);
    one(setting, "conv2d", &[&[8, 64, 56, 56], &[64, 64, 3, 3]], flops, |x| {
        let window = SpatialWindow { low: 1, high: 1, ..SpatialWindow::PLAIN };
        x[0].convolve(&x[1], 1, &[window, window])
    })?;
    let both_ways = |elements: usize| Work::Bytes(8.0 * elements as f64);
    let elements = ROWS.iter().product();
    one(setting, "softmax", &[&ROWS], both_ways(elements), |x| x[0].softmax(-1))?;
    one(setting, "layernorm", &[&ROWS, &ROWS[1..], &ROWS[1..]], both_ways(elements), |x| {
        let below = &x[0] - x[0].mean_keep(-1);
        let variance = below.square().mean_keep(-1);
        below * (variance + EPSILON).rsqrt() * &x[1] + &x[2]
    })?;
    one(setting, "fused_chain", &[&[LONG]], both_ways(LONG), |x| {
        let z = &x[0] * 1.1 + 0.1;
        &z * 0.5 * ((&z * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) - 0.2
    })?;
    one(setting, "sum", &[&[LONG]], Work::Bytes(4.0 * LONG as f64), |x| x[0].sum_all())
}

fn one(
    setting: &Setting,
    name: &str,
    shapes: &[&[usize]],
    work: Work,
    body: impl FnOnce(&[Tensor]) -> Tensor,
) -> Result<()> {
    let device = &setting.device;
    let specs: Vec<InputSpec> = shapes.iter().map(|shape| InputSpec::new(DType::F32, shape)).collect();
    let recorded = device.record(&specs, |inputs| vec![body(inputs)])?;
    let mut bound = recorded.bind(1)?;
    for (input, shape) in shapes.iter().enumerate() {
        bound.upload(0, input, &noise(input as u32, shape.iter().product()))?;
    }
    let samples = measure_launches(setting, &mut bound)?;
    let (unit, amount, digits) = match work {
        Work::Flops(flops) => ("gflops", flops, 10.0),
        Work::Bytes(bytes) => ("gbps", bytes, 100.0),
    };
    let rate = |ms: f64| json!((amount / ms / 1e6 * digits).round() / digits);
    let mut extra = Map::new();
    extra.insert(unit.into(), rate(samples.median()));
    extra.insert(format!("{unit}_best"), rate(samples.quantile(0.0)));
    let workload = format!("W11_{name}");
    let compile_ms = recorded.compile_ms();
    emit(
        &Row { workload: &workload, mode: "recorded", phase: "infer", batch: None, compile_ms },
        device,
        &samples,
        extra,
    );
    Ok(())
}
