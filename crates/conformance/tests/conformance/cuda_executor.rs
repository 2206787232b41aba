//! The whole executor of NVIDIA's GPUs on a machine without one: a driver whose memory is the host's, a compiler that makes host
//! code of kernels, and a cuBLASLt and a cuDNN that compute what their descriptors say. Programs against the interpreter, with
//! every product and convolution given to the library that takes it.
//!
//! Skipped where no C or C++ compiler is found. `WARPLOOM_PROGRAMS` and `WARPLOOM_FIRST_SEED` say which random programs are run.

#[allow(dead_code, reason = "shared with the executor's own tests")]
#[path = "../../../cuda/tests/cuda/support/machine.rs"]
mod machine;

use std::fs;
use std::path::Path;

use machine::{Folder, Outcome, again, build};
use smallvec::smallvec;
use warploom_compile::Options;
use warploom_conformance::generate::generate_of;
use warploom_conformance::ops::products;
use warploom_conformance::run::{Case, compare, run};
use warploom_cuda::{CUBLASLT_VARIABLE, CUDNN_VARIABLE, Cuda};
use warploom_device::Target;
use warploom_emulate::{EMULATION, is_available};
use warploom_graph::convolve::{ConvolveAxes, SpatialWindow};
use warploom_graph::gradient::vjp;
use warploom_graph::interpret::Array;
use warploom_graph::{
    Arithmetic, Builder, ContractAxes, DType, ElementwiseMethods, Expr, Graph, Op, Origin, Recording, Type,
};

/// Runs the ignored test of this name on such a machine; gives what it did.
fn on_the_machine(scenario: &str, environment: &[(&str, &str)]) -> Option<Outcome> {
    if !is_available() {
        return None;
    }
    let (machine, kernels, cache) = (Folder::new(), Folder::new(), Folder::new());
    let libraries = [
        ("driver.c", "libcuda.so.1"),
        ("nvrtc.c", "libnvrtc.so.13"),
        ("cublaslt.c", "libcublasLt.so.13"),
        ("cudnn.c", "libcudnn.so.9"),
    ];
    build(machine.path(), &libraries)?;
    let header = kernels.path().join("emulation.hpp");
    fs::write(&header, EMULATION).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (header, kernels, cache) = (text(&header), text(kernels.path()), text(cache.path()));
    let mut all = vec![
        ("FAKE_EMULATION", header.as_str()),
        ("FAKE_KERNELS", &kernels),
        ("WARPLOOM_CACHE", &cache),
        (CUBLASLT_VARIABLE, "always"),
        (CUDNN_VARIABLE, "always"),
    ];
    all.extend(environment);
    let outcome = again(scenario, machine.path(), &all);
    assert!(outcome.succeeded, "{}", outcome.printed);
    outcome.assert_clean();
    Some(outcome)
}

