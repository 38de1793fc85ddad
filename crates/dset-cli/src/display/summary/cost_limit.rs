//! The user's own limit of money ended a run, in words.

use dset_core::money::Amount;
use dset_core::run::BudgetStatus;

use super::Summary;
use super::error::ErrorWords;
use crate::display::money::dollars_up;
use crate::same_command::{given_server, is_worker};

impl Summary<'_> {
    /// What is left of the limit pays for no question; the cheapest may cost `least`.
    pub(super) fn cost_limit(&self, least: Amount) -> ErrorWords {
        let budget = self.ending.budget.unwrap_or_default();
        let (flag, limit) = match (budget.total, budget.run) {
            (Some(total), run) if run.is_none_or(|run| total_binds(&budget, total, run)) => {
                ("--max-cost", total)
            }
            (total, run) => ("--max-cost-run", run.or(total).unwrap_or_default()),
        };
        if budget.is_unspent() {
            return (
                format!("the limit of {} pays for no question", limit.shown()),
                Some(format!("one may cost {}", least.shown())),
                vec![format!(
                    "Allow at least that: `{} {flag} {}`; fewer tokens an answer cost less, see \
                     `--max-tokens`",
                    self.again_without_limit(if flag == "--max-cost" {
                        "max_cost"
                    } else {
                        "max_cost_run"
                    }),
                    dollars_up(least)
                )],
            );
        }
        let (spent, unsure) = match flag {
            "--max-cost" => (budget.spent, budget.unsure),
            _ => (budget.run_spent, budget.run_unsure),
        };
        let mut cause = format!("{} spent", spent.shown());
        if unsure > Amount::ZERO {
            cause += &format!(", {} that may have been billed", unsure.shown());
        }
        cause += &format!(
            "; {} left over, and the next question may cost {}",
            budget.left.shown(),
            least.shown()
        );
        let mut hints = Vec::new();
        if is_worker() {
            hints.push(format!(
                "See what is booked, and raise the limit of the job: `dset job limits {0}`, `dset job \
                 limits {0} --max-cost DOLLARS`; then run the same again",
                given_server()
            ));
            return (format!("the limit of {} is reached", limit.shown()), Some(cause), hints);
        }
        let rest = self.expected_rest();
        if let Some(rest) = rest {
            let pending = super::of(self.ending.ledger.pending, "answer");
            hints.push(format!(
                "{pending} left: about {}, if they are like the others",
                rest.shown()
            ));
        }
        hints.push(match flag {
            "--max-cost" => {
                let more = rest.unwrap_or_default().max(least);
                let enough = dollars_up(budget.spent + budget.unsure + more + least);
                format!(
                    "Go on with a higher limit: `{} --max-cost {enough}`",
                    self.again_without_limit("max_cost")
                )
            }
            _ => format!("Go on with another run: `{}`", self.again_without_limit("")),
        });
        (format!("the limit of {} is reached", limit.shown()), Some(cause), hints)
    }

    /// The command without this limit, and without what was decided for one run alone.
    fn again_without_limit(&self, limit: &str) -> String {
        self.again_without(&[limit, "forgive_lost"])
    }

    /// What is left to ask will cost about so much, by what the answers of the folder have cost.
    fn expected_rest(&self) -> Option<Amount> {
        let (spent, models) = (self.spent?, &self.settings.models);
        if let [model] = &models[..] {
            return spent.more_answers(&[(&model.request.model, self.ending.ledger.pending)]);
        }
        // Each model is to answer as many as any other.
        let each = self.ending.ledger.questions / models.len() as u64;
        let names = models.iter().map(|model| &*model.request.model);
        let answered = |name: &str| {
            spent.models.iter().find(|one| one.model == name).map_or(0, |one| one.answers.calls)
        };
        let left: Vec<(&str, u64)> =
            names.map(|name| (name, each.saturating_sub(answered(name)))).collect();
        spent.more_answers(&left)
    }
}

/// Tells whether it is the limit of the folder, and not that of the run, which leaves less.
fn total_binds(budget: &BudgetStatus, total: Amount, run: Amount) -> bool {
    total - budget.spent - budget.unsure <= run - budget.run_spent - budget.run_unsure
}
