//! Times workloads: `cargo run --release -p warploom-bench --example bench -- W3 1.0`.

use warploom::prelude::Device;
use warploom_bench::{Bench, find, first_step, peak_resident_bytes};

fn main() -> warploom::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let which = arguments.next().unwrap_or_else(|| "W3".into());
    if which == "--first-step" {
        first_step(&Device::best()?)?;
        println!("FIRST_STEP_DONE {}", peak_resident_bytes().unwrap_or(0) as f64 / 1048576.0);
        return Ok(());
    }
    let budget = arguments.next().and_then(|b| b.parse().ok()).unwrap_or(2.0);
    let bench = Bench { device: Device::best()?, budget };
    if let Some(run) = find(&which).and_then(|w| w.run) {
        for row in run(&bench)? {
            println!("{}", row.to_json());
        }
    }
    Ok(())
}
