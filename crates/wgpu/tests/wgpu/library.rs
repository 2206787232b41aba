//! The function library and the dialect, run on an adapter and held against f64 and integer arithmetic.
//!
//! Without an adapter these tests pass and say that they were skipped, unless `WARPLOOM_REQUIRE_GPU` is 1.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use warploom_gpu::{Argument, Dialect, ENTRY, Elements, FAULT_WORDS, Module, Root, Shared};
use warploom_graph::{DType, philox};
use warploom_wgpu::Wgsl;
use wgpu::naga;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

const WORKGROUP: u32 = 64;
/// Largest error of an elementary function, in units in the last place of the f32 result.
const ULPS: f64 = 4.0;

/// The first adapter, opened.
static DEVICE: LazyLock<Option<(wgpu::Device, wgpu::Queue)>> = LazyLock::new(|| {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    match ready(instance.request_adapter(&wgpu::RequestAdapterOptions::default())) {
        Ok(adapter) => {
            Some(ready(adapter.request_device(&wgpu::DeviceDescriptor::default())).expect("a device"))
        }
        Err(error) => {
            let required = std::env::var("WARPLOOM_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "an adapter is required: {error}");
            println!("skipped: no adapter");
            None
        }
    }
});

fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

/// What one module does to its arguments, each given with how it is declared and whether it is written. `None` without an
/// adapter.
fn launch(
    functions: &[&'static str],
    shared: &[Shared],
    body: &str,
    arguments: &[(Elements, bool, Vec<u32>)],
    groups: [u32; 3],
) -> Option<Vec<Vec<u32>>> {
    let (device, queue) = DEVICE.as_ref()?;
    let declared: Vec<(Argument, Elements)> = arguments
        .iter()
        .enumerate()
        .map(|(i, (elements, writable, words))| {
            let argument =
                Argument { root: Root::Slab(i), offset: 0, bytes: words.len() * 4, writable: *writable };
            (argument, *elements)
        })
        .collect();
    let functions = functions.iter().copied().collect::<BTreeSet<_>>();
    let source = Wgsl.module(&Module {
        name: "test",
        workgroup: WORKGROUP,
        resident: None,
        arguments: &declared,
        shared,
        functions: &functions,
        body,
    });
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some(ENTRY),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let buffer = |size: u64, usage| {
        device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    };
    let buffers: Vec<wgpu::Buffer> = arguments
        .iter()
        .map(|(_, _, words)| {
            let usage =
                wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
            let buffer = buffer(words.len() as u64 * 4, usage);
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            queue.write_buffer(&buffer, 0, &bytes);
            buffer
        })
        .collect();
    let entries: Vec<wgpu::BindGroupEntry<'_>> = buffers
        .iter()
        .enumerate()
        .map(|(i, buffer)| wgpu::BindGroupEntry { binding: i as u32, resource: buffer.as_entire_binding() })
        .collect();
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
    }
    let staging: Vec<wgpu::Buffer> = buffers
        .iter()
        .map(|from| {
            let to = buffer(from.size(), wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
            encoder.copy_buffer_to_buffer(from, 0, &to, 0, from.size());
            to
        })
        .collect();
    queue.submit([encoder.finish()]);
    let words = |buffer: &wgpu::Buffer| {
        buffer.map_async(wgpu::MapMode::Read, .., |result| result.expect("mapped"));
        device.poll(wgpu::PollType::wait_indefinitely()).expect("the device answers");
        let bytes = buffer.get_mapped_range(..).expect("mapped");
        bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    };
    Some(staging.iter().map(words).collect())
}

/// Every function that a kernel may call.
const FUNCTIONS: &str = "div_i32 div_u32 rem_f32 rem_i32 rem_u32 pow_f32 min_f32 max_f32 abs_i32 round_f32 sqrt_f32 \
    exp_f32 log_f32 sin_f32 cos_f32 tanh_f32 erf_f32 shift_left shift_right f32_to_i32 f32_to_u32 f32_to_u8 \
    to_half to_bfloat from_half from_bfloat is_nan from_bits philox check_index";

#[test]
fn each_function_comes_with_what_it_calls() {
    let bytes = 4 * FAULT_WORDS;
    let faults = (Argument { root: Root::Faults, offset: 0, bytes, writable: true }, Elements::Faults);
    for function in FUNCTIONS.split(' ') {
        let functions = BTreeSet::from([function]);
        let (arguments, shared, body) = (std::slice::from_ref(&faults), &[], "");
        let module = Module {
            name: function,
            workgroup: 1,
            resident: None,
            arguments,
            shared,
            functions: &functions,
            body,
        };
        let source = Wgsl.module(&module);
        assert!(source.contains(&format!("fn {function}(")), "{function} is missing");
        let parsed = naga::front::wgsl::parse_str(&source).expect(function);
        let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
        validator.validate(&parsed).expect(function);
    }
}

/// `expression`, a `u32` of the words `x`, `y`, … of each row of `inputs`. `None` without an adapter.
fn evaluate(function: &'static str, expression: &str, inputs: &[&[u32]]) -> Option<Vec<u32>> {
    let count = inputs[0].len();
    let mut body = format!("    let i = group * {WORKGROUP}u + thread;\n    if i < {count}u {{\n");
    for (position, name) in (0..inputs.len()).zip(["x", "y", "z", "u", "v", "w"]) {
        body += &format!("        let {name} = a{position}[i];\n");
    }
    body += &format!("        a{}[i] = {expression};\n    }}", inputs.len());
    let mut arguments: Vec<(Elements, bool, Vec<u32>)> =
        inputs.iter().map(|words| (Elements::Words(DType::U32), false, words.to_vec())).collect();
    arguments.push((Elements::Words(DType::U32), true, vec![0; count]));
    let groups = [(count as u32).div_ceil(WORKGROUP), 1, 1];
    launch(&[function], &[], &body, &arguments, groups)?.pop()
}

fn random(state: &mut u64) -> u32 {
    // Knuth's constants for linear congruence; the high bits are good.
    *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*state >> 32) as u32
}

/// Special floats and the neighbours of many, then `count` floats of every exponent, as bits.
fn floats(count: usize) -> Vec<u32> {
    let mut all = Vec::new();
    let marks = [
        0.0f32,
        1e-45,
        f32::MIN_POSITIVE,
        1e-5,
        0.25,
        0.5,
        0.625,
        0.925,
        1.0,
        1.5,
        2.0,
        2.5,
        3.0,
        4.0,
        10.0,
        87.3,
        88.72284,
        103.97,
        104.5,
        128.0,
        150.0,
        255.0,
        256.0,
        65504.0,
        65520.0,
        1048576.0,
        8388608.0,
        16777216.0,
        2147483648.0,
        4294967296.0,
        1e30,
        f32::MAX,
        std::f32::consts::FRAC_PI_4,
        std::f32::consts::FRAC_PI_2,
        std::f32::consts::PI,
        // Nearest to multiples of pi / 2 for their size.
        16367173.0 * 4.7223665e21,
        6.3398e13,
        1.1e9,
    ];
    for mark in marks {
        let bits = mark.to_bits();
        all.extend(
            [bits, bits.saturating_sub(1), bits + 1].iter().flat_map(|bits| [*bits, bits | 0x8000_0000]),
        );
    }
    all.extend([0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc0_0000, 0x7f80_0001]);
    let stride = (1u64 << 32) / count as u64;
    let mut state = 1;
    all.extend((0..count as u64).map(|i| (i * stride + u64::from(random(&mut state)) % stride) as u32));
    all
}

/// How far `got` is from `exact` in units in the last place; infinite where one is a number that the other is not. What is
/// below the normal numbers may be flushed to zero.
fn ulps(got: f32, exact: f64) -> f64 {
    let flushed = got == 0.0 && exact.abs() < f64::from(f32::MIN_POSITIVE);
    if got.is_nan() || !exact.is_finite() || exact == 0.0 || flushed {
        let right = if flushed { 0f32.copysign(exact as f32) } else { exact as f32 };
        return if same_float(got.to_bits(), right) { 0.0 } else { f64::INFINITY };
    }
    // Beyond the largest number the next one counts, which is what infinity stands for.
    let beyond = 2f64.powi(128);
    let (got, exact) = (f64::from(got).clamp(-beyond, beyond), exact.clamp(-beyond, beyond));
    let exponent = exact.abs().max(f64::from(f32::MIN_POSITIVE)).log2().floor().min(127.0);
    (got - exact).abs() / 2f64.powi(exponent as i32 - 23)
}

/// A subnormal float's zero; anything else unchanged.
fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}

