//! Where a program's buffers lie relative to each other, and whether accesses stay inside them.

use warploom_device::{BufferId, Class, DeviceError, IndexMap, Program, Step};
use warploom_graph::DType;

/// What a buffer's memory belongs to: class and number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Root {
    State(usize),
    Input(usize),
    Output(usize),
    Slab(usize),
    Derived(usize),
    /// A window that no loop binds: nothing can use it.
    Unbound,
}

/// The bytes that a buffer can occupy; of a window, all that it passes over.
#[derive(Clone, Copy, Debug)]
struct Span {
    root: Root,
    start: usize,
    end: usize,
    /// Bytes at any one time.
    bytes: usize,
}

/// The spans of a program's buffers.
pub(crate) struct MemoryMap(Vec<Span>);

fn broken(what: String) -> DeviceError {
    DeviceError::Unsupported(format!("malformed program: {what}"))
}

impl MemoryMap {
    /// Places every buffer, and checks that it lies inside its memory.
    pub(crate) fn new(program: &Program) -> Result<MemoryMap, DeviceError> {
        let spans = program.buffers.iter().enumerate().map(|(id, spec)| {
            let types = |types: &[warploom_graph::Type], i: usize| types.get(i).map_or(0, |ty| ty.bytes());
            let (root, start, room) = match spec.class {
                Class::State(i) => (Root::State(i), 0, types(&program.states, i)),
                Class::Input(i) => (Root::Input(i), 0, types(&program.inputs, i)),
                Class::Output(i) => (Root::Output(i), 0, types(&program.outputs, i)),
                Class::Arena { slab, offset } => {
                    (Root::Slab(slab), offset, program.slabs.get(slab).copied().unwrap_or(0))
                }
                Class::Derived(i) => (Root::Derived(i), 0, spec.bytes),
                Class::Window => (Root::Unbound, 0, spec.bytes),
            };
            let end = start + spec.bytes;
            if end > room || !start.is_multiple_of(spec.ty.dtype.bytes()) {
                return Err(broken(format!("buffer {id} takes bytes {start}..{end} of {room}")));
            }
            Ok(Span { root, start, end, bytes: spec.bytes })
        });
        let mut map = MemoryMap(spans.collect::<Result<_, _>>()?);
        map.bind_windows(program, &program.steps)?;
        Ok(map)
    }

    fn bind_windows(&mut self, program: &Program, steps: &[Step]) -> Result<(), DeviceError> {
        for step in steps {
            let Step::Loop(body) = step else { continue };
            for window in &body.windows {
                let parent = *self.span(window.parent)?;
                let bytes = self.span(window.buffer)?.bytes;
                let moved = body.iterations.saturating_sub(1) * window.stride;
                let size = program.buffer(window.buffer).ty.dtype.bytes();
                if body.iterations > 0 && moved + bytes > parent.bytes || !window.stride.is_multiple_of(size)
                {
                    return Err(broken(format!(
                        "a window passes over the end of buffer {}",
                        window.parent.0
                    )));
                }
                self.0[window.buffer.0 as usize] = Span { bytes, ..parent };
            }
            self.bind_windows(program, &body.body)?;
        }
        Ok(())
    }

    fn span(&self, id: BufferId) -> Result<&Span, DeviceError> {
        self.0.get(id.0 as usize).ok_or_else(|| broken(format!("there is no buffer {}", id.0)))
    }

    /// Whether two buffers may share bytes.
    pub(crate) fn overlap(&self, a: BufferId, b: BufferId) -> bool {
        let (a, b) = (self.0[a.0 as usize], self.0[b.0 as usize]);
        a.root == b.root && a.start < b.end && b.start < a.end
    }

    /// Bytes of a buffer at any one time.
    pub(crate) fn bytes(&self, id: BufferId) -> Result<usize, DeviceError> {
        self.check_bytes(id, 0)?;
        Ok(self.0[id.0 as usize].bytes)
    }

    /// Checks that a buffer exists and has at least `bytes` bytes.
    pub(crate) fn check_bytes(&self, id: BufferId, bytes: usize) -> Result<(), DeviceError> {
        let span = self.span(id)?;
        if span.root == Root::Unbound || span.bytes < bytes {
            return Err(broken(format!("buffer {} has {} bytes, a step uses {bytes}", id.0, span.bytes)));
        }
        Ok(())
    }

    /// Checks that a step has the `needed` bytes of scratch memory.
    pub(crate) fn check_workspace(
        &self,
        workspace: Option<BufferId>,
        needed: usize,
        step: &str,
    ) -> Result<(), DeviceError> {
        match workspace {
            Some(workspace) => self.check_bytes(workspace, needed),
            None if needed == 0 => Ok(()),
            None => {
                Err(DeviceError::Unsupported(format!("{step} has no workspace; it needs {needed} bytes")))
            }
        }
    }

    /// Checks that every element that `map` names over axes of `extents`, moved by 0 to `reach` elements, lies in the
    /// buffer.
    pub(crate) fn check_map(
        &self,
        id: BufferId,
        dtype: DType,
        map: &IndexMap,
        extents: &[usize],
        reach: i64,
    ) -> Result<(), DeviceError> {
        self.check_bytes(id, 0)?;
        let (mut low, mut high) = (map.offset + reach.min(0), map.offset + reach.max(0));
        for (axis, &extent) in extents.iter().enumerate() {
            let bounds = || map.bounds.iter().filter(|bound| bound.axis == axis);
            let start = bounds().map(|bound| bound.start).max().unwrap_or(0);
            let end = bounds().map(|bound| bound.end).min().unwrap_or(extent).min(extent);
            if start >= end {
                return Ok(());
            }
            let stride = map.strides.get(axis).copied().unwrap_or(0);
            let ends = [stride * start as i64, stride * (end as i64 - 1)];
            low += ends[0].min(ends[1]);
            high += ends[0].max(ends[1]);
        }
        let bytes = self.0[id.0 as usize].bytes as i64;
        if low < 0 || (high + 1) * dtype.bytes() as i64 > bytes {
            return Err(broken(format!(
                "elements {low}..={high} of buffer {} which has {bytes} bytes",
                id.0
            )));
        }
        Ok(())
    }
}
