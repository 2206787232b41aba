//! Layers and settings that no built-in recipe has, each in a small recipe from data to predictions.

use crate::common::{Folder, Ran, mixed};
use crate::pictures::pictures;
use std::fs;

const TRAIN: &str = "seed = 1\nepochs = 30\nbatch = 16\noptimizer = \"adam\"\nlearning_rate = 1e-2\n";

/// Writes and trains a recipe.
fn train(folder: &Folder, data: &str, layers: &str, train: &str) -> Ran {
    let text = format!(
        "name = \"run\"\ntask = \"classification\"\n{data}\n[model]\nlayers = [{layers}]\n[train]\n{train}"
    );
    folder.write("recipe.toml", text.as_bytes());
    folder.run("train recipe.toml --json --out run").ok()
}

fn test(ran: &Ran, score: &str) -> f64 {
    ran.json()["metrics"]["test"][score].as_f64().unwrap()
}

#[test]
fn conv1d_finds_a_step_wherever_it_is() {
    let folder = Folder::new();
    // Eight samples of noise; in half of the rows one of them stands out.
    let row = |row: usize| {
        let spike = row.is_multiple_of(2).then(|| mixed(row, 8));
        let sample = |at: usize| mixed(row * 8 + at + 17, 20) + if spike == Some(at) { 100 } else { 0 };
        let samples: Vec<String> = (0..8).map(|at| sample(at).to_string()).collect();
        format!("{},{}\n", samples.join(","), if spike.is_some() { "spike" } else { "calm" })
    };
    let rows: String = (0..200).map(row).collect();
    folder.write("signal.csv", format!("a,b,c,d,e,f,g,h,class\n{rows}").as_bytes());
    let data = "[data]\nkind = \"csv\"\npath = \"signal.csv\"\n[split]\ntest = 0.25";
    let layers = r#"{ kind = "reshape", shape = [1, 8] },
        { kind = "conv1d", filters = 4, kernel = 3, padding = "same", activation = "relu" }, "global_max_pool", "dense""#;
    assert!(test(&train(&folder, data, layers, TRAIN), "accuracy") >= 0.95);
    folder.write("new.csv", b"a,b,c,d,e,f,g,h\n5,5,5,5,5,5,5,5\n5,5,5,105,5,5,5,5\n");
    let said = folder.run("predict run new.csv").ok().out;
    assert!(said.contains("[0]: calm") && said.contains("[1]: spike"), "{said}");
}

#[test]
fn transposed_convolution_enlarges_what_was_made_small() {
    let folder = Folder::new();
    pictures(&folder);
    let data = "[data]\nkind = \"image_folder\"\npath = \"pictures\"\nsize = 16\n[split]\ntest = 0.25";
    let layers = r#"{ kind = "conv2d", filters = 4, kernel = 2, stride = 2, activation = "relu" },
        { kind = "conv_transpose2d", filters = 2, kernel = 2, stride = 2, activation = "relu" }, "flatten", "dense""#;
    let ran = train(&folder, data, layers, TRAIN);
    assert!(ran.json()["metrics"]["train"]["accuracy"].as_f64().unwrap() >= 0.9, "{}", ran.out);
    let page = fs::read_to_string(folder.path("run/report.html")).unwrap();
    // A batch of 16: down to 8 × 8, and up again.
    assert!(page.contains("[16, 4, 8, 8]") && page.contains("[16, 2, 16, 16]"));
}

#[test]
fn embeddings_tell_categories_apart() {
    let folder = Folder::new();
    // Neither column alone says anything.
    let row = |row: usize| {
        let (one, two) = (mixed(row, 5), mixed(row + 3001, 4));
        format!("city {one},kind {two},{}\n", if (one + two).is_multiple_of(2) { "even" } else { "odd" })
    };
    let rows: String = (0..300).map(row).collect();
    folder.write("words.csv", format!("city,kind,class\n{rows}").as_bytes());
    let data = "[data]\nkind = \"csv\"\npath = \"words.csv\"\n[split]\ntest = 0.2\n[transform]\ncategories = \"code\"";
    let layers = r#"{ kind = "embedding", count = 5, features = 4 }, "flatten",
        { kind = "dense", units = 16, activation = "relu" }, "dense""#;
    assert!(test(&train(&folder, data, layers, TRAIN), "accuracy") >= 0.95);
    folder.write("new.csv", b"kind,city\nkind 1,city 1\nkind 2,city 3\n");
    let said = folder.run("predict run new.csv").ok().out;
    assert!(said.contains("[0]: even") && said.contains("[1]: odd"), "{said}");
}

/// A recipe of plain gradient descent on [`Folder::pictures`], with `more` keys.
fn descent(folder: &Folder, more: &str) -> Ran {
    let keys =
        "train.optimizer=sgd train.learning_rate=0.5 train.shuffle=false train.epochs=6 train.batch=32";
    folder.run(format!("train small.toml --json --out run {keys} {more}").trim_end()).ok()
}

#[test]
fn clipped_gradients_hardly_move_the_weights() {
    let folder = Folder::new();
    folder.pictures(64);
    let loss = |more: &str| test(&descent(&folder, more), "loss");
    let still = loss("train.learning_rate=1e-12");
    assert!((loss("") - still).abs() > 1e-2, "without clipping the weights move");
    for kind in ["norm", "value"] {
        let clipped = loss(&format!("train.clip={{kind=\"{kind}\",bound=1e-9}}"));
        assert!((clipped - still).abs() < 1e-5, "{kind}: {clipped} {still}");
    }
    let loose = loss("train.clip={kind=\"norm\",bound=1e9}");
    assert_eq!(loose, loss(""), "a bound that is not reached changes nothing");
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let folder = Folder::new();
    folder.pictures(64);
    let loss = |more: &str| test(&descent(&folder, more), "loss");
    let (large, parts, small) =
        (loss(""), loss("train.batch=8 train.accumulate=4"), loss("train.batch=8 train.learning_rate=0.125"));
    assert!((parts / large - 1.0).abs() < 1e-5, "{parts} {large}");
    assert!((small / large - 1.0).abs() > 1e-4, "batches of 8 of their own end elsewhere: {small} {large}");
}

#[test]
fn a_plateau_lowers_the_learning_rate() {
    let folder = Folder::new();
    folder.pictures(64);
    // So small a rate improves nothing.
    descent(&folder, "train.learning_rate=1e-12 train.plateau={monitor=\"loss\",factor=0.5,patience=1}");
    let log = fs::read_to_string(folder.path("run/history.csv")).unwrap();
    let column = log.lines().next().unwrap().split(',').position(|name| name == "learning_rate").unwrap();
    let rates: Vec<f64> =
        log.lines().skip(1).map(|line| line.split(',').nth(column).unwrap().parse().unwrap()).collect();
    for (rate, wanted) in rates.iter().zip([1.0, 1.0, 0.5, 0.25, 0.125, 0.0625]) {
        assert!((rate / (wanted * 1e-12) - 1.0).abs() < 1e-6, "{rates:?}");
    }
    assert_eq!(rates.len(), 6);
}
