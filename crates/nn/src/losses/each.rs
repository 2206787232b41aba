//! Losses of single examples.

use std::cell::Cell;
use warploom_tensor::Tensor;

thread_local! {
    static EACH: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`, in which the losses of this crate give `[batch]`, one value an example, instead of the mean over the batch:
/// what a batch of that example alone would give. So a loss that is made of them says what each example adds, to be weighted
/// or looked at. Weights of [`super::cross_entropy_with`] multiply there, and nothing is divided by them: as PyTorch's
/// `reduction="none"`.
pub fn each_example<R>(body: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            EACH.set(self.0);
        }
    }
    let _restore = Restore(EACH.replace(true));
    body()
}

/// Whether losses give one value an example.
pub(super) fn is_each() -> bool {
    EACH.get()
}

/// The mean over all elements, or over those of each example.
#[track_caller]
pub(super) fn mean(values: &Tensor) -> Tensor {
    match values.rank() {
        Ok(1) if is_each() => values.clone(),
        Ok(rank @ 2..) if is_each() => values.mean((1..rank).collect::<Vec<usize>>()),
        Ok(_) | Err(_) => values.mean_all(),
    }
}
