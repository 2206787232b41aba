//! Measures how many pictures per second a loader augments when nothing else is done with them.
//!
//! `cargo run --release -p warploom-data --example augmented_speed`

use std::error::Error;
use std::time::Instant;
use warploom_data::{Augment, Augmentation, Dataset, Loader, LoaderOptions, digits};

fn speed(data: &Dataset, threads: usize) -> Result<f64, Box<dyn Error>> {
    let options = LoaderOptions { batch: 64, ring: 6, threads, ..LoaderOptions::default() };
    let mut loader = Loader::new(data, options)?;
    let (mut fastest, epochs) = (0.0_f64, 5);
    for epoch in 0..epochs {
        let start = Instant::now();
        let mut examples = 0;
        for batch in loader.epoch(epoch, 0)? {
            examples += batch?.len();
        }
        fastest = fastest.max(examples as f64 / start.elapsed().as_secs_f64());
    }
    Ok(fastest)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (flip, crop) =
        (Augment::FlipHorizontal { probability: 0.5 }, Augment::Crop { padding: 2, fill: 0.0 });
    let rotate = Augment::Rotate { degrees: 10.0, fill: 0.0 };
    let brightness = Augment::Brightness { reach: 0.2 };
    let plain = digits(0, 60_000)?;
    for (name, steps) in [
        ("flip, crop", vec![flip, crop]),
        ("rotate", vec![rotate]),
        ("flip, crop, rotate, brightness", vec![flip, crop, rotate, brightness]),
    ] {
        let data = plain.clone().with_augmentation(Augmentation::new(steps)?)?;
        for threads in [1, 2] {
            println!(
                "{name}, {threads} threads: {:8.0} pictures of 28 × 28 a second",
                speed(&data, threads)?
            );
        }
    }
    Ok(())
}
