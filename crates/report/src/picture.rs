//! Small pictures inside the page.

use flate2::{Compression, Crc, write::ZlibEncoder};
use serde::{Deserialize, Serialize};
use std::io::Write;

/// A small picture of an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Picture {
    /// A PNG file.
    Png(Vec<u8>),
    /// Brightness, `[height, width]`, 0 black.
    Grey {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// `height × width` bytes.
        pixels: Vec<u8>,
    },
    /// Red, green and blue, `[height, width, 3]`.
    Rgb {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// `height × width × 3` bytes.
        pixels: Vec<u8>,
    },
}

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

impl Picture {
    /// The picture as a `data:` address; `None` if it is no picture: no PNG file, or not as many bytes as its size
    /// says.
    pub(crate) fn address(&self) -> Option<String> {
        let encoded = match self {
            Picture::Png(file) => base64(file.starts_with(SIGNATURE).then_some(file)?),
            Picture::Grey { width, height, pixels } => base64(&png(*width, *height, 1, pixels)?),
            Picture::Rgb { width, height, pixels } => base64(&png(*width, *height, 3, pixels)?),
        };
        Some(format!("data:image/png;base64,{encoded}"))
    }
}

/// A PNG file of 8-bit grey (1 channel) or RGB (3 channels) pixels; `None` unless their number fits.
/// After the PNG specification, third edition.
fn png(width: u32, height: u32, channels: usize, pixels: &[u8]) -> Option<Vec<u8>> {
    let row = (width as usize).checked_mul(channels)?;
    if row == 0 || height == 0 || row.checked_mul(height as usize)? != pixels.len() {
        return None;
    }
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
    for line in pixels.chunks(row) {
        // Filter 0: each row as it is.
        compressed.write_all(&[0]).ok()?;
        compressed.write_all(line).ok()?;
    }
    let colour = if channels == 1 { 0 } else { 2 };
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // Bits, colour type, and the only compression, filter and order of rows that are asked here.
    header.extend([8, colour, 0, 0, 0]);
    let mut file = SIGNATURE.to_vec();
    chunk(&mut file, b"IHDR", &header);
    chunk(&mut file, b"IDAT", &compressed.finish().ok()?);
    chunk(&mut file, b"IEND", &[]);
    Some(file)
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], content: &[u8]) {
    let mut sum = Crc::new();
    sum.update(kind);
    sum.update(content);
    file.extend((content.len() as u32).to_be_bytes());
    file.extend(kind);
    file.extend(content);
    file.extend(sum.sum().to_be_bytes());
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().enumerate().fold(0u32, |bits, (i, byte)| bits | u32::from(*byte) << (16 - 8 * i));
        for i in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= group.len() { digit as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::ZlibDecoder;
    use std::io::Read;

    #[test]
    fn base64_is_as_the_rfc_says() {
        let vectors = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let expected = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        assert_eq!(vectors.map(|text| base64(text.as_bytes())), expected);
        assert_eq!(base64(&[0xff, 0xef, 0xbe]), "/+++");
    }

    #[test]
    fn pixels_are_in_the_file() {
        let file = png(2, 2, 3, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]).unwrap();
        // Length, name, width, height, 8 bits, RGB; then the published checksum algorithm over name and content.
        assert_eq!(&file[8..29], b"\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x02\x08\x02\0\0\0");
        let length = u32::from_be_bytes(file[33..37].try_into().unwrap()) as usize;
        assert_eq!(&file[37..41], b"IDAT");
        let mut rows = Vec::new();
        ZlibDecoder::new(&file[41..41 + length]).read_to_end(&mut rows).unwrap();
        assert_eq!(rows, [0, 1, 2, 3, 4, 5, 6, 0, 7, 8, 9, 10, 11, 12]);
        // The checksum of an empty IEND is the same in every PNG file.
        assert_eq!(&file[file.len() - 8..], b"IEND\xae\x42\x60\x82");
    }

    #[test]
    fn what_is_no_picture_has_no_address() {
        assert_eq!(Picture::Png(b"GIF89a".to_vec()).address(), None);
        assert_eq!(Picture::Grey { width: 2, height: 2, pixels: vec![0; 3] }.address(), None);
        assert_eq!(Picture::Rgb { width: u32::MAX, height: u32::MAX, pixels: vec![] }.address(), None);
        assert_eq!(Picture::Grey { width: 0, height: 5, pixels: vec![] }.address(), None);
    }
}
