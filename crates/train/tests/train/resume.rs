//! Going on after an interruption, a kill, damage.

use crate::common::{StopAfter, folder};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use warploom_cpu::Cpu;
use warploom_data::{Array, Dataset, Targets, Values};
use warploom_nn::{Adam, Dense, Dropout, Model, Sequential, layers, losses, schedules};
use warploom_tensor::Device;
use warploom_train::callbacks::{Context, CsvLogger, EarlyStopping, ReduceOnPlateau, TensorBoard};
use warploom_train::{
    Callback, Checkpoints, Fit, History, Outcome, Result, Snapshot, Training, checkpoint, metrics, weights,
};

/// 131 launches of two steps, and a smaller last batch.
const EXAMPLES: usize = 262 * 3 + 2;
const EPOCHS: usize = 4;

fn examples() -> Dataset {
    let numbers = |count: usize, seed: u32| {
        let mut state = seed;
        (0..count).map(move |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        })
    };
    let features: Vec<f32> =
        numbers(EXAMPLES * 4, 1).map(|word| (word >> 8) as f32 / (1 << 24) as f32).collect();
    let labels: Vec<i32> =
        features.chunks(4).map(|row| (row[0] * row[1] * 9.0 + row[2]) as i32 % 3).collect();
    let array = Array::new(Values::F32(features), &[4]).unwrap();
    Dataset::new(array, Targets::numbered_classes(labels, 3).unwrap()).unwrap()
}

fn model(device: &Device) -> Model {
    let layers = layers![Dense::new(8).relu(), Dropout::new(0.2), Dense::new(3)];
    let mut model = Sequential::new(layers).seed(3).build([4], device).unwrap();
    let schedule = schedules::Cosine { total: 263 * EPOCHS as u32, warmup: 20, minimum: 1e-4 };
    let adam = Adam::new(1e-2).schedule(schedule);
    model
        .compile(adam, losses::cross_entropy, [metrics::accuracy(), metrics::f1(Default::default())])
        .unwrap();
    model
}

fn cpu() -> Device {
    Device::from_executor(Arc::new(Cpu::new(Some(1))))
}

fn fit<'a>(folder: &Path, validation: &'a Dataset) -> Fit<'a> {
    let early = EarlyStopping::new("val_loss").patience(10).restore_best_weights();
    let plateau = ReduceOnPlateau::new("val_accuracy").patience(1).factor(0.7).min_delta(0.1);
    Fit::epochs(EPOCHS)
        .batch(3)
        .seed(11)
        .quiet()
        .validation_data(validation)
        .callback(early)
        .callback(plateau)
        .callback(CsvLogger::new(folder.join("log.csv")))
        .callback(TensorBoard::new(folder.join("events")))
        .checkpoints(Checkpoints::new(folder.join("checkpoints")).every_steps(50).resume())
}

fn series(history: &History) -> Vec<(String, Vec<u64>)> {
    history.iter().map(|(n, values)| (n.to_owned(), values.iter().map(|v| v.to_bits()).collect())).collect()
}

#[test]
fn an_interrupted_training_ends_where_the_whole_one_does() {
    let data = examples();
    let validation = data.subset(&(0..100).collect::<Vec<_>>()).unwrap();
    let (whole, parts) = (folder("whole"), folder("parts"));
    let device = cpu();
    let mut one = model(&device);
    let history = one.fit_data(&data, fit(&whole, &validation)).unwrap();
    assert_eq!(history.outcome(), Outcome::Finished);
    let wanted = Snapshot::of(&one).unwrap();

    // Stops at the first launch, in the middle, at the end of an epoch, in the last batch.
    let mut interrupted = 0;
    for launches in [1, 40, 131, 132, 133, 7, 50, usize::MAX] {
        let device = cpu();
        let mut model = model(&device);
        let stop = AtomicBool::new(false);
        let fit = fit(&parts, &validation).callback(StopAfter(launches, &stop)).stop(&stop);
        let found = model.fit_data(&data, fit).unwrap();
        if launches < usize::MAX {
            interrupted += usize::from(found.outcome() == Outcome::Interrupted);
            continue;
        }
        assert_eq!(Snapshot::of(&model).unwrap(), wanted);
        assert_eq!(series(&found), series(&history));
        // All is done: once more gives the same.
        let mut model = self::model(&device);
        let again = model.fit_data(&data, self::fit(&parts, &validation)).unwrap();
        assert_eq!(Snapshot::of(&model).unwrap(), wanted);
        assert_eq!(series(&again), series(&history));
    }
    assert_eq!(interrupted, 7);
    let read = |folder: &Path| fs::read_to_string(folder.join("log.csv")).unwrap();
    assert_eq!(read(&parts), read(&whole));
    let events = |folder: &Path| {
        let train = fs::read_dir(folder.join("events/train")).unwrap().map(|e| e.unwrap().path());
        train.map(|path| fs::metadata(path).unwrap().len()).sum::<u64>()
    };
    assert_eq!(events(&parts), events(&whole));
    for state in checkpoint::inspect(&parts.join("checkpoints")).unwrap() {
        assert!(state.place.is_ok(), "{state:?}");
    }
    fs::remove_dir_all(whole).unwrap();
    fs::remove_dir_all(parts).unwrap();
}

