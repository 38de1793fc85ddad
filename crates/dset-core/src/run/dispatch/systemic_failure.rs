//! Tells a refusal of the settings, or of the key, from refusals of questions.
//!
//! A wrong parameter is refused for every question alike, and so is all that a gateway says once its
//! quota is used up, or while it is replaced; none of these must mark a whole file ERROR. So questions that
//! are refused one after the other in the same words, with no answer between them, wait for a verdict, and
//! once they are many nothing more is asked until what is on its way is back. An answer among that clears
//! them; without one it is the settings. That there were answers before, with what was the key then, is a
//! reason to ask more of them before it, and no proof: where none of those that are left is answered, it is
//! the same as if there had been none. A question that failed in an earlier run, too, says nothing of the
//! settings.
//!
//! In a run that has had answers only one to an ask that was sent after the first of these refusals
//! clears them: answers take seconds, and those on their way say nothing of a service that has changed
//! since. Without one the service is tried as in an outage, with other questions. Once it answers, those
//! that were refused are asked once more, and each is refused then on its own account; if it does not, it
//! is the settings, and none of them is marked. Where there is no other question, and the words are of the
//! request, they are taken as refused at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::on_response::ReturnedAsk;
use super::{ActiveQuestion, Dispatch};
use crate::answer::{Failure, FailureClass, Refusal};
use crate::item::question::QuestionId;
use crate::planted::{PlantedBug, planted};
use crate::run::EndReason;
use crate::run::context::Context;
use crate::time::Time;

/// So many different questions refused in the same words are suspicious before the first answer, …
const ALIKE_AT_FIRST: usize = 5;
/// … and so many after it.
const ALIKE_LATER: usize = 10;
/// So many where the service says that it is the question: a file may begin with its longest ones.
const ALIKE_IF_CERTAIN: usize = 25;

/// What is known of settings and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing.
    None,
    /// An earlier run had answers with what is called the same now.
    Before,
    /// There is an answer of this run.
    Now,
}

/// Refusals that may be the settings' fault.
#[derive(Debug, Default)]
pub(crate) struct SystemicFailureDetector {
    words: Option<String>,
    /// The different questions refused in these words one after the other.
    alike: BTreeSet<QuestionId>,
    last: Option<Failure>,
    waiting: Vec<Suspect>,
    /// When the first of them came, in a run that had had answers.
    since: Option<Time>,
}

/// A question that waits for what its refusal means.
#[derive(Debug)]
pub(crate) struct Suspect {
    held: ActiveQuestion,
    failure: Failure,
}

impl SystemicFailureDetector {
    /// Takes a refusal of a question that was not refused before in this run; returns the questions that
    /// are refused, each on its own account.
    pub(crate) fn refused(&mut self, now: Time, suspect: Suspect, proof: Proof) -> Vec<Suspect> {
        let (question, failure) = (&suspect.held.question, &suspect.failure);
        // Its row is marked already, and there may be any number of them.
        if proof != Proof::None && question.has_failed {
            return vec![suspect];
        }
        let words = crate::provider::refusal_signature(&failure.message);
        let refused = match self.words.as_ref() == Some(&words) {
            true => Vec::new(),
            false => self.clear(),
        };
        if self.words.replace(words).is_none() && proof == Proof::Now {
            self.since = Some(now);
        }
        // A key without rights is refused everything, whatever was refused before.
        let is_key = failure.class == FailureClass::Forbidden && proof == Proof::None;
        if !question.has_failed || is_key {
            self.alike.insert(question.id);
        }
        self.last = Some(failure.clone());
        self.waiting.push(suspect);
        refused
    }

    /// Returns the last refusal where there are enough of them to suspect the settings, or the key;
    /// `is_last` where no other question is left to ask. `sent_since` counts the asks on their way that
    /// were sent since a moment.
    pub(crate) fn verdict(
        &self,
        proof: Proof,
        is_last: bool,
        sent_since: impl FnOnce(Time) -> usize,
    ) -> Option<&Failure> {
        let last = self.last.as_ref()?;
        let most = match (proof, last.class) {
            // Refusals are fast and answers slow: while more may be answered than were refused, they may
            // be bad questions among good ones.
            (Proof::Now, _) if self.alike.len() >= ALIKE_LATER => self.since.map_or(0, sent_since),
            (Proof::Now, _) => ALIKE_LATER,
            (Proof::Before, _) if !is_last => ALIKE_LATER,
            // One that is refused run after run would be all that every run ends with.
            (Proof::Before, FailureClass::Forbidden | FailureClass::Refused(Refusal::Address)) => 2,
            (_, FailureClass::Forbidden | FailureClass::Refused(Refusal::Address)) => 1,
            (_, FailureClass::Refused(Refusal::Question)) => ALIKE_IF_CERTAIN,
            _ => ALIKE_AT_FIRST,
        };
        (self.alike.len() >= most && !planted(PlantedBug::SettingsTakenForQuestions))
            .then_some(last)
    }

    /// Takes what the model has written to an ask, be it half or nothing; returns the questions that are
    /// refused for that, each on its own account.
    fn answered(&mut self, sent_at: Time) -> Vec<Suspect> {
        match self.since.is_none_or(|since| since.has_come(sent_at)) {
            true => self.clear(),
            false => Vec::new(),
        }
    }

    /// Ends the suspicion; returns the questions that waited for a verdict.
    pub(crate) fn clear(&mut self) -> Vec<Suspect> {
        std::mem::take(self).waiting
    }
}

