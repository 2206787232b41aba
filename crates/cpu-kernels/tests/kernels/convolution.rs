//! Convolutions against their definition in f64, and against themselves where bits must agree.

use crate::common::{Number, Random};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use warploom_cpu_kernels::convolution::{Convolution, Output, Shape, Spatial, Strided};
use warploom_cpu_kernels::gemm::{Epilogue, Tile};
use warploom_cpu_kernels::isa::Isa;
use warploom_cpu_kernels::pool::Pool;

/// How an operand lies in memory: the order of its axes, a gap behind each, and its direction or whether it repeats.
#[derive(Clone, Copy, Debug)]
struct Layout {
    order: [usize; 5],
    gaps: [usize; 5],
    directions: [isize; 5],
}

const PLAIN: Layout = Layout { order: [0, 1, 2, 3, 4], gaps: [0; 5], directions: [1; 5] };

impl Layout {
    fn random(random: &mut Random, repeats: bool) -> Layout {
        let mut layout = PLAIN;
        if !random.one_in(3) {
            for i in 1..5 {
                layout.order.swap(i, random.within(0, i));
            }
        }
        if random.one_in(2) {
            layout.gaps = std::array::from_fn(|_| random.within(0, 2));
        }
        if random.one_in(3) {
            layout.directions = std::array::from_fn(|_| if random.one_in(2) { -1 } else { 1 });
        }
        if repeats && random.one_in(4) {
            layout.directions[random.within(0, 4)] = 0;
        }
        layout
    }
}

/// An array in memory of its own, surrounded by values that must not be read.
struct Stored<T> {
    memory: Vec<T>,
    origin: isize,
    strides: [isize; 5],
    extents: [usize; 5],
}

const MARGIN: usize = 3;

impl<T: Number> Stored<T> {
    fn new(extents: [usize; 5], layout: Layout) -> Stored<T> {
        let (mut strides, mut size, mut origin) = ([0; 5], 1, 0);
        for axis in layout.order.into_iter().rev() {
            strides[axis] = layout.directions[axis] * size as isize;
            if layout.directions[axis] < 0 {
                origin -= strides[axis] * (extents[axis] as isize - 1).max(0);
            }
            if layout.directions[axis] != 0 {
                size *= extents[axis].max(1) + layout.gaps[axis];
            }
        }
        let memory = vec![T::from_f64(f64::NAN); size + 2 * MARGIN];
        Stored { memory, origin: origin + MARGIN as isize, strides, extents }
    }

    /// The same numbers for the same seed, whatever the layout. Along an axis that repeats, all are the first.
    fn filled(extents: [usize; 5], layout: Layout, seed: u64) -> Stored<T> {
        let mut stored = Stored::new(extents, layout);
        for index in indices(extents) {
            let hash = index
                .iter()
                .fold(seed, |hash, &i| (hash ^ i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29));
            let place = stored.at(index);
            stored.memory[place] = T::from_f64((hash >> 40) as f64 / f64::from(1 << 23) - 1.0);
        }
        stored
    }

    fn at(&self, index: [usize; 5]) -> usize {
        let steps = index.iter().zip(self.strides).map(|(&i, stride)| i as isize * stride).sum::<isize>();
        (self.origin + steps) as usize
    }

    fn get(&self, index: [usize; 5]) -> f64 {
        self.memory[self.at(index)].to_f64()
    }

    fn view(&self, axes: usize) -> Strided<*const T> {
        let data = self.memory.as_ptr().wrapping_offset(self.origin);
        if axes == 1 {
            let [a, b, c, _, e] = self.strides;
            return Strided::new(data, &[a, b, c, e]);
        }
        Strided::new(data, &self.strides)
    }

    /// The values in row-major order; panics when anything else was written.
    fn values(&self) -> Vec<T> {
        let mut written = vec![false; self.memory.len()];
        let values = indices(self.extents)
            .map(|index| {
                written[self.at(index)] = true;
                self.memory[self.at(index)]
            })
            .collect();
        let untouched = self.memory.iter().zip(&written).all(|(value, &w)| w || value.to_f64().is_nan());
        assert!(untouched, "wrote outside of the result");
        values
    }
}

