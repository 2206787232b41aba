__device__ inline u32 to_half(f32 x) {
    const u32 bits = to_bits(x);
    const u32 magnitude = bits & 0x7fffffffu;
    u32 half;
    if (magnitude > 0x7f800000u) {
        half = 0x7e00u | ((magnitude >> 13) & 0x03ffu);
    } else if (magnitude >= 0x47800000u) {
        half = 0x7c00u;
    } else if (magnitude >= 0x38800000u) {
        half = shift_right_to_even(magnitude - 0x38000000u, 13u);
    } else {
        // The unit of 0.5 is that of the subnormal halves, 2^-24, so the addition rounds.
        half = to_bits(from_bits(magnitude) + 0.5f) - 0x3f000000u;
    }
    return half | ((bits & 0x80000000u) >> 16);
}

__device__ inline f32 from_half(u32 half) {
    const u32 sign = (half & 0x8000u) << 16;
    const u32 magnitude = half & 0x7fffu;
    u32 bits = (magnitude << 13) + 0x38000000u;
    if (magnitude >= 0x7c00u) {
        bits = 0x7f800000u | (magnitude << 13);
    } else if (magnitude < 0x0400u) {
        bits = to_bits(f32(magnitude) * 5.9604645e-8f);
    }
    return from_bits(bits | sign);
}

__device__ inline u32 to_bfloat(f32 x) {
    const u32 bits = to_bits(x);
    if (is_nan(x)) {
        return (bits >> 16) | 0x0040u;
    }
    return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}

__device__ inline f32 from_bfloat(u32 bfloat) {
    return from_bits(bfloat << 16);
}
