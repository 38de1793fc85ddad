//! `dset verify`: every difference it can tell, each mended by the command that it names.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};

use crate::common::{Folder, Ran, Service, questions};
use dset_mock::MockSettings;
use serde_json::{Value, json};

/// A folder in which a run has ended well.
fn done(count: usize) -> (Folder, Service) {
    let folder = Folder::with(&questions(count));
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run"]).exits(0);
    (folder, service)
}

fn kinds(verified: &Value) -> BTreeSet<String> {
    let of = verified["differences"].as_array().unwrap().iter();
    of.map(|difference| difference["kind"].as_str().unwrap().to_owned()).collect()
}

/// Checks that exactly these differences are told, and changes nothing; returns the commands.
#[track_caller]
fn tells(folder: &Folder, expected: &[&str]) -> Vec<String> {
    let before = folder.everything();
    let verified = folder.dset(&["verify", "--json"]).exits(1).json();
    assert_eq!(folder.everything(), before, "nothing is changed");
    let expected: BTreeSet<String> = expected.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(kinds(&verified), expected, "{verified:#}");
    assert_eq!((&verified["agrees"], &verified["exit"]), (&json!(false), &json!(1)));
    let said = folder.dset(&["verify"]).exits(1).out;
    let mends = verified["differences"].as_array().unwrap().iter();
    let mends: Vec<String> = mends.map(|d| d["mend"].as_str().unwrap().to_owned()).collect();
    for mend in &mends {
        assert!(said.contains(&format!("mend: {mend}")), "{said}");
    }
    mends
}

/// Does what is told first until nothing is told any more.
#[track_caller]
fn mended(folder: &Folder) {
    for _ in 0..6 {
        let verified: Ran = folder.dset(&["verify", "--json"]);
        let differences = verified.json();
        let Some(difference) = differences["differences"].as_array().unwrap().first().cloned()
        else {
            verified.exits(0);
            return;
        };
        let mend = difference["mend"].as_str().unwrap();
        folder.shell(mend).exits(0);
    }
    panic!("not mended: {}", folder.dset(&["verify"]).out);
}

#[test]
fn after_a_run_everything_agrees_and_no_byte_is_changed() {
    let (folder, service) = done(30);
    let before = folder.everything();
    folder
        .dset(&["verify"])
        .exits(0)
        .tells("everything agrees")
        .tells("sound, 30 answers")
        .tells("30 questions = 30 answered")
        .tells("output.json       30 rows as in the store");
    let verified = folder.dset(&["verify", "--json"]).exits(0).json();
    assert_eq!((&verified["v"], &verified["agrees"]), (&json!(1), &json!(true)));
    assert_eq!((&verified["differences"], &verified["notes"]), (&json!([]), &json!([])));
    assert_eq!(folder.everything(), before);
    folder.dset(&["run", "--again"]).exits(0);
    folder.dset(&["verify"]).exits(0).tells("sound, 30 answers");
    assert_eq!(service.stats().asked, 60);
}

#[test]
fn without_a_store_there_is_nothing_to_verify() {
    let folder = Folder::with(&questions(2));
    folder.dset(&["verify"]).exits(2).says("nothing was asked yet").says("`dset run`");
    assert!(!folder.path("dset_generator").exists());
}

/// What somebody did to a text.
type Done = fn(&str) -> String;

