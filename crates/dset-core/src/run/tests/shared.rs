use super::budget::{WORST, counted, limited, pico};
use super::*;
use crate::money::Amount;

impl Bench {
    fn time(&self) -> Time {
        Time { monotonic_ms: self.now_ms, unix_ms: self.now_ms as i64 }
    }

    fn permit(&mut self, asks: u32, ms: u64) {
        let until = self.time().after(Duration::from_millis(ms));
        self.event(Event::Permitted(Permit { asks: Some(asks), until }));
    }
}

#[test]
fn nothing_is_sent_but_within_a_permit_and_its_time() {
    let mut bench = Bench::new(Rules { is_shared: true, ..rules(8) }, 20);
    assert_eq!(bench.on_their_way(), [0_u32; 0], "nobody has permitted any");
    bench.permit(3, 1_000);
    assert_eq!(bench.on_their_way(), [0, 1, 2]);
    bench.permit(2, 1_000);
    assert_eq!(bench.on_their_way(), [0, 1, 2, 3, 4]);
    bench.permit(9, 1_000);
    assert_eq!(bench.on_their_way().len(), 8, "no more than fit");
    bench.now_ms += 1_000;
    bench.reply(0, counted(1, 1));
    assert_eq!(bench.on_their_way().len(), 7, "the permit is over");
    let (used, funds) = bench.machine.take_shared_use(bench.time());
    assert_eq!((used.left, used.unused, used.returned, used.tokens), (0, 6, 1, 2));
    assert_eq!(funds, None);
}

#[test]
fn who_lost_the_lease_asks_nothing_more_and_keeps_what_still_comes() {
    let mut bench = Bench::new(Rules { is_shared: true, ..rules(4) }, 9);
    bench.permit(4, 60_000);
    bench.event(Event::LeaseLost);
    for question in 0..4 {
        assert!(bench.ending.is_none());
        bench.reply(question, counted(1, 1));
    }
    assert!(matches!(bench.why(), EndReason::LeaseLost));
    assert_eq!(bench.ending.as_ref().unwrap().ledger.answered, 4);
}

/// A run under a limit that others share, of which this much is its own.
fn sharing(width: u32, granted: i64) -> Bench {
    let mut rules = limited(width, 1_000 * WORST);
    rules.budget.as_mut().unwrap().granted = Some(pico(granted));
    Bench::new(rules, 20)
}

#[test]
fn no_more_is_on_its_way_than_was_granted_and_more_is_wished_for() {
    let mut bench = sharing(8, 2 * WORST + 1);
    assert_eq!(bench.on_their_way(), [0, 1]);
    let (_, funds) = bench.machine.take_shared_use(bench.time());
    let funds = funds.unwrap();
    assert_eq!((funds.used, funds.least, funds.is_idle), (pico(2 * WORST), pico(WORST), false));
    assert!(funds.wanted >= pico(WORST), "{funds:?}");
    bench.event(Event::Funded { granted: pico(3 * WORST), is_last: false });
    assert_eq!(bench.on_their_way(), [0, 1, 2]);
    // What an ask did not need pays for another.
    bench.reply(0, counted(0, 0));
    assert_eq!(bench.on_their_way(), [1, 2, 3]);
}

#[test]
fn a_run_that_can_send_nothing_hands_back_what_it_has_and_ends_once_nothing_is_left() {
    let mut bench = sharing(8, WORST / 2);
    assert_eq!(bench.on_their_way(), [0_u32; 0]);
    let (_, funds) = bench.machine.take_shared_use(bench.time());
    let funds = funds.unwrap();
    assert_eq!((funds.used, funds.is_idle), (Amount::ZERO, true));
    assert!(bench.ending.is_none(), "others may hand something back");
    bench.event(Event::Funded { granted: pico(WORST), is_last: false });
    assert_eq!(bench.on_their_way(), [0]);
    bench.event(Event::Funded { granted: pico(WORST), is_last: true });
    assert!(bench.ending.is_none());
    bench.reply(0, counted(10, 100));
    assert!(matches!(bench.why(), EndReason::CostLimit { .. }), "{:?}", bench.why());
}
