//! What a file is that is almost a CSV file of questions in UTF-8, with commas.
//!
//! Only looks, never changes what is read: a run refuses such a file and says what it is, and an
//! import takes it as that.

use std::io::{BufRead, Read};

use super::layout::{Chosen, Layout};
use super::records::{Record, Records};
use crate::csv::header_names::is_header_word;

/// Signs between cells, the usual first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Rows at the head of the file that are read to detect the delimiter and the column of questions.
pub const SNIFFED_ROWS_MAX: usize = 20;
/// A longer word without a blank is no name or number of a row.
const ID_CHARS_MAX: usize = 40;

/// What a file is whose bytes show it, whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetectedEncoding {
    /// What spreadsheets call "Unicode text", the low byte first.
    Utf16Le,
    /// The same, the high byte first.
    Utf16Be,
    /// Four bytes a character.
    Utf32,
    /// A workbook, or another archive: no text in any encoding.
    Archive,
}

/// How workbooks, archives and other files begin that are no text.
const ARCHIVES: [&[u8]; 11] = [
    b"PK\x03\x04",
    b"PAR1",
    b"ARROW1",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"BZh",
    b"\xfd7zXZ",
    b"7z\xbc\xaf",
    b"\xd0\xcf\x11\xe0",
    b"%PDF-",
    b"SQLite format 3",
];

/// Where a tar archive says that it is one.
const TAR_AT: usize = 257;

impl DetectedEncoding {
    /// Looks at the beginning of a file; `None` where that may well be of one byte a character, or
    /// UTF-8.
    #[must_use]
    pub fn detect(head: &[u8]) -> Option<DetectedEncoding> {
        if head.starts_with(b"\xff\xfe\0\0") || head.starts_with(b"\0\0\xfe\xff") {
            return Some(DetectedEncoding::Utf32);
        }
        if head.starts_with(b"\xff\xfe") {
            return Some(DetectedEncoding::Utf16Le);
        }
        if head.starts_with(b"\xfe\xff") {
            return Some(DetectedEncoding::Utf16Be);
        }
        let is_tar = head.get(TAR_AT..).is_some_and(|head| head.starts_with(b"ustar"));
        if is_tar || ARCHIVES.iter().any(|archive| head.starts_with(archive)) {
            return Some(DetectedEncoding::Archive);
        }
        let zeros = |from: usize, step: usize| {
            head.iter().skip(from).step_by(step).filter(|byte| **byte == 0).count()
        };
        if zeros(0, 1) == 0 {
            return None;
        }
        // Of four bytes that stand for a character, the highest is always zero, and the next
        // mostly.
        let wide = head.len() / 4;
        let is_32 =
            |high: usize, next: usize| zeros(high, 4) == wide && zeros(next, 4) * 10 >= wide * 9;
        if wide >= 2 && (is_32(0, 1) || is_32(3, 2)) {
            return Some(DetectedEncoding::Utf32);
        }
        // Of each two bytes that stand for a Latin letter, one is zero, and always the same. Where
        // there are few of those, line ends are, and other pairs are no pairs of such letters.
        let pairs = head.chunks_exact(2);
        let is_plain = |pair: &&[u8]| pair.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let is_wide = || pairs.clone().filter(is_plain).count() * 10 < pairs.len() * 6;
        let is_16 = |at: usize, end: [u8; 2]| {
            let (zeros, all) = (zeros(at, 2), zeros(0, 1));
            let has_end = || pairs.clone().any(|pair| pair == end);
            zeros * 4 > head.len() || zeros * 10 >= all * 9 && has_end() && is_wide()
        };
        match (is_16(0, [0, b'\n']), is_16(1, [b'\n', 0])) {
            (false, true) => Some(DetectedEncoding::Utf16Le),
            (true, false) => Some(DetectedEncoding::Utf16Be),
            _ => None,
        }
    }

