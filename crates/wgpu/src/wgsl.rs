//! Kernels spelled as WGSL.

use crate::library::LIBRARY;
use std::fmt::Write;
use warploom_gpu::{Access, Argument, Dialect, ENTRY, Elements, Module, Own};
use warploom_graph::DType;

/// WGSL as naga reads it, with no extension.
///
/// Argument `i` is bound at `@group(0) @binding(i)`.
pub struct Wgsl;

impl Dialect for Wgsl {
    fn name(&self) -> &'static str {
        "wgsl"
    }

    fn has_f64(&self) -> bool {
        false
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

    fn store_part(&self, argument: &str, at: &str, bytes: usize, bits: &str) -> String {
        let (each, width) = (4 / bytes, 8 * bytes);
        let word = format!("{argument}[{at} / {each}u]");
        // Others change only other bits, so these may be compared first and flipped after.
        format!(
            "let shift = {at} % {each}u * {width}u; \
             atomicXor(&{word}, (atomicLoad(&{word}) ^ ({bits} << shift)) & ({}u << shift));",
            u32::MAX >> (32 - width)
        )
    }

    fn unroll(&self) -> &'static str {
        // Compilers decide by themselves.
        ""
    }

    fn module(&self, module: &Module<'_>) -> String {
        let mut text = format!("// {}\n\n", module.name.replace(|c: char| c.is_control(), " "));
        bindings(module.arguments, &mut text);
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
            LIBRARY.source(module.functions.iter().copied()),
            module.workgroup,
            module.body.trim_end(),
        );
        text
    }

    fn own(&self, own: &Own<'_>) -> Result<String, String> {
        if !own.text.trim_start().starts_with(&format!("fn {ENTRY}(")) {
            return Err(format!(
                "has a WGSL source that does not begin with `fn {ENTRY}(`; what stands before it, workgroup size \
                 and bindings, is written by Warploom, and other declarations may follow"
            ));
        }
        let [x, y, z] = own.workgroup;
        // What is added follows, so that lines are counted as the user counts them.
        let mut text = format!("@compute @workgroup_size({x}, {y}, {z}) {}\n\n", own.text.trim_end());
        bindings(own.arguments, &mut text);
        let _ = writeln!(text, "\n{}", LIBRARY.source(own.functions.iter().copied()));
        own.operands.iter().for_each(|operand| access(operand, &mut text));
        Ok(text)
    }
}

fn bindings(arguments: &[(Argument, Elements)], text: &mut String) {
    for (binding, (argument, elements)) in arguments.iter().enumerate() {
        let (element, access) = match elements {
            Elements::Words(_) if !argument.writable => (word(elements), "read"),
            _ => (word(elements), "read_write"),
        };
        // `check_index` knows the faults by name.
        let name = if *elements == Elements::Faults { "faults".into() } else { format!("a{binding}") };
        let _ =
            writeln!(text, "@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;");
    }
}

fn access(operand: &Access, text: &mut String) {
    let Access { name, dtype, shape, statements, value } = operand;
    let _ = writeln!(text, "const {name}_length = {}u;", shape.iter().product::<usize>());
    if !shape.is_empty() {
        let extents: Vec<String> = shape.iter().map(|extent| format!("{extent}u")).collect();
        let _ = writeln!(text, "const {name}_shape = array<u32, {}>({});", shape.len(), extents.join(", "));
    }
    let _ = match value {
        Some(value) => writeln!(text, "fn {name}(i: u32) -> {dtype} {{\n{statements}    return {value};\n}}"),
        None => writeln!(text, "fn {name}(i: u32, value: {dtype}) {{\n{statements}}}"),
    };
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
