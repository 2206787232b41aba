//! `warploom explain`.

use super::{Ended, with_device};
use crate::args::Explain;
use crate::interrupt::end_at_once;
use crate::output::{bytes, line, table};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use warploom::compiler::{self, Options};
use warploom::device::{Class, Kernel, Program, Step, WrittenKernel};
use warploom::graph::Graph;
use warploom::recipes::{self, Planned};
use warploom::tensor::{Error as TensorError, PrecisionTable, Recorded};

pub fn explain(given: &Explain) -> Ended {
    end_at_once();
    let overrides = with_device(&given.overrides, "--device", given.device.as_deref())?;
    let recipe = recipes::find(&given.recipe, &overrides)?;
    let Planned { notes, plan, step: recorded, .. } = recipes::plan(&recipe)?;
    let program = recorded.program();
    let graph = compiled_graph(&recorded)?;
    let device = recorded.device();
    let numbers = device.precision().table(device.capabilities()).map_err(TensorError::from)?;
    if given.json {
        let mut all = as_json(&recorded, &graph, &numbers);
        all["decisions"] = notes.into();
        if given.kernels {
            for (kernel, (step, _)) in (0..).zip(flat(&program.steps, 0)) {
                all["kernels"][kernel]["instructions"] = instructions(step).into();
            }
            all["written"] = written_of(&recorded)?.iter().map(written_as_json).collect();
        }
        line(all);
        return Ok(ExitCode::SUCCESS);
    }
    line(format_args!("The training step of {} on {}, a full batch", recipe.name, recorded.device().id()));
    notes.iter().for_each(line);
    line("\nGraph, after the passes over it:");
    line(&graph);
    let (recorded_ops, ops) = (count(&recorded.recording().graph), count(&graph));
    line(format_args!(
        "\nOps: {recorded_ops} recorded, {ops} left, in {} kernels",
        recorded.kernels_per_run()
    ));
    let kernels = flat(&program.steps, 0).into_iter().map(|(step, depth)| {
        let [what, extent, work] = describe(step);
        vec![format!("{}{what}", "  ".repeat(depth + 1)), extent, work]
    });
    table(&kernels.collect::<Vec<_>>());
    line("\nWhich op runs in what:");
    line(format_args!("{numbers}").to_string().trim_end());
    if !program.notes.is_empty() {
        line("\nThe compiler's notes:");
        program.notes.iter().for_each(|text| line(format_args!("  {text}")));
    }
    if given.kernels {
        line("\nKernels:");
        line(program);
        written_of(&recorded)?.iter().for_each(written);
    }
    line("\nMemory of the step:");
    memory_map(program);
    line("\nMemory of the whole run, with validation, test and loader:");
    let mut rows: Vec<Vec<String>> =
        plan.by_kind().iter().map(|(kind, count)| vec![(*kind).to_owned(), bytes(*count)]).collect();
    rows.push(vec!["planned".into(), bytes(plan.planned_bytes())]);
    table(&rows);
    Ok(ExitCode::SUCCESS)
}

/// The kernels as the device runs them.
fn written_of(recorded: &Recorded) -> warploom::Result<Vec<WrittenKernel>> {
    let target = recorded.device().executor().target();
    Ok(target.written(recorded.program()).map_err(TensorError::from)?)
}

fn written_as_json(kernel: &WrittenKernel) -> Value {
    let resources = kernel.resources.map(|taken| {
        json!({
            "registers": taken.registers,
            "spilled_bytes": taken.spilled_bytes,
            "shared_bytes": taken.shared_bytes,
            "occupancy": taken.occupancy,
        })
    });
    json!({
        "kernel": kernel.name,
        "workgroup": kernel.workgroup,
        "groups": kernel.groups,
        "operations": kernel.operations,
        "traffic_bytes": kernel.traffic,
        "resources": resources,
        "source": kernel.source,
    })
}

/// A kernel as the device's own source, with its launch and what it moves and computes.
fn written(kernel: &WrittenKernel) {
    let [x, y, z] = kernel.groups;
    line(format_args!("\n── {}", kernel.name));
    let work = format!(
        "{} operations, {} bytes at least, {:.2} operations a byte",
        kernel.operations,
        kernel.traffic,
        kernel.operations as f64 / kernel.traffic.max(1) as f64
    );
    if kernel.workgroup == 0 {
        // A library's, whose source is what it is asked for.
        line(format_args!("   {}; {work}", kernel.source.trim_end()));
        return;
    }
    line(format_args!(
        "   {x} × {y} × {z} workgroups of {}, {} bytes shared; {work}",
        kernel.workgroup, kernel.shared_bytes
    ));
    if let Some(taken) = kernel.resources {
        line(format_args!(
            "   {} registers, {} bytes spilled, {} bytes shared as compiled; {:.0} % of the invocations that the GPU could run",
            taken.registers,
            taken.spilled_bytes,
            taken.shared_bytes,
            100.0 * taken.occupancy
        ));
    }
    line(format_args!("\n{}", kernel.source.trim_end()));
}

