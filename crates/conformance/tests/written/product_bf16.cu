// [4, 1, 1] workgroups of 256
// contract+add+maximum
extern "C" __global__ void __launch_bounds__(256, 2) kernel_main(const u32 *__restrict__ a0, const u32 *__restrict__ a1, const f32 *__restrict__ a2, f32 *a3) {
    alignas(16) __shared__ u32 left[5120];
    alignas(16) __shared__ u32 right[4352];
    const u32 thread = threadIdx.x;
    const u32 group = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    let first_column = group % 2u * 128u;
    let first_row = group / 2u % 2u * 128u;
    let batch = group / 4u % 1u;
    let split = group / 4u;
    let end = min((split + 1u) * 64u, 64u);
    let lane = thread % 32u;
    let warp_row = thread / 32u / 4u * 64u;
    let warp_column = thread / 32u % 4u * 32u;
    let left_at = (warp_row + lane / 8u % 2u * 8u + lane % 8u) * 20u + lane / 16u * 4u;
    let right_at = (lane / 8u % 2u * 8u + lane % 8u) * 68u + (warp_column + lane / 16u * 8u) / 2u;
    f32 sum0_0[4] = {};
    f32 sum0_1[4] = {};
    f32 sum0_2[4] = {};
    f32 sum0_3[4] = {};
    f32 sum1_0[4] = {};
    f32 sum1_1[4] = {};
    f32 sum1_2[4] = {};
    f32 sum1_3[4] = {};
    f32 sum2_0[4] = {};
    f32 sum2_1[4] = {};
    f32 sum2_2[4] = {};
    f32 sum2_3[4] = {};
    f32 sum3_0[4] = {};
    f32 sum3_1[4] = {};
    f32 sum3_2[4] = {};
    f32 sum3_3[4] = {};
    let start = split * 64u;
    for (var base = start; base < end + 32u; base += 32u) {
        let fill = (base - start) / 32u % 2u;
        if (base < end) {
            #pragma unroll
            for (var round = 0u; round < 2u; round += 1u) {
                let piece = thread + round * 256u;
                let line = piece / 4u;
                let inner = piece % 4u;
                let row = first_row + line;
                let term = base + inner * 8u;
                copy_vector(left, fill * 2560u + line * 20u + inner * 4u, a0, (row * 64u + term) / 2u, row < 200u && term < end);
            }
            #pragma unroll
            for (var round = 0u; round < 2u; round += 1u) {
                let piece = thread + round * 256u;
                let line = piece / 16u;
                let inner = piece % 16u;
                let column = first_column + inner * 8u;
                let term = base + line;
                copy_vector(right, fill * 2176u + line * 68u + inner * 4u, a1, (column + term * 160u) / 2u, column < 160u && term < end);
            }
        }
        if (base > start) {
            let left_take = left_at + (1u - fill) * 2560u;
            let right_take = right_at + (1u - fill) * 2176u;
            #pragma unroll
            for (var step = 0u; step < 2u; step += 1u) {
                let deep = step * 8u;
                u32 left0[4] = {};
                load_matrices(left0, left, left_take + deep + 0u);
                u32 left1[4] = {};
                load_matrices(left1, left, left_take + deep + 320u);
                u32 left2[4] = {};
                load_matrices(left2, left, left_take + deep + 640u);
                u32 left3[4] = {};
                load_matrices(left3, left, left_take + deep + 960u);
                u32 right0[4] = {};
                load_transposed(right0, right, right_take + deep * 136u + 0u);
                multiply_bf16(sum0_0, left0, right0[0], right0[1]);
                multiply_bf16(sum0_1, left0, right0[2], right0[3]);
                multiply_bf16(sum1_0, left1, right0[0], right0[1]);
                multiply_bf16(sum1_1, left1, right0[2], right0[3]);
                multiply_bf16(sum2_0, left2, right0[0], right0[1]);
                multiply_bf16(sum2_1, left2, right0[2], right0[3]);
                multiply_bf16(sum3_0, left3, right0[0], right0[1]);
                multiply_bf16(sum3_1, left3, right0[2], right0[3]);
                u32 right1[4] = {};
                load_transposed(right1, right, right_take + deep * 136u + 8u);
                multiply_bf16(sum0_2, left0, right1[0], right1[1]);
                multiply_bf16(sum0_3, left0, right1[2], right1[3]);
                multiply_bf16(sum1_2, left1, right1[0], right1[1]);
                multiply_bf16(sum1_3, left1, right1[2], right1[3]);
                multiply_bf16(sum2_2, left2, right1[0], right1[1]);
                multiply_bf16(sum2_3, left2, right1[2], right1[3]);
                multiply_bf16(sum3_2, left3, right1[0], right1[1]);
                multiply_bf16(sum3_3, left3, right1[2], right1[3]);
            }
        }
        finish_copies();
        __syncthreads();
    }
    let scratch = thread / 32u * 576u;
    for (var i = 0u; i < 4u; i += 1u) {
        if (i == 0u) {
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 0u, 288u, sum0_0);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 8u, 288u, sum0_1);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 16u, 288u, sum0_2);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 24u, 288u, sum0_3);
        }
        if (i == 1u) {
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 0u, 288u, sum1_0);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 8u, 288u, sum1_1);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 16u, 288u, sum1_2);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 24u, 288u, sum1_3);
        }
        if (i == 2u) {
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 0u, 288u, sum2_0);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 8u, 288u, sum2_1);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 16u, 288u, sum2_2);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 24u, 288u, sum2_3);
        }
        if (i == 3u) {
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 0u, 288u, sum3_0);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 8u, 288u, sum3_1);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 16u, 288u, sum3_2);
            share_sums(left, scratch + lane / 4u * 36u + lane % 4u * 2u + 24u, 288u, sum3_3);
        }
        wait_for_warp();
        for (var e = lane; e < 512u; e += 32u) {
            let row = first_row + warp_row + i * 16u + e / 32u;
            let column = first_column + warp_column + e % 32u;
            if (row < 200u && column < 160u && split < 1u) {
                let product = bitcast<f32>(left[scratch + e / 32u * 36u + e % 32u]);
                let e0 = batch;
                let e1 = row;
                let e2 = column;
                let r1 = a2[e2];
                let r2 = (product + r1);
                let r4 = max_f32(r2, 0.0f);
                a3[e1 * 160u + e2] = r4;
            }
        }
        wait_for_warp();
    }
}
}
