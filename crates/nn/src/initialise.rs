//! First values of variables: drawn on the host, by seed and name.
//!
//! A draw's Philox key is the seed of the innermost [`seed_scope`] (0 outside of any), its stream the variable's name: the
//! module path in which it is made and its own name in the layer. So a layer added to a model leaves the numbers of the
//! others as they are, and every device begins with the same bits. Variables of one name within a seed scope (two models,
//! or layers of a struct made outside of any module scope) are told apart by the order in which they are made.

use std::cell::RefCell;
use std::collections::HashMap;
use warploom_graph::philox;
use warploom_tensor::{DType, Device, Error, Tensor, Variable, module_path};

/// How a variable's first value is drawn. Uniform numbers lie within ± the bound given here.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Initialiser {
    /// 0 everywhere.
    Zeros,
    /// 1 everywhere.
    Ones,
    /// One number everywhere.
    Constant(f64),
    /// Uniform, bound 1/√inputs: what torch.nn.Linear draws weights and bias from (Kaiming uniform with slope √5).
    FanInUniform,
    /// Uniform, bound √(6 / ((1 + slope²) inputs)), for rectifiers with that slope below 0 (He et al. 2015, eq. 15).
    KaimingUniform {
        /// 0 for relu.
        slope: f64,
    },
    /// Uniform, bound √(6 / (inputs + outputs)): Keras' default (Glorot and Bengio 2010, eq. 16).
    GlorotUniform,
    /// Normal, not truncated.
    Normal {
        /// Standard deviation.
        deviation: f64,
    },
    /// Normal with variance 2 / inputs, not truncated (He et al. 2015, eq. 10).
    HeNormal,
    /// Normal with variance 1 / inputs, not truncated (LeCun et al. 1998, section 4.6).
    LecunNormal,
}

/// How many numbers a unit takes in, and how many units a number goes out to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fans {
    /// Of the layer's weights, also for its bias.
    pub inputs: usize,
    /// Of the layer's weights.
    pub outputs: usize,
}

impl Initialiser {
    /// A variable on the current device.
    ///
    /// # Errors
    /// A dtype other than f32 and f64; what the device reports.
    #[track_caller]
    pub fn make(self, name: &str, shape: &[usize], dtype: DType, fans: Fans) -> Result<Variable, Error> {
        let count = checked_count(name, shape)?;
        let numbers = self.numbers(&Stream::next(name), count, fans);
        let value = match dtype {
            DType::F64 => Tensor::from_slice(&numbers, shape),
            DType::F32 => Tensor::from_slice(&numbers.iter().map(|x| *x as f32).collect::<Vec<f32>>(), shape),
            DType::F16 | DType::BF16 | DType::Bool | DType::U8 | DType::I32 | DType::U32 => {
                return Err(Error::new(
                    "initialise",
                    format!("{name} is drawn as f32 or f64, found {dtype}"),
                ));
            }
        };
        let variable = Variable::new(value);
        variable.shape().map(|_| variable)
    }

    fn numbers(self, stream: &Stream, count: usize, fans: Fans) -> Vec<f64> {
        let (inputs, outputs) = (fans.inputs.max(1) as f64, fans.outputs.max(1) as f64);
        let (draw, scale): (fn(&Stream, usize) -> Vec<f64>, f64) = match self {
            Initialiser::Zeros => return vec![0.0; count],
            Initialiser::Ones => return vec![1.0; count],
            Initialiser::Constant(value) => return vec![value; count],
            Initialiser::FanInUniform => (Stream::uniform, 1.0 / inputs.sqrt()),
            Initialiser::KaimingUniform { slope } => {
                (Stream::uniform, (6.0 / ((1.0 + slope * slope) * inputs)).sqrt())
            }
            Initialiser::GlorotUniform => (Stream::uniform, (6.0 / (inputs + outputs)).sqrt()),
            Initialiser::Normal { deviation } => (Stream::normal, deviation),
            Initialiser::HeNormal => (Stream::normal, (2.0 / inputs).sqrt()),
            Initialiser::LecunNormal => (Stream::normal, (1.0 / inputs).sqrt()),
        };
        draw(stream, count).into_iter().map(|x| x * scale).collect()
    }
}

struct Seeds {
    seed: u64,
    /// How many variables of a name were made.
    made: HashMap<String, u32>,
}

/// Elements of a variable, if it can exist: numbers are drawn on the host first, in f64.
fn checked_count(name: &str, shape: &[usize]) -> Result<usize, Error> {
    let count = shape.iter().try_fold(1usize, |all, extent| all.checked_mul(*extent));
    let bytes = count.and_then(|count| count.checked_mul(size_of::<f64>()));
    let memory = Device::current()?.capabilities().memory_bytes.unwrap_or(usize::MAX);
    match (count, bytes) {
        (Some(count), Some(bytes)) if bytes <= memory => Ok(count),
        _ => {
            let message =
                format!("{name} of shape {shape:?} is larger than the device's memory of {memory} bytes");
            Err(Error::new("initialise", message))
        }
    }
}

thread_local! {
    static SEEDS: RefCell<Vec<Seeds>> = RefCell::new(vec![Seeds { seed: 0, made: HashMap::new() }]);
}

/// Runs `body` with `seed` as the seed of the first values that are drawn in it, counting names anew: the same body makes
/// the same values.
pub fn seed_scope<R>(seed: u64, body: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            SEEDS.with_borrow_mut(|seeds| seeds.pop());
        }
    }
    SEEDS.with_borrow_mut(|seeds| seeds.push(Seeds { seed, made: HashMap::new() }));
    let _leave = Leave;
    body()
}

