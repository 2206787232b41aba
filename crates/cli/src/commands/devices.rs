//! `warploom devices`.

use super::Ended;
use crate::args::Devices;
use crate::interrupt::end_at_once;
use crate::output::{line, note};
use serde_json::{Value, json};
use std::process::ExitCode;
use warploom::cpu::Isa;
use warploom::cuda::{Gpu, gpus};
use warploom::tensor::{DType, Device};
use warploom::wgpu::{Adapter, System, adapters};

/// Names that stand for whatever device is there.
const CHOICES: [&str; 2] = ["best", "gpu"];

/// A device that is there.
struct Listed {
    id: String,
    kind: String,
    name: String,
    driver: Option<String>,
    backend: String,
    memory_bytes: Option<u64>,
    software: bool,
    /// Those it computes with; empty where it does not open.
    dtypes: Vec<DType>,
    /// Why it does not open.
    problem: Option<String>,
    /// What only one kind of device has.
    more: Value,
}

pub fn devices(given: &Devices) -> Ended {
    end_at_once();
    let listed = list()?;
    let chosen = CHOICES.map(|name| Device::named(name).map(|device| device.id().to_owned()));
    let chosen_as = |id: &str| -> Vec<&str> {
        let pairs = CHOICES.iter().zip(&chosen);
        pairs
            .filter(|(_, device)| device.as_ref().is_ok_and(|found| found == id))
            .map(|(name, _)| *name)
            .collect()
    };
    if given.json {
        line(Value::Array(listed.iter().map(|device| device.as_json(&chosen_as(&device.id))).collect()));
        return Ok(ExitCode::SUCCESS);
    }
    let heading = ["id", "chosen by", "kind", "name", "driver", "memory", "cannot"].map(str::to_owned);
    let rows = listed.iter().map(|device| device.as_row(&chosen_as(&device.id)));
    columns(&std::iter::once(heading).chain(rows).collect::<Vec<_>>());
    for device in &listed {
        if let Some(problem) = &device.problem {
            note(format_args!("{}: {problem}", device.id));
        }
    }
    for (name, device) in CHOICES.iter().zip(chosen) {
        if let Err(error) = device {
            note(format_args!("device = \"{name}\": {error}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list() -> warploom::Result<Vec<Listed>> {
    let cpu = Device::named("cpu")?;
    let about = cpu.capabilities();
    let more = json!({ "threads": about.threads, "instruction_set": Isa::current().name() });
    let first = Listed {
        id: about.id.clone(),
        kind: "cpu".into(),
        name: about.name.clone(),
        driver: None,
        backend: "cpu".into(),
        memory_bytes: about.memory_bytes.map(|bytes| bytes as u64),
        software: false,
        dtypes: about.dtypes.clone(),
        problem: None,
        more,
    };
    // Without a driver of NVIDIA's there is none; why is for `warploom doctor` to say.
    let cards = gpus().unwrap_or_default().into_iter().map(|card| nvidia(&card));
    let gpus = adapters().into_iter().map(|adapter| gpu(&adapter));
    Ok(std::iter::once(first).chain(cards).chain(gpus).collect())
}

/// What is known of one of NVIDIA's GPUs.
fn nvidia(card: &Gpu) -> Listed {
    let opened = Device::named(&card.id());
    let (major, minor) = card.capability;
    Listed {
        id: card.id(),
        kind: if card.is_integrated { "integrated" } else { "discrete" }.into(),
        name: card.name.clone(),
        driver: Some(format!("CUDA {}", card.driver)),
        backend: "cuda".into(),
        memory_bytes: Some(card.memory_bytes as u64),
        software: false,
        dtypes: opened.as_ref().map_or(Vec::new(), |device| device.capabilities().dtypes.clone()),
        problem: opened.err().map(|error| error.to_string()),
        more: json!({
            "compute_capability": format!("{major}.{minor}"),
            "multiprocessors": card.multiprocessors,
        }),
    }
}

/// What is known of an adapter.
fn gpu(adapter: &Adapter) -> Listed {
    let opened = Device::named(&adapter.id());
    let driver = format!("{} {}", adapter.driver, adapter.driver_info).trim().to_owned();
    let more = json!({
        "features": adapter.features,
        "largest_buffer_bytes": adapter.buffer_bytes,
        "subgroup": [adapter.subgroup.0, adapter.subgroup.1],
        "pci": format!("{:04x}:{:04x}", adapter.hardware.0, adapter.hardware.1),
    });
    Listed {
        id: adapter.id(),
        kind: adapter.kind.to_string(),
        name: adapter.name.clone(),
        driver: Some(driver).filter(|driver| !driver.is_empty()),
        backend: adapter.backend.clone(),
        memory_bytes: System::here().capacity(adapter).map(|bytes| bytes as u64),
        software: adapter.is_software(),
        dtypes: opened.as_ref().map_or(Vec::new(), |device| device.capabilities().dtypes.clone()),
        problem: opened.err().map(|error| error.to_string()),
        more,
    }
}

impl Listed {
    fn as_json(&self, chosen_as: &[&str]) -> Value {
        let dtypes: Vec<String> = self.dtypes.iter().map(DType::to_string).collect();
        let mut object = json!({
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "driver": self.driver,
            "memory_bytes": self.memory_bytes,
            "software": self.software,
            "backend": self.backend,
            "dtypes": dtypes,
            "chosen_as": chosen_as,
            "problem": self.problem,
        });
        if let (Some(object), Some(more)) = (object.as_object_mut(), self.more.as_object()) {
            object.extend(more.clone());
        }
        object
    }

    fn as_row(&self, chosen_as: &[&str]) -> [String; 7] {
        let number = |key: &str| self.more[key].as_u64();
        let driver = match (&self.driver, number("threads")) {
            (Some(driver), _) => format!("{driver}, {}", self.backend),
            (None, Some(threads)) => format!("{}, {threads} threads", Isa::current().name()),
            (None, None) => self.backend.clone(),
        };
        let memory =
            self.memory_bytes.map(|bytes| format!("{:.1} GiB", bytes as f64 / f64::from(1u32 << 30)));
        let missing = DType::ALL.iter().filter(|dtype| !self.dtypes.contains(dtype));
        let cannot = match self.problem {
            None => missing.map(DType::to_string).collect::<Vec<_>>().join(", "),
            Some(_) => "open, see below".into(),
        };
        let shown = |text: String| if text.is_empty() { "–".into() } else { text };
        [
            self.id.clone(),
            shown(chosen_as.join(", ")),
            self.kind.clone(),
            self.name.clone(),
            driver,
            memory.unwrap_or_else(|| "not known".into()),
            shown(cannot),
        ]
    }
}

/// Prints rows as columns of text.
fn columns<const N: usize>(rows: &[[String; N]]) {
    let length = |cell: &String| cell.chars().count();
    let width: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| length(&row[column])).max().unwrap_or(0));
    for row in rows {
        let padded = row.iter().zip(width).map(|(cell, width)| format!("{cell:<width$}"));
        line(padded.collect::<Vec<_>>().join("  ").trim_end());
    }
}
