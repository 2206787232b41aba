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

impl Report {
    /// The page: HTML that is well-formed XML too. Equal reports give equal pages.
    pub fn to_html(&self) -> String {
        let mut page = Markup::default();
        page.verbatim("<!DOCTYPE html>\n");
        page.element("html", &[("lang", &"en")], |page| {
            page.element("head", &[], |head| self.head(head));
            page.verbatim("\n");
            page.element("body", &[], |body| self.body(body));
        });
        page.verbatim("\n");
        page.into_string()
    }

    fn head(&self, head: &mut Markup) {
        head.empty("meta", &[("charset", &"utf-8")]);
        head.empty("meta", &[("name", &"viewport"), ("content", &"width=device-width, initial-scale=1")]);
        head.empty("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &POLICY)]);
        head.labelled("title", &[], format_args!("{} · Warploom", shortened(&self.name, 80)));
        head.element("style", &[], |style| style.verbatim(STYLE));
        // The switch changes the condition; paper is always white.
        let attributes: [Attribute<'_>; 2] =
            [("id", &"dark"), ("media", &"screen and (prefers-color-scheme: dark)")];
        head.element("style", &attributes, |style| style.verbatim(DARK));
    }

    fn body(&self, body: &mut Markup) {
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
        body.element("script", &[], |script| script.verbatim(SCRIPT));
    }
}
