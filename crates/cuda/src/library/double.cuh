// Numbers of 64 bits lie in two words, at addresses that are multiples of both.
template <class Word> __device__ inline f64 load_f64(const Word *words, u32 at) {
    return ((const f64 *)words)[at];
}

template <class Word> __device__ inline void store_f64(Word *words, u32 at, f64 x) {
    ((f64 *)words)[at] = x;
}

__device__ inline f64 shuffle_down_f64(f64 value, u32 distance) {
    const u64 bits = bitcast<u64>(value);
    const u32 low = __shfl_down_sync(0xffffffffu, u32(bits), distance);
    const u32 high = __shfl_down_sync(0xffffffffu, u32(bits >> 32), distance);
    return bitcast<f64>(u64(high) << 32 | low);
}

__device__ inline f64 min_f64(f64 a, f64 b) {
    return a < b || is_nan(a) ? a : b;
}

__device__ inline f64 max_f64(f64 a, f64 b) {
    return a > b || is_nan(a) ? a : b;
}

__device__ inline f64 fma_f64(f64 a, f64 b, f64 c) {
    return ::fma(a, b, c);
}

__device__ inline f64 abs_f64(f64 x) {
    return ::fabs(x);
}

__device__ inline f64 floor_f64(f64 x) {
    return ::floor(x);
}

__device__ inline f64 round_f64(f64 x) {
    return ::rint(x);
}

__device__ inline f64 rem_f64(f64 a, f64 b) {
    return ::fmod(a, b);
}

__device__ inline f64 sqrt_f64(f64 x) {
    return ::sqrt(x);
}

// CUDA's own functions, by its C++ programming guide at most 1 ulp off, sine, cosine, power and error function 2 ulp.
__device__ inline f64 exp_f64(f64 x) {
    return ::exp(x);
}

__device__ inline f64 log_f64(f64 x) {
    return ::log(x);
}

__device__ inline f64 sin_f64(f64 x) {
    return ::sin(x);
}

__device__ inline f64 cos_f64(f64 x) {
    return ::cos(x);
}

__device__ inline f64 tanh_f64(f64 x) {
    return ::tanh(x);
}

__device__ inline f64 erf_f64(f64 x) {
    return ::erf(x);
}

__device__ inline f64 pow_f64(f64 x, f64 y) {
    return ::pow(x, y);
}

__device__ inline i32 f64_to_i32(f64 x) {
    if (is_nan(x)) {
        return 0;
    }
    if (x >= 2147483648.0) {
        return 2147483647;
    }
    return i32(x < -2147483648.0 ? -2147483648.0 : x);
}

__device__ inline u32 f64_to_u32(f64 x) {
    if (x >= 4294967296.0) {
        return 0xffffffffu;
    }
    // Also of NaN.
    return x > 0.0 ? u32(x) : 0u;
}

__device__ inline u32 f64_to_u8(f64 x) {
    const f64 most = x < 255.0 ? x : 255.0;
    return x > 0.0 ? u32(most) : 0u;
}

// With the last bit set where x lies between two floats: what is rounded once more to fewer bits is as if x itself was (S. Boldo,
// G. Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
__device__ inline f32 f64_to_f32_odd(f64 x) {
    const f32 nearest = f32(x);
    if (is_nan(x) || f64(nearest) == x) {
        return nearest;
    }
    const u32 too_far = ::fabs(f64(nearest)) > ::fabs(x) ? 1u : 0u;
    return from_bits((to_bits(nearest) - too_far) | 1u);
}
