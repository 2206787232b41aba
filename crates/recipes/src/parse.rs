//! From text and overrides to a recipe, with errors that show the place.

use crate::builtin::built_in;
use crate::check::check;
use crate::document::{Document, Problem, below, excerpt};
use crate::overrides::{read, set, split};
use crate::reference::schema;
use crate::schema::Recipe;
use crate::validate::validate;
use std::path::Path;
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

/// [`find`] on text that messages call `origin`.
///
/// # Errors
/// As [`find`].
pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Recipe> {
    let mut table: Table = toml::from_str(text).map_err(|error| {
        let place = error.span().map_or(String::new(), |place| excerpt(origin, text, place));
        Error::invalid(format!("{origin} is not TOML: {}{place}", error.message()))
    })?;
    let mut document = Document::new(origin, text);
    for given in overrides {
        let (key, value) = split(given).map_err(Error::invalid)?;
        let value = spelt(key, value);
        set(&mut table, key, value).map_err(|why| Error::invalid(format!("{given}: {why}")))?;
        document.overridden(key, given);
    }
    let shown = |problem: Problem| Error::invalid(document.show(&problem));
    validate(&schema(), &mut table).map_err(shown)?;
    let recipe: Recipe = serde_path_to_error::deserialize(table).map_err(|error| {
        let key = error.path().to_string().replace('[', ".").replace(']', "");
        let key = if key == "." { String::new() } else { key };
        shown(Problem::value(key.clone(), format!("`{key}`: {}", error.inner().message())))
    })?;
    check(&recipe).map_err(shown)?;
    Ok(recipe)
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
    let mut open = Vec::new();
    while let Err(problem) = validate(&schema(), &mut table.clone()) {
        let missing = problem.message.split('`').nth(1).filter(|_| problem.message.contains("is missing"));
        let Some(key) = missing.filter(|key| **key != below(&problem.key, "kind")) else { break };
        open.push(key.to_owned());
        if set(&mut table, key, Value::String("x".into())).is_err() {
            break;
        }
    }
    open
}
