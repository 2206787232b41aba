//! From text and overrides to a recipe, with errors that name the key.

use crate::builtin::built_in;
use crate::check::check;
use crate::schema::Recipe;
use crate::suggest::nearest;
use std::path::Path;
use toml::{Table, Value};
use warploom_train::{Error, Result};

/// The recipe of an argument, a path or a built-in name, with `key=value` overrides. It is checked.
///
/// # Errors
/// No such file or name; text that is not TOML; unknown keys, wrong types, values that cannot work.
pub fn find(argument: &str, overrides: &[String]) -> Result<Recipe> {
    if let Some(row) = built_in().iter().find(|row| row.name == argument) {
        return parse(row.text, row.name, overrides);
    }
    let path = Path::new(argument);
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
    let mut table: Table =
        text.parse().map_err(|error| Error::invalid(format!("{origin} is not TOML: {error}")))?;
    for given in overrides {
        let (key, value) = split(given)?;
        set(&mut table, key, read(value)).map_err(|why| Error::invalid(format!("{given}: {why}")))?;
    }
    let recipe = match deserialize(&table) {
        Ok(recipe) => Ok(recipe),
        // `name=2024` is meant as text where text is wanted.
        Err(Failure { key, message }) => {
            match overrides.iter().map(|o| split(o)).find(|o| o.as_ref().is_ok_and(|o| o.0 == key)) {
                Some(Ok((key, value))) if message.contains("expected a string") => {
                    set(&mut table, key, Value::String(value.into())).map_err(Error::invalid)?;
                    deserialize(&table)
                }
                _ => Err(Failure { key, message }),
            }
        }
    };
    let recipe = recipe.map_err(|failure| Error::invalid(format!("{origin}: {}", failure.explained())))?;
    check(&recipe).map_err(|message| Error::invalid(format!("{origin}: {message}")))?;
    Ok(recipe)
}

/// Where deserializing failed, and what it said.
struct Failure {
    key: String,
    message: String,
}

fn deserialize(table: &Table) -> std::result::Result<Recipe, Failure> {
    serde_path_to_error::deserialize::<_, Recipe>(table.clone()).map_err(|error| {
        let key = error.path().to_string();
        // `layers[1].units` is spelt as overrides spell it.
        let key = key.replace('[', ".").replace(']', "");
        Failure {
            key: if key == "." { String::new() } else { key },
            message: error.inner().message().to_owned(),
        }
    })
}

impl Failure {
    fn explained(&self) -> String {
        let Failure { key, message } = self;
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let (section, last) = key.rsplit_once('.').unwrap_or(("", key));
        let among = |names: &[&str]| names.join(", ");
        match quoted.split_first() {
            Some((found, names)) if message.starts_with("unknown field") => {
                let section = if last == *found { section } else { key };
                let full =
                    if section.is_empty() { (*found).to_owned() } else { format!("{section}.{found}") };
                let meant = nearest(found, names.iter().copied())
                    .map_or(String::new(), |name| format!("; did you mean `{name}`?"));
                format!("unknown key `{full}`{meant} Known here: {}", among(names))
            }
            Some((found, names)) if message.starts_with("unknown variant") => {
                let meant = nearest(found, names.iter().copied())
                    .map_or(String::new(), |name| format!("; did you mean `{name}`?"));
                format!("`{key}` cannot be `{found}`{meant} Possible: {}", among(names))
            }
            Some((found, _)) if message.starts_with("missing field") => {
                let full = if key.is_empty() { (*found).to_owned() } else { format!("{key}.{found}") };
                format!("`{full}` is missing; say it in the recipe or as {full}=…")
            }
            _ => format!("`{key}`: {}", plainly(message)),
        }
    }
}

/// serde's words for types in the user's.
fn plainly(message: &str) -> String {
    let mut text = message.trim().replace("expected usize", "a whole number of 0 and more is wanted");
    for (from, to) in [
        ("expected u64", "a whole number of 0 and more is wanted"),
        ("expected u32", "a whole number of 0 and more is wanted"),
        ("expected f64", "a number is wanted"),
        ("expected a boolean", "true or false is wanted"),
        ("expected a string", "text is wanted"),
        ("expected a sequence", "a list is wanted"),
        ("expected struct Train", "keys are wanted, such as train.epochs"),
        ("expected struct Data", "keys are wanted, such as data.kind"),
        ("expected struct ModelRecipe", "keys are wanted, such as model.layers"),
        ("expected struct Layer", "keys are wanted, such as kind and units"),
        ("invalid type: ", "found "),
        ("invalid value: ", "found "),
    ] {
        text = text.replace(from, to);
    }
    text
}

fn split(given: &str) -> Result<(&str, &str)> {
    match given.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim(), value.trim())),
        _ => Err(Error::invalid(format!("`{given}` is not key=value; for example train.epochs=5"))),
    }
}

/// As TOML reads it, else text.
fn read(value: &str) -> Value {
    match format!("value = {value}").parse::<Table>() {
        Ok(mut table) if table.len() == 1 => {
            table.remove("value").unwrap_or_else(|| Value::String(value.into()))
        }
        _ => Value::String(value.into()),
    }
}

/// Sets a dotted key; numbers choose from lists.
fn set(table: &mut Table, key: &str, value: Value) -> std::result::Result<(), String> {
    let mut parts = key.split('.');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let Some(last) = rest.last() else {
        table.insert(first.to_owned(), value);
        return Ok(());
    };
    let mut place = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
    for part in &rest[..rest.len() - 1] {
        place = step(place, part)?;
    }
    match place {
        Value::Table(table) => {
            table.insert((*last).to_owned(), value);
        }
        Value::Array(list) => *element(list, last)? = value,
        other => return Err(format!("`{last}` is looked for in {}, which has no keys", other.type_str())),
    }
    Ok(())
}

fn step<'a>(place: &'a mut Value, part: &str) -> std::result::Result<&'a mut Value, String> {
    match place {
        Value::Table(table) => Ok(table.entry(part).or_insert_with(|| Value::Table(Table::new()))),
        Value::Array(list) => element(list, part),
        other => Err(format!("`{part}` is looked for in {}, which has no keys", other.type_str())),
    }
}

fn element<'a>(list: &'a mut [Value], part: &str) -> std::result::Result<&'a mut Value, String> {
    let count = list.len();
    let found = part.parse::<usize>().ok().and_then(|position| list.get_mut(position));
    found.ok_or_else(|| format!("`{part}` is not the position of one of {count} elements, numbered from 0"))
}
