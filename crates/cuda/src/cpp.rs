//! Kernels spelled as CUDA C++.

use crate::library::LIBRARY;
use std::fmt::Write;
use warploom_gpu::{Access, Argument, Dialect, ENTRY, Elements, Module, Own, words};
use warploom_graph::DType;

/// CUDA C++ as NVRTC compiles it, without any header.
///
/// Argument `i` is parameter `i` of the entry point, a pointer. Blocks are launched along one axis of threads. Results are as
/// stated only without fast math and with `--fmad=false`.
pub struct CudaCpp;

/// What stands before everything: the words of the common subset of WGSL and C++.
const PRELUDE: &str = "\
#define let const auto
#define var auto
namespace warploom {
using i32 = int;
using u32 = unsigned int;
using u8 = unsigned char;
using u16 = unsigned short;
using f32 = float;
using f64 = double;
using i64 = long long;
using u64 = unsigned long long;
";

impl Dialect for CudaCpp {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn has_f64(&self) -> bool {
        true
    }

    fn local_array(&self, element: &str, name: &str, length: usize) -> String {
        format!("{element} {name}[{length}] = {{}};")
    }

    fn barrier(&self) -> &'static str {
        "__syncthreads();"
    }

    fn storage_barrier(&self) -> &'static str {
        // It covers all memory.
        "__syncthreads();"
    }

    fn atomic_load(&self, word: &str) -> String {
        format!("load_atomic(&{word})")
    }

    fn store_part(&self, argument: &str, at: &str, bytes: usize, bits: &str) -> String {
        let part = match bytes {
            1 => "u8",
            2 => "u16",
            _ => "u32",
        };
        format!("store_part<{part}>({argument}, {at}, {bits});")
    }

    fn unroll(&self) -> &'static str {
        "#pragma unroll"
    }

    fn module(&self, module: &Module<'_>) -> String {
        let mut head = String::new();
        for shared in module.shared {
            let (name, element, length) = (&shared.name, shared.element, shared.length);
            // Vectors are copied to it.
            let _ = writeln!(head, "    alignas(16) __shared__ {element} {name}[{length}];");
        }
        head += "    const u32 thread = threadIdx.x;\n    \
                 const u32 group = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);\n";
        if module.functions.contains("check_index") {
            head += "    const auto check_index = [=](i32 index, u32 extent, u32 kernel) {\n        \
                     return checked_index(faults, index, extent, kernel);\n    };\n";
        }
        let called = module.functions.iter().copied().chain(words(&head)).chain(words(module.body));
        format!(
            "// {}\n{PRELUDE}\n{}\n{} {{\n{head}{}\n}}\n}}\n",
            module.name.replace(|c: char| c.is_control() || c == '\\', " "),
            LIBRARY.source(called),
            entry(module.workgroup, module.resident, module.arguments),
            module.body.trim_end(),
        )
    }

    fn own(&self, own: &Own<'_>) -> Result<String, String> {
        let beginning = format!("__device__ void {ENTRY}()");
        if !own.text.trim_start().starts_with(&beginning) {
            return Err(format!(
                "has a CUDA source that does not begin with `{beginning}`; what stands before it is written by \
                 Warploom, and other declarations may follow"
            ));
        }
        let mut accesses = String::new();
        own.operands.iter().for_each(|operand| access(operand, &mut accesses));
        let called = own.functions.iter().copied().chain(words(&accesses));
        let mut text = format!("{PRELUDE}\n{}\nstruct Own {{\n", LIBRARY.source(called));
        for (i, argument) in own.arguments.iter().enumerate() {
            let _ = writeln!(text, "    {};", parameter(i, argument));
        }
        let [x, y, z] = own.workgroup;
        let _ = write!(
            text,
            "    const uint3 threadIdx = {{::threadIdx.x % {x}u, ::threadIdx.x / {x}u % {y}u, ::threadIdx.x / {}u}};\n    \
             const uint3 blockDim = {{{x}u, {y}u, {z}u}};\n{accesses}#undef let\n#undef var\n",
            x.saturating_mul(y),
        );
        // Lines are counted as the user counts them.
        let names: Vec<String> = (0..own.arguments.len()).map(|i| format!("a{i}")).collect();
        let workgroup = own.workgroup.into_iter().fold(1, u32::saturating_mul);
        let _ = write!(
            text,
            "#line 1 \"kernel\"\n{}\n}};\n\n{} {{\n    Own own{{{}}};\n    own.{ENTRY}();\n}}\n}}\n",
            own.text.trim_end(),
            entry(workgroup, None, own.arguments),
            names.join(", "),
        );
        Ok(text)
    }
}

/// The entry point's declaration.
fn entry(workgroup: u32, resident: Option<u32>, arguments: &[(Argument, Elements)]) -> String {
    let parameters: Vec<String> = arguments.iter().enumerate().map(|(i, one)| parameter(i, one)).collect();
    let parameters = parameters.join(", ");
    let resident = resident.map_or_else(String::new, |blocks| format!(", {blocks}"));
    format!("extern \"C\" __global__ void __launch_bounds__({workgroup}{resident}) {ENTRY}({parameters})")
}

/// The declaration of an argument's pointer.
fn parameter(i: usize, (argument, elements): &(Argument, Elements)) -> String {
    let element = match elements {
        Elements::Words(DType::F32) => "f32",
        Elements::Words(DType::I32) => "i32",
        Elements::Words(_) | Elements::Atomic | Elements::Faults => "u32",
    };
    match elements {
        // `check_index` knows the faults by name.
        Elements::Faults => "u32 *faults".to_owned(),
        // Arguments overlap where one of their memory is written, and then all of that memory are writable.
        Elements::Words(_) if !argument.writable => format!("const {element} *__restrict__ a{i}"),
        Elements::Words(_) | Elements::Atomic => format!("{element} *a{i}"),
    }
}

/// The member functions and constants by which a user's text sees an operand.
fn access(operand: &Access, text: &mut String) {
    let Access { name, dtype, shape, statements, value } = operand;
    let _ = writeln!(text, "    static constexpr u32 {name}_length = {}u;", shape.iter().product::<usize>());
    if !shape.is_empty() {
        let extents: Vec<String> = shape.iter().map(|extent| format!("{extent}u")).collect();
        let _ = writeln!(text, "    const u32 {name}_shape[{}] = {{{}}};", shape.len(), extents.join(", "));
    }
    let _ = match value {
        Some(value) => {
            writeln!(
                text,
                "    __device__ {dtype} {name}(u32 i) const {{\n{statements}    return {value};\n    }}"
            )
        }
        None => {
            writeln!(text, "    __device__ void {name}(u32 i, {dtype} value) const {{\n{statements}    }}")
        }
    };
}
