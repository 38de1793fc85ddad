//! Connections that do not answer, do not go on, or do not end.

use dset_core::answer::FailureClass::{Refused, Transient};
use dset_core::answer::Refusal;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::server::{
    LONG, SHORT, Server, Then, answer, ask, asked, check, completion, endpoint, failure, ok,
    request, with_head,
};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

#[tokio::test]
async fn a_service_that_never_ends_is_left_when_the_time_for_one_ask_is_over() {
    let silent = Server::writing("", Then::Holds).await;
    let half_a_head = Server::writing(HEAD, Then::Holds).await;
    let half_a_body =
        Server::writing([HEAD, b"content-length: 100\r\n\r\n{\"id\":"].concat(), Then::Holds).await;
    let half_a_chunk =
        Server::writing([HEAD, b"transfer-encoding: chunked\r\n\r\n5\r\nab"].concat(), Then::Holds)
            .await;
    let slow_head = Server::dripping(HEAD, b"a: b\r\n").await;
    let slow_name = Server::dripping(HEAD, b"x").await;
    let slow_body =
        Server::dripping([HEAD, b"content-length: 999999\r\n\r\n"].concat(), b" ").await;
    let slow_chunks =
        Server::dripping([HEAD, b"transfer-encoding: chunked\r\n\r\n"].concat(), b"1\r\n \r\n")
            .await;
    let until_the_end = Server::dripping([HEAD, b"\r\n"].concat(), b"{").await;
    let slow_hints = Server::dripping(Vec::new(), b"HTTP/1.1 103 Early Hints\r\n\r\n").await;
    for (name, server) in [
        ("no byte", silent),
        ("half a head", half_a_head),
        ("half a body", half_a_body),
        ("half a chunk", half_a_chunk),
        ("a head, drop by drop", slow_head),
        ("the name of a header, drop by drop", slow_name),
        ("a body, drop by drop", slow_body),
        ("chunks, drop by drop", slow_chunks),
        ("a body without a length, drop by drop", until_the_end),
        ("early hints, drop by drop", slow_hints),
    ] {
        let began = std::time::Instant::now();
        let failure = failure(asked(&server, SHORT).await);
        check(name, &failure, Transient, "timed out");
        assert!(began.elapsed() < LONG / 3, "{name} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_connection_that_goes_away_before_a_reply_is_lost_and_one_within_it_is_cut() {
    for (name, written, then, cause) in [
        ("closed without a byte", Vec::new(), Then::Closes, "connection lost"),
        ("reset without a byte", Vec::new(), Then::Resets, "connection lost"),
        ("closed in the status", b"HTTP/1.".to_vec(), Then::Closes, "connection lost"),
        ("closed in the head", HEAD.to_vec(), Then::Closes, "connection lost"),
        (
            "closed behind the head",
            [HEAD, b"content-length: 10\r\n\r\n"].concat(),
            Then::Closes,
            "reply cut off",
        ),
        (
            "reset behind the head",
            [HEAD, b"content-length: 10\r\n\r\n"].concat(),
            Then::Resets,
            "reply cut off",
        ),
        (
            "closed in the body",
            [HEAD, b"content-length: 10\r\n\r\n{\"id\""].concat(),
            Then::Closes,
            "reply cut off",
        ),
        (
            "closed before the first chunk",
            [HEAD, b"transfer-encoding: chunked\r\n\r\n"].concat(),
            Then::Closes,
            "reply cut off",
        ),
        (
            "closed in a chunk",
            [HEAD, b"transfer-encoding: chunked\r\n\r\n5\r\nab"].concat(),
            Then::Closes,
            "reply cut off",
        ),
    ] {
        let server = Server::writing(written, then).await;
        check(name, &failure(asked(&server, LONG).await), Transient, cause);
    }
    // Of an answer that is whole, the last chunk may be missing.
    let body = completion("whole");
    let chunk = format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n", body.len());
    let server = Server::writing([HEAD, chunk.as_bytes()].concat(), Then::Closes).await;
    assert_eq!(answer(asked(&server, LONG).await).content, "whole");
}

#[tokio::test]
async fn bytes_that_are_no_reply_are_another_protocol_only_where_nothing_was_answered_before() {
    let server = Server::start(|mut stream, number| async move {
        request(&mut stream).await;
        if number == 0 {
            let whole = with_head(&["connection: close"], completion("whole"));
            stream.write_all(&whole).await.unwrap();
        } else {
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let endpoint = endpoint(&server.url(), LONG);
    let ask_again = async || endpoint.ask(&ask("Why?"), |_| ()).await;
    assert_eq!(answer(ask_again().await).content, "whole");
    check("behind an answer", &failure(ask_again().await), Transient, "connection lost");
    let server = Server::writing("0\r\n\r\n", Then::Closes).await;
    let address = Refused(Refusal::Address);
    check("at first", &failure(asked(&server, LONG).await), address, "not HTTP");
}

#[tokio::test]
async fn nothing_that_listens_is_a_failed_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let came = failure(endpoint(&url, LONG).ask(&ask("Why?"), |_| ()).await);
    check("nothing listens", &came, Transient, "connection failed");
    assert!(came.message.to_lowercase().contains("refused"), "{}", came.message);
    let came =
        failure(endpoint("http://no-such-host.invalid", LONG).ask(&ask("Why?"), |_| ()).await);
    check("no such host", &came, Transient, "connection failed");
}

#[tokio::test]
async fn a_connection_closed_as_soon_as_it_is_taken_is_lost() {
    for resets in [false, true] {
        let server = Server::start(move |stream, _| async move {
            if resets {
                stream.set_zero_linger().unwrap();
            }
        })
        .await;
        check("at once", &failure(asked(&server, LONG).await), Transient, "connection lost");
        assert_eq!(server.taken(), 1, "one ask is one attempt");
    }
}

#[tokio::test]
async fn blank_lines_before_an_answer_are_waited_through_and_blank_lines_alone_are_no_answer() {
    // Ten minutes of them, without the minutes.
    let blanks = "\r\n".repeat(600);
    let body = format!("{blanks}{}", completion("after the wait"));
    let server = Server::writing(ok(&body), Then::Closes).await;
    assert_eq!(answer(asked(&server, LONG).await).content, "after the wait");
    let server = Server::writing([HEAD, b"\r\n", blanks.as_bytes()].concat(), Then::Closes).await;
    check("blanks", &failure(asked(&server, LONG).await), Transient, "blank reply");
    let server = Server::dripping([HEAD, b"\r\n"].concat(), b"\r\n").await;
    check("blanks for ever", &failure(asked(&server, SHORT).await), Transient, "timed out");
}

#[tokio::test]
async fn a_refusal_that_comes_before_the_request_is_read_is_heard() {
    let server = Server::start(|mut stream, _| async move {
        let body = r#"{"error":{"message":"Service is too busy"}}"#;
        let head = format!("HTTP/1.1 503 Busy\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        // The head of the request and no more; its body is larger than every buffer between.
        let mut piece = [0; 512];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut piece).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        request(&mut stream).await;
    })
    .await;
    let came = endpoint(&server.url(), LONG).ask(&ask(&"long ".repeat(4_000_000)), |_| ()).await;
    check("early", &failure(came), Transient, "overloaded");
}
