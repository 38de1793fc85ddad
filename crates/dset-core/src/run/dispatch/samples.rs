//! Samples of which not all are needed: a question is asked for the next one only if those before it
//! were not accepted.

use std::ops::Range;

use super::Dispatch;
use crate::item::question::QuestionIndex;
use crate::rate::outage::Outage;
use crate::run::context::Context;

/// When there are enough samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enough {
    /// So many accepted ones of a model are, from 1.
    pub accepted: u32,
    /// So many are planned.
    pub samples: u32,
}

impl Enough {
    /// The samples of the same model for the same row.
    fn siblings(self, index: QuestionIndex) -> Range<QuestionIndex> {
        let first = index - index % self.samples;
        first..first + self.samples
    }
}

impl Dispatch {
    /// Tells whether there are enough without this sample.
    pub(super) fn is_enough(&self, cx: &Context<'_>, index: QuestionIndex) -> bool {
        cx.rules.enough.is_some_and(|enough| {
            cx.custody.accepted_count(enough.siblings(index)) >= enough.accepted as usize
        })
    }

    /// Tells whether there may be enough without this sample, once what is being asked has come.
    pub(super) fn is_spare(&self, cx: &Context<'_>, index: QuestionIndex) -> bool {
        cx.rules.enough.is_some_and(|enough| {
            let siblings = enough.siblings(index);
            let held = self.active.range(siblings.clone()).map(|(at, _)| at);
            let asked = held.filter(|at| **at != index && !self.spare.contains(at)).count();
            cx.custody.accepted_count(siblings) + asked >= enough.accepted as usize
        })
    }

    /// Whether a sample is accepted is for a later run to find out, and so whether spare ones of its question are asked.
    pub(super) fn leave_spares(&mut self, cx: &Context<'_>, index: QuestionIndex) {
        let Some(enough) = cx.rules.enough else { return };
        let spare: Vec<QuestionIndex> = self.spare.range(enough.siblings(index)).copied().collect();
        for at in spare {
            self.spare.remove(&at);
            self.let_go(at);
        }
    }

    /// A sample has come to something: the others of its question are dropped where there are enough,
    /// and else the next one is asked.
    pub(super) fn settle_samples(&mut self, cx: &mut Context<'_>, index: QuestionIndex) {
        let Some(enough) = cx.rules.enough else { return };
        let siblings = enough.siblings(index);
        if !self.is_enough(cx, index) {
            let spare: Vec<QuestionIndex> = self.spare.range(siblings).copied().collect();
            for at in spare {
                self.spare.remove(&at);
                if self.is_spare(cx, at) {
                    self.spare.insert(at);
                    return;
                }
                match self.may_take(cx) {
                    true => self.make_ready(cx.now, at),
                    // A later run asks it.
                    false => drop(self.let_go(at)),
                }
            }
            return;
        }
        // The one that is to tell whether the service is there is asked all the same.
        let probe = self.outage.as_ref().and_then(Outage::cross_check);
        let is_kept = |at: &QuestionIndex| self.is_asked(*at) || probe == Some(*at);
        let held = self.active.range(siblings.clone()).map(|(at, _)| *at);
        let dropped: Vec<QuestionIndex> = held.filter(|at| !is_kept(at)).collect();
        for at in dropped {
            self.dequeue(at);
            self.spare.remove(&at);
            self.useless.parked.remove(&at);
            self.let_go(at);
            cx.custody.leave_out(at);
        }
        // Those that failed before are not missed, nor those that are not read so far, or not in this run.
        siblings.filter(|at| !self.active.contains_key(at)).for_each(|at| cx.custody.leave_out(at));
    }
}