    /// Returns what it is called, which is also what `--encoding` takes where it can be read;
    /// nothing for an archive.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DetectedEncoding::Utf16Le => "UTF-16LE",
            DetectedEncoding::Utf16Be => "UTF-16BE",
            DetectedEncoding::Utf32 => "UTF-32",
            DetectedEncoding::Archive => "",
        }
    }
}

/// Returns the sign that separates the columns of a file whose header was read as one cell, where
/// one of the columns that it would make has a name that headers have, or that the user named.
#[must_use]
pub fn delimiter_in_header(header: &Record, column: Option<&str>) -> Option<u8> {
    let cell = header.cell(0).filter(|_| header.len() == 1)?;
    let is_name = |cell: &str| {
        let cell = cell.trim().trim_matches('"');
        is_header_word(cell) || column.is_some_and(|column| column.eq_ignore_ascii_case(cell))
    };
    SEPARATORS.into_iter().find(|&sign| {
        let sign = char::from(sign);
        cell.contains(sign) && cell.split(sign).any(is_name)
    })
}

/// Returns the sign that the first line of a file names, as spreadsheets write it above the header:
/// `sep=;`.
#[must_use]
pub fn declared_delimiter(line: &str) -> Option<u8> {
    let line = line.trim_matches(['\r', '\n', ' ', '\u{feff}']);
    let line = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or(line);
    let (name, sign) = line.split_at_checked("sep=".len())?;
    match (name.to_ascii_lowercase().as_str(), sign.as_bytes()) {
        ("sep=", b"\\t") => Some(b'\t'),
        ("sep=", &[sign]) if sign == b'\t' || sign.is_ascii_punctuation() => Some(sign),
        _ => None,
    }
}

/// Returns the sign that separates the columns of a text that may begin like this: the one that
/// makes columns with names that headers have, or else the most rows of one width. A comma where
/// nothing tells.
#[must_use]
pub fn detect_delimiter(head: &str) -> u8 {
    let score = |sign: u8| {
        let (mut records, mut record) =
            (Records::new(head.as_bytes()).with_delimiter(sign), Record::default());
        let (mut rows, mut alike, mut width, mut has_name) = (0_usize, 0_usize, 0, false);
        while rows < SNIFFED_ROWS_MAX && records.next(&mut record).unwrap_or(false) {
            if rows == 0 {
                width = record.len();
                has_name = record.cells().any(is_header_word);
            }
            rows += 1;
            alike += usize::from(record.len() == width);
        }
        let share = alike * 100 / rows.max(1);
        (width > 1 && (has_name || share >= 80)).then_some((has_name, share))
    };
    // Of several that are as good, the first.
    let scored = SEPARATORS.into_iter().rev().filter_map(|sign| Some((score(sign)?, sign)));
    scored.max_by_key(|(score, _)| *score).map_or(b',', |(_, sign)| sign)
}

/// The first column was taken for want of a name, and does not look like questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmbiguousColumn {
    /// What the first column is called.
    pub first: String,
    /// What the one that is likelier to hold the questions is called.
    pub likelier: String,
    /// The names of the columns, in the order of the file.
    pub found: Vec<String>,
}

