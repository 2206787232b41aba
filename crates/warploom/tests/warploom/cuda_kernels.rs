//! The kernels of training steps in CUDA C++: all of them compiled by NVRTC for two generations of GPUs, those of small networks
//! also run on the processor. Skipped without NVRTC or a C++ compiler, unless `WARPLOOM_REQUIRE_NVRTC` or `WARPLOOM_REQUIRE_CPP`
//! is 1.

#[allow(dead_code, reason = "shared with the executor's own tests")]
#[path = "../../../cuda/tests/cuda/support/nvrtc.rs"]
mod nvrtc;

use nvrtc::{Sweep, compiler, is_required};
use std::collections::BTreeMap;
use std::sync::Arc;
use warploom::nn::losses::{cross_entropy, mean_squared_error};
use warploom::nn::models::{lenet, resnet18};
use warploom::prelude::*;
use warploom::tensor::{Precision, Recorded};
use warploom_cuda::CudaCpp;
use warploom_emulate::{Emulated, LIMITS, is_available};

fn device() -> Device {
    Device::from_executor(Arc::new(Emulated::new(&CudaCpp, LIMITS)))
}

/// A training step of a classifier on batches of this shape.
fn classifier<O: Optimizer + 'static>(model: &Model, optimizer: O, shape: &[usize]) -> Recorded {
    let step = TrainingStep::new(model, cross_entropy, optimizer).unwrap();
    let specs = [InputSpec::new(DType::F32, shape), InputSpec::new(DType::I32, &shape[..1])];
    let record = |inputs: &[Tensor]| Ok(vec![step.record(model, &inputs[0], &inputs[1])?.0]);
    model.device().try_record(&specs, record).unwrap()
}

/// A hundred steps of one unit on a batch of this many rows.
fn unit(device: &Device, sigmoid: bool, rows: usize) -> Recorded {
    let dense = if sigmoid { Dense::new(1).sigmoid() } else { Dense::new(1) };
    let model = Sequential::new([dense]).seed(0).build([10], device).unwrap();
    let step = TrainingStep::new(&model, mean_squared_error, Adam::new(1e-3)).unwrap();
    let specs = [InputSpec::new(DType::F32, &[rows, 10]), InputSpec::new(DType::F32, &[rows, 1])];
    let record = |inputs: &[Tensor]| Ok(vec![step.record(&model, &inputs[0], &inputs[1])?.0]);
    device.try_record(&specs, record).unwrap().repeat(100, &[false, false]).unwrap()
}

/// Kernels of the benchmark's training steps, by source.
fn kernels(device: &Device) -> BTreeMap<String, String> {
    let mlp = Sequential::new([Dense::new(512).relu(), Dense::new(512).relu(), Dense::new(10)]);
    let mlp = mlp.seed(0).build([784], device).unwrap();
    let lenet = lenet(10).seed(0).build([1, 28, 28], device).unwrap();
    let resnet = Model::new(device.scope(|| resnet18(3, 10)).unwrap(), [3, 32, 32], device).unwrap();
    let mut kernels = BTreeMap::new();
    for recorded in [
        unit(device, true, 100),
        unit(device, false, 10),
        classifier(&mlp, Adam::new(1e-3), &[128, 784]),
        classifier(&lenet, Sgd::new(0.01).momentum(0.9), &[64, 1, 28, 28]),
        classifier(&resnet, Sgd::new(0.01).momentum(0.9), &[32, 3, 32, 32]),
    ] {
        let written = device.executor().target().written(recorded.program()).unwrap();
        kernels.extend(written.into_iter().map(|kernel| (kernel.source, kernel.name)));
    }
    kernels
}

/// Compiles all kernels of training steps in these precisions.
fn sweep(precisions: &[Precision]) {
    let Some(compiler) = compiler() else { return };
    let in_precision = |precision: &Precision| kernels(&device().with_precision(*precision).unwrap());
    let kernels: BTreeMap<String, String> = precisions.iter().flat_map(in_precision).collect();
    println!("{} kernels", kernels.len());
    let table = Sweep::run(&compiler, &kernels, is_required()).unwrap();
    println!("{table}");
    assert!(table.spilling().is_empty(), "{:?} spill", table.spilling());
}

#[test]
fn training_steps_are_machine_code_without_spills() {
    sweep(&[Precision::F32, Precision::Bf16]);
}

