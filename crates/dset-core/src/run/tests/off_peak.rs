//! Runs that ask only while it is cheap, in simulated time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;
use crate::answer::Usage;
use crate::money::{Amount, Asked, Cost, OwnPrice, Price, Prices, Rates, Tariff};

/// 2026-11-30, a Monday, 00:00 UTC.
const MONDAY: i64 = 1_795_996_800_000;
const HOUR: i64 = 3_600_000;
const MODEL: &str = "deepseek-flash";

fn asked() -> Asked<'static> {
    Asked { provider: Some("deepseek"), model: MODEL }
}

/// A run in simulated time against a service that answers at random.
struct Day {
    machine: Machine,
    begins: i64,
    now_ms: u64,
    /// The wall clock is so far ahead of what it would be.
    jump_ms: i64,
    replies: BinaryHeap<Reverse<(u64, AskId, QuestionIndex)>>,
    alarm: Option<Time>,
    total: u32,
    read: u32,
    cost: Amount,
    cheap: Amount,
    /// When asks were sent, on the wall clock.
    sent: Vec<i64>,
    notices: Vec<Notice>,
    ending: Option<Ending>,
    random: u64,
}

fn off_peak(deadline: Option<i64>) -> OffPeakRules {
    OffPeakRules {
        prices: Arc::new(Prices::default()),
        places: vec![(Some("deepseek".into()), MODEL.into())],
        deadline,
        timeout: Duration::from_secs(1_200),
    }
}

#[test]
fn a_run_that_begins_at_peak_waits_unless_it_is_to_be_done_by_then() {
    let at = |hours: i64| MONDAY + hours * HOUR;
    for (begins, deadline, until) in [
        (at(0), None, None),
        (at(2), None, Some(at(4))),
        (at(7), Some(at(20)), Some(at(10))),
        (at(2), Some(at(4)), None),
    ] {
        assert_eq!(off_peak(deadline).waits_until(begins), until);
    }
}

#[test]
fn hours_are_kept_to_where_every_model_has_some_and_the_deadline_is_to_come() {
    let now = MONDAY + 2 * HOUR;
    let at = |models: &[&str], deadline| {
        let place = |model: &&str| (Some("deepseek".into()), (*model).to_owned());
        OffPeakRules { places: models.iter().map(place).collect(), ..off_peak(deadline) }.check(now)
    };
    assert_eq!(at(&[MODEL], None), Ok(()));
    assert_eq!(at(&[MODEL], Some(now + 1)), Ok(()));
    assert_eq!(at(&[MODEL], Some(now)), Err(OffPeakError::Late));
    let unknown = Err(OffPeakError::NoPrice { model: "unknown".into() });
    assert_eq!(at(&[MODEL, "unknown"], None), unknown);
    let mut flat = OffPeakRules { places: vec![(None, "flat".into())], ..off_peak(None) };
    let rates = Rates { input: Price::parse("1").unwrap(), ..Rates::default() };
    let own = vec![OwnPrice::new("flat", rates)];
    flat.prices = Arc::new(Prices { own, ..Prices::default() });
    assert_eq!(flat.check(now), Err(OffPeakError::NoHours { model: "flat".into() }));
}

impl Day {
    fn new(begins: i64, total: u32, width: u32, deadline: Option<i64>) -> Day {
        let off_peak = off_peak(deadline);
        Day {
            machine: Machine::new(Rules { off_peak: Some(off_peak), ..rules(width) }),
            begins,
            now_ms: 0,
            jump_ms: 0,
            replies: BinaryHeap::new(),
            alarm: None,
            total,
            read: 0,
            cost: Amount::ZERO,
            cheap: Amount::ZERO,
            sent: Vec::new(),
            notices: Vec::new(),
            ending: None,
            random: 1,
        }
    }

    fn now(&self) -> Time {
        let unix_ms = self.begins + self.now_ms as i64 + self.jump_ms;
        Time { monotonic_ms: self.now_ms, unix_ms }
    }

    /// Twenty seconds to a little over two minutes, most of them short.
    fn latency(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let share = (self.random >> 40) as f64 / f64::from(1 << 24);
        20_000 + (110_000.0 * share * share * share) as u64
    }

    fn start(&mut self) {
        let states = vec![Planned::Pending; self.total as usize];
        let plan = PlanSummary { states, per_row: 1, ..PlanSummary::default() };
        self.event(Event::Started(plan));
    }

