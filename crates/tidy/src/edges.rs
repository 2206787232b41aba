//! Which crate may use which: the one table, held against every manifest and against ARCHITECTURE.md.

use crate::Findings;
use crate::documents::backticked;
use crate::files::{crate_folders, read};
use crate::manifest::{sections, workspace_dependencies};

/// A crate and the crates it may use.
pub struct Row {
    /// Its folder under `crates`.
    pub folder: &'static str,
    /// Folders of the crates it may use.
    pub uses: &'static [&'static str],
    /// Folders of the crates that its tests and examples may use as well.
    pub tests_use: &'static [&'static str],
}

const fn row(folder: &'static str, uses: &'static [&'static str], tests_use: &'static [&'static str]) -> Row {
    Row { folder, uses, tests_use }
}

/// Every crate. Each may use only crates that stand above it, so there is no circle.
pub const TABLE: &[Row] = &[
    row("trace", &[], &[]),
    row("energy", &[], &[]),
    row("graph", &[], &[]),
    row("device", &["graph"], &[]),
    row("cpu-kernels", &[], &[]),
    row("cpu", &["cpu-kernels", "trace", "graph", "device"], &[]),
    row("gpu", &["graph", "device"], &[]),
    row("wgpu", &["trace", "graph", "device", "gpu"], &[]),
    row("emulate", &["graph", "device", "gpu"], &[]),
    row("cuda", &["trace", "graph", "device", "gpu"], &["cpu-kernels", "cpu", "emulate"]),
    row("compile", &["graph", "device"], &["cpu"]),
    row("tensor", &["graph", "device", "compile"], &["cpu"]),
    row("nn-derive", &[], &[]),
    row("nn", &["graph", "tensor", "nn-derive"], &["device", "cpu"]),
    row("transform", &[], &[]),
    row("data", &["trace", "transform"], &[]),
    row("train", &["trace", "graph", "device", "tensor", "nn", "data"], &["cpu"]),
    row("report", &[], &[]),
    row("recipes", &["trace", "energy", "device", "tensor", "nn", "data", "train", "report"], &["cpu"]),
    row("conformance", &["graph", "device", "compile"], &["cpu", "gpu", "wgpu", "emulate", "cuda"]),
    row(
        "warploom",
        &[
            "graph",
            "device",
            "compile",
            "cpu",
            "wgpu",
            "cuda",
            "tensor",
            "nn-derive",
            "nn",
            "data",
            "train",
            "recipes",
        ],
        &["gpu", "emulate"],
    ),
    row("cli", &["report", "conformance", "warploom"], &[]),
    row("tidy", &[], &[]),
];

/// Crates that state their lints themselves instead of taking the workspace's, and why.
pub const OWN_LINTS: &[(&str, &str)] = &[
    (
        "cpu",
        "an executor needs unsafe code, and a manifest that takes the workspace's lints cannot change one of them",
    ),
    ("cpu-kernels", "as for cpu: it writes raw memory from several threads and uses vector instructions"),
    ("emulate", "as for cpu: it runs compiled kernels over raw memory"),
    ("cuda", "as for cpu: every call of NVIDIA's driver is unsafe code"),
];

/// Whether the table has every crate, once, with edges that only point up.
pub fn table_is_sound() -> Findings {
    let mut findings = Findings::new();
    for (i, row) in TABLE.iter().enumerate() {
        for used in row.uses.iter().chain(row.tests_use) {
            if !TABLE[..i].iter().any(|above| above.folder == *used) {
                findings.push(format!(
                    "{} may use {used}, which does not stand above it in the table",
                    row.folder
                ));
            }
        }
    }
    let mut listed: Vec<&str> = TABLE.iter().map(|row| row.folder).collect();
    listed.sort_unstable();
    if listed != crate_folders() {
        findings.push(format!("the table has {listed:?}, the folder crates has {:?}", crate_folders()));
    }
    findings
}

/// Dependencies that the table does not allow.
pub fn forbidden() -> Findings {
    let mut findings = Findings::new();
    for row in TABLE {
        let manifest = format!("crates/{}/Cargo.toml", row.folder);
        let text = read(&manifest);
        let kinds = [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)];
        for (kind, in_tests) in kinds {
            for used in workspace_dependencies(&text, kind) {
                let allowed = row.uses.contains(&used.as_str())
                    || in_tests && (row.tests_use.contains(&used.as_str()) || used == row.folder);
                if !allowed {
                    findings.push(format!(
                        "{manifest}: {} may not use {used} in [{kind}]; take the dependency out, or change the design: \
                         the table in crates/tidy/src/edges.rs and the one in ARCHITECTURE.md",
                        row.folder
                    ));
                }
            }
        }
    }
    findings
}

/// Differences between the table and the one in ARCHITECTURE.md, whose rows are
/// `` | `crates/NAME` | what it holds | `used`, … | `used by tests`, … | ``.
pub fn documented() -> Findings {
    let text = read("ARCHITECTURE.md");
    let written: Vec<(String, Vec<&str>, Vec<&str>)> = text
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
            let folder = cells.first()?.strip_prefix("`crates/")?.strip_suffix('`')?;
            let names = |at: usize| cells.get(at).map_or(Vec::new(), |cell| backticked(cell));
            Some((folder.to_owned(), names(2), names(3)))
        })
        .collect();
    let mut findings = Findings::new();
    for row in TABLE {
        match written.iter().find(|(folder, ..)| folder == row.folder) {
            None => findings.push(format!("ARCHITECTURE.md has no row for crates/{}", row.folder)),
            Some((_, uses, tests)) if *uses != row.uses || *tests != row.tests_use => findings.push(format!(
                "ARCHITECTURE.md says that {} uses {uses:?} and its tests {tests:?}; the table in \
                 crates/tidy/src/edges.rs says {:?} and {:?}",
                row.folder, row.uses, row.tests_use
            )),
            Some(_) => {}
        }
    }
    let order: Vec<&str> = written.iter().map(|(folder, ..)| folder.as_str()).collect();
    if findings.is_empty() && !order.iter().copied().eq(TABLE.iter().map(|row| row.folder)) {
        findings.push(format!("ARCHITECTURE.md has the crates in the order {order:?}, or a row too many"));
    }
    findings
}

/// Crates that do not take the workspace's lints.
pub fn without_workspace_lints() -> Findings {
    let mut findings = Findings::new();
    for folder in crate_folders() {
        let manifest = format!("crates/{folder}/Cargo.toml");
        let text = read(&manifest);
        let opts_in = sections(&text)
            .iter()
            .any(|section| section.name == "lints" && section.lines.contains(&"workspace = true"));
        let excepted = OWN_LINTS.iter().any(|(name, _)| *name == folder);
        if opts_in == excepted {
            let found = if excepted {
                "takes the workspace's lints: take it out of"
            } else {
                "has no `[lints] workspace = true`: add it; exceptions stand in"
            };
            findings.push(format!("{manifest} {found} OWN_LINTS in crates/tidy/src/edges.rs"));
        }
    }
    findings
}
