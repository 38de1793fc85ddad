use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::again::AgainUnpaid;
use super::budget::{Budget, BudgetRules, JobLimit, LimitOf, NoFunds, Spending};
use super::payee::{Bill, Payee, Reservation, least_ask};
use crate::answer::Usage;
use crate::item::question::{Key, Question, QuestionId};
use crate::money::{Amount, Asked, Cost, OwnPrice, Price, Prices, Rates};
use crate::run::Seq;
use crate::time::Time;

const TIMEOUT: Duration = Duration::from_secs(600);
const OUTPUT_MAX: u64 = 1_000;

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn payee(provider: &str, model: &str) -> Payee {
    Payee {
        provider: Some(provider.into()),
        model: model.into(),
        output_max: OUTPUT_MAX,
        fixed_bytes: 0,
    }
}

fn rules(total: &str) -> BudgetRules {
    BudgetRules {
        total: Some(Amount::from_dollars(total.parse().unwrap()).unwrap()),
        run: None,
        spent_before: Amount::ZERO,
        unsure_before: Amount::ZERO,
        run_before: Spending::default(),
        of_job: None,
        granted: None,
        prices: Arc::new(Prices::default()),
        payees: Vec::new(),
        timeout: TIMEOUT,
    }
}

fn budget(total: &str, payees: Vec<Payee>) -> Budget {
    Budget::new(BudgetRules { payees, ..rules(total) }, 16)
}

/// What a service counts of an answer to [`question`] of 100 bytes, as long as it may be.
fn usage() -> Usage {
    Usage {
        input: Some(100),
        cached: Some(0),
        output: Some(OUTPUT_MAX),
        reasoning: Some(0),
        ..Usage::default()
    }
}

fn question(bytes: usize) -> Question {
    let text: Arc<str> = "x".repeat(bytes).into();
    Question::new(0, 1, text, Key([0; 16]), QuestionId { text_hash: 1, ordinal: 0 })
}

fn moment(unix_ms: i64) -> Time {
    Time { monotonic_ms: (unix_ms - at("2026-11-20T00:00:00Z")) as u64, unix_ms }
}

#[test]
fn what_an_answer_cost_at_the_dearer_of_two_places_of_a_model_is_known_and_not_unsure() {
    let own = |name: &str, price: &str| {
        let price = Price::parse(price).unwrap();
        OwnPrice::new(name, Rates { input: price, output: price, ..Rates::default() })
    };
    let own = vec![own("a/m", "1"), own("b/m", "100")];
    let mut budget = Budget::new(
        BudgetRules {
            prices: Arc::new(Prices { own, ..Prices::default() }),
            payees: vec![payee("a", "m"), payee("b", "m")],
            ..rules("10")
        },
        16,
    );
    let now = moment(at("2026-11-23T12:00:00Z"));
    budget.declared(Seq(1), Amount::from_dollars(10.0).unwrap());
    budget.on_synced(Seq(1));
    let reserved = budget.reserve(now, 1, &question(100)).unwrap();
    budget.settle(now, now, 1, reserved, &Bill::Answered(usage(), None));
    let status = budget.status();
    assert!(status.spent > Amount::ZERO && status.unsure == Amount::ZERO, "{status:?}");
}

#[test]
fn the_dearest_price_counts_that_may_hold_until_the_reply_ends() {
    let mut budget = budget("1", vec![payee("deepseek", "deepseek-flash")]);
    // 100 bytes and 64 tokens of wrapping at 0.15 or 0.30, 1,000 received at 0.60 or 1.20.
    for (now, dollars) in [
        ("2026-11-23T00:30:00Z", "0.0006246"),
        ("2026-11-23T00:49:59.999Z", "0.0006246"),
        ("2026-11-23T00:50:00Z", "0.0012492"),
        ("2026-11-23T01:00:00Z", "0.0012492"),
        ("2026-11-23T03:59:59.999Z", "0.0012492"),
        ("2026-11-23T04:00:00Z", "0.0006246"),
        // A clock that was set back.
        ("2026-11-23T03:00:00Z", "0.0012492"),
        // Before this price: 0.44 and 1.32 at peak.
        ("2026-09-10T15:00:00Z", "0.00069608"),
        ("2026-09-10T15:55:00Z", "0.00069608"),
        ("2026-09-10T16:00:00Z", "0.0006246"),
    ] {
        let worst = budget.worst(Time { monotonic_ms: 0, unix_ms: at(now) }, 0, &question(100));
        assert_eq!(worst.amount.to_string(), dollars, "{now}");
    }
}

