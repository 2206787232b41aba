//! The documents tell the truth: paths they name exist, the README's commands are what CI runs.

use crate::Findings;
use crate::files::{read, root, with_endings};

/// The README's first screen, in lines.
const SCREEN: usize = 24;

/// The two commands that a newcomer runs first: the main job on embedded data, and the tests.
pub const FIRST_COMMANDS: [&str; 2] = ["cargo run --release -- train digits", "cargo test --workspace"];

/// Written by runs and builds, so not there in a fresh copy.
const MADE_BY_RUNNING: &[&str] = &["runs/", "target/"];

/// What stands between single backticks on one line.
pub fn backticked(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// Lines outside fenced code blocks, with their numbers from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Whether words between backticks are a path: a folder or one of the endings, and nothing that paths here do not have.
fn is_path(words: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    words.chars().all(plain)
        && words.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.')
        && (words.contains('/') || [".rs", ".md", ".toml"].iter().any(|ending| words.ends_with(ending)))
        && !MADE_BY_RUNNING.iter().any(|made| words.starts_with(made))
}

/// Targets of Markdown links in the line that lead to files.
fn linked(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
}

/// Paths that a document names and that are not there. Backticked ones start at the root, links at the document.
pub fn missing_paths() -> Findings {
    let mut findings = Findings::new();
    let documents = with_endings("", &[".md"]);
    for wanted in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/roadmap.md"] {
        if !documents.iter().any(|document| document == wanted) {
            findings.push(format!("{wanted} is missing"));
        }
    }
    for document in documents {
        let text = read(&document);
        let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in prose(&text) {
            for path in backticked(line).into_iter().filter(|words| is_path(words)) {
                if !root().join(path).exists() {
                    findings.push(format!("{document}:{number}: there is no {path}"));
                }
            }
            for target in linked(line) {
                if !root().join(folder).join(target).exists() {
                    findings.push(format!("{document}:{number}: there is no {target} beside it"));
                }
            }
        }
    }
    findings
}

/// Files of the compiler that ARCHITECTURE.md does not describe.
pub fn passes_left_out() -> Findings {
    let text = read("ARCHITECTURE.md");
    let files = with_endings("crates/compile/src", &[".rs"]);
    let described = |path: &String| text.contains(&format!("`{path}`")) || path.ends_with("/lib.rs");
    let of_a_pass = |path: &String| path.matches('/').count() > 3 || path.ends_with("/tests.rs");
    files
        .iter()
        .filter(|path| !described(path) && !of_a_pass(path))
        .map(|path| format!("ARCHITECTURE.md does not say what {path} is for"))
        .collect()
}

/// Whether the README opens with the two commands alone, and CI runs them as they stand.
pub fn first_commands() -> Findings {
    let mut findings = Findings::new();
    let readme = read("README.md");
    let first_block = readme.lines().take(SCREEN).skip_while(|line| !line.starts_with("```")).skip(1);
    let commands: Vec<&str> = first_block
        .take_while(|line| !line.starts_with("```"))
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .collect();
    if commands != FIRST_COMMANDS {
        findings.push(format!(
            "README.md's first {SCREEN} lines have the commands {commands:?}, not {FIRST_COMMANDS:?}"
        ));
    }
    let ci = read(".ci/run");
    for command in FIRST_COMMANDS {
        if !ci.contains(command) {
            findings.push(format!(".ci/run does not run `{command}`"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{is_path, linked, prose};

    #[test]
    fn paths_are_told_from_other_words() {
        for path in ["crates/graph", "crates/graph/src/op.rs", "Cargo.toml", ".ci/run", "docs/roadmap.md"] {
            assert!(is_path(path), "{path}");
        }
        for other in
            ["[batch, m, n]", "runs/digits", "samples", "train.epochs=5", "runs/<name>", "a / b", "/", "2.5"]
        {
            assert!(!is_path(other), "{other}");
        }
    }

    #[test]
    fn code_blocks_are_no_prose() {
        let lines: Vec<usize> = prose("a\n```sh\nb\n```\nc").map(|(number, _)| number).collect();
        assert_eq!(lines, [1, 5]);
    }

    #[test]
    fn links_lead_to_files() {
        let line = "[a](docs/a.md#part), [b](https://b.example/c), [c](#part), [d](LICENSE-MIT)";
        assert_eq!(linked(line).collect::<Vec<_>>(), ["docs/a.md", "LICENSE-MIT"]);
    }
}
