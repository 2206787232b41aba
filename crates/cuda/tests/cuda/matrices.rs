//! Products by cuBLASLt against one that records what it is asked for, in processes of their own. What it is asked to compute is
//! held against the interpreter by the conformance suite.

use std::path::Path;
use std::sync::Arc;

use crate::support::{Folder, Outcome, again, build};
use warploom_cuda::{CUBLASLT_VARIABLE, Cuda, Search, check_gpus};
use warploom_device::{
    Bindings, BufferId, BufferSpec, Class, Contraction, DeviceError, Executor, IndexMap, Instruction, Kernel,
    Memory, Operand, Program, Step, Store, Target,
};
use warploom_gpu::{Argument, Matrix, MatrixProduct, Multiplication, Node, Plan, Root};
use warploom_graph::{DType, Dims, Type};

const DRIVER: (&str, &str) = ("driver.c", "libcuda.so.1");
const COMPILER: (&str, &str) = ("nvrtc.c", "libnvrtc.so.13");
const PRODUCTS: (&str, &str) = ("cublaslt.c", "libcublasLt.so.13");

fn machine(libraries: &[(&str, &str)]) -> Option<Folder> {
    let folder = Folder::new();
    build(folder.path(), libraries).map(|()| folder)
}

/// `[n, n] x [n, n]`: an input by a state, to an output.
fn program(n: usize, tf32: bool) -> Program {
    let matrix = Type::new(DType::F32, &[n, n]);
    let spec = |class| BufferSpec { ty: matrix.clone(), bytes: matrix.bytes(), class };
    let operand =
        |buffer| Operand { buffer: BufferId(buffer), offset: 0, batch: 0, row: n as i64, column: 1 };
    let space = Dims::from_slice(&[1, n, n]);
    let store = Store { register: 0, buffer: BufferId(2), dtype: DType::F32, map: IndexMap::dense(&space) };
    let epilogue = Kernel {
        name: "contract".into(),
        space,
        reduced: Dims::new(),
        body: vec![Instruction::Product(DType::F32)],
        reductions: vec![],
        tail: vec![],
        stores: vec![store],
    };
    let product = Contraction {
        dtype: DType::F32,
        tf32,
        batch: 1,
        m: n,
        n,
        k: n,
        lhs: operand(0),
        rhs: operand(1),
        epilogue,
        workspace: Some(BufferId(3)),
    };
    let workspace = BufferSpec {
        ty: Type::new(DType::U8, &[1 << 20]),
        bytes: 1 << 20,
        class: Class::Arena { slab: 0, offset: 0 },
    };
    Program {
        buffers: vec![spec(Class::Input(0)), spec(Class::State(0)), spec(Class::Output(0)), workspace],
        steps: vec![Step::Contraction(product)],
        states: vec![matrix.clone()],
        written: vec![],
        inputs: vec![matrix.clone()],
        outputs: vec![matrix],
        slabs: vec![1 << 20],
        notes: vec![],
    }
}

/// A plan of one product of `[2, 3]` and `[3, 2]`, row by row, with a bias for each column.
fn plan() -> Plan {
    let matrix =
        |leading| Matrix { dtype: DType::F32, is_transposed: false, leading, batch: 0, alignment: 256 };
    let product = MatrixProduct {
        batch: 1,
        rows: 2,
        columns: 2,
        terms: 3,
        tf32: false,
        left: matrix(2),
        right: matrix(3),
        result: matrix(2),
        bias: Some(8),
        relu: true,
    };
    let argument = |root, offset, bytes| Argument { root, offset, bytes, writable: true };
    let call = Multiplication {
        name: "linear".into(),
        product,
        left: argument(Root::State(0), 0, 24),
        right: argument(Root::Input(0), 0, 24),
        result: argument(Root::Output(0), 0, 16),
        bias: Some(argument(Root::State(0), 24, 8)),
        workspace: Some(argument(Root::Slab(0), 256, 1000)),
        operations: 24,
        traffic: 64,
    };
    Plan { nodes: vec![Node::Product(call)], kernels: vec![], counters: 0 }
}

fn floats(gpu: &Cuda, numbers: &[f32]) -> Result<Memory, DeviceError> {
    let memory = gpu.allocate(4 * numbers.len())?;
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    gpu.upload(&memory, 0, &bytes)?;
    Ok(memory)
}

