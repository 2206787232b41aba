// [10, 1, 1] workgroups of 256
// arg_max
extern "C" __global__ void __launch_bounds__(256) kernel_main(const f32 *__restrict__ a0, i32 *a1) {
    alignas(16) __shared__ f32 shared0_f32[256];
    alignas(16) __shared__ i32 shared0_f32_at[256];
    const u32 thread = threadIdx.x;
    const u32 group = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    let base = group * 2u;
    let share = thread % 128u;
    let point = base + thread / 128u;
    let i0 = point;
    var total0 = from_bits(4286578688u);
    var total0_at = i32(-1);
    if (point < 20u) {
        for (var k = share; k < 3000u; k += 128u) {
            let k0 = k;
            let r0 = a0[i0 * 3000u + k0];
            if (i32(k) >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(r0) || r0 > total0))) {
                total0 = r0;
                total0_at = i32(k);
            }
        }
    }
    shared0_f32[thread] = total0;
    shared0_f32_at[thread] = total0_at;
    __syncthreads();
    if (share < 64u) {
        if (shared0_f32_at[thread + 64u] >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(shared0_f32[thread + 64u]) || shared0_f32[thread + 64u] > total0) || (!(!is_nan(shared0_f32[thread + 64u]) && (is_nan(total0) || total0 > shared0_f32[thread + 64u])) && shared0_f32_at[thread + 64u] < total0_at))) {
            total0 = shared0_f32[thread + 64u];
            total0_at = shared0_f32_at[thread + 64u];
        }
    }
    __syncthreads();
    shared0_f32[thread] = total0;
    shared0_f32_at[thread] = total0_at;
    __syncthreads();
    if (share < 32u) {
        if (shared0_f32_at[thread + 32u] >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(shared0_f32[thread + 32u]) || shared0_f32[thread + 32u] > total0) || (!(!is_nan(shared0_f32[thread + 32u]) && (is_nan(total0) || total0 > shared0_f32[thread + 32u])) && shared0_f32_at[thread + 32u] < total0_at))) {
            total0 = shared0_f32[thread + 32u];
            total0_at = shared0_f32_at[thread + 32u];
        }
    }
    let other0_16 = shuffle_down(total0, 16u);
    let other0_16_at = shuffle_down(total0_at, 16u);
    if (other0_16_at >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(other0_16) || other0_16 > total0) || (!(!is_nan(other0_16) && (is_nan(total0) || total0 > other0_16)) && other0_16_at < total0_at))) {
        total0 = other0_16;
        total0_at = other0_16_at;
    }
    let other0_8 = shuffle_down(total0, 8u);
    let other0_8_at = shuffle_down(total0_at, 8u);
    if (other0_8_at >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(other0_8) || other0_8 > total0) || (!(!is_nan(other0_8) && (is_nan(total0) || total0 > other0_8)) && other0_8_at < total0_at))) {
        total0 = other0_8;
        total0_at = other0_8_at;
    }
    let other0_4 = shuffle_down(total0, 4u);
    let other0_4_at = shuffle_down(total0_at, 4u);
    if (other0_4_at >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(other0_4) || other0_4 > total0) || (!(!is_nan(other0_4) && (is_nan(total0) || total0 > other0_4)) && other0_4_at < total0_at))) {
        total0 = other0_4;
        total0_at = other0_4_at;
    }
    let other0_2 = shuffle_down(total0, 2u);
    let other0_2_at = shuffle_down(total0_at, 2u);
    if (other0_2_at >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(other0_2) || other0_2 > total0) || (!(!is_nan(other0_2) && (is_nan(total0) || total0 > other0_2)) && other0_2_at < total0_at))) {
        total0 = other0_2;
        total0_at = other0_2_at;
    }
    let other0_1 = shuffle_down(total0, 1u);
    let other0_1_at = shuffle_down(total0_at, 1u);
    if (other0_1_at >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(other0_1) || other0_1 > total0) || (!(!is_nan(other0_1) && (is_nan(total0) || total0 > other0_1)) && other0_1_at < total0_at))) {
        total0 = other0_1;
        total0_at = other0_1_at;
    }
    if (point < 20u && share == 0u) {
        a1[i0] = total0_at;
    }
}
}
