//! The kernels of one instruction set and element type as a table of functions.

use super::matvec::{MatvecCall, along_rows, along_terms, any_strides};
use super::pack::{PackCall, pack};
use super::simd::{Lanes, Simd};
use super::tile::{TileCall, tile};
use crate::isa::{Isa, table};

/// Vectors side by side in the widest tile.
pub(super) const VECTORS: usize = 2;
/// Rows that one call of `along_terms` can take, besides a whole vector of them.
pub(super) const FEW_ROWS: usize = 4;
/// Rows that one call of `along_rows` can take: a multiple of every vector length.
pub(super) const VECTOR_CHUNK: usize = 64;

/// A kernel is safe to call where the operands of its call are valid and the machine has its instruction set.
pub(super) type Kernel<C> = unsafe fn(&C);

/// Everything the driver needs to know of an instruction set.
pub struct Kernels<T: 'static> {
    /// Elements in a vector.
    pub(super) lanes: usize,
    /// Tile kernels for A of any strides, `tiles[rows - 1][vectors - 1]`.
    pub(super) tiles: &'static [[Kernel<TileCall<T>>; VECTORS]],
    /// Tile kernels for a packed panel of A.
    pub(super) packed_tiles: &'static [[Kernel<TileCall<T>>; VECTORS]],
    /// The same for full strips, packing rows of the next strip of B in passing: `copying_tiles[rows - 1]`.
    pub(super) copying_tiles: &'static [Kernel<TileCall<T>>],
    pub(super) pack: Kernel<PackCall<T>>,
    pub(super) along_one_row: Kernel<MatvecCall<T>>,
    pub(super) along_few_rows: Kernel<MatvecCall<T>>,
    pub(super) along_lanes_rows: Kernel<MatvecCall<T>>,
    pub(super) along_rows: Kernel<MatvecCall<T>>,
    pub(super) any_strides: Kernel<MatvecCall<T>>,
}

/// An element type of products: `f32` or `f64`.
pub trait Element:
    sealed::Sealed + Copy + Default + Send + Sync + std::ops::Add<Output = Self> + 'static
{
    /// The kernels for an instruction set.
    #[doc(hidden)]
    fn kernels(isa: Isa) -> &'static Kernels<Self>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

// A tile of 8 rows keeps both units for products busy, with two vectors side by side; more rows load less. They are compiled
// for f32 alone, in which networks compute.

/// Entry points that enable the instruction set, and their table.
macro_rules! kernels {
    ($module:ident, $($feature:literal)?, $($table:ident: $vector:ty, $lanes:literal, $rows:tt;)*) => {
        mod $module {
            use super::*;

            // Safety of each: the machine has the features, and the kernel's own conditions hold.
            $(#[target_feature(enable = $feature)])?
            unsafe fn enter_tile<S: Simd, const R: usize, const C: usize, const PACKED: bool, const COPY: bool>(
                call: &TileCall<S::Scalar>,
            ) {
                // SAFETY: the features are enabled here; the rest is the caller's promise.
                unsafe { tile::<S, R, C, PACKED, COPY>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn enter_pack<S: Simd, const L: usize>(call: &PackCall<S::Scalar>) {
                // SAFETY: as above.
                unsafe { pack::<S, L>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn enter_along_terms<S: Simd, const L: usize, const R: usize>(call: &MatvecCall<S::Scalar>) {
                // SAFETY: as above.
                unsafe { along_terms::<S, L, R>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn enter_along_rows<S: Simd, const L: usize, const V: usize>(call: &MatvecCall<S::Scalar>) {
                // SAFETY: as above.
                unsafe { along_rows::<S, L, V>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn enter_any_strides<S: Simd, const L: usize>(call: &MatvecCall<S::Scalar>) {
                // SAFETY: as above.
                unsafe { any_strides::<S, L>(call) }
            }

            $(pub(super) static $table: Kernels<<$vector as Simd>::Scalar> = Kernels {
                lanes: $lanes,
                tiles: kernels!(@tiles $vector, false, $rows),
                packed_tiles: kernels!(@tiles $vector, true, $rows),
                copying_tiles: kernels!(@copying_tiles $vector, $rows),
                pack: enter_pack::<$vector, $lanes>,
                along_one_row: enter_along_terms::<$vector, $lanes, 1>,
                along_few_rows: enter_along_terms::<$vector, $lanes, FEW_ROWS>,
                along_lanes_rows: enter_along_terms::<$vector, $lanes, $lanes>,
                along_rows: enter_along_rows::<$vector, $lanes, { VECTOR_CHUNK / $lanes }>,
                any_strides: enter_any_strides::<$vector, $lanes>,
            };)*
        }
    };
    (@tiles $vector:ty, $packed:literal, [$($rows:literal)*]) => {
        &[$([enter_tile::<$vector, $rows, 1, $packed, false>, enter_tile::<$vector, $rows, 2, $packed, false>]),*]
    };
    (@copying_tiles $vector:ty, [$($rows:literal)*]) => {
        &[$(enter_tile::<$vector, $rows, VECTORS, true, true>),*]
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(
    avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma",
    F32: std::arch::x86_64::__m512, 16, [1 2 3 4 5 6 7 8 9 10 11 12 13 14];
    F64: std::arch::x86_64::__m512d, 8, [1 2 3 4 5 6 7 8];
);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx2, "avx2,fma",
    F32: std::arch::x86_64::__m256, 8, [1 2 3 4 5 6];
    F64: std::arch::x86_64::__m256d, 4, [1 2 3 4 5 6];
);
kernels!(
    portable, ,
    F32: Lanes<f32>, 4, [1 2 3 4];
    F64: Lanes<f64>, 4, [1 2 3 4];
);

impl Element for f32 {
    fn kernels(isa: Isa) -> &'static Kernels<f32> {
        table!(isa, F32)
    }
}

impl Element for f64 {
    fn kernels(isa: Isa) -> &'static Kernels<f64> {
        table!(isa, F64)
    }
}
