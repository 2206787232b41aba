// An odd polynomial near zero, 1 - e^p(|x|) beyond. Largest error seen 1.50 ulp.
fn erf_f32(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let sign = bitcast<u32>(x) & 0x80000000u;
    let magnitude = abs(x);
    var value = 0.0;
    if magnitude < 0.925 {
        // erf(x) / x - 1 in x^2, relative to erf(x) / x within 2^-30.
        let z = magnitude * magnitude;
        var sum = 7.99665e-5;
        sum = sum * z - 0.00080497697;
        sum = sum * z + 0.005192405;
        sum = sum * z - 0.026855731;
        sum = sum * z + 0.11283626;
        sum = sum * z - 0.3761263;
        sum = sum * z + 0.12837917;
        value = magnitude + magnitude * sum;
    } else {
        // ln(1 - erf t) / t + 1; erf 4 rounds to 1.
        let t = min(magnitude, 4.0);
        var sum = -1.1231786e-5;
        sum = sum * t + 0.00032281235;
        sum = sum * t - 0.0036425057;
        sum = sum * t + 0.023762183;
        sum = sum * t - 0.10623704;
        sum = sum * t - 0.6351512;
        sum = sum * t - 0.12864852;
        value = 1.0 - exp_f32(t * sum - t);
    }
    return from_bits(bitcast<u32>(value) | sign);
}
