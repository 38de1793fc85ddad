//! Words as SQLite's full-text search separates them, and where they are in a text.
//!
//! A run is searched once in a while, so an index would have to be made for one question: FTS5
//! takes in some 25 MB of texts a second, a plain scan reads ten times as many. Only what a
//! character means is FTS5's own: which ones are in words, and which are the same but for case and
//! marks (`unicode61 remove_diacritics 2`), asked of it for blocks of characters as they occur. A
//! text is folded to its words between single spaces, so that a word or a phrase in it is found as
//! bytes. Snippets are FTS5's too, of the few texts that are shown.
//!
//! Some scripts put no blanks between words. There every character is a word of its own, so that
//! whatever stands in such a text is found, in the middle of a sentence or beside Latin letters
//! too.

use memchr::memmem;
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::error::StoreError;

/// Characters that are asked for together.
const BLOCK: u32 = 256;
/// Words of a snippet, about two lines of a terminal; 64 is FTS5's most.
const SNIPPET_WORDS: u32 = 24;
const QUESTION_WORDS: u32 = 64;
/// Characters of a text in which FTS5 finds nothing to show.
const SNIPPET_CHARS: usize = 160;
/// Stands around the characters that are words of their own where FTS5 is to tell words apart.
const SEAM: char = '\u{1}';
/// Stands behind a word that may go on.
const PREFIX: char = '*';

/// Blocks of scripts whose texts have no blanks between words, or, as in Korean, words that others
/// are joined to. Their marks are what tells one word from another, so they are kept.
const WITHOUT_BLANKS: [(u32, u32); 18] = [
    (0x0e00, 0x0eff),   // Thai, Lao
    (0x0f00, 0x0fff),   // Tibetan
    (0x1000, 0x109f),   // Myanmar
    (0x1780, 0x17ff),   // Khmer
    (0x1950, 0x19ff),   // Tai Le, New Tai Lue, Khmer symbols
    (0x1a20, 0x1aaf),   // Tai Tham
    (0x1b00, 0x1b7f),   // Balinese
    (0x2e80, 0x2fdf),   // radicals
    (0x3005, 0x3007),   // iteration mark, zero
    (0x3021, 0x30ff),   // numerals, Hiragana, Katakana
    (0x3100, 0x312f),   // Bopomofo
    (0x31a0, 0x31ff),   // Bopomofo, Katakana
    (0x3400, 0x4dbf),   // ideographs
    (0x4e00, 0x9fff),   // ideographs
    (0xa980, 0xaa7f),   // Javanese, Myanmar
    (0xac00, 0xd7a3),   // Hangul
    (0xf900, 0xfaff),   // ideographs
    (0x20000, 0x3ffff), // ideographs
];
/// Half-width Katakana, as a range of code points.
const HALF_WIDTH: std::ops::RangeInclusive<u32> = 0xff66..=0xff9f;
/// What stands between sentences and syllables in those blocks.
const PUNCTUATION: &str = "ฯ๏๚๛་༌།༎༏༐༑༔၊။၌၍၎၏។៕៖៘៙៚・゠᪨᪩᪪᪫᭚᭛᭜᭝᭞᭟᭠꧁꧂꧃꧄꧅꧆꧇꧈꧉꧊꧋꧌꧍";

/// What a character means for words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CharClass {
    /// It is between words.
    Apart,
    /// It is part of a word and changes nothing: a mark over a letter.
    Nothing,
    /// It is as this one.
    Letter(char),
    /// It is a word of its own.
    Word(char),
}

/// Returns true if a character is of a script without blanks between words, and no punctuation.
fn is_word(c: char) -> bool {
    let code = u32::from(c);
    let is_in = |&(from, to): &(u32, u32)| (from..=to).contains(&code);
    code >= WITHOUT_BLANKS[0].0
        && (WITHOUT_BLANKS.iter().any(is_in) || HALF_WIDTH.contains(&code))
        && !PUNCTUATION.contains(c)
}

/// Splits texts into words as FTS5's `unicode61` does.
pub(crate) struct Tokenizer {
    fts: Connection,
    blocks: Vec<Option<Box<[CharClass]>>>,
    /// The first block once more, for speed: a space is apart.
    ascii: [u8; 128],
}

/// A part of a snippet, and whether it is what was looked for.
pub type SnippetPart = (String, bool);

/// What FTS5 puts around what was looked for.
const MARKS: [char; 2] = ['\u{2}', '\u{3}'];