#[test]
fn the_price_of_long_prompts_counts_where_a_prompt_may_be_one_and_that_of_writing_the_cache() {
    let now = moment(at("2026-11-23T12:00:00Z"));
    let mut budget =
        budget("100", vec![payee("anthropic", "claude-haiku-5-5"), payee("openai", "gpt-6-luna")]);
    let tokens = |place: usize, bytes: usize, budget: &mut Budget| {
        budget.worst(now, place, &question(bytes)).amount.to_string()
    };
    let (short, long) = (tokens(0, 99_936, &mut budget), tokens(0, 99_937, &mut budget));
    let rate = |text: &str| text.parse::<f64>().unwrap();
    assert!(rate(&long) > 4.0 * rate(&short), "{short} {long}");
    // Sent at 0.10, written into the cache at 0.125.
    let asked = Asked { provider: Some("openai"), model: "gpt-6-luna" };
    let rates = *Prices::default().find(asked, now.unix_ms).unwrap().rates(now.unix_ms, None);
    let worst = rates.cache_write.unwrap().of(164) + rates.output.of(OUTPUT_MAX);
    assert_eq!(tokens(1, 100, &mut budget), worst.to_string());
}

#[test]
fn a_clock_that_is_set_while_an_ask_is_on_its_way_books_the_dearer_side() {
    let mut budget = budget("1", vec![payee("deepseek", "deepseek-flash")]);
    let sent = moment(at("2026-11-23T03:59:00Z"));
    budget.declared(Seq(1), Amount::from_dollars(1.0).unwrap());
    budget.on_synced(Seq(1));
    let reserved = budget.reserve(sent, 0, &question(100)).unwrap();
    // 30 s later, and an hour on by the clock.
    let now = Time { monotonic_ms: sent.monotonic_ms + 30_000, unix_ms: sent.unix_ms + 3_630_000 };
    assert_eq!(budget.settle(now, sent, 0, reserved, &Bill::Answered(usage(), None)).over, None);
    let status = budget.status();
    assert_eq!((status.spent + status.unsure).to_string(), "0.00123");
    // What is worked out from the store later is the cheaper side.
    assert_eq!(status.spent.to_string(), "0.000615");
}

#[test]
fn what_was_foreseen_at_a_dearer_hour_makes_no_later_ask_dearer() {
    let mut budget = budget("1", vec![payee("deepseek", "deepseek-flash")]);
    let cheap = moment(at("2026-11-23T05:00:00Z"));
    let worst = budget.worst(cheap, 0, &question(100)).amount;
    budget.declared(Seq(1), Amount::from_dollars(1.0).unwrap());
    budget.on_synced(Seq(1));
    let sent = moment(at("2026-11-23T03:00:00Z"));
    let reserved = budget.reserve(sent, 0, &question(100)).unwrap();
    // 30 s later, and two hours on by the clock, where it costs half.
    let now = Time { monotonic_ms: sent.monotonic_ms + 30_000, ..cheap };
    assert_eq!(budget.worst(now, 0, &question(100)).amount, worst);
    budget.settle(now, sent, 0, reserved, &Bill::Answered(usage(), None));
    assert_eq!(budget.worst(now, 0, &question(100)).amount, worst);
}

