//! When checkpoints are due, and what belongs into one.

use crate::callbacks::{Callback, State};
use crate::checkpoint::{Checkpoints, Every, Kept, Manifest, Place, Store, Terms};
use crate::compiled::Compiled;
use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::totals::Totals;
use crate::weights;
use std::path::{Path, PathBuf};
use std::time::Instant;
use warploom_nn::{Model, NamedVariable, Parameters};

const MODEL: &str = "model.safetensors";
const TRAINING: &str = "training.safetensors";

/// Writes a fit's checkpoints.
pub(crate) struct Saver {
    store: Store,
    every: Every,
    resume: bool,
    terms: Terms,
    /// Since the last one.
    steps: usize,
    written: Instant,
    /// Whether there is one of this training.
    any: bool,
}

/// What a checkpoint is made of, beside the place.
pub(crate) struct Parts<'a> {
    pub model: &'a Model,
    pub compiled: &'a Compiled,
    pub totals: &'a Totals,
}

impl Saver {
    pub fn new(settings: &Checkpoints, terms: Terms) -> Saver {
        let Checkpoints { folder, every, resume } = settings;
        Saver {
            store: Store::new(folder),
            every: *every,
            resume: *resume,
            terms,
            steps: 0,
            written: Instant::now(),
            any: false,
        }
    }

    /// Counts steps; whether a checkpoint is due after them.
    pub fn is_due(&mut self, steps: usize) -> bool {
        self.steps += steps;
        match self.every {
            Every::Steps(every) => self.steps >= every,
            Every::Time(time) => self.written.elapsed() >= time,
            Every::Epochs(_) => false,
        }
    }

    /// Whether one is due after so many epochs. Where the clock decides, the first epoch is not waited out: a training that
    /// is killed early has something to go on from.
    pub fn is_due_after(&mut self, epochs: usize) -> bool {
        match self.every {
            Every::Epochs(every) => epochs.is_multiple_of(every),
            Every::Steps(_) => self.is_due(0),
            Every::Time(_) => !self.any || self.is_due(0),
        }
    }

    /// Writes one. The device is idle and the steps are not paused.
    pub fn write(
        &mut self,
        place: &Place,
        parts: &Parts<'_>,
        history: &[crate::Scores],
        seconds: f64,
        callbacks: &mut [Box<dyn Callback + '_>],
    ) -> Result<PathBuf> {
        let states: Vec<(&str, State)> =
            callbacks.iter_mut().map(|c| Ok((c.name(), c.save()?))).collect::<Result<_>>()?;
        let file = |position: usize| format!("callback-{position}.safetensors");
        let kept = states.iter().enumerate().map(|(position, (name, state))| Kept {
            name: (*name).to_owned(),
            values: state.values.clone(),
            weights: state.weights.as_ref().map(|_| file(position)),
        });
        let manifest = Manifest {
            place: place.clone(),
            terms: self.terms.clone(),
            random: parts.model.device().random_state()?,
            history: history.to_vec(),
            seconds,
            callbacks: kept.collect(),
            files: Vec::new(),
        };
        let mut files: Vec<crate::checkpoint::Part<'_>> = vec![
            (MODEL.into(), Box::new(|file| weights::write(file, &parts.model.named_variables(), &[]))),
            (TRAINING.into(), Box::new(|file| weights::write(file, &parts.variables(), &[]))),
        ];
        for (position, (_, state)) in states.iter().enumerate() {
            if let Some(snapshot) = &state.weights {
                files.push((file(position), Box::new(|file| snapshot.write(file))));
            }
        }
        let path = self.store.write(manifest, &files)?;
        (self.steps, self.written, self.any) = (0, Instant::now(), true);
        Ok(path)
    }

    /// The checkpoint to go on from to so many epochs, if that was asked for and there is one; and what is to be said.
    pub fn newest(&mut self, epochs: usize) -> Result<(Option<(PathBuf, Manifest)>, Vec<String>)> {
        if !self.resume {
            return Ok((None, Vec::new()));
        }
        let (found, mut said) = self.store.newest()?;
        if let Some((path, manifest)) = &found {
            self.check(path, &manifest.terms)?;
            check_epochs(path, &manifest.place, epochs)?;
            self.any = true;
            let (path, epoch, batch) = (path.display(), manifest.place.epoch + 1, manifest.place.batch + 1);
            said.push(format!("going on from {path}: epoch {epoch}, batch {batch}"));
        } else if !said.is_empty() {
            let message = format!("{}; no checkpoint is whole: train anew without resuming", said.join("; "));
            return Err(Error::invalid(message));
        }
        Ok((found, said))
    }

    fn check(&self, path: &Path, then: &Terms) -> Result<()> {
        let now = &self.terms;
        let seed = |seed: Option<u64>| seed.map_or("none".to_owned(), |seed| seed.to_string());
        let pairs = [
            ("examples", then.examples.to_string(), now.examples.to_string()),
            ("a batch size of", then.batch.to_string(), now.batch.to_string()),
            ("steps an epoch", then.steps.to_string(), now.steps.to_string()),
            ("shuffle", then.shuffle.to_string(), now.shuffle.to_string()),
            ("the seed", seed(then.seed), seed(now.seed)),
        ];
        match pairs.iter().find(|(_, then, now)| then != now) {
            None => Ok(()),
            Some((what, then, now)) => Err(Error::invalid(format!(
                "{} was written by a training with other settings ({what}: {then}, now {now}); set what it had, or train \
                 anew without resuming",
                path.display()
            ))),
        }
    }
}

/// What is learned is not unlearned.
fn check_epochs(path: &Path, place: &Place, epochs: usize) -> Result<()> {
    let begun = place.epoch + usize::from(place.batch > 0);
    if begun <= epochs {
        return Ok(());
    }
    let part = if place.batch > 0 { format!(" and a part of epoch {begun}") } else { String::new() };
    Err(Error::invalid(format!(
        "{} has {} epochs{part} behind it, but {epochs} in all are asked for; ask for {begun} or more, or train anew \
         without resuming",
        path.display(),
        place.epoch
    )))
}

impl Parts<'_> {
    /// Optimizer, gate and sums.
    fn variables(&self) -> Vec<NamedVariable> {
        self.compiled.step.state().into_iter().chain(self.totals.state()).collect()
    }

    /// Gives model, optimizer, sums and random numbers what a checkpoint holds.
    pub fn restore(&self, path: &Path, random: Option<[u32; 3]>) -> Result<()> {
        weights::load(&path.join(MODEL), self.model)?;
        weights::read(&path.join(TRAINING), &self.variables())?;
        match random {
            Some(state) => Ok(self.model.device().restore_random_state(state)?),
            None => Ok(()),
        }
    }
}

/// The states of a checkpoint's callbacks, for callbacks of these names: each takes the first of its own.
pub(crate) fn states(
    path: &Path,
    kept: Vec<Kept>,
    names: &[&str],
    model: &Model,
) -> Result<Vec<Option<State>>> {
    let mut kept: Vec<Option<Kept>> = kept.into_iter().map(Some).collect();
    let mut states = Vec::with_capacity(names.len());
    for name in names {
        let own =
            kept.iter_mut().find(|k| k.as_ref().is_some_and(|k| k.name == *name)).and_then(Option::take);
        let state = own.map(|kept| {
            let weights = kept.weights.map(|file| Snapshot::read(&path.join(file), model)).transpose()?;
            Ok::<State, Error>(State { values: kept.values, weights })
        });
        states.push(state.transpose()?);
    }
    Ok(states)
}
