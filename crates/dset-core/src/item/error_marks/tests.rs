use proptest::prelude::*;

use super::*;
use crate::csv::{HeaderMode, survey, survey_marked};

fn id(text: &str, ordinal: u32) -> QuestionId {
    QuestionId { text_hash: QuestionId::hash_text(text), ordinal }
}

fn set(ids: &[QuestionId]) -> InputMarks {
    InputMarks { set: ids.iter().copied().collect(), ..InputMarks::default() }
}

fn clear(ids: &[QuestionId]) -> InputMarks {
    InputMarks { clear: ids.iter().copied().collect(), ..InputMarks::default() }
}

fn marked(text: &str, marks: &InputMarks) -> (String, RewriteCounts) {
    let layout = survey(text.as_bytes(), HeaderMode::Auto, None).unwrap();
    let mut output = Vec::new();
    let rewritten = rewrite(text.as_bytes(), &mut output, &layout, marks).unwrap();
    (String::from_utf8(output).unwrap(), rewritten)
}

#[test]
fn a_mark_changes_its_own_cell_and_no_other_byte() {
    for (before, after) in [
        // The folder of the original script.
        (
            "question,status,topic\n\"x\",,geo\n,,\n\"a\",,x\nLast one\n",
            "question,status,topic\n\"x\",,geo\n,,\n\"a\",ERROR,x\nLast one\n",
        ),
        ("question,status\r\na,\r\n\r\nb,\r\n", "question,status\r\na,ERROR\r\n\r\nb,\r\n"),
        // A missing cell is added with the commas it needs.
        ("question,x,status\na\n", "question,x,status\na,,ERROR\n"),
        ("question,x,status\na", "question,x,status\na,,ERROR"),
        // No status column: one is added, and the second column stays the user's.
        ("question,topic\na,geo\nb,art\n", "question,topic,status\na,geo,ERROR\nb,art\n"),
        ("question\na\nb,c,d\n", "question,,,status\na,,,ERROR\nb,c,d\n"),
        ("a,x\nb,y\n", "a,x,ERROR\nb,y\n"),
        // A byte order mark, blank lines and quotes stay.
        (
            "\u{feff}question,status\n\n\n\"a\",\"\"\n\n",
            "\u{feff}question,status\n\n\n\"a\",\"ERROR\"\n\n",
        ),
        ("status,question\n,a\n", "status,question\nERROR,a\n"),
    ] {
        let (written, rewritten) = marked(before, &set(&[id("a", 0)]));
        assert_eq!(written, after);
        assert_eq!((rewritten.set, rewritten.missing), (1, 0), "{before:?}");
    }
}

#[test]
fn a_status_cell_in_quotes_stays_in_quotes_when_it_is_marked_and_cleared() {
    for file in [
        "\"question\",\"status\"\n\"a\",\"\"\n\"b\",\"\"\n",
        "\"question\",\"status\",\"x\"\r\n\"a\",\"\",\"1\"\r\n",
        "status,question\n\"\",a\n",
        "question,status\na,\"\"",
        "question,status\na,\nb,\"\"\n",
    ] {
        let (error, _) = marked(file, &set(&[id("a", 0)]));
        assert!(error.contains("ERROR"), "{file}");
        assert_eq!(error.contains("\"ERROR\""), !file.contains("a,\nb"), "{error}");
        assert_eq!(marked(&error, &clear(&[id("a", 0)])).0, file);
    }
}

#[test]
fn only_error_is_cleared_and_the_commas_stay() {
    for (before, after) in [
        ("question,status\na,ERROR\nb,ERROR\n", "question,status\na,\nb,ERROR\n"),
        ("question,status\na,\"ERROR\"\n", "question,status\na,\"\"\n"),
        ("question,status\na,\" ERROR \"\r\n", "question,status\na,\"\"\r\n"),
        ("question,status\na, ERROR \n", "question,status\na,\n"),
        ("question,status\na,done\n", "question,status\na,done\n"),
        ("question,status\na,error\n", "question,status\na,error\n"),
        ("a,ERROR\nb,\n", "a,\nb,\n"),
    ] {
        assert_eq!(marked(before, &clear(&[id("a", 0)])).0, after);
    }
}

