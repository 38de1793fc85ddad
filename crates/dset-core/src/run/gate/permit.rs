//! The gate of limits that several runs share: no ask is sent but within what was granted to this run.
//!
//! Somebody outside keeps the limit and grants it in small parts, each for a short time. A run that gets
//! none, because whoever grants is out of reach or has given its work to another, sends nothing.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Time;

/// What a run may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    /// So many asks; as many as it likes where this is absent.
    pub asks: Option<u32>,
    /// Until then, by whichever clock is ahead: the monotonic one stands still while a process is stopped.
    pub until: Time,
}

impl Permit {
    fn is_over(&self, now: Time) -> bool {
        self.until.has_come(now) || self.until.unix_ms <= now.unix_ms
    }
}

/// What became of permits since this was last asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PermitUse {
    /// Asks that may still be sent.
    pub left: u32,
    /// Asks that were permitted and were not sent in time.
    pub unused: u32,
    /// Asks that came back and were not refused.
    pub returned: u32,
    /// The tokens that they took, where that was counted.
    pub tokens: u64,
    /// Asks of which that is known.
    pub counted: u32,
}

/// The state of the gate.
#[derive(Debug, Default)]
pub(crate) struct PermitGate {
    /// The one that ends first comes first.
    permits: VecDeque<Permit>,
    /// What comes back cannot be handed on now.
    is_held: bool,
    used: PermitUse,
}

impl PermitGate {
    pub(crate) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    pub(crate) fn grant(&mut self, permit: Permit) {
        if permit.asks.is_none() {
            self.permits.clear();
        }
        if permit.asks != Some(0) {
            self.permits.push_back(permit);
        }
    }

    /// Returns no time if an ask may be sent, and nothing where a permit must come first.
    pub(crate) fn wait(&mut self, now: Time) -> Option<Duration> {
        while self.permits.front().is_some_and(|first| first.is_over(now)) {
            let over = self.permits.pop_front();
            self.used.unused += over.and_then(|over| over.asks).unwrap_or(0);
        }
        (!self.permits.is_empty() && !self.is_held).then_some(Duration::ZERO)
    }

    pub(crate) fn on_sent(&mut self) {
        let Some(first) = self.permits.front_mut() else { return };
        let Some(asks) = &mut first.asks else { return };
        *asks -= 1;
        if *asks == 0 {
            self.permits.pop_front();
        }
    }

    pub(crate) fn on_return(&mut self, tokens: Option<u64>, was_refused: bool) {
        if was_refused {
            return;
        }
        self.used.returned += 1;
        if let Some(tokens) = tokens {
            self.used.counted += 1;
            self.used.tokens += tokens;
        }
    }

    /// Returns what became of permits, once.
    pub(crate) fn take_use(&mut self, now: Time) -> PermitUse {
        self.wait(now);
        let left = self.permits.iter().map(|permit| permit.asks.unwrap_or(0)).sum();
        PermitUse { left, ..std::mem::take(&mut self.used) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(monotonic_ms: u64) -> Time {
        Time { monotonic_ms, unix_ms: monotonic_ms as i64 }
    }

    #[test]
    fn nothing_is_sent_without_a_permit_that_holds_and_what_is_not_used_is_told_once() {
        let mut gate = PermitGate::default();
        assert_eq!(gate.wait(at(0)), None);
        gate.grant(Permit { asks: Some(2), until: at(1_000) });
        gate.grant(Permit { asks: Some(3), until: at(2_000) });
        assert_eq!(gate.wait(at(999)), Some(Duration::ZERO));
        gate.on_sent();
        assert_eq!(gate.take_use(at(999)), PermitUse { left: 4, ..PermitUse::default() });
        assert_eq!(gate.wait(at(1_000)), Some(Duration::ZERO));
        gate.on_return(Some(70), false);
        gate.on_return(None, false);
        gate.on_return(Some(7), true);
        let used = PermitUse { left: 3, unused: 1, returned: 2, tokens: 70, counted: 1 };
        assert_eq!(gate.take_use(at(1_000)), used);
        assert_eq!(gate.take_use(at(1_000)), PermitUse { left: 3, ..PermitUse::default() });
        (0..3).for_each(|_| gate.on_sent());
        assert_eq!(gate.wait(at(1_000)), None);
        assert_eq!(gate.take_use(at(5_000)).unused, 0);
    }

    #[test]
    fn a_permit_without_a_number_holds_until_its_time() {
        let mut gate = PermitGate::default();
        gate.grant(Permit { asks: None, until: at(1_000) });
        (0..100).for_each(|_| gate.on_sent());
        assert_eq!(gate.wait(at(999)), Some(Duration::ZERO));
        gate.grant(Permit { asks: None, until: at(2_000) });
        assert_eq!(gate.wait(at(1_999)), Some(Duration::ZERO));
        assert_eq!(gate.wait(at(2_000)), None);
        assert_eq!(gate.take_use(at(2_000)), PermitUse::default());
        gate.grant(Permit { asks: None, until: at(3_000) });
        gate.hold(true);
        assert_eq!(gate.wait(at(2_001)), None);
        gate.hold(false);
        assert_eq!(gate.wait(at(2_001)), Some(Duration::ZERO));
        // The process was stopped for a while.
        assert_eq!(gate.wait(Time { monotonic_ms: 2_001, unix_ms: 3_000 }), None);
    }
}
