//! Events for programs: one JSON object a line on standard output, versioned.
//!
//! None is left out: what a slow program has not taken yet waits in memory, a few lines for each
//! ask, so that the run goes on meanwhile. At the end the program is waited for until it has taken
//! everything, however long that is; a signal ends that at once, and whoever stopped the run waits
//! no longer than for a terminal.

use std::time::Instant;

use dset_core::item::question::Question;
use dset_core::money::Expenses;
use dset_core::run::{Ending, Notice, Snapshot};
use dset_core::settings::JobSpec;
use dset_core::time::Time;
use dset_engine::observer::{LocalFailure, Observer};
use dset_engine::os::clock::Clock;
use serde_json::{Map, Value, json};

use super::run_object::{self, Ended};
use super::text::{self, model, moment, number, place};
use super::{Display, RunContext, plain};
use crate::display::background_writer::{BackgroundWriter, DRAIN_TIMEOUT, Lines, Stream};

/// The version of the events; a new one where a program that reads them could be misled.
const VERSION: u32 = 1;

pub(super) struct Json {
    settings: JobSpec,
    /// Somebody has said that rows before a bookmark are to be taken as answered.
    presumed_agreed: bool,
    /// Rows of the outputs that had another answer than the one that counts.
    outdated: u64,
    began: Instant,
    writer: BackgroundWriter<Lines>,
}

impl Json {
    pub(super) fn open(opening: &RunContext<'_>) -> Json {
        let (settings, found) = (opening.settings, opening.found);
        let mut line = json!({ "event": "start" });
        extend(&mut line, run_object::found(settings, found));
        let talk = BackgroundWriter::open(Lines, Stream::Out, usize::MAX);
        let presumed_agreed = found.presumed_agreed;
        let json = Json {
            settings: settings.clone(),
            presumed_agreed,
            outdated: found.outdated,
            began: Instant::now(),
            writer: talk,
        };
        json.print(Clock::start().now(), line);
        json
    }

    fn print(&self, now: Time, event: Value) {
        self.writer.send(versioned(now, event));
    }

    fn of(&self, now: Time, question: &Question, event: &str, rest: Value) {
        let mut line = json!({
            "event": event,
            "question": number(&self.settings, question),
            "row": question.row_number,
            "model": model(&self.settings, question),
            "sample": question.sample,
        });
        if let Value::Object(rest) = rest {
            extend(&mut line, rest);
        }
        self.print(now, line);
    }
}

/// Returns the line of an event that comes when a run has ended.
pub(crate) fn event_now(event: Value) -> String {
    versioned(Clock::start().now(), event) + "\n"
}

fn extend(line: &mut Value, fields: Map<String, Value>) {
    if let Value::Object(line) = line {
        line.extend(fields);
    }
}

fn versioned(now: Time, event: Value) -> String {
    let mut line = json!({ "v": VERSION, "time": moment(now.unix_ms, true) });
    if let Value::Object(event) = event {
        extend(&mut line, event);
    }
    let mut line = line.to_string();
    // Many of them may wait for their reader.
    line.shrink_to_fit();
    line
}