    fn event(&mut self, event: Event) {
        let mut coming = VecDeque::from([event]);
        while let Some(event) = coming.pop_front() {
            let mut effects = Vec::new();
            self.machine.handle(self.now(), event, &mut effects);
            for effect in effects {
                coming.extend(self.perform(effect));
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Read { count } => {
                let upto = self.total.min(self.read + count as u32);
                let from = std::mem::replace(&mut self.read, upto);
                if from == upto {
                    return Some(Event::QuestionsEnd);
                }
                return Some(Event::Questions((from..upto).map(question).collect()));
            }
            Effect::Ask(ask) => {
                let at = self.now_ms + self.latency();
                self.sent.push(self.now().unix_ms);
                self.replies.push(Reverse((at, ask.id, ask.question.index)));
            }
            Effect::Record(upto, _) => return Some(Event::Synced { upto }),
            Effect::Emit { upto, .. } => return Some(Event::Emitted { upto }),
            Effect::SetTimer(at) => self.alarm = Some(at),
            Effect::Show(notice @ (Notice::PeakBegins { .. } | Notice::OffPeakBegins { .. })) => {
                self.notices.push(notice);
            }
            Effect::Finish(ending) => self.ending = Some(*ending),
            _ => {}
        }
        None
    }

    /// Lets what comes next come.
    fn step(&mut self) {
        let reply = self.replies.peek().map(|Reverse((at, ..))| *at);
        let alarm = self.alarm.map(|at| at.monotonic_ms);
        let next = [reply, alarm].into_iter().flatten().min().expect("something comes");
        self.now_ms = next.max(self.now_ms);
        if alarm.is_some_and(|at| at <= self.now_ms) {
            self.alarm = None;
            return self.event(Event::TimerFired);
        }
        let Some(Reverse((_, ask, _))) = self.replies.pop() else { return };
        let usage =
            Usage { input: Some(1_000), cached: Some(0), output: Some(800), ..Usage::default() };
        let prices = Prices::default();
        let amount = |at| match prices.cost(asked(), &usage, at) {
            Cost::Between(_, upper) => upper,
            Cost::Unknown(why) => panic!("{why:?}"),
        };
        self.cost += amount(self.now().unix_ms);
        self.cheap += amount(MONDAY);
        let answer = Answer { content: "yes".into(), usage, ..Answer::default() };
        let reading = ParsedReply::Answer(answer);
        self.event(Event::Replied { ask, reading, limits: None, verdicts: None });
    }

    fn run(mut self) -> Day {
        self.start();
        while self.ending.is_none() {
            self.step();
        }
        self
    }

    fn hours(&self) -> f64 {
        self.now_ms as f64 / HOUR as f64
    }

    fn tariff(at: i64) -> Option<Tariff> {
        Prices::default().find(asked(), at).unwrap().tariff(at)
    }

    fn sent_at_peak(&self) -> usize {
        self.sent.iter().filter(|at| Day::tariff(**at) == Some(Tariff::Peak)).count()
    }
}

/// What it cost, in parts of what it would have at the cheap price throughout.
fn times_cheap(day: &Day) -> f64 {
    day.cost.picodollars() as f64 / day.cheap.picodollars() as f64
}

#[test]
fn a_job_of_a_day_costs_what_cheap_hours_do() {
    // Cheap from 00:00 to 01:00, from 04:00 to 06:00 and from 10:00 on.
    let day = Day::new(MONDAY, 5_000, 4, None).run();
    assert!((22.5..24.5).contains(&day.hours()), "{} h", day.hours());
    assert!(times_cheap(&day) <= 1.02, "{}", times_cheap(&day));
    assert_eq!(day.sent_at_peak(), 0);
    let [first, .., last] = &*day.notices else { panic!("{:?}", day.notices) };
    let Notice::PeakBegins { until, saves: Some(saves), in_flight: 1..=4 } = first else {
        panic!("{first:?}")
    };
    assert_eq!(*until, MONDAY + 4 * HOUR);
    // Peak is twice the price, so that the rest costs its own price less.
    let each = day.cheap.share(5_000).picodollars();
    let rest = (saves.picodollars() as f64 / each as f64).round() as u32;
    assert!((4_650..4_800).contains(&rest), "{rest}");
    assert!(matches!(last, Notice::OffPeakBegins { for_deadline: false }));
    assert_eq!(day.notices.len(), 4);
}

#[test]
fn without_cheap_hours_the_same_job_would_cost_more() {
    let mut day = Day::new(MONDAY, 5_000, 4, None);
    day.machine = Machine::new(rules(4));
    let day = day.run();
    assert!(times_cheap(&day) > 1.2, "{}", times_cheap(&day));
}

#[test]
fn with_a_deadline_the_rest_is_asked_in_time_and_no_more_than_that_at_peak() {
    // From 01:00 on nothing is cheap until 04:00, nor from 06:00 to 10:00.
    let deadline = MONDAY + 9 * HOUR;
    let day = Day::new(MONDAY + HOUR, 900, 4, Some(deadline)).run();
    let done = MONDAY + HOUR + day.now_ms as i64;
    assert!(done <= deadline, "{} h", day.hours());
    let at_peak = day.sent_at_peak();
    assert!((150..500).contains(&at_peak), "{at_peak}");
    let early = day.sent.iter().filter(|at| **at < MONDAY + 4 * HOUR).count();
    assert_eq!(early, 0, "what the cheap hours can take waits for them");
    assert!(matches!(day.notices.last(), Some(Notice::OffPeakBegins { for_deadline: true })));
    let late = Day::new(MONDAY + HOUR, 900, 4, Some(MONDAY)).run();
    assert!(late.hours() < 4.0, "what is late already is not made to wait: {}", late.hours());
}

#[test]
fn a_clock_that_is_set_moves_the_hours() {
    let mut day = Day::new(MONDAY + HOUR, 50, 4, None);
    day.start();
    assert!(day.sent.is_empty(), "it begins at peak");
    day.step();
    assert!(day.sent.is_empty());
    day.jump_ms = 3 * HOUR;
    day.step();
    assert_eq!(day.sent.len(), 4, "the clock now says 04:01");
    assert!(day.now_ms <= 120_000, "it is looked at every minute");
    day.jump_ms = HOUR;
    day.step();
    assert_eq!(day.sent.len(), 4, "it says 02:02: what is on its way comes in, nothing is sent");
    assert_eq!(day.machine.snapshot(day.now()).cheap_at, Some(MONDAY + 4 * HOUR));
}
