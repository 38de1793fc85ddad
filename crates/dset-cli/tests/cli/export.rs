//! `dset export --rebuild`: the outputs written anew, whatever happened to them or to the input.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use crate::common::{Folder, Service, questions};

#[test]
fn the_outputs_follow_the_input_and_the_next_run_changes_no_byte() {
    let folder = Folder::with("question,status\none,\ntwo,\nthree,\nfour,\n");
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run"]).exits(0);
    folder.write("q.csv", "question,status\nfour,\nfive,\ntwo,\none,\n");
    folder
        .dset(&["export", "--rebuild"])
        .exits(0)
        .tells("output.csv, output.json, output.txt have 3 rows each, in the order of q.csv")
        .tells("1 row left out: no longer in q.csv")
        .tells("1 question without an answer yet");
    assert_eq!(folder.agreed(), ["four", "two", "one"]);
    assert!(!folder.path("dset_generator/.earlier").exists(), "the old ones were ours");
    folder.dset(&["verify"]).exits(0);
    folder.dset(&["run"]).exits(0);
    assert_eq!(folder.agreed(), ["four", "two", "one", "five"]);
    assert_eq!(service.stats().asked, 5);

    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.agreed(), ["four", "five", "two", "one"]);
    let rebuilt = folder.outputs();
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.outputs(), rebuilt);
    folder.dset(&["run"]).exits(0);
    assert_eq!((folder.outputs(), service.stats().asked), (rebuilt, 5));
    // A row that comes back has kept its answer.
    folder.write("q.csv", "question,status\nthree,\nfour,\nfive,\ntwo,\none,\n");
    folder.dset(&["run"]).exits(0);
    assert_eq!(folder.agreed(), ["four", "five", "two", "one", "three"]);
    assert_eq!(service.stats().asked, 5);
}

/// What each row of output.json says of its place in the file, with its question.
fn rows_said(folder: &Folder) -> Vec<(String, u64)> {
    let json = folder.read("dset_generator/output.json");
    let row = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let metadata = &line["metadata"];
        (metadata["question"].as_str().unwrap().to_owned(), metadata["row"].as_u64().unwrap())
    };
    json.lines().map(row).collect()
}

#[test]
fn a_row_says_where_its_question_was_when_it_was_written_and_a_rebuild_where_it_is() {
    let folder = Folder::with("question,status\none,\ntwo,\nthree,\n");
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run"]).exits(0);
    let said = |rows: &[(&str, u64)]| -> Vec<(String, u64)> {
        rows.iter().map(|(question, row)| ((*question).to_owned(), *row)).collect()
    };
    // Sorted, one removed, and a blank line: the outputs stay as they are, and verify knows.
    folder.write("q.csv", "question,status\n\nthree,\none,\n");
    folder
        .dset(&["run"])
        .exits(0)
        .says("1 row of the outputs is not wanted any more (its question is no longer");
    assert_eq!(rows_said(&folder), said(&[("one", 2), ("two", 3), ("three", 4)]));
    folder.dset(&["verify"]).exits(0).tells("2 rows of the outputs say another row");
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(rows_said(&folder), said(&[("three", 3), ("one", 4)]));
    let ran = folder.dset(&["verify"]).exits(0);
    assert!(!ran.out.contains("say another row"), "{}", ran.out);
    assert!(ran.out.contains("everything agrees"));
    folder.dset(&["show", "1", "--json"]).exits(0).tells("\"row\":3");
    // Sorted again, the rebuilt outputs are still what they were.
    folder.write("q.csv", "question,status\none,\nthree,\ntwo,\nfour,\n");
    let before = folder.outputs();
    folder.dset(&["verify"]).exits(1).tells("1 row of the outputs says another row");
    // An answer that waited comes back with its row of now.
    let ran = folder.dset(&["run"]).exits(0);
    assert!(!ran.err.contains("no longer in"), "{}", ran.err);
    assert!(folder.outputs().iter().zip(&before).all(|(now, before)| now.starts_with(before)));
    let now = said(&[("three", 3), ("one", 4), ("two", 4), ("four", 5)]);
    assert_eq!(rows_said(&folder), now);
    // So does an output that was deleted, whose rows are as they were.
    let before = folder.outputs();
    std::fs::remove_file(folder.path("dset_generator/output.json")).unwrap();
    folder.dset(&["run"]).exits(0);
    assert_eq!(folder.outputs(), before);
    folder.dset(&["verify"]).exits(0);
    assert_eq!(service.stats().asked, 4);
}

