//! Prints the compiled training step of a small dense network: `cargo run -p warploom-compile --example show`.

#[path = "../tests/compile/support.rs"]
mod support;

use support::training_step;
use warploom_compile::{Error, Options, compile};
use warploom_device::null::Null;

fn main() -> Result<(), Error> {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let sizes = if sizes.len() < 3 { vec![100, 10, 1] } else { sizes };
    let recording = training_step(sizes[0], &sizes[1..])?;
    let compiled = compile(&recording, &Null::default(), Options::default())?;
    println!("{}", compiled.graph);
    println!("{}", compiled.program);
    println!("{} kernels, {:?}", compiled.program.kernel_count(), compiled.elapsed);
    Ok(())
}
