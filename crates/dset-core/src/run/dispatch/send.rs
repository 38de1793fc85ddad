//! Which question is asked next, and when.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::prefix_groups::Changed;
use super::router::{EndpointIndex, Route};
use super::{ActiveQuestion, Dispatch, InFlight};
use crate::item::question::{Question, QuestionIndex};
use crate::run::ask::{Ask, AskId};
use crate::run::context::Context;
use crate::run::gate::budget::NoFunds;
use crate::run::gate::payee::Reservation;
use crate::run::gate::tariff::TariffChange;
use crate::run::{Effect, Notice, RateBound};
use crate::time::Time;

/// So many questions are held at most where a model does not answer and others do.
const HELD_FOR_OTHERS: usize = 4_096;
/// So many are held in an outage whatever the width: the last of them is tried before the service is
/// given up, and a few questions in a row may fail on their own account.
const HELD_IN_OUTAGE: usize = 16;
/// So many where everything is refused: bad questions may lie together, and one behind them tells.
const HELD_IN_DOUBT: usize = 256;

impl Dispatch {
    /// Takes questions that were read.
    pub(crate) fn take_questions(&mut self, cx: &mut Context<'_>, questions: Vec<Question>) {
        self.read.outstanding = false;
        for question in questions {
            let index = question.index;
            if self.is_enough(cx, index) {
                cx.custody.leave_out(index);
                continue;
            }
            // What is not asked takes nothing of what may be.
            let is_spare = self.is_spare(cx, index);
            if !is_spare && !self.may_take(cx) {
                continue;
            }
            self.groups.hold(cx.now, &question, &self.ready);
            let held = ActiveQuestion::new(Arc::new(question));
            let known = self.active.insert(index, held);
            assert!(known.is_none(), "a question is read once");
            match is_spare {
                true => drop(self.spare.insert(index)),
                false => self.make_ready(cx.now, index),
            }
        }
    }

    /// Counts one more answer that is asked for; false where no more may be.
    pub(super) fn may_take(&mut self, cx: &Context<'_>) -> bool {
        let may = cx.rules.limit.is_none_or(|limit| self.read.taken < limit);
        self.read.taken += u64::from(may);
        may
    }

    /// Tells whether a question is being asked.
    pub(super) fn is_asked(&self, index: QuestionIndex) -> bool {
        self.asks_in_flight.values().any(|flight| flight.index == index)
    }

    /// How many questions may be held: twice the width, or more where one of several models has none
    /// left to ask, because those of another that does not answer are in the way; more in an
    /// outage, for a choice of what to try; and more where prompts begin alike, for a choice of which
    /// come one after the other.
    fn active_max(&self) -> usize {
        let most = (2 * self.router.slots()).max(self.useless.active_min());
        let most = match &self.outage {
            Some(outage) if outage.is_of_refusals => most.max(HELD_IN_DOUBT),
            Some(_) => most.max(HELD_IN_OUTAGE).max(2 * self.per_row as usize),
            None => most,
        };
        let most = most.max(self.groups.window()) + self.spare.len() + self.suspects.len();
        let lacks = self.ready.len() > 1 && self.ready.iter().any(BTreeSet::is_empty);
        if lacks { most.max(HELD_FOR_OTHERS) } else { most }
    }

    /// Tells whether more questions will be read as things stand.
    pub(crate) fn can_read(&self) -> bool {
        !self.read.ended && self.active.len() < self.active_max()
    }

    /// Asks for more questions, so that at most [`Dispatch::active_max`] are held.
    pub(crate) fn read_more(&mut self, cx: &mut Context<'_>) {
        if self.read.ended || self.read.outstanding {
            return;
        }
        let left = cx.rules.limit.map_or(u64::MAX, |limit| limit - self.read.taken.min(limit));
        if left == 0 {
            self.read.ended = true;
            return;
        }
        let slots = self.router.slots();
        let room = self.active_max().saturating_sub(self.active.len()).min(2 * slots);
        let count = room.min(usize::try_from(left).unwrap_or(usize::MAX));
        // In batches: a message for every question would cost more than reading it. Half a width is on hand
        // until they come.
        let ready = self.ready.iter().map(BTreeSet::len);
        let enough = 2 * ready.clone().sum::<usize>() >= slots && ready.min() > Some(0);
        if count > 0 && (!enough || count >= slots || self.outage.is_some()) {
            self.read.outstanding = true;
            cx.effects.push(Effect::Read { count });
        }
    }

