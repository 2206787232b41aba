//! Random numbers: Philox bits from the device's seed and step, with one stream for each draw.
//!
//! Outside of regions a draw is a node whose stream number is fixed when its program is made, from its module path and
//! its place among the program's draws of that path: code that draws the same each round is the same program. Each
//! program that draws moves the device's step on by one. A region draws from a key that it captures: seed and step, the
//! seed changed by a stream number of the program's.

use crate::context::{self, Level, RegionLevel};
use crate::device::Device;
use crate::error::Error;
use crate::node::Kind;
use crate::scope;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::sync::OnceLock;
use warploom_graph::{DType, Dims, Elementwise, ElementwiseMethods, Op, Type};

impl Tensor {
    /// Uniform u32 bits of the given shape, on the current device. Each call draws other bits.
    #[track_caller]
    pub fn random_bits(shape: &[usize]) -> Tensor {
        let ty = Type::new(DType::U32, shape);
        if ty.shape.iter().try_fold(1usize, |n, extent| n.checked_mul(*extent)).is_none_or(|n| n > 1 << 32) {
            return Tensor::failed(Error::new("random", "a draw has at most 2^32 elements"));
        }
        if let Some(drawn) = draw_in_region(shape) {
            return drawn;
        }
        match Device::current() {
            Ok(device) => Tensor::lazy(
                Kind::Random(OnceLock::new()),
                ty,
                SmallVec::new(),
                scope::origin(),
                Some(device),
            ),
            Err(error) => Tensor::failed(error),
        }
    }

    /// Uniform numbers in `[0, 1)`, as f32: multiples of 2^-24.
    #[track_caller]
    pub fn uniform(shape: &[usize]) -> Tensor {
        let bits = Tensor::random_bits(shape);
        unit(&bits)
    }

    /// Standard normal numbers, as f32, by the method of Box and Muller (1958).
    #[track_caller]
    pub fn normal(shape: &[usize]) -> Tensor {
        // Both uniforms come from one draw: the first row gives the radius, the second the angle.
        let mut both = Dims::from_elem(2, 1);
        both.extend_from_slice(shape);
        let bits = Tensor::random_bits(&both);
        let (radius, angle) = (bits.select_at(0, 0), bits.select_at(0, 1));
        // 1 - u lies in (0, 1], where the logarithm is finite.
        let radius = ((1.0 - unit(&radius)).log() * -2.0).sqrt();
        radius * (unit(&angle) * std::f64::consts::TAU).cos()
    }
}

#[track_caller]
fn unit(bits: &Tensor) -> Tensor {
    bits.with_literal(Elementwise::SHIFT_RIGHT, 8.0).cast(DType::F32) * (-24f64).exp2()
}

/// A draw within the innermost region, if one is being recorded.
#[track_caller]
fn draw_in_region(shape: &[usize]) -> Option<Tensor> {
    let (number, iteration, _) = region()?;
    let key = match region_key() {
        Ok(key) => key,
        Err(error) => return Some(Tensor::failed(error)),
    };
    let stream = stream_number(hash_path(scope::module_path().as_deref()), number);
    let seed = key.narrow(0, 0, 2);
    let step = key.select_at(0, 2);
    let iteration = iteration.unwrap_or_else(|| step.full_like(0.0));
    Some(Tensor::apply(Op::Random { stream, shape: Dims::from_slice(shape) }, &[&seed, &step, &iteration]))
}

/// Counts a draw of the innermost region: its number there, the region's iteration and its key.
fn region() -> Option<(u32, Option<Tensor>, Option<Tensor>)> {
    context::innermost(|level| match level {
        Level::Region(RegionLevel { iteration, key, draws }) => {
            *draws += 1;
            Some((*draws - 1, iteration.clone(), key.clone()))
        }
        Level::Program(_) => None,
    })
    .flatten()
}

/// Seed and step of the innermost region, `u32[3]`.
#[track_caller]
fn region_key() -> Result<Tensor, Error> {
    let known = context::innermost(|level| match level {
        Level::Region(region) => region.key.clone(),
        Level::Program(_) => None,
    });
    if let Some(key) = known.flatten() {
        return Ok(key);
    }
    let origin = scope::origin();
    let key = context::outside(|| match region() {
        None => {
            let device = Device::current()?;
            let ty = Type::new(DType::U32, &[3]);
            Ok::<_, Error>(Tensor::lazy(
                Kind::Key(OnceLock::new()),
                ty,
                SmallVec::new(),
                origin,
                Some(device),
            ))
        }
        Some((number, iteration, _)) => {
            // A region within a region: its iterations must not repeat in the outer region's.
            let outer = region_key()?;
            let one = |tensor: Tensor| tensor.reshape([1]);
            let scalar = outer.select_at(0, 2);
            let number = scalar.full_like((number + 1) as f64);
            let iteration = iteration.unwrap_or_else(|| scalar.full_like(0.0));
            let parts = [one(number), one(iteration), one(scalar.full_like(0.0))];
            Ok(outer.xor(&Tensor::concat(&[&parts[0], &parts[1], &parts[2]], 0)))
        }
    })?;
    context::innermost(|level| {
        if let Level::Region(region) = level {
            region.key = Some(key.clone());
        }
    });
    Ok(key)
}

/// Stream numbers of one program.
#[derive(Default)]
pub(crate) struct Streams {
    /// Hashes of the module paths that drew, with how often.
    paths: Vec<(u32, u32)>,
    taken: Vec<u32>,
}

impl Streams {
    /// The number of the next draw of a module. Numbers already taken in this program are passed over.
    pub fn next(&mut self, path: Option<&str>) -> u32 {
        let hash = hash_path(path);
        let at = self.paths.iter().position(|(known, _)| *known == hash).unwrap_or_else(|| {
            self.paths.push((hash, 0));
            self.paths.len() - 1
        });
        let ordinal = &mut self.paths[at].1;
        let mut number = stream_number(hash, *ordinal);
        *ordinal += 1;
        while self.taken.contains(&number) {
            number = number.wrapping_add(1);
        }
        self.taken.push(number);
        number
    }

    pub fn clear(&mut self) {
        self.paths.clear();
        self.taken.clear();
    }
}

/// FNV-1a of a module path.
fn hash_path(path: Option<&str>) -> u32 {
    path.unwrap_or("").bytes().fold(0x811c_9dc5, |h, byte| (h ^ byte as u32).wrapping_mul(0x0100_0193))
}

/// Mixes a path's hash with an ordinal (the finaliser of MurmurHash3, Appleby); never 0, which would leave a key as it is.
fn stream_number(path: u32, ordinal: u32) -> u32 {
    let mut h = path ^ ordinal.wrapping_mul(0x9e37_79b9);
    h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    (h ^ h >> 16).max(1)
}

#[cfg(test)]
mod tests {
    use super::Streams;

    #[test]
    fn streams_depend_on_path_and_order_and_differ() {
        let draw = |paths: &[Option<&str>]| {
            let mut streams = Streams::default();
            paths.iter().map(|path| streams.next(*path)).collect::<Vec<_>>()
        };
        let first = draw(&[None, None, Some("a"), Some("b"), Some("a")]);
        assert_eq!(first, draw(&[None, None, Some("a"), Some("b"), Some("a")]));
        for (i, stream) in first.iter().enumerate() {
            assert!(!first[..i].contains(stream));
        }
        assert_eq!(first[2], draw(&[Some("a")])[0], "another module's draws do not move this one's");
    }
}
