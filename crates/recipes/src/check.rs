//! What a recipe can say that cannot work, found before any data is read.

use crate::schema::{DataKind, Initial, Layer, LayerKind, Loss, OptimizerKind, Recipe, ScheduleKind};

type Checked = Result<(), String>;

/// Checks the values of a recipe.
pub(crate) fn check(recipe: &Recipe) -> Checked {
    check_name(&recipe.name)?;
    check_data(recipe)?;
    if recipe.model.layers.is_empty() {
        return Err("`model.layers` is empty; a model has at least one layer".into());
    }
    for (position, layer) in recipe.model.layers.iter().enumerate() {
        check_layer(layer).map_err(|message| format!("`model.layers.{position}` {message}"))?;
    }
    check_training(recipe)
}

/// The name becomes a folder's.
fn check_name(name: &str) -> Checked {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    if name.trim().is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(format!("`name` is {name:?}; it names a folder: letters, digits, `-`, `_` and `.`"));
    }
    Ok(())
}

fn check_data(recipe: &Recipe) -> Checked {
    let data = &recipe.data;
    match data.kind {
        DataKind::Idx => {
            if data.path.as_ref().is_none_or(|path| path.is_empty()) {
                return Err("`data.path` is missing: the folder of train-images-idx3-ubyte and its kin; say data.path=DIR".into());
            }
            if data.classes.is_some_and(|classes| classes < 2) {
                return Err("`data.classes` is below 2; there is nothing to tell apart".into());
            }
        }
        DataKind::Digits | DataKind::Logistic => {
            if data.path.is_some() {
                return Err("`data.path` is said, but this kind of data is made, not read; kind = \"idx\" reads a folder".into());
            }
        }
    }
    for (name, count) in [("train", data.train), ("test", data.test)] {
        if data.kind != DataKind::Digits && count.is_some() {
            return Err(format!("`data.{name}` is for data of kind \"digits\" alone"));
        }
        if count == Some(0) {
            return Err(format!("`data.{name}` is 0; give at least 1"));
        }
    }
    Ok(())
}

fn check_layer(layer: &Layer) -> Checked {
    let only =
        |kind: LayerKind, given: bool, key: &str| match given && layer.kind != kind {
            true => Err(format!("has `{key}`, which belongs to {kind:?} alone, not to {:?}", layer.kind)
                .to_lowercase()),
            false => Ok(()),
        };
    only(LayerKind::Dense, layer.units.is_some(), "units")?;
    only(LayerKind::Dense, layer.activation.is_some(), "activation")?;
    only(LayerKind::Dense, layer.weight.is_some(), "weight")?;
    only(LayerKind::Dense, layer.bias.is_some(), "bias")?;
    only(LayerKind::Dropout, layer.rate.is_some(), "rate")?;
    match layer.kind {
        LayerKind::Flatten => Ok(()),
        LayerKind::Dense => match (layer.units, layer.weight) {
            (None, _) => Err("is dense, but lacks `units`".into()),
            (Some(0), _) => Err("has 0 units; give at least 1".into()),
            (_, Some(Initial::None)) => Err("has weight = \"none\"; a dense layer has weights".into()),
            (Some(_), _) => Ok(()),
        },
        LayerKind::Dropout => match layer.rate {
            Some(rate) if (0.0..1.0).contains(&rate) => Ok(()),
            Some(rate) => {
                Err(format!("drops at a rate of {rate}; give a number from 0 up to but not including 1"))
            }
            None => Err("is dropout, but lacks `rate`".into()),
        },
    }
}

fn check_training(recipe: &Recipe) -> Checked {
    let train = &recipe.train;
    let positive = |name: &str, count: usize| match count {
        0 => Err(format!("`train.{name}` is 0; give at least 1")),
        _ => Ok(()),
    };
    positive("epochs", train.epochs)?;
    positive("batch", train.batch)?;
    if !(train.learning_rate > 0.0 && train.learning_rate.is_finite()) {
        return Err(format!("`train.learning_rate` is {}; give a number above 0", train.learning_rate));
    }
    if !(0.0..1.0).contains(&train.validation) {
        return Err(format!(
            "`train.validation` is {}; give a share from 0 up to but not including 1",
            train.validation
        ));
    }
    if train.weight_decay.is_some_and(|decay| !(decay >= 0.0 && decay.is_finite())) {
        return Err("`train.weight_decay` is a number of 0 and more".into());
    }
    match train.momentum {
        Some(_) if train.optimizer != OptimizerKind::Sgd => {
            return Err("`train.momentum` is for optimizer = \"sgd\" alone".into());
        }
        Some(momentum) if !(0.0..1.0).contains(&momentum) => {
            return Err(format!(
                "`train.momentum` is {momentum}; give a number from 0 up to but not including 1"
            ));
        }
        Some(_) | None => {}
    }
    if train.warmup.is_some() && train.schedule != ScheduleKind::Cosine {
        return Err("`train.warmup` is for schedule = \"cosine\" alone".into());
    }
    let classes = recipe.data.kind != DataKind::Logistic;
    if classes != (recipe.loss() == Loss::CrossEntropy) {
        let (data, loss) =
            if classes { ("classes", "cross_entropy") } else { ("numbers", "mean_squared_error") };
        return Err(format!(
            "the targets of this data are {data}; use train.loss=\"{loss}\" and a task that goes with it"
        ));
    }
    Ok(())
}
