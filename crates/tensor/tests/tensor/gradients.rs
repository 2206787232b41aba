//! Gradients of recorded values.

use crate::common::{get, numbers, on_cpu};
use warploom_tensor::{
    DType, ElementwiseMethods, Tensor, Variable, call, call_with_gradient, gradients, gradients_or_zeros,
    scan,
};

#[test]
fn of_a_dense_layer_by_hand() {
    on_cpu(|_| {
        let x = Tensor::from_slice(&numbers(6), &[3, 2]);
        let (w, b) = (Variable::new(Tensor::from_slice(&numbers(2), &[2, 1])), Variable::new([0.5f32]));
        let y = Tensor::from([[0.0f32], [1.0], [0.0]]);
        let a = (x.matmul(&w) + &b).sigmoid();
        let loss = (&a - &y).square().sum_all() * 0.5;
        let made = gradients(&loss, &[&w, &b]).unwrap();
        // Half the squared error: delta = (a - y) a (1 - a), dW = x^T delta, db = sum of delta.
        let delta = (&a - &y) * &a * (1.0 - &a);
        let (dw, db) = (x.t().matmul(&delta), delta.sum(0));
        for (found, want) in [(&made[0], &dw), (&made[1], &db)] {
            for (f, w) in get(found).iter().zip(get(want)) {
                assert!((f - w).abs() < 1e-6, "{f} {w}");
            }
        }
        assert_eq!(made[0].shape().unwrap()[..], [2, 1]);
    });
}

#[test]
fn differentiate_again() {
    on_cpu(|_| {
        let x = Variable::new(2.0f32);
        let cube = &x * &x * &x;
        let first = gradients(&cube, &[&x]).unwrap().remove(0);
        let second = gradients(&first, &[&x]).unwrap().remove(0);
        let third = gradients(&second, &[&x]).unwrap().remove(0);
        assert_eq!([get(&first)[0], get(&second)[0], get(&third)[0]], [12.0, 12.0, 6.0]);
    });
}

#[test]
fn never_silent_zeros() {
    on_cpu(|_| {
        let (w, other) = (Variable::new([1.0f32]), Variable::new([1.0f32]).named("other"));
        let loss = (&w * 2.0).sum_all();
        let error = gradients(&loss, &[&w, &other]).unwrap_err().to_string();
        assert!(error.contains("`other`") && error.contains("gradients.rs"), "{error}");
        assert_eq!(get(&gradients_or_zeros(&loss, &[&w, &other]).unwrap()[1]), [0.0]);
        assert!(gradients(&(&w * 2.0), &[&w]).unwrap_err().to_string().contains("scalar"));
        let stopped = w.value().stop_gradient().sum_all();
        assert!(gradients(&stopped, &[&w]).is_err());
    });
}

#[test]
fn what_was_looked_at_is_not_lost_in_silence() {
    on_cpu(|_| {
        let w = Variable::new([1.0f32, 2.0]);
        let h = w.value().exp();
        let data = Tensor::from([1.0f32, 1.0]) + 1.0;
        get(&h);
        get(&data);
        let loss = (&h + &w + &data).sum_all();
        let error = gradients(&loss, &[&w]).unwrap_err().to_string();
        assert!(error.contains("looked at already") && error.contains("exp"), "{error}");
        let further = &h * 2.0;
        get(&further);
        assert!(gradients(&(further + &w).sum_all(), &[&w]).is_err(), "through a second look");
        let loss = (h.stop_gradient() + &w + &data).sum_all();
        assert_eq!(get(&gradients(&loss, &[&w]).unwrap()[0]), [1.0, 1.0]);
        let loss = (&w * 3.0).sum_all();
        loss.item::<f32>().unwrap();
        assert!(gradients(&loss, &[&w]).unwrap_err().to_string().contains("before looking"));
    });
}

#[test]
fn stop_at_assignments() {
    on_cpu(|_| {
        let (a, b) = (Variable::new([2.0f32]), Variable::new([3.0f32]));
        b.assign(&(&a * 5.0)).unwrap();
        let loss = (&a * &b).sum_all();
        let pending = gradients(&loss, &[&a, &b]).unwrap();
        assert_eq!((get(&pending[0]), get(&pending[1])), (vec![10.0], vec![2.0]));
        let loss = (&a * &b).sum_all();
        assert_eq!(get(&gradients(&loss, &[&a]).unwrap()[0]), [10.0], "the same when it has run");
    });
}

#[test]
fn through_calls_and_scans() {
    on_cpu(|_| {
        let w = Variable::new([1.0f32, 2.0]);
        let squared = call("square", &[&w.value()], |x| vec![x[0].square()]);
        let loss = squared[0].sum_all();
        assert_eq!(get(&gradients(&loss, &[&w]).unwrap()[0]), [2.0, 4.0]);
        let odd = call_with_gradient(
            "odd",
            &[&w.value()],
            |x| vec![x[0].square()],
            |x, y, dy| vec![&dy[0] * 100.0 + &y[0] * 0.0 + &x[0] * 0.0],
        );
        assert_eq!(get(&gradients(&odd[0].sum_all(), &[&w]).unwrap()[0]), [100.0, 100.0]);
        let parts = Tensor::ones(&[3, 2], DType::F32);
        let (last, _) = scan(3, &[&Tensor::ones(&[2], DType::F32)], &[&parts], |_, c, s| {
            (vec![&c[0] * &w * &s[0]], vec![])
        });
        // w^3, so 3 w^2.
        assert_eq!(get(&gradients(&last[0].sum_all(), &[&w]).unwrap()[0]), [3.0, 12.0]);
    });
}

#[test]
fn a_structure_seen_before_is_laid_over_new_values() {
    on_cpu(|device| {
        let w = Variable::new([1.0f32]);
        for i in 0..20 {
            let x = Tensor::from([i as f32]);
            let loss = (&w * &x * &w).sum_all();
            let g = gradients(&loss, &[&w]).unwrap().remove(0);
            assert_eq!(get(&g), [2.0 * i as f32]);
        }
        assert_eq!(device.compiled_programs(), 1);
    });
}
