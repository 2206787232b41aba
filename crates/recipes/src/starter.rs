//! Recipes to start from, written for data that are there.

use crate::builtin::built_in;
use crate::parse::open_keys;
use std::path::{Path, PathBuf};
use warploom_data::csv::{CsvFile, CsvOptions, TargetColumn, Task};
use warploom_data::images;
use warploom_data::transform::{Cells, nearest};
use warploom_train::{Error, Result};

/// A recipe's text.
pub struct Starter {
    /// TOML with comments.
    pub text: String,
    /// What it does, for people.
    pub about: String,
}

/// Longest side of pictures that are not shrunk by the recipe that is written.
const SMALL: usize = 96;

/// Shortest side that the network of the recipe takes, which halves it four times.
const LEAST: usize = 16;

/// A recipe that starts from `from`: a built-in name, or data — a CSV file, a folder of pictures, a folder of IDX files —
/// of which it guesses what it can. `target` is the column to be predicted.
///
/// # Errors
/// A name or path that is neither; data that cannot be read.
pub fn starter(from: &str, target: Option<&str>) -> Result<Starter> {
    let path = Path::new(from);
    if target.is_some() && !path.is_file() {
        return Err(Error::invalid(format!("--target names a column of a CSV file, but `{from}` is none")));
    }
    if let Some(row) = built_in().iter().find(|row| row.name == from) {
        let open = open_keys(row.text);
        let about = match open.as_slice() {
            [] => format!("the built-in recipe {from}"),
            keys => format!(
                "the built-in recipe {from}; say {} on the command line or in the file",
                keys.join(", ")
            ),
        };
        return Ok(Starter { text: row.text.to_owned(), about });
    }
    if path.is_file() {
        return table(path, target);
    }
    if path.is_dir() {
        return if has_idx(path) { idx_folder(path) } else { pictures(path) };
    }
    let names: Vec<&str> = built_in().iter().map(|row| row.name).collect();
    let meant = nearest(from, names.iter().copied())
        .map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
    Err(Error::invalid(format!(
        "`{from}` is neither data nor a built-in recipe{meant}: give a CSV file, a folder of pictures, or one of {}",
        names.join(", ")
    )))
}

/// Whether a folder has pictures in MNIST's format.
pub(crate) fn has_idx(folder: &Path) -> bool {
    let is_idx = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().contains("-idx3-ubyte");
    std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(is_idx))
}

fn text_of(name: &str) -> &'static str {
    built_in().iter().find(|row| row.name == name).map_or("", |row| row.text)
}

/// A TOML text.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The file's or folder's name, as a recipe's name may be.
fn named(path: &Path) -> String {
    let name = path.file_stem().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned());
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    if name.is_empty() { "run".into() } else { name }
}

/// The path as it can be used from anywhere.
fn absolute(path: &Path) -> String {
    let path: PathBuf = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    quoted(&path.to_string_lossy())
}

/// A built-in text with its head (comments and name) and its `[data]` table replaced.
fn rewritten(text: &str, head: &str, data: &str) -> String {
    let body = text.split_once("\n\n").map_or(text, |(_, body)| body);
    let before = body.split_once("[data]").map_or("", |(before, _)| before);
    let after =
        body.split_once("[data]").and_then(|(_, rest)| rest.split_once("\n[")).map_or("", |(_, after)| after);
    format!("{head}\n{before}[data]\n{data}\n[{after}")
}

