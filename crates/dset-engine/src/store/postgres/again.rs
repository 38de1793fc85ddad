//! What failed in shards that are done, asked once more: one round at a time, however often it is interrupted.

use std::collections::HashSet;

use super::connection::Server;
use super::leases::Lease;
use crate::run::redo::AskedSince;
use crate::store::Store;
use crate::store::server_fault::ServerFault;

/// Opens the shards again in which questions failed, unless that was done and is not over yet; returns how
/// many are open for that now.
pub(super) fn open_failed(server: &mut Server) -> Result<u64, ServerFault> {
    server.transact(async |to| {
        to.query(
            "UPDATE shard SET is_done = false, is_again = true, again_after = token
             WHERE is_done AND coalesce((ledger::jsonb ->> 'rejected')::bigint, 0)
               + coalesce((ledger::jsonb ->> 'gave_up')::bigint, 0) > 0
               AND NOT EXISTS (SELECT 1 FROM shard WHERE is_again AND NOT is_done)",
            &[],
        )
        .await?;
        let sql = "SELECT count(*) FROM shard WHERE is_again AND NOT is_done";
        let rows = to.query(sql, &[]).await?;
        Ok(rows[0].get::<_, i64>(0) as u64)
    })
}

/// Returns what was asked of a shard, by whoever, since what failed in it is asked again; the store has all of it.
pub(super) fn asked_since(
    server: &mut Server,
    store: &Store,
    lease: &Lease,
) -> Result<AskedSince, ServerFault> {
    let Some(after) = lease.again_after.filter(|_| lease.is_again) else {
        return Ok(AskedSince::default());
    };
    let shard = lease.number as i32;
    let sql = "SELECT started_at, endpoint FROM life WHERE shard = $1 AND token > $2";
    let lives = server.part(async |to| to.query(sql, &[&shard, &after]).await)?;
    let lives: HashSet<(i64, String)> = lives.iter().map(|row| (row.get(0), row.get(1))).collect();
    let own = store.all_lives()?.into_iter();
    let own = own.filter(|life| lives.contains(&(life.started_at, life.endpoint.clone())));
    let lives: Vec<i64> = own.map(|life| life.id).collect();
    let sql = "SELECT e.question FROM ended e JOIN life l ON l.id = e.life
               WHERE e.shard = $1 AND l.token > $2";
    let ended = server.part(async |to| to.query(sql, &[&shard, &after]).await)?;
    let ended = ended.iter().filter_map(|row| row.get::<_, &[u8]>(0).try_into().ok()).collect();
    Ok(AskedSince { answers: store.answers_of_lives(&lives)?, ended })
}
