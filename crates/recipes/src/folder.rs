//! The folder of a run.

use crate::parse::parse;
use crate::schema::Recipe;
use crate::signature::Signature;
use serde_json::{Value, json};
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use warploom_data::transform::Transform;
use warploom_nn::Model;
use warploom_train::weights::{self, write_atomically};
use warploom_train::{Error, Result};

/// The version of the folder's layout that is written. Earlier ones are read as well.
const FORMAT: u64 = 1;

const WEIGHTS: &str = "weights.safetensors";
const RECIPE: &str = "recipe.toml";
const FORMAT_FILE: &str = "run.json";
/// What a run writes beside its checkpoints and [`FORMAT_FILE`].
const FILES: [&str; 8] = [
    RECIPE,
    WEIGHTS,
    "transform.json",
    "metrics.jsonl",
    "history.csv",
    "tensorboard",
    "summary.json",
    "report.html",
];
const CHECKPOINTS: &str = "checkpoints";
/// Where a run that another one follows in the same folder is put aside.
const PREVIOUS: &str = "previous";
/// The key of the signature in the weights' header.
const SIGNATURE: &str = "signature";

/// What a run leaves behind: `run.json` (the layout's version, the command that repeats it, what memory it took), `recipe.toml`,
/// `weights.safetensors`, `transform.json`, `metrics.jsonl` (epochs from 1, as on the page), `history.csv` and
/// `tensorboard/` (epochs from 0, as Keras), `checkpoints/`, `summary.json` and `report.html`.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

