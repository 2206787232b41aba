//! What is printed. A reader that has gone away ends the printing, not the run.

use std::fmt::Display;
use std::io::{Write, stderr, stdout};

/// A line on standard output.
pub fn line(text: impl Display) {
    let _ = writeln!(stdout(), "{text}");
    let _ = stdout().flush();
}

/// A line on standard error.
pub fn note(text: impl Display) {
    let _ = writeln!(stderr(), "{text}");
}

/// What went wrong.
pub fn problem(text: &str) {
    note(format_args!("error: {text}"));
}

/// Rows as columns of equal width; all but the first column are numbers, set to the right.
pub fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    for row in rows {
        let mut text = String::new();
        for column in 0..columns {
            let (cell, width) = (row.get(column).map_or("", |c| c), width(column).unwrap_or(0));
            match column {
                0 => text.push_str(&format!("{cell:<width$}")),
                _ => text.push_str(&format!("  {cell:>width$}")),
            }
        }
        line(text.trim_end());
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
