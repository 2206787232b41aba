//! Devices, and the stored values of PyTorch.

use std::collections::HashMap;
use std::sync::Arc;
use warploom_cpu::Cpu;
use warploom_device::null::Null;
use warploom_tensor::{Device, Tensor};

/// A CPU device of the test's own.
pub fn cpu() -> Device {
    Device::from_executor(Arc::new(Cpu::new(Some(2))))
}

/// A device that computes nothing.
pub fn null() -> Device {
    Device::from_executor(Arc::new(Null::default()))
}

/// Numbers by name, written by golden/make.py.
pub struct Golden {
    values: HashMap<String, Vec<f64>>,
    /// In the order of the file.
    names: Vec<String>,
}

impl Golden {
    /// From the text of a file.
    pub fn new(text: &str) -> Golden {
        let entry = |line: &str| {
            let (name, numbers) = line.split_once(":").expect("name: numbers");
            (name.to_owned(), numbers.split_whitespace().map(|n| n.parse().expect("a number")).collect())
        };
        let entries: Vec<(String, Vec<f64>)> = text.lines().map(entry).collect();
        let names = entries.iter().map(|(name, _)| name.clone()).collect();
        Golden { values: entries.into_iter().collect(), names }
    }

    /// What follows `prefix` in the names that begin with it, in the order of the file.
    pub fn names(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(move |name| name.strip_prefix(prefix))
    }

    /// The numbers of a name.
    pub fn get(&self, name: &str) -> &[f64] {
        self.values.get(name).unwrap_or_else(|| panic!("no {name} in the golden file"))
    }

    /// The numbers of a name as a tensor of f32, of the shape that stands beside them.
    pub fn shaped(&self, name: &str) -> Tensor {
        let shape: Vec<usize> = self.get(&format!("{name} shape")).iter().map(|n| *n as usize).collect();
        self.tensor(name, &shape)
    }

    /// The numbers of a name as a tensor of f32.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Tensor {
        let numbers: Vec<f32> = self.get(name).iter().map(|x| *x as f32).collect();
        Tensor::from_slice(&numbers, shape)
    }
}

/// The largest difference relative to the largest number, over all numbers of one kind.
pub fn distance(found: &[f64], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let scale = wanted.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    let difference = found
        .iter()
        .zip(wanted)
        .fold(0.0f64, |m, (a, b)| if (a - b).is_nan() { f64::NAN } else { m.max((a - b).abs()) });
    difference / scale.max(f64::MIN_POSITIVE)
}

/// The elements of an f32 tensor as f64.
pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_vec::<f32>().expect("values").into_iter().map(f64::from).collect()
}
