//! A line for a terminal: what is in it is safe, and its width is known.

use anstyle::Style;
use unicode_width::UnicodeWidthChar as _;

use super::text::clean;

/// How things look on this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TermCaps {
    /// The locale shows more than ASCII.
    pub(crate) is_utf8: bool,
    /// Colours are wanted and can be shown.
    pub(crate) has_colour: bool,
}

/// Characters for bars and verdicts.
pub(crate) struct Glyphs {
    pub(crate) full: &'static str,
    pub(crate) empty: &'static str,
    pub(crate) good: &'static str,
    pub(crate) bad: &'static str,
    pub(crate) waits: &'static str,
    pub(crate) dot: &'static str,
    pub(crate) arrow: &'static str,
    /// Stands where something was cut off.
    pub(crate) more: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    full: "━",
    empty: "─",
    good: "✓",
    bad: "✗",
    waits: "↻",
    dot: "·",
    arrow: "→",
    more: "…",
};
const ASCII: Glyphs = Glyphs {
    full: "#",
    empty: "-",
    good: "+",
    bad: "x",
    waits: "~",
    dot: "|",
    arrow: "->",
    more: "...",
};

impl TermCaps {
    /// Asks the environment how standard error is to look.
    pub(crate) fn of_stderr() -> TermCaps {
        let choice = anstream::AutoStream::choice(&std::io::stderr());
        TermCaps {
            is_utf8: super::terminal_variables::is_utf8(),
            has_colour: choice != anstream::ColorChoice::Never,
        }
    }

    pub(crate) fn glyphs(self) -> &'static Glyphs {
        if self.is_utf8 { &UNICODE } else { &ASCII }
    }

    /// The characters of a stranger's text as this terminal can show them, each with its width.
    fn shown(self, text: &str) -> impl Iterator<Item = (char, usize)> {
        clean(text)
            .map(move |c| if self.is_utf8 || c.is_ascii() { c } else { '?' })
            .map(|c| (c, c.width().unwrap_or(0)))
    }

    /// How many columns a text takes.
    pub(crate) fn width(self, text: &str) -> usize {
        self.shown(text).map(|(_, width)| width).sum()
    }

    /// Returns as much of a text as fits into so many columns; a mark at its end says that there is
    /// more. Reads no more of the text than it shows.
    pub(crate) fn fitted(self, text: &str, columns: usize) -> String {
        let more = self.glyphs().more;
        let (mut fits, mut used) = (String::new(), 0);
        // Where it is to be cut, should the rest not fit.
        let mut cut_at = 0;
        for (c, width) in self.shown(text.trim()) {
            if used + width > columns {
                fits.truncate(cut_at);
                let end = fits.trim_end().len();
                fits.truncate(end);
                if columns >= more.chars().count() {
                    fits += more;
                }
                return fits;
            }
            fits.push(c);
            used += width;
            if used + more.chars().count() <= columns {
                cut_at = fits.len();
            }
        }
        fits
    }

    /// As [`TermCaps::fitted`], with spaces up to that width.
    pub(crate) fn padded(self, text: &str, columns: usize) -> String {
        let mut fits = self.fitted(text, columns);
        let used = self.width(&fits);
        fits.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
        fits
    }
}

/// One line, in pieces of one style each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    looks: TermCaps,
    pieces: Vec<(Style, String)>,
    width: usize,
}

impl Line {
    pub(crate) fn new(looks: TermCaps) -> Line {
        Line { looks, pieces: Vec::new(), width: 0 }
    }

    /// Adds a text, whoever wrote it.
    pub(crate) fn add(mut self, style: Style, text: &str) -> Line {
        let text: String = self.looks.shown(text).map(|(c, _)| c).collect();
        self.width += self.looks.width(&text);
        self.pieces.push((style, text));
        self
    }

    pub(crate) fn plain(self, text: &str) -> Line {
        self.add(Style::new(), text)
    }

    /// Adds spaces up to this column.
    pub(crate) fn up_to(self, column: usize) -> Line {
        let gap = " ".repeat(column.saturating_sub(self.width));
        self.plain(&gap)
    }

