//! Generates, interprets and compiles random programs, and prints how often each feature occurs:
//! `cargo run -p warploom-conformance --example generate -- 1000`.

use std::collections::BTreeMap;
use warploom_compile::Options;
use warploom_conformance::{generate::generate, run};
use warploom_device::null::Null;
use warploom_graph::interpret::{Rounding, interpret};

fn main() {
    let count: u64 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(1000);
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut failures = 0;
    for seed in 0..count {
        let (case, features) = generate(seed);
        for feature in features {
            *seen.entry(feature).or_default() += 1;
        }
        for fuse in [true, false] {
            if let Err(error) = run::compiled(&case, &Null::default(), Options { fuse, ..Options::default() })
            {
                println!("seed {seed} fuse {fuse}: {error}");
                failures += 1;
            }
        }
        if let Err(error) = interpret(&case.recording.graph, &case.arguments, Rounding::Exact) {
            println!("seed {seed}: interpret {error}");
            failures += 1;
        }
    }
    for (feature, times) in seen {
        println!("{feature:>20} {:5.1} %", 100.0 * times as f64 / count as f64);
    }
    println!("{failures} failures of {count}");
}
