//! Kernels run with AddressSanitizer and UndefinedBehaviorSanitizer, in a process of their own.

use crate::build::{Folder, Shared, compile, text};
use std::fmt::Write;
use std::fs;
use std::process::Command;
use warploom_gpu::{Dispatch, Node, Plan, Root};

/// Runs a plan with threads and blocks in their order. `memory` gives what each memory holds before; accesses outside of them,
/// or outside of what a block shares, are found.
///
/// # Errors
/// What the compiler or the sanitizers say.
pub fn sanitized(plan: &Plan, memory: impl Fn(Root) -> Vec<u8>) -> Result<(), String> {
    let folder = Folder::new()?;
    let mut program = Program::default();
    program.nodes(&plan.nodes);
    let (mut content, mut allocations) = (Vec::new(), String::new());
    for (i, root) in program.roots.iter().enumerate() {
        let mut bytes = memory(*root);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        // Writing to a string does not fail.
        let _ = writeln!(allocations, "    roots[{i}] = filled({});", bytes.len());
        content.extend(bytes);
    }
    let text = format!(
        "{}{MAIN}static char *roots[{}];\n\nint main() {{\n{allocations}{}    return 0;\n}}\n",
        text(&program.sources, Shared::Apart),
        program.roots.len().max(1),
        program.body,
    );
    let (input, output) = (folder.path("memory"), folder.path("kernels"));
    fs::write(&input, content).map_err(|e| format!("{} cannot be written: {e}", input.display()))?;
    let flags = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    compile(&folder, &text, &flags, &output)?;
    let input = fs::File::open(&input).map_err(|e| format!("{} cannot be read: {e}", input.display()))?;
    let ended = Command::new(&output).stdin(input).env("ASAN_OPTIONS", "detect_leaks=0").output();
    let ended = ended.map_err(|e| format!("the compiled kernels cannot be started: {e}"))?;
    if ended.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&ended.stderr).into_owned())
}

/// What the main function calls beside kernels.
const MAIN: &str = r#"
#include <stdio.h>

static char *filled(size_t bytes) {
    char *memory = (char *)malloc(bytes);
    return fread(memory, 1, bytes, stdin) == bytes ? memory : NULL;
}

static void check(const char *wrong) {
    if (wrong != NULL) {
        fprintf(stderr, "%s\n", wrong);
        exit(1);
    }
}

"#;

/// A plan as C++.
#[derive(Default)]
struct Program<'a> {
    sources: Vec<&'a str>,
    roots: Vec<Root>,
    body: String,
}

impl<'a> Program<'a> {
    fn nodes(&mut self, nodes: &'a [Node]) {
        for node in nodes {
            match node {
                Node::Dispatch(dispatch) if dispatch.groups.contains(&0) => {}
                Node::Dispatch(dispatch) => self.dispatch(dispatch),
                Node::Product(_) | Node::Convolution(_) => {
                    self.body += "    check(\"a step is left to a library\");\n";
                }
                Node::Repeat(times, body) => {
                    let _ = writeln!(self.body, "    for (size_t i = 0; i < {times}; i++) {{");
                    self.nodes(body);
                    self.body += "    }\n";
                }
            }
        }
    }

    fn dispatch(&mut self, dispatch: &'a Dispatch) {
        let kernel = position(&mut self.sources, &dispatch.source.as_str());
        self.body += "    {\n        void *arguments[] = {";
        for argument in &dispatch.arguments {
            let root = position(&mut self.roots, &argument.root);
            let _ = write!(self.body, "roots[{root}] + {}, ", argument.offset);
        }
        let ([x, y, z], threads) = (dispatch.groups, dispatch.workgroup);
        let _ = writeln!(
            self.body,
            "NULL}};\n        const unsigned groups[] = {{{x}, {y}, {z}}};\n        \
             check(launch{kernel}(arguments, groups, {threads}, 0));\n    }}"
        );
    }
}

/// Where an item is among those that are known, at the end if it is new.
fn position<T: PartialEq + Clone>(known: &mut Vec<T>, item: &T) -> usize {
    known.iter().position(|other| other == item).unwrap_or_else(|| {
        known.push(item.clone());
        known.len() - 1
    })
}
