//! What follows from a reply.

use std::sync::Arc;
use std::time::Duration;

use super::books::State;
use super::lanes::LaneIndex;
use super::suspects::Verdict;
use super::{Effect, Machine, Notice, Record, Seq, Why};
use crate::answer::{Answer, Failure, FailureClass, Reading, Refusal};
use crate::ask::AskId;
use crate::outcome::Fault;
use crate::pace::Back;
use crate::pace::outage::Outage;
use crate::pace::retry::{HICCUP_RETRIES_MAX, RETRY_AFTER_MAX, hiccup_wait};
use crate::planted::{Bug, planted};
use crate::question::{Question, QuestionId, QuestionIndex};
use crate::time::Time;

/// An ask that has come back.
struct Returned {
    ask: AskId,
    index: QuestionIndex,
    lane: LaneIndex,
    sent_at: Time,
    attempts: u32,
    question: Arc<Question>,
}

/// What a reply says about the pace.
fn says(reading: &Reading) -> Back {
    let failure = match reading {
        Reading::Answer(_) => return Back::Answered { tokens: tokens(reading) },
        Reading::Failure(failure) => failure,
    };
    match failure.class {
        FailureClass::Throttled { wait, .. } if matches!(failure.status, Some(503 | 529)) => {
            Back::Overloaded { wait }
        }
        FailureClass::Throttled { wait, width } => Back::Refused { wait, named: width },
        FailureClass::CutByLength => Back::Answered { tokens: tokens(reading) },
        _ => Back::Nothing,
    }
}

/// Tokens in and out, where counted.
fn tokens(reading: &Reading) -> Option<u64> {
    let usage = match reading {
        Reading::Answer(answer) => answer.usage,
        Reading::Failure(failure) => failure.partial.as_ref()?.usage,
    };
    usage.output.map(|output| usage.input.unwrap_or(0) + output)
}

/// What an answer takes where the service does not count: some three bytes a token.
fn tokens_about(reading: &Reading) -> Option<u64> {
    let Reading::Answer(answer) = reading else { return None };
    Some((answer.content.len() + answer.reasoning.len()) as u64 / 3)
}

impl Machine {
    pub(super) fn replied(
        &mut self,
        now: Time,
        ask: AskId,
        reading: Reading,
        effects: &mut Vec<Effect>,
    ) {
        let back = self.returned(now, ask, &reading);
        if self.stop.is_some() && planted(Bug::AnswerDroppedWhileStopping) {
            self.make_ready(back.index);
            return;
        }
        match reading {
            Reading::Answer(answer) => self.answered(now, back, answer, effects),
            Reading::Failure(failure) => self.failed(now, back, failure, effects),
        }
    }

    /// Takes an ask off its way, and tells the pace what its return says.
    fn returned(&mut self, now: Time, ask: AskId, reading: &Reading) -> Returned {
        let flight = self.flights.remove(&ask).expect("an ask is answered once");
        let held = self.held.get(&flight.index).expect("a question on its way is held");
        let back = says(reading);
        let lane = self.lanes.at(flight.lane);
        if matches!(back, Back::Answered { .. }) {
            lane.latency.answered(now.since(flight.sent.at));
        }
        lane.back(now, ask);
        lane.pace.back(now, &flight.sent, back);
        let was_refused = matches!(back, Back::Refused { .. } | Back::Overloaded { .. });
        let taken = tokens(reading).or_else(|| tokens_about(reading));
        self.minute.back(now, taken, was_refused);
        Returned {
            ask,
            index: flight.index,
            lane: flight.lane,
            sent_at: flight.sent.at,
            attempts: held.attempts,
            question: Arc::clone(&held.question),
        }
    }

    /// Takes the beginning of a reply, and how far it has come.
    pub(super) fn progressed(&mut self, now: Time, ask: AskId, tokens: u64) {
        let Some(flight) = self.flights.get_mut(&ask) else { return };
        flight.tokens = flight.tokens.max(tokens);
        if !std::mem::replace(&mut flight.has_begun, true) {
            self.lanes.at(flight.lane).pace.accepted(now, &flight.sent);
        }
    }

