//! Replies without end: how much of one is taken before the client hangs up.

use std::sync::atomic::Ordering;

use dset_core::answer::FailureClass::{Empty, Transient};
use dset_core::provider::reply::REPLY_BYTES_MAX;

use crate::server::{LONG, Server, asked, check, failure};

const GIGABYTE: u64 = 1 << 30;
/// What a reply may cost on the wire: the most that is kept, and what sockets hold on both sides.
const TAKEN_MAX: u64 = REPLY_BYTES_MAX as u64 + (16 << 20);

#[tokio::test]
async fn a_body_without_end_is_left_at_the_bound() {
    let length = format!("HTTP/1.1 200 OK\r\ncontent-length: {GIGABYTE}\r\n\r\n");
    let chunk = [&b"10000\r\n"[..], &[b' '; 0x10000], b"\r\n"].concat();
    for (name, head, piece) in [
        ("with a length", length.as_str(), vec![b' '; 0x10000]),
        ("in chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk),
        ("until the connection ends", "HTTP/1.1 200 OK\r\n\r\n", vec![b' '; 0x10000]),
        ("of a refusal", "HTTP/1.1 500 No\r\n\r\n", vec![b'x'; 0x10000]),
    ] {
        let (server, written) = Server::flooding(head, piece, GIGABYTE).await;
        let class = if name == "of a refusal" { Transient } else { Empty };
        let failure = failure(asked(&server, LONG).await);
        check(name, &failure, class, "reply too large");
        assert!(failure.message.contains("16 MiB"), "{}", failure.message);
        let written = written.load(Ordering::SeqCst);
        assert!(written < TAKEN_MAX, "{name}: {written} bytes were taken");
    }
}

#[tokio::test]
async fn a_head_without_end_is_left_long_before_the_bound() {
    for (name, piece) in [
        ("lines without end", b"x-more: and more\r\n".repeat(1_000)),
        ("a line without end", vec![b'x'; 0x4000]),
        ("folded lines", b" and more\r\n".repeat(1_000)),
    ] {
        let head = "HTTP/1.1 200 OK\r\nx: ";
        let (server, written) = Server::flooding(head, piece, GIGABYTE).await;
        check(name, &failure(asked(&server, LONG).await), Transient, "connection lost");
        let written = written.load(Ordering::SeqCst);
        assert!(written < TAKEN_MAX, "{name}: {written} bytes were taken");
    }
}

#[tokio::test]
async fn chunk_extensions_and_trailers_without_end_are_left_long_before_the_bound() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (name, head, piece) in [
        ("an extension without end", format!("{chunked}1;x="), vec![b'x'; 0x4000]),
        (
            "extensions on every chunk",
            chunked.to_owned(),
            b"1;abcdefghij=klm\r\n \r\n".repeat(1_000),
        ),
        ("trailers without end", format!("{chunked}0\r\n"), b"x-more: and more\r\n".repeat(1_000)),
        ("a trailer without end", format!("{chunked}0\r\nx: "), vec![b'x'; 0x4000]),
    ] {
        let (server, written) = Server::flooding(head, piece, GIGABYTE).await;
        check(name, &failure(asked(&server, LONG).await), Transient, "reply cut off");
        let written = written.load(Ordering::SeqCst);
        assert!(written < TAKEN_MAX, "{name}: {written} bytes were taken");
    }
}