/// Doubts that the first column holds the questions where nothing but its place says so, it holds
/// numbers and names of rows, and another holds sentences. `rows` are some of those below a header.
#[must_use]
pub fn ambiguous_column(layout: &Layout, rows: &[Vec<String>]) -> Option<AmbiguousColumn> {
    if layout.chosen != Chosen::First {
        return None;
    }
    let taken = layout.question;
    let is_id = |cell: &str| {
        !cell.contains(char::is_whitespace)
            && cell.contains(|c: char| c.is_ascii_digit())
            && cell.chars().count() <= ID_CHARS_MAX
    };
    let is_name = |row: &&Vec<String>| row.get(taken).is_some_and(|cell| !is_id(cell.trim()));
    // Without a usual header word, a header is recognised by its first cell, which is unlike those
    // below it.
    let header = rows.first().filter(|row| !layout.has_header && is_name(row));
    let rows = &rows[usize::from(header.is_some())..];
    let cells = |at: usize| {
        let cells = rows.iter().filter_map(move |row| row.get(at)).map(|cell| cell.trim());
        cells.filter(|cell| !cell.is_empty())
    };
    let count = cells(taken).count();
    if count == 0 || !cells(taken).all(is_id) {
        return None;
    }
    let blanks =
        |at: usize| cells(at).map(|cell| cell.split_whitespace().count() - 1).sum::<usize>();
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let best = (0..width).filter(|at| *at != taken).max_by_key(|at| (blanks(*at), width - at))?;
    let found = header.unwrap_or(&layout.columns);
    let found: Vec<String> = found.iter().map(|name| name.trim().to_owned()).collect();
    let likelier = found.get(best).filter(|_| blanks(best) >= count)?.clone();
    Some(AmbiguousColumn { first: found.get(taken)?.clone(), likelier, found })
}

/// Returns what ends the lines of a text: a carriage return where there is no line feed at all, as old Macs and
/// Excel's "CSV (Macintosh)" write it. Reads up to the first line feed.
pub fn line_end(mut text: impl BufRead) -> std::io::Result<u8> {
    let mut has_returns = false;
    loop {
        let ahead = text.fill_buf()?;
        if ahead.contains(&b'\n') {
            return Ok(b'\n');
        }
        has_returns |= ahead.contains(&b'\r');
        let read = ahead.len();
        if read == 0 {
            return Ok(if has_returns { b'\r' } else { b'\n' });
        }
        text.consume(read);
    }
}