/// Keeps other runs out of a folder. The operating system lets go of it with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl RunFolder {
    /// Makes the folder, or takes what is there, for one run: until the lock is dropped no other can have it.
    ///
    /// # Errors
    /// A folder that cannot be made or written, is another run's at this moment, or was written by a newer Warploom.
    pub fn create(path: &Path) -> Result<(RunFolder, Lock)> {
        fs::create_dir_all(path).map_err(Error::io("make the run folder", path))?;
        let folder = RunFolder(path.to_path_buf());
        folder.check_foreign()?;
        let lock = folder.lock()?;
        folder.check_format()?;
        Ok((folder, lock))
    }

    /// Refuses a folder whose files would be overwritten without being a run's.
    fn check_foreign(&self) -> Result<()> {
        if self.file(FORMAT_FILE).exists() {
            return Ok(());
        }
        match FILES.iter().find(|name| self.file(name).exists()) {
            None => Ok(()),
            Some(name) => Err(Error::invalid(format!(
                "{} is no run's folder, but holds a {name} that the run would overwrite; give --out another folder",
                self.0.display()
            ))),
        }
    }

    fn lock(&self) -> Result<Lock> {
        let path = self.file(".lock");
        let mut options = File::options();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(Error::io("write", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!(
                    "another run (process {}) is writing to {}; wait for it to end, or give --out another folder",
                    written_in(&mut file),
                    self.0.display()
                );
                return Err(Error::invalid(message));
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        // For the message above alone: what counts is the lock.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock { _file: file })
    }

    fn check_format(&self) -> Result<()> {
        let path = self.file(FORMAT_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let about: Value = serde_json::from_str(&text).unwrap_or_default();
        match about["format"].as_u64() {
            Some(format) if (1..=FORMAT).contains(&format) => Ok(()),
            Some(format) => {
                let writer = about["warploom"].as_str().unwrap_or("unknown");
                let message = format!(
                    "{} has layout {format}, written by Warploom {writer}; this one reads up to {FORMAT}: use a newer Warploom",
                    self.0.display()
                );
                Err(Error::invalid(message))
            }
            None => Err(Error::invalid(format!("{} does not say which layout the run has", path.display()))),
        }
    }

    /// Begins a run: the layout's version, the command that repeats it, the resolved recipe, the fitted transforms.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn begin(&self, recipe: &Recipe, transform: Option<&Transform>, command: Option<&str>) -> Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        let about =
            json!({ "format": FORMAT, "warploom": version, "recipe": recipe.name, "command": command });
        write_atomically(&self.file(FORMAT_FILE), format!("{about:#}\n").as_bytes())?;
        write_atomically(&self.file(RECIPE), recipe.to_toml().as_bytes())?;
        let path = self.file("transform.json");
        match transform {
            Some(transform) => write_atomically(&path, transform.to_json().as_bytes()),
            None => gone(&path, fs::remove_file(&path)),
        }
    }

    /// Adds to what [`RunFolder::begin`] wrote what memory the run took.
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub fn save_memory(&self, memory: &Value) -> Result<()> {
        let path = self.file(FORMAT_FILE);
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let mut about: Value = serde_json::from_str(&text).unwrap_or_default();
        about["memory"] = memory.clone();
        write_atomically(&path, format!("{about:#}\n").as_bytes())
    }

    /// The command that repeats the run in a folder, if that is known.
    pub fn command(path: &Path) -> Option<String> {
        let about: Value = serde_json::from_str(&fs::read_to_string(path.join(FORMAT_FILE)).ok()?).ok()?;
        about["command"].as_str().map(str::to_owned)
    }

    /// What [`RunFolder::begin`] wrote.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn description(&self) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let files = [FORMAT_FILE, RECIPE, "transform.json"].map(|name| self.file(name));
        let read = |path: PathBuf| {
            let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
            Ok((path, bytes))
        };
        files.into_iter().filter(|path| path.exists()).map(read).collect()
    }

    /// Writes what [`RunFolder::description`] read.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn restore(&self, description: &[(PathBuf, Vec<u8>)]) -> Result<()> {
        description.iter().try_for_each(|(path, bytes)| write_atomically(path, bytes))
    }

    /// Makes room for a run that begins anew: a run with weights is put aside as `previous`, whole, so that it can be gone on
    /// with there; of one without weights the checkpoints as `checkpoints-before`. `note` hears of it; what an earlier call
    /// put aside goes.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn clear(&self, note: &mut dyn FnMut(String)) -> Result<()> {
        let checkpoints = self.file(CHECKPOINTS);
        if self.has_weights() {
            self.put_aside(note)?;
        } else if checkpoints.is_dir() {
            let failed = self.summary()["status"] == "failed";
            let aside = self.file("checkpoints-before");
            gone(&aside, fs::remove_dir_all(&aside))?;
            fs::rename(&checkpoints, &aside).map_err(Error::io("rename", &checkpoints))?;
            let (which, instead) = match failed {
                true => ("failed", ""),
                false => ("interrupted", " (--resume goes on instead)"),
            };
            note(format!(
                "beginning anew; the {which} run's checkpoints are put aside in {}{instead}",
                aside.display()
            ));
        }
        let events = self.file("tensorboard");
        gone(&events, fs::remove_dir_all(&events))?;
        // Until this run is over, no summary says that it is.
        let summary = self.file("summary.json");
        gone(&summary, fs::remove_file(&summary))
    }

    /// Moves what a run has written to a folder of its own, which is a run's again: weights never stand beside the
    /// transforms of another run.
    fn put_aside(&self, note: &mut dyn FnMut(String)) -> Result<()> {
        let aside = self.file(PREVIOUS);
        gone(&aside, fs::remove_dir_all(&aside))?;
        fs::create_dir_all(&aside).map_err(Error::io("make", &aside))?;
        let format = self.file(FORMAT_FILE);
        fs::copy(&format, aside.join(FORMAT_FILE)).map_err(Error::io("copy", &format))?;
        for name in FILES.iter().chain([&CHECKPOINTS]) {
            let from = self.file(name);
            if from.exists() {
                fs::rename(&from, aside.join(name)).map_err(Error::io("rename", &from))?;
            }
        }
        note(format!("the run that was in {} is put aside in {}", self.0.display(), aside.display()));
        Ok(())
    }

    /// A folder that a run has written, with its recipe.
    ///
    /// # Errors
    /// A folder that is not there, lacks a recipe or is of a newer Warploom; a recipe that cannot be read.
    pub fn open(path: &Path, overrides: &[String]) -> Result<(RunFolder, Recipe)> {
        let folder = RunFolder(path.to_path_buf());
        folder.check_format()?;
        let file = folder.file(RECIPE);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if !path.is_dir() => {
                let message = format!(
                    "{} is not the folder of a run ({error}); train makes one under runs/",
                    path.display()
                );
                return Err(Error::invalid(message));
            }
            Err(error) => return Err(Error::io("read the run's recipe", &file)(error)),
        };
        let recipe = parse(&text, &file.display().to_string(), overrides)?;
        Ok((folder, recipe))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Saves the weights, whole or not at all.
    ///
    /// # Errors
    /// A folder that cannot be written; what the device reports.
    pub fn save_weights(&self, model: &Model, recipe: &Recipe, signature: &Signature) -> Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        let signature = signature.to_text();
        let about = [
            ("format", "pt"),
            ("recipe", recipe.name.as_str()),
            ("warploom", version),
            (SIGNATURE, signature.as_str()),
        ];
        weights::save(&self.file(WEIGHTS), model, &about)
    }

    /// What the model takes and gives, as it was saved with the weights.
    ///
    /// # Errors
    /// A run without weights, which says why; a file that cannot be read or says nothing of it.
    pub fn signature(&self) -> Result<Signature> {
        if !self.has_weights() {
            return Err(self.no_weights());
        }
        let file = self.file(WEIGHTS);
        let about = weights::about(&file)?;
        about.get(SIGNATURE).and_then(|text| Signature::from_text(text)).ok_or_else(|| {
            let message =
                format!("{} does not say what its model takes; train it with Warploom", file.display());
            Error::invalid(message)
        })
    }

    /// Whether it holds weights.
    pub(crate) fn has_weights(&self) -> bool {
        self.file(WEIGHTS).is_file()
    }

    /// What the run came to, as [`RunFolder::save_summary`] wrote it; null where it is not over.
    fn summary(&self) -> Value {
        let text = fs::read_to_string(self.file("summary.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The steps from raw files to what the model takes; `None` where the data came from no raw files.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or of a newer Warploom.
    pub fn transform(&self) -> Result<Option<Transform>> {
        let path = self.file("transform.json");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Transform::from_json(&text).map_err(warploom_data::Error::from)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// Loads the weights.
    ///
    /// # Errors
    /// As [`weights::load`]; weights that are not finite.
    pub fn load_weights(&self, model: &Model) -> Result<()> {
        let file = self.file(WEIGHTS);
        weights::load(&file, model)?;
        match weights::not_finite(model)? {
            None => Ok(()),
            Some((name, kind)) => Err(Error::invalid(format!(
                "{}: `{name}` holds {kind}, so that these weights say nothing: the training diverged; train again with a lower \
                 learning rate",
                file.display()
            ))),
        }
    }

    /// What is to be known of weights whose run did not come to its end, and what to do.
    pub fn unfinished(&self, recipe: &Recipe) -> Option<String> {
        let (run, summary) = (self.0.display(), self.summary());
        if summary["status"] == "failed" {
            return Some(format!("the run in {run} failed; these are the weights that it kept"));
        }
        let (epochs, wanted) = (summary["epochs"].as_u64()?, recipe.train.epochs);
        let cut_off = epochs < wanted as u64 && summary["stopped_early"] != true;
        cut_off.then(|| {
            format!(
                "the run in {run} was cut off; these are the weights after {epochs} of {wanted} epochs. To go on with it: \
                 warploom train {run} --resume"
            )
        })
    }

    /// Why a folder without weights has none, and what to do.
    fn no_weights(&self) -> Error {
        let (run, summary) = (self.0.display(), self.summary());
        let begun = self.file(CHECKPOINTS).is_dir();
        Error::invalid(match self.holder() {
            Some(process) => format!(
                "the run in {run} is under way (process {process}) and has no weights yet; wait for it to end"
            ),
            None if summary["status"] == "failed" => {
                format!(
                    "the run in {run} failed, and has no weights: {}",
                    summary["reason"].as_str().unwrap_or_default()
                )
            }
            None if summary.is_object() => format!(
                "{} is not there, though the run is over; take it from a copy of the run, or train again",
                self.file(WEIGHTS).display()
            ),
            None => {
                let how = if begun { "go on with it" } else { "it has no checkpoint either; begin anew" };
                format!(
                    "the run in {run} was cut off and has no weights yet; {how}: warploom train {run} --resume"
                )
            }
        })
    }

    /// The process that writes to the folder at this moment, if one does.
    fn holder(&self) -> Option<String> {
        let mut file = File::open(self.file(".lock")).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(written_in(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }

    /// Begins the record of epochs, one JSON object a line, after the first `kept` lines of what is there.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn metrics(&self, kept: usize) -> Result<MetricsFile> {
        let path = self.file("metrics.jsonl");
        let before = match kept {
            0 => String::new(),
            _ => fs::read_to_string(&path).map_err(Error::io("read", &path))?,
        };
        let before: String = before.lines().take(kept).flat_map(|line| [line, "\n"]).collect();
        write_atomically(&path, before.as_bytes())?;
        let file = File::options().append(true).open(&path).map_err(Error::io("write", &path))?;
        Ok(MetricsFile { path, file })
    }

    /// Writes what the run came to.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn save_summary(&self, summary: &Value) -> Result<()> {
        write_atomically(&self.file("summary.json"), format!("{summary:#}\n").as_bytes())
    }
}

/// The process that a lock's file names.
fn written_in(lock: &mut File) -> String {
    let mut holder = String::new();
    let _ = lock.read_to_string(&mut holder);
    holder.trim().to_owned()
}

/// What came of removing `path`, which need not have been there.
fn gone(path: &Path, removed: std::io::Result<()>) -> Result<()> {
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The record of epochs.
pub struct MetricsFile {
    path: PathBuf,
    file: File,
}

impl MetricsFile {
    /// Adds a line.
    ///
    /// # Errors
    /// A full disk.
    pub fn add(&mut self, epoch: &Value) -> Result<()> {
        // One write for one line: a reader sees all of it or nothing.
        self.file.write_all(format!("{epoch}\n").as_bytes()).map_err(Error::io("write", &self.path))
    }
}
