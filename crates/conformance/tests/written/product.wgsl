// [20, 1, 1] workgroups of 256
// contract+add+maximum
@group(0) @binding(0) var<storage, read> a0: array<f32>;
@group(0) @binding(1) var<storage, read> a1: array<f32>;
@group(0) @binding(2) var<storage, read> a2: array<f32>;
@group(0) @binding(3) var<storage, read_write> a3: array<f32>;
var<workgroup> left: array<f32, 1040>;
var<workgroup> right: array<f32, 528>;
@compute @workgroup_size(256)
fn kernel_main(
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group_position: vec3<u32>,
    @builtin(num_workgroups) group_counts: vec3<u32>,
) {
    let group = group_position.x
        + group_counts.x * (group_position.y + group_counts.y * group_position.z);
    let first_column = group % 5u * 32u;
    let first_row = group / 5u % 4u * 64u;
    let batch = group / 20u % 1u;
    let split = group / 20u;
    let end = min((split + 1u) * 64u, 64u);
    let own_column = first_column + thread % 16u;
    let own_row = first_row + thread / 16u * 4u;
    var sum0_0 = 0.0f;
    var sum0_1 = 0.0f;
    var sum1_0 = 0.0f;
    var sum1_1 = 0.0f;
    var sum2_0 = 0.0f;
    var sum2_1 = 0.0f;
    var sum3_0 = 0.0f;
    var sum3_1 = 0.0f;
    for (var base = split * 64u; base < end; base += 16u) {
        for (var e = thread; e < 1024u; e += 256u) {
            let at = e / 16u;
            let deep = e % 16u;
            let term = base + deep;
            var element = 0.0f;
            let row = first_row + at;
            if (row < 200u && term < end) {
                element = a0[row * 64u + term];
            }
            left[deep * 65u + at] = element;
        }
        for (var e = thread; e < 512u; e += 256u) {
            let at = e % 32u;
            let deep = e / 32u;
            let term = base + deep;
            var element = 0.0f;
            let column = first_column + at;
            if (column < 160u && term < end) {
                element = a1[term * 160u + column];
            }
            right[deep * 33u + at] = element;
        }
        workgroupBarrier();
        for (var deep = 0u; deep < 16u; deep += 1u) {
            let left0 = left[deep * 65u + own_row - first_row + 0u];
            let left1 = left[deep * 65u + own_row - first_row + 1u];
            let left2 = left[deep * 65u + own_row - first_row + 2u];
            let left3 = left[deep * 65u + own_row - first_row + 3u];
            let right0 = right[deep * 33u + own_column - first_column + 0u];
            let right1 = right[deep * 33u + own_column - first_column + 16u];
            sum0_0 = fma(left0, right0, sum0_0);
            sum0_1 = fma(left0, right1, sum0_1);
            sum1_0 = fma(left1, right0, sum1_0);
            sum1_1 = fma(left1, right1, sum1_1);
            sum2_0 = fma(left2, right0, sum2_0);
            sum2_1 = fma(left2, right1, sum2_1);
            sum3_0 = fma(left3, right0, sum3_0);
            sum3_1 = fma(left3, right1, sum3_1);
        }
        workgroupBarrier();
    }
    var sums = array<f32, 8>();
    sums[0] = sum0_0;
    sums[1] = sum0_1;
    sums[2] = sum1_0;
    sums[3] = sum1_1;
    sums[4] = sum2_0;
    sums[5] = sum2_1;
    sums[6] = sum3_0;
    sums[7] = sum3_1;
    for (var i = 0u; i < 4u; i += 1u) {
        for (var j = 0u; j < 2u; j += 1u) {
            let row = own_row + i;
            let column = own_column + j * 16u;
            if (row < 200u && column < 160u && split < 1u) {
                let product = sums[i * 2u + j];
                let e0 = batch;
                let e1 = row;
                let e2 = column;
                let r1 = a2[e2];
                let r2 = (product + r1);
                let r4 = max_f32(r2, 0.0f);
                a3[e1 * 160u + e2] = r4;
            }
        }
    }
}
