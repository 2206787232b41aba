//! The binary as a user runs it.

mod bad_data;
mod bad_recipes;
mod common;
mod devices;
mod diverged;
mod energy;
mod interrupted;
mod memory;
mod networks;
mod new;
mod pictures;
mod precision;
mod resumed;
mod run_folders;
mod tables;
mod whole;
