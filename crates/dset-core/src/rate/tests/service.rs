//! A service in a few lines, in virtual time: enough to see the pace at work.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::provider::{Quota, RateLimits};
use crate::rate::{Bounds, Permit, RateController, ResponseSignal, Ticket};
use crate::time::Time;

pub(super) fn at(ms: u64) -> Time {
    Time { monotonic_ms: ms, unix_ms: ms as i64 }
}

/// What the service allows; all of it is in force at once.
#[derive(Clone)]
pub(super) struct Service {
    /// How many at once from a moment on.
    pub(super) width: Vec<(u64, usize)>,
    pub(super) is_named: bool,
    /// Asks a second, and how many at once after a rest.
    pub(super) bucket: Option<(f64, f64)>,
    pub(super) waits: bool,
    pub(super) states: bool,
    /// So many work at once; the others queue.
    pub(super) workers: Option<usize>,
    /// Median latency, and the deviation of its logarithm.
    pub(super) latency: (f64, f64),
    pub(super) round_trip: u64,
    pub(super) resets: f64,
    /// The share that is refused for no reason of its own.
    pub(super) chance: f64,
    /// The share that is met with 529, however few there are at once.
    pub(super) overloaded: f64,
    pub(super) dead: std::ops::Range<u64>,
}

impl Default for Service {
    fn default() -> Service {
        Service {
            width: vec![(0, usize::MAX)],
            is_named: false,
            bucket: None,
            waits: false,
            states: false,
            workers: None,
            latency: (200.0, 0.0),
            round_trip: 2,
            resets: 0.0,
            chance: 0.0,
            overloaded: 0.0,
            dead: 0..0,
        }
    }
}

/// What came of a run.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Answers in each second, and in each second of each client.
    pub(super) answers: Vec<u32>,
    pub(super) clients: Vec<Vec<u32>>,
    pub(super) refused: u32,
    pub(super) latencies_late: Vec<u64>,
    pub(super) widths: Vec<usize>,
    /// When each answer came.
    pub(super) answered_at: Vec<u64>,
}

impl Outcome {
    pub(super) fn total(&self) -> u32 {
        self.answers.iter().sum()
    }

    pub(super) fn per_second(&self, seconds: std::ops::Range<usize>) -> f64 {
        f64::from(self.answers[seconds.clone()].iter().sum::<u32>()) / seconds.len() as f64
    }
}

enum Event {
    Wake,
    Back(Ticket, ResponseSignal, bool, Option<RateLimits>, bool),
    Probe,
}

struct Client {
    pace: RateController,
    wake_at: u64,
    failures: u32,
    out: Option<f64>,
}

pub(super) struct Sim {
    service: Service,
    seed: u64,
    rolls: u64,
    in_flight: usize,
    level: f64,
    filled_at: f64,
    minute: (f64, f64),
    free_at: BinaryHeap<Reverse<u64>>,
    clients: Vec<Client>,
    events: BinaryHeap<Reverse<(u64, u64, usize)>>,
    payloads: Vec<Option<Event>>,
    outcome: Outcome,
}

