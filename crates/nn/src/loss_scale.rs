//! Dynamic loss scaling: gradients in f16 are kept in its range (Micikevicius et al., "Mixed Precision Training", 2018).

use crate::initialise::zeros;
use crate::model::moved;
use crate::parameters::{Kind, NamedVariable};
use warploom_tensor::{DType, Device, Elementwise, ElementwiseMethods, Error, Tensor, Variable};

/// How a loss is scaled. Defaults are those of torch.amp.GradScaler; the floor, below which an overflow is no matter of
/// scale, is 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossScaling {
    /// The first scale.
    pub initial: f32,
    /// By what the scale is multiplied after [`LossScaling::interval`] good updates in a row.
    pub growth: f32,
    /// By what it is multiplied when a gradient is not finite.
    pub backoff: f32,
    /// Good updates between two growths.
    pub interval: u32,
    /// The smallest scale.
    pub floor: f32,
}

impl Default for LossScaling {
    fn default() -> LossScaling {
        LossScaling { initial: 65536.0, growth: 2.0, backoff: 0.5, interval: 2000, floor: 1.0 }
    }
}

impl LossScaling {
    fn check(&self) -> Result<(), Error> {
        let LossScaling { initial, growth, backoff, interval, floor } = *self;
        let fits = floor > 0.0
            && initial >= floor
            && initial.is_finite()
            && growth >= 1.0
            && growth.is_finite()
            && (0.0..=1.0).contains(&backoff)
            && interval > 0;
        let message = "wants 0 < floor <= initial, growth of at least 1, backoff from 0 to 1, an interval of at least 1";
        if fits { Ok(()) } else { Err(Error::new("scale_loss", format!("{message}; found {self:?}"))) }
    }
}

/// The scale of a loss, with what it needs from step to step.
pub struct LossScale {
    settings: LossScaling,
    /// `f32[]`.
    scale: Variable,
    /// `u32[]`: good updates since the scale last changed.
    good: Variable,
    /// `u32[]`: whether a micro-batch of the update under way overflowed.
    overflowed: Variable,
    /// `u32[]`.
    left_out: Variable,
}

impl LossScale {
    pub(crate) fn new(settings: LossScaling, device: &Device) -> Result<LossScale, Error> {
        settings.check()?;
        let count = |name: &str| zeros(name, &[], DType::U32, device);
        let scale = zeros("loss_scale.scale", &[], DType::F32, device)?;
        scale.assign(&device.scope(|| Tensor::from(settings.initial)))?;
        Ok(LossScale {
            settings,
            scale,
            good: count("loss_scale.good")?,
            overflowed: count("loss_scale.overflowed")?,
            left_out: count("loss_scale.left_out")?,
        })
    }

    /// By what the loss of the next step is multiplied, `f32[]`.
    pub fn scale(&self) -> &Variable {
        &self.scale
    }

    /// Updates left out so far because a gradient overflowed, `u32[]`.
    pub fn left_out(&self) -> &Variable {
        &self.left_out
    }

    /// All its variables.
    pub fn variables(&self) -> [&Variable; 4] {
        [&self.scale, &self.good, &self.overflowed, &self.left_out]
    }

    /// The loss times the scale.
    #[track_caller]
    pub(crate) fn apply(&self, loss: &Tensor) -> Result<Tensor, Error> {
        Ok(loss * self.scale.value().cast(loss.dtype()?))
    }

    /// Gradients of the loss from those of the scaled one.
    #[track_caller]
    pub(crate) fn undo(&self, gradients: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        let inverse = 1.0 / self.scale.value();
        gradients.iter().map(|gradient| Ok(gradient * inverse.cast(gradient.dtype()?))).collect()
    }

    /// `bool[]`: whether a smaller scale may make finite what is not (`finite`, `bool[]`, says whether loss and gradients
    /// are). A loss that is not finite itself is not helped.
    #[track_caller]
    pub(crate) fn overflows(&self, loss: &Tensor, finite: &Tensor) -> Tensor {
        let above = self.scale.value().compare(Elementwise::GREATER, f64::from(self.settings.floor));
        finite.not().and(&loss.is_finite()).and(&above)
    }

    /// Records the next scale after a step that `overflows` or not. An update is `due` or not and `passes` or not, neither
    /// where the step does not take place. Returns whether an update is left out for an overflow. All are `bool[]`.
    #[track_caller]
    pub(crate) fn advance(&self, overflows: &Tensor, due: &Tensor, passes: &Tensor) -> Result<Tensor, Error> {
        let LossScaling { growth, backoff, interval, floor, .. } = self.settings;
        let (scale, good, before) = (self.scale.value(), self.good.value(), self.overflowed.value());
        let any = overflows.or(&before.compare(Elementwise::GREATER, 0.0));
        let smaller = (&scale * f64::from(backoff)).at_least(f64::from(floor));
        let counted = &good + passes.cast(DType::U32);
        let grows = counted.compare(Elementwise::GREATER_EQUAL, f64::from(interval));
        let larger = &scale * f64::from(growth);
        // A scale beyond f32 would make every gradient infinite.
        let larger = larger.is_finite().select(&larger, &scale);
        let grown = grows.select(&larger, &scale);
        self.scale.assign(&overflows.select(&smaller, &grown))?;
        let none = good.full_like(0.0);
        self.good.assign(&overflows.or(&grows).select(&none, &counted))?;
        let left_out = due.and(&passes.not()).and(&any);
        self.overflowed.assign(&due.select(&none, &any.cast(DType::U32)))?;
        self.left_out.assign(&(self.left_out.value() + left_out.cast(DType::U32)))?;
        Ok(left_out)
    }

    pub(crate) fn state(&self) -> impl Iterator<Item = NamedVariable> {
        self.variables().into_iter().map(|variable| NamedVariable {
            name: variable.name().unwrap_or_default().to_owned(),
            variable: variable.clone(),
            kind: Kind::State,
        })
    }

    pub(crate) fn move_to(&mut self, device: &Device) -> Result<(), Error> {
        for variable in [&mut self.scale, &mut self.good, &mut self.overflowed, &mut self.left_out] {
            *variable = moved(variable, device)?;
        }
        Ok(())
    }
}
