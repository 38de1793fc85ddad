use super::*;
use crate::answer::{Cause, Usage};
use crate::item::content::Content;
use crate::money::{Amount, OwnPrice, Price, Prices, Rates};

/// What a question costs here at most, in picodollars: 66 tokens sent (2 bytes and their wrapping) at one dollar a
/// million, 100 received at ten.
pub(super) const WORST: i64 = 1_066_000_000;

pub(super) fn pico(number: i64) -> Amount {
    Amount::from_picodollars(number)
}

pub(super) fn limited(width: u32, total: i64) -> Rules {
    let price = |text| Price::parse(text).unwrap();
    let rates = Rates { input: price("1"), output: price("10"), ..Rates::default() };
    let own = vec![OwnPrice::new("m", rates)];
    let budget = BudgetRules {
        total: Some(pico(total)),
        run: None,
        spent_before: Amount::ZERO,
        unsure_before: Amount::ZERO,
        run_before: Spending::default(),
        of_job: None,
        granted: None,
        prices: Arc::new(Prices { own, ..Prices::default() }),
        payees: vec![Payee { provider: None, model: "m".into(), output_max: 100, fixed_bytes: 0 }],
        timeout: Duration::from_secs(600),
    };
    Rules { budget: Some(budget), ..rules(width) }
}

/// An answer that was counted.
pub(super) fn counted(input: u64, output: u64) -> ParsedReply {
    let usage = Usage {
        input: Some(input),
        cached: Some(0),
        output: Some(output),
        reasoning: Some(0),
        ..Usage::default()
    };
    ParsedReply::Answer(Answer { content: "a".into(), usage, ..Answer::default() })
}

fn lost() -> ParsedReply {
    let ParsedReply::Failure(failure) = failure(FailureClass::Transient) else { unreachable!() };
    ParsedReply::Failure(Failure { cause: Cause::TimedOut, status: None, ..failure })
}

impl Bench {
    fn budget(&self) -> BudgetStatus {
        let now = Time { monotonic_ms: self.now_ms, unix_ms: self.now_ms as i64 };
        self.machine.snapshot(now).budget.expect("there is a limit")
    }

    /// Commits what has waited.
    fn sync(&mut self) {
        if let Some(upto) = self.unsynced.take() {
            self.event(Event::Synced { upto });
        }
    }
}

#[test]
fn no_more_is_on_its_way_than_what_is_left_can_pay_for() {
    let mut bench = Bench::new(limited(8, 7 * WORST / 2), 20);
    assert_eq!(bench.on_their_way(), [0, 1, 2]);
    bench.reply(1, counted(10, 10));
    // What it did not need pays for the next ones.
    assert_eq!(bench.on_their_way(), [0, 2, 3]);
    let budget = bench.budget();
    assert_eq!(budget.spent, pico(110_000_000));
    assert_eq!(budget.reserved, pico(3 * WORST));
    assert_eq!(budget.left, pico(WORST / 2 - 110_000_000));
}

#[test]
fn a_run_ends_once_nothing_is_on_its_way_and_nothing_can_be_paid_for() {
    let mut bench = Bench::new(limited(8, 7 * WORST / 2), 20);
    while bench.ending.is_none() {
        let next = bench.on_their_way()[0];
        bench.reply(next, counted(66, 100));
    }
    assert_eq!(bench.sent, 3);
    assert!(matches!(bench.why(), EndReason::CostLimit { least } if *least == pico(WORST)));
    assert!(bench.marked.is_empty());
    let ending = bench.ending.as_ref().unwrap();
    assert_eq!((ending.ledger.answered, ending.ledger.pending), (3, 17));
    let budget = ending.budget.unwrap();
    assert_eq!((budget.spent, budget.reserved), (pico(3 * WORST), Amount::ZERO));
}

#[test]
fn a_limit_below_one_worst_case_ends_the_run_before_anything_is_asked() {
    let bench = Bench::new(limited(8, WORST - 1), 20);
    assert_eq!(bench.sent, 0);
    assert!(matches!(bench.why(), EndReason::CostLimit { .. }));
    let mut rules = limited(8, 10 * WORST);
    let budget = rules.budget.as_mut().unwrap();
    (budget.spent_before, budget.unsure_before) = (pico(5 * WORST), pico(9 * WORST / 2));
    assert_eq!(Bench::new(rules, 20).sent, 0);
    let mut rules = limited(8, 10 * WORST);
    let budget = rules.budget.as_mut().unwrap();
    (budget.run, budget.spent_before) = (Some(pico(2 * WORST)), pico(4 * WORST));
    assert_eq!(Bench::new(rules, 20).sent, 2);
}

#[test]
fn a_reply_that_is_lost_may_have_been_billed_and_a_refusal_was_not() {
    let mut bench = Bench::new(limited(1, 10 * WORST), 20);
    bench.reply(0, counted(66, 100));
    bench.reply(1, lost());
    let budget = bench.budget();
    assert_eq!((budget.spent, budget.unsure), (pico(WORST), pico(WORST)));
    let mut bench = Bench::new(limited(8, 10 * WORST), 20);
    bench.reply(0, failure(REFUSED));
    assert_eq!(bench.budget().left, pico(2 * WORST));
    bench.event(Event::Stopped(StopSignal::Interrupt));
    bench.event(Event::Stopped(StopSignal::Interrupt));
    let budget = bench.ending.unwrap().budget.unwrap();
    assert_eq!((budget.spent, budget.unsure), (Amount::ZERO, pico(8 * WORST)));
}

