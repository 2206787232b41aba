// [40, 1, 1] workgroups of 256
// max, sub+exp, sum, +1
@group(0) @binding(0) var<storage, read> a0: array<f32>;
@group(0) @binding(1) var<storage, read_write> a1: array<f32>;
@group(0) @binding(2) var<storage, read_write> a2: array<f32>;
@group(0) @binding(3) var<storage, read_write> a3: array<f32>;
var<workgroup> shared0_f32: array<f32, 256>;
@compute @workgroup_size(256)
fn kernel_main(
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group_position: vec3<u32>,
    @builtin(num_workgroups) group_counts: vec3<u32>,
) {
    let group = group_position.x
        + group_counts.x * (group_position.y + group_counts.y * group_position.z);
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
        workgroupBarrier();
        if (share < 32u) {
            total0 = max_f32(total0, shared0_f32[thread + 32u]);
        }
        workgroupBarrier();
        shared0_f32[thread] = total0;
        workgroupBarrier();
        if (share < 16u) {
            total0 = max_f32(total0, shared0_f32[thread + 16u]);
        }
        workgroupBarrier();
        shared0_f32[thread] = total0;
        workgroupBarrier();
        if (share < 8u) {
            total0 = max_f32(total0, shared0_f32[thread + 8u]);
        }
        workgroupBarrier();
        shared0_f32[thread] = total0;
        workgroupBarrier();
        if (share < 4u) {
            total0 = max_f32(total0, shared0_f32[thread + 4u]);
        }
        workgroupBarrier();
        shared0_f32[thread] = total0;
        workgroupBarrier();
        if (share < 2u) {
            total0 = max_f32(total0, shared0_f32[thread + 2u]);
        }
        workgroupBarrier();
        shared0_f32[thread] = total0;
        workgroupBarrier();
        if (share < 1u) {
            total0 = max_f32(total0, shared0_f32[thread + 1u]);
        }
        if (point < past && share == 0u) {
            a1[i0] = total0;
        }
    }
    storageBarrier(); workgroupBarrier();
    {
        let first = group * 1000u;
        let past = min(first + 1000u, 40000u);
        for (var word = first + thread; word < past; word += 256u) {
            let point = word;
            let i0 = point / 1000u;
            let i1 = (point) % 1000u;
            let r0 = a0[i0 * 1000u + i1];
            let r1 = a1[i0];
            let r2 = (r0 - r1);
            let r3 = exp_f32(r2);
            a2[i0 * 1000u + i1] = r3;
        }
    }
    storageBarrier(); workgroupBarrier();
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
        workgroupBarrier();
        if (share < 32u) {
            total0 = total0 + shared0_f32[thread + 32u];
        }
        workgroupBarrier();
        shared0_f32[thread] = total0;
        workgroupBarrier();
        if (share < 16u) {
            total0 = total0 + shared0_f32[thread + 16u];
        }
        workgroupBarrier();
        shared0_f32[thread] = total0;
        workgroupBarrier();
        if (share < 8u) {
            total0 = total0 + shared0_f32[thread + 8u];
        }
        workgroupBarrier();
        shared0_f32[thread] = total0;
        workgroupBarrier();
        if (share < 4u) {
            total0 = total0 + shared0_f32[thread + 4u];
        }
        workgroupBarrier();
        shared0_f32[thread] = total0;
        workgroupBarrier();
        if (share < 2u) {
            total0 = total0 + shared0_f32[thread + 2u];
        }
        workgroupBarrier();
        shared0_f32[thread] = total0;
        workgroupBarrier();
        if (share < 1u) {
            total0 = total0 + shared0_f32[thread + 1u];
        }
        if (point < past && share == 0u) {
            a1[i0] = total0;
        }
    }
    storageBarrier(); workgroupBarrier();
    {
        let first = group * 1000u;
        let past = min(first + 1000u, 40000u);
        for (var word = first + thread; word < past; word += 256u) {
            let point = word;
            let i0 = point / 1000u;
            let i1 = (point) % 1000u;
            let r0 = a2[i0 * 1000u + i1];
            let r1 = a1[i0];
            let r2 = (r0 / r1);
            a3[i0 * 1000u + i1] = r2;
        }
    }
}

// [16, 1, 1] workgroups of 256
// sum
@group(0) @binding(0) var<storage, read> a0: array<f32>;
@group(0) @binding(1) var<storage, read_write> a1: array<f32>;
var<workgroup> shared0_f32: array<f32, 256>;
@compute @workgroup_size(256)
fn kernel_main(
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group_position: vec3<u32>,
    @builtin(num_workgroups) group_counts: vec3<u32>,
) {
    let group = group_position.x
        + group_counts.x * (group_position.y + group_counts.y * group_position.z);
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
    workgroupBarrier();
    if (share < 2u) {
        total0 = total0 + shared0_f32[thread + 128u];
    }
    workgroupBarrier();
    shared0_f32[thread] = total0;
    workgroupBarrier();
    if (share < 1u) {
        total0 = total0 + shared0_f32[thread + 64u];
    }
    if (point < 1000u && share == 0u) {
        a1[i0] = total0;
    }
}
