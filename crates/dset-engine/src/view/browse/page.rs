//! Some records of a list, with the beginnings of their texts.

use serde::Serialize;

use super::columns::{Record, UNKNOWN};
use super::filter::number;
use super::load::Loaded;
use super::{BrowseError, Browser, Filter};
use crate::store::{Excerpts, SearchTerms, SnippetPart, Store, Tokenizer};

/// Records that one call returns, at most.
const PAGE_MAX: usize = 500;
/// Bytes of a text in which a list looks for what it shows; where it is further on, the list shows the
/// beginning.
const SNIPPET_BYTES: usize = 128 << 10;

/// Some records, in the order of a filter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// Records that the filter lets through.
    pub count: u64,
    /// All records.
    pub of: u64,
    /// The place of the first record here among those that are let through, from 0.
    pub offset: u64,
    /// Changes with whatever is shown.
    pub revision: u64,
    /// The records.
    pub records: Vec<ListedRecord>,
}

/// A record in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListedRecord {
    /// The number of its question, from 1.
    pub question: u64,
    /// Its row as a spreadsheet counts.
    pub row: u32,
    /// The number of its answer in the store; absent where there is none.
    pub answer: Option<u32>,
    /// Where it stands.
    pub state: super::State,
    /// Why it ended without an answer.
    pub cause: Option<String>,
    /// The checks that its last answer does not pass, with commas.
    pub check: Option<String>,
    /// The model that is asked.
    pub model: Option<String>,
    /// Which sample, from 0.
    pub sample: u16,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// Asks that it took. This and what follows are absent where no answer came, and those of the last
    /// one where none was accepted.
    pub attempts: Option<u16>,
    /// Tokens sent.
    pub input_tokens: Option<u32>,
    /// Tokens received.
    pub output_tokens: Option<u32>,
    /// Those that were reasoning.
    pub reasoning_tokens: Option<u32>,
    /// How long the last ask took.
    pub seconds: Option<f64>,
    /// Dollars.
    pub cost: Option<f64>,
    /// How long the answer is.
    pub answer_bytes: Option<u32>,
    /// How long the reasoning is.
    pub reasoning_bytes: Option<u32>,
    /// Unix milliseconds, of the second that it was answered in.
    pub answered_at: Option<u64>,
    /// From 1 to 5.
    pub rating: Option<u8>,
    /// Somebody has written a note.
    pub has_note: bool,
    /// The beginning of the question, or what of it was looked for.
    pub question_text: Snippet,
    /// The beginning of the answer, or what of it was looked for.
    pub answer_text: Snippet,
    /// What of the reasoning was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_text: Option<Snippet>,
}

/// A part of a text, and where in it what was looked for is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// The part.
    pub text: String,
    /// From and to, in characters (code points).
    pub hits: Vec<[usize; 2]>,
}

impl Snippet {
    fn plain(text: String) -> Snippet {
        Snippet { text, hits: Vec::new() }
    }

    /// Takes a snippet in its parts.
    #[must_use]
    pub fn of(parts: &[SnippetPart]) -> Snippet {
        let (mut snippet, mut at) = (Snippet::default(), 0);
        for (part, is_hit) in parts {
            let length = part.chars().count();
            if *is_hit {
                snippet.hits.push([at, at + length]);
            }
            at += length;
            snippet.text += part;
        }
        snippet
    }
}

impl Browser {
    /// Returns at most `limit` records from the `offset`th on that the filter lets through.
    pub fn list(&self, filter: &Filter, offset: u64, limit: usize) -> Result<Page, BrowseError> {
        self.page(filter, offset, limit.min(PAGE_MAX))
    }

    /// Returns all records that the filter lets through, of one moment.
    pub fn list_all(&self, filter: &Filter) -> Result<Vec<ListedRecord>, BrowseError> {
        Ok(self.page(filter, 0, usize::MAX)?.records)
    }

    fn page(&self, filter: &Filter, offset: u64, limit: usize) -> Result<Page, BrowseError> {
        self.with(|store, loaded| {
            let order = self.order(store, loaded, filter)?;
            let mut texts = Texts::new(&filter.terms)?;
            let wanted = order.iter().skip(offset as usize).take(limit);
            let records = wanted.map(|&at| {
                let record = &loaded.columns.records[at as usize];
                listed(store, loaded, record, &mut texts)
            });
            Ok(Page {
                count: order.len() as u64,
                of: loaded.columns.records.len() as u64,
                offset,
                revision: loaded.revision,
                records: records.collect::<Result<_, _>>()?,
            })
        })
    }

