//! The folder of a run.

use crate::parse::parse;
use crate::schema::Recipe;
use crate::signature::Signature;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use warploom_nn::Model;
use warploom_train::weights::{self, write_atomically};
use warploom_train::{Error, Result};

const WEIGHTS: &str = "weights.safetensors";
/// The key of the signature in the weights' header.
const SIGNATURE: &str = "signature";

/// Recipe, weights and records of a run: `recipe.toml`, `weights.safetensors`, `metrics.jsonl`, `summary.json`.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// Makes the folder, or uses what is there, and writes the resolved recipe. Files of an earlier run stay until this one
    /// replaces them.
    ///
    /// # Errors
    /// A folder that cannot be made or written.
    pub fn create(path: &Path, recipe: &Recipe) -> Result<RunFolder> {
        fs::create_dir_all(path).map_err(Error::io("make the run folder", path))?;
        let folder = RunFolder(path.to_path_buf());
        write_atomically(&folder.file("recipe.toml"), recipe.to_toml().as_bytes())?;
        Ok(folder)
    }

    /// A folder that a run has written, with its recipe.
    ///
    /// # Errors
    /// A folder that is not there or lacks a recipe; a recipe that cannot be read.
    pub fn open(path: &Path, overrides: &[String]) -> Result<(RunFolder, Recipe)> {
        let folder = RunFolder(path.to_path_buf());
        let file = folder.file("recipe.toml");
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

    fn file(&self, name: &str) -> PathBuf {
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
    /// A file that cannot be read or says nothing of it.
    pub fn signature(&self) -> Result<Signature> {
        let file = self.file(WEIGHTS);
        let about = weights::about(&file)?;
        about.get(SIGNATURE).and_then(|text| Signature::from_text(text)).ok_or_else(|| {
            let message =
                format!("{} does not say what its model takes; train it with Warploom", file.display());
            Error::invalid(message)
        })
    }

    /// Loads the weights.
    ///
    /// # Errors
    /// As [`weights::load`].
    pub fn load_weights(&self, model: &Model) -> Result<()> {
        weights::load(&self.file(WEIGHTS), model)
    }

    /// Begins the record of epochs, one JSON object a line.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn metrics(&self) -> Result<MetricsFile> {
        let path = self.file("metrics.jsonl");
        let file = File::create(&path).map_err(Error::io("write", &path))?;
        Ok(MetricsFile { path, file })
    }

    /// Writes what the run came to.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn save_summary(&self, summary: &serde_json::Value) -> Result<()> {
        write_atomically(&self.file("summary.json"), format!("{summary:#}\n").as_bytes())
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
    pub fn add(&mut self, epoch: &serde_json::Value) -> Result<()> {
        writeln!(self.file, "{epoch}").map_err(Error::io("write", &self.path))
    }
}
