//! Convolutions by cuDNN against one that records what it is asked for, in processes of their own. What it is asked to compute is
//! held against the interpreter by the conformance suite.

use std::sync::Arc;

use crate::support::{Folder, Outcome, again, build};
use warploom_cuda::{CUDNN_VARIABLE, Cuda, Search, check_gpus};
use warploom_device::{Bindings, DeviceError, Executor, Program};
use warploom_gpu::{Argument, Convolving, ImageAxis, ImageConvolution, Node, Plan, Role, Root};
use warploom_graph::{DType, Type};

const DRIVER: (&str, &str) = ("driver.c", "libcuda.so.1");
const COMPILER: (&str, &str) = ("nvrtc.c", "libnvrtc.so.13");
const CONVOLUTIONS: (&str, &str) = ("cudnn.c", "libcudnn.so.9");

fn machine(libraries: &[(&str, &str)]) -> Option<Folder> {
    let folder = Folder::new();
    build(folder.path(), libraries).map(|()| folder)
}

/// The output of 3 x 3 images by 2 x 2 kernels.
fn convolution() -> ImageConvolution {
    let axis = ImageAxis { input: 3, kernel: 2, output: 2, padding: 0, stride: 1, dilation: 1 };
    ImageConvolution {
        role: Role::Output,
        dtype: DType::F32,
        tf32: false,
        batch: 1,
        groups: 1,
        channels: 1,
        outputs: 1,
        axes: [axis, axis],
    }
}

