//! Kernels compiled: one pipeline for each source, shared by all programs that use it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;
use std::{panic::resume_unwind, thread};

use warploom_device::DeviceError;
use warploom_gpu::{Dispatch, ENTRY};

use crate::context::Context;
use crate::pipeline_cache::PipelineCache;
use crate::ready::ready;

/// A compiled kernel and how its arguments are bound.
pub(crate) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroupLayout,
}

impl Pipeline {
    /// Arguments in order.
    pub(crate) fn bind<'a>(
        &self,
        device: &wgpu::Device,
        resources: impl IntoIterator<Item = wgpu::BindingResource<'a>>,
    ) -> wgpu::BindGroup {
        let entry = |(binding, resource)| wgpu::BindGroupEntry { binding, resource };
        let entries: Vec<_> = (0..).zip(resources).map(entry).collect();
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.group,
            entries: &entries,
        })
    }
}

/// How a kernel's arguments are bound: by which of them are writable.
#[derive(Clone)]
pub(crate) struct Layout {
    group: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

impl Layout {
    pub(crate) fn new(context: &Context, writable: &[bool]) -> Result<Layout, DeviceError> {
        let entry = |(binding, writable): (u32, &bool)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: !writable },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let entries: Vec<_> = (0..).zip(writable).map(entry).collect();
        context.scoped("a kernel's arguments", 0, || {
            let descriptor = wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries };
            let group = context.device.create_bind_group_layout(&descriptor);
            let pipeline = context.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: &[Some(&group)],
                immediate_size: 0,
            });
            Layout { group, pipeline }
        })
    }
}

/// A kernel's source and which of its arguments are writable.
type Key = (String, Vec<bool>);

fn key(kernel: &Dispatch) -> Key {
    (kernel.source.clone(), kernel.arguments.iter().map(|argument| argument.writable).collect())
}

/// The pipelines of one device.
pub(crate) struct Pipelines {
    context: Arc<Context>,
    /// Pipelines live as long as a program that uses them.
    known: Mutex<HashMap<Key, Weak<Pipeline>>>,
    layouts: Mutex<HashMap<Vec<bool>, Layout>>,
    cache: Option<PipelineCache>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipelines {
    pub(crate) fn new(context: Arc<Context>) -> Pipelines {
        let cache = PipelineCache::open(&context);
        Pipelines { context, known: Mutex::default(), layouts: Mutex::default(), cache }
    }

    /// The pipeline of each kernel. Those that are not there are compiled, several at once.
    ///
    /// # Errors
    /// Of the first kernel, in order, that is rejected.
    pub(crate) fn get(&self, kernels: &[&Dispatch]) -> Result<Vec<Arc<Pipeline>>, DeviceError> {
        let keys: Vec<Key> = kernels.iter().map(|kernel| key(kernel)).collect();
        let mut found: HashMap<&Key, Arc<Pipeline>> = HashMap::new();
        let mut missing: Vec<(&Key, &Dispatch)> = Vec::new();
        for (key, kernel) in keys.iter().zip(kernels) {
            match lock(&self.known).get(key).and_then(Weak::upgrade) {
                Some(pipeline) => drop(found.insert(key, pipeline)),
                None if missing.iter().any(|(other, _)| *other == key) => {}
                None => missing.push((key, kernel)),
            }
        }
        for ((key, _), made) in missing.iter().zip(self.compile_all(&missing)) {
            let made = Arc::new(made?);
            self.remember(key, &made);
            found.insert(key, made);
        }
        Ok(keys.iter().map(|key| found[key].clone()).collect())
    }

    /// Compiles on as many threads as there are cores, since drivers take from milliseconds to seconds for a kernel.
    fn compile_all(&self, kernels: &[(&Key, &Dispatch)]) -> Vec<Result<Pipeline, DeviceError>> {
        let start = Instant::now();
        let threads = thread::available_parallelism().map_or(1, |cores| cores.get()).min(kernels.len());
        let cache = self.cache.as_ref().map(PipelineCache::handle);
        let compile = |(key, kernel): &(&Key, &Dispatch)| {
            compile(&self.context, &kernel.name, &kernel.source, &self.layout(&key.1)?, cache)
        };
        let made = if threads < 2 {
            kernels.iter().map(compile).collect()
        } else {
            let parts = kernels.chunks(kernels.len().div_ceil(threads));
            thread::scope(|scope| {
                let started: Vec<_> =
                    parts.map(|part| scope.spawn(|| part.iter().map(compile).collect::<Vec<_>>())).collect();
                let finished = started.into_iter().map(|thread| thread.join());
                finished.flat_map(|made| made.unwrap_or_else(|panic| resume_unwind(panic))).collect()
            })
        };
        if let Some(cache) = self.cache.as_ref().filter(|_| !kernels.is_empty()) {
            cache.compiled(start.elapsed());
        }
        made
    }

    fn remember(&self, key: &Key, pipeline: &Arc<Pipeline>) {
        let mut known = lock(&self.known);
        if known.len() == known.capacity() {
            known.retain(|_, pipeline| pipeline.strong_count() > 0);
        }
        known.insert(key.clone(), Arc::downgrade(pipeline));
    }

    fn layout(&self, writable: &[bool]) -> Result<Layout, DeviceError> {
        if let Some(layout) = lock(&self.layouts).get(writable) {
            return Ok(layout.clone());
        }
        let layout = Layout::new(&self.context, writable)?;
        lock(&self.layouts).insert(writable.to_vec(), layout.clone());
        Ok(layout)
    }
}

/// Compiles a kernel.
pub(crate) fn compile(
    context: &Context,
    name: &str,
    source: &str,
    layout: &Layout,
    cache: Option<&wgpu::PipelineCache>,
) -> Result<Pipeline, DeviceError> {
    let mut messages = Vec::new();
    let compiled = context.scoped("a kernel", 0, || {
        let module = context.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        messages = ready(module.get_compilation_info()).messages;
        if !messages.is_empty() {
            return None;
        }
        let descriptor = wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&layout.pipeline),
            module: &module,
            entry_point: Some(ENTRY),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Kernels write what they share before they read it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache,
        };
        Some(context.device.create_compute_pipeline(&descriptor))
    });
    if let Some(message) = messages.first() {
        return Err(DeviceError::Unsupported(rejection(name, source, message)));
    }
    match compiled {
        Ok(Some(pipeline)) => Ok(Pipeline { pipeline, group: layout.group.clone() }),
        Ok(None) => Err(DeviceError::Unsupported(format!("kernel {name} is rejected without a message"))),
        Err(DeviceError::Failed(text)) => Err(DeviceError::Unsupported(format!("kernel {name}: {text}"))),
        Err(other) => Err(other),
    }
}

/// Lines shown around the place that a message points at.
const AROUND: usize = 3;

fn rejection(name: &str, source: &str, message: &wgpu::CompilationMessage) -> String {
    let text = message.message.trim();
    let Some(place) = message.location else {
        return format!("kernel {name} is rejected by its compiler: {text}");
    };
    let line = place.line_number as usize;
    let column = place.line_position;
    let mut report =
        format!("kernel {name} is rejected by its compiler at line {line}, column {column}: {text}");
    let first = line.saturating_sub(AROUND + 1);
    for (number, content) in (1..).zip(source.lines()).skip(first).take(2 * AROUND + 1) {
        let mark = if number == line { '>' } else { ' ' };
        report.push_str(&format!("\n{mark}{number:5} | {content}"));
    }
    report
}
