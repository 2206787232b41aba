//! Fits within a memory limit: the same bits, the peak below it, and what is said where that cannot be.

use std::sync::Arc;
use warploom_cpu::Cpu;
use warploom_data::{Dataset, digits};
use warploom_device::null::Null;
use warploom_device::{Capabilities, Target};
use warploom_nn::{Adam, Dense, Flatten, Model, Sequential, layers, losses, models};
use warploom_tensor::Device;
use warploom_train::{Bound, Cause, Error, Fit, History, Shortage, Training, dry_device, metrics};

fn cpu() -> Device {
    Device::from_executor(Arc::new(Cpu::new(Some(2))))
}

/// A CPU with so little memory.
fn small(bytes: usize) -> Device {
    Device::from_executor(Arc::new(Cpu::new(Some(1)).with_memory_limit(bytes)))
}

fn compiled(mut model: Model) -> Model {
    model.compile(Adam::new(1e-3), losses::cross_entropy, [metrics::accuracy()]).unwrap();
    model
}

fn lenet(device: &Device) -> Model {
    compiled(models::lenet(10).seed(3).build([1, 28, 28], device).unwrap())
}

fn dense(device: &Device) -> Model {
    let description = layers![Flatten::new(), Dense::new(64).relu(), Dense::new(10)];
    compiled(Sequential::new(description).seed(3).build([1, 28, 28], device).unwrap())
}

/// To learn from, to watch.
fn data(train: usize) -> (Dataset, Dataset) {
    (digits(0, train).unwrap(), digits(1, 60).unwrap())
}

fn fit<'a>(watched: &'a Dataset, batch: usize, limit: Option<u64>) -> Fit<'a> {
    let fit = Fit::epochs(2).batch(batch).seed(5).validation_data(watched).quiet();
    match limit {
        Some(bytes) => fit.memory_limit(bytes),
        None => fit,
    }
}

fn shortage(error: Error) -> Shortage {
    assert_eq!(error.cause(), Cause::Device);
    let Error::Memory(shortage) = error else { panic!("{error}") };
    *shortage
}

