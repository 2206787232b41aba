// [21, 1, 1] workgroups of 256
// convolve
@group(0) @binding(0) var<storage, read> a0: array<u32>;
@group(0) @binding(1) var<storage, read> a1: array<u32>;
@group(0) @binding(2) var<storage, read_write> a2: array<atomic<u32>>;
var<workgroup> left: array<f32, 1040>;
var<workgroup> right: array<f32, 1040>;
@compute @workgroup_size(256)
fn kernel_main(
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group_position: vec3<u32>,
    @builtin(num_workgroups) group_counts: vec3<u32>,
) {
    let group = group_position.x
        + group_counts.x * (group_position.y + group_counts.y * group_position.z);
    let first_column = group % 21u * 64u;
    let first_row = group / 21u % 1u * 64u;
    let batch = group / 21u % 1u;
    let split = group / 21u;
    let end = min((split + 1u) * 144u, 144u);
    let own_column = first_column + thread % 16u;
    let own_row = first_row + thread / 16u * 4u;
    var sum0_0 = 0.0f;
    var sum0_1 = 0.0f;
    var sum0_2 = 0.0f;
    var sum0_3 = 0.0f;
    var sum1_0 = 0.0f;
    var sum1_1 = 0.0f;
    var sum1_2 = 0.0f;
    var sum1_3 = 0.0f;
    var sum2_0 = 0.0f;
    var sum2_1 = 0.0f;
    var sum2_2 = 0.0f;
    var sum2_3 = 0.0f;
    var sum3_0 = 0.0f;
    var sum3_1 = 0.0f;
    var sum3_2 = 0.0f;
    var sum3_3 = 0.0f;
    for (var base = split * 144u; base < end; base += 16u) {
        for (var e = thread; e < 1024u; e += 256u) {
            let at = e / 16u;
            let deep = e % 16u;
            let term = base + deep;
            var element = 0.0f;
            let row = first_row + at;
            if (row < 40u && term < end) {
                let t0 = term / 9u;
                let t1 = (term / 3u) % 3u;
                let t2 = (term) % 3u;
                element = from_bfloat((a0[(row * 144u + t0 * 9u + t1 * 3u + t2) / 2u] >> (((row * 144u + t0 * 9u + t1 * 3u + t2) % 2u) * 16u) & 65535u));
            }
            left[deep * 65u + at] = element;
        }
        for (var e = thread; e < 1024u; e += 256u) {
            let at = e % 64u;
            let deep = e / 64u;
            let term = base + deep;
            var element = 0.0f;
            let column = first_column + at;
            if (column < 1296u && term < end) {
                let t0 = term / 9u;
                let t1 = (term / 3u) % 3u;
                let t2 = (term) % 3u;
                let c0 = column / 324u;
                let c1 = (column / 18u) % 18u;
                let c2 = (column) % 18u;
                {
                    let at0 = c1 * 1u + t1 * 1u + 4294967295u;
                    let at1 = c2 * 1u + t2 * 1u + 4294967295u;
                    if (at0 <= 17u && at1 <= 17u) {
                        element = from_bfloat((a1[(c0 * 5184u + t0 * 324u + at0 * 18u + at1) / 2u] >> (((c0 * 5184u + t0 * 324u + at0 * 18u + at1) % 2u) * 16u) & 65535u));
                    }
                }
            }
            right[deep * 65u + at] = element;
        }
        workgroupBarrier();
        for (var deep = 0u; deep < 16u; deep += 1u) {
            let left0 = left[deep * 65u + own_row - first_row + 0u];
            let left1 = left[deep * 65u + own_row - first_row + 1u];
            let left2 = left[deep * 65u + own_row - first_row + 2u];
            let left3 = left[deep * 65u + own_row - first_row + 3u];
            let right0 = right[deep * 65u + own_column - first_column + 0u];
            let right1 = right[deep * 65u + own_column - first_column + 16u];
            let right2 = right[deep * 65u + own_column - first_column + 32u];
            let right3 = right[deep * 65u + own_column - first_column + 48u];
            sum0_0 = fma(left0, right0, sum0_0);
            sum0_1 = fma(left0, right1, sum0_1);
            sum0_2 = fma(left0, right2, sum0_2);
            sum0_3 = fma(left0, right3, sum0_3);
            sum1_0 = fma(left1, right0, sum1_0);
            sum1_1 = fma(left1, right1, sum1_1);
            sum1_2 = fma(left1, right2, sum1_2);
            sum1_3 = fma(left1, right3, sum1_3);
            sum2_0 = fma(left2, right0, sum2_0);
            sum2_1 = fma(left2, right1, sum2_1);
            sum2_2 = fma(left2, right2, sum2_2);
            sum2_3 = fma(left2, right3, sum2_3);
            sum3_0 = fma(left3, right0, sum3_0);
            sum3_1 = fma(left3, right1, sum3_1);
            sum3_2 = fma(left3, right2, sum3_2);
            sum3_3 = fma(left3, right3, sum3_3);
        }
        workgroupBarrier();
    }
    var sums = array<f32, 16>();
    sums[0] = sum0_0;
    sums[1] = sum0_1;
    sums[2] = sum0_2;
    sums[3] = sum0_3;
    sums[4] = sum1_0;
    sums[5] = sum1_1;
    sums[6] = sum1_2;
    sums[7] = sum1_3;
    sums[8] = sum2_0;
    sums[9] = sum2_1;
    sums[10] = sum2_2;
    sums[11] = sum2_3;
    sums[12] = sum3_0;
    sums[13] = sum3_1;
    sums[14] = sum3_2;
    sums[15] = sum3_3;
    for (var i = 0u; i < 4u; i += 1u) {
        for (var j = 0u; j < 4u; j += 1u) {
            let row = own_row + i;
            let column = own_column + j * 16u;
            if (row < 40u && column < 1296u && split < 1u) {
                let product = sums[i * 4u + j];
                let e0 = (column / 324u) * 1u + batch;
                let e1 = row;
                let e2 = column % 324u;
                let r1 = from_bfloat(to_bfloat(product));
                {
                    let at = e0 * 12960u + e1 * 324u + e2;
                    let shift = at % 2u * 16u; atomicXor(&a2[at / 2u], (atomicLoad(&a2[at / 2u]) ^ (to_bfloat(r1) << shift)) & (65535u << shift));
                }
            }
        }
    }
}
