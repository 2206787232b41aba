//! Indices out of range, which kernels note in memory of the executable and which are told when the launch is waited for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys::CUstream;
use warploom_device::{DeviceError, Token};
use warploom_gpu::FAULT_WORDS;

use crate::context::Context;
use crate::driver::{Api, Pinned};
use crate::memory::Block;

const BYTES: usize = 4 * FAULT_WORDS;

/// Launches of one executable whose notes may be on their way.
const SLOTS: usize = 64;

/// Where the kernels of one executable note, and how the host reads it.
pub(crate) struct Faults {
    pub words: Block,
    reader: Arc<Reader>,
}

/// Memory of the host with a slot for each launch under way.
struct Reader {
    slots: Pinned,
    free: Mutex<Vec<usize>>,
    /// Kernels by ordinal.
    kernels: Vec<String>,
}

/// The slot of one launch.
pub(crate) struct Note {
    reader: Arc<Reader>,
    slot: usize,
}

/// What the launches of one device may have noted.
#[derive(Default)]
pub(crate) struct Expected {
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    /// Not read yet, by the launch's number.
    unread: Vec<(u64, Note)>,
    /// Read and not told yet.
    found: BTreeMap<u64, DeviceError>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Faults {
    pub(crate) fn new(context: &Arc<Context>, kernels: &[String]) -> Result<Faults, DeviceError> {
        let slots = Pinned::new(&context.device, SLOTS * BYTES)?;
        let free = Mutex::new((0..SLOTS).collect());
        let reader = Arc::new(Reader { slots, free, kernels: kernels.to_vec() });
        Ok(Faults { words: Block::new(context, BYTES)?, reader })
    }

    /// A slot for a launch; where all are taken, that of the oldest once it is done.
    pub(crate) fn note(&self, context: &Context) -> Result<Note, DeviceError> {
        loop {
            let free = lock(&self.reader.free).pop();
            if let Some(slot) = free {
                return Ok(Note { reader: self.reader.clone(), slot });
            }
            let oldest = context.expected.oldest(&self.reader);
            // Without one, another thread has its slot and has not said yet for which launch.
            context.settle(oldest.unwrap_or(Token(0)))?;
            context.expected.read(oldest.unwrap_or(Token(0)));
            std::thread::yield_now();
        }
    }

    /// Ends a launch: what was noted goes to its slot, and the next launch starts clean.
    pub(crate) fn collect(
        &self,
        context: &Context,
        note: &Note,
        api: &Api,
        stream: CUstream,
    ) -> Result<(), DeviceError> {
        let device = &context.device;
        // SAFETY: the slot is within its allocation.
        let to = unsafe { self.reader.slots.raw.add(note.slot * BYTES) };
        // SAFETY: both have as many bytes; the slot is free again only when this is done.
        let answer = unsafe { (api.copy_out)(to.cast(), self.words.pointer, BYTES, stream) };
        device.done("to tell what kernels noted", answer)?;
        // SAFETY: as many bytes are allocated.
        let answer = unsafe { (api.fill_bytes)(self.words.pointer, 0, BYTES, stream) };
        device.done("to tell what kernels noted", answer)
    }
}

impl Note {
    fn read(&self) -> Option<DeviceError> {
        let mut bytes = [0; BYTES];
        self.reader.slots.read(self.slot * BYTES, &mut bytes);
        let (words, _) = bytes.as_chunks::<4>();
        let [flag, kernel, index, extent] =
            <[[u8; 4]; FAULT_WORDS]>::try_from(words).ok()?.map(u32::from_le_bytes);
        (flag != 0).then(|| DeviceError::IndexOutOfRange {
            kernel: self
                .reader
                .kernels
                .get(kernel as usize)
                .cloned()
                .unwrap_or_else(|| format!("kernel {kernel}")),
            index: i64::from(index.cast_signed()),
            extent: extent as usize,
        })
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        lock(&self.reader.free).push(self.slot);
    }
}

impl Expected {
    /// A launch was queued that writes this slot.
    pub(crate) fn add(&self, token: Token, note: Note) {
        lock(&self.notes).unread.push((token.0, note));
    }

    fn oldest(&self, reader: &Arc<Reader>) -> Option<Token> {
        let notes = lock(&self.notes);
        let own = notes.unread.iter().filter(|(_, note)| Arc::ptr_eq(&note.reader, reader));
        own.map(|(number, _)| Token(*number)).min()
    }

    /// Reads the slots of launches up to a token, which are done.
    pub(crate) fn read(&self, token: Token) {
        let notes = &mut *lock(&self.notes);
        for (number, note) in notes.unread.extract_if(.., |(number, _)| *number <= token.0) {
            notes.found.extend(note.read().map(|fault| (number, fault)));
        }
    }

    /// The first index out of range of launches up to a token, which are done, once.
    pub(crate) fn check(&self, token: Token) -> Result<(), DeviceError> {
        self.read(token);
        let mut notes = lock(&self.notes);
        let later = notes.found.split_off(&(token.0 + 1));
        let told = std::mem::replace(&mut notes.found, later);
        told.into_values().next().map_or(Ok(()), Err)
    }
}
