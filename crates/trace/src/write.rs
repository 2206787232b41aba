//! A timeline in the Trace Event Format, which Perfetto and chrome://tracing open:
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.

use crate::{Event, Timeline, Track};
use std::fmt::Write as _;
use std::io::{self, Write};

/// What every file of a timeline begins with.
pub const BEGINNING: &str = "{\"displayTimeUnit\":\"ms\",";

/// Rows of the format are threads; those of a track begin here.
fn row(event: &Event) -> u32 {
    match event.track {
        Track::Device => 1,
        Track::Copies => 2,
        Track::Host => 1000 + event.thread,
        Track::Loader => 2000 + event.thread,
    }
}

fn title(event: &Event) -> String {
    match event.track {
        Track::Device => "Kernels".into(),
        Track::Copies => "Copies".into(),
        Track::Host => format!("Host thread {}", event.thread),
        Track::Loader => format!("Loader thread {}", event.thread),
    }
}

impl Timeline {
    /// Writes the timeline as one JSON object, times in microseconds.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        write!(to, "{BEGINNING}\"otherData\":{{\"left_out\":{}}}", self.left_out)?;
        to.write_all(b",\"traceEvents\":[\n")?;
        write!(
            to,
            "{{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_name\",\"args\":{{\"name\":\"warploom\"}}}}"
        )?;
        let mut rows = Vec::new();
        let mut text = String::new();
        for event in &self.events {
            let row = row(event);
            text.clear();
            if !rows.contains(&row) {
                rows.push(row);
                text += &format!(
                    ",\n{{\"ph\":\"M\",\"pid\":1,\"tid\":{row},\"name\":\"thread_name\",\"args\":{{\"name\":\"{}\"}}}}\
                     ,\n{{\"ph\":\"M\",\"pid\":1,\"tid\":{row},\"name\":\"thread_sort_index\",\"args\":{{\"sort_index\":{row}}}}}",
                    title(event)
                );
            }
            text += ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":";
            // Writing to a string does not fail.
            let _ = write!(text, "{row},\"ts\":{:.3},\"dur\":{:.3}", micro(event.start), micro(event.length));
            text += ",\"name\":\"";
            escape(&event.name, &mut text);
            text += "\"";
            if let Some(bytes) = event.bytes {
                let _ = write!(text, ",\"args\":{{\"bytes\":{bytes}}}");
            }
            text += "}";
            to.write_all(text.as_bytes())?;
        }
        to.write_all(b"\n]}\n")
    }
}

fn micro(time: std::time::Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

/// A string within quotes of JSON.
fn escape(text: &str, to: &mut String) {
    for c in text.chars() {
        match c {
            '"' => *to += "\\\"",
            '\\' => *to += "\\\\",
            c if c.is_control() => {
                let _ = write!(to, "\\u{:04x}", u32::from(c));
            }
            c => to.push(c),
        }
    }
}
