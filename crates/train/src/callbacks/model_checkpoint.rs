//! Saving weights while training.

use crate::callbacks::monitor::Monitor;
use crate::callbacks::{Callback, Context, Mode, State};
use crate::error::{Error, Result};
use crate::history::Scores;
use crate::weights;
use std::path::PathBuf;

/// Saves the weights after each epoch, or only when a score is the best so far, as Keras' `ModelCheckpoint` with
/// `save_weights_only`. To go on with an interrupted training, see [`crate::Fit::checkpoints`].
#[derive(Debug)]
pub struct ModelCheckpoint {
    path: String,
    monitor: Monitor,
    best_only: bool,
    every: usize,
    about: Vec<(String, String)>,
    best: Option<f64>,
    saved: Option<PathBuf>,
}

impl ModelCheckpoint {
    /// Into a safetensors file. In the path, `{epoch}` (from 1) and names of scores are replaced by their values, with
    /// digits as in Python's format: `weights-{epoch:02d}-{val_loss:.2f}.safetensors`.
    pub fn new(path: impl Into<String>) -> ModelCheckpoint {
        ModelCheckpoint {
            path: path.into(),
            monitor: Monitor::new("val_loss"),
            best_only: false,
            every: 1,
            about: Vec::new(),
            best: None,
            saved: None,
        }
    }

    /// Watches a score; `val_loss` if not said.
    pub fn monitor(mut self, name: &str) -> ModelCheckpoint {
        self.monitor.name = name.to_owned();
        self
    }

    /// Which way is better.
    pub fn mode(mut self, mode: Mode) -> ModelCheckpoint {
        self.monitor.mode = mode;
        self
    }

    /// Saves only when the score is better than ever.
    pub fn save_best_only(self) -> ModelCheckpoint {
        ModelCheckpoint { best_only: true, ..self }
    }

    /// Only scores better than this are saved.
    pub fn initial_value_threshold(self, best: f64) -> ModelCheckpoint {
        ModelCheckpoint { best: Some(best), ..self }
    }

    /// Looks every so many epochs.
    pub fn every_epochs(self, epochs: usize) -> ModelCheckpoint {
        ModelCheckpoint { every: epochs.max(1), ..self }
    }

    /// Puts a text into the file's header.
    pub fn about(mut self, key: &str, text: &str) -> ModelCheckpoint {
        self.about.push((key.to_owned(), text.to_owned()));
        self
    }

    /// The file saved last.
    pub fn saved(&self) -> Option<&PathBuf> {
        self.saved.as_ref()
    }

    /// The best score so far.
    pub fn best(&self) -> Option<f64> {
        self.best
    }
}

impl Callback for ModelCheckpoint {
    fn name(&self) -> &'static str {
        "model_checkpoint"
    }

    fn epoch_end(&mut self, epoch: usize, scores: &mut Scores, now: &mut Context<'_>) -> Result<()> {
        if !(epoch + 1).is_multiple_of(self.every) {
            return Ok(());
        }
        if self.best_only {
            let Some(value) = self.monitor.read("model checkpoint", scores, now) else { return Ok(()) };
            if !self.monitor.improves(value, self.best.unwrap_or(self.monitor.worst()), 0.0) {
                return Ok(());
            }
            self.best = Some(value);
        }
        let path = PathBuf::from(filled(&self.path, epoch + 1, scores)?);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let about: Vec<(&str, &str)> = self.about.iter().map(|(key, text)| (&key[..], &text[..])).collect();
        weights::save(&path, now.model(), &about)?;
        self.saved = Some(path);
        Ok(())
    }

    fn save(&mut self) -> Result<State> {
        Ok(self.best.map_or_else(State::default, |best| State::default().with("best", best)))
    }

    fn restore(&mut self, state: State, _: &mut Context<'_>) -> Result<()> {
        self.best = state.number("best").or(self.best);
        Ok(())
    }
}

/// The path with its fields replaced.
fn filled(path: &str, epoch: usize, scores: &Scores) -> Result<String> {
    let fail = |what: String| Err(Error::invalid(format!("the path {path} of a model checkpoint: {what}")));
    let (mut text, mut rest) = (String::new(), path);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((field, after)) = after.split_once('}') else {
            return fail("a { is not closed; write {epoch} or the name of a score in braces".into());
        };
        let (name, format) = field.split_once(':').unwrap_or((field, ""));
        let value = if name == "epoch" { Some(epoch as f64) } else { scores.get(name) };
        let Some(value) = value else {
            let there: Vec<&str> = scores.iter().map(|(name, _)| name).collect();
            return fail(format!("there is no `{name}`; there are epoch, {}", there.join(", ")));
        };
        let Some(value) = formatted(value, name == "epoch", format) else {
            return fail(format!("`{format}` is no format; write such as :02d for epochs, :.4f for scores"));
        };
        text += before;
        text += &value;
        rest = after;
    }
    Ok(text + rest)
}

fn formatted(value: f64, whole: bool, format: &str) -> Option<String> {
    if format.is_empty() {
        return Some(format!("{value}"));
    }
    if let Some(digits) = format.strip_prefix('.').and_then(|rest| rest.strip_suffix('f')) {
        let digits: usize = digits.parse().ok().filter(|digits| *digits <= 17)?;
        return Some(format!("{value:.digits$}"));
    }
    let width = format.strip_suffix('d').filter(|_| whole)?;
    let digits: usize = if width.is_empty() { 0 } else { width.parse().ok().filter(|width| *width <= 20)? };
    Some(if width.starts_with('0') { format!("{value:0digits$}") } else { format!("{value:digits$}") })
}

#[cfg(test)]
mod tests {
    use super::filled;
    use crate::history::Scores;

    #[test]
    fn paths_are_filled_as_python_does() {
        let mut scores = Scores::default();
        scores.set("val_loss", 0.12789);
        let fill = |path: &str| filled(path, 7, &scores).map_err(|e| e.to_string());
        assert_eq!(fill("w-{epoch:02d}-{val_loss:.2f}.st").unwrap(), "w-07-0.13.st");
        assert_eq!(fill("w{epoch}{epoch:d}{epoch:3d}").unwrap(), "w77  7");
        assert_eq!(fill("plain").unwrap(), "plain");
        assert!(fill("{acc}").unwrap_err().contains("no `acc`; there are epoch, val_loss"));
        assert!(fill("{epoch").unwrap_err().contains("not closed"));
        assert!(fill("{epoch:xx}").unwrap_err().contains("no format"));
    }
}
