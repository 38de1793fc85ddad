//! Questions that are cut at a comma, because there are no quotes around it.

use super::ERROR;
use super::layout::Layout;
use super::records::Record;
use crate::csv::header_names::STATUS;

/// Signs that end a question.
const QUESTION_MARKS: [char; 2] = ['?', '？'];

/// Words that people write into a status column: one of them ends no sentence.
const USUAL_STATUSES: [&str; 15] = [
    "done", "ok", "yes", "no", "todo", "skip", "skipped", "error", "failed", "open", "closed",
    "pending", "new", "ready", "x",
];

/// Tells which rows of a file go on behind their question, and puts them together again.
///
/// A question in quotes is never cut, nor is one that ends with a question mark where no cell
/// behind it does. Cells that are empty or say ERROR prove nothing: a mark adds them.
#[derive(Debug, Clone, Copy)]
pub struct UnquotedCommaDetector {
    question: usize,
    /// Cells of the first row.
    width: usize,
    has_header: bool,
    /// A status column, the user's own or ours, is the one right behind the question.
    is_status_next: bool,
    /// The header has a blank behind each comma, so that one in front of a cell says nothing.
    is_spaced: bool,
}

/// Returns true if a column is called a status.
fn is_status(name: &str) -> bool {
    name.eq_ignore_ascii_case(STATUS)
}

impl UnquotedCommaDetector {
    /// Takes the width of the file from its first row.
    #[must_use]
    pub fn new(first: &Record, layout: &Layout) -> UnquotedCommaDetector {
        UnquotedCommaDetector {
            is_spaced: layout.is_spaced,
            question: layout.question,
            width: first.len(),
            has_header: layout.has_header,
            is_status_next: layout.has_header
                && layout.columns.get(layout.question + 1).is_some_and(|name| is_status(name)),
        }
    }

    /// Returns true if the question of a row goes on in the cells behind it.
    ///
    /// It does where more of them say something than there are columns, and where the next one
    /// reads like the rest of a sentence or of a number and is the status or one too many. Without
    /// a header one more than the first row has may be a status; under a first row of one cell, which makes
    /// the file one of lines, only where it says what people write there.
    #[must_use]
    pub(crate) fn looks_split(&self, row: &Record) -> bool {
        let question = row.cell(self.question).unwrap_or_default();
        let at = self.question + 1;
        if row.len() <= at || question.trim().is_empty() || row.is_quoted(self.question) {
            return false;
        }
        if asks(question) && !row.cells().skip(at).any(asks) {
            return false;
        }
        let next = row.cell(at).unwrap_or_default();
        let saying = row.cells().skip(at).filter(|cell| says_something(cell)).count();
        let said = (at..row.len()).rfind(|&at| row.cell(at).is_some_and(says_something));
        let is_too_wide = said.is_some_and(|last| last >= self.width)
            || self.has_header && row.len() > self.width && asks(next) && !asks(question);
        let goes_on = self.goes_on(question, next) && !row.is_quoted(at);
        let is_sentence = asks(next)
            || goes_on_number(question, next)
            || next.split_whitespace().nth(1).is_some();
        let is_last_word = !asks(question) && (self.is_status_next || at >= self.width);
        saying > self.behind()
            || goes_on && (is_last_word || is_sentence && (self.is_status_next || is_too_wide))
    }

    /// Returns the cells of a row with its question as one, where that was cut; `sign` stood
    /// between them. Where a question ends is a guess: at the last question mark that ends a cell,
    /// or else cells that nothing else has room for belong to it, and those behind a sign and a
    /// blank.
    #[must_use]
    pub fn rejoined(&self, row: &Record, sign: u8) -> Option<Vec<String>> {
        if !self.looks_split(row) {
            return None;
        }
        let mut cells: Vec<String> = row.cells().map(str::to_owned).collect();
        let mut question = cells.split_off(self.question);
        let behind = &question[1..];
        let mut taken = behind.len().saturating_sub(self.behind());
        while taken > 0 && !says_something(&behind[taken - 1]) {
            taken -= 1;
        }
        let is_whole = |&at: &usize| asks(&question[at]) && !behind[at..].iter().any(asks);
        if let Some(end) = (0..=taken).find(is_whole) {
            taken = end;
        }
        while taken < behind.len()
            && !is_whole(&taken)
            && self.goes_on(&question[taken], &behind[taken])
        {
            taken += 1;
        }
        let rest = question.split_off(taken + 1);
        cells.push(question.join(&char::from(sign).to_string()).trim().to_owned());
        cells.extend(rest);
        while cells.len() > self.width && cells.last().is_some_and(|cell| cell.trim().is_empty()) {
            cells.pop();
        }
        Some(cells)
    }

