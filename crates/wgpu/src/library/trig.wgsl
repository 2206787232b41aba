// sin(r + quadrant pi / 2) for 0 <= |r| <= pi / 4.
fn sin_in_quadrant(r: f32, quadrant: u32) -> f32 {
    let z = r * r;
    var sine = 2.7984356e-6;
    sine = sine * z - 0.00019850174;
    sine = sine * z + 0.008333374;
    sine = sine * z - 0.16666667;
    sine = r + r * z * sine;
    var cosine = -2.8350317e-7;
    cosine = cosine * z + 2.481694e-5;
    cosine = cosine * z - 0.0013888968;
    cosine = cosine * z + 0.041666668;
    cosine = 1.0 + z * (z * cosine - 0.5);
    let value = select(sine, cosine, (quadrant & 1u) == 1u);
    return from_bits(bitcast<u32>(value) ^ ((quadrant & 2u) << 30u));
}

// 32 bits from a pair of words, `shift` bits after its start.
fn bits_of_pair(first: u32, second: u32, shift: u32) -> u32 {
    return (first << shift) | ((second >> 1u) >> (31u - shift));
}

// sin(x + quadrant pi / 2) for the bits of an x >= 0.
//
// x = M 2^e with an integer M of 24 bits, so of 2 / pi only the 96 bits from weight 2^(1 - e) on matter: those before
// give multiples of 4, those after less than 2^-70, and no float lies within 2^-30 quarter turns of a multiple of one
// (M. Payne, R. Hanek, "Radian reduction for trigonometric functions", ACM SIGNUM 18, 1983). All of it is done with
// integers, so no backend can be less exact. Largest error seen 1.50 ulp.
fn sin_of_magnitude(magnitude: u32, quadrant: u32) -> f32 {
    if magnitude >= 0x7f800000u {
        return from_bits(0x7fc00000u);
    }
    if magnitude <= 0x3f490fdbu {
        return sin_in_quadrant(bitcast<f32>(magnitude), quadrant);
    }
    // Bits of 2 / pi after 32 zeros, four words of them.
    let start = (magnitude >> 23u) - 120u;
    var words = vec4<u32>(0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u);
    switch start >> 5u {
        case 0u: {}
        case 1u: { words = vec4<u32>(0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u); }
        case 2u: { words = vec4<u32>(0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u); }
        case 3u: { words = vec4<u32>(0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u); }
        default: { words = vec4<u32>(0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu); }
    }
    let shift = start & 31u;
    let high = bits_of_pair(words.x, words.y, shift);
    let middle = bits_of_pair(words.y, words.z, shift);
    let low = bits_of_pair(words.z, words.w, shift);

    // M times these: two bits of the quadrant, then the fraction.
    let mantissa = (magnitude & 0x007fffffu) | 0x00800000u;
    let carried = multiply_high(mantissa, low);
    let second = mantissa * middle + carried;
    let first = mantissa * high + multiply_high(mantissa, middle) + select(0u, 1u, second < carried);
    var fraction = bits_of_pair(first, second, 2u);
    var rest = bits_of_pair(second, mantissa * low, 2u);
    let above_half = fraction >> 31u;
    if above_half == 1u {
        rest = 0u - rest;
        fraction = ~fraction + select(0u, 1u, rest == 0u);
    }

    // In radians: 0xc90fdaa2 is pi / 2 in units of 2^-31.
    var zeros = countLeadingZeros(fraction);
    if fraction == 0u {
        zeros = 32u + countLeadingZeros(rest);
        fraction = rest << (zeros - 32u);
    } else {
        fraction = bits_of_pair(fraction, rest, zeros);
    }
    let radians = f32(multiply_high(fraction, 0xc90fdaa2u)) * bitcast<f32>((96u - zeros) << 23u);
    return sin_in_quadrant(select(radians, -radians, above_half == 1u), quadrant + (first >> 30u) + above_half);
}

fn sin_f32(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    return from_bits(bitcast<u32>(sin_of_magnitude(bits & 0x7fffffffu, 0u)) ^ (bits & 0x80000000u));
}

fn cos_f32(x: f32) -> f32 {
    return sin_of_magnitude(bitcast<u32>(x) & 0x7fffffffu, 1u);
}
