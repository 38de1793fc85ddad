//! Holds what the machine wants against the books.

use dset_core::item::error_marks::InputMarks;
use dset_core::item::question::{QuestionId, QuestionIndex};
use dset_core::plan::ledger::{Fault, Ledger};
use dset_core::run::ask::{Ask, AskId};
use dset_core::run::{Effect, JournalRecord, Notice, Seq};

use crate::checker::{Checker, Expected, InFlight};
use crate::disk::{Request, Store};
use crate::ending::Reason;
use crate::pace::{Verdict, is_refusal};
use crate::schedule::ReplyKind;

impl Checker {
    /// Checks what must follow from an event at once.
    pub(crate) fn check_owed(&self, owed: &Expected, effects: &[Effect]) {
        let has = |wanted: fn(&Notice) -> bool| {
            effects.iter().any(|effect| matches!(effect, Effect::Show(notice) if wanted(notice)))
        };
        // What begins with refusals is checked where it is told.
        let begins_outage = has(
            |notice| matches!(notice, Notice::OutageBegan { failure, .. } if !is_refusal(failure.class)),
        );
        let mut records = effects.iter().filter_map(|effect| match effect {
            Effect::Record(_, record) => Some(record),
            _ => None,
        });
        let mut of_asks = records
            .by_ref()
            .filter(|r| matches!(r, JournalRecord::Answered { .. } | JournalRecord::Failed { .. }));
        let record = of_asks.next();
        assert!(of_asks.next().is_none(), "an ask is recorded once");
        let (wanted, flight, verdict) = match owed {
            Expected::Nothing => {
                assert!(record.is_none(), "no ask is recorded before it is answered");
                assert!(!begins_outage, "an outage begins with a failure");
                return;
            }
            Expected::Answer(wanted, flight) => (wanted, flight, Verdict::default()),
            Expected::Failure(wanted, flight, verdict) => (wanted, flight, *verdict),
        };
        let may = verdict.begins_outage || verdict.may_begin_outage;
        let right = begins_outage || !verdict.begins_outage;
        assert!(right && (may || !begins_outage), "what is an outage and what is not");
        let is_answer = matches!(owed, Expected::Answer(..));
        let (question, ask, attempt, sent_at) = match record {
            Some(JournalRecord::Answered { question, ask, attempts, sent_at, .. }) if is_answer => {
                (question, ask, attempts, sent_at)
            }
            Some(JournalRecord::Failed { question, ask, attempt, sent_at, .. }) if !is_answer => {
                (question, ask, attempt, sent_at)
            }
            _ => panic!("an answer that comes is kept, and every failed ask is recorded"),
        };
        let recorded = (*ask, question.index, *attempt, sent_at.monotonic_ms);
        let right = (*wanted, flight.index, flight.attempt, flight.sent_ms);
        assert_eq!(recorded, right, "what is recorded is what came of this very ask");
    }

    /// Checks an ask, and takes it: what comes of it is known.
    pub(crate) fn ask(&mut self, now_ms: u64, ask: &Ask, what: ReplyKind, store: &Store) {
        let index = ask.question.index;
        assert!(!self.is_stopping(), "nothing is asked once the run is stopping");
        assert!(!self.is_held, "nothing is asked while the run is held");
        assert!(self.open.contains(&index), "only an unfinished question is asked");
        assert!(self.held.contains(&index), "only a question that was read is asked");
        let twice = self.flights.values().any(|flight| flight.index == index);
        assert!(!twice, "a question is on its way once");
        let request = &self.begin.requests[index as usize];
        let of = (ask.model, ask.sample);
        assert_eq!(of, (request.model, request.sample), "the model that is meant is asked");
        assert!(!store.has_bought(request), "a durable answer is not asked for again");
        let attempt = self.asked.entry(index).or_default();
        *attempt += 1;
        assert_eq!(ask.attempt, *attempt, "attempts are counted");
        let flight = InFlight {
            index,
            what,
            attempt: *attempt,
            place: (ask.model, ask.endpoint),
            sent_ms: now_ms,
            abandoned: false,
        };
        let asked = self.asked.len() as u64;
        assert!(self.limit.is_none_or(|limit| asked <= limit), "no more are asked than wanted");
        let known = self.flights.insert(ask.id, flight);
        assert!(known.is_none(), "every ask has its own number");
        assert!(!self.is_doubted(), "nothing is asked while everything is refused");
        self.pace.ask(now_ms, ask, self.flights.len());
    }

