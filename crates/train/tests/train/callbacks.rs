//! Callbacks on scripted scores, and what they write.

use crate::common::folder;
use std::path::PathBuf;
use std::sync::Arc;
use warploom_cpu::Cpu;
use warploom_nn::{Dense, Initialiser, Model, Parameters, Sequential, Sgd, losses, schedules};
use warploom_tensor::{Device, Tensor};
use warploom_train::callbacks::{
    Context, CsvLogger, EarlyStopping, LearningRateScheduler, ModelCheckpoint, ReduceOnPlateau, TensorBoard,
};
use warploom_train::{Callback, Fit, Outcome, Result, Scores, Snapshot, Training, metrics, weights};

fn cpu() -> Device {
    Device::from_executor(Arc::new(Cpu::new(Some(1))))
}

fn line(device: &Device, rate: f64) -> (Model, Tensor, Tensor) {
    let dense = Dense::new(1).weight(Initialiser::Zeros).bias(Initialiser::Zeros);
    let mut model = Sequential::new([dense]).build([1], device).unwrap();
    model.compile(Sgd::new(rate), losses::mean_squared_error, [metrics::mean_absolute_error()]).unwrap();
    let x: Vec<f32> = (0..40).map(|i| i as f32 / 40.0).collect();
    let y: Vec<f32> = x.iter().map(|x| 3.0 * x - 1.0).collect();
    let make = |v: &[f32]| device.scope(|| Tensor::from_slice(v, &[40, 1]));
    (model, make(&x), make(&y))
}

/// Says what `val_loss` is, and keeps the weights of every epoch.
struct Script<'a> {
    losses: &'a [f64],
    weights: Vec<Snapshot>,
}

impl Callback for Script<'_> {
    fn name(&self) -> &'static str {
        "script"
    }

    fn epoch_end(&mut self, epoch: usize, scores: &mut Scores, now: &mut Context<'_>) -> Result<()> {
        scores.set("val_loss", self.losses[epoch]);
        self.weights.push(Snapshot::of(now.model())?);
        Ok(())
    }
}

fn script(losses: &[f64]) -> Script<'_> {
    Script { losses, weights: Vec::new() }
}

#[test]
fn a_plateau_lowers_the_rate_as_keras_does() {
    let device = cpu();
    let (mut model, x, y) = line(&device, 1.0);
    let losses = [1.0, 0.95, 0.92, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5];
    let plateau = ReduceOnPlateau::new("val_loss").factor(0.5).patience(2).min_delta(0.1).cooldown(1);
    let fit = Fit::epochs(10).quiet().callback(script(&losses)).callback(plateau.min_learning_rate(0.2));
    let history = model.fit(&x, &y, fit).unwrap();
    // By hand from keras/src/callbacks/reduce_lr_on_plateau.py: reduced after epochs 2, 5 and 7, held at the minimum.
    let wanted = [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2f32, 0.2].map(f64::from);
    assert_eq!(history["learning_rate"], wanted);
}

