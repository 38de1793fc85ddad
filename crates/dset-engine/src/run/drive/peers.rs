//! The endpoints of a run, and the rates that runs on this machine share.

use dset_core::rate::limits_from_peers;
use dset_core::run::{EndpointSpec, Event};
use dset_core::time::Time;

use crate::http::ask::Endpoint;
use crate::os::clock::unix_ms;
use crate::run::drive::Run;
use crate::run::drive::workers::WorkerMessage;
use crate::run::peer_limits::{PeerLimits, PublishedState};
use crate::store::SharedReport;

/// A place where a model is asked.
#[derive(Debug)]
pub struct Target {
    /// Which model, by its place in the settings.
    pub model: u16,
    /// Which of the model's endpoints, from 0.
    pub number: u16,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What runs on this machine tell each other about it.
    pub peer_limits: Option<PeerLimits>,
}

impl Target {
    pub(super) fn spec(&self) -> EndpointSpec {
        let learnt = self.peer_limits.as_ref().and_then(|shared| {
            let others = shared.peers(unix_ms()).into_iter();
            limits_from_peers(&others.map(|(_, neighbour)| neighbour).collect::<Vec<_>>())
        });
        EndpointSpec { model: self.model, endpoint: self.number, limits: learnt }
    }
}

impl Run {
    pub(super) fn has_peer_limits(&self) -> bool {
        self.targets.iter().any(|asked| asked.peer_limits.is_some())
    }

    /// Returns which places other runs were told to leave alone.
    pub(super) fn waits_of_others(&self) -> Vec<Event> {
        let now = self.clock.now();
        let wait =
            |place: usize| wait_of_others(self.targets[place].peer_limits.as_ref()?, place, now);
        (0..self.targets.len()).filter_map(wait).collect()
    }

    /// Tells those who share the work where the run stands, if they listen.
    pub(super) fn report_to_others(&mut self) {
        let Some(shared) = self.shared.as_mut().filter(|shared| shared.is_ready()) else { return };
        let now = self.clock.now();
        let (permits, funds) = self.machine.take_shared_use(now);
        let (ledger, is_ending) = (self.machine.ledger(), self.machine.is_ending());
        shared.report(SharedReport { now, permits, funds, ledger, is_ending });
    }

    /// Tells other runs at these places what this one knows, and hears whether they were told to
    /// leave one alone.
    pub(super) fn publish_limits(&mut self, ended: bool) {
        while self.marking.try_join_next().is_some() {}
        let now = self.clock.now();
        let learnt = self.machine.limit_snapshots(now);
        for (place, (asked, (learnt, until))) in self.targets.iter().zip(learnt).enumerate() {
            let Some(shared) = asked.peer_limits.clone() else { continue };
            let said =
                PublishedState { learnt, paused_until: until.map(|until| until.unix_ms), ended };
            if ended {
                shared.publish(&said);
                continue;
            }
            let tell = self.tell.clone();
            self.marking.spawn_blocking(move || {
                shared.publish(&said);
                if let Some(event) = wait_of_others(&shared, place, now) {
                    let _ = tell.send(WorkerMessage::Event(event));
                }
            });
        }
    }
}

fn wait_of_others(shared: &PeerLimits, endpoint: usize, now: Time) -> Option<Event> {
    let wait = shared.requested_wait(now.unix_ms)?;
    Some(Event::PeerThrottled { endpoint, until: now.after(wait) })
}
