//! The page for reports good and bad: well-formed, escaped, the same each time.

mod samples;
mod xml;

use warploom_report::*;
use xml::check;

/// A report whose every text is `text`, whose every number is `number`, with `length` entries in every list.
fn filled(text: &str, number: f64, length: usize) -> Report {
    let texts = vec![text.to_owned(); length];
    let unit = Unit::Of(text.into());
    let example = |i: usize| Example {
        source: Some(text.into()),
        picture: i.is_multiple_of(2).then(|| Picture::Grey { width: 1, height: 1, pixels: vec![7] }),
        cells: texts.clone(),
    };
    let score = Score { name: text.into(), value: number, unit: unit.clone() };
    let mistake = |i| Mistake {
        example: example(i),
        truth: text.into(),
        predicted: text.into(),
        confidence: Some(number),
    };
    let deviation = |i| Deviation { example: example(i + 1), truth: number, predicted: -number };
    let curve = Curve {
        name: text.into(),
        unit: unit.clone(),
        training: vec![number; length],
        validation: vec![-number; length / 2],
    };
    let regression = Regression {
        target: text.into(),
        unit,
        pairs: vec![(number, -number); length],
        worst: (0..length).map(deviation).collect(),
        columns: texts.clone(),
    };
    Report {
        name: text.into(),
        description: Some(text.into()),
        task: Some(text.into()),
        model: Some(text.into()),
        data: Some(Data {
            name: text.into(),
            path: Some(text.into()),
            target: Some(text.into()),
            example: Some(text.into()),
            ..Data::default()
        }),
        device: Some(Device { id: text.into(), name: Some(text.into()), threads: Some(length) }),
        started: Some(u64::MAX),
        seconds: Some(number),
        stopped: Some(text.into()),
        headline: Some(score.clone()),
        scores: vec![score; length],
        command: Some(text.into()),
        warnings: texts.clone(),
        decisions: vec![Decision { what: text.into(), count: u64::MAX, which: texts.clone() }; 2],
        curves: vec![curve; 2],
        learning_rate: vec![number; length],
        best_epoch: Some(BestEpoch { epoch: length, by: text.into() }),
        classification: Some(Classification {
            classes: texts.clone(),
            confusion: vec![vec![1; length]; length.min(30)],
            mistakes: (0..length).map(mistake).collect(),
            columns: texts,
        }),
        regressions: vec![regression],
        memory: Some(Memory {
            planned: vec![(text.into(), u64::MAX); length],
            limit: Some(u64::MAX),
            cost: Some(text.into()),
            measured_peak: Some(0),
            process_peak: Some(u64::MAX),
        }),
        stages: vec![Stage { name: text.into(), seconds: number }; length],
        samples_per_second: Some(number),
        energy: Some(Energy::Joules(number)),
        energy_parts: vec![
            EnergyPart { name: text.into(), energy: Energy::Joules(number) },
            EnergyPart { name: text.into(), energy: Energy::NotMeasured(text.into()) },
        ],
        samples_per_joule: Some(number),
        recipe: Some(text.into()),
        layers: vec![Layer { name: text.into(), output: text.into(), parameters: u64::MAX }; length],
        environment: vec![(text.into(), text.into()); length],
    }
}

#[test]
fn samples_are_well_formed_and_need_nothing_else() {
    for (name, report) in samples::all() {
        let page = report.to_html();
        check(&page).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert_eq!(page, report.clone().to_html(), "{name}: equal data gives equal bytes");
        for outside in ["http:", "https:", "src=\"/", "url(", "@import", "href="] {
            let found = page.replace("http://www.w3.org/2000/svg", "").contains(outside);
            assert!(!found, "{name} has {outside}");
        }
        assert!(page.len() < 300_000, "{name} has {} bytes", page.len());
    }
}

#[test]
fn nothing_at_all_is_a_page() {
    let page = Report::default().to_html();
    check(&page).unwrap();
    let empty = Report {
        curves: vec![Curve::default()],
        classification: Some(Classification::default()),
        regressions: vec![Regression::default()],
        memory: Some(Memory::default()),
        stages: vec![Stage::default()],
        ..Report::default()
    };
    check(&empty.to_html()).unwrap();
}

#[test]
fn a_sheet_is_well_formed_whatever_it_says() {
    for text in ["plain", "</td><script>alert(1)</script>&\0", ""] {
        let text = text.to_owned();
        let part = Part {
            heading: text.clone(),
            notes: vec![text.clone()],
            columns: vec![(text.clone(), true), (text.clone(), false)],
            // A row may be short, and may be too long.
            rows: (0..4).map(|cells| vec![text.clone(); cells]).collect(),
        };
        let results = vec![(text.clone(), text.clone())];
        let (kind, subtitle) = (text.clone(), Some(text.clone()));
        let page =
            Sheet { kind, name: text, subtitle, results, parts: vec![part, Part::default()] }.to_html();
        check(&page).unwrap();
        assert_eq!(page.matches("<script").count(), 1);
    }
    check(&Sheet::default().to_html()).unwrap();
}

