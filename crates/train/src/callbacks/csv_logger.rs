//! Scores of each epoch as comma-separated values.

use crate::callbacks::{Callback, Context, State};
use crate::error::Result;
use crate::history::Scores;
use crate::log_file::LogFile;
use std::path::PathBuf;

/// A line for each epoch, as Keras' `CSVLogger`: `epoch`, from 0, then the scores by name in alphabetical order.
#[derive(Debug)]
pub struct CsvLogger {
    path: PathBuf,
    append: bool,
    file: Option<LogFile>,
    /// The columns after `epoch`.
    columns: Vec<String>,
}

impl CsvLogger {
    /// Into a file, in place of what was there.
    pub fn new(path: impl Into<PathBuf>) -> CsvLogger {
        CsvLogger { path: path.into(), append: false, file: None, columns: Vec::new() }
    }

    /// Goes on at the end of a file that is there.
    pub fn append(self) -> CsvLogger {
        CsvLogger { append: true, ..self }
    }

    fn is_new(&self) -> bool {
        self.file.as_ref().is_none_or(LogFile::is_empty)
    }
}

impl Callback for CsvLogger {
    fn name(&self) -> &'static str {
        "csv_logger"
    }

    fn train_begin(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.columns.clear();
        self.file = Some(LogFile::open(&self.path, self.append)?);
        Ok(())
    }

    fn epoch_end(&mut self, epoch: usize, scores: &mut Scores, _: &mut Context<'_>) -> Result<()> {
        let mut text = String::new();
        if self.columns.is_empty() {
            self.columns = scores.iter().map(|(name, _)| name.to_owned()).collect();
            self.columns.sort();
            if self.is_new() {
                text += "epoch";
                self.columns.iter().for_each(|name| text += &format!(",{}", quoted(name)));
                text.push('\n');
            }
        }
        text += &epoch.to_string();
        for name in &self.columns {
            // As Keras, where a score is missing in an epoch.
            text += &scores.get(name).map_or_else(|| ",NA".to_owned(), |value| format!(",{value}"));
        }
        text.push('\n');
        self.file.as_mut().map_or(Ok(()), |file| file.write(text.as_bytes()))
    }

    fn save(&mut self) -> Result<State> {
        let columns = self.columns.join("\n");
        let state = State::default().with_text("columns", &columns);
        self.file.as_ref().map_or(Ok(state.clone()), |file| file.save(state, "file"))
    }

    fn restore(&mut self, state: State, _: &mut Context<'_>) -> Result<()> {
        let columns = state.text("columns").unwrap_or_default();
        self.columns = columns.lines().map(str::to_owned).collect();
        self.file = match LogFile::resume(&state, "file")? {
            Some(file) => Some(file),
            None => {
                self.columns.clear();
                Some(LogFile::open(&self.path, true)?)
            }
        };
        Ok(())
    }
}

/// A field as RFC 4180 wants it.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
