//! One life of a run: the machine against a fake clock, service and disk, until it ends or is
//! killed.

use std::collections::BTreeMap;
use std::time::Duration;

use dset_core::answer::{Answer, Failure, FailureClass, Reading, Refusal};
use dset_core::ask::AskId;
use dset_core::machine::{Effect, Ending, Event, Machine, Planned, Record, Rules, Seq, StopSignal};
use dset_core::pace::outage::Backoff;
use dset_core::plan::Plan;
use dset_core::question::{Key, Question, QuestionIndex};
use dset_core::time::Time;

use crate::world::{Durable, World};

/// A life of more events than this is a machine that goes round in circles.
const EVENTS_MAX: u64 = 200_000;

/// Something that will happen.
#[derive(Debug)]
enum Coming {
    Event(Box<Event>),
    Reply(AskId),
    Commit,
    Written { upto: u64 },
}

/// An answer on its way to the disk.
type Unsynced = (Key, Durable, QuestionIndex);

pub(crate) struct Life<'a> {
    world: &'a mut World,
    machine: Machine,
    plan: Plan,
    questions: Vec<Question>,
    now_ms: u64,
    began_unix_ms: i64,
    /// By time, then in the order they were planned.
    coming: BTreeMap<(u64, u64), Coming>,
    planned: u64,
    alarm: Option<u64>,
    flights: BTreeMap<AskId, (Key, Reading)>,
    /// Given to the disk, and not durable yet.
    queue: Vec<(Seq, Option<Unsynced>)>,
    committing: bool,
    disk_failed: bool,
    /// Answers of this life or an earlier one that wait for their place.
    waiting: BTreeMap<QuestionIndex, i64>,
    read: usize,
    out_until_ms: u64,
}

