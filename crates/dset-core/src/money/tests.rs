use super::*;
use crate::answer::Usage;

/// Reads a moment in UTC.
fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn tokens(input: u64, cached: u64, output: u64) -> Usage {
    let (input, cached, output) = (Some(input), Some(cached), Some(output));
    Usage { input, cached, output, reasoning: Some(0), ..Usage::default() }
}

const FLASH: Asked<'_> = Asked { provider: Some("deepseek"), model: "deepseek-flash" };

fn dollars(cost: Cost) -> String {
    match cost {
        Cost::Between(lower, upper) if lower == upper => lower.to_string(),
        Cost::Between(lower, upper) => format!("{lower} to {upper}"),
        Cost::Unknown(why) => format!("{why:?}"),
    }
}

#[test]
fn the_table_that_comes_with_dset_can_be_read() {
    let table = PriceTable::built_in();
    assert!(table.entries().len() > 70);
    assert!(table.version.starts_with(&table.as_of));
    assert_eq!(table.age_days(at(&format!("{}T12:00:00Z", table.as_of))), 0);
    assert_eq!(table.age_days(at("1999-01-01T00:00:00Z")), 0);
    for entry in table.entries() {
        assert!(!entry.source.is_empty() && !entry.seen.is_empty(), "{}", entry.model);
        assert!(entry.base.input > Price::default(), "{}", entry.model);
    }
}

#[test]
fn deepseek_costs_twice_as_much_in_its_hours_of_a_working_day() {
    let million = tokens(1_000_000, 0, 1_000_000);
    for (moment, cost) in [
        // A Monday, at the edges of both windows.
        ("2026-11-23T00:59:59.999Z", "0.75"),
        ("2026-11-23T01:00:00.000Z", "1.5"),
        ("2026-11-23T03:59:59.999Z", "1.5"),
        ("2026-11-23T04:00:00.000Z", "0.75"),
        ("2026-11-23T05:59:59.999Z", "0.75"),
        ("2026-11-23T06:00:00.000Z", "1.5"),
        ("2026-11-23T09:59:59.999Z", "1.5"),
        ("2026-11-23T10:00:00.000Z", "0.75"),
        // Friday, Saturday, Sunday.
        ("2026-11-27T09:59:59.999Z", "1.5"),
        ("2026-11-28T09:00:00.000Z", "0.75"),
        ("2026-11-29T02:00:00.000Z", "0.75"),
        // Before this price, on a Thursday.
        ("2026-09-10T09:00:00.000Z", "1.76"),
        ("2026-09-10T15:59:59.999Z", "0.88"),
        ("2026-09-10T16:00:00.000Z", "0.75"),
        // Saturdays were dear for one week, and the hours were new.
        ("2026-08-22T09:00:00.000Z", "1.76"),
        ("2026-08-29T09:00:00.000Z", "0.88"),
        ("2026-08-16T15:59:59.999Z", "0.42"),
        ("2026-08-16T16:00:00.000Z", "0.88"),
    ] {
        let cost_then = Prices::default().cost(FLASH, &million, at(moment));
        assert_eq!(dollars(cost_then), cost, "{moment}");
        let alias = Asked { model: "deepseek-v4-flash", ..FLASH };
        assert_eq!(Prices::default().cost(alias, &million, at(moment)), cost_then);
    }
}

#[test]
fn the_next_tariff_is_the_next_edge_of_a_window() {
    let table = PriceTable::built_in();
    for (now, next) in [
        ("2026-11-23T00:30:30Z", "2026-11-23T01:00:00Z"),
        ("2026-11-23T01:00:00Z", "2026-11-23T04:00:00Z"),
        ("2026-11-27T10:00:00Z", "2026-11-30T01:00:00Z"),
    ] {
        let entry = table.find("deepseek", "deepseek-flash", at(now)).unwrap();
        assert_eq!(entry.next_tariff(at(now)), Some(at(next)), "{now}");
    }
    let always = table.find("openai", "gpt-5-mini", at("2026-11-23T00:00:00Z")).unwrap();
    assert_eq!(always.next_tariff(at("2026-11-23T00:00:00Z")), None);
}

