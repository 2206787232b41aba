//! Kernels spelled as WGSL.

use crate::library;
use std::fmt::Write;
use warploom_gpu::{Dialect, ENTRY, Elements, Module};
use warploom_graph::DType;

/// WGSL as naga reads it, with no extension.
///
/// Argument `i` is bound at `@group(0) @binding(i)`.
pub struct Wgsl;

impl Dialect for Wgsl {
    fn name(&self) -> &'static str {
        "wgsl"
    }

    fn local_array(&self, element: &str, name: &str, length: usize) -> String {
        format!("var {name} = array<{element}, {length}>();")
    }

    fn barrier(&self) -> &'static str {
        "workgroupBarrier();"
    }

    fn storage_barrier(&self) -> &'static str {
        // Each covers the memory of its name alone.
        "storageBarrier(); workgroupBarrier();"
    }

    fn atomic_load(&self, word: &str) -> String {
        format!("atomicLoad(&{word})")
    }

    fn atomic_replace(&self, word: &str, mask: &str, bits: &str) -> String {
        // Others change only other bits, so these may be compared first and flipped after.
        format!("atomicXor(&{word}, (atomicLoad(&{word}) ^ ({bits})) & ({mask}));")
    }

    fn module(&self, module: &Module<'_>) -> String {
        let mut text = format!("// {}\n\n", module.name.replace(|c: char| c.is_control(), " "));
        for (binding, (argument, elements)) in module.arguments.iter().enumerate() {
            let (element, access) = match elements {
                Elements::Words(_) if !argument.writable => (word(elements), "read"),
                _ => (word(elements), "read_write"),
            };
            // `check_index` knows the faults by name.
            let name = if *elements == Elements::Faults { "faults".into() } else { format!("a{binding}") };
            let _ = writeln!(
                text,
                "@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;"
            );
        }
        for shared in module.shared {
            let (name, element, length) = (&shared.name, shared.element, shared.length);
            let _ = writeln!(text, "var<workgroup> {name}: array<{element}, {length}>;");
        }
        let _ = write!(
            text,
            "\n{}\n@compute @workgroup_size({})\nfn {ENTRY}(\n    \
             @builtin(local_invocation_index) thread: u32,\n    \
             @builtin(workgroup_id) group_position: vec3<u32>,\n    \
             @builtin(num_workgroups) group_counts: vec3<u32>,\n) {{\n    \
             let group = group_position.x\n        \
             + group_counts.x * (group_position.y + group_counts.y * group_position.z);\n{}\n}}\n",
            library::source(module.functions),
            module.workgroup,
            module.body.trim_end(),
        );
        text
    }
}

/// The type of an argument's elements.
fn word(elements: &Elements) -> &'static str {
    match elements {
        Elements::Words(DType::F32) => "f32",
        Elements::Words(DType::I32) => "i32",
        Elements::Words(_) => "u32",
        Elements::Atomic | Elements::Faults => "atomic<u32>",
    }
}
