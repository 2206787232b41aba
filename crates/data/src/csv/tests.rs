use super::*;
use crate::array::{Targets, Values};
use crate::error::Error;
use crate::parts::SplitRule;
use crate::testing::{Folder, damaged};
use warploom_transform::{
    Cells, FitOptions, Input, Missing, Scale, ScaleKind, TargetTransform, Transform, Unseen,
};

const HOUSES: &str = "rooms,sea,price\n2,near,100.5\n3,far,200\n4,near,300\n5,isle,400\n";

fn open(name: &str, text: impl AsRef<[u8]>, options: &CsvOptions) -> crate::Result<CsvFile> {
    let folder = Folder::new(name);
    CsvFile::open(folder.write("table.csv", text), options)
}

fn refusal(name: &str, text: impl AsRef<[u8]>, options: &CsvOptions) -> String {
    open(name, text, options).unwrap_err().to_string()
}

fn plain() -> CsvOptions {
    CsvOptions::default()
}

fn numbers(data: &CsvData) -> Vec<f32> {
    let Values::F32(values) = data.dataset.features().values() else { panic!("numbers") };
    values.clone()
}

#[test]
fn a_table_becomes_what_the_steps_say() {
    let file = open("houses", HOUSES, &plain()).unwrap();
    assert_eq!((file.task(), file.table().rows(), file.lines()), (Task::Regression, 4, &[2, 3, 4, 5][..]));
    let fit = CsvFit {
        columns: FitOptions { scale: ScaleKind::Unit, ..FitOptions::default() },
        target: ScaleKind::Unit,
    };
    let fitted = file.fit(&[0, 1, 2], &fit).unwrap();
    assert_eq!(
        fitted.transform.target,
        TargetTransform::Numbers { scale: Scale::Unit { minimum: 100.5, maximum: 300.0 } }
    );
    let data = file.dataset(&fitted.transform).unwrap();
    assert_eq!(data.dataset.feature_names(), ["rooms", "sea=far", "sea=near"]);
    assert_eq!(numbers(&data), [0.0, 0.0, 1.0, 0.5, 1.0, 0.0, 1.0, 0.0, 1.0, 1.5, 0.0, 0.0]);
    let Targets::Values { values, width: 1 } = data.dataset.targets() else { panic!("numbers") };
    assert_eq!((values[0], values[2]), (0.0, 1.0));
    assert_eq!(fitted.transform.target.restore(values[3]).round(), 400.0);
    assert!(
        data.notes[0].contains("column `sea`: 1 rows") && data.notes[0].contains("`isle`"),
        "{:?}",
        data.notes
    );
}

#[test]
fn nothing_but_the_training_rows_is_looked_at() {
    let file = open("leak", HOUSES, &plain()).unwrap();
    let other = HOUSES.replace("5,isle,400", "-90,moon,7e9");
    let other = open("leak-2", other, &plain()).unwrap();
    let fit = |file: &CsvFile| file.fit(&[0, 1, 2], &CsvFit::default()).unwrap();
    assert_eq!(fit(&file), fit(&other));
}

#[test]
fn separators_headers_and_kinds_are_found() {
    for (name, text, separator, header, names) in [
        ("semicolon", "a;b;c\n1;2,y;x\n", ';', true, ["a", "b", "c"]),
        ("tab", "1\t2\tx\n", '\t', false, ["column_1", "column_2", "column_3"]),
        ("bar", "\n\n \"p|q;;;;\"|r|s\n1|2|x\n", '|', true, ["p|q;;;;", "r", "s"]),
        ("mark", "\u{feff}a, b ,c\r\n 1 , ?,x\r\n", ',', true, ["a", "b", "c"]),
        ("unnamed", ",b,\n1,2,x\n", ',', true, ["column_1", "b", "column_3"]),
    ] {
        let text = text.replace(" \"p", "\"p");
        let file = open(name, text, &plain()).unwrap();
        assert_eq!((file.format().separator, file.format().header), (separator, header), "{name}");
        assert_eq!(file.format().columns, names, "{name}");
    }
    let file = open("spaces", "1, x,yes\n ?,y ,no\n", &plain()).unwrap();
    let Cells::Numbers(values) = &file.table().columns()[0].cells else { panic!("numbers") };
    assert!(values[0] == 1.0 && values[1].is_nan());
    let Cells::Text(words) = &file.table().columns()[1].cells else { panic!("text") };
    assert_eq!(words.words(), ["x", "y"]);
    let codes = vec![("zip".to_owned(), ColumnKind::Text), ("id".to_owned(), ColumnKind::Ignore)];
    let file =
        open("said", "id,zip,y\n1,01,0.5\n2,02,1.5\n", &CsvOptions { kinds: codes, ..plain() }).unwrap();
    assert_eq!(file.table().columns().len(), 2);
    let Cells::Text(words) = &file.table().columns()[0].cells else { panic!("text") };
    assert_eq!(words.words(), ["01", "02"]);
}

