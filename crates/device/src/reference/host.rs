//! Copies of buffers on the host, read element by element.

use std::collections::BTreeMap;
use warploom_graph::DType;

use super::Fault;
use crate::program::BufferId;

/// Contents of buffers.
#[derive(Clone, Default, Debug)]
pub struct Host {
    /// By buffer: its bytes.
    pub buffers: BTreeMap<BufferId, Vec<u8>>,
}

impl Host {
    /// A buffer that is stored as `dtype`; one without elements where there is none of this name.
    pub fn view(&self, buffer: BufferId, dtype: DType) -> View<'_> {
        View { buffer, dtype, bytes: self.buffers.get(&buffer).map_or(&[], Vec::as_slice) }
    }

    /// Element `at` of a buffer that is stored as `dtype`.
    ///
    /// # Errors
    /// [`Fault::Outside`] where the buffer has no such element.
    pub fn element(&self, buffer: BufferId, dtype: DType, at: i64) -> Result<f64, Fault> {
        self.view(buffer, dtype).element(at)
    }
}

/// A buffer of a [`Host`], for those who read many elements.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    buffer: BufferId,
    dtype: DType,
    bytes: &'a [u8],
}

impl View<'_> {
    /// Element `at`.
    ///
    /// # Errors
    /// [`Fault::Outside`] where the buffer has no such element.
    pub fn element(&self, at: i64) -> Result<f64, Fault> {
        let start = usize::try_from(at).ok().and_then(|at| at.checked_mul(self.dtype.bytes()));
        let bytes = start.and_then(|start| self.bytes.get(start..));
        bytes
            .and_then(|bytes| decode(self.dtype, bytes))
            .ok_or(Fault::Outside { buffer: self.buffer, element: at })
    }
}

/// The first element of some bytes.
fn decode(dtype: DType, bytes: &[u8]) -> Option<f64> {
    Some(match dtype {
        DType::Bool | DType::U8 => f64::from(*bytes.first()?),
        DType::F16 => half(u16::from_le_bytes(*bytes.first_chunk()?)),
        DType::BF16 => f64::from(f32::from_bits(u32::from(u16::from_le_bytes(*bytes.first_chunk()?)) << 16)),
        DType::I32 => f64::from(i32::from_le_bytes(*bytes.first_chunk()?)),
        DType::U32 => f64::from(u32::from_le_bytes(*bytes.first_chunk()?)),
        DType::F32 => f64::from(f32::from_le_bytes(*bytes.first_chunk()?)),
        DType::F64 => f64::from_le_bytes(*bytes.first_chunk()?),
    })
}

/// IEEE half precision: one bit of sign, five of exponent, ten of fraction.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}
