//! Tables of text.

use crate::common::{Folder, Ran, mixed};
use std::fmt::Write;
use std::fs;

/// `price = 3000 + 200 size - 50 age + 5000 for the north`, with an identifier and some cells missing.
fn houses(rows: usize) -> String {
    let mut text = String::from("id,size,age,district,price\n");
    for row in 0..rows {
        let (size, age, north) = (20 + mixed(row, 100), mixed(row + 7919, 80), mixed(row + 104_729, 2));
        let price = 3000 + 200 * size + 5000 * north - 50 * age;
        let age = if row % 17 == 5 { String::new() } else { age.to_string() };
        let district = ["south", "north"][north];
        writeln!(text, "{},{size},{age},{district},{price}", row + 1).unwrap();
    }
    text
}

const TRAIN: &str = "train tabular data.path=houses.csv train.batch=16 --out run";

#[test]
fn numbers_are_predicted_in_their_own_unit() {
    let folder = Folder::new();
    folder.write("houses.csv", houses(400).as_bytes());
    let ran = folder.run(&format!("{TRAIN} data.leave_out=[\"id\"] train.epochs=30 --json")).ok();
    assert!(ran.err.contains("`price` is predicted: regression"), "{}", ran.err);
    assert!(
        ran.err.contains("`age`") && ran.err.contains("missing") || ran.err.contains("lacks"),
        "{}",
        ran.err
    );
    // Restoring the best weights takes nothing beside the plan.
    let summary = ran.json();
    assert_eq!(summary["planned_bytes"], summary["peak_bytes"]);
    let page = fs::read_to_string(folder.path("run/report.html")).unwrap();
    for shown in ["learning rate", "0 · dense", ">district<", ">north<"] {
        assert!(page.contains(shown), "{shown}");
    }
    let test = &summary["metrics"]["test"];
    let error = test["root_mean_squared_error"].as_f64().unwrap();
    // Of prices from about 4,000 to 32,000, with every 17th age unknown.
    assert!((1.0..1500.0).contains(&error), "{error}");
    assert!(fs::read_to_string(folder.path("run/recipe.toml")).unwrap().contains("task = \"regression\""));

    // Rows to predict: other order of columns, no target, a category that training never saw.
    folder.write("new.csv", b"district,age,size\nnorth,10,100\nwest,10,100\nsouth,,40\n");
    let said = folder.run("predict run new.csv --json").ok();
    assert!(said.err.contains("`west`"), "{}", said.err);
    let value =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["values"][0].as_f64().unwrap();
    let values: Vec<f64> = said.out.lines().map(value).collect();
    assert!(values.len() == 3 && (values[0] - 27_500.0).abs() < 2500.0, "{values:?}");
    folder.run("predict run new.csv --out ./new.csv").fails(2, &["what is predicted from"]);
    folder.run("predict run new.csv --out said.csv").ok();
    assert!(
        fs::read_to_string(folder.path("said.csv"))
            .unwrap()
            .starts_with("input,index,prediction\n\"new.csv\",0,2")
    );
    folder.run("predict run houses.csv").ok();

    let scores = folder.run("evaluate run --data houses.csv --json").ok().json();
    assert!(scores["metrics"]["test"]["root_mean_squared_error"].as_f64().unwrap() < 1500.0, "{scores}");
}

