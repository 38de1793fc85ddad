//! Refusals because there is too much to do, at once or in a time.

use super::*;

fn throttled(status: u16) -> Failure {
    Failure {
        class: FailureClass::Throttled { wait: None, width: None },
        cause: Cause::Overloaded,
        status: Some(status),
        message: "busy".into(),
        wait: None,
        request_id: None,
        partial: None,
    }
}

impl Bench {
    /// Plays for so many seconds: each ask is back after `latency_ms` with what `reply` says to the
    /// question. Returns how many were asked.
    pub(super) fn play(
        &mut self,
        seconds: u64,
        latency_ms: u64,
        reply: impl Fn(u32) -> ParsedReply,
    ) -> u64 {
        let end_ms = self.now_ms + seconds * 1000;
        let mut asked = 0;
        while self.ending.is_none() && self.now_ms < end_ms {
            let on_their_way = self.on_their_way();
            if on_their_way.is_empty() {
                self.sleep();
                continue;
            }
            self.now_ms += latency_ms;
            if self.alarm.is_some_and(|at| at.monotonic_ms <= self.now_ms) {
                self.alarm = None;
                self.event(Event::TimerFired);
            }
            for question in on_their_way {
                asked += 1;
                self.reply(question, reply(question));
            }
        }
        asked
    }
}

#[test]
fn an_overloaded_service_that_names_no_time_is_not_asked_again_at_once_and_in_the_end_is_out() {
    for width in [1, 16] {
        let mut bench = Bench::new(rules(width), 50);
        let asked = bench.play(60, 1, |_| ParsedReply::Failure(throttled(529)));
        assert!(asked < 7 * 2 * u64::from(width), "{asked} in a minute, {width} at once");
        bench.play(3600, 1, |_| ParsedReply::Failure(throttled(529)));
        assert!(matches!(bench.why(), EndReason::Unreachable(_)), "{:?}", bench.why());
        assert_eq!(bench.marked.len(), 1);
    }
}

#[test]
fn a_question_that_is_refused_for_ever_holds_up_no_other_and_is_given_up() {
    for (width, status) in [(1, 429), (16, 429), (1, 529), (16, 529)] {
        let mut bench = Bench::new(rules(width), 20_000);
        let reply = |question| match question {
            5 => ParsedReply::Failure(throttled(status)),
            _ => answer(),
        };
        bench.play(120, 300, reply);
        let answered = bench.machine.ledger().answered;
        assert!(answered > 100 * u64::from(width), "{status}, {width} at once: {answered}");
        bench.play(36_000, 300, reply);
        assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
        let ledger = bench.machine.ledger();
        assert_eq!((ledger.answered, ledger.gave_up), (19_999, 1));
    }
}

#[test]
fn an_overload_in_the_middle_of_an_answer_costs_its_question_a_retry() {
    let partial = Some(Box::new(Answer { content: "half".into(), ..Answer::default() }));
    let failure = Failure { partial, ..throttled(529) };
    let mut bench = Bench::new(rules(4), 500);
    let mut asked = 0;
    while bench.ending.is_none() {
        for question in bench.on_their_way() {
            asked += u32::from(question == 5);
            let reading = match question {
                5 => ParsedReply::Failure(failure.clone()),
                _ => answer(),
            };
            bench.reply(question, reading);
        }
        if bench.on_their_way().is_empty() && bench.ending.is_none() {
            bench.sleep();
        }
    }
    assert_eq!((asked, bench.machine.ledger().gave_up), (9, 1));
}

#[test]
fn one_in_ten_refused_at_random_gives_no_question_up() {
    let mut bench = Bench::new(rules(16), 3_000);
    let count = std::cell::Cell::new(0);
    bench.play(36_000, 300, |_| {
        count.set(count.get() + 1);
        match count.get() % 10 {
            0 => ParsedReply::Failure(throttled(429)),
            _ => answer(),
        }
    });
    assert_eq!(bench.machine.ledger().answered, 3_000);
}

#[test]
fn a_wait_that_a_server_error_asks_for_is_kept_and_costs_the_question_a_retry() {
    let told = |seconds| {
        let failure = Failure { class: FailureClass::Transient, ..throttled(502) };
        let wait = Some(Duration::from_secs(seconds));
        ParsedReply::Failure(Failure { wait, ..failure })
    };
    let mut bench = Bench::new(rules(4), 20);
    bench.reply(1, told(30));
    bench.reply(0, answer());
    bench.reply(2, answer());
    bench.reply(3, answer());
    assert!(bench.on_their_way().is_empty(), "it is left alone");
    while bench.on_their_way().is_empty() {
        bench.sleep();
    }
    assert_eq!(bench.now_ms, 30_000);
    // Hours are no wait between two tries: the question is given up, and no run ends for it.
    for width in [1, 4] {
        let mut bench = Bench::new(rules(width), 20);
        bench.play(3600, 100, |question| match question {
            1 => told(86_400),
            _ => answer(),
        });
        assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
        assert_eq!(bench.machine.ledger().gave_up, 1);
    }
}

#[test]
fn a_wait_of_hours_that_is_told_in_the_middle_of_an_answer_ends_the_run() {
    let partial = Some(Box::new(Answer { content: "half".into(), ..Answer::default() }));
    let told = |seconds| {
        let wait = Some(Duration::from_secs(seconds));
        let class = FailureClass::Throttled { wait, width: None };
        ParsedReply::Failure(Failure { class, partial: partial.clone(), ..throttled(429) })
    };
    let mut bench = Bench::new(rules(1), 20);
    bench.reply(0, told(7_200));
    assert!(matches!(bench.why(), EndReason::RetryAfterTooLong(..)));
}
