//! Products by cuBLASLt, loaded when the first product wants it. Where it is missing, too old, or refuses a product, kernels
//! multiply.

mod api;
mod descriptors;
mod rule;

use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::CUstream;
use warploom_device::DeviceError;
use warploom_gpu::MatrixProduct;

use crate::driver::Device;
use crate::on_device::{OnDevice, Opens};
use crate::search::{Library, Search};
use crate::vendor::{MOST_SCRATCH, Version, first_that_fits};
use api::{Algorithm, Api, Handle};
use descriptors::{Layout, Multiplier, Preference};
pub use rule::VARIABLE;
use rule::is_worth_it;

/// The products of one device.
pub(crate) type Matrices = OnDevice<Opened>;

/// The library at work on one device.
pub(crate) struct Opened {
    api: Api,
    handle: Handle,
    // Last: the handle is the device's.
    device: Arc<Device>,
}

// SAFETY: a handle may be used from several threads (cuBLAS documentation, thread safety).
unsafe impl Send for Opened {}
// SAFETY: as above.
unsafe impl Sync for Opened {}

/// A product with the algorithm that computes it.
pub(crate) struct Ready {
    pub product: MatrixProduct,
    algorithm: Algorithm,
    /// Bytes that the algorithm needs.
    pub scratch: usize,
    /// Locked while its bias is set and it is queued.
    multiplier: Mutex<Multiplier>,
    layouts: [Layout; 3],
    // Last: descriptors are the library's.
    opened: Arc<Opened>,
}

/// Addresses of one call.
pub(crate) struct Addresses {
    pub left: u64,
    pub right: u64,
    pub result: u64,
    pub bias: Option<u64>,
    pub scratch: Option<u64>,
}

impl Matrices {
    /// The scratch bytes with which the library computes a product, where it should and does. `is_whole`: nothing is left to do
    /// after it.
    pub(crate) fn takes(&self, product: &MatrixProduct, is_whole: bool) -> Option<usize> {
        is_worth_it(self.asked, product, is_whole).then(|| self.get(product))?.map(|ready| ready.scratch)
    }
}

/// Finds and loads the first cuBLASLt that a driver of this version of CUDA runs.
fn load(search: &Search, driver: i32) -> Result<(Api, Version), String> {
    first_that_fits(search, Library::CublasLt, driver, |path| {
        let api = Api::load(path)?;
        // SAFETY: both only give a number.
        let (own, cuda) = unsafe { ((api.version)(), Some((api.cuda_version)())) };
        Ok((api, Version { path: path.to_owned(), own, cuda }))
    })
}

/// The cuBLASLt that would be used with a driver of this version of CUDA.
///
/// # Errors
/// What was found, where, and why it is not taken.
pub(crate) fn find(search: &Search, driver: i32) -> Result<Version, String> {
    load(search, driver).map(|(_, version)| version)
}

impl Opens for Opened {
    type Shape = MatrixProduct;
    type Ready = Ready;

    fn open(search: &Search, device: &Arc<Device>) -> Result<Opened, String> {
        let (api, _) = load(search, device.driver.version)?;
        device.enter().map_err(|error| error.to_string())?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: `handle` is written to; this thread has entered the device's context.
        let answer = unsafe { (api.create)(&raw mut handle) };
        api.done("to start", answer)?;
        Ok(Opened { api, handle, device: device.clone() })
    }

    fn ready(self: &Arc<Opened>, product: &MatrixProduct) -> Result<Ready, String> {
        Ready::new(self, product)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.device.free(|_| {
            // SAFETY: made by `open`; nothing made with it is left, since all of that holds it.
            unsafe { (self.api.destroy)(self.handle) }
        });
    }
}

