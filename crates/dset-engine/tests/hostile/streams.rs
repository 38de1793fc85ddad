//! Answers that are streamed, and what goes wrong with them on the way.

use std::time::Duration;

use dset_core::answer::FailureClass;
use dset_engine::http::ask::{AskResult, Endpoint, EndpointSettings};
use tokio::io::AsyncWriteExt;

use crate::server::{LONG, SHORT, Server, Then, answer, ask, failure, request, wire};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

fn delta(field: &str, text: &str) -> String {
    let delta = serde_json::json!({ "choices": [{ "index": 0, "delta": { field: text } }] });
    format!("data: {delta}\n\n")
}

const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\
    \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn streaming(url: &str) -> EndpointSettings {
    EndpointSettings { stream: true, timeout: LONG, idle_timeout: SHORT, ..wire(url, LONG) }
}

async fn asked(wire: EndpointSettings) -> AskResult {
    Endpoint::new(wire, None).unwrap().ask(&ask("Why?"), |_| ()).await
}

async fn came(body: String, then: Then) -> AskResult {
    let server = Server::writing(format!("{HEAD}{body}"), then).await;
    asked(streaming(&server.url())).await
}

#[tokio::test]
async fn an_answer_is_read_as_it_is_written() {
    let body = [
        ": keep-alive\n\n",
        &delta("reasoning_content", "hm"),
        &delta("content", "Be"),
        &delta("content", "cause"),
        STOP,
        DONE,
    ]
    .concat();
    let answer = answer(came(body, Then::Closes).await);
    assert_eq!((answer.reasoning.as_str(), answer.content.as_str()), ("hm", "Because"));
    assert_eq!(answer.usage.output, Some(4));
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_no_answer_and_keeps_what_was_written() {
    let body = [delta("reasoning_content", "half a thought"), delta("content", "half")].concat();
    let came = came(body, Then::Closes).await;
    let body = String::from_utf8(came.body.clone().unwrap()).unwrap();
    let failure = failure(came);
    assert_eq!(failure.class, FailureClass::Transient);
    let partial = failure.partial.unwrap();
    assert_eq!(partial.reasoning, "half a thought");
    assert_eq!(body, r#"{"reasoning":"half a thought","answer":"half"}"#);
}

/// Asks a server that writes this and then says no more, and drops the ask a while later.
async fn dropped_behind(body: String) -> Option<AskResult> {
    let written = std::sync::Arc::new(tokio::sync::Notify::new());
    let told = std::sync::Arc::clone(&written);
    let server = Server::start(move |mut stream, _| {
        let (written, all) = (std::sync::Arc::clone(&written), format!("{HEAD}{body}"));
        async move {
            request(&mut stream).await;
            stream.write_all(all.as_bytes()).await.unwrap();
            written.notify_one();
            Then::Holds.happens(stream).await;
        }
    })
    .await;
    let dropped = async {
        told.notified().await;
        tokio::time::sleep(SHORT).await;
    };
    let wire = EndpointSettings { idle_timeout: LONG, ..streaming(&server.url()) };
    Endpoint::new(wire, None).unwrap().ask_until(&ask("Why?"), |_| (), dropped).await
}

#[tokio::test]
async fn a_whole_answer_that_waits_for_its_counts_is_one_when_it_is_dropped() {
    let half = delta("content", "all");
    let came = dropped_behind(format!("{half}{STOP}")).await;
    assert_eq!(answer(came.expect("it is whole")).content, "all");
    assert!(dropped_behind(half).await.is_none());
    assert!(dropped_behind(String::new()).await.is_none());
}

#[tokio::test]
async fn a_whole_answer_needs_neither_its_end_mark_nor_the_end_of_the_body() {
    let written = [delta("content", "all"), STOP.to_owned()].concat();
    assert_eq!(answer(came(written.clone(), Then::Closes).await).content, "all");
    // The connection stays open and nothing comes any more.
    assert_eq!(answer(came(written + DONE, Then::Holds).await).content, "all");
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_given_up_and_one_that_is_slow_is_not() {
    let failure = failure(came(delta("content", "and then"), Then::Holds).await);
    assert_eq!(failure.cause.code(), "stream fell silent");
    assert_eq!(failure.partial.unwrap().content, "and then");

    // Twice as long as the silence that is borne, a word at a time.
    let server = Server::start(|mut stream, _| async move {
        request(&mut stream).await;
        stream.write_all(HEAD.as_bytes()).await.unwrap();
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            stream.write_all(delta("content", "a").as_bytes()).await.unwrap();
        }
        stream.write_all(STOP.as_bytes()).await.unwrap();
    })
    .await;
    let wire =
        EndpointSettings { idle_timeout: Duration::from_secs(1), ..streaming(&server.url()) };
    assert_eq!(answer(asked(wire).await).content, "aaaaaaaa");
}

#[tokio::test]
async fn comments_keep_no_stream_alive_for_ever() {
    let piece = b": keep-alive\n\n".to_vec();
    let (server, _) = Server::flooding(HEAD, piece, u64::MAX).await;
    let wire = EndpointSettings { idle_timeout: SHORT / 2, ..streaming(&server.url()) };
    assert_eq!(failure(asked(wire).await).cause.code(), "stream fell silent");
}

#[tokio::test]
async fn an_answer_that_repeats_itself_is_ended_where_that_is_wanted() {
    let piece = delta("content", "I will say that once more, because it is true. ").into_bytes();
    let (server, _) = Server::flooding(HEAD, piece, 64 * 1024 * 1024).await;
    let wire = EndpointSettings { stop_loops: true, ..streaming(&server.url()) };
    let failure = failure(asked(wire).await);
    assert_eq!(
        (failure.cause.code(), failure.class),
        ("repeats itself", FailureClass::CutByLength)
    );
    assert!(failure.partial.unwrap().content.len() < 64 * 1024);
}

#[tokio::test]
async fn it_is_told_that_a_reply_has_begun_and_how_much_of_it_has_come() {
    let server = Server::start(|mut stream, _| async move {
        request(&mut stream).await;
        stream.write_all(HEAD.as_bytes()).await.unwrap();
        stream.write_all(delta("content", "a word or two").as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        stream.write_all(delta("content", " and some more").as_bytes()).await.unwrap();
        stream.write_all(STOP.as_bytes()).await.unwrap();
    })
    .await;
    let wire = EndpointSettings { idle_timeout: LONG, ..streaming(&server.url()) };
    let mut told = Vec::new();
    let endpoint = Endpoint::new(wire, None).unwrap();
    answer(endpoint.ask(&ask("Why?"), |tokens| told.push(tokens)).await);
    assert_eq!(told.first(), Some(&0));
    assert!(told.last() > Some(&5), "{told:?}");
}

#[tokio::test]
async fn an_answer_in_one_piece_is_taken_where_a_stream_was_asked_for() {
    let body = r#"{"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]}"#;
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = Server::writing(reply, Then::Closes).await;
    assert_eq!(answer(asked(streaming(&server.url())).await).content, "whole");
}