/// TF32 changes products alone, and f16 has bf16's kernels but for an instruction and the scale of the loss.
#[test]
#[ignore = "takes a minute"]
fn training_steps_in_every_precision_are_machine_code_without_spills() {
    sweep(&Precision::ALL);
}

/// Losses of three steps of LeNet on a batch of two.
fn losses(device: &Device) -> Vec<f32> {
    let model = lenet(10).seed(0).build([1, 28, 28], device).unwrap();
    let recorded = classifier(&model, Sgd::new(0.01).momentum(0.9), &[2, 1, 28, 28]);
    let mut bound = recorded.bind(1).unwrap();
    let pixels: Vec<u8> =
        (0..2 * 28 * 28).flat_map(|i| ((i * 37 % 101) as f32 / 101.0).to_le_bytes()).collect();
    let labels: Vec<u8> = (0..2).flat_map(|i: i32| (i * 7 % 10).to_le_bytes()).collect();
    bound.upload(0, 0, &pixels).unwrap();
    bound.upload(0, 1, &labels).unwrap();
    let step = |_| {
        bound.launch(0).unwrap();
        bound.read::<f32>(0, 0).unwrap()[0]
    };
    (0..3).map(step).collect()
}

#[test]
fn lenet_learns_as_on_the_cpu() {
    if !is_available() {
        return;
    }
    // Sums in another order are rounded to another bfloat16 now and then.
    for (precision, room) in [(Precision::F32, 1e-5), (Precision::Bf16, 2e-3)] {
        let losses = |device: Device| losses(&device.with_precision(precision).unwrap());
        let (emulated, cpu) = (losses(device()), losses(Device::named("cpu").unwrap()));
        assert!(cpu[2] < cpu[0], "{cpu:?}");
        for (emulated, cpu) in emulated.iter().zip(&cpu) {
            let apart = (emulated - cpu).abs();
            assert!(apart < room * cpu.abs().max(1.0), "{precision}: {emulated} and {cpu}");
        }
    }
}

/// Running sums along rows, each by one block that shares what it has read.
fn running_sum() -> UserKernel {
    UserKernel::new("running_sum", |inputs| {
        let x = &inputs[0];
        let (Ok(columns), Ok(dtype)) = (x.shape().map(|shape| shape[1]), x.dtype()) else {
            return inputs.to_vec();
        };
        let [from, to] = [0, 1].map(|axis| Tensor::iota(&[columns, columns], axis, DType::I32));
        vec![x.matmul(&from.less_equal(&to).cast(dtype))]
    })
    .with_cuda(
        "__device__ void kernel_main() {
            __shared__ float row[64];
            const unsigned columns = input0_shape[1];
            const unsigned at = threadIdx.x + blockDim.x * threadIdx.y;
            if (at < columns) { row[at] = input0(blockIdx.x * columns + at); }
            __syncthreads();
            if (at < columns) { output0(blockIdx.x * columns + at, sum_to(row, at)); }
        }

        __device__ float sum_to(const float *row, unsigned last) {
            float sum = 0.0f;
            for (unsigned i = 0; i <= last; i++) { sum += row[i]; }
            return sum;
        }",
        [8, 8, 1],
        |inputs, _| [inputs[0].shape[0] as u32, 1, 1],
    )
}

#[test]
fn a_kernel_of_the_users_own_is_seen_by_its_operands() {
    if !is_available() {
        return;
    }
    let device = device();
    for dtype in [DType::F32, DType::BF16, DType::F64] {
        let x = device.scope(|| Tensor::iota(&[5, 37], 1, DType::I32).cast(dtype));
        let sums = running_sum().apply(&[&x]).remove(0);
        let by_body = running_sum().without_sources().apply(&[&x]).remove(0);
        let numbers = |tensor: &Tensor| tensor.cast(DType::F32).to_vec::<f32>().unwrap();
        assert_eq!(numbers(&sums), numbers(&by_body));
    }
    let wrong = UserKernel::new("wrong", |inputs| vec![inputs[0].clone()]);
    let wrong = wrong.with_cuda("void kernel_main() {}", [1, 1, 1], |_, _| [1, 1, 1]);
    let x = device.scope(|| Tensor::from([1.0f32]));
    let error = wrong.apply(&[&x]).remove(0).to_vec::<f32>().unwrap_err().to_string();
    assert!(error.contains("does not begin with `__device__ void kernel_main()`"), "{error}");
}
