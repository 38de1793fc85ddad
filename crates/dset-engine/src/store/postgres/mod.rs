//! A job in PostgreSQL, for workers on several machines. All the SQL for it stands in this folder.
//!
//! The server holds the job, its input, who has which shard, and everything that was paid for; a worker's own
//! folder is its archive, from which outputs and reports are made. A record is durable here and there before
//! the machine hears of it (`journal`). A shard belongs to a worker for as long as it renews its lease
//! (`keeper`, before its run `renewing`); who takes one over first brings the answers that are there (`sync`), then asks.

mod address;
mod again;
mod connection;
mod input;
mod job;
mod journal;
mod keeper;
mod leases;
mod limits;
mod link;
mod lost;
mod records;
mod renewing;
mod sync;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use dset_core::money::Amount;
use dset_core::plan::ledger::Ledger;
use dset_core::run::{JobLimit, Spending};
use dset_core::settings::{CostLimits, RunOptions};

pub use self::address::Address;
use self::connection::Server;
use self::input::Found;
use self::job::Access;
use self::journal::SharedJournal;
use self::keeper::Keeper;
pub use self::leases::{Claim, Lease, SharedShard};
pub use self::limits::{SharedLimits, SharedSpending};
use self::link::Link;
use self::records::Session;
use self::renewing::Renewing;
use self::sync::NO_LEASE;
pub use self::sync::{Brought, Pushed};
use crate::os::clock::unix_ms;
use crate::os::lock::Lock;
use crate::run::redo::AskedSince;
use crate::shard::{JobFile, shard_folder};
use crate::store::roles::{Journal, SharedReport, SharedSession, SharedWork, TellShared};
use crate::store::server_fault::ServerFault;
use crate::store::{Store, StoreError};
use crate::view::expenses::{Pricing, own_billed};

/// A job on a server. Used from one thread, which is none of a runtime.
#[derive(Debug)]
pub struct SharedJob {
    server: Server,
    renewing: Option<Renewing>,
    input: Option<Found>,
    /// What is asked.
    pub file: JobFile,
}

/// What a run needs to work on a shard of it; see [`crate::run::prepare::PreparedJob::share`].
#[derive(Debug)]
pub struct SharedRun {
    pub(crate) work: Box<dyn SharedWork>,
    pub(crate) funds: WorkerFunds,
}

/// What a worker may spend on a shard.
#[derive(Debug, Clone, Copy, Default)]
pub struct WorkerFunds {
    /// The limits of the worker itself, over all shards that it works on.
    pub own: CostLimits,
    /// What its folder was billed before, in all its runs, and
    pub folder_before: Spending,
    /// since the worker began.
    pub run_before: Spending,
    /// What all workers may spend together, where that is limited.
    pub of_job: Option<JobLimit>,
}

impl SharedJob {
    /// Puts a job that was split in this folder on a server, with its input; these limits hold for all workers
    /// together. Returns whether it was there already. Nothing is there after a fault.
    pub fn put(
        address: Address,
        job: &JobFile,
        folder: &Path,
        limits: &RunOptions,
    ) -> Result<bool, ServerFault> {
        job::put(&mut job::server(&Arc::new(address))?, job, folder, limits)
    }

    /// Opens a job. Fails where the server, the rights on it or the version of the job are not what a worker
    /// needs.
    pub fn open(address: Address) -> Result<SharedJob, ServerFault> {
        SharedJob::open_for(address, Access::Write)
    }

    /// Opens a job to look at it, and to bring what it has: the right to read is enough, and so is a copy that can only
    /// be read.
    pub fn open_to_read(address: Address) -> Result<SharedJob, ServerFault> {
        SharedJob::open_for(address, Access::Read)
    }

    fn open_for(address: Address, access: Access) -> Result<SharedJob, ServerFault> {
        let mut server = job::server(&Arc::new(address))?;
        let file = job::open(&mut server, access)?;
        Ok(SharedJob { server, renewing: None, input: None, file })
    }

    /// From when this says so, the server is waited for no more: what is on its way ends as if it were away, and what
    /// comes after that has a few seconds.
    pub fn stop_when(&mut self, stop: tokio::sync::watch::Receiver<bool>) {
        self.server.stop_when(stop);
    }

