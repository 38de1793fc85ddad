//! Whole frames, as they look.

use std::sync::Arc;

use dset_core::item::question::{Key, Question, QuestionId};
use dset_core::plan::ledger::Ledger;
use dset_core::run::{RateBound, Snapshot};
use proptest::prelude::*;

use super::*;

const UTF8: TermCaps = TermCaps { is_utf8: true, has_colour: false };
const ASCII: TermCaps = TermCaps { is_utf8: false, has_colour: false };
const USUAL: Size = Size { columns: 80, rows: 40 };
const WIDE: Size = Size { columns: 120, rows: 40 };

/// Compares with a file in `golden/`; `SNAPSHOTS=overwrite` writes it.
#[track_caller]
pub(crate) fn golden(name: &str, shown: &str) {
    let path = format!("{}/src/display/screen/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let expected = snapbox::Data::read_from(path.as_ref(), None).raw();
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(format!("{shown}\n"), expected);
}

/// A question at this place.
pub(crate) fn question(index: u32, text: &str) -> Arc<Question> {
    let (key, id) = (Key([0; 16]), QuestionId { text_hash: 0, ordinal: 0 });
    Arc::new(Question::new(index, u64::from(index) + 2, text.into(), key, id))
}

fn at(seconds: u64) -> Time {
    Time { monotonic_ms: seconds * 1000, unix_ms: seconds as i64 * 1000 }
}

/// 130 seconds into a run of 100 questions with eight at a time.
fn view() -> ScreenState {
    let on_its_way = |index, text, since: u64, has_begun| InFlightAsk {
        question: question(index, text),
        sent_at: at(130 - since),
        has_begun,
        tokens: 0,
    };
    ScreenState {
        now: at(130),
        snapshot: Snapshot {
            ledger: Ledger { questions: 100, answered: 47, pending: 53, ..Ledger::default() },
            in_flight: 8,
            slots: 8,
            retrying: 0,
            retrying_causes: Vec::new(),
            retry_at: None,
            throttled: false,
            answered: 47,
            coming_tokens: 0,
            outage: None,
            paused_until: None,
            send_at: None,
            rate_bound: None,
            cheap_at: None,
            budget: None,
            longest: vec![
                on_its_way(11, "Prove that there are infinitely many primes", 48, true),
                on_its_way(
                    14,
                    "What is the difference between a Turing machine and a pushdown automaton, and why does it matter?",
                    21,
                    false,
                ),
            ],
            is_paused: false,
            stopping: false,
        },
        questions: 100,
        longest: vec![(12, String::new()), (15, String::new())],
        input: "q.csv".into(),
        left: 53,
        per_minute: Some(22.4),
        output: 110_200,
        reasoning: " (82 % reasoning)".into(),
        why: None,
        places_down: 0,
    }
}

fn throttled() -> ScreenState {
    let mut view = view();
    let snapshot = &mut view.snapshot;
    (snapshot.throttled, snapshot.slots, snapshot.in_flight) = (true, 32, 32);
    snapshot.retrying = 5;
    snapshot.retrying_causes = vec![("rate limited", 4), ("overloaded", 1)];
    snapshot.retry_at = Some(at(161));
    (snapshot.ledger.rejected, snapshot.ledger.pending) = (2, 51);
    view
}

fn outage() -> ScreenState {
    let mut view = view();
    view.why = Some("connection failed: connection refused (os error 111)".into());
    let snapshot = &mut view.snapshot;
    (snapshot.in_flight, snapshot.retrying) = (0, 9);
    snapshot.longest.clear();
    snapshot.outage = Some(OutageStatus {
        since: at(117),
        next: Some(at(134)),
        retry_at: Some(at(177)),
        retry: 1,
        of: 3,
        is_probing: false,
        is_cross_checking: false,
    });
    view
}

fn held() -> ScreenState {
    let mut view = view();
    (view.snapshot.is_paused, view.snapshot.in_flight) = (true, 3);
    view
}

fn stopping() -> ScreenState {
    let mut view = view();
    view.snapshot.stopping = true;
    view
}

fn waiting_for_a_minute() -> ScreenState {
    let mut view = view();
    (view.snapshot.in_flight, view.snapshot.send_at) = (0, Some(at(137)));
    view.snapshot.longest.clear();
    view.output = 0;
    view
}

fn shown(view: &ScreenState, size: Size, looks: TermCaps) -> String {
    let frame = view.frame(size, looks, true);
    let lines: Vec<_> = frame.lines.iter().map(Line::text).collect();
    lines.join("\n").replace(&clock(117_000), "00:01:57")
}

#[test]
fn what_stays_below_looks_so_at_every_width() {
    for (name, view) in [
        ("normal", view()),
        ("throttled", throttled()),
        ("outage", outage()),
        ("held", held()),
        ("stopping", stopping()),
        ("minute", waiting_for_a_minute()),
    ] {
        for columns in [40, 60, 80, 120, 200] {
            let size = Size { columns, ..USUAL };
            golden(&format!("{name}-{columns}"), &shown(&view, size, UTF8));
        }
        golden(&format!("{name}-80-ascii"), &shown(&view, USUAL, ASCII));
    }
}

#[test]
fn the_lower_the_screen_the_less_is_shown_and_the_bar_stays_last() {
    for (name, view) in [("throttled", throttled()), ("outage", outage()), ("stopping", stopping())]
    {
        let heights = [1, 7, 8, 12, 16, 20, 24, 28, 32, 100];
        let shown = heights
            .map(|rows| format!("{rows} rows\n{}", shown(&view, Size { columns: 80, rows }, UTF8)));
        golden(&format!("{name}-heights"), &shown.join("\n\n"));
    }
}

#[test]
fn an_outage_says_what_is_on_its_way_and_offers_only_keys_that_do_something() {
    let words = |change: fn(&mut OutageStatus)| {
        let mut view = outage();
        change(view.snapshot.outage.as_mut().unwrap());
        shown(&view, USUAL, UTF8)
    };
    assert!(words(|_| ()).contains("retry 1 of 3 in 0:47, tried lightly in 0:04"));
    let tried = words(|outage| (outage.is_probing, outage.next) = (true, outage.retry_at));
    assert!(tried.contains("in 0:47, tried right now") && !tried.contains("retry now"), "{tried}");
    let retry = words(|outage| {
        (outage.is_probing, outage.retry, outage.retry_at, outage.next) = (true, 2, None, None);
    });
    assert!(
        retry.contains("retry 2 of 3 is on its way") && !retry.contains("retry now"),
        "{retry}"
    );
    assert!(words(|outage| outage.next = outage.retry_at).contains("in 0:47  "), "no light one");
}

#[test]
fn a_run_that_keeps_to_a_limit_says_whose() {
    let told = |whose| {
        let mut view = view();
        view.snapshot.rate_bound = Some(whose);
        shown(&view, USUAL, UTF8)
    };
    assert!(told(RateBound::User).contains("keeping to your limit per minute"));
    assert!(told(RateBound::Service).contains("keeping to what the service takes per minute"));
}

#[test]
fn an_estimate_is_given_only_where_it_is_one() {
    let told = |view: &ScreenState| shown(view, USUAL, UTF8).contains(" left");
    assert!(told(&view()) && !told(&outage()) && !told(&held()) && !told(&stopping()));
    assert!(!told(&ScreenState { per_minute: None, ..view() }));
    assert!(!told(&ScreenState { per_minute: Some(0.0), ..view() }));
    assert!(shown(&ScreenState { left: 10, ..view() }, USUAL, UTF8).contains("about 30 s left"));
    assert!(!told(&ScreenState { left: 5, ..view() }), "the last have taken longer than that");
}

#[test]
fn colour_is_never_the_only_sign() {
    let looks = TermCaps { is_utf8: true, has_colour: true };
    let frame = throttled().frame(WIDE, looks, true);
    let painted: Vec<_> = frame.lines.iter().map(Line::painted).collect();
    assert!(painted.join("").contains("\x1b[33m") && painted.join("").contains("\x1b[31m"));
    let bare: Vec<_> =
        throttled().frame(WIDE, UTF8, true).lines.iter().map(Line::painted).collect();
    let stripped = painted.iter().map(|line| anstream::adapter::strip_str(line).to_string());
    assert_eq!(stripped.collect::<Vec<_>>(), bare);
    assert!(bare.iter().all(|line| !line.contains('\x1b')));
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_screen_and_no_control_character_is_in_it(
        (columns, rows) in (20..=220_usize, 1..=60_usize),
        (text, why) in (".{0,80}|[\\x00-\\x9f\u{200b}-\u{202e}]{0,80}|\\PC{0,40}", "\\PC{0,200}"),
        mode in 0..6_usize,
        (is_utf8, has_keys) in any::<(bool, bool)>(),
        counts in any::<[u32; 4]>(),
    ) {
        let mut view =
            [view, throttled, outage, held, stopping, waiting_for_a_minute][mode]();
        for ask in &mut view.snapshot.longest {
            ask.question = question(counts[0], &text);
        }
        view.why = Some(why.clone());
        let answered = u64::from(counts[1]);
        view.snapshot.ledger.answered = answered;
        view.snapshot.ledger.questions = answered + u64::from(counts[2]);
        view.snapshot.ledger.pending = u64::from(counts[2]);
        view.output = u64::from(counts[3]) << 20;
        let looks = TermCaps { is_utf8, has_colour: false };
        let frame = view.frame(Size { columns, rows }, looks, has_keys);
        prop_assert!(frame.lines.len() <= (rows / 4).clamp(1, 8));
        let said = [
            crate::display::screen::log_line::QuestionResult::Failed(why.clone()),
            crate::display::screen::log_line::QuestionResult::Answered {
                took: Duration::from_secs(u64::from(counts[0])),
                output: Some(u64::from(counts[1])),
            },
        ];
        let said = said.map(|came| crate::display::screen::log_line::LogLine::Question {
            unix_ms: 0, question: question(counts[0], &text), place: (u64::from(counts[0]) + 1, Some(u64::from(counts[2]))), which: String::new(), came,
        });
        let above = said.iter().flat_map(|said| said.lines(columns - 1, looks));
        for line in frame.lines.iter().cloned().chain(above) {
            let painted = line.painted();
            prop_assert!(line.width() < columns && looks.width(&painted) < columns, "{painted:?}");
            prop_assert!(!painted.chars().any(char::is_control), "{painted:?}");
            prop_assert!(is_utf8 || painted.is_ascii(), "{painted:?}");
        }
    }
}
