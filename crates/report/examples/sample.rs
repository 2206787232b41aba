//! Writes sample reports into a folder: `cargo run -p warploom-report --example sample -- FOLDER`. Their numbers are made up.

#[path = "../tests/samples/mod.rs"]
mod samples;

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    std::fs::create_dir_all(&folder)?;
    for (name, report) in samples::all() {
        let path = folder.join(format!("{name}.html"));
        std::fs::write(&path, report.to_html())?;
        println!("{} {} KiB", path.display(), std::fs::metadata(&path)?.len() / 1024);
    }
    Ok(())
}
