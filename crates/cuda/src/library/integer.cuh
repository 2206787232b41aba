__device__ inline i32 div_i32(i32 a, i32 b) {
    // The lowest number over -1 overflows to itself.
    if (b == -1) {
        return i32(0u - u32(a));
    }
    return b == 0 ? 0 : a / b;
}

__device__ inline u32 div_u32(u32 a, u32 b) {
    return b == 0u ? 0u : a / b;
}

__device__ inline i32 rem_i32(i32 a, i32 b) {
    return b == 0 || b == -1 ? 0 : a % b;
}

__device__ inline u32 rem_u32(u32 a, u32 b) {
    return b == 0u ? 0u : a % b;
}

__device__ inline i32 abs_i32(i32 x) {
    return x < 0 ? i32(0u - u32(x)) : x;
}

__device__ inline u32 shift_left(u32 x, u32 count) {
    return count > 31u ? 0u : x << count;
}

__device__ inline u32 shift_right(u32 x, u32 count) {
    return count > 31u ? 0u : x >> count;
}
