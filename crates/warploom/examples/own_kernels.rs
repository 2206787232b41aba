//! Kernels of one's own: a scalar expression that fuses, and a source for GPUs beside a body that runs everywhere. Both
//! differentiate.
//!
//! `cargo run --release -p warploom --example own_kernels [-- DEVICE]`
//!
//! Add `--features wgpu` for the devices that run the source, such as `wgpu:0`. docs/kernels.md has the rules.

use warploom::prelude::*;

// One expression of numbers with its derivative: x / (limit + |x|). It becomes part of the kernels around it.
warploom::elementwise! {
    /// x bent toward ±1, the slower the larger `limit`.
    pub fn soft_clip(x, limit) {
        expression: x / (limit + x.abs()),
        gradient(y, dy): {
            let each = dy / (limit + x.abs());
            [each * (1.0 - y.abs()), -(each * y)]
        },
    }
}

/// For every place of an image `[rows, columns]`: half of it and a quarter of both neighbours in the row.
fn smoothing(name: &'static str) -> UserKernel {
    UserKernel::new(name, |inputs| {
        // What it means, and what runs on devices that know no better.
        let windows = inputs[0].pad(&[(0, 0), (1, 1)]).unfold(1, 3, 1, 1);
        let [left, here, right] = [0, 1, 2].map(|i| windows.select_at(2, i));
        vec![here * 0.5 + (left + right) * 0.25]
    })
    .with_wgsl(
        "fn kernel_main(@builtin(global_invocation_id) id: vec3<u32>) {
            let rows = output0_shape[0];
            let columns = output0_shape[1];
            if (id.x >= columns || id.y >= rows) { return; }
            let i = id.y * columns + id.x;
            var sum = 0.5 * input0(i);
            if (id.x > 0u) { sum += 0.25 * input0(i - 1u); }
            if (id.x + 1u < columns) { sum += 0.25 * input0(i + 1u); }
            output0(i, sum);
        }",
        [16, 4, 1],
        |_, results| {
            let [rows, columns] = [0, 1].map(|axis| results[0].shape[axis] as u32);
            [columns.div_ceil(16), rows.div_ceil(4), 1]
        },
    )
}

/// The loss that is differentiated below.
fn loss(image: &Variable, limit: &Variable) -> Tensor {
    // What a place gives to its neighbours it gets from them: the gradient is the same kernel, applied to the cotangent.
    let smooth = smoothing("smooth")
        .with_gradient(|_, _, cotangents| smoothing("smooth_gradient").apply(&[&cotangents[0]]));
    let smoothed = smooth.apply(&[&image.value()]).swap_remove(0);
    soft_clip(&(smoothed * 3.0), &limit.value()).square().mean_all()
}

fn main() -> warploom::Result<()> {
    match std::env::args().nth(1) {
        Some(name) => Device::named(&name)?.scope(run),
        None => Device::best()?.scope(run),
    }
}

/// Gradients by the kernels' own rules beside slopes of the loss.
pub fn run() -> warploom::Result<()> {
    let pixels: Vec<f32> = (0..5 * 7).map(|i| (i as f32 * 0.7).sin()).collect();
    let image = Variable::new(Tensor::from_slice(&pixels, &[5, 7])).named("image");
    let limit = Variable::new([0.5f32]).named("limit");
    let wanted = gradients(&loss(&image, &limit), &[&image, &limit])?;
    let (of_image, of_limit) = (wanted[0].to_vec::<f32>()?, wanted[1].item::<f32>()?);
    println!("on {}, loss {:.6}", Device::current()?.id(), loss(&image, &limit).item::<f32>()?);

    let step = 1e-2;
    let slope = |change: &dyn Fn(f32) -> warploom::Result<f32>| -> warploom::Result<f32> {
        Ok((change(step)? - change(-step)?) / (2.0 * step))
    };
    let by_limit = slope(&|by| Ok(loss(&image, &Variable::new([0.5 + by])).item::<f32>()?))?;
    println!("limit      gradient {of_limit:9.6}  slope {by_limit:9.6}");
    for place in [0, 10, 34] {
        let by_place = slope(&|by| {
            let mut moved = pixels.clone();
            moved[place] += by;
            Ok(loss(&Variable::new(Tensor::from_slice(&moved, &[5, 7])), &limit).item::<f32>()?)
        })?;
        println!("image[{place:2}]  gradient {:9.6}  slope {by_place:9.6}", of_image[place]);
        assert!((of_image[place] - by_place).abs() < 1e-3 && (of_limit - by_limit).abs() < 1e-3);
    }
    Ok(())
}
