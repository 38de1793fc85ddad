//! Keeps the lease of a shard until its run does: what is to be brought before that may take longer than it lasts.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};

use super::address::Address;
use super::connection::Server;
use super::leases::{Lease, renew};
use crate::store::server_fault::ServerFault;

/// Renews a lease, with a connection of its own, until it is dropped. Nobody waits for that: a lease that was handed
/// back is not renewed.
#[derive(Debug)]
pub(super) struct Renewing {
    _until_dropped: Sender<()>,
}

impl Renewing {
    pub(super) fn start(address: &Arc<Address>, lease: &Lease) -> Result<Renewing, ServerFault> {
        let mut server = Server::new(Arc::clone(address))?;
        let (lease, (until_dropped, is_dropped)) = (lease.clone(), channel());
        std::thread::Builder::new().name("lease".into()).spawn(move || {
            let every = lease.lasts / 3;
            // Where the server is away, the next time; where the shard is another's, its run will see that.
            while is_dropped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                if let Ok(false) = renew(&mut server, &lease) {
                    return;
                }
            }
        })?;
        Ok(Renewing { _until_dropped: until_dropped })
    }
}