#[test]
fn a_reply_that_is_not_counted_counts_with_the_worst_case_of_what_is_missing() {
    let mut bench = Bench::new(limited(1, 10 * WORST), 20);
    bench.reply(0, answer());
    let budget = bench.budget();
    assert_eq!((budget.spent, budget.unsure), (pico(WORST), Amount::ZERO));
    let usage = Usage { output: Some(10), ..Usage::default() };
    let half = Answer { content: "a".into(), usage, ..Answer::default() };
    bench.reply(1, ParsedReply::Answer(half));
    assert_eq!(bench.budget().spent, pico(WORST + 166_000_000));
    let said = Answer { content: "a".into(), cost: Some(0.000_5), ..Answer::default() };
    bench.reply(2, ParsedReply::Answer(said));
    assert_eq!(bench.budget().spent, pico(WORST + 166_000_000 + 500_000_000));
}

#[test]
fn a_bill_above_its_reservation_is_booked_told_once_and_raises_the_next() {
    let mut bench = Bench::new(limited(2, 10 * WORST), 20);
    bench.reply(0, counted(566, 100));
    bench.reply(1, counted(566, 100));
    assert_eq!(bench.budget().spent, pico(2 * (WORST + 500_000_000)));
    assert_eq!(bench.budget().reserved, pico(2 * (WORST + 500_000_000)));
    bench.reply(2, counted(566, 200));
    assert_eq!(bench.budget().reserved, pico(2 * WORST + 2_000_000_000));
    let said = Answer { content: "a".into(), cost: Some(0.004), ..Answer::default() };
    bench.reply(3, ParsedReply::Answer(said));
    assert!(bench.ending.is_none() || bench.on_their_way().len() <= 1);
    let warned = bench.told.iter().filter(|notice| *notice == "BillAboveReservation").count();
    assert_eq!(warned, 1);
}

#[test]
fn nothing_is_sent_before_the_store_knows_that_it_may_be_billed() {
    let mut bench = Bench::idle(limited(4, 100 * WORST), 100);
    bench.disk_waits = true;
    bench.start(1, InputMarks::default());
    assert_eq!(bench.sent, 0);
    bench.sync();
    assert_eq!(bench.sent, 4);
    let (mut asked_between, mut commits) = (0, 0);
    while bench.sent < 90 {
        let sent = bench.sent;
        while let Some(&next) = bench.on_their_way().first() {
            bench.reply(next, counted(66, 100));
        }
        asked_between = asked_between.max(bench.sent - sent);
        commits += 1;
        bench.sync();
    }
    assert!(asked_between <= 8 && commits > 10, "{asked_between} {commits}");
}

#[test]
fn the_last_record_of_a_run_says_what_it_was_billed() {
    let mut machine = Machine::new(limited(1, 10 * WORST));
    let mut said = Vec::new();
    let mut coming = VecDeque::from([Event::Started(PlanSummary {
        states: vec![Planned::Pending; 2],
        per_row: 1,
        ..PlanSummary::default()
    })]);
    while let Some(event) = coming.pop_front() {
        let mut effects = Vec::new();
        machine.handle(Time { monotonic_ms: 0, unix_ms: 0 }, event, &mut effects);
        for effect in effects {
            match effect {
                Effect::Read { .. } => {
                    coming.push_back(Event::Questions(vec![question(0), question(1)]));
                    coming.push_back(Event::QuestionsEnd);
                }
                Effect::Ask(ask) => {
                    let reading = if ask.id.0 == 1 { lost() } else { counted(66, 50) };
                    coming.push_back(Event::Replied {
                        ask: ask.id,
                        reading,
                        limits: None,
                        verdicts: None,
                    });
                }
                Effect::Record(upto, record) => {
                    coming.push_back(Event::Synced { upto });
                    if let JournalRecord::BoundDeclared { bound, unsure, is_last } = record {
                        said.push((bound, unsure, is_last));
                    }
                }
                Effect::Emit { upto, .. } => coming.push_back(Event::Emitted { upto }),
                Effect::SetTimer(_) => coming.push_back(Event::Stopped(StopSignal::Interrupt)),
                _ => {}
            }
        }
    }
    let first = said.first().unwrap();
    assert!(first.0 >= pico(WORST) && !first.2, "{said:?}");
    let last = said.last().unwrap();
    assert_eq!(*last, (pico(WORST), pico(WORST), true), "{said:?}");
}

#[test]
fn a_smaller_question_is_asked_where_the_next_one_is_too_dear() {
    let mut bench = Bench::idle(limited(2, 2_400_000_000), 0);
    bench.machine.handle(
        Time { monotonic_ms: 0, unix_ms: 0 },
        Event::Started(PlanSummary {
            states: vec![Planned::Pending; 3],
            per_row: 1,
            ..PlanSummary::default()
        }),
        &mut Vec::new(),
    );
    let long: Arc<str> = "x".repeat(2_000).into();
    let dear = |index| Question { content: Content::Text(Arc::clone(&long)), ..question(index) };
    bench.read = 3;
    bench.event(Event::Questions(vec![question(0), dear(1), question(2)]));
    bench.event(Event::QuestionsEnd);
    assert_eq!(bench.on_their_way(), [0]);
    bench.reply(0, counted(66, 100));
    assert_eq!(bench.on_their_way(), [2]);
    bench.reply(2, counted(66, 100));
    assert!(matches!(bench.why(), EndReason::CostLimit { least } if *least > pico(3_000_000_000)));
}