#[test]
fn texts_cannot_leave_their_place() {
    let attack = "</script></style><script>alert(1)</script>\"'<!--]]>&\0";
    let page = filled(attack, 1.0, 3).to_html();
    check(&page).unwrap();
    let clean = filled("x", 1.0, 3).to_html();
    for part in ["<script", "</style", "<!--", "]]>"] {
        assert_eq!(page.matches(part).count(), clean.matches(part).count(), "{part}");
    }
    let escaped = "&lt;/script&gt;&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&lt;!--]]&gt;&amp;\u{fffd}";
    assert!(page.contains(escaped));
}

#[test]
fn extreme_numbers_are_drawn_without_nonsense() {
    for number in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e15] {
        for length in [0, 1, 2, 21, 300] {
            let page = filled("x", number, length).to_html();
            check(&page).unwrap_or_else(|problem| panic!("{number} × {length}: {problem}"));
            for place in [" d=\"", " x=\"", " y=\"", " x1=\"", " y1=\"", " width=\"", " style=\""] {
                for value in page.split(place).skip(1).filter_map(|rest| rest.split('"').next()) {
                    assert!(
                        !value.contains("NaN") && !value.contains("inf"),
                        "{number} × {length}: {place}{value}"
                    );
                }
            }
        }
    }
}

#[test]
fn huge_names_do_not_make_a_huge_page() {
    let name = "ü".repeat(100_000);
    let report = Report {
        name: name.clone(),
        curves: vec![Curve { name: name.clone(), training: vec![1.0], ..Curve::default() }],
        classification: Some(Classification {
            classes: vec![name; 30],
            confusion: vec![vec![1; 30]; 30],
            ..Classification::default()
        }),
        ..Report::default()
    };
    assert!(report.to_html().len() < 100_000);
}

#[test]
fn long_runs_and_many_classes_stay_small() {
    let values: Vec<f64> = (0..1_000_000).map(|i| 1.0 / f64::from(i + 1)).collect();
    let curve =
        Curve { name: "loss".into(), training: values.clone(), validation: values, ..Curve::default() };
    let long = Report { curves: vec![curve], ..Report::default() }.to_html();
    assert!(long.len() < 250_000, "{}", long.len());
    assert!(long.contains("1,000,000 epochs drawn as"));
    let diagonal = |class: usize| (0..1200).map(|other| u64::from(other == class)).collect();
    let confusion = (0..1200).map(diagonal).collect();
    let classification = Some(Classification { confusion, ..Classification::default() });
    let many = Report { classification, ..Report::default() }.to_html();
    assert!(many.len() < 300_000, "{}", many.len());
    assert!(many.contains("1,000 classes"));
}

#[test]
fn what_is_shown_follows_the_data() {
    let digits = samples::all().remove(0).1;
    let page = digits.to_html();
    let best = digits.curves[0].validation[12];
    let expected = ["99.03\u{a0}%".into(), format!("{best:.5}"), "epoch 13 (best)".into()];
    for text in &expected {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.contains("2\u{a0}min 31\u{a0}s") && page.contains("to the byte"));
    assert_eq!(page.matches("data:image/png;base64,").count(), 18);
    let far = BestEpoch { epoch: 21, by: "val_loss".into() };
    let page = Report { best_epoch: Some(far), ..digits }.to_html();
    assert!(!page.contains("(best)"), "an epoch that is not in the curves is not marked");
}

#[test]
fn energy_is_shown_by_parts_with_what_it_includes_or_why_it_is_not_known() {
    let part = |name: &str, energy: &Energy| EnergyPart { name: name.into(), energy: energy.clone() };
    let (some, none) = (Energy::Joules(250.0), Energy::NotMeasured("no counter".into()));
    let page = |energy: &Energy, parts: Vec<EnergyPart>, rate| {
        let energy = Some(energy.clone());
        Report { energy, energy_parts: parts, samples_per_joule: rate, ..Report::default() }.to_html()
    };
    let both = page(&some, vec![part("processor", &none), part("GPU", &some)], Some(7.25));
    for text in [
        "<dt>energy, GPU</dt>",
        "<dt>training examples a joule</dt><dd>7.25</dd>",
        "Energy of the processor not measured: no counter",
        "Energy of the whole GPU, everything that ran there included",
    ] {
        assert!(both.contains(text), "{text}: {both}");
    }
    let one = page(&some, vec![part("processor", &some)], None);
    assert!(one.contains("<dt>energy</dt>") && !one.contains("energy, processor"));
    let nothing = page(&none, vec![part("processor", &none)], None);
    assert_eq!(nothing.matches("no counter").count(), 1);
    assert!(!nothing.contains("everything that ran") && !nothing.contains("a joule"));
}

#[test]
fn a_report_survives_json() {
    for (name, report) in samples::all() {
        let text = serde_json::to_string(&report).unwrap();
        let back: Report = serde_json::from_str(&text).unwrap();
        assert!(serde_json::to_string(&back).unwrap() == text, "{name} changed");
    }
    assert_eq!(serde_json::from_str::<Report>("{}").unwrap(), Report::default());
    let curve: Curve = serde_json::from_str(r#"{"name":"loss","training":[1.0,null]}"#).unwrap();
    assert!(curve.training[1].is_nan());
}
