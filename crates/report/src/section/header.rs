//! What was trained, on what, how well it did, and how to do it again.

use super::note;
use crate::data::Report;
use crate::format::{self, counted, duration, quantity, shortened};
use crate::markup::Markup;
use crate::page::top;

/// Writes the head of the page.
pub fn write(report: &Report, page: &mut Markup) {
    page.element("header", &[], |header| {
        top("report of a run", header);
        header.labelled("h1", &[], shortened(&report.name, 120));
        if let Some(line) = subtitle(report) {
            header.labelled("p", &[("class", &"subtitle")], line);
        }
        warnings(&report.warnings, header);
        header.element("div", &[("class", &"summary")], |summary| {
            result(report, summary);
            facts(report, summary);
        });
        command(report, header);
    });
}

fn subtitle(report: &Report) -> Option<String> {
    let parts: Vec<&str> = [&report.task, &report.model, &report.description]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

fn warnings(warnings: &[String], page: &mut Markup) {
    if warnings.is_empty() {
        return;
    }
    page.element("div", &[("class", &"warnings"), ("role", &"note")], |list| {
        for warning in warnings {
            list.element("p", &[], |line| {
                line.labelled("strong", &[], "Warning");
                line.text(format_args!(" {warning}"));
            });
        }
    });
}

fn result(report: &Report, page: &mut Markup) {
    page.element("div", &[("class", &"result")], |page| {
        match &report.headline {
            Some(score) => {
                page.labelled("p", &[("class", &"headline")], quantity(score.value, &score.unit));
                page.labelled("p", &[("class", &"headline-name")], &score.name);
            }
            None => note(page, "This run has no result on test data."),
        }
        if !report.scores.is_empty() {
            page.element("dl", &[("class", &"scores")], |list| {
                for score in &report.scores {
                    list.labelled("dt", &[], &score.name);
                    list.labelled("dd", &[], quantity(score.value, &score.unit));
                }
            });
        }
    });
}

fn facts(report: &Report, page: &mut Markup) {
    page.element("dl", &[("class", &"facts")], |list| {
        let mut fact = |name: &str, lines: &[String]| {
            list.labelled("dt", &[], name);
            list.element("dd", &[], |value| {
                for line in lines.iter().filter(|line| !line.is_empty()) {
                    value.labelled("div", &[], line);
                }
            });
        };
        if let Some(data) = &report.data {
            let first: Vec<&str> = [Some(&data.name), data.example.as_ref(), data.target.as_ref()]
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect();
            let split = [(data.training, "training"), (data.validation, "validation"), (data.test, "test")]
                .map(|(count, name)| format!("{}\u{a0}{name}", format::grouped(count as u64)));
            let path = data.path.clone().unwrap_or_default();
            fact("Data", &[first.join(" · "), split.join(" · "), path]);
        }
        if let Some(device) = &report.device {
            let threads = device.threads.map(|threads| counted(threads as u64, "thread", "threads"));
            let parts: Vec<String> =
                [Some(device.id.clone()), device.name.clone(), threads].into_iter().flatten().collect();
            fact("Device", &[parts.join(" · ")]);
        }
        if let Some(started) = report.started {
            fact("Started", &[format::moment(started)]);
        }
        let epochs = report.curves.iter().map(|curve| curve.training.len().max(curve.validation.len())).max();
        let epochs =
            epochs.filter(|epochs| *epochs > 0).map(|epochs| counted(epochs as u64, "epoch", "epochs"));
        let took: Vec<String> = [report.seconds.map(duration), epochs].into_iter().flatten().collect();
        if !took.is_empty() {
            fact("Took", &[took.join(" · "), report.stopped.clone().unwrap_or_default()]);
        }
    });
}

fn command(report: &Report, page: &mut Markup) {
    if let Some(command) = &report.command {
        page.element("div", &[("class", &"command")], |page| {
            page.labelled("span", &[("class", &"label")], "Repeat this run");
            page.labelled("code", &[], command);
            page.labelled("button", &[("type", &"button"), ("class", &"copy"), ("hidden", &"")], "Copy");
        });
    }
}
