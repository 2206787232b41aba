//! What the tests share.

use std::fs;
use std::path::PathBuf;

/// An empty folder of this name, which no other test may have.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("warploom-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