impl<'a> Life<'a> {
    pub(crate) fn new(world: &'a mut World, plan: Plan, questions: Vec<Question>) -> Life<'a> {
        let rules = Rules {
            width: world.width,
            backoff: Backoff { retries: 3, waits: [60, 120, 240].map(Duration::from_secs).into() },
            pause_on_error: false,
            limit: None,
            seed: world.seed,
        };
        let waiting = plan.unplaced.iter().copied().collect();
        Life {
            began_unix_ms: world.unix_ms,
            world,
            machine: Machine::new(rules),
            plan,
            questions,
            now_ms: 0,
            coming: BTreeMap::new(),
            planned: 0,
            alarm: None,
            flights: BTreeMap::new(),
            queue: Vec::new(),
            committing: false,
            disk_failed: false,
            waiting,
            read: 0,
            out_until_ms: 0,
        }
    }

    /// Lives until the end; `None` where the life was cut short by a crash.
    pub(crate) fn run(mut self) -> Option<Ending> {
        let mut effects = Vec::new();
        let mut event = Some(Event::Started(self.plan.summary()));
        for _ in 0..EVENTS_MAX {
            if let Some(event) = event.take() {
                self.world.totals.events += 1;
                let now = self.now();
                self.world.log(format_args!("{:>9} {event:?}", now.monotonic_ms));
                self.machine.handle(now, event, &mut effects);
                self.check();
                for effect in std::mem::take(&mut effects) {
                    self.world.log(format_args!("          -> {effect:?}"));
                    if let Some(ending) = self.perform(effect) {
                        assert!(
                            self.flights.is_empty() && self.queue.is_empty(),
                            "nothing is outstanding"
                        );
                        return Some(ending);
                    }
                }
            }
            if self.world.random.f64() < self.world.trouble.crash {
                self.crash();
                return None;
            }
            if self.world.random.f64() < self.world.trouble.outage {
                self.out_until_ms = self.now_ms + self.world.random.u64(1_000..900_000);
            }
            if self.world.random.f64() < self.world.trouble.stop {
                let terminate = self.world.random.bool();
                let signal = if terminate { StopSignal::Terminate } else { StopSignal::Interrupt };
                event = Some(Event::Stopped(signal));
                continue;
            }
            event = self.next();
        }
        panic!("a life without an end")
    }

    fn now(&self) -> Time {
        let unix_ms = self.began_unix_ms + self.now_ms as i64;
        Time { monotonic_ms: self.now_ms, unix_ms }
    }

    fn after(&mut self, ms: u64, coming: Coming) {
        self.planned += 1;
        self.coming.insert((self.now_ms + ms, self.planned), coming);
    }

    /// Lets time pass until the next thing happens.
    fn next(&mut self) -> Option<Event> {
        let first = self.coming.first_key_value().map(|(&(at, _), _)| at);
        if let Some(alarm) = self.alarm.filter(|alarm| first.is_none_or(|first| *alarm <= first)) {
            self.alarm = None;
            self.now_ms = self.now_ms.max(alarm);
            self.world.unix_ms = self.began_unix_ms + self.now_ms as i64;
            return Some(Event::Woke);
        }
        let ((at, _), coming) = self.coming.pop_first().expect("a life that waits for nothing");
        self.now_ms = at;
        self.world.unix_ms = self.began_unix_ms + self.now_ms as i64;
        match coming {
            Coming::Event(event) => Some(*event),
            Coming::Reply(ask) => {
                let (_, reading) = self.flights.remove(&ask)?;
                Some(Event::Replied { ask, reading })
            }
            Coming::Commit => Some(self.commit()),
            Coming::Written { upto } => Some(Event::Emitted { upto }),
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Ending> {
        match effect {
            Effect::Read { count } => self.reads(count),
            Effect::Ask(ask) => {
                let question = &ask.question;
                let (key, refused) = (question.key, question.key.0[0]);
                assert!(
                    !self.world.answers.contains_key(&key),
                    "a durable answer is asked for again"
                );
                self.world.totals.asks += 1;
                let ms = self.world.random.u64(50..20_000);
                let (reading, ms) = self.reply(key, refused, ms);
                self.flights.insert(ask.id, (key, reading));
                self.after(ms, Coming::Reply(ask.id));
            }
            Effect::Abandon(ask) => {
                // The service may have made the answer all the same.
                if let Some((_, Reading::Answer(_))) = self.flights.remove(&ask) {
                    self.world.excused += 1;
                }
                self.after(0, Coming::Event(Box::new(Event::Abandoned { ask })));
            }
            Effect::Record(seq, record) => {
                let answer = match record {
                    Record::Answered { question, .. } => {
                        self.world.answers_count += 1;
                        let id = self.world.answers_count;
                        let durable = Durable { id, question: question.id.hash() };
                        Some((question.key, durable, question.index))
                    }
                    _ => None,
                };
                self.queue.push((seq, answer));
                if !self.committing {
                    self.committing = true;
                    let ms = self.world.random.u64(1..200);
                    self.after(ms, Coming::Commit);
                }
            }
            Effect::Emit { upto, questions } => {
                for question in questions {
                    let id = self.waiting.remove(&question).expect("emitted before it was durable");
                    assert!(!self.world.order.contains(&id), "a row is written twice");
                    self.world.order.push(id);
                }
                let ms = self.world.random.u64(1..1_000);
                self.after(ms, Coming::Written { upto });
            }
            Effect::WakeAt(at) => self.alarm = Some(at.monotonic_ms),
            Effect::Mark(_) => {
                let took = Duration::from_millis(self.world.random.u64(1..500));
                let event = if self.world.random.u32(..20) == 0 {
                    Event::MarkFailed
                } else {
                    Event::Marked { took }
                };
                self.after(took.as_millis() as u64, Coming::Event(Box::new(event)));
            }
            Effect::Flush | Effect::Show(_) => {}
            Effect::Finish(ending) => return Some(ending),
        }
        None
    }

    fn reads(&mut self, count: usize) {
        let mut questions = Vec::new();
        while questions.len() < count && self.read < self.questions.len() {
            if self.plan.states[self.read] == Planned::Pending {
                questions.push(self.questions[self.read].clone());
            }
            self.read += 1;
        }
        let ended = questions.len() < count;
        self.after(0, Coming::Event(Box::new(Event::Questions(questions))));
        if ended {
            self.after(0, Coming::Event(Box::new(Event::QuestionsEnd)));
        }
    }

    /// Decides what becomes of an ask, and enters it in the service's books.
    fn reply(&mut self, key: Key, lot: u8, ms: u64) -> (Reading, u64) {
        let trouble = self.world.trouble;
        let failure = |class, cause| {
            let message = String::new();
            Reading::Failure(Failure {
                class,
                cause,
                status: None,
                message,
                request_id: None,
                partial: None,
            })
        };
        let mut chance = self.world.random.f64();
        let mut falls = |share: f64| {
            chance -= share;
            chance < 0.0
        };
        if self.now_ms < self.out_until_ms || falls(trouble.transient) {
            return (failure(FailureClass::Transient, "server error"), 20);
        }
        if falls(trouble.lost) {
            // Made, billed, and cut off on its way.
            *self.world.bought.entry(key).or_default() += 1;
            self.world.excused += 1;
            return (failure(FailureClass::Transient, "reply cut off"), ms);
        }
        if falls(trouble.throttled) {
            let wait =
                self.world.random.bool().then(|| Duration::from_secs(self.world.random.u64(..90)));
            return (failure(FailureClass::Throttled { wait, width: None }, "rate limited"), 20);
        }
        if f64::from(lot) / 256.0 < trouble.refused {
            return (failure(FailureClass::Refused(Refusal::Moderation), "content filter"), 20);
        }
        *self.world.bought.entry(key).or_default() += 1;
        let answer =
            Answer { content: "a".into(), finish_reason: "stop".into(), ..Answer::default() };
        (Reading::Answer(answer), ms)
    }

    fn commit(&mut self) -> Event {
        self.committing = false;
        let queue = std::mem::take(&mut self.queue);
        let upto = queue.last().expect("a commit of something").0;
        self.disk_failed |= self.world.random.f64() < self.world.trouble.commit_fails;
        for (_, answer) in queue {
            let Some((key, durable, index)) = answer else { continue };
            let id = durable.id;
            // What a failed commit leaves goes to the rescue file, which the next life takes in.
            let known = self.world.answers.insert(key, durable);
            assert!(known.is_none(), "an answer is stored once");
            if !self.disk_failed {
                self.waiting.insert(index, id);
            }
        }
        if self.disk_failed { Event::SyncFailed { upto } } else { Event::Synced { upto } }
    }

    /// What was not durable is gone; what was on its way may have been answered and paid for.
    fn crash(&mut self) {
        self.world.log(format_args!("crash"));
        let answered =
            self.flights.values().filter(|(_, r)| matches!(r, Reading::Answer(_))).count();
        let unsynced = self.queue.iter().filter(|(_, answer)| answer.is_some()).count();
        assert!(
            answered + unsynced <= self.world.width as usize,
            "a crash costs at most the width"
        );
        self.world.excused += (answered + unsynced) as u64;
    }

    fn check(&self) {
        assert!(self.machine.ledger().balances(), "the ledger balances");
        let unsynced = self.queue.iter().filter(|(_, answer)| answer.is_some()).count();
        let busy = self.flights.len() + unsynced;
        assert!(busy <= self.world.width as usize, "asked + waiting for the disk <= width");
    }
}