impl Observer for Json {
    fn notice(&mut self, now: Time, notice: &Notice) {
        match notice {
            Notice::Asking { question, attempt } => {
                self.of(now, question, "ask", json!({ "attempt": attempt }));
            }
            Notice::Answered { question, took, usage, attempts } => self.of(
                now,
                question,
                "answer",
                json!({ "seconds": took.as_secs_f64(), "attempts": attempts, "tokens": usage }),
            ),
            Notice::Retrying { question, failure, wait } => self.of(
                now,
                question,
                "retry",
                json!({
                    "cause": failure.cause.code(), "status": failure.status,
                    "message": failure.message, "wait_seconds": wait.as_secs_f64(),
                }),
            ),
            Notice::Ended { question, fault, failure, stands } => self.of(
                now,
                question,
                "error",
                json!({
                    "fault": fault, "cause": failure.cause.code(), "status": failure.status,
                    "message": failure.message, "keeps_answer": stands,
                }),
            ),
            Notice::OutageBegan { failure, wait } => self.print(
                now,
                json!({
                    "event": "outage", "cause": failure.cause.code(), "status": failure.status,
                    "message": failure.message, "wait_seconds": wait.map(|wait| wait.as_secs_f64()),
                }),
            ),
            Notice::OutageContinues { failure, wait } => self.print(
                now,
                json!({
                    "event": "outage", "cause": failure.cause.code(), "status": failure.status,
                    "message": failure.message, "wait_seconds": wait.as_secs_f64(),
                }),
            ),
            Notice::OutageRetry { retry, of } => {
                self.print(now, json!({ "event": "outage_retry", "retry": retry, "of": of }));
            }
            Notice::OutageCrossCheck { question } => {
                self.of(now, question, "outage_another", json!({}))
            }
            Notice::OutageExhausted { failure } => {
                self.print(now, json!({ "event": "outage_final", "cause": failure.cause.code() }));
            }
            Notice::OutageEnded { lasted } => {
                self.print(now, json!({ "event": "outage_over", "seconds": lasted.as_secs_f64() }));
            }
            Notice::EndpointDown { model, endpoint, failure } => self.print(
                now,
                json!({
                    "event": "endpoint_down", "endpoint": place(&self.settings, *model, *endpoint),
                    "cause": failure.cause.code(), "status": failure.status, "message": failure.message,
                }),
            ),
            Notice::EndpointUp { model, endpoint } => self.print(
                now,
                json!({
                    "event": "endpoint_up", "endpoint": place(&self.settings, *model, *endpoint),
                }),
            ),
            Notice::MarkingRow { row_number } => {
                self.print(now, json!({ "event": "bookmark", "row": row_number }));
            }
            Notice::PeakBegins { until, saves, in_flight } => self.print(
                now,
                json!({
                    "event": "peak", "until": text::moment(*until, false),
                    "saves": saves.map(|saves| saves.to_string()), "in_flight": in_flight,
                }),
            ),
            Notice::OffPeakBegins { for_deadline } => {
                self.print(now, json!({ "event": "off_peak", "for_deadline": for_deadline }));
            }
            Notice::BillAboveReservation { billed, reserved } => self.print(
                now,
                json!({
                    "event": "bill_above_reservation",
                    "billed": billed.to_string(), "reserved": reserved.to_string(),
                }),
            ),
            Notice::CostLimitReached { least } => {
                self.print(now, json!({ "event": "cost_limit", "least": least.to_string() }));
            }
            Notice::Draining { in_flight, .. } => {
                self.print(now, json!({ "event": "stopping", "in_flight": in_flight }));
            }
        }
    }

    fn snapshot(&mut self, _now: Time, _snapshot: &Snapshot) {}

    fn local_failure(&mut self, now: Time, trouble: &LocalFailure) {
        let mut event = json!({ "event": "trouble", "message": plain::failure_words(trouble) });
        if let (Value::Object(event), LocalFailure::Store { rescued, answers, .. }) =
            (&mut event, trouble)
        {
            event.insert("answers".into(), json!(answers));
            event.insert("kept_in".into(), json!(rescued));
        }
        self.print(now, event);
    }
}

impl Display for Json {
    fn end(&mut self, ending: &Ending, spent: Option<&Expenses>) {
        let mut end = json!({ "event": "end" });
        let ended = Ended {
            ending,
            presumed_agreed: self.presumed_agreed,
            outdated: self.outdated,
            took: self.began.elapsed(),
            spent,
        };
        extend(&mut end, run_object::ended(&ended));
        let patience = ending.was_stopped.then_some(DRAIN_TIMEOUT);
        self.writer.end(versioned(Clock::start().now(), end) + "\n", patience);
    }
}
