mod budget;
mod off_peak;
mod outage;
mod places;
mod prefixes;
mod shared;
mod stall;
mod suspects;
mod throttled;
mod tries;
mod wishes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::*;
use crate::answer::{Answer, Cause, Failure, FailureClass, ParsedReply, Refusal};
use crate::item::error_marks::InputMarks;
use crate::item::question::{Key, QuestionId};
use crate::item::question::{Question, QuestionIndex};
use crate::run::ask::AskId;

/// A machine with its clock; whatever it wants of files and disks is done at once.
struct Bench {
    machine: Machine,
    now_ms: u64,
    coming: VecDeque<Event>,
    /// Commits fail from now on.
    disk_fails: bool,
    /// Commits take until they are let through.
    disk_waits: bool,
    /// The last record that waits for that.
    unsynced: Option<Seq>,
    /// Asks on their way, oldest first: the ask and its question.
    asks: Vec<(AskId, QuestionIndex)>,
    /// Which endpoint each ask went to.
    endpoints: BTreeMap<AskId, u16>,
    marked: Vec<QuestionId>,
    cleared: Vec<QuestionId>,
    emitted: Vec<QuestionIndex>,
    told: Vec<String>,
    ending: Option<Ending>,
    count: u32,
    /// So many of the questions are answers to one row.
    per_row: u32,
    /// The questions are for these in turn.
    models: u32,
    read: u32,
    /// How often questions were read.
    reads: u32,
    /// The beginnings of their prompts.
    prefixes: fn(QuestionIndex) -> Option<Arc<[u64]>>,
    /// So many of the first questions failed in an earlier run.
    failed_before: QuestionIndex,
    /// The models have answered these settings in an earlier run.
    answered_before: bool,
    /// How many asks were sent.
    sent: u32,
    alarm: Option<Time>,
}

fn question(index: u32) -> Question {
    let id = QuestionId { text_hash: u64::from(index), ordinal: 0 };
    let (text, key) = (Arc::from(format!("q{index}")), Key([index as u8; 16]));
    Question::new(index, u64::from(index) + 2, text, key, id)
}

fn rules(width: u32) -> Rules {
    let waits = [60, 120, 240].map(Duration::from_secs).to_vec();
    let backoff = OutageBackoff { retries: 3, waits };
    Rules {
        bounds: Bounds { slots_max: width, is_trusted: false },
        minute: MinuteLimits::default(),
        earlier: Vec::new(),
        killed: false,
        endpoints: vec![EndpointSpec { model: 0, endpoint: 0, limits: None }],
        backoff,
        tries: 3,
        enough: None,
        retry: RetryWith::default(),
        pause_on_error: false,
        limit: None,
        budget: None,
        off_peak: None,
        is_shared: false,
        seed: 1,
    }
}

fn failure(class: FailureClass) -> ParsedReply {
    failure_saying(class, "no")
}

fn failure_saying(class: FailureClass, message: &str) -> ParsedReply {
    let message = message.to_owned();
    let (cause, status) = (Cause::ServerError, Some(500));
    ParsedReply::Failure(Failure {
        class,
        cause,
        status,
        message,
        wait: None,
        request_id: None,
        partial: None,
    })
}

fn answer() -> ParsedReply {
    ParsedReply::Answer(Answer { content: "a".into(), ..Answer::default() })
}

const REFUSED: FailureClass = FailureClass::Refused(Refusal::Request);

impl Bench {
    fn new(rules: Rules, count: u32) -> Bench {
        Bench::with_marks(rules, count, InputMarks::default())
    }

    /// A run whose input lacks these marks.
    fn with_marks(rules: Rules, count: u32, marks: InputMarks) -> Bench {
        let mut bench = Bench::idle(rules, count);
        bench.start(1, marks);
        bench
    }

    fn idle(rules: Rules, count: u32) -> Bench {
        Bench {
            machine: Machine::new(rules),
            now_ms: 0,
            coming: VecDeque::new(),
            disk_fails: false,
            disk_waits: false,
            unsynced: None,
            asks: Vec::new(),
            endpoints: BTreeMap::new(),
            marked: Vec::new(),
            cleared: Vec::new(),
            emitted: Vec::new(),
            told: Vec::new(),
            ending: None,
            count,
            per_row: 1,
            models: 1,
            read: 0,
            reads: 0,
            prefixes: |_| None,
            failed_before: 0,
            answered_before: false,
            sent: 0,
            alarm: None,
        }
    }

