//! What each kernel of a launch takes, while a timeline is collected: kernels are queued one by one with an event between, since
//! events in a recorded launch would slow all others.

use std::time::{Duration, Instant};

use cudarc::driver::sys::CUstream;
use warploom_device::DeviceError;
use warploom_trace::{self as trace, Track};

use crate::context::Context;
use crate::driver::Event;
use crate::prepare::{Part, Prepared};

/// The events of one launch.
pub(crate) struct Timers {
    /// Positions of nodes, in order.
    order: Vec<usize>,
    /// One before each node and one behind the last.
    events: Vec<Event>,
    begun: Instant,
}

impl Timers {
    /// Timers for a launch while a timeline is collected. A launch of more than one recording is shown whole, as thousands of
    /// kernels would not be told apart.
    pub(crate) fn new(context: &Context, prepared: &Prepared) -> Result<Option<Timers>, DeviceError> {
        let [Part::Recording(position)] = prepared.parts[..] else { return Ok(None) };
        if !trace::is_on() {
            return Ok(None);
        }
        let order = prepared.recordings[position].clone();
        let events = (0..=order.len()).map(|_| Event::timed(&context.device));
        Ok(Some(Timers { events: events.collect::<Result<_, _>>()?, order, begun: Instant::now() }))
    }

    /// Queues all nodes by `queue`.
    pub(crate) fn run(
        &self,
        stream: CUstream,
        queue: impl Fn(usize) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        for (node, event) in self.order.iter().zip(&self.events) {
            event.record(stream)?;
            queue(*node)?;
        }
        self.events.last().map_or(Ok(()), |event| event.record(stream))
    }

    /// Notes what the nodes took, once they are done. The device's clock is not the host's: the first is shown where the launch
    /// began.
    pub(crate) fn note(&self, names: &[String]) -> Result<(), DeviceError> {
        let Some((first, others)) = self.events.split_first() else { return Ok(()) };
        let mut start = Duration::ZERO;
        for (node, event) in self.order.iter().zip(others) {
            let end = Duration::from_secs_f64(f64::from(event.since(first)?.max(0.0)) / 1e3).max(start);
            trace::note(Track::Device, names[*node].clone(), self.begun + start, end - start, None);
            start = end;
        }
        Ok(())
    }
}
