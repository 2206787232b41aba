//! Commands of one launch.

use crate::context::Context;
use crate::profile::Timestamps;

/// Dispatches of one submission: drivers end those that take seconds.
const MOST_DISPATCHES: usize = 10_000;

/// Writes commands, the dispatches of a submission in one pass unless each is timed.
pub(crate) struct Recorder<'a> {
    context: &'a Context,
    timestamps: Option<&'a Timestamps>,
    encoder: wgpu::CommandEncoder,
    pass: Option<wgpu::ComputePass<'static>>,
    /// Dispatches so far, those of earlier submissions among them.
    dispatches: usize,
    finished: Vec<wgpu::CommandBuffer>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(context: &'a Context, timestamps: Option<&'a Timestamps>) -> Recorder<'a> {
        let encoder = context.device.create_command_encoder(&Default::default());
        Recorder { context, timestamps, encoder, pass: None, dispatches: 0, finished: Vec::new() }
    }

    pub(crate) fn dispatch(
        &mut self,
        pipeline: &wgpu::ComputePipeline,
        group: &wgpu::BindGroup,
        [x, y, z]: [u32; 3],
    ) {
        if self.dispatches > 0 && self.dispatches.is_multiple_of(MOST_DISPATCHES) {
            self.pass = None;
            let next = self.context.device.create_command_encoder(&Default::default());
            self.finished.push(std::mem::replace(&mut self.encoder, next).finish());
        }
        let (encoder, ordinal) = (&mut self.encoder, self.dispatches);
        let pass = match self.timestamps {
            None => self
                .pass
                .get_or_insert_with(|| encoder.begin_compute_pass(&Default::default()).forget_lifetime()),
            Some(timestamps) => {
                self.pass = None;
                let timestamp_writes = Some(timestamps.around(ordinal));
                let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
                self.pass.insert(encoder.begin_compute_pass(&descriptor).forget_lifetime())
            }
        };
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, group, &[]);
        pass.dispatch_workgroups(x, y, z);
        self.dispatches += 1;
    }

    /// For commands that are no dispatches.
    pub(crate) fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        &mut self.encoder
    }

    /// One for each submission.
    pub(crate) fn finish(mut self) -> Vec<wgpu::CommandBuffer> {
        self.pass = None;
        self.finished.push(self.encoder.finish());
        self.finished
    }
}