#[test]
fn the_users_own_word_is_left_alone() {
    let text = b"question,status\na,todo\n";
    let layout = survey_marked(&text[..], HeaderMode::Auto, None, Some("status")).unwrap();
    let mut written = Vec::new();
    let rewritten = rewrite(&text[..], &mut written, &layout, &set(&[id("a", 0)])).unwrap();
    assert_eq!(written, text);
    assert_eq!(rewritten, RewriteCounts { left_alone: 1, ..RewriteCounts::default() });
}

#[test]
fn marks_find_their_question_wherever_it_has_moved() {
    let (written, rewritten) =
        marked("question,status\nb,\na,\nb,\n", &set(&[id("b", 1), id("c", 0)]));
    assert_eq!(written, "question,status\nb,\na,\nb,ERROR\n");
    assert_eq!((rewritten.set, rewritten.missing), (1, 1));
}

#[test]
fn behind_a_quote_that_is_never_closed_nothing_is_added() {
    let text = "question,status\n\"a";
    let (written, rewritten) = marked(text, &set(&[id("a", 0)]));
    assert_eq!((written.as_str(), rewritten.left_alone), (text, 1));
}

/// Every question of a file with what it is known by.
fn questions(bytes: &[u8], layout: &Layout) -> Vec<(QuestionId, String)> {
    let (mut records, mut record) = (Records::new(bytes), Record::default());
    let mut seen: HashMap<u64, u32> = HashMap::new();
    let mut all = Vec::new();
    let mut skip = layout.has_header;
    while records.next(&mut record).unwrap() {
        if std::mem::take(&mut skip) {
            continue;
        }
        let text = record.cell(layout.question).unwrap_or_default().to_owned();
        let ordinal = seen.entry(QuestionId::hash_text(&text)).or_default();
        all.push((id(&text, *ordinal), text));
        *ordinal += 1;
    }
    all
}