    /// Gives its connection back until it is needed again.
    pub fn disconnect(&mut self) {
        self.server.disconnect();
    }

    /// Returns where its input is as it was split; it is brought into this folder where it is nowhere else, or is not so
    /// any more.
    pub fn input(&mut self, folder: &Path) -> Result<PathBuf, ServerFault> {
        if let Some(found) = self.input.as_ref().filter(|found| found.is_untouched(&self.file)) {
            return Ok(found.path.clone());
        }
        let path = input::get(&mut self.server, &self.file, folder)?;
        self.input = Some(Found::new(&self.file, path.clone()));
        Ok(path)
    }

    /// Returns the limits of all workers together.
    pub fn limits(&mut self) -> Result<SharedLimits, ServerFault> {
        limits::read(&mut self.server)
    }

    /// Changes those limits that are said. Rates hold within seconds, money for runs that begin from now on.
    pub fn change_limits(&mut self, to: SharedLimits) -> Result<(), ServerFault> {
        limits::change(&mut self.server, to)
    }

    /// Returns what is booked of the limit of money.
    pub fn spending(&mut self) -> Result<SharedSpending, ServerFault> {
        limits::spending(&mut self.server)
    }

    /// Books of runs that were killed only what they recorded, by these prices: what they had on their way
    /// was not billed. Returns how many stay as they were, because something that they recorded has no price.
    pub fn forgive_lost(&mut self, pricing: Pricing<'_>) -> Result<u64, ServerFault> {
        lost::forgive(&mut self.server, pricing)
    }

    /// Opens the shards again in which questions failed, unless that was done and is not over yet; returns
    /// how many are open for that now.
    pub fn ask_failed_again(&mut self) -> Result<u64, ServerFault> {
        again::open_failed(&mut self.server)
    }

    /// Takes a shard that nobody has; one that was begun in this folder before any other.
    pub fn claim(
        &mut self,
        holder: &str,
        lasts: Duration,
        folder: &Path,
    ) -> Result<Claim, ServerFault> {
        let is_begun = |number: &u32| Store::exists(&shard_folder(folder, *number));
        let begun: Vec<u32> = (0..self.file.count()).filter(is_begun).collect();
        leases::claim(&mut self.server, holder, lasts, &begun)
    }

    /// Brings the folder of a shard and the server to the same answers, before anything of it is asked.
    /// Returns what was brought here, what was brought there, and what failed in it has been asked again already. The lease is renewed meanwhile, and until the run that
    /// works on the shard does so.
    pub fn take_over(
        &mut self,
        lease: &Lease,
        folder: &Path,
    ) -> Result<(Brought, Pushed, AskedSince), ServerFault> {
        self.renewing = Some(Renewing::start(&self.server.address, lease)?);
        let folder = shard_folder(folder, lease.number);
        let (mut store, _lock) = open_store(&folder)?;
        let pushed =
            sync::push(&mut self.server, &store, lease.number, lease.token, &lease.holder)?;
        let brought = sync::pull(&mut self.server, &mut store, Some(lease.number))?;
        let asked_since = again::asked_since(&mut self.server, &store, lease)?;
        store.forget_unsent()?;
        Ok((brought, pushed, asked_since))
    }

    /// Brings to the server what runs in this folder could not.
    pub fn bring_left_over(&mut self, folder: &Path, holder: &str) -> Result<Pushed, ServerFault> {
        let mut pushed = Pushed::default();
        for number in 0..self.file.count() {
            let shard = shard_folder(folder, number);
            if !Store::exists(&shard) {
                continue;
            }
            let (store, _lock) = open_store(&shard)?;
            if store.has_unsent()? {
                // What was paid for is taken, and nothing else.
                pushed += sync::push(&mut self.server, &store, number, NO_LEASE, holder)?;
                store.forget_unsent()?;
            }
        }
        Ok(pushed)
    }

    /// Returns what a run works on this shard with, and may spend. What that needs of connections it makes itself, and
    /// this one is given back until it is over.
    #[must_use]
    pub fn work(&mut self, lease: &Lease, funds: WorkerFunds) -> SharedRun {
        let address = Arc::clone(&self.server.address);
        let renewing = self.renewing.take();
        self.server.disconnect();
        let work = Work { address, lease: lease.clone(), renewing, keeper: None, link: None };
        SharedRun { work: Box::new(work), funds }
    }

