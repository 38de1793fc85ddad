//! A hash of everything that the machine was given and wanted, as numbers.
//!
//! Names are no part of it: a renaming leaves the hash of a seed as it was, a change of behaviour
//! does not. A new variant takes a new code; a code is never given to another one.

use std::time::Duration;

use dset_core::acceptance::Verdicts;
use dset_core::answer::{Answer, Failure, FailureClass, ParsedReply, Refusal, Usage};
use dset_core::item::error_marks::InputMarks;
use dset_core::item::question::{Question, QuestionId};
use dset_core::money::Amount;
use dset_core::plan::ledger::{Fault, Ledger};
use dset_core::run::{
    Effect, EndReason, Ending, Event, JournalRecord, Notice, PlanSummary, Planned, StopSignal,
};
use dset_core::time::Time;

/// FNV-1a over numbers, each as eight little-endian bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Trace(pub(crate) u64);

impl Trace {
    pub(crate) fn number(&mut self, number: u64) {
        for byte in number.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn numbers(&mut self, numbers: impl IntoIterator<Item = u64>) {
        numbers.into_iter().for_each(|number| self.number(number));
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.numbers(text.bytes().map(u64::from));
    }

    fn optional(&mut self, number: Option<u64>) {
        match number {
            None => self.number(0),
            Some(number) => self.numbers([1, number]),
        }
    }

    fn amounts(&mut self, amounts: impl IntoIterator<Item = Amount>) {
        self.numbers(amounts.into_iter().map(|amount| amount.picodollars() as u64));
    }

    fn span(&mut self, span: Duration) {
        self.number(span.as_nanos() as u64);
    }

    fn time(&mut self, time: Time) {
        self.numbers([time.monotonic_ms, time.unix_ms as u64]);
    }

    pub(crate) fn event(&mut self, now: Time, event: &Event) {
        self.time(now);
        match event {
            Event::Started(plan) => self.plan(plan),
            Event::Questions(questions) => {
                self.numbers([2, questions.len() as u64]);
                questions.iter().for_each(|question| self.question(question));
            }
            Event::QuestionsEnd => self.number(3),
            Event::QuestionsChanged { row_number } => {
                self.number(4);
                self.optional(*row_number);
            }
            Event::StoreUnreadable => self.number(30),
            Event::Replied { ask, reading, limits, verdicts } => {
                self.numbers([5, ask.0]);
                self.reading(reading);
                self.verdicts(verdicts.as_deref());
                let limits = limits.as_deref();
                for quota in [limits.and_then(|l| l.asks), limits.and_then(|l| l.tokens)] {
                    self.optional(quota.and_then(|quota| quota.limit));
                    self.optional(quota.and_then(|quota| quota.remaining));
                    self.optional(quota.and_then(|q| q.reset).map(|r| r.as_nanos() as u64));
                }
            }
            Event::AnswerCame { ask, answer, verdicts } => {
                self.numbers([31, ask.0]);
                self.answer(answer);
                self.verdicts(Some(verdicts));
            }
            Event::NotJudged { ask, answer, verdicts } => {
                self.numbers([32, ask.0]);
                self.answer(answer);
                self.verdicts(Some(verdicts));
            }
            Event::Progressed { ask, tokens } => self.numbers([6, ask.0, *tokens]),
            Event::Abandoned { ask } => self.numbers([7, ask.0]),
            Event::Synced { upto } => self.numbers([8, upto.0]),
            Event::SyncFailed { upto } => self.numbers([9, upto.0]),
            Event::Emitted { upto } => self.numbers([10, *upto]),
            Event::EmitFailed => self.number(11),
            Event::Marked { took } => {
                self.number(12);
                self.span(*took);
            }
            Event::MarkFailed => self.number(13),
            Event::PeerThrottled { endpoint, until } => {
                self.numbers([14, *endpoint as u64]);
                self.time(*until);
            }
            Event::TimerFired => self.number(15),
            Event::Stopped(signal) => self.numbers([16, signal_code(*signal)]),
            Event::PauseRequested => self.number(17),
            Event::ResumeRequested => self.number(18),
            Event::ProbeRequested => self.number(19),
            Event::Permitted(permit) => {
                self.number(20);
                self.optional(permit.asks.map(u64::from));
                self.time(permit.until);
            }
            Event::Funded { granted, is_last } => {
                self.numbers([21, (*is_last).into()]);
                self.amounts([*granted]);
            }
            Event::LeaseLost => self.number(22),
            Event::SharingHeld(is_held) => self.numbers([23, (*is_held).into()]),
        }
    }

    pub(crate) fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Read { count } => self.numbers([101, *count as u64]),
            Effect::Ask(ask) => {
                self.numbers([102, ask.id.0, ask.attempt.into(), ask.endpoint.into()]);
                self.numbers([ask.model.into(), ask.sample.into()]);
                self.question(&ask.question);
            }
            Effect::Abandon(ask) => self.numbers([103, ask.0]),
            Effect::Record(seq, record) => {
                self.numbers([104, seq.0]);
                self.record(record);
            }
            Effect::Emit { upto, questions } => {
                self.numbers([105, *upto, questions.len() as u64]);
                self.numbers(questions.iter().map(|&index| index.into()));
            }
            Effect::Flush => self.number(106),
            Effect::SetTimer(time) => {
                self.number(107);
                self.time(*time);
            }
            Effect::Mark(marks) => {
                self.number(108);
                self.marks(marks);
            }
            Effect::Show(notice) => {
                self.number(109);
                self.notice(notice);
            }
            Effect::Finish(ending) => self.ending(ending),
        }
    }

    fn plan(&mut self, plan: &PlanSummary) {
        self.numbers([1, plan.per_row.into(), plan.states.len() as u64]);
        self.numbers(plan.states.iter().map(|state| match state {
            Planned::Placed => 1,
            Planned::Unplaced => 2,
            Planned::Presumed => 3,
            Planned::Failed => 4,
            Planned::Pending => 5,
            Planned::LeftOut => 6,
        }));
        self.marks(&plan.marks);
    }

    fn record(&mut self, record: &JournalRecord) {
        match record {
            JournalRecord::AnswerCame {
                question,
                ask,
                place: _,
                attempts,
                sent_at,
                at,
                answer,
                verdicts,
                cost_most,
            } => {
                self.amounts([cost_most.unwrap_or_default()]);
                self.numbers([6, ask.0, (*attempts).into()]);
                self.verdicts(Some(verdicts));
                self.question(question);
                self.time(*sent_at);
                self.time(*at);
                self.answer(answer);
            }
            JournalRecord::Answered {
                question,
                ask,
                place: _,
                attempts,
                sent_at,
                at,
                answer,
                is_known,
                completes_row,
                is_accepted: _,
                verdicts,
                cost_most: _,
            } => {
                self.numbers([1, ask.0, (*attempts).into(), (*completes_row).into()]);
                self.number((*is_known).into());
                self.verdicts(verdicts.as_deref());
                self.question(question);
                self.time(*sent_at);
                self.time(*at);
                self.answer(answer);
            }
            JournalRecord::Failed {
                question,
                ask,
                place: _,
                attempt,
                sent_at,
                at,
                failure,
                cost_most: _,
            } => {
                self.numbers([2, ask.0, (*attempt).into()]);
                self.question(question);
                self.time(*sent_at);
                self.time(*at);
                self.failure(failure);
            }
            JournalRecord::Ended { question, fault, cause: _, at, cut_at_tokens } => {
                self.numbers([3, fault_code(*fault)]);
                self.question(question);
                self.time(*at);
                self.optional(*cut_at_tokens);
            }
            JournalRecord::BoundDeclared { bound, unsure, is_last } => {
                self.number(5);
                self.amounts([*bound, *unsure]);
                self.number((*is_last).into());
            }
            JournalRecord::RowMarked { id } => {
                self.number(4);
                self.question_id(*id);
            }
        }
    }

    /// Nothing where nothing is asked of answers.
    fn verdicts(&mut self, verdicts: Option<&Verdicts>) {
        if let Some(verdicts) = verdicts {
            self.text(&verdicts.summary());
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Asking { question, attempt } => {
                self.numbers([1, question.index.into(), (*attempt).into()]);
            }
            Notice::Answered { question, took, usage, attempts } => {
                self.numbers([2, question.index.into(), (*attempts).into()]);
                self.span(*took);
                self.usage(usage);
            }
            Notice::Retrying { question, failure, wait } => {
                self.numbers([3, question.index.into()]);
                self.failure(failure);
                self.span(*wait);
            }
            Notice::Ended { question, fault, failure, stands } => {
                self.numbers([4, question.index.into(), fault_code(*fault), (*stands).into()]);
                self.failure(failure);
            }
            Notice::OutageBegan { failure, wait } => {
                self.number(5);
                self.failure(failure);
                self.optional(wait.map(|wait| wait.as_nanos() as u64));
            }
            Notice::OutageRetry { retry, of } => {
                self.numbers([6, (*retry).into(), (*of).into()]);
            }
            Notice::OutageContinues { failure, wait } => {
                self.number(7);
                self.failure(failure);
                self.span(*wait);
            }
            Notice::OutageExhausted { failure } => {
                self.number(8);
                self.failure(failure);
            }
            Notice::OutageEnded { lasted } => {
                self.number(9);
                self.span(*lasted);
            }
            Notice::EndpointDown { model, endpoint, failure } => {
                self.numbers([10, (*model).into(), (*endpoint).into()]);
                self.failure(failure);
            }
            Notice::EndpointUp { model, endpoint } => {
                self.numbers([11, (*model).into(), (*endpoint).into()]);
            }
            Notice::OutageCrossCheck { question } => self.numbers([14, question.index.into()]),
            Notice::MarkingRow { row_number } => self.numbers([12, *row_number]),
            Notice::BillAboveReservation { billed, reserved } => {
                self.number(15);
                self.amounts([*billed, *reserved]);
            }
            Notice::CostLimitReached { least } => {
                self.number(16);
                self.amounts([*least]);
            }
            Notice::PeakBegins { until, saves, in_flight } => {
                self.numbers([17, until.cast_unsigned(), *in_flight as u64]);
                self.amounts([saves.unwrap_or_default()]);
            }
            Notice::OffPeakBegins { for_deadline } => self.numbers([18, (*for_deadline).into()]),
            Notice::Draining { signal, in_flight, longest } => {
                self.numbers([13, signal_code(*signal), *in_flight as u64]);
                self.span(*longest);
            }
        }
    }

    fn ending(&mut self, ending: &Ending) {
        let Ending {
            reason: why,
            ledger,
            dropped,
            unplaced,
            standing,
            outdated,
            was_stopped,
            marked_question: bookmark,
            budget,
            unknown_ends: _,
        } = ending;
        self.numbers([110, why.rank().into(), *dropped, *unplaced, (*was_stopped).into()]);
        self.numbers([*standing, *outdated]);
        match why {
            EndReason::WrongSettings(failure)
            | EndReason::KeyRefused(failure)
            | EndReason::OutOfMoney(failure)
            | EndReason::Unreachable(failure) => self.failure(failure),
            EndReason::RetryAfterTooLong(failure, wait) => {
                self.failure(failure);
                self.span(*wait);
            }
            EndReason::CostLimit { least } => self.amounts([*least]),
            EndReason::InputChanged { row_number } => self.optional(*row_number),
            EndReason::Stopped(signal) => self.number(signal_code(*signal)),
            EndReason::StoreFailed
            | EndReason::OutputFailed
            | EndReason::LeaseLost
            | EndReason::Paused
            | EndReason::Complete => {}
        }
        let Ledger { questions, answered, presumed, rejected, gave_up, pending } = *ledger;
        self.numbers([questions, answered, presumed, rejected, gave_up, pending]);
        if let Some(budget) = budget {
            self.amounts([budget.spent, budget.unsure, budget.left]);
        }
        self.optional(bookmark.as_ref().map(|question| question.row_number));
    }

    fn question(&mut self, question: &Question) {
        self.numbers([question.index.into(), question.row_number, question.marked.into()]);
        self.numbers([question.model.into(), question.sample.into()]);
        self.numbers(question.key.0.map(u64::from));
        self.question_id(question.id);
        self.text(&question.text);
        question.content.texts().for_each(|text| self.text(text));
    }

    fn question_id(&mut self, id: QuestionId) {
        self.numbers([id.text_hash, id.ordinal.into()]);
    }

    fn marks(&mut self, marks: &InputMarks) {
        for ids in [&marks.set, &marks.clear] {
            self.number(ids.len() as u64);
            ids.iter().for_each(|id| self.question_id(*id));
        }
    }

    fn reading(&mut self, reading: &ParsedReply) {
        match reading {
            ParsedReply::Answer(answer) => {
                self.number(1);
                self.answer(answer);
            }
            ParsedReply::Failure(failure) => {
                self.number(2);
                self.failure(failure);
            }
        }
    }

    fn answer(&mut self, answer: &Answer) {
        self.text(&answer.content);
        self.text(&answer.reasoning);
        self.text(&answer.finish_reason);
        self.usage(&answer.usage);
    }

    fn usage(&mut self, usage: &Usage) {
        for count in [usage.input, usage.cached, usage.output, usage.reasoning] {
            self.optional(count);
        }
    }

    /// The cause stays out: it is words.
    fn failure(&mut self, failure: &Failure) {
        match failure.class {
            FailureClass::Throttled { wait, width } => {
                self.number(1);
                self.optional(wait.map(|wait| wait.as_nanos() as u64));
                self.optional(width.map(u64::from));
            }
            FailureClass::Transient => self.number(2),
            FailureClass::Empty => self.number(3),
            FailureClass::Refused(refusal) => self.numbers([
                4,
                match refusal {
                    Refusal::Request => 1,
                    Refusal::Question => 2,
                    Refusal::Moderation => 3,
                    Refusal::Settings => 4,
                    Refusal::Address => 5,
                },
            ]),
            FailureClass::CutByLength => self.number(5),
            FailureClass::KeyRefused => self.number(6),
            FailureClass::Forbidden => self.number(7),
            FailureClass::OutOfMoney => self.number(8),
            FailureClass::OtherApi => self.number(9),
            FailureClass::FailedCheck => self.number(10),
        }
        self.optional(failure.status.map(u64::from));
        self.text(&failure.message);
        self.optional(failure.wait.map(|wait| wait.as_nanos() as u64));
        self.number(failure.partial.is_some().into());
    }
}

