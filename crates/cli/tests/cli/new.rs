//! `warploom new`.

use crate::common::{Folder, mixed, pgm};
use std::fs;

#[test]
fn recipes_to_start_from_run_as_they_are() {
    let folder = Folder::new();
    let rows: String = (0..60)
        .map(|row| format!("{row},{},{}\n", mixed(row, 50), ["yes", "no"][mixed(row, 50) % 2]))
        .collect();
    folder.write("my data.csv", format!("id,a,answer\n{rows}").as_bytes());
    let said = folder.command().args(["new", "my data.csv", "table"]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains("`answer`") && said.contains("classification") && said.contains("warploom train"),
        "{said}"
    );
    let text = fs::read_to_string(folder.path("table/recipe.toml")).unwrap();
    assert!(text.contains("leave_out = [\"id\"]") && text.contains("target = \"answer\""), "{text}");
    folder.run("train table/recipe.toml train.epochs=1 train.batch=8 --out a").ok();

    for (class, name) in ["cat", "dog"].iter().enumerate() {
        for index in 0..10 {
            folder.write(
                &format!("pets/{name}/{index}.pgm"),
                &pgm(16, 16, |y, x| ((y * class + x) * 9 % 251) as u8),
            );
        }
    }
    folder.run("new pets pictures").ok();
    let text = fs::read_to_string(folder.path("pictures/recipe.toml")).unwrap();
    assert!(
        text.contains("size = 16") && text.contains("channels = 1") && text.contains("cat, dog"),
        "{text}"
    );
    folder.run("train pictures/recipe.toml train.epochs=1 --out b").ok();

    // Pictures that are too small for the network are enlarged.
    for (class, index) in (0..2).flat_map(|class| (0..10).map(move |index| (class, index))) {
        folder.write(&format!("icons/{class}/{index}.pgm"), &pgm(8, 8, |y, x| ((y * class + x) * 9) as u8));
    }
    folder.run("new icons tiny").ok();
    folder.run("train tiny/recipe.toml train.epochs=1 --out d").ok();

    // A column that could be a number of the row is kept where it is the only one.
    let rows: String = (0..30).map(|row| format!("{row},{}\n", 2 * row)).collect();
    folder.write("line.csv", format!("a,y\n{rows}").as_bytes());
    folder.run("new line.csv line").ok();
    folder.run("train line/recipe.toml train.epochs=1 --out c").ok();

    // What is said to come next can be pasted.
    let spaced = folder.command().args(["new", "digits", "my folder"]).output().unwrap();
    let spaced = String::from_utf8(spaced.stdout).unwrap();
    assert!(spaced.contains("warploom train 'my folder/recipe.toml'\n"), "{spaced}");

    folder.run("new digits").ok();
    folder.run("plan recipe.toml").ok();
    folder.run("new digits").fails(2, &["recipe.toml", "there already"]);
    folder.run("new digts elsewhere").fails(2, &["`digts`", "did you mean `digits`?"]);
    folder.run("new pets elsewhere --target x").fails(2, &["--target", "CSV"]);
    folder.write("empty/x/readme.txt", b"");
    folder.run("new empty elsewhere2").fails(2, &["empty", "no pictures"]);
}

#[test]
fn schema_and_reference() {
    let folder = Folder::new();
    let schema: serde_json::Value = serde_json::from_str(&folder.run("recipes --schema").ok().out).unwrap();
    assert!(schema["properties"]["train"].is_object());
    assert!(folder.run("recipes --reference").ok().out.starts_with("# Recipes\n"));
}
