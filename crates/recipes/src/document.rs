//! A recipe's text with its overrides: which place stands for which key, and messages that show it.

use std::collections::HashMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key, spelt as overrides spell it: `model.layers.1.units`. Empty for the whole recipe.
pub type Key = String;

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub key: Key,
    /// Whether the key itself is wrong, not its value.
    pub at_key: bool,
    /// What.
    pub message: String,
}

impl Problem {
    /// With a value.
    pub fn value(key: impl Into<Key>, message: impl Into<String>) -> Problem {
        Problem { key: key.into(), at_key: false, message: message.into() }
    }

    /// With a key's name.
    pub fn key(key: impl Into<Key>, message: impl Into<String>) -> Problem {
        Problem { key: key.into(), at_key: true, message: message.into() }
    }
}

/// The part of `key` before its last dot, and after it.
pub fn parent(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

/// `key` followed by `part`.
pub fn below(key: &str, part: impl std::fmt::Display) -> Key {
    if key.is_empty() { part.to_string() } else { format!("{key}.{part}") }
}

/// Text, what messages call it, and where its keys stand.
pub struct Document<'a> {
    origin: &'a str,
    text: &'a str,
    /// Where a key's name and its value stand in `text`.
    places: HashMap<Key, [Range<usize>; 2]>,
    /// Arguments that set keys, the last first.
    overrides: Vec<(Key, &'a str)>,
}

impl<'a> Document<'a> {
    /// Of `text`, which is TOML or has no places.
    pub fn new(origin: &'a str, text: &'a str) -> Document<'a> {
        let mut document = Document { origin, text, places: HashMap::new(), overrides: Vec::new() };
        if let Ok(table) = DeTable::parse(text) {
            document.table("", table.get_ref());
        }
        document
    }

    fn table(&mut self, above: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            self.value(below(above, name.get_ref()), name.span(), value);
        }
    }

    fn value(&mut self, key: Key, name: Range<usize>, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(&key, table),
            DeValue::Array(list) => {
                for (position, element) in list.iter().enumerate() {
                    self.value(below(&key, position), element.span(), element);
                }
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
        self.places.insert(key, [name, value.span()]);
    }

    /// Notes that the argument `given` set `key`.
    pub fn overridden(&mut self, key: &str, given: &'a str) {
        self.overrides.insert(0, (key.to_owned(), given));
    }

    /// The lines, `file:14`, of the keys below `above` that no argument set.
    pub fn lines(&self, above: &str) -> HashMap<Key, String> {
        let inside = |key: &str, other: &str| key == other || key.starts_with(&below(other, ""));
        let set = |key: &str| self.overrides.iter().any(|(set, _)| inside(key, set) || inside(set, key));
        let wanted = self.places.iter().filter(|(key, _)| inside(key, above) && !set(key));
        let line = |place: &Range<usize>| self.text[..place.start].matches('\n').count() + 1;
        wanted.map(|(key, [_, value])| (key.clone(), format!("{}:{}", self.origin, line(value)))).collect()
    }

    /// A message that shows the place of the problem: the argument that set the key or one above it, else the line of text.
    pub fn show(&self, problem: &Problem) -> String {
        let mut key = problem.key.as_str();
        let mut name = problem.at_key;
        loop {
            let sets = |set: &Key| set == key || (key == problem.key && set.starts_with(&below(key, "")));
            if let Some((_, given)) = self.overrides.iter().find(|(set, _)| sets(set)) {
                let equals = given.find('=').unwrap_or(given.len());
                let value = (equals + 1).min(given.len());
                let place = if name { 0..equals } else { value..given.len() };
                return format!("{}{}", problem.message, excerpt("the command line", given, place));
            }
            if let Some([at_name, at_value]) = self.places.get(key) {
                let place = if name { at_name } else { at_value };
                return format!("{}{}", problem.message, excerpt(self.origin, self.text, place.clone()));
            }
            if key.is_empty() {
                return format!("{}\n --> {}", problem.message, self.origin);
            }
            (key, name) = (parent(key).0, false);
        }
    }
}

/// The line of `text` that has `place`, numbered, with carets below; a place of several lines is shown by its first.
pub fn excerpt(origin: &str, text: &str, place: Range<usize>) -> String {
    let at =
        |byte: usize| (0..=byte.min(text.len())).rev().find(|byte| text.is_char_boundary(*byte)).unwrap_or(0);
    let (begin, end) = (at(place.start), at(place.end));
    let first = text[..begin].rfind('\n').map_or(0, |newline| newline + 1);
    let last = text[begin..].find('\n').map_or(text.len(), |newline| begin + newline);
    let (number, column) = (text[..first].matches('\n').count() + 1, text[first..begin].chars().count() + 1);
    let width = text[begin..end.clamp(begin, last)].chars().count().max(1);
    let line = text[first..last].trim_end().replace('\t', " ");
    let margin = " ".repeat(number.to_string().len());
    let (indent, carets) = (" ".repeat(column - 1), "^".repeat(width));
    format!(
        "\n{margin}--> {origin}:{number}:{column}\n{margin} |\n{number} | {line}\n{margin} | {indent}{carets}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"a\"\n[train]\nepochs = 0 # none\nlist = [\n  { kind = \"ä\", x = 1 },\n]\n";

    #[test]
    fn problems_are_shown_where_they_stand() {
        let mut document = Document::new("a.toml", TEXT);
        for (problem, place, line) in [
            (Problem::value("train.epochs", "few"), "a.toml:3:10", "3 | epochs = 0 # none\n  |          ^"),
            (Problem::key("train.epochs", "few"), "a.toml:3:1", "3 | epochs = 0 # none\n  | ^^^^^^"),
            (
                Problem::value("train.list.0.x", ""),
                "a.toml:5:21",
                "5 |   { kind = \"ä\", x = 1 },\n  |                     ^",
            ),
            (Problem::value("train.missing", ""), "a.toml:2:1", "2 | [train]\n  | ^^^^^^^"),
        ] {
            let shown = document.show(&problem);
            assert!(shown.contains(place) && shown.ends_with(line), "{shown}");
        }
        assert_eq!(document.lines("train.list")["train.list.0"], "a.toml:5");
        document.overridden("train.list.0.x", "train.list.0.x=2");
        assert_eq!(document.lines("train.list").get("train.list.0"), None);
        document.overridden("train.epochs", "train.epochs=-1");
        let shown = document.show(&Problem::value("train.epochs", "few"));
        assert!(
            shown.ends_with("--> the command line:1:14\n  |\n1 | train.epochs=-1\n  |              ^^"),
            "{shown}"
        );
    }
}
