//! Money in words.

use dset_core::money::{Amount, Expenses, PriceTable, STALE_DAYS, Total};
use dset_core::run::{BudgetStatus, Spending};
use serde_json::{Map, Value, json};

use crate::display::page::Page;
use crate::display::text::{count, of, one_line};

/// Says that the table is so old that it may well be wrong; nothing where it is not.
pub(crate) fn stale(table: &PriceTable, unix_ms: i64) -> Option<String> {
    let age = table.age_days(unix_ms);
    (age > STALE_DAYS).then(|| {
        format!(
            "The prices in dset are of {}, {age} days old: costs may be wrong. A newer dset has newer \
             ones; `dset prices set` says your own",
            table.as_of
        )
    })
}

/// Says that a reply cost more than it was taken to cost at most.
pub(crate) fn above(billed: Amount, reserved: Amount) -> String {
    format!(
        "a reply cost {}, more than the {} that were reserved for it: from now on more is reserved",
        billed.shown(),
        reserved.shown()
    )
}

/// Writes an amount for a flag: dollars, rounded up to cents, or to as many decimals as show two digits
/// that count.
pub(crate) fn dollars_up(amount: Amount) -> String {
    amount.shown().trim_start_matches('$').replace(',', "")
}

/// Writes a limit for its flag: exactly as it was given, or rounded up where it was reckoned.
pub(crate) fn limit_again(limit: Amount) -> String {
    const MILLIONTH: i128 = 1_000_000;
    match limit.picodollars() % MILLIONTH {
        0 => limit.to_string(),
        _ => dollars_up(limit),
    }
}

/// Says a sum: what is known of it, and how many calls are not in it.
fn total(total: &Total, without_price: &[&str]) -> String {
    let known = match (total.known(), total.lower == total.upper) {
        (0, _) => "unknown".to_owned(),
        (_, true) => total.upper.shown(),
        (_, false) => {
            format!("at most {}, at least {}", total.upper.shown(), total.lower.shown())
        }
    };
    let mut unknown = Vec::new();
    if total.no_price > 0 {
        let names = without_price.iter().filter(|name| !name.is_empty());
        let names: Vec<String> = names.map(|name| one_line(name)).collect();
        let calls = of(total.no_price, "call");
        unknown.push(match names.is_empty() {
            true => format!("{calls} without a price"),
            false => format!("{calls} of {}, without a price", names.join(" and ")),
        });
    }
    if total.no_counts > 0 {
        unknown.push(format!("{} whose tokens were not counted", of(total.no_counts, "call")));
    }
    match (unknown.join(", "), total.known()) {
        (unknown, _) if unknown.is_empty() => known,
        (unknown, 0) => format!("{known}: {unknown}"),
        (unknown, _) => format!("{known}; not known: {unknown}"),
    }
}

/// Says what of the folder's earlier calls no limit can count; nothing where there are none.
pub(crate) fn not_counted(before: &Expenses) -> Option<String> {
    (before.uncounted > 0).then(|| {
        format!(
            "the limit does not count {} of earlier runs whose cost is not known",
            of(before.uncounted, "call")
        )
    })
}

/// Says what is left of a limit of the folder.
pub(crate) fn limit(most: Amount, expenses: &Expenses) -> String {
    let left = (most - expenses.spent.upper - expenses.unsure).max(Amount::ZERO);
    format!("{}, {} left", most.shown(), left.shown())
}

/// A limit, and what counts for it.
struct ShownLimit {
    most: Amount,
    of: &'static str,
    billed: Spending,
}

/// Returns the limit that is shown where a run has several: its folder's, its own, that of its job.
fn shown_limit(budget: &BudgetStatus) -> ShownLimit {
    match (budget.total, budget.run, budget.of_job) {
        (Some(most), ..) => ShownLimit { most, of: "", billed: budget.of_folder() },
        (None, None, Some(job)) => {
            let mut billed = Spending { spent: job.booked, unsure: Amount::ZERO };
            billed += budget.in_run();
            ShownLimit { most: job.total, of: " for all workers", billed }
        }
        (None, run, _) => {
            let most = run.unwrap_or_default();
            ShownLimit { most, of: " for this run", billed: budget.of_run() }
        }
    }
}

/// Says in a few words what a run has spent of its limit, and what its asks on their way may cost.
pub(crate) fn budget_short(budget: &BudgetStatus) -> String {
    let limit = shown_limit(budget);
    let (spent, limit) = (limit.billed.sum().shown(), limit.most.shown());
    format!("{spent} of {limit}, {} reserved", budget.reserved.shown())
}

/// Says what a run has spent of its limit, and what is left of it.
pub(crate) fn budget(budget: &BudgetStatus) -> String {
    let ShownLimit { most, of, billed } = shown_limit(budget);
    let mut words = format!("{} of {}{of}", billed.spent.shown(), most.shown());
    if billed.unsure > Amount::ZERO {
        words += &format!(", {} may have been billed", billed.unsure.shown());
    }
    if budget.reserved > Amount::ZERO {
        words += &format!(", {} reserved", budget.reserved.shown());
    }
    format!("{words}, {} left", budget.left.shown())
}

/// Writes the same for a program, as decimal strings of dollars.
pub(crate) fn budget_object(budget: &BudgetStatus) -> Value {
    let limit = |limit: Option<Amount>| limit.map(|amount| amount.to_string());
    json!({
        "max_cost": limit(budget.total),
        "max_cost_of_job": limit(budget.of_job.map(|job| job.total)),
        "max_cost_run": limit(budget.run),
        "spent": budget.spent.to_string(),
        "spent_in_run": budget.of_run().spent.to_string(),
        "may_have_been_billed": budget.unsure.to_string(),
        "reserved": budget.reserved.to_string(),
        "left": budget.left.to_string(),
    })
}