/// Equal bits, or both NaN, or a subnormal number flushed.
fn same_float(got: u32, right: f32) -> bool {
    let got = f32::from_bits(got);
    got.to_bits() == right.to_bits()
        || got.is_nan() && right.is_nan()
        || right.is_subnormal() && got.to_bits() == flushed(right).to_bits()
}

/// The largest error of a function of one float; panics where it is above the bound.
fn check_unary(function: &'static str, exact: impl Fn(f64) -> f64) {
    let inputs = floats(1 << 20);
    let expression = format!("bitcast<u32>({function}(bitcast<f32>(x)))");
    let Some(results) = evaluate(function, &expression, &[&inputs]) else { return };
    let (mut worst, mut at) = (0.0, 0.0);
    for (bits, result) in inputs.iter().zip(results) {
        let (x, got) = (f32::from_bits(*bits), f32::from_bits(result));
        let mut error = ulps(got, exact(f64::from(x)));
        if error > ULPS {
            error = error.min(ulps(got, exact(f64::from(flushed(x)))));
        }
        assert!(error <= ULPS, "{function}({x:e}) = {got:e}, not {:e}: {error} ulp", exact(f64::from(x)));
        if error > worst {
            (worst, at) = (error, x);
        }
    }
    println!("{function}: at most {worst:.3} ulp, at {at:e}");
}

