//! A sender that sees the service's own counters: what could be had at all.
//!
//! It sends as soon as the service has room, pays half a round trip like everybody, fills no
//! queue, and keeps a service that gets slower with every ask at four times its knee.

use crate::client::NextAction;
use crate::server::{Room, Server, Us};

pub(crate) fn next(now: Us, server: &mut Server<'_>, on_the_way: u32) -> NextAction {
    match server.room(now, on_the_way) {
        Room::Now => NextAction::Send,
        Room::At(at) => NextAction::Wake(at.max(now + 1)),
        Room::WhenDone => NextAction::Nothing,
    }
}
