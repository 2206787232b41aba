//! Many kernels compiled for several GPUs, and what they need there.

use crate::nvrtc::{Built, Nvrtc};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fmt, panic, thread};

/// Generations of GPUs that kernels are compiled for: those of the years 2020 and 2022.
pub const ARCHITECTURES: [&str; 2] = ["sm_80", "sm_90"];

/// Kernels that are compiled in one go.
const TOGETHER: usize = 16;

/// A kind of kernels, by how they are laid over a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Family {
    /// A point of the space for each thread.
    Elementwise,
    /// Sums and their like, and what runs with them row by row: softmax, normalisations.
    Reduction,
    /// Matrix products and convolutions.
    Product,
    /// Those whose warps multiply small matrices.
    MatrixUnits,
}

impl Family {
    /// That of a source.
    pub fn of(source: &str) -> Family {
        if source.contains("sum0_0[4]") {
            Family::MatrixUnits
        } else if source.contains("sum0_0") {
            Family::Product
        } else if source.contains("total0") {
            Family::Reduction
        } else {
            Family::Elementwise
        }
    }
}

/// What became of all kernels.
pub struct Sweep {
    rows: Vec<(Family, &'static str, String, Built)>,
    took: Duration,
}

impl Nvrtc {
    /// Compiles kernels, given by source with a name each, for every one of [`ARCHITECTURES`], on as many threads as there are
    /// cores.
    ///
    /// # Errors
    /// What the compiler says of the first that it rejects.
    pub fn sweep(&self, kernels: &BTreeMap<String, String>) -> Result<Sweep, String> {
        let start = Instant::now();
        let all: Vec<(&String, &String)> = kernels.iter().collect();
        let works: Vec<(&[(&String, &String)], &'static str)> = all
            .chunks(TOGETHER)
            .flat_map(|some| ARCHITECTURES.map(|architecture| (some, architecture)))
            .collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut rows = Vec::new();
            while let Some((some, architecture)) = works.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sources: Vec<&str> = some.iter().map(|(source, _)| source.as_str()).collect();
                let built = self.compile(&sources, architecture);
                let built = built.map_err(|e| self.blame(some, architecture).unwrap_or(e))?;
                let row = |((source, name), built): (&(&String, &String), Built)| {
                    (Family::of(source), *architecture, (*name).clone(), built)
                };
                rows.extend(some.iter().zip(built).map(row));
            }
            Ok(rows)
        };
        let threads = thread::available_parallelism().map_or(1, |cores| cores.get());
        let done: Vec<Result<Vec<_>, String>> = thread::scope(|scope| {
            let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
            };
            started.into_iter().map(join).collect()
        });
        let mut rows = Vec::with_capacity(ARCHITECTURES.len() * all.len());
        for part in done {
            rows.extend(part?);
        }
        rows.sort_by(|a, b| (a.0, a.1, b.3.registers, &a.2).cmp(&(b.0, b.1, a.3.registers, &b.2)));
        Ok(Sweep { rows, took: start.elapsed() })
    }

    /// What is wrong with the first of some kernels that is rejected alone.
    fn blame(&self, kernels: &[(&String, &String)], architecture: &str) -> Option<String> {
        kernels.iter().find_map(|(source, name)| {
            let error = self.compile(&[source.as_str()], architecture).err()?;
            Some(format!("{name} for {architecture}: {error}\n{source}"))
        })
    }
}

impl Sweep {
    /// Most registers of a thread of a family's kernels.
    pub fn registers(&self, family: Family) -> u32 {
        let of = self.rows.iter().filter(|(other, ..)| *other == family);
        of.map(|(_, _, _, built)| built.registers).max().unwrap_or(0)
    }

    /// Kernels other than plain products that want for registers, with their bytes.
    pub fn spilling(&self) -> Vec<String> {
        let spills =
            |(family, _, _, built): &&(Family, _, _, Built)| *family != Family::Product && built.spilled > 0;
        let told = |(_, architecture, name, built): &(_, &str, String, Built)| {
            format!("{name} on {architecture}: {} bytes", built.spilled)
        };
        self.rows.iter().filter(spills).map(told).collect()
    }
}

/// How many, by family and architecture, and the greediest of each.
impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} compilations in {:.1} s", self.rows.len(), self.took.as_secs_f64())?;
        for rows in self.rows.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (family, architecture, ..) = &rows[0];
            let sum = |of: fn(&Built) -> u32| rows.iter().map(|row| u64::from(of(&row.3))).sum::<u64>();
            let with = |of: fn(&Built) -> u32| rows.iter().filter(|row| of(&row.3) > 0).count();
            writeln!(
                f,
                "{family:?} {architecture}: {} kernels, {:.1} registers on average, {} with a stack, {} spill",
                rows.len(),
                sum(|built| built.registers) as f64 / rows.len() as f64,
                with(|built| built.stack),
                with(|built| built.spilled),
            )?;
            for (_, _, name, built) in rows.iter().take(5) {
                let Built { registers, stack, spilled } = built;
                writeln!(
                    f,
                    "    {registers:3} registers, {stack:4} bytes of stack, {spilled:4} spilled: {name}"
                )?;
            }
        }
        Ok(())
    }
}
