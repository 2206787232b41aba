//! Runs whose numbers stop being finite.

use crate::common::{Folder, mixed};
use serde_json::Value;
use std::fs;

/// A table of two columns and their sum, and a recipe of two layers for it.
fn table() -> Folder {
    let folder = Folder::new();
    let row =
        |i: usize| format!("{},{},{}\n", mixed(i, 90), mixed(i + 7, 90), mixed(i, 90) + mixed(i + 7, 90));
    let rows: String = (0..64).map(row).collect();
    folder.write("sums.csv", format!("a,b,sum\n{rows}").as_bytes());
    folder.write("sums.toml", RECIPE.as_bytes());
    folder
}

const RECIPE: &str = r#"
name = "sums"
task = "regression"
[data]
kind = "csv"
path = "sums.csv"
[split]
validation = 0.25
[model]
layers = [{ kind = "dense", units = 4 }, { kind = "dense" }]
[train]
epochs = 1
batch = 64
optimizer = "sgd"
learning_rate = 1e-3
"#;

fn summary(folder: &Folder) -> Value {
    serde_json::from_slice(&fs::read(folder.path("run/summary.json")).unwrap()).unwrap()
}

#[test]
fn weights_that_are_lost_in_the_last_update_are_a_failure() {
    let folder = table();
    // One update, whose loss and gradients are finite.
    folder.run("train sums.toml --out run --json transform.target=identity train.learning_rate=3e38").fails(
        2,
        &[
            "the training diverged",
            "`weight` of layer `model.layers.0` (dense, sums.toml:10) holds ",
            "no weights are kept in run",
        ],
    );
    let summary = summary(&folder);
    assert_eq!(summary["status"], "failed", "{summary}");
    assert!(summary["reason"].as_str().unwrap().contains("the training diverged"), "{summary}");
    for command in ["predict run sums.csv", "evaluate run"] {
        folder.run(command).fails(2, &["the run in run failed", "no weights", "the training diverged"]);
    }
    // It is no run that is over, nor one that was interrupted.
    folder
        .run("train sums.toml --out run --resume transform.target=identity train.learning_rate=3e38")
        .fails(2, &["the training diverged"]);
    let again = folder.run("train sums.toml --out run").ok();
    assert!(again.err.contains("the failed run's checkpoints are put aside"), "{}", again.err);
    folder.run("predict run sums.csv").ok();
}

#[test]
fn a_last_loss_that_is_not_finite_is_a_failure() {
    let folder = table();
    // Weights that are finite, and predictions of which the squares are not.
    folder.run("train sums.toml --out run train.learning_rate=1e22").fails(
        2,
        &[
            "the training diverged: `val_loss` of epoch 1 is ",
            "lower the learning rate (epoch 1, batch 1: the first ",
        ],
    );
}

#[test]
fn in_f16_the_advice_is_another_precision() {
    let folder = table();
    folder.run("train sums.toml --out run train.learning_rate=1e22 train.precision=f16").fails(
        2,
        &[
            "the training diverged: `val_loss` of epoch 1 is NaN",
            "compute in bf16, for numbers of f16 end at 65504",
        ],
    );
}

#[test]
fn updates_that_overflow_a_scale_are_counted_where_a_run_is_told() {
    let folder = table();
    let settings = "transform.target=identity train.learning_rate=1e-5 train.batch=4 train.precision=f16";
    folder.run(&format!("train sums.toml --out run {settings}")).ok();
    let count = summary(&folder)["overflowed_steps"].as_u64().unwrap();
    let page = fs::read_to_string(folder.path("run/report.html")).unwrap();
    assert!(page.contains(&format!("Left out while a scale for the loss was found: {count} updates")));
}

#[test]
fn the_best_weights_from_before_stay_usable() {
    let folder = table();
    // Twice as good, then lost: while the epochs go on, and in the last one.
    for epochs in [3, 2] {
        let settings = "train.schedule={kind=\"step\",every=1,factor=1e42} train.best=val_loss";
        folder
            .run(&format!("train sums.toml --out run train.epochs={epochs} {settings}"))
            .fails(2, &["diverge", "the weights of epoch 1, the best by val_loss, are in run"]);
        assert_eq!(summary(&folder)["status"], "failed");
        let said = folder.run("predict run sums.csv").ok();
        assert!(!said.out.contains("NaN"), "{}", said.out);
        assert!(said.err.contains("failed; these are the weights that it kept"), "{}", said.err);
    }
}

#[test]
fn weights_that_are_not_finite_predict_nothing() {
    let folder = table();
    folder.run("train sums.toml --out run --quiet").ok();
    let file = folder.path("run/weights.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&file, bytes).unwrap();
    for command in ["predict run sums.csv", "evaluate run"] {
        folder.run(command).fails(2, &["weights.safetensors", "holds NaN", "train again"]);
    }
}
