// The index if it is below the extent. Otherwise 0, and the first of all such reports stays.
__device__ inline u32 checked_index(u32 *faults, i32 index, u32 extent, u32 kernel) {
    const u32 position = u32(index);
    if (position < extent) {
        return position;
    }
    if (atomicCAS(&faults[0], 0u, 1u) == 0u) {
        faults[1] = kernel;
        faults[2] = position;
        faults[3] = extent;
    }
    return 0u;
}
