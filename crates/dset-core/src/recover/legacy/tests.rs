use proptest::prelude::*;

use super::*;
use crate::answer::row::Metadata;
use crate::time::stamp;

const HEADER: &str = "timestamp,question,thoughts,final_answer\r\n";

/// The bytes of the original script, for each of its files.
fn csv_row(row: &Row, output: &mut Vec<u8>) {
    let mut writer =
        ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(output);
    writer
        .write_record([&stamp(row.answered_at), &row.question, &row.reasoning, &row.answer])
        .unwrap();
}

fn json_row(row: &Row, output: &mut Vec<u8>) {
    let text = |text: &str| serde_json::to_string(text).unwrap();
    let line = format!(
        "{{\"metadata\": {{\"timestamp\": \"{}\", \"question\": {}}}, \"response\": {{\"reasoning\": {}, \"answer\": {}}}}}\n",
        stamp(row.answered_at),
        text(&row.question),
        text(&row.reasoning),
        text(&row.answer)
    );
    output.extend(line.bytes());
}

fn txt_row(row: &Row, output: &mut Vec<u8>) {
    let block = format!(
        "Timestamp: {}\nQuestion: {}\nThought Process: {}\nFinal Answer: {}\n{}\n\n",
        stamp(row.answered_at),
        row.question,
        row.reasoning,
        row.answer,
        "-".repeat(50)
    );
    output.extend(block.bytes());
}

#[test]
fn characters_that_no_input_has_are_read_in_answers() {
    for answer in ["a\0d", "\0", "\0,\"\n\0", "\x1b$B$=\x1b(B"] {
        let rows = [row("one", "1"), row("two", answer), row("three", "3")];
        let mut files = Files::of(&rows);
        let adopted = files.adopt();
        assert_eq!((&adopted.rows[..], adopted.unread), (&rows[..], 0), "{answer:?}");
        let alone = Files([files.0[0].clone(), Vec::new(), Vec::new()]).adopt();
        assert_eq!((&alone.rows[..], alone.unread), (&rows[..], 0), "{answer:?}");
    }
}

type Write = fn(&Row, &mut Vec<u8>);
const WRITERS: [Write; 3] = [csv_row, json_row, txt_row];

fn row(question: &str, answer: &str) -> Row {
    Row {
        answered_at: 1_795_348_164_000,
        question: question.to_owned(),
        reasoning: "because…\nso".to_owned(),
        answer: answer.to_owned(),
        metadata: Metadata::default(),
        reading: None,
    }
}

/// The three files, as they stand in a folder.
#[derive(Debug, Clone, PartialEq)]
struct Files([Vec<u8>; 3]);

impl Files {
    /// The script wrote these rows into all three.
    fn of(rows: &[Row]) -> Files {
        let mut files = Files([HEADER.as_bytes().to_vec(), Vec::new(), Vec::new()]);
        rows.iter().for_each(|row| (0..3).for_each(|at| files.write(at, row)));
        files
    }

    fn write(&mut self, at: usize, row: &Row) {
        WRITERS[at](row, &mut self.0[at]);
    }

    fn read(&self) -> LegacyAnswers {
        let [csv, json, txt] = &self.0;
        read_legacy_outputs(LegacyOutputs { csv, json, txt }, txt_row)
    }

    /// Takes them over, as the engine does, and checks what must hold of any files.
    fn adopt(&mut self) -> LegacyAnswers {
        let adoption = self.read();
        for (at, completion) in
            [&adoption.csv, &adoption.json, &adoption.txt].into_iter().enumerate()
        {
            let (header, newline) = [(HEADER, "\r\n"), ("", "\n"), ("", "\n")][at];
            let file = &mut self.0[at];
            file.truncate(usize::try_from(completion.whole_bytes).unwrap());
            let joint = joint(file, header.as_bytes(), newline.as_bytes()).to_vec();
            file.extend(joint);
            completion.missing_rows.iter().for_each(|&row| self.write(at, &adoption.rows[row]));
        }
        let again = self.read();
        assert_eq!(again.rows, adoption.rows, "no row is lost or doubled by a second adoption");
        assert_eq!(again.torn, 0);
        let lengths = [again.csv, again.json, again.txt]
            .map(|completion| (completion.whole_bytes, completion.missing_rows));
        let expected = self.0.each_ref().map(|file| (file.len() as u64, Vec::new()));
        assert_eq!(lengths, expected, "nothing is left to do");
        adoption
    }

