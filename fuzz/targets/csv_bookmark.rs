//! Any file of questions is refused, or marked and cleared with every other byte kept.
//!
//! The first byte of an input chooses the header mode and the column, the second which questions
//! are marked; the rest is the file.
#![no_main]

use std::collections::HashMap;

use dset_core::item::error_marks::{InputMarks, rewrite};
use dset_core::csv::{HeaderMode, Layout, Record, Records, survey};
use dset_core::item::question::QuestionId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [how, which, file @ ..] = bytes else { return };
    let header = [HeaderMode::Auto, HeaderMode::Yes, HeaderMode::No][usize::from(how % 3)];
    let column = [None, Some("1"), Some("2"), Some("status"), Some("column_2"), Some("question")];
    let column = column[usize::from(how / 3) % column.len()];
    let survey = |file: &[u8]| survey(file, header, column);
    let Ok(layout) = survey(file) else { return };
    let before = questions(file, &layout);

    let chosen = before
        .iter()
        .enumerate()
        .filter(|(at, (_, text))| which >> (at % 8) & 1 == 1 && !text.trim().is_empty());
    let ids: Vec<QuestionId> = chosen.map(|(_, (id, _))| *id).collect();
    let set = InputMarks { set: ids.iter().copied().collect(), ..InputMarks::default() };
    let clear = InputMarks { clear: ids.iter().copied().collect(), ..InputMarks::default() };

    let (marked, done) = written(file, &layout, &set);
    assert_eq!(done.missing, 0);
    if !done.is_change() {
        // The engine leaves such a file alone.
        return;
    }
    let layout_marked = survey(&marked).expect("a marked file is read as it was");
    assert_same(&layout, &layout_marked);
    assert_eq!(questions(&marked, &layout_marked), before, "no question changes");
    assert_eq!(layout_marked.status, Some(layout.marks_column()), "marks are found again");

    let (twice, done) = written(&marked, &layout_marked, &set);
    assert_eq!((done.set, done.cleared), (0, 0), "a mark is set once");
    assert_eq!(twice, marked);

    let (cleared, _) = written(&marked, &layout_marked, &clear);
    let layout_cleared = survey(&cleared).expect("a cleared file is read as it was");
    assert_same(&layout, &layout_cleared);
    assert_eq!(questions(&cleared, &layout_cleared), before, "no question changes");

    let (again, _) = written(&cleared, &layout_cleared, &set);
    let layout_again = survey(&again).expect("a file marked again is read as it was");
    if layout.has_header || layout.marks_column() + 1 == layout_marked.width {
        assert_eq!(
            layout_again.width, layout_marked.width,
            "the file does not grow with each mark"
        );
    }
});

fn written(
    file: &[u8],
    layout: &Layout,
    marks: &InputMarks,
) -> (Vec<u8>, dset_core::item::error_marks::RewriteCounts) {
    let mut output = Vec::new();
    let done =
        rewrite(file, &mut output, layout, marks).expect("what was surveyed can be rewritten");
    (output, done)
}

fn assert_same(before: &Layout, after: &Layout) {
    assert_eq!(before.has_header, after.has_header);
    assert_eq!(before.question, after.question);
    assert_eq!(before.chosen, after.chosen);
    assert!(after.columns.starts_with(&before.columns), "columns are only added");
}

fn questions(file: &[u8], layout: &Layout) -> Vec<(QuestionId, String)> {
    let (mut records, mut record) = (Records::new(file), Record::default());
    let mut seen: HashMap<u64, u32> = HashMap::new();
    let mut all = Vec::new();
    let mut skip = layout.has_header;
    while records.next(&mut record).expect("what was surveyed can be read") {
        if std::mem::take(&mut skip) {
            continue;
        }
        let text = record.cell(layout.question).unwrap_or_default().to_owned();
        let text_hash = QuestionId::hash_text(&text);
        let next = seen.entry(text_hash).or_default();
        all.push((QuestionId { text_hash, ordinal: *next }, text));
        *next += 1;
    }
    all
}
