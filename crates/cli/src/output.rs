//! What is printed. A reader that has gone away ends the printing, not the run.

use std::fmt::Display;
use std::io::{Write, stderr, stdout};

/// A line on standard output. What cannot be written, on a full disk for example, must not pass for success.
pub fn line(text: impl Display) {
    let written = writeln!(stdout(), "{text}").and_then(|()| stdout().flush());
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        problem(&format!("standard output cannot be written: {error}"));
        std::process::exit(2);
    }
}

/// A line on standard error.
pub fn note(text: impl Display) {
    let _ = writeln!(stderr(), "{text}");
}

/// What went wrong.
pub fn problem(text: &str) {
    note(format_args!("error: {text}"));
}

/// Rows as columns of equal width on standard output.
pub fn table(rows: &[Vec<String>]) {
    aligned(rows).iter().for_each(line);
}

/// Rows as columns of equal width; all but the first column are numbers, set to the right.
pub fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let text = |row: &Vec<String>| {
        let mut text = String::new();
        for column in 0..columns {
            let (cell, width) = (row.get(column).map_or("", |c| c), width(column).unwrap_or(0));
            match column {
                0 => text.push_str(&format!("{cell:<width$}")),
                _ => text.push_str(&format!("  {cell:>width$}")),
            }
        }
        text.trim_end().to_owned()
    };
    rows.iter().map(text).collect()
}

/// A word as a shell reads it back.
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Bytes for people, with the exact number.
pub fn bytes(count: u64) -> String {
    let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => format!("{count} ({:.2} {unit})", count as f64 / *size as f64),
        None => count.to_string(),
    }
}