    /// The questions and answers in each file, in its order, as other readers find them.
    fn contents(&self) -> [Vec<(String, String)>; 3] {
        let [csv, json, txt] = &self.0;
        let mut reader = ::csv::ReaderBuilder::new().from_reader(csv.as_slice());
        let csv = reader.records().map(|record| {
            let record = record.unwrap();
            (record[1].to_owned(), record[3].to_owned())
        });
        let json = json.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(|line| {
            let line: serde_json::Value = serde_json::from_slice(line).unwrap();
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            (text(&line["metadata"]["question"]), text(&line["response"]["answer"]))
        });
        let txt = String::from_utf8(txt.clone()).unwrap().replace('\r', "");
        let ruler = format!("\n{}\n\n", "-".repeat(50));
        let txt = txt.split_terminator(&ruler).map(|block| {
            let (head, answer) = block.split_once("\nFinal Answer: ").unwrap();
            let question = head.split_once("\nThought Process: ").unwrap().0;
            (question.split_once("\nQuestion: ").unwrap().1.to_owned(), answer.to_owned())
        });
        [csv.collect(), json.collect(), txt.collect()].map(without_crs)
    }

    /// All three hold the same rows; what one lacked stands at its end.
    fn agree_in_any_order(&self) -> Vec<(String, String)> {
        let mut contents = self.contents();
        contents.iter_mut().for_each(|rows| rows.sort());
        assert_eq!(contents[0], contents[1]);
        assert_eq!(contents[2], contents[1]);
        contents[1].clone()
    }
}

fn three() -> Vec<Row> {
    vec![row("one", "=1, \"uno\"\nor é"), row("two, or \"2\"", ""), row("three", "drei\r\n")]
}

fn pairs(rows: &[Row]) -> Vec<(String, String)> {
    without_crs(rows.iter().map(|row| (row.question.clone(), row.answer.clone())).collect())
}

/// The text may have them where the others do not.
fn without_crs(mut rows: Vec<(String, String)>) -> Vec<(String, String)> {
    rows.iter_mut().for_each(|(_, answer)| answer.retain(|c| c != '\r'));
    rows
}

#[test]
fn each_file_may_be_cut_at_any_byte_and_nothing_whole_is_lost() {
    let whole = Files::of(&three());
    for at in 0..3 {
        for length in 0..=whole.0[at].len() {
            let mut files = whole.clone();
            files.0[at].truncate(length);
            let adoption = files.adopt();
            assert_eq!(adoption.rows, three(), "file {at} cut at {length}");
            assert_eq!(files, whole, "file {at} cut at {length}: every byte is back");
            assert!(adoption.torn <= 1 && adoption.unread == 0);
        }
    }
}

/// A kill between the files: the second has one row less than the first, and the third less still.
#[test]
fn all_files_may_be_cut_at_any_byte_and_every_row_that_is_whole_somewhere_is_kept() {
    let whole = Files::of(&three());
    for csv in 0..=whole.0[0].len() {
        for json in (0..=whole.0[1].len()).step_by(17) {
            let mut files = whole.clone();
            files.0[0].truncate(csv);
            files.0[1].truncate(json);
            assert_eq!(files.clone().adopt().rows, three(), "the text is whole");
            files.0[2].clear();
            let rows = |at: usize, files: &Files| {
                if at == 0 { read_csv(&files.0[0]) } else { read_json(&files.0[1]) }.rows.len()
            };
            let most = rows(0, &files).max(rows(1, &files));
            assert_eq!(files.adopt().rows, three()[..most]);
        }
    }
}

#[test]
fn one_file_alone_is_enough() {
    for at in 0..3 {
        let mut files = Files([const { Vec::new() }; 3]);
        files.0[at] = Files::of(&three()).0[at].clone();
        let adoption = files.adopt();
        assert_eq!((adoption.rows, adoption.unread), (three(), 0));
        assert_eq!(files, Files::of(&three()));
    }
}

#[test]
fn a_row_that_is_in_the_text_alone_is_taken_where_it_can_be_read_in_one_way() {
    let odd = row("four", "No.\nFinal Answer: Yes.");
    let mut files = Files::of(&three());
    files.write(2, &odd);
    files.write(2, &row("five", "fünf"));
    files.write(2, &row("one", "uno, as somebody else has it"));
    let adoption = files.adopt();
    assert_eq!(adoption.rows, [three(), vec![row("five", "fünf")]].concat());
    assert_eq!(adoption.unread, 1);
}