/// A training that is ended after some steps, with its last two checkpoints.
fn begun(name: &str) -> (PathBuf, Dataset, Vec<checkpoint::CheckpointState>) {
    let (folder, data) = (folder(name), examples());
    let stop = AtomicBool::new(false);
    let device = cpu();
    let kept = Checkpoints::new(folder.join("checkpoints")).every_steps(50);
    let fit = Fit::epochs(EPOCHS).batch(3).seed(11).quiet().checkpoints(kept);
    model(&device).fit_data(&data, fit.callback(StopAfter(80, &stop)).stop(&stop)).unwrap();
    let states = checkpoint::inspect(&folder.join("checkpoints")).unwrap();
    assert_eq!(states.len(), 2, "the last and the one before: {states:?}");
    assert_eq!((states[0].place.clone(), states[1].place.clone()), (Ok((0, 160)), Ok((0, 150))));
    (folder, data, states)
}

fn goes_on<'a>(folder: &Path) -> Fit<'a> {
    let kept = Checkpoints::new(folder.join("checkpoints")).every_steps(50).resume();
    Fit::epochs(EPOCHS).batch(3).seed(11).quiet().checkpoints(kept)
}

#[test]
fn a_damaged_checkpoint_is_noticed_and_the_one_before_is_used() {
    let device = cpu();
    let mut whole = model(&device);
    whole.fit_data(&examples(), Fit::epochs(EPOCHS).batch(3).seed(11).quiet()).unwrap();
    let wanted = Snapshot::of(&whole).unwrap();
    let damage: [(&str, &str, fn(&mut Vec<u8>)); 5] = [
        ("model.safetensors", "bytes instead of", |bytes| bytes.truncate(bytes.len() / 2)),
        ("training.safetensors", "checksum", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("manifest.json", "not whole", |bytes| bytes.truncate(bytes.len() / 2)),
        ("manifest.json", "checksum", |bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap().replace("\"batch\": 160", "\"batch\": 161");
            *bytes = text.into_bytes();
        }),
        ("model.safetensors", "bytes instead of", |bytes| bytes.clear()),
    ];
    for (position, (file, why, change)) in damage.into_iter().enumerate() {
        let (folder, data, states) = begun(&format!("damaged-{position}"));
        let path = states[0].path.join(file);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let states = checkpoint::inspect(&folder.join("checkpoints")).unwrap();
        let said = states[0].place.clone().unwrap_err();
        assert!(said.contains(why) && states[1].place.is_ok(), "{said}");
        let device = cpu();
        let mut model = model(&device);
        model.fit_data(&data, goes_on(&folder)).unwrap();
        assert_eq!(Snapshot::of(&model).unwrap(), wanted);
        fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn what_cannot_go_on_says_why() {
    let (folder, data, states) = begun("refused");
    let error = |fit: Fit<'_>| model(&cpu()).fit_data(&data, fit).unwrap_err().to_string();
    let other = error(goes_on(&folder).batch(4));
    assert!(other.contains("a batch size of: 3, now 4"), "{other}");
    assert!(error(goes_on(&folder).seed(12)).contains("the seed: 11, now 12"));
    assert!(
        error(goes_on(&folder).checkpoints(Checkpoints::new("x").every_steps(0))).contains("every 0 steps")
    );
    let manifest = states[0].path.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
    let newer = error(goes_on(&folder));
    assert!(newer.contains("newer version of Warploom"), "{newer}");
    for state in &states {
        fs::write(state.path.join("manifest.json"), "").unwrap();
    }
    let none = error(goes_on(&folder));
    assert!(none.contains("no checkpoint is whole") && none.contains("checkpoint-"), "{none}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_learned_is_not_unlearned() {
    let (folder, data) = (folder("unlearned"), examples());
    let fit = |epochs: usize| {
        let kept = Checkpoints::new(folder.join("checkpoints")).resume();
        Fit::epochs(epochs).batch(3).seed(11).quiet().checkpoints(kept)
    };
    model(&cpu()).fit_data(&data, fit(2)).unwrap();
    let error = model(&cpu()).fit_data(&data, fit(1)).unwrap_err().to_string();
    assert!(
        error.contains("has 2 epochs behind it, but 1 in all are asked for; ask for 2 or more"),
        "{error}"
    );
    assert_eq!(model(&cpu()).fit_data(&data, fit(3)).unwrap().epochs().len(), 3);
    fs::remove_dir_all(folder).unwrap();
}

/// Fails in its second epoch.
struct Fails;

impl Callback for Fails {
    fn name(&self) -> &'static str {
        "fails"
    }

    fn epoch_begin(&mut self, epoch: usize, _: &mut Context<'_>) -> Result<()> {
        if epoch == 1 { Err(warploom_train::Error::invalid("as if it were killed")) } else { Ok(()) }
    }
}

#[test]
fn the_first_epoch_ends_with_a_checkpoint_however_long_the_interval_is() {
    let (folder, data) = (folder("first-epoch"), examples());
    let kept = Checkpoints::new(folder.join("checkpoints")).every(Duration::from_secs(3600));
    let fit = Fit::epochs(2).batch(3).seed(11).quiet().checkpoints(kept).callback(Fails);
    model(&cpu()).fit_data(&data, fit).unwrap_err();
    let states = checkpoint::inspect(&folder.join("checkpoints")).unwrap();
    assert_eq!(states.iter().map(|state| state.place.clone()).collect::<Vec<_>>(), [Ok((1, 0))]);
    fs::remove_dir_all(folder).unwrap();
}

/// Runs the test of that name in a process of its own.
fn child(name: &str, folder: &Path, limit: Option<usize>) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = match limit {
        None => Command::new(program),
        Some(blocks) => {
            // Files of at most so many blocks of 512 bytes: writes fail as on a full disk.
            let mut shell = Command::new("sh");
            let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
            shell.args(["-c", &script]).arg(program);
            shell
        }
    };
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env("WARPLOOM_TEST_FOLDER", folder);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn given_folder() -> Option<PathBuf> {
    std::env::var_os("WARPLOOM_TEST_FOLDER").map(PathBuf::from)
}

/// Slows the training down, so that a kill falls into it.
struct Slow;

impl Callback for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn batch_end(&mut self, _: usize, _: &mut Context<'_>) -> Result<()> {
        std::thread::sleep(Duration::from_micros(700));
        Ok(())
    }
}

/// What the killed process does; nothing where it is run as a test.
#[test]
fn trained_in_a_child() {
    let Some(folder) = given_folder() else { return };
    let data = examples();
    let validation = data.subset(&(0..100).collect::<Vec<_>>()).unwrap();
    let device = cpu();
    let mut model = model(&device);
    let checkpoints = Checkpoints::new(folder.join("checkpoints")).every_steps(6).resume();
    let fit = fit(&folder, &validation).callback(Slow).checkpoints(checkpoints);
    model.fit_data(&data, fit).unwrap();
    weights::save(&folder.join("final.safetensors"), &model, &[]).unwrap();
}

fn finished(mut child: Child) -> bool {
    child.wait().unwrap().success()
}

/// `WARPLOOM_TEST_KILLS` says how often, 10 times if not said.
#[test]
fn killed_at_random_moments_it_ends_with_the_same_bits() {
    if given_folder().is_some() {
        return;
    }
    let kills: usize = std::env::var("WARPLOOM_TEST_KILLS").map_or(10, |n| n.parse().unwrap());
    let whole = folder("unkilled");
    assert!(finished(child("resume::trained_in_a_child", &whole, None).spawn().unwrap()));
    let wanted = fs::read(whole.join("final.safetensors")).unwrap();
    let log = fs::read_to_string(whole.join("log.csv")).unwrap();
    fs::remove_dir_all(whole).unwrap();

    let (mut killed, mut runs, mut random) = (0, 0, 0x2545_f491u32);
    while killed < kills {
        let folder = folder(&format!("killed-{runs}"));
        runs += 1;
        loop {
            let mut process = child("resume::trained_in_a_child", &folder, None).spawn().unwrap();
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let moment = Instant::now() + Duration::from_millis(u64::from(random >> 8) % 250);
            while Instant::now() < moment && process.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            if killed < kills && process.try_wait().unwrap().is_none() {
                process.kill().unwrap();
                process.wait().unwrap();
                killed += 1;
                for state in checkpoint::inspect(&folder.join("checkpoints")).unwrap() {
                    assert!(state.place.is_ok(), "after kill {killed}: {state:?}");
                }
                continue;
            }
            assert!(finished(process));
            break;
        }
        assert!(fs::read(folder.join("final.safetensors")).unwrap() == wanted, "after {killed} kills");
        assert_eq!(fs::read_to_string(folder.join("log.csv")).unwrap(), log);
        fs::remove_dir_all(folder).unwrap();
    }
}

/// What runs on a full disk; nothing where it is run as a test.
#[test]
fn trained_on_a_full_disk() {
    let Some(folder) = given_folder() else { return };
    let device = cpu();
    let error = model(&device).fit_data(&examples(), goes_on(&folder)).unwrap_err();
    fs::write(folder.join("error"), error.to_string()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_and_leaves_what_was() {
    if given_folder().is_some() {
        return;
    }
    let (folder, data, states) = begun("full");
    let mut process = child("resume::trained_on_a_full_disk", &folder, Some(1)).spawn().unwrap();
    assert!(process.wait().unwrap().success());
    let said = fs::read_to_string(folder.join("error")).unwrap();
    assert!(said.contains("could not write") && said.contains("checkpoint-"), "{said}");
    let now = checkpoint::inspect(&folder.join("checkpoints")).unwrap();
    assert_eq!(format!("{now:?}"), format!("{states:?}"));
    let names: Vec<_> =
        fs::read_dir(folder.join("checkpoints")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing half-written is left: {names:?}");
    let device = cpu();
    model(&device).fit_data(&data, goes_on(&folder)).unwrap();
    fs::remove_dir_all(folder).unwrap();
}

/// Takes some time at the end of each epoch.
struct Late;

impl Callback for Late {
    fn name(&self) -> &'static str {
        "late"
    }

    fn epoch_end(&mut self, _: usize, _: &mut warploom_train::Scores, _: &mut Context<'_>) -> Result<()> {
        std::thread::sleep(PAUSE);
        Ok(())
    }
}

const PAUSE: Duration = Duration::from_millis(300);

#[test]
fn the_time_of_all_processes_counts() {
    let folder = folder("seconds");
    let fit = |epochs| {
        let checkpoints = Checkpoints::new(folder.join("checkpoints")).resume();
        Fit::epochs(epochs).batch(3).seed(1).quiet().checkpoints(checkpoints)
    };
    let first = model(&cpu()).fit_data(&examples(), fit(1).callback(Late)).unwrap();
    assert_eq!(first.earlier_seconds(), 0.0);
    let second = model(&cpu()).fit_data(&examples(), fit(2)).unwrap();
    let earlier = second.earlier_seconds();
    assert!(earlier >= PAUSE.as_secs_f64() && earlier <= first.seconds(), "{earlier}");
    assert!(second.seconds() > earlier, "{}", second.seconds());
    let _ = fs::remove_dir_all(&folder);
}
