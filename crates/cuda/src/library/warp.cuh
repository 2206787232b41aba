// What the 32 threads of a warp do as one. A processor that runs kernels for tests has functions of its own for what PTX
// alone can say.
__device__ inline void wait_for_warp() {
    __syncwarp();
}

// The value of the thread that comes so many later; a thread's own where none does.
template <class T> __device__ inline T shuffle_down(T value, u32 distance) {
    return bitcast<T>(__shfl_down_sync(0xffffffffu, bitcast<u32>(value), distance));
}

__device__ inline bool shuffle_down(bool value, u32 distance) {
    return __shfl_down_sync(0xffffffffu, u32(value), distance) != 0u;
}

// Four matrices of 8 rows of 16 bytes. Threads 8 i to 8 i + 7 name the rows of matrix i, thread 4 r + c gets word c of row r.
__device__ inline void load_matrices(u32 (&to)[4], const u32 *from, u32 row) {
#ifdef __CUDACC__
    const u32 address = u32(__cvta_generic_to_shared(from + row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
#else
    emulation::load_matrices(to, from + row);
#endif
}

// The same of elements of 16 bits, where thread 4 r + c gets elements 2 c and 2 c + 1 of column r.
__device__ inline void load_transposed(u32 (&to)[4], const u32 *from, u32 row) {
#ifdef __CUDACC__
    const u32 address = u32(__cvta_generic_to_shared(from + row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
#else
    emulation::load_transposed(to, from + row);
#endif
}

// Begins to copy 16 bytes to shared memory, or writes as many zeros; the others see them after `finish_copies` and a barrier.
template <class T> __device__ inline void copy_vector(u32 *shared, u32 to, const T *memory, u32 from, bool exists) {
    const T *source = memory + (exists ? from : 0u);
#ifdef __CUDACC__
    const u32 address = u32(__cvta_generic_to_shared(shared + to));
    const u32 bytes = exists ? 16u : 0u;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(address), "l"(source), "r"(bytes) : "memory");
#else
    emulation::copy_later(shared + to, source, exists);
#endif
}

__device__ inline void finish_copies() {
#ifdef __CUDACC__
    asm volatile("cp.async.wait_all;" : : : "memory");
#else
    emulation::finish_copies();
#endif
}
