// sin(r + tail + quadrant pi / 2) for |r| <= 0.83.
__device__ inline f32 sin_in_quadrant(f32 r, f32 tail, u32 quadrant) {
    const f32 z = r * r;
    const f32 odd[] = {-0.16666667f, 0.008333374f, -0.00019850174f, 2.7984356e-6f};
    const f32 even[] = {0.041666668f, -0.0013888968f, 2.481694e-5f, -2.8350317e-7f};
    const f32 sine = r + fmaf(r * z, polynomial(z, odd), tail);
    const f32 cosine = fmaf(z, fmaf(z, polynomial(z, even), -0.5f), 1.0f);
    const f32 value = (quadrant & 1u) == 0u ? sine : cosine;
    return from_bits(to_bits(value) ^ ((quadrant & 2u) << 30));
}

// Words of the bits of 2 / pi after 32 zeros.
__device__ inline u32 two_over_pi(u32 word) {
    switch (word) {
    case 0: return 0u;
    case 1: return 0xa2f9836eu;
    case 2: return 0x4e441529u;
    case 3: return 0xfc2757d1u;
    case 4: return 0xf534ddc0u;
    case 5: return 0xdb629599u;
    case 6: return 0x3c439041u;
    default: return 0xfe5163abu;
    }
}

// 32 bits from a pair of words, `shift` bits after its start.
__device__ inline u32 bits_of_pair(u32 first, u32 second, u32 shift) {
    return (first << shift) | ((second >> 1) >> (31u - shift));
}

// sin(x + quadrant pi / 2) for the bits of a large finite x > 0.
//
// x = M 2^e with an integer M of 24 bits, so of 2 / pi only the 96 bits from weight 2^(1 - e) on matter: those before
// give multiples of 4, those after less than 2^-70, and no float lies within 2^-30 quarter turns of a multiple of one
// (M. Payne, R. Hanek, "Radian reduction for trigonometric functions", ACM SIGNUM 18, 1983).
__device__ inline f32 sin_of_large(u32 magnitude, u32 quadrant) {
    const u32 start = (magnitude >> 23) - 120u;
    const u32 word = start >> 5, shift = start & 31u;
    const u32 high = bits_of_pair(two_over_pi(word), two_over_pi(word + 1u), shift);
    const u32 middle = bits_of_pair(two_over_pi(word + 1u), two_over_pi(word + 2u), shift);
    const u32 low = bits_of_pair(two_over_pi(word + 2u), two_over_pi(word + 3u), shift);

    // M times these: two bits of the quadrant, then the fraction.
    const u32 mantissa = (magnitude & 0x007fffffu) | 0x00800000u;
    const u32 carried = __umulhi(mantissa, low);
    const u32 second = mantissa * middle + carried;
    const u32 first = mantissa * high + __umulhi(mantissa, middle) + (second < carried ? 1u : 0u);
    u32 fraction = bits_of_pair(first, second, 2u);
    u32 rest = bits_of_pair(second, mantissa * low, 2u);
    const u32 above_half = fraction >> 31;
    if (above_half == 1u) {
        rest = 0u - rest;
        fraction = ~fraction + (rest == 0u ? 1u : 0u);
    }

    // In radians: 0xc90fdaa2 is pi / 2 in units of 2^-31.
    u32 zeros = u32(__clz(i32(fraction)));
    if (fraction == 0u) {
        zeros = 32u + u32(__clz(i32(rest)));
        fraction = rest << (zeros - 32u);
    } else {
        fraction = bits_of_pair(fraction, rest, zeros);
    }
    const f32 radians = f32(__umulhi(fraction, 0xc90fdaa2u)) * from_bits((96u - zeros) << 23);
    const f32 r = above_half == 1u ? -radians : radians;
    return sin_in_quadrant(r, 0.0f, quadrant + (first >> 30) + above_half);
}

// sin(x + quadrant pi / 2) for x >= 0. Largest error 1.494 ulp.
__device__ inline f32 sin_of_magnitude(f32 x, u32 quadrant) {
    if (x > 1048576.0f && x < from_bits(0x7f800000u)) {
        return sin_of_large(to_bits(x), quadrant);
    }
    // Each product with a piece of pi / 2 enters unrounded, and the first difference is exact.
    const f32 shifted = fmaf(x, 0.63661975f, 12582912.0f);
    const f32 n = shifted - 12582912.0f;
    const f32 head = fmaf(n, -1.5707964f, x);
    return sin_in_quadrant(fmaf(n, 4.371139e-8f, head), n * 1.7151245e-15f, to_bits(shifted) + quadrant);
}

__device__ inline f32 sin_f32(f32 x) {
    const f32 sine = sin_of_magnitude(fabsf(x), 0u);
    return from_bits(to_bits(sine) ^ (to_bits(x) & 0x80000000u));
}

__device__ inline f32 cos_f32(f32 x) {
    return sin_of_magnitude(fabsf(x), 1u);
}
