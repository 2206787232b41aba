//! A program made ready, and its launch.

use std::sync::{Arc, Mutex, PoisonError};

use warploom_device::counters::Counters;
use warploom_device::null::check_bindings;
use warploom_device::{Bindings, BufferId, Class, DeviceError, Executable, Memory, Program, Step, Token};

use crate::contraction::Contraction;
use crate::convolve::Convolve;
use crate::memory::CpuMemory;
use crate::memory_map::MemoryMap;
use crate::scatter::Scatter;
use warploom_cpu_kernels::isa::Isa;
use warploom_cpu_kernels::pool::Pool;
use warploom_trace::{self as trace, Track};

use crate::tile::{Context, Fault, TileKernel, Worker, WorkerSize};

/// Bytes for which a copy is shared by threads.
const PARALLEL_COPY: usize = 1 << 20;

/// A program made ready for the CPU.
pub(crate) struct Ready {
    program: Arc<Program>,
    steps: Vec<ReadyStep>,
    pool: Arc<Pool>,
    counters: Arc<Counters>,
    /// What a launch writes; concurrent launches of one executable take turns.
    scratch: Mutex<Scratch>,
}

enum ReadyStep {
    Kernel(Box<TileKernel>),
    Contraction(Box<Contraction>),
    Convolution(Box<Convolve>),
    Scatter(Box<Scatter>),
    Copy { source: usize, destination: usize, bytes: usize, is_shared: bool },
    Loop(ReadyLoop),
}

struct ReadyLoop {
    iterations: usize,
    reverse: bool,
    windows: Vec<ReadyWindow>,
    counter: Option<usize>,
    body: Vec<ReadyStep>,
}

struct ReadyWindow {
    buffer: usize,
    parent: usize,
    stride: usize,
}

/// Memory that launches reuse.
struct Scratch {
    /// Base addresses of buffers.
    bases: Vec<*mut u8>,
    workers: Vec<Worker>,
    fault: Fault,
    /// What `workers` point into.
    _places: Vec<*mut u8>,
    _memory: CpuMemory,
}

// SAFETY: the pointers lead into memory that the scratch owns, or are set anew by each launch.
unsafe impl Send for Scratch {}

impl Ready {
    pub(crate) fn new(
        program: Arc<Program>,
        isa: Isa,
        pool: Arc<Pool>,
        counters: Arc<Counters>,
    ) -> Result<Ready, DeviceError> {
        let memory = MemoryMap::new(&program)?;
        let mut size = WorkerSize::default();
        let mut preparation = Preparation { isa, threads: pool.threads(), memory, size: &mut size };
        let steps = preparation.steps(&program.steps)?;
        let scratch = Mutex::new(Scratch::new(size, pool.threads(), program.buffers.len(), &steps)?);
        Ok(Ready { program, steps, pool, counters, scratch })
    }
}

struct Preparation<'a> {
    isa: Isa,
    threads: usize,
    memory: MemoryMap,
    size: &'a mut WorkerSize,
}

impl Preparation<'_> {
    fn steps(&mut self, steps: &[Step]) -> Result<Vec<ReadyStep>, DeviceError> {
        steps.iter().map(|step| self.step(step)).collect()
    }

    fn step(&mut self, step: &Step) -> Result<ReadyStep, DeviceError> {
        let Preparation { isa, threads, .. } = *self;
        Ok(match step {
            Step::Kernel(kernel) => {
                ReadyStep::Kernel(Box::new(TileKernel::new(kernel, isa, threads, &self.memory, self.size)?))
            }
            Step::Contraction(step) => ReadyStep::Contraction(Box::new(Contraction::new(
                step,
                isa,
                threads,
                &self.memory,
                self.size,
            )?)),
            Step::Convolution(step) => {
                ReadyStep::Convolution(Box::new(Convolve::new(step, isa, threads, &self.memory, self.size)?))
            }
            Step::Scatter(step) => {
                ReadyStep::Scatter(Box::new(Scatter::new(step, isa, threads, &self.memory)?))
            }
            Step::Copy { source, destination } => self.copy(*source, *destination)?,
            Step::Loop(body) => {
                let windows = body.windows.iter().map(|window| ReadyWindow {
                    buffer: window.buffer.0 as usize,
                    parent: window.parent.0 as usize,
                    stride: window.stride,
                });
                if let Some(counter) = body.counter {
                    self.memory.check_bytes(counter, 4)?;
                }
                ReadyStep::Loop(ReadyLoop {
                    iterations: body.iterations,
                    reverse: body.reverse,
                    windows: windows.collect(),
                    counter: body.counter.map(|id| id.0 as usize),
                    body: self.steps(&body.body)?,
                })
            }
            Step::Claimed { name, .. } => {
                return Err(DeviceError::Unsupported(format!(
                    "the CPU claims no call, but the program has one of {name}"
                )));
            }
        })
    }

    fn copy(&self, source: BufferId, destination: BufferId) -> Result<ReadyStep, DeviceError> {
        let bytes = self.memory.bytes(source)?.min(self.memory.bytes(destination)?);
        Ok(ReadyStep::Copy {
            source: source.0 as usize,
            destination: destination.0 as usize,
            bytes,
            is_shared: bytes >= PARALLEL_COPY && !self.memory.overlap(source, destination),
        })
    }
}

