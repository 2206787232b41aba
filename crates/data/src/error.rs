//! What can go wrong between a file and a batch, told in full sentences.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// The result of anything that reads, checks or serves data.
pub type Result<T> = std::result::Result<T, Error>;

/// Why data could not be read, accepted or served. Rows and columns count from 0, lines of files and their cells from 1.
#[derive(Debug)]
pub enum Error {
    /// The operating system refused.
    Io {
        /// What was being done, such as `open`.
        doing: &'static str,
        /// The file or folder it was done to.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file was asked for and something else has that name.
    NotAFile {
        /// What was asked for.
        path: PathBuf,
        /// What was found there.
        found: &'static str,
    },
    /// A folder holds none of the files that would do.
    Missing {
        /// Where they were looked for.
        folder: PathBuf,
        /// Every name that would have done.
        looked_for: Vec<String>,
    },
    /// A file does not hold what its format promises.
    Format {
        /// The file.
        path: PathBuf,
        /// The first byte that is wrong or missing.
        offset: u64,
        /// Whether `offset` counts bytes after decompression.
        compressed: bool,
        /// What was expected and what was found.
        problem: String,
        /// What to do.
        advice: &'static str,
    },
    /// A line of a file of text cannot be used.
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What was expected and what was found.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// A cell of a table cannot be used.
    Cell {
        /// The file.
        path: PathBuf,
        /// The line, from 1, in which its row begins.
        line: u64,
        /// Its place in the row, from 1.
        column: usize,
        /// The name of its column.
        name: String,
        /// What was found there.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// A picture cannot be used.
    Picture {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
        /// What to do.
        advice: &'static str,
    },
    /// Something given by the caller cannot be used.
    Invalid {
        /// What was given and why it cannot be used.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// A feature or a target is NaN or infinite.
    NotFinite {
        /// `feature` or `target`.
        what: &'static str,
        /// Its example.
        row: usize,
        /// Its place in the example.
        column: usize,
        /// The column's name, where columns have names.
        name: Option<String>,
        /// What was found.
        value: f32,
    },
    /// A label is not one of the classes.
    Label {
        /// The example.
        row: usize,
        /// Its label.
        found: i32,
        /// How many classes there are.
        classes: usize,
    },
    /// The next batch was asked for while the caller held every buffer of the ring.
    RingHeld {
        /// How many buffers the ring has.
        ring: usize,
    },
    /// The thread that prepares batches failed.
    Worker {
        /// What it said.
        reason: String,
    },
}

impl Error {
    pub(crate) fn invalid(problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Error::Invalid { problem: problem.into(), advice: advice.into() }
    }
}

impl From<warploom_transform::Error> for Error {
    fn from(error: warploom_transform::Error) -> Self {
        match error {
            warploom_transform::Error::Invalid { problem, advice } => Error::Invalid { problem, advice },
            warploom_transform::Error::Cell { row, column, problem, advice } => {
                Error::invalid(format!("Row {row} (counted from 0), column `{column}`: {problem}"), advice)
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { doing, path, source } => {
                let path = path.display();
                write!(f, "Could not {doing} {path}: {source}. Check that it exists and may be read.")
            }
            Error::NotAFile { path, found } => {
                write!(f, "{} is {found}, but a file was asked for. Name the file.", path.display())
            }
            Error::Missing { folder, looked_for } => {
                let (folder, names) = (folder.display(), looked_for.join(", "));
                write!(f, "{folder} holds none of these files: {names}. Put one of them there.")
            }
            Error::Format { path, offset, compressed, problem, advice } => {
                let of = if *compressed { " of the decompressed data" } else { "" };
                write!(f, "{}, byte {offset}{of}: {problem}. {advice}.", path.display())
            }
            Error::Line { path, line, problem, advice } => {
                write!(f, "{}, line {line}: {problem}. {advice}.", path.display())
            }
            Error::Cell { path, line, column, name, problem, advice } => {
                write!(f, "{}, line {line}, column {column} (`{name}`): {problem}. {advice}.", path.display())
            }
            Error::Picture { path, problem, advice } => {
                write!(f, "The picture {} cannot be used: {problem}. {advice}.", path.display())
            }
            Error::Invalid { problem, advice } => write!(f, "{problem}. {advice}."),
            Error::NotFinite { what, row, column, name, value } => {
                write!(f, "The {what} in row {row}, column {column}")?;
                if let Some(name) = name {
                    write!(f, " (`{name}`)")?;
                }
                write!(f, " is {value}; only finite numbers can be learned from. ")?;
                write!(f, "Fill or remove it (rows and columns count from 0).")
            }
            Error::Label { row, found, classes } => {
                write!(f, "The label in row {row} (counted from 0) is {found}, but the {classes} classes ")?;
                write!(f, "are numbered from 0. Correct the label or the number of classes.")
            }
            Error::RingHeld { ring } => {
                write!(f, "The next batch was asked for while all {ring} buffers of the loader's ring ")?;
                write!(f, "were still held. Drop a batch before asking for the next, or enlarge the ring.")
            }
            Error::Worker { reason } => {
                write!(f, "The thread that prepares batches failed: {reason}. Make a new loader; if it ")?;
                write!(f, "fails again, report this as a defect of Warploom.")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::NotAFile { .. }
            | Error::Missing { .. }
            | Error::Format { .. }
            | Error::Line { .. }
            | Error::Cell { .. }
            | Error::Picture { .. }
            | Error::Invalid { .. }
            | Error::NotFinite { .. }
            | Error::Label { .. }
            | Error::RingHeld { .. }
            | Error::Worker { .. } => None,
        }
    }
}