    /// Checks that an ask may be dropped, and takes it; its request if it is in flight.
    pub(crate) fn abandon(&mut self, now_ms: u64, ask: AskId) {
        let may = self.drop_from_ms.is_some_and(|from| now_ms >= from);
        assert!(may, "what may be paid for is waited for");
        let flight = self.flights.get_mut(&ask).expect("only what is on its way is dropped");
        assert!(!flight.abandoned, "an ask is dropped once");
        flight.abandoned = true;
    }

    /// Checks a record, and takes it.
    pub(crate) fn record(&mut self, seq: Seq, record: &JournalRecord) {
        match record {
            JournalRecord::Answered { question, .. } => {
                self.unsynced.push_back((seq, question.index))
            }
            JournalRecord::Failed { .. } => {}
            JournalRecord::AnswerCame { .. } => panic!("nothing judges answers of this world"),
            JournalRecord::Ended { question, fault, .. } => {
                let index = question.index;
                // At the end of a run that nothing stops, what is suspected is refused.
                let is_suspected = self.suspects.questions.contains(&index);
                let is_refused = self.refused.contains(&index) || is_suspected && self.is_over();
                let (is_right, count) = match fault {
                    Fault::Rejected => {
                        let is_right = is_refused && !(is_suspected && self.is_stopping());
                        (is_right, &mut self.ledger.rejected)
                    }
                    Fault::GaveUp => (self.pace.has_given_up(index), &mut self.ledger.gave_up),
                };
                assert!(is_right, "a question ends only when it is refused or given up");
                *count += 1;
                self.ledger.pending -= 1;
                self.held.remove(&index);
                self.suspects.questions.retain(|suspect| *suspect != index);
                assert!(self.open.remove(&index), "a question ends once");
                self.ended.insert(index);
                if self.pause_on_error {
                    self.reasons.insert(Reason::Paused);
                }
            }
            JournalRecord::RowMarked { id } => self.bookmark(*id),
            JournalRecord::BoundDeclared { .. } => {}
        }
    }

    /// A row is marked when its question has ended, and one where the service does not answer.
    fn bookmark(&self, id: QuestionId) {
        let id_of = |index: &QuestionIndex| self.begin.questions[*index as usize].id;
        if self.ended.iter().any(|index| id_of(index) == id) {
            return;
        }
        let first = self.open.iter().find(|index| self.held.contains(index));
        let is_given_up = self.reasons.contains(&Reason::Unreachable);
        assert!(is_given_up, "only a row that has ended is marked");
        assert_eq!(
            first.map(id_of),
            Some(id),
            "after an outage the first unfinished row is marked"
        );
    }

    /// Checks the placing of a row.
    pub(crate) fn place(&mut self, index: QuestionIndex) {
        assert!(self.placed < Some(index), "rows are placed in the order of the input");
        self.placed = Some(index);
        let first = self.open.first();
        assert!(
            first.is_none_or(|first| *first > index) || self.is_over() && !self.stop_now,
            "a row waits for every earlier question that may still be answered"
        );
        let unsynced = self.unsynced.iter().any(|(_, waiting)| *waiting == index);
        assert!(!unsynced, "no row is placed before its answer is durable");
    }

