//! What the driver gives out, freed when it is dropped.

use std::ffi::{CString, c_void};
use std::sync::Arc;

use cudarc::driver::sys::{
    CUevent, CUevent_flags, CUfunction, CUfunction_attribute, CUgraphExec, CUmodule, CUstream,
    CUstream_flags, CUstreamCaptureMode,
};
use warploom_device::DeviceError;

use super::{Api, Device};

macro_rules! handle {
    ($($name:ident),*) => {$(
        // SAFETY: the driver's handles may be used and freed from any thread.
        unsafe impl Send for $name {}
        // SAFETY: several threads may use a handle at once.
        unsafe impl Sync for $name {}
    )*};
}
handle!(Stream, Event, Pinned, Module, Graph);

/// A queue of work, in order, beside others.
pub(crate) struct Stream {
    device: Arc<Device>,
    pub raw: CUstream,
}

impl Stream {
    pub(crate) fn new(device: &Arc<Device>) -> Result<Stream, DeviceError> {
        let api = device.enter()?;
        let mut raw = std::ptr::null_mut();
        let flags = CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
        // SAFETY: `raw` is written to.
        device.done("a stream", unsafe { (api.stream_create)(&raw mut raw, flags) })?;
        Ok(Stream { device: device.clone(), raw })
    }

    /// Records what `work` queues on this stream, without running it, and makes it ready to launch.
    pub(crate) fn capture(
        &self,
        work: impl FnOnce(&Api, CUstream) -> Result<(), DeviceError>,
    ) -> Result<Graph, DeviceError> {
        let device = &self.device;
        let api = device.enter()?;
        // Libraries load their kernels and set their attributes when they are first called, which other modes refuse.
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED as u32;
        // SAFETY: the stream is captured by this thread alone, which holds its lock.
        device.done("to record a launch", unsafe { (api.capture_begin)(self.raw, mode) })?;
        let worked = work(api, self.raw);
        let mut graph = std::ptr::null_mut();
        // SAFETY: the capture that was begun above; `graph` is written to.
        let ended = unsafe { (api.capture_end)(self.raw, &raw mut graph) };
        let mut raw = std::ptr::null_mut();
        let made = worked.and_then(|()| device.done("to record a launch", ended)).and_then(|()| {
            // SAFETY: `graph` is what the capture gave; `raw` is written to.
            device.done("a recorded launch", unsafe { (api.graph_instantiate)(&raw mut raw, graph, 0) })
        });
        if !graph.is_null() {
            // SAFETY: given by the capture and used by nothing after this.
            device.free(|api| unsafe { (api.graph_destroy)(graph) });
        }
        made.map(|()| Graph { device: device.clone(), raw })
    }

