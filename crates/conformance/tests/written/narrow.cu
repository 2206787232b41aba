// [8, 1, 1] workgroups of 256
// abs
extern "C" __global__ void __launch_bounds__(256) kernel_main(const u32 *__restrict__ a0, u32 *a1) {
    const u32 thread = threadIdx.x;
    const u32 group = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    let word = group * 256u + thread;
    if (word < 2048u) {
        let point = word * 8u;
        let j0 = point / 64u;
        let j1 = (point) % 64u;
        u32 stored0[4] = {};
        #pragma unroll
        for (var lane = 0u; lane < 8u; lane += 1u) {
            let i1 = j1 + lane;
            let r0 = from_bfloat((a0[(j0 + i1 * 256u) / 2u] >> (((j0 + i1 * 256u) % 2u) * 16u) & 65535u));
            let r1 = abs(r0);
            let r2 = from_bfloat(to_bfloat(r1));
            stored0[lane / 2u] |= to_bfloat(r2) << (lane % 2u * 16u);
        }
        store_vector(a1, (j0 * 64u + j1) / 2u, stored0);
    }
}
}
