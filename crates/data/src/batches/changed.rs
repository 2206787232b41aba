//! Tests of loaders that change examples on their way into a batch.

use super::*;
use crate::array::{Array, Targets, Values};
use crate::augment::{Augment, Augmentation};
use crate::digits::digits;
use warploom_transform::PixelScale;

fn every_step() -> Augmentation {
    Augmentation::new(vec![
        Augment::FlipHorizontal { probability: 0.5 },
        Augment::FlipVertical { probability: 0.5 },
        Augment::Crop { padding: 3, fill: 0.0 },
        Augment::Rotate { degrees: 15.0, fill: 0.0 },
        Augment::Brightness { reach: 0.2 },
        Augment::Contrast { reach: 0.2 },
    ])
    .unwrap()
}

fn options(threads: usize) -> LoaderOptions {
    LoaderOptions { batch: 16, threads, ring: 5, seed: 9, ..LoaderOptions::default() }
}

/// Rows with the bits of their numbers, batch by batch.
fn bits(loader: &mut Loader, epoch: u64, start: usize) -> Vec<(Vec<u32>, Vec<u32>)> {
    let one = |batch: Batch| {
        let bits = match batch.features() {
            FeatureView::U8(bytes) => bytes.iter().map(|byte| u32::from(*byte)).collect(),
            FeatureView::F32(values) => values.iter().map(|value| value.to_bits()).collect(),
        };
        (batch.rows().to_vec(), bits)
    };
    loader.epoch(epoch, start).unwrap().map(|batch| one(batch.unwrap())).collect()
}

fn sets() -> Vec<Dataset> {
    let bytes = digits(0, 110).unwrap();
    let scaled = bytes.clone().with_pixel_scale(PixelScale::Symmetric).unwrap();
    let numbers: Vec<f32> = (0..110 * 24).map(|value| (value % 97) as f32 / 97.0).collect();
    let numbers = Array::new(Values::F32(numbers), &[2, 3, 4]).unwrap();
    let numbers = Dataset::new(numbers, Targets::Values { values: vec![0.0; 110], width: 1 }).unwrap();
    [bytes, scaled, numbers].map(|set| set.with_augmentation(every_step()).unwrap()).into()
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for data in sets() {
        let mut alone = Loader::new(&data, options(1)).unwrap();
        let expected: Vec<_> = (0..3).map(|epoch| bits(&mut alone, epoch, 0)).collect();
        for threads in [2, 3, 5] {
            let mut loader = Loader::new(&data, options(threads)).unwrap();
            for round in 0..6 {
                let epoch = [0, 1, 2, 0, 2, 1][round];
                assert_eq!(bits(&mut loader, epoch as u64, 0), expected[epoch], "{threads} threads");
            }
        }
        let mut other = Loader::new(&data, LoaderOptions { seed: 10, shuffle: false, ..options(3) }).unwrap();
        let mut own = Loader::new(&data, LoaderOptions { shuffle: false, ..options(3) }).unwrap();
        assert_ne!(bits(&mut own, 0, 0), bits(&mut other, 0, 0), "the seed fixes the augmentation");
        assert_ne!(bits(&mut own, 0, 0), bits(&mut own, 1, 0), "each epoch has an augmentation of its own");
        assert_eq!(bits(&mut own, 1, 0), bits(&mut own, 1, 0));
    }
}

#[test]
fn an_epoch_resumes_at_any_batch_with_the_same_bits() {
    for data in sets() {
        for shuffle in [true, false] {
            let mut loader = Loader::new(&data, LoaderOptions { shuffle, ..options(3) }).unwrap();
            let whole = bits(&mut loader, 4, 0);
            for start in [6, 3, 0, 7, 1] {
                assert_eq!(bits(&mut loader, 4, start), whole[start..], "batch {start}");
                let mut fresh = Loader::new(&data, LoaderOptions { shuffle, ..options(2) }).unwrap();
                assert_eq!(bits(&mut fresh, 4, start), whole[start..], "batch {start} of another loader");
            }
        }
    }
}

#[test]
fn an_example_is_changed_alike_in_every_batch_size() {
    let data = sets().remove(0);
    let examples = |batch| {
        let mut loader = Loader::new(&data, LoaderOptions { batch, ..options(2) }).unwrap();
        let batches = bits(&mut loader, 0, 0);
        batches.into_iter().flat_map(|(_, bits)| bits).collect::<Vec<u32>>()
    };
    assert_eq!(examples(7), examples(110));
}

#[test]
fn bytes_are_scaled_after_they_were_changed() {
    let bytes = digits(0, 20).unwrap().with_augmentation(every_step()).unwrap();
    let scaled = bytes.clone().with_pixel_scale(PixelScale::Symmetric).unwrap();
    let (mut bytes, mut scaled) =
        (Loader::new(&bytes, options(2)).unwrap(), Loader::new(&scaled, options(2)).unwrap());
    for (from, to) in bits(&mut bytes, 0, 0).into_iter().zip(bits(&mut scaled, 0, 0)) {
        assert_eq!(from.0, to.0);
        for (byte, bits) in from.1.into_iter().zip(to.1) {
            assert_eq!(f32::from_bits(bits), (byte as f32 / 255.0 - 0.5) / 0.5);
        }
    }
    assert_eq!(scaled.planned_bytes() - bytes.planned_bytes(), 5 * 16 * 784 * 3);
}

#[test]
fn batches_carry_weights() {
    let weights: Vec<f32> = (0..50).map(|weight| weight as f32).collect();
    let data = digits(0, 50).unwrap().with_sample_weights(weights).unwrap();
    let mut loader = Loader::new(&data, options(3)).unwrap();
    for batch in loader.epoch(0, 0).unwrap() {
        let batch = batch.unwrap();
        assert!(
            batch.weights().unwrap().iter().zip(batch.rows()).all(|(weight, row)| *weight == *row as f32)
        );
    }
    let plain = digits(0, 50).unwrap();
    assert!(
        Loader::new(&plain, options(1))
            .unwrap()
            .epoch(0, 0)
            .unwrap()
            .all(|batch| batch.unwrap().weights().is_none())
    );
}

#[test]
fn threads_are_as_many_as_the_work_asks_for() {
    let [bytes, ..] = &sets()[..] else { panic!("three sets") };
    let plain = digits(0, 110).unwrap();
    assert_eq!(
        (options(0).threads_for(&plain), options(3).threads_for(&plain), options(9).threads_for(&plain)),
        (1, 3, 5)
    );
    assert!((1..=4).contains(&options(0).threads_for(bytes)));
}