    /// Returns how many cells behind the question may say something.
    fn behind(&self) -> usize {
        self.width.saturating_sub(self.question + 1) + usize::from(!self.has_header)
    }

    /// Returns true if nothing in the first row says that there are columns.
    fn is_of_lines(&self) -> bool {
        !self.has_header && self.width == 1
    }

    /// Returns true if a cell reads as if a comma before it belonged to a sentence, or to a number.
    fn goes_on(&self, before: &str, cell: &str) -> bool {
        let is_rest = || starts_blank(cell) && (!self.is_spaced || asks(cell) && !asks(before));
        says_something(cell)
            && !is_usual_status(cell)
            && (is_rest() || goes_on_number(before, cell) || self.is_of_lines())
    }
}

fn asks(text: impl AsRef<str>) -> bool {
    text.as_ref().trim_end().ends_with(QUESTION_MARKS)
}

fn starts_blank(cell: &str) -> bool {
    cell.starts_with(char::is_whitespace)
}

fn says_something(cell: impl AsRef<str>) -> bool {
    !matches!(cell.as_ref().trim(), "" | ERROR)
}

/// Returns true if a comma before a cell stands before the thousands of a number.
fn goes_on_number(before: &str, cell: &str) -> bool {
    let digits = cell.bytes().take_while(u8::is_ascii_digit).count();
    digits == 3 && before.ends_with(|c: char| c.is_ascii_digit())
}

