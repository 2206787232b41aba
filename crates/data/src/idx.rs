//! IDX, the format of MNIST and its kin: numbered arrays, plain or compressed with gzip.
//!
//! A file is two zero bytes, a byte for the element type, a byte for the number of dimensions, each
//! dimension as a big-endian u32, then the elements, big-endian, row by row
//! (<http://yann.lecun.com/exdb/mnist/>).

mod folder;
mod source;

pub use folder::{TrainTest, read_folder, read_pair};

use crate::error::{Error, Result};
use source::{Origin, Source};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

/// The most dimensions an array may have.
pub const MAX_DIMENSIONS: u8 = 8;
/// The most bytes of elements that are read: 16 GiB.
pub const MAX_BYTES: u64 = 16 << 30;

/// Deflate's largest expansion (RFC 1951: 258 bytes from 2 bits) and room for tiny files.
const MAX_EXPANSION: u64 = 1032;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// An array read from an IDX file.
#[derive(Clone, Debug, PartialEq)]
pub struct Idx {
    /// Its extents, the first being the number of examples.
    pub shape: Vec<usize>,
    /// Its elements, row by row.
    pub elements: Elements,
}

/// The elements of an [`Idx`], in the type the file has.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// Type byte 0x08.
    U8(Vec<u8>),
    /// Type byte 0x09.
    I8(Vec<i8>),
    /// Type byte 0x0B.
    I16(Vec<i16>),
    /// Type byte 0x0C.
    I32(Vec<i32>),
    /// Type byte 0x0D.
    F32(Vec<f32>),
    /// Type byte 0x0E.
    F64(Vec<f64>),
}

impl Elements {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self {
            Elements::U8(elements) => elements.len(),
            Elements::I8(elements) => elements.len(),
            Elements::I16(elements) => elements.len(),
            Elements::I32(elements) => elements.len(),
            Elements::F32(elements) => elements.len(),
            Elements::F64(elements) => elements.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `bytes` read as big-endian elements of the type `code` stands for.
    fn decode(code: u8, bytes: Vec<u8>) -> Self {
        fn each<T, const N: usize>(bytes: &[u8], convert: fn([u8; N]) -> T) -> Vec<T> {
            bytes.as_chunks::<N>().0.iter().map(|&chunk| convert(chunk)).collect()
        }
        match code {
            0x09 => Elements::I8(each(&bytes, i8::from_be_bytes)),
            0x0B => Elements::I16(each(&bytes, i16::from_be_bytes)),
            0x0C => Elements::I32(each(&bytes, i32::from_be_bytes)),
            0x0D => Elements::F32(each(&bytes, f32::from_be_bytes)),
            0x0E => Elements::F64(each(&bytes, f64::from_be_bytes)),
            _ => Elements::U8(bytes),
        }
    }
}

/// Bytes of an element of the type `code` stands for; `None` where it stands for none.
fn element_bytes(code: u8) -> Option<u64> {
    match code {
        0x08 | 0x09 => Some(1),
        0x0B => Some(2),
        0x0C | 0x0D => Some(4),
        0x0E => Some(8),
        _ => None,
    }
}

/// Reads an IDX file. Gzip is recognised by its first two bytes, whatever the file's name.
///
/// # Errors
/// [`Error::Io`] and [`Error::NotAFile`] when it cannot be opened; [`Error::Format`] when it is not
/// IDX, is cut short, goes on after its last element, or its header claims more than
/// [`MAX_DIMENSIONS`], more than [`MAX_BYTES`], or more than a file of its length can hold.
pub fn read(path: impl AsRef<Path>) -> Result<Idx> {
    open(path.as_ref()).map(|(idx, _)| idx)
}

/// Reads IDX from `bytes`, which messages call `path`.
///
/// # Errors
/// [`Error::Format`], as for [`read`].
pub fn read_bytes(bytes: &[u8], path: impl AsRef<Path>) -> Result<Idx> {
    parse(bytes, bytes.len() as u64, path.as_ref()).map(|(idx, _)| idx)
}

/// [`read`], with what messages about its contents need.
fn open(path: &Path) -> Result<(Idx, Origin<'_>)> {
    let failed = |doing| move |source| Error::Io { doing, path: path.to_path_buf(), source };
    let metadata = fs::metadata(path).map_err(failed("open"))?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a folder" } else { "no regular file" };
        return Err(Error::NotAFile { path: path.to_path_buf(), found });
    }
    let file = File::open(path).map_err(failed("open"))?;
    parse(BufReader::with_capacity(1 << 16, file), metadata.len(), path)
}

/// Parses `length` stored bytes, compressed or not.
fn parse(mut stored: impl Read, length: u64, path: &Path) -> Result<(Idx, Origin<'_>)> {
    let mut start = Vec::with_capacity(GZIP_MAGIC.len());
    stored.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut start).map_err(|source| Error::Io {
        doing: "read",
        path: path.to_path_buf(),
        source,
    })?;
    let origin = Origin { path, compressed: start == GZIP_MAGIC };
    let whole = start.as_slice().chain(stored);
    let idx = if origin.compressed {
        let room = length.saturating_mul(MAX_EXPANSION);
        parse_array(&mut Source::new(flate2::read::MultiGzDecoder::new(whole), origin), room)
    } else {
        parse_array(&mut Source::new(whole, origin), length)
    }?;
    Ok((idx, origin))
}

/// Parses an array from a source that can hold at most `room` bytes.
fn parse_array(source: &mut Source<impl Read>, room: u64) -> Result<Idx> {
    let [zero, also_zero, code, dimensions] = source.array("the magic number")?;
    let advice = "Check that this is an IDX file, such as train-images-idx3-ubyte";
    if [zero, also_zero] != [0, 0] {
        let problem = format!("the file begins with {zero:02x} {also_zero:02x}, but IDX begins with 00 00");
        return Err(source.origin.format(0, problem, advice));
    }
    let Some(element_bytes) = element_bytes(code) else {
        let problem = format!("the element type is {code:#04x}, but IDX knows 0x08, 0x09 and 0x0B to 0x0E");
        return Err(source.origin.format(2, problem, advice));
    };
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        let problem = format!("the header claims {dimensions} dimensions; 1 to {MAX_DIMENSIONS} can be read");
        return Err(source.origin.format(3, problem, advice));
    }
    let mut shape = Vec::with_capacity(usize::from(dimensions));
    let mut bytes = Some(element_bytes);
    for _ in 0..dimensions {
        let extent = u32::from_be_bytes(source.array("the dimensions")?);
        bytes = bytes.and_then(|bytes| bytes.checked_mul(u64::from(extent)));
        shape.push(extent as usize);
    }
    let available = room.saturating_sub(source.offset());
    match bytes {
        Some(bytes) if bytes <= available.min(MAX_BYTES) => {
            let data = source.exactly(bytes, &shape)?;
            source.end()?;
            Ok(Idx { shape, elements: Elements::decode(code, data) })
        }
        bytes => {
            let claim = bytes.map_or("more than 2^64".to_string(), |bytes| bytes.to_string());
            let problem = if bytes.is_some_and(|bytes| bytes <= available) {
                format!("the shape {shape:?} takes {claim} bytes, but at most {MAX_BYTES} are read")
            } else {
                format!(
                    "the shape {shape:?} takes {claim} bytes, but the file holds at most {available} after the header"
                )
            };
            Err(source.origin.format(4, problem, "Get the file again, it is damaged or cut short"))
        }
    }
}

#[cfg(test)]
mod tests;
