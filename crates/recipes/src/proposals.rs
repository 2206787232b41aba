//! What was meant by a word that a recipe does not know.

use crate::document::{Key, below};
use serde_json::Value as Schema;
use warploom_data::transform::nearest;

/// Most places that are proposed for a key.
const SHOWN: usize = 3;

/// Ends a sentence about `found`: with a question where one of `known` is near, else with a full stop.
pub fn meant(found: &str, known: &[&str]) -> String {
    let initials = |name: &&&str| {
        name.contains('_') && name.split('_').filter_map(|word| word.chars().next()).eq(found.chars())
    };
    // `mse` is nearer to nothing by its letters.
    let near = known.iter().find(initials).copied().or_else(|| nearest(found, known.iter().copied()));
    near.map_or_else(|| ".".to_owned(), |near| format!("; did you mean `{near}`?"))
}

/// The keys of a recipe that are called `name`, as overrides spell them; nothing where they are too many to help.
pub fn places(root: &Schema, name: &str) -> Vec<Key> {
    let mut found = Vec::new();
    search(root, root, "", name, &mut found);
    found.sort_by_key(|key| key.matches('.').count());
    if found.len() > SHOWN { Vec::new() } else { found }
}

fn search(root: &Schema, schema: &Schema, key: &str, name: &str, found: &mut Vec<Key>) {
    let cases = ["oneOf", "anyOf"].into_iter().filter_map(|list| schema[list].as_array()).flatten();
    cases.for_each(|case| search(root, case, key, name, found));
    if let Some(definition) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        search(root, &root["$defs"][definition], key, name, found);
    }
    // Lists have no keys of their own: layers are passed over.
    for (known, property) in schema["properties"].as_object().into_iter().flatten() {
        let full = below(key, known);
        if known == name && known != "kind" && !found.contains(&full) {
            found.push(full.clone());
        }
        search(root, property, &full, name, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::schema;

    #[test]
    fn keys_are_found_wherever_they_are() {
        let schema = schema();
        assert_eq!(places(&schema, "epochs"), ["train.epochs", "train.checkpoints.epochs"]);
        assert_eq!(places(&schema, "layers"), ["model.layers"]);
        assert_eq!(places(&schema, "momentum"), ["train.optimizer.momentum"]);
        assert_eq!(places(&schema, "nothing"), [""; 0]);
        // In so many places that none of them is meant.
        assert_eq!(places(&schema, "kind"), [""; 0]);
    }

    #[test]
    fn sentences_end() {
        let known = ["cross_entropy", "mean_squared_error", "huber"];
        assert_eq!(meant("mse", &known), "; did you mean `mean_squared_error`?");
        assert_eq!(meant("hubr", &known), "; did you mean `huber`?");
        assert_eq!(meant("xyz", &known), ".");
    }
}
