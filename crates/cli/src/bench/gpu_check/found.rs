//! What a check has found so far.

use super::speed::{Comparison, compare};
use crate::bench::row::rounded;
use serde_json::{Value, json};
use warploom::tensor::{Device, Precision};

/// Everything, as the processes printed it.
pub struct Found {
    /// The device's.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether other frameworks were asked for.
    pub has_peers: bool,
    /// Whether it came to its end.
    pub is_finished: bool,
    /// So long it took until now.
    pub seconds: f64,
    /// What `doctor` printed.
    pub system: Option<Value>,
    /// A row for each part of the suite.
    pub conformance: Vec<Value>,
    /// Rows of the programs whose losses are fixed, of the CPU and of the device.
    pub programs: Vec<Value>,
    /// Rows of workloads, with the round each is of.
    pub rows: Vec<Value>,
    /// What did not run, and why.
    pub left_out: Vec<[String; 2]>,
}

/// A program on the CPU and on the device.
pub struct Program {
    /// Such as `W1_seed_logistic`.
    pub workload: String,
    /// How it ran.
    pub mode: String,
    /// The loss at its end, on the CPU and on the device.
    pub losses: [f64; 2],
}

/// Memory of a training step, in bytes.
pub struct Memory {
    /// Such as `W3_mlp`.
    pub workload: String,
    /// In which it multiplies.
    pub precision: String,
    /// What the plan says.
    pub planned: u64,
    /// Most that the device held.
    pub peak: u64,
}

/// How far losses after a thousand steps may be apart, relative to the CPU's: sums are taken in another order.
const LOSS_TOLERANCE: f64 = 1e-5;

impl Found {
    /// Nothing yet.
    pub fn new(device: &Device, has_peers: bool) -> Found {
        Found {
            id: device.id().to_owned(),
            name: device.capabilities().name.clone(),
            has_peers,
            is_finished: false,
            seconds: 0.0,
            system: None,
            conformance: Vec::new(),
            programs: Vec::new(),
            rows: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Adds rows of a workload.
    pub fn add_rows(&mut self, rows: Vec<Value>, round: u64, precision: Precision) {
        for mut row in rows {
            row["round"] = round.into();
            row["precision"] = precision.name().into();
            self.rows.push(row);
        }
    }

    /// Notes what did not run, once.
    pub fn leave_out(&mut self, what: &str, why: &str) {
        if self.left_out.iter().all(|[known, _]| known != what) {
            self.left_out.push([what.to_owned(), why.to_owned()]);
        }
    }

    /// Programs of the suite that ran, and what was wrong.
    pub fn conformed(&self) -> (u64, Vec<&str>) {
        let ran = self.conformance.iter().filter_map(|part| part["ran"].as_u64()).sum();
        let wrong = self.conformance.iter().filter_map(|part| part["wrong"].as_array()).flatten();
        (ran, wrong.filter_map(Value::as_str).collect())
    }

    /// Programs that ran on both.
    pub fn losses(&self) -> Vec<Program> {
        let same = |a: &Value, b: &Value| a["workload"] == b["workload"] && a["mode"] == b["mode"];
        let on_device = self.programs.iter().filter(|row| row["device"] == *self.id);
        let pairs = on_device.filter_map(|row| {
            let on_cpu = self.programs.iter().find(|other| other["device"] == "cpu" && same(row, other))?;
            Some(Program {
                workload: row["workload"].as_str()?.to_owned(),
                mode: row["mode"].as_str()?.to_owned(),
                losses: [on_cpu["final_loss"].as_f64()?, row["final_loss"].as_f64()?],
            })
        });
        pairs.collect()
    }

    /// Memory of each training step: the row of its first round.
    pub fn memory(&self) -> Vec<Memory> {
        let rows = self.rows.iter().filter(|row| row["round"] == 0 && row["mode"] == "recorded");
        let memory = rows.filter_map(|row| {
            Some(Memory {
                workload: row["workload"].as_str()?.to_owned(),
                precision: row["precision"].as_str()?.to_owned(),
                planned: row["planned_bytes"].as_u64()?,
                peak: row["peak_bytes"].as_u64()?,
            })
        });
        memory.collect()
    }

    /// Ours beside the others'.
    pub fn speed(&self) -> Vec<Comparison> {
        compare(&self.rows)
    }

    /// Whether anything that ran was wrong.
    pub fn is_wrong(&self) -> bool {
        let (_, wrong) = self.conformed();
        let another = self.losses().iter().any(|of| !of.is_same());
        !wrong.is_empty() || another || self.memory().iter().any(|of| of.planned != of.peak)
    }

    /// Whether the check came to its end, something of each part ran, and all of it was right.
    fn is_right(&self) -> bool {
        let ran = self.conformed().0 > 0 && !self.losses().is_empty() && !self.memory().is_empty();
        self.is_finished && ran && !self.is_wrong()
    }

    /// What matters most: name and value.
    pub fn results(&self) -> Vec<(String, String)> {
        let (ran, wrong) = self.conformed();
        let (losses, memory) = (self.losses(), self.memory());
        let count = |right: usize, all: usize| match all {
            0 => "not examined".to_owned(),
            all => format!("{right} of {all}"),
        };
        let ran = usize::try_from(ran).unwrap_or(usize::MAX);
        let mut results = vec![
            ("programs as the reference".to_owned(), count(ran.saturating_sub(wrong.len()), ran)),
            (
                "losses as on the CPU".to_owned(),
                count(losses.iter().filter(|of| of.is_same()).count(), losses.len()),
            ),
            (
                "memory as planned".to_owned(),
                count(memory.iter().filter(|of| of.planned == of.peak).count(), memory.len()),
            ),
        ];
        let ratios: Vec<f64> =
            self.speed().iter().filter_map(|of| of.ratio()).map(|ratio| ratio.median).collect();
        if !ratios.is_empty() {
            let ahead = ratios.iter().filter(|ratio| **ratio <= 1.0).count();
            results.push(("at least as fast as the fastest other".to_owned(), count(ahead, ratios.len())));
        }
        results
    }

    /// All of it, for machines.
    pub fn to_json(&self) -> Value {
        let losses = self.losses();
        let losses = losses.iter().map(|of| {
            json!({
                "workload": of.workload, "mode": of.mode, "on_cpu": of.losses[0], "on_device": of.losses[1],
                "same": of.is_same(),
            })
        });
        let memory = self.memory();
        let memory = memory
            .iter()
            .map(|of| json!({ "workload": of.workload, "planned_bytes": of.planned, "peak_bytes": of.peak }));
        let left_out = self.left_out.iter().map(|[what, why]| json!({ "what": what, "why": why }));
        json!({
            "device": self.id, "device_name": self.name, "version": env!("CARGO_PKG_VERSION"),
            "ok": self.is_right(), "finished": self.is_finished, "seconds": rounded(self.seconds, 1), "system": self.system,
            "conformance": self.conformance, "losses": losses.collect::<Vec<_>>(),
            "memory": memory.collect::<Vec<_>>(),
            "speed": self.speed().iter().map(Comparison::to_json).collect::<Vec<_>>(),
            "left_out": left_out.collect::<Vec<_>>(), "rows": self.rows,
        })
    }
}

impl Program {
    /// Whether the device's loss is the CPU's.
    pub fn is_same(&self) -> bool {
        let [on_cpu, on_device] = self.losses;
        (on_device - on_cpu).abs() <= LOSS_TOLERANCE * on_cpu.abs()
    }
}
