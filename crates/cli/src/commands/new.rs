//! `warploom new`.

use super::Ended;
use crate::args::New;
use crate::output::{line, shell};
use std::path::Path;
use std::process::ExitCode;
use warploom::recipes::starter;
use warploom::train::weights::write_atomically;
use warploom::{Error, Result};

pub fn new(given: &New) -> Ended {
    let started = starter(given.from.as_deref().unwrap_or("digits"), given.target.as_deref())?;
    let file = given.folder.join("recipe.toml");
    refuse_to_replace(&file)?;
    std::fs::create_dir_all(&given.folder).map_err(Error::io("make the folder", &given.folder))?;
    write_atomically(&file, started.text.as_bytes())?;
    line(format_args!("{}: {}", file.display(), started.about));
    let file = shell(&file.to_string_lossy());
    line("next:");
    line(format_args!("  warploom plan  {file}   # how much memory it will use"));
    line(format_args!("  warploom train {file}"));
    Ok(ExitCode::SUCCESS)
}

fn refuse_to_replace(file: &Path) -> Result<()> {
    match file.exists() {
        true => Err(Error::invalid(format!("{} is there already; name another folder", file.display()))),
        false => Ok(()),
    }
}
