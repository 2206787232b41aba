//! Index arithmetic: from a kernel's axes through views to the elements of a stored value.

use smallvec::SmallVec;
use std::cmp::Ordering;
use warploom_device::{Bound, IndexMap};
use warploom_graph::{Dims, Op, shape::row_major};

/// `offset + sum(coefficient * axis)` over a kernel's axes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Affine {
    pub offset: i64,
    /// Kernel axis and coefficient, by ascending axis, no zeros.
    pub terms: SmallVec<[(usize, i64); 2]>,
}

impl Affine {
    pub fn constant(offset: i64) -> Affine {
        Affine { offset, terms: SmallVec::new() }
    }

    pub fn axis(axis: usize, extent: usize) -> Affine {
        if extent == 1 {
            Affine::default()
        } else {
            Affine { offset: 0, terms: SmallVec::from_elem((axis, 1), 1) }
        }
    }

    fn scale(&self, by: i64) -> Affine {
        if by == 0 {
            return Affine::default();
        }
        Affine { offset: self.offset * by, terms: self.terms.iter().map(|(a, c)| (*a, c * by)).collect() }
    }

    fn plus(&self, other: &Affine) -> Affine {
        let mut sum = self.clone();
        sum.offset += other.offset;
        for (axis, c) in &other.terms {
            match sum.terms.iter_mut().find(|t| t.0 == *axis) {
                Some(term) => term.1 += c,
                None => sum.terms.push((*axis, *c)),
            }
        }
        sum.terms.retain(|t| t.1 != 0);
        sum.terms.sort_unstable();
        sum
    }
}

/// The index along one axis of a value, or why it has none. An obstacle counts only where the index is needed: an axis
/// that is stretched does not care.
type Digit = Result<Affine, Obstacle>;

/// Where a kernel's point lies in a value: one index for each of the value's axes, and where it exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Position {
    pub index: SmallVec<[Digit; 4]>,
    pub bounds: SmallVec<[Bound; 1]>,
}

/// Why a position cannot be followed through a view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Obstacle {
    /// Kernel axis `axis` must first be split into an outer part and an inner part of extent `inner`.
    Split { axis: usize, inner: usize },
    /// No splitting helps: the view's result must be stored.
    Store,
}

impl Position {
    /// The position of a kernel over `extents` in a value of that very shape.
    pub fn identity(extents: &[usize]) -> Position {
        let index = extents.iter().enumerate().map(|(a, e)| Ok(Affine::axis(a, *e))).collect();
        Position { index, bounds: SmallVec::new() }
    }

    /// Goes back through a view: from the position in its result to the position in its operand of shape `from`. The
    /// kernel's axes have the given extents.
    pub fn through(
        &self,
        view: &Op,
        from: &[usize],
        to: &[usize],
        extents: &[usize],
    ) -> Result<Position, Obstacle> {
        let mut bounds = self.bounds.clone();
        let shifted = |a: usize, scale: i64, by: i64| -> Digit {
            self.index[a].clone().map(|i| i.scale(scale).plus(&Affine::constant(by)))
        };
        let index = match view {
            Op::Permute(axes) => {
                let mut index: SmallVec<[Digit; 4]> = SmallVec::from_elem(Ok(Affine::default()), from.len());
                axes.iter().enumerate().for_each(|(i, a)| index[*a] = self.index[i].clone());
                index
            }
            Op::Expand(_) => {
                let stretched = |a: usize| from[a] == 1 && to[a] != 1;
                let at = |a: usize| if stretched(a) { Ok(Affine::default()) } else { self.index[a].clone() };
                (0..from.len()).map(at).collect()
            }
            Op::Slice { starts, steps, .. } => {
                (0..from.len()).map(|a| shifted(a, steps[a] as i64, starts[a] as i64)).collect()
            }
            Op::Pad { low, high } => {
                for axis in (0..from.len()).filter(|a| low[*a] + high[*a] > 0) {
                    bounds.extend(within(&shifted(axis, 1, -(low[axis] as i64))?, from[axis], extents)?);
                }
                (0..from.len()).map(|a| shifted(a, 1, -(low[a] as i64))).collect()
            }
            Op::Unfold { axis, step, dilation, .. } => {
                let window = |a: usize| -> Digit {
                    let within = self.index[a + 1].clone()?.scale(*dilation as i64);
                    Ok(self.index[a].clone()?.scale(*step as i64).plus(&within))
                };
                let at = |a: usize| match a.cmp(axis) {
                    Ordering::Less => self.index[a].clone(),
                    Ordering::Equal => window(a),
                    Ordering::Greater => self.index[a + 1].clone(),
                };
                (0..from.len()).map(at).collect()
            }
            Op::Reshape(_) => self.reshaped(from, to, extents),
            _ => return Err(Obstacle::Store),
        };
        Ok(Position { index, bounds })
    }

