//! Pictures decoded by the `image` crate.

use super::decode::{MAX_PIXELS, refuse};
use super::jpeg;
use crate::error::{Error, Result};
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::Cursor;
use std::path::Path;
use warploom_transform::Picture;

/// The most pixels that a byte of a file can stand for: Deflate's largest expansion (RFC 1951: 258 bytes from 2 bits) of
/// pixels of one bit. A file that promises more is damaged, and is refused before memory is taken.
const MAX_PIXELS_A_BYTE: u64 = 1032 * 8;

const CHECK: &str = "Open and save it again with an image program, or remove it";

pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Picture> {
    let mut decoder = decoder(bytes, path)?;
    let damaged = |error| refuse(path, format!("it cannot be decoded ({error})"), CHECK);
    let grey =
        matches!(decoder.color_type(), ColorType::L8 | ColorType::La8 | ColorType::L16 | ColorType::La16);
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    decoded.apply_orientation(orientation);
    let [height, width] = [decoded.height() as usize, decoded.width() as usize];
    let (bytes, channels) =
        if grey { (decoded.into_luma8().into_raw(), 1) } else { (decoded.into_rgb8().into_raw(), 3) };
    Ok(Picture::new(bytes, [height, width, channels])?)
}

/// Checks what can be known without decoding: everything that [`decode`] refuses but damage within the pixels.
pub(super) fn check(bytes: &[u8], path: &Path) -> Result<()> {
    decoder(bytes, path).map(|_| ())
}

/// A decoder that has read the header and found it acceptable.
fn decoder<'a>(bytes: &'a [u8], path: &Path) -> Result<impl ImageDecoder + 'a> {
    if bytes.is_empty() {
        return Err(refuse(path, "it is empty", "Get it again, or remove it"));
    }
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|source| Error::Io { doing: "read", path: path.to_path_buf(), source })?;
    match reader.format() {
        Some(ImageFormat::Jpeg) => {
            jpeg::check(bytes).map_err(|problem| refuse(path, problem, CHECK))?;
        }
        Some(ImageFormat::Png | ImageFormat::Pnm) => {}
        Some(_) | None => {
            let problem = "it is no JPEG, PNG or PNM, whatever its name";
            return Err(refuse(path, problem, "Convert it to one of these, or remove it"));
        }
    }
    let mut limits = Limits::no_limits();
    // Room for the pixels at eight bytes each (RGBA of sixteen bits), once decoded and once on the way.
    limits.max_alloc = Some(16 * MAX_PIXELS);
    reader.limits(limits);
    let decoder = reader
        .into_decoder()
        .map_err(|error| refuse(path, format!("its header cannot be read ({error})"), CHECK))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let size = format!("its header says {width} × {height} pixels");
    if pixels == 0 || pixels > MAX_PIXELS {
        return Err(refuse(
            path,
            format!("{size}, but 1 to {MAX_PIXELS} can be read"),
            "Make it smaller, or remove it",
        ));
    }
    if pixels / MAX_PIXELS_A_BYTE > bytes.len() as u64 {
        return Err(refuse(path, format!("{size}, which its {} bytes cannot hold", bytes.len()), CHECK));
    }
    Ok(decoder)
}
