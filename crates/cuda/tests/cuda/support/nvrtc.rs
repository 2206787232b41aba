//! NVRTC where it is installed; many kernels compiled for several GPUs, and what they need there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fmt, panic, thread};

use warploom_cuda::{Compiler, Search};
use warploom_gpu::ENTRY;

/// Generations of GPUs that kernels are compiled for: those of the years 2020 and 2022.
pub const ARCHITECTURES: [u32; 2] = [80, 90];

/// Kernels that are compiled in one go.
const TOGETHER: usize = 16;

/// Whether `WARPLOOM_REQUIRE_NVRTC` is 1: then its absence is a failure, and sweeps are whole.
pub fn is_required() -> bool {
    env::var_os("WARPLOOM_REQUIRE_NVRTC").is_some_and(|value| value == "1")
}

/// NVRTC. Without one tests pass and say so, unless it is required.
pub fn compiler() -> Option<Compiler> {
    match Compiler::open(&Search::here(), None) {
        Ok(compiler) => Some(compiler),
        Err(error) if is_required() => panic!("{error}"),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

/// What the compiler made of a kernel.
#[derive(Clone, Copy)]
struct Built {
    /// Registers of a thread.
    registers: u32,
    /// Bytes of a thread's own memory, for arrays that are indexed by what is not known beforehand.
    stack: u32,
    /// Bytes that are stored to memory and loaded again for want of registers.
    spilled: u32,
}

/// Compiles kernels in one go: to begin takes as long as some kernels.
fn build(compiler: &Compiler, sources: &[&str], architecture: u32) -> Result<Vec<Built>, String> {
    let apart = |(i, source): (usize, &&str)| {
        format!("#define {ENTRY} kernel{i}\nnamespace kernel_of_{i} {{\n{source}\n}}\n#undef {ENTRY}\n")
    };
    let source: String = sources.iter().enumerate().map(apart).collect();
    let log = compiler.assembled("of several", &source, architecture).map_err(|error| error.to_string())?;
    let built = |i: usize| {
        let (_, after) = log.split_once(&format!("entry function 'kernel{i}'"))?;
        let own = after.split("entry function '").next()?;
        Some(Built {
            registers: number_before(own, " registers")?,
            stack: number_before(own, " bytes stack frame")?,
            spilled: number_before(own, " bytes spill stores")?,
        })
    };
    let untold = |i| format!("NVRTC does not tell what kernel {i} needs:\n{log}");
    (0..sources.len()).map(|i| built(i).ok_or_else(|| untold(i))).collect()
}

/// The number that stands before a unit at its first mention.
fn number_before(log: &str, unit: &str) -> Option<u32> {
    let (before, _) = log.split_once(unit)?;
    before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

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
    rows: Vec<(Family, u32, String, Built)>,
    took: Duration,
}

impl Sweep {
    /// Compiles kernels, given by source with a name each, on as many threads as there are cores: for every one of
    /// [`ARCHITECTURES`], or for one of them in turn.
    ///
    /// # Errors
    /// What the compiler says of the first that it rejects.
    pub fn run(
        compiler: &Compiler,
        kernels: &BTreeMap<String, String>,
        every: bool,
    ) -> Result<Sweep, String> {
        let start = Instant::now();
        let all: Vec<(&String, &String)> = kernels.iter().collect();
        let takes_part = |chunk: usize, i: usize| every || chunk % ARCHITECTURES.len() == i;
        let works: Vec<(&[(&String, &String)], u32)> = all
            .chunks(TOGETHER)
            .enumerate()
            .flat_map(|(chunk, some)| ARCHITECTURES.into_iter().enumerate().map(move |of| (chunk, some, of)))
            .filter(|(chunk, _, (i, _))| takes_part(*chunk, *i))
            .map(|(_, some, (_, architecture))| (some, architecture))
            .collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut rows = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(&(some, architecture)) = works.get(at) else { return Ok(rows) };
                let sources: Vec<&str> = some.iter().map(|(source, _)| source.as_str()).collect();
                let built = build(compiler, &sources, architecture);
                let built = built.map_err(|e| (at, blame(compiler, some, architecture).unwrap_or(e)))?;
                let row = |((source, name), built): (&(&String, &String), Built)| {
                    (Family::of(source), architecture, (*name).clone(), built)
                };
                rows.extend(some.iter().zip(built).map(row));
            }
        };
        let threads = thread::available_parallelism().map_or(1, |cores| cores.get());
        let mut done: Vec<Result<Vec<_>, (usize, String)>> = thread::scope(|scope| {
            let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
            };
            started.into_iter().map(join).collect()
        });
        let mut rows = Vec::with_capacity(ARCHITECTURES.len() * all.len());
        // Of several rejections the one that one thread alone would have met.
        done.sort_by_key(|part| part.as_ref().err().map_or(usize::MAX, |(at, _)| *at));
        for part in done {
            rows.extend(part.map_err(|(_, error)| error)?);
        }
        rows.sort_by(|a, b| (a.0, a.1, b.3.registers, &a.2).cmp(&(b.0, b.1, a.3.registers, &b.2)));
        Ok(Sweep { rows, took: start.elapsed() })
    }

    /// Most registers of a thread of a family's kernels.
    pub fn registers(&self, family: Family) -> u32 {
        let of = self.rows.iter().filter(|(other, ..)| *other == family);
        of.map(|(_, _, _, built)| built.registers).max().unwrap_or(0)
    }

    /// Kernels other than plain products that want for registers, with their bytes.
    pub fn spilling(&self) -> Vec<String> {
        let spills =
            |(family, _, _, built): &&(Family, _, _, Built)| *family != Family::Product && built.spilled > 0;
        let told = |(_, architecture, name, built): &(_, u32, String, Built)| {
            format!("{name} on sm_{architecture}: {} bytes", built.spilled)
        };
        self.rows.iter().filter(spills).map(told).collect()
    }
}

/// What is wrong with the first of some kernels that is rejected alone.
fn blame(compiler: &Compiler, kernels: &[(&String, &String)], architecture: u32) -> Option<String> {
    kernels.iter().find_map(|(source, name)| {
        let error = compiler.compile(name, source, architecture).err()?;
        Some(format!("for sm_{architecture}: {error}\n{source}"))
    })
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
                "{family:?} sm_{architecture}: {} kernels, {:.1} registers on average, {} with a stack, {} spill",
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
