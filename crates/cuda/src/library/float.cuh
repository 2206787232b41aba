__device__ inline f32 min_f32(f32 a, f32 b) {
    return a < b || is_nan(a) ? a : b;
}

__device__ inline f32 max_f32(f32 a, f32 b) {
    return a > b || is_nan(a) ? a : b;
}

__device__ inline f32 round_f32(f32 x) {
    return rintf(x);
}

__device__ inline f32 sqrt_f32(f32 x) {
    return sqrtf(x);
}

__device__ inline f32 rem_f32(f32 a, f32 b) {
    return fmodf(a, b);
}

// c[0] + c[1] x + ... by Horner's rule, each step fused.
template <int count> __device__ inline f32 polynomial(f32 x, const f32 (&c)[count]) {
    f32 sum = c[count - 1];
    for (int i = count - 2; i >= 0; i--) {
        sum = fmaf(sum, x, c[i]);
    }
    return sum;
}