fn multiply() -> Result<(), DeviceError> {
    let gpu = Cuda::open(None)?;
    let types = |elements: usize| vec![Type::new(DType::F32, &[elements])];
    let given = Program {
        buffers: vec![],
        steps: vec![],
        states: types(8),
        written: vec![],
        inputs: types(6),
        outputs: types(4),
        slabs: vec![2048],
        notes: vec![],
    };
    let executable = gpu.prepare_plan(Arc::new(given), &plan())?;
    // The weight, row by row, and the bias behind it.
    let states = [floats(&gpu, &[1., 2., 3., 4., 5., 6., 0.5, -1000.])?];
    let (inputs, outputs) = ([floats(&gpu, &[1., 0., 0., 1., 1., 1.])?], [gpu.allocate(16)?]);
    let arena = [gpu.allocate(2048)?];
    for _ in 0..2 {
        executable.launch(Bindings {
            states: &states,
            inputs: &inputs,
            outputs: &outputs,
            arena: &arena,
            derived: &[],
        })?;
    }
    let mut bytes = [0; 16];
    gpu.download(&outputs[0], 0, &mut bytes)?;
    let got = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    assert_eq!(got.collect::<Vec<_>>(), [1.5, 0., 9.5, 0.]);
    Ok(())
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_multiply() {
    match multiply() {
        Ok(()) => println!("done"),
        Err(error) => println!("error: {error}"),
    }
}

fn multiplied(machine: &Folder, environment: &[(&str, &str)]) -> Outcome {
    let outcome = again("matrices::scenario_multiply", machine.path(), environment);
    assert!(outcome.succeeded, "{}\n{}", outcome.printed, outcome.log.join("\n"));
    outcome.assert_clean();
    outcome
}

#[test]
fn a_product_is_asked_for_once_and_recorded_once() {
    let Some(machine) = machine(&[DRIVER, COMPILER, PRODUCTS]) else { return };
    let outcome = multiplied(&machine, &[]);
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    let asked = outcome.log.iter().find(|line| line.starts_with("lt_propose")).unwrap();
    assert_eq!(
        asked,
        "lt_propose A=f32 2x3/2 x1+0 B=f32 3x2/3 x1+0 D=f32 2x2/2 x1+0 compute=68 epilogue=6 bias%8 \
         scratch<=33554432 schemes=2 aligned=256,256,256,256"
    );
    for (call, count) in
        [("lt_create", 1), ("lt_propose", 1), ("lt_multiply", 1), ("graph_launch", 2), ("kernel ", 0)]
    {
        assert_eq!(outcome.count(call), count, "{call}");
    }
    let last = |prefix: &str| outcome.log.iter().rposition(|line| line.starts_with(prefix)).unwrap();
    assert!(["graph_launch", "lt_layout_destroy", "lt_destroy", "context_release"].map(last).is_sorted());
}

#[test]
fn each_call_that_fails_is_a_clean_error() {
    let Some(machine) = machine(&[DRIVER, COMPILER, PRODUCTS]) else { return };
    let whole = multiplied(&machine, &[]);
    let is_call = |line: &&String| !["left", "unreturned"].iter().any(|part| line.starts_with(part));
    let calls: Vec<&String> = whole.log.iter().filter(is_call).collect();
    let capture = calls.iter().position(|line| line.starts_with("capture_begin")).unwrap();
    let mut told = 0;
    for (number, call) in (1..).zip(&calls) {
        // Others are tested where no library is.
        if !call.starts_with("lt_") {
            continue;
        }
        let outcome = multiplied(&machine, &[("FAKE_FAIL", &number.to_string())]);
        if call.contains("destroy") {
            assert!(outcome.printed.contains("done"), "{call}: {}", outcome.printed);
            continue;
        }
        told += 1;
        let parts: &[&str] = if number > capture {
            &["cuBLASLt refused", "CUBLAS_STATUS_FAKE (1, the fake library's reason)", CUBLASLT_VARIABLE]
        } else {
            &["linear", "no library takes"]
        };
        for part in parts {
            assert!(outcome.error().contains(part), "{call}, {part:?}: {}", outcome.error());
        }
    }
    assert!(told > 15, "{told}");
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_rule() {
    let gpu = Cuda::open(None).unwrap();
    let limits = gpu.gpu().limits;
    for n in [16, 64, 256] {
        for tf32 in [false, true] {
            let program = program(n, tf32);
            let bytes = gpu.workspace_bytes(&program.steps[0]) as i64;
            let own = warploom_gpu::workspace_bytes(&program.steps[0], &limits) as i64;
            println!("{n} {tf32} scratch {}", bytes - own);
        }
    }
    for kernel in gpu.written(&program(256, false)).unwrap() {
        println!("written {} {:?}: {}", kernel.name, kernel.resources, kernel.source.lines().next().unwrap());
    }
    for check in check_gpus(&Search::here()) {
        println!(
            "check {} {}: {} ({})",
            check.name,
            check.status,
            check.found,
            check.advice.unwrap_or_default()
        );
    }
    println!("done");
}

/// What a machine gives the library of products in f32 and in TF32 of three sizes, and what is said of it.
fn ruled(folder: &Path, environment: &[(&str, &str)]) -> (Vec<bool>, String) {
    let outcome = again("matrices::scenario_rule", folder, environment);
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    outcome.assert_clean();
    let taken =
        outcome.printed.lines().filter_map(|line| line.split_once(" scratch ")).map(|(_, n)| n != "0");
    (taken.collect(), outcome.printed.clone())
}

const NONE: [bool; 6] = [false; 6];

#[test]
fn products_go_to_the_library_by_rule_or_as_asked() {
    let Some(machine) = machine(&[DRIVER, COMPILER, PRODUCTS]) else { return };
    let machine = machine.path();
    let (taken, said) = ruled(machine, &[]);
    assert_eq!(taken, [false, false, false, false, true, true], "{said}");
    assert!(said.contains("check cuBLASLt ok: ") && said.contains(", 13.1.0 of CUDA 13.0"), "{said}");
    let call = "written contract None: library: 1 x f32[256, 256] · f32[256, 256] to f32[256, 256], column by column";
    assert!(said.contains(call), "{said}");
    assert_eq!(ruled(machine, &[(CUBLASLT_VARIABLE, "always")]).0, [true; 6]);
    let (taken, said) = ruled(machine, &[(CUBLASLT_VARIABLE, "never")]);
    assert_eq!(taken, NONE);
    // The driver says 32 of everything, and that 1,024 threads of 2,048 run.
    let kernel = "Some(Resources { registers: 32, spilled_bytes: 32, shared_bytes: 32, occupancy: 0.5 })";
    assert!(said.contains(kernel) && !said.contains("library"), "{said}");
    let wrong = again("matrices::scenario_rule", machine, &[(CUBLASLT_VARIABLE, "sometimes")]);
    assert!(
        !wrong.succeeded && wrong.printed.contains("is \\\"sometimes\\\"; it takes"),
        "{}",
        wrong.printed
    );
}

#[test]
fn what_the_library_refuses_or_does_not_repeat_kernels_compute() {
    let Some(machine) = machine(&[DRIVER, COMPILER, PRODUCTS]) else { return };
    let always = (CUBLASLT_VARIABLE, "always");
    let taken = |setting| ruled(machine.path(), &[always, setting]).0;
    assert_eq!(taken(("FAKE_LT_REFUSE", "all")), NONE);
    assert_eq!(taken(("FAKE_LT_SCHEMES", "14")), NONE, "they add up in the result");
    assert_eq!(taken(("FAKE_LT_SCHEMES", "142")), [true; 6], "the third is taken");
    assert_eq!(taken(("FAKE_LT_SCRATCH", "40000000")), NONE);
}

#[test]
fn without_a_library_that_fits_kernels_compute_and_doctor_says_why() {
    let always = [(CUBLASLT_VARIABLE, "always")];
    let cases: [(&[(&str, &str)], &[(&str, &str)], &[&str]); 4] = [
        (&[DRIVER, COMPILER], &[], &["libcublasLt.so was not found", "pip install nvidia-cublas"]),
        (
            &[DRIVER, COMPILER, ("nvrtc.c", PRODUCTS.1)],
            &[],
            &["does not load", "no function cublasLtGetVersion"],
        ),
        (
            &[DRIVER, COMPILER, PRODUCTS],
            &[("FAKE_LT_VERSION", "11080")],
            &["of CUDA 11.8", "12.0 or newer is needed"],
        ),
        (
            &[DRIVER, COMPILER, PRODUCTS],
            &[("FAKE_LT_VERSION", "14000")],
            &["of CUDA 14.0, which the driver of CUDA 13.0 is too old for"],
        ),
    ];
    for (libraries, environment, parts) in cases {
        let Some(machine) = machine(libraries) else { return };
        let (taken, said) = ruled(machine.path(), &[&always[..], environment].concat());
        assert_eq!(taken, NONE);
        let line = said.lines().find(|line| line.starts_with("check cuBLASLt warning: ")).unwrap();
        for part in [&["kernels, which are slower"], parts].concat() {
            assert!(line.contains(part), "no {part:?} in: {line}");
        }
    }
}
