//! The counters of what a run uses, read from its beginning on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, park_timeout};
use std::time::Instant;

use crate::energy::{Energy, Joules};
use crate::nvml::Gpu;
use crate::rapl::Packages;

/// Reads the processor packages and, where one computes, a GPU.
///
/// Processors' counters go round within minutes, so a thread reads them every ten seconds, or sooner where one goes round
/// sooner; a process that was stopped for longer than a counter takes has no sum any more, and says so. A GPU's has 64 bits
/// and is read when it is asked for. Its driver renews it some ten to fifty times a second: energies of less than a second
/// are coarse.
#[derive(Debug)]
pub struct Meter {
    processor: Result<Followed, String>,
    gpu: Option<Result<Counted, String>>,
}

impl Meter {
    /// Begins to measure: the packages under a folder such as [`crate::rapl::folder`] gives, and the GPU that computes where it
    /// is no part of the processor, or why that one does not count.
    pub fn start(folder: &Path, gpu: Option<Result<Gpu, String>>) -> Meter {
        let packages = Packages::find(folder, Instant::now()).map_err(|why| why.to_string());
        Meter { processor: packages.and_then(Followed::new), gpu: gpu.map(|gpu| gpu.and_then(Counted::new)) }
    }

    /// What was used since the start.
    pub fn read(&self) -> Energy {
        let processor = self.processor.as_ref().map_err(Clone::clone);
        let gpu = self.gpu.as_ref().map(|gpu| gpu.as_ref().map_err(Clone::clone));
        Energy {
            processor: processor.and_then(Followed::read),
            gpu: gpu.map(|gpu| gpu.and_then(Counted::read)),
        }
    }
}

/// Packages with the thread that reads them.
#[derive(Debug)]
struct Followed {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    packages: Mutex<Packages>,
    ended: AtomicBool,
}

impl Shared {
    fn read(&self) -> Joules {
        self.packages.lock().unwrap_or_else(PoisonError::into_inner).read(Instant::now())
    }
}

impl Followed {
    fn new(packages: Packages) -> Result<Followed, String> {
        let pause = packages.pause();
        let shared = Arc::new(Shared { packages: Mutex::new(packages), ended: AtomicBool::new(false) });
        let own = shared.clone();
        let follow = move || {
            while !own.ended.load(Ordering::Acquire) {
                park_timeout(pause);
                // What is wrong is told to whoever asks.
                let _ = own.read();
            }
        };
        let thread = Builder::new().name("energy".into()).spawn(follow);
        let thread =
            thread.map_err(|error| format!("no thread can be started that reads counters: {error}"))?;
        Ok(Followed { shared, thread: Some(thread) })
    }

    fn read(&self) -> Joules {
        self.shared.read()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

/// A GPU whose counter was read once.
#[derive(Debug)]
struct Counted {
    gpu: Gpu,
    /// Millijoules at the beginning.
    begin: u64,
}

impl Counted {
    fn new(gpu: Gpu) -> Result<Counted, String> {
        let begin = gpu.millijoules()?;
        Ok(Counted { gpu, begin })
    }

    fn read(&self) -> Joules {
        let now = self.gpu.millijoules()?;
        let used = now.checked_sub(self.begin).ok_or_else(|| {
            format!(
                "the GPU's energy counter went from {} to {now} mJ: its driver was loaded anew",
                self.begin
            )
        })?;
        Ok(used as f64 * 1e-3)
    }
}
