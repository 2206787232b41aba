//! Gradients of the structural ops against finite differences in f64, and second derivatives of those that have any.
#![allow(clippy::cloned_ref_to_slice_refs)] // one operand is written as several are

use crate::common::{
    array, build, check_gradients, contract, counting, dims, f64s, indices, random, reduce, run, slice,
};
use std::sync::Arc;
use warploom_graph::elementwise::ElementwiseMethods;
use warploom_graph::gradient::{gradients, vjp};
use warploom_graph::{
    Builder, CallGradient, ConvolveAxes, DType, Expr, Graph, Op, Origin, Reduction, ScatterKind,
    SpatialWindow, Type,
};

/// An op of one output applied to expressions.
fn apply<'b>(op: Op, inputs: &[Expr<'b>]) -> Expr<'b> {
    inputs[0].builder().apply(op, &inputs.iter().map(|e| e.value()).collect::<Vec<_>>())
}

/// An op of several outputs.
fn add<'b>(op: Op, inputs: &[Expr<'b>]) -> Vec<Expr<'b>> {
    let builder = inputs[0].builder();
    let made = builder.try_add(op, &inputs.iter().map(|e| e.value()).collect::<Vec<_>>());
    made.unwrap_or_else(|e| panic!("{e}")).into_iter().map(|v| builder.expr(v)).collect()
}

#[test]
fn views() {
    let x = random(1, &[2, 1, 3]);
    // Squared, so that the cotangent differs from element to element and a second derivative exists.
    let check = |name: &str, op: Op| {
        check_gradients(name, &[x.clone()], 2, |_, p| vec![p[0].square().then(op.clone()).square()]);
    };
    check("reshape", Op::Reshape(dims(&[3, 2])));
    check("permute", Op::Permute(dims(&[2, 0, 1])));
    check("expand", Op::Expand(dims(&[2, 4, 3])));
    check("pad", Op::Pad { low: dims(&[1, 0, 2]), high: dims(&[0, 3, 1]) });
    check("barrier", Op::Barrier);
}

#[test]
fn slices() {
    let x = random(2, &[8, 3]);
    let cases: [([usize; 2], [usize; 2], [isize; 2]); 8] = [
        ([0, 0], [8, 3], [1, 1]),
        ([1, 1], [5, 1], [1, 1]),
        ([1, 0], [4, 2], [2, 2]),
        ([0, 2], [3, 3], [3, -1]),
        ([7, 0], [8, 3], [-1, 1]),
        ([6, 2], [3, 2], [-3, -2]),
        ([7, 1], [3, 1], [-3, 9]),
        ([2, 1], [1, 1], [5, -7]),
    ];
    for (starts, sizes, steps) in cases {
        let name = format!("slice {starts:?} {sizes:?} {steps:?}");
        check_gradients(&name, &[x.clone()], 2, |_, p| {
            vec![p[0].then(slice(&starts, &sizes, &steps)).square()]
        });
    }
    check_gradients("empty slice", &[x.clone()], 1, |_, p| {
        vec![p[0].square(), p[0].then(slice(&[8, 0], &[0, 3], &[1, 1]))]
    });
}

#[test]
fn windows() {
    // Apart, touching, overlapping, spread out, with elements left over.
    for (size, step, dilation) in
        [(2, 2, 1), (3, 3, 1), (2, 3, 1), (3, 1, 1), (3, 2, 1), (2, 1, 3), (3, 2, 2), (2, 3, 4)]
    {
        let unfold = |axis| Op::Unfold { axis, size, step, dilation };
        check_gradients(&format!("unfold {size} {step} {dilation}"), &[random(30, &[2, 7])], 2, |_, p| {
            vec![p[0].square().then(unfold(1)).square()]
        });
        let plane = random(31, &[6, 5]);
        check_gradients(&format!("unfold both axes {size} {step} {dilation}"), &[plane], 2, |_, p| {
            vec![p[0].then(unfold(1)).then(unfold(0)).square()]
        });
    }
}

