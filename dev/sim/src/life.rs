//! One life of a run: the machine against a fake clock, service and disk, until it ends or dies.

use std::collections::BTreeMap;
use std::time::Duration;

use dset_core::acceptance::RetryWith;
use dset_core::answer::{Answer, Cause, Failure, FailureClass, ParsedReply, Refusal, Usage};
use dset_core::item::error_marks::InputMarks;
use dset_core::item::question::{Key, QuestionIndex};
use dset_core::money::SessionCost;
use dset_core::rate::Bounds;
use dset_core::rate::outage::OutageBackoff;
use dset_core::rate::sliding_window::{EarlierAsk, MinuteLimits};
use dset_core::run::ask::{Ask, AskId};
use dset_core::run::{
    Effect, Ending, Event, JournalRecord, Machine, Planned, Rules, Seq, StopSignal,
};
use dset_core::time::Time;

use crate::checker::Checker;
use crate::commits::Commits;
use crate::disk::{Message, Stored};
use crate::minute::TOKENS;
use crate::money::count;
use crate::pace::WAITS_MS;
use crate::prepare::Prepared;
use crate::schedule::{Disk, ExternalEvent, Reply, ReplyKind};
use crate::script::Script;
use crate::world::{Excuse, World};

/// A life of more events than this is a machine that goes round in circles.
const EVENTS_MAX: u64 = 200_000;

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Scheduled {
    Event(Box<Event>),
    Reply(AskId),
    /// An abandoned ask comes back; with its reply, if that was there first.
    Abandoned(AskId, bool),
    Committed,
    SyncComes,
    Synced(Disk),
    Rewritten(Disk),
}

/// A life that has come to its end.
pub(crate) struct LifeResult {
    pub(crate) ending: Ending,
    pub(crate) store_failed: bool,
    pub(crate) output_failed: bool,
}

pub(crate) struct Life<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) script: Script<'a>,
    pub(crate) checker: Checker,
    pub(crate) commits: Commits,
    machine: Machine,
    pub(crate) now_ms: u64,
    began_unix_ms: i64,
    /// By time, then in the order they were planned.
    scheduled: BTreeMap<(u64, u64), Scheduled>,
    planned: u64,
    alarm: Option<u64>,
    /// The rewriting of the input that is in flight.
    pub(crate) marking: Option<InputMarks>,
    /// The user has changed the input.
    edited: bool,
    /// Next question to be read, and the first row that is no longer what was planned.
    read: usize,
    read_ended: bool,
    changed_from: Option<usize>,
}

