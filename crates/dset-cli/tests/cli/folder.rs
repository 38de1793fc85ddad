//! What lies in the folder of the outputs, for programs that load every file they find.

use crate::common::{Folder, Service};

fn names(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path("dset_generator")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with("dset.db"));
    names.sort();
    names
}

#[test]
fn nothing_but_the_outputs_has_a_name_that_loaders_take_for_data() {
    let folder = Folder::with("question\none\ntwo\n");
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    let all = ["README.md", "dset.lock", "dset.running", "output.csv", "output.json", "output.txt"];
    assert_eq!(names(&folder), all);
    assert!(folder.read("dset_generator/README.md").contains("data_files: output.json"));
    service.run(&folder, &["--again"]).exits(0).says("the earlier outputs are in .earlier/");
    assert_eq!(names(&folder)[0], ".earlier");
}

#[test]
fn what_an_earlier_version_called_otherwise_is_renamed_once_and_that_is_said() {
    let folder = Folder::with("question\none\n");
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    folder.write("dset_generator/earlier/20261122T143045Z/output.json", "{}\n");
    folder.write("dset_generator/dset.lock.json", "{\"pid\":1,\"started_at\":1}");
    service.run(&folder, &[]).exits(0).says("earlier is .earlier now");
    assert_eq!(folder.read("dset_generator/.earlier/20261122T143045Z/output.json"), "{}\n");
    assert!(!names(&folder).iter().any(|name| name == "earlier" || name == "dset.lock.json"));
    let ran = service.run(&folder, &[]).exits(0);
    assert!(!ran.err.contains(".earlier"), "{}", ran.err);
}

#[test]
fn every_row_has_every_key_from_the_first_on() {
    let folder = Folder::with("question\none\ntwo\nthree\n");
    // What a service says of its tokens, and when, is its own business.
    let service = Service::start(dset_mock::MockSettings {
        dialect: "ollama".parse().unwrap(),
        ..Default::default()
    });
    service.run(&folder, &["-n", "1"]).exits(0);
    Service::friendly().run(&folder, &["--samples", "2"]).exits(0);
    let json = folder.read("dset_generator/output.json");
    let kinds = |line: &str| -> Vec<(String, &'static str)> {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let kind = |value: &serde_json::Value| match value {
            value if value.is_u64() => "integer",
            value if value.is_f64() => "float",
            value if value.is_string() => "text",
            value if value.is_boolean() => "boolean",
            _ => "other",
        };
        let metadata = line["metadata"].as_object().unwrap();
        metadata.iter().map(|(key, value)| (key.clone(), kind(value))).collect()
    };
    let all: Vec<_> = json.lines().map(kinds).collect();
    assert!(all.len() == 6 && all[0].len() >= 14, "{all:?}");
    assert!(all.iter().all(|one| *one == all[0] && one.iter().all(|(_, kind)| *kind != "other")));
}