/// Cells, line ends and whole rows that files of questions have, and some that they should not.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"a",
        b"b",
        b"ab",
        b"q,\"",
        b"ERROR",
        b"error",
        b" ERROR ",
        b"status",
        b"STATUS",
        b"question",
        b"prompt",
        b"\"a\"",
        b"\"a\nb\"",
        b"\"\"",
        b"\"",
        b" ",
        b",",
        b",",
        b",",
        b",,",
        b"\n",
        b"\n",
        b"\n",
        b"\r\n",
        b"\r\n",
        b"\r",
        b"\n\n",
        b"\xef\xbb\xbf",
        b"\xe9",
        b"\xc3\xa9",
        b"\0",
        b"#",
        b"1",
    ];
    let starts: Vec<&[u8]> = vec![
        b"",
        b"",
        b"\xef\xbb\xbf",
        b"question,status\n",
        b"question\n",
        b"x,status,question\r\n",
        b"status\n",
        b"STATUS,x\n",
        b"status,question,status\n",
        b"\nquestion\n",
        b"a,ERROR\n",
        b"\"question\"\n",
    ];
    let wide = (0..3_u8, 0..200_usize).prop_map(|(chance, commas)| match chance {
        0 => vec![b','; commas],
        _ => Vec::new(),
    });
    let grammar = (
        prop::sample::select(starts),
        prop::collection::vec(prop::sample::select(pieces), 0..40),
        wide,
        prop::collection::vec(prop::sample::select(vec![&b"a\n"[..], b"b,x\r\n", b"c"]), 0..4),
    )
        .prop_map(|(start, pieces, wide, rows)| {
            [start, &pieces.concat(), &wide, &rows.concat()].concat()
        });
    prop_oneof![9 => grammar, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

/// A file without what marks may add: its status cells emptied, the commas before them and an added
/// header left out.
fn without_marks(bytes: &[u8], layout: &Layout, column: usize) -> Vec<Vec<u8>> {
    let (mut records, mut record) = (Records::new(bytes), Record::default());
    let mut all = Vec::new();
    let mut is_header = layout.has_header;
    while records.next(&mut record).unwrap() {
        let raw = record.raw();
        let is_header = std::mem::take(&mut is_header);
        let (from, to) = match record.raw_field(column) {
            // An added header may stand behind commas that were added too.
            Some(field) if !is_header || column >= layout.columns.len() => (field.start, field.end),
            Some(_) => (0, 0),
            None => record.raw_field(record.len() - 1).map_or((0, 0), |last| (last.end, last.end)),
        };
        let before = &raw[..from];
        let commas = before.iter().rev().take_while(|&&byte| byte == b',').count();
        let kept = if column + 1 >= record.len() { from - commas } else { from };
        all.push([&raw[..kept], &raw[to..]].concat());
    }
    all.push(record.raw().to_vec());
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_file_is_refused_or_marked_and_cleared_with_every_other_byte_kept(
        bytes in any_file(),
        header in prop::sample::select(vec![HeaderMode::Auto, HeaderMode::Yes, HeaderMode::No]),
        column in prop::sample::select(vec![
            None, None, Some("1"), Some("2"), Some("status"), Some("Status"), Some("column_2"), Some("question"),
        ]),
        chosen in any::<u64>(),
    ) {
        let survey = |bytes: &[u8]| survey(bytes, header, column);
        let Ok(layout) = survey(&bytes) else { return Ok(()) };
        let write = |bytes: &[u8], layout: &Layout, marks: &InputMarks| {
            let mut output = Vec::new();
            let rewritten = rewrite(bytes, &mut output, layout, marks).unwrap();
            // The engine leaves a file alone in which nothing changes.
            (if rewritten.is_change() { output } else { bytes.to_vec() }, rewritten)
        };
        let before = questions(&bytes, &layout);
        let (chosen, others): (Vec<_>, Vec<_>) = before
            .iter()
            .enumerate()
            .filter(|(_, (_, text))| !text.trim().is_empty())
            .partition(|(at, _)| chosen >> (at % 64) & 1 == 1);
        let ids = |rows: Vec<(usize, &(QuestionId, String))>| -> Vec<QuestionId> {
            rows.into_iter().map(|(_, (id, _))| *id).collect()
        };
        let (chosen, others) = (ids(chosen), ids(others));

        // Marks of questions that are not there change nothing.
        let absent = set(&[id("not there", 0), id("a", 99)]);
        let (same, rewritten) = write(&bytes, &layout, &absent);
        prop_assert_eq!(&same, &bytes);
        prop_assert_eq!(rewritten, RewriteCounts { missing: 2, ..RewriteCounts::default() });

        let column = layout.marks_column();
        let (marked, rewritten) = write(&bytes, &layout, &set(&chosen));
        prop_assert_eq!(rewritten.missing, 0);
        let check = |bytes: &[u8]| {
            let now = survey(bytes).unwrap();
            prop_assert_eq!(now.has_header, layout.has_header);
            prop_assert_eq!((now.question, now.chosen), (layout.question, layout.chosen));
            prop_assert!(now.columns.starts_with(&layout.columns), "columns are only added");
            prop_assert_eq!(&questions(bytes, &now), &before, "no question changes");
            Ok(now)
        };
        let layout_marked = check(&marked)?;
        if !rewritten.is_change() {
            return Ok(());
        }
        prop_assert_eq!(layout_marked.status, Some(column), "marks are found again");
        prop_assert_eq!(
            without_marks(&marked, &layout, column),
            without_marks(&bytes, &layout, column),
            "no other byte changes"
        );

        let (twice, again) = write(&marked, &layout_marked, &set(&chosen));
        prop_assert_eq!((again.set, again.cleared), (0, 0), "a mark is set once");
        prop_assert_eq!(&twice, &marked);

        let (cleared, done) = write(&marked, &layout_marked, &clear(&chosen));
        prop_assert!(done.cleared >= rewritten.set, "every mark that was set is cleared");
        let layout_cleared = check(&cleared)?;
        prop_assert_eq!(
            without_marks(&cleared, &layout, column),
            without_marks(&bytes, &layout, column),
            "no other byte changes"
        );
        prop_assert_eq!(write(&cleared, &layout_cleared, &clear(&others)).1.missing, 0);

        let (marked_again, _) = write(&cleared, &layout_cleared, &set(&chosen));
        let layout_again = check(&marked_again)?;
        // A column between others that is empty may be the user's own, and is not taken.
        if layout.has_header || column + 1 == layout_marked.width {
            prop_assert_eq!(layout_again.width, layout_marked.width, "no column is added twice");
        }
    }
}
