//! A copy of a model's variables on the host.

use crate::error::{Error, Result};
use crate::files::Summed;
use crate::weights;
use safetensors::SafeTensors;
use std::fs;
use std::path::Path;
use warploom_nn::Parameters;
use warploom_tensor::{DType, Dims};

/// Every variable of a model as it was at one moment, in host memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot(Vec<Kept>);

#[derive(Clone, Debug, PartialEq)]
struct Kept {
    name: String,
    dtype: DType,
    shape: Dims,
    bytes: Vec<u8>,
}

impl Snapshot {
    /// Copies a model's variables. Waits for what runs.
    ///
    /// # Errors
    /// What the device reports.
    pub fn of(model: &(impl Parameters + ?Sized)) -> Result<Snapshot> {
        let all = model.named_variables().into_iter().map(|v| {
            let value = v.variable.value();
            Ok(Kept { name: v.name, dtype: value.dtype()?, shape: value.shape()?, bytes: value.to_bytes()? })
        });
        all.collect::<Result<_>>().map(Snapshot)
    }

    /// Gives the variables these values back.
    ///
    /// # Errors
    /// A model with other variables; what the device reports.
    pub fn restore(&self, model: &(impl Parameters + ?Sized)) -> Result<()> {
        let variables = model.named_variables();
        let fits = self.0.len() == variables.len()
            && self.0.iter().zip(&variables).all(|(kept, v)| {
                kept.name == v.name && v.variable.shape().is_ok_and(|shape| shape == kept.shape)
            });
        if !fits {
            return Err(Error::invalid(
                "the kept weights are not of this model; restore them into the model they came from",
            ));
        }
        Ok(self.0.iter().zip(&variables).try_for_each(|(kept, v)| v.variable.upload(&kept.bytes))?)
    }

    pub(crate) fn write(&self, file: &mut Summed) -> Result<()> {
        let shapes = self.0.iter().map(|kept| (&kept.name[..], kept.dtype, &kept.shape[..]));
        file.write(&weights::header(shapes, &[]))?;
        self.0.iter().try_for_each(|kept| file.write(&kept.bytes))
    }

    /// From a file, for the variables of `model`, in their order and of their dtypes.
    pub(crate) fn read(path: &Path, model: &(impl Parameters + ?Sized)) -> Result<Snapshot> {
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let stored = SafeTensors::deserialize(&bytes).map_err(weights::refused(path))?;
        let kept = model.named_variables().into_iter().map(|v| {
            let view = stored.tensor(&v.name).map_err(weights::refused(path))?;
            let (dtype, shape) = (v.variable.dtype()?, Dims::from_slice(view.shape()));
            Ok(Kept { name: v.name, dtype, shape, bytes: view.data().to_vec() })
        });
        kept.collect::<Result<_>>().map(Snapshot)
    }
}
