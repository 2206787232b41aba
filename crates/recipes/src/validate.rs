//! Keys, types and ranges of a recipe held against its JSON Schema, so that each is said once: in the types of `schema`.
//!
//! Only what `schemars` makes of those types is understood: `$ref`, `type`, `properties`, `required`,
//! `additionalProperties`, `items`, bounds, `const`, `anyOf`, and `oneOf` told apart by `kind`.

use crate::document::{Key, Problem, below};
use serde_json::Value as Schema;
use toml::{Table, Value};
use warploom_data::transform::nearest;

/// The first problem of `table`. Words that stand for tables with a `kind` become those tables.
pub fn validate(root: &Schema, table: &mut Table) -> Result<(), Problem> {
    Validator { root }.table(root, table, "")
}

struct Validator<'a> {
    root: &'a Schema,
}

type Checked = Result<(), Problem>;

impl<'a> Validator<'a> {
    fn resolved(&self, schema: &'a Schema) -> &'a Schema {
        match schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            Some(name) => &self.root["$defs"][name],
            None => schema,
        }
    }

    fn value(&self, schema: &'a Schema, value: &mut Value, key: &str) -> Checked {
        let schema = self.resolved(schema);
        if let Some(cases) = schema["oneOf"].as_array() {
            return self.one_of(cases, value, key);
        }
        if let Some(cases) = schema["anyOf"].as_array() {
            return self.any_of(cases, value, key);
        }
        let types: Vec<&str> = match &schema["type"] {
            Schema::Array(types) => types.iter().filter_map(Schema::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let wanted = || wanted(schema, &types);
        let refused =
            |found: &Value| Err(Problem::value(key, format!("`{key}`: found {}, {}", show(found), wanted())));
        match value {
            Value::Table(table) if types.contains(&"object") => self.table(schema, table, key),
            Value::Array(list) if types.contains(&"array") => self.list(schema, list, key),
            Value::Integer(number) if types.contains(&"integer") || types.contains(&"number") => {
                self.number(schema, *number as f64, value, key, &wanted())
            }
            Value::Float(number) if types.contains(&"number") => {
                self.number(schema, *number, value, key, &wanted())
            }
            Value::Boolean(_) if types.contains(&"boolean") => Ok(()),
            Value::String(text) if types.contains(&"string") => match schema["maxLength"].as_u64() {
                Some(most) if text.chars().count() as u64 > most => refused(value),
                _ => Ok(()),
            },
            other => refused(other),
        }
    }

    fn number(&self, schema: &Schema, number: f64, value: &Value, key: &str, wanted: &str) -> Checked {
        let bound = |name: &str| schema[name].as_f64();
        let within = number.is_finite()
            && bound("minimum").is_none_or(|least| number >= least)
            && bound("maximum").is_none_or(|most| number <= most)
            && bound("exclusiveMinimum").is_none_or(|least| number > least)
            && bound("exclusiveMaximum").is_none_or(|most| number < most);
        match within {
            true => Ok(()),
            false => Err(Problem::value(key, format!("`{key}` is {value}; {wanted}"))),
        }
    }

    fn list(&self, schema: &'a Schema, list: &mut [Value], key: &str) -> Checked {
        if let Some(count) = schema["minItems"].as_u64().filter(|count| *count != list.len() as u64) {
            return Err(Problem::value(key, format!("`{key}` has {} elements; give {count}", list.len())));
        }
        list.iter_mut()
            .enumerate()
            .try_for_each(|(at, value)| self.value(&schema["items"], value, &below(key, at)))
    }

    fn table(&self, schema: &'a Schema, table: &mut Table, key: &str) -> Checked {
        let none = serde_json::Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&none);
        for (name, value) in table.iter_mut() {
            match properties.get(name) {
                Some(property) => self.value(property, value, &below(key, name))?,
                None if schema["additionalProperties"].is_object() => {
                    self.value(&schema["additionalProperties"], value, &below(key, name))?;
                }
                None => return Err(unknown(schema, &below(key, name), name)),
            }
        }
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Schema::as_str);
        match required.into_iter().find(|name| !table.contains_key(*name)) {
            Some(name) => Err(missing(self.resolved(&schema["properties"][name]), schema, key, name)),
            None => Ok(()),
        }
    }

