//! Weights as safetensors files with PyTorch's names.

use crate::error::{Error, Result};
use crate::files::{self, Summed};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use warploom_nn::{NamedVariable, Parameters};
use warploom_tensor::DType;

pub use crate::files::write_atomically;

/// Saves every variable under its name in PyTorch's `state_dict`, with `about` (text by key) in the header.
///
/// # Errors
/// [`Error::Io`] when the file cannot be written; what the device reports.
pub fn save(path: &Path, model: &(impl Parameters + ?Sized), about: &[(&str, &str)]) -> Result<()> {
    files::replace(path, |file| write(file, &model.named_variables(), about))
}

/// Writes variables one after another: no copy of them all is made.
pub(crate) fn write(file: &mut Summed, variables: &[NamedVariable], about: &[(&str, &str)]) -> Result<()> {
    let entries = variables.iter().map(|v| Ok((&v.name[..], v.variable.dtype()?, v.variable.shape()?)));
    let entries = entries.collect::<Result<Vec<_>>>()?;
    let shapes = entries.iter().map(|(name, dtype, shape)| (*name, *dtype, &shape[..]));
    file.write(&header(shapes, about))?;
    variables.iter().try_for_each(|v| file.write(&v.variable.value().to_bytes()?))
}

/// The head of a file whose tensors follow in this order: u64 length, JSON.
///
/// It is written here, in a fixed order: the safetensors crate keeps its texts in a hash map, whose order would make two
/// equal runs two different files.
pub(crate) fn header<'a>(
    tensors: impl Iterator<Item = (&'a str, DType, &'a [usize])>,
    about: &[(&str, &str)],
) -> Vec<u8> {
    let mut header = Map::new();
    let texts = about.iter().map(|(key, text)| ((*key).to_owned(), json!(text))).collect::<Map<_, _>>();
    header.insert("__metadata__".into(), Value::Object(texts));
    let mut begin = 0;
    for (name, dtype, shape) in tensors {
        let end = begin + shape.iter().product::<usize>() * dtype.bytes();
        let entry =
            json!({ "dtype": format!("{:?}", stored(dtype)), "shape": shape, "data_offsets": [begin, end] });
        header.insert(name.to_owned(), entry);
        begin = end;
    }
    let mut text = Value::Object(header).to_string();
    // Readers map the file: the data begins at a multiple of 8 bytes.
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.into_bytes());
    bytes
}

/// The text that [`save`] was given with the weights, by key.
///
/// # Errors
/// [`Error::Io`] and [`Error::Invalid`] for a file that cannot be read or is damaged.
pub fn about(path: &Path) -> Result<HashMap<String, String>> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(refused(path))?;
    Ok(header.metadata().clone().unwrap_or_default())
}

/// Loads every variable of the model.
///
/// # Errors
/// [`Error::Io`] and [`Error::Invalid`] for a file that cannot be read or is damaged, a variable that is missing or has
/// another shape or dtype, and a tensor that the model does not have. On an error the model may hold some of the weights.
pub fn load(path: &Path, model: &(impl Parameters + ?Sized)) -> Result<()> {
    read(path, &model.named_variables())
}

/// [`load`] into given variables.
pub(crate) fn read(path: &Path, variables: &[NamedVariable]) -> Result<()> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let stored = SafeTensors::deserialize(&bytes).map_err(refused(path))?;
    let at = path.display();
    if let Some(name) = stored.names().into_iter().find(|name| variables.iter().all(|v| v.name != **name)) {
        let message =
            format!("{at} holds `{name}`, which the model does not have; use the recipe it was trained with");
        return Err(Error::invalid(message));
    }
    for NamedVariable { name, variable, .. } in variables {
        let Ok(view) = stored.tensor(name) else {
            let message =
                format!("{at} holds no `{name}`, which the model has; use the recipe it was trained with");
            return Err(Error::invalid(message));
        };
        let (wanted, shape) = (variable.dtype()?, variable.shape()?);
        if view.dtype() != self::stored(wanted) || view.shape() != &shape[..] {
            let message = format!(
                "{at}: `{name}` is {:?} {:?}, the model's is {wanted} {:?}; use the recipe it was trained with",
                view.dtype(),
                view.shape(),
                &shape[..]
            );
            return Err(Error::invalid(message));
        }
        variable.upload(view.data())?;
    }
    Ok(())
}

