//! What the tests share: devices, numbers, and results held against the interpreter and against slopes.

use warploom::device::{Program, Step};
use warploom::graph::interpret::{Array, Rounding, interpret};
use warploom::prelude::*;

/// The CPU, and the first adapter where there is one.
pub fn devices() -> Vec<Device> {
    std::iter::once(Device::named("cpu").unwrap()).chain(gpu()).collect()
}

/// The first adapter. Without one tests pass over it and say so, unless `WARPLOOM_REQUIRE_GPU` is set.
pub fn gpu() -> Option<Device> {
    match Device::named("wgpu:0") {
        Ok(device) => Some(device),
        Err(error) => {
            let required = cfg!(feature = "wgpu") && std::env::var_os("WARPLOOM_REQUIRE_GPU").is_some();
            assert!(!required, "{error}");
            println!("skipped: {error}");
            None
        }
    }
}

pub fn waves(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.37).sin() * 2.0).collect()
}

pub fn close(found: &[f32], wanted: &[f32], tolerance: f32) {
    assert_eq!(found.len(), wanted.len());
    for (i, (found, want)) in found.iter().zip(wanted).enumerate() {
        assert!((found - want).abs() <= tolerance * (1.0 + want.abs()), "{i}: {found} for {want}");
    }
}

/// Results of a recorded body over f32 inputs with the interpreter's of the same graph, and the program.
pub fn both(
    device: &Device,
    inputs: &[(&[usize], Vec<f32>)],
    body: impl FnOnce(&[Tensor]) -> Vec<Tensor>,
) -> (Vec<Vec<f32>>, Vec<Vec<f32>>, Program) {
    let specs: Vec<InputSpec> = inputs.iter().map(|(shape, _)| InputSpec::new(DType::F32, shape)).collect();
    let recorded = device.record(&specs, body).unwrap();
    let tensors: Vec<Tensor> =
        device.scope(|| inputs.iter().map(|(shape, v)| Tensor::from_slice(v, shape)).collect());
    let outputs = recorded.run(&tensors.iter().collect::<Vec<_>>()).unwrap();
    let found = outputs.iter().map(|t| t.cast(DType::F32).to_vec::<f32>().unwrap()).collect();
    let graph = &recorded.recording().graph;
    let arguments = graph.parameters().iter().zip(inputs);
    let arguments: Vec<Array> = arguments
        .map(|(v, (_, numbers))| Array::new(graph.ty(*v).clone(), numbers.iter().map(|x| *x as f64)))
        .collect();
    let wanted = interpret(graph, &arguments, Rounding::Exact).unwrap();
    let wanted = wanted.iter().map(|a| a.to_f64().into_iter().map(|x| x as f32).collect()).collect();
    (found, wanted, recorded.program().clone())
}

pub fn claimed(program: &Program) -> Vec<&str> {
    fn collect<'a>(steps: &'a [Step], names: &mut Vec<&'a str>) {
        for step in steps {
            match step {
                Step::Claimed { name, .. } => names.push(name),
                Step::Loop(body) => collect(&body.body, names),
                _ => {}
            }
        }
    }
    let mut names = Vec::new();
    collect(&program.steps, &mut names);
    names
}

/// Gradients of a loss of f32 variables, each against central differences of the loss.
pub fn slopes(values: &[(&[usize], Vec<f32>)], loss: impl Fn(&[Variable]) -> Tensor) {
    let variables = |values: &[(&[usize], Vec<f32>)]| -> Vec<Variable> {
        values.iter().map(|(shape, v)| Variable::new(Tensor::from_slice(v, shape))).collect()
    };
    let own = variables(values);
    let wrt: Vec<&dyn warploom::tensor::Operand> = own.iter().map(|v| v as _).collect();
    let found = gradients(&loss(&own), &wrt).unwrap();
    let step = 1e-2;
    for (which, gradient) in found.iter().enumerate() {
        let gradient = gradient.to_vec::<f32>().unwrap();
        for place in 0..gradient.len() {
            let at = |by: f32| {
                let mut moved = values.to_vec();
                moved[which].1[place] += by;
                loss(&variables(&moved)).item::<f32>().unwrap()
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            let found = gradient[place];
            assert!((found - slope).abs() < 2e-3 * (1.0 + slope.abs()), "{which}[{place}]: {found}, {slope}");
        }
    }
}
