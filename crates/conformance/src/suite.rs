//! What a device has to compute rightly before it is used: fixed programs of every op, then random ones, for whoever has the
//! device at hand.

use crate::generate::generate_of;
use crate::ops::{casts, doubles, elementwise, half_products, products, rough_product, softmax};
use crate::run::{Case, compare, compiled, run, run_program};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;
use warploom_compile::Options;
use warploom_device::Executor;
use warploom_graph::{Arithmetic, DType};

/// What may separate results of a GPU, whose division and square root are not correctly rounded, relative to the largest
/// element. In f64 they are, and functions are within 2 units of 2^-52 both by CUDA's guide and by the libraries of hosts; ops are
/// made of several.
pub fn gpu_tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2e-3,
        DType::BF16 => 1e-2,
        DType::F32 => 1e-6,
        DType::F64 => 1e-14,
        DType::Bool | DType::U8 | DType::I32 | DType::U32 => 0.0,
    }
}

/// Programs that ran, and what was wrong with some.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many ran to their end, rightly or not.
    pub ran: u64,
    /// Names of programs with what was wrong, in the order in which they ended.
    pub wrong: Vec<String>,
}

/// Compiles and runs a case, and holds it against the interpreter.
///
/// # Errors
/// What is wrong with it.
pub fn check(case: &Case, device: &dyn Executor) -> Result<(), String> {
    compare(case, &run(case, device, Options::default())?)
}

/// A softmax between other ops is one dispatch by rows, and sums over all rows wait for it: for a GPU, or what takes kernels
/// shaped for one.
///
/// # Errors
/// The first shape for which that is not so, with its kernels, or what is wrong with its results.
pub fn rows_share_a_dispatch(device: &dyn Executor) -> Result<(), String> {
    for (rows, columns) in [(300, 1000), (7, 4096), (2048, 33)] {
        let case = softmax(rows, columns);
        let program = compiled(&case, device, Options::default())?.program;
        let written = device.target().written(&program).map_err(|error| error.to_string())?;
        if program.kernel_count() < 4 || written.len() != 2 {
            let shape: Vec<_> = written.iter().map(|kernel| (&kernel.name, kernel.groups)).collect();
            return Err(format!("[{rows}, {columns}]: {} kernels as {shape:?}", program.kernel_count()));
        }
        compare(&case, &run_program(&case, device, program)?)?;
    }
    Ok(())
}

/// Every elementwise op, every cast and every arithmetic of products in every dtype that the device has; in f64 reductions,
/// gathers and scatters too.
pub fn ops(device: &dyn Executor) -> Vec<(String, Case)> {
    let dtypes = &device.target().capabilities().dtypes;
    let single = elementwise(dtypes, gpu_tolerance).into_iter().chain(casts(dtypes));
    let doubles = if dtypes.contains(&DType::F64) { doubles() } else { Vec::new() };
    single.chain(half_products(dtypes)).chain(doubles).collect()
}

/// Products of many shapes in every dtype of floats that the device has, and softmax of rows short and long.
pub fn products_and_rows(device: &dyn Executor) -> Vec<(String, Case)> {
    let capabilities = device.target().capabilities();
    let arithmetics = [
        (DType::F32, Arithmetic::Own),
        (DType::F64, Arithmetic::Own),
        (DType::F16, Arithmetic::Wide),
        (DType::BF16, Arithmetic::Wide),
    ];
    let held = arithmetics.into_iter().filter(|(dtype, _)| capabilities.dtypes.contains(dtype));
    let tf32 = capabilities.tf32.then_some((DType::F32, Arithmetic::Tf32));
    let rough = tf32.map(|(f32, tf32)| ("product of what TF32 rounds".to_owned(), rough_product(f32, tf32)));
    let doubles = capabilities.dtypes.contains(&DType::F64);
    let double = doubles
        .then(|| ("product of what f32 rounds".to_owned(), rough_product(DType::F64, Arithmetic::Own)));
    let products = held.chain(tf32).flat_map(|(dtype, arithmetic)| products(dtype, arithmetic));
    let rows = [(3, 5), (64, 10), (37, 1000), (5, 5000)];
    let rows = rows.map(|(rows, columns)| (format!("softmax {rows} x {columns}"), softmax(rows, columns)));
    products.chain(rough).chain(double).chain(rows).collect()
}

/// Runs cases on all of the host's threads, until `deadline`.
pub fn run_all(cases: Vec<(String, Case)>, device: &dyn Executor, deadline: Instant) -> Outcome {
    let cases = Mutex::new(cases.into_iter());
    let next = || cases.lock().ok().and_then(|mut cases| cases.next());
    on_all_threads(device, deadline, &next)
}

/// Runs the random programs from seed 0 on, on all of the host's threads, until `deadline` or so many.
pub fn run_random(programs: u64, device: &dyn Executor, deadline: Instant) -> Outcome {
    let seeds = AtomicU64::new(0);
    let dtypes = device.target().capabilities().dtypes.clone();
    let next = || {
        let seed = seeds.fetch_add(1, Ordering::Relaxed);
        (seed < programs).then(|| (format!("seed {seed}"), generate_of(seed, &dtypes).0))
    };
    on_all_threads(device, deadline, &next)
}

fn on_all_threads(
    device: &dyn Executor,
    deadline: Instant,
    next: &(impl Fn() -> Option<(String, Case)> + Sync),
) -> Outcome {
    let outcome = Mutex::new(Outcome::default());
    let is_over = AtomicBool::new(false);
    let work = || {
        while !is_over.load(Ordering::Relaxed) && Instant::now() < deadline {
            let Some((name, case)) = next() else { break };
            let wrong = check(&case, device).err().map(|error| format!("{name}: {error}"));
            let Ok(mut outcome) = outcome.lock() else { break };
            outcome.ran += 1;
            outcome.wrong.extend(wrong);
            // A device that is broken or lost gives the same answer to all that is left.
            is_over.fetch_or(outcome.wrong.len() >= ENOUGH, Ordering::Relaxed);
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    outcome.into_inner().unwrap_or_default()
}

/// So many wrong programs end a part.
const ENOUGH: usize = 20;