/// The error function by the series 2 / sqrt(pi) e^(-x^2) sum of 2^n x^(2n+1) / (1 3 5 … (2n+1)), whose terms have one
/// sign (Abramowitz & Stegun 7.1.6).
fn erf(x: f64) -> f64 {
    if x.is_nan() || x.abs() > 6.0 {
        return if x.is_nan() { x } else { 1f64.copysign(x) };
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[test]
fn elementary_functions() {
    check_unary("exp_f32", f64::exp);
    check_unary("log_f32", f64::ln);
    check_unary("sin_f32", f64::sin);
    check_unary("cos_f32", f64::cos);
    check_unary("tanh_f32", f64::tanh);
    check_unary("erf_f32", erf);
}

/// Results that have one right answer.
fn check_exact(
    function: &'static str,
    expression: &str,
    inputs: &[&[u32]],
    right: impl Fn(&[u32], u32) -> bool,
) {
    let Some(results) = evaluate(function, expression, inputs) else { return };
    for (i, result) in results.into_iter().enumerate() {
        let row: Vec<u32> = inputs.iter().map(|words| words[i]).collect();
        assert!(right(&row, result), "{function} of {row:x?}: {result:#x}");
    }
}

#[test]
fn rounding_and_roots_are_exact() {
    let inputs = floats(1 << 20);
    let check = |function: &'static str, right: fn(f32) -> f32| {
        let expression = format!("bitcast<u32>({function}(bitcast<f32>(x)))");
        check_exact(function, &expression, &[&inputs], |row, got| {
            let x = f32::from_bits(row[0]);
            same_float(got, right(x)) || same_float(got, right(flushed(x)))
        });
    };
    check("sqrt_f32", f32::sqrt);
    check("round_f32", f32::round_ties_even);
}

/// Every pair of some, then random pairs of all.
fn pairs(some: &[u32], all: &[u32], count: usize) -> (Vec<u32>, Vec<u32>) {
    let mut state = 2;
    let mut pick = || all[random(&mut state) as usize % all.len()];
    let each = some.iter().flat_map(|a| some.iter().map(move |b| (*a, *b)));
    each.chain((0..count).map(|_| (pick(), pick())).collect::<Vec<_>>()).unzip()
}

#[test]
fn functions_of_two_floats() {
    let all = floats(1 << 18);
    let some: Vec<u32> = all[..240].to_vec();
    let (x, y) = pairs(&some, &all, 1 << 19);
    let check = |function: &'static str, right: &dyn Fn(f32, f32) -> f32| {
        let expression = format!("bitcast<u32>({function}(bitcast<f32>(x), bitcast<f32>(y)))");
        check_exact(function, &expression, &[&x, &y], |row, got| {
            let (a, b) = (f32::from_bits(row[0]), f32::from_bits(row[1]));
            // A comparison may take subnormal numbers for zeros.
            let got_flushed = flushed(f32::from_bits(got)).to_bits();
            same_float(got, right(a, b)) || same_float(got_flushed, right(flushed(a), flushed(b)))
        });
    };
    check("rem_f32", &|a, b| a % b);
    let nan = |a: f32, b: f32| a.is_nan() || b.is_nan();
    check("min_f32", &|a, b| {
        if nan(a, b) {
            f32::NAN
        } else if a < b {
            a
        } else {
            b
        }
    });
    check("max_f32", &|a, b| {
        if nan(a, b) {
            f32::NAN
        } else if a > b {
            a
        } else {
            b
        }
    });
}

