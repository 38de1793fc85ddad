//! Writes here first and then on the server; what is durable in both is durable.
//!
//! Here first, so that nothing that came is lost while the server is away: a commit is settled when the server has it
//! too, so no row reaches an output and no ask is sent in its place before that. Only a run that is
//! to stop does not wait: its store says that some records are there alone, and the next worker that takes
//! the folder brings them. A thread of its own writes on the server, so that what comes meanwhile is recorded here.
//! It connects before anything is asked, and gives its connection back while the lease has none: where the server
//! lets few in, workers that each hold one and want a second would wait for each other.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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
/// How often who has nothing to record looks whether the lease has a connection.
const IDLE_EVERY: Duration = Duration::from_millis(500);
/// How long what could not be recorded here is waited for on the server.
const LAST_WAIT: Duration = Duration::from_secs(15);

pub(super) struct SharedJournal {
    local: Box<dyn Journal>,
    session: Arc<Session>,
    /// To the thread that writes on the server; absent once it is to end.
    to_server: Option<Sender<Records>>,
    sent: Receiver<Sent>,
    thread: Option<JoinHandle<()>>,
    /// Commits of which the server does not say that it has them.
    waiting: usize,
    /// The run is to stop and the server is away: the rest is recorded here alone.
    is_alone: bool,
    gives_up: Arc<AtomicBool>,
}

/// What became of some commits.
struct Sent {
    commits: usize,
    has_end: bool,
    /// They are here alone.
    is_alone: bool,
}

/// The thread that writes on the server.
struct Mirror {
    server: Server,
    session: Arc<Session>,
    life: Option<i64>,
    link: Arc<Link>,
    gives_up: Arc<AtomicBool>,
}

impl Mirror {
    fn run(mut self, records: &Receiver<Records>, sent: &Sender<Sent>) {
        let (mut is_alone, mut all) = (false, Vec::new());
        loop {
            all.extend(records.try_iter());
            is_alone = is_alone || !self.send_or_wait(&mut all, records);
            let has_end = all.iter().any(|one| one.end.is_some());
            if !all.is_empty() && sent.send(Sent { commits: all.len(), has_end, is_alone }).is_err()
            {
                return;
            }
            all.clear();
            match self.wait_for_records(records) {
                Some(first) => all.push(first),
                None => return,
            }
        }
    }

    /// Returns what comes next, or nothing at the end.
    fn wait_for_records(&mut self, records: &Receiver<Records>) -> Option<Records> {
        loop {
            match records.recv_timeout(IDLE_EVERY) {
                Ok(first) => return Some(first),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let has_lease = self.link.answers(Part::Lease) != Some(false);
            if self.server.is_connected() && !has_lease {
                self.server.disconnect();
                self.link.is_without(Part::Journal);
            } else if has_lease && !self.server.is_connected() && !self.is_to_stop() {
                match self.send(&[]) {
                    Ok(()) => self.link.is_up(Part::Journal),
                    Err(fault) => self.link.is_down(Part::Journal, &fault),
                }
            }
        }
    }

    fn is_to_stop(&self) -> bool {
        self.link.is_stopping.load(Relaxed) || self.gives_up.load(Relaxed)
    }

    fn send(&mut self, all: &[Records]) -> Result<(), ServerFault> {
        let (session, life) = (&self.session, &mut self.life);
        let mut begun = *life;
        self.server.transact(async |to| {
            let number = match begun {
                Some(number) => number,
                None => *begun.insert(records::begin_life(to, session, session.token).await?),
            };
            for one in all {
                records::insert(to, session, number, one).await?;
            }
            Ok(())
        })?;
        *life = begun;
        Ok(())
    }

    /// Sends until the server has it, with what comes meanwhile; returns false where the run is to stop before that, or
    /// has ended without anything to send.
    fn send_or_wait(&mut self, all: &mut Vec<Records>, more: &Receiver<Records>) -> bool {
        let mut wait = WAIT.0;
        loop {
            let Err(fault) = self.send(all) else {
                self.link.is_up(Part::Journal);
                return true;
            };
            self.link.is_down(Part::Journal, &fault);
            let mut waited = Duration::ZERO;
            while waited < wait {
                if self.is_to_stop() {
                    return false;
                }
                match more.try_recv() {
                    Ok(one) => all.push(one),
                    Err(TryRecvError::Disconnected) if all.is_empty() => return false,
                    Err(_) => {}
                }
                std::thread::sleep(LOOK_EVERY);
                waited += LOOK_EVERY;
            }
            wait = (wait * 2).min(WAIT.1);
            all.extend(more.try_iter());
        }
    }
}

impl SharedJournal {
    pub(super) fn new(
        local: Box<dyn Journal>,
        server: Server,
        session: Session,
        link: Arc<Link>,
    ) -> std::io::Result<SharedJournal> {
        let (session, gives_up) = (Arc::new(session), Arc::<AtomicBool>::default());
        let ((to_server, records), (to_us, sent)) = (channel(), channel());
        let mirror = Mirror {
            server,
            session: Arc::clone(&session),
            life: None,
            link,
            gives_up: Arc::clone(&gives_up),
        };
        let thread = std::thread::Builder::new()
            .name("server".into())
            .spawn(move || mirror.run(&records, &to_us))?;
        Ok(SharedJournal {
            local,
            session,
            to_server: Some(to_server),
            sent,
            thread: Some(thread),
            waiting: 0,
            is_alone: false,
            gives_up,
        })
    }

