// ln x = e ln 2 + ln(1 + f) for x = 2^e (1 + f) with f in [sqrt(1/2) - 1, sqrt(2) - 1]. Largest error seen
// 0.77 ulp.
fn log_f32(x: f32) -> f32 {
    var bits = bitcast<u32>(x);
    if (bits & 0x7fffffffu) == 0u {
        return from_bits(0xff800000u);
    }
    if is_nan(x) || bits == 0x7f800000u {
        return x;
    }
    if bits > 0x7f800000u {
        return from_bits(0x7fc00000u);
    }
    var exponent = 0;
    if bits < 0x00800000u {
        bits = bitcast<u32>(f32(bits));
        exponent = -149;
    }
    let from_sqrt_half = bits - 0x3f3504f3u;
    exponent += bitcast<i32>(from_sqrt_half) >> 23u;
    let f = bitcast<f32>((from_sqrt_half & 0x007fffffu) + 0x3f3504f3u) - 1.0;

    // (ln(1 + f) - f + f^2 / 2) / f^3, relative to ln(1 + f) within 2^-30.
    var sum = 0.06715232;
    sum = sum * f - 0.11647595;
    sum = sum * f + 0.11886188;
    sum = sum * f - 0.124101765;
    sum = sum * f + 0.14220494;
    sum = sum * f - 0.16667746;
    sum = sum * f + 0.20002061;
    sum = sum * f - 0.25000015;
    sum = sum * f + 0.33333313;
    let square = f * f;
    let series = square * (f * sum - 0.5);
    // ln 2 in two pieces, the first short enough for its product with an exponent to be exact.
    let e = f32(exponent);
    return e * 0.69314575 + (f + (series + e * 1.4286068e-6));
}
