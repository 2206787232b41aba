//! What is held, by one and by many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use warploom_device::counters::Counters;
use warploom_device::{DeviceError, Statistics};

#[test]
fn what_is_held_is_counted_until_it_is_dropped() {
    let counters = Arc::<Counters>::default();
    let (seven, first) = counters.hold(30, Some(100), || Ok(7)).unwrap();
    let ((), second) = counters.hold(70, Some(100), || Ok(())).unwrap();
    assert_eq!((seven, first.bytes(), second.bytes()), (7, 30, 70));
    drop(first);
    let ((), _third) = counters.hold(0, Some(70), || Ok(())).unwrap();
    assert_eq!((counters.launched(), counters.launched()), (1, 2));
    counters.uploaded(5);
    counters.uploaded(6);
    counters.downloaded(3);
    let expected =
        Statistics { launches: 2, live_bytes: 70, peak_bytes: 100, uploaded_bytes: 11, downloaded_bytes: 3 };
    assert_eq!(counters.read(), expected);
}

#[test]
fn what_is_refused_is_not_held_and_leaves_no_peak() {
    let counters = Arc::<Counters>::default();
    let (_, _held) = counters.hold(10, None, || Ok(())).unwrap();
    let before = counters.read();
    for (bytes, limit) in [(91, Some(100)), (usize::MAX, Some(usize::MAX)), (usize::MAX, None)] {
        let error =
            counters.hold(bytes, limit, || -> Result<(), _> { panic!("asked all the same") }).unwrap_err();
        let reason = format!("the limit is {} bytes", limit.unwrap_or(usize::MAX));
        assert_eq!(error, DeviceError::OutOfMemory { asked: bytes, held: 10, reason });
    }
    let full = |reason: &str| DeviceError::OutOfMemory { asked: 1, held: 2, reason: reason.into() };
    let error = counters.hold(50, None, || Err::<(), _>(full("the driver has none"))).unwrap_err();
    let reason = "the driver has none".to_owned();
    assert_eq!(error, DeviceError::OutOfMemory { asked: 50, held: 10, reason });
    let lost = DeviceError::Failed("lost".into());
    assert_eq!(counters.hold(50, None, || Err::<(), _>(lost.clone())).unwrap_err(), lost);
    assert_eq!(counters.read(), before);
}

/// Lets two threads go on within nanoseconds of each other, if both run.
struct Line(AtomicUsize);

impl Line {
    fn meet(&self) {
        let both = self.0.fetch_add(1, Ordering::SeqCst) / 2 * 2 + 2;
        for turn in 0.. {
            if self.0.load(Ordering::SeqCst) >= both {
                return;
            }
            if turn % 10_000 == 0 {
                thread::yield_now();
            }
        }
    }
}

#[test]
fn of_two_threads_that_race_for_the_last_bytes_one_gets_them() {
    const ROUNDS: usize = 50_000;
    let (counters, line) = (Arc::<Counters>::default(), Line(AtomicUsize::new(0)));
    let race = || {
        let mut granted = 0;
        for _ in 0..ROUNDS {
            line.meet();
            let held = counters.hold(6, Some(11), || Ok(()));
            line.meet();
            granted += usize::from(held.is_ok());
        }
        granted
    };
    let granted = thread::scope(|scope| {
        let other = scope.spawn(race);
        race() + other.join().unwrap()
    });
    assert_eq!(granted, ROUNDS);
    let Statistics { live_bytes, peak_bytes, .. } = counters.read();
    assert_eq!((live_bytes, peak_bytes), (0, 6));
}
