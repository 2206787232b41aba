//! Kernels as text, the same programs in WGSL and in CUDA C++, held against stored ones: what changes how kernels are written
//! shows where. `UPDATE_SNAPSHOTS=1 cargo test -p warploom-conformance written::` writes them anew; read the difference
//! before it is committed.

use smallvec::smallvec;
use std::path::Path;
use warploom_compile::{Options, compile};
use warploom_conformance::ops::softmax;
use warploom_cuda::CudaCpp;
use warploom_device::Target;
use warploom_emulate::{Emulated, LIMITS};
use warploom_gpu::{Dialect, Limits, MatrixUnits, plan};
use warploom_graph::convolve::{ConvolveAxes, SpatialWindow};
use warploom_graph::{
    Arithmetic, Builder, ContractAxes, DType, ElementwiseMethods, Expr, Graph, Op, Origin, Recording,
    Reduction, ScatterKind, Type,
};
use warploom_wgpu::Wgsl;

/// A device's limits where WGSL runs, and where CUDA C++ does. Few invocations fill both, so that small programs are written
/// as large ones are.
const DIALECTS: [(&str, &dyn Dialect, Limits); 2] = [
    (
        "wgsl",
        &Wgsl,
        Limits {
            workgroup: 256,
            shared_bytes: 32 << 10,
            parallel: 5000,
            vector_bytes: 4,
            warp: 1,
            matrix_units: MatrixUnits::NONE,
            ..LIMITS
        },
    ),
    ("cu", &CudaCpp, Limits { parallel: 5000, ..LIMITS }),
];

/// A program of what `build` makes of parameters of these types.
fn program(
    types: &[(DType, &[usize])],
    build: impl for<'b> Fn(&'b Builder, &[Expr<'b>]) -> Expr<'b>,
) -> Recording {
    let builder = Builder::new(Graph::new(), Origin::here());
    let parameters: Vec<Expr<'_>> =
        types.iter().map(|(dtype, shape)| builder.parameter(Type::new(*dtype, shape))).collect();
    let result = build(&builder, &parameters).value();
    let mut graph = builder.finish();
    graph.set_results(vec![result]);
    Recording::stateless(graph)
}

/// `max(x y + b, 0)`.
fn product(dtype: DType, arithmetic: Arithmetic) -> Recording {
    let types: [(DType, &[usize]); 3] = [(dtype, &[200, 64]), (dtype, &[64, 160]), (DType::F32, &[160])];
    program(&types, |builder, x| {
        let axes = ContractAxes { batch: smallvec![], sum: smallvec![(1, 0)], arithmetic };
        let product = builder.apply(Op::Contract(axes), &[x[0].value(), x[1].value()]);
        (product + x[2].broadcast(&[200, 160])).maximum(&product.like(0.0))
    })
}

fn convolution(dtype: DType) -> Recording {
    program(&[(dtype, &[4, 16, 18, 18]), (dtype, &[40, 16, 3, 3])], |builder, x| {
        let window = SpatialWindow { low: 1, high: 1, ..SpatialWindow::PLAIN };
        let axes = ConvolveAxes::new(1, &[window, window]);
        builder.apply(Op::Convolve(axes), &[x[0].value(), x[1].value()])
    })
}

/// By name: each is written in every dialect.
fn programs() -> Vec<(&'static str, Recording)> {
    let (f32, bf16) = (DType::F32, DType::BF16);
    vec![
        (
            "elementwise",
            program(&[(f32, &[64, 128]), (bf16, &[64, 128]), (f32, &[128])], |_, x| {
                (x[0] * x[1].cast(DType::F32) + x[2].broadcast(&[64, 128])).tanh()
            }),
        ),
        ("narrow", program(&[(bf16, &[64, 256])], |_, x| x[0].permute(&[1, 0]).abs())),
        ("reduction", program(&[(f32, &[20, 3000])], |_, x| x[0].reduce(Reduction::ArgMax, &[1]))),
        ("softmax", softmax(40, 1000).recording),
        ("product", product(f32, Arithmetic::Own)),
        ("product_bf16", product(bf16, Arithmetic::Wide)),
        ("convolution_bf16", convolution(bf16)),
        (
            "scatter",
            program(&[(f32, &[50, 8]), (DType::I32, &[30]), (f32, &[30, 8])], |builder, x| {
                let operands = [x[0].value(), x[1].value(), x[2].value()];
                builder.apply(Op::Scatter { kind: ScatterKind::Add, axis: 0 }, &operands)
            }),
        ),
    ]
}

/// A program that reached the writer of WGSL by mistake is no kernel that its compiler would refuse, or misread.
#[test]
fn wgsl_refuses_f64() {
    let double: [(DType, &[usize]); 2] = [(DType::F64, &[16, 16]), (DType::F64, &[16, 16])];
    let ops = [
        program(&double, |_, x| x[0] + x[1]),
        program(&double, |_, x| x[0].cast(DType::F32)),
        program(&double, |_, x| x[0].reduce(Reduction::Max, &[0])),
        program(&double, |builder, x| {
            let axes = ContractAxes { sum: smallvec![(1, 0)], ..ContractAxes::default() };
            builder.apply(Op::Contract(axes), &[x[0].value(), x[1].value()])
        }),
        program(&[(DType::F32, &[16])], |_, x| x[0].cast(DType::F64)),
    ];
    let [(_, wgsl, limits), (_, cuda, _)] = DIALECTS;
    let device = Emulated::new(cuda, limits);
    for recording in ops {
        let program = compile(&recording, &device, Options::default()).expect("it compiles").program;
        plan(&program, &limits, cuda).expect("CUDA C++ has f64");
        let error = plan(&program, &limits, wgsl).expect_err("WGSL has none").to_string();
        assert!(error.contains("kernels in wgsl hold no f64; cast to f32"), "{error}");
    }
}

/// A source without the functions of its library.
fn own(source: &str) -> String {
    let mut is_own = false;
    let keeps = |line: &&str| {
        is_own |= line.starts_with("extern") || line.starts_with("@compute");
        is_own || ["// ", "@group", "var<workgroup>"].iter().any(|start| line.starts_with(start))
    };
    source.lines().filter(keeps).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn kernels_are_written_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/written");
    let mut differing = Vec::new();
    for (name, recording) in programs() {
        for (extension, dialect, limits) in DIALECTS {
            let device = Emulated::new(dialect, limits);
            let program = compile(&recording, &device, Options::default()).expect(name).program;
            let kernels = device.written(&program).expect(name);
            let text: Vec<String> = kernels
                .iter()
                .map(|kernel| {
                    let (groups, workgroup) = (kernel.groups, kernel.workgroup);
                    format!("// {groups:?} workgroups of {workgroup}\n{}", own(&kernel.source))
                })
                .collect();
            let (text, path) = (text.join("\n"), folder.join(format!("{name}.{extension}")));
            if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
                std::fs::write(&path, text).expect("the snapshot is written");
                continue;
            }
            let stored = std::fs::read_to_string(&path).unwrap_or_default();
            let at = text.lines().zip(stored.lines()).position(|(a, b)| a != b);
            let at = at.unwrap_or(text.lines().count().min(stored.lines().count()));
            let line = |text: &str| text.lines().nth(at).unwrap_or("(end)").to_owned();
            if text != stored {
                let (is, was) = (line(&text), line(&stored));
                differing.push(format!("{name}.{extension} line {}:\n{is}\nwas\n{was}", at + 1));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}
