//! Rows that were asked several times: which of their answers counts when checks change.

use crate::common::{Folder, Service};

const SCHEMA: &str = r#"{"type": "object", "properties": {"n": {"type": "integer"}},
    "required": ["n"], "additionalProperties": false}"#;

/// One row whose first answer does not fit the schema and whose second does.
fn two_tries() -> (Folder, Service) {
    let folder = Folder::with("question\nHow many?\n");
    folder.write("s.json", SCHEMA);
    let service = Service::with(&["How many=no-schema*1"]);
    service.run(&folder, &["--schema", "s.json"]).exits(0);
    assert_eq!(service.stats().asked, 2);
    (folder, service)
}

fn accepted(folder: &Folder) -> Vec<bool> {
    let shown = folder.dset(&["show", "1", "--json"]).exits(0).json();
    let tries = shown["questions"][0]["answers"][0]["tries"].as_array().unwrap();
    tries.iter().map(|one| one["accepted"].as_bool().unwrap()).collect()
}

#[test]
fn a_try_that_failed_counts_no_better_where_a_changed_check_fails_the_accepted_one_too() {
    let (folder, service) = two_tries();
    let strict = ["--schema", "s.json", "--check", "matches=never"];
    service.run(&folder, &strict).exits(3);
    assert_eq!(service.stats().asked, 2);
    assert_eq!(accepted(&folder), [false, false]);
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    assert_eq!(status["ledger"]["rejected"], 1);
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert!(folder.rows().is_empty());
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn check_apply_judges_every_try_of_a_row() {
    let (folder, _) = two_tries();
    let strict = ["check", "--schema", "s.json", "--check", "matches=never", "--apply"];
    folder.dset(&strict).exits(3).tells("not accepted any more");
    assert_eq!(accepted(&folder), [false, false]);
    folder.dset(&strict).exits(3);
}

#[test]
fn continue_keeps_the_answer_that_was_accepted_and_no_other_try() {
    let (folder, service) = two_tries();
    let strict = ["--schema", "s.json", "--check", "matches=never", "--on-fail", "retry"];
    service.run(&folder, &strict).exits(2).says("--continue");
    service.run(&folder, &[&strict[..], &["--continue"]].concat()).exits(0);
    assert_eq!(service.stats().asked, 2);
    assert_eq!(accepted(&folder), [false, true]);
}
