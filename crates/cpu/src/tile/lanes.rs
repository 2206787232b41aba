//! Loops over lanes, compiled once for each instruction set.

use std::mem::MaybeUninit;

use super::combine::{self, Combine};
use super::function::Function;
use warploom_cpu_kernels::math::TRIG_BOUND_F32;

/// Applies a function to `count` lanes: destination, operands, count. An operand that is the same for all lanes is read
/// once. The destination overlaps no operand.
pub(super) type Lanes = unsafe fn(*mut u8, *const u8, *const u8, *const u8, usize);
/// Combines `count` lanes into one by the fixed tree of a block: destination, lanes, count.
pub(super) type Block = unsafe fn(*mut u8, *const u8, usize);
/// Combines lanes into accumulators, lane by lane: accumulators, lanes, count.
pub(super) type Accumulate = unsafe fn(*mut u8, *const u8, usize);

/// Lanes computed together: a multiple of every vector length, so that no loop has a scalar rest.
const GROUP: usize = 16;

/// An instruction set for which the loops are compiled.
pub(super) trait Family {
    /// Whether operands that vary and operands that are the same for all lanes have loops together. Those loops take time
    /// to compile; where they are missing, the same value is repeated in lanes first.
    const MIXES: bool;
    /// The loop over a function whose operands vary (true) or are the same for all lanes.
    fn lanes<F: Function, const A: bool, const B: bool, const C: bool>() -> Lanes;
    /// One lane; the count is not looked at.
    fn one<F: Function>() -> Lanes;
    /// The loop over `Fast` where all operands are at most [`TRIG_BOUND_F32`] in magnitude, else over `F`.
    fn bounded<F: Function<A = f32, R = f32>, Fast: Function<A = f32, R = f32>>() -> Lanes;
    /// The block tree.
    fn block<C: Combine>() -> Block;
    /// The lane-by-lane combination.
    fn accumulate<C: Combine>() -> Accumulate;
}

