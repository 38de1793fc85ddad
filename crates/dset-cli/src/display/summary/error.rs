//! What ended a run before its time, in words.

use std::path::Path;

use dset_core::answer::{Cause, Failure, FailureClass};
use dset_core::plan::ledger::Ledger;
use dset_core::provider::is_address_failure;
use dset_core::run::EndReason;
use dset_core::settings::{NO_KEY, endpoint};

use super::Summary;
use crate::display::hints::nothing;
use crate::display::settings_hints;
use crate::display::text::{self, of, quoted, span};
use crate::explain::DAMAGED_TEXT;
use crate::same_command::same_command_as;

/// What happened, why, and what to do about it.
pub(super) type ErrorWords = (String, Option<String>, Vec<String>);

impl Summary<'_> {
    /// What went wrong, if anything ended the run before its time: message, cause, hints.
    pub(in crate::display) fn error(&self) -> Option<ErrorWords> {
        let settings = self.settings;
        let why = |failure| Some(text::failure(failure));
        let again = format!("Run `{}` to continue", self.again());
        Some(match &self.ending.reason {
            EndReason::Complete | EndReason::Stopped(_) => return None,
            EndReason::LeaseLost => (
                "another worker was given this shard".into(),
                Some("this one did not tell the server in time that it is still at it".into()),
                vec!["Nothing is lost: what came late is kept on the server".into()],
            ),
            EndReason::StoreFailed => self.store_failed(),
            EndReason::OutputFailed => (
                "an output cannot be written".into(),
                self.stats.output_failed.as_deref().map(text::one_line),
                vec![match self.stats.is_text_damaged {
                    true => DAMAGED_TEXT.to_owned(),
                    false => format!(
                        "Every answer is safe in the store; mend that, then run `{}`",
                        self.again()
                    ),
                }],
            ),
            EndReason::WrongSettings(failure) => self.wrong_settings(failure),
            EndReason::InputChanged { row_number } => (
                format!("{} was changed while it was being read", settings.input.display()),
                row_number.map(|row| format!("row {row} is not what it was")),
                vec!["Run again: what is answered stays answered".into()],
            ),
            EndReason::KeyRefused(failure) => self.key_refused(failure),
            EndReason::OutOfMoney(failure) => {
                let mut hints = vec![again];
                if settings.model().uses_official_hosts()
                    && !settings.model().preset.money_page.is_empty()
                {
                    hints.insert(0, format!("Top up at {}", settings.model().preset.money_page));
                }
                ("there is no money left".into(), why(failure), hints)
            }
            EndReason::CostLimit { least } => self.cost_limit(*least),
            EndReason::Unreachable(failure) => self.unreachable(failure, again),
            EndReason::RetryAfterTooLong(failure, wait) => (
                format!("the service wants to be left alone for {}", span(*wait)),
                why(failure),
                vec![format!("Come back then: `{}`", self.again())],
            ),
            EndReason::Paused => (
                "a question failed, and the run pauses there".into(),
                None,
                match self.stats.failed.keys().all(|cause| is_kept(cause)) {
                    true => self.of_failed(),
                    false => vec![format!("Its row says ERROR; `{}` asks it again", self.again())],
                },
            ),
        })
    }

    fn wrong_settings(&self, failure: &Failure) -> ErrorWords {
        let (settings, name, ledger) = (self.settings, self.services(), &self.ending.ledger);
        let why = Some(text::failure(failure));
        match failure.class {
            _ if is_address_failure(failure) => (
                "no API answers at this address".into(),
                why,
                settings_hints::of_address(settings, failure, marked_words(ledger)),
            ),
            FailureClass::FailedCheck => (
                "the program that judges answers gives no verdict".into(),
                why,
                vec![
                    format!(
                        "Mend it, then `{}` judges what is there and asks for none of that again",
                        self.again()
                    ),
                    format!(
                        "What it wrote to its standard error is in `{}`",
                        settings.output.join("check-N.stderr").display()
                    ),
                ],
            ),
            FailureClass::Empty => (
                format!("{name} gives no answer to any question"),
                why,
                nothing(failure.cause.code()).into_iter().chain([unmarked(ledger)]).collect(),
            ),
            FailureClass::OtherApi => (
                format!("{name} does not answer as a chat API does"),
                why,
                vec![
                    "Look at the base URL: `--base-url` wants that of an API for chat completions, \
                     as `https://host/v1`, or for Anthropic's messages"
                        .into(),
                    unmarked(ledger),
                ],
            ),
            _ => (
                format!("{name} refuses these settings"),
                why,
                vec![settings_hints::of_settings(settings, failure).unwrap_or_else(|| {
                    format!("Change the setting that it names; {}", marked_words(ledger))
                })],
            ),
        }
    }

    fn key_refused(&self, failure: &Failure) -> ErrorWords {
        let hints = match &self.settings.model().key_variable {
            Some(variable) => {
                let from = self.key_from.unwrap_or("the environment or .env");
                vec![
                    format!("Look at {variable}, which is from {from}"),
                    format!("Check it with `{}`", self.doctor()),
                ]
            }
            None if failure.class == FailureClass::Forbidden => {
                let hint = "It is asked without a key: if it wants one, `--key NAME`; if not, what it \
                            says has to change";
                let message = format!("{} refuses to answer", self.services());
                return (message, Some(text::failure(failure)), vec![hint.into()]);
            }
            None => vec!["Name the variable with the key: `--key NAME`".into()],
        };
        (format!("{} refused the key", self.services()), Some(text::failure(failure)), hints)
    }

    /// The command that looks whether the first model would answer. It knows no jobs: of those it is told what
    /// their shards are asked with.
    fn doctor(&self) -> String {
        let settings = self.settings;
        if settings.reading.shard.is_none() {
            return same_command_as("doctor", &[]);
        }
        let model = settings.model();
        let shown = |path: &Path| quoted(&path.display().to_string());
        format!(
            "dset doctor {} -o {} -m {} --base-url {} --key {}",
            shown(&settings.input),
            shown(&settings.output),
            quoted(&model.request.model),
            quoted(&endpoint(model.base_url())),
            model.key_variable.as_deref().unwrap_or(NO_KEY),
        )
    }

    fn unreachable(&self, failure: &Failure, again: String) -> ErrorWords {
        let settings = self.settings;
        let retries = self.facts.retries;
        let message = match retries {
            0 => "the service does not answer".to_owned(),
            1 => "the service did not answer, nor after a retry".to_owned(),
            _ => format!("the service did not answer after {retries} retries"),
        };
        // Where there are answers, the address is one of a service.
        let is_lost = failure.cause == Cause::ConnectionLost;
        let of_connection = settings_hints::of_connection(settings, failure)
            .filter(|_| !is_lost || self.ending.ledger.answered == 0);
        let mut hints: Vec<String> = of_connection.into_iter().chain([again]).collect();
        if let (1, Some(last)) = (self.ending.ledger.pending, &self.ending.marked_question)
            && self.ending.ledger.answered > 0
        {
            let row = last.row_number;
            hints.push(format!(
                "Row {row} was the only one left to ask, so that the fault may be its own"
            ));
        }
        (message, Some(text::failure(failure)), hints)
    }

    /// Names whom the run asks: each service once, or its host where that is another.
    fn services(&self) -> String {
        let mut names: Vec<String> = self.settings.models.iter().map(text::service).collect();
        names.dedup();
        names.join(" or ")
    }

    fn store_failed(&self) -> (String, Option<String>, Vec<String>) {
        let mut hint = format!("Mend that or make room, then run `{}`", self.again());
        let Some(store) = &self.stats.store else {
            return ("the store cannot be written".into(), None, vec![hint]);
        };
        let mut cause = text::one_line(&store.detail);
        if store.lost > 0 {
            cause += &format!("; {} could not be kept anywhere", of(store.lost, "answer"));
        }
        let kept = store.kept.iter().filter(|(_, answers)| **answers > 0);
        let kept =
            kept.map(|(path, answers)| format!("{} in {}", of(*answers, "answer"), path.display()));
        let kept = kept.collect::<Vec<_>>().join(" and ");
        if !kept.is_empty() {
            hint += &format!(": it takes in what was kept, {kept}");
        }
        (format!("{} cannot be written", store.path.display()), Some(cause), vec![hint])
    }
}

/// Tells whether a question that ended for this cause has an answer, so that the same command does not ask it again.
fn is_kept(cause: &str) -> bool {
    Cause::from_code(cause).is_some_and(Cause::keeps_answer)
}

/// Which rows were marked, where something else is to be done first.
fn marked_words(ledger: &Ledger) -> &'static str {
    match ledger.failed() {
        0 => "no row was marked",
        _ => "rows that say ERROR are asked again, and no others were marked",
    }
}

/// Which rows were marked, where no question can be answered as things are.
fn unmarked(ledger: &Ledger) -> String {
    match ledger.failed() {
        0 => "No row was marked; the same command asks them all".into(),
        _ => "Rows that say ERROR are asked again, and no others were marked".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_said_to_be_unmarked_where_some_are_marked() {
        let marked =
            |rejected, gave_up| marked_words(&Ledger { rejected, gave_up, ..Ledger::default() });
        assert_eq!(marked(0, 0), "no row was marked");
        for (rejected, gave_up) in [(1, 0), (0, 1)] {
            assert!(marked(rejected, gave_up).starts_with("rows that say ERROR are asked again"));
        }
    }
}
