//! Who has which shard.

use std::time::Duration;

use dset_core::money::Amount;
use dset_core::plan::ledger::Ledger;

use super::connection::Server;
use crate::store::server_fault::ServerFault;

/// A shard that is this worker's for a while.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Which, from 0.
    pub number: u32,
    /// What failed in it is asked once more, whatever was tried before.
    pub is_again: bool,
    /// By runs up to this token; of a job of before that is not known.
    pub(super) again_after: Option<i64>,
    pub(super) token: i64,
    pub(super) holder: String,
    pub(super) lasts: Duration,
}

/// What a worker finds that looks for work.
#[derive(Debug)]
pub enum Claim {
    /// A shard.
    Leased(Lease),
    /// Others have all that are left.
    Busy {
        /// How many those are.
        shards: u64,
    },
    /// None is left.
    Done,
}

/// Where a shard stands.
#[derive(Debug, Clone)]
pub struct SharedShard {
    /// Which, from 0.
    pub number: u32,
    /// Who has it, or had it last.
    pub holder: Option<String>,
    /// A worker has it now.
    pub is_leased: bool,
    /// Everything in it was asked.
    pub is_done: bool,
    /// What failed in it is asked once more.
    pub is_again: bool,
    /// How often it was given to a worker.
    pub leases: u64,
    /// Answers on the server.
    pub answers: u64,
    /// Answers that came although there was one.
    pub paid_twice: u64,
    /// Where its questions stood when the worker last said so.
    pub ledger: Option<Ledger>,
}

/// Takes a shard that nobody has, of these first. Nobody could renew a lease while the server was away: each has
/// its time once more from when that is back.
pub(super) fn claim(
    server: &mut Server,
    holder: &str,
    lasts: Duration,
    preferred: &[u32],
) -> Result<Claim, ServerFault> {
    let preferred: Vec<i32> = preferred.iter().map(|&number| number as i32).collect();
    let seconds = lasts.as_secs_f64();
    server.transact(async |to| {
        let rows = to
            .query(
                "UPDATE shard SET token = token + 1, holder = $1,
                 leased_until = clock_timestamp() + $2::float8 * interval '1 second'
                 WHERE number = (SELECT number FROM shard WHERE NOT is_done
                   AND (leased_until IS NULL OR clock_timestamp() > greatest(leased_until,
                     pg_postmaster_start_time() + $2::float8 * interval '1 second'))
                   ORDER BY number = ANY($3::integer[]) DESC, number
                   LIMIT 1 FOR UPDATE SKIP LOCKED)
                 RETURNING number, token, is_again, again_after",
                &[&holder, &seconds, &preferred],
            )
            .await?;
        if let Some(row) = rows.first() {
            return Ok(Claim::Leased(Lease {
                number: row.get::<_, i32>(0) as u32,
                token: row.get(1),
                is_again: row.get(2),
                again_after: row.get(3),
                holder: holder.to_owned(),
                lasts,
            }));
        }
        let rows = to.query("SELECT count(*) FROM shard WHERE NOT is_done", &[]).await?;
        Ok(match rows[0].get::<_, i64>(0) {
            0 => Claim::Done,
            left => Claim::Busy { shards: left as u64 },
        })
    })
}

/// Renews a lease before its run has begun; returns false if the shard was handed back, or is another's.
pub(super) fn renew(server: &mut Server, lease: &Lease) -> Result<bool, ServerFault> {
    server.transact(async |to| {
        let rows = to
            .query(
                "UPDATE shard SET leased_until = clock_timestamp() + $3::float8 * interval '1 second'
                 WHERE number = $1 AND token = $2 AND leased_until IS NOT NULL RETURNING number",
                &[&(lease.number as i32), &lease.token, &lease.lasts.as_secs_f64()],
            )
            .await?;
        Ok(!rows.is_empty())
    })
}

/// Hands a shard back, with what its run came to.
pub(super) fn release(
    server: &mut Server,
    lease: &Lease,
    ledger: Option<&Ledger>,
    billed: Option<Amount>,
) -> Result<(), ServerFault> {
    let is_done = ledger.is_some_and(|ledger| ledger.pending == 0);
    let ledger =
        ledger.map(|ledger| serde_json::to_string(ledger).expect("a ledger is plain values"));
    let billed = billed.map(|billed| i64::try_from(billed.picodollars()).unwrap_or(i64::MAX));
    let number = lease.number as i32;
    server.transact(async |to| {
        to.query(
            "UPDATE shard SET leased_until = NULL, is_done = is_done OR $3, ledger = coalesce($4, ledger),
             is_again = is_again AND NOT $3 WHERE number = $1 AND token = $2",
            &[&number, &lease.token, &is_done, &ledger],
        )
        .await?;
        let sql = "UPDATE life SET billed = coalesce($3, billed) WHERE shard = $1 AND token = $2";
        to.query(sql, &[&number, &lease.token, &billed]).await?;
        Ok(())
    })
}

/// Tells where every shard stands.
pub(super) fn status(server: &mut Server) -> Result<Vec<SharedShard>, ServerFault> {
    server.part(async |to| {
        let rows = to
            .query(
                "SELECT s.number, s.holder, coalesce(s.leased_until > clock_timestamp(), false), s.is_done,
                 s.token, coalesce(a.count, 0), coalesce(p.count, 0), s.ledger, s.is_again
                 FROM shard s
                 LEFT JOIN (SELECT shard, count(*) FROM answer GROUP BY shard) a ON a.shard = s.number
                 LEFT JOIN (SELECT shard, count(*) FROM paid_twice GROUP BY shard) p ON p.shard = s.number
                 ORDER BY s.number",
                &[],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| SharedShard {
                number: row.get::<_, i32>(0) as u32,
                holder: row.get(1),
                is_leased: row.get(2),
                is_done: row.get(3),
                leases: row.get::<_, i64>(4) as u64,
                answers: row.get::<_, i64>(5) as u64,
                paid_twice: row.get::<_, i64>(6) as u64,
                ledger: row
                    .get::<_, Option<String>>(7)
                    .and_then(|text| serde_json::from_str(&text).ok()),
                is_again: row.get(8),
            })
            .collect())
    })
}
