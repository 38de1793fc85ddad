//! `dset verify`: whether the store, the outputs and the marks agree.

mod difference;
mod object;

use std::collections::HashMap;

use clap::Args;
use dset_core::plan::ledger::Fault;
use dset_core::settings::JobSpec;
use dset_engine::os::lock::Running;
use dset_engine::view::verify::{Difference, Note, VerifyReport, verify};

use crate::command::resume_command::{LastRun, ResumeCommand, redo_command, resume_command};
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

pub(in crate::command) fn run(args: &VerifyArgs) -> Result<Exit, UserError> {
    let (which, settings, terminal) = crate::command::shared::settings_of(&args.which)?;
    let Some(verified) = verify(&settings).map_err(explain::job)? else {
        return Err(crate::command::shared::nothing_asked(&which, &settings));
    };
    let exit = if verified.differences.is_empty() { Exit::Done } else { Exit::Ours };
    let before = LastRun::of(
        verified.endpoint.as_deref(),
        verified.invocation.as_ref(),
        (&verified.requests, verified.samples),
        verified.cost_limit,
    );
    let run = resume_command(&which, before.as_ref(), &[]).to_string();
    let redo = redo_command(&which, before.as_ref());
    let speak = Words { which: &which, settings: &settings, run, redo };
    if args.json || terminal.json {
        page::json(speak.object(&verified, exit));
    } else {
        speak.show(&verified);
    }
    Ok(exit)
}

struct Words<'a> {
    which: &'a RunSelectorArgs,
    settings: &'a JobSpec,
    /// The command that goes on with the run.
    run: String,
    /// The command that asks rows of it again.
    redo: ResumeCommand,
}

impl Words<'_> {
    fn show(&self, verified: &VerifyReport) {
        let page = Page::open();
        self.head(&page, verified);
        page.blank();
        self.sound(&page, verified);
        for note in &verified.notes {
            page.line(DIM, "  note: ", &self.note(note), 8);
        }
        page.blank();
        match verified.differences.is_empty() {
            true => {
                let line = format!(" everything agrees{}", without_text(verified));
                page.line(GOOD, page.tick, &line, 2);
            }
            false => self.differences(&page, verified),
        }
    }

    /// Which run it is, and whether one is going on.
    fn head(&self, page: &Page, verified: &VerifyReport) {
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
    }

    /// What was looked at and is in order.
    fn sound(&self, page: &Page, verified: &VerifyReport) {
        if let Some(ledger) = &verified.ledger {
            let is_text = |one: &&Difference| matches!(one, Difference::TextDamaged { .. });
            let store = match verified.differences.iter().filter(is_text).count() {
                0 => "sound".to_owned(),
                damaged => format!("{} damaged, else sound", of(damaged as u64, "text")),
            };
            page.pair("store", &format!("{store}, {}", of(verified.answers, "answer")));
            let mut terms = vec![format!("{} answered", count(ledger.answered))];
            for (number, words) in [
                (ledger.presumed, "taken as answered"),
                (ledger.rejected, Fault::Rejected.code()),
                (ledger.gave_up, Fault::GaveUp.code()),
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
    }

    fn differences(&self, page: &Page, verified: &VerifyReport) {
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
            Note::TextsDamaged(answers) => format!(
                "{} with a damaged text {} no more",
                of(*answers, "answer"),
                if *answers == 1 { "counts" } else { "count" }
            ),
            Note::NotAccepted(rows) => format!(
                "{} of the outputs {} answers that do not count any more; `{} --rebuild` leaves them out",
                of(*rows, "row"),
                if *rows == 1 { "has" } else { "have" },
                self.which.command("export")
            ),
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
}

/// Says that answers which are only presumed have no text.
fn without_text(verified: &VerifyReport) -> String {
    match verified.ledger.map_or(0, |ledger| ledger.presumed) {
        0 => String::new(),
        1 => ", but 1 question has no text: it is only taken as answered".to_owned(),
        many => {
            format!(", but {} questions have no text: they are only taken as answered", count(many))
        }
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
