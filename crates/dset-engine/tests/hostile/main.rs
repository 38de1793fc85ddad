//! The service at its worst, byte by byte, against the real client: every case ends in its class
//! of failure, in bounded time and memory, and with the key where it was.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod connections;
mod echoes;
mod pool;
mod redirects;
mod replies;
mod server;
mod sizes;
mod streams;
mod tls;
