// The number `mantissa * 2^exponent`, the mantissa's top bit set, or its negative.
struct Log2 {
    mantissa: u32,
    exponent: i32,
    negative: bool,
}

// log2(1 + f) / f in units of 2^-31, for |f| < 0.42 in units of 2^-32. The terms alternate in sign, so what Horner's rule
// adds up is positive after each step.
fn log2_quotient(f: u32, negative: bool) -> u32 {
    let mask = select(0xffffffffu, 0u, negative);
    var sum = 0x09e74788u;
    sum = 0x12488f7fu + ((multiply_high(f, sum) ^ mask) - mask);
    sum = 0x12871d24u + ((multiply_high(f, sum) ^ mask) - mask);
    sum = 0x1252f338u + ((multiply_high(f, sum) ^ mask) - mask);
    sum = 0x145291bfu + ((multiply_high(f, sum) ^ mask) - mask);
    sum = 0x17141719u + ((multiply_high(f, sum) ^ mask) - mask);
    sum = 0x1a63f443u + ((multiply_high(f, sum) ^ mask) - mask);
    sum = 0x1ec72b59u + ((multiply_high(f, sum) ^ mask) - mask);
    sum = 0x24eeca40u + ((multiply_high(f, sum) ^ mask) - mask);
    sum = 0x2e2a8e13u + ((multiply_high(f, sum) ^ mask) - mask);
    sum = 0x3d8e13d7u + ((multiply_high(f, sum) ^ mask) - mask);
    sum = 0x5c551d96u + ((multiply_high(f, sum) ^ mask) - mask);
    return 0xb8aa3b29u + ((multiply_high(f, sum) ^ mask) - mask);
}

// log2 x for the bits of a positive finite x other than 1. With x = 2^e (1 + f), e + f (log2(1 + f) / f) is added up in 64
// bits, in units of 2^-55, so that it has as many good bits near x = 1 as elsewhere.
fn log2_of_bits(x: u32) -> Log2 {
    var bits = x;
    var exponent = 0;
    if bits < 0x00800000u {
        bits = bitcast<u32>(f32(bits));
        exponent = -149;
    }
    let from_sqrt_half = bits - 0x3f3504f3u;
    exponent += bitcast<i32>(from_sqrt_half) >> 23u;
    let normal = (from_sqrt_half & 0x007fffffu) + 0x3f3504f3u;
    let below_one = normal < 0x3f800000u;
    // In units of 2^-24.
    let f = select(2u * (normal - 0x3f800000u), 0x3f800000u - normal, below_one);

    let quotient = log2_quotient(f << 8u, below_one);
    var low = f * quotient;
    var high = multiply_high(f, quotient);
    if below_one {
        low = 0u - low;
        high = ~high + select(0u, 1u, low == 0u);
    }
    high += bitcast<u32>(exponent) << 23u;
    let negative = (high >> 31u) == 1u;
    if negative {
        low = 0u - low;
        high = ~high + select(0u, 1u, low == 0u);
    }
    if high == 0u {
        let zeros = countLeadingZeros(low);
        return Log2(low << zeros, -55 - i32(zeros), negative);
    }
    let zeros = countLeadingZeros(high);
    return Log2((high << zeros) | ((low >> 1u) >> (31u - zeros)), -23 - i32(zeros), negative);
}

// x^y = 2^(y log2 x) for positive finite x other than 1 and finite y other than 0, given as bits. The product is taken
// between integers: a float would have too few bits for it, and pairs of floats need an arithmetic that no shading
// language promises.
fn power_of_bits(x: u32, y: u32) -> f32 {
    let log2 = log2_of_bits(x);
    var product = multiply_high(log2.mantissa, ((y & 0x007fffffu) | 0x00800000u) << 8u);
    // Right shift after which its units are 2^-24; a subnormal y gives 1 in any case.
    var shift = 102 - log2.exponent - i32((y >> 23u) & 0xffu);
    if product < 0x80000000u {
        product <<= 1u;
        shift += 1;
    }
    let negative = log2.negative != (y >> 31u == 1u);
    if shift < 0 {
        return from_bits(select(0x7f800000u, 0u, negative));
    }
    if shift > 31 {
        return 1.0;
    }
    var exponent = product >> u32(shift);
    if shift > 0 {
        exponent += (product >> u32(shift - 1)) & 1u;
    }
    var whole = i32((exponent >> 24u) + ((exponent >> 23u) & 1u));
    var rest = bitcast<i32>(exponent - (u32(whole) << 24u));
    if negative {
        whole = -whole;
        rest = -rest;
    }
    return scale_by_power_of_two(exp_polynomial(f32(rest) * 4.131479e-8), whole);
}

// Special points as in C. Largest error seen 2.28 ulp.
fn pow_f32(x: f32, y: f32) -> f32 {
    let base = bitcast<u32>(x) & 0x7fffffffu;
    let power = bitcast<u32>(y) & 0x7fffffffu;
    if power == 0u || bitcast<u32>(x) == 0x3f800000u {
        return 1.0;
    }
    if is_nan(x) || is_nan(y) {
        return from_bits(0x7fc00000u);
    }
    // Whether y is a whole number, and odd: its fraction is below the bit of weight 1.
    let unit = 150 - i32(power >> 23u);
    var whole = unit <= 0;
    var odd = false;
    if unit >= 0 && unit < 24 {
        let mantissa = (power & 0x007fffffu) | 0x00800000u;
        whole = (mantissa & ((1u << u32(unit)) - 1u)) == 0u;
        odd = whole && ((mantissa >> u32(unit)) & 1u) == 1u;
    }
    let sign = select(0u, bitcast<u32>(x) & 0x80000000u, odd);
    let grows = bitcast<u32>(y) >> 31u == 0u;
    if base == 0u || base == 0x7f800000u {
        let infinite = (base == 0u) != grows;
        return from_bits(sign | select(0u, 0x7f800000u, infinite));
    }
    if bitcast<u32>(x) != base && !whole {
        return from_bits(0x7fc00000u);
    }
    if base == 0x3f800000u {
        return from_bits(sign | 0x3f800000u);
    }
    if power == 0x7f800000u {
        let infinite = (base > 0x3f800000u) == grows;
        return from_bits(select(0u, 0x7f800000u, infinite));
    }
    return from_bits(sign | bitcast<u32>(power_of_bits(base, bitcast<u32>(y))));
}