    fn send(&mut self, records: Records) {
        if let Some(to_server) = &self.to_server
            && to_server.send(records).is_ok()
        {
            self.waiting += 1;
        }
    }

    fn say(&mut self, name: &'static str, number: i64) -> Result<(), StoreError> {
        let value = Some(Value::Number(number));
        self.local.commit(&[Write::Meta { name, value }]).map(drop)
    }

    fn wait_for_server(&mut self, most: Duration) -> Result<Option<Sent>, StoreError> {
        match self.sent.recv_timeout(most) {
            Ok(sent) => {
                self.waiting -= sent.commits;
                Ok(Some(sent))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                Err(StoreError::Failed("the thread that writes on the server has died".to_owned()))
            }
        }
    }
}

impl Journal for SharedJournal {
    fn commit(&mut self, writes: &[Write]) -> Result<Vec<Option<AnswerId>>, StoreError> {
        let ids = self.local.commit(writes);
        let records = Records::of(writes, &self.session);
        if !records.is_empty() && !self.is_alone {
            self.send(records);
        }
        if ids.is_err() {
            // The disk here is lost to this run. The server may have it all the same.
            let until = Instant::now() + LAST_WAIT;
            while self.waiting > 0
                && let Ok(Some(_)) = self.wait_for_server(until.duration_since(Instant::now()))
            {
            }
        }
        ids
    }

    fn settle(&mut self, most: Duration) -> Result<bool, StoreError> {
        let until = Instant::now() + most;
        while self.waiting > 0 {
            let left = until.saturating_duration_since(Instant::now());
            let Some(sent) = self.wait_for_server(left)? else { return Ok(false) };
            if sent.is_alone && !self.is_alone {
                self.is_alone = true;
                self.say(UNSENT, 1)?;
            }
            if sent.has_end && !sent.is_alone {
                self.say(SENT, self.session.life.id)?;
            }
        }
        Ok(true)
    }

    fn close(&mut self) -> Result<(), StoreError> {
        while !self.settle(LAST_WAIT)? {}
        self.to_server = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.local.close()
    }
}

impl Drop for SharedJournal {
    fn drop(&mut self) {
        self.gives_up.store(true, Relaxed);
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
    fn what_comes_while_the_server_is_away_is_recorded_here_and_a_run_that_is_to_stop_says_what_is_unsent()
     {
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
            places: None,
        };
        let settings = std::collections::HashMap::new();
        let session = Session { shard: 0, token: 1, holder: "w".into(), life, settings };
        let mut journal =
            SharedJournal::new(Box::new(local.clone()), server, session, Arc::clone(&link))
                .unwrap();
        let ended = || {
            Write::Ended(NewEnded {
                question: [1; 16],
                generation: 0,
                row: 2,
                fault: "gave up".into(),
                cause: "timed out".into(),
                at: 7,
                max_tokens: None,
                cut_at_tokens: None,
            })
        };
        let counts = || *local.0.lock().unwrap();
        for commits in 1..4 {
            journal.commit(&[ended()]).unwrap();
            assert_eq!(counts(), (commits, 0), "what comes is recorded here at once");
        }
        assert!(!journal.settle(Duration::ZERO).unwrap(), "and waits for the server");
        link.is_stopping.store(true, Relaxed);
        while !journal.settle(LAST_WAIT).unwrap() {}
        assert_eq!(counts(), (3, 1), "and that it is here alone");
        journal.commit(&[ended()]).unwrap();
        assert!(journal.settle(Duration::ZERO).unwrap(), "the next does not try");
        journal.close().unwrap();
        assert_eq!((counts(), told.load(Relaxed)), ((4, 1), 1));
    }
}
