//! Gradients of several micro-batches made one.

use crate::initialise::zeros;
use crate::model::moved;
use crate::parameters::{Kind, NamedVariable};
use warploom_tensor::{DType, Device, Elementwise, ElementwiseMethods, Error, Tensor, Variable};

/// Means of loss and gradients over micro-batches, kept on the device from step to step.
pub(crate) struct Accumulation {
    micro_batches: u32,
    /// `u32[]`: micro-batches in the sums.
    count: Variable,
    /// `[]`, the loss summed.
    loss: Variable,
    /// The gradients summed, in the order of the parameters.
    sums: Vec<Variable>,
}

/// What a micro-batch makes of the sums before it.
pub(crate) struct Accumulated {
    /// `bool[]`: whether an update is due.
    pub due: Tensor,
    pub loss: Tensor,
    pub gradients: Vec<Tensor>,
}

impl Accumulation {
    pub(crate) fn new(
        micro_batches: u32,
        parameters: &[Variable],
        loss: DType,
        device: &Device,
    ) -> Result<Accumulation, Error> {
        if micro_batches == 0 {
            return Err(Error::new("accumulate", "takes 1 micro-batch and more, found 0"));
        }
        let sum = |parameter: &Variable| {
            let name = format!("accumulated.{}", parameter.name().unwrap_or_default());
            zeros(&name, &parameter.shape()?, parameter.dtype()?, device)
        };
        Ok(Accumulation {
            micro_batches,
            count: zeros("accumulated.count", &[], DType::U32, device)?,
            loss: zeros("accumulated.loss", &[], loss, device)?,
            sums: parameters.iter().map(sum).collect::<Result<_, _>>()?,
        })
    }

    /// Adds a micro-batch's mean loss and gradients, if it takes place (`bool[]`) where that is given. Where that makes the
    /// batch whole, an update by the results is due, and the sums begin anew.
    #[track_caller]
    pub(crate) fn add(
        &self,
        loss: &Tensor,
        gradients: &[Tensor],
        takes_place: Option<&Tensor>,
    ) -> Result<Accumulated, Error> {
        let share = 1.0 / self.micro_batches as f64;
        let count = self.count.value() + 1;
        let due = count.compare(Elementwise::EQUAL, self.micro_batches as f64);
        let due = takes_place.map_or(due.clone(), |takes_place| due.and(takes_place));
        let keep = |variable: &Variable, sum: &Tensor| {
            let next = due.select(&sum.full_like(0.0), sum);
            match takes_place {
                Some(takes_place) => variable.assign(&takes_place.select(&next, &variable.value())),
                None => variable.assign(&next),
            }
        };
        let add = |variable: &Variable, part: &Tensor| {
            let sum = variable.value() + part * share;
            keep(variable, &sum).map(|()| sum)
        };
        keep(&self.count, &count)?;
        let loss = add(&self.loss, &loss.cast(self.loss.dtype()?))?;
        let gradients = self.sums.iter().zip(gradients).map(|(sum, gradient)| add(sum, gradient));
        Ok(Accumulated { gradients: gradients.collect::<Result<_, _>>()?, loss, due })
    }

    pub(crate) fn state(&self) -> Vec<NamedVariable> {
        let all = [&self.count, &self.loss].into_iter().chain(&self.sums);
        let named = |variable: &Variable| NamedVariable {
            name: variable.name().unwrap_or_default().to_owned(),
            variable: variable.clone(),
            kind: Kind::State,
        };
        all.map(named).collect()
    }

    pub(crate) fn move_to(&mut self, device: &Device) -> Result<(), Error> {
        for variable in [&mut self.count, &mut self.loss].into_iter().chain(&mut self.sums) {
            *variable = moved(variable, device)?;
        }
        Ok(())
    }
}
