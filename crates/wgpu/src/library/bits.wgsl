// The float with these bits, also where it is not finite: WGSL refuses constants that are not.
fn from_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

// Asked of the bits: a comparison of x with itself may be taken for true.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// The high word of the 64-bit product, from products of halves.
fn multiply_high(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let first = a_high * b_low + ((a_low * b_low) >> 16u);
    let second = a_low * b_high + (first & 0xffffu);
    return a_high * b_high + (first >> 16u) + (second >> 16u);
}

// x * 2^power for x in [0.5, 2), rounded once, to nearest even; subnormal or infinite where it must be.
fn scale_by_power_of_two(x: f32, power: i32) -> f32 {
    let bits = bitcast<u32>(x);
    let exponent = i32(bits >> 23u) + power;
    if exponent > 254 {
        return from_bits(0x7f800000u);
    }
    if exponent > 0 {
        return from_bits(bits + (bitcast<u32>(power) << 23u));
    }
    return from_bits(shift_right_to_even((bits & 0x007fffffu) | 0x00800000u, u32(min(1 - exponent, 25))));
}

// x / 2^count for a count from 1 to 31, rounded to nearest even.
fn shift_right_to_even(x: u32, count: u32) -> u32 {
    let below_half = (1u << (count - 1u)) - 1u;
    return (x + below_half + ((x >> count) & 1u)) >> count;
}