    fn start(&mut self, per_row: u32, marks: InputMarks) {
        self.per_row = per_row;
        let states = vec![Planned::Pending; self.count as usize];
        self.event(Event::Started(PlanSummary {
            states,
            per_row,
            marks,
            answered_before: self.answered_before,
            ..PlanSummary::default()
        }));
    }

    /// Tells the machine, and does what it wants until it wants nothing more.
    fn event(&mut self, event: Event) {
        self.coming.push_back(event);
        while let Some(event) = self.coming.pop_front() {
            let now = Time { monotonic_ms: self.now_ms, unix_ms: self.now_ms as i64 };
            let mut effects = Vec::new();
            self.machine.handle(now, event, &mut effects);
            effects.into_iter().for_each(|effect| self.perform(effect));
        }
    }

    fn perform(&mut self, effect: Effect) {
        if let Effect::Record(_, record) = &effect {
            self.says_where(record);
        }
        match effect {
            Effect::Read { count } => {
                let to = self.count.min(self.read + count as u32);
                let of_row = |index| Question {
                    id: question(index / self.per_row).id,
                    model: (index % self.models) as u16,
                    prefixes: (self.prefixes)(index),
                    has_failed: index < self.failed_before,
                    ..question(index)
                };
                let questions = (self.read..to).map(of_row).collect();
                (self.read, self.reads) = (to, self.reads + 1);
                self.coming.push_back(Event::Questions(questions));
                if to == self.count {
                    self.coming.push_back(Event::QuestionsEnd);
                }
            }
            Effect::Ask(ask) => {
                self.sent += 1;
                self.endpoints.insert(ask.id, ask.endpoint);
                self.asks.push((ask.id, ask.question.index));
            }
            Effect::Abandon(ask) => {
                self.asks.retain(|(id, _)| *id != ask);
                self.coming.push_back(Event::Abandoned { ask });
            }
            Effect::Record(upto, _) if self.disk_fails => {
                self.coming.push_back(Event::SyncFailed { upto });
            }
            Effect::Record(upto, _) if self.disk_waits => self.unsynced = Some(upto),
            Effect::Record(upto, _) => self.coming.push_back(Event::Synced { upto }),
            Effect::Emit { upto, questions } => {
                self.emitted.extend(questions);
                self.coming.push_back(Event::Emitted { upto });
            }
            Effect::SetTimer(at) => self.alarm = Some(at),
            Effect::Mark(marks) => {
                self.marked.extend(marks.set);
                self.cleared.extend(marks.clear);
                self.coming.push_back(Event::Marked { took: Duration::ZERO });
            }
            Effect::Show(notice) => {
                let notice = format!("{notice:?}");
                self.told.push(notice.split([' ', '{']).next().unwrap().to_owned());
            }
            Effect::Finish(ending) => self.ending = Some(*ending),
            Effect::Flush => {}
        }
    }

    /// Answers the ask for this question.
    fn reply(&mut self, question: QuestionIndex, reading: ParsedReply) {
        let at = self.asks.iter().position(|(_, index)| *index == question);
        let (ask, _) = self.asks.remove(at.expect("the question is on its way"));
        self.event(Event::Replied { ask, reading, limits: None, verdicts: None });
    }

    fn on_their_way(&self) -> Vec<QuestionIndex> {
        self.asks.iter().map(|(_, index)| *index).collect()
    }

    /// Answers the oldest ask, or sleeps where there is none, until the run ends.
    fn run_out(&mut self, mut reading: impl FnMut(QuestionIndex) -> ParsedReply) {
        while self.ending.is_none() {
            match self.on_their_way().first() {
                Some(&question) => self.reply(question, reading(question)),
                None => drop(self.sleep()),
            }
        }
    }

    /// Sleeps until the alarm; returns how long that was, in seconds.
    fn sleep(&mut self) -> f64 {
        let at = self.alarm.take().expect("there is an alarm").monotonic_ms;
        let slept = at - self.now_ms;
        self.now_ms = at;
        self.event(Event::TimerFired);
        slept as f64 / 1000.0
    }

    fn why(&self) -> &EndReason {
        &self.ending.as_ref().expect("the run has ended").reason
    }

