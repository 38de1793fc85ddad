//! `dset verify`: whether the store, the outputs and the marks agree.

use std::collections::HashMap;
use std::path::Path;

use clap::Args;
use dset_core::recover::output_diff::OutputDifference;
use dset_core::settings::Settings;
use dset_engine::os::lock::Running;
use dset_engine::store::{IntegrityError, STORE};
use dset_engine::view::status::Rows;
use dset_engine::view::verify::{Difference, Note, VerifyReport, verify};
use serde_json::{Value, json};

use crate::command::resume_command::{LastRun, resume_command};
use crate::display::page::{self, BAD, DIM, GOOD, Page};
use crate::display::text::{by, count, of, one_line, quoted, shortened, when};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::run_selector::RunSelectorArgs;

#[derive(Debug, Args)]
#[command(
    after_help = "Checks the store itself, every byte of the three outputs against it, the marks \
in the questions against how those ended, and that the ledger balances. Whatever does not agree is \
named with its place and the command that mends it. Takes no lock and changes nothing; while a run \
is at work, what it is about to write is left out.

Exit codes: 0 everything agrees, 1 something does not, or the store cannot be read, 2 usage or \
input, or nothing was asked yet.

Examples:
  dset verify                       ./q.csv and ./dset_generator
  dset verify && cp -r dset_generator /backup
  dset verify --json                one JSON object, for a program"
)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) which: RunSelectorArgs,

    /// Write one JSON object to stdout
    #[arg(long)]
    pub(crate) json: bool,
}

/// Differences of one output that are told one by one.
const TOLD_MAX: usize = 5;

pub(super) fn run(args: &VerifyArgs) -> Result<Exit, UserError> {
    let settings = super::shared::settings_of(&args.which)?;
    let Some(verified) = verify(&settings).map_err(explain::job)? else {
        return Err(super::shared::nothing_asked(&args.which, &settings));
    };
    let exit = if verified.differences.is_empty() { Exit::Done } else { Exit::Ours };
    let endpoint = verified.endpoint.as_deref();
    let call = verified.invocation.as_ref();
    let (requests, samples) = (&verified.requests[..], verified.samples);
    let before = endpoint.map(|endpoint| LastRun { endpoint, invocation: call, requests, samples });
    let run = resume_command(&args.which, before.as_ref(), &[]).to_string();
    let speak = Words { which: &args.which, settings: &settings, run };
    if args.json || settings.json {
        page::json(&speak.object(&verified, exit));
    } else {
        speak.show(&verified);
    }
    Ok(exit)
}

struct Words<'a> {
    which: &'a RunSelectorArgs,
    settings: &'a Settings,
    /// The command that goes on with the run.
    run: String,
}