    /// Takes that an ask was dropped.
    pub(super) fn abandoned(&mut self, now: Time, ask: AskId, effects: &mut Vec<Effect>) {
        let flight = self.flights.get(&ask).expect("an ask is answered once");
        let Some(hung_after) = flight.hung_after else {
            let flight = self.flights.remove(&ask).expect("it was there just now");
            let lane = self.lanes.at(flight.lane);
            lane.back(now, ask);
            lane.pace.back(now, &flight.sent, Back::Nothing);
            self.minute.back(now, None, false);
            self.dropped += 1;
            self.make_ready(flight.index);
            return;
        };
        let failure = Failure {
            class: FailureClass::Transient,
            cause: "no answer",
            status: None,
            message: format!(
                "nothing came for {} s, ten times as long as answers of this run take",
                hung_after.as_secs()
            ),
            request_id: None,
            partial: None,
        };
        let reading = Reading::Failure(failure.clone());
        let back = self.returned(now, ask, &reading);
        self.failed(now, back, failure, effects);
    }

    /// Drops asks of which nothing has come for far longer than answers take.
    pub(super) fn abandon_hung(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let Some(at) = self.hung_at().filter(|at| at.has_come(now)) else { return };
        for (&ask, flight) in &mut self.flights {
            // None that was sent later can have hung yet.
            if flight.sent.at.monotonic_ms > at.monotonic_ms {
                break;
            }
            let hung_after = self.lanes.hung_after(flight.lane);
            let hung_after = hung_after.filter(|_| flight.may_hang());
            let Some(hung_after) = hung_after.filter(|span| now.since(flight.sent.at) >= *span)
            else {
                continue;
            };
            flight.abandoned = true;
            flight.hung_after = Some(hung_after);
            if let Some(held) = self.held.get_mut(&flight.index) {
                held.seemed_to_hang = true;
            }
            effects.push(Effect::Abandon(ask));
        }
    }

    /// When the first ask on its way will have hung: one of each place, because each place has its
    /// own measure and asks are in the order in which they were sent.
    pub(super) fn hung_at(&self) -> Option<Time> {
        let mut first: Option<Time> = None;
        let mut seen = Vec::new();
        for flight in self.flights.values().filter(|flight| flight.may_hang()) {
            if seen.contains(&flight.lane) {
                continue;
            }
            seen.push(flight.lane);
            if let Some(span) = self.lanes.hung_after(flight.lane) {
                let at = flight.sent.at.after(span);
                first = Some(first.map_or(at, |first| if at.has_come(first) { at } else { first }));
            }
            if seen.len() == self.lanes.count() {
                break;
            }
        }
        first
    }

    fn answered(&mut self, now: Time, back: Returned, answer: Answer, effects: &mut Vec<Effect>) {
        self.service_works(now, back.lane, effects);
        self.answers_count += 1;
        for (question, failure) in self.suspects.settle() {
            self.reject(now, question, failure, effects);
        }
        self.held.remove(&back.index);
        effects.push(Effect::Show(Notice::Answered {
            question: Arc::clone(&back.question),
            took: now.since(back.sent_at),
            usage: answer.usage,
            attempts: back.attempts,
        }));
        let (id, marked) = (back.question.id, back.question.marked);
        self.states[back.index as usize] = State::Unsynced;
        let completes_row = self.is_row_answered(back.index);
        let seq = self.record(
            Record::Answered {
                question: back.question,
                ask: back.ask,
                attempts: back.attempts,
                sent_at: back.sent_at,
                at: now,
                answer: Box::new(answer),
                completes_row,
            },
            effects,
        );
        self.records.answers.push_back((seq, back.index));
        if completes_row {
            self.marks.answered(id, marked, seq);
        }
    }

    /// Tells whether a row has every answer that it is to get.
    fn is_row_answered(&self, index: QuestionIndex) -> bool {
        let first = index - index % self.per_row;
        (first..first + self.per_row).all(|at| self.states[at as usize].is_answered())
    }

