//! Bytes from a file that is not trusted, with the offset for messages.

use crate::error::{Error, Result};
use std::io::{self, Read};
use std::path::Path;

/// What to do about a file that ends early or is damaged.
const GET_AGAIN: &str = "Get the file again, it is damaged or cut short";

/// Where bytes come from.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) path: &'a Path,
    pub(super) compressed: bool,
}

impl Origin<'_> {
    /// The error of a `problem` at byte `offset`, counted after decompression.
    pub(super) fn format(&self, offset: u64, problem: String, advice: &'static str) -> Error {
        Error::Format { path: self.path.to_path_buf(), offset, compressed: self.compressed, problem, advice }
    }
}

/// A reader that knows where it stands.
pub(super) struct Source<'a, R> {
    reader: R,
    pub(super) origin: Origin<'a>,
    offset: u64,
}

impl<'a, R: Read> Source<'a, R> {
    pub(super) fn new(reader: R, origin: Origin<'a>) -> Self {
        Self { reader, origin, offset: 0 }
    }

    /// Bytes read so far, after decompression.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next `N` bytes, which are part of `what`.
    pub(super) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut bytes = Vec::with_capacity(N);
        self.fill(&mut bytes, N as u64)?;
        let found = bytes.len();
        bytes.try_into().map_err(|_| {
            let problem = format!("the file ends in {what}, after {found} of {N} bytes");
            self.origin.format(self.offset, problem, GET_AGAIN)
        })
    }

    /// The next `count` bytes, the elements of an array of `shape`. Memory grows with what is found,
    /// not with what is promised.
    pub(super) fn exactly(&mut self, count: u64, shape: &[usize]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.fill(&mut bytes, count)?;
        if bytes.len() as u64 == count {
            return Ok(bytes);
        }
        let problem =
            format!("the shape {shape:?} takes {count} bytes, but the file ends after {}", bytes.len());
        Err(self.origin.format(self.offset, problem, GET_AGAIN))
    }

    /// Checks that nothing follows, which for gzip also checks the checksum.
    pub(super) fn end(&mut self) -> Result<()> {
        let mut bytes = Vec::new();
        let end = self.offset;
        self.fill(&mut bytes, 1)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let problem = "the file goes on after the last element its header promises".to_string();
        Err(self.origin.format(end, problem, "Check that this is one IDX file, complete and unchanged"))
    }

    /// Appends up to `count` bytes; fewer only at the end of the file.
    fn fill(&mut self, bytes: &mut Vec<u8>, count: u64) -> Result<()> {
        let before = bytes.len();
        let outcome = self.reader.by_ref().take(count).read_to_end(bytes);
        self.offset += (bytes.len() - before) as u64;
        outcome.map(|_| ()).map_err(|error| self.failure(error))
    }

    fn failure(&self, source: io::Error) -> Error {
        // flate2 reports damaged streams with these kinds and passes the file's own errors on.
        let damaged = [io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput, io::ErrorKind::UnexpectedEof];
        if self.origin.compressed && damaged.contains(&source.kind()) {
            let problem = format!("the gzip stream cannot be decompressed further ({source})");
            return self.origin.format(self.offset, problem, GET_AGAIN);
        }
        Error::Io { doing: "read", path: self.origin.path.to_path_buf(), source }
    }
}
