// [32, 1, 1] workgroups of 256
// cast+multiply_add+tanh
@group(0) @binding(0) var<storage, read> a0: array<u32>;
@group(0) @binding(1) var<storage, read> a1: array<f32>;
@group(0) @binding(2) var<storage, read> a2: array<f32>;
@group(0) @binding(3) var<storage, read_write> a3: array<f32>;
@compute @workgroup_size(256)
fn kernel_main(
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group_position: vec3<u32>,
    @builtin(num_workgroups) group_counts: vec3<u32>,
) {
    let group = group_position.x
        + group_counts.x * (group_position.y + group_counts.y * group_position.z);
    let word = group * 256u + thread;
    if (word < 8192u) {
        let point = word;
        let i0 = point / 128u;
        let i1 = (point) % 128u;
        let r0 = from_bfloat((a0[(i0 * 128u + i1) / 2u] >> (((i0 * 128u + i1) % 2u) * 16u) & 65535u));
        let r1 = a1[i0 * 128u + i1];
        let r2 = a2[i1];
        let r3 = fma(r1, r0, r2);
        let r4 = tanh_f32(r3);
        a3[i0 * 128u + i1] = r4;
    }
}
