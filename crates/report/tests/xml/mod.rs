//! A small reader of XML that says where a page is not well-formed: tags that do not match, attributes without quotes or
//! twice, bare `<` and `&`.

/// Whether the page is well-formed.
pub fn check(page: &str) -> Result<(), String> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").ok_or("no document type")?;
    let mut open: Vec<&str> = Vec::new();
    while let Some(at) = rest.find('<') {
        text(&rest[..at])?;
        rest = &rest[at..];
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            rest = &data[data.find("]]>").ok_or("CDATA without end")? + 3..];
        } else if let Some(tag) = rest.strip_prefix("</") {
            let end = tag.find('>').ok_or("an end tag without end")?;
            let expected = open.pop().ok_or("an end tag too many")?;
            if expected != &tag[..end] {
                return Err(format!("</{}> where </{expected}> should be", &tag[..end]));
            }
            rest = &tag[end + 1..];
        } else {
            let (name, closed, after) = start(&rest[1..])?;
            if !closed {
                open.push(name);
            } else if !["meta", "img", "line", "rect", "path"].contains(&name) {
                // HTML would read it as open.
                return Err(format!("<{name}/> is not closed in HTML"));
            }
            rest = after;
        }
    }
    text(rest)?;
    if open.is_empty() { Ok(()) } else { Err(format!("open at the end: {open:?}")) }
}

/// A start tag: its name, whether it is closed at once, and what follows.
fn start(tag: &str) -> Result<(&str, bool, &str), String> {
    let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric()).ok_or("a tag without end")?;
    let (name, mut rest) = tag.split_at(name_end);
    let mut seen = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix('>') {
            return Ok((name, false, after));
        }
        if let Some(after) = rest.strip_prefix("/>") {
            return Ok((name, true, after));
        }
        let attribute = rest.strip_prefix(' ').ok_or_else(|| format!("in <{name}>: {:.20}", rest))?;
        let (key, value) = attribute.split_once("=\"").ok_or_else(|| format!("in <{name}>: no value"))?;
        if key.is_empty()
            || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            || seen.contains(&key)
        {
            return Err(format!("in <{name}>: attribute {key:?}"));
        }
        seen.push(key);
        let (value, after) = value.split_once('"').ok_or_else(|| format!("{key} without end"))?;
        if value.contains('<') {
            return Err(format!("{key} has <"));
        }
        text(value)?;
        rest = after;
    }
}

fn text(text: &str) -> Result<(), String> {
    for after in text.split('&').skip(1) {
        if !["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|entity| after.starts_with(entity)) {
            return Err(format!("a bare &: {after:.20}"));
        }
    }
    match text.find(|c: char| c.is_control() && c != '\n' && c != '\t') {
        Some(at) => Err(format!("a control character at {at}")),
        None => Ok(()),
    }
}

#[test]
fn it_finds_what_is_wrong() {
    let wrong = [
        "<p>",
        "</p>",
        "<b><i></b></i>",
        "<p a=1></p>",
        "<p a=\"1\" a=\"2\"></p>",
        "<p>&</p>",
        "<i/>",
        "<p a=\"<\"></p>",
    ];
    for page in wrong {
        assert!(check(&format!("<!DOCTYPE html>{page}")).is_err(), "{page}");
    }
    check("<!DOCTYPE html><p a=\"&lt;\">&amp;<meta b-c=\"1\"/></p>").unwrap();
}
