//! Recipes as text.

use warploom_recipes::{Recipe, built_in, find, parse};

fn given(overrides: &[&str]) -> Vec<String> {
    overrides.iter().map(|text| (*text).to_owned()).collect()
}

fn digits(overrides: &[&str]) -> Result<Recipe, String> {
    find("digits", &given(overrides)).map_err(|error| error.to_string())
}

#[test]
fn every_built_in_recipe_is_named_as_its_row_and_survives_being_written() {
    for row in built_in() {
        let path = if row.name == "mnist" { given(&["data.path=somewhere"]) } else { Vec::new() };
        let recipe = parse(row.text, row.name, &path).unwrap();
        assert_eq!(recipe.name, row.name);
        assert!(!recipe.description.is_empty());
        assert_eq!(parse(&recipe.to_toml(), "written", &[]).unwrap(), recipe);
    }
}

#[test]
fn overrides_reach_every_key() {
    let recipe = digits(&[
        "train.epochs = 3",
        "model.layers.1.units=32",
        "model.layers.2={ kind = \"dense\", units = 8, bias = \"none\" }",
        "train.metrics=[\"accuracy\"]",
        "device=cpu",
        "name=7",
        "train.warmup=10",
    ])
    .unwrap();
    assert_eq!(
        (recipe.train.epochs, recipe.model.layers[1].units, recipe.model.layers[2].units),
        (3, Some(32), Some(8))
    );
    assert_eq!((recipe.device.as_str(), recipe.name.as_str(), recipe.train.warmup), ("cpu", "7", Some(10)));
}

#[test]
fn errors_name_the_key() {
    for (overrides, parts) in [
        (
            &["train.lerning_rate=1"][..],
            &["unknown key `train.lerning_rate`", "did you mean `learning_rate`?"][..],
        ),
        (&["data.knd=1"], &["`data.knd`", "`kind`"]),
        (&["data.kind=cifar"], &["`data.kind` cannot be `cifar`", "digits, idx, logistic"]),
        (&["task=clasification"], &["`task`", "did you mean `classification`?"]),
        (&["train.epochs.more=1"], &["`more` is looked for in integer"]),
        (&["model.layers.7.units=1"], &["`7`", "5 elements"]),
        (&["train.momentum=0.9"], &["`train.momentum`", "sgd"]),
        (&["model.layers.0.units=3"], &["`model.layers.0`", "`units`"]),
        (&["train.loss=mean_squared_error"], &["classes", "cross_entropy"]),
        (&["=3"], &["not key=value"]),
        (&["train.epochs=1e3"], &["`train.epochs`", "whole number"]),
    ] {
        let error = digits(overrides).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
    }
}