    /// Checks that the input may be rewritten with these marks now.
    pub(crate) fn mark(&self, now_ms: u64, marks: &InputMarks, store: &Store) {
        assert!(!self.mark_failed, "an input that cannot be written is left alone");
        let may = now_ms >= self.mark_from_ms || self.is_over();
        assert!(may, "the input is not rewritten again and again");
        for hash in marks.set.iter().map(|id| id.hash()) {
            let mut of_row = self.begin.questions.iter().filter(|q| q.id.hash() == hash);
            let is_known = store.marks.contains(&hash)
                || of_row.any(|q| store.ended.contains_key(&(q.failure_key, store.edition)));
            assert!(is_known, "a row is marked once the store knows of it");
        }
        for id in &marks.clear {
            let hash = id.hash();
            let of_row = || self.begin.requests.iter().zip(&self.begin.questions);
            let mut of_row = of_row().filter(|(_, question)| question.id.hash() == hash);
            let is_answered = of_row.all(|(request, _)| {
                let of = (request.model, request.sample);
                store.answers_to(&request.text, request.ordinal, of).next().is_some()
            });
            assert!(is_answered, "only a row with every answer loses its mark");
        }
    }

    /// Takes a notice to the observer.
    pub(crate) fn notice(&mut self, now_ms: u64, notice: &Notice) {
        assert!(
            !matches!(notice, Notice::OutageExhausted { .. }) || self.has_tried_another(),
            "no service is given up before another question has failed too"
        );
        if let Notice::OutageBegan { failure, .. } = notice {
            self.was_out = true;
            self.holds_suspects(is_refusal(failure.class));
        }
        let refuses_all = self.pace.refuses_all();
        if matches!(notice, Notice::CostLimitReached { .. }) {
            assert!(self.flights.is_empty(), "what is reserved may come back");
            self.reasons.insert(Reason::Limit);
        }
        if self.pace.notice(now_ms, notice) {
            assert!(self.flights.is_empty(), "what may still succeed is waited for");
            match notice {
                Notice::OutageExhausted { failure } if refuses_all && is_refusal(failure.class) => {
                    self.refuses_all(failure.class);
                }
                _ => drop(self.reasons.insert(Reason::Unreachable)),
            }
        }
    }

    /// Returns true if another question was tried before the service is given up, or there is none.
    fn has_tried_another(&self) -> bool {
        let may_read = !self.read_ended && !self.limit_is_reached();
        let may_ask = |index: &&QuestionIndex| self.held.contains(index) || may_read;
        let is_all_tried = || self.open.iter().filter(may_ask).all(|i| self.pace.has_tried(*i));
        self.pace.has_tried_another().unwrap_or_else(is_all_tried)
    }

    /// Checks what must hold after every event.
    pub(crate) fn check(&mut self, now_ms: u64, ledger: Ledger) {
        assert_eq!(ledger, self.ledger, "the ledger says what happened");
        assert!(ledger.balances(), "the ledger balances");
        let busy = self.flights.len() + self.unsynced.len();
        assert!(busy <= self.width as usize, "asked + waiting for the disk <= width");
        for index in self.must_end.drain(..) {
            assert!(self.ended.contains(&index), "a question that is refused or given up ends");
        }
        let drops = self.drop_from_ms.is_some_and(|from| now_ms >= from);
        let abandoned = self.flights.values().all(|flight| flight.abandoned);
        assert!(abandoned || !drops, "what is not waited for is dropped");
        let is_final = self.pace.is_final() && self.flights.is_empty();
        let is_final = is_final && !self.is_held && self.has_tried_another();
        assert!(!is_final || self.is_stopping(), "the last retry of an outage is the last");
    }

    /// Forgets what is in flight; returns the requests that the service may have answered.
    pub(crate) fn crash(&mut self) -> Vec<Request> {
        let flights = std::mem::take(&mut self.flights).into_values();
        flights.filter_map(|flight| self.paid(&flight)).collect()
    }

    /// Returns the request of an ask that is paid for and did not come.
    pub(crate) fn paid(&self, flight: &InFlight) -> Option<Request> {
        let is_paid = matches!(flight.what, ReplyKind::Answer | ReplyKind::Cut);
        is_paid.then(|| self.begin.requests[flight.index as usize].clone())
    }
}
