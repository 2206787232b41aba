//! A kernel's instructions as statements.

use crate::code::Code;
use crate::scalar::{self, type_name, zero};
use std::fmt::Write;
use warploom_device::kernel::register_dtype;
use warploom_device::{DeviceError, IndexMap, Instruction, Register};
use warploom_graph::DType;
use warploom_graph::scalar::ScalarOp;

/// Registers by number: the expression that each is known by, and its dtype.
#[derive(Clone, Default)]
pub(crate) struct Registers {
    known: Vec<Option<(String, DType)>>,
}

impl Registers {
    pub(crate) fn set(&mut self, register: Register, expression: String, dtype: DType) {
        let at = register as usize;
        self.known.resize(self.known.len().max(at + 1), None);
        self.known[at] = Some((expression, register_dtype(dtype)));
    }

    pub(crate) fn get(&self, register: Register) -> Result<(&str, DType), DeviceError> {
        let known = self.known.get(register as usize).and_then(Option::as_ref);
        known.map(|(expression, dtype)| (expression.as_str(), *dtype)).ok_or_else(|| {
            DeviceError::Unsupported(format!("register {register} is read before it is written"))
        })
    }
}

/// A point of an index space: for each axis the expression of its coordinate, as `u32`, and its extent.
#[derive(Clone, Default)]
pub(crate) struct Point {
    pub coordinates: Vec<String>,
    pub extents: Vec<usize>,
}

impl Point {
    /// Adds axes whose position `linear` (row-major) is taken apart into coordinates `{prefix}0`, `{prefix}1`, ….
    pub(crate) fn unravel(&mut self, code: &mut Code<'_>, prefix: &str, linear: &str, extents: &[usize]) {
        let mut inner: usize = extents.iter().product();
        for (axis, extent) in extents.iter().enumerate() {
            inner /= (*extent).max(1);
            let whole = if inner == 1 { linear.to_owned() } else { format!("{linear} / {inner}u") };
            let expression = match (axis, *extent) {
                (_, 0 | 1) => "0u".to_owned(),
                (0, _) => whole,
                (_, extent) => format!("({whole}) % {extent}u"),
            };
            let name = format!("{prefix}{axis}");
            code.line(format!("let {name} = {expression};"));
            self.coordinates.push(name);
            self.extents.push(*extent);
        }
    }

    /// The element that a map names at this point.
    pub(crate) fn element(&self, map: &IndexMap) -> String {
        let mut sum = String::new();
        if map.offset != 0 {
            let _ = write!(sum, "{}u", wrapped(map.offset));
        }
        for ((coordinate, extent), stride) in self.coordinates.iter().zip(&self.extents).zip(&map.strides) {
            if *stride == 0 || *extent <= 1 {
                continue;
            }
            let plus = if sum.is_empty() { "" } else { " + " };
            let _ = match stride {
                1 => write!(sum, "{plus}{coordinate}"),
                _ => write!(sum, "{plus}{coordinate} * {}u", wrapped(*stride)),
            };
        }
        if sum.is_empty() { "0u".to_owned() } else { sum }
    }

    /// Where a map's element exists, unless that is everywhere.
    pub(crate) fn condition(&self, map: &IndexMap) -> Option<String> {
        let mut parts = Vec::new();
        for bound in &map.bounds {
            let coordinate = &self.coordinates[bound.axis];
            if bound.start > 0 {
                parts.push(format!("{coordinate} >= {}u", bound.start));
            }
            if bound.end < self.extents[bound.axis] {
                parts.push(format!("{coordinate} < {}u", bound.end));
            }
        }
        (!parts.is_empty()).then(|| parts.join(" && "))
    }
}

/// Index arithmetic is modulo 2³², so that negative strides and offsets are only large numbers.
fn wrapped(x: i64) -> u32 {
    x as u32
}