#[test]
fn powers() {
    let all = floats(1 << 18);
    let mut some = all[..240].to_vec();
    some.extend((-20..20).map(|i| (i as f32).to_bits()));
    let (mut x, mut y) = pairs(&some, &all, 1 << 17);
    // Bases and exponents whose power is a normal number, of every size.
    let mut state = 3;
    for _ in 0..1 << 19 {
        let base = f32::from_bits(random(&mut state) >> 1);
        if base.is_finite() && base > 0.0 {
            let exponent = f64::from(random(&mut state)) / 4294967296.0 * 300.0 - 160.0;
            x.push(base.to_bits());
            y.push(((exponent / f64::from(base).log2()) as f32).to_bits());
        }
    }
    let Some(results) =
        evaluate("pow_f32", "bitcast<u32>(pow_f32(bitcast<f32>(x), bitcast<f32>(y)))", &[&x, &y])
    else {
        return;
    };
    let mut worst = 0.0;
    for i in 0..x.len() {
        let (base, exponent, got) = (f32::from_bits(x[i]), f32::from_bits(y[i]), f32::from_bits(results[i]));
        let exact = f64::from(base).powf(f64::from(exponent));
        let error = ulps(got, exact);
        assert!(error <= ULPS, "{base:e} ^ {exponent:e} = {got:e}, not {exact:e}: {error} ulp");
        worst = error.max(worst);
    }
    println!("pow_f32: at most {worst:.3} ulp");
}

#[test]
fn integers() {
    let some = [0, 1, 2, 3, 7, 31, 32, 33, 255, 256, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, !0, !1, !2, !30];
    let mut state = 4;
    let all: Vec<u32> = (0..1 << 14).map(|_| random(&mut state) >> (random(&mut state) % 32)).collect();
    let (x, y) = pairs(&some, &all, 1 << 16);
    let check = |function: &'static str, signed: bool, right: fn(u32, u32) -> u32| {
        let expression = match signed {
            true => format!("bitcast<u32>({function}(bitcast<i32>(x), bitcast<i32>(y)))"),
            false => format!("{function}(x, y)"),
        };
        check_exact(function, &expression, &[&x, &y], |row, got| got == right(row[0], row[1]));
    };
    let divide = |a: u32, b: u32| if b == 0 { 0 } else { (a as i32).wrapping_div(b as i32) as u32 };
    let remainder = |a: u32, b: u32| if b == 0 { 0 } else { (a as i32).wrapping_rem(b as i32) as u32 };
    check("div_i32", true, divide);
    check("rem_i32", true, remainder);
    check("div_u32", false, |a, b| a.checked_div(b).unwrap_or(0));
    check("rem_u32", false, |a, b| a.checked_rem(b).unwrap_or(0));
    check("shift_left", false, |a, b| a.checked_shl(b).unwrap_or(0));
    check("shift_right", false, |a, b| a.checked_shr(b).unwrap_or(0));
    check_exact("abs_i32", "bitcast<u32>(abs_i32(bitcast<i32>(x)))", &[&x], |row, got| {
        got == (row[0] as i32).wrapping_abs() as u32
    });
}

