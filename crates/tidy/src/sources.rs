//! Rules for source files.

use crate::Findings;
use crate::code::{lines_with_word, without_comments_and_strings};
use crate::files::{crate_folders, read, with_endings};
use crate::manifest::sections;

/// Most lines of a Rust file: beyond, it holds a second idea.
pub const LONGEST: usize = 600;

/// Files that may be longer, and why.
pub const MAY_BE_LONGER: &[(&str, &str)] = &[(
    "crates/graph/src/elementwise.rs",
    "the open table of elementwise ops: a row holds all rules of an op, and an addition touches this file alone",
)];

/// Where unsafe code may stand, by the beginning of the path, and why. Clippy asks for each block's reason.
pub const MAY_BE_UNSAFE: &[(&str, &str)] = &[
    ("crates/cpu/", "an executor writes raw memory from several threads and uses vector instructions"),
    ("crates/cpu-kernels/", "kernels write raw memory from several threads and use vector instructions"),
    ("crates/cuda/", "every call of NVIDIA's driver is unsafe code"),
    ("crates/energy/src/nvml", "every call of NVIDIA's management library is unsafe code"),
    ("crates/emulate/", "it calls compiled kernels over raw memory"),
    ("crates/wgpu/src/pipeline_cache.rs", "drivers trust the pipelines they are given back"),
    (
        "crates/warploom/src/devices.rs",
        "the attribute of the constructor that registers executors before main",
    ),
];

/// Marks of unfinished work, written so that they do not find themselves.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Macros that are for the time of writing only.
const PASSING: &[&str] = &["dbg!", "todo!", "unimplemented!"];

/// Rust files that are too long, and exceptions that no longer are.
pub fn too_long() -> Findings {
    let mut findings = Findings::new();
    for path in with_endings("crates", &[".rs"]) {
        let lines = read(&path).lines().count();
        let excepted = MAY_BE_LONGER.iter().any(|(exception, _)| *exception == path);
        if lines > LONGEST && !excepted {
            findings
                .push(format!("{path} has {lines} lines, more than {LONGEST}: split what is a second idea"));
        } else if lines <= LONGEST && excepted {
            findings.push(format!("{path} has {lines} lines: take it out of MAY_BE_LONGER"));
        }
    }
    findings
}

/// Unsafe code where none may stand.
pub fn unsafe_outside_executors() -> Findings {
    let mut findings = Findings::new();
    for path in with_endings("crates", &[".rs"]) {
        if MAY_BE_UNSAFE.iter().any(|(place, _)| path.starts_with(place)) {
            continue;
        }
        for line in lines_with_word(&without_comments_and_strings(&read(&path)), "unsafe") {
            findings.push(format!("{path}:{line}: unsafe code stands where MAY_BE_UNSAFE in crates/tidy/src/sources.rs says, and nowhere else"));
        }
    }
    findings
}

/// Marks of unfinished work: in code, comments and documents.
pub fn unfinished() -> Findings {
    let mut findings = Findings::new();
    for path in with_endings("", &[".rs", ".toml", ".md"]) {
        let text = read(&path);
        for word in UNFINISHED {
            let lines = lines_with_word(&text, word);
            findings.extend(
                lines.iter().map(|line| {
                    format!("{path}:{line}: {word}: do it now, or write it into docs/roadmap.md")
                }),
            );
        }
        if path.ends_with(".rs") {
            let code = without_comments_and_strings(&text);
            for call in PASSING {
                let lines = lines_with_word(&code, call);
                findings.extend(lines.iter().map(|line| format!("{path}:{line}: {call} must not stay")));
            }
        }
    }
    findings
}

/// Libraries whose manifest says `test` or `doctest` otherwise than their code: one that has no tests is not compiled once
/// more for them, and one that has some must not pass over them.
pub fn tests_passed_over() -> Findings {
    let mut findings = Findings::new();
    for folder in crate_folders() {
        let library = format!("crates/{folder}/src");
        let files = with_endings(&library, &[".rs"]);
        if !files.contains(&format!("{library}/lib.rs")) {
            continue;
        }
        let text: String = files.iter().map(|path| read(path)).collect();
        let documents =
            text.contains(concat!("doc = ", "include_str!")) || text.lines().any(is_fence_in_document);
        let manifest = format!("crates/{folder}/Cargo.toml");
        let manifest_text = read(&manifest);
        let says_not = |key: &str| {
            sections(&manifest_text).iter().any(|section| {
                section.name == "lib" && section.lines.contains(&format!("{key} = false").as_str())
            })
        };
        for (key, has) in [("test", text.contains(concat!("#[te", "st]"))), ("doctest", documents)] {
            match (has, says_not(key)) {
                (true, true) => findings
                    .push(format!("{manifest} says `{key} = false`, but {library} has some: take it out")),
                (false, false) => findings
                    .push(format!("{library} has none: say `{key} = false` under `[lib]` in {manifest}")),
                _ => {}
            }
        }
    }
    findings
}

fn is_fence_in_document(line: &str) -> bool {
    let line = line.trim_start();
    (line.starts_with("///") || line.starts_with("//!")) && line.contains("```")
}
