//! Keys, types and ranges of a recipe held against its JSON Schema, so that each is said once: in the types of `schema`.
//!
//! Only what `schemars` makes of those types is understood: `$ref`, `type`, `properties`, `required`,
//! `additionalProperties`, `items`, bounds, `const`, `anyOf`, and `oneOf` told apart by `kind`.

use crate::document::{Key, Problem, below};
use crate::proposals::{meant, places};
use serde_json::Value as Schema;
use toml::{Table, Value};

/// All problems of `table`, none where it is sound. Words that stand for tables with a `kind` become those tables; keys that
/// are not known are taken out.
pub fn validate(root: &Schema, table: &mut Table) -> Vec<Problem> {
    Validator { root }.table(root, table, "")
}

struct Validator<'a> {
    root: &'a Schema,
}

type Problems = Vec<Problem>;

impl<'a> Validator<'a> {
    fn resolved(&self, schema: &'a Schema) -> &'a Schema {
        match schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            Some(name) => &self.root["$defs"][name],
            None => schema,
        }
    }

    fn value(&self, schema: &'a Schema, value: &mut Value, key: &str) -> Problems {
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
        let refused = |found: &Value| {
            vec![Problem::value(key, format!("`{key}`: found {}, {}", show(found), wanted()))]
        };
        match value {
            Value::Table(table) if types.contains(&"object") => self.table(schema, table, key),
            Value::Array(list) if types.contains(&"array") => self.list(schema, list, key),
            Value::Integer(number) if types.contains(&"integer") || types.contains(&"number") => {
                self.number(schema, *number as f64, value, key, &wanted())
            }
            Value::Float(number) if types.contains(&"number") => {
                self.number(schema, *number, value, key, &wanted())
            }
            Value::Boolean(_) if types.contains(&"boolean") => Vec::new(),
            Value::String(text) if types.contains(&"string") => match schema["maxLength"].as_u64() {
                Some(most) if text.chars().count() as u64 > most => refused(value),
                _ => Vec::new(),
            },
            other => refused(other),
        }
    }

    fn number(&self, schema: &Schema, number: f64, value: &Value, key: &str, wanted: &str) -> Problems {
        let bound = |name: &str| schema[name].as_f64();
        let within = number.is_finite()
            && bound("minimum").is_none_or(|least| number >= least)
            && bound("maximum").is_none_or(|most| number <= most)
            && bound("exclusiveMinimum").is_none_or(|least| number > least)
            && bound("exclusiveMaximum").is_none_or(|most| number < most);
        match within {
            true => Vec::new(),
            false => vec![Problem::value(key, format!("`{key}` is {value}; {wanted}"))],
        }
    }

    fn list(&self, schema: &'a Schema, list: &mut [Value], key: &str) -> Problems {
        if let Some(count) = schema["minItems"].as_u64().filter(|count| *count != list.len() as u64) {
            return vec![Problem::value(key, format!("`{key}` has {} elements; give {count}", list.len()))];
        }
        let elements = list.iter_mut().enumerate();
        elements.flat_map(|(at, value)| self.value(&schema["items"], value, &below(key, at))).collect()
    }

    fn table(&self, schema: &'a Schema, table: &mut Table, key: &str) -> Problems {
        let none = serde_json::Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&none);
        let others = &schema["additionalProperties"];
        let mut problems = Vec::new();
        table.retain(|name, value| {
            let full = below(key, name);
            match properties.get(name) {
                Some(property) => problems.extend(self.value(property, value, &full)),
                None if others.is_object() => problems.extend(self.value(others, value, &full)),
                None => {
                    problems.push(self.unknown(schema, &full, name));
                    return false;
                }
            }
            true
        });
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Schema::as_str);
        let absent = required.filter(|name| !table.contains_key(*name));
        let missing = |name| missing(self.resolved(&schema["properties"][name]), schema, key, name);
        problems.extend(absent.map(missing));
        problems
    }

    /// Words, or tables told apart by `kind`.
    fn one_of(&self, cases: &'a [Schema], value: &mut Value, key: &str) -> Problems {
        let tagged = cases.iter().any(|case| case["type"] == "object");
        let known = words(cases);
        let possible = known.join(", ");
        let (word, at): (Value, Key) = match (tagged, &*value) {
            (true, Value::Table(table)) => match table.get("kind") {
                Some(kind) => (kind.clone(), below(key, "kind")),
                None => {
                    let message = format!("`{}` is missing: one of {possible}", below(key, "kind"));
                    return vec![Problem::value(key, message)];
                }
            },
            // A word, which may stand for a table.
            _ => (value.clone(), key.to_owned()),
        };
        let Some(case) = word.as_str().and_then(|word| known.iter().position(|name| *name == word)) else {
            let meant = meant(word.as_str().unwrap_or_default(), &known);
            let message = format!("`{at}` cannot be {}{meant} Possible: {possible}.", show(&word));
            return vec![Problem::value(at, message)];
        };
        if let (true, Value::String(kind)) = (tagged, &*value) {
            *value = Value::Table(Table::from_iter([("kind".to_owned(), Value::String(kind.clone()))]));
        }
        match value {
            Value::Table(table) if tagged => self.table(&cases[case], table, key),
            _ => Vec::new(),
        }
    }

    /// Nothing if a case fits, else the problems of the one that fits best: of the value's own type.
    fn any_of(&self, cases: &'a [Schema], value: &mut Value, key: &str) -> Problems {
        let mut best: Option<Problems> = None;
        for case in cases.iter().filter(|case| case["type"] != "null") {
            let mut changed = value.clone();
            let problems = self.value(case, &mut changed, key);
            let Some(first) = problems.first() else {
                *value = changed;
                return Vec::new();
            };
            // A problem further inside, or of a value, says more than one of the type.
            let better = best.as_ref().and_then(|best| best.first()).is_none_or(|best| {
                first.key.len() > best.key.len()
                    || (best.message.contains(": found ") && !first.message.contains(": found "))
            });
            if better {
                best = Some(problems);
            }
        }
        best.unwrap_or_else(|| vec![Problem::value(key, format!("`{key}` cannot be {}", show(value)))])
    }

    /// Of a key that `schema` does not have: what was meant, here or elsewhere in a recipe.
    fn unknown(&self, schema: &Schema, key: &str, name: &str) -> Problem {
        let known: Vec<&str> =
            schema["properties"].as_object().into_iter().flatten().map(|(known, _)| known.as_str()).collect();
        let mut elsewhere = places(self.root, name);
        // Of another kind of the same table.
        elsewhere.retain(|other| other != key);
        let meant = match elsewhere.as_slice() {
            [] => meant(name, &known),
            [first @ .., last] => {
                let list =
                    |all: &[Key]| all.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
                let or = if first.is_empty() { String::new() } else { format!("{} or ", list(first)) };
                format!("; did you mean {or}`{last}`?")
            }
        };
        let kind = schema["properties"]["kind"]["const"].as_str();
        let of = kind.map_or(String::new(), |kind| format!(" of kind `{kind}`"));
        Problem::key(key, format!("unknown key `{key}`{of}{meant} Known here: {}.", known.join(", ")))
    }
}

/// What `oneOf` tells apart.
fn words(cases: &[Schema]) -> Vec<&str> {
    cases
        .iter()
        .filter_map(|case| case["const"].as_str().or_else(|| case["properties"]["kind"]["const"].as_str()))
        .collect()
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
