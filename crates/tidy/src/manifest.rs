//! The few things the checks ask of a `Cargo.toml`, which the workspace writes in its plainest form.

/// A section such as `dependencies` with its lines, comments and empty lines left out.
pub struct Section<'t> {
    /// What stands between the brackets.
    pub name: &'t str,
    /// `key = value`, in order.
    pub lines: Vec<&'t str>,
}

/// The sections of a manifest, in order.
pub fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { name: name.trim_matches(['[', ']']), lines: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        }
    }
    sections
}

/// Workspace crates among the dependencies of one kind (`dependencies` or `dev-dependencies`), by folder, whatever target
/// they are for.
pub fn workspace_dependencies(text: &str, kind: &str) -> Vec<String> {
    let mut found = Vec::new();
    for section in sections(text) {
        let parts: Vec<&str> = section.name.split('.').collect();
        match parts.iter().position(|part| *part == kind) {
            Some(at) if at + 1 == parts.len() => {
                found.extend(section.lines.iter().filter_map(|line| named(line)))
            }
            Some(at) => found.extend(folder(parts[at + 1])),
            None => {}
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The crate that a line `name.workspace = true`, `name = { … }` or `other = { package = "name" }` asks for.
fn named(line: &str) -> Option<String> {
    let renamed = line.split_once("package").and_then(|(_, rest)| rest.split('"').nth(1));
    let key = line.split(['.', '=', ' ']).next().unwrap_or_default();
    folder(renamed.unwrap_or(key))
}

/// The folder under `crates` of a package of this workspace.
fn folder(package: &str) -> Option<String> {
    let package = package.trim_matches('"');
    match package.strip_prefix("warploom-") {
        Some(rest) => Some(rest.to_owned()),
        None => (package == "warploom").then(|| package.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::workspace_dependencies;

    #[test]
    fn every_way_to_name_a_dependency_is_seen() {
        let text = r#"
            [dependencies]
            serde = { version = "1" }
            warploom-graph.workspace = true
            warploom-cpu = { workspace = true, optional = true }
            engine = { path = "../tensor", package = "warploom-tensor" }
            # warploom-nn.workspace = true
            [dependencies.warploom-data]
            workspace = true
            [target.'cfg(unix)'.dependencies]
            warploom = { workspace = true }
            [dev-dependencies]
            warploom-device.workspace = true
        "#;
        assert_eq!(
            workspace_dependencies(text, "dependencies"),
            ["cpu", "data", "graph", "tensor", "warploom"]
        );
        assert_eq!(workspace_dependencies(text, "dev-dependencies"), ["device"]);
    }
}
