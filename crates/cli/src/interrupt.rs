//! Ctrl-C and termination: a training run stops between two launches and saves; anything else ends at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The exit code of what was interrupted.
pub const INTERRUPTED: u8 = 130;

/// A flag that the first signal sets; a second one ends the process.
pub fn stop_flag() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order, so that the first signal only sets the flag.
        let _ = flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), stop.clone());
        let _ = flag::register(signal, stop.clone());
    }
    stop
}

/// Makes the first signal end the process with the exit code of an interruption.
pub fn end_at_once() {
    for signal in [SIGINT, SIGTERM] {
        let _ = flag::register_conditional_shutdown(
            signal,
            i32::from(INTERRUPTED),
            Arc::new(AtomicBool::new(true)),
        );
    }
}
