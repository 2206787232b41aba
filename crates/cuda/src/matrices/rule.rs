//! Which products cuBLASLt computes, and which the kernels.

use warploom_gpu::MatrixProduct;
use warploom_graph::DType;

use crate::vendor::Asked;

/// `always` gives cuBLASLt every product that it takes and `never` none, to measure one against the other.
pub const VARIABLE: &str = "WARPLOOM_CUBLASLT";

/// The least product of a kind that is worth the library's launch.
struct Least {
    /// Whether elements are multiplied as f32.
    is_wide: bool,
    is_whole: bool,
    /// Of rows and of columns: the library's tiles are at least so large, and what is empty in them is computed too.
    side: usize,
    terms: usize,
    /// Multiplications of all products: below, a launch takes longer than the product, whoever computes it.
    work: usize,
}

/// By arithmetic for an H100 (50 TFLOP/s in f32, 700 in 16 bits, 3 TB/s), not measured. A product that is not whole writes
/// and reads 4 bytes of each result once more, which takes as long as 30 terms of a kernel in f32 at half that rate.
const RULE: [Least; 4] = [
    Least { is_wide: true, is_whole: true, side: 32, terms: 32, work: 1 << 22 },
    Least { is_wide: true, is_whole: false, side: 64, terms: 128, work: 1 << 24 },
    // TF32 and 16 bits, which the library gives to tensor cores: ten times the rate of f32.
    Least { is_wide: false, is_whole: true, side: 16, terms: 16, work: 1 << 20 },
    Least { is_wide: false, is_whole: false, side: 32, terms: 64, work: 1 << 22 },
];

/// Whether the library should compute a product; `is_whole`: nothing is left to do after it.
pub(crate) fn is_worth_it(asked: Asked, product: &MatrixProduct, is_whole: bool) -> bool {
    let MatrixProduct { batch, rows, columns, terms, tf32, ref left, .. } = *product;
    let is_wide = left.dtype == DType::F32 && !tf32;
    let fits = |least: &Least| {
        rows.min(columns) >= least.side
            && terms >= least.terms
            && batch.saturating_mul(rows).saturating_mul(columns).saturating_mul(terms) >= least.work
    };
    match asked {
        Asked::Never => false,
        Asked::Always => true,
        Asked::ByRule => {
            RULE.iter().filter(|least| least.is_wide == is_wide && least.is_whole == is_whole).any(fits)
        }
    }
}