    /// Matches blocks of axes with equal products; within a block, goes over the flat position.
    fn reshaped(&self, from: &[usize], to: &[usize], extents: &[usize]) -> SmallVec<[Digit; 4]> {
        let mut index: SmallVec<[Digit; 4]> = SmallVec::from_elem(Ok(Affine::default()), from.len());
        if from.contains(&0) {
            return index;
        }
        let (mut f, mut t) = (0, 0);
        while f < from.len() || t < to.len() {
            let (first_f, first_t) = (f, t);
            let (mut have_f, mut have_t) = (1, 1);
            let mut take_f = f < from.len();
            let mut take_t = t < to.len();
            while take_f || take_t {
                if take_f {
                    have_f *= from[f];
                    f += 1;
                }
                if take_t {
                    have_t *= to[t];
                    t += 1;
                }
                take_f = have_f < have_t && f < from.len();
                take_t = have_t < have_f && t < to.len();
            }
            if from[first_f..f] == to[first_t..t] {
                index[first_f..f].clone_from_slice(&self.index[first_t..t]);
                continue;
            }
            let strides = row_major(&to[first_t..t]);
            let flat = (first_t..t).try_fold(Affine::default(), |sum, axis| {
                Ok(sum.plus(&self.index[axis].clone()?.scale(strides[axis - first_t] as i64)))
            });
            let digits = flat.and_then(|flat| split_digits(&flat, &from[first_f..f], extents));
            match digits {
                Ok(digits) => index[first_f..f].iter_mut().zip(digits).for_each(|(i, d)| *i = Ok(d)),
                Err(obstacle) => index[first_f..f].fill(Err(obstacle)),
            }
        }
        index
    }

    /// The map to elements of a dense row-major buffer of `shape`, for a kernel of `rank` axes.
    pub fn map(&self, shape: &[usize], rank: usize) -> Result<IndexMap, Obstacle> {
        let strides = row_major(shape);
        let mut map =
            IndexMap { offset: 0, strides: SmallVec::from_elem(0, rank), bounds: self.bounds.clone() };
        for (digit, stride) in self.index.iter().zip(&strides) {
            let affine = digit.as_ref().map_err(|o| *o)?;
            map.offset += affine.offset * *stride as i64;
            for (axis, c) in &affine.terms {
                map.strides[*axis] += c * *stride as i64;
            }
        }
        Ok(map)
    }
}

/// The positions along one kernel axis at which `index` lies in `0..extent`; `None` where it always does.
fn within(index: &Affine, extent: usize, extents: &[usize]) -> Result<Option<Bound>, Obstacle> {
    let extent = extent as i64;
    match index.terms[..] {
        [] if (0..extent).contains(&index.offset) => Ok(None),
        [] => Ok(Some(Bound { axis: 0, start: 0, end: 0 })),
        [(axis, c)] => {
            // 0 <= offset + c * k < extent
            let (low, high) = if c > 0 {
                ((-index.offset).div_euclid(c) + ((-index.offset).rem_euclid(c) != 0) as i64, {
                    let room = extent - 1 - index.offset;
                    room.div_euclid(c)
                })
            } else {
                let c = -c;
                let room = index.offset - (extent - 1);
                (room.div_euclid(c) + (room.rem_euclid(c) != 0) as i64, index.offset.div_euclid(c))
            };
            let limit = extents[axis] as i64;
            let start = low.clamp(0, limit);
            let end = (high + 1).clamp(start, limit);
            Ok(Some(Bound { axis, start: start as usize, end: end as usize }))
        }
        _ => Err(Obstacle::Store),
    }
}

