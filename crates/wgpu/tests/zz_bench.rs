mod support;
use std::time::Instant;
use support::{argument, dispatch, launch, open, plan, program};
use warploom_device::Executor;
use warploom_gpu::Node;
#[test]
fn figures() {
    let Some(gpu) = open() else { return };
    let n = 256;
    let body = "let r = i / 256u; let c = i % 256u; var s = 0.0;\nfor (var k = 0u; k < 256u; k++) { s = fma(bitcast<f32>(a0[r * 256u + k]), bitcast<f32>(a1[k * 256u + c]), s); }\na2[i] = bitcast<u32>(s);";
    let args = vec![argument(0, 0, n * n, false), argument(1, 0, n * n, false), argument(2, 0, n * n, true)];
    let e = gpu
        .prepare_plan(
            program(&[n * n; 3]),
            &plan(vec![Node::Dispatch(dispatch("mm", body, (n * n / 64) as u32, args))]),
        )
        .unwrap();
    let m: Vec<_> = (0..3).map(|_| gpu.allocate(4 * n * n).unwrap()).collect();
    for _ in 0..5 {
        let t = Instant::now();
        let token = launch(&e, &m).unwrap();
        gpu.wait(token).unwrap();
        println!("matmul 256: {:?}", t.elapsed());
    }
    let inc = dispatch("inc", "a0[i] = a0[i] + 1u;", 1, vec![argument(0, 0, 64, true)]);
    for count in [0, 1, 100, 1000] {
        let e = gpu
            .prepare_plan(program(&[64]), &plan(vec![Node::Repeat(count, vec![Node::Dispatch(inc.clone())])]))
            .unwrap();
        let m = gpu.allocate(256).unwrap();
        let mut best = (f64::MAX, f64::MAX);
        for _ in 0..20 {
            let t = Instant::now();
            let token = launch(&e, std::slice::from_ref(&m)).unwrap();
            let l = t.elapsed().as_secs_f64();
            gpu.wait(token).unwrap();
            best = (best.0.min(l), best.1.min(t.elapsed().as_secs_f64()));
        }
        println!("{count} dispatches: launch {:.3} ms, done {:.3} ms", best.0 * 1e3, best.1 * 1e3);
    }
    let m = gpu.allocate(4 << 20).unwrap();
    let mut bytes = vec![1_u8; 4 << 20];
    let mut best = [f64::MAX; 4];
    for _ in 0..20 {
        let t = Instant::now();
        let token = gpu.upload(&m, 0, &bytes).unwrap();
        best[0] = best[0].min(t.elapsed().as_secs_f64());
        gpu.wait(token).unwrap();
        best[1] = best[1].min(t.elapsed().as_secs_f64());
        let t = Instant::now();
        gpu.download(&m, 0, &mut bytes).unwrap();
        best[2] = best[2].min(t.elapsed().as_secs_f64());
        let t = Instant::now();
        gpu.download(&m, 0, &mut bytes[..4]).unwrap();
        best[3] = best[3].min(t.elapsed().as_secs_f64());
    }
    println!(
        "4 MB up {:.3} ms, done {:.3} ms, down {:.3} ms; 4 bytes down {:.3} ms",
        best[0] * 1e3,
        best[1] * 1e3,
        best[2] * 1e3,
        best[3] * 1e3
    );
    let mut all = Vec::new();
    for i in 0..200 {
        match gpu.allocate(1 << 30) {
            Ok(m) => all.push(m),
            Err(e) => {
                println!("after {i} x 1 GiB: {e}");
                break;
            }
        }
    }
    drop(all);
    println!("{:?}", gpu.allocate(4).is_ok());
}