impl Words<'_> {
    fn show(&self, verified: &VerifyReport) {
        let page = Page::open();
        let settings = self.settings;
        page.plain(&format!(
            "{} {} {}/",
            settings.input.display(),
            page.arrow,
            settings.output.display()
        ));
        if let Running::Yes(holder) = &verified.running {
            let who = holder.as_ref().map_or_else(String::new, |holder| {
                format!(" (process {}, since {})", holder.pid, when(holder.started_at))
            });
            page.plain(&format!(
                "a run is going on{who}: what it has not finished writing is left out"
            ));
        }
        if verified.running == Running::Unknown {
            page.plain(
                "this file system has no locks: a run may be going on, so what it would still \
                         write is left out",
            );
        }
        page.blank();
        if let Some(ledger) = &verified.ledger {
            page.pair("store", &format!("sound, {}", of(verified.answers, "answer")));
            let mut terms = vec![format!("{} answered", count(ledger.answered))];
            for (number, words) in [
                (ledger.presumed, "taken as answered"),
                (ledger.rejected, "rejected"),
                (ledger.gave_up, "gave up"),
                (ledger.pending, "pending"),
            ] {
                if number > 0 {
                    terms.push(format!("{} {words}", count(number)));
                }
            }
            page.pair(
                "ledger",
                &format!("{} = {}", of(ledger.questions, "question"), terms.join(" + ")),
            );
        }
        for (file, rows) in &verified.outputs {
            page.pair(file, &format!("{} as in the store", of(*rows, "row")));
        }
        for note in &verified.notes {
            page.line(DIM, "  note: ", &self.note(note), 8);
        }
        page.blank();
        if verified.differences.is_empty() {
            let presumed = verified.ledger.map_or(0, |ledger| ledger.presumed);
            let without_text = match presumed {
                0 => String::new(),
                1 => ", but 1 question has no text: it is only taken as answered".to_owned(),
                many => {
                    format!(
                        ", but {} questions have no text: they are only taken as answered",
                        count(many)
                    )
                }
            };
            page.line(GOOD, page.tick, &format!(" everything agrees{without_text}"), 2);
            return;
        }
        let differences = of(verified.differences.len() as u64, "difference");
        page.line(BAD, page.cross, &format!(" {differences}"), 2);
        let mut told: HashMap<&str, usize> = HashMap::new();
        for difference in &verified.differences {
            if let Difference::Output { file, .. } = difference {
                let told = told.entry(file).or_default();
                *told += 1;
                if *told > TOLD_MAX {
                    continue;
                }
            }
            let (_, text, mut mend) = self.difference(difference);
            if mend == self.run {
                mend += &asks_too(verified);
            }
            page.blank();
            page.line(anstyle::Style::new(), "  ", &text, 2);
            page.line(crate::error::HINT, "    mend: ", &mend, 10);
        }
        for (file, more) in told.iter().filter(|(_, told)| **told > TOLD_MAX) {
            page.blank();
            page.plain(&format!("  and {} more in {file}", count((more - TOLD_MAX) as u64)));
        }
        if matches!(verified.running, Running::Yes(_)) {
            page.blank();
            page.hint("Mend once the run has ended");
        }
    }

    /// A name for programs, what it is, and the command that mends it.
    fn difference(&self, difference: &Difference) -> (&'static str, String, String) {
        let run = || self.run.clone();
        let rebuild = || format!("{} --rebuild", self.which.command("export"));
        match difference {
            Difference::StoreDamaged(found) => {
                let found: Vec<String> =
                    found.iter().take(3).map(|line| shortened(line, 200)).collect();
                let text = format!(
                    "the store is damaged: {}; nothing else was checked. Set aside, a new one takes \
                     over the rows of the outputs, and only answers that are in none of them are \
                     asked again (`sqlite3 {} .recover` may save those first)",
                    found.join("; "),
                    quoted(&self.settings.output.join(STORE).display().to_string()),
                );
                ("store-damaged", text, self.set_aside())
            }
            Difference::Dangling(what, number) => {
                let (noun, text, mends_by_rebuild) = match what {
                    IntegrityError::KeyWithoutAnswer => ("key", "whose answer is not there", false),
                    IntegrityError::AnswerWithoutKey => {
                        ("answer", "that no question can find", false)
                    }
                    IntegrityError::AnswerOfTwoKeys => ("answer", "that two keys lead to", false),
                    IntegrityError::WithoutSettings => {
                        ("reference", "to settings that are not there", false)
                    }
                    IntegrityError::PlaceWithoutAnswer => {
                        ("place", "in the outputs without an answer", true)
                    }
                    IntegrityError::PlacedTwice => {
                        ("answer", "with two places in the outputs", true)
                    }
                    IntegrityError::PlacesNotDense => {
                        ("place", "missing in the order of the outputs", true)
                    }
                };
                let mend = if mends_by_rebuild { rebuild() } else { self.set_aside() };
                let kind = match what {
                    IntegrityError::KeyWithoutAnswer => "key-without-answer",
                    IntegrityError::AnswerWithoutKey => "answer-without-key",
                    IntegrityError::AnswerOfTwoKeys => "answer-of-two-keys",
                    IntegrityError::WithoutSettings => "without-settings",
                    IntegrityError::PlaceWithoutAnswer => "place-without-answer",
                    IntegrityError::PlacedTwice => "placed-twice",
                    IntegrityError::PlacesNotDense => "places-not-dense",
                };
                (kind, format!("the store has {} {text}", of(*number, noun)), mend)
            }
            Difference::OutputMissing { file, rows } => (
                "output-missing",
                format!("{file} is not there; it should have {}", of(*rows, "row")),
                rebuild(),
            ),
            Difference::OutputShort { file, bytes, written } => (
                "output-short",
                format!("{file} was cut: it has {} of {} bytes", count(*bytes), count(*written)),
                rebuild(),
            ),
            Difference::Output { file, misfit, question } => {
                let (kind, text) = self.output_difference(*misfit, question.as_deref());
                (kind, format!("{file}: {text}"), rebuild())
            }
            Difference::RowsUnwritten { file, rows } => {
                let text = match rows {
                    0 => format!("{file} ends within a row"),
                    rows => format!("{file} lacks its last {}", of(*rows, "row")),
                };
                (
                    "rows-unwritten",
                    format!("{text}, as after a crash; the next run completes it"),
                    run(),
                )
            }
            Difference::RowsOfScriptLacking { file, rows, question } => (
                "rows-of-script-lacking",
                format!(
                    "{file} lacks {} that {} taken over from the original script; the first: {}",
                    of(*rows, "row"),
                    by(*rows, "was", "were"),
                    shortened(question, 50)
                ),
                rebuild(),
            ),
            Difference::Unplaced(number) => (
                "unplaced",
                format!(
                    "{} in the store and in no output yet; the next run writes them in their place, \
                     `dset export --rebuild` at once",
                    match number {
                        1 => "1 answer is".to_owned(),
                        n => format!("{} answers are", count(*n)),
                    }
                ),
                run(),
            ),
            Difference::Ledger(ledger) => (
                "ledger",
                format!("the ledger does not balance: {ledger:?}; that is a fault of dset"),
                run(),
            ),
            Difference::MarkedThoughAnswered(rows) => (
                "marked-though-answered",
                format!("{} ERROR although answered: {}", describe(rows), self.rows(rows)),
                run(),
            ),
            Difference::Unmarked(rows) => (
                "unmarked",
                format!(
                    "{} no ERROR although the question failed: {}; until the next run",
                    describe(rows),
                    self.rows(rows)
                ),
                run(),
            ),
            Difference::MarksWaiting(rows) => (
                "marks-waiting",
                format!(
                    "{} {} still to say ERROR: {}",
                    of(rows.count, "row"),
                    if rows.count == 1 { "has" } else { "have" },
                    self.rows(rows)
                ),
                run(),
            ),
            Difference::Rescue(path) => (
                "rescue",
                format!(
                    "answers that could only be rescued wait in {}; the next run takes them in",
                    path.display()
                ),
                run(),
            ),
            Difference::MoveUnfinished => (
                "move-unfinished",
                "the earlier outputs are still to be moved away, as `--again` began; the next run \
                 does it"
                    .into(),
                run(),
            ),
            Difference::RebuildUnfinished => {
                ("rebuild-unfinished", "a rebuild of the outputs was cut short".into(), rebuild())
            }
        }
    }

    fn output_difference(
        &self,
        misfit: OutputDifference,
        question: Option<&str>,
    ) -> (&'static str, String) {
        let of_row = |row: u64| {
            let number = format!("row {}", count(row + 1));
            match question {
                Some(question) => format!("{number} ({})", shortened(question, 40)),
                None => number,
            }
        };
        match misfit {
            OutputDifference::Header => {
                ("output-header", "it does not begin with its header".into())
            }
            OutputDifference::Foreign { at, bytes, row } => (
                "output-foreign",
                format!(
                    "{} at byte {}, after row {}, that dset did not write",
                    of(bytes, "byte"),
                    count(at),
                    count(row)
                ),
            ),
            OutputDifference::Changed { at, bytes, row, rows } => (
                "output-changed",
                format!(
                    "{} differs from the store, {}: {} at byte {}",
                    of_row(row),
                    if rows == 1 {
                        "alone".to_owned()
                    } else {
                        format!("with {} behind it", of(rows - 1, "row"))
                    },
                    of(bytes, "byte"),
                    count(at)
                ),
            ),
            OutputDifference::Missing { at, row, rows } => (
                "output-lacking",
                format!(
                    "{} missing at byte {}, beginning with {}",
                    of(rows, "row"),
                    count(at),
                    of_row(row)
                ),
            ),
            OutputDifference::Torn { at, row, .. } => (
                "output-torn",
                format!("it ends within {}, which begins at byte {}", of_row(row), count(at)),
            ),
            OutputDifference::NotCompared { at, row } => (
                "output-lost",
                format!(
                    "nothing from byte {} on, where {} should be, is what dset wrote",
                    count(at),
                    of_row(row)
                ),
            ),
        }
    }

    /// Sets a damaged store aside and lets the next run take over the outputs.
    fn set_aside(&self) -> String {
        let folder = |name: &str| quoted(&self.settings.output.join(name).display().to_string());
        let store = folder(STORE);
        let aside = folder("damaged");
        format!("mkdir -p {aside} && mv {store}* {aside} && {}", self.run)
    }

    /// `q.csv rows 3, 7 and 2 more`.
    fn rows(&self, rows: &Rows) -> String {
        let named: Vec<String> = rows.first.iter().map(u64::to_string).collect();
        let more = match rows.count - rows.first.len() as u64 {
            0 => String::new(),
            more => format!(" and {} more", count(more)),
        };
        let noun = if rows.count == 1 { "row" } else { "rows" };
        format!("{noun} {}{more} of {}", named.join(", "), self.settings.input.display())
    }

    fn note(&self, note: &Note) -> String {
        match note {
            Note::Gone { rows, first } => {
                let first: Vec<String> =
                    first.iter().map(|q| format!("\"{}\"", shortened(q, 40))).collect();
                format!(
                    "{} of the outputs {} no longer in {}: {}; `{} --rebuild` leaves them out",
                    of(*rows, "row"),
                    if *rows == 1 { "has a question that is" } else { "have questions that are" },
                    self.settings.input.display(),
                    first.join(", "),
                    self.which.command("export")
                )
            }
            Note::RowsOfScript { file, rows } => format!(
                "{} of {file} {} as the original script wrote {}: the texts are there, order and \
                 form were not checked",
                of(*rows, "row"),
                by(*rows, "is", "are"),
                by(*rows, "it", "them")
            ),
            Note::Moved(rows) => format!(
                "{} of the outputs {} another row than the question is in now; `{} --rebuild` follows \
                 the file",
                of(*rows, "row"),
                if *rows == 1 { "says" } else { "say" },
                self.which.command("export")
            ),
            Note::Presumed(number) => format!(
                "{} before a bookmark {} taken as answered; there is no text of {}",
                of(*number, "question"),
                by(*number, "is", "are"),
                by(*number, "it", "them")
            ),
            Note::Leftover(path) => format!(
                "left behind by a writer that was killed: `rm {}`",
                quoted(&path.display().to_string())
            ),
            Note::Unread(path) => format!(
                "{} has lines that no run could read",
                one_line(&path.display().to_string())
            ),
        }
    }

    fn object(&self, verified: &VerifyReport, exit: Exit) -> Value {
        let path = |path: &Path| path.display().to_string();
        let differences = verified.differences.iter().map(|difference| {
            let (kind, text, mend) = self.difference(difference);
            let mut object = json!({ "kind": kind, "text": text, "mend": mend });
            match difference {
                Difference::Output { file, .. }
                | Difference::OutputMissing { file, .. }
                | Difference::OutputShort { file, .. }
                | Difference::RowsUnwritten { file, .. }
                | Difference::RowsOfScriptLacking { file, .. } => object["file"] = json!(file),
                _ => {}
            }
            if let Difference::Output {
                misfit:
                    OutputDifference::Foreign { at, bytes, .. }
                    | OutputDifference::Changed { at, bytes, .. },
                ..
            } = difference
            {
                (object["byte"], object["bytes"]) = (json!(at), json!(bytes));
            }
            object
        });
        let notes = verified.notes.iter().map(|note| {
            let kind = match note {
                Note::Gone { .. } => "gone",
                Note::RowsOfScript { .. } => "rows-of-script",
                Note::Moved(_) => "moved",
                Note::Presumed(_) => "presumed",
                Note::Leftover(_) => "leftover",
                Note::Unread(_) => "unread",
            };
            json!({ "kind": kind, "text": self.note(note) })
        });
        let outputs =
            verified.outputs.iter().map(|(file, rows)| json!({ "file": file, "rows": rows }));
        json!({
            "v": 1,
            "input": path(&self.settings.input),
            "output": path(&self.settings.output),
            "agrees": verified.differences.is_empty(),
            "running": super::status::running(&verified.running),
            "ledger": verified.ledger,
            "answers": verified.answers,
            "outputs": outputs.collect::<Vec<_>>(),
            "differences": differences.collect::<Vec<_>>(),
            "notes": notes.collect::<Vec<_>>(),
            "exit": exit as u8,
        })
    }
}

/// Says what a run that mends something does besides: it costs money.
fn asks_too(verified: &VerifyReport) -> String {
    let ledger = verified.ledger.unwrap_or_default();
    match ledger.pending + ledger.failed() {
        0 => String::new(),
        open => format!(" (it also asks for the {} without an answer)", of(open, "question")),
    }
}

fn describe(rows: &Rows) -> String {
    if rows.count == 1 { "1 row says".to_owned() } else { format!("{} say", of(rows.count, "row")) }
}
