//! `key=value`: what the command line sets.

use toml::{Table, Value};

/// The key and the value of an argument.
pub fn split(given: &str) -> Result<(&str, &str), String> {
    match given.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim(), value.trim())),
        _ => Err(format!("`{given}` is not key=value; for example train.epochs=5")),
    }
}

/// As TOML reads it, else text.
pub fn read(value: &str) -> Value {
    match format!("value = {value}").parse::<Table>() {
        Ok(mut table) if table.len() == 1 => {
            table.remove("value").unwrap_or_else(|| Value::String(value.into()))
        }
        _ => Value::String(value.into()),
    }
}

/// Sets a dotted key; numbers choose from lists. A word on the way is the `kind` of a table that is written short.
pub fn set(table: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let (above, last) = crate::document::parent(key);
    let mut place = table;
    let mut parts = above.split('.').filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        let mut next = place.entry(part).or_insert_with(|| Value::Table(Table::new()));
        // Positions in lists, of lists.
        while let Value::Array(list) = next {
            match parts.next() {
                Some(position) => next = element(list, position)?,
                None => {
                    *element(list, last)? = value;
                    return Ok(());
                }
            }
        }
        if let Value::String(kind) = next {
            *next =
                Value::Table(Table::from_iter([("kind".to_owned(), Value::String(std::mem::take(kind)))]));
        }
        place = match next {
            Value::Table(table) => table,
            other => {
                let wanted = parts.peek().unwrap_or(&last);
                return Err(format!("`{wanted}` is looked for in {}, which has no keys", other.type_str()));
            }
        };
    }
    place.insert(last.to_owned(), value);
    Ok(())
}

fn element<'a>(list: &'a mut [Value], part: &str) -> Result<&'a mut Value, String> {
    let count = list.len();
    let found = part.parse::<usize>().ok().and_then(|position| list.get_mut(position));
    found.ok_or_else(|| format!("`{part}` is not the position of one of {count} elements, numbered from 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_set_in_tables_lists_and_short_forms() {
        let mut table: Table = "a = 1\nl = [{ x = 1 }, [2, 3]]\nk = \"sgd\"".parse().unwrap();
        for (key, value) in
            [("b.c.d", "1"), ("l.0.x", "5"), ("l.1.1", "7"), ("k.momentum", "0.9"), ("a", "word")]
        {
            set(&mut table, key, read(value)).unwrap();
        }
        let wanted =
            "a = \"word\"\nb.c.d = 1\nl = [{ x = 5 }, [2, 7]]\nk = { kind = \"sgd\", momentum = 0.9 }";
        assert_eq!(table, wanted.parse().unwrap());
        let mut fails = |key: &str| set(&mut table, key, Value::Integer(1)).unwrap_err();
        assert!(fails("l.2.x").contains("`2` is not the position of one of 2 elements"));
        assert!(fails("l.0.x.y").contains("`y` is looked for in integer"));
    }
}
