//! What a recipe says that cannot work and that its schema cannot tell, found before any data is read.

use crate::document::Problem;
use crate::layers::padding_fault;
use crate::proposals::meant;
use crate::schema::{Data, Initial, Layer, Loss, Metric, Network, Recipe, SplitRule, Task};

type Problems = Vec<Problem>;

/// All that is wrong with the values of a recipe.
pub(crate) fn check(recipe: &Recipe) -> Problems {
    let mut problems = check_name(&recipe.name);
    if let Some(Err(message)) = recipe.memory_limit.as_ref().map(|limit| limit.amount()) {
        problems.push(Problem::value("memory_limit", message));
    }
    problems.extend(check_split(recipe));
    problems.extend(check_network(&recipe.model));
    if !recipe.augment.is_empty() && matches!(recipe.data, Data::Csv { .. } | Data::Logistic) {
        problems
            .push(Problem::key("augment", "`augment` changes pictures, but this data are rows of numbers"));
    }
    if recipe.train.plateau.is_some() && recipe.train.schedule != crate::schema::Schedule::Constant {
        let message =
            "`train.plateau` sets the learning rate, and so does `train.schedule`; choose one of them";
        problems.push(Problem::key("train.plateau", message));
    }
    problems.extend(match recipe.data {
        Data::Csv { .. } if recipe.task == Task::Auto => Vec::new(),
        Data::Csv { .. } => check_task(recipe, recipe.task != Task::Regression),
        Data::Logistic => check_task(recipe, false),
        Data::Digits { .. } | Data::Idx { .. } | Data::ImageFolder { .. } => check_task(recipe, true),
    });
    problems
}

/// The name becomes a folder's.
fn check_name(name: &str) -> Problems {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    if name.trim().is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        let message = format!("`name` is {name:?}; it names a folder: letters, digits, `-`, `_` and `.`");
        return vec![Problem::value("name", message)];
    }
    Vec::new()
}

fn check_split(recipe: &Recipe) -> Problems {
    let split = &recipe.split;
    let test = split.test.unwrap_or(0.0);
    // No share of a table is obeyed where another table is tested on; other test examples cannot be had away.
    let (own_test, allowed) = match &recipe.data {
        Data::Digits { .. } | Data::Idx { .. } => (true, split.test.is_none()),
        Data::Csv { test_path, .. } => (test_path.is_some(), test == 0.0),
        Data::ImageFolder { .. } | Data::Logistic => (false, true),
    };
    let mut problems = Vec::new();
    if own_test && !allowed {
        let advice = if split.test.is_some() && matches!(recipe.data, Data::Csv { .. }) {
            "say 0"
        } else {
            "leave it out"
        };
        let message = format!(
            "`split.test` is {test}, but this data has test examples of its own, which are tested on; {advice}"
        );
        problems.push(Problem::value("split.test", message));
    }
    if split.validation + test >= 1.0 {
        let message = format!(
            "`split.validation` {} and `split.test` {test} leave nothing to learn from; their sum is below 1",
            split.validation
        );
        problems.push(Problem::value("split.validation", message));
    }
    match (split.rule, split.train_per_class, split.validation_per_class) {
        (SplitRule::FirstOfClass, None, _) => {
            let message = "rule = \"first_of_class\" needs `split.train_per_class`: how many of each class are learned from";
            problems.push(Problem::value("split.rule", message));
        }
        (SplitRule::FirstOfClass, Some(_), _) if own_test => problems.push(Problem::value(
            "split.rule",
            "rule = \"first_of_class\" is for data without test examples of its own",
        )),
        (SplitRule::Random, Some(_), _) => problems.push(only_by_class("train_per_class")),
        (SplitRule::Random, None, Some(_)) => problems.push(only_by_class("validation_per_class")),
        (SplitRule::FirstOfClass, Some(_), _) | (SplitRule::Random, None, None) => {}
    }
    problems
}

fn only_by_class(name: &str) -> Problem {
    let key = format!("split.{name}");
    Problem::key(&key, format!("`{key}` goes with split.rule=first_of_class"))
}

fn check_network(model: &Network) -> Problems {
    match (model.name, model.layers.is_empty()) {
        (None, true) => {
            let message = "`model.layers` is empty; give at least one layer, or a `model.name` such as lenet";
            vec![Problem::value("model.layers", message)]
        }
        (Some(_), false) => {
            vec![Problem::key(
                "model.layers",
                "`model.name` and `model.layers` exclude each other; say one, as model={layers=[…]} in place of both",
            )]
        }
        (None, false) | (Some(_), true) => check_layers(&model.layers, "model.layers"),
    }
}

