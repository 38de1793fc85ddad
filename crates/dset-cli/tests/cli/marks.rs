//! Whose a status column is, and what marks of which nothing is known are worth.

use crate::common::{Folder, Service};

const OWN: &str = "question,status\none,OK\ntwo,OK\nthree,ERROR\nfour,WARN\nfive,ERROR\n";

#[test]
fn a_status_column_of_the_users_own_hides_no_row_and_is_never_changed() {
    let folder = Folder::with(OWN);
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    assert_eq!(folder.agreed(), ["one", "two", "three", "four", "five"]);
    assert_eq!(folder.read("q.csv"), OWN);
    // Nor where there was another spelling, another place, or no header.
    for file in [
        "Status,question\nOK,one\nERROR,two\n",
        "question,note,STATUS\none,,error\ntwo,,ERROR\n",
        "one,OK\ntwo,ERROR\n",
    ] {
        let folder = Folder::with(file);
        service.run(&folder, &[]).exits(0);
        assert_eq!((folder.agreed().len(), folder.read("q.csv").as_str()), (2, file));
    }
}

#[test]
fn marks_beside_a_status_column_of_the_users_own_have_a_column_that_is_found_again() {
    let folder = Folder::with(OWN);
    Service::with(&["four=risk"]).run(&folder, &[]).exits(3);
    let marked = "question,status,dset_status\none,OK\ntwo,OK\nthree,ERROR\nfour,WARN,ERROR\n\
                  five,ERROR\n";
    assert_eq!(folder.read("q.csv"), marked);
    folder.dset(&["verify"]).exits(0).tells("everything agrees");
    folder.dset(&["status"]).exits(0).tells("1 row says ERROR");
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.asked().keys().collect::<Vec<_>>(), ["four"]);
    assert_eq!(folder.read("q.csv"), marked.replace("WARN,ERROR", "WARN,"));
}

#[test]
fn a_column_with_marks_of_dset_stays_its_own_whatever_else_is_typed_into_it() {
    let folder = Folder::with("question,status\none,\nbad,\nthree,\n");
    Service::with(&["bad=risk"]).run(&folder, &[]).exits(3);
    for known in ["as this version says", "as an earlier version leaves it unsaid"] {
        folder.write("q.csv", "question,status\none,checked\nbad,ERROR\nthree,\nmore,\n");
        if known.contains("earlier") {
            folder.sql("DELETE FROM meta WHERE name = 'marks_column'");
        }
        Service::with(&["bad=risk", "more=risk"]).run(&folder, &[]).exits(3);
        let marked = "question,status\none,checked\nbad,ERROR\nthree,\nmore,ERROR\n";
        assert_eq!(folder.read("q.csv"), marked, "{known}");
    }
    Service::friendly().run(&folder, &[]).exits(0);
    let cleared = "question,status\none,checked\nbad,\nthree,\nmore,\n";
    assert_eq!(folder.read("q.csv"), cleared);
}

#[test]
fn a_status_column_that_the_user_fills_before_anything_failed_is_the_users() {
    let folder = Folder::with("question,status\none,\ntwo,\n");
    Service::friendly().run(&folder, &[]).exits(0);
    let own = "question,status\none,OK\ntwo,ERROR\nbad,\n";
    folder.write("q.csv", own);
    Service::with(&["bad=risk"]).run(&folder, &[]).exits(3);
    let marked = "question,status,dset_status\none,OK\ntwo,ERROR\nbad,,ERROR\n";
    assert_eq!(folder.read("q.csv"), marked);
}

#[test]
fn marks_without_store_and_outputs_decide_nothing() {
    let file = "question,status\none,\ntwo,\nthree,ERROR\nfour,\n";
    let service = Service::friendly();
    for place in ["", "an empty folder", "a store of other questions"] {
        let folder = Folder::with(file);
        match place {
            "" => {}
            "an empty folder" => folder.write("dset_generator/output.csv", ""),
            _ => {
                folder.write("other.csv", "question\nseven\n");
                service.run(&folder, &["other.csv", "-o", "other"]).exits(0);
            }
        }
        let before = service.stats().asked;
        let ran = service.run(&folder, &[]).exits(2);
        ran.says("row 4 of `q.csv` says ERROR, and 2 questions before it");
        assert_eq!((folder.read("q.csv").as_str(), service.stats().asked), (file, before));
        // What a refused run has left is no record either.
        service.run(&folder, &[]).exits(2);
        service.run(&folder, &["--from-start"]).exits(0);
        assert_eq!(folder.agreed().len(), 4, "{place}");
    }
    // Where nothing lies before the first mark there is nothing to decide.
    let folder = Folder::with("question,status\none,ERROR\ntwo,\n");
    service.run(&folder, &[]).exits(0);
    assert_eq!(folder.agreed().len(), 2);
}

#[test]
fn rows_without_a_text_are_in_no_per_cent_and_end_with_3_unless_somebody_agreed() {
    let folder = Folder::with("question,status\none,\ntwo,\nthree,ERROR\nfour,\n");
    let service = Service::friendly();
    let ran = service.run(&folder, &["--from-bookmark", "--json"]).exits(0);
    assert!(ran.out.contains("\"presumed\":2") && ran.out.contains("\"exit\":0"), "{}", ran.out);
    folder.dset(&["status"]).exits(0).tells("2/4  50%").tells("--from-start");
    folder.dset(&["verify"]).exits(0).tells("2 questions have no text");
    service.run(&folder, &[]).exits(0).says("2 questions before the first ERROR");
    // As an earlier version took them, without asking.
    folder.sql("DELETE FROM meta WHERE name = 'from_bookmark'");
    let ran = service.run(&folder, &["--json"]).exits(3);
    assert!(ran.out.contains("\"exit\":3"), "{}", ran.out);
    ran.says("--from-start").says("--from-bookmark");
    service.run(&folder, &["--from-bookmark"]).exits(0);
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked, 2);
    service.run(&folder, &["--from-start"]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (4, 4));
    // Said where there is a record, it takes nothing for answered.
    folder.write("q.csv", "question,status\nfive,\none,ERROR\n");
    service.run(&folder, &["--from-bookmark"]).exits(0).says("--from-bookmark does nothing here");
    assert_eq!(service.stats().asked, 5);
}