impl Sim {
    pub(super) fn new(service: Service, seed: u64) -> Sim {
        let level = service.bucket.map_or(0.0, |(_, burst)| burst);
        Sim {
            service,
            seed,
            rolls: 0,
            in_flight: 0,
            level,
            filled_at: 0.0,
            minute: (level, 0.0),
            free_at: BinaryHeap::new(),
            clients: Vec::new(),
            events: BinaryHeap::new(),
            payloads: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    fn roll(&mut self) -> f64 {
        self.rolls += 1;
        (xxh3_64_with_seed(&self.rolls.to_le_bytes(), self.seed) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn latency(&mut self) -> u64 {
        let (median, sigma) = self.service.latency;
        let (u, v) = (self.roll().max(1e-12), self.roll());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        (median * (sigma * normal).exp()).round() as u64
    }

    fn at(&mut self, ms: u64, client: usize, event: Event) {
        self.payloads.push(Some(event));
        let id = self.payloads.len() as u64 - 1;
        self.events.push(Reverse((ms, id, client)));
    }

    pub(super) fn join(&mut self, ms: u64, pace: RateController) {
        self.clients.push(Client { pace, wake_at: ms, failures: 0, out: None });
        self.outcome.clients.push(Vec::new());
        self.at(ms, self.clients.len() - 1, Event::Wake);
    }

    fn limits(&self) -> Option<RateLimits> {
        let (per_second, _) = self.service.bucket.filter(|_| self.service.states)?;
        let (limit, remaining) = ((per_second * 60.0) as u64, self.minute.0.max(0.0) as u64);
        let reset = Some(Duration::from_secs_f64((limit - remaining) as f64 / per_second));
        let quota = Quota { limit: Some(limit), remaining: Some(remaining), reset };
        Some(RateLimits { asks: Some(quota), tokens: None })
    }

    fn send(&mut self, now: u64, client: usize) {
        let sent = self.clients[client].pace.sent(at(now));
        if self.service.dead.contains(&now) || self.roll() < self.service.resets {
            let back = now + self.service.round_trip;
            return self.at(
                back,
                client,
                Event::Back(sent, ResponseSignal::Neutral, false, None, false),
            );
        }
        if self.service.overloaded > 0.0 && self.roll() < self.service.overloaded {
            let back = now + self.service.round_trip;
            let overloaded = ResponseSignal::Overloaded { wait: None };
            return self.at(back, client, Event::Back(sent, overloaded, false, None, false));
        }
        let width = self.service.width.iter().rev().find(|(from, _)| *from <= now);
        let width = width.map_or(usize::MAX, |(_, width)| *width);
        let mut wait = None;
        let by_chance = self.service.chance > 0.0 && self.roll() < self.service.chance;
        let mut refused = by_chance || self.in_flight >= width;
        if let Some((per_second, burst)) = self.service.bucket {
            let passed = now as f64 - self.filled_at;
            self.level = (self.level + passed * per_second / 1000.0).min(burst);
            let minute = per_second * 60.0;
            if self.minute.1 == 0.0 {
                self.minute = (minute, 1.0);
            }
            self.minute.0 = (self.minute.0 + passed * per_second / 1000.0).min(minute);
            self.filled_at = now as f64;
            if !refused && self.level < 1.0 {
                refused = true;
                wait = self.service.waits.then_some(Duration::from_secs(1));
            }
        }
        let limits = self.limits();
        if refused {
            let named = self.service.is_named.then_some(width as u32);
            let back = now + self.service.round_trip;
            let refused = ResponseSignal::Refused { wait, named };
            return self.at(back, client, Event::Back(sent, refused, false, limits, false));
        }
        self.level -= 1.0;
        self.minute.0 -= 1.0;
        self.in_flight += 1;
        let latency = self.latency();
        let mut done = now + latency;
        if let Some(workers) = self.service.workers {
            if self.free_at.len() >= workers {
                let free = self.free_at.pop().map_or(now, |Reverse(free)| free.max(now));
                done = free + latency;
            }
            self.free_at.push(Reverse(done));
        }
        let back = ResponseSignal::Answered { tokens: Some(300) };
        let done = done.max(now + 1);
        self.at(done, client, Event::Back(sent, back, true, limits, false));
    }

    fn failed(&mut self, now: u64, client: usize, is_probe: bool) {
        let client_ = &mut self.clients[client];
        client_.failures += 1;
        let next = match client_.out {
            None if client_.failures >= 5 => 2_000.0,
            Some(wait) if is_probe => (wait * 1.6f64).min(60_000.0),
            _ => return,
        };
        if client_.out.is_none() {
            client_.pace.outage_began(at(now));
        }
        client_.out = Some(next);
        self.at(now + next as u64, client, Event::Probe);
    }

    fn come(&mut self, now: u64, client: usize, event: Event) {
        let second = (now / 1000) as usize;
        match event {
            Event::Wake => self.clients[client].wake_at = u64::MAX,
            Event::Probe => {
                self.send(now, client);
                // The last event is the probe's return.
                if let Some(Some(Event::Back(.., is_probe))) = self.payloads.last_mut() {
                    *is_probe = true;
                }
            }
            Event::Back(sent, back, held, limits, is_probe) => {
                self.in_flight -= usize::from(held);
                if let Some(limits) = limits {
                    self.clients[client].pace.observe_headers(at(now), &limits);
                }
                self.clients[client].pace.on_return(at(now), &sent, back);
                match back {
                    ResponseSignal::Answered { .. } => {
                        self.outcome.answers[second] += 1;
                        self.outcome.answered_at.push(now);
                        self.outcome.clients[client][second] += 1;
                        if second * 8 >= self.outcome.answers.len() * 3 {
                            self.outcome.latencies_late.push(now - sent.at.monotonic_ms);
                        }
                        let client = &mut self.clients[client];
                        client.failures = 0;
                        if client.out.take().is_some() {
                            client.pace.outage_over(at(now));
                        }
                    }
                    ResponseSignal::Refused { .. } => {
                        self.outcome.refused += 1;
                        if is_probe {
                            self.failed(now, client, true);
                        }
                    }
                    _ => self.failed(now, client, is_probe),
                }
            }
        }
    }

    pub(super) fn pace(&self, client: usize) -> &RateController {
        &self.clients[client].pace
    }

    pub(super) fn run(mut self, seconds: usize) -> Outcome {
        self.run_to(seconds);
        self.outcome
    }

    /// Plays so many seconds, from the beginning.
    pub(super) fn run_to(&mut self, seconds: usize) {
        self.outcome.answers = vec![0; seconds];
        self.outcome.clients = vec![vec![0; seconds]; self.clients.len()];
        self.outcome.widths = vec![0; seconds];
        while let Some(Reverse((now, id, client))) = self.events.pop() {
            if now >= seconds as u64 * 1000 {
                break;
            }
            if let Some(event) = self.payloads[id as usize].take() {
                self.come(now, client, event);
            }
            loop {
                match self.clients[client].pace.may_send(at(now)) {
                    Permit::Now => self.send(now, client),
                    Permit::NotYet => break,
                    Permit::NotBefore(then) => {
                        let then = then.monotonic_ms;
                        assert!(then > now, "a moment that is yet to come");
                        if then < self.clients[client].wake_at {
                            self.clients[client].wake_at = then;
                            self.at(then, client, Event::Wake);
                        }
                        break;
                    }
                }
            }
            self.outcome.widths[(now / 1000) as usize] = self.clients[0].pace.slots();
        }
    }
}

pub(super) fn run(service: Service, seed: u64, seconds: usize) -> Outcome {
    let mut sim = Sim::new(service, seed);
    sim.join(0, RateController::new(Bounds { slots_max: 10_000, is_trusted: false }));
    sim.run(seconds)
}
