// [32, 1, 1] workgroups of 256
// abs
@group(0) @binding(0) var<storage, read> a0: array<u32>;
@group(0) @binding(1) var<storage, read_write> a1: array<u32>;
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
        var word0 = 0u;
        for (var lane = 0u; lane < 2u; lane += 1u) {
            let point = word * 2u + lane;
            let i0 = point / 64u;
            let i1 = (point) % 64u;
            let r0 = from_bfloat((a0[(i0 + i1 * 256u) / 2u] >> (((i0 + i1 * 256u) % 2u) * 16u) & 65535u));
            let r1 = abs(r0);
            let r2 = from_bfloat(to_bfloat(r1));
            word0 |= to_bfloat(r2) << ((lane % 2u) * 16u);
        }
        let point = word * 2u;
        let j0 = point / 64u;
        let j1 = (point) % 64u;
        a1[(j0 * 64u + j1) / 2u] = word0;
    }
}
