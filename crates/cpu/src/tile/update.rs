//! Combines a run of stored elements into another in place, for scatter.

use warploom_graph::{DType, Reduction, ScatterKind};

use super::lanes::{Accumulate, Lanes};
use super::table::{self, Class, StoreKind};
use warploom_cpu_kernels::isa::Isa;

/// Elements widened together.
const CHUNK: usize = 128;

/// The loops of one kind of update and dtype.
pub(crate) struct Updater {
    how: How,
    /// Bytes of an element.
    size: usize,
}

enum How {
    Overwrite,
    /// Elements are lanes.
    Lanes(Accumulate),
    /// Elements are widened, combined and narrowed.
    Widened {
        load: Lanes,
        combine: Accumulate,
        store: Lanes,
    },
}

impl Updater {
    pub(crate) fn new(isa: Isa, kind: ScatterKind, dtype: DType) -> Updater {
        let reduction = match (kind, dtype) {
            (ScatterKind::Set, _) => None,
            (ScatterKind::Add, DType::Bool) | (ScatterKind::Max, _) => Some(Reduction::Max),
            (ScatterKind::Add, _) => Some(Reduction::Sum),
        };
        let combiner = reduction.and_then(|reduction| table::combiner(isa, reduction, Class::of(dtype)));
        let how = match combiner {
            None => How::Overwrite,
            Some(combiner) => match dtype {
                DType::F32 | DType::F64 | DType::I32 | DType::U32 => How::Lanes(combiner.accumulate),
                DType::Bool | DType::U8 | DType::F16 | DType::BF16 => How::Widened {
                    load: table::load(isa, dtype, true),
                    combine: combiner.accumulate,
                    store: table::store(isa, dtype, StoreKind::Copy),
                },
            },
        };
        Updater { how, size: dtype.bytes() }
    }

    /// Combines `count` elements of `from` into those of `to`.
    ///
    /// # Safety
    /// Both have `count` elements, which do not overlap, and nobody else touches those of `to`.
    #[inline]
    pub(crate) unsafe fn run(&self, to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.how {
                How::Overwrite => std::ptr::copy_nonoverlapping(from, to, count * self.size),
                How::Lanes(accumulate) => accumulate(to, from, count),
                How::Widened { load, combine, store } => {
                    let (mut old, mut new) = ([0u32; CHUNK], [0u32; CHUNK]);
                    let (old, new) = (old.as_mut_ptr().cast::<u8>(), new.as_mut_ptr().cast::<u8>());
                    for done in (0..count).step_by(CHUNK) {
                        let chunk = CHUNK.min(count - done);
                        let (to, from) = (to.add(done * self.size), from.add(done * self.size));
                        load(old, to, to, to, chunk);
                        load(new, from, from, from, chunk);
                        combine(old, new, chunk);
                        store(to, old, old, old, chunk);
                    }
                }
            }
        }
    }
}