    /// Adds another line's pieces.
    pub(crate) fn join(mut self, other: Line) -> Line {
        self.width += other.width;
        self.pieces.extend(other.pieces);
        self
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Tells whether its last pieces are those of another; any line ends with an empty one.
    pub(crate) fn ends_with(&self, other: &Line) -> bool {
        self.pieces.ends_with(&other.pieces)
    }

    /// Cuts it to so many columns.
    pub(crate) fn cut(mut self, columns: usize) -> Line {
        if self.width <= columns {
            return self;
        }
        let mut left = columns;
        for (_, text) in &mut self.pieces {
            let width = self.looks.width(text);
            if width >= left {
                // One more that does not fit, so that the cut is marked.
                *text = self.looks.cut(text, left);
                left = 0;
            } else {
                left -= width;
            }
        }
        self.width = self.pieces.iter().map(|(_, text)| self.looks.width(text)).sum();
        self
    }

    /// Breaks it between words into lines of so many columns; all but the first are indented.
    pub(crate) fn wrapped(self, columns: usize, indent: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut line = Line::new(self.looks);
        for (style, text) in &self.pieces {
            for word in text.split_inclusive(' ') {
                let width = self.looks.width(word.trim_end());
                let begun = if lines.is_empty() { 0 } else { indent };
                if line.width + width > columns && line.width > begun {
                    lines.push(line);
                    line = Line::new(self.looks).plain(&" ".repeat(indent));
                }
                line = line.add(*style, word);
            }
        }
        lines.push(line);
        lines.into_iter().map(|line| line.trimmed().cut(columns)).collect()
    }

    /// Takes the spaces at its end away.
    fn trimmed(mut self) -> Line {
        while let Some((_, text)) = self.pieces.last_mut() {
            let end = text.trim_end_matches(' ').len();
            self.width -= text.len() - end;
            text.truncate(end);
            if end > 0 {
                break;
            }
            self.pieces.pop();
        }
        self
    }

    /// The text without its styles.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        let text: String = self.pieces.iter().map(|(_, text)| &**text).collect();
        text.trim_end().to_owned()
    }

    /// The text with its styles, for the terminal; without spaces at its end.
    pub(crate) fn painted(&self) -> String {
        let mut painted = String::new();
        for (style, text) in &self.clone().trimmed().pieces {
            if self.looks.has_colour && *style != Style::new() {
                painted += &format!("{style}{text}{style:#}");
            } else {
                painted += text;
            }
        }
        painted
    }
}

impl TermCaps {
    /// Cuts a text that goes on, so that its end says so.
    fn cut(self, text: &str, columns: usize) -> String {
        let more = self.glyphs().more;
        let room = columns.saturating_sub(more.chars().count());
        let mut used = 0;
        let mut cut: String = self
            .shown(text)
            .take_while(|(_, width)| {
                used += width;
                used <= room
            })
            .map(|(c, _)| c)
            .collect();
        if columns >= more.chars().count() {
            cut += more;
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF8: TermCaps = TermCaps { is_utf8: true, has_colour: false };
    const PLAIN: TermCaps = TermCaps { is_utf8: false, has_colour: false };

    #[test]
    fn a_text_is_cut_by_the_columns_it_takes_and_says_so() {
        for (text, columns, shown) in [
            ("short", 5, "short"),
            ("a bit longer", 8, "a bit l…"),
            ("a bit longer", 7, "a bit…"),
            ("日本語の質問", 12, "日本語の質問"),
            ("日本語の質問", 11, "日本語の質…"),
            ("日本語の質問", 10, "日本語の…"),
            ("\u{1f600}\u{1f600}", 3, "\u{1f600}…"),
            ("👩\u{200d}🔬 asks", 20, "👩🔬 asks"),
            ("anything", 1, "…"),
            ("anything", 0, ""),
        ] {
            assert_eq!(UTF8.fitted(text, columns), shown, "{text} in {columns}");
            assert!(UTF8.width(&UTF8.fitted(text, columns)) <= columns);
            assert_eq!(UTF8.width(&UTF8.padded(text, columns)), columns);
        }
    }

    #[test]
    fn where_only_ascii_can_be_shown_everything_else_is_a_question_mark() {
        assert_eq!(PLAIN.fitted("Où est 東京?", 20), "O? est ???");
        assert_eq!(PLAIN.fitted("a bit longer", 9), "a bit...");
    }

    #[test]
    fn a_line_is_cut_within_its_styles() {
        let line = Line::new(UTF8).plain("0123").plain("4567").plain("89");
        for (columns, text) in [(10, "0123456789"), (9, "01234567…"), (5, "0123…"), (1, "…")]
        {
            assert_eq!(line.clone().cut(columns).text(), text);
        }
    }

    #[test]
    fn a_message_goes_on_below_its_first_word() {
        let line = Line::new(UTF8).plain("hint: ").plain("Run `dset run` to go on");
        for (columns, expected) in [
            (18, "hint: Run `dset\n      run` to go\n      on"),
            (20, "hint: Run `dset run`\n      to go on"),
            (19, "hint: Run `dset\n      run` to go on"),
        ] {
            let lines: Vec<_> =
                line.clone().wrapped(columns, 6).iter().map(Line::painted).collect();
            assert_eq!(lines.join("\n"), expected);
        }
    }
}
