//! The workloads, a row each. Definitions are those on which the other frameworks were measured: f32; a training step is
//! forward pass, loss, backward pass and update on a batch in device memory, complete when the clock stops; inference is
//! the forward pass in evaluation.

use super::{Setting, kernels, networks, seed};
use warploom::data::transform::nearest;
use warploom::{Error, Result};

/// A workload.
pub struct Workload {
    /// `W1`.
    pub id: &'static str,
    /// `seed_logistic`.
    pub name: &'static str,
    /// Measures and prints; `None` where what it needs is not built yet.
    pub run: Option<fn(&Setting) -> Result<()>>,
}

const TABLE: [Workload; 11] = [
    Workload { id: "W1", name: "seed_logistic", run: Some(seed::logistic) },
    Workload { id: "W2", name: "seed_sequential", run: Some(seed::sequential) },
    Workload { id: "W3", name: "mlp", run: Some(networks::mlp) },
    Workload { id: "W4", name: "lenet", run: Some(networks::lenet5) },
    Workload { id: "W5", name: "resnet18_cifar", run: Some(networks::resnet) },
    Workload { id: "W6", name: "resnet50", run: None },
    Workload { id: "W7", name: "lstm", run: None },
    Workload { id: "W8", name: "transformer", run: None },
    Workload { id: "W9", name: "dcgan64", run: None },
    Workload { id: "W10", name: "ncf", run: None },
    Workload { id: "W11", name: "micro", run: Some(kernels::run) },
];

/// Those that are asked for, by identifier or name, separated by commas; or all.
pub fn chosen(asked: &str) -> Result<Vec<&'static Workload>> {
    if asked == "all" {
        return Ok(TABLE.iter().collect());
    }
    let one = |part: &str| {
        let found = TABLE.iter().find(|w| w.id.eq_ignore_ascii_case(part) || w.name == part);
        found.ok_or_else(|| {
            let names = || TABLE.iter().flat_map(|w| [w.id, w.name]);
            let meant =
                nearest(part, names()).map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
            let all: Vec<String> = TABLE.iter().map(|w| format!("{} {}", w.id, w.name)).collect();
            Error::invalid(format!("no workload `{part}`{meant}; there are {}, and all", all.join(", ")))
        })
    };
    asked.split(',').map(|part| one(part.trim())).collect()
}
