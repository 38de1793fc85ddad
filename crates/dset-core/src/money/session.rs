//! What a run of a folder counts for in a limit, by what it left in the store.

use super::amount::Amount;

/// What a run under a limit left in the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionCost {
    /// What the calls that it recorded cost at most, as far as that is known.
    pub recorded: Amount,
    /// The most that it said it may be billed, before it was.
    pub bound: Amount,
    /// What of it nobody can tell from what is recorded: replies that did not come, or were not counted.
    pub unsure: Amount,
    /// What some of those calls cost is not known now, or is worked out by a price that may not be theirs.
    pub is_recorded_unsure: bool,
    /// It came to its end: nothing was on its way any more.
    pub has_ended: bool,
    /// Somebody has said that what is not recorded was not billed.
    pub is_forgiven: bool,
}

impl SessionCost {
    /// Returns what it may have been billed beside what is recorded. Of a run that was killed, or of which nobody can
    /// tell now what it recorded, that is all that it had said it may be; nobody forgives what was recorded.
    #[must_use]
    pub fn may_have_been_billed(&self) -> Amount {
        let unsure = if self.is_forgiven { Amount::ZERO } else { self.unsure };
        let said = if self.is_forgiven { self.bound - self.unsure } else { self.bound };
        let may_be_more = !self.is_forgiven && !self.has_ended || self.is_recorded_unsure;
        if may_be_more { unsure.max(said - self.recorded) } else { unsure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_counts_as_much_as_it_had_said_until_it_ends_and_what_it_recorded_has_a_price() {
        let dollars = |dollars| Amount::from_dollars(dollars).unwrap();
        let killed = SessionCost {
            recorded: dollars(2.0),
            bound: dollars(5.0),
            unsure: dollars(1.0),
            ..SessionCost::default()
        };
        for (session, counts) in [
            (killed, 3.0),
            (SessionCost { has_ended: true, ..killed }, 1.0),
            (SessionCost { is_forgiven: true, ..killed }, 0.0),
            // The price of another model that it asked is not known any more.
            (SessionCost { is_recorded_unsure: true, has_ended: true, ..killed }, 3.0),
            (SessionCost { is_recorded_unsure: true, is_forgiven: true, ..killed }, 2.0),
            (
                SessionCost {
                    is_recorded_unsure: true,
                    has_ended: true,
                    recorded: dollars(4.0),
                    ..killed
                },
                1.0,
            ),
            // Prices were corrected upwards, or what was rescued came back.
            (SessionCost { recorded: dollars(6.0), ..killed }, 1.0),
        ] {
            assert_eq!(session.may_have_been_billed(), dollars(counts), "{session:?}");
        }
    }
}
