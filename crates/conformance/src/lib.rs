//! One suite for every executor: each op and dtype, and random programs, against the reference interpreter; planted
//! miscompiles that the random programs must find.

pub mod broken;
pub mod generate;
pub mod mutate;
pub mod ops;
pub mod precision;
pub mod run;
pub mod suite;
