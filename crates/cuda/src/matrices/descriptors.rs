//! Descriptors of cuBLASLt, destroyed when they are dropped. They are memory of the host.

use std::ffi::{c_int, c_uint, c_void};

use warploom_gpu::{Matrix, MatrixProduct};
use warploom_graph::DType;

use super::api::{self, Algorithm, Api, Descriptor, Handle, Proposal, Status};

/// Algorithms that are asked for: the first is taken unless it does not give the same bits every time.
const PROPOSALS: usize = 8;

type Set = unsafe extern "C" fn(Descriptor, c_uint, *const c_void, usize) -> Status;

macro_rules! descriptor {
    ($(#[$about:meta])* $name:ident, $destroy:ident) => {
        $(#[$about])*
        pub(crate) struct $name {
            pub raw: Descriptor,
            destroy: unsafe extern "C" fn(Descriptor) -> Status,
            set: Set,
        }

        // SAFETY: a descriptor is memory of the host that no thread owns.
        unsafe impl Send for $name {}
        // SAFETY: it is not changed through a shared reference but by `set`, whose callers see to that.
        unsafe impl Sync for $name {}

        impl $name {
            fn set<T>(&self, api: &Api, attribute: c_uint, value: T) -> Result<(), String> {
                // SAFETY: the descriptor lives; as many bytes as announced are read.
                let answer = unsafe {
                    (self.set)(self.raw, attribute, (&raw const value).cast(), size_of::<T>())
                };
                api.done("a descriptor", answer)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: made once; nothing uses it any more.
                unsafe { (self.destroy)(self.raw) };
            }
        }
    };
}

descriptor! {
    /// What is computed.
    Multiplier, multiplier_destroy
}
descriptor! {
    /// How a matrix lies.
    Layout, layout_destroy
}
descriptor! {
    /// What algorithms may be like.
    Preference, preference_destroy
}

fn data_type(dtype: DType) -> Result<c_uint, String> {
    match dtype {
        DType::F32 => Ok(api::TYPE_F32),
        DType::F16 => Ok(api::TYPE_F16),
        DType::BF16 => Ok(api::TYPE_BF16),
        other => Err(format!("its matrices are not of {}", other.name())),
    }
}

impl Multiplier {
    pub(crate) fn new(api: &Api, product: &MatrixProduct) -> Result<Multiplier, String> {
        let compute = if product.tf32 { api::COMPUTE_TF32 } else { api::COMPUTE_F32 };
        let mut raw = std::ptr::null_mut();
        // SAFETY: `raw` is written to.
        let answer = unsafe { (api.multiplier_create)(&raw mut raw, compute, api::TYPE_F32) };
        api.done("a product", answer)?;
        let made = Multiplier { raw, destroy: api.multiplier_destroy, set: api.multiplier_set };
        let transposed = |matrix: &Matrix| c_int::from(matrix.is_transposed);
        made.set(api, api::TRANSPOSE_LEFT, transposed(&product.left))?;
        made.set(api, api::TRANSPOSE_RIGHT, transposed(&product.right))?;
        let relu = if product.relu { api::EPILOGUE_RELU } else { 0 };
        let bias = if product.bias.is_some() { api::EPILOGUE_BIAS } else { 0 };
        let epilogue = if relu | bias == 0 { api::EPILOGUE_NONE } else { relu | bias };
        made.set(api, api::EPILOGUE, epilogue)?;
        // Algorithms are chosen by the alignment of an address that is not known yet. The bias has the result's dtype, which
        // is what the library expects where nothing is said.
        product.bias.map_or(Ok(()), |alignment| made.set_bias(api, alignment as u64))?;
        Ok(made)
    }

    /// Sets the bias of the calls that follow.
    pub(crate) fn set_bias(&self, api: &Api, address: u64) -> Result<(), String> {
        self.set(api, api::BIAS_POINTER, address)
    }
}

impl Layout {
    /// The layout of `count` matrices of these extents.
    pub(crate) fn new(
        api: &Api,
        matrix: &Matrix,
        [rows, columns]: [usize; 2],
        count: usize,
    ) -> Result<Layout, String> {
        let [down, across] = if matrix.is_transposed { [columns, rows] } else { [rows, columns] };
        let (dtype, leading) = (data_type(matrix.dtype)?, matrix.leading as i64);
        let mut raw = std::ptr::null_mut();
        // SAFETY: `raw` is written to.
        let answer = unsafe { (api.layout_create)(&raw mut raw, dtype, down as u64, across as u64, leading) };
        api.done("a matrix", answer)?;
        let made = Layout { raw, destroy: api.layout_destroy, set: api.layout_set };
        if count > 1 {
            let count = c_int::try_from(count).map_err(|_| format!("{count} products are too many"))?;
            made.set(api, api::LAYOUT_BATCH, count)?;
            made.set(api, api::LAYOUT_STRIDE, matrix.batch as i64)?;
        }
        Ok(made)
    }
}

impl Preference {
    pub(crate) fn new(api: &Api, product: &MatrixProduct, most_scratch: usize) -> Result<Preference, String> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: `raw` is written to.
        let answer = unsafe { (api.preference_create)(&raw mut raw) };
        api.done("preferences", answer)?;
        let made = Preference { raw, destroy: api.preference_destroy, set: api.preference_set };
        made.set(api, api::MOST_SCRATCH_BYTES, most_scratch as u64)?;
        made.set(api, api::REDUCTION_SCHEMES, api::REDUCTION_IN_SCRATCH)?;
        let MatrixProduct { left, right, result, .. } = product;
        for (attribute, matrix) in api::ALIGNMENTS.into_iter().zip([left, right, result, result]) {
            made.set(api, attribute, matrix.alignment as c_uint)?;
        }
        Ok(made)
    }

    /// Algorithms with the bytes that they need, the one to take first.
    pub(crate) fn algorithms(
        &self,
        api: &Api,
        handle: Handle,
        multiplier: &Multiplier,
        layouts: &[Layout; 3],
    ) -> Result<Vec<(usize, Algorithm)>, String> {
        let mut proposals = [Proposal::empty(); PROPOSALS];
        let mut count = 0;
        let [left, right, result] = layouts.each_ref().map(|layout| layout.raw);
        // SAFETY: all descriptors live; as many proposals as announced are written.
        let answer = unsafe {
            (api.propose)(
                handle,
                multiplier.raw,
                left,
                right,
                result,
                result,
                self.raw,
                PROPOSALS as c_int,
                proposals.as_mut_ptr(),
                &raw mut count,
            )
        };
        api.done("to choose an algorithm", answer)?;
        let proposed = proposals.iter().take(usize::try_from(count).unwrap_or(0));
        let works = proposed.filter(|proposal| proposal.status == 0);
        Ok(works.map(|proposal| (proposal.scratch, proposal.algorithm)).collect())
    }
}