    /// Returns when nothing is left in the queue.
    pub(crate) fn synchronize(&self) -> Result<(), DeviceError> {
        let api = self.device.enter()?;
        // SAFETY: the stream lives.
        self.device.done("to finish its work", unsafe { (api.stream_synchronize)(self.raw) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: made by `new`; the driver finishes what is queued.
        self.device.free(|api| unsafe { (api.stream_destroy)(self.raw) });
    }
}

/// A place in a queue that can be waited for.
pub(crate) struct Event {
    device: Arc<Device>,
    pub raw: CUevent,
}

impl Event {
    pub(crate) fn new(device: &Arc<Device>) -> Result<Event, DeviceError> {
        Event::with(device, CUevent_flags::CU_EVENT_DISABLE_TIMING as u32)
    }

    /// One that notes when it passes.
    pub(crate) fn timed(device: &Arc<Device>) -> Result<Event, DeviceError> {
        Event::with(device, CUevent_flags::CU_EVENT_DEFAULT as u32)
    }

    fn with(device: &Arc<Device>, flags: u32) -> Result<Event, DeviceError> {
        let api = device.enter()?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: `raw` is written to.
        device.done("an event", unsafe { (api.event_create)(&raw mut raw, flags) })?;
        Ok(Event { device: device.clone(), raw })
    }

    /// Puts it behind all that is queued.
    pub(crate) fn record(&self, stream: CUstream) -> Result<(), DeviceError> {
        let api = self.device.enter()?;
        // SAFETY: both live.
        self.device.done("to mark its work", unsafe { (api.event_record)(self.raw, stream) })
    }

    /// Lets what is queued next on a stream, also one of another device, wait for it.
    pub(crate) fn hold(&self, device: &Device, stream: CUstream) -> Result<(), DeviceError> {
        let api = device.enter()?;
        // SAFETY: both live; the stream is the device's.
        device.done("to order its queues", unsafe { (api.stream_wait)(stream, self.raw, 0) })
    }

    /// Milliseconds from another event to this; both are timed and have passed.
    pub(crate) fn since(&self, earlier: &Event) -> Result<f32, DeviceError> {
        let api = self.device.enter()?;
        let mut milliseconds = 0.0;
        // SAFETY: both live; the number is written to.
        let answer = unsafe { (api.event_elapsed)(&raw mut milliseconds, earlier.raw, self.raw) };
        self.device.done("to tell a kernel's time", answer).map(|()| milliseconds)
    }

    /// Returns when all before its place is done.
    pub(crate) fn wait(&self) -> Result<(), DeviceError> {
        let api = self.device.enter()?;
        // SAFETY: the event lives.
        self.device.done("to finish its work", unsafe { (api.event_synchronize)(self.raw) })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: made by `new`; the driver frees it when it has passed.
        self.device.free(|api| unsafe { (api.event_destroy)(self.raw) });
    }
}

/// Memory of the host that the GPU reads and writes by itself.
pub(crate) struct Pinned {
    device: Arc<Device>,
    pub raw: *mut u8,
    bytes: usize,
}

impl Pinned {
    pub(crate) fn new(device: &Arc<Device>, bytes: usize) -> Result<Pinned, DeviceError> {
        let api = device.enter()?;
        let mut raw = std::ptr::null_mut::<c_void>();
        // Flags 0: cached by the processor, since the host reads what was downloaded.
        // SAFETY: `raw` is written to.
        device.done("memory of the host", unsafe { (api.host_allocate)(&raw mut raw, bytes, 0) })?;
        // SAFETY: as many bytes were given; whoever reads some before they are written sees zeros.
        unsafe { raw.cast::<u8>().write_bytes(0, bytes) };
        Ok(Pinned { device: device.clone(), raw: raw.cast(), bytes })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies in; nothing of the GPU's reads these bytes now.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.bytes, "{} bytes into {}", bytes.len(), self.bytes);
        // SAFETY: within the allocation, and nobody else has it.
        unsafe { self.raw.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// Copies out; the GPU has written these bytes.
    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) {
        assert!(offset + bytes.len() <= self.bytes, "{} bytes at {offset} of {}", bytes.len(), self.bytes);
        // SAFETY: within the allocation.
        unsafe { bytes.as_mut_ptr().copy_from_nonoverlapping(self.raw.add(offset), bytes.len()) };
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: made by `new`; whoever queued copies waited for them.
        self.device.free(|api| unsafe { (api.host_free)(self.raw.cast()) });
    }
}

/// A compiled kernel in the GPU's memory.
pub(crate) struct Module {
    device: Arc<Device>,
    raw: CUmodule,
    pub function: CUfunction,
}

/// What the driver says of a loaded kernel.
pub(crate) struct Usage {
    /// Of each thread.
    pub registers: u32,
    /// Bytes of each thread that lie in memory for want of registers, arrays of its own among them.
    pub local_bytes: usize,
    /// Bytes that a block shares.
    pub shared_bytes: usize,
    /// Blocks that run on a multiprocessor at once.
    pub resident_blocks: u32,
}

impl Module {
    /// What the kernel takes in blocks of so many threads.
    pub(crate) fn usage(&self, threads: u32) -> Result<Usage, DeviceError> {
        let device = &self.device;
        let api = device.enter()?;
        let attribute = |attribute: CUfunction_attribute| {
            let mut value = 0;
            // SAFETY: the function is the module's; `value` is written to.
            let answer = unsafe { (api.function_attribute)(&raw mut value, attribute as u32, self.function) };
            device.done("to describe a kernel", answer).map(|()| value.max(0) as u32)
        };
        let mut blocks = 0;
        // SAFETY: the function is the module's; `blocks` is written to.
        let answer = unsafe { (api.occupancy)(&raw mut blocks, self.function, threads as i32, 0) };
        device.done("to describe a kernel", answer)?;
        Ok(Usage {
            registers: attribute(CUfunction_attribute::CU_FUNC_ATTRIBUTE_NUM_REGS)?,
            local_bytes: attribute(CUfunction_attribute::CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)? as usize,
            shared_bytes: attribute(CUfunction_attribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)? as usize,
            resident_blocks: blocks.max(0) as u32,
        })
    }

    /// Loads a cubin and finds its entry point.
    pub(crate) fn load(device: &Arc<Device>, name: &str, cubin: &[u8]) -> Result<Module, DeviceError> {
        let api = device.enter()?;
        let what = format!("the compiled kernel {name}");
        let mut raw = std::ptr::null_mut();
        // SAFETY: a whole cubin, as the compiler gave it; `raw` is written to.
        device.done(&what, unsafe { (api.module_load)(&raw mut raw, cubin.as_ptr().cast()) })?;
        let mut module = Module { device: device.clone(), raw, function: std::ptr::null_mut() };
        let entry = CString::new(warploom_gpu::ENTRY).unwrap_or_default();
        // SAFETY: the module lives; the name ends in 0; `function` is written to.
        let answer = unsafe { (api.module_function)(&raw mut module.function, raw, entry.as_ptr()) };
        device.done(&what, answer)?;
        // Drivers load code when it is first asked for, which must not happen while a launch is recorded.
        let (mut registers, attribute) = (0, CUfunction_attribute::CU_FUNC_ATTRIBUTE_NUM_REGS as u32);
        // SAFETY: the function is the module's; `registers` is written to.
        let answer = unsafe { (api.function_attribute)(&raw mut registers, attribute, module.function) };
        device.done(&what, answer)?;
        Ok(module)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: made by `load`; executables wait for their launches before they let go of it.
        self.device.free(|api| unsafe { (api.module_unload)(self.raw) });
    }
}

/// A recorded launch.
pub(crate) struct Graph {
    device: Arc<Device>,
    pub raw: CUgraphExec,
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: made by `capture`; the driver frees one that runs when it is done.
        self.device.free(|api| unsafe { (api.executable_destroy)(self.raw) });
    }
}