    fn failed(&mut self, now: Time, back: Returned, failure: Failure, effects: &mut Vec<Effect>) {
        self.record(
            Record::Failed {
                question: Arc::clone(&back.question),
                ask: back.ask,
                attempt: back.attempts,
                sent_at: back.sent_at,
                at: now,
                failure: Box::new(failure.clone()),
            },
            effects,
        );
        if let Some(held) = self.held.get_mut(&back.index) {
            held.failed_with = Some(failure.cause);
        }
        match failure.class {
            FailureClass::Throttled { wait, .. } => {
                self.throttled(now, &back, failure, wait, effects);
            }
            FailureClass::Transient => self.transient(now, &back, failure, effects),
            FailureClass::Forbidden if self.answers_count == 0 => {
                self.key_refused(&back, failure, effects);
            }
            FailureClass::KeyRefused => self.key_refused(&back, failure, effects),
            FailureClass::OutOfMoney => {
                self.make_ready(back.index);
                self.stop(Why::OutOfMoney(Box::new(failure)));
            }
            FailureClass::Refused(Refusal::Settings) => {
                self.make_ready(back.index);
                self.suspects.settle();
                self.stop(Why::WrongSettings(Box::new(failure)));
            }
            FailureClass::Refused(Refusal::Request | Refusal::Question)
            | FailureClass::Forbidden => self.refused(now, back, failure, effects),
            FailureClass::Refused(Refusal::Moderation) | FailureClass::CutByLength => {
                self.service_works(now, back.lane, effects);
                self.reject(now, back.question, failure, effects);
            }
        }
    }

    fn throttled(
        &mut self,
        now: Time,
        back: &Returned,
        failure: Failure,
        wait: Option<Duration>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(wait) = wait.filter(|wait| *wait > RETRY_AFTER_MAX) {
            self.make_ready(back.index);
            self.stop(Why::ToldToWait(Box::new(failure), wait));
            return;
        }
        if self.outage.is_some() {
            self.failed_in_outage(now, back, failure, effects);
            return;
        }
        if self.lanes.at(back.lane).pace.refused_throughout() && self.is_out() {
            self.begin_outage(now, back, failure, effects);
            return;
        }
        // It is the first in line again, as soon as the pace allows.
        self.make_ready(back.index);
        let until = self.lanes.at(back.lane).pace.paused_until(now);
        let wait = until.map_or(Duration::ZERO, |until| until.since(now));
        self.show_retry(back, failure, wait, effects);
    }

    fn transient(
        &mut self,
        now: Time,
        back: &Returned,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        if self.stop.is_some() {
            self.make_ready(back.index);
            return;
        }
        if self.outage.is_some() {
            self.failed_in_outage(now, back, failure, effects);
            return;
        }
        let most = self.rules.bounds.slots_max.max(1);
        let answered = self.failures.answered_count();
        let held = self.held.get_mut(&back.index).expect("a failed question is held");
        let first_failed_at = *held.first_failed_at.get_or_insert(answered);
        let is_new = first_failed_at == answered;
        if self.lanes.are_several() && self.failed_at_place(now, back, &failure, is_new, effects) {
            return;
        }
        let held = self.held.get_mut(&back.index).expect("a failed question is held");
        let is_out = self.failures.failed(first_failed_at, self.flights.len(), most);
        if is_out && !self.lanes.are_several() {
            self.begin_outage(now, back, failure, effects);
            return;
        }
        held.failures += 1;
        let failures = held.failures;
        let most = HICCUP_RETRIES_MAX + u32::from(planted(Bug::AttemptsOffByOne));
        if failures > most && !planted(Bug::RetryPastTheLimit) {
            self.end(now, Arc::clone(&back.question), Fault::GaveUp, failure, effects);
            return;
        }
        let wait = hiccup_wait(self.rules.seed, back.index, failures);
        let wait = if planted(Bug::HiccupNotWaited) { Duration::from_millis(1) } else { wait };
        self.ask_again(now, back.index, wait);
        self.show_retry(back, failure, wait, effects);
    }

    /// Tells whether no place of a model that still has work answers.
    fn is_out(&self) -> bool {
        let has_work = |model| self.held.values().any(|held| held.question.model == model);
        self.lanes.are_out(has_work)
    }

    /// Takes a failure at one of several places; `is_new` where its question had not failed before the
    /// last answer. True where that is all that follows: the place is taken for dead, or none answers.
    fn failed_at_place(
        &mut self,
        now: Time,
        back: &Returned,
        failure: &Failure,
        is_new: bool,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let slots_max = self.rules.bounds.slots_max;
        let lane = self.lanes.at(back.lane);
        let was_dead = lane.is_dead();
        let dies = is_new && lane.failed(slots_max);
        if dies {
            lane.die(now);
            let (model, endpoint) = (lane.place.model, lane.place.endpoint);
            let failure = Box::new(failure.clone());
            effects.push(Effect::Show(Notice::PlaceDown { model, endpoint, failure }));
        }
        if (dies || was_dead) && self.is_out() {
            self.begin_outage(now, back, failure.clone(), effects);
            return true;
        }
        if dies {
            self.make_ready(back.index);
        }
        // What probes a dead place costs a retry all the same: it may be the question's own fault,
        // and would be asked for ever.
        dies
    }

