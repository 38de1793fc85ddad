//! What goes wrong in the middle of a stream, and what the audit makes of it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;

use common::{Reply, Service, post, question, send};
use dset_mock::MockSettings;
use serde_json::{Value, json};

fn start(dialect: &str, fault: &str) -> Service {
    Service::start(MockSettings {
        dialect: dialect.parse().unwrap(),
        chance: vec![format!("{fault}=1").parse().unwrap()],
        ..MockSettings::default()
    })
}

fn streaming(text: &str) -> Value {
    let mut body = question(text);
    body["stream"] = json!(true);
    body
}

fn stream(service: &Service) -> Reply {
    post(service.addr(), "/chat/completions", &[], &streaming("why?")).unwrap()
}

fn open(service: &Service) -> BufReader<TcpStream> {
    let body = streaming("why?").to_string();
    BufReader::new(send(service.addr(), "POST", "/chat/completions", &[], &body).unwrap())
}

/// Reads until a line holds this.
fn read_until(reader: &mut BufReader<TcpStream>, text: &str) {
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "it ends without {text}");
    }
}

#[test]
fn a_stream_that_is_not_ended_as_it_should_be_is_billed_and_no_answer() {
    for (fault, is_whole, finishes, is_done) in [
        ("cut", false, false, false),
        ("half", true, false, false),
        ("no-done", true, true, false),
        ("broken", true, true, true),
        ("length", true, true, true),
        ("empty", true, true, true),
    ] {
        let service = start("deepseek", fault);
        let reply = stream(&service);
        assert_eq!(reply.status, 200, "{fault}");
        assert_eq!(reply.is_whole, is_whole, "{fault}");
        assert!(reply.events().len() > 1, "{fault}");
        assert_eq!(reply.body.contains("\"finish_reason\":\""), finishes, "{fault}");
        assert_eq!(reply.body.ends_with("data: [DONE]\n\n"), is_done, "{fault}");
        let read = |event: &&str| serde_json::from_str::<Value>(event).is_ok();
        let all_read = reply.events().iter().filter(|event| **event != "[DONE]").all(read);
        assert_eq!(all_read, fault != "broken", "{fault}");
        service.until(|stats| stats.in_flight == 0);
        let stats = service.stats();
        assert_eq!((stats.answered, stats.billed, stats.left), (0, 1, 0), "{fault}");
        assert!(stats.tokens_out > 0, "{fault}");
    }
}

#[test]
fn an_error_in_a_stream_has_the_shape_of_the_service() {
    for (dialect, at, value, is_done) in [
        ("deepseek", "/error/type", json!("server_error"), false),
        ("openrouter", "/choices/0/finish_reason", json!("error"), true),
        ("gemini", "/0/error/status", json!("INTERNAL"), false),
        ("mistral", "/object", json!("error"), false),
    ] {
        let service = start(dialect, "stream-error");
        let reply = stream(&service);
        let events = reply.events();
        let last = events.iter().rfind(|event| **event != "[DONE]").unwrap();
        let last: Value = serde_json::from_str(last).unwrap();
        assert_eq!(last.pointer(at), Some(&value), "{dialect}: {last}");
        assert_eq!(events.last() == Some(&"[DONE]"), is_done, "{dialect}");
        assert_eq!(service.stats().answered, 0);
        assert_eq!(service.ask("not streamed").status, 500);
    }
    let service = start("anthropic", "stream-error");
    let mut body = streaming("why?");
    body["max_tokens"] = json!(1000);
    let headers = [("x-api-key", "any"), ("anthropic-version", "2023-06-01")];
    let reply = post(service.addr(), "/v1/messages", &headers, &body).unwrap();
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\
                 \"message\":\"Overloaded\"}}\n\n";
    assert!(reply.body.ends_with(error), "{}", reply.body);
}

#[test]
fn a_stream_that_stalls_stays_open_and_what_it_gave_is_paid_for_when_the_client_leaves() {
    let service = start("deepseek", "stall");
    let mut reader = open(&service);
    read_until(&mut reader, "content");
    assert_eq!(service.stats().in_flight, 1);
    drop(reader);
    service.until(|stats| stats.in_flight == 0);
    let stats = service.stats();
    assert_eq!((stats.answered, stats.billed, stats.left), (0, 1, 1));
    assert!(stats.tokens_left > 0);
    assert_eq!(stats.tokens_left, stats.tokens_out);
}

