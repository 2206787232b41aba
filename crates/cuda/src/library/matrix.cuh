// sums[16 x 8] += left[16 x 16] * right[16 x 8], spread over a warp as the PTX ISA says of mma.m16n8k16.
__device__ inline void multiply_bf16(f32 (&sums)[4], const u32 (&left)[4], u32 right0, u32 right1) {
#ifdef __CUDACC__
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right0), "r"(right1));
#else
    emulation::multiply(sums, left, right0, right1, 2u, emulation::bfloat);
#endif
}

__device__ inline void multiply_f16(f32 (&sums)[4], const u32 (&left)[4], u32 right0, u32 right1) {
#ifdef __CUDACC__
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right0), "r"(right1));
#else
    emulation::multiply(sums, left, right0, right1, 2u, emulation::half);
#endif
}

// sums[16 x 8] += left[16 x 8] * right[8 x 8], spread over a warp as the PTX ISA says of mma.m16n8k8 of TF32.
__device__ inline void multiply_tf32(f32 (&sums)[4], const u32 (&left)[4], u32 right0, u32 right1) {
#ifdef __CUDACC__
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right0), "r"(right1));
#else
    emulation::multiply(sums, left, right0, right1, 1u, emulation::word);
#endif
}

// Rounds floats to 11 bits of precision, halves away from zero.
__device__ inline void round_to_tf32(u32 (&words)[4]) {
    for (u32 i = 0u; i < 4u; i++) {
#ifdef __CUDACC__
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(words[i]) : "f"(from_bits(words[i])));
#else
        words[i] = emulation::tf32(words[i]);
#endif
    }
}

// A thread's part of matrices of words that lie with their columns in lines.
__device__ inline void load_words(u32 (&to)[4], const u32 *from, u32 first, u32 second, u32 third) {
    to[0] = from[first];
    to[1] = from[first + second];
    to[2] = from[first + third];
    to[3] = from[first + second + third];
}

// Writes a thread's part of 16 x 8 sums: two neighbours of a row, and those that lie `below` words further, 8 rows down.
__device__ inline void share_sums(u32 *shared, u32 to, u32 below, const f32 (&sums)[4]) {
    shared[to] = to_bits(sums[0]);
    shared[to + 1u] = to_bits(sums[1]);
    shared[to + below] = to_bits(sums[2]);
    shared[to + below + 1u] = to_bits(sums[3]);
}