    /// Words, or tables told apart by `kind`.
    fn one_of(&self, cases: &'a [Schema], value: &mut Value, key: &str) -> Checked {
        let tagged = cases.iter().any(|case| case["type"] == "object");
        if let (true, Value::String(kind)) = (tagged, &*value) {
            *value = Value::Table(Table::from_iter([("kind".to_owned(), Value::String(kind.clone()))]));
        }
        let (word, at): (&Value, Key) = match (tagged, &*value) {
            (true, Value::Table(table)) => match table.get("kind") {
                Some(kind) => (kind, below(key, "kind")),
                None => {
                    let kinds = quoted(&words(cases));
                    return Err(Problem::value(key, format!("`{}` is missing: {kinds}", below(key, "kind"))));
                }
            },
            _ => (&*value, key.to_owned()),
        };
        let known = words(cases);
        match word.as_str().and_then(|word| known.iter().position(|name| *name == word)) {
            Some(case) if tagged => match value {
                Value::Table(table) => self.table(&cases[case], table, key),
                _ => Ok(()),
            },
            Some(_) => Ok(()),
            None => {
                let found = word.as_str().unwrap_or_default();
                let meant = nearest(found, known.iter().copied());
                let meant = meant.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
                let message =
                    format!("`{at}` cannot be {}{meant} Possible: {}", show(word), known.join(", "));
                Err(Problem::value(at, message))
            }
        }
    }

    /// The first case that fits, else the problem of the one that fits best: of the value's own type.
    fn any_of(&self, cases: &'a [Schema], value: &mut Value, key: &str) -> Checked {
        let mut first: Option<Problem> = None;
        for case in cases.iter().filter(|case| case["type"] != "null") {
            let problem = match self.value(case, value, key) {
                Ok(()) => return Ok(()),
                Err(problem) => problem,
            };
            // A problem further inside, or of a value, says more than one of the type.
            let better = first.as_ref().is_none_or(|best| {
                problem.key.len() > best.key.len()
                    || (best.message.contains(": found ") && !problem.message.contains(": found "))
            });
            if better {
                first = Some(problem);
            }
        }
        Err(first.unwrap_or_else(|| Problem::value(key, format!("`{key}` cannot be {}", show(value)))))
    }
}

/// What `oneOf` tells apart.
fn words(cases: &[Schema]) -> Vec<&str> {
    cases
        .iter()
        .filter_map(|case| case["const"].as_str().or_else(|| case["properties"]["kind"]["const"].as_str()))
        .collect()
}

fn unknown(schema: &Schema, key: &str, name: &str) -> Problem {
    let known: Vec<&str> =
        schema["properties"].as_object().into_iter().flatten().map(|(known, _)| known.as_str()).collect();
    let meant = nearest(name, known.iter().copied());
    let meant = meant.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    let kind = schema["properties"]["kind"]["const"].as_str();
    let of = kind.map_or(String::new(), |kind| format!(" of kind `{kind}`"));
    Problem::key(key, format!("unknown key `{key}`{of}{meant} Known here: {}", known.join(", ")))
}

fn missing(property: &Schema, table: &Schema, key: &str, name: &str) -> Problem {
    // A description beside a reference says more than that of the type.
    let about =
        table["properties"][name]["description"].as_str().or(property["description"].as_str()).unwrap_or("");
    let about = about.lines().next().unwrap_or("").trim_end_matches('.');
    let (full, value) = (below(key, name), property["x-value"].as_str().unwrap_or("…"));
    let advice = format!("say it in the recipe or as {full}={value}");
    Problem::value(key, format!("`{full}` is missing ({about}); {advice}"))
}

fn quoted(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

/// A value as a person would write it, cut short.
fn show(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = match value {
        Value::Table(_) => return "a table of keys".into(),
        Value::Array(_) => return "a list".into(),
        Value::String(text) => format!("`{text}`"),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => value.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// What would do.
fn wanted(schema: &Schema, types: &[&str]) -> String {
    let number = |name: &str| schema[name].as_f64();
    let least = match (number("minimum"), number("exclusiveMinimum")) {
        (Some(least), _) => format!(" of {least} and more"),
        (None, Some(least)) => format!(" above {least}"),
        (None, None) => String::new(),
    };
    let most = match (number("maximum"), number("exclusiveMaximum")) {
        // The largest number of the type is no bound that people set.
        (Some(most), _) if most < 4e9 => format!(", at most {most}"),
        (_, Some(most)) => format!(", below {most}"),
        _ => String::new(),
    };
    let one = |name: &&str| match *name {
        "integer" => Some(format!("a whole number{least}{most} is wanted")),
        "number" => Some(format!("a number{least}{most} is wanted")),
        "string" if schema["maxLength"] == 1 => Some("one character is wanted".to_owned()),
        "string" => Some("text is wanted".to_owned()),
        "boolean" => Some("true or false is wanted".to_owned()),
        "array" => Some("a list is wanted".to_owned()),
        "object" => {
            let example = schema["properties"].as_object().and_then(|known| known.keys().next());
            Some(format!("a table of keys is wanted, such as {}", example.map_or("kind", String::as_str)))
        }
        _ => None,
    };
    types.iter().find_map(one).unwrap_or_else(|| "something else is wanted".into())
}
