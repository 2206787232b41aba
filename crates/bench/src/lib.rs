//! The benchmark's workloads and how they are timed. Rows have the form of the peers' scripts, so that both sides of a
//! comparison are read alike.

mod measure;
mod micro;
mod mlp;
mod row;
mod seed;

pub use measure::{Samples, peak_resident_bytes};
pub use row::Row;

use warploom::Result;
use warploom::prelude::Device;

/// One workload: what it is called, and how it is timed where it is built.
pub struct Workload {
    /// `W1` … `W11`.
    pub id: &'static str,
    /// The name that goes with the id.
    pub name: &'static str,
    /// Times it on a device for about `budget` seconds a row; absent where it is not built yet.
    pub run: Option<fn(&Bench) -> Result<Vec<Row>>>,
}

/// Where and how long to time.
pub struct Bench {
    /// The device.
    pub device: Device,
    /// Seconds of samples for each row.
    pub budget: f64,
}

/// All workloads, in order.
pub const WORKLOADS: &[Workload] = &[
    Workload { id: "W1", name: "seed_logistic", run: Some(seed::logistic) },
    Workload { id: "W2", name: "seed_sequential", run: Some(seed::sequential) },
    Workload { id: "W3", name: "mlp", run: Some(mlp::mlp) },
    Workload { id: "W4", name: "lenet", run: None },
    Workload { id: "W5", name: "resnet18_cifar", run: None },
    Workload { id: "W6", name: "resnet50", run: None },
    Workload { id: "W7", name: "lstm", run: None },
    Workload { id: "W8", name: "transformer", run: None },
    Workload { id: "W9", name: "dcgan64", run: None },
    Workload { id: "W10", name: "ncf", run: None },
    Workload { id: "W11", name: "micro", run: Some(micro::micro) },
];

/// The workload of an id or name, in any case.
pub fn find(which: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|w| w.id.eq_ignore_ascii_case(which) || w.name.eq_ignore_ascii_case(which))
}

/// Runs the first training step of W3, for timing from the start of a process.
pub fn first_step(device: &Device) -> Result<()> {
    mlp::first_step(device)
}