    /// Returns true if a slot is free, see [`crate::run::gate::Gates::has_room`].
    pub(crate) fn has_room(&self, cx: &Context<'_>) -> bool {
        cx.gates.has_room(self.asks_in_flight.len(), cx.custody.unsynced_count())
    }

    /// Where the next ask of a model, for this question, may be sent, as far as gates and endpoints go.
    pub(crate) fn may_send(
        &mut self,
        cx: &mut Context<'_>,
        model: u16,
        index: Option<QuestionIndex>,
    ) -> Route {
        match cx.gates.wait(cx.now) {
            None => Route::NotYet,
            Some(Duration::ZERO) => {
                let held = index.and_then(|index| self.active.get(&index));
                let refused_at = held.map_or(&[][..], |held| &held.refused_at);
                self.router.choose(cx.now, model, refused_at)
            }
            Some(wait) => {
                cx.gates.rate_bound = Some(cx.gates.bound());
                Route::NotBefore(cx.now.after(wait))
            }
        }
    }

    /// Keeps to the hours of tariffs, with so many answers left to ask for.
    pub(crate) fn look_at_tariff(&mut self, cx: &mut Context<'_>, pending: u64) {
        let Some(gate) = cx.gates.tariff.as_mut().filter(|_| cx.shutdown.reason.is_none()) else {
            return;
        };
        let left = cx.rules.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.read.taken));
        let pending = pending.min(left.saturating_add(self.active.len() as u64));
        let Some(change) = gate.look(cx.now, pending, self.router.slots()) else { return };
        cx.effects.push(Effect::Show(match change {
            _ if pending == 0 => return,
            TariffChange::Closed { until, saves } => {
                Notice::PeakBegins { until, saves, in_flight: self.asks_in_flight.len() }
            }
            TariffChange::Opened { for_deadline } => Notice::OffPeakBegins { for_deadline },
        }));
    }

    /// Puts a held question in the line of its model.
    pub(crate) fn make_ready(&mut self, now: Time, index: QuestionIndex) {
        let held = self.active.get(&index).expect("a question that is asked again is held");
        self.ready[usize::from(held.question.model)].insert(index);
        self.groups.line_up(now, &held.question);
    }

    /// Takes a question out of its line.
    fn leave_line(&mut self, index: QuestionIndex) {
        let question = &self.active[&index].question;
        self.ready[usize::from(question.model)].remove(&index);
        self.groups.leave(question);
    }

    /// Holds a question no longer.
    pub(crate) fn let_go(&mut self, index: QuestionIndex) -> Option<ActiveQuestion> {
        let held = self.active.remove(&index)?;
        self.groups.let_go(&held.question);
        self.suspects.remove(&index);
        Some(held)
    }

    /// Returns whose turn it is in the line of a model.
    fn next_in_line(&mut self, now: Time, model: u16) -> Option<QuestionIndex> {
        let Dispatch { groups, active, ready, .. } = self;
        let question = |index| Arc::clone(&active[&index].question);
        groups.next(now, model, &ready[usize::from(model)], question)
    }

    /// The turns of these may be others now.
    pub(super) fn place_again(&mut self, now: Time, changed: Changed) {
        let Dispatch { groups, active, .. } = self;
        groups.place_again(now, changed, |index| Arc::clone(&active[&index].question));
    }

    /// The reply to an ask has begun, or it is back without one: others may have waited for that.
    /// `from` says from which beginning of its prompt on it was the first, where that is open.
    pub(super) fn warmed(
        &mut self,
        now: Time,
        index: QuestionIndex,
        from: Option<usize>,
        has_begun: bool,
    ) {
        let Some(from) = from else { return };
        let question = Arc::clone(&self.active[&index].question);
        let changed = match has_begun {
            true => self.groups.begun(now, &question, from),
            false => self.groups.ended(&question, from),
        };
        self.place_again(now, changed);
    }

    /// Sends what may be sent now.
    pub(crate) fn send(&mut self, cx: &mut Context<'_>) {
        (cx.gates.send_at, cx.gates.rate_bound) = (None, None);
        if self.outage.is_some() {
            self.send_probe(cx);
            return;
        }
        while let Some(&(ms, index)) = self.waiting.first() {
            if ms > cx.now.monotonic_ms {
                break;
            }
            self.waiting.pop_first();
            self.make_ready(cx.now, index);
        }
        let released = self.groups.release(cx.now);
        self.place_again(cx.now, released);
        // Each model comes first in its turn, so that none takes all that a minute may hold.
        let models = self.router.models();
        let first = (self.asks_count % u64::from(models)) as u16;
        let mut is_short = false;
        for step in 0..models {
            is_short |= self.send_to(cx, (first + step) % models);
        }
        cx.declare_bound();
        if is_short {
            self.end_if_spent(cx);
        }
    }

    /// Sends what may be sent now to a model; returns true if what is left of the money holds it up.
    fn send_to(&mut self, cx: &mut Context<'_>, model: u16) -> bool {
        while self.has_room(cx)
            && let Some(index) = self.next_in_line(cx.now, model)
        {
            match self.may_send(cx, model, Some(index)) {
                Route::Now(lane) => match self.reserve(cx, index, lane) {
                    Ok(reservation) => {
                        self.leave_line(index);
                        let ask = self.ask(cx, index, lane, reservation);
                        self.router.endpoint_mut(lane).on_probe_sent(ask);
                    }
                    Err(refused) => return refused == NoFunds::Short,
                },
                Route::NotBefore(at) => {
                    cx.gates.send_at = Some(cx.gates.send_at.map_or(at, |first| first.min(at)));
                    let by_service = self.router.are_rate_bound().then_some(RateBound::Service);
                    cx.gates.rate_bound = cx.gates.rate_bound.or(by_service);
                    break;
                }
                Route::NotYet => break,
            }
        }
        false
    }

    pub(crate) fn ask(
        &mut self,
        cx: &mut Context<'_>,
        index: QuestionIndex,
        lane: EndpointIndex,
        reservation: Reservation,
    ) -> AskId {
        let held = self.active.get_mut(&index).expect("a question that is asked is held");
        held.attempts += 1;
        let attempt = held.attempts;
        let was_dropped_before = held.seemed_stalled;
        self.useless.parked.remove(&index);
        self.spare.remove(&index);
        self.asks_count += 1;
        let id = AskId(self.asks_count);
        cx.gates.on_sent(cx.now);
        let at = self.router.endpoint_mut(lane);
        at.in_flight += 1;
        let (endpoint, sent) = (at.spec.endpoint, at.rate.sent(cx.now));
        let question = Arc::clone(&held.question);
        let (warms_from, changed) = match &question.prefixes {
            Some(_) => {
                let (from, changed) = self.groups.sent(cx.now, &question);
                (Some(from), changed)
            }
            None => (None, Changed::default()),
        };
        self.place_again(cx.now, changed);
        let flight = InFlight {
            index,
            endpoint: lane,
            sent,
            reservation,
            has_begun: false,
            tokens: 0,
            abandoned: false,
            warms_from,
            stalled_after: None,
            was_dropped_before,
            came: None,
        };
        self.asks_in_flight.insert(id, flight);
        cx.effects.push(Effect::Show(Notice::Asking { question: Arc::clone(&question), attempt }));
        let (model, sample) = (question.model, question.sample);
        cx.effects.push(Effect::Ask(Ask { id, question, attempt, endpoint, model, sample }));
        id
    }

    /// Tries a service that is out, and places that are, without waiting for their time. What the
    /// service itself asked to be waited for is waited for.
    pub(crate) fn probe_now(&mut self, now: Time) {
        if let Some(outage) = &mut self.outage {
            outage.probe_now(now);
        }
        self.router.endpoints_mut().for_each(|lane| lane.probe_now(now));
    }

    /// Puts a question back, to be asked after `wait`.
    pub(crate) fn schedule_retry(&mut self, now: Time, index: QuestionIndex, wait: Duration) {
        self.waiting.insert((now.after(wait).monotonic_ms, index));
    }

    /// Takes a question that was to be asked again out of the line and of those that wait.
    pub(crate) fn dequeue(&mut self, index: QuestionIndex) {
        self.leave_line(index);
        self.waiting.retain(|&(_, waiting)| waiting != index);
    }
}