/// Writes instructions that compute registers at a point. `product` is the register of [`Instruction::Product`].
pub(crate) fn write<'i>(
    code: &mut Code<'_>,
    registers: &mut Registers,
    instructions: impl IntoIterator<Item = (Register, &'i Instruction)>,
    point: &Point,
    product: Option<&str>,
) -> Result<(), DeviceError> {
    for (register, instruction) in instructions {
        one(code, registers, register, instruction, point, product)?;
    }
    Ok(())
}

fn one(
    code: &mut Code<'_>,
    registers: &mut Registers,
    register: Register,
    instruction: &Instruction,
    point: &Point,
    product: Option<&str>,
) -> Result<(), DeviceError> {
    let name = format!("r{register}");
    match instruction {
        // Literals are written where they are used.
        Instruction::Literal(literal) => {
            let expression = scalar::literal(code, *literal)?;
            registers.set(register, expression, literal.dtype());
        }
        Instruction::Product(dtype) => {
            let missing = || DeviceError::Unsupported("a product is asked for outside of an epilogue".into());
            registers.set(register, product.ok_or_else(missing)?.to_owned(), *dtype);
        }
        Instruction::Load { buffer, dtype, map } => {
            type_name(code, *dtype)?;
            let element = point.element(map);
            guarded(code, &name, *dtype, point.condition(map), |code| code.load(*buffer, *dtype, &element))?;
            registers.set(register, name, *dtype);
        }
        Instruction::LoadAt { buffer, dtype, map, index, stride, extent } => {
            type_name(code, *dtype)?;
            let index = registers.get(*index)?.0.to_owned();
            let first = point.element(map);
            guarded(code, &name, *dtype, point.condition(map), |code| {
                let at = code.check_index(&index, *extent);
                code.load(*buffer, *dtype, &format!("{first} + {at} * {}u", wrapped(*stride)))
            })?;
            registers.set(register, name, *dtype);
        }
        Instruction::Index { dtype, map } => {
            let value = format!("{}({})", type_name(code, *dtype)?, point.element(map));
            guarded(code, &name, *dtype, point.condition(map), |_| Ok(value))?;
            registers.set(register, name, *dtype);
        }
        Instruction::Random { stream, seed, step, iteration, map } => {
            let word = |code: &mut Code<'_>, buffer, at| code.load(buffer, DType::U32, at);
            let (low, high) = (word(code, *seed, "0u")?, word(code, *seed, "1u")?);
            let (step, iteration) = (word(code, *step, "0u")?, word(code, *iteration, "0u")?);
            let (element, stream) = (point.element(map), format!("{stream}u"));
            let value = code.call("philox", &[&element, &stream, &step, &iteration, &low, &high]);
            guarded(code, &name, DType::U32, point.condition(map), |_| Ok(value))?;
            registers.set(register, name, DType::U32);
        }
        Instruction::Apply { op, dtype, operands } => {
            let of = registers.get(operands[usize::from(*op == ScalarOp::Select)])?.1;
            let mut read = [""; 3];
            for i in 0..op.arity() {
                read[i] = registers.get(operands[i])?.0;
            }
            let expression = scalar::apply(code, *op, *dtype, of, read)?;
            code.line(format!("let {name} = {expression};"));
            registers.set(register, name, *dtype);
        }
    }
    Ok(())
}

/// Declares `name` as a value, or as zero where a condition does not hold.
fn guarded<'a>(
    code: &mut Code<'a>,
    name: &str,
    dtype: DType,
    condition: Option<String>,
    value: impl FnOnce(&mut Code<'a>) -> Result<String, DeviceError>,
) -> Result<(), DeviceError> {
    let Some(condition) = condition else {
        let value = value(code)?;
        code.line(format!("let {name} = {value};"));
        return Ok(());
    };
    code.line(format!("var {name} = {};", zero(dtype)));
    code.open(format!("if ({condition})"));
    let value = value(code)?;
    code.line(format!("{name} = {value};"));
    code.close();
    Ok(())
}
