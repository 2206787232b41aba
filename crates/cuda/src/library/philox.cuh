// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the word of an element.
__device__ inline u32 philox(u32 element, u32 stream, u32 step, u32 iteration, u32 seed0, u32 seed1) {
    u32 x = element >> 2, y = step, z = stream, w = iteration;
    for (int round = 0; round < 10; round++) {
        const u32 first = __umulhi(0xcd9e8d57u, z) ^ y ^ seed0;
        const u32 third = __umulhi(0xd2511f53u, x) ^ w ^ seed1;
        y = 0xcd9e8d57u * z;
        w = 0xd2511f53u * x;
        x = first;
        z = third;
        seed0 += 0x9e3779b9u;
        seed1 += 0xbb67ae85u;
    }
    const u32 even = (element & 2u) == 0u ? x : z;
    const u32 odd = (element & 2u) == 0u ? y : w;
    return (element & 1u) == 0u ? even : odd;
}
