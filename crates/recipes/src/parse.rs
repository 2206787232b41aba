//! From text and overrides to a recipe, with errors that show the place.

use crate::builtin::built_in;
use crate::check::check;
use crate::document::{Document, Problem, below, excerpt};
use crate::overrides::{read, set, split};
use crate::reference::schema;
use crate::schema::{Lines, Recipe};
use crate::starter::has_idx;
use crate::validate::validate;
use std::path::Path;
use std::sync::Arc;
use toml::{Table, Value};
use warploom_data::transform::nearest;
use warploom_train::{Error, Result};

/// The recipe of an argument — the path of a file or of a run's folder, or a built-in name — with `key=value` overrides. It is checked.
///
/// # Errors
/// No such file or name; text that is not TOML; unknown keys, wrong types, values that cannot work.
pub fn find(argument: &str, overrides: &[String]) -> Result<Recipe> {
    if let Some(row) = built_in().iter().find(|row| row.name == argument) {
        return parse(row.text, row.name, overrides);
    }
    let path = Path::new(argument);
    // The folder of a run has its recipe.
    let inside = path.join("recipe.toml");
    if path.is_dir() && inside.is_file() {
        let text = std::fs::read_to_string(&inside).map_err(Error::io("read the recipe", &inside))?;
        return parse(&text, &inside.display().to_string(), overrides);
    }
    if let Some(error) = no_recipe(path) {
        return Err(error);
    }
    let looks_like_a_path = argument.ends_with(".toml") || argument.contains(['/', '\\']);
    if looks_like_a_path || path.exists() {
        let text = std::fs::read_to_string(path).map_err(Error::io("read the recipe", path))?;
        return parse(&text, argument, overrides);
    }
    let names: Vec<&str> = built_in().iter().map(|row| row.name).collect();
    let meant = nearest(argument, names.iter().copied())
        .map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
    Err(Error::invalid(format!(
        "no recipe `{argument}`{meant}: give the path of a TOML file or one of {}",
        names.join(", ")
    )))
}

/// What to write where data stand in a recipe's place.
fn no_recipe(path: &Path) -> Option<Error> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let (what, recipe) = match path.is_dir() {
        true => ("a folder", if has_idx(path) { "mnist" } else { "image-folder" }),
        false if path.is_file() && matches!(ending.as_str(), "csv" | "tsv") => ("a table", "tabular"),
        false => return None,
    };
    let given = path.display();
    Some(Error::invalid(format!(
        "{given} is {what}, and no recipe. To learn from it: warploom train {recipe} data.path={given}. To write a recipe for \
         it that can be changed: warploom new {given} DIR"
    )))
}

/// [`find`] on text that messages call `origin`. All that is wrong is told at once.
///
/// # Errors
/// As [`find`].
pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Recipe> {
    let mut table: Table = toml::from_str(text).map_err(|error| {
        let place = error.span().map_or(String::new(), |place| excerpt(origin, text, place));
        Error::invalid(format!("{origin} is not TOML: {}{place}", error.message()))
    })?;
    let mut document = Document::new(origin, text);
    let mut faults = Vec::new();
    for given in overrides {
        let done = split(given).and_then(|(key, value)| {
            set(&mut table, key, spelt(key, value)).map_err(|why| format!("{given}: {why}"))?;
            document.overridden(key, given);
            Ok(())
        });
        faults.extend(done.err());
    }
    let mut recipe = checked(table, &document, &mut faults);
    // What is built in has no file to look into.
    if let Some(recipe) = recipe.as_mut().filter(|_| built_in().iter().all(|row| row.name != origin)) {
        recipe.model.lines = Lines(Arc::new(document.lines("model")));
    }
    match (recipe, faults.as_slice()) {
        (Some(recipe), []) => Ok(recipe),
        (_, [fault]) => Err(Error::invalid(fault)),
        (_, faults) => {
            Err(Error::invalid(format!("{origin} has {} faults\n\n{}", faults.len(), faults.join("\n\n"))))
        }
    }
}

/// The recipe of a table, as far as there is one; `faults` hears of all that is wrong with it.
fn checked(mut table: Table, document: &Document<'_>, faults: &mut Vec<String>) -> Option<Recipe> {
    let problems = validate(&schema(), &mut table);
    faults.extend(problems.iter().map(|problem| document.show(problem)));
    let wrong: Vec<&str> =
        problems.iter().filter(|problem| !problem.at_key).map(|p| p.key.as_str()).collect();
    wrong.iter().for_each(|key| take_out(&mut table, key));
    let recipe: Recipe = match serde_path_to_error::deserialize(table) {
        Ok(recipe) => recipe,
        Err(error) => {
            // Without what has been said, something is missing.
            if wrong.is_empty() {
                let key = error.path().to_string().replace('[', ".").replace(']', "");
                let message = format!("`{key}`: {}", error.inner().message());
                faults.push(document.show(&Problem::value(key, message)));
            }
            return None;
        }
    };
    // What is said of a table that has a wrong value may follow from that; so may much of how it learns.
    let first = |key: &str| key.split('.').next().unwrap_or_default().to_owned();
    let follows = |problem: &Problem| {
        let own = first(&problem.key);
        wrong.iter().map(|key| first(key)).any(|other| {
            other == own || own == "train" && matches!(other.as_str(), "task" | "data" | "split")
        })
    };
    faults
        .extend(check(&recipe).iter().filter(|problem| !follows(problem)).map(|found| document.show(found)));
    Some(recipe)
}

/// Takes a value out of a recipe; with all that stands with it in a table or list of the second level.
fn take_out(table: &mut Table, key: &str) {
    let mut parts = key.split('.');
    let (Some(first), second) = (parts.next(), parts.next()) else { return };
    match (table.get_mut(first), second) {
        (Some(Value::Table(inner)), Some(second)) => inner.remove(second),
        _ => table.remove(first),
    };
}

/// What an argument sets. `name=2024` is meant as text.
fn spelt(key: &str, value: &str) -> Value {
    const TEXTS: [&str; 8] = [
        "name",
        "description",
        "device",
        "data.path",
        "data.target",
        "data.test_path",
        "data.separator",
        "task",
    ];
    let read = read(value);
    match read.is_str() || !TEXTS.contains(&key) {
        true => read,
        false => Value::String(value.into()),
    }
}

/// Whether a recipe's text lacks only what the user's data decide, and which keys those are.
pub fn open_keys(text: &str) -> Vec<String> {
    let Ok(mut table) = toml::from_str::<Table>(text) else { return Vec::new() };
    let missing = |table: &Table| {
        let problems = validate(&schema(), &mut table.clone());
        problems.into_iter().find_map(|problem| {
            let key = problem.message.split('`').nth(1).filter(|_| problem.message.contains("is missing"))?;
            (*key != below(&problem.key, "kind")).then(|| key.to_owned())
        })
    };
    let mut open = Vec::new();
    while let Some(key) = missing(&table) {
        if set(&mut table, &key, Value::String("x".into())).is_err() {
            break;
        }
        open.push(key);
    }
    open
}
