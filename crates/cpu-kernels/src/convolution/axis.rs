//! One spatial axis, cut so that every result reads its sources at a fixed distance.

use super::Spatial;

/// Most results of an axis that each are a phase of their own because the input has one element: all but one tap would
/// meet zeros.
const MOST_SINGLE: usize = 8;

/// A kernel element that meets the input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    /// Which element of the kernel.
    pub kernel: usize,
    /// The input element it meets for the first result of the phase; outside of the input where there are zeros.
    pub source: isize,
}

/// A spatial axis without input dilation: results whose number leaves the same remainder form a **phase**; within a
/// phase each tap meets every `stride`-th input element. Taps that would meet nothing but zeros are left out.
///
/// A padded copy of the input along this axis is de-interleaved into one **plane** for each remainder modulo `stride`
/// that some tap meets, so that neighbouring results of a phase read neighbouring elements.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub input: usize,
    pub output: usize,
    /// Input elements from one result of a phase to the next.
    pub stride: usize,
    /// The taps of each phase; the number of phases is the step from one result of a phase to the next.
    pub phases: Vec<Vec<Tap>>,
    /// The source that lies at the beginning of a padded copy.
    pub low: isize,
    /// Remainders that have a plane.
    pub planes: Vec<usize>,
    /// Elements of a plane beyond the results of a phase.
    pub reach: usize,
}

impl Axis {
    pub(super) fn new(axis: &Spatial) -> Axis {
        let (dilation, step) = (axis.input_dilation as isize, axis.stride as isize);
        let common = greatest_common_divisor(axis.input_dilation, axis.stride);
        let (mut count, stride) = (axis.input_dilation / common, axis.stride / common);
        if axis.input == 1 && axis.output <= MOST_SINGLE {
            count = axis.output.max(1);
        }
        let taps = |phase: usize| {
            let last = (axis.output - 1 - phase) / count * stride;
            let meets = move |kernel: usize| {
                let position =
                    phase as isize * step + (kernel * axis.kernel_dilation) as isize - axis.low as isize;
                let source = position.div_euclid(dilation);
                let inside = position.rem_euclid(dilation) == 0
                    && source + last as isize >= 0
                    && source < axis.input as isize;
                inside.then_some(Tap { kernel, source })
            };
            (0..axis.kernel).filter_map(meets).collect()
        };
        let phases: Vec<Vec<Tap>> = (0..count.min(axis.output)).map(taps).collect();
        let sources = || phases.iter().flatten().map(|tap| tap.source);
        let low = sources().min().unwrap_or(0);
        let mut planes: Vec<usize> = sources().map(|source| (source - low) as usize % stride).collect();
        planes.sort_unstable();
        planes.dedup();
        let reach = sources().map(|source| (source - low) as usize / stride).max().unwrap_or(0);
        Axis { input: axis.input, output: axis.output, stride, phases, low, planes, reach }
    }

    /// An axis of one element that nothing moves along.
    pub(super) fn unit() -> Axis {
        Axis::new(&Spatial {
            input: 1,
            kernel: 1,
            output: 1,
            stride: 1,
            low: 0,
            input_dilation: 1,
            kernel_dilation: 1,
        })
    }

    /// Number of phases, and the step from one result of a phase to the next.
    pub(super) fn step(&self) -> usize {
        self.phases.len().max(1)
    }

    /// Results of a phase; the first phase has the most.
    pub(super) fn results(&self, phase: usize) -> usize {
        (self.output - phase).div_ceil(self.step())
    }

    /// Whether every tap of every result meets an input element.
    pub(super) fn is_inside(&self) -> bool {
        self.phases.iter().enumerate().all(|(phase, taps)| {
            let last = (self.results(phase) - 1) * self.stride;
            taps.iter().all(|tap| tap.source >= 0 && tap.source as usize + last < self.input)
        })
    }

    /// Elements of a plane for `results` results of a phase.
    pub(super) fn extent(&self, results: usize) -> usize {
        self.reach + results
    }

    /// The plane in which a tap finds its sources, and the element for the first result.
    pub(super) fn place(&self, tap: &Tap) -> (usize, usize) {
        let distance = (tap.source - self.low) as usize;
        let plane = self.planes.iter().position(|&plane| plane == distance % self.stride);
        (plane.unwrap_or(0), distance / self.stride)
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