fn check_layers(layers: &[Layer], above: &str) -> Problems {
    let mut problems = Vec::new();
    for (position, layer) in layers.iter().enumerate() {
        let key = format!("{above}.{position}");
        if let Some(message) = padding_fault(layer, &key) {
            problems.push(Problem::value(format!("{key}.padding"), message));
        }
        match layer {
            Layer::Dense { weight: Some(Initial::None), .. } => {
                let message = format!("`{key}` has weight = \"none\"; a dense layer has weights");
                problems.push(Problem::value(format!("{key}.weight"), message));
            }
            Layer::Residual { layers, shortcut } => {
                if layers.is_empty() {
                    problems
                        .push(Problem::value(&key, format!("`{key}` is a residual block without layers")));
                }
                problems.extend(check_layers(layers, &format!("{key}.layers")));
                problems.extend(check_layers(shortcut, &format!("{key}.shortcut")));
            }
            Layer::Branches { branches, .. } => {
                if branches.is_empty() {
                    problems
                        .push(Problem::value(&key, format!("`{key}` has no branches; give at least one")));
                }
                for (branch, layers) in branches.iter().enumerate() {
                    problems.extend(check_layers(layers, &format!("{key}.branches.{branch}")));
                }
            }
            _ => {}
        }
    }
    problems
}

/// Loss, metrics and what is watched, held against targets that are classes or numbers.
pub(crate) fn check_task(recipe: &Recipe, classes: bool) -> Problems {
    let (data, goes) = if classes { ("classes", "cross_entropy") } else { ("numbers", "mean_squared_error") };
    let mut problems = Vec::new();
    let loss = recipe.loss();
    if classes != matches!(loss, Loss::CrossEntropy { .. }) {
        let message = format!(
            "the targets of this data are {data}; use train.loss=\"{goes}\" and a task that goes with it"
        );
        let key = if recipe.train.loss.is_some() { "train.loss" } else { "task" };
        problems.push(Problem::value(key, message));
    } else if recipe.task == Task::Regression && loss == Loss::BinaryCrossEntropyWithLogits {
        let message = "a regression's targets are any numbers, and this loss is of numbers between 0 and 1; use mean_squared_error";
        problems.push(Problem::value("train.loss", message));
    } else if let Some(other) = recipe.metrics().into_iter().find(|metric| classes != metric.is_of_classes())
    {
        let message =
            format!("`train.metrics` has `{}`, but the targets of this data are {data}", other.name());
        problems.push(Problem::value("train.metrics", message));
    }
    if recipe.train.class_weights.is_some() && !classes {
        let message = "`train.class_weights` needs classes, found numbers";
        problems.push(Problem::value("train.class_weights", message));
    }
    problems.extend(check_watched(recipe));
    problems
}

fn check_watched(recipe: &Recipe) -> Problems {
    let train = &recipe.train;
    let mut names = vec!["loss".to_owned()];
    names.extend(recipe.metrics().iter().map(|metric| metric.name().to_owned()));
    let watched: Vec<String> = names.iter().map(|name| format!("val_{name}")).collect();
    names.extend(watched);
    let monitors = [
        ("train.early_stopping", train.early_stopping.as_ref().map(|early| early.monitor.as_str())),
        ("train.plateau", train.plateau.as_ref().map(|plateau| plateau.monitor.as_str())),
        ("train.best", train.best.as_deref()),
    ];
    if let (Some(early), Some(best)) = (&train.early_stopping, &train.best)
        && early.monitor != *best
    {
        let message = format!(
            "`train.best` looks at `{best}`, `train.early_stopping` at `{}`; say one of them",
            early.monitor
        );
        return vec![Problem::value("train.best", message)];
    }
    let problem = |(key, monitor): (&str, Option<&str>)| {
        let monitor = monitor?;
        if !names.iter().any(|name| name == monitor) {
            let meant = meant(monitor, &names.iter().map(String::as_str).collect::<Vec<_>>());
            let there = names.join(", ");
            let message =
                format!("`{key}` looks at `{monitor}`, which there is not{meant} There is {there}.");
            return Some(Problem::value(key, message));
        }
        let split = &recipe.split;
        let held = split.validation > 0.0 || split.validation_per_class.is_some_and(|count| count > 0);
        // A folder of pictures may be laid out with examples to watch.
        if monitor.starts_with("val_") && !held && !matches!(recipe.data, Data::ImageFolder { .. }) {
            let message =
                format!("`{key}` looks at `{monitor}`, but nothing is held out; say split.validation=0.1");
            return Some(Problem::value(key, message));
        }
        None
    };
    monitors.into_iter().filter_map(problem).collect()
}

impl Metric {
    /// As recipes and histories spell it.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::Top5Accuracy => "top_5_accuracy",
            Metric::Precision => "precision",
            Metric::Recall => "recall",
            Metric::F1 => "f1",
            Metric::BinaryAccuracy => "binary_accuracy",
            Metric::MeanSquaredError => "mean_squared_error",
            Metric::RootMeanSquaredError => "root_mean_squared_error",
            Metric::MeanAbsoluteError => "mean_absolute_error",
        }
    }

    fn is_of_classes(self) -> bool {
        match self {
            Metric::Accuracy | Metric::Top5Accuracy | Metric::Precision | Metric::Recall | Metric::F1 => true,
            Metric::BinaryAccuracy
            | Metric::MeanSquaredError
            | Metric::RootMeanSquaredError
            | Metric::MeanAbsoluteError => false,
        }
    }
}
