//! What the tests of products and convolutions share: numbers by chance, and numbers of both kinds.

use warploom_cpu_kernels::{convolution, gemm};

/// A small generator (Marsaglia's xorshift64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    /// From `from` to `to`, both included.
    pub fn within(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from + 1)
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.within(1, count) == 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Between -1 and 1.
    pub fn value(&mut self) -> f64 {
        self.below(2_000_001) as f64 / 1e6 - 1.0
    }
}

/// A number that products and convolutions take.
pub trait Number: gemm::Element + convolution::Element {
    const EPSILON: f64;
    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
}

macro_rules! number {
    ($scalar:ty) => {
        impl Number for $scalar {
            const EPSILON: f64 = <$scalar>::EPSILON as f64;
            fn from_f64(value: f64) -> Self {
                value as $scalar
            }
            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    };
}
number!(f32);
number!(f64);
