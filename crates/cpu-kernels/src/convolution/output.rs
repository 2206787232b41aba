//! Where finished results go.

use super::Strided;
use super::kernels::Element;
use super::plan::{FINISHED_BYTES, Form};
use super::run::{Item, Memory, Run};
use crate::gemm::pack::PackCall;
use crate::gemm::{Epilogue, Tile};

/// What becomes of the convolution.
#[derive(Clone, Copy)]
pub enum Output<'a, T> {
    /// It is written to memory; distinct elements do not overlap.
    Store(Strided<*mut T>),
    /// It is handed to an epilogue as one matrix for each `batch * groups + group`: rows are outputs, columns are the
    /// pixels of one example.
    Finish(&'a dyn Epilogue<T>),
    /// It is handed to an epilogue as one matrix for each group: rows are outputs, columns are the pixels of all
    /// examples, one example after the other.
    FinishOutputsFirst(&'a dyn Epilogue<T>),
}

/// Neighbouring results of a row, `step` apart.
struct Line {
    /// Example in the item.
    example: usize,
    /// First column of the sums.
    column: usize,
    count: usize,
    /// Row and column of the first pixel, and pixels from one to the next.
    row: usize,
    pixel: usize,
    step: usize,
}

/// Results of an item that are finished together: for each example `pixels` pixels from `first` on, of `rows` outputs.
#[derive(Clone, Copy)]
struct Part {
    first: usize,
    pixels: usize,
    /// First output, counted from the item's.
    output: usize,
    rows: usize,
}

/// Elements from example to example and from output to output.
#[derive(Clone, Copy)]
struct Strides {
    example: usize,
    row: usize,
}

impl<T: Element> Run<'_, T> {
    /// Whether the sums of an item whose columns are pixels lie in the order of the pixels.
    fn is_in_order(&self) -> bool {
        let plan = self.plan;
        let width = plan.width.output;
        plan.phases.len() == 1 && (plan.form == Form::Gathered || plan.width.extent(width) == width)
    }

    /// Where the sums of an item whose columns are pixels are computed, and elements from row to row: in the result, if
    /// pixels lie in the same order there, or else in the worker's memory.
    pub(super) fn sums(&self, item: &Item, memory: &Memory<T>) -> (*mut T, isize) {
        if let Output::Store(to) = self.output
            && self.plan.runs == 1
            && self.is_in_order()
            && to.strides[4] == 1
            && self.is_line(to)
        {
            let pixel = item.row * self.plan.width.output;
            return (self.place(to, item, 0, 0).wrapping_add(pixel), to.strides[2]);
        }
        (memory.sums, self.plan.columns as isize)
    }

    /// Whether the pixels of all examples are at equal distances in the result.
    fn is_line(&self, to: &Strided<*mut T>) -> bool {
        let (height, width) = (self.plan.height.output as isize, self.plan.width.output as isize);
        let [example, .., row, column] = to.strides;
        (row == width * column || height == 1)
            && (example == height * width * column || self.plan.examples == 1)
    }

    /// Hands over an item whose columns are pixels.
    ///
    /// # Safety
    /// The sums are computed; the item is nobody else's.
    pub(super) unsafe fn deliver_pixels(&self, item: &Item, memory: &Memory<T>) {
        let plan = self.plan;
        if !std::ptr::eq(self.sums(item, memory).0, memory.sums) {
            return;
        }
        let width = plan.width.output;
        let first = item.row * plan.height.step();
        let rows = (plan.band * plan.height.step()).min(plan.height.output - first);
        let pixels = rows * width;
        if let Output::Store(to) = self.output {
            let [.., row, column] = to.strides;
            self.lines(item, |line| {
                let pixel = line.row as isize * row + line.pixel as isize * column;
                for output in 0..item.outputs {
                    let to = self.place(to, item, line.example, output).wrapping_offset(pixel);
                    let from = memory.sums.wrapping_add(output * plan.columns + line.column);
                    // SAFETY: the line lies in the sums and in the result.
                    unsafe { copy_line(from, line.count, to, line.step as isize * column) };
                }
            });
            return;
        }
        let part = Part { first: first * width, pixels, output: 0, rows: item.outputs };
        if self.is_in_order() && (item.examples == 1 || self.is_outputs_first()) {
            let strides = Strides { example: pixels, row: plan.columns };
            return self.finish(item, &part, memory.sums, strides);
        }
        let most = (FINISHED_BYTES / size_of::<T>() / (item.examples * pixels)).max(1);
        for output in (0..item.outputs).step_by(most) {
            let part = Part { output, rows: most.min(item.outputs - output), ..part };
            let strides = self.strides(item, &part);
            self.lines(item, |line| {
                let pixel = line.example * strides.example + (line.row - first) * width + line.pixel;
                for i in 0..part.rows {
                    let from = memory.sums.wrapping_add((output + i) * plan.columns + line.column);
                    let to = memory.finished.wrapping_add(i * strides.row + pixel);
                    // SAFETY: the line lies in the sums and in the memory for results in order.
                    unsafe { copy_line(from, line.count, to, line.step as isize) };
                }
            });
            self.finish(item, &part, memory.finished, strides);
        }
    }

    fn is_outputs_first(&self) -> bool {
        matches!(self.output, Output::FinishOutputsFirst(_))
    }

    /// How results in order lie for the epilogue, such that each of its parts is dense.
    fn strides(&self, item: &Item, part: &Part) -> Strides {
        if self.is_outputs_first() {
            Strides { example: part.pixels, row: item.examples * part.pixels }
        } else {
            Strides { example: part.rows * part.pixels, row: part.pixels }
        }
    }

    /// Hands over an item whose columns are outputs: transposed, some outputs at a time.
    ///
    /// # Safety
    /// The sums are computed; the item is nobody else's.
    pub(super) unsafe fn deliver_outputs(&self, item: &Item, memory: &Memory<T>) {
        let plan = self.plan;
        let pixels = plan.pixels();
        let most = (FINISHED_BYTES / size_of::<T>() / (item.examples * pixels)).max(1);
        for output in (0..item.outputs).step_by(most) {
            let part = Part { first: 0, pixels, output, rows: most.min(item.outputs - output) };
            let transpose = |line: usize, count: usize, to: *mut T| {
                let call = PackCall {
                    from: memory.sums.wrapping_add(line * plan.columns + output).cast_const(),
                    line: plan.columns as isize,
                    term: 1,
                    count,
                    k: part.rows,
                    to,
                    width: count,
                };
                // SAFETY: the outputs lie in the sums; the memory for results in order has room for them.
                unsafe { (plan.kernels.pack)(&call) };
            };
            if let Output::Store(to) = self.output {
                transpose(0, item.examples * pixels, memory.finished);
                // SAFETY: the caller's promise.
                unsafe { self.store(to, item, output, part.rows, memory.finished) };
                continue;
            }
            let strides = self.strides(item, &part);
            if self.is_outputs_first() {
                transpose(0, item.examples * pixels, memory.finished);
            } else {
                for example in 0..item.examples {
                    let to = memory.finished.wrapping_add(example * strides.example);
                    transpose(example * pixels, pixels, to);
                }
            }
            self.finish(item, &part, memory.finished, strides);
        }
    }

    /// Writes `count` outputs of all pixels of the item's examples to memory.
    unsafe fn store(
        &self,
        to: &Strided<*mut T>,
        item: &Item,
        output: usize,
        count: usize,
        mut from: *const T,
    ) {
        let (height, width) = (self.plan.height.output, self.plan.width.output);
        let [.., row, column] = to.strides;
        for i in output..output + count {
            if self.is_line(to) {
                let length = item.examples * height * width;
                // SAFETY: the line lies in the result.
                unsafe { copy_line(from, length, self.place(to, item, 0, i), column) };
                from = from.wrapping_add(length);
                continue;
            }
            for line in 0..item.examples * height {
                let to = self.place(to, item, line / height, i);
                // SAFETY: as above.
                unsafe { copy_line(from, width, to.wrapping_offset((line % height) as isize * row), column) };
                from = from.wrapping_add(width);
            }
        }
    }

    /// The first pixel of an output of an example.
    fn place(&self, to: &Strided<*mut T>, item: &Item, example: usize, output: usize) -> *mut T {
        let [batch, group, outputs, ..] = to.strides;
        to.data.wrapping_offset(
            (item.example + example) as isize * batch
                + item.group as isize * group
                + (item.output + output) as isize * outputs,
        )
    }

    /// Gives a part to the epilogue. An example's results must be dense there, or the item has but one: the epilogue
    /// may move them together.
    fn finish(&self, item: &Item, part: &Part, values: *mut T, strides: Strides) {
        let plan = self.plan;
        let tile = Tile {
            worker: item.worker,
            batch: item.group,
            row: item.output + part.output,
            column: item.example * plan.pixels() + part.first,
            rows: part.rows,
            columns: item.examples * part.pixels,
            values,
            stride: strides.row,
        };
        match self.output {
            // Several examples come with all their pixels, so these are neighbours.
            Output::FinishOutputsFirst(epilogue) => epilogue.finish(&tile),
            Output::Finish(epilogue) => {
                for example in 0..item.examples {
                    epilogue.finish(&Tile {
                        batch: (item.example + example) * plan.groups + item.group,
                        column: part.first,
                        columns: part.pixels,
                        values: tile.values.wrapping_add(example * strides.example),
                        ..tile
                    });
                }
            }
            Output::Store(_) => {}
        }
    }

    /// Visits the lines of an item whose columns are pixels.
    fn lines(&self, item: &Item, mut visit: impl FnMut(&Line)) {
        let plan = self.plan;
        for phase in &plan.phases {
            let part = self.part(item, phase);
            for example in 0..item.examples {
                for row in 0..part.height {
                    visit(&Line {
                        example,
                        column: phase.column + example * part.example + row * part.row,
                        count: part.width,
                        row: phase.height + (item.row + row) * plan.height.step(),
                        pixel: phase.width,
                        step: plan.width.step(),
                    });
                }
            }
        }
    }
}

/// Copies neighbours to every `step`-th element.
unsafe fn copy_line<T: Copy>(from: *const T, count: usize, to: *mut T, step: isize) {
    // SAFETY: the caller's promise.
    unsafe {
        if step == 1 {
            std::ptr::copy_nonoverlapping(from, to, count);
            return;
        }
        for i in 0..count {
            *to.offset(i as isize * step) = *from.add(i);
        }
    }
}