    fn show_retry(
        &self,
        back: &Returned,
        failure: Failure,
        wait: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if self.stop.is_none() {
            let question = Arc::clone(&back.question);
            let failure = Box::new(failure);
            effects.push(Effect::Show(Notice::Retrying { question, failure, wait }));
        }
    }

    fn begin_outage(
        &mut self,
        now: Time,
        back: &Returned,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        self.make_ready(back.index);
        if self.stop.is_some() {
            return;
        }
        let lightly = self.slots_max() > 1;
        let outage = Outage::begin(now, back.index, &self.rules.backoff, lightly);
        self.lanes.each().for_each(|lane| lane.die(now));
        let wait = outage.retry_at.map(|at| self.lanes.not_paused(now, at).since(now));
        self.outage = Some(outage);
        self.last_failure = Some(Box::new(failure.clone()));
        effects.push(Effect::Show(Notice::OutageBegan { failure: Box::new(failure), wait }));
    }

    /// A failure in an outage costs its question nothing; the probe's moves the schedule on.
    fn failed_in_outage(
        &mut self,
        now: Time,
        back: &Returned,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        self.make_ready(back.index);
        self.last_failure = Some(Box::new(failure.clone()));
        let outage = self.outage.as_mut().expect("called in an outage");
        if !outage.failed(now, back.ask, &self.rules.backoff) {
            return;
        }
        if let Some(at) = outage.retry_at {
            let wait = self.lanes.not_paused(now, at).since(now);
            let failure = Box::new(failure);
            effects.push(Effect::Show(Notice::OutageGoesOn { failure, wait }));
        }
    }

    /// The service answered something that is about the question: it is there.
    fn service_works(&mut self, now: Time, lane: LaneIndex, effects: &mut Vec<Effect>) {
        self.failures.answered();
        let lane = self.lanes.at(lane);
        let is_back = lane.lives(now) && self.outage.is_none();
        if is_back {
            let (model, endpoint) = (lane.place.model, lane.place.endpoint);
            effects.push(Effect::Show(Notice::PlaceUp { model, endpoint }));
        }
        if let Some(outage) = self.outage.take() {
            self.last_failure = None;
            effects.push(Effect::Show(Notice::OutageOver { lasted: now.since(outage.since) }));
        }
    }

    fn key_refused(&mut self, back: &Returned, failure: Failure, effects: &mut Vec<Effect>) {
        self.make_ready(back.index);
        self.stop(Why::KeyRefused(Box::new(failure)));
        // Before any success nothing on its way can be worth waiting for; after one it may be paid.
        if self.answers_count == 0 || planted(Bug::PaidAsksDroppedWithTheKey) {
            self.abandon_all(effects);
        }
    }

    fn refused(&mut self, now: Time, back: Returned, failure: Failure, effects: &mut Vec<Effect>) {
        self.service_works(now, back.lane, effects);
        if matches!(self.stop, Some(Why::WrongSettings(_))) {
            self.make_ready(back.index);
            return;
        }
        if self.answers_count > 0 || self.rules.pause_on_error || self.stop.is_some() {
            self.reject(now, back.question, failure, effects);
            return;
        }
        self.held.remove(&back.index);
        match self.suspects.refused(back.question, failure.clone()) {
            Verdict::Open => {}
            Verdict::Settings => {
                self.suspects.settle();
                self.stop(Why::WrongSettings(Box::new(failure)));
            }
            Verdict::Questions(refused) => {
                for (question, failure) in refused {
                    self.reject(now, question, failure, effects);
                }
            }
        }
    }

    /// At the end of a run the questions still under suspicion are taken as refused.
    pub(super) fn settle_suspects(&mut self, now: Time, effects: &mut Vec<Effect>) {
        for (question, failure) in self.suspects.settle() {
            self.reject(now, question, failure, effects);
        }
    }

