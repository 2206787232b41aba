//! Running one recording on an executor and on the interpreter, and comparing.

use std::sync::Arc;
use warploom_compile::{Compiled, Options, compile};
use warploom_device::{Bindings, Executor, Memory, Program};
use warploom_graph::interpret::{Array, Rounding, interpret};
use warploom_graph::{DType, ParameterRole, Recording, ResultRole, Type};

/// A recording with values for its parameters.
#[derive(Clone, Debug)]
pub struct Case {
    /// What runs.
    pub recording: Recording,
    /// One array for each parameter of the graph.
    pub arguments: Vec<Array>,
    /// How far results may differ, relative to the largest element of a result; 0 where all arithmetic is exact.
    pub tolerance: f64,
}

/// Contents of outputs and of states after the run.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// By result of the recording: its bytes.
    pub results: Vec<Vec<u8>>,
}

impl Outcome {
    /// Whether two runs of a case gave the same bits. All NaNs count as one: which operand's payload a processor hands on
    /// depends on the order of registers.
    pub fn same_bits(&self, other: &Outcome, case: &Case) -> bool {
        let dtypes = case.recording.graph.results().iter().map(|v| case.recording.graph.ty(*v).dtype);
        let bits = |x: f64| if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() };
        dtypes.zip(self.results.iter().zip(&other.results)).all(|(dtype, (a, b))| {
            from_bytes(dtype, a).into_iter().map(bits).eq(from_bytes(dtype, b).into_iter().map(bits))
        })
    }
}

/// Compiles and runs a case.
pub fn run(case: &Case, executor: &dyn Executor, options: Options) -> Result<Outcome, String> {
    let compiled = compiled(case, executor, options)?;
    run_program(case, executor, compiled.program)
}

/// Compiles a case.
pub fn compiled(case: &Case, executor: &dyn Executor, options: Options) -> Result<Compiled, String> {
    compile(&case.recording, executor.target(), options).map_err(|e| format!("compile: {e}"))
}

/// Runs a program compiled from the case, perhaps changed since.
pub fn run_program(case: &Case, executor: &dyn Executor, program: Program) -> Result<Outcome, String> {
    let fail = |e| format!("{e}");
    let allocate = |ty: &Type| executor.allocate(ty.bytes().max(1)).map_err(fail);
    let states: Vec<Memory> = program.states.iter().map(allocate).collect::<Result<_, _>>()?;
    let inputs: Vec<Memory> = program.inputs.iter().map(allocate).collect::<Result<_, _>>()?;
    let outputs: Vec<Memory> = program.outputs.iter().map(allocate).collect::<Result<_, _>>()?;
    let arena: Vec<Memory> = program
        .slabs
        .iter()
        .map(|b| executor.allocate((*b).max(1)).map_err(fail))
        .collect::<Result<_, _>>()?;
    // Whatever a program does not write before it reads shows up as NaN or as a wild integer.
    for slab in &arena {
        executor.upload(slab, 0, &vec![0xFF; slab.bytes()]).map_err(fail)?;
    }
    let mut next_input = 0;
    for (role, argument) in case.recording.parameters.iter().zip(&case.arguments) {
        let memory = match role {
            ParameterRole::State(slot) => &states[*slot],
            ParameterRole::Input => {
                next_input += 1;
                &inputs[next_input - 1]
            }
        };
        executor.upload(memory, 0, &to_bytes(argument)).map_err(fail)?;
    }
    let executable = executor.prepare(Arc::new(program)).map_err(fail)?;
    let bindings =
        Bindings { states: &states, inputs: &inputs, outputs: &outputs, arena: &arena, derived: &[] };
    let token = executable.launch(bindings).map_err(fail)?;
    executor.wait(token).map_err(fail)?;
    let mut results = Vec::new();
    let mut next_output = 0;
    for (value, role) in case.recording.graph.results().iter().zip(&case.recording.results) {
        let memory = match role {
            ResultRole::Update(slot) => &states[*slot],
            ResultRole::Output => {
                next_output += 1;
                &outputs[next_output - 1]
            }
        };
        let mut bytes = vec![0; case.recording.graph.ty(*value).bytes()];
        executor.download(memory, 0, &mut bytes).map_err(fail)?;
        results.push(bytes);
    }
    Ok(Outcome { results })
}