#[test]
fn a_long_prompt_makes_the_whole_request_dearer() {
    let haiku = Asked { provider: Some("anthropic"), model: "claude-haiku-5-5" };
    let gpt = Asked { provider: Some("openai"), model: "gpt-5.4" };
    let now = at("2026-11-23T12:00:00Z");
    for (asked, input, cached, cost) in [
        (haiku, 100_000, 0, "0.5100"),
        (haiku, 100_001, 0, "2.5500005"),
        // Cached tokens count in the length.
        (haiku, 100_001, 100_001, "2.50500005"),
        (gpt, 272_000, 0, "15.68"),
        (gpt, 272_001, 0, "23.860005"),
    ] {
        let cost_of = Prices::default().cost(asked, &tokens(input, cached, 1_000_000), now);
        assert_eq!(dollars(cost_of), cost.trim_end_matches('0'), "{input} {cached}");
    }
}

#[test]
fn a_price_holds_from_its_moment_up_to_that_of_the_next() {
    let million = tokens(1_000_000, 0, 1_000_000);
    for (model, provider, moment, cost) in [
        ("mistral-large-4", "mistral", "2026-10-19T23:59:59.999Z", "2.77"),
        ("mistral-large-4", "mistral", "2026-10-20T00:00:00.000Z", "5.54"),
        ("mistral-large-4", "mistral", "2026-10-29T00:00:00.000Z", "2.8"),
        ("claude-fable-5-2", "anthropic", "2026-11-08T23:59:59.999Z", "NoPrice"),
        ("claude-fable-5-2", "anthropic", "2026-11-09T00:00:00.000Z", "48"),
    ] {
        let asked = Asked { provider: Some(provider), model };
        assert_eq!(dollars(Prices::default().cost(asked, &million, at(moment))), cost, "{moment}");
    }
}

#[test]
fn a_count_that_is_missing_makes_an_interval_or_an_unknown_cost_and_never_nothing() {
    let now = at("2026-11-29T12:00:00Z");
    let million = tokens(1_000_000, 0, 1_000_000);
    let cost = |asked, tokens: Usage| dollars(Prices::default().cost(asked, &tokens, now));
    for (tokens, shown) in [
        (Usage { cached: Some(1_000_000), ..million }, "0.603"),
        (Usage { cached: None, ..million }, "0.603 to 0.75"),
        // More than was sent says nothing.
        (Usage { cached: Some(1_000_001), ..million }, "0.603 to 0.75"),
        (Usage { reasoning: None, ..million }, "0.75"),
        (Usage { input: None, ..million }, "NoCounts"),
        (Usage { output: None, ..million }, "NoCounts"),
        (Usage::default(), "NoCounts"),
    ] {
        assert_eq!(cost(FLASH, tokens), shown, "{tokens:?}");
    }
    // Where nobody counts what was written into the cache: it is asked for at Anthropic, not at OpenAI.
    let openai = Asked { provider: Some("openai"), model: "gpt-6-luna" };
    assert_eq!(cost(openai, tokens(200_000, 100_000, 0)), "0.011 to 0.0135");
    let anthropic = Asked { provider: Some("anthropic"), model: "claude-haiku-5-5" };
    assert_eq!(cost(anthropic, tokens(100_000, 50_000, 0)), "0.0055");
    for (asked, written, written_1h, shown) in [
        (openai, Some(0), None, "0.011"),
        (openai, Some(100_000), None, "0.0135"),
        (openai, Some(100_001), None, "0.011 to 0.0135"),
        (anthropic, Some(40_000), None, "0.0065"),
        (anthropic, Some(40_000), Some(40_000), "0.0095"),
    ] {
        let tokens = Usage { written, written_1h, ..tokens(100_000, 50_000, 0) };
        let tokens = if asked.model == "gpt-6-luna" {
            Usage { input: Some(200_000), cached: Some(100_000), ..tokens }
        } else {
            tokens
        };
        assert_eq!(cost(asked, tokens), shown, "{asked:?} {written:?}");
    }
}

#[test]
fn what_has_no_price_has_no_cost() {
    let now = at("2026-11-29T12:00:00Z");
    for (provider, model) in [
        (Some("deepseek"), "deepseek-chat"),
        (Some("mistral"), "mistral-large-latest"),
        (Some("openai"), "deepseek-flash"),
        (None, "deepseek-flash"),
        (Some("ollama"), "llama"),
    ] {
        let cost = Prices::default().cost(Asked { provider, model }, &tokens(1, 0, 1), now);
        assert_eq!(cost, Cost::Unknown(WhyUnknown::NoPrice), "{model}");
    }
}