/// Returns true if a cell is a word, or a sign, as in a status column.
fn is_usual_status(cell: &str) -> bool {
    let cell = cell.trim().to_lowercase();
    USUAL_STATUSES.contains(&cell.as_str()) || !cell.contains(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::{HeaderMode, Records, survey};

    /// The last row, mended where it is cut.
    fn last(text: &str) -> Option<Vec<String>> {
        let layout = survey(text.as_bytes(), HeaderMode::Auto, None).unwrap();
        let (mut records, mut record) = (Records::new(text.as_bytes()), Record::default());
        assert!(records.next(&mut record).unwrap());
        let cuts = UnquotedCommaDetector::new(&record, &layout);
        let mut mended = None;
        while records.next(&mut record).unwrap() {
            assert_eq!(cuts.looks_split(&record), cuts.rejoined(&record, b',').is_some());
            mended = cuts.rejoined(&record, b',');
        }
        mended
    }

    #[test]
    fn a_question_that_goes_on_behind_a_comma_is_put_together() {
        for (text, mended) in [
            ("question\nHow tall, why?\n", &["How tall, why?"][..]),
            ("question\nHow tall,why\n", &["How tall,why"]),
            ("question\nHow tall, why?,ERROR\n", &["How tall, why?", "ERROR"]),
            ("question,status\nHow tall, and why?\n", &["How tall, and why?"]),
            ("question,status\nHow tall, roughly?\n", &["How tall, roughly?"]),
            ("question,status\nHow tall, and why?,\n", &["How tall, and why?", ""]),
            ("question,status\nHow tall, and why?,,\n", &["How tall, and why?", ""]),
            ("question,status\nHow tall, wide, deep\n", &["How tall, wide, deep"]),
            ("question,status\nHow tall, wide,done\n", &["How tall, wide", "done"]),
            ("question,status\nHow tall, wide, done\n", &["How tall, wide", " done"]),
            ("question,status\nHow tall,wide,deep,\n", &["How tall,wide,deep", ""]),
            ("question,status\nHow tall, wide,ERROR\n", &["How tall, wide", "ERROR"]),
            ("question,status\nHow tall, and why?, not yet\n", &["How tall, and why?", " not yet"]),
            ("question,status\nHow, why?,done,page 4\n", &["How, why?", "done", "page 4"]),
            ("question,status\nWhy?, and how?\n", &["Why?, and how?"]),
            ("question,status\nSay hello, world\n", &["Say hello, world"]),
            ("question,status\nSay hello, world,\n", &["Say hello, world", ""]),
            ("question,status\nInto French, please\n", &["Into French, please"]),
            ("question,status\nHow many in 2,024\n", &["How many in 2,024"]),
            ("One\nSay hello, world\n", &["Say hello, world"]),
            ("One\nInto French, please\n", &["Into French, please"]),
            ("One\nHow many in 2,024\n", &["How many in 2,024"]),
            ("One\nName two: red,green\n", &["Name two: red,green"]),
            ("One?\nWhy?,and how?\n", &["Why?,and how?"]),
            ("question, status\nHow tall, and why?\n", &["How tall, and why?"]),
            ("question, status\nHow many in 2,024\n", &["How many in 2,024"]),
            ("question, topic, status\nHow, why?, geo, x\n", &["How, why?", " geo", " x"]),
            ("question,status\nIs 1,000 much?\n", &["Is 1,000 much?"]),
            ("question,status\nIs 1,000, or 2,000, much?\n", &["Is 1,000, or 2,000, much?"]),
            ("id,question,status\n1,How tall, and why?\n", &["1", "How tall, and why?"]),
            ("status,question\n,How tall,why\n", &["", "How tall,why"]),
            ("question,topic,status\nHow, and why?,geo,\n", &["How, and why?", "geo", ""]),
            ("question,topic,status\nHow, so, far,geo,\n", &["How, so, far", "geo", ""]),
            ("One?\nHow tall, and why?\n", &["How tall, and why?"]),
            ("One?\nHow tall, wide, deep\n", &["How tall, wide, deep"]),
            ("One?,x\nHow tall, and why?,y\n", &["How tall, and why?", "y"]),
        ] {
            let mended = mended.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
            assert_eq!(last(text).unwrap_or_default(), mended, "{text:?}");
        }
    }

    #[test]
    fn a_file_that_is_right_has_nothing_to_mend() {
        for text in [
            "question,status\nWhy?,done\n",
            "question,status\nWhy?,todo later\n",
            "question,status\nWhy?, done\n",
            "question,status\nSay hello, Done\n",
            "question,status\nSay hello, -\n",
            "question,status\nSay hello,world\n",
            "question,status\nSay hello,\" world\"\n",
            "question,status\nWhy?, not yet\n",
            "question,status\nWhy?,done,see page 4\n",
            "question, status\nWhy is it?, not yet\n",
            "question, status\nWhy is it?, in progress\n",
            "question, status\nWhy?, 2024-05-01 10:00\n",
            "question, status\nSay hello, not yet\n",
            "question, status\nSay hello, postponed\n",
            "question,answer\nWhat is it?, It is a thing, of course\n",
            "question,topic\nSay hello, world\n",
            "One?\nTwo, done\n",
            "One\nTwo,done\n",
            "One\nTwo,\"of columns\"\n",
            "One?\nTwo?,as it ends with a mark\n",
            "One,x\nTwo, y,done\n",
            "question,status\n\"Why, then?\", todo later\n",
            "question,status\nWhy?,\" todo later\"\n",
            "question,status\nWhy?, ERROR \n",
            "question,status\nWhy?,,,,\n",
            "question,status\nWhy?,,a note of mine\n",
            "question,status\n,x,y,z\n",
            "question,topic\nWhy?, a topic of words\n",
            "question,topic\nWhy?, a topic of words,\n",
            "question,topic\nWhy?, a topic of words,ERROR\n",
            "question,topic,status\nWhy?, a topic of words,todo later\n",
            "question,,,status\na,b, c d,ERROR\n",
            "question\n\"Why, then?\",x\n",
            "question\nWhy?,ERROR\n",
            "One?\nTwo?,ERROR\n",
            "One?\nTwo?,\n",
            "One?\nTwo?,done\n",
            "One?, some words\nTwo?, more words,ERROR\n",
            "One?, some words\nTwo, more words?,\n",
            "One?,x\nTwo?,y,done\n",
        ] {
            assert_eq!(last(text), None, "{text:?}");
        }
    }
}
