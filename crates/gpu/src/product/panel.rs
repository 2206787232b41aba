//! A part of an operand in shared memory, as matrix units read it: how it is laid out, filled and taken.

use super::tile::{DEPTH_WORDS, Unit};
use crate::code::{Code, Read};
use crate::operands::{Operands, Side, Strided};
use warploom_device::DeviceError;

/// `width` rows or columns of [`DEPTH_WORDS`] words of terms each.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub width: u32,
    pub layout: Layout,
    pub unit: Unit,
}

/// Which neighbours lie in a line of shared memory: those that are neighbours in the operand's memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Terms of one row or column.
    Terms,
    /// Rows or columns of one term.
    Across,
}

impl Panel {
    pub(super) const LAYOUTS: [Layout; 2] = [Layout::Terms, Layout::Across];

    /// Words of a line.
    fn line(&self) -> u32 {
        match self.layout {
            Layout::Terms => DEPTH_WORDS,
            Layout::Across => self.width / self.unit.elements(),
        }
    }

    fn lines(&self) -> u32 {
        match self.layout {
            Layout::Terms => self.width,
            Layout::Across => DEPTH_WORDS * self.unit.elements(),
        }
    }

    /// Words from one line to the next, such that all that a warp reads at once lies in different banks: 16 bytes of each of
    /// eight lines, or eight words of each of four.
    fn stride(&self) -> u32 {
        self.line() + if self.is_read_by_words() { 8 } else { 4 }
    }

    /// Whether lanes take their words one by one: no instruction turns matrices of whole words.
    fn is_read_by_words(&self) -> bool {
        self.layout == Layout::Across && self.unit == Unit::Tf32
    }

    /// Words of all lines.
    pub(super) fn words(&self) -> u32 {
        self.lines() * self.stride()
    }

    /// The word of the panel at which a lane's part of 16 rows or columns from `first` on begins.
    pub(super) fn lane_word(&self, side: Side, first: &str) -> String {
        // The order in which units take four matrices of 8 x 8: of the left operand rows come first, of the right terms.
        let (across, along) = match side {
            Side::Left => ("lane / 8u % 2u", "lane / 16u"),
            Side::Right => ("lane / 16u", "lane / 8u % 2u"),
        };
        let stride = self.stride();
        match self.layout {
            Layout::Across if self.is_read_by_words() => {
                format!("lane % 4u * {stride}u + {first} + lane / 4u")
            }
            Layout::Terms => {
                format!("({first} + {across} * 8u + lane % 8u) * {stride}u + {along} * 4u")
            }
            Layout::Across => {
                format!("({along} * 8u + lane % 8u) * {stride}u + ({first} + {across} * 8u) / 2u")
            }
        }
    }

    /// Takes rows or columns `16 * number` to `16 * number + 15` of the eight words of terms from `deep` on.
    pub(super) fn take(&self, code: &mut Code<'_>, side: Side, number: u32) {
        let (name, stride) = (side.name(), self.stride());
        let (function, word) = match self.layout {
            Layout::Across if self.is_read_by_words() => {
                ("load_words", format!("deep * {stride}u + {}u", 16 * number))
            }
            Layout::Terms => ("load_matrices", format!("deep + {}u", 16 * number * stride)),
            Layout::Across => ("load_transposed", format!("deep * {}u + {}u", 2 * stride, 8 * number)),
        };
        let taken = format!("{name}{number}");
        let own = code.context.dialect.local_array("u32", &taken, 4);
        code.line(own);
        let word = format!("{name}_take + {word}");
        // From the first word to the second and third.
        let (eighth, fourth) = ("8u".to_owned(), format!("{}u", 4 * stride));
        let apart = if side == Side::Left { [&eighth, &fourth] } else { [&fourth, &eighth] };
        let call = match self.is_read_by_words() {
            true => code.call(function, &[&taken, name, &word, apart[0], apart[1]]),
            false => code.call(function, &[&taken, name, &word]),
        };
        code.line(format!("{call};"));
        if self.unit == Unit::Tf32 {
            let rounded = code.call("round_to_tf32", &[&taken]);
            code.line(format!("{rounded};"));
        }
    }
}