macro_rules! family {
    ($Family:ident, $mixes:expr $(, $feature:literal)?) => {
        pub(super) struct $Family;

        impl Family for $Family {
            const MIXES: bool = $mixes;

            fn lanes<F: Function, const A: bool, const B: bool, const C: bool>() -> Lanes {
                // Safety: the machine has the features, and `sweep`'s conditions hold.
                $(#[target_feature(enable = $feature)])?
                unsafe fn enter<F: Function, const A: bool, const B: bool, const C: bool>(
                    to: *mut u8, a: *const u8, b: *const u8, c: *const u8, count: usize,
                ) {
                    // SAFETY: the caller's promise.
                    unsafe { sweep::<F, A, B, C>(to.cast(), a.cast(), b.cast(), c.cast(), count) }
                }
                enter::<F, A, B, C>
            }

            fn one<F: Function>() -> Lanes {
                // Safety: as above.
                $(#[target_feature(enable = $feature)])?
                unsafe fn enter<F: Function>(
                    to: *mut u8, a: *const u8, b: *const u8, c: *const u8, _: usize,
                ) {
                    // SAFETY: the pointers are to one lane each.
                    unsafe { *to.cast::<F::R>() = F::apply(*a.cast::<F::A>(), *b.cast::<F::B>(), *c.cast::<F::C>()) }
                }
                enter::<F>
            }

            fn bounded<F: Function<A = f32, R = f32>, Fast: Function<A = f32, R = f32>>() -> Lanes {
                // Safety: as above.
                $(#[target_feature(enable = $feature)])?
                unsafe fn enter<F: Function<A = f32, R = f32>, Fast: Function<A = f32, R = f32>>(
                    to: *mut u8, a: *const u8, _: *const u8, _: *const u8, count: usize,
                ) {
                    // SAFETY: the caller's promise; the second and third operands are not looked at.
                    unsafe {
                        if is_bounded(std::slice::from_raw_parts(a.cast(), count)) {
                            sweep::<Fast, true, false, false>(to.cast(), a.cast(), a.cast(), a.cast(), count)
                        } else {
                            sweep::<F, true, false, false>(to.cast(), a.cast(), a.cast(), a.cast(), count)
                        }
                    }
                }
                enter::<F, Fast>
            }

            fn block<C: Combine>() -> Block {
                // Safety: as above.
                $(#[target_feature(enable = $feature)])?
                unsafe fn enter<C: Combine>(to: *mut u8, lanes: *const u8, count: usize) {
                    // SAFETY: the caller's promise.
                    unsafe { *to.cast() = combine::block::<C>(std::slice::from_raw_parts(lanes.cast(), count)) }
                }
                enter::<C>
            }

            fn accumulate<C: Combine>() -> Accumulate {
                // Safety: as above.
                $(#[target_feature(enable = $feature)])?
                unsafe fn enter<C: Combine>(to: *mut u8, lanes: *const u8, count: usize) {
                    // SAFETY: the caller's promise; accumulators and lanes do not overlap.
                    let (to, lanes) = unsafe {
                        (std::slice::from_raw_parts_mut(to.cast::<C::Lane>(), count),
                         std::slice::from_raw_parts(lanes.cast::<C::Lane>(), count))
                    };
                    for i in 0..count {
                        to[i] = C::combine(to[i], lanes[i]);
                    }
                }
                enter::<C>
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
family!(Avx512, true, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c");
#[cfg(target_arch = "x86_64")]
family!(Avx2, true, "avx2,fma");
// What only x86 processors from before 2013 run there, and all others elsewhere.
family!(Portable, !cfg!(target_arch = "x86_64"));

#[inline(always)]
fn is_bounded(lanes: &[f32]) -> bool {
    lanes.iter().fold(true, |all, x| all & (x.abs() <= TRIG_BOUND_F32))
}

/// One group of lanes of each operand, for counts below a group.
struct Padded<F: Function> {
    to: [F::R; GROUP],
    a: [F::A; GROUP],
    b: [F::B; GROUP],
    c: [F::C; GROUP],
}

/// Applies `F` to `count` lanes, in whole groups: the last group overlaps the one before, and fewer lanes than a group
/// are padded with zeros.
///
/// # Safety
/// `to` has room for `count` lanes and overlaps no operand; operands that vary have `count` lanes, the others one.
#[inline(always)]
unsafe fn sweep<F: Function, const A: bool, const B: bool, const C: bool>(
    mut to: *mut F::R,
    mut a: *const F::A,
    mut b: *const F::B,
    mut c: *const F::C,
    count: usize,
) {
    let mut padded = MaybeUninit::<Padded<F>>::uninit();
    let result = to;
    let mut lanes = count - count % GROUP;
    let is_short = lanes == 0;
    if is_short {
        if count == 0 {
            return;
        }
        // SAFETY: the copies stay within `count` lanes of the operands and one group.
        unsafe {
            let padded = padded.write(Padded {
                to: [F::R::default(); GROUP],
                a: pad::<_, A>(a, count),
                b: pad::<_, B>(b, count),
                c: pad::<_, C>(c, count),
            });
            (to, a, b, c) = (padded.to.as_mut_ptr(), padded.a.as_ptr(), padded.b.as_ptr(), padded.c.as_ptr());
        }
        lanes = GROUP;
    }
    let mut done = 0;
    loop {
        // SAFETY: lanes `done..done + lanes` exist.
        unsafe {
            let a = a.add(if A { done } else { 0 });
            let b = b.add(if B { done } else { 0 });
            let c = c.add(if C { done } else { 0 });
            whole_groups::<F, A, B, C>(to.add(done), a, b, c, lanes);
        }
        if is_short {
            // SAFETY: `result` has room for `count` lanes, fewer than a group.
            unsafe {
                for i in 0..count {
                    *result.add(i) = *to.add(i);
                }
            }
            return;
        }
        if done + lanes == count {
            return;
        }
        (done, lanes) = (count - GROUP, GROUP);
    }
}

#[inline(always)]
unsafe fn pad<T: Copy + Default, const VARIES: bool>(from: *const T, count: usize) -> [T; GROUP] {
    let mut group = [T::default(); GROUP];
    for i in 0..if VARIES { count } else { 1 } {
        // SAFETY: the caller's promise.
        group[i] = unsafe { *from.add(i) };
    }
    group
}

#[inline(always)]
unsafe fn whole_groups<F: Function, const A: bool, const B: bool, const C: bool>(
    to: *mut F::R,
    a: *const F::A,
    b: *const F::B,
    c: *const F::C,
    lanes: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (one_a, one_b, one_c) = (*a, *b, *c);
        // The mask tells the compiler that there is no rest.
        for i in 0..lanes & !(GROUP - 1) {
            let a = if A { *a.add(i) } else { one_a };
            let b = if B { *b.add(i) } else { one_b };
            let c = if C { *c.add(i) } else { one_c };
            *to.add(i) = F::apply(a, b, c);
        }
    }
}
