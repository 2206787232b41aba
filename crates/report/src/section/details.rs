//! What was decided about the data, the network, the recipe, the machine.

use super::table::{self, numbers, texts};
use super::{note, section};
use crate::data::{Decision, Layer, Report};
use crate::format::{counted, grouped, shortened};
use crate::markup::Markup;

/// Most lines of a list.
const LISTED: usize = 100;

/// Writes the part, if anything of it is known.
pub fn write(report: &Report, page: &mut Markup) {
    if !report.decisions.is_empty() {
        section(page, "Decisions about the data", |page| {
            report.decisions.iter().for_each(|decision| decided(decision, page));
        });
    }
    if report.layers.is_empty() && report.recipe.is_none() && report.environment.is_empty() {
        return;
    }
    section(page, "Details", |page| {
        if !report.layers.is_empty() {
            let parameters =
                report.layers.iter().fold(0u64, |sum, layer| sum.saturating_add(layer.parameters));
            let (layers, parameters) = (
                counted(report.layers.len() as u64, "layer", "layers"),
                counted(parameters, "parameter", "parameters"),
            );
            folded(page, &format!("Model: {layers}, {parameters}"), |page| model(&report.layers, page));
        }
        if let Some(recipe) = &report.recipe {
            folded(page, "Resolved recipe", |page| page.labelled("pre", &[], recipe));
        }
        if !report.environment.is_empty() {
            folded(page, "Environment", |page| {
                page.element("dl", &[("class", &"facts")], |list| {
                    for (name, value) in &report.environment {
                        list.labelled("dt", &[], name);
                        list.labelled("dd", &[], value);
                    }
                });
            });
        }
    });
}

fn folded(page: &mut Markup, summary: &str, content: impl FnOnce(&mut Markup)) {
    page.element("details", &[], |details| {
        details.labelled("summary", &[], summary);
        content(details);
    });
}

fn decided(decision: &Decision, page: &mut Markup) {
    let summary = format!("{} {}", grouped(decision.count), decision.what);
    if decision.which.is_empty() {
        return page.labelled("p", &[("class", &"decision")], summary);
    }
    folded(page, &summary, |page| {
        page.element("ul", &[("class", &"which")], |list| {
            decision
                .which
                .iter()
                .take(LISTED)
                .for_each(|which| list.labelled("li", &[], shortened(which, 200)));
        });
        let listed = decision.which.len().min(LISTED) as u64;
        if listed < decision.count {
            note(page, format_args!("{} of {} are listed.", grouped(listed), grouped(decision.count)));
        }
    });
}

fn model(layers: &[Layer], page: &mut Markup) {
    let columns = [texts("layer"), texts("output"), numbers("parameters")];
    let rows = layers.iter().map(|layer| {
        let name = shortened(&layer.name, 80).into_owned();
        vec![name, shortened(&layer.output, 60).into_owned(), grouped(layer.parameters)]
    });
    table::write(page, &columns, rows, None);
}
