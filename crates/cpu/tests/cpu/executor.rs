//! Programs on the executor: memory, loops, contractions, scatters, and what a launch must not do.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use crate::support;
use crate::support::build::{add, apply, contraction, kernel, load, map, store, with_workspace};
use crate::support::{
    Buffers, Value, assert_same, bindings, buffer, executors, launch, noise, program, read, upload,
};
use warploom_cpu::Cpu;
use warploom_device::{
    Body, BufferId, BufferSpec, Class, DeviceError, Executor, Instruction, Kernel, Loop, Program,
    ReductionStep, ScatterStep, Step, Target, Window,
};
use warploom_graph::scalar::ScalarOp;
use warploom_graph::{DType, Dims, Reduction, ScatterKind, Type};

/// Counts this thread's allocations.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn memory_is_zeroed_aligned_counted_and_checked() {
    let cpu = Cpu::new(Some(1)).with_memory_limit(1 << 20);
    let memory = cpu.allocate(1000).unwrap();
    let mut bytes = vec![1; 1000];
    cpu.download(&memory, 0, &mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0));
    cpu.upload(&memory, 10, &[1, 2, 3]).unwrap();
    let copy = cpu.allocate(1000).unwrap();
    cpu.copy(&memory, &copy, 20).unwrap();
    cpu.download(&copy, 8, &mut bytes[..6]).unwrap();
    assert_eq!(bytes[..6], [0, 0, 1, 2, 3, 0]);
    assert!(cpu.upload(&memory, 999, &[1, 2]).is_err());
    assert!(cpu.download(&memory, usize::MAX, &mut bytes[..1]).is_err());
    assert!(cpu.copy(&memory, &copy, 1001).is_err());
    let refused = cpu.allocate(1 << 20).unwrap_err();
    assert!(matches!(refused, DeviceError::OutOfMemory { held: 2000, .. }), "{refused}");
    drop(copy);
    let statistics = cpu.statistics();
    assert_eq!((statistics.live_bytes, statistics.peak_bytes), (1000, 2000));
    assert_eq!((statistics.uploaded_bytes, statistics.downloaded_bytes), (3, 1006));
}

#[test]
fn an_impossible_allocation_is_an_error() {
    let cpu = Cpu::new(Some(1));
    assert!(matches!(cpu.allocate(usize::MAX), Err(DeviceError::OutOfMemory { .. })));
    assert!(matches!(cpu.allocate(1 << 62), Err(DeviceError::OutOfMemory { .. })));
    assert_eq!(cpu.statistics().live_bytes, 0);
}

#[test]
fn capabilities_describe_the_machine() {
    let cpu = Cpu::new(Some(2));
    let capabilities = cpu.capabilities();
    assert_eq!((capabilities.id.as_str(), capabilities.threads, capabilities.alignment), ("cpu", 2, 64));
    assert!(capabilities.in_place && capabilities.memory_bytes.is_none_or(|bytes| bytes > 1 << 20));
}

#[test]
fn scatters_apply_updates_in_order() {
    for dtype in DType::ALL {
        for [outer, extent, count, inner] in
            [[1, 4, 9, 1], [2, 3, 7, 5], [1, 10, 40, 600], [3, 2, 5, 0], [40, 5, 100, 6], [1, 6, 0, 4]]
        {
            for kind in [ScatterKind::Add, ScatterKind::Max, ScatterKind::Set] {
                let step = ScatterStep {
                    kind,
                    dtype,
                    destination: BufferId(0),
                    indices: BufferId(1),
                    updates: BufferId(2),
                    outer,
                    extent,
                    count,
                    inner,
                };
                let indices: Vec<usize> = (0..count).map(|i| i * i % extent).collect();
                let buffers = vec![
                    noise(dtype, outer * extent * inner, 1),
                    buffer(DType::I32, indices.iter().map(|i| *i as f64)),
                    noise(dtype, outer * count * inner, 2),
                ];
                let mut expected = buffers.clone();
                for (o, i, j) in (0..outer)
                    .flat_map(|o| (0..count).map(move |i| (o, i)))
                    .flat_map(|(o, i)| (0..inner).map(move |j| (o, i, j)))
                {
                    let to = (o * extent + indices[i]) * inner + j;
                    let held = warploom_device::kernel::register_dtype(dtype);
                    let old = read(&expected[0], dtype, to as i64);
                    let new = read(&buffers[2], dtype, ((o * count + i) * inner + j) as i64);
                    let combined = match kind {
                        ScatterKind::Set => new,
                        ScatterKind::Add if dtype == DType::Bool => {
                            support::apply(ScalarOp::Or, held, old, new, new)
                        }
                        ScatterKind::Add => support::apply(ScalarOp::Add, held, old, new, new),
                        ScatterKind::Max => support::apply(ScalarOp::Max, held, new, old, old),
                    };
                    let bytes = support::bytes_of(combined, dtype);
                    expected[0].1[to * dtype.bytes()..][..bytes.len()].copy_from_slice(&bytes);
                }
                for (name, cpu) in executors() {
                    let found =
                        launch(cpu, program(vec![Step::Scatter(step.clone())], &buffers), &buffers).unwrap();
                    assert_same(&format!("scatter {kind:?} of {dtype} on {name}"), &found, &expected);
                }
            }
        }
    }
}

