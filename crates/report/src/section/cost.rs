//! Memory, time and energy.

use super::{figure, note, section, tiles};
use crate::chart::bar::{Part, key, stacked};
use crate::data::{Energy, Memory, Report, Stage};
use crate::format::{bytes, duration, grouped, number, rough_percent};
use crate::markup::Markup;

/// Writes the part, if anything of it is known.
pub fn write(report: &Report, page: &mut Markup) {
    let found = found(report);
    if report.memory.is_none() && report.stages.is_empty() && report.energy.is_none() && found.is_empty() {
        return;
    }
    section(page, "Memory, time, energy", |page| {
        if !found.is_empty() {
            tiles(page, &found);
        }
        energy_notes(report, page);
        page.element("div", &[("class", &"charts")], |page| {
            if let Some(memory) = &report.memory {
                figure(page, "memory", "Memory against plan", |page| draw_memory(memory, page));
            }
            if !report.stages.is_empty() {
                figure(page, "time", "Time by stage", |page| {
                    draw_stages(&report.stages, report.seconds, page)
                });
            }
        });
    });
}

/// Figures by name.
fn found(report: &Report) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut add = |name: &str, text: Option<String>| found.extend(text.map(|text| (name.to_owned(), text)));
    add("training examples a second", report.samples_per_second.map(speed_text));
    add("energy", report.energy.as_ref().and_then(joules));
    if report.energy_parts.len() > 1 {
        for part in &report.energy_parts {
            add(&format!("energy, {}", part.name), joules(&part.energy));
        }
    }
    add("training examples a joule", report.samples_per_joule.map(speed_text));
    found
}

/// What figures of energy count, and why one is missing.
fn energy_notes(report: &Report, page: &mut Markup) {
    let parts = &report.energy_parts;
    for part in parts {
        if let Energy::NotMeasured(why) = &part.energy {
            note(page, format_args!("Energy of the {} not measured: {why}", part.name));
        }
    }
    match &report.energy {
        Some(Energy::NotMeasured(why)) if parts.is_empty() => {
            note(page, format_args!("Energy not measured: {why}"));
        }
        Some(Energy::Joules(_)) if !parts.is_empty() => {
            let known = parts.iter().filter(|part| matches!(part.energy, Energy::Joules(_)));
            let names: Vec<&str> = known.map(|part| part.name.as_str()).collect();
            note(
                page,
                format_args!(
                    "Energy of the whole {}, everything that ran there included.",
                    names.join(" and ")
                ),
            );
        }
        _ => {}
    }
}

fn speed_text(speed: f64) -> String {
    if speed.is_finite() && (0.0..1e15).contains(&speed) && speed >= 100.0 {
        grouped(speed.round() as u64)
    } else {
        number(speed)
    }
}

/// Joules, and the same in watt-hours, which electricity meters count.
fn joules(energy: &Energy) -> Option<String> {
    match energy {
        Energy::Joules(joules) => {
            Some(format!("{}\u{a0}J ({}\u{a0}Wh)", number(*joules), number(joules / 3600.0)))
        }
        Energy::NotMeasured(_) => None,
    }
}

fn draw_memory(memory: &Memory, page: &mut Markup) {
    let kinds = memory.planned.iter().enumerate().map(|(i, (name, count))| part(name, *count, i % GREY));
    let kinds: Vec<Part> = kinds.collect();
    let planned = memory.planned.iter().fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
    let scale = planned.max(memory.measured_peak.unwrap_or(0));
    if !kinds.is_empty() {
        row(page, "Planned", planned, &kinds, scale);
        key(page, &kinds);
    }
    if let Some(limit) = memory.limit {
        note(page, format!("The memory limit is {}.", bytes(limit)));
    }
    if let Some(cost) = &memory.cost {
        note(page, format!("What it costs: {cost}."));
    }
    if let Some(peak) = memory.measured_peak {
        row(page, "Measured peak", peak, &[part("measured peak", peak, GREY)], scale);
        if !kinds.is_empty() {
            note(page, verdict(peak, planned));
        }
    }
    if let Some(process) = memory.process_peak {
        let counted = memory.measured_peak.unwrap_or(planned).min(process);
        let parts = [
            part("counted by the plan", counted, 0),
            part("program, libraries, loaded data", process - counted, GREY),
        ];
        row(page, "Process peak", process, &parts, process);
        key(page, &parts);
    }
}

fn verdict(peak: u64, planned: u64) -> String {
    let (above, below) = (peak.saturating_sub(planned), planned.saturating_sub(peak));
    match (above, below) {
        (0, 0) => "The measured peak is the plan, to the byte.".into(),
        (0, _) => format!("The measured peak is {} below the plan.", bytes(below)),
        _ => format!("The measured peak is {} above the plan.", bytes(above)),
    }
}

/// The colour of what is no part of the plan, and of no stage.
const GREY: usize = 6;

fn part(name: &str, count: u64, colour: usize) -> Part {
    Part { name: name.into(), value: count as f64, text: bytes(count), colour }
}

fn row(page: &mut Markup, name: &str, count: u64, parts: &[Part], scale: u64) {
    page.element("div", &[("class", &"row")], |row| {
        row.labelled("span", &[], name);
        row.labelled("b", &[], bytes(count));
    });
    stacked(page, parts, scale as f64, &format!("{name}: {}", bytes(count)));
}

fn draw_stages(stages: &[Stage], total: Option<f64>, page: &mut Markup) {
    let length = |seconds: f64| if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
    let sum: f64 = stages.iter().map(|stage| length(stage.seconds)).sum();
    let whole = total.map_or(sum, |total| length(total).max(sum));
    let share = |seconds: f64| {
        if whole > 0.0 { format!(" · {}", rough_percent(seconds / whole)) } else { String::new() }
    };
    let text = |seconds: f64| format!("{}{}", duration(seconds), share(seconds));
    let mut parts: Vec<Part> = Vec::new();
    for (i, stage) in stages.iter().enumerate() {
        let colour = i % GREY;
        parts.push(Part {
            name: stage.name.clone(),
            value: length(stage.seconds),
            text: text(stage.seconds),
            colour,
        });
    }
    let rest = whole - sum;
    if rest > whole * 0.005 {
        parts.push(Part { name: "everything else".into(), value: rest, text: text(rest), colour: GREY });
    }
    stacked(page, &parts, whole, &format!("{} by stage", duration(whole)));
    key(page, &parts);
}
