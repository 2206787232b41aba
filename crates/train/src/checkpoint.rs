//! Checkpoints: all that a fit must know to go on to the very bits.
//!
//! A checkpoint is a folder, `checkpoint-000007`: `model.safetensors` (PyTorch's names), `training.safetensors` (the
//! optimizer's state and the sums of the epoch so far), `callback-<n>.safetensors` where a callback keeps weights, and
//! `manifest.json` with the place in the training, random state, callbacks, history, and length and CRC-32C of every file.
//! It is written under another name, synced, and renamed; the one before is kept until the next.

mod manifest;
mod store;

pub(crate) use manifest::{Kept, Manifest, Place, Terms};
pub(crate) use store::{Part, Store};

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where and how often a fit writes checkpoints, and whether it goes on from one.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    pub(crate) folder: PathBuf,
    pub(crate) every: Every,
    pub(crate) resume: bool,
}

/// How often.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Every {
    Epochs(usize),
    Steps(usize),
    Time(Duration),
}

impl Checkpoints {
    /// In a folder of their own, one after each epoch.
    pub fn new(folder: impl Into<PathBuf>) -> Checkpoints {
        Checkpoints { folder: folder.into(), every: Every::Epochs(1), resume: false }
    }

    /// After every so many epochs.
    pub fn every_epochs(self, epochs: usize) -> Checkpoints {
        Checkpoints { every: Every::Epochs(epochs), ..self }
    }

    /// After every so many steps: at the end of the launch that holds the last of them.
    pub fn every_steps(self, steps: usize) -> Checkpoints {
        Checkpoints { every: Every::Steps(steps), ..self }
    }

    /// After so much time, at the end of the launch under way; the first one at the end of the first epoch at the latest.
    pub fn every(self, time: Duration) -> Checkpoints {
        Checkpoints { every: Every::Time(time), ..self }
    }

    /// Goes on from the newest checkpoint that is whole; begins anew where there is none. Data, model, loss, optimizer,
    /// batch size and seed must be those of the first time; more epochs may be asked for.
    pub fn resume(self) -> Checkpoints {
        Checkpoints { resume: true, ..self }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if matches!(self.every, Every::Epochs(0) | Every::Steps(0)) {
            return Err(Error::invalid(
                "a checkpoint every 0 steps or epochs was asked for; give at least 1",
            ));
        }
        Ok(())
    }
}

/// A checkpoint as it lies in its folder.
#[derive(Clone, Debug)]
pub struct CheckpointState {
    /// Its folder.
    pub path: PathBuf,
    /// The epoch that it goes on with, from 0, and the batch in it; or why it cannot be used.
    pub place: std::result::Result<(usize, usize), String>,
}

/// The checkpoints in a folder, the newest first, each read whole.
///
/// # Errors
/// A folder that cannot be read; a checkpoint of a newer version.
pub fn inspect(folder: &Path) -> Result<Vec<CheckpointState>> {
    let store = Store::new(folder);
    let mut found = Vec::new();
    for path in store.checkpoints()? {
        let place = store.read(&path)?.map(|manifest| (manifest.place.epoch, manifest.place.batch));
        found.push(CheckpointState { path, place });
    }
    Ok(found)
}
