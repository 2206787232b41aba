//! The page as a whole.

use crate::data::Report;
use crate::format::shortened;
use crate::markup::{Attribute, Markup};
use crate::section;

const STYLE: &str = include_str!("page/style.css");
const DARK: &str = include_str!("page/dark.css");
const SCRIPT: &str = include_str!("page/script.js");

/// Nothing is loaded, from anywhere: what the page needs is in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
     img-src data:; base-uri 'none'; form-action 'none'";

/// A page with its title: HTML that is well-formed XML too. Equal contents give equal pages.
pub fn page(title: &str, content: impl FnOnce(&mut Markup)) -> String {
    let mut page = Markup::default();
    page.verbatim("<!DOCTYPE html>\n");
    page.element("html", &[("lang", &"en")], |page| {
        page.element("head", &[], |page| head(title, page));
        page.verbatim("\n");
        page.element("body", &[], |body| {
            content(body);
            body.element("script", &[], |script| script.verbatim(SCRIPT));
        });
    });
    page.verbatim("\n");
    page.into_string()
}

fn head(title: &str, head: &mut Markup) {
    head.empty("meta", &[("charset", &"utf-8")]);
    head.empty("meta", &[("name", &"viewport"), ("content", &"width=device-width, initial-scale=1")]);
    head.empty("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &POLICY)]);
    head.labelled("title", &[], format_args!("{} · Warploom", shortened(title, 80)));
    head.element("style", &[], |style| style.verbatim(STYLE));
    // The switch changes the condition; paper is always white.
    let attributes: [Attribute<'_>; 2] =
        [("id", &"dark"), ("media", &"screen and (prefers-color-scheme: dark)")];
    head.element("style", &attributes, |style| style.verbatim(DARK));
}

/// What a page is, and the switch between light and dark.
pub fn top(kind: &str, header: &mut Markup) {
    header.element("div", &[("class", &"top")], |top| {
        top.labelled("span", &[], format_args!("Warploom · {kind}"));
        top.labelled("button", &[("id", &"theme"), ("type", &"button"), ("hidden", &"")], "Dark");
    });
}

impl Report {
    /// The page: HTML that is well-formed XML too. Equal reports give equal pages.
    pub fn to_html(&self) -> String {
        page(&self.name, |body| {
            section::header::write(self, body);
            body.element("main", &[], |main| {
                section::curves::write(self, main);
                if let Some(classification) = &self.classification {
                    section::classes::write(classification, main);
                }
                for regression in &self.regressions {
                    section::numbers::write(regression, main);
                }
                section::cost::write(self, main);
                section::details::write(self, main);
            });
        })
    }
}