fn indices(extents: [usize; 5]) -> impl Iterator<Item = [usize; 5]> {
    (0..extents.iter().product()).map(move |mut flat: usize| {
        let mut index = [0; 5];
        for axis in (0..5).rev() {
            index[axis] = flat % extents[axis];
            flat /= extents[axis];
        }
        index
    })
}

/// Extents with two spatial axes.
fn five(extents: &[usize]) -> [usize; 5] {
    match *extents {
        [a, b, c, e] => [a, b, c, 1, e],
        [a, b, c, d, e] => [a, b, c, d, e],
        _ => panic!("{extents:?}"),
    }
}

fn axis(input: usize, kernel: usize, stride: usize, low: i64, high: i64, dilations: [usize; 2]) -> Spatial {
    let [input_dilation, kernel_dilation] = dilations;
    let dilated =
        |extent: usize, dilation: usize| if extent == 0 { 0 } else { (extent - 1) * dilation + 1 } as i64;
    let room = dilated(input, input_dilation) + low + high - dilated(kernel, kernel_dilation);
    let output = if room < 0 { 0 } else { room as usize / stride + 1 };
    Spatial { input, kernel, output, stride, low, input_dilation, kernel_dilation }
}

fn shape(batch: usize, groups: usize, channels: usize, outputs: usize, spatial: &[Spatial]) -> Shape {
    Shape { batch, groups, channels, outputs, spatial: spatial.to_vec() }
}

/// The input element that meets kernel element `tap` in result `output`, if there is one.
fn source(axis: &Spatial, output: usize, tap: usize) -> Option<usize> {
    let position = (output * axis.stride + tap * axis.kernel_dilation) as i64 - axis.low;
    let dilation = axis.input_dilation as i64;
    let inside = position >= 0 && position % dilation == 0 && position / dilation < axis.input as i64;
    inside.then_some((position / dilation) as usize)
}

/// The result in row-major order, and the sum of the magnitudes of its terms.
fn expected<T: Number>(shape: &Shape, input: &Stored<T>, kernel: &Stored<T>) -> Vec<(f64, f64)> {
    let unit = axis(1, 1, 1, 0, 0, [1, 1]);
    let [height, width] = match shape.spatial[..] {
        [width] => [unit, width],
        [height, width] => [height, width],
        _ => unreachable!(),
    };
    indices(five(&shape.result()))
        .map(|[n, g, o, p, q]| {
            let (mut sum, mut magnitude) = (0.0, 0.0);
            for c in 0..shape.channels {
                for r in 0..height.kernel {
                    let Some(h) = source(&height, p, r) else { continue };
                    for s in 0..width.kernel {
                        let Some(w) = source(&width, q, s) else { continue };
                        let term = kernel.get([g, o, c, r, s]) * input.get([n, g, c, h, w]);
                        sum += term;
                        magnitude += term.abs();
                    }
                }
            }
            (sum, magnitude)
        })
        .collect()
}

const GUARD: u64 = 0xA5A5_5A5A_DEAD_BEEF;

/// Runs with a workspace full of NaN that is guarded at both ends.
fn run<T: Number>(
    plan: &Convolution<T>,
    pool: &Pool,
    input: Strided<*const T>,
    kernel: Strided<*const T>,
    output: &Output<'_, T>,
) {
    let size = plan.workspace_bytes();
    let mut memory = vec![u64::MAX; size.div_ceil(8) + 32];
    let offset = memory.as_ptr().align_offset(64);
    let end = offset + size.div_ceil(8);
    memory[..offset].fill(GUARD);
    memory[end..].fill(GUARD);
    // SAFETY: operands and result have memory of their own, the workspace is as large as asked.
    unsafe { plan.run(pool, input, kernel, output, memory[offset..].as_mut_ptr().cast()) };
    assert!(memory[..offset].iter().all(|&word| word == GUARD), "wrote before the workspace");
    assert!(memory[end..].iter().all(|&word| word == GUARD), "wrote behind the workspace");
}