/// Says what was spent, in a few words; nothing where nothing was bought.
pub(crate) fn spent(expenses: &Expenses) -> Option<String> {
    (expenses.spent.calls > 0).then(|| total(&expenses.spent, &expenses.without_price()))
}

/// Says what of it brought no answer; nothing where everything did.
fn useless(expenses: &Expenses) -> Option<String> {
    let kinds = [
        (&expenses.retried, "for replies of no use that were asked again"),
        (&expenses.rejected, "for replies that are not kept"),
        (&expenses.lost, "for replies that were lost"),
    ];
    let kinds = kinds.into_iter().filter(|(sum, _)| sum.calls > 0);
    let kinds = kinds.map(|(sum, what)| match (sum.known(), sum.upper) {
        (0, _) => format!("{} {what}, whose cost is unknown", count(sum.calls)),
        (_, most) => format!("{} {what}", most.shown()),
    });
    let kinds: Vec<String> = kinds.collect();
    (!kinds.is_empty()).then(|| kinds.join(", "))
}

/// Says what runs under a limit may have been billed, and what to do about it.
fn unsure(expenses: &Expenses) -> String {
    format!(
        "{} more, for replies that did not come; --forgive-lost takes it out, once the service's bill shows \
         that they are not on it",
        expenses.unsure.shown()
    )
}

/// Shows what was spent, on lines of their own.
pub(crate) fn pairs(page: &Page, expenses: &Expenses) {
    if let Some(spent) = spent(expenses) {
        page.pair("spent", &spent);
    }
    if let Some(useless) = useless(expenses) {
        page.pair("of it", &useless);
    }
    if expenses.unsure > Amount::ZERO {
        page.pair("perhaps billed", &unsure(expenses));
    }
    if expenses.saved.picodollars() > 0 {
        page.pair("cache saved", &expenses.saved.shown());
    }
    if let Some(thousand) = expenses.thousand_answers() {
        page.pair("1,000 answers", &thousand.shown());
    }
}

/// Shows the same by model and by cause, where there are several.
pub(crate) fn pairs_by_model_and_cause(page: &Page, expenses: &Expenses) {
    for model in expenses.models.iter().filter(|_| expenses.models.len() > 1) {
        let name = if model.model.is_empty() { "others".into() } else { one_line(&model.model) };
        let name = match &model.provider {
            Some(provider) => format!("{provider}/{name}"),
            None => name,
        };
        page.pair("spent on", &format!("{name}: {}", total(&model.spent, &[])));
    }
    for (cause, sum) in &expenses.causes {
        let words = format!("{}: {}", of(sum.calls, "call"), total(sum, &[]));
        page.pair("spent in vain", &format!("{}, {words}", one_line(cause)));
    }
}

/// What to do about models without a price; nothing where all have one.
pub(crate) fn price_hint(expenses: &Expenses) -> Option<String> {
    let name = expenses.without_price().into_iter().find(|name| !name.is_empty())?;
    let name = crate::display::text::quoted(name);
    Some(format!("Say what it costs: `dset prices set {name} --input 0.3 --output 1.2`"))
}

/// Writes what was spent for a program, as decimal strings of dollars.
pub(crate) fn object(expenses: &Expenses, table: &PriceTable) -> Value {
    let models = expenses.models.iter().map(|model| {
        json!({
            "provider": model.provider,
            "model": Some(&model.model).filter(|name| !name.is_empty()),
            "total": total_object(&model.spent),
            "answers": total_object(&model.answers),
            "saved_by_cache": model.saved.to_string(),
        })
    });
    let causes = expenses.causes.iter();
    let causes: Map<String, Value> =
        causes.map(|(cause, sum)| (cause.clone(), total_object(sum))).collect();
    json!({
        "currency": "USD",
        "price_table": table.version,
        "total": total_object(&expenses.spent),
        "answers": total_object(&expenses.answers),
        "retried": total_object(&expenses.retried),
        "rejected": total_object(&expenses.rejected),
        "lost": total_object(&expenses.lost),
        "may_have_been_billed": expenses.unsure.to_string(),
        "saved_by_cache": expenses.saved.to_string(),
        "said_by_service": expenses.said,
        "thousand_answers": expenses.thousand_answers().map(|sum| sum.to_string()),
        "models": models.collect::<Vec<_>>(),
        "causes": causes,
    })
}

pub(crate) fn total_object(sum: &Total) -> Value {
    let is_unknown = sum.known() == 0 && sum.calls > 0;
    let amount = |amount: dset_core::money::Amount| (!is_unknown).then(|| amount.to_string());
    json!({
        "calls": sum.calls,
        "at_least": amount(sum.lower),
        "at_most": amount(sum.upper),
        "no_price": sum.no_price,
        "no_counts": sum.no_counts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_old_after_sixty_days() {
        let table = PriceTable::built_in();
        let midnight = dset_core::time::read_stamp(&format!("{} 00:00:00", table.as_of)).unwrap();
        let day = 86_400_000;
        assert_eq!(stale(table, midnight + 61 * day - 1), None);
        let said = stale(table, midnight + 61 * day).unwrap();
        assert!(said.contains("61 days old"), "{said}");
    }
}
