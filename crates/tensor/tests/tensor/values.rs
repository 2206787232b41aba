//! Operations against the interpreter, and values made and read.

use crate::common::{check, cpu, numbers};
use half::{bf16, f16};
use warploom_tensor::{DType, Device, ElementwiseMethods, Range, Tensor, Variable, call, module_scope, scan};

fn on_cpu(body: impl FnOnce(&Device)) {
    let device = cpu();
    device.scope(|| body(&device));
}

#[test]
fn values_come_back_in_every_dtype() {
    on_cpu(|_| {
        assert_eq!(Tensor::from([1.5f32, -2.0]).to_vec::<f32>().unwrap(), [1.5, -2.0]);
        assert_eq!(Tensor::from([[1.5f64, -2.0]]).to_vec::<f64>().unwrap(), [1.5, -2.0]);
        assert_eq!(Tensor::from(vec![1i32, -2]).to_vec::<i32>().unwrap(), [1, -2]);
        assert_eq!(Tensor::from([1u32, 2]).to_vec::<u32>().unwrap(), [1, 2]);
        assert_eq!(Tensor::from([1u8, 2]).to_vec::<u8>().unwrap(), [1, 2]);
        assert_eq!(Tensor::from([true, false]).to_vec::<bool>().unwrap(), [true, false]);
        let half = [f16::from_f32(1.5)];
        assert_eq!(Tensor::from(half).to_vec::<f16>().unwrap(), half);
        let brain = [bf16::from_f32(1.5)];
        assert_eq!(Tensor::from(brain).to_vec::<bf16>().unwrap(), brain);
        assert_eq!(Tensor::from(3.5f64).dtype().unwrap(), DType::F64);
        assert_eq!(Tensor::from(3.5f64).item::<f64>().unwrap(), 3.5);
        assert_eq!(Tensor::from([[[1i32; 2]; 3]; 4]).shape().unwrap()[..], [4, 3, 2]);
        let bytes = Tensor::from_bytes(DType::I32, &[2], &[1, 0, 0, 0, 255, 255, 255, 255]);
        assert_eq!(bytes.to_vec::<i32>().unwrap(), [1, -1]);
        assert_eq!(bytes.to_bytes().unwrap(), [1, 0, 0, 0, 255, 255, 255, 255]);
    });
}

#[test]
fn filled_and_counted() {
    on_cpu(|_| {
        assert_eq!(Tensor::zeros(&[2, 2], DType::F32).to_vec::<f32>().unwrap(), [0.0; 4]);
        assert_eq!(Tensor::ones(&[2], DType::I32).to_vec::<i32>().unwrap(), [1; 2]);
        assert_eq!(Tensor::full(&[2], 2.5, DType::F64).to_vec::<f64>().unwrap(), [2.5; 2]);
        assert_eq!(Tensor::arange(3, DType::F32).to_vec::<f32>().unwrap(), [0.0, 1.0, 2.0]);
        assert_eq!(Tensor::iota(&[2, 2], 0, DType::U32).to_vec::<u32>().unwrap(), [0, 0, 1, 1]);
    });
}

#[test]
fn operators_take_tensors_variables_and_literals() {
    on_cpu(|_| {
        let x = Tensor::from([1.0f32, 2.0]);
        let v = Variable::new([10.0f32, 20.0]);
        let get = |t: Tensor| t.to_vec::<f32>().unwrap();
        assert_eq!(get(&x + &v), [11.0, 22.0]);
        assert_eq!(get(&v - &x), [9.0, 18.0]);
        assert_eq!(get(&v * &v), [100.0, 400.0]);
        assert_eq!(get(2.0 * &x + 1), [3.0, 5.0]);
        assert_eq!(get(1 - &x), [0.0, -1.0]);
        assert_eq!(get((1.0 - &x).abs()), [0.0, 1.0]);
        assert_eq!(get((&x * 2.0f32).sqrt() * 0.0 - &v / 10), [-1.0, -2.0]);
        assert_eq!(get(-&x), [-1.0, -2.0]);
        assert_eq!(get(-&v + x.clone()), [-9.0, -18.0]);
        assert_eq!(get(x.clone() * x.clone() - &x), [0.0, 2.0]);
        let whole = Tensor::from([4i32, 6]);
        assert_eq!((whole * 2).to_vec::<i32>().unwrap(), [8, 12]);
    });
}

#[test]
fn broadcasting() {
    let device = cpu();
    let inputs: [(&[usize], Vec<f32>); 3] =
        [(&[2, 3], numbers(6)), (&[3], numbers(3)), (&[2, 1], numbers(2))];
    check(&device, &inputs, |x| {
        vec![
            &x[0] + &x[1],
            &x[1] * &x[2],
            x[0].less(&x[2]).select(&x[1], &x[0]),
            x[1].broadcast_to(&[4, 2, 3]),
            &x[0] - x[0].mean_all(),
        ]
    });
}

