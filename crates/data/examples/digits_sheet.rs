//! Writes a sheet of drawn digits as a PGM picture: ten rows, one for each digit.
//!
//! `cargo run --release -p warploom-data --example digits_sheet -- sheet.pgm [seed]`

use std::error::Error;
use std::time::Instant;
use warploom_data::{DIGIT_SIDE, Values, digits};

const COLUMNS: usize = 24;
const CELL: usize = DIGIT_SIDE + 2;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("Name the file to write, such as sheet.pgm.")?;
    let seed = arguments.next().map_or(Ok(0), |seed| seed.parse())?;

    let start = Instant::now();
    let data = digits(seed, 10_000)?;
    println!("{:.0} pictures per second", data.len() as f64 / start.elapsed().as_secs_f64());

    let Values::U8(pixels) = data.features().values() else { return Err("digits are bytes".into()) };
    let width = COLUMNS * CELL;
    let mut sheet = vec![60; width * 10 * CELL];
    let mut drawn = [0; 10];
    for (label, picture) in data.labels().into_iter().flatten().zip(pixels.chunks(DIGIT_SIDE * DIGIT_SIDE)) {
        let row = label as usize;
        if drawn[row] < COLUMNS {
            for (line, pixels) in picture.chunks(DIGIT_SIDE).enumerate() {
                let at = (row * CELL + line + 1) * width + drawn[row] * CELL + 1;
                sheet[at..at + DIGIT_SIDE].copy_from_slice(pixels);
            }
            drawn[row] += 1;
        }
    }
    let mut file = format!("P5 {width} {} 255\n", 10 * CELL).into_bytes();
    file.extend(sheet);
    Ok(std::fs::write(path, file)?)
}