#[test]
fn what_the_script_bought_twice_stays_twice_in_every_file() {
    let again = [row("one", "another"), row("two, or \"2\"", ""), row("three", "drei\r\n")];
    let rows = [three(), again.to_vec()].concat();
    let mut files = Files::of(&rows);
    let adoption = files.adopt();
    assert_eq!(adoption.rows, rows);
    assert_eq!(adoption.ids.iter().map(|id| id.ordinal).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1]);
    assert_eq!(files, Files::of(&rows));
}

/// Killed behind the CSV of the second question, the script bought all of it again: the answer of
/// the kill is in the CSV alone, and none of the later ones may be taken for it.
#[test]
fn an_answer_that_only_one_file_got_before_a_rerun_is_completed_and_no_other_is_doubled() {
    let mut files = Files::of(&three()[..1]);
    files.write(0, &row("two, or \"2\"", "lost"));
    for row in three() {
        (0..3).for_each(|at| files.write(at, &row));
    }
    let adoption = files.adopt();
    assert_eq!((adoption.rows.len(), adoption.json.missing_rows.len()), (5, 1));
    let mut expected = pairs(&[&three()[..1], &three(), &[row("two, or \"2\"", "lost")]].concat());
    expected.sort();
    assert_eq!(files.agree_in_any_order(), expected);
}

/// Killed in the middle of a row, the script began again in the same line.
#[test]
fn a_row_that_is_torn_in_the_middle_of_a_file_costs_no_other_row() {
    let torn = row("torn, \"t\"", "an \"answer\"\nthat was cut");
    for (at, write) in WRITERS.iter().enumerate().take(2) {
        let mut of_torn = Vec::new();
        write(&torn, &mut of_torn);
        for length in 1..of_torn.len() - 2 {
            let mut files = Files::of(&three()[..1]);
            files.0[at].extend(&of_torn[..length]);
            for row in three() {
                (0..3).for_each(|at| files.write(at, &row));
            }
            let found = files.read();
            let expected = pairs(&[&three()[..1], &three()].concat());
            assert_eq!(pairs(&found.rows), expected, "file {at} torn at {length}");
            assert!(found.csv.missing_rows.is_empty() && found.json.missing_rows.is_empty());
            files.adopt();
        }
    }
}

#[test]
fn a_text_that_went_through_windows_is_recognised() {
    let mut files = Files::of(&three());
    let windows = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).unwrap().replace('\r', "").replace('\n', "\r\n")
    };
    files.0[1] = windows(&files.0[1]).into_bytes();
    files.0[2] = windows(&files.0[2]).into_bytes();
    let adoption = files.adopt();
    assert_eq!(adoption.rows.len(), 3);
    assert_eq!((adoption.txt.missing_rows.len(), adoption.csv.missing_rows.len()), (0, 0));
    // Torn in that shape, too.
    let whole = files.0[2].len();
    files.0[2].truncate(whole - 10);
    assert_eq!(files.adopt().txt.missing_rows, [2]);
    assert_eq!(files.contents()[2].len(), 3);
}

#[test]
fn line_ends_marks_of_byte_order_and_headers_may_be_others() {
    let plain = "2026-11-22 11:49:24,one,why,1\r\n2026-11-22 11:49:25,two,,\r\n";
    let lf = plain.replace('\r', "");
    for text in [
        format!("{HEADER}{plain}"),
        format!("{HEADER}{plain}").replace('\r', ""),
        format!("{HEADER}{plain}").replace('\n', ""),
        format!("{HEADER}{plain}").replace('\n', "\r\n"),
        format!("\u{feff}{HEADER}{plain}"),
        plain.to_owned(),
        format!("\u{feff}{plain}"),
        "final_answer,note,question\n1,x,one\n,,two\n".to_owned(),
        format!("{HEADER}{lf}"),
        // Two files put together.
        format!("{HEADER}2026-11-22 11:49:24,one,why,1\r\n{HEADER}2026-11-22 11:49:25,two,,\r\n"),
    ] {
        let found = read_csv(text.as_bytes());
        let rows: Vec<_> = found.rows.iter().map(|row| (&*row.question, &*row.answer)).collect();
        assert_eq!(rows, [("one", "1"), ("two", "")], "{text:?}");
        assert_eq!((found.torn, found.unread), (false, 0), "{text:?}");
        assert_eq!(found.whole_bytes, text.len() as u64);
    }
    let json = "\u{feff}{\"metadata\": {\"timestamp\": \"\", \"question\": \" one \"}, \"response\": {\"reasoning\": null, \"answer\": null}}\r\n";
    // Blanks that were asked stand in all the files.
    assert_eq!(read_json(json.as_bytes()).rows[0].question, " one ");
}

