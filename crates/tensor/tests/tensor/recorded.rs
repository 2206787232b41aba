//! Programs recorded once.

use crate::common::cpu;
use std::sync::Arc;
use warploom_device::null::Null;
use warploom_tensor::{DType, Device, ElementwiseMethods, InputSpec, Tensor, Variable, gradients};

fn get(t: &Tensor) -> Vec<f32> {
    t.to_vec::<f32>().unwrap()
}

fn spec(shape: &[usize]) -> InputSpec {
    InputSpec::new(DType::F32, shape)
}

#[test]
fn state_goes_from_run_to_run_and_old_versions_stay() {
    let device = cpu();
    device.scope(|| {
        let v = Variable::new([1.0f32, 2.0]);
        let step = device
            .try_record(&[spec(&[2])], |x| {
                v.assign(&(&v + &x[0]))?;
                Ok(vec![v.value().sum_all()])
            })
            .unwrap();
        assert_eq!(get(&v.value()), [1.0, 2.0], "recording runs nothing");
        let x = Tensor::from([1.0f32, 1.0]);
        assert_eq!(get(&step.run(&[&x]).unwrap()[0]), [5.0]);
        let held = v.value();
        let lazy = &v * 10.0;
        v.assign(&(&v * 2.0)).unwrap();
        assert_eq!(get(&step.run(&[&x]).unwrap()[0]), [12.0], "pending assignments run before");
        assert_eq!(get(&v.value()), [5.0, 7.0]);
        assert_eq!((get(&held), get(&lazy)), (vec![2.0, 3.0], vec![20.0, 30.0]));
        assert_eq!(get(&step.run(&[&v.value()]).unwrap()[0]), [24.0], "its own variable as an input");
    });
}

#[test]
fn outputs_are_used_again_only_when_nobody_holds_them() {
    let device = cpu();
    device.scope(|| {
        let double = device.record(&[spec(&[2])], |x| vec![&x[0] * 2.0]).unwrap();
        let run = |x: f32| double.run(&[&Tensor::from([x, x])]).unwrap().remove(0);
        let held: Vec<Tensor> = (0..10).map(|i| run(i as f32)).collect();
        for (i, tensor) in held.iter().enumerate() {
            assert_eq!(get(tensor), [2.0 * i as f32; 2]);
        }
        let later = &held[3] + 1.0;
        drop(held);
        for i in 0..10 {
            run(i as f32);
        }
        assert_eq!(get(&later), [7.0, 7.0]);
    });
}

#[test]
fn nothing_is_allocated_in_the_steady_state() {
    let device = Device::from_executor(Arc::new(Null::default()));
    device.scope(|| {
        let v = Variable::new(vec![0f32; 64]);
        let step = device
            .try_record(&[spec(&[64])], |x| {
                v.assign(&(&v + &x[0]))?;
                Ok(vec![v.value().sum_all()])
            })
            .unwrap();
        let x = Tensor::from(vec![1f32; 64]);
        step.run(&[&x]).unwrap();
        let live = device.statistics().live_bytes;
        for _ in 0..100 {
            step.run(&[&x]).unwrap();
        }
        assert_eq!(device.statistics().live_bytes, live);
    });
}

