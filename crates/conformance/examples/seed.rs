//! Prints the program of a seed, compiled fused, and what is wrong with it:
//! `cargo run -p warploom-conformance --example seed -- 42`.

use warploom_compile::Options;
use warploom_conformance::generate::generate;
use warploom_conformance::run::{compare, compiled, run};
use warploom_cpu::Cpu;

fn main() {
    let seed: u64 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(0);
    let (case, _) = generate(seed);
    let cpu = Cpu::new(Some(2));
    println!("{}", case.recording.graph);
    println!("{:?}\n{:?}", case.recording.parameters, case.recording.results);
    for options in [Options::default(), Options { fuse: false, ..Options::default() }] {
        match compiled(&case, &cpu, options) {
            Ok(compiled) => println!("{}\n{}", compiled.graph, compiled.program),
            Err(error) => println!("{error}"),
        }
        let outcome = run(&case, &cpu, options).and_then(|outcome| compare(&case, &outcome));
        println!("{options:?}: {outcome:?}");
    }
}
