// e^r for |r| <= ln 2 / 2, relative within 2^-28.
fn exp_polynomial(r: f32) -> f32 {
    var sum = 0.0013816825;
    sum = sum * r + 0.008369246;
    sum = sum * r + 0.041668244;
    sum = sum * r + 0.16666515;
    sum = sum * r + 0.49999994;
    return 1.0 + (r + r * r * sum);
}

// e^x = 2^n e^r with r = x - n ln 2. The difference is taken between integers, in units of 2^-24, which is an error of
// 2^-25 at most; the rest of ln 2 follows. Largest error seen 1.25 ulp.
fn exp_f32(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    // Beyond these the result is already infinite or zero.
    let bounded = clamp(x, -104.5, 89.0);
    let n = i32(round(bounded * 1.442695));
    let units = i32(round(bounded * 16777216.0)) - n * 11629080;
    let r = (f32(units) + f32(n) * 0.031954797) * 5.9604645e-8;
    return scale_by_power_of_two(exp_polynomial(r), n);
}
