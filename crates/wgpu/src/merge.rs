//! Writes part of a word: a kernel of one invocation, since copies move whole words.

use std::sync::OnceLock;

use warploom_device::{DeviceError, Token};

use crate::context::Context;
use crate::memory::buffer;
use crate::pipelines::{Layout, Pipeline, compile};

/// `mask` and where source and destination lie within what is bound.
const SOURCE: &str = "\
@group(0) @binding(0) var<storage, read_write> destination: array<u32>;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read> what: array<u32>;

@compute @workgroup_size(1)
fn kernel_main() {
    let mask = what[0];
    destination[what[1]] = (destination[what[1]] & ~mask) | (source[what[2]] & mask);
}
";

/// Where a word is written in part.
pub(crate) struct Merge<'a> {
    pub destination: &'a wgpu::Buffer,
    /// In bytes, of the word.
    pub offset: usize,
    /// The bits that are written.
    pub mask: u32,
}

/// The kernel, made at its first use.
#[derive(Default)]
pub(crate) struct Merger(OnceLock<Pipeline>);

impl Merger {
    /// Writes bits of the host.
    pub(crate) fn write(&self, context: &Context, merge: Merge<'_>, bits: u32) -> Result<Token, DeviceError> {
        let source = context.scoped("memory to stage an upload", 4, || {
            let source = buffer(&context.device, 4);
            context.queue.write_buffer(&source, 0, &bits.to_le_bytes());
            source
        })?;
        self.run(context, merge, &source, 0)
    }

    /// Writes bits of the same word of another buffer.
    pub(crate) fn copy(
        &self,
        context: &Context,
        merge: Merge<'_>,
        source: &wgpu::Buffer,
    ) -> Result<Token, DeviceError> {
        let offset = merge.offset;
        self.run(context, merge, source, offset)
    }

    fn run(
        &self,
        context: &Context,
        merge: Merge<'_>,
        source: &wgpu::Buffer,
        source_offset: usize,
    ) -> Result<Token, DeviceError> {
        let pipeline = match self.0.get() {
            Some(pipeline) => pipeline,
            None => {
                let made =
                    compile(context, "merge", SOURCE, &Layout::new(context, &[true, false, false])?, None)?;
                self.0.get_or_init(|| made)
            }
        };
        let alignment = context.adapter.limits.alignment;
        let index = |offset: usize| (offset % alignment / 4) as u32;
        let what = [merge.mask, index(merge.offset), index(source_offset)].map(u32::to_le_bytes);
        context.scoped("to write part of a word", 0, || {
            let parameters = buffer(&context.device, 12);
            context.queue.write_buffer(&parameters, 0, what.as_flattened());
            let resources = [
                window(merge.destination, merge.offset, alignment),
                window(source, source_offset, alignment),
                window(&parameters, 8, alignment),
            ];
            let group = pipeline.bind(&context.device, resources);
            let mut encoder = context.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline.pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(1, 1, 1);
            drop(pass);
            context.submit([encoder.finish()])
        })
    }
}

/// What is bound to see the word at `offset`.
fn window(buffer: &wgpu::Buffer, offset: usize, alignment: usize) -> wgpu::BindingResource<'_> {
    let start = offset / alignment * alignment;
    let size = wgpu::BufferSize::new((offset - start + 4) as u64);
    wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: start as u64, size })
}
