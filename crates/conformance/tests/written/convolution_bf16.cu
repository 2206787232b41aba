// [21, 1, 1] workgroups of 128
// convolve
extern "C" __global__ void __launch_bounds__(128, 4) kernel_main(const u32 *__restrict__ a0, const u32 *__restrict__ a1, u32 *a2) {
    alignas(16) __shared__ u32 left[2560];
    alignas(16) __shared__ u32 right[2304];
    const u32 thread = threadIdx.x;
    const u32 group = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    let first_column = group % 21u * 64u;
    let first_row = group / 21u % 1u * 64u;
    let batch = group / 21u % 1u;
    let split = group / 21u;
    let end = min((split + 1u) * 160u, 144u);
    let lane = thread % 32u;
    let warp_row = thread / 32u / 2u * 32u;
    let warp_column = thread / 32u % 2u * 32u;
    let left_at = (warp_row + lane / 8u % 2u * 8u + lane % 8u) * 20u + lane / 16u * 4u;
    let right_at = (lane / 8u % 2u * 8u + lane % 8u) * 36u + (warp_column + lane / 16u * 8u) / 2u;
    f32 sum0_0[4] = {};
    f32 sum0_1[4] = {};
    f32 sum0_2[4] = {};
    f32 sum0_3[4] = {};
    f32 sum1_0[4] = {};
    f32 sum1_1[4] = {};
    f32 sum1_2[4] = {};
    f32 sum1_3[4] = {};
    u32 right_next[8] = {};
    let column0 = first_column + thread % 32u * 2u + 0u;
    let c0_0 = column0 / 324u;
    let c0_1 = (column0 / 18u) % 18u;
    let c0_2 = (column0) % 18u;
    let column1 = first_column + thread % 32u * 2u + 1u;
    let c1_0 = column1 / 324u;
    let c1_1 = (column1 / 18u) % 18u;
    let c1_2 = (column1) % 18u;
    let start = split * 160u;
    for (var base = start; base < end + 32u; base += 32u) {
        let fill = (base - start) / 32u % 2u;
        if (base < end) {
            #pragma unroll
            for (var round = 0u; round < 2u; round += 1u) {
                let piece = thread + round * 128u;
                let line = piece / 4u;
                let inner = piece % 4u;
                let row = first_row + line;
                let term = base + inner * 8u;
                copy_vector(left, fill * 1280u + line * 20u + inner * 4u, a0, (row * 144u + term) / 2u, row < 40u && term < end);
            }
            #pragma unroll
            for (var round = 0u; round < 8u; round += 1u) {
                let piece = thread + round * 128u;
                let line = piece / 32u;
                var word = 0u;
                {
                    let column = first_column + piece % 32u * 2u + 0u;
                    let term = base + line;
                    var element = 0u;
                    if (column < 1296u && term < end) {
                        let t0 = term / 9u;
                        let t1 = (term / 3u) % 3u;
                        let t2 = (term) % 3u;
                        {
                            let at0 = c0_1 * 1u + t1 * 1u + 4294967295u;
                            let at1 = c0_2 * 1u + t2 * 1u + 4294967295u;
                            if (at0 <= 17u && at1 <= 17u) {
                                element = (a1[(c0_0 * 5184u + t0 * 324u + at0 * 18u + at1) / 2u] >> (((c0_0 * 5184u + t0 * 324u + at0 * 18u + at1) % 2u) * 16u) & 65535u);
                            }
                        }
                    }
                    word |= element << 0u;
                }
                {
                    let column = first_column + piece % 32u * 2u + 1u;
                    let term = base + line;
                    var element = 0u;
                    if (column < 1296u && term < end) {
                        let t0 = term / 9u;
                        let t1 = (term / 3u) % 3u;
                        let t2 = (term) % 3u;
                        {
                            let at0 = c1_1 * 1u + t1 * 1u + 4294967295u;
                            let at1 = c1_2 * 1u + t2 * 1u + 4294967295u;
                            if (at0 <= 17u && at1 <= 17u) {
                                element = (a1[(c1_0 * 5184u + t0 * 324u + at0 * 18u + at1) / 2u] >> (((c1_0 * 5184u + t0 * 324u + at0 * 18u + at1) % 2u) * 16u) & 65535u);
                            }
                        }
                    }
                    word |= element << 16u;
                }
                right_next[round] = word;
            }
        }
        if (base > start) {
            let left_take = left_at + (1u - fill) * 1280u;
            let right_take = right_at + (1u - fill) * 1152u;
            #pragma unroll
            for (var step = 0u; step < 2u; step += 1u) {
                let deep = step * 8u;
                u32 left0[4] = {};
                load_matrices(left0, left, left_take + deep + 0u);
                u32 left1[4] = {};
                load_matrices(left1, left, left_take + deep + 320u);
                u32 right0[4] = {};
                load_transposed(right0, right, right_take + deep * 72u + 0u);
                multiply_bf16(sum0_0, left0, right0[0], right0[1]);
                multiply_bf16(sum0_1, left0, right0[2], right0[3]);
                multiply_bf16(sum1_0, left1, right0[0], right0[1]);
                multiply_bf16(sum1_1, left1, right0[2], right0[3]);
                u32 right1[4] = {};
                load_transposed(right1, right, right_take + deep * 72u + 8u);
                multiply_bf16(sum0_2, left0, right1[0], right1[1]);
                multiply_bf16(sum0_3, left0, right1[2], right1[3]);
                multiply_bf16(sum1_2, left1, right1[0], right1[1]);
                multiply_bf16(sum1_3, left1, right1[2], right1[3]);
            }
        }
        if (base < end) {
            #pragma unroll
            for (var round = 0u; round < 8u; round += 1u) {
                let piece = thread + round * 128u;
                right[fill * 1152u + piece / 32u * 36u + piece % 32u] = right_next[round];
            }
        }
        finish_copies();
        __syncthreads();
    }
    let scratch = thread / 32u * 576u;
    for (var i = 0u; i < 2u; i += 1u) {
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
        wait_for_warp();
        for (var e = lane; e < 512u; e += 32u) {
            let row = first_row + warp_row + i * 16u + e / 32u;
            let column = first_column + warp_column + e % 32u;
            if (row < 40u && column < 1296u && split < 1u) {
                let product = bitcast<f32>(left[scratch + e / 32u * 36u + e % 32u]);
                let e0 = (column / 324u) * 1u + batch;
                let e1 = row;
                let e2 = column % 324u;
                let r1 = from_bfloat(to_bfloat(product));
                {
                    let at = e0 * 12960u + e1 * 324u + e2;
                    store_part<u16>(a2, at, to_bfloat(r1));
                }
            }
        }
        wait_for_warp();
    }
}
}
