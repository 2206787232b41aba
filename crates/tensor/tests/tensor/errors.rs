//! Wrong operations: what the error says, where it points, and where it comes out.

use crate::common::{cpu, without_f64};
use warploom_tensor::{
    DType, Device, ElementwiseMethods, Error, Integers, Tensor, Variable, call, gradients, module_scope, scan,
};

fn on_cpu(body: impl FnOnce(&Device)) {
    let device = cpu();
    device.scope(|| body(&device));
}

/// The error of a failed tensor, which must hold all of `parts` and this file's name.
fn expect(failed: &Tensor, parts: &[&str]) {
    let error = failed.shape().expect_err("a failed tensor").to_string();
    for part in parts.iter().chain(&["errors.rs"]) {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[track_caller]
fn ones(shape: &[usize]) -> Tensor {
    Tensor::ones(shape, DType::F32)
}

#[test]
fn a_product_that_fits_when_transposed_says_so() {
    on_cpu(|_| {
        let x = ones(&[100, 10]);
        let w = Variable::new(ones(&[1, 10])).named("W");
        let line = line!() + 1;
        let y = x.matmul(&w);
        expect(
            &y,
            &["[100, 10]", "[1, 10]", "`W`", "use [10, 1] or transpose `W`", &format!("errors.rs:{line}")],
        );
        expect(&x.matmul(&ones(&[7, 4])), &["10 columns", "7 rows"]);
        expect(&x.matmul(&ones(&[100, 4])), &["transposing the left operand"]);
    });
}

#[test]
fn an_error_passes_through_later_operations_unchanged() {
    on_cpu(|device| {
        let line = line!() + 1;
        let wrong = module_scope("head", || ones(&[2, 3]) + ones(&[4]));
        let later = (wrong.exp().sum_all() * 2.0).reshape([1]).matmul(&ones(&[1]));
        let place = format!("errors.rs:{line} (in head)");
        expect(&later, &["add", "[2, 3]", "[4]", &place]);
        assert!(later.dtype().is_err());
        assert!(later.to_vec::<f32>().is_err());
        assert!(later.item::<f32>().is_err());
        assert!(device.record(&[], |_| vec![later.clone()]).is_err());
        let v = Variable::new(ones(&[]));
        assert!(v.assign(&later).unwrap_err().to_string().contains(&place));
        assert_eq!(v.value().item::<f32>().unwrap(), 1.0);
        assert!(gradients(&later, &[&v]).unwrap_err().to_string().contains(&place));
        let broken = Variable::new(&later);
        assert!(broken.shape().unwrap_err().to_string().contains(&place));
        assert!(broken.assign(&ones(&[])).is_err());
    });
}

#[test]
fn reading_as_another_dtype_names_the_cast() {
    on_cpu(|_| {
        let error = Tensor::from([1.0f64]).to_vec::<f32>().unwrap_err().to_string();
        for part in ["f64", "f32", "cast(DType::F32)", "errors.rs"] {
            assert!(error.contains(part), "{error}");
        }
        let error = ones(&[2]).item::<f32>().unwrap_err().to_string();
        assert!(error.contains("f32[2]") && error.contains("to_vec"), "{error}");
    });
}

#[test]
fn a_device_without_f64_says_so() {
    let device = without_f64();
    device.scope(|| {
        expect(&Tensor::from([1.0f64]), &["gpu:0", "f64", "cast(DType::F32)"]);
        expect(&Tensor::zeros(&[2], DType::F64), &["gpu:0", "f64"]);
        expect(&ones(&[2]).cast(DType::F64), &["gpu:0", "f64"]);
    });
}

#[test]
fn dtypes_do_not_mix_and_literals_fit() {
    on_cpu(|_| {
        expect(&(ones(&[2]) + Tensor::from([1.0f64, 2.0])), &["f32", "f64", "cast"]);
        expect(&(Tensor::from([1i32]) * 2.5), &["2.5", "i32"]);
        expect(&Tensor::from([1i32]).exp(), &["exp", "i32"]);
    });
}

#[test]
fn wrong_axes_shapes_and_ranges() {
    on_cpu(|_| {
        let x = ones(&[2, 3]);
        expect(&x.sum(2), &["axis 2", "rank 2", "-2..=1"]);
        expect(&x.mean([0, 0]), &["twice"]);
        expect(&x.reshape([4, -1]), &["6 elements"]);
        expect(&x.reshape([4]), &["[2, 3]", "[4]"]);
        expect(&x.permute([0]), &["permute"]);
        expect(&x.slice(&[(1..4).into()]), &["slice", "axis 0"]);
        expect(&x.squeeze(0), &["extent 2"]);
        expect(&x.broadcast_to(&[3, 3]), &["[2, 3]", "[3, 3]"]);
        expect(&Tensor::concat(&[&x, &ones(&[2, 3, 1])], 0), &["concat"]);
        expect(&x.gather(0, &x), &["indices", "i32"]);
        expect(&Tensor::from_slice(&[1.0f32], &[2]), &["1 elements", "[2]"]);
        expect(&Tensor::from_bytes(DType::Bool, &[1], &[2]), &["0 or 1"]);
        assert_eq!([1usize, 2].integers()[..], [1, 2]);
    });
}

#[test]
fn a_plain_tensor_has_no_gradient() {
    on_cpu(|_| {
        let line = line!() + 1;
        let w = ones(&[3]).named("W");
        let error = gradients(&w.square().sum_all(), &[&w]).unwrap_err().to_string();
        let places = [line, line + 1].map(|line| format!("errors.rs:{line}"));
        for part in ["`W` is not a Variable", "Variable::new", &places[0], &places[1]] {
            assert!(error.contains(part), "{error}");
        }
    });
}

#[test]
fn devices_do_not_mix() {
    let (a, b) = (cpu(), without_f64());
    let x = a.scope(|| ones(&[2]));
    let y = b.scope(|| ones(&[2]));
    expect(&(&x + &y), &["cpu", "gpu:0", ".to(&device)"]);
    let moved = y.to(&a);
    assert_eq!((x + moved).to_vec::<f32>().unwrap(), [1.0, 1.0], "the null device's values are zeros");
}

#[test]
fn recordings_and_regions_keep_their_values() {
    on_cpu(|device| {
        let mut kept = None;
        let spec = warploom_tensor::InputSpec::new(DType::F32, &[2]);
        device
            .record(&[spec], |inputs| {
                let y = &inputs[0] + 1.0;
                let error = y.to_vec::<f32>().unwrap_err().to_string();
                assert!(error.contains("inside a recording"), "{error}");
                kept = Some(y.clone());
                vec![y]
            })
            .unwrap();
        assert!(kept.unwrap().to_vec::<f32>().is_err());
        let v = Variable::new(ones(&[2]));
        let result = call("body", &[&ones(&[2])], |inputs| {
            assert!(v.assign(&inputs[0]).is_err());
            vec![inputs[0].clone()]
        });
        assert_eq!(result[0].to_vec::<f32>().unwrap(), [1.0, 1.0]);
    });
}

#[test]
fn bodies_that_do_not_fit() {
    on_cpu(|_| {
        let x = ones(&[3, 2]);
        let (carries, _) =
            scan(3, &[&ones(&[2])], &[&x], |_, c, s| (vec![&c[0] + &s[0], s[0].clone()], vec![]));
        expect(&carries[0], &["2 carries for 1"]);
        let (carries, _) = scan(4, &[&ones(&[2])], &[&x], |_, c, _| (c.to_vec(), vec![]));
        expect(&carries[0], &["4 rounds", "f32[3, 2]"]);
        let (carries, _) = scan(3, &[&ones(&[2])], &[&x], |_, c, _| (vec![c[0].sum_all()], vec![]));
        expect(&carries[0], &["f32[]", "f32[2]", "carr"]);
        expect(&call("nothing", &[&x], |_| Vec::new())[0], &["returns nothing"]);
    });
}

#[test]
fn an_index_out_of_range_is_an_error_and_variables_keep_their_values() {
    on_cpu(|_| {
        let v = Variable::new([1.0f32, 2.0]);
        let bad = Tensor::from([1.0f32, 2.0]).gather(0, &Tensor::from([5i32]));
        assert!(matches!(bad.to_vec::<f32>(), Err(Error::Device(_))));
        assert!(bad.to_vec::<f32>().is_err(), "again");
        assert_eq!(v.value().to_vec::<f32>().unwrap(), [1.0, 2.0]);
    });
}
