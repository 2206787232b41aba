//! Futures that need no runtime.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The result of a future of wgpu. Outside browsers they are ready when they are made.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}