fn convolve() -> Result<(), DeviceError> {
    let gpu = Cuda::open(None)?;
    let argument = |root, offset, bytes| Argument { root, offset, bytes, writable: true };
    let call = Convolving {
        name: "convolve".into(),
        convolution: convolution(),
        input: argument(Root::Input(0), 0, 36),
        kernel: argument(Root::State(0), 0, 16),
        result: argument(Root::Output(0), 0, 16),
        workspace: Some(argument(Root::Slab(0), 0, 1000)),
        operations: 32,
        traffic: 68,
    };
    let plan = Plan { nodes: vec![Node::Convolution(call)], kernels: vec![], counters: 0 };
    let types = |elements: usize| vec![Type::new(DType::F32, &[elements])];
    let program = Program {
        buffers: vec![],
        steps: vec![],
        states: types(4),
        written: vec![],
        inputs: types(9),
        outputs: types(4),
        slabs: vec![1000],
        notes: vec![],
    };
    let executable = gpu.prepare_plan(Arc::new(program), &plan)?;
    let (states, inputs) = ([gpu.allocate(16)?], [gpu.allocate(36)?]);
    let (outputs, arena) = ([gpu.allocate(16)?], [gpu.allocate(1000)?]);
    let bytes = |numbers: &[f32]| -> Vec<u8> { numbers.iter().flat_map(|n| n.to_le_bytes()).collect() };
    gpu.upload(&states[0], 0, &bytes(&[1., 2., 3., 4.]))?;
    gpu.upload(&inputs[0], 0, &bytes(&[1., 2., 3., 4., 5., 6., 7., 8., 9.]))?;
    let bindings =
        Bindings { states: &states, inputs: &inputs, outputs: &outputs, arena: &arena, derived: &[] };
    executable.launch(bindings)?;
    let mut got = [0; 16];
    gpu.download(&outputs[0], 0, &mut got)?;
    assert_eq!(got[..], bytes(&[37., 47., 67., 77.]));
    Ok(())
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_convolve() {
    match convolve() {
        Ok(()) => println!("done"),
        Err(error) => println!("error: {error}"),
    }
    for check in check_gpus(&Search::here()) {
        println!("check {} {}: {}", check.name, check.status, check.found);
    }
}

fn convolved(machine: &Folder, environment: &[(&str, &str)]) -> Outcome {
    let outcome = again("convolutions::scenario_convolve", machine.path(), environment);
    assert!(outcome.succeeded, "{}\n{}", outcome.printed, outcome.log.join("\n"));
    outcome.assert_clean();
    outcome
}

#[test]
fn a_convolution_is_asked_for_once_and_recorded_once() {
    let Some(machine) = machine(&[DRIVER, COMPILER, CONVOLUTIONS]) else { return };
    let outcome = convolved(&machine, &[]);
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    assert!(outcome.printed.contains(", 9.26.0 of CUDA 13.0"), "{}", outcome.printed);
    let asked = outcome.log.iter().find(|line| line.starts_with("dnn_propose")).unwrap();
    assert_eq!(
        asked,
        "dnn_propose output x=1x1x3x3 w=1x1x2x2 y=1x1x2x2 padding=0,0 stride=1,1 dilation=1,1 groups=1 math=3"
    );
    for (call, count) in [("dnn_create", 1), ("dnn_propose", 1), ("dnn_convolve", 1), ("graph_launch", 1)] {
        assert_eq!(outcome.count(call), count, "{call}");
    }
    let last = |prefix: &str| outcome.log.iter().rposition(|line| line.starts_with(prefix)).unwrap();
    let order = ["graph_launch", "dnn_descriptor_destroy", "dnn_destroy", "context_release"];
    assert!(order.map(last).is_sorted());
}

#[test]
fn each_call_that_fails_is_a_clean_error() {
    let Some(machine) = machine(&[DRIVER, COMPILER, CONVOLUTIONS]) else { return };
    let whole = convolved(&machine, &[]);
    let is_call = |line: &&String| !["left", "unreturned"].iter().any(|part| line.starts_with(part));
    let calls: Vec<&String> =
        whole.log.iter().filter(is_call).filter(|line| !line.starts_with("compile")).collect();
    let capture = calls.iter().position(|line| line.starts_with("capture_begin")).unwrap();
    let mut told = 0;
    for (number, call) in (1..).zip(&calls).filter(|(_, call)| call.starts_with("dnn_")) {
        let outcome = convolved(&machine, &[("FAKE_FAIL", &number.to_string())]);
        if call.contains("destroy") {
            assert!(outcome.printed.contains("done"), "{call}: {}", outcome.printed);
            continue;
        }
        told += 1;
        let parts: &[&str] = if number > capture {
            &["cuDNN refused", "CUDNN_STATUS_FAKE (1)", CUDNN_VARIABLE]
        } else {
            &["convolve", "no library takes"]
        };
        for part in parts {
            assert!(outcome.error().contains(part), "{call}, {part:?}: {}", outcome.error());
        }
    }
    assert!(told > 12, "{told}");
}

#[test]
fn what_the_library_refuses_or_does_not_repeat_is_not_its() {
    let Some(machine) = machine(&[DRIVER, COMPILER, CONVOLUTIONS]) else { return };
    let done = |setting| convolved(&machine, &[setting]).printed.contains("done");
    assert!(!done(("FAKE_DNN_REFUSE", "1")));
    assert!(!done(("FAKE_DNN_REPEATABLE", "00")));
    assert!(done(("FAKE_DNN_REPEATABLE", "01")), "the second is taken");
    assert!(!done(("FAKE_DNN_SCRATCH", "40000000")));
}

#[test]
fn without_a_library_that_fits_doctor_says_why() {
    let cases: [(&[(&str, &str)], &str, &[&str]); 3] = [
        (&[DRIVER, COMPILER], "13000", &["libcudnn.so was not found", "nvidia-cudnn"]),
        (&[DRIVER, COMPILER, ("nvrtc.c", CONVOLUTIONS.1)], "13000", &["no function cudnnGetVersion"]),
        (
            &[DRIVER, COMPILER, CONVOLUTIONS],
            "14000",
            &["of CUDA 14.0, which the driver of CUDA 13.0 is too old for"],
        ),
    ];
    for (libraries, version, parts) in cases {
        let Some(machine) = machine(libraries) else { return };
        let outcome = convolved(&machine, &[("FAKE_DNN_VERSION", version)]);
        assert!(outcome.error().contains("no library takes"), "{}", outcome.printed);
        let line = outcome.printed.lines().find(|line| line.starts_with("check cuDNN warning: ")).unwrap();
        for part in [&["convolutions run as Warploom's own kernels"], parts].concat() {
            assert!(line.contains(part), "no {part:?} in: {line}");
        }
    }
}