#[test]
fn the_target_decides_what_is_learned() {
    let table = |targets: &[&str]| targets.iter().fold("x,y\n".to_owned(), |text, y| text + "1," + y + "\n");
    let whole: Vec<String> = (0..42).map(|value| (value % 21).to_string()).collect();
    let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
    for (name, targets, task) in [
        ("texts", &["a", "b", "c"][..], Task::Classification),
        ("repeated", &["0", "1", "1.0", "0"], Task::Classification),
        ("distinct", &["1", "2", "3"], Task::Regression),
        ("fractions", &["0.5", "1", "0.5", "1"], Task::Regression),
        ("many", &whole, Task::Regression),
    ] {
        assert_eq!(open(name, table(targets), &plain()).unwrap().task(), task, "{name}");
    }
    let said = |task| CsvOptions { task: Some(task), ..plain() };
    let file = open("as-classes", table(&["10", "9", "10"]), &said(Task::Classification)).unwrap();
    let fitted = file.fit(&[0, 1], &CsvFit::default()).unwrap();
    assert_eq!(fitted.transform.target.class_names().unwrap(), ["9", "10"], "in natural order");
    assert_eq!(
        file.dataset(&fitted.transform).unwrap().dataset.labels().unwrap().collect::<Vec<_>>(),
        [1, 0, 1]
    );
    let error = refusal("as-numbers", table(&["1", "b", "3"]), &said(Task::Regression));
    assert!(error.contains("line 3, column 2 (`y`): `b` stands where numbers should be"), "{error}");
}

#[test]
fn the_target_is_any_column() {
    let text = "price,rooms,sea\n100.5,2,near\n200,3,far\n";
    for target in [TargetColumn::Named("price".into()), TargetColumn::Position(0)] {
        let file = open("first", text, &CsvOptions { target, ..plain() }).unwrap();
        assert_eq!((file.task(), file.format().target.as_deref()), (Task::Regression, Some("price")));
        let fitted = file.fit(&[0, 1], &CsvFit::default()).unwrap();
        let Input::Table(table) = &fitted.transform.input else { panic!("a table") };
        assert_eq!(table.columns.iter().map(|column| &column.name[..]).collect::<Vec<_>>(), ["rooms", "sea"]);
    }
    let options = |target| CsvOptions { target, ..plain() };
    let error = refusal("misspelt", text, &options(TargetColumn::Named("prize".into())));
    assert!(
        error.contains("no column `prize`; the nearest is `price`; it has `price`, `rooms`, `sea`"),
        "{error}"
    );
    let error = refusal("beyond", text, &options(TargetColumn::Position(3)));
    assert!(error.contains("column 3 (counted from 0) is the target, but there are 3"), "{error}");
    let kinds = vec![("roms".to_owned(), ColumnKind::Text)];
    let error = refusal("kinds", text, &CsvOptions { kinds, ..plain() });
    assert!(error.contains("no column `roms`; the nearest is `rooms`"), "{error}");
}

