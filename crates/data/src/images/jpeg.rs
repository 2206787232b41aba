//! What the decoder of JPEG lets pass: files that are cut short, whose missing part it makes up, and CMYK.

const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];
/// The components of CMYK and YCCK.
const PRINTER_COMPONENTS: u8 = 4;

/// Walks the marker segments of `bytes` (ITU-T T.81, B.1) up to the first scan.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let cut_short = || "the file is cut short".to_owned();
    let mut at = 2;
    loop {
        // Any number of FF may stand before a marker.
        while bytes.get(at..at + 2) == Some(&[0xFF, 0xFF]) {
            at += 1;
        }
        let &[0xFF, marker, high, low] =
            bytes.get(at..at + 4).and_then(|header| header.first_chunk()).ok_or_else(cut_short)?
        else {
            return Err(format!("byte {at} should begin a marker, but is {:#04x}", bytes[at]));
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = bytes.get(at + 4..at + 2 + length.max(2)).ok_or_else(cut_short)?;
        match marker {
            // A frame: precision, height, width, number of components.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF
                if segment.get(5) == Some(&PRINTER_COMPONENTS) =>
            {
                return Err("it is CMYK, but grey or red, green and blue are needed".to_owned());
            }
            0xDA => {
                let ends = bytes[at..].windows(2).any(|pair| pair == END_OF_IMAGE);
                return if ends { Ok(()) } else { Err(cut_short()) };
            }
            _ => {}
        }
        at += 2 + length.max(2);
    }
}
