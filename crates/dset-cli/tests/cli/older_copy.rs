//! An older copy of the store is put back: what the outputs have beyond it is taken back from them, and not
//! bought again.

use crate::common::{Folder, Service};

/// Four questions are answered, then three more; the store is that of after the first four. Before it is put
/// back, the outputs are written anew in the order of the file, which has changed, where `rebuilt`.
fn put_back(formats: &[&str], rebuilt: bool) -> (Folder, Service) {
    let (folder, service) = (Folder::with("question\nq1\nq2\nq3\nq4\n"), Service::friendly());
    service.run(&folder, formats).exits(0);
    let copy = std::fs::read(folder.path("dset_generator/dset.db")).unwrap();
    folder.write("q.csv", "question\nq1\nq2\nq3\nq4\nq5\nq6\nq7\n");
    service.run(&folder, formats).exits(0);
    folder.write("q.csv", "question\nq7\nq5\nq6\nq4\nq3\nq2\n");
    if rebuilt {
        folder.dset(&["export", "--rebuild"]).exits(0);
    }
    std::fs::write(folder.path("dset_generator/dset.db"), copy).unwrap();
    (folder, service)
}

#[test]
fn what_output_json_or_output_csv_has_beyond_the_store_is_taken_back() {
    for (formats, from) in [
        (&[][..], "output.json"),
        (&["--formats", "csv,txt"], "output.csv"),
        (&["--formats", "csv"], "output.csv"),
    ] {
        let (folder, service) = put_back(formats, false);
        let ran = service.run(&folder, formats).exits(0);
        ran.says(&format!("3 rows taken back from {from}"));
        assert_eq!(service.stats().asked, 7, "{formats:?}");
        let csv = folder.read("dset_generator/output.csv");
        for number in 1..=7 {
            assert_eq!(csv.matches(&format!(",q{number},")).count(), 1, "{formats:?}: q{number}");
        }
        folder.dset(&["verify"]).exits(0);
        service.run(&folder, formats).exits(0);
        assert_eq!(service.stats().asked, 7);
    }
}

#[test]
fn the_same_holds_where_the_outputs_were_rebuilt_since() {
    for formats in [&[][..], &["--formats", "csv"]] {
        let (folder, service) = put_back(formats, true);
        service.run(&folder, formats).exits(0).says("3 rows taken back");
        assert_eq!(service.stats().asked, 7, "{formats:?}");
        let csv = folder.read("dset_generator/output.csv");
        for number in 1..=7 {
            assert_eq!(csv.matches(&format!(",q{number},")).count(), 1, "{formats:?}: q{number}");
        }
        folder.dset(&["verify"]).exits(0);
    }
}

#[test]
fn a_rebuild_takes_them_back_too() {
    for formats in [&[][..], &["--formats", "csv"]] {
        let (folder, service) = put_back(formats, false);
        let rebuilt = folder.dset(&["export", "--rebuild"]).exits(0);
        rebuilt.tells("3 rows that the store did not know taken back");
        service.run(&folder, formats).exits(0);
        assert_eq!(service.stats().asked, 7, "{formats:?}");
        folder.dset(&["verify"]).exits(0);
    }
}
