fn min_f32(a: f32, b: f32) -> f32 {
    if is_nan(a) {
        return a;
    }
    return select(b, a, a < b && !is_nan(b));
}

fn max_f32(a: f32, b: f32) -> f32 {
    if is_nan(a) {
        return a;
    }
    return select(b, a, a > b && !is_nan(b));
}

fn round_f32(x: f32) -> f32 {
    return round(x);
}

// With x = mantissa * 2^(exponent - 150), an integer root near sqrt(mantissa * 2^shift), put right by its residual. The
// residual's low word is all of it, since it is small.
fn sqrt_f32(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    if (bits & 0x7fffffffu) == 0u || is_nan(x) || bits == 0x7f800000u {
        return x;
    }
    if bits > 0x7f800000u {
        return from_bits(0x7fc00000u);
    }
    var exponent = i32(bits >> 23u);
    var mantissa = bits & 0x007fffffu;
    if exponent == 0 {
        let zeros = countLeadingZeros(mantissa) - 8u;
        mantissa <<= zeros;
        exponent = 1 - i32(zeros);
    } else {
        mantissa |= 0x00800000u;
    }
    // Of the parity that leaves an even exponent; the root then has 24 bits.
    let shift = select(24u, 23u, (exponent & 1) == 1);
    var root = i32(sqrt(f32(mantissa) * f32(1u << shift)));
    var residual = bitcast<i32>((mantissa << shift) - u32(root) * u32(root));
    root += i32(f32(residual) / (2.0 * f32(root)));
    residual = bitcast<i32>((mantissa << shift) - u32(root) * u32(root));
    if residual > root {
        root += 1;
    } else if residual <= -root {
        root -= 1;
    }
    let biased = (exponent - 150 - i32(shift)) / 2 + 150;
    return from_bits((u32(biased) << 23u) + u32(root) - 0x00800000u);
}

// The mantissa of a positive finite number's bits, as an integer.
fn integer_mantissa(bits: u32) -> u32 {
    return select((bits & 0x007fffffu) | 0x00800000u, bits, bits < 0x00800000u);
}

// By long division of the mantissas, eight bits at a time.
fn rem_f32(a: f32, b: f32) -> f32 {
    let sign = bitcast<u32>(a) & 0x80000000u;
    let dividend = bitcast<u32>(a) & 0x7fffffffu;
    let divisor = bitcast<u32>(b) & 0x7fffffffu;
    if dividend >= 0x7f800000u || divisor > 0x7f800000u || divisor == 0u {
        return from_bits(0x7fc00000u);
    }
    if dividend < divisor {
        return a;
    }
    // Of subnormal numbers, which have the exponent of the smallest normal ones.
    let exponent = max(divisor >> 23u, 1u);
    var places = max(dividend >> 23u, 1u) - exponent;
    let modulus = integer_mantissa(divisor);
    var rest = integer_mantissa(dividend) % modulus;
    while places > 0u && rest > 0u {
        let step = min(places, 8u);
        rest = (rest << step) % modulus;
        places -= step;
    }
    if rest == 0u {
        return from_bits(sign);
    }
    let zeros = countLeadingZeros(rest) - 8u;
    if zeros < exponent {
        return from_bits(sign | (((exponent - zeros - 1u) << 23u) + (rest << zeros)));
    }
    return from_bits(sign | (rest << (exponent - 1u)));
}
