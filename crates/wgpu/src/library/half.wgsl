// By hand: WGSL's own packing may round in either direction and lose subnormal numbers.
fn to_half(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    var half = 0u;
    if magnitude > 0x7f800000u {
        half = 0x7e00u | ((magnitude >> 13u) & 0x03ffu);
    } else if magnitude >= 0x47800000u {
        half = 0x7c00u;
    } else if magnitude >= 0x38800000u {
        half = shift_right_to_even(magnitude - 0x38000000u, 13u);
    } else {
        // Units of 2^-24, that of the subnormal halves.
        let shift = clamp(126u - (magnitude >> 23u), 14u, 25u);
        half = shift_right_to_even((magnitude & 0x007fffffu) | 0x00800000u, shift);
    }
    return half | ((bits & 0x80000000u) >> 16u);
}

fn from_half(half: u32) -> f32 {
    let sign = (half & 0x8000u) << 16u;
    let magnitude = half & 0x7fffu;
    var bits = (magnitude << 13u) + 0x38000000u;
    if magnitude >= 0x7c00u {
        bits = 0x7f800000u | (magnitude << 13u);
    } else if magnitude < 0x0400u {
        bits = bitcast<u32>(f32(magnitude) * 5.9604645e-8);
    }
    return from_bits(bits | sign);
}

fn to_bfloat(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    if is_nan(x) {
        return (bits >> 16u) | 0x0040u;
    }
    return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

fn from_bfloat(bfloat: u32) -> f32 {
    return from_bits(bfloat << 16u);
}
