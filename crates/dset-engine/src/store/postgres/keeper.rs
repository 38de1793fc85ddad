//! Keeps the lease of a shard while its run goes on, and brings it what it may send and spend.
//!
//! Every few hundred milliseconds the run says where it stands; one transaction renews the lease and takes
//! a block of each limit. Nothing is permitted for longer than the lease holds by the clock here, counted
//! from before the server was asked. Where the server is away, or what comes cannot be recorded there, nothing is:
//! what was permitted runs out, and the run waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dset_core::money::Amount;
use dset_core::rate::shared_bucket::{SharedBucket, USE_US};
use dset_core::run::{FundsUse, Permit};
use tokio_postgres::Error;

use super::connection::{Connected, Server};
use super::limits::{Carried, Minute, SharedLimits};
use super::link::{Link, Part};
use super::records::{self, Session};
use crate::store::roles::{SharedReport, SharedWord};

/// Waits after a fault: from, and at most.
const WAIT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long a lease keeps its connection back from a journal that has none.
const LET_GO: Duration = Duration::from_secs(1);

/// What the run says, and the thread that takes it to the server.
#[derive(Debug)]
pub(super) struct Keeper {
    reports: Option<SyncSender<SharedReport>>,
    is_idle: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(super) fn start(
        server: Server,
        session: Session,
        lease: Duration,
        link: Arc<Link>,
    ) -> std::io::Result<Keeper> {
        let (reports, received) = sync_channel(1);
        let is_idle = Arc::new(AtomicBool::new(true));
        let idle = Arc::clone(&is_idle);
        let thread = std::thread::Builder::new().name("lease".into()).spawn(move || {
            Thread {
                server,
                session,
                lease,
                link,
                life: None,
                carried: Carried::default(),
                renewed: None,
                has_limits: None,
                is_withheld: false,
                not_before: Instant::now(),
                wait: WAIT.0,
            }
            .run(&received, &idle);
        })?;
        Ok(Keeper { reports: Some(reports), is_idle, thread: Some(thread) })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.is_idle.load(Relaxed)
    }

    pub(super) fn report(&self, report: SharedReport) {
        self.is_idle.store(false, Relaxed);
        // It was ready; a thread that has ended needs no report.
        if let Some(reports) = &self.reports {
            let _ = reports.try_send(report);
        }
    }