/// How a panel is filled from memory.
pub(super) struct Filling<'a> {
    pub operands: Operands<'a>,
    pub side: Side,
    pub panel: Panel,
    /// Invocations of the workgroup, among which the panel is shared out evenly.
    workgroup: u32,
    /// The operand where 16 bytes at a time can be copied.
    vectors: Option<Strided>,
}

impl<'a> Filling<'a> {
    pub(super) fn new(
        code: &Code<'_>,
        operands: Operands<'a>,
        side: Side,
        (width, workgroup): (u32, u32),
        unit: Unit,
    ) -> Result<Filling<'a>, DeviceError> {
        let [left, right] = operands.terms_first();
        let is_first = if side == Side::Left { left } else { right };
        let panel = Panel { width, layout: if is_first { Layout::Terms } else { Layout::Across }, unit };
        let strided = operands.strided(side);
        let vectors = match strided {
            Some(strided) if has_vectors(code, operands, side, &strided, panel.layout)? => Some(strided),
            _ => None,
        };
        Ok(Filling { operands, side, panel, workgroup, vectors })
    }

    /// Rounds in which all invocations together fill the panel by pieces of so many words.
    fn rounds(&self, words: u32) -> u32 {
        self.panel.lines() * self.panel.line() / words / self.workgroup
    }

    /// Whether it is copied to shared memory while the workgroup computes; otherwise it goes through registers.
    pub(super) fn copies(&self) -> bool {
        self.vectors.is_some()
    }

    /// Declares what is known before the first term.
    pub(super) fn begin(&self, code: &mut Code<'_>) {
        if self.copies() {
            return;
        }
        let name = self.side.name();
        let next = code.context.dialect.local_array("u32", &format!("{name}_next"), self.rounds(1) as usize);
        code.line(next);
        if self.keeps_columns() {
            let elements = self.panel.unit.elements();
            for i in 0..elements {
                let inner = format!("thread % {}u * {elements}u", self.panel.line());
                code.line(format!("let column{i} = first_column + {inner} + {i}u;"));
                self.operands.column(code, &format!("c{i}_"), &format!("column{i}"));
            }
        }
    }

    /// Whether an invocation reads the same columns in all rounds.
    fn keeps_columns(&self) -> bool {
        self.side == Side::Right
            && self.panel.layout == Layout::Across
            && self.workgroup.is_multiple_of(self.panel.line())
    }

    /// Begins to read the panel whose first term is `base`: into its half `fill`, or into registers.
    pub(super) fn read(&self, code: &mut Code<'_>) -> Result<(), DeviceError> {
        match &self.vectors {
            Some(strided) => self.copy(code, strided),
            None => self.gather(code),
        }
    }

    /// Names the row or column and the term that lie at a piece of a line.
    fn place(&self, code: &mut Code<'_>, inner: &str) {
        let (at, first) = match self.side {
            Side::Left => ("row", "first_row"),
            Side::Right => ("column", "first_column"),
        };
        match self.panel.layout {
            Layout::Terms => {
                code.line(format!("let {at} = {first} + line;"));
                code.line(format!("let term = base + {inner};"));
            }
            Layout::Across => {
                code.line(format!("let {at} = {first} + {inner};"));
                code.line("let term = base + line;");
            }
        }
    }

    /// Where the named row or column and the term are the product's.
    fn exists(&self) -> String {
        let extents = self.operands.extents();
        match self.side {
            Side::Left => format!("row < {}u && term < end", extents.rows),
            Side::Right => format!("column < {}u && term < end", extents.columns),
        }
    }

    fn copy(&self, code: &mut Code<'_>, strided: &Strided) -> Result<(), DeviceError> {
        let Filling { panel, workgroup, .. } = self;
        let (name, line) = (self.side.name(), panel.line() / 4);
        code.open_unrolled("round", self.rounds(4));
        code.line(format!("let piece = thread + round * {workgroup}u;"));
        code.line(format!("let line = piece / {line}u;"));
        code.line(format!("let inner = piece % {line}u;"));
        self.place(code, &format!("inner * {}u", 4 * panel.unit.elements()));
        let at = if self.side == Side::Left { "row" } else { "column" };
        let element = strided.element("batch", at, "term");
        let (memory, word) = code.word(strided.buffer, self.operands.dtype(), &element, false)?;
        let to = format!("fill * {}u + line * {}u + inner * 4u", panel.words(), panel.stride());
        let call = code.call("copy_vector", &[name, &to, &memory, &word, &self.exists()]);
        code.line(format!("{call};"));
        code.close();
        Ok(())
    }

    fn gather(&self, code: &mut Code<'_>) -> Result<(), DeviceError> {
        let Filling { operands, panel, workgroup, .. } = self;
        let (elements, bits) = (panel.unit.elements(), 32 / panel.unit.elements());
        code.open_unrolled("round", self.rounds(1));
        code.line(format!("let piece = thread + round * {workgroup}u;"));
        code.line(format!("let line = piece / {}u;", panel.line()));
        code.line("var word = 0u;");
        for i in 0..elements {
            code.open("");
            self.place(code, &format!("piece % {}u * {elements}u + {i}u", panel.line()));
            code.line("var element = 0u;");
            code.open(format!("if ({})", self.exists()));
            operands.term(code, "t", "term");
            match self.side {
                Side::Left => {
                    let element = operands.lhs(code, Read::Bits, "batch", "row", "term", "t")?;
                    code.line(format!("element = {element};"));
                }
                Side::Right if self.keeps_columns() => {
                    let (column, columns) = (format!("column{i}"), format!("c{i}_"));
                    operands.rhs(code, Read::Bits, "element", "batch", [&column, &columns], ["term", "t"])?;
                }
                Side::Right => {
                    operands.column(code, "c", "column");
                    operands.rhs(code, Read::Bits, "element", "batch", ["column", "c"], ["term", "t"])?;
                }
            }
            code.close();
            code.line(format!("word |= element << {}u;", bits * i));
            code.close();
        }
        code.line(format!("{}_next[round] = word;", self.side.name()));
        code.close();
        Ok(())
    }

    /// Puts what was read into registers into half `fill` of the panel.
    pub(super) fn put(&self, code: &mut Code<'_>) {
        if self.copies() {
            return;
        }
        let Filling { panel, workgroup, .. } = self;
        let (name, line, stride) = (self.side.name(), panel.line(), panel.stride());
        code.open_unrolled("round", self.rounds(1));
        code.line(format!("let piece = thread + round * {workgroup}u;"));
        let to = format!("fill * {}u + piece / {line}u * {stride}u + piece % {line}u", panel.words());
        code.line(format!("{name}[{to}] = {name}_next[round];"));
        code.close();
    }
}

/// Whether a strided operand can be read 16 bytes at a time: all of them are elements of a line, from an address that is a
/// multiple of as many.
fn has_vectors(
    code: &Code<'_>,
    operands: Operands<'_>,
    side: Side,
    strided: &Strided,
    layout: Layout,
) -> Result<bool, DeviceError> {
    let extents = operands.extents();
    let width = if side == Side::Left { extents.rows } else { extents.columns };
    let (inner, outer, extent) = match layout {
        Layout::Terms => (strided.term, strided.line, extents.terms),
        Layout::Across => (strided.line, strided.term, width),
    };
    let each = 16 / operands.dtype().bytes();
    let is_multiple = |elements: i64| elements % each as i64 == 0;
    let place = code.context.places.of(strided.buffer)?;
    Ok(code.context.limits.vector_bytes >= 16
        && inner == 1
        && extent.is_multiple_of(each)
        && [outer, strided.batch, strided.offset].into_iter().all(is_multiple)
        && place.offset.is_multiple_of(16)
        && place.moves.iter().all(|(_, stride)| stride.is_multiple_of(16)))
}
