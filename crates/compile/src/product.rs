//! Matrix products and convolutions as steps: their operands are read where they lie, by strides, or copied dense where
//! no strides walk them.

use crate::index::Position;
use crate::lower::{Buffers, Home, Region};
use crate::views::follow;
use smallvec::SmallVec;
use warploom_device::{
    BufferId, Contraction, Convolution, ConvolutionOperand, ConvolutionShape, IndexMap, Kernel, Operand,
    SpatialAxis, Step,
};
use warploom_graph::{Arithmetic, ContractAxes, ConvolveAxes, DType, Dims, NodeId, Op, Type, Value};

impl Region<'_> {
    /// The step of the product `anchor` with its epilogue.
    pub(crate) fn product(
        &mut self,
        anchor: NodeId,
        epilogue: Kernel,
        reads: &mut SmallVec<[BufferId; 6]>,
        writes: &mut SmallVec<[BufferId; 4]>,
        buffers: &mut Buffers,
    ) -> Step {
        let node = self.graph.node(anchor).clone();
        let [lhs, rhs] = [node.inputs[0], node.inputs[1]];
        let mut step = match &node.op {
            Op::Contract(axes) => Step::Contraction(self.contraction(axes, lhs, rhs, epilogue, buffers)),
            Op::Convolve(axes) => Step::Convolution(self.convolution(axes, lhs, rhs, epilogue, buffers)),
            op => unreachable!("{} is no product", op.name()),
        };
        let bytes = self.target.workspace_bytes(&step);
        let scratch = (bytes > 0).then(|| buffers.add(Type::new(DType::U8, &[bytes]), Home::Temporary));
        writes.extend(scratch);
        match &mut step {
            Step::Contraction(product) => {
                reads.extend([product.lhs.buffer, product.rhs.buffer]);
                product.workspace = scratch;
            }
            Step::Convolution(product) => {
                reads.extend([product.input.buffer, product.kernel.buffer]);
                product.workspace = scratch;
            }
            Step::Kernel(_) | Step::Scatter(_) | Step::Copy { .. } | Step::Loop(_) | Step::Claimed { .. } => {
            }
        }
        step
    }

    fn contraction(
        &mut self,
        axes: &ContractAxes,
        lhs: Value,
        rhs: Value,
        epilogue: Kernel,
        buffers: &mut Buffers,
    ) -> Contraction {
        let dtype = self.graph.ty(lhs).dtype;
        let k = axes.sum.iter().map(|p| self.graph.ty(lhs).shape[p.0]).product();
        let [batch, m, n] = [epilogue.space[0], epilogue.space[1], epilogue.space[2]];
        let mut matrix = |value: Value, rhs: bool| {
            let strided = |region: &Self| region.matrix(value, axes, rhs);
            self.strided(value, buffers, strided)
        };
        let (lhs, rhs) = (matrix(lhs, false), matrix(rhs, true));
        let tf32 = axes.arithmetic == Arithmetic::Tf32;
        Contraction { dtype, tf32, batch, m, n, k, lhs, rhs, epilogue, workspace: None }
    }

    fn convolution(
        &mut self,
        axes: &ConvolveAxes,
        input: Value,
        kernel: Value,
        epilogue: Kernel,
        buffers: &mut Buffers,
    ) -> Convolution {
        let (x, w) = (self.graph.ty(input), self.graph.ty(kernel));
        let spatial = axes.spatial.iter().enumerate().map(|(a, window)| SpatialAxis {
            input: x.shape[a + 2],
            kernel: w.shape[a + 2],
            output: window.output(x.shape[a + 2], w.shape[a + 2]).unwrap_or(0),
            stride: window.stride,
            low: window.low as i64,
            input_dilation: window.input_dilation,
            kernel_dilation: window.kernel_dilation,
        });
        let shape = ConvolutionShape {
            batch: x.shape[0],
            groups: axes.groups,
            channels: w.shape[1],
            outputs: w.shape[0] / axes.groups,
            spatial: spatial.collect(),
        };
        let dtype = x.dtype;
        let mut operand = |value: Value, extents: &[usize]| {
            let strided = |region: &Self| {
                let (buffer, map) = region.walked(value, extents)?;
                let strides = SmallVec::from_slice(&map.strides);
                Some(ConvolutionOperand { buffer, offset: map.offset, strides })
            };
            self.strided(value, buffers, strided)
        };
        let (input, kernel) = (operand(input, &shape.input()), operand(kernel, &shape.kernel()));
        let outputs_first = axes.outputs_first;
        let tf32 = axes.arithmetic == Arithmetic::Tf32;
        Convolution { dtype, tf32, shape, input, kernel, outputs_first, epilogue, workspace: None }
    }

    /// An operand by its strides; of a dense copy where the value itself has none.
    fn strided<T>(&mut self, value: Value, buffers: &mut Buffers, strided: impl Fn(&Self) -> Option<T>) -> T {
        if let Some(operand) = strided(self) {
            return operand;
        }
        self.dense(value, buffers);
        match strided(self) {
            Some(operand) => operand,
            None => unreachable!("a dense operand whose summed axes are adjacent has strides"),
        }
    }

    /// The memory of a value, walked along `extents`, which have the value's elements in order: without bounds.
    fn walked(&self, value: Value, extents: &[usize]) -> Option<(BufferId, IndexMap)> {
        let shape = &self.graph.ty(value).shape;
        let stored = |v: Value| self.buffer_of[v.index()].is_some();
        let start = Position::identity(extents).through(&Op::Reshape(Dims::new()), shape, extents, extents);
        let (base, position) = follow(self.graph, value, start.ok()?, extents, stored).ok()?;
        let buffer = self.buffer_of[base.index()]?;
        let map = position.map(&self.graph.ty(base).shape, extents.len()).ok()?;
        map.bounds.is_empty().then_some((buffer, map))
    }

    fn matrix(&self, value: Value, axes: &ContractAxes, rhs: bool) -> Option<Operand> {
        let shape = &self.graph.ty(value).shape;
        let side = |p: &(usize, usize)| if rhs { p.1 } else { p.0 };
        let (buffer, map) = self.walked(value, shape)?;
        let stride = |axes: Dims| -> Option<i64> {
            let mut walked: SmallVec<[(usize, i64); 4]> =
                axes.iter().map(|a| (shape[*a], map.strides[*a])).collect();
            walked.retain(|w| w.0 != 1);
            let together = walked.windows(2).all(|w| w[0].1 == w[1].1 * w[1].0 as i64);
            together.then(|| walked.last().map_or(0, |w| w.1))
        };
        let batch = stride(axes.batch.iter().map(side).collect())?;
        let sum = stride(axes.sum.iter().map(side).collect())?;
        let free = stride(if rhs { axes.free_rhs(shape.len()) } else { axes.free_lhs(shape.len()) })?;
        let (row, column) = if rhs { (sum, free) } else { (free, sum) };
        Some(Operand { buffer, offset: map.offset, batch, row, column })
    }
}
