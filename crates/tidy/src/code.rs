//! Rust source without what is not code.

/// The text with comments and the contents of strings and characters replaced by spaces; lines stay where they are.
pub fn without_comments_and_strings(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skipped(&chars, at);
        if end == at {
            kept.push(chars[at]);
            at += 1;
        } else {
            kept.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    kept
}

/// The end of the comment, string or character that begins at `at`; `at` itself where none does.
fn skipped(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => find(chars, at, |rest| rest[0] == '\n'),
        '/' if next == Some('*') => block_comment(chars, at),
        '"' => quoted(chars, at),
        'r' if !continues_word(chars, at) => raw_string(chars, at).unwrap_or(at),
        '\'' => character(chars, at),
        _ => at,
    }
}

fn continues_word(chars: &[char], at: usize) -> bool {
    // The prefixes of byte and C strings are part of the string.
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') && !matches!(chars[at - 1], 'b' | 'c')
}

fn find(chars: &[char], from: usize, found: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|at| found(&chars[*at..])).unwrap_or(chars.len())
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < chars.len() {
        match chars[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

fn raw_string(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(start + 1 + hashes) != Some(&'"') {
        return None;
    }
    let closes = |rest: &[char]| {
        rest[0] == '"' && rest.len() > hashes && rest[1..1 + hashes].iter().all(|c| *c == '#')
    };
    Some((find(chars, start + 2 + hashes, closes) + 1 + hashes).min(chars.len()))
}

/// A lifetime is no character.
fn character(chars: &[char], at: usize) -> usize {
    match chars[at + 1..] {
        ['\\', _, ..] => (find(chars, at + 3, |rest| rest[0] == '\'') + 1).min(chars.len()),
        [_, '\'', ..] => at + 3,
        _ => at,
    }
}

/// Numbers of the lines, from 1, that contain `word` with no letter, digit or underscore on either side.
pub fn lines_with_word(text: &str, word: &str) -> Vec<usize> {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let has = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            !line[..at].ends_with(part_of_word) && !line[at + word.len()..].starts_with(part_of_word)
        })
    };
    text.lines().zip(1..).filter(|(line, _)| has(line)).map(|(_, number)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::{lines_with_word, without_comments_and_strings};

    #[test]
    fn what_is_not_code_is_blank() {
        let text = "a // unsafe\nb /* unsafe /* unsafe */ unsafe */ c\n\"un\\\"safe\" d r#\"unsafe\"unsafe\"# e 'u' '\\'' 'f";
        let kept = without_comments_and_strings(text);
        assert_eq!(kept.split_whitespace().collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "'f"]);
        assert_eq!(kept.lines().count(), text.lines().count());
    }

    #[test]
    fn words_are_whole() {
        let text = "unsafe_code\nunsafe {\nfn(unsafe)\nnot_unsafe";
        assert_eq!(lines_with_word(text, "unsafe"), [2, 3]);
    }
}