    fn reject(
        &mut self,
        now: Time,
        question: Arc<Question>,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        self.end(now, question, Fault::Rejected, failure, effects);
    }

    /// A question ends without an answer: marked ERROR, and the run goes on.
    fn end(
        &mut self,
        now: Time,
        question: Arc<Question>,
        fault: Fault,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        self.held.remove(&question.index);
        let (state, count) = match fault {
            Fault::Rejected => (State::Rejected, &mut self.ledger.rejected),
            Fault::GaveUp => (State::GaveUp, &mut self.ledger.gave_up),
        };
        *count += 1;
        self.ledger.pending -= 1;
        self.states[question.index as usize] = state;
        let cut = failure.class == FailureClass::CutByLength;
        let cut_at_tokens =
            failure.partial.as_ref().and_then(|partial| partial.usage.output).filter(|_| cut);
        self.record(
            Record::Ended {
                question: Arc::clone(&question),
                fault,
                cause: failure.cause,
                at: now,
                cut_at_tokens,
            },
            effects,
        );
        self.bookmark_row(question.id, effects);
        effects.push(Effect::Show(Notice::Ended { question, fault, failure: Box::new(failure) }));
        if self.rules.pause_on_error && !planted(Bug::PauseForgotten) {
            self.stop(Why::Paused);
        }
    }

    /// Marks a row ERROR: in the store first, then in the file.
    pub(super) fn bookmark_row(&mut self, id: QuestionId, effects: &mut Vec<Effect>) {
        let seq = self.record(Record::Bookmarked { id }, effects);
        self.marks.set(id, seq);
    }

    fn record(&mut self, record: Record, effects: &mut Vec<Effect>) -> Seq {
        self.records.given.0 += 1;
        effects.push(Effect::Record(self.records.given, record));
        self.records.given
    }

    pub(super) fn synced(&mut self, upto: Seq) {
        assert!(upto <= self.records.given, "what is synced was given");
        self.records.synced = self.records.synced.max(upto);
        while let Some(&(seq, index)) = self.records.answers.front() {
            if seq > upto {
                break;
            }
            self.records.answers.pop_front();
            self.states[index as usize] = State::Durable;
            self.ledger.answered += 1;
            self.ledger.pending -= 1;
        }
    }

    /// The answers up to `upto` that were not durable are not in the store: they stay pending in
    /// this life, and the engine has put them where the next finds them.
    pub(super) fn sync_failed(&mut self, upto: Seq) {
        self.records.failed = true;
        self.stop(Why::StoreFailed);
        self.records.synced = self.records.synced.max(upto);
        while self.records.answers.front().is_some_and(|&(seq, _)| seq <= upto) {
            let (_, index) = self.records.answers.pop_front().expect("there is a front");
            self.states[index as usize] = State::Pending;
        }
    }

    /// Places durable answers in the outputs, in the order of the input: a row waits for every
    /// earlier question that may still be answered in this run.
    pub(super) fn place(&mut self, effects: &mut Vec<Effect>) {
        let mut questions = Vec::new();
        while let Some(&state) = self.states.get(self.output.next as usize) {
            let early = state == State::Unsynced && planted(Bug::EmitBeforeDurable);
            if state.is_open() && !early && !planted(Bug::PlacedOutOfOrder) {
                break;
            }
            if state == State::Durable || early {
                questions.push(self.output.next);
            }
            self.output.next += 1;
        }
        self.emit(questions, effects);
    }

    /// Places the durable answers that still wait, past the questions that stay unanswered.
    pub(super) fn place_rest(&mut self, effects: &mut Vec<Effect>) {
        let rest = self.output.next..QuestionIndex::try_from(self.states.len()).expect("u32 rows");
        let questions = rest.filter(|&i| self.states[i as usize] == State::Durable).collect();
        self.emit(questions, effects);
    }

    fn emit(&mut self, mut questions: Vec<QuestionIndex>, effects: &mut Vec<Effect>) {
        if questions.is_empty() || self.output.failed || self.records.failed {
            return;
        }
        if planted(Bug::RowsReversed) {
            questions.reverse();
        }
        for &index in &questions {
            self.states[index as usize] = State::Placed;
        }
        self.output.emitted += questions.len() as u64;
        effects.push(Effect::Emit { upto: self.output.emitted, questions });
    }
}
