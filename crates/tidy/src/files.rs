//! The files of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_path_buf()
}

/// A file's text; empty where it cannot be read, which the checks that need it report.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// Folders of `crates`, sorted.
pub fn crate_folders() -> Vec<String> {
    let mut folders: Vec<String> = names(&root().join("crates"))
        .into_iter()
        .filter(|name| root().join("crates").join(name).join("Cargo.toml").is_file())
        .collect();
    folders.sort();
    folders
}

/// Paths from the root, with `/`, of all files under `folder` that end in one of `endings`, sorted. What is built,
/// written by runs or hidden is left out.
pub fn with_endings(folder: &str, endings: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.trim_end_matches('/').to_owned()];
    while let Some(folder) = waiting.pop() {
        for name in names(&root().join(&folder)) {
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if name.starts_with('.') || matches!(path.as_str(), "target" | "runs") {
                continue;
            }
            if root().join(&path).is_dir() {
                waiting.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
