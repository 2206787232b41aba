//! The functions that kernels call, in WGSL; [`warploom_gpu::Module`] lists them.
//!
//! WGSL promises little of floats: divisions may be off by 2.5 units in the last place, `fma` may round twice, the elementary
//! functions are rough, and a backend may reorder sums or take it that there are no NaN (Metal and DirectX do both as wgpu
//! compiles for them). Hence the ways of this library:
//!
//! - special values are told apart by their bits, never by comparing a number with itself;
//! - what must be exact (argument reductions, the logarithm inside a power, remainders, conversions) is done with
//!   integers, which no backend may change, and only polynomials are left to floats;
//! - sums are short enough for any order and any fusing of them to do.
//!
//! Polynomials are those of the CPU's functions. Subnormal numbers are carried through wherever integers carry them; a
//! device that flushes them in arithmetic or comparisons gives or takes zeros there.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// A function or a structure.
struct Declaration {
    name: &'static str,
    text: &'static str,
    /// Other declarations that it names.
    uses: BTreeSet<&'static str>,
}

static DECLARATIONS: LazyLock<Vec<Declaration>> = LazyLock::new(|| {
    let files = [
        include_str!("library/bits.wgsl"),
        include_str!("library/integer.wgsl"),
        include_str!("library/float.wgsl"),
        include_str!("library/exp.wgsl"),
        include_str!("library/log.wgsl"),
        include_str!("library/pow.wgsl"),
        include_str!("library/trig.wgsl"),
        include_str!("library/tanh.wgsl"),
        include_str!("library/erf.wgsl"),
        include_str!("library/cast.wgsl"),
        include_str!("library/half.wgsl"),
        include_str!("library/philox.wgsl"),
        include_str!("library/fault.wgsl"),
    ];
    let mut all: Vec<Declaration> = files.into_iter().flat_map(split).collect();
    let names: BTreeSet<&str> = all.iter().map(|declaration| declaration.name).collect();
    for declaration in &mut all {
        declaration.uses = words(declaration.text).filter(|word| names.contains(word)).collect();
    }
    all
});

/// The declarations of a file. Each starts at the start of a line with its keyword and ends with a brace at the start of
/// a line.
fn split(file: &'static str) -> Vec<Declaration> {
    let mut found = Vec::new();
    let mut start = None;
    let mut at = 0;
    for line in file.split_inclusive('\n') {
        if line.starts_with("fn ") || line.starts_with("struct ") {
            start = Some(at);
        }
        at += line.len();
        if line.starts_with('}')
            && let Some(start) = start.take()
        {
            let text = &file[start..at];
            let name = words(text).nth(1).unwrap_or_default();
            found.push(Declaration { name, text, uses: BTreeSet::new() });
        }
    }
    found
}

fn words(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The source of these functions and of all that they use, each once, in the library's order.
pub(crate) fn source(functions: &BTreeSet<&'static str>) -> String {
    let mut wanted = BTreeSet::new();
    let mut open: Vec<&'static str> = functions.iter().copied().collect();
    while let Some(name) = open.pop() {
        if wanted.insert(name) {
            open.extend(DECLARATIONS.iter().filter(|d| d.name == name).flat_map(|d| d.uses.iter().copied()));
        }
    }
    DECLARATIONS.iter().filter(|d| wanted.contains(d.name)).map(|d| d.text).collect::<Vec<_>>().join("\n")
}
