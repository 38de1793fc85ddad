//! A model that repeats itself without end.
//!
//! The rule: the text ends in the same [`PERIOD_BYTES_MAX`] bytes or fewer over and over, at least
//! [`TIMES_MIN`] times, and these repetitions are at least [`REPEATED_BYTES_MIN`] bytes long. Both
//! bounds are far beyond what people write on purpose: a rule of dashes, an empty table, a refrain,
//! a list of zeros in code are shorter, and anything with a number that counts up is no repetition.
//! A model that is asked to write one line a thousand times is stopped all the same, which is why
//! the check is off unless the user asks for it; a loop that changes as it goes is not seen.

/// The longest that is recognized as the thing repeated: some paragraphs.
pub const PERIOD_BYTES_MAX: usize = 1_500;
/// How often a thing must stand there; a stanza or a heading may well stand there nine times.
pub const TIMES_MIN: usize = 10;
/// How much must be repetition: some 750 tokens, twenty times the longest line of dashes.
pub const REPEATED_BYTES_MIN: usize = 3_000;

/// How much of the text is looked at.
const TAIL_BYTES: usize = PERIOD_BYTES_MAX * TIMES_MIN;
/// How much must have come before it is looked at again: looking costs a few operations a byte of
/// the tail, so that each byte of a long answer costs about sixty.
const STEP_BYTES: usize = 1_024;

/// A repetition that was found at the end of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repetition {
    /// The length of what is repeated, in bytes.
    pub period: usize,
    /// How many times it stands at the end of what was looked at.
    pub times: usize,
}

/// Looks at a text as it comes.
#[derive(Debug, Default)]
pub(crate) struct RepetitionDetector {
    tail: Vec<u8>,
    new: usize,
}

impl RepetitionDetector {
    /// Takes the next piece; returns the loop that the text ends in, if it does. A loop is found
    /// within 1 kB after it is long enough, however the text is cut into pieces.
    pub(crate) fn push(&mut self, text: &str) -> Option<Repetition> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(STEP_BYTES - self.new));
            rest = after;
            self.tail.extend_from_slice(piece);
            self.new += piece.len();
            if self.new == STEP_BYTES {
                self.new = 0;
                let too_many = self.tail.len().saturating_sub(TAIL_BYTES);
                self.tail.drain(..too_many);
                if let Some(found) = loop_at_the_end(&self.tail) {
                    return Some(found);
                }
            }
        }
        None
    }
}

/// Finds the longest end of a text that is a repetition. The borders of the reversed text (Knuth,
/// Morris and Pratt's table) give the period of each of its beginnings in linear time.
fn loop_at_the_end(text: &[u8]) -> Option<Repetition> {
    if text.len() < REPEATED_BYTES_MIN {
        return None;
    }
    let at = |index: usize| text[text.len() - 1 - index];
    let mut borders = vec![0usize; text.len()];
    let mut found = None;
    for end in 1..text.len() {
        let mut border = borders[end - 1];
        while border > 0 && at(end) != at(border) {
            border = borders[border - 1];
        }
        border += usize::from(at(end) == at(border));
        borders[end] = border;
        let (length, period) = (end + 1, end + 1 - border);
        // Periods only grow with the length.
        if period > PERIOD_BYTES_MAX {
            break;
        }
        if length >= REPEATED_BYTES_MIN && length / period >= TIMES_MIN {
            found = Some(Repetition { period, times: length / period });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn looped(text: &str) -> Option<Repetition> {
        RepetitionDetector::default().push(text)
    }

    #[test]
    fn a_phrase_a_letter_and_a_paragraph_without_end_are_found() {
        let paragraph: String = (0..60).map(|word| format!("word{word} and ")).collect();
        for repeated in ["I should check again. ", " ", "…", "\n", "是的，", &paragraph] {
            let text = format!("First, some sense.\n{}", repeated.repeat(20_000 / repeated.len()));
            let found = looped(&text).unwrap();
            assert_eq!(found.period, repeated.len(), "{repeated:?}");
            assert!(found.times >= TIMES_MIN);
        }
    }

    #[test]
    fn a_loop_is_found_however_the_text_is_cut_and_soon_after_it_is_one() {
        let text = format!("{}{}", "Once upon a time. ".repeat(9), "wait, ".repeat(2_000));
        for size in [1, 7, 1_000] {
            let mut detector = RepetitionDetector::default();
            let pieces = text.as_bytes().chunks(size);
            let at = pieces
                .scan(0, |read, piece| {
                    *read += piece.len();
                    Some((*read, detector.push(std::str::from_utf8(piece).unwrap())))
                })
                .find_map(|(read, found)| found.map(|_| read))
                .unwrap();
            assert!(at <= 162 + REPEATED_BYTES_MIN + STEP_BYTES + size, "{size}: {at}");
        }
    }

    #[test]
    fn what_people_and_programs_write_is_no_loop() {
        let refrain = "Row, row, row your boat, gently down the stream,\n\
                       merrily, merrily, merrily, merrily, life is but a dream.\n\n";
        let mut table = String::from("| n | square |\n|---|---|\n");
        let mut json = String::from("[");
        let mut code = String::new();
        let mut steps = String::new();
        for n in 0..2_000 {
            writeln!(table, "| {n} | {} |", n * n).unwrap();
            write!(json, "{{\"id\": {n}, \"name\": null, \"tags\": []}}, ").unwrap();
            writeln!(code, "    assert_eq!(f({n}), 0);").unwrap();
            writeln!(steps, "Step {n}: add 1, and compare with the one before.").unwrap();
        }
        let matrix = format!("[{}]", "[0, 0, 0, 0, 0, 0, 0, 0],\n".repeat(64));
        let bytes = "0x00, ".repeat(256);
        let rule = format!("{}\n", "-".repeat(200)).repeat(8);
        let empty_table = "| | | |\n".repeat(100);
        let indented = "            }\n        }\n    }\n}\n".repeat(40);
        let verse = include_str!("../../../../../LICENSE");
        let source = include_str!("mod.rs");
        for text in [
            refrain.repeat(9).as_str(),
            &table,
            &json,
            &code,
            &steps,
            &matrix,
            &bytes,
            &rule,
            &empty_table,
            &indented,
            verse,
            source,
        ] {
            for tail in ["", " And so on, and on, and on. "] {
                let text = format!("{text}{}", tail.repeat(60));
                assert_eq!(looped(&text), None, "{}", &text[..40]);
            }
        }
    }
}
