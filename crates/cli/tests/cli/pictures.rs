//! Folders of pictures.

use crate::common::{Folder, mixed, pgm};
use std::fs;

/// Twelve pictures of 16 × 16 for each of three classes: stripes down, stripes across, and neither, with noise.
pub fn pictures(folder: &Folder) {
    for (class, name) in ["across", "down", "flat"].iter().enumerate() {
        for index in 0..12 {
            folder.write(&format!("pictures/{name}/{index}.pgm"), &pattern(class, index));
        }
    }
}

fn pattern(class: usize, index: usize) -> Vec<u8> {
    pgm(16, 16, |y, x| {
        let noise = mixed(class * 10_000 + index * 256 + y * 16 + x, 60) as u8;
        let bright = match class {
            0 => (y + index) % 4 < 2,
            1 => (x + index) % 4 < 2,
            _ => true,
        };
        if bright { 140 + noise } else { noise }
    })
}

const TRAIN: &str =
    "train image-folder data.path=pictures data.size=16 train.epochs=12 train.batch=8 --out run";

#[test]
fn pictures_are_learned_tested_and_predicted_raw() {
    let folder = Folder::new();
    pictures(&folder);
    let summary =
        folder.run(&format!("{TRAIN} split.rule=first_of_class split.train_per_class=8 --json")).ok().json();
    assert!(summary["metrics"]["test"]["accuracy"].as_f64().unwrap() >= 0.9, "{summary}");
    assert!(summary["peak_bytes"].as_u64() <= summary["planned_bytes"].as_u64(), "{summary}");

    // A picture of another size, then a folder.
    folder.write("new/big.pgm", &pgm(32, 48, |y, _| if y % 8 < 4 { 200 } else { 20 }));
    folder.write("new/small.pgm", &pattern(1, 99));
    let said = folder.run("predict run new/small.pgm new --json").ok();
    let resized = "new/big.pgm: 32 × 48 pixels are resized to the 16 × 16 that the model takes";
    assert_eq!((said.err.matches("resized").count(), said.err.contains(resized)), (1, true), "{}", said.err);
    let lines: Vec<serde_json::Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let classes: Vec<_> =
        lines.iter().map(|line| (line["input"].as_str().unwrap(), line["class"].as_str().unwrap())).collect();
    assert_eq!(classes, [("new/small.pgm", "down"), ("new/big.pgm", "across"), ("new/small.pgm", "down")]);
    let probabilities = lines[0]["probabilities"].as_object().unwrap();
    let sum: f64 = probabilities.values().map(|p| p.as_f64().unwrap()).sum();
    assert!(probabilities.len() == 3 && (sum - 1.0).abs() < 1e-5, "{}", lines[0]);
    folder.run("predict run new --out said.csv").ok();
    let table = fs::read_to_string(folder.path("said.csv")).unwrap();
    assert!(table.starts_with("input,index,class,probability,\"probability of across\""), "{table}");

    // Other pictures, of two of the three classes.
    for index in 0..4 {
        folder.write(&format!("other/across/{index}.pgm"), &pattern(0, 50 + index));
        folder.write(&format!("other/flat/{index}.pgm"), &pattern(2, 50 + index));
    }
    let scores = folder.run("evaluate run --data other --json").ok().json();
    assert!(scores["metrics"]["test"]["accuracy"].as_f64().unwrap() >= 0.75, "{scores}");
    folder.write("other/strange/1.pgm", &pattern(2, 1));
    folder.run("evaluate run --data other").fails(2, &["`strange`", "not there in training"]);
}

#[test]
fn a_folder_laid_out_in_parts_is_its_own_split() {
    let folder = Folder::new();
    for (part, count) in [("train", 8), ("test", 4)] {
        for (class, name) in ["a", "b"].iter().enumerate() {
            for index in 0..count {
                folder.write(&format!("pictures/{part}/{name}/{index}.pgm"), &pattern(class, index));
            }
        }
    }
    let err = folder.run(&format!("{TRAIN} transform.pixels=standard")).ok().err;
    assert!(err.contains("16 examples to learn from, 0 to watch, 8 to test"), "{err}");
    assert!(err.contains("`split.test` is not used"), "{err}");
    // Predicted pictures take the same scale.
    folder.run("predict run pictures/test/a").ok();
    folder.write("pictures/test/c/1.pgm", &pattern(2, 0));
    folder.run(TRAIN).fails(2, &["`c`"]);
}

#[test]
fn pictures_that_cannot_be_used() {
    let folder = Folder::new();
    folder.run(TRAIN).fails(2, &["pictures"]);
    fs::create_dir(folder.path("pictures")).unwrap();
    folder.run(TRAIN).fails(2, &["pictures", "no"]);
    for index in 0..12 {
        folder.write(&format!("pictures/only/{index}.pgm"), &pattern(0, index));
    }
    folder.run(TRAIN).fails(2, &["`only`"]);
    pictures(&folder);
    fs::remove_dir_all(folder.path("pictures/only")).unwrap();
    folder.write("pictures/flat/broken.png", b"\x89PNG\r\n\x1a\n and no more");
    folder.run(TRAIN).fails(2, &["broken.png", "1 of 37 pictures", "data.broken = \"skip\""]);
    let err = folder.run(&format!("{TRAIN} data.broken=skip")).ok().err;
    assert!(err.contains("skipped") && err.contains("broken.png"), "{err}");
    folder.run("predict run pictures/flat/broken.png").fails(2, &["broken.png"]);
    // A header that claims more than can be.
    folder.write("pictures/flat/huge.pgm", b"P5\n1000000 1000000\n255\n");
    folder.run(TRAIN).fails(2, &["huge.pgm"]);
}
