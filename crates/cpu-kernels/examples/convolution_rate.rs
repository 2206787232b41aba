//! How near convolutions come to the machine's multiply-add rate, measured in turns in the same run.
//!
//! `cargo run --release -p warploom-cpu --example convolution_rate [-- threads [name]]`

mod ceiling;

use ceiling::{ceiling, seconds};
use warploom_cpu_kernels::convolution::{Convolution, Output, Shape, Spatial, Strided};
use warploom_cpu_kernels::isa::Isa;
use warploom_cpu_kernels::pool::Pool;

/// Rounds of ceiling and convolution; a convolution is repeated for about `ROUND_SECONDS`. Rounds are short, because what
/// a shared machine gives changes within milliseconds.
const ROUNDS: usize = 101;
const ROUND_SECONDS: f64 = 0.000_5;

/// A layer: batch, channels, outputs, extent of the image, extent of the kernel, stride, padding.
struct Layer(&'static str, usize, usize, usize, usize, usize, usize, usize);

const LAYERS: [Layer; 26] = [
    Layer("vgg", 8, 64, 64, 56, 3, 1, 1),
    Layer("stem", 32, 3, 64, 32, 3, 1, 1),
    Layer("64", 32, 64, 64, 32, 3, 1, 1),
    Layer("64>128", 32, 64, 128, 32, 3, 2, 1),
    Layer("128", 32, 128, 128, 16, 3, 1, 1),
    Layer("128>256", 32, 128, 256, 16, 3, 2, 1),
    Layer("256", 32, 256, 256, 8, 3, 1, 1),
    Layer("256>512", 32, 256, 512, 8, 3, 2, 1),
    Layer("512", 32, 512, 512, 4, 3, 1, 1),
    Layer("64>128 1x1", 32, 64, 128, 32, 1, 2, 0),
    Layer("128>256 1x1", 32, 128, 256, 16, 1, 2, 0),
    Layer("256>512 1x1", 32, 256, 512, 8, 1, 2, 0),
    Layer("stem", 1, 3, 64, 32, 3, 1, 1),
    Layer("64", 1, 64, 64, 32, 3, 1, 1),
    Layer("64>128", 1, 64, 128, 32, 3, 2, 1),
    Layer("128", 1, 128, 128, 16, 3, 1, 1),
    Layer("128>256", 1, 128, 256, 16, 3, 2, 1),
    Layer("256", 1, 256, 256, 8, 3, 1, 1),
    Layer("256>512", 1, 256, 512, 8, 3, 2, 1),
    Layer("512", 1, 512, 512, 4, 3, 1, 1),
    Layer("64>128 1x1", 1, 64, 128, 32, 1, 2, 0),
    Layer("128>256 1x1", 1, 128, 256, 16, 1, 2, 0),
    Layer("256>512 1x1", 1, 256, 512, 8, 1, 2, 0),
    Layer("lenet 1", 64, 1, 6, 28, 5, 1, 2),
    Layer("lenet 2", 64, 6, 16, 14, 5, 1, 0),
    Layer("lenet 3", 64, 16, 120, 5, 5, 1, 0),
];

/// What a layer's training step computes.
#[derive(Clone, Copy, Debug)]
enum Form {
    Forward,
    ByInput,
    ByWeights,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let asked = arguments.next().and_then(|threads| threads.parse().ok());
    let name = arguments.next().unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let pool = Pool::new(asked.unwrap_or(cores));
    println!("{} with {} threads; rates in GFLOP/s\n", Isa::current().name(), pool.threads());
    println!("| layer | batch | form | best, µs | median | best | % in turns, median | % best of best |");
    println!("|---|---|---|---|---|---|---|---|");
    for layer in LAYERS.iter().filter(|layer| layer.0.starts_with(&name)) {
        for form in [Form::Forward, Form::ByInput, Form::ByWeights] {
            measure(&pool, layer, form);
        }
    }
}

fn measure(pool: &Pool, layer: &Layer, form: Form) {
    let &Layer(name, batch, channels, outputs, ..) = layer;
    let (shape, operands) = problem(layer, form);
    let mut convolution = convolution(pool, &shape, operands);
    convolution();
    let repeats = ((ROUND_SECONDS / seconds(1, &mut convolution).max(1e-8)) as usize).max(1);
    let forward = problem(layer, Form::Forward).0;
    let taps: usize = forward.spatial.iter().map(|axis| axis.kernel * axis.output).product();
    let flops = 2.0 * (batch * channels * outputs * taps) as f64;
    let (mut rates, mut shares, mut ceilings) = (Vec::new(), Vec::new(), Vec::new());
    let mut before = ceiling(pool);
    for _ in 0..ROUNDS {
        let rate = flops / seconds(repeats, &mut convolution) * 1e-9;
        let after = ceiling(pool);
        rates.push(rate);
        ceilings.push(before.max(after));
        shares.push(200.0 * rate / (before + after));
        before = after;
    }
    for values in [&mut rates, &mut shares, &mut ceilings] {
        values.sort_by(f64::total_cmp);
    }
    let best = rates[ROUNDS - 1];
    println!(
        "| {name} | {batch} | {form:?} | {:.1} | {:.1} | {best:.1} | {:.1} | {:.1} |",
        flops / best * 1e-3,
        rates[ROUNDS / 2],
        shares[ROUNDS / 2],
        100.0 * best / ceilings[ROUNDS - 1],
    );
}

/// The shape of a form and the strides of input, kernel and result, where images are `[batch, channels, height, width]`
/// and weights `[outputs, channels, height, width]`, row-major.
fn problem(layer: &Layer, form: Form) -> (Shape, [(isize, [isize; 5]); 3]) {
    let &Layer(_, batch, channels, outputs, extent, kernel, stride, padding) = layer;
    let output = (extent + 2 * padding - kernel) / stride + 1;
    let axis = Spatial {
        input: extent,
        kernel,
        output,
        stride,
        low: padding as i64,
        input_dilation: 1,
        kernel_dilation: 1,
    };
    let image = |channels: usize, extent: usize| {
        let (c, e) = (channels as isize, extent as isize);
        [c * e * e, 0, e * e, e, 1]
    };
    let k = kernel as isize;
    let (input, result) = (image(channels, extent), image(outputs, output));
    let weights = [0, channels as isize * k * k, k * k, k, 1];
    let (shape, operands) = match form {
        Form::Forward => ((batch, channels, outputs, axis), [(0, input), (0, weights), (0, result)]),
        Form::ByInput => {
            let low = (kernel - 1 - padding) as i64;
            let axis =
                Spatial { input: output, output: extent, stride: 1, low, input_dilation: stride, ..axis };
            let flipped = [0, weights[2], weights[1], -k, -1];
            ((batch, outputs, channels, axis), [(0, result), (k * k - 1, flipped), (0, input)])
        }
        Form::ByWeights => {
            let axis = Spatial { kernel: output, output: kernel, stride: 1, kernel_dilation: stride, ..axis };
            let swapped = |strides: [isize; 5]| [strides[2], 0, strides[0], strides[3], strides[4]];
            let kernel = [0, result[2], result[0], result[3], result[4]];
            let by_channel = [weights[2], 0, weights[1], k, 1];
            ((channels, batch, outputs, axis), [(0, swapped(input)), (0, kernel), (0, by_channel)])
        }
    };
    let (batch, channels, outputs, axis) = shape;
    let spatial = vec![axis; 2];
    (Shape { batch, groups: 1, channels, outputs, spatial }, operands)
}

/// A closure that computes the convolution once.
fn convolution(pool: &Pool, shape: &Shape, operands: [(isize, [isize; 5]); 3]) -> impl FnMut() {
    let fill = |extents: &[usize]| {
        (0..extents.iter().product()).map(|i: usize| (i % 17) as f32 - 8.0).collect::<Vec<f32>>()
    };
    let (input, kernel) = (fill(&shape.input()), fill(&shape.kernel()));
    let mut result = fill(&shape.result());
    let plan = Convolution::<f32>::new(shape, Isa::current(), pool.threads());
    let mut workspace = vec![0u8; plan.workspace_bytes() + 64];
    move || {
        let [input_at, kernel_at, result_at] = operands;
        let place = |from: *const f32, (offset, strides): (isize, [isize; 5])| Strided {
            data: from.wrapping_offset(offset),
            strides,
        };
        let to = Strided { data: result.as_mut_ptr().wrapping_offset(result_at.0), strides: result_at.1 };
        let aligned = workspace.as_ptr().align_offset(64);
        // SAFETY: the vectors hold the operands and the result, and the workspace what the plan asks.
        unsafe {
            plan.run(
                pool,
                place(input.as_ptr(), input_at),
                place(kernel.as_ptr(), kernel_at),
                &Output::Store(to),
                workspace[aligned..].as_mut_ptr(),
            );
        }
    }
}