#[test]
fn early_stopping_stops_and_gives_the_best_weights_back() {
    let device = cpu();
    let losses = [1.0, 0.95, 0.85, 0.8, 0.84, 0.1];
    for restore in [false, true] {
        let (mut model, x, y) = line(&device, 0.1);
        let mut script = script(&losses);
        let mut early = EarlyStopping::new("val_loss").patience(2).min_delta(0.1);
        if restore {
            early = early.restore_best_weights();
        }
        let fit = Fit::epochs(6).quiet().callback(&mut script).callback(&mut early);
        let history = model.fit(&x, &y, fit).unwrap();
        assert_eq!((history.outcome(), history.epochs().len()), (Outcome::Stopped, 5));
        assert_eq!((early.stopped_epoch(), early.best()), (Some(4), Some((0.85, 2))));
        let left = Snapshot::of(&model).unwrap();
        assert_eq!(left, script.weights[if restore { 2 } else { 4 }]);
        assert_ne!(script.weights[2], script.weights[4]);
    }
    // A baseline that is never reached ends it after the patience; accuracy is better when larger.
    let (mut model, x, y) = line(&device, 0.1);
    let mut early = EarlyStopping::new("val_loss").baseline(0.0).patience(1);
    model.fit(&x, &y, Fit::epochs(6).quiet().callback(script(&losses)).callback(&mut early)).unwrap();
    assert_eq!(early.stopped_epoch(), Some(4), "it gets better until epoch 3");
    // A NaN is never the best, so that what follows can be.
    let (mut model, x, y) = line(&device, 0.1);
    let mut early = EarlyStopping::new("val_loss").patience(9).restore_best_weights();
    let losses = [f64::NAN, f64::NAN, 0.5, f64::NAN];
    let mut script = script(&losses);
    model.fit(&x, &y, Fit::epochs(4).quiet().callback(&mut script).callback(&mut early)).unwrap();
    assert_eq!((early.best(), early.restored_epoch()), (Some((0.5, 2)), Some(2)));
    assert_eq!(early.best_weights(), Some(&script.weights[2]));
    struct Accuracy;
    impl Callback for Accuracy {
        fn name(&self) -> &'static str {
            "accuracy"
        }
        fn epoch_end(&mut self, epoch: usize, scores: &mut Scores, _: &mut Context<'_>) -> Result<()> {
            scores.set("val_accuracy", [0.1, 0.2, 0.3, 0.2, 0.4, 0.5][epoch]);
            Ok(())
        }
    }
    let mut early = EarlyStopping::new("val_accuracy");
    model.fit(&x, &y, Fit::epochs(6).quiet().callback(Accuracy).callback(&mut early)).unwrap();
    assert_eq!((early.stopped_epoch(), early.best()), (Some(3), Some((0.3, 2))));
}

#[test]
fn a_scheduled_rate_acts_and_compiles_nothing() {
    let device = cpu();
    let (mut model, x, y) = line(&device, 0.1);
    let mut kept = script(&[0.0; 4]);
    let schedule = LearningRateScheduler::new(|epoch, rate| if epoch < 2 { rate } else { 0.0 });
    let before = device.compiled_programs();
    let history = model.fit(&x, &y, Fit::epochs(4).quiet().callback(schedule).callback(&mut kept)).unwrap();
    let programs = device.compiled_programs() - before;
    assert_eq!(history["learning_rate"], [0.1f32, 0.1, 0.0, 0.0].map(f64::from));
    assert_eq!(kept.weights[1], kept.weights[2], "a rate of 0 changes nothing");
    assert_ne!(kept.weights[0], kept.weights[1]);
    assert!(programs <= 1, "only the assignment of the rate: {programs}");
}

#[test]
fn weights_come_back_without_a_program_or_memory() {
    let device = cpu();
    let (mut model, x, y) = line(&device, 0.1);
    let first = Snapshot::of(&model).unwrap();
    model.fit(&x, &y, Fit::epochs(1).quiet()).unwrap();
    assert_ne!(Snapshot::of(&model).unwrap(), first);
    let (programs, before) = (device.compiled_programs(), device.statistics());
    first.restore(&model).unwrap();
    let after = device.statistics();
    assert_eq!(device.compiled_programs(), programs);
    assert_eq!((after.live_bytes, after.peak_bytes), (before.live_bytes, before.peak_bytes));
    assert_eq!(Snapshot::of(&model).unwrap(), first);
}