#[test]
fn a_mended_question_leaves_its_old_answer_and_every_run_says_so_until_a_rebuild() {
    let folder = Folder::with("question,status\nWhat is CRISPER?,\ntwo,\n");
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run"]).exits(0);
    folder.write("q.csv", "question,status\nWhat is CRISPR?,\ntwo,\n");
    for _ in 0..2 {
        let ran = folder.dset(&["run", "--json"]).exits(0);
        assert!(ran.out.contains("\"gone\":1"), "{}", ran.out);
        ran.says("1 row of the outputs").says("`dset export --rebuild` leaves it out");
    }
    // Further samples and models of a question that is there are not gone.
    folder.dset(&["run", "--samples", "2"]).exits(0);
    folder.dset(&["export", "--rebuild"]).exits(0);
    let ran = folder.dset(&["run", "--samples", "1"]).exits(0);
    assert!(!ran.err.contains("no longer in"), "{}", ran.err);
}

#[test]
fn what_dset_did_not_write_is_kept_and_what_it_wrote_is_not() {
    let folder = Folder::with(&questions(5));
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run"]).exits(0);
    let whole = folder.outputs();
    let edited = whole[0].replace("Question 3", "QUESTION 3");
    folder.write("dset_generator/output.csv", &edited);
    std::fs::remove_file(folder.path("dset_generator/output.json")).unwrap();
    folder.write("dset_generator/output.txt", &whole[2][..whole[2].len() - 30]);
    folder.dset(&["export", "--rebuild"]).exits(0).tells("what dset had not written is kept in");
    assert_eq!(folder.outputs(), whole);
    let earlier =
        std::fs::read_dir(folder.path("dset_generator/.earlier")).unwrap().next().unwrap();
    let kept: Vec<_> =
        std::fs::read_dir(earlier.unwrap().path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept.len(), 1, "a torn file holds nothing of anybody else's");
    assert_eq!(std::fs::read_to_string(kept[0].path()).unwrap(), edited);
}

#[cfg(unix)]
#[test]
fn an_output_stays_as_private_as_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::with(&questions(2));
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run"]).exits(0);
    let path = folder.path("dset_generator/output.csv");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn rows_without_a_text_are_left_out_and_said() {
    let folder = Folder::with("question,status\none,\ntwo,\nthree,ERROR\nfour,\n");
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run", "--from-bookmark"]).exits(0);
    folder
        .dset(&["export", "--rebuild"])
        .exits(0)
        .tells("have 2 rows each")
        .tells("2 questions before a bookmark left out");
    assert_eq!(folder.agreed(), ["three", "four"]);
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn only_what_was_asked_again_is_rebuilt_after_asking_again() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run"]).exits(0);
    folder.dset(&["run", "--again"]).exits(0);
    let before = folder.outputs();
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.outputs(), before);
    folder.dset(&["verify"]).exits(0);
    folder.dset(&["run"]).exits(0);
    assert_eq!((folder.outputs(), service.stats().asked), (before, 6));
}

#[test]
fn outputs_of_the_script_are_rebuilt_in_the_order_of_the_input() {
    let folder = Folder::with("question,status\none,\ntwo,\nthree,\n");
    let service = Service::friendly();
    folder.asks(&service);
    let line = |question: &str| {
        format!(
            "{{\"metadata\": {{\"timestamp\": \"2026-11-22 11:49:24\", \"question\": \"{question}\"}}, \"response\": {{\"reasoning\": \"\", \"answer\": \"of {question}\"}}}}\n"
        )
    };
    // Doubled, as a second run of the script left it.
    let json = ["two", "one", "two"].map(line).concat();
    folder.write("dset_generator/output.json", &json);
    folder.dset(&["export", "--rebuild"]).exits(2).says("nothing was asked yet");
    assert_eq!(folder.read("dset_generator/output.json"), json);
    folder.dset(&["run"]).exits(0);
    assert_eq!(folder.agreed(), ["two", "one", "two", "three"]);
    folder.dset(&["export", "--rebuild"]).exits(0).tells("1 row left out");
    assert_eq!(folder.agreed(), ["one", "two", "three"]);
    folder.dset(&["verify"]).exits(0);
    let before = folder.outputs();
    folder.dset(&["run"]).exits(0);
    assert_eq!((folder.outputs(), service.stats().asked), (before, 1));
}

