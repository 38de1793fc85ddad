//! `dset search`: where words are in questions, reasoning and answers.

use clap::{Args, ValueEnum};
use dset_core::settings::JobSpec;
use dset_engine::view::browse::Snippet;
use dset_engine::view::search::{Hit, Query, SearchReport, SnippetPart, search, terms};
use serde_json::{Value, json};

use crate::display::page::{self, DIM, Page};
use crate::display::text::{count, of, one_line, quoted};
use crate::display::wrap::HIT;
use crate::display::{pager, warn};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::run_selector::NamedRunSelectorArgs;

#[derive(Debug, Args)]
#[command(
    after_help = "All words must occur in a question, its reasoning and its answer together; with \
--in, in those that are named. A text in quotes is a phrase, its words one behind the other. Words \
are whole, unless a star stands at their end (`gravit*`); in Chinese, Japanese, Thai and other scripts \
without spaces any part of a sentence is found. Case and accents make no difference: `uber` finds Über. Questions come in the order of the \
file, each once, also those without an answer.

Reads the index that `dset view` makes, and what it lacks in the store; changes nothing, also while `dset run` is at work.

Exit codes, as those of grep: 0 found, 1 not found, 2 usage or input, nothing was asked yet, or the \
store cannot be read.

Examples:
  dset search black holes           both words, in any order and place
  dset search \"black holes\"         the phrase
  dset search 'gravit*'             any word that begins like this
  dset search wait --in reasoning   where a model thought twice
  dset search gcd -n 100 --json     one JSON object, for a program"
)]
pub(crate) struct SearchArgs {
    /// Words, and phrases in quotes
    #[arg(value_name = "TEXT", required = true)]
    text: Vec<String>,

    /// Look there only; can be given again [default: everywhere]
    #[arg(long = "in", value_name = "WHERE")]
    within: Vec<Place>,

    /// Show so many questions at most
    #[arg(short = 'n', long, value_name = "N", default_value = "20")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,

    #[command(flatten)]
    which: NamedRunSelectorArgs,

    /// Write one JSON object to stdout
    #[arg(long)]
    json: bool,
}

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    Question,
    Reasoning,
    Answer,
}

const PLACES: [Place; 3] = [Place::Question, Place::Reasoning, Place::Answer];

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::Question => "question",
            Place::Reasoning => "reasoning",
            Place::Answer => "answer",
        }
    }
}

pub(super) fn run(args: &SearchArgs) -> Result<Exit, UserError> {
    // 1 says that nothing was found, whatever else may be wrong.
    look(args).map_err(|error| UserError { exit: Exit::Usage, ..error })
}

fn look(args: &SearchArgs) -> Result<Exit, UserError> {
    let (which, settings, terminal) = super::shared::settings_of(&args.which.which())?;
    let terms = terms(&args.text);
    if !terms.iter().any(|term| term.chars().any(char::is_alphanumeric)) {
        return Err(UserError::new(Exit::Usage, "there is no word to look for")
            .cause("letters and digits are looked for, other characters are not"));
    }
    // What goes on behind a star would be looked for as if it was not there.
    if let Some(term) = terms.iter().find(|term| !is_star_at_the_end(term)) {
        let message = format!("cannot look for `{}`", one_line(term));
        return Err(UserError::new(Exit::Usage, message)
            .cause("`*` stands at the end of a word, for any end of it")
            .hint("Look for words without it, or for the beginning of one, like `dset search 'gravit*'`"));
    }
    let query = Query {
        within: PLACES.map(|place| args.within.is_empty() || args.within.contains(&place)),
        hits_max: usize::from(args.limit),
        terms,
    };
    let Some(found) = search(&settings, &query).map_err(explain::job)? else {
        return Err(super::shared::nothing_asked(&which, &settings));
    };
    let exit = if found.hits_count > 0 { Exit::Done } else { Exit::Ours };
    if args.json || terminal.json {
        page::json(object(&settings, &query, &found));
        return Ok(exit);
    }
    if found.hits_count == 0 {
        let words: Vec<String> = query.terms.iter().map(|term| quoted(term)).collect();
        warn(&format!("nothing has {}", words.join(" ")), None);
        return Ok(exit);
    }
    let page = Page::kept();
    for hit in &found.hits {
        show(&page, hit, found.questions_count);
    }
    let shown = found.hits.len() as u64;
    let mut last =
        format!("{} of {}", of(found.hits_count, "question"), count(found.questions_count));
    if shown < found.hits_count {
        last += &format!(", the first {} shown", count(shown));
        if args.limit < u16::MAX {
            last += &format!("; -n {} for more", args.limit.saturating_mul(10));
        }
    }
    page.plain(&last);
    pager::write(&page.into_text());
    Ok(exit)
}

/// Tells whether the only star of a term stands behind a letter or a digit, at its end.
fn is_star_at_the_end(term: &str) -> bool {
    let term = term.trim_end();
    let word = term.strip_suffix('*').unwrap_or(term);
    !word.contains('*')
        && (word.len() == term.len() || word.ends_with(|c: char| !c.is_whitespace()))
}

fn show(page: &Page, hit: &Hit, of_all: u64) {
    let number = format!("{}/{}", count(hit.number), count(of_all));
    let question = match &hit.snippets[0] {
        Some(parts) => marked(parts),
        None => one_line(&hit.question),
    };
    page.line(DIM, &number, &format!("  {question}"), number.len() + 2);
    for (place, parts) in PLACES.iter().zip(&hit.snippets).skip(1) {
        if let Some(parts) = parts {
            page.pair(place.name(), &marked(parts));
        }
    }
    if hit.answer.is_none() {
        page.pair("answer", "none yet");
    }
    page.blank();
}

/// A snippet in one line, what was looked for between the marks of hits.
fn marked(parts: &[SnippetPart]) -> String {
    let [on, off] = HIT;
    let mut line = String::new();
    for (text, is_hit) in parts {
        let text = one_line(text);
        let mut words = String::new();
        for c in text.chars() {
            let is_gap = c.is_whitespace();
            if !(is_gap && (words.ends_with(' ') || words.is_empty() && line.ends_with(' '))) {
                words.push(if is_gap { ' ' } else { c });
            }
        }
        match is_hit {
            true => line += &format!("{on}{words}{off}"),
            false => line += &words,
        }
    }
    line.trim().to_owned()
}

fn object(settings: &JobSpec, query: &Query, found: &SearchReport) -> Value {
    let hit = |hit: &Hit| {
        let snippets = PLACES.iter().zip(&hit.snippets).filter_map(|(place, parts)| {
            Some((place.name().to_owned(), json!(Snippet::of(parts.as_deref()?))))
        });
        let (model, sample) = hit.answer.clone().unwrap_or_default();
        json!({
            "question": hit.number,
            "row": hit.row_number,
            "text": hit.question,
            "is_answered": hit.answer.is_some(),
            "model": model,
            "sample": sample,
            "snippets": snippets.collect::<serde_json::Map<_, _>>(),
        })
    };
    let places = PLACES.iter().zip(query.within);
    let places: Vec<&str> = places.filter(|(_, is_in)| *is_in).map(|(p, _)| p.name()).collect();
    json!({
        "input": settings.input,
        "output": settings.output,
        "terms": query.terms,
        "in": places,
        "count": found.hits_count,
        "of": found.questions_count,
        "hits": found.hits.iter().map(hit).collect::<Vec<_>>(),
    })
}
