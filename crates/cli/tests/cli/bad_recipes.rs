//! Recipes, overrides, folders and devices that cannot be.

use crate::common::Folder;
use std::fs;

#[test]
fn unknown_names_propose_the_nearest() {
    let folder = Folder::new();
    folder.run("train digts").fails(2, &["no recipe `digts`", "did you mean `digits`?"]);
    folder.run("train digits train.epoch=5").fails(2, &["`train.epoch`", "did you mean `epochs`?"]);
    folder.run("train digits modle.layers=5").fails(2, &["`modle`", "did you mean `model`?"]);
    folder.run("train digits model.layers.1.unit=5").fails(2, &["`model.layers.1.unit`", "`units`"]);
    folder.run("train digits train.optimizer=adm").fails(2, &["`train.optimizer`", "`adam`"]);
    folder.run("train nothing.toml").fails(2, &["nothing.toml"]);
    folder.run("train digits epochs").fails(2, &["`epochs` is not key=value"]);
}

#[test]
fn wrong_types_and_values() {
    let folder = Folder::new();
    folder.run("train digits train.epochs=many").fails(2, &["`train.epochs`", "\"many\"", "whole number"]);
    folder.run("train digits train.epochs=-1").fails(2, &["`train.epochs`", "-1"]);
    folder.run("train digits train.shuffle=3").fails(2, &["`train.shuffle`", "true or false"]);
    folder.run("train digits train=5").fails(2, &["`train`", "keys"]);
    folder.run("train digits train.epochs=0").fails(2, &["`train.epochs` is 0"]);
    folder.run("train digits train.batch=0").fails(2, &["`train.batch` is 0"]);
    folder.run("train digits train.batch=100000").fails(2, &["100000", "9000 examples"]);
    folder.run("train digits train.learning_rate=nan").fails(2, &["`train.learning_rate`"]);
    folder.run("train digits train.validation=1.5").fails(2, &["`train.validation`"]);
    folder.run("train digits model.layers.2.rate=1.0").fails(2, &["`model.layers.2`", "rate"]);
    folder.run("train digits data.train=0").fails(2, &["`data.train` is 0"]);
    folder.run("train digits name=../escape").fails(2, &["`name`", "folder"]);
    folder.run("train mnist").fails(2, &["`data.path` is missing", "data.path=DIR"]);
    folder.write("broken.toml", b"name = ");
    folder.run("train broken.toml").fails(2, &["broken.toml is not TOML"]);
    folder.write("bare.toml", b"name = \"bare\"");
    folder.run("train bare.toml").fails(2, &["`task` is missing"]);
    folder.run("train digits name=2024 train.epochs=1 data.train=100 data.test=20 --quiet").ok();
    assert!(folder.path("runs/2024/summary.json").is_file());
}

#[test]
fn impossible_shapes() {
    let folder = Folder::new();
    folder.run("train digits model.layers=[]").fails(2, &["`model.layers` is empty"]);
    folder.run("train digits model.layers.1.units=0").fails(2, &["0 units"]);
    folder
        .run("train digits model.layers.4.units=7")
        .fails(2, &["[7]", "10 classes", "model.layers.4.units=10"]);
    folder.run("train digits model.layers=[{kind=\"dense\",units=10}]").fails(2, &["[1, 28, 10]", "flatten"]);
    folder.run("train digits model.layers.1.units=1000000000000").fails(3, &["out of memory", "parameters"]);
    folder.run("plan digits model.layers.1.units=9000000000000000000").fails(3, &["out of memory"]);
}

#[test]
fn devices_that_are_not_there() {
    let folder = Folder::new();
    for name in ["gpu", "cuda", "cuda:1", "wgpu", "cpu:7", "abacus"] {
        folder
            .run(&format!("train digits device={name}"))
            .fails(3, &[&format!("no device `{name}`"), "devices here: cpu"]);
    }
    folder.run("bench W1 --device gpu").fails(3, &["no GPU"]);
    assert!(!folder.path("runs").exists(), "nothing was begun");
}

#[test]
fn folders_that_cannot_be_written() {
    let folder = Folder::new();
    let file = folder.write("file", b"here first");
    folder.run("train digits --out file/run").fails(2, &["run folder", "file/run"]);
    folder.run("train digits --out file").fails(2, &["file"]);
    assert_eq!(fs::read(file).unwrap(), b"here first");
}

#[test]
fn training_that_diverges_says_so_and_keeps_earlier_weights() {
    let folder = Folder::new();
    folder.pictures(32);
    folder.run("train small.toml --quiet --out run").ok();
    let before = fs::read(folder.path("run/weights.safetensors")).unwrap();
    folder
        .run("train small.toml --quiet --out run train.learning_rate=1e38 train.epochs=9 train.optimizer=sgd train.momentum=0.9")
        .fails(2, &["updates were not finite", "learning rate"]);
    assert_eq!(fs::read(folder.path("run/weights.safetensors")).unwrap(), before);
}
