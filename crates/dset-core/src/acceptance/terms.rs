//! What is remembered of an acceptance, so that whoever looks at a store sees what was accepted.

use serde::{Deserialize, Serialize};

use super::{Acceptance, Consequence, RetryWith, Verdict, against, consequence, rejection};
use crate::answer::Cause;
use crate::check::OnFail;
use crate::settings::Checks;

/// The terms on which answers were accepted last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What the verdicts are known by, see [`Acceptance::fingerprint`].
    pub fingerprint: [u8; 16],
    /// What each of them asks for where it is not passed.
    pub on_fail: Vec<OnFail>,
    /// How many answers a question gets at most, from 1.
    pub tries: u32,
    /// How it is asked again.
    pub retry: RetryWith,
    /// How many accepted samples of a model are enough; all that are wanted where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enough: Option<u32>,
}

/// Where the answers to one question stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// One of them is accepted.
    Accepted,
    /// None is, and another is to be asked for.
    Another,
    /// None is, and no other is asked for.
    Failed,
}

/// What becomes of the verdicts that a stored answer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejudgement {
    /// Nothing: they are those that it has.
    Same,
    /// They are recorded.
    Record,
    /// They wait until somebody has decided on them.
    Wait,
}

/// What a stored answer is judged for.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    /// For the first time on these terms; else because its row may have changed.
    pub is_new: bool,
    /// It is to come in place of others with its verdict.
    pub replaces: bool,
}

impl Terms {
    /// Takes what is to be remembered of an acceptance.
    #[must_use]
    pub fn new(acceptance: &Acceptance, checks: &Checks) -> Terms {
        Terms {
            fingerprint: acceptance.fingerprint(),
            on_fail: acceptance.on_fail(),
            tries: checks.tries,
            retry: checks.retry,
            enough: checks.enough,
        }
    }

    /// Tells whether answers are held against nothing but that they are whole. Nothing is recorded of one
    /// that is.
    #[must_use]
    pub fn are_of_whole_alone(&self) -> bool {
        self.fingerprint == Acceptance::default().fingerprint()
    }

    /// Says what follows from the verdicts on an answer; from none where it was not judged, or
    /// passed every check.
    #[must_use]
    pub fn consequence(&self, verdicts: Option<&[Verdict]>) -> Consequence {
        verdicts.map_or(Consequence::Accept, |verdicts| consequence(verdicts, &self.on_fail))
    }

    /// Tells whether an answer with these verdicts is not accepted only because programs are still to judge it:
    /// the next run has them do so, and asks for no other before.
    #[must_use]
    pub fn waits(&self, verdicts: &[Verdict]) -> bool {
        let mut in_the_way = against(verdicts, &self.on_fail).peekable();
        in_the_way.peek().is_some() && in_the_way.all(Verdict::is_outstanding)
    }

    /// Names why an answer with these verdicts is not accepted.
    #[must_use]
    pub fn rejection(&self, verdicts: Option<&[Verdict]>) -> Cause {
        verdicts.map_or(Cause::FailedCheck, |verdicts| rejection(verdicts, &self.on_fail))
    }

    /// Says what becomes of the verdicts that a stored answer gets; `before` are those that it has, if any.
    #[must_use]
    pub fn rejudgement(
        &self,
        before: Option<&[Verdict]>,
        now: Option<&[Verdict]>,
        Occasion { is_new, replaces }: Occasion,
    ) -> Rejudgement {
        if before == Some(now.unwrap_or_default()) && !replaces {
            return Rejudgement::Same;
        }
        let is_accepted = |list| self.consequence(list) == Consequence::Accept;
        let takes_away = before.is_some() && is_accepted(before) && !is_accepted(now);
        match is_new && !takes_away {
            true => Rejudgement::Record,
            false => Rejudgement::Wait,
        }
    }

    /// Says where a question stands after so many answers, of which the last asks for this.
    #[must_use]
    pub fn standing(&self, last: Consequence, answers: u32) -> Standing {
        match last {
            Consequence::Accept => Standing::Accepted,
            Consequence::Retry if answers < self.tries => Standing::Another,
            Consequence::Retry | Consequence::Mark => Standing::Failed,
        }
    }
}
