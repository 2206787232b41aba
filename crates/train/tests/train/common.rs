//! What the tests share.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use warploom_train::callbacks::Context;
use warploom_train::{Callback, Result};

/// An empty folder of this name, which no other test may have.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("warploom-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Sets a flag after so many launches.
pub struct StopAfter<'a>(pub usize, pub &'a AtomicBool);

impl Callback for StopAfter<'_> {
    fn name(&self) -> &'static str {
        "stop_after"
    }

    fn batch_end(&mut self, _: usize, _: &mut Context<'_>) -> Result<()> {
        self.0 -= usize::from(self.0 > 0);
        if self.0 == 0 {
            self.1.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