    /// Returns the place of the next record behind `from` that ended without an answer, among those
    /// that the filter lets through.
    pub fn next_failure(&self, filter: &Filter, from: u64) -> Result<Option<u64>, BrowseError> {
        self.with(|store, loaded| {
            let order = self.order(store, loaded, filter)?;
            let is_failed = |at: &u32| {
                let state = loaded.columns.records[*at as usize].state;
                matches!(state, super::State::Rejected | super::State::GaveUp)
            };
            let behind = order.iter().enumerate().skip(from as usize);
            let found = behind.into_iter().find(|(_, at)| is_failed(at));
            Ok(found.map(|(place, _)| place as u64))
        })
    }
}

/// What shows texts: their beginnings, or what of them was looked for.
struct Texts {
    looked_for: Option<(Tokenizer, SearchTerms)>,
}

impl Texts {
    fn new(terms: &[String]) -> Result<Texts, BrowseError> {
        if terms.is_empty() {
            return Ok(Texts { looked_for: None });
        }
        let mut words = Tokenizer::open()?;
        let terms = SearchTerms::new(terms, &mut words)?;
        Ok(Texts { looked_for: (!terms.is_empty()).then_some((words, terms)) })
    }

    fn of(&mut self, texts: [&str; 3]) -> Result<[Option<Snippet>; 3], BrowseError> {
        let Some((words, terms)) = &mut self.looked_for else { return Ok([None, None, None]) };
        let mut folded = [Vec::new(), Vec::new(), Vec::new()];
        let texts = texts.map(beginning);
        for (text, to) in texts.iter().zip(&mut folded) {
            words.fold(text, to)?;
        }
        let has = terms.find([&folded[0], &folded[1], &folded[2]]).unwrap_or_default();
        let snippets = words.snippets(texts, has, terms)?;
        Ok(snippets.map(|parts| parts.map(|parts| Snippet::of(&parts))))
    }
}

/// Returns as much of a text as a snippet is taken of.
fn beginning(text: &str) -> &str {
    let mut end = text.len().min(SNIPPET_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn listed(
    store: &Store,
    loaded: &Loaded,
    record: &Record,
    texts: &mut Texts,
) -> Result<ListedRecord, BrowseError> {
    let columns = &loaded.columns;
    let name = |name: Option<&str>| name.map(str::to_owned);
    let known = |at: usize| Some(number(at, record)).filter(|number| !number.is_nan());
    let whole = |number: u32| (record.has_numbers() && number != UNKNOWN).then_some(number);
    let (excerpts, snippets) = match (record.answer, &texts.looked_for) {
        (0, _) => {
            let question = loaded.open.get(record.row)?.unwrap_or_default();
            let snippets = texts.of([&question, "", ""])?;
            (
                Excerpts { question: question.chars().take(240).collect(), answer: String::new() },
                snippets,
            )
        }
        (answer, None) => (store.excerpts(answer.into())?, [None, None, None]),
        (answer, Some(_)) => {
            let row = store.as_reader().row(answer.into())?;
            let snippets = texts.of([&row.question, &row.reasoning, &row.answer])?;
            (store.excerpts(answer.into())?, snippets)
        }
    };
    let [question, reasoning, answer] = snippets;
    Ok(ListedRecord {
        question: u64::from(record.row) + 1,
        row: columns.row_numbers[record.row as usize],
        answer: (record.answer > 0).then_some(record.answer),
        state: record.state,
        cause: name(columns.causes.name(record.cause)),
        check: name(columns.checks.name(record.check)),
        model: name(columns.models.name(record.model)),
        sample: record.sample,
        finish_reason: name(columns.finishes.name(record.finish)),
        attempts: (record.attempts > 0).then_some(record.attempts),
        output_tokens: whole(record.numbers.output_tokens),
        reasoning_tokens: whole(record.numbers.reasoning_tokens),
        input_tokens: whole(record.numbers.input_tokens),
        seconds: known(3),
        cost: known(4),
        answer_bytes: whole(record.numbers.answer_bytes),
        reasoning_bytes: whole(record.numbers.reasoning_bytes),
        answered_at: whole(record.numbers.answered_at).map(|seconds| u64::from(seconds) * 1000),
        rating: (record.rating > 0).then_some(record.rating),
        has_note: record.has_note,
        question_text: question.unwrap_or_else(|| Snippet::plain(excerpts.question)),
        answer_text: answer.unwrap_or_else(|| Snippet::plain(excerpts.answer)),
        reasoning_text: reasoning,
    })
}
