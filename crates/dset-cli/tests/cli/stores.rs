//! Folders that older versions left (`fixtures/stores/`): nothing in them is bought again, whoever
//! looks at them changes nothing, and a rebuild writes the rows that it always wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::{Folder, Ran, Service, copy_all};

/// What is known of a folder: its answers (those in a rescue file too), and the questions that its
/// program would have asked next.
struct Old {
    name: &'static str,
    answers: u64,
    presumed: u64,
    owed: &'static [&'static str],
}

const OLD: [Old; 9] = [
    Old { name: "v1/plain", answers: 4, presumed: 0, owed: &[] },
    Old { name: "v1/samples", answers: 8, presumed: 0, owed: &[] },
    Old { name: "v1/continued", answers: 3, presumed: 0, owed: &[] },
    Old { name: "v1/again", answers: 3, presumed: 0, owed: &[] },
    // The one that was cut by the token limit is owed nothing under the same limit.
    Old { name: "v1/marks", answers: 2, presumed: 0, owed: &["Refuse this"] },
    Old { name: "v1/script", answers: 3, presumed: 0, owed: &[] },
    Old { name: "v1/bookmark", answers: 2, presumed: 2, owed: &[] },
    Old {
        name: "v1/killed",
        answers: 3,
        presumed: 0,
        owed: &["Five is never reached", "Four is never reached"],
    },
    Old { name: "v1/rescued", answers: 2, presumed: 0, owed: &[] },
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/stores").join(name)
}

fn copy_of(old: &Old) -> Folder {
    let folder = Folder::new();
    copy_all(&fixture(old.name), &folder.path(""));
    std::fs::remove_dir_all(folder.path("rebuilt")).unwrap();
    folder
}

/// `dset run` as it was typed then: its service has no address, and the pretend one stands in for
/// a proxy.
fn run(folder: &Folder, service: &Service) -> Ran {
    Ran::from(folder.command(&["run"]).env("http_proxy", service.url()).output().unwrap())
}

fn ledger(folder: &Folder) -> serde_json::Value {
    folder.dset(&["status", "--json"]).exits(0).json()["ledger"].clone()
}

/// The tokens of all answers, by the metadata that its own program wrote.
fn tokens(old: &Old) -> u64 {
    let json = std::fs::read_to_string(fixture(old.name).join("rebuilt/output.json")).unwrap();
    let of = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["metadata"]["output_tokens"].as_u64().unwrap_or(0)
    };
    json.lines().map(of).sum()
}

#[test]
fn every_folder_of_the_fixtures_is_tried() {
    let versions = std::fs::read_dir(fixture("")).unwrap().flatten().filter(|v| v.path().is_dir());
    let folders = versions.flat_map(|version| std::fs::read_dir(version.path()).unwrap()).count();
    assert_eq!(folders, OLD.len());
}

#[test]
fn an_older_store_is_gone_on_with_and_nothing_in_it_is_asked_again() {
    for old in OLD {
        let folder = copy_of(&old);
        let service = Service::friendly();
        let before = folder.outputs();
        // The answer that was cut stays marked; nobody has said that rows are to be taken as answered.
        let code = if ["v1/marks", "v1/bookmark"].contains(&old.name) { 3 } else { 0 };
        run(&folder, &service).exits(code);
        let asked: BTreeMap<String, u64> = old.owed.iter().map(|&text| (text.into(), 1)).collect();
        assert_eq!(service.asked(), asked, "{}", old.name);
        let after = folder.outputs();
        for (before, after) in before.iter().zip(&after) {
            assert!(after.starts_with(before), "{}: what was written stays", old.name);
        }
        assert_eq!(
            ledger(&folder)["answered"],
            old.answers + old.owed.len() as u64,
            "{}",
            old.name
        );
        assert_eq!(folder.agreed().len() as u64, old.answers + old.owed.len() as u64);
        folder.dset(&["verify"]).exits(0);
        // Nor does the run behind it.
        run(&folder, &service).exits(code);
        assert_eq!((service.asked(), folder.outputs()), (asked, after), "{}", old.name);
    }
}

#[test]
fn an_older_store_is_looked_at_and_stays_as_it_is() {
    for old in OLD {
        let folder = copy_of(&old);
        read_only(&folder.path("dset_generator"), true);
        let before = folder.everything();
        // What only waits in a rescue file is no answer yet to somebody who looks.
        let rescued = u64::from(old.name == "v1/rescued");
        let found = ledger(&folder);
        assert_eq!(found["answered"], old.answers - rescued, "{}", old.name);
        assert_eq!(found["presumed"], old.presumed, "{}", old.name);
        let stats = folder.dset(&["stats", "--json"]).exits(0).json();
        assert_eq!(stats["all"]["answers"], old.answers - rescued, "{}", old.name);
        if rescued == 0 {
            assert_eq!(stats["all"]["tokens"]["output"], tokens(&old), "{}", old.name);
        }
        folder.dset(&["show", "1", "--json"]).exits(0);
        folder.dset(&["show", "--failed"]).exits(0);
        folder.dset(&["search", "answer"]).exits(0);
        folder.dset(&["verify"]).exits(u8::from(rescued > 0).into());
        assert_eq!(folder.everything(), before, "{}", old.name);
        read_only(&folder.path("dset_generator"), false);
    }
}

/// The bytes of the script's formats, and in `output.json` the same rows with every key: a file keeps the
/// keys that it was begun with until it is rebuilt.
#[test]
fn a_rebuild_of_an_older_store_writes_the_rows_that_its_own_program_wrote() {
    for old in OLD {
        let folder = copy_of(&old);
        folder.dset(&["export", "--rebuild"]).exits(0);
        let expected = |kind: &str| {
            let name = format!("output.{kind}");
            std::fs::read_to_string(fixture(old.name).join("rebuilt").join(name)).unwrap()
        };
        let [csv, json, txt] = folder.outputs();
        assert_eq!((csv, txt), (expected("csv"), expected("txt")), "{}", old.name);
        let rows = |text: &str| -> Vec<serde_json::Value> {
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let (before, now) = (rows(&expected("json")), rows(&json));
        assert_eq!(before.len(), now.len());
        for (before, now) in before.iter().zip(&now) {
            assert_eq!(before["response"], now["response"], "{}", old.name);
            let known = now["metadata"].as_object().unwrap();
            assert!(known.len() >= 14, "{}: {now}", old.name);
            // The row is that of the file now, which the earlier program did not look up.
            let before = before["metadata"].as_object().unwrap();
            for (key, value) in before.iter().filter(|(key, _)| *key != "row") {
                assert_eq!(known[key], *value, "{}", old.name);
            }
            assert!(known["row"].as_u64().is_some_and(|row| row > 1), "{}: {now}", old.name);
        }
        folder.dset(&["verify"]).exits(0);
    }
}

/// Takes the right to write from a folder and the files in it, as far as whoever runs the tests is
/// bound by that, or gives it back.
fn read_only(folder: &Path, is_read_only: bool) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(folder, if is_read_only { 0o555 } else { 0o755 });
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_file() {
                set(&entry.path(), if is_read_only { 0o444 } else { 0o644 });
            }
        }
    }
    #[cfg(not(unix))]
    let _ = (folder, is_read_only);
}
