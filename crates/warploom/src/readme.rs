//! The documents' code, compiled and run by the documentation tests.

#[doc = include_str!("../../../README.md")]
pub struct Readme;

#[doc = include_str!("../../../docs/kernels.md")]
pub struct Kernels;