/// A source of numbers.
struct Stream {
    seed: [u32; 2],
    name: [u32; 2],
    ordinal: u32,
}

impl Stream {
    /// The stream of the next variable called `name` in the current module.
    fn next(name: &str) -> Stream {
        let name = match module_path() {
            Some(path) => format!("{path}.{name}"),
            None => name.to_owned(),
        };
        SEEDS.with_borrow_mut(|seeds| {
            // FNV-1a, 64 bits.
            let hash = name
                .bytes()
                .fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ b as u64).wrapping_mul(0x100_0000_01b3));
            let (seed, ordinal) = match seeds.last_mut() {
                Some(seeds) => {
                    let count = seeds.made.entry(name).or_default();
                    *count += 1;
                    (seeds.seed, *count - 1)
                }
                None => (0, 0),
            };
            let words = |n: u64| [n as u32, (n >> 32) as u32];
            Stream { seed: words(seed), name: words(hash), ordinal }
        })
    }

    fn words(&self, count: usize) -> impl Iterator<Item = u32> {
        let quads = (0..count.div_ceil(4) as u32)
            .map(|q| philox::quad(self.seed, self.name[0], self.ordinal, self.name[1], q));
        quads.flatten().take(count)
    }

    /// In `[-1, 1)`, multiples of 2^-23.
    fn uniform(&self, count: usize) -> Vec<f64> {
        self.words(count).map(|word| (word >> 8) as f64 / (1 << 23) as f64 - 1.0).collect()
    }

    /// Standard normal, by the method of Box and Muller (1958).
    fn normal(&self, count: usize) -> Vec<f64> {
        let words: Vec<u32> = self.words(count.next_multiple_of(2)).collect();
        let unit = |word: u32| word as f64 / (1u64 << 32) as f64;
        let pair = |pair: &[u32]| {
            // 1 - u lies in (0, 1], where the logarithm is finite.
            let radius = (-2.0 * (1.0 - unit(pair[0])).ln()).sqrt();
            let (sine, cosine) = (unit(pair[1]) * std::f64::consts::TAU).sin_cos();
            [radius * cosine, radius * sine]
        };
        words.chunks_exact(2).flat_map(pair).take(count).collect()
    }
}

/// A variable of zeros that is on the device at once, also while a program is being recorded.
pub(crate) fn zeros(name: &str, shape: &[usize], dtype: DType, device: &Device) -> Result<Variable, Error> {
    let bytes = vec![0u8; shape.iter().product::<usize>() * dtype.bytes()];
    let variable = Variable::new(device.scope(|| Tensor::from_bytes(dtype, shape, &bytes))).named(name);
    variable.shape().map(|_| variable)
}

#[cfg(test)]
mod tests {
    use super::{Fans, Initialiser, Stream, seed_scope};
    use warploom_tensor::module_scope;

    const FANS: Fans = Fans { inputs: 64, outputs: 32 };

    fn draw(name: &str, initialiser: Initialiser, count: usize) -> Vec<f64> {
        initialiser.numbers(&Stream::next(name), count, FANS)
    }

    #[test]
    fn numbers_depend_on_seed_name_and_order_alone() {
        let first = seed_scope(7, || module_scope("0", || draw("weight", Initialiser::FanInUniform, 10)));
        let later = seed_scope(7, || {
            draw("weight", Initialiser::FanInUniform, 3);
            let drawn = module_scope("0", || draw("weight", Initialiser::FanInUniform, 10));
            assert_ne!(drawn, module_scope("0", || draw("weight", Initialiser::FanInUniform, 10)));
            drawn
        });
        assert_eq!(first, later);
        assert_ne!(
            first,
            seed_scope(8, || module_scope("0", || draw("weight", Initialiser::FanInUniform, 10)))
        );
        assert_ne!(
            first,
            seed_scope(7, || module_scope("1", || draw("weight", Initialiser::FanInUniform, 10)))
        );
    }

    #[test]
    fn distributions_have_their_moments() {
        let moments = |numbers: &[f64]| {
            let n = numbers.len() as f64;
            let mean = numbers.iter().sum::<f64>() / n;
            (mean, numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
        };
        let bounds = [
            (Initialiser::FanInUniform, 1.0 / 8.0),
            (Initialiser::KaimingUniform { slope: 0.0 }, (6.0f64 / 64.0).sqrt()),
            (Initialiser::GlorotUniform, (6.0f64 / 96.0).sqrt()),
        ];
        for (initialiser, bound) in bounds {
            let drawn = draw("w", initialiser, 100_000);
            assert!(drawn.iter().all(|x| (-bound..bound).contains(x)));
            let (mean, variance) = moments(&drawn);
            assert!(
                mean.abs() < 0.01 * bound && (variance * 3.0 / bound.powi(2) - 1.0).abs() < 0.01,
                "{initialiser:?}"
            );
        }
        let normals = [
            (Initialiser::HeNormal, 2.0 / 64.0),
            (Initialiser::LecunNormal, 1.0 / 64.0),
            (Initialiser::Normal { deviation: 0.2 }, 0.04),
        ];
        for (initialiser, wanted) in normals {
            let (mean, variance) = moments(&draw("w", initialiser, 100_001));
            assert!(
                mean.abs() < 0.01 && (variance / wanted - 1.0).abs() < 0.02,
                "{initialiser:?} {variance}"
            );
        }
    }
}
