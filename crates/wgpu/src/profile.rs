//! How long each kernel takes, by the device's own clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use warploom_device::DeviceError;

use crate::context::Context;
use crate::transfer::read_through;

/// One dispatch and when it ran.
#[derive(Clone, PartialEq, Debug)]
pub struct Timing {
    /// The kernel's name.
    pub name: String,
    /// Seconds from the launch's first dispatch to this one.
    pub start: f64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Whether launches are timed, and what those took that were.
#[derive(Default)]
pub(crate) struct Profile {
    pub is_on: AtomicBool,
    pub timings: Mutex<Vec<Timing>>,
}

impl Profile {
    /// Whether launches are to be timed.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_on.load(Ordering::Relaxed) || warploom_trace::is_on()
    }

    /// Keeps a timing for who asked.
    pub(crate) fn add(&self, timing: Timing) {
        if self.is_on.load(Ordering::Relaxed) {
            self.timings.lock().unwrap_or_else(PoisonError::into_inner).push(timing);
        }
    }
}

/// Bytes of a timestamp.
const TICK: u64 = 8;

/// Dispatches of one query set: two queries each.
const OF_A_SET: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

/// Timestamps around the dispatches of one launch.
pub(crate) struct Timestamps {
    sets: Vec<wgpu::QuerySet>,
    dispatches: usize,
}

impl Timestamps {
    /// Whether the device has them.
    pub(crate) fn exist(context: &Context) -> bool {
        context.device.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    pub(crate) fn new(context: &Context, dispatches: usize) -> Result<Timestamps, DeviceError> {
        let set = |_| {
            context.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: wgpu::QUERY_SET_MAX_QUERIES,
            })
        };
        let count = dispatches.div_ceil(OF_A_SET);
        let sets = context.scoped("timestamps", 0, || (0..count).map(set).collect())?;
        Ok(Timestamps { sets, dispatches })
    }

    pub(crate) fn around(&self, ordinal: usize) -> wgpu::ComputePassTimestampWrites<'_> {
        let first = 2 * (ordinal % OF_A_SET) as u32;
        wgpu::ComputePassTimestampWrites {
            query_set: &self.sets[ordinal / OF_A_SET],
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        }
    }

    /// Start and duration of each dispatch in seconds, after the launch was submitted.
    pub(crate) fn read(&self, context: &Context) -> Result<Vec<(f64, f64)>, DeviceError> {
        let mut ticks: Vec<u64> = Vec::with_capacity(2 * self.dispatches);
        for (i, set) in self.sets.iter().enumerate() {
            let count = 2 * (self.dispatches - i * OF_A_SET).min(OF_A_SET);
            ticks.extend(read_set(context, set, count as u32)?);
        }
        let period = f64::from(context.queue.get_timestamp_period()) * 1e-9;
        let first = ticks.first().copied().unwrap_or(0);
        let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 * period;
        Ok(ticks.chunks_exact(2).map(|pair| (seconds(first, pair[0]), seconds(pair[0], pair[1]))).collect())
    }
}

fn read_set(context: &Context, set: &wgpu::QuerySet, count: u32) -> Result<Vec<u64>, DeviceError> {
    let size = TICK * u64::from(count);
    let make = |usage| wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
    let (resolved, reader) = context.scoped("memory for timestamps", size as usize, || {
        let resolve = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let read = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        (context.device.create_buffer(&make(resolve)), context.device.create_buffer(&make(read)))
    })?;
    let submit = || {
        let mut encoder = context.device.create_command_encoder(&Default::default());
        encoder.resolve_query_set(set, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &reader, 0, size);
        context.submit([encoder.finish()])
    };
    read_through(context, &reader, size, submit, |bytes| {
        bytes.as_chunks::<{ TICK as usize }>().0.iter().map(|tick| u64::from_le_bytes(*tick)).collect()
    })
}
