//! Products as fused kernels: sums that are better written as reductions, and the parts of split sums.

use smallvec::smallvec;
use std::collections::HashMap;
use warploom_device::kernel::register_dtype;
use warploom_device::{BufferId, Contraction, IndexMap, Instruction, Kernel, ReductionStep, Register};
use warploom_graph::scalar::ScalarOp;
use warploom_graph::shape::row_major;
use warploom_graph::{DType, Dims, Reduction};

/// A product as a reduction over its terms.
pub(crate) fn sweep(step: &Contraction) -> Kernel {
    let held = register_dtype(step.dtype);
    let load = |operand: &warploom_device::Operand, strides: [i64; 4]| Instruction::Load {
        buffer: operand.buffer,
        dtype: step.dtype,
        map: IndexMap {
            offset: operand.offset,
            strides: smallvec![strides[0], strides[1], strides[2], strides[3]],
            bounds: smallvec![],
        },
    };
    let (lhs, rhs) = (&step.lhs, &step.rhs);
    let body = vec![
        load(lhs, [lhs.batch, lhs.row, 0, lhs.column]),
        load(rhs, [rhs.batch, 0, rhs.column, rhs.row]),
        Instruction::Apply { op: ScalarOp::Mul, dtype: held, operands: [0, 1, 1] },
    ];
    reduced(&step.epilogue, Dims::from_elem(step.k, 1), body, held)
}

/// The kernel that adds the parts of split sums of `dtype` and goes on with the epilogue.
pub(crate) fn combine(epilogue: &Kernel, workspace: BufferId, splits: usize, dtype: DType) -> Kernel {
    let mut strides: smallvec::SmallVec<[i64; 4]> =
        row_major(&epilogue.space).iter().map(|stride| *stride as i64).collect();
    strides.push(epilogue.points() as i64);
    let map = IndexMap { offset: 0, strides, bounds: smallvec![] };
    let body = vec![Instruction::Load { buffer: workspace, dtype, map }];
    reduced(epilogue, Dims::from_elem(splits, 1), body, dtype)
}

/// A kernel that sums the last register of a body over one axis, with an epilogue as its tail.
fn reduced(epilogue: &Kernel, sweep: Dims, body: Vec<Instruction>, dtype: DType) -> Kernel {
    let sum = body.len() as Register;
    let (mut places, mut tail) = (HashMap::new(), Vec::new());
    for (register, instruction) in (0..).zip(&epilogue.body) {
        let moved = match instruction {
            Instruction::Product(_) => {
                places.insert(register, sum);
                continue;
            }
            Instruction::Apply { op, dtype, operands } => Instruction::Apply {
                op: *op,
                dtype: *dtype,
                operands: operands.map(|operand| places[&operand]),
            },
            Instruction::LoadAt { buffer, dtype, map, index, stride, extent } => Instruction::LoadAt {
                buffer: *buffer,
                dtype: *dtype,
                map: map.clone(),
                index: places[index],
                stride: *stride,
                extent: *extent,
            },
            Instruction::Literal(_)
            | Instruction::Load { .. }
            | Instruction::Index { .. }
            | Instruction::Random { .. } => instruction.clone(),
        };
        places.insert(register, sum + 1 + tail.len() as Register);
        tail.push(moved);
    }
    let mut stores = epilogue.stores.clone();
    for store in &mut stores {
        store.register = places[&store.register];
        store.map.strides.push(0);
    }
    for instruction in &mut tail {
        if let Instruction::Load { map, .. }
        | Instruction::LoadAt { map, .. }
        | Instruction::Index { map, .. }
        | Instruction::Random { map, .. } = instruction
        {
            map.strides.push(0);
        }
    }
    Kernel {
        name: epilogue.name.clone(),
        space: epilogue.space.clone(),
        reduced: sweep,
        reductions: vec![ReductionStep { kind: Reduction::Sum, operand: sum - 1, dtype }],
        body,
        tail,
        stores,
    }
}