impl Dispatch {
    pub(crate) fn on_refused(&mut self, cx: &mut Context<'_>, back: ReturnedAsk, failure: Failure) {
        if self.outage.as_ref().is_some_and(|outage| outage.is_of_refusals) {
            self.on_outage_failure(cx, &back, failure);
            return;
        }
        self.on_service_responded(cx, &back);
        if matches!(cx.shutdown.reason, Some(EndReason::WrongSettings(_))) {
            self.make_ready(cx.now, back.index);
            return;
        }
        let was_suspected = self.suspects.contains(&back.index);
        if cx.rules.pause_on_error || cx.is_ending() || was_suspected {
            self.reject(cx, back.question, failure);
            return;
        }
        let held = self.let_go(back.index).expect("a question that is refused is held");
        let suspect = Suspect { held, failure };
        let refused = self.systemic_failure.refused(cx.now, suspect, self.proof());
        self.reject_all(cx, refused);
    }

    /// Judges whether refusals are the settings' or the key's: true while nothing is asked because it
    /// may be refused whatever it is. Where all that was on its way is back, and no answer among it,
    /// the run ends, or the service is tried if it has answered before in this run.
    pub(crate) fn detect_systemic_failure(&mut self, cx: &mut Context<'_>) -> bool {
        // Spare samples wait for what becomes of the others.
        let is_last = self.read.ended && self.active.keys().all(|at| self.spare.contains(at));
        let sent_since = |since: Time| {
            self.asks_in_flight.values().filter(|flight| since.has_come(flight.sent.at)).count()
        };
        let verdict = self.systemic_failure.verdict(self.proof(), is_last, sent_since);
        let Some(failure) = verdict.filter(|_| self.outage.is_none()) else {
            if is_last
                && !self.active.is_empty()
                && self.asks_in_flight.is_empty()
                && self.outage.is_none()
            {
                self.clear_systemic_failure(cx);
            }
            return false;
        };
        if self.asks_in_flight.is_empty() {
            let failure = failure.clone();
            if self.proof() == Proof::Now {
                // There is no other question that would tell.
                match is_last && is_of_request(&failure) {
                    true => {
                        self.hold_suspects(cx.now);
                        self.end_doubt(cx, failure);
                    }
                    false => self.doubt(cx, failure),
                }
            } else {
                self.systemic_failure.clear();
                cx.shutdown.stop(refused_throughout(failure));
            }
        }
        true
    }

    /// Tries whether the service refuses everything that it answered before.
    fn doubt(&mut self, cx: &mut Context<'_>, failure: Failure) {
        let first = self.systemic_failure.waiting.first().expect("refusals are of questions");
        let index = first.held.question.index;
        self.hold_suspects(cx.now);
        self.open_outage(cx, index, failure, true);
    }

    /// Those that were refused are asked once more, when the service is there again.
    pub(crate) fn hold_suspects(&mut self, now: Time) {
        if self.proof() != Proof::Now {
            return;
        }
        let suspects = self.systemic_failure.clear();
        self.ask_once_more(now, suspects);
    }

    fn ask_once_more(&mut self, now: Time, suspects: Vec<Suspect>) {
        for Suspect { held, .. } in suspects {
            let index = held.question.index;
            self.groups.hold(now, &held.question, &self.ready);
            self.active.insert(index, held);
            self.suspects.insert(index);
            self.make_ready(now, index);
        }
    }

    /// Takes that every try of a service that had answered was refused. At the end of a run questions that
    /// say so themselves may be all that is left.
    pub(crate) fn end_doubt(&mut self, cx: &mut Context<'_>, failure: Failure) {
        let is_last = self.read.ended
            && self.active.keys().all(|at| self.spare.contains(at) || self.suspects.contains(at));
        if !(is_last && is_of_request(&failure)) {
            cx.shutdown.stop(refused_throughout(failure));
            return;
        }
        for index in std::mem::take(&mut self.suspects) {
            let Some(held) = self.active.get(&index) else { continue };
            let question = Arc::clone(&held.question);
            self.dequeue(index);
            self.reject(cx, question, failure.clone());
        }
    }

    /// What the model has written, be it half or nothing, proves settings and key. A reply that is about
    /// those came from another server than the answers, and its question is asked once more.
    pub(crate) fn refute_systemic_failure(&mut self, cx: &mut Context<'_>, sent_at: Time) {
        let has_answered = self.systemic_failure.since.is_some();
        let is_odd = |suspect: &Suspect| {
            let is_of_key = suspect.failure.class == FailureClass::Forbidden;
            is_of_key || suspect.failure.class == FailureClass::Refused(Refusal::Address)
        };
        let refuted = self.systemic_failure.answered(sent_at).into_iter();
        let (odd, refused) = refuted.partition(|suspect| has_answered && is_odd(suspect));
        self.ask_once_more(cx.now, odd);
        self.reject_all(cx, refused);
    }

    /// At the end of a run questions that waited for a verdict are taken as refused.
    pub(crate) fn clear_systemic_failure(&mut self, cx: &mut Context<'_>) {
        let refused = self.systemic_failure.clear();
        self.reject_all(cx, refused);
    }

    fn reject_all(&mut self, cx: &mut Context<'_>, refused: Vec<Suspect>) {
        for Suspect { held, failure } in refused {
            self.reject(cx, held.question, failure);
        }
    }
}

/// Tells whether a refusal says that it is for what was asked.
fn is_of_request(failure: &Failure) -> bool {
    matches!(failure.class, FailureClass::Refused(Refusal::Request | Refusal::Question))
}

/// Why a run ends in which everything is refused.
fn refused_throughout(failure: Failure) -> EndReason {
    let failure = Box::new(failure);
    match failure.class {
        FailureClass::Forbidden => EndReason::KeyRefused(failure),
        _ => EndReason::WrongSettings(failure),
    }
}