/// Collects tiles in the order `[batch, group, output, pixel]`, counts how often each element comes, and spoils the tile.
struct Collect {
    extents: [usize; 5],
    outputs_first: bool,
    threads: usize,
    bits: Vec<AtomicU64>,
    seen: Vec<AtomicU32>,
}

impl Collect {
    fn new(extents: [usize; 5], outputs_first: bool, threads: usize) -> Collect {
        let count = extents.iter().product();
        let bits = (0..count).map(|_| AtomicU64::new(0)).collect();
        let seen = (0..count).map(|_| AtomicU32::new(0)).collect();
        Collect { extents, outputs_first, threads, bits, seen }
    }

    fn values<T: Number>(&self) -> Vec<T> {
        assert!(
            self.seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 1),
            "an element did not come once"
        );
        self.bits.iter().map(|bits| T::from_f64(f64::from_bits(bits.load(Ordering::Relaxed)))).collect()
    }
}

impl<T: Number> Epilogue<T> for Collect {
    fn finish(&self, tile: &Tile<T>) {
        let [_, groups, outputs, height, width] = self.extents;
        let pixels = height * width;
        assert!(
            tile.worker < self.threads && tile.rows > 0 && tile.columns > 0 && tile.stride >= tile.columns
        );
        for i in 0..tile.rows {
            for j in 0..tile.columns {
                let (output, column) = (tile.row + i, tile.column + j);
                let (example, group, pixel) = if self.outputs_first {
                    (column / pixels, tile.batch, column % pixels)
                } else {
                    (tile.batch / groups, tile.batch % groups, column)
                };
                assert!(group < groups && output < outputs && pixel < pixels);
                let index = ((example * groups + group) * outputs + output) * pixels + pixel;
                // SAFETY: the element lies in the tile, which is this call's alone.
                let value = unsafe { &mut *tile.values.add(i * tile.stride + j) };
                self.bits[index].store(value.to_f64().to_bits(), Ordering::Relaxed);
                self.seen[index].fetch_add(1, Ordering::Relaxed);
                *value = T::from_f64(f64::NAN);
            }
        }
    }
}

fn bits<T: Number>(values: &[T]) -> Vec<u64> {
    values.iter().map(|value| value.to_f64().to_bits()).collect()
}

struct Pools([Pool; 3]);

impl Pools {
    fn new() -> Pools {
        Pools([1, 2, 5].map(Pool::new))
    }
}

/// Checks one shape: against the definition, and bit by bit between outputs, threads and layouts.
fn check<T: Number>(shape: &Shape, isa: Isa, pools: &Pools, random: &mut Random) {
    let layouts = [Layout::random(random, true), Layout::random(random, true)];
    let axes = shape.spatial.len();
    let extents = five(&shape.result());
    let input = Stored::<T>::filled(five(&shape.input()), layouts[0], random.next());
    let kernel = Stored::<T>::filled(five(&shape.kernel()), layouts[1], random.next());
    let store = |pool: &Pool, input: &Stored<T>, kernel: &Stored<T>, layout: Layout| {
        let plan = Convolution::<T>::new(shape, isa, pool.threads());
        let mut result = Stored::<T>::new(extents, layout);
        let data = result.memory.as_mut_ptr().wrapping_offset(result.origin);
        let strides = Strided { data, strides: result.strides };
        run(&plan, pool, input.view(axes), kernel.view(axes), &Output::Store(strides));
        result.values()
    };
    let context = || {
        let plan = Convolution::<T>::new(shape, isa, 1);
        format!("{shape:?} {layouts:?} {isa:?} {plan:?}")
    };

    let first = store(&pools.0[0], &input, &kernel, PLAIN);
    let terms = (shape.channels * shape.spatial.iter().map(|axis| axis.kernel).product::<usize>()) as f64;
    for (i, (value, (exact, magnitude))) in first.iter().zip(expected(shape, &input, &kernel)).enumerate() {
        let bound = (terms + 2.0) * T::EPSILON * magnitude;
        let error = (value.to_f64() - exact).abs();
        assert!(error <= bound, "element {i}: {} is not {exact}, {}", value.to_f64(), context());
    }

    let same = |other: &[T], what: &str| {
        assert_eq!(bits(&first), bits(other), "{what}: {}", context());
    };
    let copy = |stored: &Stored<T>| {
        let mut plain = Stored::<T>::new(stored.extents, PLAIN);
        for index in indices(stored.extents) {
            let place = plain.at(index);
            plain.memory[place] = stored.memory[stored.at(index)];
        }
        plain
    };
    same(&store(&pools.0[0], &copy(&input), &copy(&kernel), Layout::random(random, false)), "layouts");
    for pool in &pools.0 {
        same(&store(pool, &input, &kernel, Layout::random(random, false)), "threads and result");
        for outputs_first in [false, true] {
            let collect = Collect::new(extents, outputs_first, pool.threads());
            let output =
                if outputs_first { Output::FinishOutputsFirst(&collect) } else { Output::Finish(&collect) };
            let plan = Convolution::<T>::new(shape, isa, pool.threads());
            run(&plan, pool, input.view(axes), kernel.view(axes), &output);
            same(&collect.values(), "epilogue");
        }
    }
}

