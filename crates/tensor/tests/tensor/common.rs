//! What the tests of this crate share.

use std::sync::Arc;
use warploom_device::null::Null;
use warploom_device::{Capabilities, Target};
use warploom_graph::interpret::{Array, Rounding, interpret};
use warploom_tensor::{DType, Device, InputSpec, Tensor};

/// A CPU device of its own, so that tests do not share programs, pending work or seeds.
pub fn cpu() -> Device {
    Device::from_executor(Arc::new(warploom_cpu::Cpu::new(Some(2))))
}

/// Runs `body` with that device as the default.
pub fn on_cpu(body: impl FnOnce(&Device)) {
    let device = cpu();
    device.scope(|| body(&device));
}

pub fn get(t: &Tensor) -> Vec<f32> {
    t.to_vec::<f32>().unwrap()
}

/// A device that computes nothing and lacks f64.
pub fn without_f64() -> Device {
    let capabilities = Null::default().capabilities().clone();
    let dtypes = DType::ALL.into_iter().filter(|d| *d != DType::F64).collect();
    Device::from_executor(Arc::new(Null::new(Capabilities { id: "gpu:0".into(), dtypes, ..capabilities })))
}

/// Records `body` over inputs of these values, runs it on the CPU, and holds every f32 output against the interpreter.
pub fn check(device: &Device, inputs: &[(&[usize], Vec<f32>)], body: impl FnOnce(&[Tensor]) -> Vec<Tensor>) {
    let specs: Vec<InputSpec> = inputs.iter().map(|(shape, _)| InputSpec::new(DType::F32, shape)).collect();
    let recorded = device.record(&specs, body).unwrap();
    let tensors: Vec<Tensor> =
        device.scope(|| inputs.iter().map(|(s, v)| Tensor::from_slice(v, s)).collect());
    let found = recorded.run(&tensors.iter().collect::<Vec<_>>()).unwrap();
    let graph = &recorded.recording().graph;
    let arguments: Vec<Array> = graph
        .parameters()
        .iter()
        .zip(inputs)
        .map(|(v, (_, numbers))| Array::new(graph.ty(*v).clone(), numbers.iter().map(|x| *x as f64)))
        .collect();
    let wanted = interpret(graph, &arguments, Rounding::Exact).unwrap();
    assert_eq!(found.len(), wanted.len());
    for (i, (found, want)) in found.iter().zip(&wanted).enumerate() {
        assert_eq!(found.shape().unwrap(), want.ty.shape, "output {i}");
        let found = found.cast(DType::F32).to_vec::<f32>().unwrap();
        for (f, w) in found.iter().zip(want.to_f64()) {
            assert!((*f as f64 - w).abs() <= 1e-5 * (1.0 + w.abs()), "output {i}: {f} for {w}");
        }
    }
}

/// Numbers that are neither round nor alike.
pub fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + 13) % 101) as f32 / 25.0 - 2.0).collect()
}
