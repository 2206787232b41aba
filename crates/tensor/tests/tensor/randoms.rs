//! Random numbers: what is drawn anew, what stays, and that it can be repeated.

use crate::common::{get, on_cpu};
use warploom_tensor::{DType, InputSpec, Tensor, Variable, module_scope, scan};

#[test]
fn calls_and_rounds_draw_anew() {
    on_cpu(|device| {
        let (a, b) = (Tensor::uniform(&[4]), Tensor::uniform(&[4]));
        let both = get(&Tensor::stack(&[&a, &b], 0));
        assert_ne!(both[..4], both[4..], "two calls in one program");
        let mut seen = vec![both];
        for _ in 0..3 {
            let (a, b) = (Tensor::uniform(&[4]), Tensor::uniform(&[4]));
            let both = get(&Tensor::stack(&[&a, &b], 0));
            assert!(!seen.contains(&both), "each round is another step");
            seen.push(both);
        }
        assert_eq!(device.compiled_programs(), 1);
        let (a, b) = (Tensor::uniform(&[4]), Tensor::uniform(&[4]));
        assert_ne!(get(&a), get(&b), "two programs");
    });
}

#[test]
fn a_value_keeps_its_numbers() {
    on_cpu(|_| {
        let noise = Tensor::uniform(&[4]);
        let (doubled, tripled) = (&noise * 2.0, &noise * 3.0);
        let doubled = get(&doubled);
        Tensor::uniform(&[4]).evaluate().unwrap();
        let tripled = get(&tripled);
        let noise = get(&noise);
        for i in 0..4 {
            assert_eq!((noise[i] * 2.0, noise[i] * 3.0), (doubled[i], tripled[i]));
        }
    });
}

#[test]
fn a_seed_repeats_and_another_does_not() {
    on_cpu(|device| {
        let draw = |seed: u64| {
            device.seed(seed).unwrap();
            let first = get(&Tensor::uniform(&[8]));
            (first, get(&module_scope("dropout", || Tensor::normal(&[8]))))
        };
        let first = draw(1);
        assert_eq!(first, draw(1));
        assert_ne!(first, draw(2));
        assert_ne!(first, draw(1 | 1 << 40));
    });
}

#[test]
fn distributions() {
    on_cpu(|_| {
        let u = get(&Tensor::uniform(&[10_000]));
        assert!(u.iter().all(|x| (0.0..1.0).contains(x)));
        let mean = u.iter().sum::<f32>() / 1e4;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        let n = get(&Tensor::normal(&[10_000]));
        let mean = n.iter().sum::<f32>() / 1e4;
        let variance = n.iter().map(|x| x * x).sum::<f32>() / 1e4;
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    });
}

#[test]
fn regions_draw_anew_each_iteration_and_place() {
    on_cpu(|device| {
        let round = || {
            let zero = Tensor::zeros(&[], DType::F32);
            let (_, first) = scan(3, &[&zero], &[], |_, c, _| (c.to_vec(), vec![Tensor::uniform(&[2])]));
            let (_, second) = scan(3, &[&zero], &[], |_, c, _| {
                let (_, inner) = scan(2, &[&zero], &[], |_, c, _| (c.to_vec(), vec![Tensor::uniform(&[2])]));
                (c.to_vec(), vec![inner[0].clone()])
            });
            get(&Tensor::concat(&[&first[0].reshape(-1), &second[0].reshape(-1)], 0))
        };
        let (a, b) = (round(), round());
        let mut all = [a, b].concat();
        assert_eq!(all.len(), 36);
        all.sort_by(f32::total_cmp);
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
        assert_eq!(device.compiled_programs(), 1);
    });
}

#[test]
fn recordings_draw_anew_each_run_and_repeat_gives_the_same_bits() {
    on_cpu(|device| {
        let total = Variable::new([0.0f32; 4]);
        let spec = InputSpec::new(DType::F32, &[4]);
        let step = device
            .try_record(&[spec], |inputs| {
                let noise = Tensor::uniform(&[4]) + &inputs[0];
                total.assign(&(&total + &noise))?;
                Ok(vec![noise])
            })
            .unwrap();
        let zeros = Tensor::zeros(&[4], DType::F32);
        device.seed(3).unwrap();
        let single: Vec<Vec<f32>> = (0..4).map(|_| get(&step.run(&[&zeros]).unwrap()[0])).collect();
        let sum = get(&total.value());
        assert_ne!(single[0], single[1]);
        total.assign(&zeros).unwrap();
        device.seed(3).unwrap();
        let four = step.repeat(4, &[false]).unwrap();
        assert_eq!(get(&four.run(&[&zeros]).unwrap()[0]), single.concat());
        assert_eq!(get(&total.value()), sum);
    });
}
