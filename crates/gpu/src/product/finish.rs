//! What happens with finished sums.

use super::tile::Extents;
use crate::code::{Code, Work};
use crate::instructions::{Registers, write};
use crate::kernel;
use crate::operands::Operands;
use warploom_device::{BufferId, DeviceError, IndexMap, Kernel};

/// What happens with a finished sum.
#[derive(Clone, Copy)]
pub(crate) enum Finish<'a> {
    Epilogue(&'a Kernel),
    /// It is a part of a split sum and goes to the workspace, at its place in the epilogue's space.
    Parts(BufferId, &'a Kernel),
}

impl Finish<'_> {
    /// Finishes the sum that an expression gives, at `row`, `column`, `batch` and `split`, where that is one of the product's.
    pub(crate) fn element(
        self,
        code: &mut Code<'_>,
        operands: Operands<'_>,
        terms: usize,
        sum: &str,
    ) -> Result<(), DeviceError> {
        let extents = operands.extents();
        // Workgroups beyond the last, of which a launch over several axes may have some, are past the last split.
        let splits = extents.terms.div_ceil(terms).max(1);
        let (rows, columns) = (extents.rows, extents.columns);
        code.open(format!("if (row < {rows}u && column < {columns}u && split < {splits}u)"));
        code.line(format!("let product = {sum};"));
        let point = operands.epilogue_point(code, "batch", "row", "column");
        match self {
            Finish::Epilogue(epilogue) => {
                let mut registers = Registers::default();
                write(code, &mut registers, (0..).zip(&epilogue.body), &point, Some("product"))?;
                for store in &epilogue.stores {
                    let value = registers.get(store.register)?.0.to_owned();
                    code.store(store.buffer, store.dtype, &point.element(&store.map), &value)?;
                }
            }
            Finish::Parts(workspace, epilogue) => {
                let part = point.element(&IndexMap::dense(&epilogue.space));
                let index = format!("split * {}u + {part}", epilogue.points());
                code.store(workspace, operands.sum_dtype(), &index, "product")?;
            }
        }
        code.close();
        Ok(())
    }

    /// Operations and least traffic of a product.
    pub(crate) fn work(self, operands: Operands<'_>) -> Work {
        let Extents { batch, rows, columns, terms } = operands.extents();
        let epilogue = match self {
            Finish::Epilogue(kernel) => kernel::work(kernel),
            Finish::Parts(..) => Work {
                operations: 0,
                traffic: (batch * rows * columns * operands.sum_dtype().bytes()) as u64,
            },
        };
        let right = match operands {
            Operands::Matrices(_) => batch * terms * columns,
            Operands::Windows(step) => step.shape.input().iter().product(),
        };
        Work {
            operations: 2 * (batch * rows * columns * terms) as u64 + epilogue.operations,
            traffic: ((batch * rows * terms + right) * operands.dtype().bytes()) as u64 + epilogue.traffic,
        }
    }
}