    fn marked_rows(&self) -> Vec<u64> {
        self.marked.iter().map(|id| id.text_hash + 2).collect()
    }
}

#[test]
fn questions_are_read_by_half_a_width_and_no_slot_waits_for_one() {
    let mut bench = Bench::new(rules(16), 2_000);
    while bench.sent < 2_000 {
        assert_eq!(bench.asks.len(), 16);
        let question = bench.on_their_way()[0];
        bench.reply(question, answer());
    }
    assert!(bench.reads <= 2_000 / 8, "{}", bench.reads);
}

#[test]
fn an_outage_waits_1_2_and_4_minutes_marks_one_row_and_the_next_run_completes() {
    let mut bench = Bench::new(rules(1), 3);
    bench.reply(0, answer());
    let mut waits = Vec::new();
    bench.reply(1, failure(FailureClass::Transient));
    while waits.len() < 3 {
        let now = Time { monotonic_ms: bench.now_ms, unix_ms: 0 };
        let outage = bench.machine.snapshot(now).outage.expect("an outage is shown");
        assert_eq!((outage.retry as usize, outage.of), (waits.len() + 1, 3));
        waits.push(bench.sleep());
        bench.reply(1, failure(FailureClass::Transient));
    }
    bench.reply(2, failure(FailureClass::Transient));
    assert_eq!(waits, [60.0, 120.0, 240.0]);
    assert!(matches!(bench.why(), EndReason::Unreachable(_)));
    assert_eq!(bench.marked_rows(), [3]);
    assert_eq!(bench.ending.unwrap().ledger.pending, 2);
}

#[test]
fn an_outage_with_many_at_once_is_probed_lightly_for_a_minute_and_then_by_the_schedule() {
    let mut bench = Bench::new(rules(8), 20);
    while let Some(&question) = bench.on_their_way().first() {
        bench.reply(question, failure(FailureClass::Transient));
    }
    assert!(bench.told.contains(&"OutageBegan".to_owned()), "and everything waits");
    let began_ms = bench.now_ms;
    let (mut at, mut probed) = (Vec::new(), Vec::new());
    while !bench.told.contains(&"OutageCrossCheck".to_owned()) {
        bench.sleep();
        at.push((bench.now_ms - began_ms) / 100);
        probed.extend(bench.on_their_way());
        let probe = bench.on_their_way()[0];
        bench.reply(probe, failure(FailureClass::Transient));
    }
    assert_eq!(at, [20, 52, 103, 185, 316, 525, 600, 1800, 4200]);
    let last = bench.on_their_way();
    assert!(last.len() == 1 && !probed.contains(&last[0]), "{last:?}");
    bench.reply(last[0], failure(FailureClass::Transient));
    assert_eq!(probed.len(), 9, "one at a time");
    assert!(probed.windows(2).all(|pair| pair[1] == pair[0] + 1), "each further is the next");
    assert_eq!(bench.told.iter().filter(|notice| *notice == "OutageRetry").count(), 3);
    assert_eq!(bench.marked_rows(), [2], "the earliest unfinished row");
}

#[test]
fn a_light_probe_that_hangs_holds_up_no_retry() {
    let mut bench = Bench::new(rules(8), 20);
    while let Some(&question) = bench.on_their_way().first() {
        bench.reply(question, failure(FailureClass::Transient));
    }
    assert_eq!(bench.sleep(), 2.0);
    let hanging = bench.on_their_way()[0];
    assert_eq!(bench.sleep(), 58.0);
    let probes = bench.on_their_way();
    assert_eq!(probes, [hanging, hanging + 1]);
    bench.reply(hanging + 1, failure(FailureClass::Transient));
    assert_eq!(bench.sleep(), 120.0);
}

#[test]
fn an_ask_of_which_nothing_comes_is_dropped_and_tried_again_and_a_slow_one_is_waited_for() {
    let mut bench = Bench::new(rules(8), 150);
    let (hung, slow) = (bench.asks[0], bench.asks[1]);
    bench.event(Event::Progressed { ask: slow.0, tokens: 0 });
    for question in 2..150 {
        bench.now_ms += 100;
        bench.reply(question, answer());
    }
    while bench.told.iter().filter(|notice| *notice == "Retrying").count() == 0 {
        bench.sleep();
        assert!(bench.now_ms < 80_000, "the hung ask is dropped");
    }
    let way = bench.on_their_way();
    assert!(way.contains(&slow.1) && !way.contains(&hung.1), "{way:?}");
}

