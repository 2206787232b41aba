//! A process of its own for what may crash or hang, with a deadline, or must be measured alone. It ends with the one that
//! started it.

use crate::interrupt::INTERRUPTED;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a process is asked whether it has ended.
const TURN: Duration = Duration::from_millis(10);

/// What a process printed, and how it ended.
pub struct Ended {
    /// Lines of its standard output.
    pub lines: Vec<String>,
    /// The last line of its standard error that is not empty.
    pub last_words: Option<String>,
    /// Nothing where it had not ended in time and was killed.
    pub status: Option<ExitStatus>,
}

/// This program, to be started again.
///
/// # Errors
/// The system does not say where it is.
pub fn this_program() -> warploom::Result<PathBuf> {
    std::env::current_exe().map_err(warploom::Error::io("find", Path::new("this program")))
}

/// Says to a process that its input stays open as long as somebody waits for it.
const ATTENDED: &str = "WARPLOOM_ATTENDED";

/// Starts a process; this program, started again, ends when the handle is dropped, or when this process ends in whatever way.
///
/// # Errors
/// It does not start.
pub fn attended(command: &mut Command) -> io::Result<(Child, Option<ChildStdin>)> {
    let mut child = command.env(ATTENDED, "1").stdin(Stdio::piped()).spawn()?;
    let held = child.stdin.take();
    Ok((child, held))
}

/// Ends this process with the one that started it, where that said so.
pub fn end_with_the_starter() {
    if std::env::var_os(ATTENDED).is_some() {
        thread::spawn(|| {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            std::process::exit(i32::from(INTERRUPTED));
        });
    }
}

/// Starts a process without input and follows it to its end or to the deadline. This program, started again, ends with this
/// process too.
///
/// # Errors
/// It does not start.
pub fn run(command: &mut Command, deadline: Instant) -> io::Result<Ended> {
    let (mut child, _held) = attended(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let (out, error) = (lines(child.stdout.take()), lines(child.stderr.take()));
    let lines = until(&out, deadline);
    let status = ended(&mut child, deadline);
    if status.is_none() {
        // A process that waits for hardware may outlive this; nobody waits for it.
        let _ = child.kill();
    }
    let said = until(&error, Instant::now() + TURN);
    let last_words =
        said.iter().rev().find(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned());
    Ok(Ended { lines, last_words, status })
}

/// Lines of a stream as they come, read by a thread that ends with the stream.
fn lines(stream: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(stream) = stream {
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

/// The lines that come before the stream ends or the time is over.
fn until(lines: &Receiver<String>, deadline: Instant) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => all.push(line),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return all,
        }
    }
}

/// How it ended; nothing when it has not in time.
fn ended(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(TURN),
            Ok(None) | Err(_) => return None,
        }
    }
}
