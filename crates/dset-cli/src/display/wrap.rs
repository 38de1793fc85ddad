//! Texts broken into lines that fit, by how wide they are on a terminal.
//!
//! Not textwrap: it would count the marks of hits as columns, and a word separator of our own that keeps
//! commands between ticks whole would be most of what is here.

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
    let mut column = first;
    for (gap, word) in gapped(text.split(' ').map(str::to_owned)) {
        let gap = next_line(&mut lines, &mut column, gap, &word, width, indent);
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
    lines
}

/// Breaks a text of our own between its words where a terminal of this width ends; what goes on below
/// begins `indent` columns from the left, and the first line at `column`. A word stays whole, and so
/// does what stands between ticks: it is a command that can be copied, and half of one would run.
/// Longer than a line, it begins one and runs over, where the terminal breaks it without an end of line.
pub(crate) fn broken(text: &str, column: usize, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let (mut lines, mut column) = (vec![String::new()], column);
    for (gap, word) in gapped(words(text).into_iter()) {
        let gap = next_line(&mut lines, &mut column, gap, &word, width, indent);
        *lines.last_mut().expect("there is always a line") += &format!("{:gap$}{word}", "");
        column += gap + columns(&word);
    }
    lines.join(&format!("\n{:indent$}", ""))
}

/// Words with the spaces before each; of several words that are empty only the spaces are left.
fn gapped(words: impl Iterator<Item = String>) -> impl Iterator<Item = (usize, String)> {
    let mut gap = 0;
    words.enumerate().filter_map(move |(at, word)| {
        gap += usize::from(at > 0);
        (!word.is_empty()).then(|| (std::mem::take(&mut gap), word))
    })
}

/// Begins a line where this one has no room for a word; returns the gap that is left before it.
fn next_line(
    lines: &mut Vec<String>,
    column: &mut usize,
    gap: usize,
    word: &str,
    width: usize,
    indent: usize,
) -> usize {
    if *column + gap + columns(word) <= width || *column <= indent {
        return gap;
    }
    lines.push(String::new());
    *column = indent;
    0
}

/// Returns the words of a text; what stands between ticks is one.
fn words(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split(' ').collect();
    let is_odd = |word: &&str| word.matches('`').count() % 2 == 1;
    let (mut all, mut at) = (Vec::new(), 0);
    while let Some(word) = words.get(at) {
        let close = words[at + 1..].iter().position(is_odd).filter(|_| is_odd(word));
        let span = &words[at..=at + close.map_or(0, |close| close + 1)];
        all.push(span.join(" "));
        at += span.len();
    }
    all
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

    #[test]
    fn lines_are_broken_between_words_and_commands_stay_whole() {
        let text = "Convert it with `dset import q.csv -o q-utf8.csv`, then run it";
        assert_eq!(broken(text, 6, 6, None), text);
        assert_eq!(
            broken(text, 6, 6, Some(48)),
            "Convert it with\n      `dset import q.csv -o q-utf8.csv`, then\n      run it"
        );
        assert_eq!(broken("a-word-without-end b", 2, 2, Some(8)), "a-word-without-end\n  b");
        assert_eq!(broken("two  blanks", 0, 0, Some(80)), "two  blanks");
        assert_eq!(broken("質問質問 質問", 0, 2, Some(10)), "質問質問\n  質問");
    }

    #[test]
    fn a_command_that_no_line_has_room_for_begins_one_and_runs_over() {
        let text =
            "Convert it with `dset import q.csv -o q-utf8.csv`, then run `dset run q-utf8.csv`";
        assert_eq!(
            broken(text, 6, 6, Some(26)),
            "Convert it with\n      `dset import q.csv -o q-utf8.csv`,\n      then run\n      \
             `dset run q-utf8.csv`"
        );
        let run = "dset run --base-url http://127.0.0.1:8000/v1 -m 'a b' -t 'X {{ question }}'";
        for (width, column) in [40, 60, 80].into_iter().flat_map(|width| [(width, 6), (width, 30)])
        {
            for text in [format!("Ask the rest with `{run}`"), format!("`{run}` asks the rest")] {
                let lines = broken(&text, column, 6, Some(width));
                assert!(lines.contains(&format!("`{run}`")), "{width}: {lines}");
            }
        }
    }
}
