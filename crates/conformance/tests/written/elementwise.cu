// [8, 1, 1] workgroups of 256
// cast+multiply_add+tanh
extern "C" __global__ void __launch_bounds__(256) kernel_main(const u32 *__restrict__ a0, const f32 *__restrict__ a1, const f32 *__restrict__ a2, f32 *a3) {
    const u32 thread = threadIdx.x;
    const u32 group = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    let word = group * 256u + thread;
    if (word < 2048u) {
        let point = word * 4u;
        let j0 = point / 128u;
        let j1 = (point) % 128u;
        u32 loaded0[2] = {};
        load_vector(loaded0, a0, (j0 * 128u + j1) / 2u);
        u32 loaded1[4] = {};
        load_vector(loaded1, a1, j0 * 128u + j1);
        u32 loaded2[4] = {};
        load_vector(loaded2, a2, j1);
        u32 stored0[4] = {};
        #pragma unroll
        for (var lane = 0u; lane < 4u; lane += 1u) {
            let i1 = j1 + lane;
            let r0 = from_bfloat(((loaded0[lane / 2u] >> (lane % 2u * 16u)) & 65535u));
            let r1 = bitcast<f32>(loaded1[lane]);
            let r2 = bitcast<f32>(loaded2[lane]);
            let r3 = fma(r1, r0, r2);
            let r4 = tanh_f32(r3);
            stored0[lane] = bitcast<u32>(r4);
        }
        store_vector(a3, j0 * 128u + j1, stored0);
    }
}
}