/// Returns the beginning of a text as whole characters.
pub fn read_prefix(mut text: impl Read, bytes_max: usize) -> std::io::Result<String> {
    let mut head = Vec::new();
    text.by_ref().take(bytes_max as u64).read_to_end(&mut head)?;
    let whole = match std::str::from_utf8(&head) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => head.len(),
    };
    head.truncate(whole);
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::{HeaderMode, survey};

    #[test]
    fn a_carriage_return_ends_lines_where_nothing_else_does() {
        for (text, end) in [("a\rb\r", b'\r'), ("a\rb\n", b'\n'), ("a", b'\n'), ("", b'\n')] {
            assert_eq!(line_end(text.as_bytes()).unwrap(), end, "{text:?}");
        }
    }

    #[test]
    fn utf_16_is_known_by_its_mark_or_by_its_zeros() {
        let wide = |text: &str, big: bool| -> Vec<u8> {
            let units = text.encode_utf16();
            units.flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
        };
        let text = "question\nWarum ist der Himmel blau?\nПочему?\n";
        for (bytes, expected) in [
            (wide(text, false), Some(DetectedEncoding::Utf16Le)),
            (wide(text, true), Some(DetectedEncoding::Utf16Be)),
            (b"\xff\xfe".to_vec(), Some(DetectedEncoding::Utf16Le)),
            (b"\xfe\xff".to_vec(), Some(DetectedEncoding::Utf16Be)),
            (b"PK\x03\x04...".to_vec(), Some(DetectedEncoding::Archive)),
            (text.as_bytes().to_vec(), None),
            (b"caf\xe9\n".to_vec(), None),
            (b"".to_vec(), None),
            (b"question\nWhy?\0\nHow?\n".to_vec(), None),
            (
                wide("question\n什么是人工智能，请解释。\n为什么上海很大？\n", false),
                Some(DetectedEncoding::Utf16Le),
            ),
            (
                wide("q\n什么是人工智能，请解释，上上上上上上\n为什么？\n", true),
                Some(DetectedEncoding::Utf16Be),
            ),
            (
                "q\nwhy\n".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
                Some(DetectedEncoding::Utf32),
            ),
            (b"\xff\xfe\0\0q\0\0\0".to_vec(), Some(DetectedEncoding::Utf32)),
            (b"\x1f\x8b\x08".to_vec(), Some(DetectedEncoding::Archive)),
            ([&[b'a'; 257][..], b"ustar"].concat(), Some(DetectedEncoding::Archive)),
        ] {
            assert_eq!(DetectedEncoding::detect(&bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_header_read_as_one_cell_tells_what_separates_its_names() {
        let by = |header: &str, column| {
            let (mut records, mut record) = (Records::new(header.as_bytes()), Record::default());
            records.next(&mut record).unwrap();
            delimiter_in_header(&record, column).map(char::from)
        };
        for (header, column, expected) in [
            ("question;status\n", None, Some(';')),
            ("Frage;Antwort\n", None, Some(';')),
            ("id\tPrompt\n", None, Some('\t')),
            ("\"question\";\"status\"\n", None, Some(';')),
            ("Nr;Aufgabe\n", None, None),
            ("Nr;Aufgabe\n", Some("aufgabe"), Some(';')),
            ("question,status\n", None, None),
            ("question\n", None, None),
            ("Is this a question; or is it not?\n", None, None),
        ] {
            assert_eq!(by(header, column), expected, "{header:?}");
        }
    }

    #[test]
    fn a_first_line_may_name_the_separator() {
        for (line, expected) in [
            ("sep=;", Some(';')),
            ("SEP=,\r\n", Some(',')),
            ("\u{feff}\"sep=|\"", Some('|')),
            ("sep=\t", Some('\t')),
            ("sep=\\t", Some('\t')),
            ("sep=", None),
            ("sep=x", None),
            ("sep=;;", None),
            ("What does sep=; mean?", None),
            ("é", None),
        ] {
            assert_eq!(declared_delimiter(line).map(char::from), expected, "{line:?}");
        }
    }

    #[test]
    fn the_separator_is_the_one_that_makes_columns() {
        for (head, expected) in [
            ("question;status\nWhat, then?;\nAnd, and, and;\n", ';'),
            ("Nr;Aufgabe\n1;Warum, wieso?\n2;Weshalb?\n", ';'),
            ("id\tprompt\n1\tWhy; then?\n", '\t'),
            ("question,status\na; b,\n", ','),
            ("question\nOne, two?\nThree\n", ','),
            ("a|b\n1|2\n", '|'),
            ("", ','),
        ] {
            assert_eq!(char::from(detect_delimiter(head)), expected, "{head:?}");
        }
    }

    #[test]
    fn a_first_column_of_numbers_holds_no_questions_where_another_holds_sentences() {
        for (text, expected) in [
            ("id,body,status\n1,Why is it so?,\n2,And how is that?,\n", Some(("id", "body"))),
            ("Nr,Thema,Aufgabe\n1,geo,What is it?\n2,bio,And here?\n", Some(("Nr", "Aufgabe"))),
            ("q-17,What is there?\nq-18,And here?\n", Some(("column_1", "column_2"))),
            ("Why?,a note of words\nHow?,another note\n", None),
            ("id,question\n1,What is it?\n", None),
            ("1,2\n3,4\n", None),
            ("apple,a red fruit\npear,a green fruit\n", None),
            ("question\n1\n", None),
        ] {
            let layout = survey(text.as_bytes(), HeaderMode::Auto, None).unwrap();
            let rows = text.lines().skip(usize::from(layout.has_header));
            let rows: Vec<Vec<String>> =
                rows.map(|line| line.split(',').map(str::to_owned).collect()).collect();
            let doubt = ambiguous_column(&layout, &rows);
            let names = doubt.as_ref().map(|d| (d.first.as_str(), d.likelier.as_str()));
            assert_eq!(names, expected, "{text:?}");
        }
    }

    #[test]
    fn a_head_ends_with_a_whole_character() {
        assert_eq!(read_prefix("aé".as_bytes(), 2).unwrap(), "a");
        assert_eq!(read_prefix("aé".as_bytes(), 3).unwrap(), "aé");
    }
}
