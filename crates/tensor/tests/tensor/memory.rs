//! Plans before memory is taken, and programs under a memory limit.

use crate::common::cpu;
use std::sync::Arc;
use warploom_device::null::Null;
use warploom_tensor::*;

const WIDTH: usize = 16;
/// So many that activations outweigh the scratch memory of products.
const ROWS: usize = 4096;

fn get(t: &Tensor) -> Vec<f32> {
    t.to_vec::<f32>().unwrap()
}

/// Weights of a deep chain of products.
fn weights() -> Vec<Variable> {
    let entry = |layer: usize, i: usize| ((layer * 31 + i) as f32 * 0.37).sin() * 0.4;
    let weight = |layer: usize| (0..WIDTH * WIDTH).map(|i| entry(layer, i)).collect::<Vec<f32>>();
    (0..16).map(|layer| Variable::new(Tensor::from_slice(&weight(layer), &[WIDTH, WIDTH]))).collect()
}

/// One step of gradient descent on a batch; gives the loss.
fn step(weights: &[Variable], x: &Tensor) -> Result<Vec<Tensor>, Error> {
    let y = weights.iter().fold(x.clone(), |x, w| x.matmul(w).tanh());
    let loss = y.square().mean_all();
    let all: Vec<&dyn Operand> = weights.iter().map(|w| w as &dyn Operand).collect();
    for (w, gradient) in weights.iter().zip(gradients(&loss, &all)?) {
        w.assign(&(w - gradient * 0.1))?;
    }
    Ok(vec![loss])
}

fn batch(rows: usize) -> InputSpec {
    InputSpec::new(DType::F32, &[rows, WIDTH])
}

fn plan(device: &Device, weights: &[Variable], rows: usize) -> Result<Planned, Error> {
    device.try_plan(&[batch(rows)], |x| step(weights, &x[0]))
}

/// Half of the arena of a plan, with all that is no arena.
fn half(planned: &Planned) -> usize {
    planned.plan().total() - planned.plan().arena / 2
}

#[test]
fn a_plan_takes_no_memory_and_is_what_a_run_takes() {
    let device = Device::from_executor(Arc::new(Null::default()));
    device.scope(|| {
        let weights = weights();
        device.sync().unwrap();
        let before = device.statistics().live_bytes;
        let planned = plan(&device, &weights, ROWS).unwrap();
        assert_eq!(device.statistics().live_bytes, before);
        let expected = planned.plan();
        let bound = planned.ready().unwrap().bind(1).unwrap();
        assert_eq!(device.statistics().live_bytes, before + expected.arena + expected.rings);
        assert_eq!(bound.recorded().plan(), expected);
        assert!(plan(&device, &weights, 2 * ROWS).unwrap().plan().arena > expected.arena);
    });
}

#[test]
fn recordings_under_a_limit_keep_to_it_with_the_same_bits() {
    let x: Vec<f32> = (0..2 * ROWS * WIDTH).map(|i| (i as f32 * 0.11).sin()).collect();
    let train = |limit: Option<usize>| {
        let device = cpu();
        device.scope(|| {
            let weights = weights();
            let limit = limit.map(|_| half(&plan(&device, &weights, ROWS).unwrap()));
            let once = device.with_memory_limit(limit, || plan(&device, &weights, ROWS)).unwrap();
            assert_eq!((once.memory_limit(), device.memory_limit()), (limit, None));
            assert!(once.plan().total() <= limit.unwrap_or(usize::MAX));
            assert_eq!(once.program().notes.len(), usize::from(limit.is_some()));
            // Outside the scope, a repetition keeps the limit; its rings are larger, and its arena smaller.
            let twice = once.repeat(2, &[true]).unwrap();
            assert!(twice.plan().total() <= limit.unwrap_or(usize::MAX));
            let batches = Tensor::from_slice(&x, &[2, ROWS, WIDTH]);
            let losses = get(&twice.ready().unwrap().run(&[&batches]).unwrap()[0]);
            let first = Tensor::from_slice(&x[..ROWS * WIDTH], &[ROWS, WIDTH]);
            let third = get(&once.ready().unwrap().run(&[&first]).unwrap()[0]);
            (losses, third, get(&weights[3].value()))
        })
    };
    assert_eq!(train(None), train(Some(0)));
}

#[test]
fn plain_code_compiles_anew_under_another_limit() {
    let device = cpu();
    device.scope(|| {
        let weights = weights();
        let x = Tensor::from_slice(&vec![0.5f32; ROWS * WIDTH], &[ROWS, WIDTH]);
        let limit = half(&plan(&device, &weights, ROWS).unwrap());
        let look = || step(&weights, &x).unwrap()[0].item::<f32>().unwrap();
        look();
        let compiled = device.compiled_programs();
        device.with_memory_limit(Some(limit), look);
        assert_eq!(device.compiled_programs(), compiled + 1);
        look();
        device.with_memory_limit(Some(limit), look);
        assert_eq!(device.compiled_programs(), compiled + 1);
    });
}

#[test]
fn a_limit_that_cannot_be_kept_is_an_error_that_says_so() {
    let device = cpu();
    device.scope(|| {
        let weights = weights();
        let result = device.with_memory_limit(Some(10_000), || plan(&device, &weights, ROWS).map(|_| ()));
        let Err(error @ Error::MemoryLimit { limit: 10_000, least }) = result else { panic!("{result:?}") };
        assert!(error.to_string().contains("lower the batch size"), "{error}");
        let free = plan(&device, &weights, ROWS).unwrap().plan().total();
        assert!(least > 10_000 && least < free);
        // Lifted within.
        let lifted = || device.with_memory_limit(None, || plan(&device, &weights, ROWS).is_ok());
        assert!(device.with_memory_limit(Some(10_000), lifted));
    });
}
