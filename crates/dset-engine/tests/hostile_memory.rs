//! What one reply can cost in memory, however it is made: counted by the allocator of this program,
//! which is why these tests are a program of their own and one test.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use dset_core::answer::ParsedReply;
use dset_core::provider::reply::REPLY_BYTES_MAX;
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};

#[path = "hostile/server.rs"]
mod server;

use server::{LONG, Server, Then, ask, completion, endpoint};

/// A reply of the largest size, the copies that are made of it while it grows and is read, and
/// what is made of it. A run keeps no more than one such reply an ask, and only for a moment.
const MEMORY_MAX: usize = 10 * REPLY_BYTES_MAX;
const GIGABYTE: usize = 1 << 30;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn add(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::SeqCst) + bytes;
    PEAK.fetch_max(now, Ordering::SeqCst);
}

// Counting allocations takes an allocator, and an allocator is unsafe by its nature; this one
// hands everything to the system's.
#[allow(unsafe_code, reason = "see above")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::SeqCst);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Asks a server that writes this; returns how it was read and what it cost at its highest, the
/// copy that the server writes from included.
fn cost(head: &str, body: Vec<u8>) -> (ParsedReply, usize) {
    let length = format!("HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n", body.len());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bytes = [length.as_bytes(), &body].concat();
        drop(body);
        let server = Server::writing(bytes, Then::Closes).await;
        let endpoint = endpoint(&server.url(), LONG);
        let before = NOW.load(Ordering::SeqCst);
        PEAK.store(before, Ordering::SeqCst);
        let came = endpoint.ask(&ask("Why?"), |_| ()).await;
        let peak = PEAK.load(Ordering::SeqCst) - before;
        (came.reading, peak)
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A gigabyte of spaces in one member of a megabyte: one block of it again and again.
fn bomb() -> Vec<u8> {
    let spaces = vec![b' '; 1 << 20];
    let mut block = Vec::with_capacity(1 << 16);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(&spaces, &mut block, FlushCompress::Sync).unwrap();
    let mut bytes = gzip(b"")[..10].to_vec();
    (0..GIGABYTE / spaces.len()).for_each(|_| bytes.extend_from_slice(&block));
    bytes
}

fn filled(before: &str, piece: &str, after: &str) -> Vec<u8> {
    let room = REPLY_BYTES_MAX - before.len() - after.len();
    let pieces = piece.repeat(room / piece.len());
    format!("{before}{}{after}", pieces.trim_end_matches(',')).into_bytes()
}

#[test]
fn no_reply_takes_more_memory_than_its_bound() {
    const GZIP: &str = "content-encoding: gzip\r\n";
    let whole = gzip(completion("Hello").as_bytes());
    let member = gzip(&vec![b' '; 16 << 20]);
    let nested = gzip(&bomb());
    assert!(nested.len() < 1 << 16, "a few KB: {}", nested.len());
    let finish = r#""finish_reason":"stop"}]}"#;
    // The cause is empty for an answer, and `any` where it depends on how the bytes are cut up.
    for (name, head, body, cause) in [
        ("gzip", GZIP, whole.clone(), ""),
        (
            "gzip in two members",
            GZIP,
            {
                let body = completion("Hello");
                let (one, two) = body.split_at(20);
                [gzip(one.as_bytes()), gzip(two.as_bytes())].concat()
            },
            "",
        ),
        ("gzip cut off", GZIP, whole[..whole.len() / 2].to_vec(), "reply cut off"),
        (
            "gzip with another sum",
            GZIP,
            {
                let mut bytes = whole.clone();
                let at = bytes.len() - 6;
                bytes[at] ^= 0xff;
                bytes
            },
            "reply cut off",
        ),
        ("a bomb", GZIP, bomb(), "reply too large"),
        ("a bomb of members", GZIP, member.repeat(64), "reply too large"),
        ("a bomb of empty members", GZIP, gzip(b"").repeat(700_000), "any"),
        ("a bomb in a bomb", GZIP, nested.clone(), "unreadable reply"),
        ("a bomb twice encoded", "content-encoding: gzip, gzip\r\n", nested, "unknown encoding"),
        (
            "as large as can be",
            "",
            filled(r#"{"choices":[{"message":{"content":""#, "word ", r#""}}]}"#),
            "",
        ),
        ("spaces", "", filled("", " ", ""), "blank reply"),
        ("no Unicode", "", vec![0xff; REPLY_BYTES_MAX], "unreadable reply"),
        (
            "surrogates",
            "",
            filled(r#"{"choices":[{"message":{"content":""#, r"\ud800", r#""}}]}"#),
            "",
        ),
        (
            "raw tabs",
            "",
            filled(r#"{"choices":[{"message":{"content":"word"#, "\t", r#""}}]}"#),
            "",
        ),
        (
            "numbers that are none",
            "",
            filled(r#"{"choices":[{"message":{"content":"a"}}],"x":["#, "NaN,", "]}"),
            "",
        ),
        (
            "choices of other answers",
            "",
            filled(r#"{"choices":["#, r#"{"index":1,"message":{"content":"a"}},"#, "]}"),
            "",
        ),
        ("numbers of an error", "", filled(r#"{"error":["#, "0,", "]}"), "server error"),
        ("objects of an error", "", filled(r#"{"error":["#, "{},", "]}"), "server error"),
        ("choices", "", filled(r#"{"choices":["#, "{},", "]}"), "empty answer"),
        ("unknown fields", "", filled(r#"{"x":["#, "0,", "]}"), "unreadable reply"),
        ("unknown values", "", filled("[", "0,", "]"), "unreadable reply"),
        (
            "parts",
            "",
            filled(r#"{"choices":[{"message":{"content":["#, "{},", &format!("]}},{finish}")),
            "no text",
        ),
        (
            "parts that are none",
            "",
            filled(r#"{"choices":[{"message":{"content":["#, "0,", &format!("]}},{finish}")),
            "no text",
        ),
        (
            "parts of reasoning",
            "",
            filled(
                r#"{"choices":[{"message":{"reasoning_details":["#,
                "{},",
                &format!("]}},{finish}"),
            ),
            "empty answer",
        ),
        (
            "counts",
            "",
            filled(r#"{"choices":[],"usage":{"prompt_tokens":["#, "0,", "]}}"),
            "unreadable reply",
        ),
    ] {
        let (reading, peak) = cost(head, body);
        let found = match &reading {
            ParsedReply::Answer(_) => "",
            ParsedReply::Failure(failure) => failure.cause.code(),
        };
        assert!(
            found == cause || (cause == "any" && !found.is_empty()),
            "{name}: {reading:.2000?}"
        );
        assert!(peak < MEMORY_MAX, "{name}: {} MiB", peak >> 20);
    }
}
