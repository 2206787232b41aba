//! HTML and SVG that is balanced and escaped by construction.

use std::fmt::{self, Display, Write};

/// An attribute: name and value. The value is escaped.
pub type Attribute<'a> = (&'a str, &'a dyn Display);

/// A piece of a page. It is well-formed XML as well as HTML.
#[derive(Default)]
pub struct Markup(String);

impl Markup {
    /// What was written.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Writes markup that this crate wrote itself: nothing that comes from a user.
    pub fn verbatim(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// Writes text.
    pub fn text(&mut self, text: impl Display) {
        escape(&mut self.0, &text);
    }

    /// Writes an element and what is in it.
    pub fn element(&mut self, name: &str, attributes: &[Attribute<'_>], content: impl FnOnce(&mut Markup)) {
        self.tag(name, attributes);
        self.0.push('>');
        content(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// Writes an element that holds text alone.
    pub fn labelled(&mut self, name: &str, attributes: &[Attribute<'_>], text: impl Display) {
        self.element(name, attributes, |inside| inside.text(text));
    }

    /// Writes an element that holds nothing.
    pub fn empty(&mut self, name: &str, attributes: &[Attribute<'_>]) {
        self.tag(name, attributes);
        self.0.push_str("/>");
    }

    fn tag(&mut self, name: &str, attributes: &[Attribute<'_>]) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            escape(&mut self.0, value);
            self.0.push('"');
        }
    }
}

fn escape(to: &mut String, text: &dyn Display) {
    // Writing to a string cannot fail, and neither do the formats of this crate.
    let _ = write!(Escaped(to), "{text}");
}

struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(character),
                // XML has no place for them, not even escaped.
                '\u{fffe}' | '\u{ffff}' => self.0.push(char::REPLACEMENT_CHARACTER),
                _ if character.is_control() => self.0.push(char::REPLACEMENT_CHARACTER),
                _ => self.0.push(character),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_attributes_are_escaped() {
        let mut page = Markup::default();
        page.labelled("p", &[("title", &"\"'>\n<")], "</p><script>&\0\u{1b}");
        let expected = "<p title=\"&quot;&#39;&gt;\n&lt;\">&lt;/p&gt;&lt;script&gt;&amp;\u{fffd}\u{fffd}</p>";
        assert_eq!(page.into_string(), expected);
    }
}
