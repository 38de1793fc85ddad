//! What was granted to runs that were killed, and was not billed.

use std::collections::{BTreeSet, HashMap};

use dset_core::money::{Amount, BilledAs, Expenses};

use super::connection::Server;
use super::limits::IS_LOST;
use super::sync;
use crate::store::server_fault::ServerFault;
use crate::store::{Store, StoreError};
use crate::view::expenses::{AskedBy, Pricing};

/// A run that was killed: its number, its shard, and what a store knows it by.
struct Lost {
    life: i64,
    shard: u32,
    known_by: (i64, String),
}

/// Books of runs that were killed only what they recorded; returns how many stay as they were, because
/// something that they recorded has no price. What they recorded is brought here for that, and forgotten.
pub(super) fn forgive(server: &mut Server, pricing: Pricing<'_>) -> Result<u64, ServerFault> {
    let lost = find(server)?;
    let folder = tempfile::tempdir()?;
    let (mut store, _) = Store::open(folder.path())?;
    for shard in lost.iter().map(|one| one.shard).collect::<BTreeSet<_>>() {
        sync::pull(server, &mut store, Some(shard))?;
    }
    let recorded = recorded_by_run(&store, pricing)?;
    let lives = store.all_lives()?.into_iter();
    let numbers: HashMap<_, _> =
        lives.map(|life| ((life.started_at, life.endpoint), life.id)).collect();
    let mut unpriced = 0;
    for one in lost {
        let number = numbers.get(&one.known_by);
        let billed = number.and_then(|number| recorded.get(number)).copied();
        match billed.unwrap_or(Some(Amount::ZERO)) {
            Some(billed) => book(server, one.life, billed)?,
            None => unpriced += 1,
        }
    }
    Ok(unpriced)
}

fn find(server: &mut Server) -> Result<Vec<Lost>, ServerFault> {
    let sql = format!("SELECT l.id, l.shard, l.started_at, l.endpoint FROM life l WHERE {IS_LOST}");
    let rows = server.part(async |to| to.query(&sql, &[]).await)?;
    let lost = rows.iter().map(|row| Lost {
        life: row.get(0),
        shard: row.get::<_, i32>(1) as u32,
        known_by: (row.get(2), row.get(3)),
    });
    Ok(lost.collect())
}

/// Works out what the calls that each run recorded cost at most, by its number; nothing where the cost of one
/// is not known that was billed.
fn recorded_by_run(
    store: &Store,
    pricing: Pricing<'_>,
) -> Result<HashMap<i64, Option<Amount>>, StoreError> {
    let asked = AskedBy::load(store, pricing.providers)?;
    let mut recorded: HashMap<i64, Option<Amount>> = HashMap::new();
    store.for_each_call(|call| {
        let outcome = match &call.failed {
            None => Some(BilledAs::Answer),
            Some(failed) => failed.billed_as(),
        };
        let Some(outcome) = outcome else { return };
        let cost = Expenses::default().add(pricing.prices, &asked.billed(call, outcome));
        // Whether a reply that did not come was billed nobody can tell.
        let cost = match outcome {
            BilledAs::Lost(_) => Some(cost.unwrap_or_default()),
            _ => cost,
        };
        let sum = recorded.entry(call.session).or_insert(Some(Amount::ZERO));
        *sum = sum.zip(cost).map(|(sum, cost)| sum + cost);
    })?;
    Ok(recorded)
}

/// Never more than was granted, and nothing where a worker has come back to it meanwhile.
fn book(server: &mut Server, life: i64, billed: Amount) -> Result<(), ServerFault> {
    let billed = i64::try_from(billed.picodollars()).unwrap_or(i64::MAX);
    let sql =
        format!("UPDATE life l SET billed = least($2, l.granted) WHERE l.id = $1 AND {IS_LOST}");
    server.transact(async |to| to.query(&sql, &[&life, &billed]).await.map(drop))
}
