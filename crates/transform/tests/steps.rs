//! Fitting, storing and applying steps, by hand-made tables.

use warploom_transform::*;

fn table() -> Table {
    Table::new(vec![
        Column::numbers("age", vec![20.0, 30.0, f64::NAN, 50.0, 90.0]),
        Column::numbers("same", vec![7.0; 5]),
        Column::text("port", [Some("p10"), Some("p2"), Some("p2"), None, Some("p99")]),
        Column::text("name", ["a", "b", "c", "d", "e"].map(Some)),
        Column::text("class", ["yes", "no", "yes", "no", "perhaps"].map(Some)),
    ])
    .unwrap()
}

fn format() -> TableFormat {
    TableFormat { target: Some("class".into()), ..TableFormat::default() }
}

fn impute() -> FitOptions {
    FitOptions {
        missing: Missing::Impute,
        scale: ScaleKind::Symmetric,
        max_categories: 3,
        ..FitOptions::default()
    }
}

#[test]
fn every_column_gets_its_step() {
    let (steps, notes) = TableTransform::fit(&table(), &[0, 1, 2, 3], format(), &impute()).unwrap();
    let names: Vec<&str> = steps.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["age", "same", "port"]);
    let mean = 100.0 / 3.0;
    let age =
        ColumnStep::Number { scale: Scale::Symmetric { minimum: 20.0, maximum: 50.0 }, fill: Some(mean) };
    assert_eq!(steps.columns[0].step, age);
    let ColumnStep::Category { categories, fill, .. } = &steps.columns[2].step else { panic!("categories") };
    assert_eq!((&categories[..], fill.as_deref()), (&["p2".to_owned(), "p10".into()][..], Some("p2")));
    for wanted in [
        "column `age` lacks 1 of 4 values",
        "column `same` is 7 in every training row and becomes 0",
        "column `port` lacks 1 of 4 values; `p2` stands in",
        "column `name` has 4 different texts in 4 rows, more than 3, and is left out",
    ] {
        assert!(notes.iter().any(|note| note.contains(wanted)), "{wanted}: {notes:?}");
    }
    let features = steps.apply(&table()).unwrap();
    assert_eq!(features.names, ["age", "same", "port=p2", "port=p10"]);
    let filled = ((mean - 20.0) / 15.0 - 1.0) as f32;
    let expected = [
        [-1.0, 0.0, 0.0, 1.0],
        [(10.0 / 15.0 - 1.0) as f32, 0.0, 1.0, 0.0],
        [filled, 0.0, 1.0, 0.0],
        [1.0, 0.0, 1.0, 0.0],
        [(70.0_f64 / 15.0 - 1.0) as f32, 0.0, 0.0, 0.0],
    ];
    assert_eq!(features.values, expected.concat());
    assert!(
        features.notes.iter().any(|note| note.contains("1 rows hold a category") && note.contains("`p99`"))
    );
}

#[test]
fn codes_are_numbers_of_categories() {
    let options = FitOptions { encoding: Encoding::Code, ..impute() };
    let (steps, _) = TableTransform::fit(&table(), &[0, 1], format(), &options).unwrap();
    let features = steps.apply(&table()).unwrap();
    let width = features.names.len();
    assert_eq!(features.names, ["age", "same", "port", "name"]);
    let column =
        |place: usize| features.values.iter().skip(place).step_by(width).copied().collect::<Vec<_>>();
    assert_eq!(
        column(2),
        [1.0, 0.0, 0.0, 0.0, 2.0],
        "p2 is 0, p10 is 1, missing is the more frequent or first, and what was never seen comes after all"
    );
    assert_eq!(column(3), [0.0, 1.0, 2.0, 2.0, 2.0]);
}

#[test]
fn what_was_not_asked_to_be_filled_is_refused() {
    let fit = |rows: &[usize]| TableTransform::fit(&table(), rows, format(), &FitOptions::default());
    let error = fit(&[0, 1, 2, 3]).unwrap_err();
    assert!(matches!(&error, Error::Cell { row: 2, column, .. } if column == "age"), "{error}");
    assert!(error.to_string().contains("missing, as in 1 of 4 rows"), "{error}");
    let (steps, _) = fit(&[0, 1]).unwrap();
    let error = steps.apply(&table()).unwrap_err().to_string();
    assert!(error.contains("Row 2 (counted from 0), column `age`: the value is missing"), "{error}");
    let options = FitOptions { unseen: Unseen::Refuse, ..impute() };
    let (steps, _) = TableTransform::fit(&table(), &[0, 1, 2, 3], format(), &options).unwrap();
    let error = steps.apply(&table()).unwrap_err().to_string();
    assert!(
        error.contains("Row 4") && error.contains("`p99` is no category that was there in training"),
        "{error}"
    );
}

