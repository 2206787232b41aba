// [10, 1, 1] workgroups of 256
// arg_max
@group(0) @binding(0) var<storage, read> a0: array<f32>;
@group(0) @binding(1) var<storage, read_write> a1: array<i32>;
var<workgroup> shared0_f32: array<f32, 256>;
var<workgroup> shared0_f32_at: array<i32, 256>;
@compute @workgroup_size(256)
fn kernel_main(
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group_position: vec3<u32>,
    @builtin(num_workgroups) group_counts: vec3<u32>,
) {
    let group = group_position.x
        + group_counts.x * (group_position.y + group_counts.y * group_position.z);
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
    workgroupBarrier();
    if (share < 64u) {
        if (shared0_f32_at[thread + 64u] >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(shared0_f32[thread + 64u]) || shared0_f32[thread + 64u] > total0) || (!(!is_nan(shared0_f32[thread + 64u]) && (is_nan(total0) || total0 > shared0_f32[thread + 64u])) && shared0_f32_at[thread + 64u] < total0_at))) {
            total0 = shared0_f32[thread + 64u];
            total0_at = shared0_f32_at[thread + 64u];
        }
    }
    workgroupBarrier();
    shared0_f32[thread] = total0;
    shared0_f32_at[thread] = total0_at;
    workgroupBarrier();
    if (share < 32u) {
        if (shared0_f32_at[thread + 32u] >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(shared0_f32[thread + 32u]) || shared0_f32[thread + 32u] > total0) || (!(!is_nan(shared0_f32[thread + 32u]) && (is_nan(total0) || total0 > shared0_f32[thread + 32u])) && shared0_f32_at[thread + 32u] < total0_at))) {
            total0 = shared0_f32[thread + 32u];
            total0_at = shared0_f32_at[thread + 32u];
        }
    }
    workgroupBarrier();
    shared0_f32[thread] = total0;
    shared0_f32_at[thread] = total0_at;
    workgroupBarrier();
    if (share < 16u) {
        if (shared0_f32_at[thread + 16u] >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(shared0_f32[thread + 16u]) || shared0_f32[thread + 16u] > total0) || (!(!is_nan(shared0_f32[thread + 16u]) && (is_nan(total0) || total0 > shared0_f32[thread + 16u])) && shared0_f32_at[thread + 16u] < total0_at))) {
            total0 = shared0_f32[thread + 16u];
            total0_at = shared0_f32_at[thread + 16u];
        }
    }
    workgroupBarrier();
    shared0_f32[thread] = total0;
    shared0_f32_at[thread] = total0_at;
    workgroupBarrier();
    if (share < 8u) {
        if (shared0_f32_at[thread + 8u] >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(shared0_f32[thread + 8u]) || shared0_f32[thread + 8u] > total0) || (!(!is_nan(shared0_f32[thread + 8u]) && (is_nan(total0) || total0 > shared0_f32[thread + 8u])) && shared0_f32_at[thread + 8u] < total0_at))) {
            total0 = shared0_f32[thread + 8u];
            total0_at = shared0_f32_at[thread + 8u];
        }
    }
    workgroupBarrier();
    shared0_f32[thread] = total0;
    shared0_f32_at[thread] = total0_at;
    workgroupBarrier();
    if (share < 4u) {
        if (shared0_f32_at[thread + 4u] >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(shared0_f32[thread + 4u]) || shared0_f32[thread + 4u] > total0) || (!(!is_nan(shared0_f32[thread + 4u]) && (is_nan(total0) || total0 > shared0_f32[thread + 4u])) && shared0_f32_at[thread + 4u] < total0_at))) {
            total0 = shared0_f32[thread + 4u];
            total0_at = shared0_f32_at[thread + 4u];
        }
    }
    workgroupBarrier();
    shared0_f32[thread] = total0;
    shared0_f32_at[thread] = total0_at;
    workgroupBarrier();
    if (share < 2u) {
        if (shared0_f32_at[thread + 2u] >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(shared0_f32[thread + 2u]) || shared0_f32[thread + 2u] > total0) || (!(!is_nan(shared0_f32[thread + 2u]) && (is_nan(total0) || total0 > shared0_f32[thread + 2u])) && shared0_f32_at[thread + 2u] < total0_at))) {
            total0 = shared0_f32[thread + 2u];
            total0_at = shared0_f32_at[thread + 2u];
        }
    }
    workgroupBarrier();
    shared0_f32[thread] = total0;
    shared0_f32_at[thread] = total0_at;
    workgroupBarrier();
    if (share < 1u) {
        if (shared0_f32_at[thread + 1u] >= 0 && (total0_at < 0 || !is_nan(total0) && (is_nan(shared0_f32[thread + 1u]) || shared0_f32[thread + 1u] > total0) || (!(!is_nan(shared0_f32[thread + 1u]) && (is_nan(total0) || total0 > shared0_f32[thread + 1u])) && shared0_f32_at[thread + 1u] < total0_at))) {
            total0 = shared0_f32[thread + 1u];
            total0_at = shared0_f32_at[thread + 1u];
        }
    }
    if (point < 20u && share == 0u) {
        a1[i0] = total0_at;
    }
}
