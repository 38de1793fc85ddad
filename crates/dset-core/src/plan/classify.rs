//! Where one wanted answer stands, from what is known of it.

use crate::acceptance::Standing;
use crate::plan::Stored;
use crate::run::Planned;

/// What is known of one wanted answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Evidence {
    /// The answer under its key.
    pub(super) own: Option<Stored>,
    /// An answer to the same question, model and sample that other settings or the script bought,
    /// while none of these settings is there.
    pub(super) other: Option<Stored>,
    /// Its question is taken as answered, and it is the first answer of its row.
    pub(super) is_presumed: bool,
    /// It was cut by a token limit that is not higher now.
    pub(super) is_truncated: bool,
    /// There is an answer of these settings under a key that no row has.
    pub(super) is_under_other_key: bool,
}

impl Evidence {
    /// Returns the answer that counts.
    pub(super) fn answer(&self) -> Option<Stored> {
        self.own.or(self.other)
    }
}

/// Decides where a wanted answer stands: any answer counts before a presumption, and that before
/// what is known of an earlier failure. One that is not accepted is no answer.
pub(super) fn classify(evidence: &Evidence) -> Planned {
    match evidence.answer() {
        Some(answer) => match answer.standing {
            Standing::Accepted if answer.placed => Planned::Placed,
            Standing::Accepted => Planned::Unplaced,
            Standing::Another => Planned::Pending,
            // With these settings it was not tried, unless the token limit that cut it is no higher now.
            Standing::Failed if evidence.own.is_none() && !evidence.is_truncated => {
                Planned::Pending
            }
            Standing::Failed => Planned::Failed,
        },
        None if evidence.is_presumed => Planned::Presumed,
        None if evidence.is_truncated => Planned::Failed,
        None => Planned::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::question::Key;
    use crate::plan::{FoundBy, Provenance, Tries};

    #[test]
    fn an_answer_counts_before_a_presumption_and_that_before_a_failure() {
        let answer = |placed| {
            Some(Stored {
                key: Key([0; 16]),
                question: [0; 16],
                id: 1,
                provenance: Provenance::Current,
                model: 0,
                sample: 0,
                found_by: FoundBy::Question,
                placed,
                is_outdated: false,
                standing: Standing::Accepted,
                waits: false,
                tries: Tries { count: 1, aside: 0 },
            })
        };
        let (placed, unplaced) = (answer(true), answer(false));
        let failed = unplaced.map(|one| Stored { standing: Standing::Failed, ..one });
        let cut = unplaced.map(|cut| Stored { standing: Standing::Failed, ..cut });
        for (own, other, is_presumed, is_truncated, state) in [
            (None, None, false, false, Planned::Pending),
            (None, None, false, true, Planned::Failed),
            (None, None, true, false, Planned::Presumed),
            (None, None, true, true, Planned::Presumed),
            (None, placed, true, true, Planned::Placed),
            (None, unplaced, true, true, Planned::Unplaced),
            (placed, None, true, true, Planned::Placed),
            (unplaced, None, false, true, Planned::Unplaced),
            (unplaced, placed, false, false, Planned::Unplaced),
            (cut, None, false, false, Planned::Failed),
            (failed, None, false, false, Planned::Failed),
            (None, failed, false, false, Planned::Pending),
            (None, cut, false, true, Planned::Failed),
            (None, cut, false, false, Planned::Pending),
        ] {
            let evidence =
                Evidence { own, other, is_presumed, is_truncated, is_under_other_key: true };
            assert_eq!(classify(&evidence), state, "{evidence:?}");
        }
    }
}
