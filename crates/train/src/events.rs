//! TensorBoard's event files: records of u64 length, masked CRC-32C of it, a protobuf message `Event`, masked CRC-32C of
//! that.

use crate::crc32c::crc32c;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A file's name by which TensorBoard finds it; another one each time.
pub(crate) fn file_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok());
    let host: String = name.as_deref().unwrap_or("localhost").trim().chars().filter(|c| *c != '/').collect();
    let (seconds, id) = (now() as u64, std::process::id());
    format!("events.out.tfevents.{seconds:010}.{host}.{id}.{}", MADE.fetch_add(1, Ordering::Relaxed))
}

/// The first record of a file.
pub(crate) fn version() -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, now());
    event.bytes(3, b"brain.Event:2");
    record(&event.0)
}

/// A record of scalars at a step.
pub(crate) fn scalars<'a>(step: u64, scalars: impl Iterator<Item = (&'a str, f64)>) -> Vec<u8> {
    let mut summary = Message::default();
    for (tag, value) in scalars {
        let mut one = Message::default();
        one.bytes(1, tag.as_bytes());
        one.float(2, value as f32);
        summary.bytes(1, &one.0);
    }
    let mut event = Message::default();
    event.double(1, now());
    event.varint(2, step);
    event.bytes(5, &summary.0);
    record(&event.0)
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut bytes = length.to_vec();
    bytes.extend(masked(&length).to_le_bytes());
    bytes.extend(data);
    bytes.extend(masked(data).to_le_bytes());
    bytes
}

/// Checksums are masked, so that a checksum over data that holds checksums is none of its own.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A protobuf message in the making: each field is a key (its number and how it is written), then its value.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn varint(&mut self, field: u64, value: u64) {
        self.number(field << 3);
        self.number(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.number(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.number(field << 3 | 2);
        self.number(value.len() as u64);
        self.0.extend(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.number(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }
}
