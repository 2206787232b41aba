//! Gradients kept from growing too large.

use warploom_tensor::{DType, ElementwiseMethods, Error, Tensor};

/// How gradients are clipped before an update.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Clipping {
    /// All of them scaled by one number, so that together, as one vector, they are at most so long; as torch's
    /// clip_grad_norm_ (Pascanu et al. 2013).
    Norm(f64),
    /// Each element kept within ± the number; as torch's clip_grad_value_.
    Value(f64),
}

impl Clipping {
    /// The clipped gradients.
    ///
    /// # Errors
    /// A bound that is not above 0; the error that a gradient carries.
    #[track_caller]
    pub fn apply(&self, gradients: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        let (Clipping::Norm(bound) | Clipping::Value(bound)) = *self;
        if bound.is_nan() || bound <= 0.0 {
            return Err(Error::new("clip", format!("takes a bound above 0, found {bound}")));
        }
        if let Clipping::Value(bound) = self {
            return Ok(gradients.iter().map(|gradient| gradient.clamp(-bound, *bound)).collect());
        }
        // torch's term beside the norm, which keeps the quotient finite.
        let scale = ((norm(gradients)? + 1e-6).reciprocal() * bound).at_most(1.0);
        gradients.iter().map(|gradient| Ok(gradient * scale.cast(gradient.dtype()?))).collect()
    }
}

/// The length of all gradients as one vector, `[]`; in f64 if one of them is, else in f32.
///
/// # Errors
/// No gradients; the error that one of them carries.
#[track_caller]
pub fn norm(gradients: &[Tensor]) -> Result<Tensor, Error> {
    let mut dtype = DType::F32;
    for gradient in gradients {
        if gradient.dtype()? == DType::F64 {
            dtype = DType::F64;
        }
    }
    let squares = gradients.iter().map(|gradient| gradient.cast(dtype).square().sum_all());
    let sum = squares.reduce(|sum, one| sum + one);
    sum.map(|sum| sum.sqrt()).ok_or_else(|| Error::new("norm", "takes at least one gradient"))
}
