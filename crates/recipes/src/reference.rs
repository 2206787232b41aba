//! The JSON Schema of recipes, and the reference that people read, both from the types and doc comments of `schema`.

use crate::builtin::built_in;
use crate::parse::open_keys;
use crate::schema::Recipe;
use serde_json::Value;
use std::fmt::Write;

/// The JSON Schema (draft 2020-12) of a recipe.
pub fn schema() -> Value {
    schemars::schema_for!(Recipe).into()
}

/// `docs/recipes.md`.
pub fn reference() -> String {
    let schema = schema();
    let mut text = String::from(HEAD);
    for row in built_in() {
        let about = row.text.lines().take_while(|line| line.starts_with('#')).map(|line| line[1..].trim());
        let about = about.collect::<Vec<_>>().join(" ");
        let needs: Vec<String> = open_keys(row.text).iter().map(|key| format!("`{key}`")).collect();
        let _ = writeln!(text, "| `{}` | {} | {about} |", row.name, needs.join(", "));
    }
    let _ = writeln!(text, "\n## Keys\n\n{}\n", paragraphs(&schema));
    keys(&mut text, &schema);
    let mut shown = Vec::new();
    let mut waiting = references(&schema["properties"]);
    while !waiting.is_empty() {
        let name = waiting.remove(0);
        if shown.contains(&name) {
            continue;
        }
        let kind = &schema["$defs"][&name];
        definition(&mut text, &name, kind);
        // What it refers to follows it.
        let inner = references(kind);
        waiting.splice(0..0, inner);
        shown.push(name);
    }
    text
}

const HEAD: &str = "# Recipes

A recipe is a TOML file that says data, network and training. `warploom train RECIPE` takes the path of one or a name from the
table; `key=value` overrides any key: `warploom train digits train.epochs=5 train.schedule=one_cycle`. `warploom new` writes one
to start from. `warploom recipes --schema` prints the JSON Schema, which editors use to complete and check.

This page is made from the source by `warploom recipes --reference`, and a test holds it to it.

## Built in

| name | needs | |
|---|---|---|
";

/// The names of what a schema refers to, in order.
fn references(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str().filter(|_| key == "$ref").and_then(|path| path.strip_prefix("#/$defs/"))
                {
                    Some(name) => found.push(name.to_owned()),
                    None => found.extend(references(value)),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| found.extend(references(value))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

fn paragraphs(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

fn definition(text: &mut String, name: &str, schema: &Value) {
    let _ = writeln!(text, "\n### {name}\n\n{}\n", paragraphs(schema));
    if let Some(cases) = schema["oneOf"].as_array() {
        for case in cases {
            let about = paragraphs(case);
            match case["const"].as_str() {
                Some(word) => {
                    let _ = writeln!(text, "- `{word}`: {about}");
                }
                None => {
                    let kind = case["properties"]["kind"]["const"].as_str().unwrap_or_default();
                    let _ = writeln!(text, "\n#### kind = \"{kind}\"\n\n{about}\n");
                    keys(text, case);
                }
            }
        }
    } else if let Some(cases) = schema["anyOf"].as_array() {
        for case in cases {
            let about = paragraphs(case);
            let about = if about.is_empty() { String::new() } else { format!(": {about}") };
            let _ = writeln!(text, "- {}{about}", kind_of(case));
        }
    } else {
        keys(text, schema);
    }
}

fn keys(text: &mut String, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    let rows: Vec<_> = properties
        .iter()
        .filter(|(name, _)| *name != "kind" || schema["properties"]["kind"]["const"].is_null())
        .collect();
    if rows.is_empty() {
        return;
    }
    text.push_str("| key | value | default | |\n|---|---|---|---|\n");
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|list| list.iter().any(|one| one == name));
    for (name, property) in rows {
        let default = match &property["default"] {
            _ if required(name) => "needed".to_owned(),
            Value::Null | Value::Object(_) => String::new(),
            Value::String(text) if text.is_empty() => String::new(),
            value => format!("`{value}`"),
        };
        let about = paragraphs(property).replace('|', "\\|");
        let _ = writeln!(text, "| `{name}` | {} | {default} | {about} |", kind_of(property));
    }
}

/// What a value is, in words.
fn kind_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(cases) = schema["anyOf"].as_array() {
        let cases: Vec<String> = cases.iter().filter(|case| case["type"] != "null").map(kind_of).collect();
        return cases.join(" or ");
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").cloned().unwrap_or_default(),
        kind => kind.clone(),
    };
    match kind.as_str().unwrap_or_default() {
        "integer" => "whole number".into(),
        "boolean" => "`true` or `false`".into(),
        "string" => "text".into(),
        "array" => format!("list of {}", kind_of(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => "table of numbers by name".into(),
        "object" => "table".into(),
        other => other.to_owned(),
    }
}
