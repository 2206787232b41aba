//! NCCL, by which several GPUs add up what each has. Nothing computes on several GPUs yet, so it is only asked for its version.

use std::ffi::{c_int, c_uint};
use std::path::Path;

use crate::driver::functions;
use crate::search::{Library, Search};
use crate::vendor::{Version, first_that_fits};

/// The oldest that is built for CUDA 12: 2.16.2, by NVIDIA's packages.
const OLDEST: usize = 21_602;

functions! {
    /// What is used of NCCL.
    Api:
    version = "ncclGetVersion" (*mut c_int) -> c_uint;
}

/// `2.30.7` of 23007; until 2.8, 2804 was 2.8.4.
pub(crate) fn dotted(version: usize) -> String {
    let major = if version < 10_000 { 1000 } else { 10_000 };
    format!("{}.{}.{}", version / major, version % major / 100, version % 100)
}

/// The NCCL that would be used. It does not tell which CUDA it was built for.
///
/// # Errors
/// What was found, where, and why it is not taken.
pub(crate) fn find(search: &Search, driver: i32) -> Result<Version, String> {
    let load = |path: &Path| {
        let api = Api::load(path)?;
        let mut own = 0;
        // SAFETY: `own` is written to.
        let answer = unsafe { (api.version)(&raw mut own) };
        if answer != 0 {
            return Err(format!("it refused to tell its version: code {answer}"));
        }
        let own = own.max(0) as usize;
        if own < OLDEST {
            let (own, oldest) = (dotted(own), dotted(OLDEST));
            return Err(format!("it is of version {own}; NCCL {oldest} or newer is needed"));
        }
        Ok(((), Version { path: path.to_owned(), own, cuda: None }))
    };
    first_that_fits(search, Library::Nccl, driver, load).map(|((), version)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_written_as_nvidia_writes_them() {
        assert_eq!([2804, 21_602, 23_007].map(dotted), ["2.8.4", "2.16.2", "2.30.7"]);
    }

    /// The library of this machine, where there is one: it tells its version without a GPU.
    #[test]
    fn nccl_tells_its_version() {
        let search = Search::here();
        if search.find(Library::Nccl).files.is_empty() {
            return println!("skipped: no NCCL");
        }
        let version = find(&search, i32::MAX).unwrap();
        println!("NCCL {} of {}", dotted(version.own), version.path.display());
    }
}