fn check_all(shapes: &[Shape], seed: u64) {
    let (pools, mut random) = (Pools::new(), Random(seed));
    for isa in Isa::available() {
        for shape in shapes {
            check::<f32>(shape, isa, &pools, &mut random);
            check::<f64>(shape, isa, &pools, &mut random);
        }
    }
}

fn random_axis(random: &mut Random) -> Spatial {
    loop {
        let kernel = random.within(1, 5);
        let dilations = [if random.one_in(3) { random.within(2, 4) } else { 1 }, random.within(1, 2)];
        let low = random.within(0, 8) as i64 - 3;
        let high = random.within(0, 8) as i64 - 3;
        let axis = axis(random.within(1, 20), kernel, random.within(1, 3), low, high, dilations);
        if axis.output > 0 || random.one_in(20) {
            return axis;
        }
    }
}

#[test]
fn random_shapes() {
    let (pools, mut random) = (Pools::new(), Random(0x1234_5678_9ABC_DEF1));
    for round in 0..250 {
        let axes = if random.one_in(4) { 1 } else { 2 };
        let spatial: Vec<_> = (0..axes).map(|_| random_axis(&mut random)).collect();
        let small =
            |random: &mut Random| if random.one_in(3) { random.within(1, 40) } else { random.within(1, 5) };
        let (channels, outputs) = (small(&mut random), small(&mut random));
        let shape = shape(random.within(1, 5), random.within(1, 3), channels, outputs, &spatial);
        for isa in Isa::available() {
            if round % 2 == 0 {
                check::<f32>(&shape, isa, &pools, &mut random);
            } else {
                check::<f64>(&shape, isa, &pools, &mut random);
            }
        }
    }
}

#[test]
fn nothing_and_single_elements() {
    let three = axis(5, 3, 1, 1, 1, [1, 1]);
    let nothing = axis(2, 3, 1, 0, 0, [1, 1]);
    let no_input = axis(0, 3, 1, 2, 2, [1, 1]);
    let no_kernel = Spatial { kernel: 0, ..three };
    let one = axis(1, 1, 1, 0, 0, [1, 1]);
    check_all(
        &[
            shape(0, 1, 2, 3, &[three, three]),
            shape(2, 0, 2, 3, &[three, three]),
            shape(2, 1, 0, 3, &[three, three]),
            shape(2, 1, 2, 0, &[three, three]),
            shape(2, 1, 2, 3, &[nothing, three]),
            shape(2, 1, 2, 3, &[no_input, three]),
            shape(2, 1, 2, 3, &[no_kernel, three]),
            shape(1, 1, 1, 1, &[one, one]),
            shape(1, 1, 1, 1, &[one]),
            shape(9, 1, 1, 1, &[three]),
        ],
        1,
    );
}