#[test]
fn a_slow_question_is_dropped_once_at_most_and_then_waited_for() {
    let mut bench = Bench::new(rules(8), 400);
    let (first, slow) = bench.asks[0];
    for question in 1..150 {
        bench.now_ms += 100;
        bench.reply(question, answer());
    }
    let way = |bench: &Bench| bench.asks.iter().find(|(_, index)| *index == slow).copied();
    while way(&bench).is_none_or(|(ask, _)| ask == first) {
        bench.sleep();
    }
    let again = way(&bench);
    for question in 150..300 {
        bench.now_ms += 1_000;
        bench.event(Event::TimerFired);
        if bench.on_their_way().contains(&question) {
            bench.reply(question, answer());
        }
    }
    assert_eq!(way(&bench), again, "the second is waited for");
}

#[test]
fn a_wait_that_another_run_was_told_of_is_kept_too() {
    let mut bench = Bench::new(rules(1), 2);
    let until = Time { monotonic_ms: 30_000, unix_ms: 30_000 };
    bench.event(Event::PeerThrottled { endpoint: 0, until });
    bench.reply(0, answer());
    assert!(bench.on_their_way().is_empty());
    assert_eq!(bench.sleep(), 30.0);
    assert_eq!(bench.on_their_way(), [1]);
}

#[test]
fn a_limit_a_minute_is_kept_for_probes_and_retries_too() {
    let minute = MinuteLimits { asks: Some(2), tokens: None };
    let mut bench = Bench::new(Rules { minute, ..rules(1) }, 9);
    let (mut sent, mut bound) = (Vec::new(), Vec::new());
    while bench.ending.is_none() {
        let Some(&question) = bench.on_their_way().first() else {
            let now = Time { monotonic_ms: bench.now_ms, unix_ms: 0 };
            let snapshot = bench.machine.snapshot(now);
            if snapshot.outage.is_none() {
                bound.push(snapshot.rate_bound);
                bound.dedup();
            }
            bench.sleep();
            continue;
        };
        sent.push(bench.now_ms);
        let fails = sent.len() == 2 || sent.len() == 5;
        bench.reply(question, if fails { failure(FailureClass::Transient) } else { answer() });
    }
    assert!(sent.len() > 9, "{sent:?}");
    assert_eq!(bound, [Some(RateBound::User)], "whoever watches hears why nothing is asked");
    assert!(sent.windows(3).all(|three| three[2] - three[0] >= 60_000), "{sent:?}");
}

#[test]
fn any_success_ends_an_outage_and_all_resume() {
    let mut bench = Bench::new(rules(8), 20);
    for question in 0..7 {
        bench.reply(question, failure(FailureClass::Transient));
    }
    assert!(bench.told.contains(&"OutageBegan".to_owned()));
    bench.reply(7, answer());
    assert!(bench.told.contains(&"OutageEnded".to_owned()));
    assert_eq!(bench.on_their_way().len(), 8);
}

#[test]
fn a_question_that_fails_while_others_succeed_is_given_up_after_eight_retries() {
    let mut bench = Bench::new(rules(2), 40);
    let mut tries = 0;
    while !bench.told.contains(&"Ended".to_owned()) {
        let next = bench.on_their_way();
        for question in next {
            match question {
                0 => {
                    tries += 1;
                    bench.reply(0, failure(FailureClass::Transient));
                }
                other => bench.reply(other, answer()),
            }
        }
        if bench.on_their_way().is_empty() && bench.ending.is_none() {
            bench.sleep();
        } else {
            bench.now_ms += 30_000;
            bench.event(Event::TimerFired);
        }
    }
    assert_eq!(tries, 9);
    assert_eq!(bench.marked_rows(), [2]);
    assert_eq!(bench.emitted, (1..bench.emitted.len() as u32 + 1).collect::<Vec<_>>());
}

