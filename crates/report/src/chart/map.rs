//! A map of a large matrix: colours instead of numbers.

use crate::markup::{Attribute, Markup};
use std::fmt::Write;

/// Steps of a colour.
const LEVELS: usize = 8;

/// A cell: row, column, and how strong its colour is, above 0 to 1.
pub struct Cell {
    pub row: usize,
    pub column: usize,
    pub strength: f64,
}

/// Writes a square map with `side` rows. Cells of the diagonal have another colour than the others. All cells of one
/// colour are one path, and neighbours in a row one rectangle, so that large maps stay small files. `data` is for the
/// script.
pub fn square(page: &mut Markup, side: usize, cells: &[Cell], data: &[Attribute<'_>], description: &str) {
    let size = format!("0 0 {side} {side}");
    let mut attributes: Vec<Attribute<'_>> =
        vec![("class", &"map"), ("viewBox", &size), ("role", &"img"), ("aria-label", &description)];
    attributes.extend(data);
    page.element("svg", &attributes, |svg| {
        svg.empty("rect", &[("class", &"track"), ("width", &side), ("height", &side)]);
        for (class, diagonal) in [("wrong", false), ("right", true)] {
            for level in 1..=LEVELS {
                let of_level =
                    |cell: &&Cell| (cell.row == cell.column) == diagonal && self::level(cell) == level;
                let path = rectangles(cells.iter().filter(of_level));
                if !path.is_empty() {
                    // The weakest colour can still be told from none.
                    let opacity = 0.2 + 0.8 * level as f64 / LEVELS as f64;
                    svg.empty("path", &[("class", &class), ("opacity", &opacity), ("d", &path)]);
                }
            }
        }
    });
}

fn level(cell: &Cell) -> usize {
    ((cell.strength * LEVELS as f64).ceil() as usize).clamp(1, LEVELS)
}

/// The rectangles of cells that are sorted by row and column.
fn rectangles<'a>(cells: impl Iterator<Item = &'a Cell>) -> String {
    let mut path = String::new();
    let mut run: Option<(usize, usize, usize)> = None;
    let close = |path: &mut String, (row, from, to): (usize, usize, usize)| {
        let _ = write!(path, "M{from} {row}H{to}v1H{from}z");
    };
    for cell in cells {
        match &mut run {
            Some((row, _, to)) if *row == cell.row && *to == cell.column => *to += 1,
            _ => {
                if let Some(done) = run.replace((cell.row, cell.column, cell.column + 1)) {
                    close(&mut path, done);
                }
            }
        }
    }
    if let Some(done) = run {
        close(&mut path, done);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_rectangle() {
        let cell = |(row, column)| Cell { row, column, strength: 0.5 };
        let cells = [(0, 1), (0, 2), (0, 4), (1, 5), (2, 0)].map(cell);
        assert_eq!(rectangles(cells.iter()), "M1 0H3v1H1zM4 0H5v1H4zM5 1H6v1H5zM0 2H1v1H0z");
        assert_eq!(rectangles([].iter()), "");
    }
}