/// The three forms of a layer as its training step asks for them.
fn forms(
    batch: usize,
    channels: usize,
    outputs: usize,
    extent: usize,
    kernel: usize,
    stride: usize,
    padding: i64,
) -> [Shape; 3] {
    let forward = axis(extent, kernel, stride, padding, padding, [1, 1]);
    let by_input = Spatial {
        input: forward.output,
        kernel,
        output: extent,
        stride: 1,
        low: kernel as i64 - 1 - padding,
        input_dilation: stride,
        kernel_dilation: 1,
    };
    let by_weights = Spatial {
        input: extent,
        kernel: forward.output,
        output: kernel,
        stride: 1,
        low: padding,
        input_dilation: 1,
        kernel_dilation: stride,
    };
    [
        shape(batch, 1, channels, outputs, &[forward; 2]),
        shape(batch, 1, outputs, channels, &[by_input; 2]),
        shape(channels, 1, batch, outputs, &[by_weights; 2]),
    ]
}

#[test]
fn layers_and_their_gradients() {
    let shapes: Vec<_> = [
        forms(3, 3, 16, 12, 3, 1, 1),
        forms(2, 16, 24, 13, 3, 2, 1),
        forms(5, 20, 30, 4, 3, 1, 1),
        forms(2, 8, 70, 8, 1, 2, 0),
        forms(4, 1, 6, 28, 5, 1, 2),
        forms(3, 6, 16, 14, 5, 1, 0),
        forms(2, 3, 9, 33, 7, 2, 3),
        forms(2, 5, 7, 9, 3, 3, 0),
        forms(3, 4, 7, 5, 5, 1, 0),
    ]
    .into_iter()
    .flatten()
    .collect();
    check_all(&shapes, 2);
}

#[test]
fn long_sums_and_large_images() {
    let same = |extent, kernel| axis(extent, kernel, 1, (kernel / 2) as i64, (kernel / 2) as i64, [1, 1]);
    check_all(
        &[
            // Several blocks of channels, several blocks of taps.
            shape(2, 1, 200, 9, &[same(6, 3); 2]),
            shape(1, 1, 2, 3, &[axis(40, 38, 1, 0, 0, [1, 1]); 2]),
            shape(1, 1, 2, 3, &[axis(29, 29, 1, 14, 14, [1, 1]); 2]),
            shape(1, 1, 2, 3, &[axis(20, 27, 1, 30, 30, [2, 1]); 2]),
            // Several bands, panels and blocks of outputs.
            shape(1, 1, 5, 9, &[same(70, 3); 2]),
            shape(1, 1, 3, 230, &[same(9, 3); 2]),
            shape(1, 2, 4, 230, &[axis(7, 1, 2, 0, 0, [1, 1]); 2]),
            // One channel for each group.
            shape(2, 37, 1, 1, &[same(11, 3); 2]),
            shape(2, 6, 1, 2, &[axis(15, 3, 2, 1, 1, [1, 1]); 2]),
        ],
        3,
    );
}

#[test]
fn unusual_padding_and_dilation() {
    check_all(
        &[
            shape(2, 1, 3, 4, &[axis(5, 2, 1, 9, 7, [1, 1]); 2]),
            shape(2, 1, 3, 4, &[axis(12, 3, 1, -2, -3, [1, 1]), axis(9, 3, 2, -1, 4, [1, 1])]),
            shape(2, 1, 3, 4, &[axis(6, 3, 4, 2, 2, [6, 1]), axis(7, 4, 3, 1, 5, [2, 3])]),
            shape(2, 1, 3, 4, &[axis(4, 1, 1, 0, 0, [3, 1]); 2]),
            shape(1, 2, 3, 4, &[axis(3, 3, 1, 40, 40, [1, 50]), axis(5, 1, 1, 0, 0, [1, 1])]),
            shape(2, 1, 3, 40, &[axis(50, 9, 1, 8, 0, [1, 2])]),
        ],
        4,
    );
}
