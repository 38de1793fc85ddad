//! What runs under a limit of money said that they may be billed.

use std::collections::HashMap;

use dset_core::money::{Amount, SessionCost};
use rusqlite::{Connection, params};

use super::store::Store;
use crate::store::entry::picodollars;
use crate::store::error::StoreError;

impl Store {
    /// Returns what each run under a limit said, by its number; what such a run has recorded is none of
    /// this table's business, and nothing here.
    pub(crate) fn bounds(&self) -> Result<HashMap<i64, SessionCost>, StoreError> {
        let sql = "SELECT life, bound, unsure, is_last, forgiven_at IS NOT NULL FROM bounds";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let amount = |at| row.get(at).map(Amount::from_picodollars);
            let cost = SessionCost {
                recorded: Amount::ZERO,
                is_recorded_unsure: false,
                bound: amount(1)?,
                unsure: amount(2)?,
                has_ended: row.get(3)?,
                is_forgiven: row.get(4)?,
            };
            Ok((row.get(0)?, cost))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Takes from elsewhere what a run may be billed in all, unless that was forgiven, or one of this folder
    /// (`is_own`) has said it here.
    #[cfg(feature = "postgres")]
    pub(crate) fn take_bound(
        &self,
        life: i64,
        bound: Amount,
        is_own: bool,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO bounds (life, bound, unsure, is_last) VALUES (?1, ?2, 0, 0)
                   ON CONFLICT (life) DO UPDATE SET bound = excluded.bound
                   WHERE NOT ?3 AND forgiven_at IS NULL";
        self.reader.connection.execute(sql, params![life, picodollars(bound), is_own])?;
        Ok(())
    }

    /// Records that somebody says: what earlier runs did not record was not billed.
    pub(crate) fn forgive_lost(&self, at: i64) -> Result<(), StoreError> {
        let sql = "UPDATE bounds SET forgiven_at = ?1 WHERE forgiven_at IS NULL";
        self.reader.connection.execute(sql, [at])?;
        Ok(())
    }
}

/// Records what a run may be billed.
pub(super) fn declare(
    to: &Connection,
    life: i64,
    bound: Amount,
    unsure: Amount,
    is_last: bool,
) -> rusqlite::Result<()> {
    to.prepare_cached(
        "INSERT OR REPLACE INTO bounds (life, bound, unsure, is_last) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![life, picodollars(bound), picodollars(unsure), is_last])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Write;

    #[test]
    fn what_a_run_says_last_holds_until_somebody_forgives_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(folder.path()).unwrap();
        let write = |bound, is_last| {
            let [bound, unsure] = [bound, 7].map(Amount::from_picodollars);
            [Write::BoundDeclared { life: 3, bound, unsure, is_last }]
        };
        store.commit(&write(100, false)).unwrap();
        store.commit(&write(90, true)).unwrap();
        let cost = SessionCost {
            recorded: Amount::ZERO,
            is_recorded_unsure: false,
            bound: Amount::from_picodollars(90),
            unsure: Amount::from_picodollars(7),
            has_ended: true,
            is_forgiven: false,
        };
        assert_eq!(store.bounds().unwrap(), HashMap::from([(3, cost)]));
        #[cfg(feature = "postgres")]
        {
            store.take_bound(3, Amount::from_picodollars(70), true).unwrap();
            assert_eq!(store.bounds().unwrap(), HashMap::from([(3, cost)]), "it knows better");
            let taken =
                SessionCost { bound: Amount::from_picodollars(9), ..SessionCost::default() };
            for bound in [12, 9] {
                store.take_bound(4, Amount::from_picodollars(bound), false).unwrap();
            }
            assert_eq!(store.bounds().unwrap()[&4], taken);
            store.connection().execute("DELETE FROM bounds WHERE life = 4", []).unwrap();
        }
        store.forgive_lost(1).unwrap();
        let forgiven = SessionCost { is_forgiven: true, ..cost };
        assert_eq!(store.bounds().unwrap(), HashMap::from([(3, forgiven)]));
    }
}