impl Ready {
    /// Asks the library for an algorithm: the first of those it prefers that gives the same bits every time.
    fn new(opened: &Arc<Opened>, product: &MatrixProduct) -> Result<Ready, String> {
        opened.device.enter().map_err(|error| error.to_string())?;
        let api = &opened.api;
        let multiplier = Multiplier::new(api, product)?;
        let MatrixProduct { batch, rows, columns, terms, left, right, result, .. } = product;
        let layouts = [
            Layout::new(api, left, [*rows, *terms], *batch)?,
            Layout::new(api, right, [*terms, *columns], *batch)?,
            Layout::new(api, result, [*rows, *columns], *batch)?,
        ];
        let preference = Preference::new(api, product, MOST_SCRATCH)?;
        let proposed = preference.algorithms(api, opened.handle, &multiplier, &layouts)?;
        let fits = |(scratch, algorithm): &(usize, Algorithm)| {
            *scratch <= MOST_SCRATCH && api.is_repeatable(algorithm)
        };
        let (scratch, algorithm) = proposed
            .into_iter()
            .find(fits)
            .ok_or("it has no algorithm that gives the same bits every time")?;
        let multiplier = Mutex::new(multiplier);
        Ok(Ready {
            product: product.clone(),
            algorithm,
            scratch,
            multiplier,
            layouts,
            opened: opened.clone(),
        })
    }

    /// Queues the product.
    ///
    /// # Safety
    /// Every address must be that of as much memory of the device's as the product describes, until the queue has passed.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] with what the library says and how to do without it.
    pub(crate) unsafe fn queue(&self, at: &Addresses, stream: CUstream) -> Result<(), DeviceError> {
        let api = &self.opened.api;
        let failed = |why: String| {
            DeviceError::Failed(format!(
                "a matrix product ({}): {why}; {VARIABLE}=never multiplies without cuBLASLt",
                self.product
            ))
        };
        let multiplier = self.multiplier.lock().unwrap_or_else(PoisonError::into_inner);
        at.bias.map_or(Ok(()), |bias| multiplier.set_bias(api, bias)).map_err(failed)?;
        let (one, zero) = (1.0_f32, 0.0_f32);
        let [left, right, result] = self.layouts.each_ref().map(|layout| layout.raw);
        // SAFETY: the descriptors live; the caller answers for the addresses; C is read only with a factor other than zero.
        let answer = unsafe {
            (api.multiply)(
                self.opened.handle,
                multiplier.raw,
                (&raw const one).cast(),
                at.left,
                left,
                at.right,
                right,
                (&raw const zero).cast(),
                at.result,
                result,
                at.result,
                result,
                &raw const self.algorithm,
                at.scratch.unwrap_or(0),
                self.scratch,
                stream,
            )
        };
        api.done("it", answer).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warploom_gpu::Matrix;
    use warploom_graph::DType;

    /// The descriptors of a product in every dtype, taken by the library of this machine where there is one: they need no GPU.
    #[test]
    fn cublaslt_takes_the_descriptors() {
        let required = std::env::var_os("WARPLOOM_REQUIRE_CUBLASLT").is_some_and(|value| value == "1");
        let (api, version) = match load(&Search::here(), i32::MAX) {
            Ok(found) => found,
            Err(why) if required => panic!("{why}"),
            Err(why) => return println!("skipped: {why}"),
        };
        println!("cuBLASLt {} of {}", version.own, version.path.display());
        let matrix =
            |dtype, is_transposed| Matrix { dtype, is_transposed, leading: 64, batch: 4096, alignment: 16 };
        for (dtype, result, tf32) in [
            (DType::F32, DType::F32, false),
            (DType::F32, DType::F32, true),
            (DType::F16, DType::F16, false),
            (DType::BF16, DType::F32, false),
        ] {
            for (batch, bias, relu) in
                [(1, None, false), (3, Some(16), false), (3, None, true), (1, Some(4), true)]
            {
                let product = MatrixProduct {
                    batch,
                    rows: 64,
                    columns: 64,
                    terms: 64,
                    tf32,
                    left: matrix(dtype, batch == 1),
                    right: matrix(dtype, relu),
                    result: matrix(result, false),
                    bias,
                    relu,
                };
                let multiplier = Multiplier::new(&api, &product).unwrap();
                multiplier.set_bias(&api, 256).unwrap();
                for matrix in [&product.left, &product.right, &product.result] {
                    Layout::new(&api, matrix, [64, 64], batch).unwrap();
                }
                Preference::new(&api, &product, MOST_SCRATCH).unwrap();
            }
        }
        let whole = Matrix { dtype: DType::I32, ..matrix(DType::F32, false) };
        assert!(Layout::new(&api, &whole, [64, 64], 1).is_err(), "whole numbers have no sums in f32");
        let refused = api.done("it", 7).unwrap_err();
        assert!(refused.starts_with("cuBLASLt refused it: CUBLAS_STATUS_INVALID_VALUE (7"), "{refused}");
    }
}