impl Tokenizer {
    pub(crate) fn open() -> Result<Tokenizer, StoreError> {
        let fts = Connection::open_in_memory()?;
        fts.execute_batch(
            "CREATE VIRTUAL TABLE page USING
               fts5(question, reasoning, answer, tokenize = 'unicode61 remove_diacritics 2');
             CREATE VIRTUAL TABLE probe USING
               fts5(text, tokenize = 'unicode61 remove_diacritics 2');
             CREATE VIRTUAL TABLE probed USING fts5vocab(probe, instance);",
        )?;
        let blocks = vec![None; (u32::from(char::MAX) / BLOCK) as usize + 1];
        let mut words = Tokenizer { fts, blocks, ascii: [b' '; 128] };
        for byte in 0..128u8 {
            if let CharClass::Letter(letter) = words.class(char::from(byte))? {
                words.ascii[usize::from(byte)] = letter as u8;
            }
        }
        Ok(words)
    }

    fn class(&mut self, c: char) -> Result<CharClass, StoreError> {
        let (block, at) = ((u32::from(c) / BLOCK) as usize, (u32::from(c) % BLOCK) as usize);
        if self.blocks[block].is_none() {
            self.blocks[block] = Some(self.classify_block(block as u32 * BLOCK)?);
        }
        Ok(self.blocks[block].as_ref().map_or(CharClass::Apart, |classes| classes[at]))
    }

    /// Asks FTS5 what it makes of each character between two letters.
    fn classify_block(&self, first: u32) -> Result<Box<[CharClass]>, StoreError> {
        let mut classes = vec![CharClass::Apart; BLOCK as usize];
        self.fts.execute_batch("BEGIN; DELETE FROM probe;")?;
        for code in first..first + BLOCK {
            let Some(c) = char::from_u32(code) else { continue };
            if is_word(c) {
                classes[(code - first) as usize] = CharClass::Word(c);
                continue;
            }
            self.fts
                .prepare_cached("INSERT INTO probe (rowid, text) VALUES (?1, ?2)")?
                .execute(params![code + 1, format!("x{c}y")])?;
        }
        self.fts.execute_batch("COMMIT")?;
        let mut statement = self.fts.prepare("SELECT doc, term FROM probed")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (rowid, term): (u32, String) = (row.get(0)?, row.get(1)?);
            let Some(within) = term.strip_prefix('x').and_then(|rest| rest.strip_suffix('y'))
            else {
                continue;
            };
            classes[(rowid - 1 - first) as usize] =
                within.chars().next().map_or(CharClass::Nothing, CharClass::Letter);
        }
        Ok(classes.into())
    }

    /// Writes the words of a text into `to`, each between two spaces: ` black holes `.
    pub(crate) fn fold(&mut self, text: &str, to: &mut Vec<u8>) -> Result<(), StoreError> {
        to.clear();
        to.push(b' ');
        let mut rest = text;
        while !rest.is_empty() {
            let plain = rest.bytes().position(|byte| byte >= 128).unwrap_or(rest.len());
            let (from, mut last) = (to.len(), to[to.len() - 1]);
            to.resize(from + plain, 0);
            let mut end = from;
            // Without a branch: a space behind a space is written over.
            for byte in rest[..plain].bytes() {
                let letter = self.ascii[usize::from(byte)];
                to[end] = letter;
                end += usize::from(letter != b' ' || last != b' ');
                last = letter;
            }
            to.truncate(end);
            rest = &rest[plain..];
            let Some(c) = rest.chars().next() else { break };
            match self.class(c)? {
                CharClass::Apart if to.last() == Some(&b' ') => {}
                CharClass::Apart => to.push(b' '),
                CharClass::Nothing => {}
                CharClass::Letter(letter) => {
                    to.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
                CharClass::Word(word) => {
                    if to.last() != Some(&b' ') {
                        to.push(b' ');
                    }
                    to.extend_from_slice(word.encode_utf8(&mut [0; 4]).as_bytes());
                    to.push(b' ');
                }
            }
            rest = &rest[c.len_utf8()..];
        }
        if to.last() != Some(&b' ') {
            to.push(b' ');
        }
        Ok(())
    }

    /// Returns what each of the three texts has of what is looked for, in parts; absent where
    /// `in_them` leaves one out.
    pub(crate) fn snippets(
        &self,
        texts: [&str; 3],
        in_them: [bool; 3],
        terms: &SearchTerms,
    ) -> Result<[Option<Vec<SnippetPart>>; 3], StoreError> {
        let texts = texts.map(seamed);
        self.fts.execute("DELETE FROM page", [])?;
        self.fts.execute(
            "INSERT INTO page VALUES (?1, ?2, ?3)",
            params![texts[0], texts[1], texts[2]],
        )?;
        let mut snippets = [None, None, None];
        for (at, snippet) in snippets.iter_mut().enumerate().filter(|(at, _)| in_them[*at]) {
            let words = if at == 0 { QUESTION_WORDS } else { SNIPPET_WORDS };
            let sql =
                "SELECT snippet(page, ?1, char(2), char(3), '…', ?2) FROM page WHERE page MATCH ?3";
            let found: Option<String> = self
                .fts
                .prepare_cached(sql)?
                .query_row(params![at as i64, words, terms.any()], |row| row.get(0))
                .optional()?;
            // FTS5 may know no word in what is found here: then the beginning is shown.
            let begin = || texts[at].chars().take(SNIPPET_CHARS).collect();
            *snippet = Some(parts(&found.unwrap_or_else(begin)));
        }
        Ok(snippets)
    }
}

