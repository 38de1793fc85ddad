//! Replies that come whole and are not what they should be.

use std::io::Write as _;

use dset_core::answer::FailureClass::{Empty, Refused, Transient};
use dset_core::answer::Refusal;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::server::{LONG, Server, Then, answer, asked, check, completion, failure, ok, with_head};

async fn reply(bytes: impl Into<Vec<u8>>) -> dset_engine::http::ask::AskResult {
    let server = Server::writing(bytes, Then::Closes).await;
    asked(&server, LONG).await
}

#[tokio::test]
async fn a_200_that_is_no_answer_is_tried_again_and_kept_as_it_may_have_been_paid_for() {
    let deep = "[".repeat(100_000);
    let deep_error = format!(r#"{{"error":{deep}"#);
    let deep_pairs = format!("{}{}", deep, "]".repeat(100_000));
    let open_braces = r#"{"choices":"#.repeat(50_000);
    for (name, body, cause) in [
        ("nothing", Vec::new(), "blank reply"),
        ("spaces", b" \r\n\t ".to_vec(), "blank reply"),
        ("a byte order mark", "\u{feff}".into(), "blank reply"),
        ("garbage", (0..=255).cycle().take(5_000).collect(), "unreadable reply"),
        ("NUL", vec![0; 5_000], "unreadable reply"),
        ("100,000 brackets", deep.into_bytes(), "unreadable reply"),
        ("100,000 pairs of brackets", deep_pairs.into_bytes(), "unreadable reply"),
        ("100,000 brackets of an error", deep_error.into_bytes(), "unreadable reply"),
        ("objects in objects", open_braces.into_bytes(), "unreadable reply"),
        ("NaN", b"NaN".to_vec(), "unreadable reply"),
        ("NaN as an answer", completion("x").replace(r#""x""#, "NaN").into(), "empty answer"),
        ("null", b"null".to_vec(), "unreadable reply"),
        ("a string", b"\"Hello\"".to_vec(), "unreadable reply"),
        ("no choices", br#"{"choices":[]}"#.to_vec(), "unreadable reply"),
        ("two lists of choices", br#"{"choices":[],"choices":[]}"#.to_vec(), "unreadable reply"),
        ("an answer of spaces", completion(" \n ").into(), "empty answer"),
        ("half an answer", completion("cut")[..60].into(), "unreadable reply"),
        ("two answers", format!("{0}{0}", completion("one")).into(), "unreadable reply"),
    ] {
        let came = reply(ok(&body)).await;
        // But for blanks, with which services keep a connection alive.
        let kept = if body.trim_ascii().is_empty() { &[] } else { &body[..] };
        assert_eq!(came.body.as_deref(), Some(kept), "{name}: kept as it came");
        let class = if cause == "empty answer" { Empty } else { Transient };
        check(name, &failure(came), class, cause);
    }
}

#[tokio::test]
async fn a_reply_of_somebody_who_is_no_api_names_the_url_that_was_asked_and_says_what_came() {
    let head = |status: &str| format!("HTTP/1.1 {status} X\r\nconnection: close\r\n\r\n");
    let page = "<html><head><title>Welcome</title></head><body>Log <b>in</b></body></html>";
    for (written, cause, said) in [
        (head("200") + page, "a page for people", "Welcome: Log in"),
        (head("403") + page, "a page for people", "Welcome: Log in"),
        (head("404") + page, "wrong address", "Welcome: Log in"),
        (head("404") + "404 page not found", "wrong address", "404 page not found"),
        (head("404"), "wrong address", "status 404"),
        (head("405") + r#"{"detail":"Method Not Allowed"}"#, "wrong address", "Method Not Allowed"),
        (head("404") + r#"{"no":"route"}"#, "wrong address", r#"{"no":"route"}"#),
        (
            head("400") + "Client sent an HTTP request to an HTTPS server.\n",
            "wrong protocol",
            "Client sent an HTTP request to an HTTPS server.",
        ),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
            "not HTTP",
            "what answers there does not speak HTTP",
        ),
        ("SSH-2.0-OpenSSH_9.6\r\n".into(), "not HTTP", "what answers there does not speak HTTP"),
    ] {
        let server = Server::writing(written, Then::Closes).await;
        let failure = failure(asked(&server, LONG).await);
        check(said, &failure, Refused(Refusal::Address), cause);
        assert_eq!(failure.message, format!("{}/chat/completions: {said}", server.url()));
    }
}

#[tokio::test]
async fn two_hundred_headers_cost_no_answer() {
    let headers: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let whole = String::from_utf8(ok(completion("Hello"))).unwrap();
    let came = reply(whole.replacen("\r\n", &format!("\r\n{headers}"), 1)).await;
    assert_eq!(answer(came).content, "Hello");
}

#[tokio::test]
async fn headers_of_old_gateways_cost_no_answer() {
    for odd in ["x-policy: a;\r\n b", "x-policy : a", "x-policy: a;\r\n\tb\r\nx-more : c"] {
        let came = reply(with_head(&[odd], completion("Hello"))).await;
        assert_eq!(answer(came).content, "Hello", "{odd}");
    }
}

#[tokio::test]
async fn a_packed_answer_without_its_sum_is_kept_where_it_is_whole_and_one_with_another_is_not() {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(completion("Hello").as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let gzip = |body: &[u8]| with_head(&["content-encoding: gzip"], body);
    for length in packed.len() - 8..=packed.len() {
        let came = reply(gzip(&packed[..length])).await;
        assert_eq!(answer(came).content, "Hello", "{length} bytes of {}", packed.len());
    }
    let half = failure(reply(gzip(&packed[..packed.len() / 2])).await);
    check("half of it", &half, Transient, "reply cut off");
    let mut other = packed;
    let sum = other.len() - 8;
    other[sum] ^= 1;
    check("another sum", &failure(reply(gzip(&other)).await), Transient, "reply cut off");
}

#[tokio::test]
async fn odd_json_around_an_answer_costs_nothing_of_it() {
    let huge = "9".repeat(100_000);
    let whole = completion("Hello");
    let with = |extra: &str| whole.replacen('{', &format!("{{{extra},"), 1);
    for (name, body) in [
        ("a field of giant numbers", with(&format!(r#""x":[{huge},-{huge},1e{huge}]"#))),
        ("a deep field", with(&format!(r#""x":{}{}"#, "[".repeat(100_000), "]".repeat(100_000)))),
        ("an unknown field twice", with(r#""x":1,"x":2"#)),
        ("a lone surrogate elsewhere", with(r#""x":"\ud800""#)),
        ("a count below zero", with(r#""usage":{"prompt_tokens":-1}"#)),
        (
            "counts past every sum",
            with(
                r#""usage":{"prompt_tokens":18446744073709551615,"input_tokens":18446744073709551615,
                "cache_read_input_tokens":18446744073709551615,"completion_tokens":1e300}"#,
            ),
        ),
    ] {
        let answer = answer(reply(ok(&body)).await);
        assert_eq!(answer.content, "Hello", "{name}");
        assert_eq!((answer.usage.input, answer.usage.output), (None, None), "{name}");
    }
}

#[tokio::test]
async fn a_text_that_is_no_unicode_is_kept_with_the_broken_places_marked() {
    let whole = completion("caf#");
    let spoiled: Vec<u8> =
        whole.bytes().map(|byte| if byte == b'#' { 0xe9 } else { byte }).collect();
    assert_eq!(answer(reply(ok(&spoiled)).await).content, "caf\u{fffd}");
    let lone = completion("smile #").replace('#', "\\ud83d");
    assert_eq!(answer(reply(ok(&lone)).await).content, "smile \u{fffd}");
}

#[tokio::test]
async fn a_length_that_is_wrong_never_lets_half_an_answer_through() {
    let body = completion("Hello");
    let short = body.len() - 10;
    let head = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n{body}");
    for (name, bytes, cause) in [
        ("too short", head(&format!("content-length: {short}")), "unreadable reply"),
        ("negative", head("content-length: -5"), "connection lost"),
        ("no number", head("content-length: many"), "connection lost"),
        ("past 64 bits", head("content-length: 99999999999999999999999"), "connection lost"),
        (
            "two that differ",
            head(&format!("content-length: {}\r\ncontent-length: {short}", body.len())),
            "connection lost",
        ),
        ("bad chunk size", head("transfer-encoding: chunked"), "reply cut off"),
        (
            "a chunk past 64 bits",
            head("transfer-encoding: chunked").replace(&body, "fffffffffffffffff\r\n"),
            "reply cut off",
        ),
        ("a status of letters", "HTTP/1.1 abc OK\r\n\r\n".to_owned(), "connection lost"),
    ] {
        check(name, &failure(reply(bytes).await), Transient, cause);
    }
    // A length that is too long leaves nothing out.
    let long = format!("content-length: {}", body.len() + 10);
    assert_eq!(answer(reply(head(&long)).await).content, "Hello");
    let whole = head(&long);
    let half = whole[..whole.len() - 1].to_owned();
    check("too long for half", &failure(reply(half).await), Transient, "reply cut off");
    // Chunked and a length: the length is to be ignored, and the answer is whole.
    let both = format!("transfer-encoding: chunked\r\ncontent-length: {short}");
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let came = reply(head(&both).replace(&body, &chunked)).await;
    assert_eq!(answer(came).content, "Hello");
}

#[tokio::test]
async fn provisional_replies_before_the_answer_are_passed_over() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let came = reply([early.as_bytes(), &ok(completion("Hello"))].concat()).await;
    assert_eq!(answer(came).content, "Hello");
}

#[tokio::test]
async fn an_encoding_that_was_not_asked_for_is_named_and_one_that_is_not_there_is_passed_over() {
    let body = completion("Hello");
    // A name alone makes no answer unreadable.
    for encoding in ["gzip", "br", "zstd"] {
        let header = format!("content-encoding: {encoding}");
        let came = reply(with_head(&[&header], &body)).await;
        assert_eq!(answer(came).content, "Hello", "plain text called {encoding}");
    }
    let zstd = zstd::encode_all(body.as_bytes(), 3).unwrap();
    let came = failure(reply(with_head(&["content-encoding: ZSTD"], zstd)).await);
    check("zstd that was not asked for", &came, Empty, "unknown encoding");
    assert!(came.message.contains("`zstd`"), "{}", came.message);
}
