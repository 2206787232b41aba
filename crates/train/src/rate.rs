//! The learning rate that a schedule gives, computed on the host: it takes no memory of the device beside the plan.

use crate::error::Result;
use warploom_graph::interpret::{Array, Rounding, interpret};
use warploom_graph::{Graph, Type};
use warploom_nn::Updater;
use warploom_tensor::{DType, Device, InputSpec};

/// A schedule as a graph from base rate and step to rate.
pub(crate) struct ScheduledRate {
    graph: Graph,
    dtype: DType,
}

impl ScheduledRate {
    pub fn new(updater: &Updater, device: &Device) -> Result<ScheduledRate> {
        let dtype = updater.learning_rate().dtype()?;
        let scalar = || InputSpec::new(dtype, &[]);
        let recorded = device.try_record(&[scalar(), scalar()], |inputs| {
            Ok(vec![updater.schedule().learning_rate(&inputs[0], &inputs[1])])
        })?;
        Ok(ScheduledRate { graph: recorded.recording().graph.clone(), dtype })
    }

    /// The rate of the update numbered `step`, from 0.
    pub fn at(&self, base: f64, step: u32) -> Result<f64> {
        let scalar = |number: f64| Array::new(Type::new(self.dtype, &[]), [number]);
        let arguments = [scalar(base), scalar(f64::from(step))];
        let rates =
            interpret(&self.graph, &arguments, Rounding::EachOp).map_err(warploom_tensor::Error::from)?;
        Ok(rates.first().and_then(|rate| rate.to_f64().first().copied()).unwrap_or(base))
    }
}