#[test]
fn a_limit_changes_no_bit_and_holds() {
    let (train, watched) = data(200);
    let run = |limit: Option<u64>| -> (History, u64) {
        let device = cpu();
        let history = lenet(&device).fit_data(&train, fit(&watched, 32, limit)).unwrap();
        (history, device.statistics().peak_bytes as u64)
    };
    let (free, peak) = run(None);
    let plan = free.plan().clone();
    assert_eq!(plan.device.total() as u64, peak);
    assert_eq!(plan.recomputation, None);
    // Down to four fifths, launches of one step are enough; below, values are computed again.
    for percent in [90, 80, 72, 68] {
        let limit = plan.planned_bytes() * percent / 100;
        let (held, peak) = run(Some(limit));
        let within = held.plan();
        assert!(within.planned_bytes() <= limit, "{percent}: {} of {limit}", within.planned_bytes());
        assert_eq!(within.device.total() as u64, peak, "{percent}");
        assert_eq!(within.memory_limit, Some(limit));
        for (name, values) in free.iter() {
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(values), bits(&held[name]), "{name} at {percent} %");
        }
        if percent < 75 {
            let cost = within.recomputation.unwrap();
            assert!(cost.values > 0 && cost.operations > 0.0 && cost.arena < cost.arena_before, "{cost}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let (train, watched) = data(200);
    let device = cpu();
    let mut model = lenet(&device);
    device.sync().unwrap();
    let before = device.statistics();
    let limit = 2_200_000;
    let error = model.fit_data(&train, fit(&watched, 64, Some(limit))).err().unwrap();
    let text = error.to_string();
    let refused = shortage(error);
    let after = device.statistics();
    assert!(after.peak_bytes - before.peak_bytes < 10_000, "{} bytes", after.peak_bytes - before.peak_bytes);
    let (batch, taken) = refused.fitting.unwrap();
    for part in
        ["with batch=64", "memory_limit is 2.1 MiB (2200000 bytes)", &format!("with batch={batch} it needs")]
    {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
    assert!(refused.least > limit && taken <= limit && batch < 64, "{text}");
    // What is said is so: both run, and the next batch does not fit.
    let device = cpu();
    let run = |batch: usize, limit: u64| lenet(&device).plan_data(&train, &fit(&watched, batch, Some(limit)));
    assert_eq!(run(batch, limit).unwrap().0.planned_bytes(), taken);
    assert!(run(64, refused.least).unwrap().0.planned_bytes() <= refused.least);
    shortage(run(batch + 1, limit).err().unwrap());

    let none = shortage(model.fit_data(&train, fit(&watched, 64, Some(1000))).err().unwrap());
    assert_eq!(none.fitting, None);
    assert!(none.to_string().contains("no batch is small enough"), "{none}");
    // The model is as it was, and learns where there is room.
    model.fit_data(&train, fit(&watched, batch, Some(limit))).unwrap();
}

#[test]
fn the_memory_of_a_device_is_a_limit_too() {
    let (train, watched) = data(200);
    let memory = 3_000_000;
    let device = small(memory);
    let refused = shortage(lenet(&device).fit_data(&train, fit(&watched, 128, None)).err().unwrap());
    assert_eq!((&refused.bound, refused.limit), (&Bound::Device("cpu".into()), memory as u64));
    assert!(refused.to_string().contains("and cpu has 2.9 MiB"), "{refused}");
    let (batch, taken) = refused.fitting.unwrap();
    let history = lenet(&device).fit_data(&train, fit(&watched, batch, None)).unwrap();
    assert_eq!(history.plan().planned_bytes(), taken);
    assert_eq!(history.plan().recomputation, None);
    // By itself the batch leaves a fifth of the memory alone.
    let mut model = lenet(&device);
    let chosen = model.largest_batch(&train, &fit(&watched, 1, None)).unwrap();
    let plan = model.plan_data(&train, &fit(&watched, chosen, None)).unwrap().0;
    assert!(
        chosen < batch && plan.planned_bytes() <= memory as u64 / 5 * 4,
        "{chosen} {}",
        plan.planned_bytes()
    );
}

#[test]
fn a_tensor_that_no_buffer_holds_names_a_batch_that_fits() {
    let (train, watched) = data(200);
    let capabilities = Capabilities { slab_bytes: 1 << 20, ..Null::default().capabilities().clone() };
    let device = Device::from_executor(Arc::new(Null::new(capabilities)));
    let plan = |batch| lenet(&device).plan_data(&train, &fit(&watched, batch, None));
    let refused = shortage(plan(200).err().unwrap());
    assert_eq!((&refused.bound, refused.limit), (&Bound::Buffer(device.id().into()), 1 << 20));
    assert!(refused.least > 1 << 20, "{refused}");
    let (batch, taken) = refused.fitting.unwrap();
    assert!(
        refused.to_string().contains(&format!("in one buffer; with batch={batch} it needs ")),
        "{refused}"
    );
    assert_eq!(plan(batch).unwrap().0.planned_bytes(), taken);
    assert!(matches!(plan(batch + 1), Err(Error::Memory(_))));
    // What a limit allows does not fit the buffers.
    let mut model = lenet(&device);
    assert_eq!(model.largest_batch(&train, &fit(&watched, 1, Some(1 << 40))).unwrap(), batch);
}

#[test]
fn the_largest_batch_comes_close_to_the_limit() {
    let (train, watched) = data(3000);
    type Built = fn(&Device) -> Model;
    for (name, build, limits) in [
        ("lenet", lenet as Built, [2 << 20, 5 << 20, 9 << 20, 40 << 20]),
        ("dense", dense as Built, [2 << 20, 4 << 20, 7 << 20, 12 << 20]),
    ] {
        for limit in limits {
            let mut model = build(&dry_device(&cpu()).expect("it has f32"));
            let batch = model.largest_batch(&train, &fit(&watched, 1, Some(limit))).unwrap();
            let plan = model.plan_data(&train, &fit(&watched, batch, Some(limit))).unwrap().0;
            let share = plan.planned_bytes() as f64 / limit as f64;
            assert!((0.9..=1.0).contains(&share), "{name}, {limit}: batch {batch} takes {share}");
            assert_eq!((plan.batch, plan.recomputation), (batch, None), "{name}, {limit}");
        }
        let mut model = build(&dry_device(&cpu()).expect("it has f32"));
        assert_eq!(model.largest_batch(&train, &fit(&watched, 1, Some(1 << 30))).unwrap(), 3000, "{name}");
    }
}
