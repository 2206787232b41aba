//! Variables: versions, pending assignments, what runs when, and whose memory is whose.

use crate::common::cpu;
use std::sync::Arc;
use warploom_device::null::Null;
use warploom_tensor::{DType, Device, ElementwiseMethods, Tensor, Variable};

fn get(t: &Tensor) -> Vec<f32> {
    t.to_vec::<f32>().unwrap()
}

fn launches(device: &Device) -> u64 {
    device.statistics().launches
}

#[test]
fn an_assignment_makes_the_next_version_and_old_ones_stay() {
    cpu().scope(|| {
        let v = Variable::new([1.0f32, 2.0]);
        let before = v.value();
        let doubled = &v * 2.0;
        v.assign(&(&v + 10.0)).unwrap();
        let after = v.value();
        v.assign(&(&v + 100.0)).unwrap();
        assert_eq!(get(&v.value()), [111.0, 112.0]);
        assert_eq!(get(&before), [1.0, 2.0]);
        assert_eq!(get(&doubled), [2.0, 4.0]);
        assert_eq!(get(&after), [11.0, 12.0]);
    });
}

#[test]
fn a_look_runs_all_pending_assignments_in_one_program() {
    let device = cpu();
    device.scope(|| {
        let (a, b) = (Variable::new([1.0f32]), Variable::new([2.0f32]));
        let unrelated = Tensor::from([5.0f32]) + 1.0;
        a.assign(&(&a + &b)).unwrap();
        b.assign(&(&a * 10.0)).unwrap();
        let before = launches(&device);
        assert_eq!(get(&unrelated), [6.0]);
        assert_eq!(launches(&device) - before, 1);
        assert_eq!(get(&a.value()), [3.0]);
        assert_eq!(get(&b.value()), [30.0]);
        assert_eq!(launches(&device) - before, 1, "they are there");
    });
}

#[test]
fn a_loop_that_never_looks_runs_one_program_a_round() {
    let device = cpu();
    device.scope(|| {
        let v = Variable::new([0.0f32]);
        for _ in 0..100 {
            v.assign(&(&v + 1.0)).unwrap();
        }
        assert_eq!(launches(&device), 99);
        assert_eq!(get(&v.value()), [100.0]);
        assert_eq!(launches(&device), 100);
        assert_eq!(device.compiled_programs(), 1);
    });
}

#[test]
fn updates_are_in_place_unless_an_older_version_can_be_looked_at() {
    let device = Device::from_executor(Arc::new(Null::default()));
    device.scope(|| {
        let v = Variable::new(vec![0f32; 1024]);
        let live = || device.statistics().live_bytes;
        let update = || {
            v.assign(&(&v + 1.0)).unwrap();
            device.sync().unwrap();
        };
        update();
        let base = live();
        update();
        assert_eq!(live(), base, "in place");
        let held = v.value();
        update();
        assert_eq!(live(), base + 4096, "a version that is held");
        update();
        assert_eq!(live(), base + 4096, "and held only once");
        drop(held);
        let through = v.value().sum_all();
        update();
        assert_eq!(live(), base + 4096, "held through what is not yet made; in the memory of before");
        drop(through);
        let spent = &v + 2.0;
        v.assign(&(&spent * 2.0)).unwrap();
        drop(spent);
        device.sync().unwrap();
        assert_eq!(live(), base + 4096, "in place: what led there is gone");
    });
}

#[test]
fn values_can_be_assigned_to_several_variables_and_exchanged() {
    cpu().scope(|| {
        let (a, b) = (Variable::new([1.0f32]), Variable::new([2.0f32]));
        let (x, y) = (a.value(), b.value());
        a.assign(&y).unwrap();
        b.assign(&x).unwrap();
        assert_eq!((get(&a.value()), get(&b.value())), (vec![2.0], vec![1.0]));
        let sum = &a + &b;
        a.assign(&sum).unwrap();
        b.assign(&sum).unwrap();
        assert_eq!(get(&sum), [3.0]);
        a.assign(&(&a * 2.0)).unwrap();
        assert_eq!((get(&a.value()), get(&b.value()), get(&sum)), (vec![6.0], vec![3.0], vec![3.0]));
        b.assign(&a).unwrap();
        a.assign(&Tensor::from([9.0f32])).unwrap();
        assert_eq!((get(&a.value()), get(&b.value())), (vec![9.0], vec![6.0]));
    });
}