#[test]
fn a_scatter_out_of_range_changes_nothing() {
    let step = ScatterStep {
        kind: ScatterKind::Add,
        dtype: DType::F32,
        destination: BufferId(0),
        indices: BufferId(1),
        updates: BufferId(2),
        outer: 1,
        extent: 3,
        count: 2,
        inner: 1,
    };
    let buffers = vec![noise(DType::F32, 3, 1), buffer(DType::I32, [0.0, 3.0]), noise(DType::F32, 2, 2)];
    for (_, cpu) in executors() {
        let error = launch(cpu, program(vec![Step::Scatter(step.clone())], &buffers), &buffers).unwrap_err();
        assert!(matches!(error, DeviceError::IndexOutOfRange { index: 3, extent: 3, .. }), "{error}");
    }
}

/// A running sum over rows with windows into input and output, the counter used as data.
fn running_sum(rows: usize, width: usize, reverse: bool) -> (Program, Buffers) {
    let f = DType::F32;
    let one = || map(0, &[1]);
    // 0 input, 1 carry, 2 output, 3 counter; 4 and 5 are windows into 0 and 2.
    let body = vec![
        load(1, f, one()),
        load(4, f, one()),
        apply(ScalarOp::Add, f, &[0, 1]),
        load(3, DType::U32, map(0, &[0])),
        apply(ScalarOp::Cast, f, &[3]),
        apply(ScalarOp::Add, f, &[2, 4]),
    ];
    let step = kernel(&[width], body, vec![store(2, 1, f, one()), store(5, 5, f, one())]);
    let buffers = vec![
        noise(f, rows * width, 1),
        buffer(f, vec![0.0; width]),
        buffer(f, vec![0.0; rows * width]),
        buffer(DType::U32, [77.0]),
    ];
    let window =
        |id: u32, parent: u32| Window { buffer: BufferId(id), parent: BufferId(parent), stride: width * 4 };
    let repeated = Loop {
        iterations: rows,
        reverse,
        windows: vec![window(4, 0), window(5, 2)],
        counter: Some(BufferId(3)),
        body: vec![Step::Kernel(step)],
    };
    let mut program = program(vec![Step::Loop(repeated)], &buffers);
    for _ in 0..2 {
        let ty = Type::new(f, &[width]);
        program.buffers.push(BufferSpec { bytes: ty.bytes(), ty, class: Class::Window });
    }
    (program, buffers)
}

#[test]
fn loops_move_windows_and_count() {
    for (rows, width, reverse) in [(1, 3, false), (5, 4, false), (6, 40, true), (0, 2, false)] {
        let (program, buffers) = running_sum(rows, width, reverse);
        let mut expected = buffers.clone();
        let mut carry = vec![0f32; width];
        for i in 0..rows {
            let row = if reverse { rows - 1 - i } else { i };
            for j in 0..width {
                let at = row * width + j;
                let Value::F32(x) = read(&buffers[0], DType::F32, at as i64) else { panic!("f32") };
                carry[j] += x;
                expected[2].1[at * 4..at * 4 + 4].copy_from_slice(&(carry[j] + row as f32).to_le_bytes());
            }
            expected[3].1 = (row as u32).to_le_bytes().into();
        }
        expected[1] = buffer(DType::F32, carry.iter().map(|x| f64::from(*x)));
        for (name, cpu) in executors() {
            assert_same(name, &launch(cpu, program.clone(), &buffers).unwrap(), &expected);
        }
    }
}

