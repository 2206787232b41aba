//! What every device must compute: a fused kernel with a sum, and a matrix product with what follows it, held against f64.

use super::memory;
use crate::output::bytes;
use std::time::Instant;
use warploom::device::Check;
use warploom::tensor::{Device, ElementwiseMethods, Error, Tensor};
use warploom::wgpu::{System, adapters};

/// Largest error that passes, for values around 1. Drivers may compute exponentials with errors of some 1e-6.
const TOLERANCE: f64 = 1e-4;

/// No multiple of a workgroup, a vector or a block.
const ELEMENTS: usize = 4099;

/// Rows, inner extent and columns of the product; each leaves a rest in every tiling.
const PRODUCT: [usize; 3] = [67, 129, 45];

/// What to do where a device does not open.
pub const NOT_OPENED: &str = "see `warploom devices` for what is there; if it is there, update its driver";

/// Opens the device of a name, asks for its memory, and lets it compute. Each check is handed over when it is done.
pub fn examine(name: &str, done: &mut dyn FnMut(Check)) {
    let device = match Device::named(name) {
        Ok(device) => device,
        Err(error) => {
            return done(Check::problem(true, name, error.to_string(), NOT_OPENED));
        }
    };
    done(free_memory(device.id()));
    let proofs: [(&str, Proof); 2] = [("kernel", kernel), ("matrix product", product)];
    for (what, proof) in proofs {
        let (name, began) = (format!("{} {what}", device.id()), Instant::now());
        let checked = device.scope(proof).map_err(|error| error.to_string()).and_then(Compared::worst);
        let milliseconds = began.elapsed().as_secs_f64() * 1e3;
        done(match checked {
            Ok((count, worst)) => Check::ok(
                name,
                format!("{count} numbers, off by {worst:.1e} at most; {milliseconds:.0} ms with compiling"),
            ),
            Err(found) => Check::problem(
                true,
                name,
                found,
                "update the GPU's driver; until then do not trust what it computes, and use device = \"cpu\"",
            ),
        });
    }
}

type Proof = fn() -> Result<Compared, Error>;

/// What a device computed, and the same in f64.
struct Compared {
    found: Vec<f32>,
    right: Vec<f64>,
}

impl Compared {
    /// How many numbers, and the largest error; what is wrong where one is too large.
    fn worst(self) -> Result<(usize, f64), String> {
        let mut worst = 0.0f64;
        for (at, (found, right)) in self.found.iter().zip(&self.right).enumerate() {
            let error = (f64::from(*found) - right).abs() / right.abs().max(1.0);
            // Not a number fails too.
            if !matches!(error.partial_cmp(&TOLERANCE), Some(std::cmp::Ordering::Less)) {
                return Err(format!("it computes wrongly: number {at} is {found}, {right:.6} is right"));
            }
            worst = worst.max(error);
        }
        match self.found.len() == self.right.len() {
            true => Ok((self.found.len(), worst)),
            false => Err(format!("it gives {} numbers in place of {}", self.found.len(), self.right.len())),
        }
    }
}

/// Numbers from -1 to 1 that look like none in particular.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let number = |i: usize| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0;
    (0..count).map(number).collect()
}

fn kernel() -> Result<Compared, Error> {
    let (a, b) = (numbers(ELEMENTS, 1), numbers(ELEMENTS, 2));
    let (x, y) = (Tensor::from_slice(&a, &[ELEMENTS]), Tensor::from_slice(&b, &[ELEMENTS]));
    let values = (&x * &y + 0.5).tanh() * x.exp();
    let mean = values.mean_all();
    Tensor::evaluate_all(&[&values, &mean])?;
    let mut found = values.to_vec::<f32>()?;
    found.push(mean.item::<f32>()?);
    let pairs = a.iter().zip(&b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let mut right: Vec<f64> = pairs.map(|(a, b)| (a * b + 0.5).tanh() * a.exp()).collect();
    right.push(right.iter().sum::<f64>() / ELEMENTS as f64);
    Ok(Compared { found, right })
}

fn product() -> Result<Compared, Error> {
    let [m, k, n] = PRODUCT;
    let (a, b, bias) = (numbers(m * k, 3), numbers(k * n, 4), numbers(n, 5));
    let result = Tensor::from_slice(&a, &[m, k]).matmul(&Tensor::from_slice(&b, &[k, n]));
    let found = (result + Tensor::from_slice(&bias, &[n])).relu().to_vec::<f32>()?;
    let entry = |row: usize, column: usize| {
        let terms = (0..k).map(|i| f64::from(a[row * k + i]) * f64::from(b[i * n + column]));
        (terms.sum::<f64>() + f64::from(bias[column])).max(0.0)
    };
    let right = (0..m * n).map(|at| entry(at / n, at % n)).collect();
    Ok(Compared { found, right })
}

fn free_memory(id: &str) -> Check {
    let name = format!("{id} memory");
    // Adapters are asked for where it is one of them: the CPU's proof calls no driver.
    let adapter = id.starts_with("wgpu:").then(adapters).unwrap_or_default();
    let adapter = adapter.into_iter().find(|adapter| adapter.id() == id);
    if let Some(memory) = adapter.as_ref().and_then(|adapter| System::here().memory(adapter)) {
        return Check::ok(name, format!("{} free of {}", bytes(memory.free), bytes(memory.total)));
    }
    match memory::host().filter(|_| adapter.is_none_or(|adapter| adapter.is_software())) {
        Some((total, free, whose)) => {
            Check::ok(name, format!("{} free of {} {whose}", bytes(free), bytes(total)))
        }
        None => Check::skipped(name, "neither the kernel nor the driver's interface tells it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(found: &[f32]) -> Result<(usize, f64), String> {
        Compared { found: found.into(), right: vec![0.5, 2.0] }.worst()
    }

    #[test]
    fn wrong_numbers_are_named() {
        let (count, worst) = compared(&[0.5, 2.00001]).unwrap();
        assert!(count == 2 && worst > 1e-6 && worst < 1e-5, "{worst}");
        for (found, told) in [
            ([0.5, 2.1], "number 1 is 2.1, 2.000000 is right"),
            ([f32::NAN, 2.0], "number 0 is NaN"),
            ([0.5, f32::INFINITY], "number 1 is inf"),
        ] {
            let error = compared(&found).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
        assert!(compared(&[0.5]).unwrap_err().contains("1 numbers in place of 2"));
    }
}
