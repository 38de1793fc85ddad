//! What was seen of a run, second by second, and the figures that come of it.

use crate::server::{Us, us};
use crate::service::{Bound, Service};

/// What happened in one second.
#[derive(Debug, Clone, Default)]
pub(crate) struct Second {
    pub(crate) sent: u32,
    pub(crate) answered: u32,
    pub(crate) refused: u32,
    /// Asks that failed otherwise: overloaded, reset.
    pub(crate) failed: u32,
    /// How many at once each client thought right at the end of it.
    pub(crate) slots: Vec<Option<u32>>,
    pub(crate) in_flight: u32,
    pub(crate) latencies_ms: Vec<u32>,
    /// Answers of each client.
    pub(crate) of_client: Vec<u32>,
}

#[derive(Debug)]
pub(crate) struct Observations {
    pub(crate) seconds: Vec<Second>,
    over: usize,
    /// When each client had its last answer, or began.
    last_answer: Vec<Us>,
    stall: Us,
}

impl Observations {
    pub(crate) fn new(service: &Service) -> Observations {
        let clients = service.clients_at_s;
        let second = Second { of_client: vec![0; clients.len()], ..Second::default() };
        Observations {
            seconds: vec![second; service.seconds as usize],
            over: 0,
            last_answer: clients.iter().map(|at_s| us(*at_s)).collect(),
            stall: 0,
        }
    }

    fn at(&mut self, now: Us) -> &mut Second {
        &mut self.seconds[(now / 1_000_000) as usize]
    }

    pub(crate) fn sent(&mut self, now: Us) {
        self.at(now).sent += 1;
    }

    pub(crate) fn refused(&mut self, now: Us) {
        self.at(now).refused += 1;
    }

    pub(crate) fn failed(&mut self, now: Us) {
        self.at(now).failed += 1;
    }

    pub(crate) fn answered(&mut self, now: Us, client: usize, took: Us) {
        let second = self.at(now);
        second.answered += 1;
        second.latencies_ms.push((took / 1000) as u32);
        self.acknowledged(client, [now]);
    }

    /// Takes when a client had its answers, in order; those after the end do not count.
    pub(crate) fn acknowledged(&mut self, client: usize, answers: impl IntoIterator<Item = Us>) {
        let end = self.end();
        for at in answers.into_iter().take_while(|at| *at < end) {
            self.at(at).of_client[client] += 1;
            self.stall = self.stall.max(at.saturating_sub(self.last_answer[client]));
            self.last_answer[client] = at;
        }
    }

    fn end(&self) -> Us {
        self.seconds.len() as Us * 1_000_000
    }

    /// The longest time that any client was without an answer, in seconds.
    pub(crate) fn stall_s(&self) -> f64 {
        let unanswered = self.last_answer.iter().map(|last| self.end().saturating_sub(*last));
        unanswered.max().unwrap_or(0).max(self.stall) as f64 / 1e6
    }

    pub(crate) fn second_over(&mut self, slots: Vec<Option<u32>>, in_flight: u32) {
        let second = &mut self.seconds[self.over];
        (second.slots, second.in_flight) = (slots, in_flight);
        self.over += 1;
    }

    fn span(&self, from_s: u32, to_s: u32) -> &[Second] {
        let to = (to_s as usize).min(self.seconds.len());
        &self.seconds[(from_s as usize).min(to)..to]
    }

    pub(crate) fn answers(&self, from_s: u32, to_s: u32) -> u32 {
        self.span(from_s, to_s).iter().map(|second| second.answered).sum()
    }

    pub(crate) fn refusals(&self, from_s: u32) -> u32 {
        self.span(from_s, u32::MAX).iter().map(|second| second.refused).sum()
    }

    /// Refused in % of what was sent.
    pub(crate) fn refused_percent(&self, from_s: u32) -> f64 {
        let sent: u32 = self.span(from_s, u32::MAX).iter().map(|second| second.sent).sum();
        100.0 * f64::from(self.refusals(from_s)) / f64::from(sent.max(1))
    }

