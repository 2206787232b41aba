// x = 2^e (1 + f) with f in [sqrt(1/2) - 1, sqrt(2) - 1]. Largest error 0.848 ulp.
__device__ inline f32 log_f32(f32 x) {
    const bool subnormal = x < 1.1754944e-38f;
    const f32 normal = subnormal ? x * 8388608.0f : x;
    const u32 from_sqrt_half = to_bits(normal) - 0x3f3504f3u;
    const f32 exponent = f32(i32(from_sqrt_half) >> 23) - (subnormal ? 23.0f : 0.0f);
    const f32 f = from_bits((from_sqrt_half & 0x007fffffu) + 0x3f3504f3u) - 1.0f;

    // (ln(1 + f) - f + f^2 / 2) / f^3, relative to ln(1 + f) within 2^-30.
    const f32 c[] = {0.33333313f,   -0.25000015f, 0.20002061f,  -0.16667746f, 0.14220494f,
                     -0.124101765f, 0.11886188f,  -0.11647595f, 0.06715232f};
    const f32 square = f * f;
    const f32 series = fmaf(square * f, polynomial(f, c), -0.5f * square);
    // ln 2 in two pieces, the first short enough for its product with an exponent to be exact.
    const f32 scale = exponent * 0.69314575f;
    const f32 sum = scale + f;
    const f32 lost = f - (sum - scale);
    const f32 log = sum + (lost + fmaf(exponent, 1.4286068e-6f, series));

    const u32 bits = to_bits(x);
    if (bits - 1u < 0x7f7fffffu) {
        return log;
    }
    const f32 special = (bits << 1) == 0u ? from_bits(0xff800000u) : x;
    return x < 0.0f ? from_bits(0x7fc00000u) : special;
}
