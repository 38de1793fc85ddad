//! The user's own limit of money ended a run, in words.

use dset_core::money::{Amount, next_limit};
use dset_core::run::{BudgetStatus, JobLimit, LimitOf};

use super::Summary;
use super::error::ErrorWords;
use crate::display::money::dollars_up;
use crate::same_command::{given_server, is_worker};

impl Summary<'_> {
    /// What is left of the limit pays for no question; the cheapest may cost `least`.
    pub(super) fn cost_limit(&self, least: Amount) -> ErrorWords {
        let budget = self.ending.budget.unwrap_or_default();
        let of = budget.nearest();
        let (flag, limit) = match of {
            LimitOf::Folder => ("--max-cost", budget.total),
            LimitOf::Run => ("--max-cost-run", budget.run),
            LimitOf::Job => return of_job(&budget, least),
        };
        let limit = limit.unwrap_or_default();
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
        let billed = match of {
            LimitOf::Folder => budget.of_folder(),
            _ => budget.of_run(),
        };
        let mut cause = format!("{} spent", billed.spent.shown());
        if billed.unsure > Amount::ZERO {
            cause += &format!(", {} that may have been billed", billed.unsure.shown());
        }
        cause += &format!(
            "; {} left over, and the next question may cost {}",
            budget.left.shown(),
            least.shown()
        );
        let mut hints = Vec::new();
        // A worker knows of one shard alone what is left of it.
        let rest = self.expected_rest().filter(|_| !is_worker());
        if let Some(rest) = rest {
            let pending = super::of(self.ending.ledger.pending, "answer");
            hints.push(format!(
                "{pending} left: about {}, if they are like the others",
                rest.shown()
            ));
        }
        hints.push(match flag {
            "--max-cost" => {
                let enough = next_limit(budget.of_folder().sum(), limit, rest, least);
                format!(
                    "Go on with a higher limit: `{} --max-cost {}`",
                    self.again_without_limit("max_cost"),
                    dollars_up(enough)
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

/// What is left of the limit of all workers pays for no question.
fn of_job(budget: &BudgetStatus, least: Amount) -> ErrorWords {
    let JobLimit { total, booked } = budget.of_job.unwrap_or_default();
    let server = given_server();
    if budget.is_unspent() {
        return (
            format!("the limit of {} pays for no question", total.shown()),
            Some(format!("one may cost {}", least.shown())),
            vec![format!(
                "Allow at least that: `dset job limits {server} --max-cost {}`; then run the same again",
                dollars_up(least)
            )],
        );
    }
    let used = budget.in_run().sum().shown();
    (
        format!("the limit of {} for the whole job is reached", total.shown()),
        Some(format!(
            "{} booked when this shard began, {used} spent in it; the next question may cost {}",
            booked.shown(),
            least.shown()
        )),
        vec![format!(
            "See what is booked, and raise the limit of the job: `dset job limits {server}`, `dset job limits \
             {server} --max-cost DOLLARS`; then run the same again"
        )],
    )
}