    pub(super) fn end(&mut self) {
        self.reports = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Thread {
    server: Server,
    session: Session,
    lease: Duration,
    link: Arc<Link>,
    life: Option<i64>,
    carried: Carried,
    renewed: Option<Instant>,
    /// Whether asks or tokens are limited, once that is known.
    has_limits: Option<bool>,
    /// The lease holds, and nothing may be asked, because there is nowhere to record it.
    is_withheld: bool,
    not_before: Instant,
    wait: Duration,
}

/// What a transaction came to.
#[derive(Debug, Default)]
struct Kept {
    is_lost: bool,
    /// So many may be sent; all where this is absent.
    asks: Option<u32>,
    has_limits: bool,
    /// What is granted of the limit of money, and whether it is the last.
    funds: Option<(Amount, bool)>,
}

impl Thread {
    fn run(mut self, reports: &Receiver<SharedReport>, is_idle: &AtomicBool) {
        while let Ok(report) = reports.recv() {
            self.carried.add(&report.permits);
            if self.is_due(&report) && self.keep(&report) {
                (self.link.tell)(SharedWord::LeaseLost);
                return;
            }
            is_idle.store(true, Relaxed);
        }
    }

    fn is_due(&self, report: &SharedReport) -> bool {
        let renews = self.renewed.is_none_or(|at| at.elapsed() >= self.lease / 3);
        let can_record = self.link.answers(Part::Journal) == Some(true);
        let has_none = self.has_limits != Some(false) && report.permits.left == 0;
        let wants = can_record && !report.is_ending && (has_none || self.is_withheld);
        Instant::now() >= self.not_before && (renews || wants || report.funds.is_some())
    }

    /// Takes a report to the server; returns true if the lease is lost.
    fn keep(&mut self, report: &SharedReport) -> bool {
        let asked = Instant::now();
        let (session, carried, lease) = (&self.session, &self.carried, self.lease);
        let can_record = self.link.answers(Part::Journal);
        let may_ask = can_record == Some(true);
        let mut begun = self.life;
        let kept = self.server.transact(async |to| {
            let life = match begun {
                Some(life) => life,
                None => *begun.insert(records::begin_life(to, session, session.token).await?),
            };
            keep(to, session, life, lease, carried, report, may_ask).await
        });
        let kept = match kept {
            Ok(kept) => kept,
            Err(fault) => {
                self.carried.forget_in_doubt();
                self.link.is_down(Part::Lease, &fault);
                self.not_before = Instant::now() + self.wait;
                // Soon enough for the lease, once the server is back.
                self.wait = (self.wait * 2).min(WAIT.1).min(self.lease / 6);
                return false;
            }
        };
        self.link.is_up(Part::Lease);
        (self.life, self.wait) = (begun, WAIT.0);
        if kept.is_lost {
            return true;
        }
        (self.renewed, self.has_limits) = (Some(asked), Some(kept.has_limits));
        self.carried.settled();
        if can_record == Some(false) {
            self.server.disconnect();
            self.not_before = asked + LET_GO.min(self.lease / 6);
        }
        self.is_withheld = !may_ask;
        let longest = match kept.asks {
            Some(_) => self.lease.min(Duration::from_micros(USE_US as u64)),
            None => self.lease,
        };
        if may_ask {
            let permit = Permit { asks: kept.asks, until: report.now.after(longest) };
            (self.link.tell)(SharedWord::Permitted(permit));
        }
        if let Some((granted, is_last)) = kept.funds {
            (self.link.tell)(SharedWord::Funded { granted, is_last });
        }
        false
    }
}

async fn keep(
    to: &mut Connected,
    session: &Session,
    life: i64,
    lease: Duration,
    carried: &Carried,
    report: &SharedReport,
    may_ask: bool,
) -> Result<Kept, Error> {
    let seconds = lease.as_secs_f64();
    let ledger = serde_json::to_string(&report.ledger).expect("a ledger is plain values");
    let renewed = to
        .query(
            "UPDATE shard SET leased_until = clock_timestamp() + $3::float8 * interval '1 second',
             ledger = $4 WHERE number = $1 AND token = $2 RETURNING number",
            &[&(session.shard as i32), &session.token, &seconds, &ledger],
        )
        .await?;
    if renewed.is_empty() {
        return Ok(Kept { is_lost: true, ..Kept::default() });
    }
    let limits = to
        .query(
            "SELECT asks_a_minute, tokens_a_minute, cost, asks_due, tokens_due,
             (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
             (SELECT count(*) FROM shard WHERE leased_until > clock_timestamp())
             FROM limits FOR UPDATE",
            &[],
        )
        .await?;
    let Some(limits) = limits.first() else { return Ok(Kept::default()) };
    let number =
        |at: usize| limits.get::<_, Option<i64>>(at).and_then(|most| u64::try_from(most).ok());
    let said = SharedLimits { asks: number(0), tokens: number(1), cost: None };
    let mut minute = Minute {
        asks: said.asks.map(|most| SharedBucket::new(most, limits.get(3))),
        tokens: said.tokens.map(|most| SharedBucket::new(most, limits.get(4))),
        limits: said,
        now_us: limits.get(5),
        workers: limits.get::<_, i64>(6).max(1) as u64,
    };
    let asks = minute.grant(carried, may_ask && report.permits.left == 0 && !report.is_ending);
    if asks.is_some() {
        let due = |bucket: Option<SharedBucket>, at: usize| {
            bucket.map_or_else(|| limits.get(at), |bucket| bucket.due_us())
        };
        let sql = "UPDATE limits SET asks_due = $1, tokens_due = $2";
        to.query(sql, &[&due(minute.asks, 3), &due(minute.tokens, 4)]).await?;
    }
    let funds = match (limits.get::<_, Option<i64>>(2), &report.funds) {
        (Some(cost), Some(wish)) => fund(to, life, cost, wish).await?,
        _ => None,
    };
    Ok(Kept { is_lost: false, asks, has_limits: asks.is_some(), funds })
}

/// Grants what is left of the limit of money, as far as it is wanted; nothing where that changes nothing yet.
async fn fund(
    to: &mut Connected,
    life: i64,
    cost: i64,
    wish: &FundsUse,
) -> Result<Option<(Amount, bool)>, Error> {
    let number = |amount: Amount| i64::try_from(amount.picodollars()).unwrap_or(i64::MAX);
    let rows = to
        .query(
            "SELECT coalesce(sum(coalesce(billed, granted)) FILTER (WHERE id <> $1), 0)::bigint,
             coalesce(sum(granted) FILTER (WHERE id = $1), 0)::bigint,
             count(*) FILTER (WHERE id <> $1 AND billed IS NULL AND ended_at IS NULL AND NOT is_idle AND
               EXISTS (SELECT 1 FROM shard s WHERE s.number = life.shard AND s.token = life.token
                       AND s.leased_until > clock_timestamp()))
             FROM life",
            &[&life],
        )
        .await?;
    let (others, own, busy): (i64, i64, i64) = (rows[0].get(0), rows[0].get(1), rows[0].get(2));
    let (used, least) = (number(wish.used), number(wish.least));
    let has = if wish.is_idle { used.min(own) } else { own };
    let most = cost.saturating_sub(others).max(has);
    let granted = has.saturating_add(number(wish.wanted)).min(most);
    let is_enough = granted >= used.saturating_add(least);
    let granted = if wish.is_idle && !is_enough { has } else { granted };
    let is_idle = wish.is_idle && !is_enough;
    let sql = "UPDATE life SET granted = $2, is_idle = $3 WHERE id = $1";
    to.query(sql, &[&life, &granted, &is_idle]).await?;
    let is_last = is_idle && busy == 0;
    let changes = granted != own || is_last;
    Ok(changes.then(|| (Amount::from_picodollars(granted), is_last)))
}