fn signal_code(signal: StopSignal) -> u64 {
    match signal {
        StopSignal::Interrupt => 1,
        StopSignal::Terminate => 2,
    }
}

fn fault_code(fault: Fault) -> u64 {
    match fault {
        Fault::Rejected => 1,
        Fault::GaveUp => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of events and effects that these make.
    fn hash(make: impl FnOnce(&mut Trace)) -> u64 {
        let mut trace = Trace::default();
        make(&mut trace);
        trace.0
    }

    #[test]
    fn the_hash_of_an_event_is_the_same_in_every_build() {
        let now = Time { monotonic_ms: 1_000, unix_ms: 1_795_348_801_000 };
        assert_eq!(hash(|trace| trace.event(now, &Event::TimerFired)), HASH_OF_WOKE);
    }

    #[test]
    fn events_at_another_time_or_of_another_kind_make_another_hash() {
        let now = Time { monotonic_ms: 1_000, unix_ms: 1_795_348_801_000 };
        let later = now.after(Duration::from_millis(1));
        let woke = hash(|trace| trace.event(now, &Event::TimerFired));
        assert_ne!(woke, hash(|trace| trace.event(later, &Event::TimerFired)));
        assert_ne!(woke, hash(|trace| trace.event(now, &Event::PauseRequested)));
    }

    const HASH_OF_WOKE: u64 = 0x6b2c_58f1_c0c0_6c1d;
}
