//! The kernels of one instruction set and element type as a table of functions.

use super::copy::{CopyCall, copy};
use super::gather::{GatherCall, gather};
use super::tile::{TileCall, tile};
use crate::gemm;
use crate::gemm::pack::{PackCall, pack};
use crate::gemm::simd::{Lanes, Simd};
use crate::isa::{Isa, table};

/// A kernel is safe to call where the operands of its call are valid and the machine has its instruction set.
pub(super) type Kernel<C> = unsafe fn(&C);

/// Everything the drivers need to know of an instruction set.
pub struct Kernels<T: 'static> {
    /// Elements in a vector.
    pub(super) lanes: usize,
    /// Tile kernels, `tiles[rows - 1][vectors - 1]`.
    pub(super) tiles: &'static [&'static [Kernel<TileCall<T>>]],
    pub(super) copy: unsafe fn(&CopyCall<'_, T>),
    pub(super) gather: unsafe fn(&GatherCall<'_, T>),
    pub(super) pack: Kernel<PackCall<T>>,
}

impl<T> Kernels<T> {
    /// Most rows of a tile.
    pub(super) fn rows(&self) -> usize {
        self.tiles.len()
    }

    /// Most columns of a tile.
    pub(super) fn columns(&self) -> usize {
        self.tiles[0].len() * self.lanes
    }
}

/// An element type of convolutions: `f32` or `f64`.
pub trait Element: gemm::Element {
    /// The kernels for an instruction set.
    #[doc(hidden)]
    fn convolution_kernels(isa: Isa) -> &'static Kernels<Self>;
}

/// Entry points that enable the instruction set, and their table.
macro_rules! kernels {
    ($module:ident, $($feature:literal)?, $rows:tt, $vectors:tt, $($table:ident: $vector:ty, $lanes:literal;)*) => {
        mod $module {
            use super::*;

            // Safety of each: the machine has the features, and the kernel's own conditions hold.
            $(#[target_feature(enable = $feature)])?
            unsafe fn enter_tile<S: Simd, const R: usize, const V: usize>(call: &TileCall<S::Scalar>) {
                // SAFETY: the features are enabled here; the rest is the caller's promise.
                unsafe { tile::<S, R, V>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn enter_copy<S: Simd>(call: &CopyCall<'_, S::Scalar>) {
                // SAFETY: as above.
                unsafe { copy::<S>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn enter_gather<S: Simd>(call: &GatherCall<'_, S::Scalar>) {
                // SAFETY: as above.
                unsafe { gather::<S>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn enter_pack<S: Simd, const L: usize>(call: &PackCall<S::Scalar>) {
                // SAFETY: as above.
                unsafe { pack::<S, L>(call) }
            }

            $(pub(super) static $table: Kernels<<$vector as Simd>::Scalar> = Kernels {
                lanes: $lanes,
                tiles: kernels!(@tiles $vector, $rows, $vectors),
                copy: enter_copy::<$vector>,
                gather: enter_gather::<$vector>,
                pack: enter_pack::<$vector, $lanes>,
            };)*
        }
    };
    (@tiles $vector:ty, [$($rows:literal)*], $vectors:tt) => { &[$(kernels!(@row $vector, $rows, $vectors)),*] };
    (@row $vector:ty, $rows:literal, [$($vectors:literal)*]) => { &[$(enter_tile::<$vector, $rows, $vectors>),*] };
}

#[cfg(target_arch = "x86_64")]
kernels!(
    avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", [1 2 3 4 5 6 7], [1 2 3 4],
    F32: std::arch::x86_64::__m512, 16;
    F64: std::arch::x86_64::__m512d, 8;
);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx2, "avx2,fma", [1 2 3 4], [1 2 3],
    F32: std::arch::x86_64::__m256, 8;
    F64: std::arch::x86_64::__m256d, 4;
);
kernels!(
    portable, , [1 2 3 4], [1 2],
    F32: Lanes<f32>, 4;
    F64: Lanes<f64>, 4;
);

impl Element for f32 {
    fn convolution_kernels(isa: Isa) -> &'static Kernels<f32> {
        table!(isa, F32)
    }
}

impl Element for f64 {
    fn convolution_kernels(isa: Isa) -> &'static Kernels<f64> {
        table!(isa, F64)
    }
}
