//! Memory limits: what this thread has compiled meanwhile obeys them.

use crate::device::Device;
use std::cell::RefCell;

thread_local! {
    static LIMITS: RefCell<Vec<(Device, Option<usize>)>> = const { RefCell::new(Vec::new()) };
}

impl Device {
    /// Runs `body` with a limit on the bytes of every program that this thread compiles for this device meanwhile, as
    /// [`crate::Planned::plan`] counts them; `None` lifts the limit of an outer call. A program that would take more
    /// computes values again instead of keeping them, with the same bits, and its notes say what that costs
    /// ([`warploom_device::Program::notes`]). Repetitions of a recording keep its limit.
    ///
    /// Compiling fails with [`crate::Error::MemoryLimit`] where even that does not make a program fit.
    pub fn with_memory_limit<R>(&self, bytes: Option<usize>, body: impl FnOnce() -> R) -> R {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                LIMITS.with_borrow_mut(|limits| limits.pop());
            }
        }
        LIMITS.with_borrow_mut(|limits| limits.push((self.clone(), bytes)));
        let _leave = Leave;
        body()
    }

    /// The limit that programs compiled now for this device obey.
    pub fn memory_limit(&self) -> Option<usize> {
        LIMITS.with_borrow(|limits| limits.iter().rev().find(|(device, _)| device == self)?.1)
    }
}
