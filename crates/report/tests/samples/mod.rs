//! Made-up runs that look like real ones.

use warploom_report::*;

/// All samples by name.
pub fn all() -> Vec<(&'static str, Report)> {
    vec![
        ("digits", digits()),
        ("housing", housing()),
        ("one-epoch", one_epoch()),
        ("twenty-classes", twenty_classes()),
        ("hundred-classes", hundred_classes()),
        ("long", long()),
    ]
}

/// Numbers that look random, the same each time (Steele and others' SplitMix64).
pub struct Random(u64);

impl Random {
    /// In [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal, mean 0, deviation 1.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.uniform() * end as f64) as usize
    }
}

fn share(name: &str, training: Vec<f64>, validation: Vec<f64>) -> Curve {
    Curve { name: name.into(), unit: Unit::Share, training, validation }
}

fn plain(name: &str, training: Vec<f64>, validation: Vec<f64>) -> Curve {
    Curve { name: name.into(), unit: Unit::None, training, validation }
}

fn score(name: &str, value: f64, unit: Unit) -> Score {
    Score { name: name.into(), value, unit }
}

fn curve(epochs: usize, value: impl FnMut(f64) -> f64) -> Vec<f64> {
    (0..epochs).map(|epoch| epoch as f64).map(value).collect()
}

/// A picture of a ring with a stroke, which digits resemble.
fn picture(random: &mut Random) -> Picture {
    let (x, y, radius) =
        (12.0 + 4.0 * random.uniform(), 10.0 + 6.0 * random.uniform(), 4.0 + 3.0 * random.uniform());
    let ink = |row: usize, column: usize| {
        let (across, down) = (column as f64 - x, row as f64 - y);
        let ring = ((across * across + down * down).sqrt() - radius).abs();
        let stroke = if row > 12 && row < 25 { (across - 0.4 * radius).abs() } else { 9.0 };
        (255.0 * (1.6 - ring.min(stroke)).clamp(0.0, 1.0)) as u8
    };
    let pixels =
        (0..28).flat_map(|row| (0..28).map(move |column| (row, column))).map(|(r, c)| ink(r, c)).collect();
    Picture::Grey { width: 28, height: 28, pixels }
}

fn confusion(classes: usize, each: u64, wrong: f64, random: &mut Random) -> Vec<Vec<u64>> {
    let mut rows = vec![vec![0; classes]; classes];
    for class in 0..classes {
        let hard = wrong * (0.4 + 1.4 * random.uniform());
        for _ in 0..each {
            let near = (class + 1 + (random.uniform().powi(3) * (classes - 1) as f64) as usize) % classes;
            rows[class][if random.uniform() < hard { near } else { class }] += 1;
        }
    }
    rows
}