#[test]
fn a_key_that_is_refused_stops_at_once_and_what_is_on_its_way_is_waited_for() {
    let mut bench = Bench::new(rules(8), 20);
    bench.reply(3, failure(FailureClass::KeyRefused));
    assert_eq!(bench.on_their_way(), [0, 1, 2, 4, 5, 6, 7], "another key may have paid for these");
    bench.run_out(|question| match question {
        4 => answer(),
        _ => failure(FailureClass::KeyRefused),
    });
    assert!(matches!(bench.why(), EndReason::KeyRefused(_)));
    assert_eq!((bench.emitted.clone(), bench.marked_rows()), (vec![4], vec![]));
    assert_eq!(bench.ending.unwrap().dropped, 0);
}

#[test]
fn without_money_what_is_on_its_way_is_waited_for() {
    let mut bench = Bench::new(rules(3), 20);
    bench.reply(0, failure(FailureClass::OutOfMoney));
    assert_eq!(bench.on_their_way(), [1, 2], "nothing new is asked");
    bench.reply(1, answer());
    bench.reply(2, answer());
    assert!(matches!(bench.why(), EndReason::OutOfMoney(_)));
    assert_eq!(bench.emitted, [1, 2], "what was paid for is in the outputs");
}

#[test]
fn rows_come_out_in_the_order_of_the_file() {
    let mut bench = Bench::new(rules(4), 4);
    bench.reply(2, answer());
    bench.reply(1, answer());
    assert!(bench.emitted.is_empty(), "an earlier question may still be answered");
    bench.reply(0, answer());
    bench.reply(3, answer());
    assert_eq!(bench.emitted, [0, 1, 2, 3]);
    assert!(matches!(bench.why(), EndReason::Complete));
}

#[test]
fn ctrl_c_waits_for_what_is_paid_for_and_twice_does_not() {
    let mut bench = Bench::new(rules(3), 9);
    bench.event(Event::Stopped(StopSignal::Interrupt));
    assert_eq!(bench.on_their_way(), [0, 1, 2]);
    bench.reply(1, answer());
    bench.event(Event::Stopped(StopSignal::Interrupt));
    let ending = bench.ending.as_ref().expect("the second time ends it");
    assert_eq!((ending.dropped, ending.ledger.answered), (2, 1));
    assert!(bench.emitted.is_empty(), "the row waits for its place in the next run");
    assert_eq!(ending.unplaced, 1);

    let mut bench = Bench::new(rules(1), 2);
    bench.reply(0, failure(FailureClass::Transient));
    bench.event(Event::Stopped(StopSignal::Interrupt));
    assert!(bench.ending.is_some(), "with nothing on its way the first leaves at once");

    let mut bench = Bench::new(rules(1), 1);
    bench.event(Event::Stopped(StopSignal::Terminate));
    bench.reply(0, answer());
    assert!(matches!(bench.why(), EndReason::Complete), "the last answer was waited for");
    assert!(bench.ending.is_some_and(|ending| ending.was_stopped));
}

#[test]
fn a_second_sigterm_stops_now_and_one_behind_ctrl_c_does_not() {
    let mut bench = Bench::new(rules(2), 9);
    bench.event(Event::Stopped(StopSignal::Terminate));
    assert!(bench.ending.is_none());
    bench.event(Event::Stopped(StopSignal::Terminate));
    assert_eq!(bench.ending.as_ref().expect("the second ends it").dropped, 2);

    let mut bench = Bench::new(rules(2), 9);
    bench.event(Event::Stopped(StopSignal::Interrupt));
    bench.event(Event::Stopped(StopSignal::Terminate));
    assert!(bench.ending.is_none(), "it is waited for as long as behind a first");
    bench.event(Event::Stopped(StopSignal::Terminate));
    assert!(bench.ending.is_some());
}

#[test]
fn sigterm_waits_twenty_seconds() {
    let mut bench = Bench::new(rules(2), 9);
    bench.event(Event::Stopped(StopSignal::Terminate));
    assert!(bench.ending.is_none());
    bench.reply(1, answer());
    assert_eq!(bench.sleep(), 20.0);
    assert!(matches!(bench.why(), EndReason::Stopped(StopSignal::Terminate)));
    assert_eq!(bench.emitted, [1], "what was paid for is in the outputs all the same");
}

