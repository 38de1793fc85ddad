//! What `dset run`, `show` and `stats` make of replies that no pretend service gives: a server says
//! the same to everything.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Folder, Ran, questions};
use serde_json::json;

/// A server with one reply.
struct Says {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Says {
    /// Answers the first questions with `first` and all later ones with `body`.
    fn after(first: Vec<String>, body: &str) -> Says {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, body) = (Arc::clone(&asked), body.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (count, first, body) = (Arc::clone(&count), first.clone(), body.clone());
                std::thread::spawn(move || {
                    let at = count.fetch_add(1, Ordering::SeqCst);
                    reply(stream.unwrap(), first.get(at).unwrap_or(&body));
                });
            }
        });
        Says { url, asked }
    }

    fn always(body: &str) -> Says {
        Says::after(Vec::new(), body)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn run(&self, folder: &Folder, arguments: &[&str]) -> Ran {
        let all = ["run", "--base-url", &self.url, "-m", "m", "--key", "none", "--backoff", "1s"];
        folder.dset(&[&all[..], arguments].concat())
    }
}

fn reply(mut stream: TcpStream, body: &str) {
    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
    // The body of a request is one object, and nothing comes after it.
    while !request.ends_with(b"}") {
        let bytes = stream.read(&mut piece).unwrap();
        if bytes == 0 {
            return;
        }
        request.extend_from_slice(&piece[..bytes]);
    }
    let kind = if body.starts_with('{') { "application/json" } else { "text/event-stream" };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).unwrap();
}

#[test]
fn answers_that_end_with_a_word_that_nobody_knows_are_counted_at_the_end() {
    let service = Says::always(&said(json!({ "content": "42" }), "banana", 3));
    for arguments in [&[][..], &["--json"]] {
        let folder = Folder::with(&questions(3));
        let ran = service.run(&folder, arguments).exits(0);
        match arguments {
            [] => drop(ran.says("3 answers ended in a way unknown to dset (3 with `banana`)")),
            _ => {
                let end: serde_json::Value =
                    serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
                assert_eq!(end["unknown_ends"], json!({ "banana": 3 }));
            }
        }
    }
}

fn said(message: serde_json::Value, finish: &str, tokens: u64) -> String {
    let choice = json!({ "index": 0, "message": message, "finish_reason": finish });
    let usage = json!({ "prompt_tokens": 5, "completion_tokens": tokens });
    json!({ "id": "1", "choices": [choice], "usage": usage }).to_string()
}

#[test]
fn an_answer_exactly_as_long_as_its_limit_is_told_and_half_a_sentence_is_cut() {
    let whole = Says::always(&said(json!({ "content": "There was a cat." }), "stop", 20));
    let folder = Folder::with(&questions(2));
    whole.run(&folder, &["--max-tokens", "20"]).exits(0);
    assert_eq!(
        folder.read("dset_generator/output.json").matches(r#""at_token_limit": true"#).count(),
        2
    );
    folder.dset(&["stats"]).exits(0).tells("2 answers exactly as long as the token limit");
    assert_eq!(folder.dset(&["stats", "--json"]).json()["all"]["at_token_limit"], 2);
    folder.dset(&["show", "1"]).exits(0).tells("exactly as long as the token limit: perhaps cut");

    let half = Says::always(&said(json!({ "content": "Once there was a" }), "stop", 20));
    let folder = Folder::with(&questions(2));
    half.run(&folder, &["--max-tokens", "20"]).exits(3).says("length limit");
    half.run(&folder, &["--max-tokens", "20"]).exits(3);
    assert_eq!(half.asked(), 2, "what was cut is not bought again under the same limit");
}

#[test]
fn an_answer_that_is_none_is_named_kept_and_not_bought_for_every_question() {
    let calls = json!([{ "id": "c1", "function": { "name": "search", "arguments": "{}" } }]);
    for (body, says, kept) in [
        (
            said(json!({ "content": null, "reasoning_content": "2 and 2 is 4." }), "stop", 7),
            "only reasoning (200): 7 tokens of reasoning and no answer",
            "2 and 2 is 4.",
        ),
        (
            said(json!({ "content": "<think>I add. It is 4." }), "stop", 7),
            "endless reasoning (200): 7 tokens of reasoning that never ended and no answer",
            "I add. It is 4.",
        ),
        (
            said(json!({ "content": null, "tool_calls": calls }), "tool_calls", 7),
            "tool call (200): the model calls a tool instead of answering: search {}",
            "search",
        ),
        (said(json!({ "content": { "answer": 4 } }), "stop", 7), "no text (200)", "answer"),
        (said(json!({ "content": 4 }), "stop", 7), "no text (200)", "content"),
    ] {
        let chunk = body.replace(r#""message":"#, r#""delta":"#);
        let stream = format!("data: {chunk}\n\ndata: [DONE]\n\n");
        for body in [body, stream] {
            let service = Says::always(&body);
            let folder = Folder::with(&questions(40));
            service.run(&folder, &["-c", "4"]).exits(2).says(says).says("No row was marked");
            assert!(service.asked() <= 9, "{body}: asked {} times", service.asked());
            assert!(!folder.read("q.csv").contains("ERROR"));
            let raw = folder.dset(&["show", "1", "--raw"]).exits(1);
            raw.tells(kept);
            folder.dset(&["show", "1"]).exits(0).tells("show 1 --raw");
        }
    }
}

#[test]
fn a_question_without_an_answer_among_others_is_asked_three_times_and_told() {
    let good = said(json!({ "content": "4" }), "stop", 1);
    let thought = said(json!({ "content": "", "reasoning": "Hm." }), "stop", 7);
    let service = Says::after(vec![good], &thought);
    let folder = Folder::with(&questions(2));
    service.run(&folder, &["-c", "1"]).exits(3).says("only reasoning").says("--reasoning off");
    assert_eq!(service.asked(), 4);
    folder.dset(&["show", "--failed"]).exits(0).tells("7 tokens of reasoning and no answer");
}

#[test]
fn an_answer_in_a_reply_that_is_too_large_is_asked_three_times_and_its_row_marked() {
    let good = said(json!({ "content": "4" }), "stop", 1);
    let large = said(json!({ "content": "4", "padding": " ".repeat(17 << 20) }), "stop", 1);
    let service = Says::after(vec![good], &large);
    let folder = Folder::with(&questions(2));
    let ran = service.run(&folder, &["-c", "1"]).exits(3);
    ran.says("reply too large").says("16 MiB").says("logprobs").says("--stream on");
    assert_eq!(service.asked(), 4);
}

#[test]
fn another_api_is_told_with_the_beginning_of_what_came_and_is_no_outage() {
    for body in [
        r#"{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message"}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"4"}],"role":"model"},"finishReason":"STOP"}]}"#,
        r#"{"model":"m","message":{"role":"assistant","content":"4"},"done":true}"#,
        "{\"message\":{\"content\":\"4\"},\"done\":false}\n{\"message\":{},\"done\":true}\n",
    ] {
        for count in [1, 30] {
            let service = Says::always(body);
            let folder = Folder::with(&questions(count));
            let ran = service.run(&folder, &["-c", "4"]).exits(2);
            ran.says(&body[..20]).says("--base-url").says("No row was marked");
            assert!(service.asked() <= 7, "{body}: asked {} times", service.asked());
            folder.dset(&["show", "1"]).exits(0).tells(&body[..20]);
        }
    }
}