#[test]
fn classes_are_predicted_by_name() {
    let folder = Folder::new();
    folder.write("houses.csv", houses(300).as_bytes());
    let ran = folder
        .run(&format!("{TRAIN} data.target=district data.leave_out=[\"id\"] train.epochs=40 --json"))
        .ok();
    assert!(ran.err.contains("`district` is predicted: classification"), "{}", ran.err);
    let summary = ran.json();
    assert!(summary["metrics"]["test"]["accuracy"].as_f64().unwrap() > 0.8, "{summary}");
    folder.write("new.csv", b"size,age,price\n50,10,17500\n");
    let said = folder.run("predict run new.csv").ok().out;
    assert!(said.contains("north (") && said.contains("south ("), "{said}");
    let balanced = format!("{TRAIN} data.target=district train.class_weights=balanced train.epochs=1");
    let told = "weights of classes in the loss: north: ";
    assert!(folder.run(&balanced).ok().err.contains(told));
    let page = fs::read_to_string(folder.path("run/report.html")).unwrap();
    assert!(page.contains(told) && page.contains("class_weights = &quot;balanced&quot;"));
    for command in ["plan", "explain"] {
        let same = balanced.replace("train ", &format!("{command} ")).replace(" --out run", "");
        assert!(folder.run(&same).ok().out.contains(told));
        let decisions = folder.run(&format!("{same} --json")).ok().json()["decisions"].clone();
        assert!(decisions.as_array().unwrap().iter().any(|line| line.as_str().unwrap().starts_with(told)));
    }
    folder
        .run(&format!("{TRAIN} data.target=district train.class_weights={{west=2.0}}"))
        .fails(2, &["`west`", "north"]);
}

#[test]
fn the_scores_are_those_of_the_weights_that_are_kept() {
    let folder = Folder::new();
    folder.write("houses.csv", houses(200).as_bytes());
    // A rate that spoils what was learned before.
    let late = "train.epochs=12 train.learning_rate=0.3 train.schedule=constant";
    let ran = folder.run(&format!("{TRAIN} data.leave_out=[\"id\"] {late} --json")).ok();
    let summary = ran.json();
    let lines = fs::read_to_string(folder.path("run/metrics.jsonl")).unwrap();
    let epochs: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let watched = |epoch: &serde_json::Value| epoch["val_loss"].as_f64().unwrap();
    let best = epochs.iter().min_by(|a, b| watched(a).total_cmp(&watched(b))).unwrap();
    assert_eq!(summary["best_epoch"], best["epoch"]);
    assert_ne!(best["epoch"], 12, "the last epoch is not the best: {lines}");
    for (part, prefix) in [("train", ""), ("validation", "val_")] {
        assert_eq!(summary["metrics"][part]["loss"], best[&format!("{prefix}loss")], "{part}");
    }
    let (epoch, loss) = (&best["epoch"], watched(best));
    assert!(ran.err.contains(&format!("validation, epoch {epoch} ")), "{}", ran.err);
    assert!(ran.err.contains(&format!("those of epoch {epoch} of 12, the best by val_loss")), "{}", ran.err);
    let row = ran.err.lines().find(|line| line.starts_with("validation, epoch")).unwrap();
    let shown: f64 = row.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!((shown - loss).abs() <= 1e-3 * loss.max(1.0), "{row}: {loss}");
}

#[test]
fn a_small_table_makes_small_batches() {
    let folder = Folder::new();
    folder.write("houses.csv", houses(50).as_bytes());
    let ran = folder.run("train tabular data.path=houses.csv train.epochs=2 --out run").ok();
    // A tenth is watched, a fifth tested.
    assert!(ran.err.contains("`train.batch` is 64, but 35 examples are learned from"), "{}", ran.err);
    assert_eq!(ran.err.matches("`train.batch`").count(), 1, "{}", ran.err);
    folder.run("plan tabular data.path=houses.csv").ok();
    folder.run("evaluate run").ok();
}

