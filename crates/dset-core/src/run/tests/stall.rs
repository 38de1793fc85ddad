//! Asks of which nothing comes: when they are dropped, and when they may only be hard ones.

use super::places::two_places;
use super::*;

impl Bench {
    /// Answers everything on its way that `may` be, a tenth of a second apart, until nothing is.
    fn answer_all(&mut self, may: impl Fn(&Bench, (AskId, QuestionIndex)) -> bool) {
        loop {
            let asks = self.asks.clone();
            let Some((_, question)) = asks.into_iter().find(|ask| may(self, *ask)) else { return };
            self.now_ms += 100;
            self.reply(question, answer());
        }
    }

    /// Sleeps until an ask is dropped and tried again; returns when that was, in seconds.
    fn dropped_at_s(&mut self) -> u64 {
        while !self.told.iter().any(|notice| notice == "Retrying") {
            self.sleep();
        }
        self.now_ms / 1000
    }
}

#[test]
fn hard_questions_are_waited_for_while_they_are_more_than_one_in_a_hundred() {
    let mut bench = Bench::new(rules(32), 240);
    bench.answer_all(|_, (_, question)| question % 8 > 0);
    assert!(bench.emitted.is_empty() && bench.on_their_way().len() > 10);
    while bench.now_ms < 100_000 {
        bench.now_ms += 5_000;
        bench.event(Event::TimerFired);
    }
    bench.answer_all(|_, _| true);
    assert_eq!((bench.sent, bench.emitted.len()), (240, 240), "none was dropped and asked again");
}

#[test]
fn what_hangs_of_a_short_run_is_dropped_after_minutes_and_before_the_timeout() {
    let mut bench = Bench::new(rules(8), 20);
    bench.answer_all(|_, (_, question)| question > 2);
    let at_s = bench.dropped_at_s();
    assert!((600..610).contains(&at_s), "{at_s}");
}

#[test]
fn a_place_that_never_answers_is_held_against_the_others_of_its_model() {
    let mut bench = Bench::new(two_places(8), 150);
    bench.answer_all(|bench, (ask, _)| bench.endpoints[&ask] == 1);
    assert!(bench.at(0) > 0);
    let at_s = bench.dropped_at_s();
    assert!((300..330).contains(&at_s), "{at_s}");
}
