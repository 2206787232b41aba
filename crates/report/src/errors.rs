//! How far predicted numbers are from true ones.

/// Errors of predictions, over the pairs whose numbers are both finite.
pub struct Errors {
    /// Predicted less true, ascending.
    pub sorted: Vec<f64>,
    /// Root of the mean squared error.
    pub root_mean_square: f64,
    /// Mean absolute error.
    pub mean_absolute: f64,
    /// Mean error: above 0 where predictions are too high.
    pub mean: f64,
    /// 1 less the share of the targets' variance that is left; none where the targets do not vary.
    pub r_squared: Option<f64>,
}

impl Errors {
    /// The errors of pairs of true and predicted numbers; none if no pair is finite.
    pub fn new(pairs: &[(f64, f64)]) -> Option<Errors> {
        let finite: Vec<(f64, f64)> = finite(pairs).collect();
        let count = finite.len() as f64;
        let mean_of = |value: &dyn Fn(&(f64, f64)) -> f64| finite.iter().map(value).sum::<f64>() / count;
        let mean_truth = mean_of(&|(truth, _)| *truth);
        let square = mean_of(&|(truth, predicted)| (predicted - truth).powi(2));
        let variance = mean_of(&|(truth, _)| (truth - mean_truth).powi(2));
        let mut sorted: Vec<f64> = finite.iter().map(|(truth, predicted)| predicted - truth).collect();
        sorted.sort_by(f64::total_cmp);
        (!sorted.is_empty()).then(|| Errors {
            root_mean_square: square.sqrt(),
            mean_absolute: mean_of(&|(truth, predicted)| (predicted - truth).abs()),
            mean: mean_of(&|(truth, predicted)| predicted - truth),
            r_squared: (variance > 0.0).then(|| 1.0 - square / variance),
            sorted,
        })
    }

    /// The error below which a share of all errors lies.
    pub fn quantile(&self, share: f64) -> f64 {
        self.sorted[((self.sorted.len() - 1) as f64 * share).round() as usize]
    }
}

/// The pairs whose numbers are both finite.
pub fn finite(pairs: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    pairs.iter().copied().filter(|(truth, predicted)| truth.is_finite() && predicted.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_by_hand() {
        // Errors 1, −1, 2; the pair that is not finite does not count.
        let errors = Errors::new(&[(1.0, 2.0), (3.0, 2.0), (f64::NAN, 1.0), (5.0, 7.0)]).unwrap();
        assert_eq!(errors.sorted, [-1.0, 1.0, 2.0]);
        assert!((errors.root_mean_square - 2f64.sqrt()).abs() < 1e-12);
        assert!((errors.mean_absolute - 4.0 / 3.0).abs() < 1e-12);
        assert!((errors.mean - 2.0 / 3.0).abs() < 1e-12);
        // The targets' variance is 8/3.
        assert!((errors.r_squared.unwrap() - 0.25).abs() < 1e-12);
        assert_eq!((errors.quantile(0.0), errors.quantile(0.5), errors.quantile(1.0)), (-1.0, 1.0, 2.0));
    }

    #[test]
    fn nothing_to_measure() {
        assert!(Errors::new(&[]).is_none());
        assert!(Errors::new(&[(f64::INFINITY, 0.0)]).is_none());
        assert_eq!(Errors::new(&[(2.0, 3.0)]).unwrap().r_squared, None);
        assert!(Errors::new(&[(-f64::MAX, f64::MAX), (0.0, 1.0)]).is_some());
    }
}
