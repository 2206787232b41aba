//! Weights as safetensors files with PyTorch's names.

use crate::error::{Error, Result};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use warploom_nn::{NamedVariable, Parameters};
use warploom_tensor::{DType, Tensor};

/// Writes `bytes` so that the file is either the old or the new one, whatever happens: to a file beside it first, which
/// is then renamed.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().map_or_else(|| "file".into(), |name| name.to_string_lossy().into_owned());
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written =
        File::create(&beside).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    let renamed = written.and_then(|()| fs::rename(&beside, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    renamed.map_err(Error::io("write", path))
}

/// Saves every variable under its name in PyTorch's `state_dict`, with `about` (text by key) in the header.
///
/// # Errors
/// [`Error::Io`] when the file cannot be written; what the device reports.
pub fn save(path: &Path, model: &(impl Parameters + ?Sized), about: &[(&str, &str)]) -> Result<()> {
    // The header is written here, in a fixed order: the safetensors crate keeps its texts in a hash map, whose order would
    // make two equal runs two different files.
    let mut header = Map::new();
    let texts = about.iter().map(|(key, text)| ((*key).to_owned(), json!(text))).collect::<Map<_, _>>();
    header.insert("__metadata__".into(), Value::Object(texts));
    let mut data = Vec::new();
    for NamedVariable { name, variable, .. } in model.named_variables() {
        let value = variable.value();
        let begin = data.len();
        data.extend(value.to_bytes()?);
        let (dtype, shape) = (format!("{:?}", dtype(value.dtype()?)), value.shape()?);
        header
            .insert(name, json!({ "dtype": dtype, "shape": shape[..], "data_offsets": [begin, data.len()] }));
    }
    let mut text = Value::Object(header).to_string();
    // Readers map the file: the data begins at a multiple of 8 bytes.
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.into_bytes());
    bytes.append(&mut data);
    write_atomically(path, &bytes)
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
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let stored = SafeTensors::deserialize(&bytes).map_err(refused(path))?;
    let variables = model.named_variables();
    let at = path.display();
    if let Some(name) = stored.names().into_iter().find(|name| variables.iter().all(|v| v.name != **name)) {
        let message =
            format!("{at} holds `{name}`, which the model does not have; use the recipe it was trained with");
        return Err(Error::invalid(message));
    }
    for NamedVariable { name, variable, .. } in variables {
        let Ok(view) = stored.tensor(&name) else {
            let message =
                format!("{at} holds no `{name}`, which the model has; use the recipe it was trained with");
            return Err(Error::invalid(message));
        };
        let (wanted, shape) = (variable.dtype()?, variable.shape()?);
        if view.dtype() != dtype(wanted) || view.shape() != &shape[..] {
            let message = format!(
                "{at}: `{name}` is {:?} {:?}, the model's is {wanted} {:?}; use the recipe it was trained with",
                view.dtype(),
                view.shape(),
                &shape[..]
            );
            return Err(Error::invalid(message));
        }
        let value = variable.device()?.scope(|| Tensor::from_bytes(wanted, &shape, view.data()));
        variable.assign(&value)?;
        // One at a time: a copy of all weights is not held twice.
        variable.device()?.sync()?;
    }
    Ok(())
}

fn refused(path: &Path) -> impl Fn(safetensors::SafeTensorError) -> Error {
    let path = path.display().to_string();
    move |error| {
        Error::invalid(format!("{path} is not a whole safetensors file ({error}); get or train it again"))
    }
}

fn dtype(dtype: DType) -> Dtype {
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