#[test]
fn best_weights_are_saved_under_filled_names() {
    let device = cpu();
    let folder = folder("best");
    let (mut model, x, y) = line(&device, 0.1);
    let losses = [0.5, 0.75, 0.25];
    let mut kept = script(&losses);
    let path = folder.join("deep/w-{epoch:02d}-{val_loss:.2f}.safetensors");
    let mut best = ModelCheckpoint::new(path.to_string_lossy()).save_best_only().about("by", "test");
    model.fit(&x, &y, Fit::epochs(3).quiet().callback(&mut kept).callback(&mut best)).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder.join("deep"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["w-01-0.50.safetensors", "w-03-0.25.safetensors"]);
    assert_eq!(best.best(), Some(0.25));
    let first = folder.join("deep").join(&names[0]);
    weights::load(&first, &model).unwrap();
    assert_eq!(Snapshot::of(&model).unwrap(), kept.weights[0]);
    assert_eq!(weights::about(&first).unwrap()["by"], "test");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_line_of_csv_for_each_epoch() {
    let device = cpu();
    let folder = folder("csv");
    let (mut model, x, y) = line(&device, 0.1);
    let path = folder.join("log.csv");
    let mut fit = || {
        let fit = Fit::epochs(2).validation_split(0.5).quiet();
        model.fit(&x, &y, fit.callback(CsvLogger::new(&path).append())).unwrap()
    };
    let (first, second) = (fit(), fit());
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("epoch,loss,mean_absolute_error,val_loss,val_mean_absolute_error"));
    for history in [&first, &second] {
        for epoch in 0..2 {
            let cells: Vec<f64> =
                lines.next().unwrap().split(',').map(|cell| cell.parse().unwrap()).collect();
            let wanted = ["loss", "mean_absolute_error", "val_loss", "val_mean_absolute_error"];
            assert_eq!(cells[0], epoch as f64);
            assert!(wanted.iter().zip(&cells[1..]).all(|(name, cell)| history[name][epoch] == *cell));
        }
    }
    assert_eq!(lines.next(), None);
    std::fs::remove_dir_all(folder).unwrap();
}

/// CRC-32C, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 },
        )
    })
}

fn masked(bytes: &[u8]) -> u32 {
    let sum = crc(bytes);
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Fields of a protobuf message: number and bytes (of a varint, its value as u64).
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                found.push((key >> 3, varint(&mut bytes).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut bytes) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        found.push((key >> 3, bytes[..length].to_vec()));
        bytes = &bytes[length..];
    }
    found
}

/// Step, tag and value of every scalar of the only event file in a folder.
fn scalars(folder: PathBuf) -> Vec<(u64, String, f32)> {
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let name = files[0].file_name().unwrap().to_str().unwrap();
    let parts: Vec<&str> = name.strip_prefix("events.out.tfevents.").expect(name).split('.').collect();
    assert!(parts[0].len() == 10 && parts[0].parse::<u64>().is_ok() && parts.len() >= 4, "{name}");
    let bytes = std::fs::read(&files[0]).unwrap();
    let (mut rest, mut found, mut first) = (&bytes[..], Vec::new(), true);
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        assert_eq!(word(8), masked(&rest[..8]));
        let data = &rest[12..12 + length];
        assert_eq!(word(12 + length), masked(data));
        let event = fields(data);
        assert_eq!((event[0].0, event[0].1.len()), (1, 8), "wall time first");
        if std::mem::take(&mut first) {
            assert_eq!(event[1], (3, b"brain.Event:2".to_vec()));
        } else {
            let step =
                event.iter().find(|f| f.0 == 2).map(|f| u64::from_le_bytes(f.1[..].try_into().unwrap()));
            let (_, summary) = event.iter().find(|f| f.0 == 5).expect("a summary");
            for (number, value) in fields(summary) {
                assert_eq!(number, 1);
                let value = fields(&value);
                let tag = String::from_utf8(value[0].1.clone()).unwrap();
                let number = f32::from_le_bytes(value[1].1[..].try_into().unwrap());
                assert_eq!((value[0].0, value[1].0), (1, 2));
                found.push((step.expect("a step"), tag, number));
            }
        }
        rest = &rest[16 + length..];
    }
    found
}

