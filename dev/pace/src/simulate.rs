//! The simulation: asks travel to the service and back, event by event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use dset_core::rate::ResponseSignal;

use crate::client::{Client, NextAction, Sender, SentAsk};
use crate::seen::Observations;
use crate::server::{Admission, AskIndex, Ending, Headers, Server, Us, us};
use crate::service::Service;

/// More sendings than this at one moment are a sender that does not count what it sends.
const BURST_MAX: u32 = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Begins(u8),
    Wakes(u8),
    Arrives(AskIndex),
    Ends(AskIndex),
    /// Its status line is back, before the answer.
    Accepted(AskIndex),
    Back(AskIndex),
    /// A second is over.
    Second(u32),
}

#[derive(Debug)]
struct Ask {
    client: u8,
    sent_at: Us,
    ticket: SentAsk,
    ends: Ending,
    headers: Option<Headers>,
    back: Option<ResponseSignal>,
}

struct World<'a> {
    service: &'a Service,
    server: Server<'a>,
    clients: Vec<Client>,
    asks: Vec<Ask>,
    /// Numbers of asks that are over, to be used again.
    free: Vec<AskIndex>,
    events: BinaryHeap<Reverse<(Us, u64, Event)>>,
    sequence: u64,
    /// The network's chances are its own, so that they do not change the service's.
    network: fastrand::Rng,
    seen: Observations,
}

/// Runs a service with a sender for each of its clients.
pub(crate) fn simulate(service: &Service, seed: u64, senders: Vec<Sender>) -> Observations {
    let mut world = World {
        service,
        server: Server::new(service, seed),
        seen: Observations::new(service),
        clients: senders.into_iter().map(Client::new).collect(),
        asks: Vec::new(),
        free: Vec::new(),
        events: BinaryHeap::new(),
        sequence: 0,
        network: fastrand::Rng::with_seed(!seed),
    };
    for (client, at_s) in service.clients_at_s.iter().take(world.clients.len()).enumerate() {
        world.at(us(*at_s), Event::Begins(client as u8));
    }
    world.at(1_000_000, Event::Second(1));
    let end = us(f64::from(service.seconds));
    while let Some(Reverse((now, _, event))) = world.events.pop() {
        if now >= end {
            break;
        }
        world.handle(now, event);
    }
    world.seen
}

impl World<'_> {
    fn at(&mut self, at: Us, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, event)));
    }

    fn handle(&mut self, now: Us, event: Event) {
        match event {
            Event::Begins(client) => self.pump(now, client),
            Event::Wakes(client) => {
                if self.clients[client as usize].wake_at == Some(now) {
                    self.clients[client as usize].wake_at = None;
                    self.pump(now, client);
                }
            }
            Event::Arrives(index) => self.arrives(now, index),
            Event::Ends(index) => self.ends(now, index),
            Event::Accepted(index) => {
                let ask = &self.asks[index as usize];
                self.clients[ask.client as usize].accepted(now, &ask.ticket);
                self.pump(now, self.asks[index as usize].client);
            }
            Event::Back(index) => self.back(now, index),
            Event::Second(second) => {
                let slots = self.clients.iter().map(Client::slots).collect();
                self.seen.second_over(slots, self.clients.iter().map(|c| c.in_flight).sum());
                self.at(now + 1_000_000, Event::Second(second + 1));
            }
        }
    }

    /// Sends what a client may send now.
    fn pump(&mut self, now: Us, of: u8) {
        for _ in 0..BURST_MAX {
            let client = &mut self.clients[of as usize];
            match client.next(now, &mut self.server) {
                NextAction::Nothing => return,
                NextAction::Wake(at) => {
                    if client.wake_at.is_none_or(|earlier| earlier > at) {
                        client.wake_at = Some(at);
                        self.at(at, Event::Wakes(of));
                    }
                    return;
                }
                NextAction::Send => {
                    let ticket = client.sends(now);
                    let index = self.keep(Ask {
                        client: of,
                        sent_at: now,
                        ticket,
                        ends: Ending::Reset,
                        headers: None,
                        back: None,
                    });
                    self.seen.sent(now);
                    let way = self.one_way();
                    self.at(now + way, Event::Arrives(index));
                }
            }
        }
        panic!("a sender that sends {BURST_MAX} at one moment does not count what it sends");
    }

    fn keep(&mut self, ask: Ask) -> AskIndex {
        match self.free.pop() {
            Some(index) => {
                self.asks[index as usize] = ask;
                index
            }
            None => {
                self.asks.push(ask);
                self.asks.len() as AskIndex - 1
            }
        }
    }

    /// Half a round trip, ±20 %.
    fn one_way(&mut self) -> Us {
        let share = 0.8 + 0.4 * self.network.f64();
        us(self.service.round_trip_ms / 2000.0 * share)
    }

    fn arrives(&mut self, now: Us, index: AskIndex) {
        let client = self.asks[index as usize].client as usize;
        self.clients[client].on_the_way -= 1;
        let admission = self.server.arrives(now, index);
        let headers = self.server.headers(now);
        self.asks[index as usize].headers = headers;
        match admission {
            Admission::Works { until, ends } => self.begins(now, index, until, ends),
            Admission::Queued => {}
            Admission::Refused { wait, named } => {
                self.returns(now, index, ResponseSignal::Refused { wait, named });
            }
            Admission::Overloaded => {
                self.returns(now, index, ResponseSignal::Overloaded { wait: None })
            }
            Admission::Reset => self.returns(now, index, ResponseSignal::Neutral),
        }
    }

    fn begins(&mut self, now: Us, index: AskIndex, until: Us, ends: Ending) {
        self.asks[index as usize].ends = ends;
        self.at(until, Event::Ends(index));
        if self.service.says.early_status {
            let way = self.one_way();
            // A status line after the end of its ask would be about another.
            if now + way < until {
                self.at(now + way, Event::Accepted(index));
            }
        }
    }

    fn ends(&mut self, now: Us, index: AskIndex) {
        let ending = self.asks[index as usize].ends;
        if let Some((next, until, ends)) = self.server.ends(now, ending) {
            self.begins(now, next, until, ends);
        }
        let back = match ending {
            Ending::Answered { tokens } => ResponseSignal::Answered { tokens: Some(tokens as u64) },
            Ending::Reset => ResponseSignal::Neutral,
        };
        self.returns(now, index, back);
        let client = self.asks[index as usize].client;
        if matches!(self.clients[client as usize].sender, Sender::Oracle) {
            self.pump(now, client);
        }
    }

    fn returns(&mut self, now: Us, index: AskIndex, back: ResponseSignal) {
        self.asks[index as usize].back = Some(back);
        let way = self.one_way();
        self.at(now + way, Event::Back(index));
    }

    fn back(&mut self, now: Us, index: AskIndex) {
        let ask = &mut self.asks[index as usize];
        let (of, sent_at) = (ask.client, ask.sent_at);
        let back = ask.back.take().expect("an ask that is back has ended");
        let headers = ask.headers.take().filter(|_| back != ResponseSignal::Neutral);
        self.clients[of as usize].back(now, &ask.ticket, back, headers);
        self.free.push(index);
        match back {
            ResponseSignal::Answered { .. } => self.seen.answered(now, of as usize, now - sent_at),
            ResponseSignal::Refused { .. } => self.seen.refused(now),
            ResponseSignal::Overloaded { .. } | ResponseSignal::Neutral => self.seen.failed(now),
        }
        self.pump(now, of);
    }
}