#[test]
fn convolutions() {
    let plain = SpatialWindow::PLAIN;
    let window = |stride, low, high, input_dilation, kernel_dilation| SpatialWindow {
        stride,
        low,
        high,
        input_dilation,
        kernel_dilation,
    };
    type Case<'a> = (&'a [usize], &'a [usize], usize, &'a [SpatialWindow]);
    let cases: [Case<'_>; 10] = [
        (&[2, 2, 5], &[3, 2, 3], 1, &[plain]),
        (&[2, 1, 6], &[2, 1, 3], 1, &[window(2, 1, 1, 1, 1)]),
        (&[1, 2, 7], &[2, 2, 2], 1, &[window(3, 0, 0, 1, 2)]),
        (&[1, 2, 4], &[2, 2, 3], 1, &[window(1, 1, 2, 2, 1)]),
        (&[2, 4, 4], &[6, 2, 2], 2, &[window(1, 2, 0, 1, 1)]),
        (&[1, 2, 6], &[2, 2, 2], 1, &[window(1, -1, -2, 1, 1)]),
        (&[1, 3, 3], &[3, 1, 3], 3, &[window(2, 2, 3, 2, 2)]),
        (&[2, 2, 3, 4], &[2, 2, 2, 3], 1, &[plain, window(1, 1, 1, 1, 1)]),
        (&[1, 2, 4, 5], &[4, 1, 3, 2], 2, &[window(2, 1, 1, 1, 1), window(3, 0, 1, 1, 2)]),
        (&[1, 1, 2, 3], &[1, 1, 3, 3], 1, &[window(1, 2, 2, 2, 1), window(2, 2, 3, 3, 1)]),
    ];
    for (input, kernel, groups, windows) in cases {
        let name = format!("convolve {input:?} {kernel:?} {groups} {windows:?}");
        let op = Op::Convolve(ConvolveAxes::new(groups, windows));
        check_gradients(&name, &[random(32, input), random(33, kernel)], 2, |_, p| {
            vec![apply(op.clone(), p).square()]
        });
    }
    let outputs_first =
        ConvolveAxes { outputs_first: true, ..ConvolveAxes::new(2, &[window(2, 1, 0, 1, 1)]) };
    check_gradients("outputs first", &[random(34, &[2, 2, 4]), random(35, &[6, 1, 2])], 2, |_, p| {
        vec![apply(Op::Convolve(outputs_first.clone()), p).square()]
    });
}

#[test]
fn concatenations() {
    let parts = [random(3, &[2, 3]), random(4, &[2, 0]), random(5, &[2, 1])];
    check_gradients("concat", &parts, 2, |_, p| vec![apply(Op::Concat(1), p).square()]);
    check_gradients("concat of one value twice", &parts[..1], 1, |_, p| {
        vec![apply(Op::Concat(0), &[p[0], p[0]]).square()]
    });
}

#[test]
fn reductions() {
    let x = random(6, &[2, 3, 4]);
    for axes in [&[1usize][..], &[0, 2], &[0, 1, 2], &[]] {
        for kind in [Reduction::Sum, Reduction::Max, Reduction::Min] {
            check_gradients(&format!("{} {axes:?}", kind.name()), &[x.clone()], 2, |_, p| {
                vec![(p[0] + 2.0).square().then(reduce(kind, axes)).square()]
            });
        }
    }
}

