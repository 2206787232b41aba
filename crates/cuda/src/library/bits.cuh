__device__ inline f32 from_bits(u32 bits) {
    return __builtin_bit_cast(f32, bits);
}

__device__ inline u32 to_bits(f32 x) {
    return __builtin_bit_cast(u32, x);
}

template <class Float> __device__ inline bool is_nan(Float x) {
    return x != x;
}

// x / 2^count for a count from 1 to 31, rounded to nearest even.
__device__ inline u32 shift_right_to_even(u32 x, u32 count) {
    const u32 below_half = (1u << (count - 1u)) - 1u;
    return (x + below_half + ((x >> count) & 1u)) >> count;
}

// x * 2^power for x in [0.5, 2), rounded once, to nearest even; subnormal or infinite where it must be.
__device__ inline f32 scale_by_power_of_two(f32 x, i32 power) {
    const u32 bits = to_bits(x);
    const i32 exponent = i32(bits >> 23) + power;
    if (exponent > 254) {
        return from_bits(0x7f800000u);
    }
    if (exponent > 0) {
        return from_bits(bits + (u32(power) << 23));
    }
    const u32 count = exponent < -24 ? 25u : u32(1 - exponent);
    return from_bits(shift_right_to_even((bits & 0x007fffffu) | 0x00800000u, count));
}