impl<'a> Life<'a> {
    pub(crate) fn new(world: &'a mut World, begin: Prepared, teller: Script<'a>) -> Life<'a> {
        let rules = Rules {
            bounds: Bounds { slots_max: world.start.width, is_trusted: false },
            minute: MinuteLimits { asks: world.start.rpm, tokens: world.start.tpm },
            earlier: world.store.earlier.clone(),
            killed: world.sends.is_unknown(world.unix_ms),
            endpoints: world.start.places(),
            backoff: OutageBackoff {
                retries: 3,
                waits: WAITS_MS.map(Duration::from_millis).into(),
            },
            tries: 1,
            enough: None,
            retry: RetryWith::default(),
            pause_on_error: world.start.pause_on_error,
            limit: teller.fate.limit,
            budget: world.budget(&begin),
            off_peak: None,
            is_shared: false,
            seed: world.start.seed,
        };
        Life {
            checker: Checker::new(world, begin, teller.fate.limit),
            began_unix_ms: world.unix_ms,
            world,
            script: teller,
            commits: Commits::default(),
            machine: Machine::new(rules),
            now_ms: 0,
            scheduled: BTreeMap::new(),
            planned: 0,
            alarm: None,
            marking: None,
            edited: false,
            read: 0,
            read_ended: false,
            changed_from: None,
        }
    }

    /// Lives until the end; no ending where the life was cut short by a crash.
    pub(crate) fn run(mut self) -> Option<LifeResult> {
        let mut effects = Vec::new();
        let mut plan = self.checker.begin.plan.summary();
        plan.answered_before = self.checker.begin.answered_before;
        let mut event = Some(Event::Started(plan));
        for _ in 0..EVENTS_MAX {
            if let Some(event) = event.take() {
                if let Some(ending) = self.handle(event, &mut effects) {
                    return Some(self.end(ending));
                }
                let rows = self.world.rows.len();
                match self.script.happening(self.now_ms, rows) {
                    Some(ExternalEvent::Crash(crash)) => {
                        self.crash(crash);
                        return None;
                    }
                    Some(happening) => self.happen(happening),
                    None => {}
                }
            }
            event = self.next();
        }
        panic!("a life comes to its end");
    }

    fn handle(&mut self, event: Event, effects: &mut Vec<Effect>) -> Option<Ending> {
        self.world.totals.events += 1;
        let now = self.now();
        self.world.totals.trace.event(now, &event);
        self.world.show(format_args!("{:>9} {event:?}", now.monotonic_ms));
        let owed = self.checker.observe(self.now_ms, &event);
        self.world.sends.observe(self.world.unix_ms, &event);
        self.machine.handle(now, event, effects);
        for effect in &*effects {
            self.world.totals.trace.effect(effect);
            self.world.show(format_args!("          -> {effect:?}"));
        }
        self.checker.check_owed(&owed, effects);
        let mut ending = None;
        for effect in effects.drain(..) {
            assert!(ending.is_none(), "nothing follows the end");
            ending = self.perform(effect);
        }
        self.checker.check(self.now_ms, self.machine.ledger());
        if let Some(limit) = self.world.start.limit {
            self.world.books.check(limit);
        }
        ending
    }

    fn now(&self) -> Time {
        Time { monotonic_ms: self.now_ms, unix_ms: self.began_unix_ms + self.now_ms as i64 }
    }

    pub(crate) fn after(&mut self, ms: u64, coming: Scheduled) {
        self.planned += 1;
        self.scheduled.insert((self.now_ms + ms, self.planned), coming);
    }

    pub(crate) fn event_after(&mut self, ms: u64, event: Event) {
        self.after(ms, Scheduled::Event(Box::new(event)));
    }

    /// Lets time pass until the next thing happens.
    fn next(&mut self) -> Option<Event> {
        let first = self.scheduled.first_key_value().map(|(&(at, _), _)| at);
        if let Some(alarm) = self.alarm.filter(|alarm| first.is_none_or(|first| *alarm <= first)) {
            self.alarm = None;
            self.pass(alarm);
            return Some(Event::TimerFired);
        }
        let ((at, _), coming) = self.scheduled.pop_first().expect("a life waits for something");
        self.pass(at);
        match coming {
            Scheduled::Event(event) => return Some(*event),
            Scheduled::Reply(ask) => return self.replied(ask),
            Scheduled::Abandoned(ask, true) => return self.replied(ask),
            Scheduled::Abandoned(ask, false) => return self.abandoned(ask),
            Scheduled::Committed => self.committed(),
            Scheduled::SyncComes => self.sync_comes(),
            Scheduled::Synced(disk) => self.synced_outputs(disk),
            Scheduled::Rewritten(disk) => return Some(self.rewritten(disk)),
        }
        None
    }

    /// The reply to an ask, unless that has come back already.
    fn replied(&mut self, ask: AskId) -> Option<Event> {
        let flight = self.checker.flights.get(&ask)?;
        let (what, took) = (flight.what, self.now_ms - flight.sent_ms);
        let mut reading = reading(what, self.checker.begin.max_tokens);
        if self.world.start.limit.is_some() {
            self.world.books.came_after(ask, took);
            count(&mut reading, what, self.world.books.usage(ask, what));
        }
        Some(Event::Replied { ask, reading, limits: None, verdicts: None })
    }

    /// An ask that is dropped; the service may have made its answer all the same.
    fn abandoned(&mut self, ask: AskId) -> Option<Event> {
        let flight = self.checker.flights.get(&ask)?;
        if let Some(request) = self.checker.paid(flight) {
            self.world.excuse(request, Excuse::Abandoned);
        }
        Some(Event::Abandoned { ask })
    }

    fn pass(&mut self, until_ms: u64) {
        self.now_ms = self.now_ms.max(until_ms);
        self.world.unix_ms = self.began_unix_ms + self.now_ms as i64;
    }

    fn happen(&mut self, happening: ExternalEvent) {
        self.world.show(format_args!("   {happening:?}"));
        match happening {
            ExternalEvent::Interrupt => self.event_after(0, Event::Stopped(StopSignal::Interrupt)),
            ExternalEvent::Terminate => self.event_after(0, Event::Stopped(StopSignal::Terminate)),
            ExternalEvent::Hold { ms } => {
                self.event_after(0, Event::PauseRequested);
                self.event_after(ms, Event::ResumeRequested);
            }
            ExternalEvent::Clock { ms } => {
                self.began_unix_ms += ms;
                self.world.unix_ms += ms;
                self.world.sends.clock_moved();
            }
            ExternalEvent::Edit(edit) => {
                self.edited = true;
                if let Some(from) = self.world.edit(&edit) {
                    let known = self.changed_from.get_or_insert(from);
                    *known = from.min(*known);
                }
            }
            ExternalEvent::Crash(_) => unreachable!("a crash ends the life"),
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Ending> {
        match effect {
            Effect::Read { count } => self.reads(count),
            Effect::Ask(ask) => self.ask(&ask),
            Effect::Abandon(ask) => {
                self.checker.abandon(self.now_ms, ask);
                let came_first = self.script.abandon();
                self.after(0, Scheduled::Abandoned(ask, came_first));
            }
            Effect::Record(seq, record) => {
                self.checker.record(seq, &record);
                let message = self.message(seq, record);
                self.enqueue(message);
            }
            Effect::Emit { upto, questions } => {
                questions.iter().for_each(|&index| self.checker.place(index));
                let keys = questions.iter().map(|&index| self.key_of(index)).collect();
                self.enqueue(Message::Order { upto, keys });
            }
            Effect::SetTimer(at) => {
                assert!(at.monotonic_ms > self.now_ms, "an alarm is in the future");
                self.alarm = Some(at.monotonic_ms);
            }
            Effect::Mark(marks) => {
                self.checker.mark(self.now_ms, &marks, &self.world.store);
                assert!(self.marking.is_none(), "one rewriting at a time");
                let disk = self.script.mark();
                self.marking = Some(marks);
                self.after(disk.ms, Scheduled::Rewritten(disk));
            }
            Effect::Flush => self.enqueue(Message::Flush),
            Effect::Show(notice) => self.checker.notice(self.now_ms, &notice),
            Effect::Finish(ending) => return Some(*ending),
        }
        None
    }

    fn ask(&mut self, ask: &Ask) {
        self.world.totals.asks += 1;
        let Reply { ms, what } = self.script.reply(ask.question.key.0[0], self.now_ms);
        self.checker.ask(self.now_ms, ask, what, &self.world.store);
        self.world.sends.ask(self.world.unix_ms, &self.world.start);
        let request = self.checker.begin.requests[ask.question.index as usize].clone();
        if matches!(what, ReplyKind::Answer | ReplyKind::Lost | ReplyKind::Cut) {
            self.world.bills.entry(request.clone()).or_default().bought += 1;
        }
        if what == ReplyKind::Lost {
            self.world.excuse(request, Excuse::LostOnTheWire);
        }
        if self.world.start.limit.is_some() {
            let of = (self.world.start.seed, self.world.totals.lives);
            let when = (self.world.unix_ms, ms);
            let output_max = self.checker.begin.output_max();
            self.world.books.ask(of, (ask.id, &ask.question), what, output_max, when);
        }
        self.after(ms, Scheduled::Reply(ask.id));
    }

    fn message(&mut self, seq: Seq, record: JournalRecord) -> Message {
        match record {
            JournalRecord::Answered {
                question,
                sent_at,
                at,
                answer,
                completes_row,
                cost_most,
                ..
            } => {
                self.world.answers_count += 1;
                let stored = Stored {
                    id: self.world.answers_count,
                    request: self.checker.begin.requests[question.index as usize].clone(),
                    question: question.id.hash(),
                    ending: question.failure_key,
                    completes_row,
                    settings: self.checker.begin.settings[usize::from(question.model)],
                    earlier: earlier(sent_at, at, Some(answer.usage)),
                    cost: self.cost(&question, Some(answer.usage), cost_most, at),
                };
                Message::Answer(seq, question.key, stored)
            }
            JournalRecord::AnswerCame { .. } => {
                unreachable!("nothing judges answers of this world")
            }
            JournalRecord::Failed { question, sent_at, at, failure, cost_most, .. } => {
                let usage = failure.partial.map(|partial| partial.usage);
                let cost = self.cost(&question, usage, cost_most, at);
                Message::Attempt(seq, earlier(sent_at, at, usage), cost)
            }
            JournalRecord::BoundDeclared { bound, unsure, is_last } => {
                let said = SessionCost { bound, unsure, has_ended: is_last, ..Default::default() };
                Message::Bound(seq, self.world.store.lives, said)
            }
            JournalRecord::Ended { question, cause, cut_at_tokens, .. } => {
                let reached = || cut_at_tokens.expect("a cut answer was counted");
                let cut = (cause == Cause::LengthLimit)
                    .then(|| (self.checker.begin.max_tokens, reached()));
                Message::Ended(seq, question.failure_key, cut)
            }
            JournalRecord::RowMarked { id } => Message::Bookmarked(seq, id.hash()),
        }
    }

    /// The key under which the answer of a question is stored, be it of these settings or others.
    fn key_of(&self, index: QuestionIndex) -> Key {
        let begin = &self.checker.begin;
        let unplaced = begin.plan.unplaced.iter().find(|(at, _)| *at == index);
        let Some((_, id)) = unplaced else { return begin.questions[index as usize].key };
        let stored = self.world.store.answers.iter().find(|(_, stored)| stored.id == *id);
        *stored.expect("what waits for its place is in the store").0
    }

    fn rewritten(&mut self, disk: Disk) -> Event {
        let marks = self.marking.take().expect("a rewriting is on its way");
        if disk.fails {
            return Event::MarkFailed;
        }
        self.world.mark(&marks);
        self.enqueue(Message::Marked(marks.question_hashes()));
        Event::Marked { took: Duration::from_millis(disk.ms) }
    }

    fn reads(&mut self, count: usize) {
        let mut questions = Vec::new();
        let mut end = None;
        if self.read_ended {
            return;
        }
        while questions.len() < count {
            let left = self.checker.begin.plan.states[self.read..].contains(&Planned::Pending);
            if !left {
                end = Some(Event::QuestionsEnd);
                break;
            }
            if self.changed_from.is_some_and(|from| self.checker.begin.places[self.read] >= from) {
                end = Some(Event::QuestionsChanged { row_number: None });
                break;
            }
            if self.checker.begin.plan.states[self.read] == Planned::Pending {
                questions.push(self.checker.begin.questions[self.read].clone());
            }
            self.read += 1;
        }
        if !questions.is_empty() || end.is_none() {
            self.event_after(0, Event::Questions(questions));
        }
        if let Some(end) = end {
            self.read_ended = true;
            self.event_after(0, end);
        }
    }

    /// What must hold once the run is over.
    fn end(mut self, ending: Ending) -> LifeResult {
        assert!(self.marking.is_none(), "no rewriting is on its way");
        self.finish_commits();
        self.checker.check_ending(&ending);
        let Commits { store_failed, output_failed, .. } = self.commits;
        self.world.check_budget(&ending, self.checker.begin.output_max());
        if !store_failed && !output_failed && !self.checker.stop_now {
            self.checker.check_placed(self.world);
        }
        if !store_failed && !self.checker.mark_failed && !self.edited {
            self.checker.check_statuses(self.world);
        }
        LifeResult { ending, store_failed, output_failed }
    }
}

impl Drop for Life<'_> {
    /// Keeps the faults as they were drawn, also where a check has failed.
    fn drop(&mut self) {
        let fate = std::mem::take(&mut self.script.fate);
        *self.world.lives.last_mut().expect("this life was begun") = fate;
    }
}