fn table(path: &Path, target: Option<&str>) -> Result<Starter> {
    let wanted = target.map_or(TargetColumn::Last, |name| TargetColumn::Named(name.to_owned()));
    let file = CsvFile::open(path, &CsvOptions { target: wanted, ..CsvOptions::default() })?;
    let format = file.format();
    let target = format.target.clone().unwrap_or_default();
    let task = match file.task() {
        Task::Classification => "classification",
        Task::Regression => "regression",
    };
    // A number of its own for every row is an identifier.
    let rows = file.table().rows();
    let is_count =
        |values: &[f64]| values.windows(2).all(|pair| pair[1] == pair[0] + 1.0) && values.len() > 2;
    let identifiers: Vec<&str> = (file.table().columns().iter())
        .filter(|column| column.name != target)
        .filter(|column| matches!(&column.cells, Cells::Numbers(values) if is_count(values)))
        .map(|column| column.name.as_str())
        .collect();
    // What is all that there is to learn from is learned from, whatever it looks like.
    let is_all = identifiers.len() + 1 >= format.columns.len();
    let left_out: Vec<String> = identifiers.iter().filter(|_| !is_all).map(|name| quoted(name)).collect();
    let columns = format.columns.join(", ");
    let head = format!(
        "# A table of {rows} rows. Its columns: {columns}.\nname = {}\ntask = \"{task}\"   # or \"{}\"\n",
        quoted(&named(path)),
        if task == "regression" { "classification" } else { "regression" },
    );
    let data = format!(
        "kind = \"csv\"\npath = {}\n# The column to be predicted.\ntarget = {}\nheader = \"{}\"\nseparator = {}\n\
         # Columns that are not learned from.\nleave_out = [{}]\n",
        absolute(path),
        quoted(&target),
        if format.header { "yes" } else { "no" },
        quoted(&format.separator.to_string()),
        left_out.join(", "),
    );
    let about = format!("predicts the column `{target}` of {} ({task}, {rows} rows)", path.display());
    Ok(Starter { text: rewritten(text_of("tabular"), &head, &data), about })
}

fn idx_folder(path: &Path) -> Result<Starter> {
    let head = format!(
        "# Pictures in the four files of MNIST's format.\nname = {}\ntask = \"classification\"\n",
        quoted(&named(path))
    );
    let data = format!("kind = \"idx\"\npath = {}\nclasses = 10\n", absolute(path));
    Ok(Starter {
        text: rewritten(text_of("mnist"), &head, &data),
        about: format!("tells apart the classes of {}", path.display()),
    })
}

fn pictures(path: &Path) -> Result<Starter> {
    let folders = subfolders(path)?;
    let parts = ["train", "test", "val", "validation"];
    let split = folders.iter().any(|name| name == "train");
    let classes = if split { subfolders(&path.join("train"))? } else { folders };
    let classes: Vec<String> =
        classes.into_iter().filter(|name| split || !parts.contains(&name.as_str())).collect();
    let first =
        classes.first().map(|class| if split { path.join("train").join(class) } else { path.join(class) });
    let first = match first {
        Some(folder) => images::list(&folder)?.into_iter().next(),
        None => None,
    };
    let Some(picture) = first else {
        let message = format!(
            "{} holds no folders of pictures; put the pictures of each class into a folder of its own",
            path.display()
        );
        return Err(Error::invalid(message));
    };
    let [height, width, channels] = images::read(&picture)?.extents();
    let size = if height.max(width) <= SMALL && height == width { height.max(LEAST) } else { 64 };
    let head = format!(
        "# Pictures of {} classes: {}.\nname = {}\ntask = \"classification\"\n",
        classes.len(),
        classes.iter().take(10).cloned().collect::<Vec<_>>().join(", ")
            + if classes.len() > 10 { ", …" } else { "" },
        quoted(&named(path)),
    );
    let data = format!(
        "kind = \"image_folder\"\npath = {}\n# Pixels that pictures are brought to; the first has {height} × {width}.\nsize = {size}\n\
         # 1 for grey, 3 for colour.\nchannels = {channels}\n",
        absolute(path),
    );
    let about = format!("tells apart the {} classes of pictures in {}", classes.len(), path.display());
    Ok(Starter { text: rewritten(text_of("image-folder"), &head, &data), about })
}

fn subfolders(path: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(path).map_err(Error::io("list", path))?.flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> =
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort_by(|a, b| warploom_data::transform::natural_order(a, b));
    Ok(names)
}
