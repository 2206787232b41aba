//! The two programs on a GPU, or on a software driver where there is one. Skipped without any adapter, unless
//! `WARPLOOM_REQUIRE_GPU` is set.
#![cfg(feature = "wgpu")]

use warploom::prelude::*;

fn gpu() -> Option<Device> {
    match Device::named("wgpu:0") {
        Ok(device) => Some(device),
        Err(error) => {
            assert!(std::env::var_os("WARPLOOM_REQUIRE_GPU").is_none(), "{error}");
            println!("skipped: {error}");
            None
        }
    }
}

/// Sigmoid of one linear layer by hand on fixed data, in f32; the loss after 100 rounds and the weights.
fn by_hand() -> (f32, Vec<f32>) {
    let data = data::logistic().unwrap();
    let (data::Values::F32(x), data::Targets::Values { values: y, .. }) =
        (data.features().values(), data.targets())
    else {
        panic!("numbers");
    };
    let (x, y) = (Tensor::from_slice(x, &[100, 10]), Tensor::from_slice(y, &[100, 1]));
    let w = Variable::new(Tensor::zeros(&[10, 1], DType::F32)).named("W");
    let b = Variable::new(Tensor::zeros(&[1], DType::F32)).named("b");
    let adam = Updater::new(Adam::new(1e-3), [&w, &b]).unwrap();
    let loss = || losses::mean_squared_error(&(x.matmul(&w) + &b).sigmoid(), &y);
    for _ in 0..100 {
        adam.step(&gradients(&loss(), &[&w, &b]).unwrap()).unwrap();
    }
    (loss().item::<f32>().unwrap(), w.value().to_vec::<f32>().unwrap())
}

#[test]
fn by_hand_it_gives_the_losses_of_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let (loss, weights) = gpu.scope(by_hand);
    let (wanted, wanted_weights) = Device::named("cpu").unwrap().scope(by_hand);
    assert!((loss / wanted - 1.0).abs() < 1e-5, "{loss} for {wanted}");
    for (got, want) in weights.iter().zip(&wanted_weights) {
        assert!((got - want).abs() < 1e-5, "{got} for {want}");
    }
}

#[test]
fn by_layers_the_second_fit_goes_on_where_the_first_stopped() {
    let Some(gpu) = gpu() else { return };
    let cpu = Device::named("cpu").unwrap();
    let data = data::logistic().unwrap();
    let fit = || Fit::epochs(3).batch(10).seed(0).quiet();
    let model = |device: &Device| {
        let mut model = Sequential::new([Dense::new(1)]).seed(0).build([10], device).unwrap();
        let metrics = [metrics::mean_absolute_error()];
        model.compile(Adam::new(1e-2), losses::mean_squared_error, metrics).unwrap();
        model
    };
    let mut moved = model(&cpu);
    moved.fit_data(&data, fit()).unwrap();
    moved.to(&gpu).unwrap();
    assert_eq!(moved.device().id(), gpu.id());
    let second = moved.fit_data(&data, fit()).unwrap();
    let mut stayed = model(&cpu);
    stayed.fit_data(&data, fit()).unwrap();
    let wanted = stayed.fit_data(&data, fit()).unwrap();
    for (got, want) in second["loss"].iter().zip(&wanted["loss"]) {
        assert!((got / want - 1.0).abs() < 1e-5, "{got} for {want}");
    }
    moved.to(&cpu).unwrap();
    let (got, want) = (moved.evaluate_data(&data).unwrap(), stayed.evaluate_data(&data).unwrap());
    assert!((got["loss"] / want["loss"] - 1.0).abs() < 1e-5);
}

#[test]
fn what_a_gpu_does_not_hold_is_an_error_with_a_way_out() {
    let Some(gpu) = gpu() else { return };
    let error = gpu.scope(|| Tensor::zeros(&[3], DType::F64).to_vec::<f64>()).unwrap_err().to_string();
    assert!(error.contains("f64") && error.contains("cast(DType::F32)"), "{error}");
}

#[test]
fn an_index_out_of_range_is_reported() {
    let Some(gpu) = gpu() else { return };
    let error = gpu.scope(|| {
        let table = Tensor::zeros(&[5, 2], DType::F32);
        let indices = Tensor::from_slice(&[0i32, 7, 2], &[3]);
        table.gather(0, &indices).to_vec::<f32>()
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains('7') && error.contains('5'), "{error}");
}
