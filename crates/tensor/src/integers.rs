//! Lists of axes and extents as people write them: `2`, `-1`, `[0, 2]`, `&dims`.

use smallvec::SmallVec;
use warploom_graph::Dims;
use warploom_graph::shape::show;

/// A whole number or a list of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of axes or extents",
    note = "write a number, an array such as [0, -1], or a slice"
)]
pub trait Integers {
    /// The numbers.
    fn integers(&self) -> SmallVec<[isize; 4]>;
}

macro_rules! integers {
    ($($T:ty),*) => {$(
        impl Integers for $T {
            fn integers(&self) -> SmallVec<[isize; 4]> { SmallVec::from_iter([*self as isize]) }
        }
        impl<const N: usize> Integers for [$T; N] {
            fn integers(&self) -> SmallVec<[isize; 4]> { self.iter().map(|i| *i as isize).collect() }
        }
        impl Integers for [$T] {
            fn integers(&self) -> SmallVec<[isize; 4]> { self.iter().map(|i| *i as isize).collect() }
        }
        impl Integers for Vec<$T> {
            fn integers(&self) -> SmallVec<[isize; 4]> { self.iter().map(|i| *i as isize).collect() }
        }
    )*};
}
integers!(i32, isize, usize, i64);

impl Integers for Dims {
    fn integers(&self) -> SmallVec<[isize; 4]> {
        self.iter().map(|i| *i as isize).collect()
    }
}

impl<I: Integers + ?Sized> Integers for &I {
    fn integers(&self) -> SmallVec<[isize; 4]> {
        (**self).integers()
    }
}

/// An axis counted from the end if negative.
pub(crate) fn axis(axis: isize, rank: usize) -> Result<usize, String> {
    let from_start = if axis < 0 { axis + rank as isize } else { axis };
    usize::try_from(from_start)
        .ok()
        .filter(|a| *a < rank)
        .ok_or_else(|| format!("axis {axis} of a tensor of rank {rank}; axes are {}", valid(rank)))
}

fn valid(rank: usize) -> String {
    if rank == 0 { "none: it is a scalar".into() } else { format!("-{rank}..={}", rank - 1) }
}

/// Axes in ascending order, each once.
pub(crate) fn axes(list: &impl Integers, rank: usize) -> Result<Dims, String> {
    let mut axes: Dims = list.integers().iter().map(|a| axis(*a, rank)).collect::<Result<_, _>>()?;
    axes.sort_unstable();
    match axes.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("axis {} is named twice", pair[0])),
        None => Ok(axes),
    }
}

/// Extents, of which one may be -1: it becomes what `elements` leave for it.
pub(crate) fn extents(list: &impl Integers, elements: usize) -> Result<Dims, String> {
    let list = list.integers();
    let mut inferred = None;
    let mut known = 1usize;
    let mut shape = Dims::new();
    for (i, extent) in list.iter().enumerate() {
        match usize::try_from(*extent) {
            Ok(extent) => {
                known = known.checked_mul(extent).ok_or("the shape overflows")?;
                shape.push(extent);
            }
            Err(_) if *extent == -1 && inferred.is_none() => {
                inferred = Some(i);
                shape.push(1);
            }
            Err(_) => return Err(format!("extent {extent} at position {i}; one may be -1, to be inferred")),
        }
    }
    if let Some(i) = inferred {
        if known == 0 || !elements.is_multiple_of(known) {
            shape.remove(i);
            return Err(format!(
                "{elements} elements do not divide into {} to infer an extent",
                show(&shape)
            ));
        }
        shape[i] = elements / known;
    }
    Ok(shape)
}
