//! The owners of SQL: `store/sqlite/`, and `store/postgres/` for jobs on a server.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn only_the_folders_of_the_stores_speak_sql() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    for folder in [crates, &crates.parent().unwrap().join("bindings")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            sources(&entry.unwrap().path().join("src"), &mut found);
        }
    }
    let store = crates.join("dset-engine/src/store");
    let own = [store.join("sqlite"), store.join("postgres")];
    let is_own = |path: &PathBuf| own.iter().any(|own| path.starts_with(own));
    assert!(own.iter().all(|own| found.iter().any(|path| path.starts_with(own))));
    // Tests look behind the back of the program.
    let is_of_tests = |path: &PathBuf| path.ends_with("tests.rs");
    for path in found.iter().filter(|path| !is_own(path) && !is_of_tests(path)) {
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for word in ["rusqlite", "INSERT INTO", "SELECT ", "DELETE FROM", "UPDATE ", "PRAGMA "] {
            let line = text.lines().find(|line| line.contains(word));
            assert_eq!(line, None, "{}", path.display());
        }
    }
}
