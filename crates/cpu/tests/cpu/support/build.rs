//! Kernels written short.

use super::Buffers;
use smallvec::SmallVec;
use warploom_cpu::Cpu;
use warploom_device::{
    BufferId, Contraction, IndexMap, Instruction, Kernel, Operand, Register, Step, Store, Target,
};
use warploom_graph::scalar::ScalarOp;
use warploom_graph::{DType, Dims};

pub fn map(offset: i64, strides: &[i64]) -> IndexMap {
    IndexMap { offset, strides: SmallVec::from_slice(strides), bounds: SmallVec::new() }
}

pub fn load(buffer: u32, dtype: DType, map: IndexMap) -> Instruction {
    Instruction::Load { buffer: BufferId(buffer), dtype, map }
}

pub fn apply(op: ScalarOp, dtype: DType, operands: &[Register]) -> Instruction {
    let mut all = [operands[0]; 3];
    all[..operands.len()].copy_from_slice(operands);
    Instruction::Apply { op, dtype, operands: all }
}

pub fn store(register: Register, buffer: u32, dtype: DType, map: IndexMap) -> Store {
    Store { register, buffer: BufferId(buffer), dtype, map }
}

pub fn kernel(space: &[usize], body: Vec<Instruction>, stores: Vec<Store>) -> Kernel {
    Kernel {
        name: "kernel".into(),
        space: Dims::from_slice(space),
        reduced: Dims::new(),
        body,
        reductions: vec![],
        tail: vec![],
        stores,
    }
}

/// `buffer[0] += buffer[1]` over `count` elements.
pub fn add(count: usize, to: u32, from: u32) -> Kernel {
    let f = DType::F32;
    let body = vec![load(to, f, map(0, &[1])), load(from, f, map(0, &[1])), apply(ScalarOp::Add, f, &[0, 1])];
    kernel(&[count], body, vec![store(2, to, f, map(0, &[1]))])
}

/// A contraction of dense operands in buffers 0 and 1 (`transposed`: stored with rows and columns exchanged).
pub fn contraction(
    dtype: DType,
    [batch, m, n, k]: [usize; 4],
    transposed: bool,
    epilogue: Kernel,
) -> Contraction {
    let operand = |id: u32, lines: usize, terms: usize| Operand {
        buffer: BufferId(id),
        offset: 0,
        batch: (lines * terms) as i64,
        row: if transposed { 1 } else { terms as i64 },
        column: if transposed { lines as i64 } else { 1 },
    };
    Contraction {
        dtype,
        tf32: false,
        batch,
        m,
        n,
        k,
        lhs: operand(0, m, k),
        rhs: operand(1, k, n),
        epilogue: Kernel { space: Dims::from_slice(&[batch, m, n]), ..epilogue },
        workspace: None,
    }
}

/// Gives a contraction its workspace as one more buffer.
pub fn with_workspace(cpu: &Cpu, mut step: Contraction, mut buffers: Buffers) -> (Step, Buffers) {
    let bytes = cpu.workspace_bytes(&Step::Contraction(step.clone()));
    step.workspace = Some(BufferId(buffers.len() as u32));
    buffers.push((DType::U8, vec![0; bytes]));
    (Step::Contraction(step), buffers)
}