    pub(crate) fn wasted(&self) -> u32 {
        self.seconds.iter().map(|second| second.refused + second.failed).sum()
    }

    fn latencies_ms(&self, from_s: u32) -> Vec<u32> {
        self.span(from_s, u32::MAX).iter().flat_map(|s| s.latencies_ms.iter().copied()).collect()
    }

    pub(crate) fn latency_mean_ms(&self, from_s: u32) -> f64 {
        let all = self.latencies_ms(from_s);
        all.iter().map(|ms| f64::from(*ms)).sum::<f64>() / (all.len() as f64).max(1.0)
    }

    pub(crate) fn latency_median_ms(&self, from_s: u32) -> f64 {
        let mut all = self.latencies_ms(from_s);
        all.sort_unstable();
        all.get(all.len() / 2).copied().map_or(f64::INFINITY, f64::from)
    }

    /// The smaller client's share divided by the larger's.
    pub(crate) fn fairness(&self, from_s: u32) -> f64 {
        let clients = self.last_answer.len();
        let of = |client| self.span(from_s, u32::MAX).iter().map(move |s| s.of_client[client]);
        let shares: Vec<u32> = (0..clients).map(|client| of(client).sum()).collect();
        let most = shares.iter().max().copied().unwrap_or(0).max(1);
        f64::from(shares.iter().min().copied().unwrap_or(0)) / f64::from(most)
    }

    /// The end of the first five seconds with an average of `rate` answers a second, in seconds.
    pub(crate) fn reaches_at_s(&self, rate: f64) -> Option<u32> {
        const OVER_S: usize = 5;
        let windows = self.seconds.windows(OVER_S);
        let answers = windows.map(|five| five.iter().map(|second| second.answered).sum::<u32>());
        let at = answers.map(f64::from).position(|answers| answers >= rate * OVER_S as f64);
        at.map(|at| (at + OVER_S) as u32)
    }

    /// Says what a bound finds and whether it is kept; `None` for those that need an oracle.
    pub(crate) fn check(&self, bound: Bound) -> Option<(bool, String)> {
        let end_s = self.seconds.len() as u32;
        let (kept, found) = match bound {
            Bound::Steady(_) | Bound::SteadyRefused(_) | Bound::SteadyLatency(_) => return None,
            Bound::Answers(least) => {
                let answers = self.answers(0, end_s);
                (answers >= least, format!("{answers} answers"))
            }
            Bound::Refused(most) => {
                (self.refusals(0) <= most, format!("{} refused", self.refusals(0)))
            }
            Bound::RefusedPercent(most) => {
                let percent = self.refused_percent(0);
                (percent <= most, format!("{percent:.2} % refused"))
            }
            Bound::RefusedFrom(from, most) => {
                let percent = self.refused_percent(from);
                (percent <= most, format!("{percent:.2} % refused from {from} s"))
            }
            Bound::Rate(from, to, least) => {
                let rate = f64::from(self.answers(from, to)) / f64::from(to - from);
                (rate >= least, format!("{rate:.0}/s in {from}..{to} s"))
            }
            Bound::Latency(from, most) => {
                let median = self.latency_median_ms(from);
                (median <= most, format!("{median:.0} ms median from {from} s"))
            }
            Bound::AnswerWithin(from, to) => {
                let answers = self.answers(from, to);
                (answers > 0, format!("{answers} answers in {from}..{to} s"))
            }
            Bound::Stall(most) => {
                (self.stall_s() <= most, format!("{:.1} s without an answer", self.stall_s()))
            }
            Bound::Shows(from, to, about) => {
                let shown = self.span(from, to).iter().flat_map(|s| s.slots.iter().flatten());
                // A probe above it is no error, and neither is a slot less after one.
                let near = |slots: &u32| slots.abs_diff(about) <= 2;
                let (all, off) =
                    shown.fold((0, 0), |(all, off), s| (all + 1, off + u32::from(!near(s))));
                (off * 10 <= all, format!("about {about} slots in {} of {all} s", all - off))
            }
        };
        Some((kept, found))
    }
}