/// The first variable that holds a number that is not finite, by name, and what it holds: `NaN` or `infinity`. Waits for
/// what runs.
///
/// # Errors
/// What the device reports.
pub fn not_finite(model: &(impl Parameters + ?Sized)) -> Result<Option<(String, &'static str)>> {
    for NamedVariable { name, variable, .. } in model.named_variables() {
        if let Some(kind) = spoilt(variable.dtype()?, &variable.value().to_bytes()?) {
            return Ok(Some((name, kind)));
        }
    }
    Ok(None)
}

/// What among floats is not finite: an exponent of ones, of NaN with a fraction.
fn spoilt(dtype: DType, bytes: &[u8]) -> Option<&'static str> {
    let exponent: u64 = match dtype {
        DType::F16 => 0x7c00,
        DType::BF16 => 0x7f80,
        DType::F32 => 0x7f80_0000,
        DType::F64 => 0x7ff0_0000_0000_0000,
        DType::Bool | DType::U8 | DType::I32 | DType::U32 => return None,
    };
    let fraction = (exponent & exponent.wrapping_neg()) - 1;
    let words = bytes
        .chunks_exact(dtype.bytes())
        .map(|element| element.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte)));
    let mut found = None;
    for word in words.filter(|word| word & exponent == exponent) {
        match word & fraction {
            0 => found = Some("infinity"),
            _ => return Some("NaN"),
        }
    }
    found
}

pub(crate) fn refused(path: &Path) -> impl Fn(safetensors::SafeTensorError) -> Error {
    let path = path.display().to_string();
    move |error| {
        Error::invalid(format!("{path} is not a whole safetensors file ({error}); get or train it again"))
    }
}

fn stored(dtype: DType) -> Dtype {
    match dtype {
        DType::Bool => Dtype::BOOL,
        DType::U8 => Dtype::U8,
        DType::I32 => Dtype::I32,
        DType::U32 => Dtype::U32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_finite_are_found_in_every_dtype() {
        fn bytes<T: Copy, const N: usize>(all: &[T], one: fn(T) -> [u8; N]) -> Vec<u8> {
            all.iter().flat_map(|value| one(*value)).collect()
        }
        let singles = |all: &[f32]| spoilt(DType::F32, &bytes(all, f32::to_ne_bytes));
        let doubles = |all: &[f64]| spoilt(DType::F64, &bytes(all, f64::to_ne_bytes));
        let halves = |dtype, all: &[u16]| spoilt(dtype, &bytes(all, u16::to_ne_bytes));
        assert_eq!(singles(&[0.0, -1.0, f32::MAX, f32::MIN_POSITIVE / 2.0]), None);
        assert_eq!(singles(&[1.0, f32::NEG_INFINITY]), Some("infinity"));
        assert_eq!(singles(&[f32::INFINITY, -f32::NAN]), Some("NaN"));
        assert_eq!((doubles(&[f64::MAX]), doubles(&[f64::NAN])), (None, Some("NaN")));
        // 65504, the largest half; infinity; NaN.
        let [largest, infinite, nan] = [0x7bff, 0xfc00, 0x7e00].map(|bits| halves(DType::F16, &[0, bits]));
        assert_eq!((largest, infinite, nan), (None, Some("infinity"), Some("NaN")));
        let [largest, infinite, nan] = [0x7f7f, 0xff80, 0x7fc0].map(|bits| halves(DType::BF16, &[0, bits]));
        assert_eq!((largest, infinite, nan), (None, Some("infinity"), Some("NaN")));
        assert_eq!(spoilt(DType::U32, &[0xff; 8]), None);
    }
}