/// Runs cases by name; panics with all that are wrong. Gives the lines of the driver's log that each led to.
fn check(gpu: &Cuda, cases: &[(String, Case)]) -> Vec<Vec<String>> {
    let log = std::env::var("FAKE_LOG").unwrap();
    let lines = || -> Vec<String> { fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect() };
    let (mut wrong, mut done) = (Vec::new(), Vec::new());
    for (name, case) in cases {
        let before = lines().len();
        let outcome = run(case, gpu, Options::default()).expect(name);
        wrong.extend(compare(case, &outcome).err().map(|why| format!("{name}: {why}")));
        done.push(lines().split_off(before));
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    done
}

/// What follows a product, and how the library is asked for it: its epilogue, and whether a kernel is left to run behind.
type Ending = (&'static str, for<'b> fn(Expr<'b>, Expr<'b>, Expr<'b>) -> Vec<Expr<'b>>, u32, bool);

/// Epilogues by the library's numbers.
const NOTHING: u32 = 1;
const BIAS: u32 = 4;

/// The operands: the product, a vector along its columns, another along its rows.
const ENDINGS: [Ending; 9] = [
    ("alone", |p, _, _| vec![p], 1, false),
    ("a bias", |p, c, _| vec![p + c.broadcast(&p.ty().shape)], 4, false),
    ("relu", |p, _, _| vec![p.relu()], 2, false),
    ("a bias and relu", |p, c, _| vec![(c.broadcast(&p.ty().shape) + p).relu()], 6, false),
    ("a bias along rows", |p, _, r| vec![p + along_rows(p, r)], 1, true),
    ("a bias twice", |p, c, _| vec![p + c.broadcast(&p.ty().shape) + c.broadcast(&p.ty().shape)], 1, true),
    ("relu and a bias", |p, c, _| vec![p.relu() + c.broadcast(&p.ty().shape)], 1, true),
    ("two results", |p, c, _| vec![p, (p + c.broadcast(&p.ty().shape)).relu()], 1, true),
    ("a factor", |p, _, _| vec![p * 3.0], 1, true),
];

fn along_rows<'b>(product: Expr<'b>, rows: Expr<'b>) -> Expr<'b> {
    let mut shape = product.ty().shape;
    let last = shape.len() - 1;
    shape[last] = 1;
    shape[..last - 1].fill(1);
    rows.reshape(&shape).broadcast(&product.ty().shape)
}

/// Whole numbers whose sums are exact in every dtype.
fn numbers(shape: &[usize], dtype: DType) -> Array {
    let ty = Type::new(dtype, shape);
    let numbers: Vec<f64> = (0..ty.elements()).map(|i| (i * 7919 % 61 % 5) as f64 - 2.0).collect();
    Array::new(ty, numbers)
}

/// `batch` products of `[5, 6]` and `[6, 7]`, the operands lying turned or not, the result wanted turned or not.
fn product(
    dtype: DType,
    arithmetic: Arithmetic,
    batch: usize,
    turned: [bool; 3],
    ending: &Ending,
) -> (String, Case) {
    let result = if arithmetic == Arithmetic::Own { dtype } else { DType::F32 };
    let (m, k, n) = (5, 6, 7);
    let shape =
        |turned: bool, rows, columns| if turned { [batch, columns, rows] } else { [batch, rows, columns] };
    let arrays = [
        numbers(&shape(turned[0], m, k), dtype),
        numbers(&shape(turned[1], k, n), dtype),
        numbers(&[if turned[2] { m } else { n }], result),
        numbers(&[if turned[2] { n } else { m }], result),
    ];
    let builder = Builder::new(Graph::new(), Origin::here());
    let [left, right, columns, rows] = arrays.each_ref().map(|array| builder.parameter(array.ty.clone()));
    let axes = ContractAxes {
        batch: smallvec![(0, 0)],
        sum: smallvec![(if turned[0] { 1 } else { 2 }, if turned[1] { 2 } else { 1 })],
        arithmetic,
    };
    let product = builder.apply(Op::Contract(axes), &[left.value(), right.value()]);
    let product = if turned[2] { product.permute(&[0, 2, 1]) } else { product };
    let results = (ending.1)(product, columns, rows).iter().map(|result| result.value()).collect();
    let mut graph = builder.finish();
    graph.set_results(results);
    let name = format!("{dtype} {arithmetic:?} {batch} {turned:?} {}", ending.0);
    (name, Case { recording: Recording::stateless(graph), arguments: arrays.to_vec(), tolerance: 0.0 })
}

/// One product is asked for and computed, with the ending that the library has for it; with a bias only where `is_told`: where
/// nothing is rounded before.
fn check_ending(gpu: &Cuda, is_told: bool, ending: &Ending, name: String, case: Case) {
    let log = check(gpu, &[(name.clone(), case)]).remove(0);
    let count = |prefix: &str| log.iter().filter(|line| line.starts_with(prefix)).count();
    assert_eq!(count("lt_multiply"), 1, "{name}");
    let is_whole = !ending.3 && (is_told || ending.2 & BIAS == 0);
    let epilogue = format!("epilogue={} ", if is_whole { ending.2 } else { NOTHING });
    let mut asked = log.iter().filter(|line| line.starts_with("lt_propose"));
    assert!(asked.all(|line| line.contains(&epilogue)), "{name}: {log:#?}");
    assert_eq!(count("kernel"), usize::from(!is_whole), "{name}: {log:#?}");
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_endings() {
    let gpu = Cuda::open(None).unwrap();
    let wide = [DType::BF16, DType::F16].map(|dtype| (dtype, Arithmetic::Wide));
    let own = [DType::F32, DType::BF16, DType::F16].map(|dtype| (dtype, Arithmetic::Own));
    for (dtype, arithmetic) in own.into_iter().chain(wide) {
        for bits in 0..16 {
            let (batch, turned) = (1 + (bits & 8) / 4, [1, 2, 4].map(|bit| bits & bit != 0));
            let is_plain = turned == [false; 3];
            for ending in ENDINGS.iter().filter(|ending| is_plain || dtype == DType::F32 && !ending.3) {
                let (name, case) = product(dtype, arithmetic, batch, turned, ending);
                let is_told = dtype == DType::F32 || arithmetic == Arithmetic::Wide;
                check_ending(&gpu, is_told, ending, name, case);
            }
        }
    }
    println!("done");
}

#[test]
fn products_lie_and_end_as_the_library_is_told() {
    let Some(outcome) = on_the_machine("cuda_executor::scenario_endings", &[]) else { return };
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
}

/// A convolution of `input` by `kernel` with the gradients of both, and whether the library has them.
struct Images {
    input: &'static [usize],
    kernel: &'static [usize],
    groups: usize,
    /// Stride, zeros before, zeros after, dilation; the same along all axes.
    window: [usize; 4],
    is_taken: bool,
}

const IMAGES: [Images; 10] = [
    images(&[2, 3, 7, 6], &[4, 3, 3, 3], 1, [1, 1, 1, 1], true),
    images(&[2, 3, 7, 6], &[4, 3, 3, 2], 1, [1, 0, 0, 1], true),
    images(&[3, 4, 9, 8], &[6, 4, 3, 3], 1, [2, 1, 1, 1], true),
    images(&[2, 4, 5, 5], &[6, 4, 1, 1], 1, [1, 0, 0, 1], true),
    images(&[2, 4, 6, 6], &[6, 4, 1, 1], 1, [2, 0, 0, 1], true),
    images(&[2, 6, 8, 8], &[4, 3, 3, 3], 2, [1, 2, 2, 2], true),
    images(&[2, 4, 8, 9], &[4, 1, 3, 3], 4, [2, 1, 1, 1], true),
    images(&[2, 3, 12], &[5, 3, 4], 1, [1, 2, 2, 1], true),
    images(&[1, 1, 5, 5], &[1, 1, 2, 2], 1, [1, 0, 0, 1], true),
    images(&[2, 3, 7, 7], &[4, 3, 3, 3], 1, [1, 0, 2, 1], false),
];

const fn images(
    input: &'static [usize],
    kernel: &'static [usize],
    groups: usize,
    window: [usize; 4],
    is_taken: bool,
) -> Images {
    Images { input, kernel, groups, window, is_taken }
}

/// The output, with relu behind it or as it is, and the gradients of the input and of the kernel.
fn convolution(dtype: DType, arithmetic: Arithmetic, is_plain: bool, given: &Images) -> (String, Case) {
    let [stride, low, high, kernel_dilation] = given.window;
    let (low, high) = (low as isize, high as isize);
    let window = SpatialWindow { stride, low, high, input_dilation: 1, kernel_dilation };
    let spatial = vec![window; given.input.len() - 2];
    let axes = ConvolveAxes { arithmetic, ..ConvolveAxes::new(given.groups, &spatial) };
    let builder = Builder::new(Graph::new(), Origin::here());
    let arrays = [numbers(given.input, dtype), numbers(given.kernel, dtype)];
    let [input, kernel] = arrays.each_ref().map(|array| builder.parameter(array.ty.clone()));
    let output = builder.apply(Op::Convolve(axes), &[input.value(), kernel.value()]);
    let shape = output.ty().shape;
    let weights = numbers(&shape, output.ty().dtype);
    let cotangent = builder.parameter(weights.ty.clone());
    let wanted = [input.value(), kernel.value()];
    let gradients = vjp(&builder, &[(output.value(), cotangent.value())], &wanted).unwrap();
    let ended = if is_plain { output } else { output.relu() * 2.0 };
    let mut results = vec![ended.value()];
    results.extend(gradients.into_iter().flatten());
    let mut graph = builder.finish();
    graph.set_results(results);
    let name =
        format!("{dtype} {arithmetic:?} {:?} {:?} {:?} {is_plain}", given.input, given.kernel, given.window);
    let arguments = arrays.into_iter().chain([weights]).collect();
    (name, Case { recording: Recording::stateless(graph), arguments, tolerance: 0.0 })
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_convolutions() {
    let gpu = Cuda::open(None).unwrap();
    for given in &IMAGES {
        for (dtype, arithmetic, is_plain) in [
            (DType::F32, Arithmetic::Own, true),
            (DType::F32, Arithmetic::Own, false),
            (DType::BF16, Arithmetic::Own, true),
            (DType::F16, Arithmetic::Own, false),
        ] {
            let (name, case) = convolution(dtype, arithmetic, is_plain, given);
            let log = check(&gpu, &[(name.clone(), case)]).remove(0);
            let count = |prefix: &str| log.iter().filter(|line| line.starts_with(prefix)).count();
            if given.is_taken {
                assert_eq!(count("dnn_convolve"), 3, "{name}: {log:#?}");
                let kernels = usize::from(!is_plain);
                assert!(dtype != DType::F32 || count("kernel") == kernels, "{name}: {log:#?}");
            }
        }
    }
    println!("done");
}

#[test]
fn convolutions_and_their_gradients_lie_as_the_library_is_told() {
    let Some(outcome) = on_the_machine("cuda_executor::scenario_convolutions", &[]) else { return };
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    for role in ["output", "input_gradient", "kernel_gradient"] {
        assert!(outcome.count(&format!("dnn_convolve {role}")) >= 36, "{role}");
    }
}

#[test]
#[ignore = "run in a process of its own"]
fn scenario_programs() {
    let gpu = Cuda::open(None).unwrap();
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let first: u64 = number("WARPLOOM_FIRST_SEED").unwrap_or(0);
    let count: u64 = number("WARPLOOM_PROGRAMS").unwrap_or(12);
    let dtypes = gpu.capabilities().dtypes.clone();
    let mut cases: Vec<_> =
        (first..first + count).map(|seed| (format!("seed {seed}"), generate_of(seed, &dtypes).0)).collect();
    cases.extend(products(DType::F32, Arithmetic::Own));
    check(&gpu, &cases);
    println!("done");
}

#[test]
fn programs_agree_with_the_interpreter() {
    let Some(outcome) = on_the_machine("cuda_executor::scenario_programs", &[]) else { return };
    assert!(outcome.printed.contains("done"), "{}", outcome.printed);
    assert!(outcome.count("lt_multiply") >= 18 && outcome.count("compile") > 0, "{}", outcome.log.len());
}