/// Of equal elements the first in row-major order gets the gradient, over one axis and over several.
#[test]
fn ties_go_to_the_first() {
    let x = array(&[2, 3], &[5.0, 1.0, 5.0, 1.0, 5.0, 1.0]);
    let gradient = |kind, axes: &[usize]| -> Vec<f64> {
        let graph = build(&[x.ty.clone()], |builder, p| {
            let y = p[0].then(reduce(kind, axes));
            let found = vjp(builder, &[(y.value(), y.like(1.0).value())], &[p[0].value()]).unwrap();
            vec![builder.expr(found[0].unwrap())]
        });
        run(&graph, &[x.clone()])[0].to_f64()
    };
    assert_eq!(gradient(Reduction::Max, &[1]), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(gradient(Reduction::Min, &[1]), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(gradient(Reduction::Max, &[0]), [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    assert_eq!(gradient(Reduction::Max, &[0, 1]), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(gradient(Reduction::Min, &[0, 1]), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn contractions() {
    type Pairs = &'static [(usize, usize)];
    let cases: [(&[usize], &[usize], Pairs, Pairs); 9] = [
        (&[2, 3], &[3, 2], &[], &[(1, 0)]),
        (&[3, 2], &[3, 2], &[], &[(0, 0)]),
        (&[2, 3], &[2, 3], &[], &[(1, 1)]),
        (&[3, 2], &[2, 3], &[], &[(0, 1)]),
        (&[2, 2, 3], &[2, 3, 2], &[(0, 0)], &[(2, 1)]),
        (&[3, 2, 2], &[2, 3, 2], &[(1, 2)], &[(0, 1)]),
        (&[2, 3, 2, 2], &[2, 2, 3, 2], &[(3, 0), (0, 3)], &[(1, 2)]),
        (&[3, 2, 4], &[4, 2, 3], &[], &[(2, 0), (0, 2)]),
        (&[2], &[3], &[], &[]),
    ];
    for (lhs, rhs, batch, sum) in cases {
        let name = format!("contract {lhs:?} {rhs:?} batch {batch:?} sum {sum:?}");
        check_gradients(&name, &[random(7, lhs), random(8, rhs)], 2, |_, p| {
            vec![apply(contract(batch, sum), &[p[0], p[1]]).square()]
        });
    }
    check_gradients("x times itself", &[random(9, &[3, 3])], 2, |_, p| {
        vec![apply(contract(&[], &[(1, 0)]), &[p[0], p[0]]).square()]
    });
}

/// The usual products need no transpose for their gradients: `dx = dy w^T` and `dw = x^T dy` are products as they stand.
#[test]
fn matrix_gradients_need_no_transpose() {
    for (rhs, sum) in [(&[3, 4], (1, 0)), (&[4, 3], (1, 1))] {
        let graph = build(&[f64s(&[2, 3]), f64s(rhs)], |builder, p| {
            let y = apply(contract(&[], &[sum]), &[p[0], p[1]]);
            let found =
                vjp(builder, &[(y.value(), y.like(1.0).value())], &[p[0].value(), p[1].value()]).unwrap();
            found.into_iter().flatten().map(|v| builder.expr(v)).collect()
        });
        assert!(!graph.nodes().any(|(_, node)| matches!(node.op, Op::Permute(_))), "{graph}");
    }
}

#[test]
fn gathers_and_scatters() {
    let x = random(10, &[3, 2]);
    let picks = indices(&[2, 2], &[2, 0, 2, 2]);
    check_gradients("gather", &[x.clone(), picks.clone()], 2, |_, p| {
        vec![apply(Op::Gather { axis: 0 }, &[p[0], p[1]]).square()]
    });
    check_gradients("gather axis 1", &[x.clone(), indices(&[3], &[1, 1, 0])], 2, |_, p| {
        vec![apply(Op::Gather { axis: 1 }, &[p[0], p[1]]).square()]
    });
    for kind in [ScatterKind::Add, ScatterKind::Set] {
        let op = || Op::Scatter { kind, axis: 0 };
        let updates = random(11, &[2, 2, 2]);
        check_gradients(kind.name(), &[x.clone(), picks.clone(), updates], 2, |_, p| {
            vec![apply(op(), &[p[0], p[1], p[2]]).square()]
        });
    }
    let along = [random(12, &[2, 4]), indices(&[3], &[3, 0, 3]), random(13, &[2, 3])];
    check_gradients("set along axis 1", &along, 2, |_, p| {
        vec![apply(Op::Scatter { kind: ScatterKind::Set, axis: 1 }, &[p[0], p[1], p[2]]).square()]
    });
}

#[test]
fn casts() {
    check_gradients("to f32 and back", &[random(14, &[4])], 1, |_, p| {
        vec![p[0].cast(DType::F32).square().cast(DType::F64).square()]
    });
    check_gradients("through whole numbers", &[random(15, &[4])], 1, |_, p| {
        vec![p[0].square() * p[0].cast(DType::I32).cast(DType::F64), p[0].square()]
    });
}

/// A recurrence `h = tanh(h * w + x)` with a counter as a second, whole-number carry; it stacks `h * v` and the iteration.
fn recurrence() -> Arc<Graph> {
    let counter = Type::scalar(DType::I32);
    let types = [Type::scalar(DType::U32), f64s(&[2]), counter, f64s(&[2]), f64s(&[2]), f64s(&[])];
    Arc::new(build(&types, |_, p| {
        let [iteration, h, count, x, w, v] = [p[0], p[1], p[2], p[3], p[4], p[5]];
        let weight = iteration.cast(DType::F64) * 0.25 + 1.0;
        let h = (h * w + x).tanh();
        vec![h, count + 1.0, h * v.broadcast(&[2]) * weight.broadcast(&[2]), iteration]
    }))
}

fn recurrence_inputs(length: usize) -> [warploom_graph::interpret::Array; 5] {
    [random(16, &[2]), indices(&[], &[0]), random(17, &[length, 2]), random(18, &[2]), random(19, &[])]
}

#[test]
fn scans() {
    for reverse in [false, true] {
        let scan = || Op::Scan { body: recurrence(), length: 4, carries: 2, slices: 1, reverse };
        check_gradients(&format!("scan, reverse {reverse}"), &recurrence_inputs(4), 2, |_, p| add(scan(), p));
        // Only some outputs bring a cotangent.
        check_gradients("last carry", &recurrence_inputs(4), 2, |_, p| vec![add(scan(), p)[0]]);
        check_gradients("stacked", &recurrence_inputs(4), 2, |_, p| vec![add(scan(), p)[2]]);
    }
    // Slices alone: no carry at all.
    let body = Arc::new(build(&[Type::scalar(DType::U32), f64s(&[2])], |_, p| vec![p[1].sin()]));
    let map = || Op::Scan { body: body.clone(), length: 3, carries: 0, slices: 1, reverse: false };
    check_gradients("map", &[random(20, &[3, 2])], 2, |_, p| add(map(), p));
    // One value in three places: as carry, in the slices and captured.
    check_gradients("shared operand", &[random(21, &[2]), random(22, &[])], 2, |builder, p| {
        let slices = p[0].broadcast(&[3, 2]);
        let zero = builder.fill(&Type::scalar(DType::I32), 0.0);
        let scan = Op::Scan { body: recurrence(), length: 3, carries: 2, slices: 1, reverse: false };
        vec![add(scan, &[p[0], zero, slices, p[0], p[1]])[0]]
    });
}

#[test]
fn scans_make_only_what_is_asked() {
    let types: Vec<Type> = recurrence_inputs(4).iter().map(|a| a.ty.clone()).collect();
    let graph = build(&types, |builder, p| {
        let scan = Op::Scan { body: recurrence(), length: 4, carries: 2, slices: 1, reverse: false };
        let y = add(scan, p)[0];
        let found = vjp(builder, &[(y.value(), y.like(1.0).value())], &[p[3].value()]).unwrap();
        vec![builder.expr(found[0].unwrap())]
    });
    let outputs: Vec<usize> =
        graph.nodes().filter(|(_, n)| n.op.name() == "scan").map(|(_, n)| n.outputs().len()).collect();
    // The scan itself, the run that keeps both carries, and the walk back: cotangent of h, sum for w.
    assert_eq!(outputs, [4, 4, 2], "{graph}");
}

fn call(gradient: CallGradient) -> Op {
    let body = build(&[f64s(&[3]), f64s(&[3])], |_, p| vec![p[0].sin() * p[1], p[0]]);
    Op::Call { name: "twist", body: Arc::new(body), gradient, sources: vec![] }
}

#[test]
fn calls() {
    let inputs = [random(23, &[3]), random(24, &[3])];
    check_gradients("by body", &inputs, 2, |_, p| add(call(CallGradient::Body), p));
    // An argument that depends on another: its gradient must not be counted twice.
    check_gradients("dependent arguments", &inputs[..1], 2, |_, p| {
        add(call(CallGradient::Body), &[p[0], p[0].square()])
    });
    check_gradients("one argument twice", &inputs[..1], 2, |_, p| {
        add(call(CallGradient::Body), &[p[0], p[0]])
    });
    // Parameters: inputs, outputs, cotangents.
    let region = Arc::new(build(&vec![f64s(&[3]); 6], |_, p| {
        let [x, y, dz, dx] = [p[0], p[1], p[4], p[5]];
        vec![dz * x.cos() * y + dx, dz * x.sin()]
    }));
    check_gradients("by region", &inputs, 2, |_, p| add(call(CallGradient::Region(region.clone())), p));
    let graph = build(&[f64s(&[3]), f64s(&[3])], |builder, p| {
        let y = add(call(CallGradient::Region(region.clone())), p)[0];
        let found = vjp(builder, &[(y.value(), y.like(1.0).value())], &[p[0].value()]).unwrap();
        vec![builder.expr(found[0].unwrap())]
    });
    let calls = graph.nodes().filter(|(_, node)| node.op.name() == "twist").count();
    assert_eq!(calls, 2, "the gradient is itself a call:\n{graph}");
}

#[test]
fn missing_gradients_name_the_call_and_the_place() {
    build(&[f64s(&[3]), f64s(&[3])], |builder, p| {
        let y = add(call(CallGradient::Missing), p)[0].then(reduce(Reduction::Sum, &[0]));
        let error = gradients(builder, y.value(), &[p[0].value()]).unwrap_err().to_string();
        assert!(error.contains("twist: has no gradient; give it one"), "{error}");
        assert!(error.contains("common.rs:"), "{error}");
        let stopped = y.then(Op::StopGradient);
        assert_eq!(gradients(builder, stopped.value(), &[p[0].value()]).unwrap(), [None]);
        vec![y]
    });
}

#[test]
fn what_is_asked_is_checked() {
    build(&[f64s(&[3]), Type::scalar(DType::I32), f64s(&[])], |builder, p| {
        let fails = |loss: Expr| gradients(builder, loss.value(), &[p[0].value()]).unwrap_err().to_string();
        assert!(fails(p[0]).contains("are of a float scalar, found f64[3]; reduce it"));
        assert!(fails(p[1]).contains("found i32[]"));
        let pull = |y: Expr, dy: Expr| vjp(builder, &[(y.value(), dy.value())], &[p[0].value()]);
        assert!(pull(p[0], p[2]).unwrap_err().to_string().contains("the cotangent of f64[3] is f64[]"));
        assert!(pull(p[1], p[1]).unwrap_err().to_string().contains("are of floats, found i32[]"));
        let cut = apply(
            Op::Scatter { kind: ScatterKind::Max, axis: 0 },
            &[p[0], builder.fill(&crate::common::i32s(&[1]), 0.0), p[2].broadcast(&[1])],
        );
        assert!(pull(cut, cut).unwrap_err().to_string().contains("max has no gradient"));
        vec![p[2]]
    });
}

#[test]
fn nothing_passes_where_nothing_depends() {
    let graph = build(&[f64s(&[2]), f64s(&[2])], |builder, p| {
        let y = (p[0].square() + p[1].then(Op::StopGradient) * p[0]).reduce(Reduction::Sum, &[0]);
        let count = p[0].cast(DType::I32);
        let wrt = [p[0].value(), p[1].value(), count.value(), y.value()];
        let found = gradients(builder, y.value(), &wrt).unwrap();
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, true]);
        vec![builder.expr(found[0].unwrap())]
    });
    assert_eq!(run(&graph, &[counting(&[2]), counting(&[2])])[0].to_f64(), [3.0, 6.0]);
}

/// What is recorded after a gradient stands at the user's place, not at that of the last node differentiated.
#[test]
fn the_place_is_kept() {
    let first = Origin { module: Some("first".into()), ..Origin::here() };
    let second = Origin { module: Some("second".into()), ..Origin::here() };
    let builder = Builder::new(Graph::new(), first);
    let x = builder.parameter(f64s(&[]));
    let y = x.square();
    builder.set_origin(second);
    gradients(&builder, y.value(), &[x.value()]).unwrap();
    let after = x.sin().value();
    let module = |v| builder.with(|g| g.maker(v).origin.module.clone());
    assert_eq!(module(after).as_deref(), Some("second"));
    assert_eq!(module(y.value()).as_deref(), Some("first"));
}
