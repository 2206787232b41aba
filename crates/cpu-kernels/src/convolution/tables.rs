//! Where pixels are read from, and the offsets of each term from there.

use super::Strided;
use super::copy::{CopyCall, Window};
use super::kernels::Element;
use super::plan::{Convolution, Form};

/// Where the pixels of an item lie: in the input or in its padded copy. Strides are in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub in_place: bool,
    pub example: isize,
    pub channel: isize,
    /// From one row of results of a phase to the next.
    pub row: isize,
    /// From one result of a row to the next.
    pub column: isize,
}

/// Offsets of the terms of one block of channels, phase by phase (see [`super::plan::Phase`]), ordered (channel, tap row,
/// tap column).
#[derive(Clone, Copy)]
pub(super) struct Tables {
    /// To the pixels of the term.
    pub source: *const isize,
    /// To the kernel element of the term.
    pub kernel: *const isize,
    /// To the term of a panel of packed columns.
    pub panel: *const isize,
}

impl<T: Element> Convolution<T> {
    /// Reads pixels in place where nothing is padded and their strides fit the form.
    pub(super) fn source(&self, input: &Strided<*const T>) -> Source {
        let [example, _, channel, row, column] = input.strides;
        let (row, column) = (row * self.height.stride as isize, column * self.width.stride as isize);
        let row_extent = self.width.extent(self.width.results(0));
        let fits = match self.form {
            Form::Direct => column == 1 && (row == row_extent as isize || self.height.results(0) == 1),
            Form::Gathered => column == 1,
            Form::Outputs => true,
        };
        if fits && self.height.is_inside() && self.width.is_inside() {
            return Source { in_place: true, example, channel, row, column };
        }
        let channel = self.channel_elements(self.band) as isize;
        let example = self.channel_block as isize * channel;
        Source { in_place: false, example, channel, row: row_extent as isize, column: 1 }
    }

    /// Fills the tables.
    ///
    /// # Safety
    /// The tables are writable as the layout has them.
    pub(super) unsafe fn fill_tables(
        &self,
        source: &Source,
        input: &Strided<*const T>,
        kernel: &Strided<*const T>,
        to: Tables,
    ) {
        let rows = self.height.extent(self.band);
        let columns = self.width.extent(self.width.results(0));
        let [.., input_row, input_column] = input.strides;
        let [_, _, kernel_channel, kernel_row, kernel_column] = kernel.strides;
        let mut entry = 0;
        for phase in &self.phases {
            for channel in 0..self.channel_block as isize {
                for top in &self.height.phases[phase.height] {
                    let (row_plane, row) = self.height.place(top);
                    for left in &self.width.phases[phase.width] {
                        let (column_plane, column) = self.width.place(left);
                        let pixel = if source.in_place {
                            top.source * input_row + left.source * input_column
                        } else {
                            let plane = row_plane * self.width.planes.len() + column_plane;
                            ((plane * rows + row) * columns + column) as isize
                        };
                        let element = top.kernel as isize * kernel_row + left.kernel as isize * kernel_column;
                        // SAFETY: the layout has room for as many entries as the phases have.
                        unsafe {
                            to.source.cast_mut().add(entry).write(channel * source.channel + pixel);
                            to.kernel.cast_mut().add(entry).write(channel * kernel_channel + element);
                        }
                        entry += 1;
                    }
                }
            }
        }
        for term in 0..self.longest_block() {
            // SAFETY: as above, for the longest block.
            unsafe { to.panel.cast_mut().add(term).write((term * self.kernels.columns()) as isize) };
        }
    }

    /// Copies channels, and how they are addressed: `from` is the first element of the first channel.
    ///
    /// # Safety
    /// The channels of the example are readable; `to` has room for their copies and a vector more.
    pub(super) unsafe fn copy_channels(
        &self,
        from: *const T,
        input: &Strided<*const T>,
        first_row: usize,
        channels: usize,
        to: *mut T,
    ) {
        let [_, _, channel, row, column] = input.strides;
        let first = self.height.low + (first_row * self.height.stride) as isize;
        let results = self.width.results(0);
        for i in 0..channels {
            let call = CopyCall {
                from: from.wrapping_offset(i as isize * channel),
                row,
                column,
                height: Window { axis: &self.height, first, extent: self.height.extent(self.band) },
                width: Window {
                    axis: &self.width,
                    first: self.width.low,
                    extent: self.width.extent(results),
                },
                to: to.wrapping_add(i * self.channel_elements(self.band)),
            };
            // SAFETY: the caller's promise; channels are copied in the order in which they lie.
            unsafe { (self.kernels.copy)(&call) };
        }
    }
}
