//! A client with an endless backlog: sends what its sender allows, and probes in an outage.

use std::time::Duration;

use dset_core::provider::{Quota, RateLimits};
use dset_core::rate::outage::FailureStreak;
use dset_core::rate::{Bounds, Permit, RateController, ResponseSignal, Ticket};
use dset_core::time::Time;

use crate::oracle;
use crate::server::{Headers, Server, Us, us};

/// The user's own bound: none to speak of.
const SLOTS_MAX: u32 = 10_000;
/// The first wait of an outage, and how much longer each is, up to the last.
const PROBE_FIRST_S: f64 = 2.0;
const PROBE_LONGER: f64 = 1.6;
const PROBE_LAST_S: f64 = 60.0;

/// Who decides when to send.
#[derive(Debug)]
pub(crate) enum Sender {
    Pace(Box<RateController>),
    /// Sees the counters of the service.
    Oracle,
    /// A fixed concurrency, whatever comes back.
    Fixed(u32),
}

impl Sender {
    pub(crate) fn pace() -> Sender {
        Sender::Pace(Box::new(RateController::new(Bounds {
            slots_max: SLOTS_MAX,
            is_trusted: false,
        })))
    }
}

#[derive(Debug)]
struct Outage {
    wait_s: f64,
    probe_at: Us,
    probing: bool,
}

/// What a client may do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NextAction {
    Send,
    Wake(Us),
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) sender: Sender,
    pub(crate) in_flight: u32,
    /// Sent and not arrived.
    pub(crate) on_the_way: u32,
    /// Asks so far: every one is for a question of its own.
    asked: u32,
    /// The wake-up that counts; others are void.
    pub(crate) wake_at: Option<Us>,
    failures: FailureStreak,
    outage: Option<Outage>,
}

/// An ask in flight, as its client sees it.
#[derive(Debug, Clone)]
pub(crate) struct SentAsk {
    sent: Option<Ticket>,
    at: Us,
    question: u32,
    is_probe: bool,
}

impl Client {
    pub(crate) fn new(sender: Sender) -> Client {
        Client {
            sender,
            in_flight: 0,
            on_the_way: 0,
            asked: 0,
            wake_at: None,
            failures: FailureStreak::default(),
            outage: None,
        }
    }

    pub(crate) fn next(&mut self, now: Us, server: &mut Server<'_>) -> NextAction {
        if let Some(outage) = &self.outage {
            return match outage {
                Outage { probing: true, .. } => NextAction::Nothing,
                Outage { probe_at, .. } if *probe_at <= now => NextAction::Send,
                Outage { probe_at, .. } => NextAction::Wake(*probe_at),
            };
        }
        match &mut self.sender {
            Sender::Oracle => oracle::next(now, server, self.on_the_way),
            Sender::Fixed(slots) if self.in_flight < *slots => NextAction::Send,
            Sender::Fixed(_) => NextAction::Nothing,
            Sender::Pace(pace) => match pace.may_send(time(now)) {
                Permit::Now => NextAction::Send,
                Permit::NotBefore(at) => {
                    let at = at.monotonic_ms * 1000;
                    assert!(at > now, "the moment of NotBefore is later than that of the question");
                    NextAction::Wake(at)
                }
                Permit::NotYet => NextAction::Nothing,
            },
        }
    }

    pub(crate) fn sends(&mut self, now: Us) -> SentAsk {
        self.in_flight += 1;
        self.on_the_way += 1;
        self.asked += 1;
        let sent = match &mut self.sender {
            Sender::Pace(pace) => Some(pace.sent(time(now))),
            _ => None,
        };
        let outage = self.outage.as_mut();
        let is_probe = outage.map(|outage| outage.probing = true).is_some();
        SentAsk { sent, at: now, question: self.asked, is_probe }
    }

    /// Takes a status line that comes before its answer.
    pub(crate) fn accepted(&mut self, now: Us, ticket: &SentAsk) {
        if let (Sender::Pace(pace), Some(sent)) = (&mut self.sender, &ticket.sent) {
            pace.accepted(time(now), sent);
        }
    }

    /// Takes what came of an ask, with the headers of the reply.
    pub(crate) fn back(
        &mut self,
        now: Us,
        ticket: &SentAsk,
        back: ResponseSignal,
        headers: Option<Headers>,
    ) {
        self.in_flight -= 1;
        if let (Sender::Pace(pace), Some(sent)) = (&mut self.sender, &ticket.sent) {
            if let Some(headers) = headers {
                control_signal(pace, now, &headers);
            }
            pace.on_return(time(now), sent, back);
        }
        match back {
            ResponseSignal::Answered { .. } => {
                let is_alive = self.failures.answered(time(ticket.at));
                if is_alive
                    && self.outage.take().is_some()
                    && let Sender::Pace(pace) = &mut self.sender
                {
                    pace.outage_over(time(now));
                }
            }
            _ if self.outage.is_some() => self.failed_in_outage(now, ticket),
            ResponseSignal::Refused { .. } | ResponseSignal::Overloaded { .. } => {}
            ResponseSignal::Neutral => self.failed(now, ticket),
        }
    }

    /// How many at once it may send, where its sender has an opinion.
    pub(crate) fn slots(&self) -> Option<u32> {
        match &self.sender {
            Sender::Pace(pace) => u32::try_from(pace.slots()).ok(),
            Sender::Fixed(slots) => Some(*slots),
            Sender::Oracle => None,
        }
    }

    fn failed(&mut self, now: Us, ticket: &SentAsk) {
        let slots_max = match &self.sender {
            Sender::Oracle => return,
            Sender::Fixed(slots) => *slots,
            Sender::Pace(_) => SLOTS_MAX,
        };
        // Every question is a new one: its first failure is this one.
        let (first_failed_at, in_flight) = (self.failures.answers(), self.in_flight as usize);
        let (now_at, question) = (time(now), ticket.question);
        if self.failures.failed(now_at, question, first_failed_at, in_flight, slots_max) {
            let probe_at = now + us(PROBE_FIRST_S);
            self.outage = Some(Outage { wait_s: PROBE_FIRST_S, probe_at, probing: false });
            if let Sender::Pace(pace) = &mut self.sender {
                pace.outage_began(time(now));
            }
        }
    }

    /// Only the probe counts: those that were sent before the outage say nothing new.
    fn failed_in_outage(&mut self, now: Us, ticket: &SentAsk) {
        let Some(outage) = self.outage.as_mut().filter(|_| ticket.is_probe) else { return };
        outage.wait_s = (outage.wait_s * PROBE_LONGER).min(PROBE_LAST_S);
        outage.probe_at = now + us(outage.wait_s);
        outage.probing = false;
    }
}

/// Tells the pace what the headers of a reply say.
fn control_signal(pace: &mut RateController, now: Us, headers: &Headers) {
    let quota = |window: crate::server::Window| Quota {
        limit: Some(window.limit as u64),
        remaining: Some(window.remaining as u64),
        reset: Some(window.reset),
    };
    let limits =
        RateLimits { asks: headers.requests.map(quota), tokens: headers.tokens.map(quota) };
    pace.observe_headers(time(now), &limits);
}

/// Returns the moment as the core has it: whole milliseconds.
fn time(now: Us) -> Time {
    Time { monotonic_ms: now / 1000, unix_ms: 0 }.after(Duration::ZERO)
}
