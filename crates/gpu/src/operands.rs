//! What a product multiplies: elements of strided matrices, or of a kernel and the windows of an input.

use crate::code::{Code, Read};
use crate::instructions::Point;
use crate::product::Extents;
use smallvec::smallvec;
use warploom_device::{
    BufferId, Contraction, Convolution, ConvolutionOperand, DeviceError, IndexMap, Operand,
};
use warploom_graph::DType;

/// A product of either kind, as a matrix product.
#[derive(Clone, Copy)]
pub(crate) enum Operands<'a> {
    Matrices(&'a Contraction),
    /// Rows are outputs, columns are pixels of all examples, terms are channels and taps.
    Windows(&'a Convolution),
}

/// An operand's side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    /// The name of its part in shared memory.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Side::Left => "left",
            Side::Right => "right",
        }
    }
}

/// An operand that lies by strides, in elements; a line is a row of the left operand, a column of the right.
pub(crate) struct Strided {
    pub buffer: BufferId,
    pub offset: i64,
    pub batch: i64,
    pub line: i64,
    pub term: i64,
}

impl Strided {
    /// The element of these.
    pub(crate) fn element(&self, batch: &str, line: &str, term: &str) -> String {
        element(self.offset, &[(batch, self.batch), (line, self.line), (term, self.term)])
    }
}

