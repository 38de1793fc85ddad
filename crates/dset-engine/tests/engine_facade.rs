//! Two engines in one process know nothing of each other, and one is stopped by its token alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use dset_core::item::question::Question;
use dset_core::money::{Amount, OwnPrice, Price, Prices, Rates};
use dset_core::provider::Providers;
use dset_core::run::{EndReason, Notice, RateBound, Snapshot, StopSignal};
use dset_core::settings::{Dollars, Layer};
use dset_core::time::Time;
use dset_engine::engine::{Cancel, Engine, Quiet};
use dset_engine::error::{EngineError, JobError};
use dset_engine::observer::{LocalFailure, Observer};
use dset_engine::run::budget::LimitError;
use dset_engine::run::lanes::Lanes;
use dset_engine::run::prepare::Decisions;
use dset_engine::shard::split;
use dset_engine::view::browse::{Browser, Filter, OwnedPricing, SideFiles};
use dset_mock::{Mock, MockSettings};

fn engine(folder: &Path, name: &str, questions: u32, service: &Mock) -> Engine {
    limited(folder, name, questions, service, None)
}

/// The same, with a limit of asks a minute.
fn limited(folder: &Path, name: &str, questions: u32, service: &Mock, rpm: Option<u32>) -> Engine {
    let input = folder.join(format!("{name}.csv"));
    let rows: String = (0..questions).map(|at| format!("{name} {at}\n")).collect();
    std::fs::write(&input, format!("question\n{rows}")).unwrap();
    let layer = Layer {
        input: Some(input),
        output: Some(folder.join(name)),
        base_url: Some(vec![service.base_url()]),
        key: Some("none".into()),
        rpm,
        ..Layer::default()
    };
    Engine::new(layer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_engines_run_in_one_process_at_once_and_one_is_stopped_alone() {
    let folder = tempfile::tempdir().unwrap();
    let friendly = Mock::start(MockSettings::default()).await.unwrap();
    let slow = MockSettings { latency_ms: 600_000, ..MockSettings::default() };
    let slow = Mock::start(slow).await.unwrap();
    let one = engine(folder.path(), "one", 300, &friendly);
    let other = engine(folder.path(), "other", 3, &slow);
    let (never, now) = (Cancel::new(), Cancel::new());
    let stopped = async {
        let run = async { other.run(&mut Quiet, &now).await.unwrap() };
        let stop = async {
            while slow.stats().asked == 0 {
                tokio::task::yield_now().await;
            }
            now.stop();
            now.stop();
            std::future::pending::<()>().await;
        };
        tokio::select! { ran = run => ran, () = stop => unreachable!() }
    };
    let mut quiet = Quiet;
    let (ran, stopped) = tokio::join!(one.run(&mut quiet, &never), stopped);
    let ran = ran.unwrap();
    assert!(matches!(ran.ending.reason, EndReason::Complete));
    assert_eq!((ran.ending.ledger.answered, friendly.stats().answered), (300, 300));
    assert!(matches!(stopped.ending.reason, EndReason::Stopped(StopSignal::Interrupt)));
    assert_eq!(stopped.ending.ledger.pending, 3);
    // Neither left anything to the other, and both go on.
    assert_eq!(one.plan().unwrap().pending, 0);
    assert_eq!(other.plan().unwrap().pending, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_stopped_before_it_began_asks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let service = Mock::start(MockSettings::default()).await.unwrap();
    let cancel = Cancel::new();
    cancel.stop();
    let engine = engine(folder.path(), "q", 500, &service);
    let ran = engine.run(&mut Quiet, &cancel).await.unwrap();
    assert!(ran.ending.was_stopped, "{:?}", ran.ending);
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_of_one_engine_are_its_whole_run() {
    let folder = tempfile::tempdir().unwrap();
    let service = Mock::start(MockSettings::default()).await.unwrap();
    let engine = engine(folder.path(), "q", 10, &service);
    let job = folder.path().join("job");
    split(engine.spec().clone(), 2, &job, serde_json::Map::new()).unwrap();
    let (mut a, mut b) = (Quiet, Quiet);
    let cancel = [Cancel::new(), Cancel::new()];
    let shards = tokio::join!(
        engine.run_shard(&job, 0, &mut a, &cancel[0]),
        engine.run_shard(&job, 1, &mut b, &cancel[1]),
    );
    assert_eq!(shards.0.unwrap().ending.ledger.answered, 5);
    assert_eq!(shards.1.unwrap().folder, job.join("shard-00001"));
    let error = engine.run_shard(&job, 2, &mut a, &cancel[0]).await.unwrap_err();
    assert!(error.to_string().contains("no shard 2"), "{error}");
    assert_eq!(service.stats().answered, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_records_are_those_of_the_moment_in_which_they_were_begun() {
    let folder = tempfile::tempdir().unwrap();
    let service = Mock::start(MockSettings::default()).await.unwrap();
    let few = engine(folder.path(), "q", 250, &service);
    few.run(&mut Quiet, &Cancel::new()).await.unwrap();
    let pricing = OwnedPricing { prices: Prices::default(), providers: Providers::default() };
    let side = SideFiles { folder: folder.path().to_owned() };
    let browser = Browser::open(few.spec().clone(), side, pricing).unwrap().unwrap();
    let filter = Filter { descending: true, ..Filter::default() };
    let mut rest = browser.lines(&filter).unwrap();
    let mut lines = browser.next_lines(&mut rest).unwrap().unwrap();
    let more = engine(folder.path(), "q", 400, &service);
    more.run(&mut Quiet, &Cancel::new()).await.unwrap();
    assert_eq!(browser.overview().unwrap().answered, 400);
    while let Some(next) = browser.next_lines(&mut rest).unwrap() {
        lines += &next;
    }
    let question = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["question"].as_str().unwrap().to_owned()
    };
    let expected: Vec<_> = (0..250).rev().map(|at| format!("q {at}")).collect();
    assert_eq!(lines.lines().map(question).collect::<Vec<_>>(), expected);
}

/// Stops a run that the user's own limit holds up.
struct StopWhenHeld<'a>(&'a Cancel);

impl Observer for StopWhenHeld<'_> {
    fn notice(&mut self, _: Time, _: &Notice) {}
    fn snapshot(&mut self, _: Time, snapshot: &Snapshot) {
        if snapshot.rate_bound == Some(RateBound::User) {
            self.0.stop();
        }
    }
    fn local_failure(&mut self, _: Time, _: &LocalFailure) {}
    fn acknowledged(&mut self, _: &Question) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_begins_no_minute_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let service = Mock::start(MockSettings::default()).await.unwrap();
    let fast = limited(folder.path(), "q", 60, &service, Some(60_000));
    let job = folder.path().join("job");
    split(fast.spec().clone(), 3, &job, serde_json::Map::new()).unwrap();
    fast.run_shard(&job, 0, &mut Quiet, &Cancel::new()).await.unwrap();
    fast.run_shard(&job, 1, &mut Quiet, &Cancel::new()).await.unwrap();
    assert_eq!(service.stats().asked, 40);
    let slow = limited(folder.path(), "q", 60, &service, Some(40));
    let cancel = Cancel::new();
    let ran = slow.run_shard(&job, 2, &mut StopWhenHeld(&cancel), &cancel).await.unwrap();
    assert!(matches!(ran.ending.reason, EndReason::Stopped(_)), "{:?}", ran.ending);
    assert_eq!(service.stats().asked, 40, "the minute is used up by the shards before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_refused_has_decided_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let service = Mock::start(MockSettings::default()).await.unwrap();
    let engine = limited(folder.path(), "q", 5, &service, Some(60_000));
    engine.run(&mut Quiet, &Cancel::new()).await.unwrap();
    let again = Decisions { ask_again: true, ..Decisions::default() };
    let nowhere = Lanes { folder: folder.path().to_owned(), most: Some(0) };
    let refused = engine.clone().with_decisions(again).taking_turns_in(Some(nowhere));
    let error = refused.run(&mut Quiet, &Cancel::new()).await.unwrap_err();
    assert!(matches!(error, EngineError::Job(JobError::NoLane { .. })), "{error}");
    assert_eq!(engine.plan().unwrap().answered, 5);
    assert!(folder.path().join("q/output.csv").exists());
    engine.run(&mut Quiet, &Cancel::new()).await.unwrap();
    assert_eq!(service.stats().asked, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_everything_again_keeps_what_is_there_where_the_limit_pays_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let service = Mock::start(MockSettings::default()).await.unwrap();
    let layer = Layer {
        input: Some(folder.path().join("q.csv")),
        output: Some(folder.path().join("q")),
        base_url: Some(vec![service.base_url()]),
        key: Some("none".into()),
        ..Layer::default()
    };
    let engine = engine(folder.path(), "q", 5, &service);
    engine.run(&mut Quiet, &Cancel::new()).await.unwrap();
    let rates = Rates {
        input: Price::parse("1").unwrap(),
        output: Price::parse("1").unwrap(),
        ..Rates::default()
    };
    let model = &engine.spec().model().request.model;
    let own = vec![OwnPrice::new(model, rates)];
    let prices = Prices { own, ..Prices::default() };
    let most = Some(Dollars(Amount::from_picodollars(1)));
    let poor = Layer { max_cost: most, max_output_bound: Some(100), ..layer };
    let poor = Engine::new(poor)
        .unwrap()
        .with_prices(Providers::default(), prices)
        .with_decisions(Decisions { ask_again: true, ..Decisions::default() });
    let error = poor.run(&mut Quiet, &Cancel::new()).await.unwrap_err();
    assert!(matches!(error, EngineError::Limit(LimitError::Again(_))), "{error}");
    assert_eq!(engine.plan().unwrap().answered, 5);
    assert_eq!(service.stats().asked, 5);
}