#[test]
fn events_read_back() {
    let device = cpu();
    let folder = folder("events");
    let (mut model, x, y) = line(&device, 0.1);
    let fit = Fit::epochs(200).validation_split(0.5).quiet().callback(TensorBoard::new(&folder));
    let history = model.fit(&x, &y, fit).unwrap();
    for (part, prefix) in [("train", ""), ("validation", "val_")] {
        let found = scalars(folder.join(part));
        let of = |tag: &str| found.iter().filter(|f| f.1 == tag).map(|f| (f.0, f.2)).collect::<Vec<_>>();
        for name in ["loss", "mean_absolute_error"] {
            let series = history[&format!("{prefix}{name}")[..]].iter();
            let wanted: Vec<(u64, f32)> = series.enumerate().map(|(i, v)| (i as u64, *v as f32)).collect();
            assert_eq!(of(&format!("epoch_{name}")), wanted);
        }
        assert_eq!(of("epoch_learning_rate").len(), if part == "train" { 200 } else { 0 });
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn events_have_the_rate_of_the_schedule() {
    let device = cpu();
    let folder = folder("rates");
    let (mut model, x, y) = line(&device, 0.1);
    // Two updates an epoch: the last of each, numbered from 0, is 1, 3, 5.
    let halved = schedules::Step { every: 2, factor: 0.5 };
    model.compile(Sgd::new(0.1).schedule(halved), losses::mean_squared_error, []).unwrap();
    model.fit(&x, &y, Fit::epochs(3).quiet().callback(TensorBoard::new(&folder))).unwrap();
    let found = scalars(folder.join("train"));
    let rates: Vec<f32> = found.iter().filter(|f| f.1 == "epoch_learning_rate").map(|f| f.2).collect();
    assert_eq!(rates, [0.1, 0.05, 0.025]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn parts_of_the_fit() {
    let device = cpu();
    let (mut model, x, y) = line(&device, 0.1);
    struct Steps(usize, Vec<usize>);
    impl Callback for Steps {
        fn name(&self) -> &'static str {
            "steps"
        }
        fn epoch_begin(&mut self, epoch: usize, _: &mut Context<'_>) -> Result<()> {
            self.1.push(epoch);
            Ok(())
        }
        fn batch_end(&mut self, batches: usize, _: &mut Context<'_>) -> Result<()> {
            self.0 = self.0.max(batches);
            Ok(())
        }
    }
    let mut steps = Steps(0, Vec::new());
    let fit = Fit::epochs(5).initial_epoch(2).batch(7).steps_per_epoch(3).quiet();
    let fit = fit.validation_data_of(&x, &y);
    let history = model.fit(&x, &y, fit.callback(&mut steps)).unwrap();
    assert_eq!((steps.0, &steps.1[..]), (3, &[2usize, 3, 4][..]));
    assert_eq!(history.epochs().len(), 3);
    assert_eq!(history.plan().examples, [21, 20, 0]);
    assert_eq!(history["val_loss"].len(), 1, "every second epoch, the one numbered 3");
    let error = model.fit(&x, &y, Fit::epochs(2).initial_epoch(2)).unwrap_err().to_string();
    assert!(error.contains("initial epoch is 2 of 2"), "{error}");
}

/// Validation on 4 batches of 5, every second epoch.
trait Watched<'a> {
    fn validation_data_of(self, x: &'a Tensor, y: &'a Tensor) -> Fit<'a>;
}

impl<'a> Watched<'a> for Fit<'a> {
    fn validation_data_of(self, x: &'a Tensor, y: &'a Tensor) -> Fit<'a> {
        self.validation(x, y).validation_batch(5).validation_steps(4).validation_every(2)
    }
}

#[test]
fn predictions_in_batches_are_the_same() {
    let device = cpu();
    let (mut model, x, y) = line(&device, 0.1);
    model.fit(&x, &y, Fit::epochs(1).quiet()).unwrap();
    let all = model.predict(&x).unwrap().to_vec::<f32>().unwrap();
    assert_eq!(model.predict_in_batches(&x, 7).unwrap().to_vec::<f32>().unwrap(), all);
    assert!(model.predict_in_batches(&x, 0).unwrap_err().to_string().contains("batch size is 0"));
    assert_eq!(model.parameter_count().unwrap(), 2);
}

#[test]
fn a_callback_cannot_train_what_is_being_trained() {
    let device = cpu();
    let (mut model, x, y) = line(&device, 0.1);
    struct Nested(Tensor, Tensor);
    impl Callback for Nested {
        fn name(&self) -> &'static str {
            "nested"
        }
        fn epoch_end(&mut self, _: usize, _: &mut Scores, now: &mut Context<'_>) -> Result<()> {
            now.model().predict(&self.0)?;
            now.model().evaluate(&self.0, &self.1).map(|_| ())
        }
    }
    let nested = Nested(x.clone(), y.clone());
    let error = model.fit(&x, &y, Fit::epochs(1).quiet().callback(nested)).unwrap_err().to_string();
    assert!(error.contains("being trained"), "{error}");
    model.evaluate(&x, &y).unwrap();
}
