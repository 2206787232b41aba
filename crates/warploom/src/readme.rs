//! The README's code, compiled and run by the documentation tests.

#[doc = include_str!("../../../README.md")]
pub struct Readme;