fn environment() -> Vec<(String, String)> {
    [
        ("Warploom", "0.1.0 (256a5f3)"),
        ("system", "Linux 6.1, x86_64"),
        ("processor", "AMD EPYC 7B13, 2 of 2 cores, AVX2"),
        ("memory", "7.8 GiB"),
        ("seed", "7"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into()
}

fn device() -> Device {
    Device { id: "cpu".into(), name: Some("AMD EPYC 7B13 (AVX2)".into()), threads: Some(2) }
}

fn memory(state: u64, arena: u64, rings: u64, process: u64) -> Memory {
    let planned = [("state", state), ("arena", arena), ("rings", rings), ("derived", 0)];
    Memory {
        planned: planned.map(|(name, count)| (name.to_owned(), count)).into(),
        limit: None,
        cost: None,
        measured_peak: Some(state + arena + rings),
        process_peak: Some(process),
    }
}

fn stages(stages: &[(&str, f64)]) -> Vec<Stage> {
    stages.iter().map(|(name, seconds)| Stage { name: (*name).into(), seconds: *seconds }).collect()
}

fn layers(layers: &[(&str, &str, u64)]) -> Vec<Layer> {
    let layer = |(name, output, parameters): &(&str, &str, u64)| Layer {
        name: (*name).into(),
        output: (*output).into(),
        parameters: *parameters,
    };
    layers.iter().map(layer).collect()
}

fn digits() -> Report {
    let mut random = Random(1);
    let loss = curve(20, |e| 0.9 * (-0.55 * e).exp() + 0.012 + 0.02 / (1.0 + e));
    let watched = curve(20, |e| {
        0.5 * (-0.5 * e).exp() + 0.034 + 0.0012 * (e - 12.0).max(0.0) + 0.003 * random.normal().abs()
    });
    let right = curve(20, |e| 0.998 - 0.24 * (-0.6 * e).exp());
    let seen = curve(20, |e| 0.9905 - 0.13 * (-0.55 * e).exp() - 0.0008 * random.uniform());
    let names: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    let rows = confusion(10, 1000, 0.009, &mut random);
    let right_count: u64 = (0..10).map(|i| rows[i][i]).sum();
    let mistakes = (0..18).map(|i| {
        let truth = random.below(10);
        Mistake {
            example: Example {
                source: Some(format!("t10k-images, picture {}", random.below(10_000))),
                picture: Some(picture(&mut random)),
                cells: vec![],
            },
            truth: truth.to_string(),
            predicted: ((truth + 1 + random.below(9)) % 10).to_string(),
            confidence: Some(0.9998 - 0.017 * f64::from(i)),
        }
    });
    let mistakes = mistakes.collect();
    Report {
        name: "mnist".into(),
        description: None,
        task: Some("classification".into()),
        model: Some("LeNet, 44,426 parameters".into()),
        data: Some(Data {
            name: "MNIST".into(),
            path: Some("shared/data/mnist".into()),
            training: 54_000,
            validation: 6_000,
            test: 10_000,
            target: Some("10 classes".into()),
            example: Some("28 × 28 grey".into()),
        }),
        device: Some(device()),
        started: Some(1_777_885_951),
        seconds: Some(151.3),
        stopped: None,
        headline: Some(score("accuracy on test data", right_count as f64 / 10_000.0, Unit::Share)),
        scores: vec![
            score("loss on test data", 0.0312, Unit::None),
            score("top-2 accuracy", 0.9987, Unit::Share),
        ],
        command: Some(
            "warploom train mnist data.path=shared/data/mnist \
train.epochs=20 train.seed=7"
                .into(),
        ),
        warnings: vec![],
        decisions: vec![],
        curves: vec![plain("loss", loss, watched), share("accuracy", right, seen)],
        learning_rate: curve(20, |e| 0.001 * 0.5 * (1.0 + (std::f64::consts::PI * e / 20.0).cos())),
        best_epoch: Some(BestEpoch { epoch: 13, by: "val_loss".into() }),
        classification: Some(Classification { classes: names, confusion: rows, mistakes, columns: vec![] }),
        regressions: vec![],
        memory: Some(memory(1_066_224, 9_437_184, 1_622_016, 78_643_200)),
        stages: stages(&[
            ("loading data", 1.9),
            ("compiling", 0.041),
            ("training", 138.2),
            ("evaluation", 8.7),
            ("waiting for data", 1.1),
        ]),
        samples_per_second: Some(7814.6),
        energy: Some(Energy::NotMeasured(
            "/sys/class/powercap has no energy counters; virtual machines \
often hide them."
                .into(),
        )),
        energy_parts: vec![],
        samples_per_joule: None,
        recipe: Some(RECIPE.into()),
        layers: layers(&[
            ("0 · conv2d", "[64, 6, 28, 28]", 156),
            ("1 · relu", "[64, 6, 28, 28]", 0),
            ("2 · max_pool2d", "[64, 6, 14, 14]", 0),
            ("3 · conv2d", "[64, 16, 10, 10]", 2416),
            ("6 · flatten", "[64, 400]", 0),
            ("7 · dense", "[64, 120]", 48_120),
            ("9 · dense", "[64, 84]", 10_164),
            ("11 · dense", "[64, 10]", 850),
        ]),
        environment: environment(),
    }
}

const RECIPE: &str = "name = \"mnist\"
task = \"classification\"
device = \"cpu\"

[data]
kind = \"idx\"
path = \"shared/data/mnist\"

[model]
kind = \"lenet\"

[train]
epochs = 20
batch = 64
optimizer = { kind = \"adam\", learning_rate = 0.001 }
schedule = \"cosine\"
seed = 7
";

fn housing() -> Report {
    let mut random = Random(2);
    let price =
        |random: &mut Random| (11.9 + 0.57 * random.normal()).exp().clamp(14_999.0, 500_001.0).round();
    let mut pairs = Vec::new();
    for _ in 0..4128 {
        let truth = price(&mut random);
        let spread = 22_000.0 + 0.13 * truth;
        pairs.push((
            truth,
            truth * 0.93 + 14_000.0 + spread * random.normal() * (0.6 + 0.8 * random.uniform()),
        ));
    }
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by(|a, b| (pairs[*b].1 - pairs[*b].0).abs().total_cmp(&(pairs[*a].1 - pairs[*a].0).abs()));
    let worst = order.iter().take(12).map(|i| {
        let cells = [
            -114.0 - 10.0 * random.uniform(),
            32.5 + 9.0 * random.uniform(),
            (52.0 * random.uniform()).round(),
            (5000.0 * random.uniform()).round(),
            (900.0 * random.uniform()).round(),
            (2500.0 * random.uniform()).round(),
            (800.0 * random.uniform()).round(),
            15.0 * random.uniform(),
        ];
        let cells = cells.map(|cell| format!("{cell:.2}").trim_end_matches(".00").to_owned()).into();
        Deviation {
            example: Example { source: Some(format!("row {}", i * 5 + 2)), picture: None, cells },
            truth: pairs[*i].0,
            predicted: pairs[*i].1,
        }
    });
    let worst = worst.collect();
    let rmse = (pairs.iter().map(|(t, p)| (p - t).powi(2)).sum::<f64>() / pairs.len() as f64).sqrt();
    let mae = pairs.iter().map(|(t, p)| (p - t).abs()).sum::<f64>() / pairs.len() as f64;
    let dollars = || Unit::Of("$".into());
    let columns = [
        "longitude",
        "latitude",
        "housing_median_age",
        "total_rooms",
        "total_bedrooms",
        "population",
        "households",
        "median_income",
    ];
    Report {
        name: "california-housing".into(),
        task: Some("regression".into()),
        model: Some("dense 64 – 64 – 1, 5,377 parameters".into()),
        data: Some(Data {
            name: "housing.csv".into(),
            path: Some("shared/data/california-housing/housing.csv".into()),
            training: 14_861,
            validation: 1_651,
            test: 4_128,
            target: Some("target median_house_value".into()),
            example: Some("9 columns".into()),
        }),
        device: Some(device()),
        started: Some(1_777_890_000),
        seconds: Some(23.8),
        stopped: Some(
            "Stopped early after epoch 68 of 200: val_loss had not improved \
for 10 epochs."
                .into(),
        ),
        headline: Some(score("RMSE on test data", rmse, dollars())),
        scores: vec![score("MAE on test data", mae, dollars())],
        command: Some(
            "warploom train tabular \
data.path=shared/data/california-housing/housing.csv \
data.target=median_house_value"
                .into(),
        ),
        decisions: vec![
            Decision {
                what: "cells were empty in total_bedrooms: replaced by the median of \
the training rows, 435"
                    .into(),
                count: 207,
                which: vec!["row 291".into(), "row 342".into(), "row 539".into()],
            },
            Decision {
                what: "rows have a target at the cap of 500,001: kept".into(),
                count: 965,
                which: vec![],
            },
        ],
        curves: vec![
            plain(
                "loss",
                curve(68, |e| 5.6 * (-0.3 * e).exp() + 0.19 + 0.05 * (-0.03 * e).exp()),
                curve(68, |e| {
                    4.8 * (-0.3 * e).exp() + 0.215 + 0.05 * (-0.04 * e).exp() + 0.004 * random.normal()
                }),
            ),
            Curve {
                name: "mean absolute error".into(),
                unit: dollars(),
                training: curve(68, |e| 34_000.0 + 130_000.0 * (-0.25 * e).exp()),
                validation: curve(68, |e| 36_500.0 + 120_000.0 * (-0.25 * e).exp() + 500.0 * random.normal()),
            },
        ],
        learning_rate: curve(68, |e| if e < 40.0 { 1e-3 } else { 1e-4 }),
        best_epoch: Some(BestEpoch { epoch: 58, by: "val_loss".into() }),
        regressions: vec![Regression {
            target: "median_house_value".into(),
            unit: dollars(),
            pairs,
            worst,
            columns: columns.map(String::from).into(),
        }],
        memory: Some(memory(64_524, 180_224, 41_472, 21_495_808)),
        stages: stages(&[
            ("loading data", 0.21),
            ("compiling", 0.006),
            ("training", 21.4),
            ("evaluation", 1.3),
            ("waiting for data", 0.02),
        ]),
        samples_per_second: Some(47_220.0),
        energy: Some(Energy::Joules(412.7)),
        recipe: Some("name = \"tabular\"\ntask = \"regression\"\n".into()),
        layers: layers(&[
            ("0 · dense", "[256, 64]", 896),
            ("2 · dense", "[256, 64]", 4160),
            ("4 · dense", "[256, 1]", 65),
        ]),
        environment: environment(),
        ..Report::default()
    }
}

fn one_epoch() -> Report {
    Report {
        name: "logistic".into(),
        task: Some("binary classification".into()),
        data: Some(Data {
            name: "logistic".into(),
            training: 100,
            target: Some("2 classes".into()),
            ..Data::default()
        }),
        device: Some(Device { id: "cpu".into(), name: None, threads: Some(1) }),
        started: Some(1_777_885_951),
        seconds: Some(0.0124),
        headline: Some(score("accuracy on training data", 0.83, Unit::Share)),
        command: Some("warploom train logistic train.epochs=1".into()),
        warnings: vec![
            "The data has no test split: the result is of the examples that \
were learned from, and says nothing about new ones."
                .into(),
        ],
        curves: vec![plain("loss", vec![0.6412], vec![]), share("accuracy", vec![0.83], vec![])],
        learning_rate: vec![0.1],
        classification: Some(Classification {
            classes: vec!["no".into(), "yes".into()],
            confusion: vec![vec![44, 8], vec![9, 39]],
            ..Classification::default()
        }),
        memory: Some(memory(48, 1_408, 8_800, 9_437_184)),
        stages: stages(&[("compiling", 0.0031), ("training", 0.0082), ("evaluation", 0.0009)]),
        samples_per_second: Some(12_195.0),
        energy: Some(Energy::NotMeasured(
            "this machine has no /sys/class/powercap, where Linux counts it".into(),
        )),
        environment: environment(),
        ..Report::default()
    }
}

/// As many classes as a matrix with numbers has, with names and counts that take room.
fn twenty_classes() -> Report {
    let mut random = Random(6);
    let names =
        ["Acer pseudoplatanus", "Betula pendula", "Carpinus betulus", "Fagus sylvatica", "Quercus robur"];
    let classes = (0..20).map(|i| format!("{} {}", names[i % 5], i / 5 + 1)).collect();
    Report {
        name: "leaves".into(),
        task: Some("classification".into()),
        classification: Some(Classification {
            classes,
            confusion: confusion(20, 123_456, 0.2, &mut random),
            ..Classification::default()
        }),
        ..Report::default()
    }
}

fn hundred_classes() -> Report {
    let mut random = Random(4);
    let words = [
        "apple",
        "aquarium fish",
        "baby",
        "bear",
        "beaver",
        "bed",
        "bee",
        "beetle",
        "bicycle",
        "bottle",
        "bowl",
        "boy",
        "bridge",
        "bus",
        "butterfly",
        "camel",
        "can",
        "castle",
        "caterpillar",
        "cattle",
    ];
    let classes: Vec<String> = (0..100)
        .map(|i| if i < 20 { words[i].into() } else { format!("{} {}", words[i % 20], i / 20 + 1) })
        .collect();
    let rows = confusion(100, 100, 0.34, &mut random);
    let right: u64 = (0..100).map(|i| rows[i][i]).sum();
    let mistakes = (0..12).map(|i| {
        let truth = random.below(100);
        let (red, blue) = (random.below(256), random.below(256));
        let pixels = (0..32 * 32)
            .flat_map(|at| {
                [(red * (at / 32) / 32) as u8, (at % 32 * 8) as u8, (blue * (32 - at / 32) / 32) as u8]
            })
            .collect();
        let picture = if i == 5 {
            Picture::Png(b"cut".to_vec())
        } else {
            Picture::Rgb { width: 32, height: 32, pixels }
        };
        Mistake {
            example: Example {
                source: Some(format!("test/{}/{:04}.png", classes[truth], random.below(9999))),
                picture: Some(picture),
                cells: vec![],
            },
            truth: classes[truth].clone(),
            predicted: classes[(truth + 31) % 100].clone(),
            confidence: Some(0.97 - 0.02 * f64::from(i)),
        }
    });
    let mistakes = mistakes.collect();
    let mut loss = curve(60, |e| 3.6 * (-0.07 * e).exp() + 0.4 + 0.03 * random.normal());
    let mut watched = curve(60, |e| 3.2 * (-0.08 * e).exp() + 1.25 + 0.05 * random.normal());
    for epoch in [22, 23, 24] {
        loss[epoch] = f64::NAN;
    }
    watched[22] = f64::INFINITY;
    Report {
        name: "resnet-cifar".into(),
        description: Some("the hundred classes of CIFAR-100".into()),
        task: Some("classification".into()),
        model: Some("ResNet-20, 275,572 parameters".into()),
        data: Some(Data {
            name: "CIFAR-100".into(),
            path: None,
            training: 45_000,
            validation: 5_000,
            test: 10_000,
            target: Some("100 classes".into()),
            example: Some("32 × 32 RGB".into()),
        }),
        device: Some(device()),
        started: Some(1_777_885_951),
        seconds: Some(11_523.0),
        headline: Some(score("accuracy on test data", right as f64 / 10_000.0, Unit::Share)),
        scores: vec![
            score("top-5 accuracy", 0.891, Unit::Share),
            score("loss on test data", 1.2981, Unit::None),
        ],
        command: Some("warploom train resnet-cifar data.path=cifar-100".into()),
        warnings: vec![
            "1,204 steps were skipped because the loss or a gradient was \
not finite, the first in epoch 23 at layer1.0.conv1."
                .into(),
        ],
        decisions: vec![Decision {
            what: "pictures skipped: they cannot be read".into(),
            count: 3,
            which: vec!["train/bee/0031.png".into(), "train/can/0114.png".into(), "test/bed/0007.png".into()],
        }],
        curves: vec![
            plain("loss", loss, watched),
            share(
                "accuracy",
                curve(60, |e| 0.88 - 0.8 * (-0.07 * e).exp()),
                curve(60, |e| 0.665 - 0.58 * (-0.08 * e).exp() + 0.006 * random.normal()),
            ),
            share(
                "top-5 accuracy",
                curve(60, |e| 0.98 - 0.7 * (-0.09 * e).exp()),
                curve(60, |e| 0.89 - 0.62 * (-0.09 * e).exp() + 0.005 * random.normal()),
            ),
        ],
        learning_rate: curve(60, |e| 0.1 * 0.1f64.powf((e / 20.0).floor())),
        best_epoch: Some(BestEpoch { epoch: 56, by: "val_accuracy".into() }),
        classification: Some(Classification { classes, confusion: rows, mistakes, columns: vec![] }),
        memory: Some(Memory {
            limit: Some(72_000_000),
            cost: Some("12 values computed again by 15 more kernels, 8.5 % more operations".into()),
            measured_peak: Some(71_000_000),
            ..memory(3_306_864, 61_341_696, 4_718_592, 402_653_184)
        }),
        stages: stages(&[
            ("loading data", 31.0),
            ("compiling", 0.05),
            ("training", 10_710.0),
            ("evaluation", 540.0),
            ("waiting for data", 130.0),
        ]),
        samples_per_second: Some(252.1),
        energy: Some(Energy::Joules(345_000.0)),
        energy_parts: vec![
            EnergyPart { name: "processor".into(), energy: Energy::Joules(95_000.0) },
            EnergyPart { name: "GPU".into(), energy: Energy::Joules(250_000.0) },
        ],
        samples_per_joule: Some(7.83),
        recipe: Some(RECIPE.into()),
        environment: environment(),
        ..Report::default()
    }
}

fn long() -> Report {
    let mut random = Random(5);
    let rows = ["setosa", "versicolor", "virginica"];
    let mistakes = (0..4).map(|i| Mistake {
        example: Example {
            source: Some(format!("row {}", 20 + 31 * i)),
            picture: None,
            cells: vec!["6.1".into(), "2.8".into(), "4.7".into(), "1.7".into()],
        },
        truth: rows[1].into(),
        predicted: rows[2].into(),
        confidence: Some(0.8 - 0.07 * i as f64),
    });
    let mistakes = mistakes.collect();
    Report {
        name: "iris, five thousand epochs".into(),
        task: Some("classification".into()),
        headline: Some(score("accuracy on test data", 29.0 / 30.0, Unit::Share)),
        curves: vec![
            plain(
                "loss",
                curve(5000, |e| 1.1 / (1.0 + 0.02 * e) + 0.0007 * random.normal().abs()),
                curve(5000, |e| 1.2 / (1.0 + 0.018 * e) + 0.02 + 0.004 * random.normal().abs()),
            ),
            share(
                "accuracy",
                curve(5000, |e| 0.995 - 0.6 / (1.0 + 0.03 * e)),
                curve(5000, |e| (0.96 - 0.6 / (1.0 + 0.03 * e) + 0.02 * random.normal()).clamp(0.0, 1.0)),
            ),
        ],
        classification: Some(Classification {
            classes: rows.map(String::from).into(),
            confusion: vec![vec![10, 0, 0], vec![0, 6, 4], vec![0, 0, 10]],
            mistakes,
            columns: ["sepal_length", "sepal_width", "petal_length", "petal_width"].map(String::from).into(),
        }),
        ..Report::default()
    }
}