/// Returns a text in which every word without blanks around it has seams, for FTS5.
fn seamed(text: &str) -> String {
    let mut seamed = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            SEAM => seamed.push(' '),
            c if MARKS.contains(&c) => seamed.push(' '),
            c if is_word(c) => seamed.extend([SEAM, c, SEAM]),
            c => seamed.push(c),
        }
    }
    seamed
}

fn parts(snippet: &str) -> Vec<SnippetPart> {
    let snippet = snippet.replace(SEAM, "");
    let mut parts = Vec::new();
    for (at, piece) in snippet.split(MARKS).enumerate() {
        if !piece.is_empty() {
            parts.push((piece.to_owned(), at % 2 == 1));
        }
    }
    parts
}

/// What is looked for: words and phrases, all of which must occur.
pub(crate) struct SearchTerms {
    folded: Vec<Vec<u8>>,
    finders: Vec<memmem::Finder<'static>>,
}

impl SearchTerms {
    /// Folds words and phrases; those without a letter or a digit are left out. One that ends with
    /// `*` is found where a word begins with it.
    pub(crate) fn new(terms: &[String], words: &mut Tokenizer) -> Result<SearchTerms, StoreError> {
        let mut folded: Vec<Vec<u8>> = Vec::new();
        let mut term_folded = Vec::new();
        for term in terms {
            words.fold(term, &mut term_folded)?;
            if term.trim_end().ends_with(PREFIX) && term_folded.len() > 1 {
                term_folded.pop();
            }
            if term_folded.len() > 1 && !folded.contains(&term_folded) {
                folded.push(term_folded.clone());
            }
        }
        let finders = folded.iter().map(|term| memmem::Finder::new(term).into_owned()).collect();
        Ok(SearchTerms { folded, finders })
    }

    /// Returns true if nothing is looked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// Returns which of these folded texts have some of it, where together they have all of it.
    pub(crate) fn find<const N: usize>(&self, folded: [&[u8]; N]) -> Option<[bool; N]> {
        let mut has = [false; N];
        for finder in &self.finders {
            let mut found = false;
            for (text, has) in folded.iter().zip(&mut has) {
                if finder.find(text).is_some() {
                    (*has, found) = (true, true);
                }
            }
            if !found {
                return None;
            }
        }
        Some(has)
    }

    /// Any of it, as FTS5 takes it.
    fn any(&self) -> String {
        self.quoted().join(" OR ")
    }

    /// All of it in these columns of the search index, as FTS5 takes it.
    pub(super) fn all(&self, within: [bool; 3]) -> String {
        let columns = ["question", "reasoning", "answer"].iter().zip(within);
        let columns: Vec<&str> =
            columns.filter(|(_, is_in)| *is_in).map(|(column, _)| *column).collect();
        format!("{{{}}} : ({})", columns.join(" "), self.quoted().join(" AND "))
    }

    fn quoted(&self) -> Vec<String> {
        let quoted = |term: &Vec<u8>| {
            let sign = if term.ends_with(b" ") { "" } else { "*" };
            format!("\"{}\"{sign}", String::from_utf8_lossy(term).trim())
        };
        self.folded.iter().map(quoted).collect()
    }
}

#[cfg(test)]
mod tests;
