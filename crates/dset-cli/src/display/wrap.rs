//! Texts broken into lines that fit, by how wide they are on a terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Where something that was looked for begins in a line and ends. Control characters, which
/// [`super::text::one_line`] has taken out of every text before.
pub(crate) const HIT: [char; 2] = ['\u{2}', '\u{3}'];

/// Returns how many columns a text takes, marks of hits apart.
pub(crate) fn columns(text: &str) -> usize {
    match text.contains(HIT) {
        true => text.replace(HIT, "").width(),
        false => text.width(),
    }
}

/// Breaks one line at spaces, and a word that is longer than a line within. `width` is absent where
/// every line is whole; `first` columns of the first line are taken, `indent` of those below. Spaces
/// stay but where a line ends, so that code keeps its indent.
pub(crate) fn wrap(text: &str, width: Option<usize>, first: usize, indent: usize) -> Vec<String> {
    let Some(width) = width else { return vec![text.trim_end().to_owned()] };
    let mut lines = vec![String::new()];
    let (mut column, mut gap) = (first, 0);
    for word in text.split(' ') {
        let length = columns(word);
        if length > 0 && column + gap + length > width && column > indent {
            lines.push(String::new());
            (column, gap) = (indent, 0);
        }
        if !word.is_empty() {
            // An indent deeper than the screen would leave no room for the text.
            let gap = gap.min(width.saturating_sub(column + 1));
            let line = lines.last_mut().expect("there is always a line");
            line.extend(std::iter::repeat_n(' ', gap));
            column += gap;
            for c in word.chars() {
                let wide = if HIT.contains(&c) { 0 } else { c.width().unwrap_or(0) };
                if column + wide > width && column > indent {
                    lines.push(String::new());
                    column = indent;
                }
                lines.last_mut().expect("there is always a line").push(c);
                column += wide;
            }
        }
        gap = if word.is_empty() { gap + 1 } else { 1 };
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_and_keep_those_within() {
        assert_eq!(wrap("one two  three", Some(9), 0, 2), ["one two", "three"]);
        assert_eq!(wrap("    x = 1", Some(20), 0, 0), ["    x = 1"]);
        assert_eq!(wrap("one two", None, 0, 0), ["one two"]);
        assert_eq!(wrap("", Some(9), 0, 0), [""]);
    }

    #[test]
    fn a_word_longer_than_a_line_is_broken_by_its_width() {
        assert_eq!(wrap("abcdefgh", Some(3), 0, 0), ["abc", "def", "gh"]);
        // Two columns each.
        assert_eq!(wrap("漢字漢字", Some(5), 0, 0), ["漢字", "漢字"]);
        // A combining mark stays with its letter.
        assert_eq!(wrap("abe\u{301}f", Some(3), 0, 0), ["abe\u{301}", "f"]);
    }

    #[test]
    fn marks_of_hits_take_no_room() {
        let [on, off] = HIT;
        let text = format!("ab {on}cd{off} ef");
        assert_eq!(wrap(&text, Some(8), 0, 0), [text]);
    }
}
