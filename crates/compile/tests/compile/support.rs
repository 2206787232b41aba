//! Recordings that tests and examples compile.

use smallvec::smallvec;
use warploom_graph::*;

/// Forward, squared error, gradients and Adam of a relu network.
pub fn training_step(batch: usize, layers: &[usize]) -> Result<Recording, Error> {
    let builder = Builder::new(Graph::new(), Origin::here());
    let f32s = |shape: &[usize]| Type::new(DType::F32, shape);
    let x = builder.parameter(f32s(&[batch, layers[0]]));
    let y = builder.parameter(f32s(&[batch, layers[layers.len() - 1]]));
    let mut parameters = vec![ParameterRole::Input; 2];
    let mut variables = Vec::new();
    for pair in layers.windows(2) {
        variables.push(builder.parameter(f32s(&[pair[1], pair[0]])));
        variables.push(builder.parameter(f32s(&[pair[1]])));
    }
    let moments: Vec<[Expr; 2]> =
        variables.iter().map(|v| [builder.parameter(v.ty()), builder.parameter(v.ty())]).collect();
    let step = builder.parameter(Type::scalar(DType::F32));
    parameters.extend((0..variables.len() * 3 + 1).map(ParameterRole::State));
    let mut h = x;
    for (i, pair) in variables.chunks(2).enumerate() {
        let axes = ContractAxes { sum: smallvec![(1, 1)], ..ContractAxes::default() };
        let z = builder.apply(Op::Contract(axes), &[h.value(), pair[0].value()]);
        let z = z + pair[1].broadcast(&z.ty().shape);
        h = if i + 1 < layers.len() - 1 { z.relu() } else { z.sigmoid() };
    }
    let error = h - y;
    let count = error.ty().elements() as f64;
    let loss = (error * error).reduce(Reduction::Sum, &[0, 1]) * (1.0 / count);
    let wrt: Vec<Value> = variables.iter().map(|v| v.value()).collect();
    let gradients = gradient::gradients(&builder, loss.value(), &wrt)?;
    let step = step + 1.0;
    let mut results = vec![loss.value()];
    let (mut fresh, mut fresh_moments) = (Vec::new(), Vec::new());
    for ((variable, [m, v]), gradient) in variables.iter().zip(&moments).zip(gradients) {
        let Some(g) = gradient.map(|g| builder.expr(g)) else { continue };
        let m = *m * 0.9 + g * 0.1;
        let v = *v * 0.999 + g * g * 0.001;
        let scale = |beta: f64| (step.like(1.0) - step.like(beta).pow(&step)).broadcast(&m.ty().shape);
        let update = m / scale(0.9) / ((v / scale(0.999)).sqrt() + 1e-8);
        fresh.push((*variable - update * 1e-3).value());
        fresh_moments.extend([m.value(), v.value()]);
    }
    results.extend(fresh);
    results.extend(fresh_moments);
    results.push(step.value());
    let roles =
        std::iter::once(ResultRole::Output).chain((0..variables.len() * 3 + 1).map(ResultRole::Update));
    let roles = roles.collect();
    let mut graph = builder.finish();
    graph.set_results(results);
    Ok(Recording { graph, parameters, results: roles })
}
