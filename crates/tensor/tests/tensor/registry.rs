//! Devices by name. The registry is the process's, so that one test sees it all.

use std::sync::Arc;
use warploom_device::null::Null;
use warploom_device::{Capabilities, DeviceError, Executor, Target};
use warploom_tensor::{DType, Device, Error, Tensor, register};

fn null(id: String) -> Arc<dyn Executor> {
    let capabilities = Null::default().capabilities().clone();
    Arc::new(Null::new(Capabilities { id, ..capabilities }))
}

#[test]
fn names() {
    assert!(matches!(Device::best(), Err(Error::NoDevice { .. })));
    assert!(Tensor::zeros(&[1], DType::F32).shape().is_err());

    register("cpu", |_| Ok(null("cpu".into())));
    assert_eq!(Device::best().unwrap().id(), "cpu");
    let error = Device::named("gpu").unwrap_err().to_string();
    assert!(error.contains("no GPU") && error.contains("devices here: cpu"), "{error}");

    register("wgpu", |index| match index.unwrap_or(0) {
        i @ 0..=1 => Ok(null(format!("wgpu:{i}"))),
        i => Err(DeviceError::Missing(format!("there are 2 adapters, no number {i}"))),
    });
    assert_eq!(Device::named("gpu").unwrap().id(), "wgpu:0");
    assert!(Device::named("gpu:0").unwrap() == Device::named("gpu").unwrap());
    assert!(Device::named("gpu:1").unwrap_err().to_string().contains("`wgpu:1`"));
    assert_eq!(Device::named("wgpu:1").unwrap().id(), "wgpu:1");
    assert!(Device::named("cpu").unwrap() == Device::named("cpu").unwrap());
    let error = Device::named("wgpu:7").unwrap_err().to_string();
    assert!(error.contains("2 adapters") && error.contains("cpu, wgpu:0"), "{error}");
    assert!(Device::named("tpu").unwrap_err().to_string().contains("unknown kind"));
    assert!(Device::named("cpu:x").unwrap_err().to_string().contains("not a device number"));
    assert_eq!(Device::best().unwrap().id(), "cpu", "the same name is the same device");

    let gpu = Device::named("gpu").unwrap();
    let x = gpu.scope(|| {
        assert!(Device::current().unwrap() == gpu);
        Tensor::zeros(&[1], DType::F32)
    });
    assert!(x.device().unwrap() == gpu);

    register("soft", |index| match index {
        Some(0) => Ok(null("soft:0".into())),
        _ => Err(DeviceError::Missing("there is only software".into())),
    });
    let error = Device::named("soft").unwrap_err().to_string();
    assert!(error.starts_with("no device `soft`: there is only software; devices here: cpu, "), "{error}");
    assert!(error.ends_with(", soft:0 (software, used only when named)"), "{error}");
    assert_eq!(Device::current().unwrap().id(), "cpu");
}
