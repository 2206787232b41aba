//! How near matrix products come to the machine's multiply-add rate, measured in turns in the same run.
//!
//! `cargo run --release -p warploom-cpu --example gemm_rate [-- threads]`

mod ceiling;

use std::fmt::{self, Display, Formatter};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};

use ceiling::{ceiling, seconds};
use warploom_cpu_kernels::gemm::{Element, Gemm, Matrix, Output, Right, Shape};
use warploom_cpu_kernels::isa::Isa;
use warploom_cpu_kernels::pool::Pool;

/// Rounds of ceiling, product, ceiling; a product is repeated for about `ROUND_SECONDS`. Rounds are short, because what
/// a shared machine gives changes within milliseconds.
const ROUNDS: usize = 201;
const ROUND_SECONDS: f64 = 0.000_5;

/// Which operands lie transposed in memory.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    TransposedA,
    TransposedB,
}

/// m, n, k and the form: a dense network's steps at batch 128, the first model of most tutorials, inference, squares.
const SHAPES: [(usize, usize, usize, Form); 22] = [
    (128, 512, 784, Form::Plain),
    (128, 512, 784, Form::TransposedB),
    (784, 512, 128, Form::TransposedA),
    (128, 512, 512, Form::Plain),
    (128, 512, 512, Form::TransposedB),
    (512, 512, 128, Form::TransposedA),
    (128, 10, 512, Form::Plain),
    (128, 10, 512, Form::TransposedB),
    (512, 10, 128, Form::TransposedA),
    (128, 512, 10, Form::TransposedB),
    (32, 64, 64, Form::Plain),
    (100, 1, 10, Form::Plain),
    (10, 1, 100, Form::TransposedA),
    (1, 512, 784, Form::Plain),
    (1, 512, 784, Form::TransposedB),
    (1, 512, 512, Form::TransposedB),
    (1, 10, 512, Form::TransposedB),
    (512, 512, 512, Form::Plain),
    (1024, 1024, 1024, Form::Plain),
    (1024, 1024, 1024, Form::TransposedB),
    (1024, 1024, 1024, Form::TransposedA),
    (2048, 2048, 2048, Form::Plain),
];

fn main() {
    let asked = std::env::args().nth(1).and_then(|threads| threads.parse().ok());
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let pool = Pool::new(asked.unwrap_or(cores));
    println!(
        "{} with {} threads; rates in GFLOP/s, median and (best)\n",
        Isa::current().name(),
        pool.threads()
    );
    println!(
        "| type | m | n | k | transposed | time, µs | product | ceiling | % in turns, median | % best of best |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    table::<f32>(&pool, "f32", &SHAPES, |value| value as f32);
    table::<f64>(&pool, "f64", &SHAPES[17..18], |value| value);
    println!("\na run in which every thread takes part: {:.2} µs", dispatch_seconds(&pool) * 1e6);
}

fn table<T: Element>(pool: &Pool, name: &str, shapes: &[(usize, usize, usize, Form)], value: fn(f64) -> T) {
    for &(m, n, k, form) in shapes {
        let mut product = product(pool, Shape { m, n, k }, form, value);
        let once = seconds(1, &mut product);
        let repeats = ((ROUND_SECONDS / once.max(1e-8)) as usize).max(1);
        let flops = 2.0 * (m * n * k) as f64;
        let mut before = ceiling(pool);
        let (mut ceilings, mut rates, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let rate = flops / seconds(repeats, &mut product) * 1e-9;
            let after = ceiling(pool);
            let around = (before + after) / 2.0 * 4.0 / size_of::<T>() as f64;
            ceilings.push(around);
            rates.push(rate);
            shares.push(100.0 * rate / around);
            before = after;
        }
        let [rate, ceiling, share] = [rates, ceilings, shares].map(Summary::of);
        let transposed = match form {
            Form::Plain => "",
            Form::TransposedA => "A",
            Form::TransposedB => "B",
        };
        println!(
            "| {name} | {m} | {n} | {k} | {transposed} | {:.2} ({:.2}) | {rate} | {ceiling} | {:.1} | {:.1} |",
            flops / rate.median * 1e-3,
            flops / rate.best * 1e-3,
            share.median,
            100.0 * rate.best / ceiling.best,
        );
    }
}

/// Of the rounds' values.
struct Summary {
    median: f64,
    best: f64,
}

impl Summary {
    fn of(mut values: Vec<f64>) -> Summary {
        values.sort_by(f64::total_cmp);
        Summary { median: values[values.len() / 2], best: values[values.len() - 1] }
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ({:.1})", self.median, self.best)
    }
}

/// A closure that computes the product once.
fn product<T: Element>(pool: &Pool, shape: Shape, form: Form, value: fn(f64) -> T) -> impl FnMut() {
    let Shape { m, n, k } = shape;
    let fill = |count: usize| (0..count).map(|i| value((i % 17) as f64 - 8.0)).collect::<Vec<T>>();
    let (a, b, mut c) = (fill(m * k + 16), fill(k * n + 16), fill(m * n + 16));
    let gemm = Gemm::<T>::new(shape, 1, pool.threads());
    let mut workspace = vec![0u8; gemm.workspace_bytes() + 64];
    move || {
        let (m, n, k) = (m as isize, n as isize, k as isize);
        let (a_row, a_column) = if matches!(form, Form::TransposedA) { (1, m) } else { (k, 1) };
        let (b_row, b_column) = if matches!(form, Form::TransposedB) { (1, k) } else { (n, 1) };
        let (a, b) = (&a[a.as_ptr().align_offset(64)..], &b[b.as_ptr().align_offset(64)..]);
        let aligned = c.as_ptr().align_offset(64);
        let c = &mut c[aligned..];
        let output = Output::Store { c: Matrix::new(c.as_mut_ptr(), n, 1), accumulate: false };
        let aligned = workspace.as_ptr().align_offset(64);
        // SAFETY: the vectors hold the matrices, and the workspace what the plan asks.
        unsafe {
            gemm.run(
                pool,
                Matrix::new(a.as_ptr(), a_row, a_column),
                Right::Strided(Matrix::new(b.as_ptr(), b_row, b_column)),
                &output,
                workspace[aligned..].as_mut_ptr(),
            );
        }
    }
}

/// Seconds for a run in which every thread of the pool takes part and does nothing else.
fn dispatch_seconds(pool: &Pool) -> f64 {
    let mut run = || {
        let come = AtomicUsize::new(0);
        pool.run(pool.threads(), &|_, _| {
            come.fetch_add(1, Ordering::AcqRel);
            while come.load(Ordering::Acquire) < pool.threads() {
                spin_loop();
            }
        });
    };
    Summary::of((0..ROUNDS).map(|_| seconds(20, &mut run)).collect()).median
}
