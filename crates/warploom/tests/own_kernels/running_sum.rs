//! A kernel of which the tests look at all sides: running sums along the rows of `[rows, columns]`.

use warploom::prelude::*;

/// x[r, c] to the sum of x[r, 0..=c], one invocation for each row; or from the end of the row.
pub fn running_sum(name: &'static str, from_end: bool) -> UserKernel {
    let order = if from_end { "columns - 1u - i" } else { "i" };
    let text = format!(
        "fn kernel_main(@builtin(global_invocation_id) id: vec3<u32>) {{
            if (id.x >= input0_shape[0]) {{ return; }}
            let columns = input0_shape[1];
            var sum = 0.0;
            for (var i = 0u; i < columns; i += 1u) {{
                let at = id.x * columns + {order};
                sum += input0(at);
                output0(at, sum);
            }}
        }}"
    );
    let rows = |results: &[warploom::graph::Type]| results[0].shape[0] as u32;
    UserKernel::new(name, move |x| vec![sums(&x[0], from_end)]).with_wgsl(
        text,
        [32, 1, 1],
        move |_, results| [rows(results).div_ceil(32), 1, 1],
    )
}

/// By a product with a triangle of ones.
fn sums(x: &Tensor, from_end: bool) -> Tensor {
    let columns = x.shape().unwrap()[1];
    let [from, to] = [0, 1].map(|axis| Tensor::iota(&[columns, columns], axis, DType::I32));
    let counts = if from_end { to.less_equal(&from) } else { from.less_equal(&to) };
    x.matmul(&counts.cast(x.dtype().unwrap()))
}

pub fn differentiable_sum() -> UserKernel {
    running_sum("running_sum", false)
        .with_gradient(|_, _, dy| running_sum("running_sum_gradient", true).apply(&[&dy[0]]))
}