#[test]
fn a_reply_that_came_is_spent_at_its_worst_where_it_was_not_counted_and_one_that_did_not_come_is_unsure()
 {
    let mut budget =
        budget("1", vec![payee("deepseek", "deepseek-flash"), payee("openai", "gpt-6-luna")]);
    budget.declared(Seq(1), Amount::from_dollars(1.0).unwrap());
    budget.on_synced(Seq(1));
    let now = moment(at("2026-11-23T05:00:00Z"));
    let mut came = |place, bill: Bill| {
        let reserved = budget.reserve(now, place, &question(100)).unwrap();
        let before = budget.status();
        let most = budget.settle(now, now, place, reserved, &bill).cost_most;
        let after = budget.status();
        (reserved.amount, most, after.spent - before.spent, after.unsure - before.unsure)
    };
    for bill in [Bill::Answered(Usage::default(), None), Bill::Failed(Usage::default(), None)] {
        let (worst, most, spent, unsure) = came(1, bill);
        assert_eq!((most, spent, unsure), (Some(worst), worst, Amount::ZERO), "{bill:?}");
    }
    let (worst, most, spent, unsure) = came(1, Bill::Lost);
    assert_eq!((most, spent, unsure), (None, Amount::ZERO, worst));
    // What a service says of a reply of no use counts, also of the second model's.
    let said = Amount::from_dollars(0.0001).unwrap();
    let (_, most, spent, unsure) = came(1, Bill::Failed(Usage::default(), Some(0.0001)));
    assert_eq!((most, spent, unsure), (None, said, Amount::ZERO));
    let usage = Usage { input: Some(10), output: Some(10), ..Usage::default() };
    let (_, most, spent, unsure) = came(1, Bill::Failed(usage, None));
    assert_eq!((most, unsure), (None, Amount::ZERO));
    assert!(spent > Amount::ZERO);
}

/// One step of a run.
#[derive(Debug, Clone)]
enum Step {
    Ask { bytes: usize, place: usize },
    Return { which: usize, input: u64, output: u64, kind: u8 },
    Wait { ms: i64 },
    Commit,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..4_000, 0_usize..3).prop_map(|(bytes, place)| Step::Ask { bytes, place }),
        4 => (any::<usize>(), 0_u64..=100, 1_u64..=OUTPUT_MAX, any::<u8>())
            .prop_map(|(which, input, output, kind)| Step::Return { which, input, output, kind }),
        1 => (1_i64..1_200_000).prop_map(|ms| Step::Wait { ms }),
        2 => Just(Step::Commit),
    ]
}