/// What the store remembers of an ask for the user's limits a minute.
fn earlier(sent_at: Time, at: Time, usage: Option<Usage>) -> EarlierAsk {
    let took = at.since(sent_at).as_millis() as i64;
    let tokens = usage.and_then(|usage| Some(usage.input.unwrap_or(0) + usage.output?));
    EarlierAsk { sent_unix_ms: at.unix_ms - took, back_unix_ms: at.unix_ms, tokens }
}

/// What a reply means to the machine.
fn reading(what: ReplyKind, max_tokens: Option<u64>) -> ParsedReply {
    let usage = Usage { output: Some(TOKENS), ..Usage::default() };
    let answer =
        || Answer { content: "a".into(), finish_reason: "stop".into(), usage, ..Answer::default() };
    let (class, cause) = match what {
        ReplyKind::Answer => return ParsedReply::Answer(answer()),
        ReplyKind::Lost => (FailureClass::Transient, Cause::CutOff),
        ReplyKind::Transient => (FailureClass::Transient, Cause::ServerError),
        ReplyKind::Throttled { wait_s, width } => (
            FailureClass::Throttled { wait: wait_s.map(Duration::from_secs), width },
            Cause::RateLimited,
        ),
        ReplyKind::Cut => (FailureClass::CutByLength, Cause::LengthLimit),
        ReplyKind::Moderated => (FailureClass::Refused(Refusal::Moderation), Cause::ContentFilter),
        ReplyKind::TooLong => (FailureClass::Refused(Refusal::Question), Cause::TooLongForModel),
        ReplyKind::Refused => (FailureClass::Refused(Refusal::Request), Cause::Refused),
        ReplyKind::WrongSettings => {
            (FailureClass::Refused(Refusal::Settings), Cause::WrongSettings)
        }
        ReplyKind::Forbidden => (FailureClass::Forbidden, Cause::Forbidden),
        ReplyKind::KeyRefused => (FailureClass::KeyRefused, Cause::KeyRefused),
        ReplyKind::OutOfMoney => (FailureClass::OutOfMoney, Cause::OutOfMoney),
    };
    // What a service says is none of dset's words.
    let message = match what {
        ReplyKind::TooLong => "too long",
        ReplyKind::OutOfMoney => "no money",
        _ => cause.code(),
    };
    let reached = Usage { output: Some(max_tokens.unwrap_or(4_096)), ..Usage::default() };
    let partial = (what == ReplyKind::Cut).then(|| Box::new(Answer { usage: reached, ..answer() }));
    ParsedReply::Failure(Failure {
        class,
        cause,
        status: None,
        message: message.to_owned(),
        wait: None,
        request_id: None,
        partial,
    })
}
