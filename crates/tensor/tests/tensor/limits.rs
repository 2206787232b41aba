//! Very long chains, and several threads.

use crate::common::cpu;
use std::sync::Arc;
use warploom_device::null::Null;
use warploom_tensor::{DType, Device, InputSpec, Tensor, Variable, gradients};

const LONG: usize = 1_000_000;

#[test]
fn a_chain_of_a_million_operations_is_walked_and_dropped() {
    let device = Device::from_executor(Arc::new(Null::default()));
    device.scope(|| {
        let v = Variable::new(1.0f32);
        let mut x = v.value();
        for _ in 0..LONG {
            x = -x;
        }
        drop(x);
        // A walk through as long a chain; gradients walk without compiling a program of that size.
        let mut x = v.value();
        for _ in 0..LONG / 10 {
            x = -x;
        }
        let g = gradients(&x, &[&v]).unwrap();
        assert!(g[0].shape().unwrap().is_empty());
    });
}

#[test]
fn versions_of_a_loop_do_not_pile_up() {
    let device = Device::from_executor(Arc::new(Null::default()));
    device.scope(|| {
        let v = Variable::new([1.0f32]);
        for _ in 0..1000 {
            v.assign(&(&v + 1.0)).unwrap();
        }
        let live = device.statistics().live_bytes;
        for _ in 0..1000 {
            v.assign(&(&v + 1.0)).unwrap();
        }
        assert_eq!(device.statistics().live_bytes, live);
    });
}

#[test]
fn devices_do_not_disturb_each_other() {
    let devices = [cpu(), cpu(), cpu()];
    let variables: Vec<Variable> = devices.iter().map(|d| d.scope(|| Variable::new([0.0f32]))).collect();
    for round in 0..50 {
        for (i, variable) in variables.iter().enumerate() {
            let next = (variable * 1.0 + i as f32) + 0.0;
            variable.assign(&next).unwrap();
            let sum = variable.value() + &next;
            assert_eq!(sum.item::<f32>().unwrap(), (2 * (round + 1) * i) as f32);
        }
    }
    let error = Tensor::evaluate_all(&[&variables[0].value(), &variables[1].value()]).unwrap_err();
    assert!(error.to_string().contains("another device"), "{error}");
    let other = variables[1].clone();
    assert!(devices[0].record(&[], |_| vec![other.value()]).is_err());
}

#[test]
fn threads_share_a_device() {
    let device = cpu();
    let total = device.scope(|| Variable::new([0.0f32]));
    let step = device
        .try_record(&[InputSpec::new(DType::F32, &[1])], |x| {
            total.assign(&(&total + &x[0]))?;
            Ok(vec![&x[0] * 2.0])
        })
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (device, step, total) = (&device, &step, &total);
            scope.spawn(move || {
                device.scope(|| {
                    for i in 0..50 {
                        let x = Tensor::from([1.0f32]);
                        let doubled = step.run(&[&x]).unwrap().remove(0);
                        let local = (Tensor::from([i as f32]) + thread).to_vec::<f32>().unwrap();
                        assert_eq!(local, [i as f32 + thread as f32]);
                        assert_eq!(doubled.to_vec::<f32>().unwrap(), [2.0]);
                        assert!(total.value().item::<f32>().unwrap() >= 1.0);
                    }
                });
            });
        }
    });
    assert_eq!(total.value().item::<f32>().unwrap(), 200.0);
}

#[test]
fn threads_assign_to_variables_of_their_own() {
    let device = cpu();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let device = &device;
            scope.spawn(move || {
                device.scope(|| {
                    let v = Variable::new([0.0f32]);
                    for i in 0..50 {
                        v.assign(&(&v + 1.0)).unwrap();
                        if i % 7 == 0 {
                            assert_eq!(v.value().item::<f32>().unwrap(), i as f32 + 1.0);
                        }
                    }
                    assert_eq!(v.value().item::<f32>().unwrap(), 50.0);
                });
            });
        }
    });
}
