//! Finds words in questions, reasoning and answers: through the index of a viewer where
//! there is one, and in one pass over what it lacks. Nothing is asked, made or changed.

use std::collections::HashMap;

use dset_core::plan::AnswerId;
use dset_core::settings::JobSpec;

use crate::error::JobError;
use crate::run::plan_input::for_each_planned;
pub use crate::store::SnippetPart;
use crate::store::{SearchTerms, Tokenizer};
use crate::store::{Store, StoreError, open_readonly};
use crate::view::browse::answers_with;
use crate::view::index::RunIndex;

/// What is looked for, and where.
#[derive(Debug, Clone)]
pub struct Query {
    /// Words and phrases; all must occur in a question, its reasoning and its answer together.
    pub terms: Vec<String>,
    /// Whether to look into questions, reasoning and answers.
    pub within: [bool; 3],
    /// Hits that are returned, at most.
    pub hits_max: usize,
}

/// What was found.
#[derive(Debug)]
pub struct SearchReport {
    /// Questions that have it, returned or not.
    pub hits_count: u64,
    /// Questions of the file.
    pub questions_count: u64,
    /// The first of them, in the order of the file.
    pub hits: Vec<Hit>,
}

/// A question that has what was looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Its row as a spreadsheet counts.
    pub row_number: u64,
    /// The question.
    pub question: String,
    /// The model and the sample of the first answer that has it; absent where the question has no
    /// answer yet.
    pub answer: Option<(Option<String>, Option<u32>)>,
    /// What the question, the reasoning and the answer have of it, in parts.
    pub snippets: [Option<Vec<SnippetPart>>; 3],
}

/// Looks for words; `None` where there is no store. Terms without a letter or a digit are left out;
/// where none is left, that finds nothing.
pub fn search(settings: &JobSpec, query: &Query) -> Result<Option<SearchReport>, JobError> {
    open_readonly(&settings.output, |store| {
        let mut words = Tokenizer::open()?;
        let terms = SearchTerms::new(&query.terms, &mut words)?;
        let mut view = RunIndex::load(store, settings)?;
        let mut found =
            SearchReport { hits_count: 0, questions_count: view.plan.rows(), hits: Vec::new() };
        if terms.is_empty() {
            return Ok(found);
        }
        let hits = answers_with(store, &settings.output, &terms, query.within, &mut words)?;
        let mut beside: HashMap<[u8; 16], AnswerId> = HashMap::new();
        for (question, id) in view.plan.counting_unwanted().filter(|(_, id)| hits.has(*id)) {
            beside.entry(question).or_insert(id);
        }
        let (answers, mut number, mut folded) = (&view.answers, 0, Vec::new());
        let mut shown: Vec<(Hit, Option<AnswerId>)> = Vec::new();
        let mut failed = None;
        for_each_planned(
            &mut *view.source,
            &view.prompts,
            &view.requests[0],
            &view.plan,
            |seen| {
                number += 1;
                let mut of_row =
                    seen.entries.clone().filter_map(|at| answers[at as usize]).peekable();
                let has_answer = of_row.peek().is_some();
                let mut id = of_row.find(|id| hits.has(*id));
                if id.is_none() && !beside.is_empty() {
                    id = beside.get(&seen.id.hash()).copied();
                }
                if id.is_none() {
                    if has_answer || !query.within[0] || failed.is_some() {
                        return;
                    }
                    failed = words.fold(seen.item.text, &mut folded).err();
                    if terms.find([&folded]).is_none() {
                        return;
                    }
                }
                found.hits_count += 1;
                if shown.len() < query.hits_max {
                    let hit = Hit {
                        number,
                        row_number: seen.row_number(),
                        question: seen.item.text.to_owned(),
                        answer: None,
                        snippets: [None, None, None],
                    };
                    shown.push((hit, id));
                }
            },
        )?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        for (hit, id) in shown {
            found.hits.push(with_snippets(store, hit, id, query, &terms, &mut words)?);
        }
        Ok(found)
    })
}

/// Takes words apart: what a shell took out of quotes is a phrase, and so is what is still in them.
#[must_use]
pub fn terms(text: &[String]) -> Vec<String> {
    let mut terms = Vec::new();
    for argument in text {
        if !argument.contains('"') {
            terms.push(argument.clone());
            continue;
        }
        for (at, piece) in argument.split('"').enumerate() {
            match at % 2 {
                1 => terms.push(piece.to_owned()),
                _ => terms.extend(piece.split_whitespace().map(str::to_owned)),
            }
        }
    }
    terms
}

fn with_snippets(
    store: &Store,
    mut hit: Hit,
    id: Option<AnswerId>,
    query: &Query,
    terms: &SearchTerms,
    words: &mut Tokenizer,
) -> Result<Hit, StoreError> {
    let row = id.map(|id| store.as_reader().row(id)).transpose()?;
    let texts = match &row {
        Some(row) => [&*row.question, &*row.reasoning, &*row.answer],
        None => [&*hit.question, "", ""],
    };
    let mut folded = [Vec::new(), Vec::new(), Vec::new()];
    for (at, to) in folded.iter_mut().enumerate().filter(|(at, _)| query.within[*at]) {
        words.fold(texts[at], to)?;
    }
    let has = terms.find([&folded[0], &folded[1], &folded[2]]).unwrap_or_default();
    hit.snippets = words.snippets(texts, has, terms)?;
    hit.answer = row.as_ref().map(|row| (row.metadata.model.clone(), row.metadata.sample));
    Ok(hit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_what_is_in_quotes_of_the_shell_or_within_an_argument() {
        let of = |text: &[&str]| terms(&text.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["a", "b c"]), ["a", "b c"]);
        assert_eq!(of(&["\"b c\" d e"]), ["b c", "d", "e"]);
    }
}