impl Scratch {
    fn new(
        size: WorkerSize,
        threads: usize,
        buffers: usize,
        steps: &[ReadyStep],
    ) -> Result<Scratch, DeviceError> {
        // Workers' parts do not share cache lines, nor the pairs of lines that are fetched together.
        let (scratch, entries) = (size.scratch.next_multiple_of(128), size.places.next_multiple_of(16) + 16);
        let memory = CpuMemory::new(scratch * threads, None, &Arc::default())?;
        let mut places: Vec<*mut u8> = vec![std::ptr::null_mut(); entries * threads];
        let table = places.as_mut_ptr();
        let workers: Vec<Worker> = (0..threads)
            .map(|worker| Worker {
                places: table.wrapping_add(worker * entries),
                scratch: memory.data().wrapping_add(worker * scratch),
            })
            .collect();
        for worker in &workers {
            // SAFETY: every worker has the size that preparing the steps came to.
            unsafe { connect(steps, *worker) };
        }
        let bases = vec![std::ptr::null_mut(); buffers];
        Ok(Scratch { bases, workers, fault: Fault::default(), _places: places, _memory: memory })
    }

    /// Finds the address of every buffer that is bound by the launch.
    fn bind(&mut self, program: &Program, bindings: &Bindings<'_>) -> Result<(), DeviceError> {
        for (base, spec) in self.bases.iter_mut().zip(&program.buffers) {
            let (memory, offset) = match spec.class {
                Class::State(i) => (&bindings.states[i], 0),
                Class::Input(i) => (&bindings.inputs[i], 0),
                Class::Output(i) => (&bindings.outputs[i], 0),
                Class::Arena { slab, offset } => (&bindings.arena[slab], offset),
                Class::Derived(i) => (derived(bindings, i, spec.bytes)?, 0),
                Class::Window => continue,
            };
            *base = CpuMemory::of(memory)?.data().wrapping_add(offset);
        }
        Ok(())
    }
}

fn derived<'a>(bindings: &Bindings<'a>, i: usize, bytes: usize) -> Result<&'a Memory, DeviceError> {
    let memory = bindings.derived.get(i).filter(|memory| memory.bytes() >= bytes);
    memory.ok_or_else(|| DeviceError::Binding(format!("derived buffer {i} needs {bytes} bytes")))
}

/// Fills the tables of all steps in a worker's memory.
unsafe fn connect(steps: &[ReadyStep], worker: Worker) {
    for step in steps {
        // SAFETY: the caller's promise.
        unsafe {
            match step {
                ReadyStep::Kernel(kernel) => kernel.connect(worker),
                ReadyStep::Contraction(step) => step.connect(worker),
                ReadyStep::Convolution(step) => step.connect(worker),
                ReadyStep::Loop(body) => connect(&body.body, worker),
                ReadyStep::Scatter(_) | ReadyStep::Copy { .. } => {}
            }
        }
    }
}

impl Executable for Ready {
    fn program(&self) -> &Program {
        &self.program
    }