#[test]
fn the_users_own_price_outranks_the_tables() {
    let price = |text| Price::parse(text).unwrap();
    let own = |name: &str, input| {
        let (input, output) = (price(input), price("0"));
        OwnPrice::new(name, Rates { input, output, ..Rates::default() })
    };
    let below = |name: &str, input| OwnPrice { file: 1, ..own(name, input) };
    let alias = OwnPrice { with_id: Some("gemini/y".into()), ..own("google/y", "4") };
    let prices = Prices {
        own: vec![
            own("deepseek-flash", "1"),
            own("deepseek/deepseek-flash", "2"),
            own("m/x", "3"),
            alias,
            own("z", "5"),
            below("m/z", "6"),
            below("m/w", "7"),
            below("w", "8"),
        ],
        ..Prices::default()
    };
    let million = Usage { cached: None, ..tokens(1_000_000, 0, 1) };
    for (provider, model, cost) in [
        (Some("deepseek"), "deepseek-flash", "2"),
        (Some("openrouter"), "deepseek-flash", "1"),
        (None, "deepseek-flash", "1"),
        (None, "m/x", "3"),
        (Some("m"), "x", "3"),
        (None, "x", "NoPrice"),
        (Some("gemini"), "y", "4"),
        (Some("openrouter"), "google/y", "4"),
        (Some("m"), "z", "5"),
        (Some("m"), "w", "7"),
    ] {
        let cost_of = prices.cost(Asked { provider, model }, &million, 0);
        assert_eq!(dollars(cost_of), cost, "{provider:?} {model}");
    }
}

#[test]
fn expenses_add_up_by_what_came_of_each_call() {
    let prices = Prices::default();
    let mut all = Expenses::default();
    let million = tokens(1_000_000, 500_000, 1_000_000);
    let billed = |asked, tokens, said, outcome| Billed {
        most: None,
        asked,
        at: at("2026-11-29T12:00:00Z"),
        tokens,
        said,
        outcome,
        is_later_try: false,
    };
    let nobody = Asked { provider: None, model: "mine" };
    for call in [
        billed(FLASH, million, None, BilledAs::Answer),
        billed(FLASH, Usage { cached: None, ..million }, None, BilledAs::Answer),
        billed(FLASH, million, Some(2.5), BilledAs::Answer),
        billed(nobody, million, None, BilledAs::Answer),
        billed(FLASH, million, None, BilledAs::Retried("only reasoning")),
        billed(FLASH, million, None, BilledAs::Rejected("length limit")),
        billed(FLASH, Usage::default(), None, BilledAs::Lost("timed out")),
    ] {
        all.add(&prices, &call);
    }
    let shown = |total: &Total| (total.lower.to_string(), total.upper.to_string());
    assert_eq!(shown(&all.answers), ("3.7795".into(), "3.9265".into()));
    assert_eq!(shown(&all.retried), ("0.6765".into(), "0.6765".into()));
    assert_eq!(shown(&all.spent), ("5.1325".into(), "5.2795".into()));
    assert_eq!((all.spent.calls, all.spent.known(), all.said), (7, 5, 1));
    assert_eq!((all.spent.no_price, all.spent.no_counts), (1, 1));
    assert_eq!(all.saved.to_string(), "0.294");
    assert_eq!(all.without_price(), ["mine"]);
    // Of a model without answers as of the dearest that has some.
    let more = |left: &[(&str, u64)]| all.more_answers(left);
    assert_eq!(more(&[]), Some(Amount::ZERO));
    assert_eq!(more(&[("nobody", 10)]), more(&[("", 10)]));
    assert_eq!(all.thousand_answers().unwrap().to_string(), "1759.833333333334");
    let again = Billed { is_later_try: true, ..billed(FLASH, million, None, BilledAs::Answer) };
    let (before, mut tried) = (all.more_answers(&[(FLASH.model, 3)]).unwrap(), all.clone());
    for _ in 0..3 {
        tried.add(&prices, &again);
    }
    let now = tried.more_answers(&[(FLASH.model, 3)]).unwrap();
    assert!(now > before, "three questions, and three more tries at them");
    assert_eq!(tried.answers.questions(), all.answers.questions());
    assert_eq!(all.models.len(), 2);
    let causes: Vec<&str> = all.causes.keys().map(|cause| &**cause).collect();
    assert_eq!(causes, ["length limit", "only reasoning", "timed out"]);
    let by_kind = [&all.answers, &all.retried, &all.rejected, &all.lost];
    assert_eq!(by_kind.iter().map(|total| total.upper).sum::<Amount>(), all.spent.upper);
}

