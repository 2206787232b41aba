//! What is being recorded on this thread: programs ([`crate::Device::record`]) and, within or without them, regions (the
//! bodies of scans and calls).

use crate::device::Device;
use crate::error::Error;
use crate::node::{Kind, next_id};
use crate::tensor::Tensor;
use crate::variable::Slot;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use warploom_graph::Origin;

/// One level of recording.
pub(crate) enum Level {
    /// A program: how it reads each variable, and what it assigned.
    Program(Vec<Touched>),
    /// A region's random source.
    Region(RegionLevel),
}

/// A variable as a recording has it.
pub(crate) struct Touched {
    pub slot: Arc<Slot>,
    /// The version the next read gives.
    pub current: Tensor,
    pub assigned: bool,
}

/// A region while its body is recorded.
pub(crate) struct RegionLevel {
    /// The iteration `u32[]`, in a scan.
    pub iteration: Option<Tensor>,
    /// Seed and step, `u32[3]`, captured from outside at the first draw.
    pub key: Option<Tensor>,
    /// Draws and inner regions so far.
    pub draws: u32,
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static LEVELS: RefCell<Vec<Level>> = const { RefCell::new(Vec::new()) };
}

/// Whether nothing is being recorded on this thread but plain lazy code.
pub(crate) fn is_plain() -> bool {
    DEPTH.get() == 0
}

/// Runs `body` one level down and returns the level with its result. A panic leaves the level as well.
pub(crate) fn within<R>(level: Level, body: impl FnOnce() -> R) -> (R, Level) {
    struct Leave(usize);
    impl Drop for Leave {
        fn drop(&mut self) {
            LEVELS.with_borrow_mut(|levels| levels.truncate(self.0));
            DEPTH.set(self.0);
        }
    }
    let depth = DEPTH.get();
    LEVELS.with_borrow_mut(|levels| levels.push(level));
    DEPTH.set(depth + 1);
    let leave = Leave(depth);
    let result = body();
    let level = LEVELS.with_borrow_mut(|levels| levels.pop()).unwrap_or_else(|| Level::Program(Vec::new()));
    drop(leave);
    (result, level)
}

/// Looks at the innermost level.
pub(crate) fn innermost<R>(look: impl FnOnce(&mut Level) -> R) -> Option<R> {
    if is_plain() {
        return None;
    }
    LEVELS.with_borrow_mut(|levels| levels.last_mut().map(look))
}

/// Runs `body` with the innermost level set aside: what it records belongs to the level outside.
pub(crate) fn outside<R>(body: impl FnOnce() -> R) -> R {
    let Some(level) = LEVELS.with_borrow_mut(|levels| levels.pop()) else { return body() };
    DEPTH.set(DEPTH.get() - 1);
    let result = body();
    DEPTH.set(DEPTH.get() + 1);
    LEVELS.with_borrow_mut(|levels| levels.push(level));
    result
}

/// How the program being recorded reads a variable; `None` in plain code.
pub(crate) fn read(slot: &Arc<Slot>, device: &Device, origin: &Origin) -> Option<Tensor> {
    if is_plain() {
        return None;
    }
    LEVELS.with_borrow_mut(|levels| {
        let touched = levels
            .iter_mut()
            .find_map(|l| if let Level::Program(touched) = l { Some(touched) } else { None })?;
        if let Some(found) = touched.iter().find(|t| t.slot.id == slot.id) {
            return Some(found.current.clone());
        }
        let kind = Kind::State(slot.clone());
        let current =
            Tensor::lazy(kind, slot.ty.clone(), SmallVec::new(), origin.clone(), Some(device.clone()));
        touched.push(Touched { slot: slot.clone(), current: current.clone(), assigned: false });
        Some(current)
    })
}

/// Records an assignment in the program being recorded; gives `next` back in plain code.
pub(crate) fn assign(slot: &Arc<Slot>, next: Tensor, origin: &Origin) -> Result<Option<Tensor>, Error> {
    if is_plain() {
        return Ok(Some(next));
    }
    LEVELS.with_borrow_mut(|levels| {
        if matches!(levels.last(), Some(Level::Region(_))) {
            let message =
                "a variable cannot be assigned within a scan or call; return the value from its body";
            return Err(Error::at("assign", message, origin));
        }
        let found = levels
            .iter_mut()
            .find_map(|l| if let Level::Program(touched) = l { Some(touched) } else { None });
        let Some(touched) = found else { return Ok(Some(next)) };
        match touched.iter_mut().find(|t| t.slot.id == slot.id) {
            Some(found) => {
                found.current = next;
                found.assigned = true;
            }
            None => touched.push(Touched { slot: slot.clone(), current: next, assigned: true }),
        }
        Ok(None)
    })
}

/// The id from which nodes belong to a level that begins now.
pub(crate) fn first_id() -> u64 {
    next_id()
}
