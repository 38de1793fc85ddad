use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::answer::{Answer, Failure, FailureClass, ParsedReply, Refusal, Usage};
use crate::provider::reply::TransportError;
use crate::provider::response::read::parse_reply;
use crate::provider::response::read::tests::fixtures;
use crate::provider::stream::finish_reasons::FinishReasons;

mod ends;

const EVENTS: &str = "text/event-stream";

fn stream(kind: &str) -> StreamParser {
    StreamParser::new(200, vec![("content-type".into(), kind.into())])
}

fn events(pieces: &[&str]) -> String {
    pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect()
}

fn delta(delta: serde_json::Value) -> String {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }).to_string()
}

fn content(text: &str) -> String {
    delta(json!({ "content": text }))
}

fn stopped(reason: &str) -> String {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] }).to_string()
}

fn finished(body: &str) -> ParsedReply {
    let mut stream = stream(EVENTS);
    stream.push(body.as_bytes());
    stream.finish()
}

fn answer(reading: ParsedReply) -> Answer {
    match reading {
        ParsedReply::Answer(answer) => answer,
        ParsedReply::Failure(failure) => panic!("{failure:?}"),
    }
}

fn failure(reading: ParsedReply) -> Failure {
    match reading {
        ParsedReply::Failure(failure) => failure,
        ParsedReply::Answer(answer) => panic!("{answer:?}"),
    }
}

fn in_pieces(reply: &HttpReply, sizes: impl Iterator<Item = usize>) -> ParsedReply {
    let mut stream = StreamParser::new(reply.status, reply.headers.clone());
    let mut rest = reply.body.as_slice();
    for size in sizes {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        stream.push(piece);
        rest = after;
    }
    stream.push(rest);
    stream.finish()
}

#[test]
fn every_reply_on_file_means_the_same_byte_by_byte() {
    for (file, reply, _) in fixtures() {
        for size in [1, 2, 3, 7, 64] {
            let pieces = std::iter::repeat_n(size, reply.body.len() / size);
            assert_eq!(
                in_pieces(&reply, pieces),
                parse_reply(&reply),
                "{file} in pieces of {size}"
            );
        }
    }
}

#[test]
fn a_stream_without_blank_lines_is_read_line_by_line_as_it_comes() {
    let pieces = [&*content("Par"), &content("is"), &stopped("stop"), "[DONE]"];
    let body = events(&pieces).replace("\n\n", "\n");
    let mut stream = stream(EVENTS);
    let kinds: Vec<ChunkKind> =
        body.split_inclusive('\n').map(|line| stream.push(line.as_bytes()).kind).collect();
    // Each is read when the next one tells that it was whole.
    assert_eq!(
        kinds,
        [ChunkKind::Blank, ChunkKind::Content, ChunkKind::Content, ChunkKind::Payload]
    );
    assert!(stream.push(b"").has_end);
    assert_eq!(answer(stream.finish()).content, "Paris");
    let cut = failure(finished(&body[..body.find("stop").unwrap()]));
    assert_eq!((cut.cause.code(), &*cut.partial.unwrap().content), ("reply cut off", "Paris"));
}

#[test]
fn a_wait_until_a_date_counts_from_when_the_reply_came_where_it_does_not_say_when_it_was_sent() {
    let until = ("retry-after".to_owned(), "Sun, 22 Nov 2026 12:01:30 GMT".to_owned());
    let sent = ("date".to_owned(), "Sun, 22 Nov 2026 12:01:00 GMT".to_owned());
    let at_noon = 1_795_348_800_000;
    for (headers, seconds) in [(vec![until.clone()], 90), (vec![until, sent], 30)] {
        let limited = StreamParser::new(429, headers).received_at(at_noon).finish();
        let wait = Some(std::time::Duration::from_secs(seconds));
        assert_eq!(failure(limited).class, FailureClass::Throttled { wait, width: None });
    }
}

