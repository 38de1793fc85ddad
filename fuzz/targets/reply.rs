//! Any reply is read without a panic, within bounded memory, and into something that can be kept.
//!
//! An input is a reply as it stands in `fixtures/replies`: a head with CRLF and a body. Without a
//! head it is the body of a 200.
#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use dset_core::answer::{Cause, FailureClass, MESSAGE_CHARS_MAX, ParsedReply};
use dset_core::provider::{StreamParser, parse_reply, refusal_signature};
use dset_core::provider::reply::HttpReply;
use libfuzzer_sys::fuzz_target;

/// Bytes of memory that reading may take for each byte of a reply: JSON values are some dozen
/// bytes for the two of `0,`, vectors grow by doubling, and a reply is parsed up to three times.
const BYTES_PER_BYTE_MAX: usize = 256;
/// What reading may take whatever the reply.
const BYTES_MAX: usize = 256 * 1024;

/// Counts what is allocated, and the most that was at once.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fuzz_target!(|bytes: &[u8]| {
    let reply = reply(bytes);
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    let reading = parse_reply(&reply);
    let taken = MOST.load(Relaxed) - before;
    assert!(
        taken <= BYTES_MAX + BYTES_PER_BYTE_MAX * bytes.len(),
        "{taken} bytes for a reply of {}",
        bytes.len()
    );
    assert_eq!(parse_reply(&reply), reading, "a reply always means the same");
    // As it may come from the network: in pieces whose sizes are the bytes themselves.
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    let mut stream = StreamParser::new(reply.status, reply.headers.clone());
    let mut rest = reply.body.as_slice();
    while let Some(&size) = rest.first() {
        let (piece, after) = rest.split_at(rest.len().min(1 + usize::from(size % 32)));
        stream.push(piece);
        rest = after;
    }
    let streamed = stream.finish();
    let taken = MOST.load(Relaxed) - before;
    assert!(
        taken <= BYTES_MAX + BYTES_PER_BYTE_MAX * bytes.len(),
        "{taken} bytes for a stream of {}",
        bytes.len()
    );
    assert_eq!(streamed, reading, "a reply means the same in pieces");
    match reading {
        ParsedReply::Answer(answer) => {
            assert!(!answer.content.trim().is_empty(), "an answer is never blank");
            assert!((200..300).contains(&reply.status));
            assert!(!answer.finish_reason.is_empty());
            // The store keeps counts as signed 64 bits and sums them over a run.
            let usage = answer.usage;
            for count in [usage.input, usage.cached, usage.output, usage.reasoning] {
                assert!(count.unwrap_or(0) <= 3_000_000_000_000, "{count:?} tokens");
            }
        }
        ParsedReply::Failure(failure) => {
            assert!(failure.message.chars().count() <= MESSAGE_CHARS_MAX);
            assert!(!failure.message.chars().any(char::is_control));
            assert!(failure.status.is_some());
            assert_eq!(Cause::from_code(failure.cause.code()), Some(failure.cause));
            assert!(
                failure.request_id.is_none_or(|id| id.chars().count() <= MESSAGE_CHARS_MAX),
                "a name of a call is short"
            );
            if let FailureClass::CutByLength = failure.class {
                assert!(failure.partial.is_some(), "what was cut was paid for");
            }
            let _ = refusal_signature(&failure.message);
        }
    }
});

fn reply(bytes: &[u8]) -> HttpReply {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = match end {
        Some(end) if bytes.starts_with(b"HTTP/") => (&bytes[..end], &bytes[end + 4..]),
        _ => (&bytes[..0], bytes),
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    HttpReply::new(status.unwrap_or(200), headers, body.to_vec())
}
