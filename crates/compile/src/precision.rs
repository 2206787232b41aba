//! In which numbers products multiply. State, reductions, losses and updates stay f32; the factors of a product are
//! rounded to the precision asked for, and its sum runs in f32.
//!
//! A value that is rounded for a product is kept rounded, and whatever else reads it reads that: only the small one needs
//! memory. Not so what becomes state or is handed back.

mod region;
mod table;

pub use table::{PrecisionRow, PrecisionTable};

use std::fmt;
use warploom_device::Capabilities;
use warploom_graph::{Arithmetic, DType, Error, Graph, ResultRole};

/// The numbers of products of f32: what is multiplied. Sums run in f32 always, and products of other dtypes are as they
/// were recorded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Precision {
    /// f32.
    #[default]
    F32,
    /// f32 rounded to 11 bits of mantissa as it is multiplied, where the device has that; f32 elsewhere.
    Tf32,
    /// bfloat16: the range of f32, 8 bits of mantissa.
    Bf16,
    /// IEEE half precision: 11 bits of mantissa, at most 65504. Gradients need a scaled loss.
    F16,
}

impl Precision {
    /// All, by name.
    pub const ALL: [Precision; 4] = [Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16];

    /// Its name: `f32`, `tf32`, `bf16`, `f16`.
    pub const fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
            Precision::F16 => "f16",
        }
    }

    /// The precision of a name.
    pub fn named(name: &str) -> Option<Precision> {
        Precision::ALL.into_iter().find(|precision| precision.name() == name)
    }

    /// The dtype that factors are rounded to, where that is one of its own.
    pub const fn narrow(self) -> Option<DType> {
        match self {
            Precision::F32 | Precision::Tf32 => None,
            Precision::Bf16 => Some(DType::BF16),
            Precision::F16 => Some(DType::F16),
        }
    }

    /// What a device runs for it: itself, or f32 for TF32 on a device that has none, which is more exact.
    ///
    /// # Errors
    /// A dtype that the device does not compute with; says what it has.
    pub fn on(self, device: &Capabilities) -> Result<Precision, Error> {
        let lacking = self.narrow().filter(|dtype| !device.dtypes.contains(dtype));
        if lacking.is_some() {
            let fits = |p: &Precision| p.narrow().is_none_or(|dtype| device.dtypes.contains(&dtype));
            let has: Vec<&str> = Precision::ALL.into_iter().filter(fits).map(Precision::name).collect();
            let message = format!("{} does not compute with {self}; it takes {}", device.id, has.join(", "));
            return Err(Error::new("precision", message));
        }
        Ok(if self == Precision::Tf32 && !device.tf32 { Precision::F32 } else { self })
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The graph in `precision`, of a recording whose results have these roles. Notes what the device has not.
pub(crate) fn precision(
    graph: Graph,
    results: &[ResultRole],
    precision: Precision,
    device: &Capabilities,
    notes: &mut Vec<String>,
) -> Result<Graph, Error> {
    let effective = precision.on(device)?;
    if effective != precision {
        notes.push(format!("products run in {effective}: {} has no {precision}", device.id));
    }
    match (effective, effective.narrow()) {
        (_, Some(dtype)) => {
            let becomes_state: Vec<bool> =
                results.iter().map(|role| matches!(role, ResultRole::Update(_))).collect();
            region::narrowed(&graph, dtype, &becomes_state)
        }
        (Precision::Tf32, None) => region::with_arithmetic(&graph, Arithmetic::Tf32),
        (_, None) => Ok(graph),
    }
}