#[test]
fn fits_that_make_no_sense_are_refused() {
    let refused = |rows: &[usize], options: FitOptions| {
        TableTransform::fit(&table(), rows, format(), &options).unwrap_err().to_string()
    };
    assert!(refused(&[], impute()).contains("0 of 5 rows were given"));
    assert!(refused(&[5], impute()).contains("1 of 5 rows were given"));
    let leave_out = |names: &[&str]| FitOptions {
        leave_out: names.iter().map(|name| (*name).to_owned()).collect(),
        ..impute()
    };
    assert!(refused(&[0], leave_out(&["agee"])).contains("nearest is `age`"));
    let error = refused(&[0], leave_out(&["age", "same", "port", "name"]));
    assert!(error.contains("No column remains to learn from"), "{error}");
    let (steps, _) = TableTransform::fit(&table(), &[0, 1], format(), &impute()).unwrap();
    let wrong = Table::new(vec![Column::text("age", [Some("x")])]).unwrap();
    assert!(
        steps.apply(&wrong).unwrap_err().to_string().contains("holds text, but numbers were learned from")
    );
}

#[test]
fn what_is_stored_is_what_was_fitted() {
    // Fractions whose shortest decimal form needs every digit.
    let values: Vec<f64> = (1..40).map(|value| (f64::from(value) * 0.377).exp().recip()).collect();
    let rows: Vec<usize> = (0..values.len()).collect();
    for (scale, encoding) in [
        (ScaleKind::Identity, Encoding::Code),
        (ScaleKind::Unit, Encoding::OneHot),
        (ScaleKind::Symmetric, Encoding::OneHot),
        (ScaleKind::Standard, Encoding::Code),
    ] {
        let words = ["ü", "\"", "", "a\nb"];
        let text = Column::text("text", rows.iter().map(|row| Some(words[row % 4])));
        let table = Table::new(vec![Column::numbers("x", values.clone()), text]).unwrap();
        let options = FitOptions { scale, encoding, missing: Missing::Impute, ..FitOptions::default() };
        let (steps, _) = TableTransform::fit(&table, &rows, TableFormat::default(), &options).unwrap();
        let target = TargetTransform::fit_numbers(&table.columns()[0], &rows, scale).unwrap();
        let transform = Transform::new(Input::Table(steps.clone()), target);
        let read = Transform::from_json(&transform.to_json()).unwrap();
        assert_eq!(read, transform);
        let Input::Table(read) = read.input else { panic!("a table") };
        assert_eq!(read.apply(&table).unwrap(), steps.apply(&table).unwrap());
    }
}