#[test]
fn whatever_was_done_to_an_output_is_told_with_its_place_and_mended_by_a_rebuild() {
    let (folder, service) = done(6);
    let whole = folder.outputs();
    let second = |text: &str| text.match_indices("Question 2,").next().unwrap().0;
    assert!(second(&whole[1]) > 0);
    let table: &[(&str, Done, &[&str])] = &[
        ("csv", |text| format!("{text}mine\n"), &["output-foreign"]),
        ("json", |text| text.replacen('\n', "\nmy own note\n", 1), &["output-foreign"]),
        ("txt", |text| format!("before everything\n{text}"), &["output-foreign"]),
        (
            "csv",
            |text| text.replacen("timestamp", "Timestamp", 1),
            &["output-foreign", "output-header"],
        ),
        ("json", |text| text.replacen("Question 4", "QUESTION 4", 1), &["output-changed"]),
        ("json", |text| text.replacen("Question 6", "QUESTION 6", 1), &["output-changed"]),
        ("csv", |text| text[..text.len() - 9].to_owned(), &["output-short"]),
        ("txt", |_| String::new(), &["output-short"]),
        (
            "json",
            |text| format!("{}{}", &text[text.find('\n').unwrap() + 1..], "x".repeat(4_000)),
            &["output-foreign", "output-lacking"],
        ),
        (
            "json",
            |text| format!("{}{}", "x".repeat(40), &text[..text.len() - 10]),
            &["output-foreign", "output-torn"],
        ),
        ("csv", |text| format!("{text}{text}"), &["output-foreign"]),
        ("txt", |_| "nothing of dset's\n".repeat(300_000), &["output-lost"]),
    ];
    for (kind, change, expected) in table {
        let at = ["csv", "json", "txt"].iter().position(|other| other == kind).unwrap();
        folder.write(&format!("dset_generator/output.{kind}"), change(&whole[at]));
        let mends = tells(&folder, expected);
        assert!(mends.iter().all(|mend| mend == "dset export --rebuild"), "{mends:?}");
        folder.dset(&["verify"]).exits(1).tells(&format!("output.{kind}"));
        mended(&folder);
        assert_eq!(folder.outputs(), whole);
    }
    // Where, of the first of them.
    folder.write("dset_generator/output.csv", format!("{}mine\n", whole[0]));
    let at = whole[0].len();
    let verified = folder.dset(&["verify", "--json"]).exits(1).json();
    let first = &verified["differences"][0];
    assert_eq!((&first["byte"], &first["bytes"]), (&json!(at), &json!(5)));
    mended(&folder);
    std::fs::remove_file(folder.path("dset_generator/output.json")).unwrap();
    tells(&folder, &["output-missing"]);
    mended(&folder);
    assert_eq!(folder.outputs(), whole);
    assert_eq!(service.stats().asked, 6, "nothing was bought to mend");
}

#[test]
fn foreign_text_that_a_run_left_in_place_is_told_until_a_rebuild() {
    let (folder, service) = done(3);
    folder.write("dset_generator/output.txt", format!("{}my note", folder.outputs()[2]));
    folder.write("q.csv", questions(4));
    folder.dset(&["run"]).exits(0).says("ends in text that is not ours");
    tells(&folder, &["output-foreign"]);
    mended(&folder);
    assert_eq!((folder.agreed().len(), service.stats().asked), (4, 4));
}

#[test]
fn outputs_that_a_crash_left_behind_their_store_are_completed_by_the_next_run() {
    let (folder, service) = done(5);
    let whole = folder.outputs();
    // As before the first sync of the outputs.
    folder.sql("DELETE FROM sinks");
    let [csv, json, txt] = &whole;
    folder.write("dset_generator/output.csv", &csv[..csv.len() - 10]);
    folder.write("dset_generator/output.json", &json[..json.find('\n').unwrap() + 1]);
    folder.write("dset_generator/output.txt", txt);
    let mends = tells(&folder, &["rows-unwritten"]);
    assert_eq!(mends, ["dset run", "dset run"]);
    folder
        .dset(&["verify"])
        .exits(1)
        .tells("output.csv ends within a row")
        .tells("output.json lacks its last 4 rows");
    mended(&folder);
    assert_eq!((folder.outputs(), service.stats().asked), (whole, 5));
}