#[test]
fn without_a_word_without_a_store_and_during_a_run_nothing_is_rebuilt() {
    let folder = Folder::with(&questions(3));
    let service = Service::with(&["Question 3,=hang"]);
    folder.asks(&service);
    let before = folder.everything();
    folder
        .dset(&["export"])
        .exits(2)
        .says("nothing was said of what to export")
        .says("hint: Write them anew with `dset export --rebuild`");
    folder.dset(&["export", "--rebuild"]).exits(2).says("nothing was asked yet").says("`dset run`");
    assert_eq!(folder.everything(), before);
    let mut child = folder.command(&["run", "--json"]).spawn().unwrap();
    let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
    events.find(|line| line.as_ref().unwrap().contains("\"answer\"")).unwrap().unwrap();
    folder.dset(&["export", "--rebuild"]).exits(11).says(&format!("process {}", child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
    folder.dset(&["export", "--rebuild"]).exits(0).tells("without an answer yet");
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn killed_while_it_writes_it_is_finished_by_the_next_command() {
    let count = 1_500;
    let folder = Folder::with(&questions(count));
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run", "-c", "64", "-q"]).exits(0);
    let rows: Vec<String> =
        questions(count).lines().skip(1).map(|row| format!("{row}\n")).collect();
    let mut backwards = vec!["question,status\n".to_owned()];
    for round in 0..6 {
        // The other way round each time, so that every byte of the outputs is to change.
        backwards.truncate(1);
        match round % 2 {
            0 => backwards.extend(rows.iter().rev().cloned()),
            _ => backwards.extend(rows.iter().cloned()),
        }
        folder.write("q.csv", backwards.concat());
        let mut child = folder.command(&["export", "--rebuild"]).spawn().unwrap();
        // So many new files are begun, then it is killed.
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut seen = std::collections::HashSet::new();
        while seen.len() <= round / 2 && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline);
            let entries = std::fs::read_dir(folder.path("dset_generator")).unwrap();
            let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
            seen.extend(names.filter(|name| name.to_string_lossy().starts_with(".dset-")));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let finish: &[&str] = if round < 3 { &["run"] } else { &["export", "--rebuild"] };
        folder.dset(finish).exits(0);
        folder.dset(&["verify"]).exits(0);
        assert_eq!(folder.agreed().len(), count);
    }
    assert_eq!(service.stats().asked, count as u64);
}

/// `output.csv` without its byte order mark, having had it.
fn behind_bom(folder: &Folder) -> Vec<u8> {
    let bytes = std::fs::read(folder.path("dset_generator/output.csv")).unwrap();
    let rest = bytes.strip_prefix(b"\xef\xbb\xbf").expect("it has a byte order mark").to_vec();
    assert!(rest.starts_with(b"timestamp,question"), "once");
    rest
}

#[test]
fn a_csv_with_a_byte_order_mark_is_gone_on_with_verified_and_rebuilt() {
    let (folder, service) = (Folder::with(&questions(9)), Service::friendly());
    let csv = folder.path("dset_generator/output.csv");
    service.run(&folder, &["-n", "2", "--csv-bom"]).exits(0);
    assert_eq!(behind_bom(&folder).iter().filter(|&&byte| byte == b'\n').count(), 3);
    let agrees = || folder.dset(&["verify"]).exits(0).tells("everything agrees");
    agrees();
    // Later runs go on with it, whatever became of the file, and nobody says it again.
    service.run(&folder, &["-n", "1"]).exits(0);
    behind_bom(&folder);
    agrees();
    let whole = std::fs::read(&csv).unwrap();
    for length in [0, 1, 2, 3, 4, 20, whole.len() - 1] {
        std::fs::write(&csv, &whole[..length]).unwrap();
        assert_eq!(folder.dset(&["verify"]).code, Some(1), "{length}");
        service.run(&folder, &["-n", "1"]).exits(0);
        behind_bom(&folder);
        agrees();
        let rows = std::fs::read(&csv).unwrap();
        assert!(rows.starts_with(&whole), "{length}");
        // As before, for the next length.
        folder.dset(&["export", "--rebuild"]).exits(0);
    }
    std::fs::remove_file(&csv).unwrap();
    service.run(&folder, &[]).exits(0);
    behind_bom(&folder);
    // A rebuild keeps it, takes it away and puts it there as it is told.
    folder.dset(&["export", "--rebuild"]).exits(0);
    let rows = behind_bom(&folder);
    folder.dset(&["export", "--rebuild", "--csv-bom=false"]).exits(0);
    assert_eq!(std::fs::read(&csv).unwrap(), rows);
    agrees();
    folder.dset(&["export", "--rebuild", "--csv-bom"]).exits(0);
    assert_eq!(behind_bom(&folder), rows);
    // Without its store the folder is taken over as it is.
    std::fs::remove_file(folder.path("dset_generator/dset.db")).unwrap();
    service.run(&folder, &[]).exits(0);
    assert_eq!((behind_bom(&folder), service.stats().asked), (rows, 9));
    agrees();
    service.run(&folder, &["--again", "--csv-bom"]).exits(0);
    behind_bom(&folder);
    agrees();
}

#[test]
fn a_byte_order_mark_that_is_wished_later_is_put_there_and_somebody_elses_text_stays() {
    let (folder, service) = (Folder::with(&questions(3)), Service::friendly());
    let csv = folder.path("dset_generator/output.csv");
    service.run(&folder, &["-n", "2"]).exits(0);
    assert!(std::fs::read(&csv).unwrap().starts_with(b"timestamp"));
    folder.write("dset.toml", "csv-bom = true\n");
    service.run(&folder, &["-n", "1"]).exits(0);
    behind_bom(&folder);
    folder.dset(&["verify"]).exits(0);
    folder.write("dset.toml", "csv-bom = false\n");
    let mut mine = std::fs::read(&csv).unwrap();
    mine.extend_from_slice(b"mine\r\n");
    std::fs::write(&csv, &mine).unwrap();
    service.run(&folder, &[]).exits(0);
    assert_eq!(std::fs::read(&csv).unwrap(), mine);
    let copied = folder.dset(&["export", "--rebuild"]).exits(0).tells("had not written is kept in");
    assert!(std::fs::read(&csv).unwrap().starts_with(b"timestamp"), "{copied:?}");
    folder.dset(&["verify"]).exits(0);
    assert_eq!(service.stats().asked, 3);
}

/// The first line of `output.csv`, and its last columns in every row, sorted.
fn csv_beside(folder: &Folder) -> (String, Vec<Vec<String>>) {
    let bytes = std::fs::read(folder.path("dset_generator/output.csv")).unwrap();
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes.as_slice());
    let header = reader.headers().unwrap().iter().collect::<Vec<_>>().join(",");
    let rows = reader.records().map(|row| row.unwrap().iter().skip(4).map(str::to_owned).collect());
    let mut rows: Vec<Vec<String>> = rows.collect();
    rows.sort();
    (header, rows)
}

#[test]
fn several_answers_to_a_question_are_told_apart_in_csv_and_txt_and_one_has_the_columns_of_the_script()
 {
    const ORIGINAL: &str = "timestamp,question,thoughts,final_answer";
    let (folder, service) = (Folder::with(&questions(2)), Service::friendly());
    let agrees = || folder.dset(&["verify"]).exits(0).tells("everything agrees");
    service.run(&folder, &["-m", "a", "-n", "1"]).exits(0);
    // A file that is begun keeps its columns, in a rebuild too.
    service.run(&folder, &["-m", "a", "-m", "b", "--samples", "2"]).exits(0);
    assert_eq!(csv_beside(&folder).0, ORIGINAL);
    assert!(!folder.read("dset_generator/output.txt").contains("Model: "));
    agrees();
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(csv_beside(&folder).0, ORIGINAL);
    std::fs::remove_file(folder.path("dset_generator/output.csv")).unwrap();
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(csv_beside(&folder).0, format!("{ORIGINAL},model,sample"));
    agrees();
    let (folder, service) = (Folder::with(&questions(2)), Service::friendly());
    let agrees = || folder.dset(&["verify"]).exits(0).tells("everything agrees");
    let several = ["-m", "a", "-m", "b", "--samples", "2"];
    service.run(&folder, &[&several[..], &["-n", "1"]].concat()).exits(0);
    agrees();
    service.run(&folder, &several).exits(0);
    let (header, rows) = csv_beside(&folder);
    assert_eq!(header, format!("{ORIGINAL},model,sample"));
    let of = |model: &str, sample: &str| vec![model.to_owned(), sample.to_owned()];
    let four = [of("a", "0"), of("a", "1"), of("b", "0"), of("b", "1")];
    let mut twice: Vec<_> = [four.clone(), four].concat();
    twice.sort();
    assert_eq!(rows, twice);
    let txt = folder.read("dset_generator/output.txt");
    assert_eq!(txt.matches("\nModel: b, sample 1\nQuestion: ").count(), 2, "{txt}");
    agrees();
    let before = folder.read("dset_generator/output.csv");
    std::fs::write(folder.path("dset_generator/output.csv"), &before[..before.len() - 7]).unwrap();
    service.run(&folder, &several).exits(0);
    assert_eq!(folder.read("dset_generator/output.csv"), before);
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(csv_beside(&folder), (header, rows));
    agrees();
    assert_eq!(service.stats().asked, 8);
}

#[test]
fn a_column_of_ids_is_put_into_the_csv_where_it_is_wished_and_taken_out_again() {
    let (folder, service) = (Folder::with("id,question\nx1,one\nx2,two\n"), Service::friendly());
    let agrees = || folder.dset(&["verify"]).exits(0).tells("everything agrees");
    service.run(&folder, &["-n", "1"]).exits(0);
    assert!(csv_beside(&folder).1.iter().all(Vec::is_empty));
    // What is wholly ours gets the column at once; later runs keep it.
    service.run(&folder, &["--csv-id", "--csv-bom"]).exits(0);
    let ids = vec![vec!["x1".to_owned()], vec!["x2".to_owned()]];
    assert_eq!(csv_beside(&folder).1, ids);
    behind_bom(&folder);
    agrees();
    service.run(&folder, &["--again"]).exits(0);
    assert_eq!(csv_beside(&folder).1, ids);
    agrees();
    folder.dset(&["export", "--rebuild", "--csv-id=false"]).exits(0);
    assert!(csv_beside(&folder).1.iter().all(Vec::is_empty));
    behind_bom(&folder);
    agrees();
    // Without its store a file with more columns is taken over, and is the script's again.
    folder.dset(&["export", "--rebuild", "--csv-id"]).exits(0);
    std::fs::remove_file(folder.path("dset_generator/dset.db")).unwrap();
    service.run(&folder, &[]).exits(0);
    assert_eq!(folder.agreed(), ["one", "two"]);
    agrees();
    assert_eq!(service.stats().asked, 4);
}

#[cfg(unix)]
#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_leaves_nothing_behind() {
    let folder = Folder::with(&questions(300));
    Service::friendly().run(&folder, &[]).exits(0);
    let leftovers = || {
        let temporary = |path: &std::path::PathBuf| path.to_string_lossy().contains(".dset-");
        folder.everything().into_keys().filter(temporary).collect::<Vec<_>>()
    };
    for command in ["dset export --to x.jsonl", "dset export --rebuild"] {
        let ran = folder.shell(&format!("ulimit -f 16; {command}")).exits(1);
        ran.says("hint: ");
        assert_eq!(leftovers(), Vec::<std::path::PathBuf>::new(), "{command}");
        folder.shell(command).exits(0);
    }
    assert_eq!(folder.agreed().len(), 300);
}

#[test]
fn a_rebuild_counts_no_row_as_unanswered_that_was_left_out() {
    let (folder, service) = (Folder::with(&questions(5)), Service::friendly());
    service.run(&folder, &["--offset", "2"]).exits(0);
    let told = folder.dset(&["export", "--rebuild"]).exits(0).tells("3 rows each").out;
    assert!(!told.contains("without an answer"), "{told}");
}