#[test]
fn nested_loops_move_windows_of_windows() {
    // 0 is [3, 4, 2]; 1 is a window [4, 2] of it, 2 a window [2] of that; every row gets its two positions added.
    let f = DType::F32;
    let add_counter = |counter: u32| {
        let body = vec![
            load(2, f, map(0, &[1])),
            load(counter, DType::U32, map(0, &[0])),
            apply(ScalarOp::Cast, f, &[1]),
            apply(ScalarOp::Add, f, &[0, 2]),
        ];
        Step::Kernel(kernel(&[2], body, vec![store(3, 2, f, map(0, &[1]))]))
    };
    let window = |id: u32, parent: u32, stride: usize| Window {
        buffer: BufferId(id),
        parent: BufferId(parent),
        stride,
    };
    let inner = Loop {
        iterations: 4,
        reverse: true,
        windows: vec![window(2, 1, 8)],
        counter: Some(BufferId(4)),
        body: vec![add_counter(3), add_counter(4)],
    };
    let outer = Loop {
        iterations: 3,
        reverse: false,
        windows: vec![window(1, 0, 32)],
        counter: Some(BufferId(3)),
        body: vec![Step::Loop(inner)],
    };
    let zeros = |dtype: DType, count: usize| buffer(dtype, vec![0.0; count]);
    let buffers = vec![zeros(f, 24), zeros(f, 8), zeros(f, 2), zeros(DType::U32, 1), zeros(DType::U32, 1)];
    let mut program = program(vec![Step::Loop(outer)], &buffers);
    program.buffers[1].class = Class::Window;
    program.buffers[2].class = Class::Window;
    for (name, cpu) in executors() {
        let found = launch(cpu, program.clone(), &buffers).unwrap();
        let expected = buffer(f, (0..24).map(|i| (i / 8 + i / 2 % 4) as f64));
        assert_same(name, &vec![found[0].clone()], &vec![expected]);
    }
}

#[test]
fn copies_inputs_outputs_and_arena() {
    let f = DType::F32;
    for count in [5, 400_000] {
        let ty = Type::new(f, &[count]);
        let spec = |class| BufferSpec { ty: ty.clone(), bytes: count * 4, class };
        let copy =
            |source, destination| Step::Copy { source: BufferId(source), destination: BufferId(destination) };
        let program = Program {
            buffers: vec![
                spec(Class::Input(0)),
                spec(Class::Arena { slab: 0, offset: 64 }),
                spec(Class::Output(0)),
                spec(Class::Derived(0)),
            ],
            steps: vec![copy(0, 1), Step::Kernel(add(count, 1, 3)), copy(1, 2)],
            states: vec![],
            written: vec![],
            inputs: vec![ty.clone()],
            outputs: vec![ty.clone()],
            slabs: vec![count * 4 + 64],
            notes: vec![],
        };
        let program = Arc::new(program);
        for (_, cpu) in executors() {
            let ready = cpu.prepare(program.clone()).unwrap();
            let memory = |bytes: usize| vec![cpu.allocate(bytes).unwrap()];
            let (input, output, arena) = (memory(count * 4), memory(count * 4), memory(count * 4 + 64));
            let derived = memory(count * 4);
            let ones: Vec<u8> = (0..count).flat_map(|i| (i as f32).to_le_bytes()).collect();
            cpu.upload(&input[0], 0, &ones).unwrap();
            cpu.upload(&derived[0], 0, &ones).unwrap();
            let bindings = warploom_device::Bindings {
                states: &[],
                inputs: &input,
                outputs: &output,
                arena: &arena,
                derived: &derived,
            };
            ready.launch(bindings).unwrap();
            let mut back = vec![0; count * 4];
            cpu.download(&output[0], 0, &mut back).unwrap();
            let found: Vec<f32> = back.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
            assert!(found.iter().enumerate().all(|(i, x)| *x == 2.0 * i as f32));
            let short = warploom_device::Bindings { derived: &[], ..bindings };
            assert!(matches!(ready.launch(short), Err(DeviceError::Binding(_))));
        }
    }
}

