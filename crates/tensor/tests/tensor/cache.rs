//! When plain code finds its program again.

use crate::common::cpu;
use warploom_tensor::{DType, ElementwiseMethods, Tensor, Variable, call, gradients, module_scope};

#[test]
fn inputs_do_not_recompile_and_structure_does() {
    let device = cpu();
    device.scope(|| {
        let v = Variable::new([1.0f32, 2.0]);
        let compiled = || device.compiled_programs();
        let step = |rate: f32| {
            v.assign(&(&v - Tensor::from(rate) * &v)).unwrap();
            v.value().sum_all().item::<f32>().unwrap()
        };
        step(0.1);
        let first = compiled();
        for i in 0..5 {
            step(i as f32 * 0.01);
        }
        assert_eq!(compiled(), first, "scalars made with Tensor::from are inputs");
        let _ = (&v * 2.0).to_vec::<f32>();
        let _ = (&v * 2.0).to_vec::<f32>();
        assert_eq!(compiled(), first + 1);
        let _ = (&v * 3.0).to_vec::<f32>();
        assert_eq!(compiled(), first + 2, "numbers in the code are structure");
        let _ = (Tensor::zeros(&[3], DType::F32) * 3.0).to_vec::<f32>();
        let _ = (Tensor::zeros(&[4], DType::F32) * 3.0).to_vec::<f32>();
        assert_eq!(compiled(), first + 4, "shapes are structure");
        let x = Tensor::from([1.0f32, 2.0]);
        let _ = (&v - &x).to_vec::<f32>();
        let _ = (&x - &v).to_vec::<f32>();
        assert_eq!(compiled(), first + 6, "who is state and who is input is structure");
    });
}

#[test]
fn a_training_loop_has_one_program_from_its_first_round() {
    let device = cpu();
    device.scope(|| {
        let w = Variable::new(Tensor::normal(&[3, 1]));
        let m = Variable::new(Tensor::zeros(&[3, 1], DType::F32));
        let x = Tensor::uniform(&[8, 3]);
        x.evaluate().unwrap();
        let mut programs = Vec::new();
        for _ in 0..6 {
            let loss = module_scope("layer", || x.matmul(&w).sigmoid().mean_all());
            let g = gradients(&loss, &[&w]).unwrap().remove(0);
            m.assign(&(&m * 0.9 + g * 0.1)).unwrap();
            w.assign(&(&w - &m * 0.1)).unwrap();
            loss.item::<f32>().unwrap();
            programs.push(device.compiled_programs());
        }
        assert_eq!(programs[0], programs[5], "{programs:?}");
    });
}

#[test]
fn regions_are_structure() {
    let device = cpu();
    device.scope(|| {
        let x = Tensor::from([1.0f32]);
        let run = |by: f64| call("scale", &[&x], |i| vec![&i[0] * by])[0].item::<f32>().unwrap();
        assert_eq!([run(2.0), run(3.0), run(2.0)], [2.0, 3.0, 2.0]);
        assert_eq!(device.compiled_programs(), 2);
    });
}

#[test]
fn the_cache_is_bounded() {
    let device = cpu();
    device.scope(|| {
        let x = Tensor::from([1.0f32]);
        for i in 0..300 {
            assert_eq!((&x * i).item::<f32>().unwrap(), i as f32);
        }
        assert_eq!(device.cached_programs(), 256);
        assert_eq!(device.compiled_programs(), 300);
    });
}