#[test]
fn casts() {
    let inputs = floats(1 << 19);
    let check = |function: &'static str, expression: &str, right: fn(u32) -> u32| {
        check_exact(function, expression, &[&inputs], |row, got| got == right(row[0]));
    };
    // Rust's own casts of floats saturate and take NaN to 0.
    check("f32_to_i32", "bitcast<u32>(f32_to_i32(bitcast<f32>(x)))", |x| f32::from_bits(x) as i32 as u32);
    check("f32_to_u32", "f32_to_u32(bitcast<f32>(x))", |x| f32::from_bits(x) as u32);
    check("f32_to_u8", "f32_to_u8(bitcast<f32>(x))", |x| u32::from(f32::from_bits(x) as u8));
    check("is_nan", "select(0u, 1u, is_nan(bitcast<f32>(x)))", |x| u32::from(f32::from_bits(x).is_nan()));
    check("from_bits", "bitcast<u32>(from_bits(x))", |x| x);
}

#[test]
fn constants_that_are_not_finite() {
    for bits in [0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x8000_0000] {
        let expression = format!("bitcast<u32>(from_bits({bits:#x}u)) + 0u * x");
        check_exact("from_bits", &expression, &[&[0; 3]], |_, got| same_float(got, f32::from_bits(bits)));
    }
}

/// The value of a float of 16 bits with so many of them for the mantissa.
fn narrow_value(bits: u32, mantissa_bits: u32) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent_bits = 15 - mantissa_bits;
    let bias = (1 << (exponent_bits - 1)) - 1;
    let mantissa = f64::from(bits & ((1 << mantissa_bits) - 1)) / f64::from(1 << mantissa_bits);
    let exponent = (bits & 0x7fff) >> mantissa_bits;
    match exponent {
        0 => sign * mantissa * 2f64.powi(1 - bias),
        _ if exponent == (1 << exponent_bits) - 1 && mantissa == 0.0 => sign * f64::INFINITY,
        _ if exponent == (1 << exponent_bits) - 1 => f64::NAN,
        _ => sign * (1.0 + mantissa) * 2f64.powi(exponent as i32 - bias),
    }
}

#[test]
fn narrow_floats() {
    let every: Vec<u32> = (0..1 << 16).collect();
    for (dtype, mantissa_bits, from, to) in
        [(DType::F16, 10, "from_half", "to_half"), (DType::BF16, 7, "from_bfloat", "to_bfloat")]
    {
        check_exact(from, &format!("bitcast<u32>({from}(x))"), &[&every], |row, got| {
            same_float(got, narrow_value(row[0], mantissa_bits) as f32)
        });
        // All of them, the ties between neighbours, what lies beside the ties, and floats of every size.
        let mut inputs = floats(1 << 19);
        for half in &every {
            let (value, next) = (narrow_value(*half, mantissa_bits), narrow_value(half + 1, mantissa_bits));
            for x in [value, (value + next) / 2.0].map(|x| x as f32).into_iter().filter(|x| x.is_finite()) {
                inputs.extend([x.to_bits(), x.to_bits() + 1, x.to_bits().saturating_sub(1)]);
            }
        }
        check_exact(to, &format!("{to}(bitcast<f32>(x))"), &[&inputs], |row, got| {
            let x = f32::from_bits(row[0]);
            let right = dtype.round(f64::from(x));
            let got_value = narrow_value(got, mantissa_bits);
            got <= 0xffff && (got_value.to_bits() == right.to_bits() || got_value.is_nan() && right.is_nan())
        });
    }
}