#[test]
fn claimed_calls_and_foreign_memory_are_refused() {
    let buffers = vec![noise(DType::F32, 4, 1)];
    let cpu = Cpu::new(Some(1));
    let step = Step::Claimed {
        name: "attention",
        sources: vec![],
        body: Body(Arc::default()),
        inputs: vec![],
        outputs: vec![],
    };
    assert!(matches!(
        launch(&cpu, program(vec![step], &buffers), &buffers),
        Err(DeviceError::Unsupported(_))
    ));
    let null = warploom_device::null::Null::default();
    let memory = null.allocate(16).unwrap();
    assert!(matches!(cpu.upload(&memory, 0, &[1]), Err(DeviceError::Binding(_))));
    let ready = cpu.prepare(Arc::new(program(vec![], &buffers))).unwrap();
    assert!(matches!(ready.launch(bindings(&[memory])), Err(DeviceError::Binding(_))));
}

/// Every kind of step, small and large enough for several threads.
fn everything(cpu: &Cpu) -> (Program, Buffers) {
    let f = DType::F32;
    let count = 200_000;
    let sum = Kernel {
        reduced: Dims::from_slice(&[count]),
        reductions: vec![ReductionStep { kind: Reduction::Sum, operand: 0, dtype: f }],
        ..kernel(&[], vec![load(0, f, map(0, &[1]))], vec![store(1, 2, f, map(0, &[]))])
    };
    let m = 128;
    let mut buffers = vec![
        noise(f, count, 1),
        noise(f, count, 2),
        noise(f, m * m, 3),
        buffer(DType::I32, (0..m).map(|i| (i % 7) as f64)),
    ];
    let dense = [(m * m) as i64, m as i64, 1];
    let epilogue = kernel(
        &[],
        vec![Instruction::Product(f), load(2, f, map(0, &dense)), apply(ScalarOp::Add, f, &[0, 1])],
        vec![store(2, 2, f, map(0, &dense))],
    );
    let product = contraction(f, [1, m, m, m], false, epilogue);
    let (product, with_workspace) = with_workspace(cpu, product, buffers);
    buffers = with_workspace;
    let scatter = ScatterStep {
        kind: ScatterKind::Add,
        dtype: f,
        destination: BufferId(1),
        indices: BufferId(3),
        updates: BufferId(0),
        outer: 1,
        extent: 7,
        count: m,
        inner: 1000,
    };
    let body = vec![
        Step::Kernel(add(100, 0, 1)),
        Step::Kernel(add(count, 0, 1)),
        Step::Kernel(sum),
        product,
        Step::Scatter(scatter),
        Step::Copy { source: BufferId(0), destination: BufferId(1) },
    ];
    let repeated = Loop { iterations: 3, reverse: false, windows: vec![], counter: None, body };
    (program(vec![Step::Loop(repeated)], &buffers), buffers)
}

#[test]
fn a_launch_allocates_nothing() {
    for (name, cpu) in executors() {
        let (program, buffers) = everything(cpu);
        let states = upload(cpu, &buffers);
        let ready = cpu.prepare(Arc::new(program)).unwrap();
        let before = ALLOCATIONS.with(Cell::get);
        for _ in 0..3 {
            ready.launch(bindings(&states)).unwrap();
        }
        assert_eq!(ALLOCATIONS.with(Cell::get), before, "on {name}");
        assert!(cpu.statistics().launches >= 3);
    }
}

/// Several threads launch one executable with states of their own.
#[test]
fn concurrent_launches_of_one_executable_agree() {
    let cpu = Cpu::new(Some(2));
    let (program, buffers) = everything(&cpu);
    let ready = cpu.prepare(Arc::new(program.clone())).unwrap();
    let expected = launch(&cpu, program, &buffers).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let states = upload(&cpu, &buffers);
                ready.launch(bindings(&states)).unwrap();
                let mut back = vec![0; buffers[0].1.len()];
                cpu.download(&states[0], 0, &mut back).unwrap();
                assert!(back == expected[0].1);
            });
        }
    });
}
