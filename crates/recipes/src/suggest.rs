//! The nearest of several names.

/// The name nearest to `found` by edits, if it is near enough to be meant.
pub fn nearest<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let edits = |name: &str| distance(&found.to_lowercase(), &name.to_lowercase());
    let names: Vec<&str> = names.into_iter().collect();
    let best = names.iter().copied().min_by_key(|name| edits(name))?;
    if edits(best) <= 1 + found.len() / 4 && !found.is_empty() {
        return Some(best);
    }
    // `rate` for `learning_rate`.
    names.into_iter().find(|name| found.len() >= 3 && name.contains(found))
}

/// Least number of insertions, deletions, substitutions and exchanges of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for j in 0..=b.len() {
        rows[0][j] = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substituted = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = substituted.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn what_was_meant() {
        let names = ["epochs", "batch", "optimizer", "learning_rate", "seed"];
        for (found, meant) in [
            ("epoch", Some("epochs")),
            ("bacth", Some("batch")),
            ("lerning_rate", Some("learning_rate")),
            ("rate", Some("learning_rate")),
            ("Seed", Some("seed")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(found, names), meant, "{found}");
        }
    }
}
