//! Files that are missing, empty, cut short, or lie.

use crate::common::{Folder, idx};
use std::fs;

const IMAGES: &str = "data/train-images-idx3-ubyte";
const LABELS: &str = "data/train-labels-idx1-ubyte";

#[test]
fn training_files() {
    let folder = Folder::new();
    let train = || folder.run("train small.toml");
    folder.write("small.toml", crate::common::SMALL.as_bytes());
    train().fails(2, &["data holds none of these files", "train-images-idx3-ubyte"]);
    let whole = || folder.pictures(24);
    whole();
    train().ok();

    fs::remove_file(folder.path(LABELS)).unwrap();
    train().fails(2, &["train-labels-idx1-ubyte"]);
    whole();
    folder.write(IMAGES, b"");
    train().fails(2, &[IMAGES, "byte 0", "magic number"]);
    folder.write(IMAGES, &idx(0x08, &[24, 4, 4], &[0; 100]));
    train().fails(2, &[IMAGES, "[24, 4, 4]"]);
    folder.write(IMAGES, &idx(0x08, &[1 << 30, 1 << 15, 1 << 15], &[0; 16]));
    train().fails(2, &[IMAGES, "1152921504606846976 bytes", "at most 16"]);
    folder.write(IMAGES, b"<html>not found</html>");
    train().fails(2, &[IMAGES, "IDX begins with 00 00"]);
    folder.write(IMAGES, &[0x1f, 0x8b, 8, 0, 0]);
    train().fails(2, &[IMAGES, "gzip"]);
    folder.write(IMAGES, &idx(0x08, &[0, 4, 4], &[]));
    train().fails(2, &[IMAGES, "holds no element"]);
    whole();
    let mut labels = [0u8; 24];
    labels[5] = 3;
    folder.write(LABELS, &idx(0x08, &[24], &labels));
    train().fails(2, &[LABELS, "label 5", "is 3", "3 classes"]);
    folder.write(LABELS, &idx(0x08, &[23], &[0; 23]));
    train().fails(2, &["24 examples", "23 labels"]);
    whole();
    let mut numbers = vec![0f32; 24 * 16];
    numbers[16 * 2 + 3] = f32::NAN;
    let stored: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    folder.write(IMAGES, &idx(0x0D, &[24, 4, 4], &stored));
    train().fails(2, &["row 2", "column 3", "NaN"]);
    whole();
    let err = folder.run("train small.toml train.batch=25").ok().err;
    assert!(err.contains("`train.batch` is 25, but 24 examples are learned from: a batch has 24"), "{err}");
    assert!(err.contains("batches of 24"), "{err}");
    train().ok();
}

#[test]
fn inputs_to_predict() {
    let folder = Folder::new();
    folder.pictures(24);
    folder.run("train small.toml --quiet --out run").ok();
    let predict = |bytes: &[u8]| {
        folder.write("input", bytes);
        folder.run("predict run input --json")
    };
    folder.run("predict run nothing").fails(2, &["nothing"]);
    folder.run("predict run device=cpu").fails(2, &["predict takes no key=value", "--device cpu"]);
    folder.run("predict run train.batch=4").fails(2, &["`train.batch=4` is no file", "those of the run"]);
    folder.run("predict run ./a=b").fails(2, &["Could not open ./a=b"]);
    folder.run("predict run data").fails(2, &["data", "no pictures"]);
    predict(b"").fails(2, &["input", "magic number"]);
    predict(&idx(0x08, &[0, 4, 4], &[])).fails(2, &["no examples to predict"]);
    predict(&idx(0x08, &[1, 5, 4], &[0; 20])).fails(2, &["[1, 5, 4]", "[1, 4, 4]"]);
    let stored =
        |numbers: &[f32]| -> Vec<u8> { numbers.iter().flat_map(|number| number.to_be_bytes()).collect() };
    let floats = |numbers: &[f32]| idx(0x0D, &[numbers.len() as u32 / 16, 4, 4], &stored(numbers));
    predict(&floats(&[0.5; 16])).fails(2, &["learned from bytes"]);
    assert_eq!(predict(&idx(0x08, &[300, 4, 4], &[9; 4800])).ok().out.lines().count(), 300);
    folder.run("predict run input --out nowhere/file").fails(2, &["nowhere/file"]);

    folder.write(IMAGES, &floats(&[0.5; 24 * 16]));
    folder.write("data/t10k-images-idx3-ubyte", &floats(&[0.5; 8 * 16]));
    folder.run("train small.toml --quiet --out run").ok();
    let mut numbers = [0.5; 32];
    predict(&floats(&numbers)).ok();
    numbers[16 + 2] = f32::INFINITY;
    predict(&floats(&numbers)).fails(2, &["inf", "example 1", "number 2"]);
}

#[test]
fn runs_that_are_not_whole() {
    let folder = Folder::new();
    folder.pictures(24);
    folder.run("evaluate nothing").fails(2, &["nothing is not the folder of a run"]);
    folder.run("train small.toml --quiet --out run").ok();
    folder.run("evaluate run --data elsewhere").fails(2, &["elsewhere"]);
    let weights = fs::read(folder.path("run/weights.safetensors")).unwrap();
    folder.write("run/weights.safetensors", &weights[..weights.len() - 5]);
    folder.run("evaluate run").fails(2, &["weights.safetensors", "not a whole safetensors file"]);
    folder.write("run/weights.safetensors", &[0xff; 64]);
    folder.run("predict run data/t10k-images-idx3-ubyte").fails(2, &["weights.safetensors"]);
    folder.write("run/weights.safetensors", &weights);
    // Of another model.
    folder.run("train small.toml model.layers.1.bias=none --quiet --out other").ok();
    fs::copy(folder.path("run/weights.safetensors"), folder.path("other/weights.safetensors")).unwrap();
    folder.run("evaluate other").fails(2, &["1.bias", "the model does not have"]);
    fs::remove_file(folder.path("run/weights.safetensors")).unwrap();
    folder.run("evaluate run").fails(2, &["run/weights.safetensors is not there, though the run is over"]);
}
