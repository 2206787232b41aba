//! Scalars for TensorBoard.

use crate::callbacks::{Callback, Context, State};
use crate::error::Result;
use crate::events;
use crate::history::Scores;
use crate::log_file::LogFile;
use std::path::PathBuf;

/// Writes the scores of each epoch, numbered from 0, where TensorBoard reads them: as Keras' `TensorBoard`, into the folders
/// `train` and `validation`, under the tags `epoch_loss`, `epoch_accuracy` …. `epoch_learning_rate` is that of the epoch's
/// last update, by the schedule.
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    train: Option<LogFile>,
    validation: Option<LogFile>,
}

impl TensorBoard {
    /// Into a folder, the one that `tensorboard --logdir` is given.
    pub fn new(folder: impl Into<PathBuf>) -> TensorBoard {
        TensorBoard { folder: folder.into(), train: None, validation: None }
    }

    fn open(&self, part: &str) -> Result<LogFile> {
        let mut file = LogFile::open(&self.folder.join(part).join(events::file_name()), false)?;
        file.write(&events::version())?;
        Ok(file)
    }
}

impl Callback for TensorBoard {
    fn name(&self) -> &'static str {
        "tensorboard"
    }

    fn train_begin(&mut self, _: &mut Context<'_>) -> Result<()> {
        (self.train, self.validation) = (Some(self.open("train")?), None);
        Ok(())
    }

    fn epoch_end(&mut self, epoch: usize, scores: &mut Scores, now: &mut Context<'_>) -> Result<()> {
        let rate = now.scheduled_learning_rate()?;
        let own = scores.iter().filter(|(name, _)| !name.starts_with("val_") && *name != "learning_rate");
        let tags = own.map(|(name, value)| (format!("epoch_{name}"), value));
        let mut tags: Vec<(String, f64)> = tags.collect();
        tags.push(("epoch_learning_rate".into(), rate));
        let watched = scores.iter().filter_map(|(name, value)| Some((name.strip_prefix("val_")?, value)));
        let watched: Vec<(String, f64)> = watched.map(|(name, v)| (format!("epoch_{name}"), v)).collect();
        if self.validation.is_none() && !watched.is_empty() {
            self.validation = Some(self.open("validation")?);
        }
        for (file, tags) in [(&mut self.train, tags), (&mut self.validation, watched)] {
            if let Some(file) = file.as_mut().filter(|_| !tags.is_empty()) {
                let tags = tags.iter().map(|(tag, value)| (&tag[..], *value));
                file.write(&events::scalars(epoch as u64, tags))?;
            }
        }
        Ok(())
    }

    fn save(&mut self) -> Result<State> {
        let mut state = State::default();
        for (key, file) in [("train", &self.train), ("validation", &self.validation)] {
            if let Some(file) = file {
                state = file.save(state, key)?;
            }
        }
        Ok(state)
    }

    fn restore(&mut self, state: State, _: &mut Context<'_>) -> Result<()> {
        self.train = LogFile::resume(&state, "train")?;
        self.validation = LogFile::resume(&state, "validation")?;
        if self.train.is_none() {
            self.train = Some(self.open("train")?);
        }
        Ok(())
    }
}
