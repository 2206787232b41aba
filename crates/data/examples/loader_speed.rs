//! Measures how many batches per second a loader hands over when nothing else is done with them.
//!
//! `cargo run --release -p warploom-data --example loader_speed`

use std::error::Error;
use std::time::Instant;
use warploom_data::{Loader, LoaderOptions, digits};

fn main() -> Result<(), Box<dyn Error>> {
    let data = digits(0, 60_000)?;
    for batch in [1, 32, 128, 1024] {
        let mut loader = Loader::new(&data, LoaderOptions { batch, ..LoaderOptions::default() })?;
        let (mut batches, mut examples, epochs) = (0, 0, if batch == 1 { 2 } else { 10 });
        let start = Instant::now();
        for epoch in 0..epochs {
            for batch in loader.epoch(epoch, 0)? {
                batches += 1;
                examples += batch?.len();
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let bytes = (examples * data.features().example_len()) as f64;
        println!(
            "batch {batch:4}: {:8.0} batches/s, {:10.0} examples/s, {:.2} GB/s, ring and order {} bytes",
            f64::from(batches) / seconds,
            examples as f64 / seconds,
            bytes / seconds / 1e9,
            loader.planned_bytes(),
        );
    }
    Ok(())
}