#[test]
fn random_words_are_those_of_the_cpu() {
    let mut state = 5;
    let columns: Vec<Vec<u32>> = (0..6).map(|_| (0..1 << 16).map(|_| random(&mut state)).collect()).collect();
    let inputs: Vec<&[u32]> = columns.iter().map(Vec::as_slice).collect();
    check_exact("philox", "philox(x, y, z, u, v, w)", &inputs, |row, got| {
        let words = philox::quad([row[4], row[5]], row[1], row[2], row[3], row[0] / 4);
        got == words[row[0] as usize % 4]
    });
}

#[test]
fn an_index_out_of_range_is_reported_once() {
    let index = Elements::Words(DType::I32);
    let arguments = [
        (index, false, vec![5, 0, 9, 10, 10, 10, !0, 3]),
        (Elements::Words(DType::U32), true, vec![77; 8]),
        (Elements::Faults, true, vec![0; FAULT_WORDS]),
    ];
    let run = |bound: u32, arguments: &[_]| {
        let body = format!(
            "    if thread < {bound}u {{\n        a1[thread] = check_index(a0[thread], 10u, 42u);\n    }}"
        );
        launch(&["check_index"], &[], &body, arguments, [1, 1, 1])
    };
    let Some(quiet) = run(3, &arguments) else { return };
    assert_eq!(quiet[1], [5, 0, 9, 77, 77, 77, 77, 77]);
    assert_eq!(quiet[2], [0; FAULT_WORDS]);

    let loud = run(8, &arguments).expect("an adapter");
    assert_eq!(loud[1], [5, 0, 9, 0, 0, 0, 0, 3]);
    assert_eq!(loud[2][..2], [1, 42]);
    assert!(loud[2][2] == 10 || loud[2][2] == !0, "{:?}", loud[2]);
    assert_eq!(loud[2][3], 10);

    let mut again = arguments;
    again[2].2 = vec![1, 6, 7, 8];
    let kept = run(8, &again).expect("an adapter");
    assert_eq!(kept[2], [1, 6, 7, 8]);
}

#[test]
fn workgroups_are_numbered_and_share() {
    // Each group reverses its numbers through shared memory, after a detour through an array of each invocation's own.
    let shared = [Shared { name: "tile".into(), element: "u32", length: WORKGROUP as usize }];
    let body = format!(
        "    {}\n    own[1] = thread + {WORKGROUP}u * group;\n    tile[thread] = own[0] + own[1];\n    {}\n    \
         a0[{WORKGROUP}u * group + thread] = tile[{}u - thread];",
        Wgsl.local_array("u32", "own", 2),
        Wgsl.barrier(),
        WORKGROUP - 1,
    );
    let groups = [3, 2, 4];
    let count = groups.iter().product::<u32>() * WORKGROUP;
    let arguments = [(Elements::Words(DType::U32), true, vec![0; count as usize])];
    let Some(results) = launch(&[], &shared, &body, &arguments, groups) else { return };
    let reversed = |i: u32| i / WORKGROUP * WORKGROUP + (WORKGROUP - 1 - i % WORKGROUP);
    assert_eq!(results[0], (0..count).map(reversed).collect::<Vec<_>>());
}

#[test]
fn parts_of_words_are_written_side_by_side() {
    // Four invocations write a byte of each word; every second one keeps what was there.
    let body = format!(
        "    if (thread & 1u) == 1u {{\n        {}\n    }}\n    a1[thread] = {};",
        Wgsl.store_part("a0", "thread", 1, "thread"),
        Wgsl.atomic_load("a0[63u]"),
    );
    let before = vec![0x4433_2211; WORKGROUP as usize];
    let arguments = [(Elements::Atomic, true, before.clone()), (Elements::Words(DType::U32), true, before)];
    let Some(results) = launch(&[], &[], &body, &arguments, [1, 1, 1]) else { return };
    for word in 0..16 {
        assert_eq!(results[0][word as usize], (4 * word + 3) << 24 | 0x33_0011 | (4 * word + 1) << 8);
    }
    assert_eq!(results[1], [0x4433_2211; WORKGROUP as usize]);
}
