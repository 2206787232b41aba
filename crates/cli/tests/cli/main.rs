//! The binary as a user runs it.

mod bad_data;
mod bad_recipes;
mod common;
mod interrupted;
mod whole;
