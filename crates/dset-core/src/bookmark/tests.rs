use proptest::prelude::*;

use super::*;
use crate::csv::{HeaderMode, survey};

fn id(text: &str, ordinal: u32) -> QuestionId {
    QuestionId { text_hash: QuestionId::hash_text(text), ordinal }
}

fn set(ids: &[QuestionId]) -> Marks {
    Marks { set: ids.iter().copied().collect(), ..Marks::default() }
}

fn clear(ids: &[QuestionId]) -> Marks {
    Marks { clear: ids.iter().copied().collect(), ..Marks::default() }
}

fn marked(text: &str, marks: &Marks) -> (String, Rewritten) {
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
            "\u{feff}question,status\n\n\n\"a\",ERROR\n\n",
        ),
        ("status,question\n,a\n", "status,question\nERROR,a\n"),
    ] {
        let (written, rewritten) = marked(before, &set(&[id("a", 0)]));
        assert_eq!(written, after);
        assert_eq!((rewritten.set, rewritten.missing), (1, 0), "{before:?}");
    }
}

#[test]
fn only_error_is_cleared_and_the_commas_stay() {
    for (before, after) in [
        ("question,status\na,ERROR\nb,ERROR\n", "question,status\na,\nb,ERROR\n"),
        ("question,status\na,\"ERROR\"\n", "question,status\na,\n"),
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
    let (written, rewritten) = marked("question,status\na,todo\n", &set(&[id("a", 0)]));
    assert_eq!(written, "question,status\na,todo\n");
    assert_eq!(rewritten, Rewritten { left_alone: 1, ..Rewritten::default() });
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

proptest! {
    #[test]
    fn any_bytes_are_refused_or_come_back_the_same(
        header in prop::sample::select(vec!["", "question,status\n", "question\n", "x,status,question\r\n"]),
        body in prop::collection::vec(prop::sample::select(
            b"ab,\"\n\r E\xe9\xc3\xa9\0".to_vec()), 0..40),
        chosen in any::<u64>(),
    ) {
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(body);
        let Ok(layout) = survey(bytes.as_slice(), HeaderMode::Auto, None) else { return Ok(()) };
        let before = questions(&bytes, &layout);
        let chosen: Vec<QuestionId> = before.iter().enumerate()
            .filter(|(at, (_, text))| chosen >> (at % 64) & 1 == 1 && !text.trim().is_empty())
            .map(|(_, (id, _))| *id)
            .collect();
        let mut with = Vec::new();
        let set_result = rewrite(bytes.as_slice(), &mut with, &layout, &set(&chosen)).unwrap();
        prop_assert_eq!(set_result.missing, 0);

        let after = survey(with.as_slice(), HeaderMode::Auto, None).unwrap();
        prop_assert_eq!(questions(&with, &layout), before, "no question changes");
        if !set_result.is_change() {
            // The engine leaves such a file alone.
            return Ok(());
        }
        // Cleared again, everything but what a mark had to add is as it was.
        let layout_now = if layout.has_header { after } else { Layout { status: Some(layout.marks_column()), ..layout.clone() } };
        let mut again = Vec::new();
        rewrite(with.as_slice(), &mut again, &layout_now, &clear(&chosen)).unwrap();
        if layout.status.is_some() && questions_have_cells(&bytes, layout.marks_column()) && !bytes.contains(&b'E') && !contains_blank_status(&bytes, layout.marks_column()) {
            prop_assert_eq!(again, bytes);
        }
    }
}

fn questions_have_cells(bytes: &[u8], column: usize) -> bool {
    let (mut records, mut record) = (Records::new(bytes), Record::default());
    while records.next(&mut record).unwrap() {
        if record.len() <= column {
            return false;
        }
    }
    true
}

/// A status cell of spaces or of empty quotes comes back empty.
fn contains_blank_status(bytes: &[u8], column: usize) -> bool {
    let (mut records, mut record) = (Records::new(bytes), Record::default());
    while records.next(&mut record).unwrap() {
        let raw = record.raw_field(column).unwrap();
        if record.cell(column).unwrap().trim().is_empty() && !raw.is_empty() {
            return true;
        }
    }
    false
}