#[test]
fn what_is_counted_of_a_reply_is_the_least_that_it_cost() {
    let dollars = |dollars| Amount::from_dollars(dollars);
    for (tokens, least) in [
        (Usage { output: Some(1_000_000), ..Usage::default() }, "0.6"),
        (Usage { output: Some(100_000_000), ..Usage::default() }, "5"),
        (Usage { input: Some(1_000_000), cached: Some(0), ..Usage::default() }, "0.15"),
        (Usage::default(), "0"),
    ] {
        // Nor is it free where a gateway says so that did not count it.
        for said in [None, Some(0.0)] {
            let mut all = Expenses::default();
            all.add(
                &Prices::default(),
                &Billed {
                    most: dollars(5.0),
                    asked: FLASH,
                    at: at("2026-11-29T12:00:00Z"),
                    tokens,
                    said,
                    outcome: BilledAs::Answer,
                    is_later_try: false,
                },
            );
            let spent = (all.spent.lower.to_string(), all.spent.upper.to_string());
            assert_eq!(spent, (least.to_owned(), "5".to_owned()), "{tokens:?} {said:?}");
        }
    }
}

#[test]
fn a_table_that_makes_no_sense_is_refused() {
    let one = |fields: &str| {
        format!(
            r#"{{"schema": "prices/2", "as_of": "2026-01-01", "made_of": [], "prices": [{{
            "provider": "p", "model": "m", "source": "s", "seen": "2026-01-01",
            "base": {{"input": "1", "output": "2"}}{fields}}}]}}"#
        )
    };
    assert!(PriceTable::read(&one("")).is_ok());
    let peak = r#""when": [{"utc": [["01:00", "24:00"]], "weekdays": [7], "is": "peak"}]"#;
    let cheap = r#""off_peak": {"input": "0", "output": "0"}"#;
    assert!(PriceTable::read(&one(&format!(", {peak}, {cheap}"))).is_ok());
    for fields in [
        r#", "until": "tomorrow""#,
        r#", "from": "2026-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z""#,
        r#", "colour": "red""#,
        &format!(", {peak}"),
        &format!(", {cheap}"),
        &format!(", {cheap}, {}", peak.replace('7', "8")),
        &format!(", {cheap}, {}", peak.replace("24:00", "24:01")),
        &format!(", {cheap}, {}", peak.replace("24:00", "00:30")),
        r#", "batch": {"input": -1, "output": "1"}"#,
        r#", "batch": {"input": 0.1, "output": "1"}"#,
        r#", "batch": {"input": "1"}"#,
        r#"}, {"provider": "p", "model": "n", "aliases": ["m"], "source": "", "seen": "",
           "base": {"input": "1", "output": "1"}"#,
    ] {
        assert!(PriceTable::read(&one(fields)).is_err(), "{fields}");
    }
}

#[test]
fn a_failed_ask_is_billed_where_a_service_may_have_written_something() {
    let failed = |cause, status, is_counted, has_reply, is_answered| {
        FailedCall { cause, status, is_counted, has_reply, is_answered }.billed_as()
    };
    for (call, billed) in [
        (
            failed("length limit", Some(200), true, true, false),
            Some(BilledAs::Rejected("length limit")),
        ),
        (failed("no text", Some(200), true, true, true), Some(BilledAs::Retried("no text"))),
        (
            failed("stream broke", Some(200), false, true, true),
            Some(BilledAs::Lost("stream broke")),
        ),
        (failed("timed out", None, false, false, true), Some(BilledAs::Lost("timed out"))),
        (
            failed("connection lost", None, false, false, false),
            Some(BilledAs::Lost("connection lost")),
        ),
        (failed("timed out", Some(504), false, false, false), Some(BilledAs::Lost("timed out"))),
        (failed("no answer", None, false, false, true), Some(BilledAs::Lost("no answer"))),
        (failed("timed out", Some(408), false, false, false), Some(BilledAs::Lost("timed out"))),
        (
            failed("server error", Some(502), false, false, false),
            Some(BilledAs::Lost("server error")),
        ),
        (
            failed("connection lost", Some(500), false, false, false),
            Some(BilledAs::Lost("connection lost")),
        ),
        (failed("blank", Some(200), false, false, false), Some(BilledAs::Lost("blank"))),
        (failed("server error", Some(500), false, false, false), None),
        (failed("overloaded", Some(503), false, false, false), None),
        (failed("rate limited", Some(429), false, false, true), None),
        (failed("connection failed", None, false, false, false), None),
        (failed("the proxy wants a password", None, false, false, false), None),
        (failed("the proxy refuses", None, false, false, false), None),
        // No TLS: nothing was sent. No HTTP: who knows what it has done by then.
        (failed("wrong protocol", None, false, false, false), None),
        (failed("not HTTP", None, false, false, false), Some(BilledAs::Lost("not HTTP"))),
    ] {
        assert_eq!(call, billed);
    }
}