#[test]
fn a_variable_does_not_share_its_first_value() {
    cpu().scope(|| {
        let x = Tensor::from([1.0f32]);
        let v = Variable::new(&x);
        v.assign(&(&v + 1.0)).unwrap();
        assert_eq!((get(&v.value()), get(&x)), (vec![2.0], vec![1.0]));
        let lazy = Variable::new(&x * 3.0);
        assert_eq!(get(&(&lazy + &v)), [5.0]);
    });
}

#[test]
fn assigning_what_does_not_fit_leaves_the_value() {
    cpu().scope(|| {
        let v = Variable::new([1.0f32]).named("W");
        let error = v.assign(&Tensor::from([1.0f32, 2.0])).unwrap_err().to_string();
        for part in ["`W`", "f32[1]", "f32[2]", "state.rs"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(v.assign(&Tensor::from([1i32])).is_err());
        assert_eq!(get(&v.value()), [1.0]);
    });
}

#[test]
fn uploaded_bytes_need_neither_program_nor_memory() {
    let device = cpu();
    device.scope(|| {
        let bytes = |value: f32| value.to_le_bytes().repeat(1000);
        let v = Variable::new(Tensor::from_bytes(DType::F32, &[1000], &bytes(1.0)));
        v.assign(&(&v + 1.0)).unwrap();
        device.sync().unwrap();
        let (compiled, run, before) = (device.compiled_programs(), launches(&device), device.statistics());
        v.upload(&bytes(5.0)).unwrap();
        let after = device.statistics();
        assert_eq!((device.compiled_programs(), after.launches), (compiled, run));
        assert_eq!((after.live_bytes, after.peak_bytes), (before.live_bytes, before.peak_bytes));
        assert_eq!(get(&v.value()), [5.0; 1000]);
        // Older versions stay, looked at or not, and what was recorded from them.
        let (held, doubled) = (v.value(), &v * 2.0);
        v.upload(&bytes(7.0)).unwrap();
        assert_eq!([get(&held)[999], get(&doubled)[999], get(&v.value())[999]], [5.0, 10.0, 7.0]);
        // A waiting assignment is an older version as well.
        v.assign(&(&v + 1.0)).unwrap();
        let waiting = v.value();
        v.upload(&bytes(9.0)).unwrap();
        assert_eq!([get(&waiting)[0], get(&v.value())[0]], [8.0, 9.0]);
        let live = device.statistics().live_bytes;
        drop((held, doubled, waiting));
        assert!(device.statistics().live_bytes < live, "nothing keeps old versions");
    });
}

#[test]
fn bytes_that_do_not_fit_leave_the_value() {
    let device = cpu();
    device.scope(|| {
        let v = Variable::new([1.0f32, 2.0]).named("w");
        let message = v.upload(&[0; 4]).unwrap_err().to_string();
        assert!(message.contains("`w`") && message.contains("8 bytes, found 4"), "{message}");
        let flags = Variable::new(Tensor::from_bytes(DType::Bool, &[1], &[1]));
        assert!(flags.upload(&[2]).unwrap_err().to_string().contains("0 or 1"));
        let recorded = device.try_record(&[], |_| v.upload(&[0; 8]).map(|()| Vec::new()));
        assert!(recorded.err().unwrap().to_string().contains("within a recording"));
        assert_eq!(get(&v.value()), [1.0, 2.0]);
    });
}

#[test]
fn a_program_that_fails_gives_variables_their_value_back() {
    cpu().scope(|| {
        let v = Variable::new([1.0f32]);
        let bad = Tensor::from([1.0f32]).gather(0, &Tensor::from([5i32]));
        v.assign(&bad).unwrap();
        assert!(v.value().to_vec::<f32>().is_err());
        assert_eq!(v.value().shape().unwrap()[..], [1]);
        v.assign(&(&v + 1.0)).unwrap();
        assert!(v.value().to_vec::<f32>().is_ok());
    });
}

#[test]
fn dropped_variables_and_values_leave_no_memory() {
    let device = Device::from_executor(Arc::new(Null::default()));
    let baseline = device.statistics().live_bytes;
    device.scope(|| {
        let v = Variable::new(Tensor::zeros(&[1000], DType::F32));
        v.assign(&(&v + 1.0)).unwrap();
        let _ = v.value().exp();
    });
    device.release_unused();
    assert_eq!(device.statistics().live_bytes, baseline);
}
