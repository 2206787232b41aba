use super::*;
use crate::random::Purpose;

fn augmented<T: Pixel>(step: Augment, picture: &[T], shape: [usize; 3], index: u64) -> Vec<T> {
    let mut changed = picture.to_vec();
    let mut random = Random::new(0, Purpose::Augment, index);
    Augmentation::new(vec![step]).unwrap().apply(&mut changed, shape, &mut random, &mut Vec::new());
    changed
}

/// Two planes of 3 × 4.
fn picture() -> (Vec<u8>, [usize; 3]) {
    ((1..=24).collect(), [2, 3, 4])
}

#[test]
fn flips_exchange_sides() {
    let (pixels, shape) = picture();
    let across = augmented(Augment::FlipHorizontal { probability: 1.0 }, &pixels, shape, 0);
    assert_eq!(across[..8], [4, 3, 2, 1, 8, 7, 6, 5]);
    assert_eq!(across[12..16], [16, 15, 14, 13]);
    let down = augmented(Augment::FlipVertical { probability: 1.0 }, &pixels, shape, 0);
    assert_eq!(down[..12], [9, 10, 11, 12, 5, 6, 7, 8, 1, 2, 3, 4]);
    assert_eq!(down[12..16], [21, 22, 23, 24]);
    let flipped = |probability| {
        let step = Augment::FlipHorizontal { probability };
        (0..10_000).filter(|index| augmented(step, &pixels, shape, *index) != pixels).count()
    };
    assert_eq!((flipped(0.0), flipped(1.0)), (0, 10_000));
    assert!((2_800..3_200).contains(&flipped(0.3)), "{}", flipped(0.3));
}

#[test]
fn a_crop_is_a_window_of_the_padded_picture() {
    let (pixels, shape) = picture();
    let (padding, fill) = (2_usize, 99.0);
    let padded = |y: usize, x: usize, plane: usize| match (y.checked_sub(padding), x.checked_sub(padding)) {
        (Some(y), Some(x)) if y < 3 && x < 4 => pixels[plane * 12 + y * 4 + x],
        _ => 99,
    };
    let mut places = std::collections::HashSet::new();
    for index in 0..500 {
        let cropped = augmented(Augment::Crop { padding, fill }, &pixels, shape, index);
        let windows = (0..5).flat_map(|y| (0..5).map(move |x| (y, x)));
        let found = windows.into_iter().find(|&(top, left)| {
            (0..24).all(|at| cropped[at] == padded(at % 12 / 4 + top, at % 4 + left, at / 12))
        });
        places.insert(found.expect("a window of the padded picture"));
    }
    assert_eq!(places.len(), 25, "every place comes");
    // A shift beyond the picture leaves nothing of it.
    let far = augmented(Augment::Crop { padding: 100, fill: 7.0 }, &pixels, shape, 1);
    assert_eq!(far, [7; 24]);
}

#[test]
fn quarter_turns_are_exact() {
    let square: Vec<f32> = (1..=9).map(|value| value as f32).collect();
    let turned = |radians: f64| {
        let mut pixels = square.clone();
        steps::rotate(&mut pixels, [3, 3], radians, -1.0, &mut Vec::new());
        pixels.iter().map(|value| value.round()).collect::<Vec<f32>>()
    };
    assert_eq!(turned(0.0), square);
    assert_eq!(turned(std::f64::consts::FRAC_PI_2), [7.0, 4.0, 1.0, 8.0, 5.0, 2.0, 9.0, 6.0, 3.0]);
    assert_eq!(turned(std::f64::consts::PI), [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
}

/// Against the definition in f64: the pixel at the turned place, each of four neighbours weighed by nearness.
#[test]
fn turns_are_bilinear() {
    let [height, width] = [7, 5];
    let pixels: Vec<f32> = (0..35).map(|place| ((place * 17) % 23) as f32).collect();
    for radians in [0.1_f64, -0.7, 2.0] {
        let mut turned = pixels.clone();
        steps::rotate(&mut turned, [height, width], radians, 4.0, &mut Vec::new());
        for y in 0..height {
            for x in 0..width {
                let (down, right) = (y as f64 - 3.0, x as f64 - 2.0);
                let source_y = radians.cos() * down - radians.sin() * right + 3.0;
                let source_x = radians.cos() * right + radians.sin() * down + 2.0;
                let mut sum = 0.0;
                for near_y in -9..16_i32 {
                    for near_x in -9..16_i32 {
                        let weight = (1.0 - (source_y - f64::from(near_y)).abs()).max(0.0)
                            * (1.0 - (source_x - f64::from(near_x)).abs()).max(0.0);
                        let inside =
                            (0..height as i32).contains(&near_y) && (0..width as i32).contains(&near_x);
                        let value = if inside { pixels[(near_y * 5 + near_x) as usize] } else { 4.0 };
                        sum += weight * f64::from(value);
                    }
                }
                assert!((f64::from(turned[y * width + x]) - sum).abs() < 1e-4, "{radians} {y} {x}");
            }
        }
    }
}

#[test]
fn brightness_and_contrast_by_hand() {
    let mut bytes = [0_u8, 100, 200];
    steps::stretch(&mut bytes, 0.0, 1.5);
    assert_eq!(bytes, [0, 150, 255], "bytes stay within their range");
    let mut numbers = [0.0_f32, 100.0, 200.0];
    assert_eq!(steps::mean(&numbers), 100.0);
    steps::stretch(&mut numbers, 100.0, 1.5);
    assert_eq!(numbers, [-50.0, 100.0, 250.0], "numbers are not bounded");
    for index in 0..200 {
        let brighter = augmented(Augment::Brightness { reach: 0.25 }, &[100.0_f32; 4], [1, 2, 2], index);
        assert!((75.0..=125.0).contains(&brighter[0]) && brighter.iter().all(|pixel| *pixel == brighter[0]));
        let plain = augmented(Augment::Contrast { reach: 1.0 }, &[100_u8; 4], [1, 2, 2], index);
        assert_eq!(plain, [100; 4], "a plain picture has no contrast");
    }
}

#[test]
fn values_outside_their_range_are_refused() {
    for step in [
        Augment::FlipHorizontal { probability: 1.5 },
        Augment::FlipVertical { probability: f32::NAN },
        Augment::Crop { padding: 1 << 20, fill: 0.0 },
        Augment::Crop { padding: 1, fill: f32::INFINITY },
        Augment::Rotate { degrees: 181.0, fill: 0.0 },
        Augment::Brightness { reach: -0.1 },
        Augment::Contrast { reach: 1.1 },
    ] {
        let error = Augmentation::new(vec![step]).unwrap_err().to_string();
        assert!(error.contains("cannot be carried out") && error.contains("Give "), "{error}");
    }
}

#[test]
fn steps_are_spelt_as_in_a_recipe() {
    let text = r#"[{"kind":"flip_horizontal","probability":0.5},{"kind":"crop","padding":4},{"kind":"rotate","degrees":10.0}]"#;
    let steps: Vec<Augment> = serde_json::from_str(text).unwrap();
    assert_eq!(
        steps[1..],
        [Augment::Crop { padding: 4, fill: 0.0 }, Augment::Rotate { degrees: 10.0, fill: 0.0 }]
    );
    assert!(serde_json::from_str::<Augment>(r#"{"kind":"crop","padding":4,"fil":0}"#).is_err());
}
