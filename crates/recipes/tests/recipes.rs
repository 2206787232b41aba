//! Recipes as text.

use serde_json::Value;
use warploom_recipes::{Recipe, built_in, find, open_keys, parse, reference, schema};

fn given(overrides: &[&str]) -> Vec<String> {
    overrides.iter().map(|text| (*text).to_owned()).collect()
}

fn digits(overrides: &[&str]) -> Result<Recipe, String> {
    find("digits", &given(overrides)).map_err(|error| error.to_string())
}

#[test]
fn every_built_in_recipe_is_named_as_its_row_and_survives_being_written() {
    for row in built_in() {
        let filled: Vec<String> = open_keys(row.text).iter().map(|key| format!("{key}=somewhere")).collect();
        let recipe = parse(row.text, row.name, &filled).unwrap();
        assert_eq!(recipe.name, row.name);
        assert!(!recipe.description.is_empty());
        assert_eq!(parse(&recipe.to_toml(), "written", &[]).unwrap(), recipe);
        assert_eq!(row.text.matches("# ").count().min(1), 1, "{} says what it is", row.name);
    }
    let needs = |name: &str| open_keys(built_in().iter().find(|row| row.name == name).unwrap().text);
    assert_eq!(
        (needs("digits"), needs("mnist"), needs("tabular")),
        (vec![], given(&["data.path"]), given(&["data.path"]))
    );
}

#[test]
fn overrides_reach_every_key() {
    let recipe = digits(&[
        "train.epochs = 3",
        "model={ layers = [\"flatten\", { kind = \"dense\", units = 4 }, \"dense\"] }",
        "model.layers.1.units=32",
        "model.layers.2={ kind = \"dense\", units = 8, bias = \"none\" }",
        "train.metrics=[\"accuracy\", \"f1\"]",
        "train.optimizer=sgd",
        "train.optimizer.momentum=0.9",
        "device=cpu",
        "name=7",
        "train.schedule.warmup=10",
        "augment=[\"flip_horizontal\"]",
    ])
    .unwrap();
    let text = recipe.to_toml();
    for part in [
        "epochs = 3",
        "units = 32",
        "units = 8",
        "momentum = 0.9",
        "name = \"7\"",
        "warmup = 10",
        "probability = 0.5",
    ] {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
    assert_eq!((recipe.device.as_str(), recipe.metrics().len()), ("cpu", 2));
}

#[test]
fn errors_name_the_key() {
    for (overrides, parts) in [
        (
            &["train.lerning_rate=1"][..],
            &["unknown key `train.lerning_rate`", "did you mean `learning_rate`?"][..],
        ),
        (&["data.knd=1"], &["`data.knd`", "`kind`"]),
        (
            &["data.kind=cifar"],
            &["`data.kind` cannot be `cifar`", "digits, idx, image_folder, csv, logistic"],
        ),
        (&["data.units=3"], &["unknown key `data.units` of kind `digits`", "train, test, seed"]),
        (&["task=clasification"], &["`task`", "did you mean `classification`?"]),
        (&["train.epochs.more=1"], &["`more` is looked for in integer"]),
        (&["model.layers=[\"flatten\"]", "model.layers.7.units=1"], &["`7`", "1 elements"]),
        (&["train.momentum=0.9"], &["unknown key `train.momentum`"]),
        (&["train.optimizer.momentum=0.9"], &["`train.optimizer.momentum` of kind `adamw`"]),
        (
            &["train.optimizer={ kind = \"sgd\", momentum = 1.0 }"],
            &["`train.optimizer.momentum` is 1.0", "below 1"],
        ),
        (&["train.loss=mean_squared_error"], &["classes", "cross_entropy"]),
        (&["train.metrics=[\"mean_absolute_error\"]"], &["`train.metrics`", "classes"]),
        (&["model.layers=[\"flatten\"]"], &["exclude each other"]),
        (&["model={}"], &["`model.layers` is empty"]),
        (
            &["model={ layers = [{ kind = \"conv2d\", filters = 8 }] }"],
            &["`model.layers.0.kernel` is missing"],
        ),
        (
            &["model={ layers = [{ kind = \"conv2d\", filters = 8, kernel = 0 }] }"],
            &["`model.layers.0.kernel` is 0"],
        ),
        (&["split.validation=0.0", "train.best=val_loss"], &["`train.best`", "split.validation=0.1"]),
        (&["train.best=val_acuracy"], &["`val_acuracy`", "did you mean `val_accuracy`?"]),
        (&["split.rule=first_of_class"], &["`split.train_per_class`"]),
        (&["split.test=0.1"], &["`split.test`", "of its own"]),
        (&["train.plateau={}"], &["`train.plateau`", "`train.schedule`"]),
        (&["=3"], &["not key=value"]),
        (&["train.epochs=1e3"], &["`train.epochs`", "whole number"]),
        (&["train.epochs=0"], &["`train.epochs` is 0", "1 and more"]),
        (&["train.learning_rate=nan"], &["`train.learning_rate` is nan", "above 0"]),
        (&["train=5"], &["`train`", "a table of keys is wanted, such as epochs"]),
    ] {
        let error = digits(overrides).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
    }
}

#[test]
fn errors_show_the_line_with_a_caret() {
    let text = built_in()[0].text.replace("epochs = 5", "epochs = \"many\"");
    let error = parse(&text, "mine.toml", &[]).unwrap_err().to_string();
    let line = 1 + text.lines().position(|line| line.starts_with("epochs")).unwrap();
    assert!(error.contains(&format!("--> mine.toml:{line}:10")), "{error}");
    assert!(error.contains("epochs = \"many\"\n"), "{error}");
    assert!(error.ends_with(&format!("| {}{}", " ".repeat(9), "^".repeat(6))), "{error}");
    let error = parse("name = \n", "mine.toml", &[]).unwrap_err().to_string();
    assert!(error.contains("mine.toml is not TOML") && error.contains("mine.toml:1:"), "{error}");
}

#[test]
fn the_reference_is_the_one_in_the_docs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recipes.md");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written.trim_end() == reference().trim_end(),
        "docs/recipes.md is not what the source says; write it with: warploom recipes --reference > docs/recipes.md"
    );
}

/// Every key of the schema has a description, and nothing is described that the check of keys does not understand.
#[test]
fn every_key_is_documented() {
    fn walk(schema: &Value, path: &str, undocumented: &mut Vec<String>) {
        match schema {
            Value::Object(map) => {
                for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    if name != "kind" && property["description"].as_str().unwrap_or_default().len() < 8 {
                        undocumented.push(format!("{path}.{name}"));
                    }
                }
                map.iter().for_each(|(key, value)| walk(value, &format!("{path}/{key}"), undocumented));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, path, undocumented)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut undocumented = Vec::new();
    walk(&schema(), "", &mut undocumented);
    assert!(undocumented.is_empty(), "{undocumented:?}");
}
