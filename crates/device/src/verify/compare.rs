//! Comparing what a device wrote with what the reference wants.

use crate::program::BufferId;
use crate::reference::{Host, Written};
use std::collections::HashMap;
use warploom_graph::DType;

/// The comparison of one step.
pub(super) struct Comparison<'a> {
    before: &'a Host,
    after: &'a Host,
    /// By buffer: which bytes the step writes.
    written: HashMap<BufferId, Vec<bool>>,
    pub elements: u64,
    pub undecided: u64,
    /// The first difference.
    pub wrong: Option<String>,
}

impl<'a> Comparison<'a> {
    pub fn new(before: &'a Host, after: &'a Host) -> Comparison<'a> {
        let bytes = |(id, bytes): (&BufferId, &Vec<u8>)| (*id, vec![false; bytes.len()]);
        let written = after.buffers.iter().map(bytes).collect();
        Comparison { before, after, written, elements: 0, undecided: 0, wrong: None }
    }

    pub fn element(&mut self, wanted: Written) {
        let Written { buffer, dtype, element, value } = wanted;
        self.elements += 1;
        self.undecided += u64::from(value.error.is_infinite());
        let Ok(got) = self.after.element(buffer, dtype, element) else {
            let what = || format!("it writes element {element} of buffer b{}, which has none", buffer.0);
            self.wrong.get_or_insert_with(what);
            return;
        };
        if let Some(bytes) = self.written.get_mut(&buffer) {
            let start = element as usize * dtype.bytes();
            bytes[start..start + dtype.bytes()].fill(true);
        }
        if !value.admits(got, dtype) {
            self.wrong.get_or_insert_with(|| {
                format!(
                    "element {element} of buffer b{} ({dtype}) must be {:?} within {:e}, the device wrote {got:?}",
                    buffer.0,
                    dtype.round(value.value),
                    value.error
                )
            });
        }
    }

    /// Looks at what the step does not write and must have left.
    pub fn untouched(&mut self) {
        for (id, written) in &self.written {
            let both = self.before.buffers[id].iter().zip(&self.after.buffers[id]);
            let changed =
                both.zip(written).position(|((before, after), written)| !written && before != after);
            if let Some(byte) = changed {
                let what = || format!("byte {byte} of buffer b{} changed, which it does not write", id.0);
                self.wrong.get_or_insert_with(what);
            }
        }
    }
}

/// The first element in which two buffers differ, NaN being equal to NaN.
pub(super) fn same(dtype: DType, a: &[u8], b: &[u8]) -> Option<usize> {
    let holding = |bytes: &[u8]| {
        let mut host = Host::default();
        host.buffers.insert(BufferId(0), bytes.to_vec());
        host
    };
    let (left, right) = (holding(a), holding(b));
    (0..a.len() / dtype.bytes()).find(|at| {
        let element = |host: &Host| host.element(BufferId(0), dtype, *at as i64).unwrap_or(f64::NAN);
        let (x, y) = (element(&left), element(&right));
        x != y && !(x.is_nan() && y.is_nan())
    })
}