#[test]
fn tables_that_cannot_be_used() {
    let folder = Folder::new();
    let train = |text: &str, more: &str| {
        folder.write("houses.csv", text.as_bytes());
        folder.run(&format!("{TRAIN}{more}"))
    };
    folder.run(TRAIN).fails(2, &["houses.csv"]);
    train("", "").fails(2, &["houses.csv", "line 1", "empty"]);
    train("a,b\n1,2\n3,4,5\n", "").fails(2, &["houses.csv", "line 3", "3 cells", "2 in the first line"]);
    let numbers = |spoiled: &str| -> String {
        let rows: String = (0..40).map(|row| format!("{},{}\n", mixed(row, 50), row as f64 * 1.5)).collect();
        format!("a,b\n{spoiled}{rows}")
    };
    train(&numbers("many,2.5\n"), "").fails(2, &["houses.csv", "line 2", "`a`", "many"]);
    train(&numbers(""), " data.target=c").fails(2, &["`c`", "`a`, `b`"]);
    train(&numbers(""), " data.leave_out=[\"z\"]").fails(2, &["`z`"]);
    train(
        &numbers(",2.5\n"),
        " transform.missing=refuse split.test=0.0 split.validation=0.0 train.best=loss",
    )
    .fails(2, &["houses.csv", "line 2", "missing", "transform.missing = \"impute\""]);
    train(&numbers(""), " train.metrics=[\"accuracy\"]").fails(2, &["`train.metrics`", "numbers"]);
    train(&numbers(""), " split.test=0.6 split.validation=0.5").fails(2, &["`split.validation`"]);
    let one: String = (0..40).map(|row| format!("{row},yes\n")).collect();
    train(&format!("a,b\n{one}"), "").fails(2, &["one class", "`yes`"]);
    // A class in the test file that training never saw.
    let two: String = (0..40).map(|row| format!("{},{}\n", mixed(row, 9), ["yes", "no"][row % 2])).collect();
    folder.write("test.csv", b"a,b\n1,yes\n2,perhaps\n");
    train(&format!("a,b\n{two}"), " data.test_path=test.csv split.test=0.0")
        .fails(2, &["test.csv", "line 3", "`perhaps`"]);
    train(&format!("a,b\n{two}"), " train.epochs=1").ok();
    folder.write("new.csv", b"c\n1\n");
    folder.run("predict run new.csv").fails(2, &["new.csv", "`a`"]);
    folder.write("new.csv", b"a;c\n1;2\n");
    folder.run("predict run new.csv").fails(2, &["new.csv", "cut at ';'", "Cut it at ','"]);
    // Numbers as much of Europe writes them, and a column that names every row.
    let commas: String = (0..40).map(|row| format!("{row};{},5\n", mixed(row, 9))).collect();
    train(&format!("a;b\n{commas}"), "").fails(2, &["`b`", "written with a comma", "decimal points"]);
    let names: String = (0..40).map(|row| format!("{},name {row}\n", mixed(row, 9))).collect();
    train(&format!("a,b\n{names}"), "").fails(2, &["`b` holds 40 texts, each of them once", "data.target"]);
}

#[test]
fn a_table_too_small_for_its_shares_is_refused() {
    let folder = Folder::new();
    folder.write("three.csv", b"a,b,y\n1,2,0.5\n2,3,1.7\n4,1,2.2\n");
    folder.run("train tabular data.path=three.csv split.validation=0.1 split.test=0.2").fails(
        2,
        &["3 examples are too few for a share of 0.1 to watch and one of 0.2 to test on", "split.validation"],
    );
    let third = "split.validation=0.33 split.test=0.33 train.epochs=2";
    let err = folder.run(&format!("train tabular data.path=three.csv {third}")).ok().err;
    assert!(err.contains("1 examples to learn from, 1 to watch, 1 to test"), "{err}");
    assert!(err.contains("but 1 example is learned from"), "{err}");
}

/// The vector after the last stands for text that training never saw.
#[test]
fn an_embedding_has_room_for_what_was_never_seen() {
    let folder = Folder::new();
    let row = |i: usize| format!("{},{}\n", ["a", "b", "c", "d"][mixed(i, 4)], ["no", "yes"][i % 2]);
    let rows: String = (0..200).map(row).collect();
    folder.write("known.csv", format!("colour,answer\n{rows}").as_bytes());
    folder.write("new.csv", b"colour,answer\nz,no\na,yes\n");
    let model = r#"model.layers=[{kind="embedding",count=5,features=4},"flatten","dense"]"#;
    let words =
        ["train", "tabular", "data.path=known.csv", "transform.categories=code", "train.epochs=1", model];
    Ran::new(folder.command().args(words).args(["--out", "run"]).output().unwrap()).ok();
    let said = folder.run("predict run new.csv --json").ok();
    assert_eq!(said.out.lines().count(), 2, "{}", said.out);
    let said = folder.run("evaluate run --data new.csv --json").ok();
    assert_eq!(said.json()["examples"], 2);
}