#[test]
fn the_scripts_local_time_stands_as_it_is_in_every_file() {
    let mut files = Files::of(&three());
    files.0[1].clear();
    files.adopt();
    assert_eq!(files, Files::of(&three()));
    // Of another second in each file, as at the turn of one.
    let mut files = Files::of(&three());
    for (at, second) in [(0, "11:49:25"), (2, "11:49:26")] {
        let text = String::from_utf8(files.0[at].clone()).unwrap();
        files.0[at] = text.replace("11:49:24", second).into_bytes();
    }
    let before = files.clone();
    files.adopt();
    assert_eq!(files, before);
}

#[test]
fn what_is_no_row_stays_where_it_is() {
    let mut files = Files::of(&three());
    files.0[0].splice(HEADER.len()..HEADER.len(), *b"a note\r\n\xff,not text\r\n");
    files.0[1].splice(0..0, *b"[]\nnot json\n{\"metadata\": {}}\n");
    files.0[2].splice(0..0, *b"my notes\n\nQuestion: one\n");
    let before = files.clone();
    let adoption = files.adopt();
    assert_eq!((adoption.rows, adoption.unread), (three(), 5));
    assert_eq!(files, before);
}

#[test]
fn a_csv_with_other_columns_is_read_and_written_anew() {
    let mut files = Files::of(&three()[..1]);
    files.0[0] =
        b"question,final_answer,note,timestamp\nfour,4,mine,2026-11-22 11:49:24\n".to_vec();
    let adoption = files.adopt();
    let mut four = row("four", "4");
    four.reasoning.clear();
    assert_eq!(adoption.rows, [three()[0].clone(), four]);
    assert_eq!(files, Files::of(&adoption.rows));
}

#[test]
fn halves_of_two_rows_are_no_row() {
    for text in [
        "2026-11-22 11:50:00,two,,timestamp,question,thoughts,final_answer\r\n",
        "2026-11-22 11:50:00,two,\"why,\"because\",2\r\n",
        "2026-11-22 11:50:00,two,why,half2026-11-22,one\r\n",
    ] {
        let found = read_csv(format!("{HEADER}{text}").as_bytes());
        assert_eq!((found.rows, found.unread), (Vec::new(), 1), "{text:?}");
        let mut files = Files::of(&three());
        files.0[0].extend(text.bytes());
        files.write(0, &row("four", "4"));
        assert_eq!(files.adopt().rows.len(), 4, "{text:?}");
    }
}

#[test]
fn a_byte_that_is_no_text_costs_its_own_row_alone() {
    let mut files = Files::of(&[row("caf#", "x"), row("two", "2"), row("three", "3")]);
    files.0[1].clear();
    files.0[2].clear();
    let at = files.0[0].iter().position(|&byte| byte == b'#').unwrap();
    files.0[0][at] = 0xe9;
    let adoption = files.read();
    assert_eq!(pairs(&adoption.rows), pairs(&[row("two", "2"), row("three", "3")]));
    assert_eq!((adoption.torn, adoption.unread), (0, 1));
}

#[test]
fn an_answer_that_was_mended_in_one_file_is_still_that_row() {
    let mut files = Files::of(&three());
    let text = String::from_utf8(files.0[0].clone()).unwrap();
    files.0[0] = text.replace("drei", "three").into_bytes();
    let before = files.clone();
    files.adopt();
    assert_eq!(files, before);
}

#[test]
fn many_rows_are_taken_over_in_linear_time() {
    let rows: Vec<Row> = (0..30_000).map(|at| row(&format!("q{at}"), "a, b")).collect();
    let mut files = Files::of(&rows);
    // The text has none of them in their order, and each in another second.
    files.0[2].clear();
    for row in rows.iter().rev() {
        files.write(2, &Row { answered_at: 0, ..row.clone() });
    }
    let adoption = files.read();
    assert_eq!(adoption.rows.len(), 30_000);
    assert!(adoption.txt.missing_rows.is_empty());
}

