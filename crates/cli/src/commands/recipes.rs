//! `warploom recipes`.

use super::Ended;
use crate::args::Recipes;
use crate::output::{line, table};
use serde_json::{Value, json};
use std::process::ExitCode;
use warploom::recipes::{BuiltIn, Recipe, built_in, parse};

/// The recipe of a row. Those that need a folder are given one, to be listed.
fn read(row: &BuiltIn) -> warploom::Result<(Recipe, bool)> {
    match parse(row.text, row.name, &[]) {
        Ok(recipe) => Ok((recipe, false)),
        Err(_) => Ok((parse(row.text, row.name, &["data.path=DIR".into()])?, true)),
    }
}

pub fn recipes(given: &Recipes) -> Ended {
    let mut list: Vec<Value> = Vec::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in built_in() {
        let (recipe, needs_path) = read(row)?;
        let needs: &[&str] = if needs_path { &["data.path"] } else { &[] };
        list.push(json!({
            "name": row.name, "task": recipe.task.name(), "description": recipe.description, "needs": needs,
        }));
        rows.push(vec![format!("{:<14} {:<22} {}", row.name, recipe.task.name(), recipe.description)]);
    }
    match given.json {
        true => line(Value::Array(list)),
        false => table(&rows),
    }
    Ok(ExitCode::SUCCESS)
}
