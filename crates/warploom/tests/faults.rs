//! A GPU that is lost in the middle of an epoch: the error says so, and training goes on from the last checkpoint on another
//! device. Skipped without any adapter, unless `WARPLOOM_REQUIRE_GPU` is set.
#![cfg(feature = "wgpu")]

#[path = "../../wgpu/tests/rounds/mod.rs"]
mod rounds;

use rounds::{alone, over_and_over};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use warploom::data::{Array, Targets, Values};
use warploom::device::Executor;
use warploom::prelude::*;
use warploom::train::callbacks::Context;
use warploom::train::{Callback, Cause, Checkpoints, Snapshot, checkpoint};
use warploom::wgpu::{Wgpu, adapters};

const BATCH: usize = 2;
/// A prime number that exceeds the steps of a launch: each batch is a launch of its own.
const BATCHES: usize = 131;
const EPOCHS: usize = 2;
/// Steps from one checkpoint to the next.
const EVERY: usize = 40;

fn open() -> Option<Arc<Wgpu>> {
    match adapters().first() {
        Some(adapter) => Some(Arc::new(Wgpu::open(Some(adapter.index)).unwrap())),
        None => {
            assert!(std::env::var_os("WARPLOOM_REQUIRE_GPU").is_none(), "no adapter");
            println!("skipped: no adapter");
            None
        }
    }
}

fn examples() -> Dataset {
    let features: Vec<f32> = (0..BATCH * BATCHES * 4).map(|i| (i * 37 % 101) as f32 / 101.0).collect();
    let labels = features.chunks(4).map(|row| (row[0] * row[1] * 9.0 + row[2]) as i32 % 3).collect();
    let features = Array::new(Values::F32(features), &[4]).unwrap();
    Dataset::new(features, Targets::numbered_classes(labels, 3).unwrap()).unwrap()
}

fn model(device: &Device) -> Model {
    let layers = layers![Dense::new(8).relu(), Dropout::new(0.2), Dense::new(3)];
    let mut model = Sequential::new(layers).seed(3).build([4], device).unwrap();
    model.compile(Adam::new(1e-2), losses::cross_entropy, [metrics::accuracy()]).unwrap();
    model
}

fn fit<'a>(folder: &Path) -> Fit<'a> {
    let checkpoints = Checkpoints::new(folder).every_steps(EVERY).resume();
    Fit::epochs(EPOCHS).batch(BATCH).seed(11).quiet().checkpoints(checkpoints)
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("warploom-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// Loses the device after so many launches.
struct LoseAfter(usize, Arc<Wgpu>);

impl Callback for LoseAfter {
    fn name(&self) -> &'static str {
        "lose_after"
    }

    fn batch_end(&mut self, _: usize, _: &mut Context<'_>) -> warploom::Result<()> {
        self.0 = self.0.saturating_sub(1);
        if self.0 == 0 {
            self.1.lose();
        }
        Ok(())
    }
}

/// Trains on a device that is lost after so many launches, and holds nothing of it afterwards.
fn broken_off(gpu: &Arc<Wgpu>, folder: &Path, launches: usize) -> warploom::Error {
    let device = Device::from_executor(gpu.clone());
    let mut model = model(&device);
    let lost = LoseAfter(launches, gpu.clone());
    let error = model.fit_data(&examples(), fit(folder).callback(lost)).unwrap_err();
    // What is still asked of the model is refused as well.
    assert!(Snapshot::of(&model).unwrap_err().to_string().contains("lost"));
    drop((model, device));
    assert_eq!(gpu.statistics().live_bytes, 0, "after {launches} launches");
    error
}

#[test]
fn a_training_whose_device_is_lost_goes_on_from_its_checkpoint() {
    let _alone = alone();
    let Some(gpu) = open() else { return };
    let data = examples();
    let whole = folder("whole-gpu");
    let mut model = self::model(&Device::from_executor(gpu));
    let history = model.fit_data(&data, fit(&whole)).unwrap();
    assert_eq!(history.launches_per_step(), 1.0);
    let wanted = Snapshot::of(&model).unwrap();
    fs::remove_dir_all(whole).unwrap();

    // Before the first checkpoint, while it is written, within an epoch, at its end, while one of the second is written.
    for (launches, place) in
        [(1, None), (40, None), (57, Some((0, 40))), (131, Some((0, 120))), (200, Some((1, 29)))]
    {
        let folder = folder(&format!("lost-{launches}"));
        let error = broken_off(&open().unwrap(), &folder, launches);
        let text = error.to_string();
        assert_eq!(error.cause(), Cause::Device, "{text}");
        assert!(text.contains("the device was lost") && text.contains("from its last checkpoint"), "{text}");
        let states = checkpoint::inspect(&folder).unwrap();
        assert!(states.iter().all(|state| state.place.is_ok()), "{states:?}");
        assert_eq!(
            states.first().and_then(|state| state.place.clone().ok()),
            place,
            "{launches}: {states:?}"
        );

        if launches == 57 {
            let copy = self::folder("lost-to-the-cpu");
            copy_folder(&folder, &copy);
            let mut model = self::model(&Device::named("cpu").unwrap());
            let found = model.fit_data(&data, fit(&copy)).unwrap();
            for (got, want) in found["loss"].iter().zip(&history["loss"]) {
                assert!((got / want - 1.0).abs() < 1e-4, "{got} for {want}");
            }
            fs::remove_dir_all(copy).unwrap();
        }
        let mut model = self::model(&Device::from_executor(open().unwrap()));
        let found = model.fit_data(&data, fit(&folder)).unwrap();
        assert_eq!(Snapshot::of(&model).unwrap(), wanted, "lost after {launches} launches");
        assert_eq!(found["loss"], history["loss"]);
        fs::remove_dir_all(folder).unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn trainings_whose_device_is_lost_leave_nothing_behind() {
    if open().is_none() {
        return;
    }
    let folder = folder("lost-often");
    over_and_over("lost in an epoch", 10, |round| {
        let _ = fs::remove_dir_all(&folder);
        let error = broken_off(&open().unwrap(), &folder, 1 + round * 7 % 60).to_string();
        assert!(error.contains("the device was lost"), "{error}");
        for state in checkpoint::inspect(&folder).unwrap() {
            assert!(state.place.is_ok(), "{state:?}");
        }
    });
    let _ = fs::remove_dir_all(folder);
}
