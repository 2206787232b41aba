//! How reductions combine. The tree depends on the number of elements alone: within blocks of [`BLOCK`] consecutive
//! elements, accumulator `i` takes the elements whose position is `i` modulo [`WIDTH`] in order; the accumulators are
//! combined in halves; block results are combined like the carries of a binary counter.

/// Elements of a block.
pub(super) const BLOCK: usize = 256;
/// Accumulators of a block.
pub(super) const WIDTH: usize = 16;

/// An associative combination, up to rounding.
pub(super) trait Combine {
    /// What is combined.
    type Lane: Copy;
    /// Where it starts.
    const IDENTITY: Self::Lane;
    /// Combines what came earlier with what came later.
    fn combine(earlier: Self::Lane, later: Self::Lane) -> Self::Lane;
}

macro_rules! combine {
    ($Name:ident, $Lane:ty, $identity:expr, $earlier:ident, $later:ident => $body:expr) => {
        pub(super) struct $Name;
        impl Combine for $Name {
            type Lane = $Lane;
            const IDENTITY: $Lane = $identity;
            #[inline(always)]
            fn combine($earlier: $Lane, $later: $Lane) -> $Lane {
                $body
            }
        }
    };
}
combine!(SumF32, f32, 0.0, a, b => a + b);
combine!(SumF64, f64, 0.0, a, b => a + b);
combine!(SumU32, u32, 0, a, b => a.wrapping_add(b));
combine!(MaxF32, f32, f32::NEG_INFINITY, a, b => if b > a || b.is_nan() { b } else { a });
combine!(MaxF64, f64, f64::NEG_INFINITY, a, b => if b > a || b.is_nan() { b } else { a });
combine!(MaxI32, i32, i32::MIN, a, b => if b > a { b } else { a });
combine!(MaxU32, u32, 0, a, b => if b > a { b } else { a });
combine!(MinF32, f32, f32::INFINITY, a, b => if b < a || b.is_nan() { b } else { a });
combine!(MinF64, f64, f64::INFINITY, a, b => if b < a || b.is_nan() { b } else { a });
combine!(MinI32, i32, i32::MAX, a, b => if b < a { b } else { a });
combine!(MinU32, u32, u32::MAX, a, b => if b < a { b } else { a });

/// Combines up to [`BLOCK`] lanes.
#[inline(always)]
pub(super) fn block<C: Combine>(lanes: &[C::Lane]) -> C::Lane {
    let mut accumulators = [C::IDENTITY; WIDTH];
    let mut rows = lanes.chunks_exact(WIDTH);
    for row in &mut rows {
        for i in 0..WIDTH {
            accumulators[i] = C::combine(accumulators[i], row[i]);
        }
    }
    for (accumulator, lane) in accumulators.iter_mut().zip(rows.remainder()) {
        *accumulator = C::combine(*accumulator, *lane);
    }
    let mut width = WIDTH / 2;
    while width > 0 {
        for i in 0..width {
            accumulators[i] = C::combine(accumulators[i], accumulators[i + width]);
        }
        width /= 2;
    }
    accumulators[0]
}