#[test]
fn who_leaves_a_slow_stream_has_paid_for_a_part_of_it() {
    let service = Service::start(MockSettings {
        latency_ms: 60_000,
        tokens_median: Some(100_000),
        ..MockSettings::default()
    });
    let mut reader = open(&service);
    read_until(&mut reader, "\"delta\":{\"content\":null");
    drop(reader);
    service.until(|stats| stats.in_flight == 0);
    let stats = service.stats();
    assert_eq!((stats.answered, stats.billed, stats.left), (0, 1, 1));
    assert!((1..50_000).contains(&stats.tokens_left), "{stats:?}");
}

#[test]
fn comments_and_loops_go_on_until_the_client_leaves() {
    let service = start("openrouter", "comments");
    let mut reader = open(&service);
    for _ in 0..3 {
        read_until(&mut reader, ": OPENROUTER PROCESSING");
    }
    drop(reader);
    service.until(|stats| stats.in_flight == 0);
    assert_eq!((service.stats().answered, service.stats().billed), (0, 0));

    let service = start("deepseek", "loop");
    let mut reader = open(&service);
    read_until(&mut reader, "The answer is");
    read_until(&mut reader, "The answer is");
    drop(reader);
    service.until(|stats| stats.in_flight == 0);
    assert_eq!((service.stats().answered, service.stats().billed), (0, 1));
}

#[test]
fn a_loop_ends_at_the_tokens_that_the_call_allows() {
    let service = start("deepseek", "loop");
    for streams in [false, true] {
        let mut body = question("why?");
        body["max_tokens"] = json!(1000);
        body["stream"] = json!(streams);
        let reply = post(service.addr(), "/chat/completions", &[], &body).unwrap();
        assert!(reply.body.contains("\"finish_reason\":\"length\""), "{}", reply.body);
        assert!(reply.body.contains("\"completion_tokens\":1000,"), "{}", reply.body);
        assert!(reply.body.matches("The answer is").count() > 3);
    }
    let stats = service.stats();
    assert_eq!((stats.tokens_out, stats.faults["loop"]), (2000, 2));
}

#[test]
fn a_stream_is_kept_alive_and_then_answered() {
    let service = start("deepseek", "keepalive");
    let reply = stream(&service);
    assert!(reply.body.starts_with(": keep-alive\n\n: keep-alive\n\n"));
    assert_eq!(reply.events().last(), Some(&"[DONE]"));
    assert_eq!((service.stats().answered, service.stats().billed), (1, 1));
}

#[test]
fn a_reply_in_one_piece_can_stall_as_well() {
    let service = start("deepseek", "stall");
    let body = question("why?").to_string();
    let mut stream = send(service.addr(), "POST", "/chat/completions", &[], &body).unwrap();
    let mut head = [0; 15];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    assert_eq!(service.stats().in_flight, 1);
    drop(stream);
    service.until(|stats| stats.in_flight == 0);
    assert_eq!((service.stats().answered, service.stats().billed), (0, 1));
}

#[test]
fn a_stream_takes_as_long_as_an_answer() {
    let service = Service::start(MockSettings { latency_ms: 150, ..MockSettings::default() });
    let reply = stream(&service);
    assert_eq!(reply.events().last(), Some(&"[DONE]"));
    assert!(service.stats().latency_ms_p50 >= 145.0, "{:?}", service.stats());
}

#[test]
fn a_reply_that_is_cut_arrives_by_half() {
    let service = start("deepseek", "cut");
    let reply = service.ask("why?");
    assert_eq!((reply.status, reply.is_whole), (200, false));
    let promised: usize = reply.header("content-length").unwrap().parse().unwrap();
    assert_eq!(reply.body.len(), promised / 2);
}

#[test]
fn a_stream_that_is_never_read_is_no_answer() {
    let settings = MockSettings { answer_bytes: Some(20_000_000), ..MockSettings::default() };
    let service = Service::start(settings);
    let mut reader = open(&service);
    read_until(&mut reader, "content");
    assert_eq!(service.stats().in_flight, 1);
    drop(reader);
    service.until(|stats| stats.in_flight == 0);
    let stats = service.stats();
    assert_eq!((stats.answered, stats.billed, stats.left), (0, 1, 1));
    assert!(stats.tokens_left < 6_000_000, "{stats:?}");
}
