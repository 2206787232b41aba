//! The machine's multiply-add rate, against which kernels are measured.

use std::hint::black_box;
use std::time::Instant;

use warploom_cpu_kernels::isa::Isa;
use warploom_cpu_kernels::pool::Pool;

/// Steps of one task, about 10 µs, and tasks per thread: handed out like a kernel's.
const STEPS: usize = 2_500;
const TASKS: usize = 8;

/// Seconds per call.
pub fn seconds(repeats: usize, call: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..repeats {
        call();
    }
    start.elapsed().as_secs_f64() / repeats as f64
}

/// GFLOP/s of f32 multiply-adds that never leave the registers, on all threads of the pool.
pub fn ceiling(pool: &Pool) -> f64 {
    let tasks = TASKS * pool.threads();
    let elapsed = seconds(1, &mut || pool.run(tasks, &|_, _| registers()));
    2.0 * (tasks * STEPS * CHAINS * lanes()) as f64 / elapsed * 1e-9
}

/// Independent chains: more than the latency of a multiply-add times the number of its units.
const CHAINS: usize = 12;

fn lanes() -> usize {
    match Isa::current() {
        Isa::Avx512 => 16,
        Isa::Avx2 => 8,
        Isa::Portable => 4,
    }
}

fn registers() {
    match Isa::current() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instruction set was detected.
        Isa::Avx512 => unsafe { registers_avx512() },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instruction set was detected.
        Isa::Avx2 => unsafe { registers_avx2() },
        _ => registers_portable(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn registers_avx512() {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_set1_ps};
    let (factor, term) = (_mm512_set1_ps(black_box(1.000_000_1)), _mm512_set1_ps(black_box(1e-9)));
    let mut sums: [_; CHAINS] = std::array::from_fn(|i| _mm512_set1_ps(i as f32));
    for _ in 0..STEPS {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, factor, term);
        }
    }
    black_box(sums);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn registers_avx2() {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps};
    let (factor, term) = (_mm256_set1_ps(black_box(1.000_000_1)), _mm256_set1_ps(black_box(1e-9)));
    let mut sums: [_; CHAINS] = std::array::from_fn(|i| _mm256_set1_ps(i as f32));
    for _ in 0..STEPS {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(*sum, factor, term);
        }
    }
    black_box(sums);
}

fn registers_portable() {
    let (factor, term) = (black_box(1.000_000_1f32), black_box(1e-9f32));
    let mut sums = [[1.0f32; 4]; CHAINS];
    for _ in 0..STEPS {
        for sum in &mut sums {
            for lane in sum {
                *lane = if cfg!(target_arch = "aarch64") {
                    lane.mul_add(factor, term)
                } else {
                    *lane * factor + term
                };
            }
        }
    }
    black_box(sums);
}