#[test]
fn gradients_are_recorded_and_repeated_steps_give_the_same_bits() {
    let device = cpu();
    device.scope(|| {
        let w = Variable::new([[0.5f32], [-0.25]]);
        let step = device
            .try_record(&[spec(&[3, 2]), spec(&[3, 1])], |x| {
                let loss = (x[0].matmul(&w) - &x[1]).square().mean_all();
                let g = gradients(&loss, &[&w])?.remove(0);
                w.assign(&(&w - g * 0.1))?;
                Ok(vec![loss])
            })
            .unwrap();
        let x: Vec<f32> = (0..24).map(|i| (i as f32 * 0.7).sin()).collect();
        let y = Tensor::from([[1.0f32], [0.0], [-1.0]]);
        let mut losses = Vec::new();
        for part in x.chunks(6) {
            let part = Tensor::from_slice(part, &[3, 2]);
            losses.push(step.run(&[&part, &y]).unwrap()[0].item::<f32>().unwrap());
        }
        let after = get(&w.value());
        w.assign(&Tensor::from([[0.5f32], [-0.25]])).unwrap();
        let four = step.repeat(4, &[true, false]).unwrap();
        let outputs = four.run(&[&Tensor::from_slice(&x, &[4, 3, 2]), &y]).unwrap();
        assert_eq!(get(&outputs[0]), losses);
        assert_eq!(get(&w.value()), after);
        assert_eq!(four.outputs()[0].shape[..], [4]);
        assert!(step.plan().total() > 0 && step.kernels_per_run() > 0 && step.compile_ms() > 0.0);
    });
}

#[test]
fn values_from_outside_are_constants() {
    let device = cpu();
    device.scope(|| {
        let v = Variable::new([2.0f32]);
        let outside = &v * 10.0;
        let older = v.value();
        let step = device.record(&[spec(&[1])], |x| vec![&x[0] + &outside + &older + &v]).unwrap();
        let run = || get(&step.run(&[&Tensor::from([0.0f32])]).unwrap()[0]);
        assert_eq!(run(), [24.0]);
        v.assign(&Tensor::from([3.0f32])).unwrap();
        assert_eq!(run(), [25.0]);
    });
}

#[test]
fn unused_inputs_and_variables_do_no_harm() {
    let device = cpu();
    device.scope(|| {
        let v = Variable::new([2.0f32]);
        let step = device
            .record(&[spec(&[1]), spec(&[1])], |x| {
                let _ = &v * 2.0;
                vec![&x[1] + 1.0]
            })
            .unwrap();
        let (a, b) = (Tensor::from([1.0f32]), Tensor::from([2.0f32]));
        assert_eq!(get(&step.run(&[&a, &b]).unwrap()[0]), [3.0]);
        let twice = step.repeat(2, &[false, false]).unwrap();
        assert_eq!(get(&twice.run(&[&a, &b]).unwrap()[0]), [3.0, 3.0]);
    });
}

#[test]
fn inputs_are_checked() {
    let device = cpu();
    device.scope(|| {
        let step = device.record(&[spec(&[2])], |x| vec![x[0].exp()]).unwrap();
        let error = |x: &[&Tensor]| step.run(x).unwrap_err().to_string();
        assert!(error(&[]).contains("takes 1 inputs, found 0"));
        let wrong = error(&[&Tensor::from([1.0f32])]);
        assert!(
            wrong.contains("f32[2]") && wrong.contains("f32[1]") && wrong.contains("recorded.rs"),
            "{wrong}"
        );
        assert!(step.repeat(2, &[]).is_err());
        let nested = device.record(&[], |_| {
            assert!(device.record(&[], |_| Vec::new()).is_err());
            vec![Tensor::from(1.0f32) + 1.0]
        });
        assert_eq!(nested.unwrap().run(&[]).unwrap()[0].item::<f32>().unwrap(), 2.0);
    });
}

#[test]
fn bound_memories() {
    let device = cpu();
    device.scope(|| {
        let v = Variable::new([0.0f32, 0.0]);
        let step = device
            .try_record(&[spec(&[2])], |x| {
                v.assign(&(&v + &x[0]))?;
                Ok(vec![&x[0] * 2.0])
            })
            .unwrap();
        let mut bound = step.bind(2).unwrap();
        for i in 0..6 {
            let slot = i % bound.slots();
            bound.upload(slot, 0, bytemuck::cast_slice(&[i as f32, 1.0])).unwrap();
            bound.launch(slot).unwrap();
            assert_eq!(bound.read::<f32>(slot, 0).unwrap(), [2.0 * i as f32, 2.0]);
        }
        assert_eq!(get(&v.value()), [15.0, 6.0]);
        assert!(bound.upload(0, 0, &[0]).is_err());
    });
}