    /// Returns what runs in this folder were billed at most in all its shards; those of other workers, whose
    /// answers were brought here, are not among them.
    pub fn billed_in(&self, folder: &Path, pricing: Pricing<'_>) -> Result<Spending, ServerFault> {
        let mut billed = Spending::default();
        for number in 0..self.file.count() {
            let shard = shard_folder(folder, number);
            billed += own_billed(&shard, pricing)?.unwrap_or_default();
        }
        Ok(billed)
    }

    /// Returns what all workers may spend together, where that is limited, and what of it is booked.
    pub fn cost_limit(&mut self) -> Result<Option<JobLimit>, ServerFault> {
        let Some(total) = limits::read(&mut self.server)?.cost else { return Ok(None) };
        Ok(Some(JobLimit { total, booked: limits::spending(&mut self.server)?.booked }))
    }

    /// Brings to the server what programs said of answers of a shard that had come to it unjudged.
    pub fn bring_verdicts(&mut self, lease: &Lease, folder: &Path) -> Result<(), ServerFault> {
        let (store, _lock) = open_store(&shard_folder(folder, lease.number))?;
        sync::push_verdicts(&mut self.server, &store, lease.number)
    }

    /// Hands a shard back: where its questions stand, and what its run was billed at most.
    pub fn release(
        &mut self,
        lease: &Lease,
        ledger: Option<&Ledger>,
        billed: Option<Amount>,
    ) -> Result<(), ServerFault> {
        self.renewing = None;
        leases::release(&mut self.server, lease, ledger, billed)
    }

    /// Tells where every shard stands.
    pub fn status(&mut self) -> Result<Vec<SharedShard>, ServerFault> {
        leases::status(&mut self.server)
    }

    /// Brings everything that is on the server into the store of a folder, which is made where there is none.
    pub fn bring_all(&mut self, folder: &Path) -> Result<Brought, ServerFault> {
        let (mut store, _lock) = open_store(folder)?;
        store.keep_input_unmarked()?;
        sync::pull(&mut self.server, &mut store, None)
    }
}

fn open_store(folder: &Path) -> Result<(Store, Lock), ServerFault> {
    fs_err::create_dir_all(folder)?;
    let lock = Lock::take(folder, unix_ms())?;
    Ok((Store::open(folder)?.0, lock))
}

#[derive(Debug)]
struct Work {
    address: Arc<Address>,
    lease: Lease,
    renewing: Option<Renewing>,
    keeper: Option<Keeper>,
    link: Option<Arc<Link>>,
}

impl SharedWork for Work {
    fn begin(
        &mut self,
        local: Box<dyn Journal>,
        session: SharedSession,
        tell: TellShared,
    ) -> Result<Box<dyn Journal>, StoreError> {
        let link = Link::new(tell);
        let SharedSession { life, settings } = session;
        let settings: HashMap<_, _> = settings.into_iter().map(|row| (row.id, row)).collect();
        let Lease { number, token, holder, lasts, .. } = self.lease.clone();
        let session = Session { shard: number, token, holder, life, settings };
        let new = || Server::new(Arc::clone(&self.address));
        let failed = |fault: ServerFault| StoreError::Failed(fault.to_string());
        let own = new().map_err(failed)?;
        let keeper = Keeper::start(own, session.clone(), lasts, Arc::clone(&link))?;
        let server = new().map_err(failed)?;
        let journal = SharedJournal::new(local, server, session, Arc::clone(&link))?;
        (self.keeper, self.link) = (Some(keeper), Some(link));
        Ok(Box::new(journal))
    }

    fn is_ready(&self) -> bool {
        self.keeper.as_ref().is_some_and(Keeper::is_ready)
    }

    fn report(&mut self, report: SharedReport) {
        self.renewing = None;
        if let Some(keeper) = &self.keeper {
            keeper.report(report);
        }
    }

    fn stop_waiting(&self) {
        if let Some(link) = &self.link {
            link.is_stopping.store(true, Relaxed);
        }
    }

    fn end(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.end();
        }
    }
}

#[cfg(test)]
mod tests;
