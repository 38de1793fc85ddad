//! What lies in the folder of the outputs, for programs that load every file they find.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Folder, Service};

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