#[test]
fn bad_files_are_errors_with_line_and_column() {
    let mixed = (0..20).fold("x,y\n".to_owned(), |text, row| text + &format!("{row},{}\n", row as f32 / 3.0));
    for (name, text, wanted) in [
        ("empty", "", "line 1: the file is empty"),
        ("blank", " \n\n", "line 1: the file is empty"),
        ("header", "a,b\n", "line 1: a header stands here, but no row follows"),
        ("single", "a\n1\n", "line 1: the file has one column, `a`"),
        ("short", "a,b\n1,2\n\n3\n", "line 4: 1 cells stand here, but 2 in the first line"),
        ("long", "a,b\n1,2\n1,2,3\n", "line 3: 3 cells stand here"),
        ("twins", "a,b,a\n1,2,3\n", "line 1: two columns are called `a`"),
        ("infinite", "a,b\n1,2.5\n1e999,2\n", "line 3, column 1 (`a`): `1e999` is too large"),
        (
            "among",
            &mixed.replace("\n7,", "\nseven,"),
            "line 9, column 1 (`x`): `seven` stands where numbers should be, as 19",
        ),
    ] {
        let error = refusal(name, text, &plain());
        assert!(error.contains(wanted) && error.contains("table.csv"), "{name}: {error}");
    }
    let error = refusal("latin", b"a,b\n1,caf\xe9\n", &plain());
    assert!(error.contains("line 2: a cell is not UTF-8"), "{error}");
    let error = refusal("comma", "a,b\n1,2\n", &CsvOptions { separator: Some('é'), ..plain() });
    assert!(error.contains("one ASCII character"), "{error}");
    let folder = Folder::new("no-file");
    assert!(matches!(CsvFile::open(&folder.0, &plain()).unwrap_err(), Error::NotAFile { .. }));
    assert!(matches!(CsvFile::open(folder.0.join("none"), &plain()).unwrap_err(), Error::Io { .. }));
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    let text = "a,b,c\n\n1,\"two\nlines\",x\n\n\n2,y,x\n3,y";
    let error = refusal("lines", text, &plain());
    assert!(error.contains("line 8: 2 cells"), "{error}");
    let file = open("lines-2", text.to_owned() + ",x\n", &plain()).unwrap();
    assert_eq!(file.lines(), [3, 7, 8]);
    let two = text.replace('\n', "\r\n");
    let error = refusal("lines-3", &two, &plain());
    assert!(error.contains("line 8: 2 cells"), "{error}");
    for (name, end) in [("lines-4", ",x\r\n"), ("lines-5", ",x")] {
        assert_eq!(open(name, two.clone() + end, &plain()).unwrap().lines(), [3, 7, 8]);
    }
}

#[test]
fn numbers_with_commas_are_not_taken_for_categories() {
    let wanted =
        "line 2, column 1 (`a`): `1,5` is a number written with a comma, as 2 of the column's 3 values are";
    for text in ["a;b\n1,5;x\n2;y\n-3,25;x\n", "a;b\n1,5;x\n2;y\n-3,25;x\n?;y\n"] {
        let error = refusal("comma", text, &plain());
        assert!(error.contains(wanted) && error.contains("decimal points"), "{error}");
    }
    let error =
        refusal("target", "a;b\n1;1,5\n2;2,5\n", &CsvOptions { task: Some(Task::Regression), ..plain() });
    assert!(error.contains("(`b`): `1,5` is a number written with a comma"), "{error}");
    let said = CsvOptions { kinds: vec![("a".into(), ColumnKind::Text)], ..plain() };
    open("said-comma", "a;b\n1,5;x\n2,5;y\n", &said).unwrap();
    open("words", "a;b\nno, 5;x\n2,5;y\n", &plain()).unwrap();
}

#[test]
fn missing_values_are_refused_or_filled() {
    let text = "x,s,y\n1,a,yes\n,b,no\n3,,yes\n5,b,no\n";
    let file = open("holes", text, &plain()).unwrap();
    let error = file.fit(&[0, 1, 2, 3], &CsvFit::default()).unwrap_err().to_string();
    assert!(error.contains("line 3, column 1 (`x`): the value is missing, as in 1 of 4 rows"), "{error}");
    let fit = CsvFit {
        columns: FitOptions { missing: Missing::Impute, scale: ScaleKind::Identity, ..FitOptions::default() },
        ..CsvFit::default()
    };
    let fitted = file.fit(&[0, 1, 2, 3], &fit).unwrap();
    assert_eq!(
        fitted.notes,
        ["column `x` lacks 1 of 4 values; 3 stands in", "column `s` lacks 1 of 4 values; `b` stands in"]
    );
    let data = file.dataset(&fitted.transform).unwrap();
    assert_eq!(numbers(&data), [1.0, 1.0, 0.0, 3.0, 0.0, 1.0, 3.0, 0.0, 1.0, 5.0, 0.0, 1.0]);
    assert_eq!(data.notes[0], "column `x`: 1 missing values were filled with 3");
    let unlearned = open("holes-2", text.replace(",no", ","), &plain()).unwrap();
    let error =
        unlearned.parts(&SplitRule::Random { validation: 0.0, test: 0.5, seed: 0 }).unwrap_err().to_string();
    assert!(error.contains("line 3, column 3 (`y`): the target is missing"), "{error}");
}

