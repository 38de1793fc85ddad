//! `dset show`: a question with its reasoning and its answers, or those that failed and why.

mod checks;
mod object;
mod raw;

use anstyle::Style;
use clap::Args;
use dset_core::answer::row::Row;
use dset_core::settings::JobSpec;
use dset_core::structured::ParsedFrom;
use dset_engine::store::AttemptSummary;
use dset_engine::view::show::{
    QuestionSelector, ShowReport, ShownQuestion, ShownSlot, SlotOutcome, show,
};

use crate::command::resume_command::{LastRun, redo_command, resume_command};
use crate::display::hints::advice;
use crate::display::page::{self, BAD, BOLD, DIM, Page};
use crate::display::pager;
use crate::display::text::{count, of, one_line, span, when};
use crate::display::wrap::columns;
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::run_selector::{NamedRunSelectorArgs, RunSelectorArgs};

/// Lines of reasoning that are shown where not all are asked for.
const FOLDED: usize = 6;

#[derive(Debug, Args)]
#[command(
    after_help = "N is the number of the question in the file, the first being 1: empty rows are not \
counted. Where a question is to get several answers, all are shown. Reads the questions and the \
store, asks nothing and changes nothing, also while `dset run` is at work.

What is longer than the screen goes through the pager that PAGER names, else through less; with \
PAGER empty, through none.

Exit codes: 0 shown, also where there is no answer yet, 1 the store cannot be read, or --raw and \
there is no answer (then it writes the last reply that was kept, if any), 2 usage or input, or there is no such question.

Examples:
  dset show 42                      question 42, its reasoning folded, its answer
  dset show 42 --full               all of the reasoning
  dset show --failed                what ended without an answer, why, and what to do
  dset show --last 5                the five newest answers
  dset show 42 --raw | pandoc       the answer alone
  dset show 42 --json               one JSON object, for a program"
)]
pub(crate) struct ShowArgs {
    /// Number of the question in the file
    #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(required_unless_present_any = ["failed", "last"])]
    number: Option<u64>,

    /// Every question that ended without an answer, why, and what to do
    #[arg(long, conflicts_with_all = ["number", "last", "raw", "full"])]
    failed: bool,

    /// The newest answers, the newest first
    #[arg(long, value_name = "K", num_args = 0..=1, default_missing_value = "1")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000), conflicts_with = "number")]
    last: Option<u32>,

    /// The answers alone, as the model wrote them
    #[arg(long, conflicts_with_all = ["json", "full"])]
    raw: bool,

    /// All of the reasoning
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    which: NamedRunSelectorArgs,

    /// Write one JSON object to stdout
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ShowArgs) -> Result<Exit, UserError> {
    let (which, settings, terminal) = super::shared::settings_of(&args.which.which())?;
    let wanted = match (args.number, args.last) {
        (Some(number), _) => QuestionSelector::Number(number),
        (None, Some(most)) => QuestionSelector::Last(most),
        (None, None) => QuestionSelector::Failed,
    };
    let Some(shown) = show(&settings, wanted).map_err(explain::job)? else {
        return Err(super::shared::nothing_asked(&which, &settings));
    };
    if let (QuestionSelector::Number(number), true) = (wanted, shown.questions.is_empty()) {
        return Err(no_such(number, shown.questions_count, &which, &settings));
    }
    let words = Words { which: &which, settings: &settings, shown: &shown, full: args.full };
    if args.raw {
        return Ok(raw::write(&shown));
    }
    if args.json || terminal.json {
        page::json(object::of(&settings, &shown));
        return Ok(Exit::Done);
    }
    let page = Page::kept();
    match wanted {
        QuestionSelector::Failed => words.failed(&page),
        _ => words.answers(&page, wanted),
    }
    pager::write(&page.into_text());
    Ok(Exit::Done)
}

fn no_such(number: u64, of_all: u64, which: &RunSelectorArgs, settings: &JobSpec) -> UserError {
    let input = settings.input.display();
    let error = UserError::new(Exit::Usage, format!("there is no question {number} in `{input}`"))
        .cause(format!("it has {}; empty rows are not counted", of(of_all, "question")));
    match of_all {
        0 => error.hint("Write one question a line below the header `question`"),
        _ => {
            let last = which.command_with(&format!("show {of_all}"), "--questions");
            error.hint(format!("The last one is `{last}`"))
        }
    }
}

/// The failed asks for an answer that is not there.
fn tried(entry: &ShownSlot) -> Option<&AttemptSummary> {
    match &entry.outcome {
        SlotOutcome::Failed { tried, .. } | SlotOutcome::Pending { tried } => tried.as_ref(),
        _ => None,
    }
}