#[test]
fn a_wait_that_is_asked_for_is_kept_and_one_that_is_too_long_ends_the_run() {
    let throttled =
        |seconds| FailureClass::Throttled { wait: Some(Duration::from_secs(seconds)), width: None };
    let mut bench = Bench::new(rules(1), 2);
    bench.reply(0, failure(throttled(90)));
    assert_eq!(bench.sleep(), 90.0);
    assert_eq!(bench.on_their_way(), [0]);
    bench.reply(0, failure(throttled(601)));
    assert!(matches!(bench.why(), EndReason::RetryAfterTooLong(..)));
    assert!(bench.marked.is_empty());
}

#[test]
fn a_wait_that_is_asked_for_in_an_outage_is_kept_too() {
    let throttled = FailureClass::Throttled { wait: Some(Duration::from_secs(300)), width: None };
    let mut bench = Bench::new(rules(1), 2);
    bench.reply(0, failure(FailureClass::Transient));
    assert_eq!(bench.sleep(), 60.0);
    bench.reply(0, failure(throttled));
    assert_eq!(bench.sleep(), 300.0, "longer than the two minutes of the schedule");
    assert_eq!(bench.on_their_way(), [0]);
}

#[test]
fn no_mark_follows_from_a_record_that_failed() {
    let mut bench = Bench::new(rules(2), 2);
    bench.disk_fails = true;
    bench.reply(0, failure(FailureClass::Refused(Refusal::Moderation)));
    assert!(bench.ending.is_none(), "what is on its way is waited for");
    bench.reply(1, answer());
    assert!(matches!(bench.why(), EndReason::StoreFailed));
    assert!(bench.marked.is_empty());
}

#[test]
fn a_mark_that_an_earlier_run_could_not_write_goes_when_its_row_is_answered() {
    let id = question(0).id;
    let late = InputMarks { set: [id].into(), ..InputMarks::default() };
    let mut bench = Bench::with_marks(rules(1), 1, late);
    assert_eq!(bench.marked, [id], "written at the start, after the row was read");
    bench.reply(0, answer());
    assert!(matches!(bench.why(), EndReason::Complete));
    assert_eq!(bench.cleared, [id]);
}

#[test]
fn a_limit_of_questions_ends_the_run_when_they_are_asked() {
    let mut bench = Bench::new(Rules { limit: Some(2), ..rules(8) }, 9);
    assert_eq!(bench.on_their_way(), [0, 1]);
    bench.reply(0, answer());
    bench.reply(1, answer());
    assert!(matches!(bench.why(), EndReason::Complete));
    assert_eq!(bench.ending.unwrap().ledger.pending, 7);
}

#[test]
fn to_pause_on_an_error_ends_at_the_first_refused_question() {
    let mut bench = Bench::new(Rules { pause_on_error: true, ..rules(1) }, 9);
    bench.reply(0, answer());
    bench.reply(1, failure(REFUSED));
    assert!(matches!(bench.why(), EndReason::Paused));
    assert_eq!(bench.marked_rows(), [3]);
}

#[test]
fn a_retry_that_is_due_while_every_slot_is_taken_sets_no_alarm_in_the_past() {
    let mut bench = Bench::new(rules(3), 9);
    bench.reply(0, answer());
    bench.reply(1, failure(FailureClass::Transient));
    bench.alarm = None;
    bench.now_ms += 100_000;
    bench.event(Event::TimerFired);
    assert_eq!(bench.alarm, None);
    assert_eq!(bench.on_their_way().len(), 3);
}

#[test]
fn a_cut_answer_is_kept_and_marked_and_not_asked_again_in_this_run() {
    let mut bench = Bench::new(rules(1), 1);
    bench.reply(0, failure(FailureClass::CutByLength));
    assert!(matches!(bench.why(), EndReason::Complete));
    assert_eq!(bench.ending.as_ref().unwrap().ledger.rejected, 1);
    assert_eq!(bench.marked_rows(), [2]);
}

#[test]
fn a_row_of_several_answers_says_error_until_every_one_of_them_is_there() {
    let row = QuestionId { text_hash: 0, ordinal: 0 };
    let late = || InputMarks { set: [row].into(), ..InputMarks::default() };
    for (second, cleared) in [(answer(), true), (failure(FailureClass::CutByLength), false)] {
        let mut bench = Bench::idle(rules(1), 2);
        bench.start(2, late());
        bench.reply(0, answer());
        assert!(bench.cleared.is_empty());
        bench.reply(1, second);
        assert_eq!(bench.cleared == [row], cleared);
        assert!(matches!(bench.why(), EndReason::Complete));
    }
}
