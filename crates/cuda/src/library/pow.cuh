// log2(1 + f) / f in units of 2^-31, for |f| < 0.42 in units of 2^-32. The terms alternate in sign, so what Horner's rule
// adds up is positive after each step.
__device__ inline u32 log2_quotient(u32 f, bool negative) {
    const u32 c[] = {0x09e74788u, 0x12488f7fu, 0x12871d24u, 0x1252f338u, 0x145291bfu, 0x17141719u, 0x1a63f443u,
                     0x1ec72b59u, 0x24eeca40u, 0x2e2a8e13u, 0x3d8e13d7u, 0x5c551d96u, 0xb8aa3b29u};
    u32 sum = c[0];
    for (int i = 1; i < 13; i++) {
        const u32 term = __umulhi(f, sum);
        sum = negative ? c[i] + term : c[i] - term;
    }
    return sum;
}

// log2 x in units of 2^-55, for the bits of a positive finite x other than 1. With x = 2^e (1 + f) it is
// e + f (log2(1 + f) / f), which has as many good bits near x = 1 as elsewhere.
__device__ inline i64 log2_of_bits(u32 x) {
    i32 exponent = 0;
    if (x < 0x00800000u) {
        x = to_bits(f32(x));
        exponent = -149;
    }
    const u32 from_sqrt_half = x - 0x3f3504f3u;
    exponent += i32(from_sqrt_half) >> 23;
    const u32 normal = (from_sqrt_half & 0x007fffffu) + 0x3f3504f3u;
    const bool below_one = normal < 0x3f800000u;
    // In units of 2^-24.
    const u32 f = below_one ? 0x3f800000u - normal : 2u * (normal - 0x3f800000u);
    const i64 part = i64(u64(f) * log2_quotient(f << 8, below_one));
    return (i64(exponent) * (i64(1) << 55)) + (below_one ? -part : part);
}

// x^y = 2^(y log2 x) for positive finite x other than 1 and finite y other than 0, given as bits. The product is taken
// between integers: a float would have too few bits for it, and many devices are slow with longer ones.
__device__ inline f32 power_of_bits(u32 x, u32 y) {
    const i64 log2 = log2_of_bits(x);
    const u64 magnitude = u64(log2 < 0 ? -log2 : log2);
    const i32 zeros = __clzll(i64(magnitude));
    u32 product = __umulhi(u32((magnitude << zeros) >> 32), ((y & 0x007fffffu) | 0x00800000u) << 8);
    // Right shift after which its units are 2^-24; a subnormal y gives 1 in any case.
    i32 shift = 125 + zeros - i32((y >> 23) & 0xffu);
    if (product < 0x80000000u) {
        product <<= 1;
        shift += 1;
    }
    const bool negative = (log2 < 0) != ((y >> 31) == 1u);
    if (shift < 0) {
        return from_bits(negative ? 0u : 0x7f800000u);
    }
    if (shift > 31) {
        return 1.0f;
    }
    u32 exponent = product >> shift;
    if (shift > 0) {
        exponent += (product >> (shift - 1)) & 1u;
    }
    const i32 whole = i32((exponent >> 24) + ((exponent >> 23) & 1u));
    const i32 rest = i32(exponent - (u32(whole) << 24));
    const f32 r = f32(negative ? -rest : rest) * 4.131479e-8f;
    // e^r within 2^-28, relative.
    const f32 c[] = {1.0f, 1.0f, 0.49999994f, 0.16666515f, 0.041668244f, 0.008369246f, 0.0013816825f};
    return scale_by_power_of_two(polynomial(r, c), negative ? -whole : whole);
}

// Special points as in C. Largest error seen 2.3 ulp.
__device__ inline f32 pow_f32(f32 x, f32 y) {
    const u32 base = to_bits(x) & 0x7fffffffu;
    const u32 power = to_bits(y) & 0x7fffffffu;
    if (power == 0u || x == 1.0f) {
        return 1.0f;
    }
    if (is_nan(x) || is_nan(y)) {
        return from_bits(0x7fc00000u);
    }
    // Whether y is a whole number, and odd: its fraction is below the bit of weight 1.
    const i32 unit = 150 - i32(power >> 23);
    bool whole = unit <= 0;
    bool odd = false;
    if (unit >= 0 && unit < 24) {
        const u32 mantissa = (power & 0x007fffffu) | 0x00800000u;
        whole = (mantissa & ((1u << unit) - 1u)) == 0u;
        odd = whole && ((mantissa >> unit) & 1u) == 1u;
    }
    const u32 sign = odd ? to_bits(x) & 0x80000000u : 0u;
    const bool grows = (to_bits(y) >> 31) == 0u;
    if (base == 0u || base == 0x7f800000u) {
        return from_bits(sign | ((base == 0u) != grows ? 0x7f800000u : 0u));
    }
    if (to_bits(x) != base && !whole) {
        return from_bits(0x7fc00000u);
    }
    if (base == 0x3f800000u) {
        return from_bits(sign | 0x3f800000u);
    }
    if (power == 0x7f800000u) {
        return from_bits((base > 0x3f800000u) == grows ? 0x7f800000u : 0u);
    }
    return from_bits(sign | to_bits(power_of_bits(base, to_bits(y))));
}