struct Words<'a> {
    which: &'a RunSelectorArgs,
    settings: &'a JobSpec,
    shown: &'a ShowReport,
    full: bool,
}

impl Words<'_> {
    fn answers(&self, page: &Page, wanted: QuestionSelector) {
        if self.shown.questions.is_empty() {
            page.plain("There is no answer yet");
        }
        for (at, question) in self.shown.questions.iter().enumerate() {
            if at > 0 {
                page.blank();
                page.blank();
            }
            self.head(page, question);
            for (at, entry) in question.entries.iter().enumerate() {
                if at > 0 {
                    page.blank();
                }
                self.entry(page, entry, question.place, question.entries.len() > 1);
            }
        }
        if let QuestionSelector::Number(number) = wanted {
            self.ways_on(page, number);
        }
    }

    /// The question, with its number and its row.
    fn head(&self, page: &Page, question: &ShownQuestion) {
        let (number, row) = match question.place {
            Some((number, row)) => (
                format!("{}/{}", count(number), count(self.shown.questions_count)),
                format!("{} row {row}", self.settings.input.display()),
            ),
            None => ("-".to_owned(), format!("no longer in {}", self.settings.input.display())),
        };
        let indent = number.len() + 2;
        let lines = page.lines(&question.text, indent);
        let (first, rest) = lines.split_first().map_or(("", &[][..]), |(f, r)| (&**f, r));
        let taken = indent + columns(first) + 2 + columns(&row);
        let gap = page.width.map(|width| width.min(PAGE).saturating_sub(taken));
        let fits = rest.is_empty() && page.width.is_none_or(|width| taken <= width);
        page.heading(&number, first, fits.then(|| (gap.unwrap_or(0) + 2, &*row)));
        page.lines_of(rest, indent);
        if !fits {
            page.line(DIM, &format!("{:indent$}{row}", ""), "", indent);
        }
    }

    fn entry(
        &self,
        page: &Page,
        entry: &ShownSlot,
        place: Option<(u64, u64)>,
        is_one_of_several: bool,
    ) {
        let (style, words) = self.outcome(entry, is_one_of_several);
        page.line(style, &words.0, &words.1, 2);
        checks::tries(page, entry, self.full);
        match &entry.outcome {
            SlotOutcome::Answered(row) => self.texts(page, row),
            SlotOutcome::Failed { tried: Some(tried), .. }
            | SlotOutcome::Pending { tried: Some(tried) } => {
                attempt(page, tried);
                if tried.reply.is_some()
                    && let Some((number, _)) = place
                {
                    let command =
                        self.which.command_with(&format!("show {number} --raw"), "--questions");
                    page.pair("reply", &format!("kept: `{command}`"));
                }
            }
            _ => {}
        }
    }

    /// What came of an answer, in a line: its first word, and the rest.
    fn outcome(&self, entry: &ShownSlot, is_one_of_several: bool) -> (Style, (String, String)) {
        let mut said = Vec::new();
        let mut say = |words: String| said.push(words);
        let (style, first) = match &entry.outcome {
            SlotOutcome::Answered(row) => {
                let metadata = &row.metadata;
                say(when(row.answered_at));
                metadata.seconds.iter().for_each(|seconds| say(seconds_words(*seconds)));
                (BOLD, "answered")
            }
            SlotOutcome::Presumed => {
                say("the original script is taken to have answered it; there is no text".into());
                (BOLD, "taken as answered")
            }
            SlotOutcome::Failed { end, tried } => {
                let (first, cause) = match end {
                    Some((fault, cause)) => (fault.code(), &**cause),
                    None => ("marked ERROR", "the service could not be reached"),
                };
                say(one_line(cause));
                tried.iter().for_each(|tried| say(asked(tried)));
                (BAD, first)
            }
            SlotOutcome::Pending { tried: Some(tried) } => {
                say(asked(tried));
                (BOLD, "not answered yet")
            }
            SlotOutcome::Pending { tried: None } => (BOLD, "not answered yet"),
        };
        let models = self.shown.requests.len() > 1;
        if models || is_one_of_several || matches!(entry.outcome, SlotOutcome::Answered(_)) {
            entry.model.iter().for_each(|model| say(one_line(model)));
        }
        if is_one_of_several || self.shown.samples > 1 {
            say(format!("sample {}", entry.sample));
        }
        if let SlotOutcome::Answered(row) = &entry.outcome {
            row.metadata.output_tokens.iter().for_each(|tokens| say(of(*tokens, "token")));
            if row.metadata.at_token_limit == Some(true) {
                say("exactly as long as the token limit: perhaps cut".into());
            }
            let tries = row.metadata.attempts.unwrap_or(1);
            (tries > 1).then(|| say(format!("{tries} asks")));
            let from = row.parsed().and_then(|parsed| match parsed.from {
                ParsedFrom::Whole => None,
                ParsedFrom::Fence => Some("JSON in a fenced block"),
                ParsedFrom::Text => Some("JSON among words"),
            });
            from.into_iter().for_each(|from| say(from.to_owned()));
        }
        let colon = if matches!(entry.outcome, SlotOutcome::Answered(_)) { "" } else { ":" };
        match said.is_empty() {
            true => (style, (first.to_owned(), String::new())),
            false => (style, (format!("{first}{colon}"), format!(" {}", said.join(", ")))),
        }
    }

    fn texts(&self, page: &Page, row: &Row) {
        let most = if self.full { usize::MAX } else { FOLDED };
        if !row.reasoning.trim().is_empty() {
            page.blank();
            let lines = page.lines(&row.reasoning, 2);
            let mut more = Vec::new();
            row.metadata.reasoning_tokens.iter().for_each(|tokens| more.push(of(*tokens, "token")));
            if lines.len() > most {
                let (most, all) = (count(most as u64), count(lines.len() as u64));
                more.push(format!("first {most} of {all} lines; --full for all"));
            }
            let more = match more.is_empty() {
                true => String::new(),
                false => format!(" ({})", more.join(", ")),
            };
            page.line(BOLD, "reasoning", &more, 2);
            let shown = &lines[..most.min(lines.len())];
            let last = shown.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
            page.lines_of(&shown[..last], 2);
        }
        page.blank();
        page.line(BOLD, "answer", "", 2);
        page.text(&row.answer, 2);
    }

    fn ways_on(&self, page: &Page, number: u64) {
        let mut ways = String::new();
        if number > 1 {
            ways += &format!("{} {}", page.back, number - 1);
        }
        if number < self.shown.questions_count {
            let gap = if ways.is_empty() { "" } else { "   " };
            ways += &format!("{gap}{} {}", number + 1, page.arrow);
        }
        if ways.is_empty() {
            return;
        }
        let next = if number < self.shown.questions_count { number + 1 } else { number - 1 };
        let command = self.which.command_with(&format!("show {next}"), "--questions");
        page.blank();
        page.line(DIM, &ways, &format!("     `{command}`"), 2);
    }

    fn failed(&self, page: &Page) {
        let shown = self.shown;
        if shown.questions.is_empty() {
            page.line(page::GOOD, page.tick, " no question ended without an answer", 2);
            return;
        }
        for question in &shown.questions {
            self.head(page, question);
            for entry in &question.entries {
                self.entry(page, entry, question.place, question.entries.len() > 1);
            }
            page.blank();
        }
        checks::by_check(page, &shown.questions);
        let ended = of(shown.questions.len() as u64, "question");
        page.plain(&format!("{ended} of {} ended without an answer", count(shown.questions_count)));
        page.blank();
        let before = LastRun::of(
            shown.endpoint.as_deref(),
            shown.invocation.as_ref(),
            (&shown.requests, shown.samples),
            shown.cost_limit,
        );
        let again = |without: &[&str], words: &str| {
            resume_command(self.which, before.as_ref(), without).ticked_with(words)
        };
        let entries = shown.questions.iter().flat_map(|question| &question.entries);
        let causes = entries.filter_map(|entry| match &entry.outcome {
            SlotOutcome::Failed { end: Some((_, cause)), .. } => Some(&**cause),
            SlotOutcome::Failed { end: None, .. } => Some("unreachable"),
            _ => None,
        });
        let redo = redo_command(self.which, before.as_ref()).ticked_with(" --failed");
        let is_shard = before.as_ref().is_some_and(LastRun::is_shard);
        for hint in advice(causes, again, &redo, is_shard) {
            page.hint(&hint);
        }
    }
}

/// A head line is no longer than this: what belongs together stays together.
const PAGE: usize = 100;

fn seconds_words(seconds: f64) -> String {
    span(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// `asked 3 times, the last time at 14:33:07`
fn asked(tried: &AttemptSummary) -> String {
    let at = when(tried.last.at);
    match tried.count {
        1 => format!("asked once, at {at}"),
        number => format!("asked {} times, last at {at}", count(number)),
    }
}

/// What the last ask came back with.
fn attempt(page: &Page, tried: &AttemptSummary) {
    let last = &tried.last;
    let status = last.status.map_or_else(|| "no reply".to_owned(), |status| status.to_string());
    let took = seconds_words(last.seconds);
    page.pair("last ask", &format!("{status}, {} after {took}", one_line(&last.cause)));
    if !last.message.trim().is_empty() {
        page.pair("message", &one_line(last.message.trim()));
    }
    if let Some(id) = &last.request_id {
        page.pair("request id", &one_line(id));
    }
}