#[test]
fn views() {
    let device = cpu();
    check(&device, &[(&[2, 3, 4], numbers(24)), (&[2, 3], numbers(6))], |x| {
        let (x, y) = (&x[0], &x[1]);
        vec![
            x.reshape([6, -1]),
            x.permute([2, 0, 1]),
            x.transpose(0, -1),
            x.t(),
            x.slice(&[(..).into(), Range::new(1, -1), Range::by(.., 2)]),
            x.narrow(-1, 1, 2),
            x.select_at(1, 2),
            y.pad(&[(1, 0), (0, 2)]),
            x.flip([0, -1]),
            x.unsqueeze(-1).squeeze(-1),
            x.flatten(1),
            Tensor::concat(&[y, &(y * 2.0)], 1),
            Tensor::stack(&[y, y], 0),
        ]
    });
}

#[test]
fn reductions_and_what_is_composed_of_them() {
    let device = cpu();
    check(&device, &[(&[3, 5], numbers(15))], |x| {
        let x = &x[0];
        vec![
            x.sum(1),
            x.sum_keep([0, -1]),
            x.mean(0),
            x.mean_keep(-1),
            x.max(-1),
            x.min_keep(0),
            x.sum_all(),
            x.mean_all(),
            x.arg_max(1),
            x.softmax(-1),
            x.log_softmax(0),
            x.logsumexp(-1),
            (x * 1000.0).log_softmax(-1),
        ]
    });
}

#[test]
fn products() {
    let device = cpu();
    let inputs: [(&[usize], Vec<f32>); 5] = [
        (&[4, 3], numbers(12)),
        (&[3, 2], numbers(6)),
        (&[3], numbers(3)),
        (&[2, 4, 3], numbers(24)),
        (&[2, 3, 5], numbers(30)),
    ];
    check(&device, &inputs, |x| {
        vec![
            x[0].matmul(&x[1]),
            x[0].matmul(&x[2]),
            x[2].matmul(&x[1]),
            x[2].matmul(&x[2]),
            x[3].matmul(&x[4]),
            x[3].matmul(&x[1]),
            x[0].matmul(&x[4]),
        ]
    });
}

#[test]
fn indexing() {
    on_cpu(|_| {
        let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let rows = Tensor::from([2i32, 0]);
        assert_eq!(x.gather(0, &rows).to_vec::<f32>().unwrap(), [5.0, 6.0, 1.0, 2.0]);
        let twice = Tensor::from([1i32, 1]);
        let updates = Tensor::from([[10.0f32, 10.0], [20.0, 1.0]]);
        let added = x.scatter_add(0, &twice, &updates).to_vec::<f32>().unwrap();
        assert_eq!(added, [1.0, 2.0, 33.0, 15.0, 5.0, 6.0]);
        let set = x.scatter_set(0, &twice, &updates).to_vec::<f32>().unwrap();
        assert_eq!(set, [1.0, 2.0, 20.0, 1.0, 5.0, 6.0]);
        let largest = x.scatter_max(0, &twice, &updates).to_vec::<f32>().unwrap();
        assert_eq!(largest, [1.0, 2.0, 20.0, 10.0, 5.0, 6.0]);
        let hot = Tensor::from([1i32, 0, 5]).one_hot(2).to_vec::<f32>().unwrap();
        assert_eq!(hot, [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    });
}

#[test]
fn casts() {
    on_cpu(|_| {
        let x = Tensor::from([1.75f64, -2.5, 300.0]);
        assert_eq!(x.cast(DType::F32).to_vec::<f32>().unwrap(), [1.75, -2.5, 300.0]);
        assert_eq!(x.cast(DType::I32).to_vec::<i32>().unwrap(), [1, -2, 300]);
        assert_eq!(x.cast(DType::U8).to_vec::<u8>().unwrap(), [1, 0, 255]);
    });
}

#[test]
fn a_call_computes_what_its_body_does_and_captures() {
    on_cpu(|_| {
        let scale = Tensor::from([3.0f32]);
        let x = Tensor::from([1.0f32, 2.0]);
        let y = call("scaled", &[&x], |inputs| vec![&inputs[0] * &scale, inputs[0].square()]);
        assert_eq!(y[0].to_vec::<f32>().unwrap(), [3.0, 6.0]);
        assert_eq!(y[1].to_vec::<f32>().unwrap(), [1.0, 4.0]);
    });
}

#[test]
fn a_scan_carries_slices_and_stacks() {
    on_cpu(|_| {
        let start = Tensor::from([0.0f32, 0.0]);
        let parts = Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let factor = Tensor::from([10.0f32, 1.0]);
        let (last, stacked) = scan(3, &[&start], &[&parts], |iteration, carries, slices| {
            let sum = &carries[0] + &slices[0] * &factor;
            let stacked = &sum + iteration.cast(DType::F32);
            (vec![sum], vec![stacked])
        });
        assert_eq!(last[0].to_vec::<f32>().unwrap(), [90.0, 12.0]);
        assert_eq!(stacked[0].to_vec::<f32>().unwrap(), [10.0, 2.0, 41.0, 7.0, 92.0, 14.0]);
    });
}

#[test]
fn origins_name_module_and_line() {
    on_cpu(|_| {
        let x = Tensor::from([1.0f32, 2.0]);
        let y = module_scope("layers.0", || &x + 1.0);
        let origin = y.origin();
        assert_eq!(origin.module.as_deref(), Some("layers.0"));
        assert!(origin.location.file().ends_with("values.rs"), "{origin}");
    });
}
