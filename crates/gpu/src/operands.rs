//! What a product multiplies: elements of strided matrices, or of a kernel and the windows of an input.

use crate::code::Code;
use crate::instructions::Point;
use crate::tile::Extents;
use smallvec::smallvec;
use warploom_device::{Contraction, Convolution, ConvolutionOperand, DeviceError, IndexMap, Operand};
use warploom_graph::DType;

/// A product of either kind, as a matrix product.
#[derive(Clone, Copy)]
pub(crate) enum Operands<'a> {
    Matrices(&'a Contraction),
    /// Rows are outputs, columns are pixels of all examples, terms are channels and taps.
    Windows(&'a Convolution),
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
                code.load(*buffer, *dtype, &element)
            }
            Operands::Windows(step) => {
                let ConvolutionOperand { buffer, offset, strides } = &step.kernel;
                let taps: Vec<String> = (0..strides.len() - 2).map(|i| format!("{terms}{i}")).collect();
                let mut parts = vec![(batch, strides[0]), (row, strides[1])];
                parts.extend(taps.iter().map(String::as_str).zip(strides[2..].iter().copied()));
                code.load(*buffer, step.dtype, &element(*offset, &parts))
            }
        }
    }

    /// Assigns the right operand's element to a variable that holds zero; column and term were taken apart.
    pub(crate) fn rhs(
        &self,
        code: &mut Code<'_>,
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
                let value = code.load(*buffer, *dtype, &element)?;
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
                let value = code.load(*buffer, step.dtype, &element(*offset, &parts))?;
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

/// An element by named parts.
fn element(offset: i64, parts: &[(&str, i64)]) -> String {
    let point = Point {
        coordinates: parts.iter().map(|(part, _)| (*part).to_owned()).collect(),
        extents: vec![usize::MAX; parts.len()],
    };
    let strides = parts.iter().map(|(_, stride)| *stride).collect();
    point.element(&IndexMap { offset, strides, bounds: smallvec![] })
}
