//! How a recipe is fitted: the keys of `train` as a [`Fit`] with its callbacks.

use crate::folder::RunFolder;
use crate::place::layer_name;
use crate::run::Kept;
use crate::schema::Recipe;
use crate::source::Splits;
use std::time::Duration;
use warploom_train::callbacks::{CsvLogger, EarlyStopping, ReduceOnPlateau, TensorBoard};
use warploom_train::{Checkpoints, Fit, Snapshot};

/// The fit without what writes files, within so many bytes.
pub(crate) fn prepared<'a>(recipe: &Recipe, splits: &'a Splits, memory_limit: Option<u64>) -> Fit<'a> {
    let train = &recipe.train;
    let batch = train.batch.examples().unwrap_or(1);
    let fit = Fit::epochs(train.epochs).batch(batch).shuffle(train.shuffle).seed(train.seed);
    let network = recipe.model.clone();
    let fit = fit.test_data(&splits.test).layer_names(move |path| layer_name(&network, path));
    let fit = match memory_limit {
        Some(bytes) => fit.memory_limit(bytes),
        None => fit,
    };
    match &splits.validation {
        Some(validation) => fit.validation_data(validation),
        None => fit,
    }
}

/// The callbacks that a recipe asks for.
pub(crate) struct Callbacks {
    /// Also keeps the weights of the best epoch.
    early: Option<EarlyStopping>,
    plateau: Option<ReduceOnPlateau>,
    log: Option<CsvLogger>,
    tensorboard: Option<TensorBoard>,
    /// By what the weights that are kept are the best, where the recipe asks for the best.
    best_by: Option<String>,
}

impl Callbacks {
    pub fn new(recipe: &Recipe, folder: &RunFolder) -> Callbacks {
        let train = &recipe.train;
        let early = match (&train.early_stopping, &train.best) {
            (Some(early), best) => {
                let stopping =
                    EarlyStopping::new(&early.monitor).patience(early.patience).min_delta(early.min_delta);
                let restore = early.restore_best || best.is_some();
                Some(if restore { stopping.restore_best_weights() } else { stopping })
            }
            (None, Some(best)) => Some(EarlyStopping::new(best).patience(usize::MAX).restore_best_weights()),
            (None, None) => None,
        };
        let plateau = train.plateau.as_ref().map(|plateau| {
            let reduce =
                ReduceOnPlateau::new(&plateau.monitor).factor(plateau.factor).patience(plateau.patience);
            reduce.min_learning_rate(plateau.minimum)
        });
        Callbacks {
            early,
            plateau,
            log: train.csv_log.then(|| CsvLogger::new(folder.file("history.csv"))),
            tensorboard: train.tensorboard.then(|| TensorBoard::new(folder.file("tensorboard"))),
            best_by: train.best.clone().or_else(|| {
                let early = train.early_stopping.as_ref().filter(|early| early.restore_best);
                early.map(|early| early.monitor.clone())
            }),
        }
    }

    /// With these callbacks.
    pub fn add<'a>(&'a mut self, mut fit: Fit<'a>) -> Fit<'a> {
        if let Some(plateau) = &mut self.plateau {
            fit = fit.callback(plateau);
        }
        if let Some(early) = &mut self.early {
            fit = fit.callback(early);
        }
        if let Some(log) = &mut self.log {
            fit = fit.callback(log);
        }
        if let Some(tensorboard) = &mut self.tensorboard {
            fit = fit.callback(tensorboard);
        }
        fit
    }

    /// Where and when checkpoints are written.
    pub fn checkpoints(recipe: &Recipe, folder: &RunFolder, resume: bool) -> Checkpoints {
        let said = &recipe.train.checkpoints;
        let checkpoints = Checkpoints::new(folder.file("checkpoints"));
        let checkpoints = match said.epochs {
            Some(epochs) => checkpoints.every_epochs(epochs),
            // A time too long for the type is never over.
            None => checkpoints.every(Duration::try_from_secs_f64(said.seconds).unwrap_or(Duration::MAX)),
        };
        if resume { checkpoints.resume() } else { checkpoints }
    }

    /// The epoch whose weights were kept, where that need not be the last.
    pub fn kept(&self) -> Option<Kept> {
        let epoch = self.early.as_ref().and_then(EarlyStopping::restored_epoch)?;
        Some(Kept { epoch: epoch + 1, by: self.best_by.clone()? })
    }

    /// The weights of the best epoch so far, where the recipe asks for the best and an epoch had a score.
    pub fn best(&self) -> Option<(&Snapshot, Kept)> {
        let early = self.early.as_ref().filter(|early| early.best().is_some())?;
        Some((early.best_weights()?, self.kept()?))
    }
}
