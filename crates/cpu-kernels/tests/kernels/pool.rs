//! The pool: every task runs once, whoever calls, parks, panics or nests.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use warploom_cpu_kernels::pool::Pool;

/// Runs `tasks` tasks and checks that each ran exactly once.
fn check(pool: &Pool, tasks: usize) {
    let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
    pool.run(tasks, &|i, worker| {
        assert!(worker < pool.threads());
        counts[i].fetch_add(1, Ordering::Relaxed);
    });
    assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
}

#[test]
fn every_task_runs_once() {
    for threads in [0, 1, 2, 3, 7] {
        let pool = Pool::new(threads);
        assert_eq!(pool.threads(), threads.max(1));
        for round in 0..3000 {
            check(&pool, round % 23);
        }
    }
}

#[test]
fn results_are_visible_after_the_run() {
    let pool = Pool::new(3);
    let mut values = vec![0u64; 64];
    for round in 0..20_000u64 {
        let base = values.as_mut_ptr() as usize;
        pool.run(64, &|i, _| {
            // SAFETY: each task writes one element of its own.
            unsafe { *(base as *mut u64).add(i) += round };
        });
    }
    assert!(values.iter().all(|&value| value == 19_999 * 20_000 / 2));
}

#[test]
fn parked_workers_wake() {
    let pool = Pool::new(2);
    for round in 0..40 {
        thread::sleep(Duration::from_micros(if round % 2 == 0 { 40 } else { 300 }));
        let both = AtomicUsize::new(0);
        pool.run(2, &|_, _| {
            both.fetch_add(1, Ordering::Relaxed);
            let start = Instant::now();
            while both.load(Ordering::Relaxed) < 2 && start.elapsed() < Duration::from_secs(10) {
                thread::yield_now();
            }
            assert_eq!(both.load(Ordering::Relaxed), 2, "the parked worker did not come");
        });
    }
}

#[test]
fn nested_runs_are_inline() {
    let pool = Pool::new(3);
    for _ in 0..300 {
        let sum = AtomicUsize::new(0);
        pool.run(6, &|_, _| {
            pool.run(5, &|i, worker| {
                assert_eq!(worker, 0);
                sum.fetch_add(i, Ordering::Relaxed);
            });
        });
        assert_eq!(sum.into_inner(), 60);
    }
}

#[test]
fn concurrent_callers_are_served() {
    let pool = Pool::new(2);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..3000).for_each(|round| check(&pool, round % 7)));
        }
    });
}

#[test]
fn a_panic_reaches_the_caller() {
    let pool = Pool::new(3);
    for round in 0..200 {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.run(9, &|i, _| {
                if i == round % 9 {
                    resume_unwind(Box::new(round));
                }
            });
        }));
        assert_eq!(*caught.unwrap_err().downcast::<usize>().unwrap(), round);
        check(&pool, 9);
    }
}

#[test]
fn every_task_may_panic() {
    let pool = Pool::new(4);
    for _ in 0..200 {
        let run = || pool.run(32, &|_, _| resume_unwind(Box::new(())));
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    }
    check(&pool, 100);
}

#[test]
fn dropping_joins() {
    for round in 0..200 {
        let pool = Pool::new(1 + round % 4);
        if round % 3 > 0 {
            check(&pool, round % 5);
        }
        if round % 20 == 0 {
            thread::sleep(Duration::from_micros(200));
        }
    }
}
