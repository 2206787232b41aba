__device__ inline i32 f32_to_i32(f32 x) {
    if (is_nan(x)) {
        return 0;
    }
    if (x >= 2147483648.0f) {
        return 2147483647;
    }
    return i32(x < -2147483648.0f ? -2147483648.0f : x);
}

__device__ inline u32 f32_to_u32(f32 x) {
    if (x >= 4294967296.0f) {
        return 0xffffffffu;
    }
    // Also of NaN.
    return x > 0.0f ? u32(x) : 0u;
}

__device__ inline u32 f32_to_u8(f32 x) {
    const f32 most = x < 255.0f ? x : 255.0f;
    return x > 0.0f ? u32(most) : 0u;
}