#[test]
fn classes_are_at_least_two_and_known() {
    let text = "x,y\n1,yes\n2,no\n3,yes\n4,no\n";
    let one = open("one", text.replace("no", "yes"), &plain()).unwrap();
    let error = one.fit(&[0, 1], &CsvFit::default()).unwrap_err().to_string();
    assert!(error.contains("The target `y` has one class: `yes` alone"), "{error}");
    let folder = Folder::new("classes");
    let file = CsvFile::open(folder.write("train.csv", text), &plain()).unwrap();
    let fitted = file.fit(&[0, 1, 2, 3], &CsvFit::default()).unwrap();
    let other = folder.write("test.csv", "y,x\nno,1\nmaybe,2\n");
    let error = read_labelled(other, &fitted.transform).unwrap_err().to_string();
    assert!(error.contains("line 3, column 1 (`y`): the class `maybe` was not there in training"), "{error}");
    let same = folder.write("same.csv", "y,x\nno,1\nyes,4\n");
    let labelled = read_labelled(same, &fitted.transform).unwrap().dataset;
    assert_eq!(labelled.labels().unwrap().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn raw_files_are_read_as_the_training_file() {
    let folder = Folder::new("reuse");
    let file = CsvFile::open(folder.write("train.csv", HOUSES), &plain()).unwrap();
    let fit = CsvFit {
        columns: FitOptions { unseen: Unseen::Refuse, ..FitOptions::default() },
        ..CsvFit::default()
    };
    let fitted = file.fit(&[0, 1, 2, 3], &fit).unwrap();
    let stored = Transform::from_json(&fitted.transform.to_json()).unwrap();
    let whole = numbers(&file.dataset(&stored).unwrap());
    let read = |text: &str| read_features(folder.write("new.csv", text), &stored);
    let Values::F32(rows) = read("sea,extra,rooms\nnear,9,2\nfar,9,3\n").unwrap().features.values().clone()
    else {
        panic!("numbers")
    };
    assert_eq!(rows, whole[..8], "columns are found by name");
    for (text, wanted) in [
        (
            "room,sea\n2,near\n",
            "`rooms`, which was learned from, is not there; the nearest is `room`; there are `room`, `sea`",
        ),
        ("rooms,sea\n2,near\n3,moon\n", "line 3, column 2 (`sea`): `moon` is no category"),
        ("rooms,sea\ntwo,near\n", "line 2, column 1 (`rooms`): `two` stands where numbers should be"),
        ("rooms,sea\n,near\n", "line 2, column 1 (`rooms`): the value is missing"),
        (
            "rooms;sea\n2;near\n",
            "looks cut at ';', but it is read as cut at ','. Cut it at ',', as the table is",
        ),
        ("rooms,sea\n", "no row follows"),
        ("", "the file is empty"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.contains("new.csv"), "{error}");
    }
}

#[test]
fn files_without_header_go_by_position() {
    let folder = Folder::new("headless");
    let text = "5,1.5,a\n6,2.5,b\n7,3.5,a\n";
    let options = CsvOptions { target: TargetColumn::Position(0), ..plain() };
    let file = CsvFile::open(folder.write("train.csv", text), &options).unwrap();
    let transform = file.fit(&[0, 1, 2], &CsvFit::default()).unwrap().transform;
    let whole = numbers(&file.dataset(&transform).unwrap());
    for text in ["1.5,a\n2.5,b\n", "0,1.5,a\n0,2.5,b\n"] {
        let rows = read_features(folder.write("new.csv", text), &transform).unwrap();
        assert_eq!(rows.features.values(), &Values::F32(whole[..6].to_vec()));
    }
    let error = read_features(folder.write("new.csv", "1.5\n"), &transform).unwrap_err().to_string();
    assert!(
        error.contains("1 cells stand here, but the model learned from 2 columns and the target"),
        "{error}"
    );
    assert!(!error.contains("looks cut"), "{error}");
    let error = read_features(folder.write("new.csv", "1.5;a\n"), &transform).unwrap_err().to_string();
    assert!(error.contains("looks cut at ';', but it is read as cut at ','"), "{error}");
    assert!(read_labelled(folder.write("new.csv", "1.5,a\n"), &transform).is_err());
}

#[test]
fn damaged_files_never_panic() {
    let folder = Folder::new("damaged");
    let path = folder.write("table.csv", HOUSES);
    let transform =
        CsvFile::open(&path, &plain()).unwrap().fit(&[0, 1, 2], &CsvFit::default()).unwrap().transform;
    damaged(HOUSES.as_bytes(), 1500, |bytes| {
        let path = folder.write("table.csv", bytes);
        let _ = read_features(&path, &transform);
        let _ = read_labelled(&path, &transform);
        if let Ok(file) = CsvFile::open(&path, &plain()) {
            let rows: Vec<usize> = (0..file.table().rows()).collect();
            if let Ok(fitted) = file.fit(&rows, &CsvFit::default()) {
                file.dataset(&fitted.transform).unwrap();
            }
        }
    });
}
