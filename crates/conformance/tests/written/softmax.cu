// [40, 1, 1] workgroups of 256
// max, sub+exp, sum, +1
extern "C" __global__ void __launch_bounds__(256) kernel_main(const f32 *__restrict__ a0, f32 *a1, f32 *a2, f32 *a3) {
    alignas(16) __shared__ f32 shared0_f32[256];
    const u32 thread = threadIdx.x;
    const u32 group = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    {
        let first = group * 1u;
        let past = min(first + 1u, 40u);
        let base = first;
        let share = thread % 64u;
        let point = base + thread / 64u;
        let i0 = point;
        var total0 = from_bits(4286578688u);
        if (point < past) {
            for (var k = share; k < 1000u; k += 64u) {
                let k0 = k;
                let r0 = a0[i0 * 1000u + k0];
                total0 = max_f32(total0, r0);
            }
        }
        shared0_f32[thread] = total0;
        __syncthreads();
        if (share < 32u) {
            total0 = max_f32(total0, shared0_f32[thread + 32u]);
        }
        let other0_16 = shuffle_down(total0, 16u);
        total0 = max_f32(total0, other0_16);
        let other0_8 = shuffle_down(total0, 8u);
        total0 = max_f32(total0, other0_8);
        let other0_4 = shuffle_down(total0, 4u);
        total0 = max_f32(total0, other0_4);
        let other0_2 = shuffle_down(total0, 2u);
        total0 = max_f32(total0, other0_2);
        let other0_1 = shuffle_down(total0, 1u);
        total0 = max_f32(total0, other0_1);
        if (point < past && share == 0u) {
            a1[i0] = total0;
        }
    }
    __syncthreads();
    {
        let first = group * 1000u;
        let past = min(first + 1000u, 40000u);
        for (var word = first / 4u + thread; word < past / 4u; word += 256u) {
            let point = word * 4u;
            let j0 = point / 1000u;
            let j1 = (point) % 1000u;
            u32 loaded0[4] = {};
            load_vector(loaded0, a0, j0 * 1000u + j1);
            u32 stored0[4] = {};
            #pragma unroll
            for (var lane = 0u; lane < 4u; lane += 1u) {
                let i1 = j1 + lane;
                let r0 = bitcast<f32>(loaded0[lane]);
                let r1 = a1[j0];
                let r2 = (r0 - r1);
                let r3 = exp_f32(r2);
                stored0[lane] = bitcast<u32>(r3);
            }
            store_vector(a2, j0 * 1000u + j1, stored0);
        }
    }
    __syncthreads();
    {
        let first = group * 1u;
        let past = min(first + 1u, 40u);
        let base = first;
        let share = thread % 64u;
        let point = base + thread / 64u;
        let i0 = point;
        var total0 = 0.0f;
        if (point < past) {
            for (var k = share; k < 1000u; k += 64u) {
                let k0 = k;
                let r0 = a2[i0 * 1000u + k0];
                total0 = total0 + r0;
            }
        }
        shared0_f32[thread] = total0;
        __syncthreads();
        if (share < 32u) {
            total0 = total0 + shared0_f32[thread + 32u];
        }
        let other0_16 = shuffle_down(total0, 16u);
        total0 = total0 + other0_16;
        let other0_8 = shuffle_down(total0, 8u);
        total0 = total0 + other0_8;
        let other0_4 = shuffle_down(total0, 4u);
        total0 = total0 + other0_4;
        let other0_2 = shuffle_down(total0, 2u);
        total0 = total0 + other0_2;
        let other0_1 = shuffle_down(total0, 1u);
        total0 = total0 + other0_1;
        if (point < past && share == 0u) {
            a1[i0] = total0;
        }
    }
    __syncthreads();
    {
        let first = group * 1000u;
        let past = min(first + 1000u, 40000u);
        for (var word = first / 4u + thread; word < past / 4u; word += 256u) {
            let point = word * 4u;
            let j0 = point / 1000u;
            let j1 = (point) % 1000u;
            u32 loaded0[4] = {};
            load_vector(loaded0, a2, j0 * 1000u + j1);
            u32 stored0[4] = {};
            #pragma unroll
            for (var lane = 0u; lane < 4u; lane += 1u) {
                let i1 = j1 + lane;
                let r0 = bitcast<f32>(loaded0[lane]);
                let r1 = a1[j0];
                let r2 = (r0 / r1);
                stored0[lane] = bitcast<u32>(r2);
            }
            store_vector(a3, j0 * 1000u + j1, stored0);
        }
    }
}
}

// [16, 1, 1] workgroups of 256
// sum
extern "C" __global__ void __launch_bounds__(256) kernel_main(const f32 *__restrict__ a0, f32 *a1) {
    alignas(16) __shared__ f32 shared0_f32[256];
    const u32 thread = threadIdx.x;
    const u32 group = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    let base = group * 64u;
    let share = thread / 64u;
    let point = base + thread % 64u;
    let i0 = point;
    var total0 = 0.0f;
    if (point < 1000u) {
        for (var k = share; k < 40u; k += 4u) {
            let k0 = k;
            let r0 = a0[i0 + k0 * 1000u];
            total0 = total0 + r0;
        }
    }
    shared0_f32[thread] = total0;
    __syncthreads();
    if (share < 2u) {
        total0 = total0 + shared0_f32[thread + 128u];
    }
    __syncthreads();
    shared0_f32[thread] = total0;
    __syncthreads();
    if (share < 1u) {
        total0 = total0 + shared0_f32[thread + 64u];
    }
    if (point < 1000u && share == 0u) {
        a1[i0] = total0;
    }
}
}
