//! Where each temporary lives: offsets in the arena such that what lives at the same time does not overlap.

use crate::error::Error;
use crate::lower::{Buffers, Home, Unit};
use warploom_device::{BufferId, BufferSpec, Capabilities, Class, Step};

/// First and last step at which a buffer is in use, in the order of [`flatten`].
#[derive(Clone, Copy, Debug)]
struct Life {
    first: usize,
    last: usize,
}

/// Places all buffers. Returns their specs and the bytes of each slab.
pub(crate) fn place(
    units: &[Unit],
    buffers: &Buffers,
    capabilities: &Capabilities,
) -> Result<(Vec<BufferSpec>, Vec<usize>), Error> {
    let mut lives: Vec<Option<Life>> = vec![None; buffers.list.len()];
    let mut clock = 0;
    walk(units, buffers, &mut lives, &mut clock);
    let align = |bytes: usize| bytes.div_ceil(capabilities.alignment) * capabilities.alignment;

    // Largest first, each at the lowest place that is free for its whole life.
    let mut waiting: Vec<usize> = (0..buffers.list.len())
        .filter(|b| buffers.list[*b].home == Home::Temporary && lives[*b].is_some())
        .collect();
    waiting.sort_by_key(|b| (std::cmp::Reverse(buffers.list[*b].bytes), *b));
    let mut placed: Vec<(usize, usize, usize, Life)> = Vec::new();
    let mut places: Vec<Option<(usize, usize)>> = vec![None; buffers.list.len()];
    let mut slabs: Vec<usize> = Vec::new();
    for b in waiting {
        let (Some(life), size) = (lives[b], align(buffers.list[b].bytes)) else { continue };
        if size > capabilities.slab_bytes {
            return Err(Error::Block { bytes: size, most: capabilities.slab_bytes });
        }
        let mut slab = 0;
        let offset = loop {
            let mut taken: Vec<(usize, usize)> = placed
                .iter()
                .filter(|(s, _, _, other)| *s == slab && other.first <= life.last && life.first <= other.last)
                .map(|(_, start, end, _)| (*start, *end))
                .collect();
            taken.sort_unstable();
            let offset =
                taken.iter().fold(0, |at, (start, end)| if at + size <= *start { at } else { at.max(*end) });
            if offset + size <= capabilities.slab_bytes {
                break offset;
            }
            slab += 1;
        };
        placed.push((slab, offset, offset + size, life));
        places[b] = Some((slab, offset));
        slabs.resize(slabs.len().max(slab + 1), 0);
        slabs[slab] = slabs[slab].max(offset + size);
    }
    let class = |b: usize| match buffers.list[buffers.root(BufferId(b as u32)).0 as usize].home {
        Home::Bound(class) => class,
        Home::Temporary | Home::Alias(_) => {
            let (slab, offset) = places[buffers.root(BufferId(b as u32)).0 as usize].unwrap_or((0, 0));
            Class::Arena { slab, offset }
        }
    };
    let specs = buffers.list.iter().enumerate();
    let specs = specs
        .map(|(b, info)| BufferSpec { ty: info.ty.clone(), bytes: info.bytes, class: class(b) })
        .collect();
    Ok((specs, slabs))
}

/// Visits steps in order, bodies inside their loop, and extends the lives of what they touch. What a loop touches from
/// outside its body lives through the whole loop.
fn walk(units: &[Unit], buffers: &Buffers, lives: &mut [Option<Life>], clock: &mut usize) {
    for unit in units {
        let begin = *clock;
        *clock += 1;
        if let Step::Loop(_) = unit.step {
            walk(&unit.body, buffers, lives, clock);
            *clock += 1;
        }
        for buffer in unit.reads.iter().chain(&unit.writes) {
            let life = &mut lives[buffers.root(*buffer).0 as usize];
            let old = life.unwrap_or(Life { first: begin, last: begin });
            *life = Some(Life { first: old.first.min(begin), last: old.last.max(*clock - 1) });
        }
    }
}

/// The units as nested steps.
pub(crate) fn flatten(units: Vec<Unit>) -> Vec<Step> {
    units
        .into_iter()
        .map(|unit| match unit.step {
            Step::Loop(mut l) => {
                l.body = flatten(unit.body);
                Step::Loop(l)
            }
            step => step,
        })
        .collect()
}