/// The graph from which kernels were made. Compiling again gives the same program.
fn compiled_graph(recorded: &Recorded) -> warploom::Result<Graph> {
    let target = recorded.device().executor().target();
    let options = Options { precision: recorded.device().precision(), ..Options::default() };
    let compiled = compiler::compile(recorded.recording(), target, options);
    Ok(compiled.map_err(warploom::tensor::Error::from)?.graph)
}

/// Ops that compute: parameters are given.
fn count(graph: &Graph) -> usize {
    graph.len() - graph.parameters().len()
}

/// All steps in order, those of loops with their depth after the loop.
fn flat(steps: &[Step], depth: usize) -> Vec<(&Step, usize)> {
    let mut all = Vec::new();
    for step in steps {
        all.push((step, depth));
        if let Step::Loop(inner) = step {
            all.extend(flat(&inner.body, depth + 1));
        }
    }
    all
}

/// What a step is, over which extents, and how much is fused in it.
fn describe(step: &Step) -> [String; 3] {
    match step {
        Step::Kernel(kernel) => [format!("kernel {}", kernel.name), extent(kernel), work(kernel)],
        Step::Contraction(c) => {
            let batch = if c.batch == 1 { String::new() } else { format!("{} × ", c.batch) };
            let product = format!("{batch}[{}, {}] × [{}, {}]", c.m, c.k, c.k, c.n);
            [format!("product {}", c.epilogue.name), product, work(&c.epilogue)]
        }
        Step::Convolution(c) => {
            let extents = format!("{:?} by {:?}", &c.shape.input()[..], &c.shape.kernel()[..]);
            [format!("convolution {}", c.epilogue.name), extents, work(&c.epilogue)]
        }
        Step::Scatter(s) => [
            format!("scatter {:?}", s.kind).to_lowercase(),
            format!("{} of {}", s.count, s.extent),
            String::new(),
        ],
        Step::Copy { .. } => ["copy".into(), String::new(), String::new()],
        Step::Loop(l) => [format!("loop of {} rounds", l.iterations), String::new(), String::new()],
        Step::Claimed { name, .. } => {
            [format!("{name}, claimed by the device"), String::new(), String::new()]
        }
    }
}

/// The lines of a step in the kernel form; of a loop those without its body.
fn instructions(step: &Step) -> Vec<String> {
    let own = match step {
        Step::Loop(inner) => 1 + inner.windows.len(),
        _ => usize::MAX,
    };
    step.to_string().lines().take(own).map(|line| line.trim().to_owned()).collect()
}

fn extent(kernel: &Kernel) -> String {
    let over =
        if kernel.reduced.is_empty() { String::new() } else { format!(" over {:?}", &kernel.reduced[..]) };
    format!("{:?}{over}", &kernel.space[..])
}

fn work(kernel: &Kernel) -> String {
    let fused = kernel.body.len() + kernel.reductions.len() + kernel.tail.len();
    format!("{fused} instructions, {} stores", kernel.stores.len())
}

fn memory_map(program: &Program) {
    let mut rows = vec![vec!["  buffer".into(), "type".into(), "bytes".into(), "place".into()]];
    let mut placed: Vec<_> = program.buffers.iter().enumerate().collect();
    placed.sort_by_key(|(_, buffer)| match buffer.class {
        Class::State(slot) => (0, slot),
        Class::Input(position) => (1, position),
        Class::Output(position) => (2, position),
        Class::Derived(position) => (3, position),
        Class::Arena { offset, .. } => (4, offset),
        Class::Window => (5, 0),
    });
    let mut seen = std::collections::HashSet::new();
    for (number, buffer) in placed {
        // State that is written is a buffer that is read and one that is written, in one place.
        if let Class::State(slot) = buffer.class
            && !seen.insert(slot)
        {
            continue;
        }
        let place = buffer.class.to_string();
        rows.push(vec![format!("  b{number}"), buffer.ty.to_string(), buffer.bytes.to_string(), place]);
    }
    table(&rows);
}

fn as_json(recorded: &Recorded, graph: &Graph, numbers: &PrecisionTable) -> Value {
    let program = recorded.program();
    let kernels = flat(&program.steps, 0).into_iter().map(|(step, _)| {
        let [what, extent, work] = describe(step);
        json!({ "kernel": what, "extent": extent, "work": work })
    });
    let buffers = program.buffers.iter().zip(0..).map(|(buffer, number)| {
        json!({
            "buffer": format!("b{number}"),
            "type": buffer.ty.to_string(),
            "bytes": buffer.bytes,
            "place": buffer.class.to_string(),
        })
    });
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, node) in graph.nodes() {
        *kinds.entry(node.op.name()).or_default() += 1;
    }
    json!({
        "device": recorded.device().id(),
        "ops": kinds,
        "kernels": kernels.collect::<Vec<_>>(),
        "buffers": buffers.collect::<Vec<_>>(),
        "precision": {
            "asked": numbers.asked.name(),
            "effective": numbers.effective.name(),
            "reason": numbers.reason,
            "ops": numbers.rows.iter().map(|row| json!({
                "ops": row.ops,
                "operands": row.operands,
                "accumulation": row.accumulation,
                "result": row.result,
            })).collect::<Vec<_>>(),
        },
        "notes": program.notes,
        "arena_bytes": program.slabs.iter().sum::<usize>(),
    })
}
