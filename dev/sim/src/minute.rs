//! The user's limits a minute, over all the lives of a run.

use std::collections::VecDeque;

use dset_core::answer::ParsedReply;
use dset_core::run::Event;

use crate::schedule::Start;

/// Tokens of every answer.
pub(crate) const TOKENS: u64 = 100;
const MINUTE_MS: i64 = 60_000;
/// How long after a life that was cut short it is unknown what was sent in the last minute.
const UNKNOWN_MS: i64 = 62_000;

/// What was sent and what was answered in the last minute.
#[derive(Debug, Default)]
pub(crate) struct Sends {
    sent: VecDeque<i64>,
    answered: VecDeque<i64>,
    /// When a life was cut short, or dropped what was in flight.
    unknown_at: Option<i64>,
}

impl Sends {
    pub(crate) fn is_unknown(&self, unix_ms: i64) -> bool {
        self.unknown_at.is_some_and(|at| unix_ms - at <= UNKNOWN_MS)
    }

    /// A life has not recorded all that it had sent.
    pub(crate) fn lost(&mut self, unix_ms: i64) {
        self.unknown_at = Some(unix_ms);
    }

    /// Stamps from before a clock was set say nothing about the time since.
    pub(crate) fn clock_moved(&mut self) {
        *self = Sends { unknown_at: self.unknown_at, ..Sends::default() };
    }

    pub(crate) fn ask(&mut self, unix_ms: i64, start: &Start) {
        self.sent.push_back(unix_ms);
        forget(&mut self.sent, unix_ms);
        let asks = self.sent.len();
        let most = start.rpm.map_or(usize::MAX, |most| most as usize);
        assert!(asks <= most, "no minute holds more asks than the limit");
        forget(&mut self.answered, unix_ms);
        let tokens = self.answered.len() as u64 * TOKENS;
        assert!(start.tpm.is_none_or(|most| tokens <= most), "no minute holds more tokens");
    }

    pub(crate) fn observe(&mut self, unix_ms: i64, event: &Event) {
        if let Event::Replied { reading: ParsedReply::Answer(_), .. } = event {
            self.answered.push_back(unix_ms);
        }
    }
}

/// Returns the longest time that `asked` questions may take because of the limits a minute.
pub(crate) fn longest_ms(start: &Start, asked: u64) -> u64 {
    let minutes = |parts: u64| parts * UNKNOWN_MS as u64;
    let of_asks = start.rpm.map_or(0, |most| minutes(asked) / u64::from(most) + minutes(1));
    // After a cut answer, which is long, one ask a minute may be all.
    let of_tokens = start.tpm.map_or(0, |_| minutes(asked + 1));
    of_asks + of_tokens
}

fn forget(times: &mut VecDeque<i64>, unix_ms: i64) {
    while times.front().is_some_and(|at| at + MINUTE_MS <= unix_ms) {
        times.pop_front();
    }
}