#[test]
fn references_within_the_store_that_lead_nowhere_are_told_and_mended() {
    for (sql, expected) in [
        ("DELETE FROM answers WHERE id = 2", &["key-without-answer"][..]),
        (
            "DELETE FROM keys_by_row WHERE answer = 2",
            &["answer-without-key", "place-without-answer"],
        ),
        (
            "UPDATE keys_by_row SET answer = 1 WHERE answer = 2",
            &["answer-of-two-keys", "answer-without-key", "place-without-answer"],
        ),
        (
            "UPDATE keys_by_row SET key = (SELECT key FROM keys_by_row WHERE answer = 1)
             WHERE answer = 2",
            &["key-of-two-answers", "store-damaged"],
        ),
        ("DELETE FROM settings", &["without-settings"]),
        (
            "UPDATE output_order SET answer = 99 WHERE position = 1",
            &["store-damaged", "place-without-answer"],
        ),
        ("INSERT INTO output_order VALUES (0, 4, 1, NULL)", &["store-damaged", "placed-twice"]),
        ("DELETE FROM output_order WHERE position = 1", &["store-damaged", "places-not-dense"]),
    ] {
        let (folder, service) = done(4);
        folder.sql(sql);
        let verified = folder.dset(&["verify", "--json"]).exits(1).json();
        for kind in expected {
            assert!(kinds(&verified).contains(*kind), "{sql}: {verified:#}");
        }
        mended(&folder);
        let asked: BTreeSet<String> = folder.agreed().into_iter().collect();
        assert_eq!((asked.len(), service.stats().asked), (4, 4), "{sql}: nothing is lost");
    }
}

#[test]
fn a_damaged_store_is_set_aside_and_the_outputs_are_taken_over() {
    let (folder, service) = done(40);
    let whole = std::fs::read(folder.path("dset_generator/dset.db")).unwrap();
    let outputs = folder.outputs();
    folder.write("dset_generator/dset.db", &whole[..whole.len() / 2]);
    let mends = tells(&folder, &["store-damaged"]);
    assert_eq!(
        mends,
        [
            "mkdir -p dset_generator/damaged && mv dset_generator/dset.db* dset_generator/damaged && dset run"
        ]
    );
    mended(&folder);
    assert_eq!((folder.agreed().len(), service.stats().asked), (40, 40));
    assert_eq!(folder.outputs(), outputs);
    folder.dset(&["verify"]).exits(0).tells("everything agrees");
}

#[test]
fn a_value_that_is_not_what_is_written_there_is_damage_too() {
    for sql in [
        "UPDATE keys_by_row SET question = 'text' WHERE answer = 2",
        "UPDATE settings SET text = 'no JSON'",
    ] {
        let (folder, service) = done(3);
        folder.sql(sql);
        tells(&folder, &["store-damaged"]);
        mended(&folder);
        assert_eq!((folder.agreed().len(), service.stats().asked), (3, 3), "{sql}");
    }
}

#[test]
fn a_bit_that_flips_in_the_store_is_told_or_harms_nothing() {
    let (folder, _service) = done(40);
    let whole = std::fs::read(folder.path("dset_generator/dset.db")).unwrap();
    let (mut told, mut tried) = (0, 0);
    // A byte of every eighth part of every page, where there is anything.
    for at in (0..whole.len()).step_by(2_048).map(|at| at + 37).filter(|&at| whole[at] != 0) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        folder.write("dset_generator/dset.db", &flipped);
        let ran = folder.dset(&["verify"]);
        assert!(matches!(ran.code, Some(0..=2)), "{at}: {ran:?}");
        assert!(!ran.err.contains("panicked"), "{at}: {}", ran.err);
        if ran.code == Some(0) {
            // In a part that nothing is read from: the answers are all there.
            assert!(ran.out.contains("40 questions = 40 answered"), "{at}: {}", ran.out);
        }
        told += usize::from(ran.code != Some(0));
        tried += 1;
    }
    assert!(told * 2 > tried, "{told} of {tried}");
    folder.write("dset_generator/dset.db", &whole);
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn a_newer_store_is_not_judged() {
    let (folder, _service) = done(1);
    folder.sql("PRAGMA user_version = 9999");
    folder.dset(&["verify"]).exits(2).says("was written by a newer dset");
}

