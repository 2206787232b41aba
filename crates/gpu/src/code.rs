//! The source of one kernel under construction: statements, arguments, shared memory, and the library functions it calls.

use crate::dialect::{Dialect, Elements, Module, Shared};
use crate::dispatch::{Argument, Dispatch};
use crate::limits::Limits;
use crate::place::{Arguments, Place, Places, Root};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write;
use std::ops::Add;
use warploom_device::kernel::register_dtype;
use warploom_device::{BufferId, DeviceError};
use warploom_graph::DType;

/// What kernels are written with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub dialect: &'a dyn Dialect,
    pub limits: &'a Limits,
    pub places: &'a Places,
}

/// How often a kernel runs what.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Work {
    pub operations: u64,
    pub traffic: u64,
}

impl Add for Work {
    type Output = Work;

    fn add(self, other: Work) -> Work {
        Work { operations: self.operations + other.operations, traffic: self.traffic + other.traffic }
    }
}

/// What is read of an element.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// Its register.
    Value,
    /// Its bits, in the low end of a `u32`; of elements that have no more.
    Bits,
}

pub(crate) struct Code<'a> {
    pub context: Context<'a>,
    /// The kernel's ordinal, under which it reports faults.
    pub ordinal: usize,
    /// Statements before the body.
    prologue: String,
    body: String,
    depth: usize,
    arguments: Arguments,
    elements: Vec<Elements>,
    /// What is written in parts of words.
    atomic: HashSet<(Root, usize)>,
    /// By counter and stride: the name of how far a window has moved.
    moves: HashMap<(usize, usize), String>,
    shared: Vec<Shared>,
    /// Library functions that are called.
    pub functions: BTreeSet<&'static str>,
    /// As [`Module::resident`].
    pub resident: Option<u32>,
}

