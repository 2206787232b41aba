//! Random bits for a run of elements.

use warploom_graph::philox;

/// The key and counter words that a kernel's elements share.
pub(super) struct Stream {
    pub seed: [u32; 2],
    pub stream: u32,
    pub step: u32,
    pub iteration: u32,
}

/// Quads computed together.
const QUADS: usize = 16;

/// Writes the bits of elements `first, first + stride, …`.
#[inline(always)]
pub(super) fn fill(stream: &Stream, first: i64, stride: i64, lanes: &mut [u32]) {
    if stride == 1 {
        return fill_dense(stream, first, lanes);
    }
    for (i, lane) in lanes.iter_mut().enumerate() {
        let element = first + i as i64 * stride;
        *lane = quad(stream, element >> 2)[(element & 3) as usize];
    }
}

fn quad(stream: &Stream, quad: i64) -> [u32; 4] {
    philox::quad(stream.seed, stream.stream, stream.step, stream.iteration, quad as u32)
}

#[inline(always)]
fn fill_dense(stream: &Stream, first: i64, lanes: &mut [u32]) {
    let skipped = (first & 3) as usize;
    let mut at = first >> 2;
    let mut done = 0;
    if skipped > 0 {
        done = lanes.len().min(4 - skipped);
        lanes[..done].copy_from_slice(&quad(stream, at)[skipped..skipped + done]);
        at += 1;
    }
    while lanes.len() - done >= 4 * QUADS {
        // One array for each word of a block, so that blocks are the lanes of vectors.
        let mut words = [[0u32; QUADS]; 4];
        for i in 0..QUADS {
            let block = quad(stream, at + i as i64);
            for word in 0..4 {
                words[word][i] = block[word];
            }
        }
        for (i, lanes) in lanes[done..done + 4 * QUADS].chunks_exact_mut(4).enumerate() {
            lanes.copy_from_slice(&[words[0][i], words[1][i], words[2][i], words[3][i]]);
        }
        done += 4 * QUADS;
        at += QUADS as i64;
    }
    for rest in lanes[done..].chunks_mut(4) {
        let count = rest.len();
        rest.copy_from_slice(&quad(stream, at)[..count]);
        at += 1;
    }
}
