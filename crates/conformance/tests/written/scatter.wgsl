// [2, 1, 1] workgroups of 256
// copy
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
    if (word < 400u) {
        let point = word;
        let i0 = point;
        let r0 = a0[i0];
        a1[i0] = r0;
    }
}

// [7, 1, 1] workgroups of 64
// scatter_add
@group(0) @binding(0) var<storage, read> a0: array<i32>;
@group(0) @binding(1) var<storage, read_write> faults: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read> a2: array<f32>;
@group(0) @binding(3) var<storage, read_write> a3: array<f32>;
@compute @workgroup_size(64)
fn kernel_main(
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group_position: vec3<u32>,
    @builtin(num_workgroups) group_counts: vec3<u32>,
) {
    let group = group_position.x
        + group_counts.x * (group_position.y + group_counts.y * group_position.z);
    let own = group * 64u + thread;
    if (own < 400u) {
        let inner = own % 8u;
        let outer = own / 8u % 1u;
        let first = own / 8u * 1u;
        let end = min(first + 1u, 50u);
        for (var i = 0u; i < 30u; i += 1u) {
            let index = a0[i];
            let at = u32(index);
            if (at >= 50u) {
                let reported = check_index(index, 50u, 1u);
            }
            if (at >= first && at < end) {
                let to = (outer * 50u + at) * 8u + inner;
                let update = a2[(outer * 30u + i) * 8u + inner];
                let old = a3[to];
                a3[to] = (old + update);
            }
        }
    }
}
