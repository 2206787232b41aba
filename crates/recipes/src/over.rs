//! Runs that are over: resuming one changes nothing.

use crate::folder::RunFolder;
use crate::schema::Recipe;
use serde_json::Value;
use std::path::Path;
use toml::Table;
use warploom_train::{Error, Result};

/// A run that came to its end before.
pub struct Over {
    /// Its folder.
    pub folder: RunFolder,
    /// What it printed with `--json`.
    pub summary: Value,
    recipe: Recipe,
}

impl Over {
    /// The run in a folder, if it is over.
    ///
    /// # Errors
    /// A run of a newer Warploom; a recipe that cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Option<Over>> {
        let read = std::fs::read_to_string(path.join("summary.json")).unwrap_or_default();
        let summary: Value = serde_json::from_str(&read).unwrap_or_default();
        let ended = summary.is_object() && summary["interrupted"] != true && summary["status"] != "failed";
        if !ended || !path.join("recipe.toml").is_file() {
            return Ok(None);
        }
        let (folder, recipe) = RunFolder::open(path, &[])?;
        let over = Over { folder, summary, recipe };
        // It may have been gone on with, to more epochs, and cut off.
        Ok((over.epochs() >= over.recipe.train.epochs || over.stopped_early()).then_some(over))
    }

    /// Epochs that it trained.
    pub fn epochs(&self) -> usize {
        self.summary["epochs"].as_u64().unwrap_or(0) as usize
    }

    /// Whether early stopping ended it.
    pub fn stopped_early(&self) -> bool {
        self.summary["stopped_early"] == true
    }

    /// Whether it did what this recipe asks for.
    pub(crate) fn did(&self, recipe: &Recipe) -> bool {
        self.recipe == *recipe
    }

    /// Refuses a recipe that asks for something else than more epochs.
    pub(crate) fn check(&self, recipe: &Recipe) -> Result<()> {
        if recipe.train.epochs > self.epochs() && !self.stopped_early() {
            return Ok(());
        }
        check_epochs(recipe, self.folder.path(), self.epochs(), false)?;
        let how = if self.stopped_early() { "stopped early" } else { "is finished" };
        let keys = differing(&self.recipe, recipe).join("`, `");
        Err(Error::invalid(format!(
            "the run in {} {how} after {} epochs, and `{keys}` would change what it did; begin anew, without --resume or with \
             --out another folder",
            self.folder.path().display(),
            self.epochs()
        )))
    }
}

/// Refuses fewer epochs than a run has behind it; `within` says that another has begun.
pub(crate) fn check_epochs(recipe: &Recipe, path: &Path, done: usize, within: bool) -> Result<()> {
    let begun = done + usize::from(within);
    if recipe.train.epochs >= begun {
        return Ok(());
    }
    let part = if within { format!(" and a part of epoch {begun}") } else { String::new() };
    Err(Error::invalid(format!(
        "`train.epochs` is {}, but the run in {} has {done} epochs{part} behind it; say train.epochs={begun} or more, or begin \
         anew with --out another folder",
        recipe.train.epochs,
        path.display()
    )))
}

/// Refuses keys that a run keeps when it is gone on with: which examples it learns from, the rate, which is state, and the
/// precision, with which the loss's scale comes and goes.
pub(crate) fn check_kept(before: &Recipe, now: &Recipe) -> Result<()> {
    let moved = |key: &str| matches!(key, "data.path" | "data.test_path");
    let own = |key: &str| matches!(key, "train.learning_rate" | "train.precision");
    let kept = |key: &String| own(key) || key.starts_with("data.") && !moved(key);
    let keys: Vec<String> = differing(before, now).into_iter().filter(kept).collect();
    if keys.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{}` cannot change when a run is gone on with; leave it as it was, or begin anew with --out another folder",
        keys.join("`, `")
    )))
}

/// The keys in which two recipes differ.
fn differing(one: &Recipe, other: &Recipe) -> Vec<String> {
    let table = |recipe: &Recipe| recipe.to_toml().parse::<Table>().unwrap_or_default();
    let mut keys = Vec::new();
    compare(&table(one), &table(other), "", &mut keys);
    keys
}

fn compare(one: &Table, other: &Table, above: &str, keys: &mut Vec<String>) {
    let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
    for name in names {
        let key = crate::document::below(above, name);
        match (one.get(name), other.get(name)) {
            (Some(toml::Value::Table(one)), Some(toml::Value::Table(other))) => {
                compare(one, other, &key, keys)
            }
            (one, other) if one != other => keys.push(key),
            _ => {}
        }
    }
}
