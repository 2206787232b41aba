//! The house rules, one test each.

use warploom_tidy::{Findings, documents, edges, sources};

fn none(findings: Findings) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn the_table_of_crates_is_sound() {
    none(edges::table_is_sound());
}

#[test]
fn crates_use_only_what_the_table_allows() {
    none(edges::forbidden());
}

#[test]
fn the_map_of_crates_is_the_table() {
    none(edges::documented());
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    none(edges::without_workspace_lints());
}

#[test]
fn paths_in_documents_exist() {
    none(documents::missing_paths());
}

#[test]
fn the_map_describes_every_file_of_the_compiler() {
    none(documents::passes_left_out());
}

#[test]
fn the_first_commands_are_what_ci_runs() {
    none(documents::first_commands());
}

#[test]
fn files_are_short() {
    none(sources::too_long());
}

#[test]
fn unsafe_code_stands_in_executors_alone() {
    none(sources::unsafe_outside_executors());
}

#[test]
fn nothing_is_left_unfinished() {
    none(sources::unfinished());
}

#[test]
fn no_test_is_passed_over() {
    none(sources::tests_passed_over());
}
