//! `dset demo`: twice, and beside somebody else's folder.

use crate::common::Folder;

#[test]
fn the_demo_shows_resume_when_it_is_run_twice() {
    let folder = Folder::new();
    let first = folder.dset(&["demo"]).exits(0);
    assert!(first.err.contains("11 of 12 answered and saved, 1 marked ERROR"), "{}", first.err);
    assert!(first.err.contains("rate limited (429)"), "one is throttled");
    let second = folder.dset(&["demo"]).exits(0);
    assert_eq!(second.err.matches("Processing question").count(), 1);
    assert!(second.err.contains("All 12 questions processed successfully!"), "{}", second.err);
    let csv = folder.read("dset-demo/dset_generator/output.csv");
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 12);
    for row in &rows {
        assert!(!row[3].contains("The answer is"), "an answer that fits the question: {row:?}");
    }
    assert!(rows.iter().any(|row| &row[1] == "What is 17 times 23?" && &row[3] == "391"));
}

#[test]
fn a_folder_that_the_demo_did_not_make_is_left_alone() {
    let folder = Folder::new();
    folder.write("dset-demo/mine.txt", "mine");
    folder.dset(&["demo"]).exits(2).says("the demo did not make");
    assert_eq!(std::fs::read_dir(folder.path("dset-demo")).unwrap().count(), 1);
}
