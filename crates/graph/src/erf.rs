//! The error function in f64, which the standard library lacks.

/// 2 / sqrt(pi), the slope of erf at 0.
pub(crate) const TWO_OVER_SQRT_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI;

/// erf by its Taylor series near 0 and the continued fraction of erfc beyond (Abramowitz & Stegun 7.1.6, 7.1.14).
pub(crate) fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a < 2.5 {
        let (mut term, mut sum, mut n) = (a, a, 0.0);
        while term > 1e-18 * sum {
            n += 1.0;
            term *= 2.0 * a * a / (2.0 * n + 1.0);
            sum += term;
        }
        (TWO_OVER_SQRT_PI * (-a * a).exp() * sum).copysign(x)
    } else if a.is_nan() {
        x
    } else {
        let tail = (1..=60).rev().fold(0.0, |f, k| k as f64 * 0.5 / (a + f));
        (1.0 - (-a * a).exp() / ((a + tail) * std::f64::consts::PI.sqrt())).copysign(x)
    }
}