#[test]
fn the_document_keeps_its_names() {
    let classes = TargetTransform::Classes { names: vec!["no".into(), "yes".into()] };
    let mut image = ImageTransform::new([3, 4, 5]).unwrap();
    image.pixels = PixelScale::Standard { mean: vec![0.5; 3], deviation: vec![0.25, 0.0, 1.0] };
    let text = Transform::new(Input::Image(image), classes).to_json();
    let compact: String = text.split_whitespace().collect();
    assert_eq!(
        compact,
        r#"{"version":1,"input":{"image":{"channels":3,"height":4,"width":5,"pixels":{"kind":"standard","mean":[0.5,0.5,0.5],"deviation":[0.25,0.0,1.0]}}},"target":{"kind":"classes","names":["no","yes"]}}"#
    );
    for (from, to, wanted) in [
        ("\"version\": 1", "\"version\": 2", "has version 2, this program reads 1 to 1"),
        ("\"version\": 1", "\"version\": 0", "version 0"),
        ("\"channels\": 3", "\"channels\": 2", "2 channels"),
        ("\"height\": 4", "\"height\": 0", "height 0"),
        ("\"height\": 4", "\"heigth\": 4", "unknown field `heigth`"),
        ("\"yes\"", "\"no\"", "stands there twice"),
        ("0.25", "-0.25", "a deviation of at least 0"),
        ("}", "", "cannot be read"),
    ] {
        let error = Transform::from_json(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    for end in 0..text.len() - 1 {
        assert!(Transform::from_json(&text[..end]).is_err());
    }
}

#[test]
fn classes_are_named_as_people_read_them() {
    let of = |cells: &[f64]| TargetTransform::fit_classes(&Column::numbers("y", cells.to_vec()));
    let target = of(&[10.0, 2.0, -0.0, 0.0, 2.5]).unwrap();
    assert_eq!(target.class_names().unwrap(), ["0", "2", "2.5", "10"]);
    assert_eq!(target.apply(&Column::numbers("y", vec![10.0, 0.0])).unwrap(), Coded::Classes(vec![3, 0]));
    let error = target.apply(&Column::numbers("y", vec![10.0, 3.0])).unwrap_err();
    assert!(
        matches!(&error, Error::Cell { row: 1, problem, .. } if problem.contains("the class `3`")),
        "{error}"
    );
    assert!(matches!(of(&[1.0, f64::NAN]).unwrap_err(), Error::Cell { row: 1, .. }));
    assert!(of(&[]).unwrap_err().to_string().contains("has no class"));
    let text = Column::text("y", [Some("a")]);
    assert!(
        TargetTransform::fit_numbers(&text, &[0], ScaleKind::Unit)
            .unwrap_err()
            .to_string()
            .contains("holds text")
    );
}

#[test]
fn texts_that_are_all_different_are_no_classes() {
    let column = |words: &[&'static str]| Column::text("name", words.iter().map(|word| Some(*word)));
    let error = TargetTransform::fit_classes(&column(&["a", "b", "c"])).unwrap_err().to_string();
    assert!(
        error.contains("`name` holds 3 texts, each of them once") && error.contains("data.target"),
        "{error}"
    );
    TargetTransform::fit_classes(&column(&["a", "b", "c", "a"])).unwrap();
}

#[test]
fn pixels_are_scaled_by_channel() {
    let scaled = |scale: &PixelScale, bytes: &[u8], channels| {
        let mut values = Vec::new();
        scale.apply(bytes, channels, &mut values);
        values
    };
    assert_eq!(scaled(&PixelScale::Unit, &[0, 51, 255], 1), [0.0, 0.2, 1.0]);
    assert_eq!(scaled(&PixelScale::Symmetric, &[0, 255], 1), [-1.0, 1.0]);
    let standard = PixelScale::Standard { mean: vec![0.0, 0.5], deviation: vec![0.5, 0.0] };
    assert_eq!(scaled(&standard, &[0, 255, 255, 0], 2), [0.0, 2.0, 0.5, -0.5]);
    let mut histogram = [0; 256];
    (histogram[0], histogram[255]) = (3, 1);
    let fitted = PixelScale::standard(&[histogram]).unwrap();
    assert_eq!(fitted, PixelScale::Standard { mean: vec![0.25], deviation: vec![0.1875_f32.sqrt()] });
    assert!(PixelScale::standard(&[[0; 256]]).unwrap_err().to_string().contains("No pixels"));
}

#[test]
fn pictures_have_the_extents_of_their_bytes() {
    for extents in [[2, 2, 1], [0, 5, 1], [1, 5, 4], [usize::MAX, 2, 3]] {
        let error = Picture::new(vec![0; 5], extents).unwrap_err().to_string();
        assert!(error.contains("5 bytes are no picture"), "{error}");
    }
    let colours = Picture::new(vec![255, 0, 0, 0, 255, 0, 0, 0, 255], [1, 3, 3]).unwrap();
    let mut grey = Vec::new();
    ImageTransform::new([1, 1, 3]).unwrap().resize(&colours, &mut grey);
    assert_eq!(grey, [76, 150, 29], "ITU-R BT.601");
    let mut planes = Vec::new();
    ImageTransform::new([3, 1, 3]).unwrap().resize(&colours, &mut planes);
    assert_eq!(planes, [255, 0, 0, 0, 255, 0, 0, 0, 255]);
    assert!(ImageTransform::new([2, 1, 1]).is_err() && ImageTransform::new([1, 1, 8193]).is_err());
}
