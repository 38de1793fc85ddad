//! Pieces of a text that comes bit by bit, from services that repeat what they have sent.
//!
//! Most services send each piece once. Some send the whole text so far with every piece, some send
//! it once more in the middle or at the end. A model may repeat itself as well, so a repetition
//! counts as the service's only where no answer would look like it: piece after piece that begins
//! with the piece before, or a piece that begins with everything that many pieces have said.

/// Bytes of text from which a repetition in exactly one piece is the service's doing, not the
/// model's.
const REPEATED_BYTES_MIN: usize = 64;
/// The same at the end of an answer, where less is enough.
const REPEATED_AT_END_MIN: usize = 16;
/// Pieces that each begin with the one before, from which it is no accident, …
const GROWN_MIN: u32 = 3;
/// … or fewer of them where this many letters are repeated.
const GROWN_LETTERS_MIN: usize = 4;

/// A piece as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) text: &'a str,
    /// The model said with it why it stopped.
    pub(crate) ends: bool,
    /// It came as a message, and not as a part of one.
    pub(crate) is_message: bool,
}

/// How the pieces of one text have come so far.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    count: u32,
    /// Where the last one begins.
    last: usize,
    /// Some piece did not begin with the one before.
    differs: bool,
    /// Pieces that were longer than the one before and began with it, and the letters they
    /// repeated.
    grown: u32,
    letters: usize,
    /// Every piece is the whole text so far.
    is_cumulative: bool,
    /// One of them was not: the text cannot be determined.
    pub(crate) is_torn: bool,
}

impl Pieces {
    /// Adds a piece to the text.
    pub(crate) fn add(&mut self, text: &mut String, piece: Piece<'_>) {
        let new = piece.text;
        if new.is_empty() {
            return;
        }
        if self.is_cumulative {
            match new.strip_prefix(&**text) {
                Some(rest) => text.push_str(rest),
                None => self.is_torn |= !text.starts_with(new),
            }
            return;
        }
        if self.is_repeated(text, piece) {
            text.push_str(&new[text.len()..]);
            return;
        }
        if !self.differs && self.count > 0 {
            let before = &text[self.last..];
            if !new.starts_with(before) {
                self.differs = true;
            } else if new.len() > before.len() && !is_of_one_letter(new) {
                self.grown += 1;
                self.letters = before.chars().filter(|c| c.is_alphanumeric()).count();
                if self.grown >= GROWN_MIN || self.grown > 1 && self.letters >= GROWN_LETTERS_MIN {
                    self.is_cumulative = true;
                    text.clear();
                    text.push_str(new);
                    return;
                }
            }
        }
        self.count += 1;
        self.last = text.len();
        text.push_str(new);
    }

    /// Returns true if a piece says once more what all the pieces before it have said together.
    fn is_repeated(&self, text: &str, piece: Piece<'_>) -> bool {
        let enough = match piece.ends {
            true => text.len() >= REPEATED_AT_END_MIN,
            false => text.len() >= REPEATED_BYTES_MIN,
        };
        let is_whole_message = piece.is_message && piece.ends;
        let may_be = self.count > 1 && enough || is_whole_message && self.count > 0;
        may_be && piece.text.starts_with(text)
    }

    /// Returns the text once all has come: of a few pieces only the end tells what they were.
    pub(crate) fn settle(&self, text: String) -> String {
        let few = !self.is_cumulative && !self.differs && self.grown > 0;
        match few && self.letters >= GROWN_LETTERS_MIN {
            true => text[self.last..].to_owned(),
            false => text,
        }
    }
}

/// Returns true for `111` and for blanks: a model that writes more and more of a letter looks so, too.
fn is_of_one_letter(text: &str) -> bool {
    let mut letters = text.chars();
    let first = letters.next();
    letters.all(|letter| Some(letter) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pieces: &[&str], is_message: bool) -> String {
        let (mut text, mut so_far) = (String::new(), Pieces::default());
        for (at, piece) in pieces.iter().enumerate() {
            let ends = at + 1 == pieces.len();
            so_far.add(&mut text, Piece { text: piece, ends, is_message });
        }
        assert!(!so_far.is_torn, "{pieces:?}");
        so_far.settle(text)
    }

    #[test]
    fn pieces_that_repeat_the_whole_text_so_far_say_it_once() {
        let capital = "The capital of France is Paris.";
        for pieces in [
            &["The capital ", "The capital of France ", capital][..],
            &["The capital ", "The capital of France ", capital, capital],
            &["The capital ", capital],
            &["T", "Th", "The", "The ", "The capital of France is", capital],
            &["The capital ", "of France ", "is Paris.", capital],
            &["The capital ", "of France ", capital],
        ] {
            assert_eq!(joined(pieces, false), capital, "{pieces:?}");
            assert_eq!(joined(pieces, true), capital, "{pieces:?}");
        }
        assert_eq!(joined(&["Paris.", "Paris."], true), "Paris.");
        // In the middle, once.
        let long = "One sentence of some length. And another one that is longer than it was.";
        let (before, after) = long.split_at(20);
        assert_eq!(joined(&[before, after, long, " End", "."], false), format!("{long} End."));
    }

    #[test]
    fn a_model_that_repeats_itself_is_believed() {
        for pieces in [
            &["\n", "\n", "Here"][..],
            &["ha", "ha", "ha"],
            &["ha", "haha"],
            &["4", "42"],
            &["1", "11", "111", "1111", "\n2"],
            &[" ", "  ", "   ", "    ", "x"],
            &["=", "==", "====", "=======", "\n"],
            &["1", "1", "1"],
            &["no, ", "no, ", "no, ", "never"],
            &["    ", "    return"],
            &["import os\n", "import os\n", "import sys\n"],
            &["The cat. ", "The cat. The cat. ", "The dog."],
            &["a", "ab", "b"],
            &["of France ", "is Paris."],
        ] {
            assert_eq!(joined(pieces, false), pieces.concat(), "{pieces:?}");
        }
        let long = "A sentence that somebody wanted to have three times, and it is long enough. ";
        assert_eq!(joined(&[long, long, long], false), long.repeat(3));
    }

    #[test]
    fn a_text_that_was_repeated_whole_and_then_is_another_is_torn() {
        let (mut text, mut so_far) = (String::new(), Pieces::default());
        for piece in ["The ", "The capital ", "The capital of ", "A town"] {
            so_far.add(&mut text, Piece { text: piece, ends: false, is_message: false });
        }
        assert!(so_far.is_torn);
    }
}
