//! Names: their order, and which was meant.

use std::cmp::Ordering;

/// The order in which people count: digits are compared as numbers, everything else by character, so that `s2` comes
/// before `s10`. Names that differ in leading zeros alone are ordered by character.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (x, y) = (digits(left), digits(right));
        if !x.is_empty() && !y.is_empty() {
            let order = by_value(x, y);
            if order.is_ne() {
                return order;
            }
            (left, right) = (&left[x.len()..], &right[y.len()..]);
            continue;
        }
        let (mut next, mut other) = (left.chars(), right.chars());
        match (next.next(), other.next()) {
            (None, None) => return a.cmp(b),
            (x, y) if x != y => return x.cmp(&y),
            _ => (left, right) = (next.as_str(), other.as_str()),
        }
    }
}

fn digits(text: &str) -> &str {
    &text[..text.bytes().take_while(u8::is_ascii_digit).count()]
}

/// Digits of any length, so no number is too large.
fn by_value(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// The name nearest to `found` by edits, if it is near enough to be meant.
pub fn nearest<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = found.to_lowercase();
    let names: Vec<&str> = names.into_iter().collect();
    let edits = |name: &&&str| distance(&lower, &name.to_lowercase());
    let best = names.iter().min_by_key(edits).copied()?;
    if !found.is_empty() && edits(&&best) <= 1 + found.chars().count() / 4 {
        return Some(best);
    }
    // `age` for `age_in_years`.
    names.into_iter().find(|name| lower.chars().count() >= 3 && name.to_lowercase().contains(&lower))
}

/// Least number of insertions, deletions, substitutions and exchanges of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substituted = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substituted.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// ``; the nearest is `name` `` where one is near, and all names unless they are many.
pub(crate) fn proposal(found: &str, names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let near = nearest(found, names.iter().copied());
    let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{near}; there are {}{more}", list(&names[..names.len().min(SHOWN)]))
}

/// `` `a`, `b` ``.
pub(crate) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_as_people_count() {
        let mut names = ["s10", "s2", "s1", "s02", "10.pgm", "9.pgm", "b", "a", "", "s2x", "é1", "é"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["", "9.pgm", "10.pgm", "a", "b", "s1", "s02", "s2", "s2x", "s10", "é", "é1"]);
        let long = ["1".repeat(40), "2".repeat(39)];
        assert_eq!(natural_order(&long[0], &long[1]), Ordering::Greater);
    }

    #[test]
    fn the_order_is_total() {
        let names = ["0", "00", "a0", "a00", "a", "a1", "1a", "01a", "1", "01", "a01b", "a1b", "-1"];
        for x in names {
            for y in names {
                assert_eq!(natural_order(x, y), natural_order(y, x).reverse(), "{x} {y}");
                assert_eq!(natural_order(x, y).is_eq(), x == y, "{x} {y}");
                for z in names {
                    if natural_order(x, y).is_le() && natural_order(y, z).is_le() {
                        assert!(natural_order(x, z).is_le(), "{x} {y} {z}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_meant() {
        let names = ["median_income", "age", "Total Rooms", "größe"];
        for (found, meant) in [
            ("medianincome", Some("median_income")),
            ("income", Some("median_income")),
            ("AGE", Some("age")),
            ("total rooms", Some("Total Rooms")),
            ("größ", Some("größe")),
            ("zzzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(found, names), meant, "{found}");
        }
        assert_eq!(nearest("a", []), None);
    }
}
