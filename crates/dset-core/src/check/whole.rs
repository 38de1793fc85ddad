//! `whole`: the answer was not cut by the token limit. Every acceptance holds answers against it.

use super::{Argument, Check, Judged, Judgement, Kind, NoArguments, arguments};

/// The name of the check that an answer was not cut.
pub const WHOLE: &str = "whole";

pub(super) const KIND: Kind = Kind {
    name: WHOLE,
    version: 1,
    argument: Argument::None,
    compile: |table, _| arguments::<NoArguments>(table).map(|_| Box::new(Whole) as Box<dyn Check>),
};

#[derive(Debug)]
pub(crate) struct Whole;

impl Check for Whole {
    fn judge(&self, judged: &Judged<'_>) -> Judgement {
        match judged.is_cut {
            true => Judgement::Failed(
                "it was cut by the token limit before its end; it has to be shorter".into(),
            ),
            false => Judgement::Passed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compiled, judge};
    use super::*;
    use crate::item::Item;

    #[test]
    fn what_was_cut_fails_whatever_it_says() {
        let check = compiled(r#"{"name":"whole"}"#);
        assert_eq!(judge(&*check, "half a sen"), Judgement::Passed);
        let nothing = serde_json::Map::new();
        let item = Item::of_fields(&nothing);
        let judged = Judged { text: "A sentence.".into(), is_cut: true, item: &item };
        assert!(matches!(check.judge(&judged), Judgement::Failed(_)));
    }
}
