//! `warploom recipes`.

use super::Ended;
use crate::args::Recipes;
use crate::output::{line, table};
use serde_json::{Value, json};
use std::process::ExitCode;
use warploom::recipes::{built_in, open_keys, parse, reference, schema};

pub fn recipes(given: &Recipes) -> Ended {
    if given.schema {
        line(format_args!("{:#}", schema()));
        return Ok(ExitCode::SUCCESS);
    }
    if given.reference {
        line(reference().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let mut list: Vec<Value> = Vec::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in built_in() {
        // Those that need something are given it, to be listed.
        let needs = open_keys(row.text);
        let filled: Vec<String> = needs.iter().map(|key| format!("{key}=X")).collect();
        let recipe = parse(row.text, row.name, &filled)?;
        list.push(json!({
            "name": row.name, "task": recipe.task.name(), "description": recipe.description, "needs": needs,
        }));
        let needs: String = needs.iter().map(|key| format!("; needs {key}=…")).collect();
        rows.push(vec![format!("{:<14} {:<22} {}{needs}", row.name, recipe.task.name(), recipe.description)]);
    }
    match given.json {
        true => line(Value::Array(list)),
        false => table(&rows),
    }
    Ok(ExitCode::SUCCESS)
}