/// Runs these steps; returns what was billed by the service's books and how much the store knew may be.
fn run(steps: &[Step], total: &str) -> Result<(), TestCaseError> {
    let payees = vec![
        payee("deepseek", "deepseek-flash"),
        payee("openai", "gpt-6-luna"),
        payee("anthropic", "claude-haiku-5-5"),
    ];
    let limit = Amount::from_dollars(total.parse().unwrap()).unwrap();
    let (mut budget, prices) = (budget(total, payees.clone()), Prices::default());
    let mut now = moment(at("2026-11-23T00:30:00Z"));
    let (mut billed, mut durable) = (Amount::ZERO, Amount::ZERO);
    let mut flights: Vec<(Time, usize, Reservation, usize)> = Vec::new();
    let mut unsynced: Option<(Seq, Amount)> = None;
    let mut seq = 0;
    for step in steps {
        // No ask takes longer than it may.
        let late = flights.iter().any(|(sent, ..)| now.since(*sent) > TIMEOUT / 2);
        match step {
            Step::Ask { bytes, place } => {
                let asked = question(*bytes);
                match budget.reserve(now, *place, &asked) {
                    Ok(reserved) => flights.push((now, *place, reserved, *bytes)),
                    Err(NoFunds::Short | NoFunds::Undeclared) => {}
                }
                if let Some((bound, _)) = budget.take_due_bound() {
                    seq += 1;
                    unsynced = Some((Seq(seq), bound));
                    budget.declared(Seq(seq), bound);
                }
            }
            Step::Return { which, input, output, kind } if !flights.is_empty() => {
                let (sent, place, reserved, bytes) = flights.remove(which % flights.len());
                let input = (bytes as u64 + 64) * input / 100;
                let usage = Usage {
                    input: Some(input),
                    cached: (kind % 3 > 0).then_some(input / 2),
                    output: Some(*output),
                    ..Usage::default()
                };
                let of = &payees[place];
                let asked = Asked { provider: of.provider.as_deref(), model: &of.model };
                let Cost::Between(_, cost) = prices.cost(asked, &usage, now.unix_ms) else {
                    unreachable!("all of it is known")
                };
                let bill = match kind % 8 {
                    0 => Bill::Lost,
                    1 => Bill::Answered(Usage { output: None, ..usage }, None),
                    2 => Bill::Answered(Usage { input: None, ..usage }, None),
                    3 => Bill::Failed(usage, None),
                    4 => Bill::None,
                    _ => Bill::Answered(usage, None),
                };
                if bill != Bill::None {
                    billed += cost;
                }
                prop_assert_eq!(budget.settle(now, sent, place, reserved, &bill).over, None);
            }
            Step::Return { .. } => {}
            Step::Wait { ms } if !late => now = now.after(Duration::from_millis(*ms as u64 / 4)),
            Step::Wait { .. } => {}
            Step::Commit => {
                if let Some((seq, bound)) = unsynced.take() {
                    budget.on_synced(seq);
                    durable = bound;
                }
            }
        }
        let status = budget.status();
        prop_assert!(billed <= limit, "{billed} were billed of {limit}");
        let used = status.spent + status.unsure + status.reserved;
        prop_assert!(used <= limit && billed <= used);
        prop_assert!(used <= durable, "{used} may be billed, and the store knows of {durable}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_comes_back_no_more_is_billed_than_the_limit_and_than_the_store_knows(
        steps in proptest::collection::vec(step(), 1..300),
        total in prop_oneof![Just("0.002"), Just("0.02"), Just("0.3")],
    ) {
        run(&steps, total)?;
    }
}

#[test]
fn of_a_limit_of_twenty_worst_cases_and_more_at_least_95_per_cent_are_used() {
    let place = vec![payee("deepseek", "deepseek-flash")];
    let now = moment(at("2026-11-23T12:00:00Z"));
    let asked = question(400);
    let mut random = 1_u64;
    let mut shares = Vec::new();
    for limit in [0.02, 0.05, 0.2, 1.0] {
        let mut budget = budget(&limit.to_string(), place.clone());
        let mut flights = Vec::new();
        let mut seq = 0;
        loop {
            while flights.len() < 16
                && let Ok(reserved) = budget.reserve(now, 0, &asked)
            {
                flights.push(reserved);
            }
            if let Some((bound, _)) = budget.take_due_bound() {
                seq += 1;
                budget.declared(Seq(seq), bound);
                budget.on_synced(Seq(seq));
                continue;
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let Some(reserved) = flights.pop() else { break };
            // From a hundred to a thousand tokens, and a third of a token a byte.
            let output = 100.0 * 10_f64.powf((random >> 33) as f64 / f64::from(1_u32 << 31));
            let usage = Usage {
                input: Some(150),
                cached: Some(0),
                output: Some(output as u64),
                reasoning: Some(0),
                ..Usage::default()
            };
            budget.settle(now, now, 0, reserved, &Bill::Answered(usage, None));
        }
        let used = budget.status().spent;
        shares.push(used.picodollars() as f64 / 1e12 / limit);
    }
    assert!(shares.iter().all(|share| *share >= 0.95), "{shares:?}");
}

fn dollars(text: &str) -> Amount {
    Amount::from_dollars(text.parse().unwrap()).unwrap()
}

#[test]
fn less_than_the_least_ask_pays_for_no_question() {
    let payees = [payee("deepseek", "deepseek-flash")];
    let now = moment(at("2026-11-20T12:00:00Z"));
    let least = least_ask(&payees, 0, &Prices::default(), now.unix_ms, TIMEOUT);
    let mut budget = budget("1", payees.to_vec());
    assert_eq!(budget.worst(now, 0, &question(1)).amount, least);
}

#[test]
fn asking_again_wants_what_one_ask_may_cost_beside_what_was_spent() {
    let now = at("2026-11-20T12:00:00Z");
    let rules = |total: Amount, run: Amount| BudgetRules {
        total: Some(total),
        run: Some(run),
        ..worker("1", "1", "1")
    };
    let payees = &worker("1", "1", "1").payees;
    let least = least_ask(payees, 0, &Prices::default(), now, TIMEOUT);
    let spent = dollars("4");
    let almost = least - Amount::from_picodollars(1);
    let check = |total, run, system| rules(total, run).check_again(system, now);
    assert_eq!(check(spent + least, least, 0), Ok(()));
    assert_eq!(
        check(spent + least, almost, 0),
        Err(AgainUnpaid::Run { limit: almost, least }),
        "the limit of the run"
    );
    let limit = spent + almost;
    let enough = dollars("7") + least;
    assert_eq!(
        check(limit, least, 0),
        Err(AgainUnpaid::Folder { limit, spent, least, enough }),
        "the limit of the folder"
    );
    assert!(check(spent + least, least, 100).is_err(), "a system prompt is a part of every ask");
}

/// Rules with all three limits, of which so much was used up before.
fn worker(total: &str, run: &str, job: &str) -> BudgetRules {
    BudgetRules {
        total: Some(dollars(total)),
        run: Some(dollars(run)),
        spent_before: dollars("3"),
        unsure_before: dollars("1"),
        run_before: Spending { spent: dollars("2"), unsure: dollars("1") },
        of_job: Some(JobLimit { total: dollars(job), booked: dollars("7") }),
        granted: Some(Amount::ZERO),
        prices: Arc::new(Prices::default()),
        payees: vec![payee("deepseek", "deepseek-flash")],
        timeout: TIMEOUT,
    }
}

#[test]
fn what_a_workers_earlier_shards_were_billed_counts_for_its_own_limits() {
    for (total, run, job, left, nearest) in [
        ("10", "10", "100", "6", LimitOf::Folder),
        ("10", "7", "100", "4", LimitOf::Run),
        ("3", "7", "100", "0", LimitOf::Folder),
        ("100", "100", "9", "2", LimitOf::Job),
    ] {
        let mut budget = Budget::new(worker(total, run, job), 16);
        // The server grants what others leave.
        budget.grant(dollars(job) - dollars("7"), true);
        let status = budget.status();
        assert_eq!(
            (status.left, status.nearest()),
            (dollars(left), nearest),
            "{total} {run} {job}"
        );
    }
}

#[test]
fn a_limit_is_unspent_only_where_nobody_has_spent_of_it() {
    let unspent = BudgetRules {
        spent_before: Amount::ZERO,
        unsure_before: Amount::ZERO,
        run_before: Spending::default(),
        of_job: Some(JobLimit { total: dollars("1"), booked: Amount::ZERO }),
        ..worker("1", "1", "1")
    };
    let is_unspent = |rules: &BudgetRules| Budget::new(rules.clone(), 16).status().is_unspent();
    assert!(is_unspent(&unspent));
    let of_job = Some(JobLimit { total: dollars("1"), booked: dollars("0.5") });
    let run_before = Spending { spent: Amount::ZERO, unsure: dollars("0.5") };
    assert!(!is_unspent(&BudgetRules { of_job, ..unspent.clone() }));
    assert!(!is_unspent(&BudgetRules { run_before, ..unspent }));
}