impl Operands<'_> {
    pub(crate) fn extents(&self) -> Extents {
        match self {
            Operands::Matrices(step) => {
                Extents { batch: step.batch, rows: step.m, columns: step.n, terms: step.k }
            }
            Operands::Windows(step) => {
                let shape = &step.shape;
                let product = |extents: &[usize]| extents.iter().product::<usize>();
                Extents {
                    batch: shape.groups,
                    rows: shape.outputs,
                    columns: shape.batch * product(&shape.result()[3..]),
                    terms: product(&shape.kernel()[2..]),
                }
            }
        }
    }

    pub(crate) fn dtype(&self) -> DType {
        match self {
            Operands::Matrices(step) => step.dtype,
            Operands::Windows(step) => step.dtype,
        }
    }

    /// The dtype of products and of their sums.
    pub(crate) fn sum_dtype(&self) -> DType {
        if self.dtype() == DType::F64 { DType::F64 } else { DType::F32 }
    }

    /// Whether operands are rounded to TF32.
    pub(crate) fn is_tf32(&self) -> bool {
        match self {
            Operands::Matrices(step) => step.tf32,
            Operands::Windows(step) => step.tf32,
        }
    }

    /// Whether neighbours in memory are neighbouring terms, of the left operand and of the right.
    pub(crate) fn terms_first(&self) -> [bool; 2] {
        match self {
            Operands::Matrices(Contraction { lhs, rhs, .. }) => {
                [lhs.column.abs() <= lhs.row.abs(), rhs.row.abs() < rhs.column.abs()]
            }
            Operands::Windows(step) => {
                let last = step.kernel.strides.last().copied().unwrap_or(1);
                [last.abs() <= step.kernel.strides[1].abs(), false]
            }
        }
    }

    /// An operand by strides; `None` where its elements do not lie so.
    pub(crate) fn strided(&self, side: Side) -> Option<Strided> {
        match (self, side) {
            (Operands::Matrices(Contraction { lhs, .. }), Side::Left) => {
                let Operand { buffer, offset, batch, row, column } = *lhs;
                Some(Strided { buffer, offset, batch, line: row, term: column })
            }
            (Operands::Matrices(Contraction { rhs, .. }), Side::Right) => {
                let Operand { buffer, offset, batch, row, column } = *rhs;
                Some(Strided { buffer, offset, batch, line: column, term: row })
            }
            (Operands::Windows(step), Side::Left) => {
                let ConvolutionOperand { buffer, offset, strides } = &step.kernel;
                let term = merged(&step.shape.kernel()[2..], &strides[2..])?;
                Some(Strided { buffer: *buffer, offset: *offset, batch: strides[0], line: strides[1], term })
            }
            (Operands::Windows(_), Side::Right) => None,
        }
    }

    /// Takes a column apart into what the right operand is read by, under names with a prefix. Matrices need nothing.
    pub(crate) fn column(&self, code: &mut Code<'_>, prefix: &str, column: &str) {
        if let Operands::Windows(step) = self {
            let result = step.shape.result();
            let mut extents = vec![step.shape.batch];
            extents.extend_from_slice(&result[3..]);
            Point::default().unravel(code, prefix, column, &extents);
        }
    }

    /// Takes a term apart, as [`Operands::column`] does with a column.
    pub(crate) fn term(&self, code: &mut Code<'_>, prefix: &str, term: &str) {
        if let Operands::Windows(step) = self {
            Point::default().unravel(code, prefix, term, &step.shape.kernel()[2..]);
        }
    }

    /// The left operand's element; the term was taken apart as `terms`.
    pub(crate) fn lhs(
        &self,
        code: &mut Code<'_>,
        read: Read,
        batch: &str,
        row: &str,
        term: &str,
        terms: &str,
    ) -> Result<String, DeviceError> {
        match self {
            Operands::Matrices(Contraction {
                lhs: Operand { buffer, offset, batch: along, row: rows, column },
                dtype,
                ..
            }) => {
                let element = element(*offset, &[(batch, *along), (row, *rows), (term, *column)]);
                code.read(read, *buffer, *dtype, &element)
            }
            Operands::Windows(step) => {
                let ConvolutionOperand { buffer, offset, strides } = &step.kernel;
                let taps: Vec<String> = (0..strides.len() - 2).map(|i| format!("{terms}{i}")).collect();
                let mut parts = vec![(batch, strides[0]), (row, strides[1])];
                parts.extend(taps.iter().map(String::as_str).zip(strides[2..].iter().copied()));
                code.read(read, *buffer, step.dtype, &element(*offset, &parts))
            }
        }
    }

    /// Assigns the right operand's element to a variable that holds zero; column and term were taken apart.
    pub(crate) fn rhs(
        &self,
        code: &mut Code<'_>,
        read: Read,
        variable: &str,
        batch: &str,
        [column, columns]: [&str; 2],
        [term, terms]: [&str; 2],
    ) -> Result<(), DeviceError> {
        match self {
            Operands::Matrices(Contraction {
                rhs: Operand { buffer, offset, batch: along, row, column: of },
                dtype,
                ..
            }) => {
                let element = element(*offset, &[(batch, *along), (term, *row), (column, *of)]);
                let value = code.read(read, *buffer, *dtype, &element)?;
                code.line(format!("{variable} = {value};"));
            }
            Operands::Windows(step) => {
                let ConvolutionOperand { buffer, offset, strides } = &step.input;
                let (example, channel) = (format!("{columns}0"), format!("{terms}0"));
                code.open("");
                let mut conditions = Vec::new();
                let mut parts =
                    vec![(example, strides[0]), (batch.to_owned(), strides[1]), (channel, strides[2])];
                for (i, axis) in step.shape.spatial.iter().enumerate() {
                    let (pixel, tap) = (format!("{columns}{}", i + 1), format!("{terms}{}", i + 1));
                    // Before the input the position wraps to a large number.
                    let low = (-axis.low) as u32;
                    code.line(format!(
                        "let at{i} = {pixel} * {}u + {tap} * {}u + {low}u;",
                        axis.stride, axis.kernel_dilation
                    ));
                    let dilation = axis.input_dilation;
                    conditions.push(match axis.input.checked_sub(1) {
                        Some(last) => format!("at{i} <= {}u", last * dilation),
                        None => "false".to_owned(),
                    });
                    if dilation > 1 {
                        conditions.push(format!("at{i} % {dilation}u == 0u"));
                        parts.push((format!("at{i} / {dilation}u"), strides[3 + i]));
                    } else {
                        parts.push((format!("at{i}"), strides[3 + i]));
                    }
                }
                code.open(format!("if ({})", conditions.join(" && ")));
                let parts: Vec<_> = parts.iter().map(|(part, stride)| (part.as_str(), *stride)).collect();
                let value = code.read(read, *buffer, step.dtype, &element(*offset, &parts))?;
                code.line(format!("{variable} = {value};"));
                code.close();
                code.close();
            }
        }
        Ok(())
    }

    /// The point of the epilogue's space for a batch, row and column, under names `e0`, `e1`, `e2`.
    pub(crate) fn epilogue_point(&self, code: &mut Code<'_>, batch: &str, row: &str, column: &str) -> Point {
        let (extents, coordinates) = match self {
            Operands::Matrices(step) => {
                ([step.batch, step.m, step.n], [batch.to_owned(), row.to_owned(), column.to_owned()])
            }
            Operands::Windows(step) => {
                let pixels: usize = step.shape.result()[3..].iter().product();
                let coordinates = if step.outputs_first {
                    [batch.to_owned(), row.to_owned(), column.to_owned()]
                } else {
                    let groups = step.shape.groups;
                    let example = format!("({column} / {pixels}u) * {groups}u + {batch}");
                    [example, row.to_owned(), format!("{column} % {pixels}u")]
                };
                (step.space(), coordinates)
            }
        };
        let mut point = Point { coordinates: Vec::new(), extents: extents.to_vec() };
        for (i, coordinate) in coordinates.iter().enumerate() {
            code.line(format!("let e{i} = {coordinate};"));
            point.coordinates.push(format!("e{i}"));
        }
        point
    }
}

/// The stride of axes that are walked as one, row-major; `None` where they are not.
fn merged(extents: &[usize], strides: &[i64]) -> Option<i64> {
    let mut axes = extents.iter().zip(strides).rev().filter(|(extent, _)| **extent != 1);
    let Some((extent, least)) = axes.next() else { return Some(1) };
    let mut inner = *extent as i64;
    for (extent, stride) in axes {
        if *stride != least * inner {
            return None;
        }
        inner *= *extent as i64;
    }
    Some(*least)
}

/// An element by named parts.
fn element(offset: i64, parts: &[(&str, i64)]) -> String {
    let point = Point {
        coordinates: parts.iter().map(|(part, _)| (*part).to_owned()).collect(),
        extents: vec![usize::MAX; parts.len()],
    };
    let strides = parts.iter().map(|(_, stride)| *stride).collect();
    point.element(&IndexMap { offset, strides, bounds: smallvec![] })
}
