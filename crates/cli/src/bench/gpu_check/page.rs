//! The page of a check.

use super::found::Found;
use serde_json::Value;
use warploom_report::{Part, Sheet};

/// The page for what is found so far.
pub fn sheet(found: &Found) -> Sheet {
    let parts = [
        speed(found),
        others(found),
        conformance(found),
        losses(found),
        memory(found),
        system(found),
        left_out(found),
    ];
    let seconds = found.seconds as u64;
    let state = if found.is_finished { "" } else { ", not finished" };
    let took = format!("{}:{:02} minutes{state}", seconds / 60, seconds % 60);
    Sheet {
        kind: "check of a GPU".into(),
        name: format!("{} · {}", found.id, found.name),
        subtitle: Some(format!("Warploom {}, {took}", env!("CARGO_PKG_VERSION"))),
        results: found.results(),
        parts: parts.into_iter().flatten().collect(),
    }
}

fn part(heading: &str, notes: &[&str], columns: &[(&str, bool)], rows: Vec<Vec<String>>) -> Option<Part> {
    (!rows.is_empty()).then(|| Part {
        heading: heading.to_owned(),
        notes: notes.iter().map(|note| (*note).to_owned()).collect(),
        columns: columns.iter().map(|(name, is_number)| ((*name).to_owned(), *is_number)).collect(),
        rows,
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn batch(batch: Option<u64>) -> String {
    batch.map_or(String::new(), |batch| batch.to_string())
}

fn speed(found: &Found) -> Option<Part> {
    let rows = found.speed().into_iter().map(|of| {
        let ratio = of.ratio();
        let [to, median, range] = match &ratio {
            Some(ratio) => [
                ratio.to.clone(),
                format!("{:.2}", ratio.median),
                format!("{:.2}–{:.2}", ratio.range[0], ratio.range[1]),
            ],
            None => ["–", "–", "–"].map(str::to_owned),
        };
        let ms = format!("{:.4}", of.own.median());
        let rounds = of.own.rounds().to_string();
        vec![of.workload, of.phase, of.precision, batch(of.batch), ms, to, median, range, rounds]
    });
    let note = match found.has_peers {
        true => {
            "Times are medians of the rounds; a ratio is our time over that of the fastest other framework in the same \
             round: below 1, Warploom is faster."
        }
        false => "No other frameworks were asked for; --peers says where their scripts are.",
    };
    let columns = [
        ("workload", false),
        ("phase", false),
        ("precision", false),
        ("batch", true),
        ("ms", true),
        ("fastest other", false),
        ("ratio", true),
        ("rounds from – to", true),
        ("rounds", true),
    ];
    part("Speed", &[note], &columns, rows.collect())
}

fn others(found: &Found) -> Option<Part> {
    let speed = found.speed();
    let names: std::collections::BTreeSet<&String> = speed.iter().flat_map(|of| of.others.keys()).collect();
    let rows = speed.iter().filter(|of| !of.others.is_empty()).map(|of| {
        let times = names.iter().map(|name| {
            of.others.get(*name).map_or("–".to_owned(), |times| format!("{:.4}", times.median()))
        });
        let own = format!("{:.4}", of.own.median());
        let work = [of.workload.clone(), of.phase.clone(), of.precision.clone(), batch(of.batch), own];
        work.into_iter().chain(times).collect()
    });
    let own =
        [("workload", false), ("phase", false), ("precision", false), ("batch", true), ("warploom", true)];
    let columns: Vec<(&str, bool)> =
        own.into_iter().chain(names.iter().map(|name| (name.as_str(), true))).collect();
    part("Every framework, in ms", &[], &columns, rows.collect())
}

fn conformance(found: &Found) -> Option<Part> {
    let rows = found.conformance.iter().map(|row| {
        let wrong: Vec<String> =
            row["wrong"].as_array().map_or(Vec::new(), |all| all.iter().map(text).collect());
        vec![
            text(&row["part"]),
            row["ran"].to_string(),
            wrong.len().to_string(),
            row["seconds"].to_string(),
            wrong.join("; "),
        ]
    });
    let columns =
        [("programs", false), ("ran", true), ("wrong", true), ("seconds", true), ("what is wrong", false)];
    part(
        "Against the reference",
        &["Each program is compiled, run, and held against the interpreter in f64."],
        &columns,
        rows.collect(),
    )
}

fn losses(found: &Found) -> Option<Part> {
    let rows = found.losses().into_iter().map(|of| {
        let verdict = if of.is_same() { "same" } else { "another" };
        let [on_cpu, on_device] = of.losses.map(|loss| format!("{loss:.7}"));
        vec![of.workload, of.mode, on_cpu, on_device, verdict.to_owned()]
    });
    let columns =
        [("program", false), ("mode", false), ("on the CPU", true), ("on the device", true), ("", false)];
    part("Losses after 1000 steps", &[], &columns, rows.collect())
}

fn memory(found: &Found) -> Option<Part> {
    let rows = found.memory().into_iter().map(|of| {
        let apart = (of.peak as f64 / of.planned as f64 - 1.0) * 100.0;
        vec![of.workload, of.precision, of.planned.to_string(), of.peak.to_string(), format!("{apart:+.2}")]
    });
    let columns = [
        ("training step", false),
        ("precision", false),
        ("planned bytes", true),
        ("most bytes held", true),
        ("apart %", true),
    ];
    part("Memory", &[], &columns, rows.collect())
}

fn system(found: &Found) -> Option<Part> {
    let checks = found.system.as_ref()?["checks"].as_array()?;
    let keys = ["name", "status", "found", "advice"];
    let cell = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let rows = checks.iter().map(|check| keys.map(|key| cell(check, key)).to_vec());
    part("The machine", &[], &keys.map(|key| (key, false)), rows.collect())
}

fn left_out(found: &Found) -> Option<Part> {
    let rows = found.left_out.iter().map(|row| row.to_vec()).collect();
    part("What did not run", &[], &[("what", false), ("why", false)], rows)
}
