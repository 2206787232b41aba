// An odd polynomial near zero, 1 - 2 / (e^2|x| + 1) beyond. Largest error seen 1.25 ulp, more by what a device's division
// is off.
fn tanh_f32(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let sign = bitcast<u32>(x) & 0x80000000u;
    let magnitude = abs(x);
    var value = 0.0;
    if magnitude < 0.625 {
        // (tanh x - x) / x^3 in x^2, relative to tanh x within 2^-31.
        let z = magnitude * magnitude;
        var sum = 0.0021141174;
        sum = sum * z - 0.008156179;
        sum = sum * z + 0.02169733;
        sum = sum * z - 0.053947315;
        sum = sum * z + 0.13333221;
        sum = sum * z - 0.3333333;
        value = magnitude + magnitude * z * sum;
    } else {
        // tanh 10 rounds to 1.
        value = 1.0 - 2.0 / (exp_f32(2.0 * min(magnitude, 10.0)) + 1.0);
    }
    return from_bits(bitcast<u32>(value) | sign);
}