#[test]
fn a_wait_of_more_than_a_year_is_none() {
    for (wait, kept) in [("86400", Some(86_400)), ("99999999999999999999", None), ("9e9h", None)] {
        let limited = StreamParser::new(429, vec![("retry-after".into(), wait.into())])
            .received_at(1_795_348_800_000)
            .finish();
        let wait = kept.map(std::time::Duration::from_secs);
        assert_eq!(failure(limited).class, FailureClass::Throttled { wait, width: None });
    }
}

#[test]
fn an_error_in_a_stream_is_read_like_one_in_a_200_and_keeps_what_was_written() {
    let wait = None;
    let throttled = FailureClass::Throttled { wait, width: None };
    let anthropic =
        |kind: &str| json!({"type":"error","error":{"type":kind,"message":"x"}}).to_string();
    for (error, class) in [
        (anthropic("overloaded_error"), throttled),
        (anthropic("rate_limit_error"), throttled),
        (anthropic("api_error"), FailureClass::Transient),
        (anthropic("authentication_error"), FailureClass::KeyRefused),
        (json!({"error":{"code":429,"message":"slow down"}}).to_string(), throttled),
        (json!({"error":{"code":"server_error","message":"x"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}).to_string(), FailureClass::Transient),
        (json!({"error":{"message":"x","type":null,"code":"500"}}).to_string(), FailureClass::Transient),
        (json!({"error":{"code":402,"message":"no credits"}}).to_string(), FailureClass::OutOfMoney),
        (json!({"error":{"code":403,"message":"x","metadata":{"reasons":["violence"]}}}).to_string(), FailureClass::Refused(Refusal::Moderation)),
        (json!({"object":"error","message":"engine died","code":500}).to_string(), FailureClass::Transient),
        (json!({"error":"a text"}).to_string(), FailureClass::Transient),
    ] {
        for end in [vec![], vec!["[DONE]"]] {
            let half = content("Half");
            let pieces = [vec![&*half, &*error], end].concat();
            let failure = failure(finished(&events(&pieces)));
            assert_eq!(failure.class, class, "{error}");
            assert_eq!(failure.partial.unwrap().content, "Half", "{error}");
        }
    }
    // An answer that had ended is whole, whatever went wrong after it.
    let late = events(&[&content("Paris"), &stopped("stop"), &anthropic("api_error")]);
    assert_eq!(answer(finished(&late)).content, "Paris");
}

#[test]
fn a_server_that_answers_in_one_piece_is_read_whatever_type_it_names() {
    let whole = json!({"choices":[{"message":{"content":"4"},"finish_reason":"stop"}]}).to_string();
    let streamed = events(&[&content("4"), "[DONE]"]);
    for kind in [EVENTS, "application/json", "text/plain", ""] {
        for body in
            [&whole, &streamed, &format!("\u{feff}\n\n{streamed}"), &format!("\n \n{whole}")]
        {
            for size in [1, 5, 1_000] {
                let mut stream = stream(kind);
                for piece in body.as_bytes().chunks(size) {
                    stream.push(piece);
                }
                assert_eq!(answer(stream.finish()).content, "4", "{kind}: {body}");
            }
        }
    }
    let mut page = stream(EVENTS);
    page.push(b"<html><title>Bad gateway</title></html>");
    assert_eq!(page.body().len(), 39);
    assert!(failure(page.finish()).message.contains("Bad gateway"));
    let mut refused = StreamParser::new(401, vec![("content-type".into(), EVENTS.into())]);
    refused.push(br#"{"error":{"message":"no such key"}}"#);
    assert_eq!(failure(refused.finish()).class, FailureClass::KeyRefused);
}

#[test]
fn progress_says_what_the_bytes_were_and_how_much_has_come() {
    let mut stream = stream(EVENTS);
    let mut first = 0;
    for (bytes, kind, reasoning, content_bytes) in [
        (": keep-alive\n\n".to_owned(), ChunkKind::Blank, 0, 0),
        ("\n\n".to_owned(), ChunkKind::Blank, 0, 0),
        (
            events(&[&delta(json!({"role":"assistant","content":null,"reasoning_content":""}))]),
            ChunkKind::Payload,
            0,
            0,
        ),
        (
            events(&[&delta(json!({"content":null,"reasoning_content":"Hm, hm."}))]),
            ChunkKind::Reasoning,
            7,
            0,
        ),
        (": keep-alive\n\n".to_owned(), ChunkKind::Blank, 7, 0),
        (format!("data: {}", &content("Paris")[..20]), ChunkKind::Blank, 7, 0),
        (format!("{}\n\n", &content("Paris")[20..]), ChunkKind::Content, 7, 5),
        (
            events(&[&delta(json!({"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}))]),
            ChunkKind::Payload,
            7,
            5,
        ),
        (events(&[&stopped("stop")]), ChunkKind::Payload, 7, 5),
        (events(&["[DONE]"]), ChunkKind::Payload, 7, 5),
    ] {
        let progress = stream.push(bytes.as_bytes());
        assert_eq!(progress.kind, kind, "{bytes}");
        assert_eq!((progress.reasoning_bytes, progress.content_bytes), (reasoning, content_bytes));
        assert_eq!(progress.has_end, bytes.contains("stop\"") || progress.is_done, "{bytes}");
        first += u32::from(progress.is_first_payload);
        assert_eq!(progress.is_done, bytes.contains("[DONE]"));
        assert_eq!(progress.tokens_about(), (reasoning + content_bytes) / 4);
    }
    assert_eq!(first, 1);
}

#[test]
fn a_think_tag_in_pieces_is_reasoning_until_it_is_closed() {
    let mut stream = stream(EVENTS);
    let mut kinds = Vec::new();
    for piece in ["\n", "<thi", "nk>Let me", " think", "</th", "ink>", "\n\nPar", "is"] {
        kinds.push(stream.push(events(&[&content(piece)]).as_bytes()).kind);
    }
    use ChunkKind::{Content, Reasoning};
    assert_eq!(kinds[2..], [Reasoning, Reasoning, Reasoning, Content, Content, Content]);
    stream.push(events(&["[DONE]"]).as_bytes());
    let answer = answer(stream.finish());
    assert_eq!((&*answer.reasoning, &*answer.content), ("Let me think", "Paris"));
}

#[test]
fn counts_are_taken_from_the_latest_place_that_has_them() {
    let of_openai = json!({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}});
    let of_litellm = json!({"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}});
    let of_groq = json!({"choices":[],"x_groq":{"id":"req_1","usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}});
    let usage = Usage { input: Some(9), cached: Some(4), output: Some(2), ..Usage::default() };
    for last in [of_openai, of_litellm, of_groq] {
        let early = json!({"choices":[{"delta":{"content":"Hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}});
        let body = events(&[&early.to_string(), &stopped("stop"), &last.to_string(), "[DONE]"]);
        assert_eq!(answer(finished(&body)).usage, usage, "{last}");
    }
    let null =
        json!({"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}],"usage":null});
    assert_eq!(answer(finished(&events(&[&null.to_string()]))).usage, Usage::default());
}

fn of_anthropic(end: &[serde_json::Value]) -> String {
    let start = [
        json!({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude-haiku-4-5","stop_reason":null,
            "usage":{"input_tokens":12,"cache_read_input_tokens":2048,"cache_creation_input_tokens":0,"output_tokens":1}}}),
        json!({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}),
        json!({"type":"ping"}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"2+2 "}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"is 4."}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}),
        json!({"type":"content_block_stop","index":0}),
        json!({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}),
        json!({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"4"}}),
        json!({"type":"content_block_stop","index":1}),
    ];
    start
        .iter()
        .chain(end)
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_stream_of_anthropic_is_an_answer_with_its_counts_from_both_ends() {
    let end = [
        json!({"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":17}}),
        json!({"type":"message_stop"}),
    ];
    let whole = answer(finished(&of_anthropic(&end)));
    assert_eq!(
        (&*whole.reasoning, &*whole.content, &*whole.finish_reason),
        ("2+2 is 4.", "4", "stop")
    );
    assert_eq!(
        whole.usage,
        Usage {
            input: Some(2060),
            cached: Some(2048),
            output: Some(17),
            written: Some(0),
            ..Usage::default()
        }
    );
    assert_eq!(
        (whole.model.as_deref(), whole.request_id.as_deref()),
        (Some("claude-haiku-4-5"), Some("msg_1"))
    );
    // The one token of output that it begins with is no count.
    let cut = failure(finished(&of_anthropic(&[])));
    assert_eq!(cut.cause.code(), "reply cut off");
    let partial = cut.partial.unwrap();
    assert_eq!((partial.usage.input, partial.usage.output), (Some(2060), None));
    assert_eq!(partial.reasoning, "2+2 is 4.");
    for (reason, class) in [
        ("max_tokens", FailureClass::CutByLength),
        ("refusal", FailureClass::Refused(Refusal::Moderation)),
        ("pause_turn", FailureClass::Transient),
    ] {
        let end = [json!({"type":"message_delta","delta":{"stop_reason":reason},"usage":{}})];
        assert_eq!(failure(finished(&of_anthropic(&end))).class, class, "{reason}");
    }
}

#[test]
fn what_a_tool_gave_back_is_no_part_of_the_answer() {
    let result =
        json!({"type": "mcp_tool_result", "content": [{"type": "text", "text": "a file"}]});
    let summary = json!({"type": "compaction", "content": "so far"});
    let text = json!({"type": "text", "text": "Paris"});
    let whole =
        json!({"type": "message", "content": [result, summary, text], "stop_reason": "end_turn"});
    let head = HttpReply::new(200, Vec::new(), whole.to_string().into_bytes());
    assert_eq!(answer(parse_reply(&head)).content, "Paris");
    let block =
        |block: &serde_json::Value| json!({"type": "content_block_start", "content_block": block});
    let streamed: Vec<String> = [
        block(&result),
        block(&summary),
        json!({"type": "content_block_delta", "delta": {"type": "compaction_delta", "content": "so far"}}),
        block(&text),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
        json!({"type": "message_stop"}),
    ]
    .map(|event| event.to_string())
    .into();
    let pieces: Vec<&str> = streamed.iter().map(String::as_str).collect();
    assert_eq!(answer(finished(&events(&pieces))).content, "Paris");
}

#[test]
fn an_event_that_cannot_be_read_spoils_what_it_stands_in_and_nothing_after_the_end() {
    let bad = r#"{"choices":[{"delta":{"content":"lost"#;
    let spoilt = failure(finished(&events(&[&content("a"), bad, &content("b"), &stopped("stop")])));
    assert_eq!((spoilt.class, spoilt.cause.code()), (FailureClass::Transient, "unreadable reply"));
    assert_eq!(spoilt.partial.unwrap().content, "ab");
    for pieces in
        [[&*content("a"), "ping", &stopped("stop")], [&*content("a"), &stopped("stop"), bad]]
    {
        assert_eq!(answer(finished(&events(&pieces))).content, "a", "{pieces:?}");
    }
    // Half an emoji is no such event.
    let half = events(&[r#"{"choices":[{"delta":{"content":"a\ud83d"}}]}"#, "[DONE]"]);
    assert_eq!(answer(finished(&half)).content, "a\u{fffd}");
}

#[test]
fn what_only_keeps_a_connection_open_is_nothing_that_came() {
    for (event, kind) in [
        ("event: ping\ndata: {\"type\": \"ping\"}\n\n", ChunkKind::Blank),
        ("data: {\"type\":\"ping\"}\n\n", ChunkKind::Blank),
        ("data:\n\n", ChunkKind::Blank),
        ("data: {\"choices\":[]}\n\n", ChunkKind::Payload),
    ] {
        let mut stream = stream(EVENTS);
        stream.push(b": begin\n\n");
        assert_eq!(stream.push(event.as_bytes()).kind, kind, "{event}");
    }
}

#[test]
fn a_stream_without_events_is_quoted_and_one_of_comments_alone_is_blank() {
    for (body, cause, quoted) in [
        ("The answer is 42.\n\n", "unreadable reply", "The answer is 42."),
        ("\u{1f}\u{b}zip\n", "unreadable reply", "zip"),
        (": ping\n\nid: 1\nretry: 5\n\n", "blank reply", ""),
    ] {
        let failed = failure(finished(body));
        assert_eq!((failed.cause.code(), failed.status), (cause, Some(200)), "{body}");
        assert!(failed.message.contains(quoted), "{}", failed.message);
    }
}

#[test]
fn counts_within_a_choice_count_and_nothing_behind_the_end_is_of_the_answer() {
    let last = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop",
        "usage":{"prompt_tokens":19,"completion_tokens":13}}]}"#
        .replace('\n', "");
    let body = events(&[&content("a"), &last, "[DONE]", &content("second stream")]);
    let answer = answer(finished(&body));
    assert_eq!(answer.content, "a");
    assert_eq!((answer.usage.input, answer.usage.output), (Some(19), Some(13)));
}

#[test]
fn a_piece_that_says_its_text_twice_is_written_once() {
    let piece = |text: &str| {
        let delta = json!({ "role": "assistant", "content": text, "tool_calls": null });
        json!({ "choices": [{ "index": 0, "text": text, "delta": delta }] }).to_string()
    };
    let body = events(&[&piece("The"), &piece(" capital"), &stopped("stop"), "[DONE]"]);
    assert_eq!(answer(finished(&body)).content, "The capital");
}

#[test]
fn halves_of_a_character_in_two_pieces_are_that_character() {
    let pieces = [r"party \ud83c", r"\udf89 end \udf89"]
        .map(|text| format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}}}}]}}"#));
    let events = events(&[&pieces[0], &pieces[1], &stopped("stop"), "[DONE]"]);
    assert_eq!(answer(finished(&events)).content, "party 🎉 end \u{fffd}");
    // A character for private use is one.
    let private = "\u{10f83c}\u{10ff89}";
    let whole = format!(r#"{{"choices":[{{"delta":{{"content":"{private}"}}}}]}}"#);
    let whole = format!("data: {whole}\n\ndata: {}\n\n", stopped("stop"));
    assert_eq!(answer(finished(&whole)).content, private);
}

#[test]
fn only_the_first_choice_is_read_and_a_message_that_is_said_twice_once() {
    let other = json!({"choices":[{"index":1,"delta":{"content":"other"}}]}).to_string();
    let again =
        json!({"choices":[{"index":0,"message":{"content":"Paris"},"finish_reason":"stop"}]});
    let body = events(&[&content("Par"), &other, &content("is"), &again.to_string()]);
    assert_eq!(answer(finished(&body)).content, "Paris");
    assert_eq!(answer(finished(&events(&[&again.to_string()]))).content, "Paris");
}

#[test]
fn of_answers_that_come_side_by_side_the_first_is_read_though_it_comes_later() {
    let second = |text: &str| {
        json!({"choices":[{"index":1,"delta":{"content":text},"finish_reason":"stop"}]}).to_string()
    };
    let body = events(&[&second("other "), &content("Par"), &second("answer"), &content("is")]);
    assert_eq!(failure(finished(&body)).cause.code(), "reply cut off");
    let whole = format!("{body}{}", events(&[&stopped("stop")]));
    assert_eq!(answer(finished(&whole)).content, "Paris");
    let mut watched = stream(EVENTS).detecting_repetition();
    watched.push(events(&[&second("é"), &second("é")]).as_bytes());
    watched.push(events(&[&content("a"), &content("é")]).as_bytes());
    let only = events(&[&second("other "), &second("answer"), "[DONE]"]);
    assert_eq!(answer(finished(&only)).content, "other answer");
}

#[test]
fn an_event_that_says_a_field_twice_says_it_once() {
    let twice = r#"{"choices":[{"delta":{"reasoning_content":"t","content":null,"reasoning_content":"t"}}]}"#;
    let whole = answer(finished(&events(&[twice, twice, &content("4"), &stopped("stop")])));
    assert_eq!((&*whole.reasoning, &*whole.content), ("tt", "4"));
}

#[test]
fn more_text_than_a_reply_may_have_is_not_kept_and_what_it_is_wrapped_in_counts_for_nothing() {
    let long = |piece: String, times: usize| {
        let mut stream = stream(EVENTS);
        let mut progress = Progress::default();
        for _ in 0..times {
            progress = stream.push(piece.as_bytes());
        }
        stream.push(events(&["[DONE]"]).as_bytes());
        (progress, stream.finish())
    };
    let piece = events(&[&content(&"x".repeat(100_000))]);
    let (progress, reading) = long(piece, 1 + REPLY_BYTES_MAX / 100_000);
    assert!(progress.is_too_large && progress.content_bytes < REPLY_BYTES_MAX as u64 + 100_000);
    assert_eq!(failure(reading).cause.code(), "reply too large");
    let wrapping = json!({"x": "y".repeat(100_000), "choices": [{"delta": {"content": "x"}}]});
    let (_, reading) = long(events(&[&wrapping.to_string()]), 1 + REPLY_BYTES_MAX / 100_000);
    assert!(answer(reading).content.starts_with("xxx"));
    let mut whole = stream("application/json");
    whole.push(b"{");
    for _ in 0..=REPLY_BYTES_MAX / 100_000 {
        whole.push(&[b' '; 100_000]);
    }
    assert!(whole.body().len() <= REPLY_BYTES_MAX);
    assert_eq!(failure(whole.finish()).cause.code(), "reply too large");
}

#[test]
fn a_loop_is_seen_where_it_is_watched_for_and_kept_as_an_answer_that_was_cut() {
    let pieces = events(&[&content("wait, wait, wait, wait, ")]);
    let mut unwatched = stream(EVENTS);
    let mut watched = stream(EVENTS).detecting_repetition();
    let mut found = None;
    for _ in 0..400 {
        assert_eq!(unwatched.push(pieces.as_bytes()).looped, None);
        found = watched.push(pieces.as_bytes()).looped;
    }
    let failure = failure(watched.finish_repetition(found.unwrap()));
    assert_eq!(
        (failure.class, failure.cause.code()),
        (FailureClass::CutByLength, "repeats itself")
    );
    assert!(failure.partial.unwrap().content.starts_with("wait, wait"));
}

#[test]
fn every_text_that_is_kept_can_be_changed_before_it_is_read() {
    let error = r#"{"error":{"message":"the key sk-canary is no key","code":401}}"#;
    for body in
        [events(&[&content("sk-canary"), error]), format!("data: {error}"), error.to_owned()]
    {
        let mut stream = stream("");
        stream.push(body.as_bytes());
        let (texts, whole) = stream.texts_mut();
        texts.for_each(|text| *text = text.replace("sk-canary", "***"));
        *whole = String::from_utf8_lossy(whole).replace("sk-canary", "***").into_bytes();
        let failure = failure(stream.finish());
        assert_eq!(failure.class, FailureClass::KeyRefused, "{body}");
        assert!(failure.message.contains("***") && !format!("{failure:?}").contains("canary"));
    }
}

/// One answer in every shape that services give it, whole and streamed.
fn shapes(reasoning: &[String], answer: &[String]) -> Vec<(String, String)> {
    let (thought, said) = (reasoning.concat(), answer.concat());
    let usage = json!({"prompt_tokens":7,"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":1}});
    let chat = |message: serde_json::Value| {
        json!({"id":"a","model":"m","choices":[{"index":0,"message":message,"finish_reason":"stop"}],"usage":usage}).to_string()
    };
    let end =
        json!({"id":"a","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})
            .to_string();
    let counts = json!({"id":"a","model":"m","choices":[],"usage":usage}).to_string();
    let streamed = |deltas: Vec<String>| {
        let mut pieces: Vec<&str> = deltas.iter().map(String::as_str).collect();
        pieces.extend([&*end, &*counts, "[DONE]"]);
        events(&pieces)
    };
    let mut shapes = Vec::new();
    for field in ["reasoning_content", "reasoning"] {
        let thoughts = reasoning.iter().map(|piece| delta(json!({field: piece, "content": null})));
        let deltas = thoughts.chain(answer.iter().map(|piece| content(piece))).collect();
        shapes.push((chat(json!({field: thought, "content": said})), streamed(deltas)));
    }
    let parts = |kind: &str, text: &str| match kind {
        "thinking" => json!([{"type":"thinking","thinking":[{"type":"text","text":text}]}]),
        _ => json!([{"type":"text","text":text}]),
    };
    let thoughts =
        reasoning.iter().map(|piece| delta(json!({"content": parts("thinking", piece)})));
    let deltas =
        thoughts.chain(answer.iter().map(|piece| delta(json!({"content": parts("text", piece)}))));
    let both = json!([parts("thinking", &thought)[0], parts("text", &said)[0]]);
    shapes.push((chat(json!({ "content": both })), streamed(deltas.collect())));
    let tagged = [&["<think>".to_owned()], reasoning, &["</think>".to_owned()], answer].concat();
    let deltas = tagged.iter().map(|piece| content(piece)).collect();
    shapes.push((chat(json!({"content": tagged.concat()})), streamed(deltas)));
    let block = |index: u32, kind: &str, field: &str, text: &str| {
        json!({"type":"content_block_delta","index":index,"delta":{"type":kind,field:text}})
            .to_string()
    };
    let mut pieces = vec![json!({"type":"message_start","message":{"id":"a","model":"m","usage":{"input_tokens":7,"output_tokens":1}}}).to_string()];
    pieces.extend(reasoning.iter().map(|piece| block(0, "thinking_delta", "thinking", piece)));
    pieces.extend(answer.iter().map(|piece| block(1, "text_delta", "text", piece)));
    pieces.push(json!({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}).to_string());
    pieces.push(json!({"type":"message_stop"}).to_string());
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let whole = json!({"id":"a","type":"message","model":"m","content":[{"type":"thinking","thinking":thought},{"type":"text","text":said}],
        "stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":3}});
    shapes.push((whole.to_string(), events(&pieces)));
    shapes
}

fn text() -> impl Strategy<Value = String> {
    "[a-zé😀\"\\\\\n<>/ ]{0,12}"
}

proptest! {
    #[test]
    fn streamed_and_whole_the_same_answer_is_the_same(
        reasoning in prop::collection::vec(text(), 0..6),
        said in prop::collection::vec(text(), 0..6),
        size in 1usize..200,
    ) {
        for (whole, streamed) in shapes(&reasoning, &said) {
            let reply = |body: String| HttpReply::new(200, Vec::new(), body.into());
            let (whole, streamed) = (reply(whole), reply(streamed));
            let pieces = std::iter::repeat_n(size, streamed.body.len() / size);
            let (one, other) = (parse_reply(&whole), in_pieces(&streamed, pieces));
            prop_assert_eq!(&one, &other, "{}", String::from_utf8_lossy(&streamed.body));
            prop_assert_eq!(&one, &parse_reply(&streamed));
        }
    }

    #[test]
    fn no_bytes_in_no_pieces_panic_and_every_split_means_the_same(
        body in r#"(data: |\n\n|\n|\r|: |\[DONE\]|\{"choices":\[\{"delta":\{"content":"a"\}\}\]\}|\{"error":|\{|\}|"|[\x00-\xff]){0,30}"#,
        sizes in prop::collection::vec(0usize..40, 0..12),
        kind in prop::sample::select(vec![EVENTS, "application/json", ""]),
    ) {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        let reply = HttpReply::new(200, headers, body.into_bytes());
        let whole = parse_reply(&reply);
        prop_assert_eq!(in_pieces(&reply, sizes.iter().copied()), whole);
        let mut stream = StreamParser::new(reply.status, reply.headers.clone());
        let progress = stream.push(&reply.body);
        let texts = progress.content_bytes + progress.reasoning_bytes;
        prop_assert!(texts <= reply.body.len() as u64);
        if let ParsedReply::Failure(failure) = stream.finish_broken(&TransportError::Cut("cut".into())) {
            prop_assert!(failure.message.chars().count() <= crate::answer::MESSAGE_CHARS_MAX);
            prop_assert!(!failure.message.contains(char::is_control));
        }
    }
}