/// Compares an outcome with the interpreter's answer; says what differs. How sensitive a result is to rounding shows in the
/// difference between the answers with and without rounding after each op, and widens the tolerance.
pub fn compare(case: &Case, outcome: &Outcome) -> Result<(), String> {
    let answer =
        |rounding| interpret(&case.recording.graph, &case.arguments, rounding).map_err(|e| e.to_string());
    let rounded = answer(Rounding::EachOp)?;
    let exact = if case.tolerance == 0.0 { rounded.clone() } else { answer(Rounding::Exact)? };
    for (i, ((rounded, exact), bytes)) in rounded.iter().zip(&exact).zip(&outcome.results).enumerate() {
        let got = from_bytes(exact.ty.dtype, bytes);
        let (rounded, exact) = (rounded.to_f64(), exact.to_f64());
        let largest = |numbers: &mut dyn Iterator<Item = f64>| {
            numbers.filter(|x| x.is_finite()).fold(0f64, |most, x| most.max(x.abs()))
        };
        let sensitivity = largest(&mut exact.iter().zip(&rounded).map(|(e, r)| e - r));
        let room = case.tolerance * (1.0 + largest(&mut exact.iter().copied())) + SENSITIVITY * sensitivity;
        for (at, ((w, r), g)) in exact.iter().zip(&rounded).zip(&got).enumerate() {
            let overflowed = case.tolerance > 0.0 && !(w.is_finite() && r.is_finite());
            let same =
                w == g || w.is_nan() && g.is_nan() || (w - g).abs() <= room || overflowed && !g.is_finite();
            let cancelled = !same && (w - g).abs() <= CANCELLATION * case.tolerance * largest_inside(case)?;
            if !same && !cancelled {
                return Err(format!("result {i} at {at}: wanted {w:?}, got {g:?} (room {room:e})"));
            }
        }
    }
    Ok(())
}

/// The largest number on the way to the results: what is left after large numbers cancel is only as good as they were.
fn largest_inside(case: &Case) -> Result<f64, String> {
    let mut graph = case.recording.graph.clone();
    graph.set_results(graph.nodes().flat_map(|(_, node)| node.outputs()).collect());
    let all = interpret(&graph, &case.arguments, Rounding::Exact).map_err(|e| e.to_string())?;
    let finite = all.iter().flat_map(Array::to_f64).filter(|x| x.is_finite());
    Ok(finite.fold(0.0, |most, x| most.max(x.abs())))
}

/// What part of a result's tolerance counts for the largest number on the way to it.
const CANCELLATION: f64 = 0.01;

/// How many times the interpreter's own rounding error a result may be off.
const SENSITIVITY: f64 = 30.0;

/// An array as little-endian bytes of its dtype.
pub fn to_bytes(array: &Array) -> Vec<u8> {
    let numbers = array.to_f64();
    match array.ty.dtype {
        DType::Bool | DType::U8 => numbers.iter().map(|x| *x as u8).collect(),
        DType::I32 => numbers.iter().flat_map(|x| (*x as i32).to_le_bytes()).collect(),
        DType::U32 => numbers.iter().flat_map(|x| (*x as u32).to_le_bytes()).collect(),
        DType::F16 => numbers.iter().flat_map(|x| half::f16::from_f64(*x).to_le_bytes()).collect(),
        DType::BF16 => numbers.iter().flat_map(|x| half::bf16::from_f64(*x).to_le_bytes()).collect(),
        DType::F32 => numbers.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect(),
        DType::F64 => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}

/// Little-endian bytes of a dtype as numbers.
pub fn from_bytes(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    fn parts<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
        bytes.as_chunks::<N>().0.iter().copied()
    }
    match dtype {
        DType::Bool | DType::U8 => bytes.iter().map(|b| *b as f64).collect(),
        DType::I32 => parts(bytes).map(|b| i32::from_le_bytes(b) as f64).collect(),
        DType::U32 => parts(bytes).map(|b| u32::from_le_bytes(b) as f64).collect(),
        DType::F16 => parts(bytes).map(|b| half::f16::from_le_bytes(b).to_f64()).collect(),
        DType::BF16 => parts(bytes).map(|b| half::bf16::from_le_bytes(b).to_f64()).collect(),
        DType::F32 => parts(bytes).map(|b| f32::from_le_bytes(b) as f64).collect(),
        DType::F64 => parts(bytes).map(f64::from_le_bytes).collect(),
    }
}
