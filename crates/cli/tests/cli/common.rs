//! A folder of one test, the binary run in it, and IDX files.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    pub fn new() -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("warploom-cli-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The binary with this folder as its working directory.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warploom"));
        command.current_dir(&self.0).env("WARPLOOM_THREADS", "2").env("PEERS_WAIT_MAX", "0");
        command
    }

    /// Runs the binary with arguments separated by spaces.
    pub fn run(&self, arguments: &str) -> Ran {
        Ran::new(self.command().args(arguments.split(' ')).output().unwrap())
    }

    /// Four IDX files of `train` and 8 pictures of 4 by 4 with labels below 3, in the folder `data`.
    pub fn pictures(&self, train: usize) {
        for (set, count) in [("train", train), ("t10k", 8)] {
            let pixels: Vec<u8> = (0..count * 16).map(|i| (i * 37 % 251) as u8).collect();
            let labels: Vec<u8> = (0..count).map(|i| (i % 3) as u8).collect();
            self.write(&format!("data/{set}-images-idx3-ubyte"), &idx(0x08, &[count as u32, 4, 4], &pixels));
            self.write(&format!("data/{set}-labels-idx1-ubyte"), &idx(0x08, &[count as u32], &labels));
        }
        self.write("small.toml", SMALL.as_bytes());
    }
}

/// A picture of `height` by `width` grey bytes as a PGM file.
pub fn pgm(height: usize, width: usize, pixels: impl Fn(usize, usize) -> u8) -> Vec<u8> {
    let mut file = format!("P5\n{width} {height}\n255\n").into_bytes();
    file.extend((0..height * width).map(|at| pixels(at / width, at % width)));
    file
}

/// A number from 0 to below `below` that looks like none in particular.
pub fn mixed(seed: usize, below: usize) -> usize {
    (seed.wrapping_mul(2_654_435_761).rotate_left(7) ^ seed.wrapping_mul(40_503)) % 65_521 % below
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A recipe for [`Folder::pictures`].
pub const SMALL: &str = r#"
name = "small"
task = "classification"
[data]
kind = "idx"
path = "data"
classes = 3
[model]
layers = [{ kind = "flatten" }, { kind = "dense", units = 3 }]
[train]
epochs = 2
batch = 8
optimizer = "adam"
learning_rate = 1e-2
"#;

/// An IDX file: element type, extents, stored elements.
pub fn idx(code: u8, shape: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, shape.len() as u8];
    shape.iter().for_each(|extent| bytes.extend(extent.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

/// What a run said.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn new(output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ran = Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran
    }

    /// It succeeded.
    #[track_caller]
    pub fn ok(self) -> Ran {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self
    }

    /// It failed with a code and a message that has all of `parts`, and printed nothing on standard output.
    #[track_caller]
    pub fn fails(self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        // The message, and below it the line of the recipe that it is about.
        let message =
            self.err.find("error:").map(|at| &self.err[at..]).unwrap_or_else(|| panic!("{}", self.err));
        for part in parts {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
        assert_eq!(self.out, "", "a failure prints no result");
    }

    /// The last line of standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(self.out.lines().last().unwrap_or_default())
            .unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}

/// Whether a run folder is whole.
pub fn is_whole(run: &Path) -> bool {
    ["run.json", "recipe.toml", "weights.safetensors", "metrics.jsonl", "history.csv", "summary.json"]
        .iter()
        .all(|name| run.join(name).is_file())
}