#[test]
fn marks_that_do_not_agree_with_the_store_are_told_and_mended_by_a_run() {
    let folder = Folder::with("question,status\nbad,\ngood,\nmine,\n");
    let service = Service::with(&["bad=risk*3", "mine=risk*1"]);
    folder.asks(&service);
    folder.dset(&["run"]).exits(3);
    folder.dset(&["verify"]).exits(0).tells("1 answered + 2 rejected");
    // A word of the user's own is no disagreement.
    folder.write("q.csv", "question,status\nbad,ERROR\ngood,\nmine,later\n");
    folder.dset(&["verify"]).exits(0);
    folder.write("q.csv", "question,status\nbad,\ngood,ERROR\nmine,later\n");
    let mends = tells(&folder, &["unmarked", "marked-though-answered"]);
    assert_eq!(mends, ["dset run", "dset run"]);
    folder.dset(&["verify"]).exits(1).tells("row 3 of q.csv").tells("row 2 of q.csv");
    folder.shell("dset run").exits(3);
    assert_eq!(folder.read("q.csv"), "question,status\nbad,ERROR\ngood,\nmine,later\n");
    folder.dset(&["verify"]).exits(0);
    // The file could not be written.
    folder.write("q.csv", "question,status\nbad,\ngood,\nmine,later\n");
    folder.sql("INSERT INTO marks SELECT question FROM ended");
    tells(&folder, &["marks-waiting"]);
    folder.shell("dset run").exits(3);
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn a_row_that_is_not_asked_again_says_error_again_if_somebody_took_it_away() {
    let folder = Folder::with("question,status\nlong,\nshort,\n");
    let service = Service::with(&["long=length*1"]);
    folder.asks(&service);
    folder.write(".env", format!("{}DSET_MAX_TOKENS=50\n", folder.read(".env")));
    folder.dset(&["run"]).exits(3);
    folder.write("q.csv", "question,status\nlong,\nshort,\n");
    tells(&folder, &["unmarked"]);
    folder.shell("dset run").exits(3);
    assert_eq!(folder.read("q.csv"), "question,status\nlong,ERROR\nshort,\n");
    folder.dset(&["verify"]).exits(0);
    assert_eq!(service.stats().asked, 2);
}

#[test]
fn what_an_earlier_life_left_to_do_is_told_and_done_by_the_next() {
    let (folder, service) = done(3);
    folder.write("dset_generator/dset.rescue", "\n");
    assert_eq!(tells(&folder, &["rescue"]), ["dset run"]);
    mended(&folder);
    folder.sql("INSERT INTO meta VALUES ('rebuilding', '20261122T114924Z')");
    assert_eq!(tells(&folder, &["rebuild-unfinished"]), ["dset export --rebuild"]);
    mended(&folder);
    folder.sql("INSERT INTO meta VALUES ('moving', '20261122T114924Z'); DELETE FROM sinks");
    assert_eq!(tells(&folder, &["move-unfinished"]), ["dset run"]);
    mended(&folder);
    folder.sql("DELETE FROM output_order WHERE position = 2");
    assert!(tells(&folder, &["unplaced", "output-foreign"]).contains(&"dset run".to_owned()));
    mended(&folder);
    assert_eq!((folder.agreed().len(), service.stats().asked), (3, 3));
}

#[test]
fn what_is_worth_knowing_is_told_and_is_no_difference() {
    let (folder, _service) = done(3);
    folder.write("dset_generator/.dset-a1B2c3", "half a file");
    folder.write("dset_generator/dset.rescue-unread", "not JSON\n");
    folder.write(
        "q.csv",
        "question,status\n\"Question 1, what then?\",\n\"Question 3, what then?\",\n",
    );
    folder
        .dset(&["verify"])
        .exits(0)
        .tells("everything agrees")
        .tells("1 row of the outputs has a question that is no longer in q.csv: \"Question 2, what then?\"")
        .tells("`rm dset_generator/.dset-a1B2c3`")
        .tells("dset.rescue-unread has lines that no run could read");
    let verified = folder.dset(&["verify", "--json"]).exits(0).json();
    let notes: BTreeSet<&str> =
        verified["notes"].as_array().unwrap().iter().map(|n| n["kind"].as_str().unwrap()).collect();
    assert_eq!(notes, ["gone", "leftover", "moved", "unread"].into());
    folder.shell("rm dset_generator/.dset-a1B2c3 && dset export --rebuild").exits(0);
    let verified = folder.dset(&["verify", "--json"]).exits(0).json();
    assert_eq!(verified["notes"].as_array().unwrap().len(), 1);
}

#[test]
fn outputs_of_the_script_are_checked_by_their_texts() {
    let folder = Folder::with("question,status\none,\ntwo,\nthree,\n");
    let service = Service::friendly();
    folder.asks(&service);
    let line = |question: &str| {
        format!(
            "{{\"metadata\":{{\"timestamp\":\"2026-11-22 11:49:24\",\"question\":\"{question}\"}},\"response\":{{\"reasoning\":\"\",\"answer\":\"of {question}\"}}}}\n"
        )
    };
    folder.write("dset_generator/output.json", ["two", "one"].map(line).concat());
    folder.dset(&["run"]).exits(0);
    folder
        .dset(&["verify"])
        .exits(0)
        .tells("2 rows of output.json are as the original script wrote them");
    // Somebody changes a row of the script's, and one of ours.
    let whole = folder.read("dset_generator/output.json");
    folder.write("dset_generator/output.json", whole.replacen("of two", "of TWO", 1));
    tells(&folder, &["rows-of-script-lacking"]);
    folder.write("dset_generator/output.json", whole.replace("\"three\"", "\"THREE\""));
    tells(&folder, &["output-lacking"]);
    mended(&folder);
    assert_eq!(
        (folder.agreed(), service.stats().asked),
        (vec!["one".into(), "two".into(), "three".into()], 1)
    );
}

#[test]
fn during_a_run_what_can_be_checked_is_checked_and_after_a_kill_a_run_mends_the_rest() {
    let folder = Folder::with(&questions(60));
    let service = Service::start(MockSettings {
        latency_ms: 10,
        on: vec!["Question 60,=hang".parse().unwrap(), "Question 5,=risk".parse().unwrap()],
        ..MockSettings::default()
    });
    folder.asks(&service);
    let mut child = folder.command(&["run", "--json", "-c", "8"]).spawn().unwrap();
    let events = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answers = events.filter(|line| line.as_ref().unwrap().contains("\"answer\""));
    for _ in 0..5 {
        answers.by_ref().take(8).for_each(|line| drop(line.unwrap()));
        let verified = folder.dset(&["verify", "--json"]).exits(0).json();
        assert_eq!(verified["running"]["pid"], child.id());
    }
    folder.dset(&["verify"]).exits(0).tells(&format!("a run is going on (process {}", child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
    let before = folder.everything();
    let after = folder.dset(&["verify", "--json"]).json();
    assert_eq!(folder.everything(), before);
    assert_eq!(after["running"], false);
    let crash = ["rows-unwritten", "unplaced", "unmarked", "marks-waiting", "output-missing"];
    assert!(kinds(&after).iter().all(|kind| crash.contains(&kind.as_str())), "{after:#}");
    let service = Service::with(&["Question 5,=risk"]);
    folder.asks(&service);
    folder.shell("dset run").exits(3);
    folder.dset(&["verify"]).exits(0);
    assert_eq!(folder.agreed().len(), 59);
}
