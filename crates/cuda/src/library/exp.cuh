struct ExpParts {
    // e^r in [0.7, 1.42].
    f32 power;
    // Bits whose low part is n + 254.
    u32 n;
};

// x = n ln 2 + r.
__device__ inline ExpParts split_exp(f32 x) {
    const f32 shifted = fmaf(x, 1.442695f, 12583166.0f);
    const f32 n = shifted - 12583166.0f;
    const f32 r = fmaf(n, 1.9046542e-9f, fmaf(n, -0.6931472f, x));
    // Within 2^-28, relative.
    const f32 c[] = {1.0f, 1.0f, 0.49999994f, 0.16666515f, 0.041668244f, 0.008369246f, 0.0013816825f};
    return {polynomial(r, c), to_bits(shifted)};
}

// e^x for x in [-87, 88] or NaN, where 2^n is normal.
__device__ inline f32 exp_normal(f32 x) {
    const ExpParts parts = split_exp(x);
    return parts.power * from_bits((parts.n << 23) - (127u << 23));
}

// Largest error 0.897 ulp.
__device__ inline f32 exp_f32(f32 x) {
    // Beyond these the result is already infinite or zero; a NaN passes both.
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.5f ? -104.5f : x;
    const ExpParts parts = split_exp(x);
    // 2^n may not be representable: two factors, of which only the last multiplication rounds.
    const u32 half = (parts.n << 22) & 0xff800000u;
    const u32 rest = (parts.n << 23) - half;
    return parts.power * from_bits(half) * from_bits(rest);
}
