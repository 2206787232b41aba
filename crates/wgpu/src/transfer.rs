//! Copies between host and device, and on the device. wgpu copies whole words; bytes at the edges are merged by a kernel.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use warploom_device::{DeviceError, RawMemory, Token};

use crate::context::Context;
use crate::memory::GpuMemory;
use crate::merge::{Merge, Merger};

#[cfg(test)]
mod tests;

/// Bytes of an upload or download that are staged at once.
const PIECE: usize = 32 << 20;

/// Bytes of a word, the unit of copies.
const WORD: usize = 4;

/// Copies for one device.
pub(crate) struct Transfer {
    context: Arc<Context>,
    merger: Merger,
    /// What the last download was read through.
    reader: Mutex<Option<wgpu::Buffer>>,
}

impl Transfer {
    pub(crate) fn new(context: Arc<Context>) -> Transfer {
        Transfer { context, merger: Merger::default(), reader: Mutex::default() }
    }

    /// Host to device, after what was submitted before and before what is submitted later.
    pub(crate) fn upload(
        &self,
        memory: &GpuMemory,
        offset: usize,
        bytes: &[u8],
    ) -> Result<Token, DeviceError> {
        memory.check(offset, bytes.len())?;
        self.context.health.check()?;
        let end = offset + bytes.len();
        let head = offset.next_multiple_of(WORD).min(end) - offset;
        let tail = (end % WORD).min(bytes.len() - head);
        let middle = &bytes[head..bytes.len() - tail];
        let mut token = self.write(memory, offset + head, middle)?;
        if head > 0 {
            token = self.write_part(memory, offset, &bytes[..head])?;
        }
        if tail > 0 {
            token = self.write_part(memory, end - tail, &bytes[bytes.len() - tail..])?;
        }
        self.context.counters.uploaded(bytes.len());
        Ok(token)
    }

    /// Whole words.
    fn write(&self, memory: &GpuMemory, offset: usize, bytes: &[u8]) -> Result<Token, DeviceError> {
        let mut tokens = Vec::new();
        let mut token = self.context.staged(0);
        for (i, piece) in bytes.chunks(PIECE).enumerate() {
            let offset = (offset + i * PIECE) as u64;
            let write = || self.context.queue.write_buffer(&memory.buffer, offset, piece);
            self.context.scoped("memory to stage an upload", piece.len(), write)?;
            token = self.context.staged(piece.len());
            tokens.push(token);
            // What is staged stays below a few pieces however large the upload is.
            if i >= 2 {
                self.context.wait(tokens[i - 2])?;
            }
        }
        Ok(token)
    }

    /// Bytes within one word.
    fn write_part(&self, memory: &GpuMemory, offset: usize, bytes: &[u8]) -> Result<Token, DeviceError> {
        let (word, first) = (offset / WORD * WORD, offset % WORD);
        let mut bits = [0; WORD];
        bits[first..first + bytes.len()].copy_from_slice(bytes);
        if first == 0 && offset + bytes.len() == memory.bytes() {
            // What follows in the word belongs to nobody.
            return self.write(memory, word, &bits);
        }
        let mut mask = [0; WORD];
        mask[first..first + bytes.len()].fill(0xff);
        let merge = Merge { destination: &memory.buffer, offset: word, mask: u32::from_le_bytes(mask) };
        self.merger.write(&self.context, merge, u32::from_le_bytes(bits))
    }

    /// Device to device, the first `bytes` bytes.
    pub(crate) fn copy(
        &self,
        source: &GpuMemory,
        destination: &GpuMemory,
        bytes: usize,
    ) -> Result<Token, DeviceError> {
        source.check(0, bytes)?;
        destination.check(0, bytes)?;
        self.context.health.check()?;
        if source.id == destination.id || bytes == 0 {
            return Ok(self.context.staged(0));
        }
        // The rest of the last word belongs to nobody where the destination ends.
        let whole =
            if bytes == destination.bytes() { bytes.next_multiple_of(WORD) } else { bytes / WORD * WORD };
        let mut token = self.context.staged(0);
        if whole > 0 {
            token = self.context.scoped("a copy", 0, || {
                let mut encoder = self.context.device.create_command_encoder(&Default::default());
                encoder.copy_buffer_to_buffer(&source.buffer, 0, &destination.buffer, 0, whole as u64);
                self.context.submit([encoder.finish()])
            })?;
        }
        if whole < bytes {
            let mask = (1 << (8 * (bytes - whole))) - 1;
            let merge = Merge { destination: &destination.buffer, offset: whole, mask };
            token = self.merger.copy(&self.context, merge, &source.buffer)?;
        }
        Ok(token)
    }

    /// Device to host, after what was submitted before.
    pub(crate) fn download(
        &self,
        memory: &GpuMemory,
        offset: usize,
        bytes: &mut [u8],
    ) -> Result<(), DeviceError> {
        memory.check(offset, bytes.len())?;
        self.context.health.check()?;
        let mut at = offset;
        for piece in bytes.chunks_mut(PIECE) {
            self.read(memory, at, piece)?;
            at += piece.len();
        }
        self.context.counters.downloaded(bytes.len());
        Ok(())
    }

    fn read(&self, memory: &GpuMemory, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
        let first = offset / WORD * WORD;
        let size = ((offset + bytes.len()).next_multiple_of(WORD) - first) as u64;
        let reader = self.reader(size)?;
        let submit = || {
            let mut encoder = self.context.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&memory.buffer, first as u64, &reader, 0, size);
            self.context.submit([encoder.finish()])
        };
        let take = |words: &[u8]| bytes.copy_from_slice(&words[offset - first..][..bytes.len()]);
        read_through(&self.context, &reader, size, submit, take)?;
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        Ok(())
    }

    /// A buffer that the host can read, the last one where it is large enough.
    fn reader(&self, bytes: u64) -> Result<wgpu::Buffer, DeviceError> {
        let last = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = last.filter(|reader| reader.size() >= bytes) {
            return Ok(reader);
        }
        let size = bytes.next_power_of_two().max(1 << 12);
        self.context.scoped("memory to read through", size as usize, || {
            self.context.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
    }
}

/// Runs a submission that fills `size` bytes of a readable buffer, waits for it, and hands them over.
pub(crate) fn read_through<T>(
    context: &Context,
    reader: &wgpu::Buffer,
    size: u64,
    submit: impl FnOnce() -> Token,
    take: impl FnOnce(&[u8]) -> T,
) -> Result<T, DeviceError> {
    let (send, receive) = mpsc::channel();
    let token = context.scoped("a download", size as usize, || {
        let token = submit();
        // Who waits is told; who gave up meanwhile is not there to listen.
        reader.map_async(wgpu::MapMode::Read, ..size, move |done| drop(send.send(done)));
        token
    })?;
    context.wait(token)?;
    let failed = |what: &dyn std::fmt::Display| {
        let name = &context.adapter.name;
        DeviceError::Failed(format!("{name} does not show what was downloaded: {what}"))
    };
    receive.recv().map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    let view = reader.get_mapped_range(..size).map_err(|error| failed(&error))?;
    let value = take(&view);
    drop(view);
    reader.unmap();
    Ok(value)
}
