//! Charts as SVG: axes, lines, points, bars, maps.

pub mod axis;
pub mod bar;
pub mod frame;
pub mod line;
pub mod map;
