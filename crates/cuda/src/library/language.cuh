// What kernels are written in beside C++ itself.
template <class To, class From> __device__ inline To bitcast(From from) {
    return __builtin_bit_cast(To, from);
}

template <class T> __device__ inline T select(T if_false, T if_true, bool condition) {
    return condition ? if_true : if_false;
}

__device__ inline f32 fma(f32 a, f32 b, f32 c) {
    return fmaf(a, b, c);
}

__device__ inline f32 abs(f32 x) {
    return fabsf(x);
}

__device__ inline f32 floor(f32 x) {
    return floorf(x);
}

__device__ inline i32 min(i32 a, i32 b) {
    return a < b ? a : b;
}

__device__ inline u32 min(u32 a, u32 b) {
    return a < b ? a : b;
}

__device__ inline i32 max(i32 a, i32 b) {
    return a > b ? a : b;
}

__device__ inline u32 max(u32 a, u32 b) {
    return a > b ? a : b;
}

// Words that cross at once.
template <u32 count> struct Vector {
    alignas(4 * count) u32 words[count];
};

template <u32 count, class T> __device__ inline void load_vector(u32 (&to)[count], const T *from, u32 first) {
    const Vector<count> vector = *(const Vector<count> *)(from + first);
    for (u32 i = 0u; i < count; i++) {
        to[i] = vector.words[i];
    }
}

template <u32 count, class T> __device__ inline void store_vector(T *to, u32 first, const u32 (&from)[count]) {
    Vector<count> vector;
    for (u32 i = 0u; i < count; i++) {
        vector.words[i] = from[i];
    }
    *(Vector<count> *)(to + first) = vector;
}

// An element of those that lie in words; threads write the parts of a word side by side.
template <class Part> __device__ inline void store_part(u32 *words, u32 at, u32 bits) {
    ((volatile Part *)words)[at] = Part(bits);
}

// Never from a cache that does not see what other threads wrote.
__device__ inline u32 load_atomic(const u32 *word) {
    return *(const volatile u32 *)word;
}