/// Writes `flat` as digits of the mixed radix `shape`, which is possible where no term carries from one digit into another.
fn split_digits(
    flat: &Affine,
    shape: &[usize],
    extents: &[usize],
) -> Result<SmallVec<[Affine; 4]>, Obstacle> {
    let strides: Dims = row_major(shape).iter().map(|s| *s as usize).collect();
    let mut digits: SmallVec<[Affine; 4]> = SmallVec::from_elem(Affine::default(), shape.len());
    let (mut rest, mut high) = (flat.offset, Dims::from_elem(0, shape.len()));
    if rest < 0 {
        return Err(Obstacle::Store);
    }
    for d in 0..shape.len() {
        let stride = strides[d] as i64;
        let digit = if d == 0 { rest / stride } else { (rest / stride) % shape[d] as i64 };
        digits[d] = Affine::constant(digit);
        high[d] = digit as usize;
        rest -= digit * stride;
    }
    for (axis, c) in &flat.terms {
        if *c < 0 {
            return Err(Obstacle::Store);
        }
        let c = *c as usize;
        // The outermost digit whose stride divides the coefficient, among axes that are not trivially 1.
        let digit =
            (0..shape.len()).find(|d| shape[*d] != 1 && c >= strides[*d] && c.is_multiple_of(strides[*d]));
        let Some(digit) = digit else { return Err(Obstacle::Store) };
        let by = c / strides[digit];
        let top = by * (extents[*axis] - 1);
        if digit > 0 && top >= shape[digit] {
            // The axis runs over into the next digit: split it where the digit is full.
            let inner = shape[digit] / by.max(1);
            let fits = inner > 1
                && inner * by == shape[digit]
                && extents[*axis].is_multiple_of(inner)
                && inner < extents[*axis];
            return Err(if fits { Obstacle::Split { axis: *axis, inner } } else { Obstacle::Store });
        }
        high[digit] += top;
        digits[digit] =
            digits[digit].plus(&Affine { offset: 0, terms: SmallVec::from_elem((*axis, by as i64), 1) });
    }
    if (0..shape.len()).any(|d| high[d] >= shape[d]) { Err(Obstacle::Store) } else { Ok(digits) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warploom_graph::shape::each_index;

    /// Follows `view` and checks each point against the definition of a reshape.
    fn check_reshape(extents: &[usize], to: &[usize], from: &[usize]) -> Result<(), Obstacle> {
        let start = Position::identity(extents);
        let start = start.through(&Op::Reshape(Dims::new()), to, extents, extents)?;
        let position = start.through(&Op::Reshape(Dims::new()), from, to, extents)?;
        let map = position.map(from, extents.len())?;
        let mut flat = 0;
        each_index(extents, |index| {
            let at: i64 =
                map.offset + index.iter().zip(&map.strides).map(|(i, s)| *i as i64 * s).sum::<i64>();
            assert_eq!(at, flat, "{extents:?} {to:?} {from:?}");
            flat += 1;
        });
        Ok(())
    }

    #[test]
    fn reshapes_are_followed_or_ask_for_a_split() {
        assert_eq!(check_reshape(&[6, 4], &[24], &[6, 4]), Ok(()));
        assert_eq!(check_reshape(&[2, 3, 4], &[6, 4], &[24]), Ok(()));
        assert_eq!(check_reshape(&[2, 3, 4], &[24, 1], &[1, 6, 1, 4]), Ok(()));
        assert_eq!(check_reshape(&[24], &[24], &[6, 4]), Err(Obstacle::Split { axis: 0, inner: 4 }));
        assert_eq!(check_reshape(&[6, 4], &[24], &[8, 3]), Err(Obstacle::Store));
        assert_eq!(check_reshape(&[1, 5], &[5], &[5, 1, 1]), Ok(()));
        assert_eq!(check_reshape(&[], &[1, 1], &[1]), Ok(()));
    }

    #[test]
    fn padding_bounds_one_axis() {
        let position = Position::identity(&[7]);
        let pad = Op::Pad { low: Dims::from_slice(&[2]), high: Dims::from_slice(&[1]) };
        let inside = position.through(&pad, &[4], &[7], &[7]).map(|p| p.bounds[0]);
        assert_eq!(inside, Ok(Bound { axis: 0, start: 2, end: 6 }));
        let flip = Op::Slice {
            starts: Dims::from_slice(&[6]),
            sizes: Dims::from_slice(&[7]),
            steps: SmallVec::from_slice(&[-1]),
        };
        let flipped =
            position.through(&flip, &[7], &[7], &[7]).and_then(|p| p.through(&pad, &[4], &[7], &[7]));
        assert_eq!(flipped.map(|p| p.bounds[0]), Ok(Bound { axis: 0, start: 1, end: 5 }));
    }
}
