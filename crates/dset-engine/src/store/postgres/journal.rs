//! Writes here first and then on the server; what is durable in both is durable.
//!
//! Here first, so that nothing that came is lost while the server is away: the commit does not return before
//! the server has it too, so no row reaches an output and no ask is sent in its place. Only a run that is
//! to stop does not wait: its store says that some records are there alone, and the next worker that takes
//! the folder brings them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use dset_core::plan::AnswerId;

use super::connection::Server;
use super::link::{Link, Part};
use super::records::{self, Records, Session};
use crate::store::error::StoreError;
use crate::store::roles::{Journal, Value, Write};
use crate::store::server_fault::ServerFault;
use crate::store::sqlite::{SENT, UNSENT};

/// Waits between two tries to reach the server: from, and at most.
const WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often a wait looks whether the run is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) struct SharedJournal {
    local: Box<dyn Journal>,
    server: Server,
    session: Session,
    life: Option<i64>,
    link: Arc<Link>,
    /// The run is to stop and the server is away: the rest is recorded here alone.
    is_alone: bool,
}

impl SharedJournal {
    pub(super) fn new(
        local: Box<dyn Journal>,
        server: Server,
        session: Session,
        link: Arc<Link>,
    ) -> SharedJournal {
        SharedJournal { local, server, session, life: None, link, is_alone: false }
    }

    fn send(&mut self, records: &Records) -> Result<(), ServerFault> {
        let (session, life) = (&self.session, &mut self.life);
        let mut begun = *life;
        self.server.transact(async |to| {
            let number = match begun {
                Some(number) => number,
                None => *begun.insert(records::begin_life(to, session).await?),
            };
            records::insert(to, session, number, records).await.map(drop)
        })?;
        *life = begun;
        Ok(())
    }

    /// Sends until the server has it, or the run is to stop.
    fn send_or_wait(&mut self, records: &Records) -> Result<(), StoreError> {
        let mut wait = WAIT.0;
        loop {
            let Err(fault) = self.send(records) else {
                self.link.is_up(Part::Journal);
                return Ok(());
            };
            self.link.is_down(Part::Journal, &fault);
            let mut waited = Duration::ZERO;
            while waited < wait {
                if self.link.is_stopping.load(Relaxed) {
                    self.is_alone = true;
                    return self.say(UNSENT, 1);
                }
                std::thread::sleep(LOOK_EVERY);
                waited += LOOK_EVERY;
            }
            wait = (wait * 2).min(WAIT.1);
        }
    }

    fn say(&mut self, name: &'static str, number: i64) -> Result<(), StoreError> {
        let value = Some(Value::Number(number));
        self.local.commit(&[Write::Meta { name, value }]).map(drop)
    }
}

impl Journal for SharedJournal {
    fn commit(&mut self, writes: &[Write]) -> Result<Vec<Option<AnswerId>>, StoreError> {
        let ids = self.local.commit(writes);
        let records = Records::of(writes, &self.session);
        match ids {
            Ok(ids) => {
                if !records.is_empty() && !self.is_alone {
                    self.send_or_wait(&records)?;
                    if records.end.is_some() && !self.is_alone {
                        self.say(SENT, self.session.life.id)?;
                    }
                }
                Ok(ids)
            }
            Err(error) => {
                // The disk here is lost to this run. The server may have it all the same.
                let _ = self.send(&records);
                Err(error)
            }
        }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.local.close()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;

    use super::super::address::Address;
    use super::*;
    use crate::store::entry::NewEnded;
    use crate::store::sqlite::LifeRow;

    /// Counts commits, and those that say that something is unsent.
    #[derive(Clone, Default)]
    struct Local(Arc<Mutex<(usize, usize)>>);

    impl Journal for Local {
        fn commit(&mut self, writes: &[Write]) -> Result<Vec<Option<AnswerId>>, StoreError> {
            let mut counts = self.0.lock().unwrap();
            let is_unsent = |write: &Write| matches!(write, Write::Meta { name: UNSENT, .. });
            match writes.iter().any(is_unsent) {
                true => counts.1 += 1,
                false => counts.0 += 1,
            }
            Ok(Vec::new())
        }

        fn close(&mut self) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[test]
    fn a_run_that_is_to_stop_does_not_wait_for_a_server_that_is_away_and_says_what_is_unsent() {
        // Nobody listens there any more.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let address = format!("postgres://me@127.0.0.1:{port}/db?sslmode=disable");
        let server = Server::new(Arc::new(Address::parse(&address, None).unwrap())).unwrap();
        let (local, told) = (Local::default(), Arc::new(AtomicUsize::new(0)));
        let counts = Arc::clone(&told);
        let link = Link::new(Arc::new(move |_| {
            counts.fetch_add(1, Relaxed);
        }));
        link.is_stopping.store(true, Relaxed);
        let life = LifeRow {
            id: 1,
            started_at: 1,
            ended_at: None,
            ending: None,
            dropped: false,
            version: String::new(),
            settings: 1,
            endpoint: String::new(),
            identity: None,
        };
        let settings = std::collections::HashMap::new();
        let session = Session { shard: 0, token: 1, holder: "w".into(), life, settings };
        let mut journal =
            SharedJournal::new(Box::new(local.clone()), server, session, Arc::clone(&link));
        let ended = || {
            Write::Ended(NewEnded {
                question: [1; 16],
                edition: 0,
                row: 2,
                fault: "gave up".into(),
                cause: "timed out".into(),
                at: 7,
                max_tokens: None,
                cut_at_tokens: None,
            })
        };
        journal.commit(&[ended()]).unwrap();
        journal.commit(&[ended()]).unwrap();
        let (commits, unsent) = *local.0.lock().unwrap();
        assert_eq!(commits, 2, "everything is recorded here");
        assert!(unsent >= 1, "and that it is here alone");
        assert_eq!(told.load(Relaxed), 1, "the second does not try");
    }
}