    /// Runs the program on the calling thread and the pool; the token it returns is of work already done.
    fn launch(&self, bindings: Bindings<'_>) -> Result<Token, DeviceError> {
        check_bindings(&self.program, &bindings)?;
        let _span = trace::span(Track::Host, || "launch");
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        scratch.bind(&self.program, &bindings)?;
        let Scratch { bases, workers, fault, .. } = &mut *scratch;
        let mut launch = Launch { pool: &self.pool, bases, workers, fault };
        // SAFETY: bindings are as large as the program says, and the program was checked to stay within them; that
        // nobody else uses what it writes is the contract of `Executable::launch`.
        unsafe { launch.run(&self.steps, &self.program.steps)? };
        Ok(Token(self.counters.launched()))
    }
}

/// A launch under way.
struct Launch<'a> {
    pool: &'a Pool,
    bases: &'a mut [*mut u8],
    workers: &'a [Worker],
    fault: &'a Fault,
}

impl Launch<'_> {
    unsafe fn run(&mut self, steps: &[ReadyStep], of: &[Step]) -> Result<(), DeviceError> {
        for (step, of) in steps.iter().zip(of) {
            let _span = trace::span(Track::Device, || of.name());
            let context =
                Context { pool: self.pool, bases: self.bases, workers: self.workers, fault: self.fault };
            // SAFETY: the caller's promise.
            unsafe {
                match step {
                    ReadyStep::Kernel(kernel) => {
                        kernel.run(&context);
                        if kernel.can_fault {
                            self.check(&kernel.name)?;
                        }
                    }
                    ReadyStep::Contraction(step) => {
                        step.run(&context);
                        if let Some(name) = step.can_fault() {
                            self.check(name)?;
                        }
                    }
                    ReadyStep::Convolution(step) => {
                        step.run(&context);
                        if let Some(name) = step.can_fault() {
                            self.check(name)?;
                        }
                    }
                    ReadyStep::Scatter(step) => {
                        step.run(&context);
                        self.check(step.name())?;
                    }
                    ReadyStep::Copy { source, destination, bytes, is_shared } => {
                        let range = Range { from: context.bases[*source], to: context.bases[*destination] };
                        if *is_shared {
                            range.copy_shared(self.pool, *bytes);
                        } else {
                            std::ptr::copy(range.from, range.to, *bytes);
                        }
                    }
                    ReadyStep::Loop(body) => self.repeat(body, of)?,
                }
            }
        }
        Ok(())
    }

    unsafe fn repeat(&mut self, body: &ReadyLoop, of: &Step) -> Result<(), DeviceError> {
        let Step::Loop(of) = of else { return Ok(()) };
        for iteration in 0..body.iterations {
            let position = if body.reverse { body.iterations - 1 - iteration } else { iteration };
            for window in &body.windows {
                self.bases[window.buffer] = self.bases[window.parent].wrapping_add(position * window.stride);
            }
            // SAFETY: the caller's promise; the counter has four bytes.
            unsafe {
                if let Some(counter) = body.counter {
                    *self.bases[counter].cast::<u32>() = position as u32;
                }
                self.run(&body.body, &of.body)?;
            }
        }
        Ok(())
    }

    fn check(&self, name: &str) -> Result<(), DeviceError> {
        match self.fault.take() {
            None => Ok(()),
            Some((index, extent)) => {
                Err(DeviceError::IndexOutOfRange { kernel: name.to_owned(), index, extent })
            }
        }
    }
}

struct Range {
    from: *const u8,
    to: *mut u8,
}

// SAFETY: each task of a shared copy reads and writes a part of its own.
unsafe impl Sync for Range {}

impl Range {
    unsafe fn copy_shared(&self, pool: &Pool, bytes: usize) {
        let tasks = 4 * pool.threads();
        let first = |task: usize| task * (bytes / 64) / tasks * 64;
        pool.run(tasks, &|task, _| {
            let end = if task + 1 == tasks { bytes } else { first(task + 1) };
            let range = self;
            // SAFETY: the caller's promise: both have `bytes` bytes and do not overlap.
            unsafe {
                let (from, to) = (range.from.add(first(task)), range.to.add(first(task)));
                std::ptr::copy_nonoverlapping(from, to, end - first(task));
            }
        });
    }
}
