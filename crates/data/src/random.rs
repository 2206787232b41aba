//! Random numbers that are a pure function of (seed, purpose, index, draw).
//!
//! Nothing but integer arithmetic and exact scaling by powers of two: equal on every platform. The
//! generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
//! OOPSLA 2014), started at a hash of its key.

/// What a stream of random numbers is for; two purposes never share draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The order of the examples in an epoch; indexed by epoch.
    Shuffle = 1,
    /// Which examples a split takes; indexed by class, or 0 when not stratified.
    Split = 2,
    /// The order of the classes among drawn digits; indexed by block of ten.
    DigitOrder = 3,
    /// How one digit is drawn; indexed by its number.
    Digit = 4,
    /// How an example is augmented; indexed by epoch and example.
    Augment = 5,
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Random {
    /// The stream of one `purpose` and `index` under `seed`.
    pub(crate) fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let purpose = (purpose as u64).wrapping_mul(GOLDEN);
        let state = mix(mix(seed.wrapping_add(GOLDEN)) ^ purpose);
        Self { state: mix(state ^ mix(index.wrapping_add(GOLDEN))) }
    }

    /// The stream of one `purpose` and a pair of indices under `seed`.
    pub(crate) fn of_pair(seed: u64, purpose: Purpose, first: u64, second: u64) -> Self {
        let Self { state } = Self::new(seed, purpose, first);
        Self { state: mix(state ^ mix(second.wrapping_add(GOLDEN))) }
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A whole number in `0..end` without bias (Lemire, "Fast random integer generation in an
    /// interval", 2019). 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        if end == 0 {
            return 0;
        }
        let biased = end.wrapping_neg() % end;
        loop {
            let wide = u128::from(self.bits()) * u128::from(end);
            if wide as u64 >= biased {
                return (wide >> 64) as u64;
            }
        }
    }

    /// A number in `[low, high)`, up to rounding.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.bits() >> 40) as f32 * (1.0 / 16_777_216.0);
        low + (high - low) * unit
    }

    /// A number in `(-reach, reach)` whose density falls linearly from the middle.
    pub(crate) fn around_zero(&mut self, reach: f32) -> f32 {
        0.5 * (self.between(-reach, reach) + self.between(-reach, reach))
    }

    /// Puts `items` in a random order, each order equally likely (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_fixed_for_all_time() {
        let mut random = Random::new(1, Purpose::Shuffle, 2);
        let draws = [random.bits(), random.bits(), random.below(10), random.below(1000)];
        assert_eq!(draws, [15_286_041_500_730_416_461, 13_727_705_466_134_383_323, 7, 124]);
        let mut items: Vec<u32> = (0..10).collect();
        Random::new(0, Purpose::Shuffle, 0).shuffle(&mut items);
        assert_eq!(items, [7, 3, 1, 5, 6, 8, 4, 0, 2, 9]);
    }

    #[test]
    fn purposes_indices_and_seeds_differ() {
        let mut first: Vec<u64> = Vec::new();
        for purpose in
            [Purpose::Shuffle, Purpose::Split, Purpose::DigitOrder, Purpose::Digit, Purpose::Augment]
        {
            for seed in 0..20 {
                for index in 0..20 {
                    first.push(Random::new(seed, purpose, index).bits());
                    first.push(Random::of_pair(seed, purpose, index, seed).bits());
                    first.push(Random::of_pair(seed, purpose, index, seed + 1).bits());
                }
            }
        }
        let count = first.len();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), count);
    }

    #[test]
    fn below_is_in_range_and_even() {
        let mut random = Random::new(3, Purpose::Split, 0);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_600..10_400).contains(&count)), "{counts:?}");
    }

    #[test]
    fn between_and_around_zero_keep_their_bounds() {
        let mut random = Random::new(4, Purpose::Digit, 0);
        for _ in 0..10_000 {
            assert!((2.0..=3.0).contains(&random.between(2.0, 3.0)));
            assert!(random.around_zero(0.5).abs() <= 0.5);
        }
    }
}