impl<'a> Code<'a> {
    pub(crate) fn new(context: Context<'a>, ordinal: usize) -> Code<'a> {
        Code {
            context,
            ordinal,
            prologue: String::new(),
            body: String::new(),
            depth: 1,
            arguments: Arguments::default(),
            elements: Vec::new(),
            atomic: HashSet::new(),
            moves: HashMap::new(),
            shared: Vec::new(),
            functions: BTreeSet::new(),
            resident: None,
        }
    }

    /// Appends a statement.
    pub(crate) fn line(&mut self, statement: impl AsRef<str>) {
        let indent = 4 * self.depth;
        // Writing to a string does not fail.
        let _ = writeln!(self.body, "{:indent$}{}", "", statement.as_ref());
    }

    /// Opens a block, such as `if (x)`; an empty header is a block of its own.
    pub(crate) fn open(&mut self, header: impl AsRef<str>) {
        let header = header.as_ref();
        self.line(if header.is_empty() { "{".to_owned() } else { format!("{header} {{") });
        self.depth += 1;
    }

    /// Closes the innermost block.
    pub(crate) fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    /// Opens a loop of `name` from 0 to below `count` whose rounds are written out, where the dialect has a way to ask for that.
    pub(crate) fn open_unrolled(&mut self, name: &str, count: u32) {
        let unroll = self.context.dialect.unroll();
        if !unroll.is_empty() {
            self.line(unroll);
        }
        self.open_for(name, "0u", &format!("{count}u"), 1);
    }

    /// Opens a loop of `name` from `start` to below `end`.
    pub(crate) fn open_for(&mut self, name: &str, start: &str, end: &str, step: u32) {
        self.open(format!("for (var {name} = {start}; {name} < {end}; {name} += {step}u)"));
    }

    /// Waits for the workgroup, to see what it shared.
    pub(crate) fn barrier(&mut self) {
        self.line(self.context.dialect.barrier());
    }

    /// Waits for the workgroup, to see what it shared and stored.
    pub(crate) fn storage_barrier(&mut self) {
        self.line(self.context.dialect.storage_barrier());
    }

    /// A call of a library function.
    pub(crate) fn call(&mut self, function: &'static str, arguments: &[&str]) -> String {
        self.functions.insert(function);
        format!("{function}({})", arguments.join(", "))
    }

    /// Declares memory that the workgroup shares, once under a name.
    pub(crate) fn share(&mut self, name: String, element: &'static str, length: usize) {
        let shared = Shared { name, element, length };
        if !self.shared.contains(&shared) {
            self.shared.push(shared);
        }
    }

    /// Says beforehand that several invocations will write parts of the words of a buffer.
    pub(crate) fn mark_atomic(&mut self, buffer: BufferId) -> Result<(), DeviceError> {
        let place = self.context.places.of(buffer)?;
        self.atomic.insert((place.root, place.offset));
        Ok(())
    }

    /// Whether a buffer was said to be written in parts of words.
    pub(crate) fn is_atomic(&self, buffer: BufferId) -> Result<bool, DeviceError> {
        let place = self.context.places.of(buffer)?;
        Ok(self.atomic.contains(&(place.root, place.offset)))
    }

    /// How many buffers were said to be.
    pub(crate) fn atomics(&self) -> usize {
        self.atomic.len()
    }

    /// The argument that holds a place, declared for elements of `dtype` where it is new.
    fn bind(&mut self, place: &Place, dtype: DType, written: bool) -> usize {
        let position = self.arguments.add(place, written);
        if position == self.elements.len() {
            self.elements.push(match place.root {
                Root::Faults => Elements::Faults,
                _ if self.atomic.contains(&(place.root, place.offset)) => Elements::Atomic,
                _ if dtype.bytes() != 4 => Elements::Words(DType::U32),
                _ => Elements::Words(dtype),
            });
        }
        position
    }

    /// An argument and the element of it that is element `index` of the buffer, which may have moved with loops.
    fn locate(
        &mut self,
        buffer: BufferId,
        dtype: DType,
        index: &str,
        written: bool,
    ) -> Result<(usize, String), DeviceError> {
        let place = self.context.places.of(buffer)?;
        let position = self.bind(place, dtype, written);
        let mut at = index.to_owned();
        for (counter, stride) in &place.moves {
            let key = (*counter, stride / dtype.bytes());
            let name = match self.moves.get(&key) {
                Some(name) => name.clone(),
                None => {
                    let counters = self.counters(false);
                    let name = format!("move{}", self.moves.len());
                    let _ = writeln!(self.prologue, "    let {name} = a{counters}[{counter}] * {}u;", key.1);
                    self.moves.insert(key, name.clone());
                    name
                }
            };
            at = format!("{at} + {name}");
        }
        Ok((position, at))
    }

    /// The argument of the loops' counters.
    pub(crate) fn counters(&mut self, written: bool) -> usize {
        let place = Place {
            root: Root::Counters,
            offset: 0,
            bytes: 4 * self.context.places.loops(),
            moves: Vec::new(),
        };
        self.bind(&place, DType::U32, written)
    }

    /// Element `index` of a buffer, as its register dtype.
    pub(crate) fn load(
        &mut self,
        buffer: BufferId,
        dtype: DType,
        index: &str,
    ) -> Result<String, DeviceError> {
        let (argument, at) = self.locate(buffer, dtype, index, false)?;
        if dtype == DType::F64 {
            return Ok(self.call("load_f64", &[&format!("a{argument}"), &at]));
        }
        if let (Elements::Words(held), 4) = (self.elements[argument], dtype.bytes()) {
            return Ok(reinterpret(&format!("a{argument}[{at}]"), held, dtype));
        }
        let bits = self.element_bits(argument, &at, dtype);
        Ok(self.value(dtype, bits))
    }

    /// Element `index` of a buffer: its value or its bits.
    pub(crate) fn read(
        &mut self,
        read: Read,
        buffer: BufferId,
        dtype: DType,
        index: &str,
    ) -> Result<String, DeviceError> {
        if read == Read::Value {
            return self.load(buffer, dtype, index);
        }
        let (argument, at) = self.locate(buffer, dtype, index, false)?;
        Ok(self.element_bits(argument, &at, dtype))
    }

    /// The bits of an element, in the low end of a `u32`.
    fn element_bits(&self, argument: usize, at: &str, dtype: DType) -> String {
        let word = |at: &str| match self.elements[argument] {
            Elements::Words(held) => reinterpret(&format!("a{argument}[{at}]"), held, DType::U32),
            Elements::Atomic | Elements::Faults => {
                self.context.dialect.atomic_load(&format!("a{argument}[{at}]"))
            }
        };
        match dtype.bytes() {
            1 => format!("({} >> ((({at}) % 4u) * 8u) & 255u)", word(&format!("({at}) / 4u"))),
            2 => format!("({} >> ((({at}) % 2u) * 16u) & 65535u)", word(&format!("({at}) / 2u"))),
            _ => word(at),
        }
    }

    /// The register of an element with these bits, of `f64` a `u64`.
    pub(crate) fn value(&mut self, dtype: DType, bits: String) -> String {
        match dtype {
            DType::Bool => format!("({bits} != 0u)"),
            DType::U8 => bits,
            DType::F16 => self.call("from_half", &[&bits]),
            DType::BF16 => self.call("from_bfloat", &[&bits]),
            DType::I32 | DType::U32 | DType::F32 => reinterpret(&bits, DType::U32, dtype),
            DType::F64 => format!("bitcast<f64>({bits})"),
        }
    }

    /// The name of the argument that holds a buffer, and its word that element `index` lies or begins in.
    pub(crate) fn word(
        &mut self,
        buffer: BufferId,
        dtype: DType,
        index: &str,
        written: bool,
    ) -> Result<(String, String), DeviceError> {
        let (argument, at) = self.locate(buffer, dtype, index, written)?;
        let word = match dtype.bytes() {
            8 => format!("({at}) * 2u"),
            4 => at,
            bytes => format!("({at}) / {}u", 4 / bytes),
        };
        Ok((format!("a{argument}"), word))
    }

    /// The bits that a register is stored as, in the low end of a `u32`, of `f64` a `u64`.
    pub(crate) fn bits(&mut self, dtype: DType, value: &str) -> String {
        match dtype {
            DType::Bool => format!("select(0u, 1u, {value})"),
            DType::U8 => format!("({value} & 255u)"),
            DType::F16 => self.call("to_half", &[value]),
            DType::BF16 => self.call("to_bfloat", &[value]),
            DType::I32 | DType::U32 | DType::F32 => reinterpret(value, dtype, DType::U32),
            DType::F64 => format!("bitcast<u64>({value})"),
        }
    }

    /// Writes element `index` of a buffer from a register.
    pub(crate) fn store(
        &mut self,
        buffer: BufferId,
        dtype: DType,
        index: &str,
        value: &str,
    ) -> Result<(), DeviceError> {
        let (argument, at) = self.locate(buffer, dtype, index, true)?;
        if dtype == DType::F64 {
            let store = self.call("store_f64", &[&format!("a{argument}"), &at, value]);
            self.line(format!("{store};"));
            return Ok(());
        }
        if let (Elements::Words(held), 4) = (self.elements[argument], dtype.bytes()) {
            self.line(format!("a{argument}[{at}] = {};", reinterpret(value, dtype, held)));
            return Ok(());
        }
        let bits = self.bits(dtype, value);
        self.open("");
        self.line(format!("let at = {at};"));
        let statements = self.context.dialect.store_part(&format!("a{argument}"), "at", dtype.bytes(), &bits);
        self.line(statements);
        self.close();
        Ok(())
    }

    /// Writes a whole word of a buffer of smaller elements, the one that begins at element `index`.
    pub(crate) fn store_word(
        &mut self,
        buffer: BufferId,
        dtype: DType,
        index: &str,
        word: &str,
    ) -> Result<(), DeviceError> {
        let (argument, at) = self.locate(buffer, dtype, index, true)?;
        // Memory that another kernel of the dispatch uses for elements of a word is declared for those.
        let word = match self.elements[argument] {
            Elements::Words(held) => reinterpret(word, DType::U32, held),
            Elements::Atomic | Elements::Faults => word.to_owned(),
        };
        self.line(format!("a{argument}[({at}) / {}u] = {word};", 4 / dtype.bytes().clamp(1, 4)));
        Ok(())
    }

    /// An index checked against an axis, 0 and a report where it is out of range.
    pub(crate) fn check_index(&mut self, index: &str, extent: usize) -> String {
        let bytes = 4 * crate::FAULT_WORDS;
        let place = Place { root: Root::Faults, offset: 0, bytes, moves: Vec::new() };
        self.bind(&place, DType::U32, true);
        let (extent, ordinal) = (format!("{extent}u"), format!("{}u", self.ordinal));
        self.call("check_index", &[index, &extent, &ordinal])
    }

    /// The statements so far, to stand in a function of their own; what follows begins anew.
    pub(crate) fn cut(&mut self) -> String {
        self.moves.clear();
        std::mem::take(&mut self.prologue) + &std::mem::take(&mut self.body)
    }

    /// The arguments and how each is declared, if the device can bind them.
    pub(crate) fn arguments(&self, name: &str) -> Result<Vec<(Argument, Elements)>, DeviceError> {
        let Limits { arguments: most, argument_bytes, .. } = *self.context.limits;
        let arguments = self.arguments.list();
        let found = arguments.len();
        let largest = arguments.iter().map(|a| a.bytes).max().unwrap_or(0);
        if found > most {
            return Err(DeviceError::Unsupported(format!(
                "kernel {name} uses {found} memories; the device allows {most} in one kernel"
            )));
        }
        if largest > argument_bytes {
            return Err(DeviceError::Unsupported(format!(
                "kernel {name} uses a tensor of {largest} bytes; the device allows {argument_bytes} in one piece"
            )));
        }
        Ok(arguments.into_iter().zip(self.elements.iter().copied()).collect())
    }

    /// The kernel, launched with this many workgroups.
    pub(crate) fn finish(
        self,
        name: &str,
        workgroup: u32,
        groups: u64,
        work: Work,
    ) -> Result<Dispatch, DeviceError> {
        let arguments = self.arguments(name)?;
        let too_many = || {
            DeviceError::Unsupported(format!(
                "kernel {name} needs {groups} workgroups, more than the device allows"
            ))
        };
        let groups = spread(groups, self.context.limits.groups).ok_or_else(too_many)?;
        let source = self.context.dialect.module(&Module {
            name,
            workgroup,
            resident: self.resident,
            arguments: &arguments,
            shared: &self.shared,
            functions: &self.functions,
            body: &format!("{}{}", self.prologue, self.body),
        });
        Ok(Dispatch {
            name: name.to_owned(),
            source,
            workgroup,
            groups,
            arguments: arguments.into_iter().map(|(argument, _)| argument).collect(),
            shared_bytes: self.shared.iter().map(Shared::bytes).sum(),
            operations: work.operations,
            traffic: work.traffic,
        })
    }
}

/// `expression` of register dtype `from`, its bits read as `to`.
fn reinterpret(expression: &str, from: DType, to: DType) -> String {
    let (from, to) = (register_dtype(from), register_dtype(to));
    if from == to { expression.to_owned() } else { format!("bitcast<{}>({expression})", to.name()) }
}

/// At least `groups` workgroups over three axes of at most `most`, hardly more.
fn spread(groups: u64, most: u32) -> Option<[u32; 3]> {
    let most = u64::from(most);
    let x = groups.min(most);
    let y = groups.div_ceil(x.max(1)).min(most);
    let z = groups.div_ceil((x * y).max(1));
    (z <= most).then_some([x as u32, y as u32, z as u32])
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn groups_spread_over_axes() {
        assert_eq!(spread(0, 10), Some([0, 0, 0]));
        assert_eq!(spread(7, 10), Some([7, 1, 1]));
        assert_eq!(spread(25, 10), Some([10, 3, 1]));
        assert_eq!(spread(1000, 10), Some([10, 10, 10]));
        assert_eq!(spread(1001, 10), None);
    }
}