fn any_text() -> impl Strategy<Value = String> {
    prop::string::string_regex("[ab,\"'\n\r é😀:{}\\-]{0,12}").unwrap()
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let question = prop::sample::select(vec!["one", "two", "a\nb", "q, \"x\"", "é"]);
    let row = (question, any_text(), any_text(), 0..4_000_000_000_i64);
    prop::collection::vec(row, 0..6).prop_map(|rows| {
        let rows = rows.into_iter().map(|(question, reasoning, answer, second)| Row {
            answered_at: second * 1000,
            question: question.to_owned(),
            reasoning,
            answer,
            metadata: Metadata::default(),
            reading: None,
        });
        rows.collect()
    })
}

proptest! {
    /// One life of the script after the other, each killed at any byte of any of its files.
    #[test]
    fn whatever_kills_left_behind_every_whole_row_is_kept_once_and_the_files_agree(
        lives in prop::collection::vec((any_rows(), 0..3_usize, 0..400_usize), 1..3),
    ) {
        let mut files = Files::of(&[]);
        let mut torn_in_the_middle = false;
        let count = lives.len();
        let rows = || lives.iter().flat_map(|(rows, ..)| rows);
        let written: Vec<_> =
            rows().map(|row| (row.question.clone(), row.answer.clone())).collect();
        for (life, (rows, at, bytes)) in lives.into_iter().enumerate() {
            let Some((last, whole)) = rows.split_last() else { continue };
            for row in whole {
                (0..3).for_each(|at| files.write(at, row));
            }
            (0..at).for_each(|at| files.write(at, last));
            let mut of_last = Vec::new();
            WRITERS[at](last, &mut of_last);
            let bytes = bytes.min(of_last.len());
            files.0[at].extend(&of_last[..bytes]);
            torn_in_the_middle |= life + 1 < count && bytes > 0 && bytes < of_last.len();
        }
        let found: Vec<Vec<Row>> = vec![read_csv(&files.0[0]).rows, read_json(&files.0[1]).rows];
        let adoption = files.adopt();
        for rows in found {
            let mut left = adoption.rows.clone();
            // A quote in a torn row of the first life reaches into the rows of the next: what is read
            // there is no row that anybody wrote.
            let is_whole =
                |row: &Row| written.contains(&(row.question.clone(), row.answer.clone()));
            for row in rows.into_iter().filter(is_whole) {
                let at = left.iter().position(|other| {
                    (&other.question, &other.answer) == (&row.question, &row.answer)
                });
                prop_assert!(at.is_some(), "{row:?} is lost");
                left.remove(at.unwrap());
            }
        }
        if !torn_in_the_middle {
            let mut agreed = files.contents();
            agreed.iter_mut().for_each(|rows| rows.sort());
            let mut expected = pairs(&adoption.rows);
            expected.sort();
            prop_assert_eq!(&agreed[0], &expected);
            prop_assert_eq!(&agreed[1], &expected);
        }
    }

    #[test]
    fn any_bytes_are_taken_over_and_then_nothing_is_left_to_do(
        csv in prop::collection::vec(prop::sample::select(b"2026-01:, \"\r\naq\xc3\xa9\0".to_vec()), 0..120),
        json in prop::collection::vec(any::<u8>(), 0..60),
        txt in prop::collection::vec(prop::sample::select(b"Question: a\r\n-".to_vec()), 0..60),
        cut in 0..300_usize,
    ) {
        let mut files = Files::of(&three());
        files.0[0].truncate(HEADER.len() + cut);
        files.0[0].extend(csv);
        files.0[1].truncate(cut);
        files.0[1].extend(json);
        files.0[2].truncate(cut);
        files.0[2].extend(txt);
        files.adopt();
    }
}

#[test]
fn a_row_that_is_torn_before_the_mark_of_the_end_of_a_file_is_torn() {
    let row = b"2026-11-22 11:49:24,one,,\"1\"\r\n";
    for torn in [&b"\"\x1a"[..], b"2026-11-22 11:50:00,two,,\"2\x1a"] {
        let found = read_csv(&[&row[..], torn].concat());
        assert!(found.torn, "{torn:?}");
        assert_eq!((found.whole_bytes, found.rows.len()), (row.len() as u64, 1), "{torn:?}");
    }
}
