//! Meters whose counters tests move.

mod common;
mod meter;
mod nvml;
mod rapl;
