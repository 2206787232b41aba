//! Runs whose training diverged: why, and what is left of them.

use crate::fitting::Callbacks;
use crate::folder::RunFolder;
use crate::place::layer_name;
use crate::schema::{Network, Recipe};
use crate::signature::Signature;
use warploom_nn::Model;
use warploom_train::{Error, History, Result, weights};

/// Why a training that came to its end taught nothing, if so: a weight, or the last loss, that is not finite.
pub(crate) fn diverged(history: &History, model: &Model, network: &Network) -> Result<Option<String>> {
    let found = match weights::not_finite(model)? {
        Some((name, kind)) => Some(format!("{} holds {kind} at its end", variable(&name, network))),
        None => last_loss(history),
    };
    Ok(found.map(|found| {
        format!("the training diverged: {found}; {}", history.remedy(model.device().precision()))
    }))
}

/// The last epoch's loss, or that of the test, where it is not finite.
fn last_loss(history: &History) -> Option<String> {
    let epochs = history.epochs().len();
    let last = history.epochs().last().into_iter();
    let watched = last.flat_map(|scores| {
        ["loss", "val_loss"].map(|name| (format!("`{name}` of epoch {epochs}"), scores.get(name)))
    });
    let tested = history.test().map(|scores| ("the loss on the test data".to_owned(), scores.get("loss")));
    let (what, value) =
        watched.chain(tested).find_map(|(what, value)| Some((what, value.filter(|v| !v.is_finite())?)))?;
    Some(format!("{what} is {}", if value.is_nan() { "NaN" } else { "infinite" }))
}

/// A variable as messages name it: `` `weight` of layer `model.layers.2` (dense) ``.
pub(crate) fn variable(name: &str, network: &Network) -> String {
    let layer = name.rsplit_once('.').and_then(|(path, own)| Some((own, layer_name(network, path)?)));
    layer.map_or(format!("`{name}`"), |(own, layer)| format!("`{own}` of layer {layer}"))
}

/// Keeps what is left of a run that diverged: the weights of its best epoch, where the recipe asks for the best and there
/// was one. The message says what became of the weights.
pub(crate) fn salvaged(
    why: &str,
    recipe: &Recipe,
    folder: &RunFolder,
    model: &Model,
    signature: &Signature,
    callbacks: &Callbacks,
) -> Result<Error> {
    let kept = match callbacks.best() {
        Some((best, kept)) => {
            best.restore(model)?;
            weights::not_finite(model)?.is_none().then_some(kept)
        }
        None => None,
    };
    let left = match &kept {
        Some(kept) => {
            folder.save_weights(model, recipe, signature)?;
            format!("the weights of epoch {}, the best by {}, are in", kept.epoch, kept.by)
        }
        None if folder.has_weights() => "the weights of before it went on are still in".to_owned(),
        None => "no weights are kept in".to_owned(),
    };
    Ok(Error::Diverged(format!("{why}; {left} {}", folder.path().display())))
}
