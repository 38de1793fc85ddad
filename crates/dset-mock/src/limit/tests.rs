use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn limits(settings: MockSettings) -> Limits {
    Limits::new(&settings)
}

/// Asks at each time; returns which were let in, with the wait of those that were not.
fn ask(limits: &mut Limits, at_ms: &[u64]) -> Vec<Option<u64>> {
    at_ms
        .iter()
        .map(|at| match limits.admit(ms(*at), 300) {
            Ok(()) => None,
            Err(Refusal::Requests { wait, .. } | Refusal::Tokens { wait, .. }) => {
                Some((wait.as_secs_f64() * 1000.0).round() as u64)
            }
            Err(other) => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_bucket_gives_its_burst_at_once_and_then_its_rate() {
    let settings = MockSettings { rpm: Some(120), burst_s: Some(1.0), ..MockSettings::default() };
    let mut limits = limits(settings);
    let let_in = ask(&mut limits, &[0, 0, 0, 250, 500, 600, 1000, 9000, 9000, 9000]);
    let none = None;
    assert_eq!(
        let_in,
        [none, none, Some(500), Some(250), none, Some(400), none, none, none, Some(500)]
    );
}

#[test]
fn without_a_burst_a_whole_minute_may_be_had_at_once() {
    let mut limits = limits(MockSettings { rpm: Some(3), ..MockSettings::default() });
    assert_eq!(ask(&mut limits, &[0, 0, 0, 0]), [None, None, None, Some(20_000)]);
}

#[test]
fn a_fixed_window_forgets_everything_at_the_minute() {
    let window = Window::Fixed;
    let mut limits = limits(MockSettings { rpm: Some(2), window, ..MockSettings::default() });
    assert_eq!(
        ask(&mut limits, &[30_000, 40_000, 59_000, 60_000, 60_500, 61_000]),
        [None, None, Some(1000), None, None, Some(59_000)]
    );
    assert_eq!(
        limits.rooms(ms(90_000)).requests,
        Some(RemainingLimit { limit: 2, remaining: 0, reset: ms(30_000) })
    );
}

#[test]
fn output_is_charged_when_it_is_known_and_may_be_a_debt() {
    // 10 tokens a second, 100 s of them at once at most.
    let settings = MockSettings { tpm: Some(600), burst_s: Some(100.0), ..MockSettings::default() };
    let mut limits = limits(settings);
    assert_eq!(ask(&mut limits, &[0, 0, 0, 0]), [None, None, None, Some(20_000)]);
    limits.spent(ms(0), 200);
    // 100 were left, so now 100 are owed.
    assert_eq!(ask(&mut limits, &[0, 39_000, 40_000]), [Some(40_000), Some(1_000), None]);
}

#[test]
fn an_ask_larger_than_the_bucket_gets_all_of_it() {
    let settings = MockSettings { tpm: Some(600), burst_s: Some(1.0), ..MockSettings::default() };
    let mut limits = limits(settings);
    assert_eq!(ask(&mut limits, &[0, 0, 30_000]), [None, Some(30_000), None]);
}

#[test]
fn headers_tell_a_minute_whatever_the_burst_is() {
    let settings = MockSettings { rpm: Some(600), burst_s: Some(1.0), ..MockSettings::default() };
    let mut limits = limits(settings);
    ask(&mut limits, &[0, 0, 0, 0]);
    let room = RemainingLimit { limit: 600, remaining: 596, reset: ms(400) };
    assert_eq!(limits.rooms(ms(0)).requests, Some(room));
    let room = RemainingLimit { limit: 600, remaining: 600, reset: ms(0) };
    assert_eq!(limits.rooms(ms(400)).requests, Some(room));
}

#[test]
fn the_limit_at_once_changes_when_it_is_told_to() {
    let mut limits = limits(MockSettings {
        concurrency_max: Some(2),
        concurrency_at: vec!["27=3".parse().unwrap(), "15=1".parse().unwrap()],
        ..MockSettings::default()
    });
    let mut admit = |at| limits.admit(ms(at), 0);
    assert_eq!((admit(0), admit(0)), (Ok(()), Ok(())));
    assert_eq!(admit(14_999), Err(Refusal::Concurrency { at_once: 3, most: 2 }));
    assert_eq!(admit(15_000), Err(Refusal::Concurrency { at_once: 3, most: 1 }));
    assert_eq!(admit(27_000), Ok(()));
    limits.ended();
    assert_eq!(limits.admit(ms(27_000), 0), Ok(()));
}

#[test]
fn overload_comes_before_every_other_limit() {
    let mut limits = limits(MockSettings {
        overload_max: Some(1),
        concurrency_max: Some(1),
        rpm: Some(1),
        ..MockSettings::default()
    });
    assert_eq!(limits.admit(ms(0), 0), Ok(()));
    assert_eq!(limits.admit(ms(0), 0), Err(Refusal::Overloaded));
}

#[test]
fn words_of_limits_are_read_or_refused() {
    assert_eq!("3".parse(), Ok(RetryAfter::Seconds(3.0)));
    assert_eq!("auto".parse(), Ok(RetryAfter::Auto));
    assert_eq!("fixed".parse(), Ok(Window::Fixed));
    for text in ["", "-1", "soon", "NaN"] {
        assert!(text.parse::<RetryAfter>().is_err(), "{text}");
    }
    for text in ["", "15", "x=3", "15=x", "-1=3"] {
        assert!(text.parse::<ConcurrencyAt>().is_err(), "{text}");
    }
    assert!("sliding".parse::<Window>().is_err());
}
