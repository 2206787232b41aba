// [2, 1, 1] workgroups of 256
// copy
extern "C" __global__ void __launch_bounds__(256) kernel_main(const u32 *__restrict__ a0, u32 *a1) {
    const u32 thread = threadIdx.x;
    const u32 group = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    let word = group * 256u + thread;
    if (word < 400u) {
        let point = word;
        let i0 = point;
        let r0 = a0[i0];
        a1[i0] = r0;
    }
}
}

// [7, 1, 1] workgroups of 64
// scatter_add
extern "C" __global__ void __launch_bounds__(64) kernel_main(const i32 *__restrict__ a0, u32 *faults, const f32 *__restrict__ a2, f32 *a3) {
    const u32 thread = threadIdx.x;
    const u32 group = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    const auto check_index = [=](i32 index, u32 extent, u32 kernel) {
        return checked_index(faults, index, extent, kernel);
    };
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
}
