//! What is an end, and what breaks off before one.

use super::*;

#[test]
fn a_stream_without_an_end_is_never_an_answer_and_one_with_either_end_is() {
    let half = content("Par");
    let (reason, done) = (stopped("stop"), "[DONE]".to_owned());
    for (pieces, is_answer) in [
        (vec![&half], false),
        (vec![&half, &reason], true),
        (vec![&half, &done], true),
        (vec![&half, &reason, &done], true),
        (vec![&done], false),
        (vec![&reason], false),
    ] {
        let pieces: Vec<&str> = pieces.into_iter().map(String::as_str).collect();
        let reading = finished(&events(&pieces));
        assert_eq!(matches!(reading, ParsedReply::Answer(_)), is_answer, "{pieces:?}");
    }
    // Half of the event with the reason is no reason.
    let cut = format!("{}data: {}", events(&[&half]), &reason[..reason.len() - 1]);
    let cut = failure(finished(&cut));
    assert_eq!((cut.class, cut.cause.code()), (FailureClass::Transient, "reply cut off"));
    assert_eq!(cut.partial.unwrap().content, "Par");
    // Blanks before a stream are none of it, in one piece with it or not.
    let split = |at: usize| {
        let (body, mut stream) = (b"\n\n\tdata: ", stream("text/plain"));
        stream.push(&body[..at]);
        stream.push(&body[at..]);
        failure(stream.finish()).cause
    };
    assert!((0..10).all(|at| split(at) == split(0)));
    // What some services count with every piece is no count of the whole.
    let counted = r#"{"choices":[{"delta":{"content":"Pa"}}],"usage":{"prompt_tokens":10,"completion_tokens":1}}"#;
    let cut = failure(finished(&events(&[counted]))).partial.unwrap();
    assert_eq!((cut.usage.input, cut.usage.output), (Some(10), None));
    let counted =
        format!("{{\"usage\":{{\"prompt_tokens\":10,\"completion_tokens\":1}},{}", &reason[1..]);
    let whole = answer(finished(&events(&[&half, &counted])));
    assert_eq!((whole.usage.input, whole.usage.output), (Some(10), Some(1)));
    // All of it is one, though the blank line after it is missing.
    let whole = format!("{}data: {reason}", events(&[&half]));
    assert_eq!(answer(finished(&whole)).content, "Par");
}

#[test]
fn what_is_counted_before_more_is_written_is_no_count_however_the_stream_ends() {
    let usage = |tokens: u64| json!({ "prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens, "cost": 0.5 });
    let with = |piece: &str, tokens: u64| {
        let mut piece: serde_json::Value = serde_json::from_str(piece).unwrap();
        piece["usage"] = usage(tokens);
        piece.to_string()
    };
    let (text, role) = (content("Par"), delta(json!({ "role": "assistant", "content": "" })));
    let (early, opening) = (with(&text, 1), with(&role, 1));
    let error = json!({ "error": { "message": "boom", "code": 500 } }).to_string();
    let alone = json!({ "choices": [], "usage": usage(7) }).to_string();
    let zeros = json!({ "choices": [], "usage": { "prompt_tokens": 10, "completion_tokens": 0 } });
    let zeros = zeros.to_string();
    let [stop, length, filter, abort] = ["stop", "length", "content_filter", "abort"].map(stopped);
    let counted = |pieces: &[&str]| match finished(&events(pieces)) {
        ParsedReply::Answer(answer) => (answer.usage, answer.cost),
        ParsedReply::Failure(failure) => {
            let partial = failure.partial.expect("something was written");
            (partial.usage, partial.cost)
        }
    };
    for end in [&error, &stop, &length, &filter, &abort] {
        for pieces in [&[&early, &text, end][..], &[&opening, &text, end], &[&opening, end]] {
            let pieces: Vec<&str> = pieces.iter().map(|piece| &***piece).collect();
            let (usage, cost) = counted(&pieces);
            assert_eq!((usage.input, usage.output, cost), (Some(10), None, None), "{pieces:?}");
        }
        // A count with the end is one, and so is what comes behind it.
        let (usage, cost) = counted(&[&early, &text, &with(end, 7)]);
        assert_eq!((usage.output, cost), (Some(7), Some(0.5)), "{end}");
        let (usage, cost) = counted(&[&early, &text, end, &alone]);
        assert_eq!((usage.output, cost), (Some(7), Some(0.5)), "{end}");
    }
    // Before an error there may be more that was never sent.
    assert_eq!(counted(&[&early, &with(&text, 2), &error]).0.output, None);
    assert_eq!(counted(&[&early, &with(&text, 2), &stop]).0.output, Some(2));
    assert_eq!(counted(&[&early, &text, &alone, "[DONE]"]).0.output, Some(7));
    // Nor is more written behind one in an event without text.
    let behind = with(&content(""), 7);
    for pieces in [
        &[&*text, &*behind, &*stop][..],
        &[&text, &behind, "[DONE]"],
        &[&with(&text, 6), &behind, &stop],
    ] {
        assert_eq!(counted(pieces).0.output, Some(7), "{pieces:?}");
    }
    assert_eq!(counted(&[&text, &behind, &text, &stop]).0.output, None);
    // What the last count leaves out, an early one does not say in its place.
    assert_eq!(counted(&[&early, &text, &stop, &zeros]).0.output, None);
    assert_eq!(counted(&[&early, &stop, &zeros]).0.output, Some(1));
}

#[test]
fn whatever_the_model_wrote_before_an_error_was_written() {
    let error = json!({ "error": { "message": "boom", "code": 500 } });
    let sealed = json!([{ "type": "reasoning.encrypted", "data": "Zm9v", "index": 0 }]);
    for wrote in [
        json!({ "tool_calls": [{ "index": 0, "function": { "name": "f", "arguments": "abc" } }] }),
        json!({ "function_call": { "name": "f", "arguments": "abc" } }),
        json!({ "refusal": "I cannot" }),
        json!({ "reasoning_details": sealed }),
        json!({ "audio": { "id": "a", "data": "Zm9v" } }),
        json!({ "images": [{ "image_url": { "url": "data:image/png;base64,Zm9v" } }] }),
        json!({ "content": { "answer": 4 } }),
    ] {
        let failed = failure(finished(&events(&[&delta(wrote.clone()), &error.to_string()])));
        assert_eq!((failed.status, failed.partial.is_some()), (Some(500), true), "{wrote}");
        let mut cut = stream(EVENTS);
        cut.push(events(&[&delta(wrote.clone())]).as_bytes());
        let cut = failure(cut.finish_broken(&TransportError::Cut("reset".into())));
        assert!(cut.partial.is_some(), "{wrote}");
        let mut whole = json!({ "choices": [{ "message": wrote, "finish_reason": "error" }] });
        whole["error"] = error["error"].clone();
        let mut piece = stream("application/json");
        piece.push(whole.to_string().as_bytes());
        assert!(failure(piece.finish()).partial.is_some(), "{whole}");
    }
    for nothing in [
        json!({ "role": "assistant", "content": "", "refusal": null, "tool_calls": null }),
        json!({ "role": "assistant", "content": null, "audio": null, "images": [] }),
        json!({ "reasoning_details": [], "tool_calls": [] }),
    ] {
        let failed = failure(finished(&events(&[&delta(nothing.clone()), &error.to_string()])));
        assert_eq!(failed.partial, None, "{nothing}");
    }
    let start = r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"Zm9v"}}"#;
    assert!(failure(finished(&events(&[start, &error.to_string()]))).partial.is_some());
    // A count of zero beside it means that it was not counted.
    let zero = json!({ "error": { "message": "boom" }, "usage": { "completion_tokens": 0 } });
    let call = delta(json!({ "function_call": { "name": "f", "arguments": "abc" } }));
    let failed = failure(finished(&events(&[&call, &zero.to_string()])));
    assert_eq!(failed.partial.unwrap().usage.output, None);
    // What comes with the end, or behind it, takes nothing back.
    let sealed = delta(json!({ "reasoning_details": sealed }));
    let whole = finished(&events(&[&content("Paris"), &stopped("stop"), &sealed]));
    assert_eq!(answer(whole).content, "Paris");
}

/// A piece of text with a reason to stop.
fn ending(text: &str, reason: &str) -> String {
    json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": reason }] })
        .to_string()
}

#[test]
fn the_last_reason_to_stop_counts_and_none_that_more_text_comes_after() {
    let (cut, done) = (FailureClass::CutByLength, "[DONE]".to_owned());
    let usage = json!({"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":1}})
    .to_string();
    let error = json!({"error":{"message":"boom"}}).to_string();
    let (a, b) = (ending("a", "stop"), ending("b", "stop"));
    let (plain_a, plain_b) = (content("a"), content("b"));
    let (stop, length, broken) = (stopped("stop"), stopped("length"), stopped("aborted"));
    let (null_a, null_b) = (ending("a", "null"), ending("b", "null"));
    for (pieces, expected) in [
        (vec![&a, &b], Ok("ab")),
        (vec![&a, &b, &done], Ok("ab")),
        (vec![&a, &plain_b, &done], Ok("ab")),
        (vec![&a, &plain_b], Err(FailureClass::Transient)),
        (vec![&a, &plain_b, &plain_b], Err(FailureClass::Transient)),
        (vec![&a, &plain_b, &stop], Ok("ab")),
        (vec![&a, &length], Err(cut)),
        (vec![&a, &b, &length, &done], Err(cut)),
        (vec![&plain_a, &length, &usage, &done], Err(cut)),
        (vec![&plain_a, &stop, &usage, &done], Ok("a")),
        (vec![&plain_a, &length, &plain_b, &stop], Ok("ab")),
        (vec![&plain_a, &length, &plain_b, &done], Err(cut)),
        (vec![&a, &b, &broken], Err(FailureClass::Transient)),
        (vec![&a, &b, &error, &done], Err(FailureClass::Transient)),
        (vec![&null_a, &null_b], Err(FailureClass::Transient)),
        (vec![&null_a, &null_b, &length], Err(cut)),
        (vec![&null_a, &stop], Ok("a")),
    ] {
        let pieces: Vec<&str> = pieces.into_iter().map(String::as_str).collect();
        let expected = expected.map(str::to_owned);
        let found = match finished(&events(&pieces)) {
            ParsedReply::Answer(answer) => Ok(answer.content),
            ParsedReply::Failure(failure) => Err(failure.class),
        };
        assert_eq!(found, expected, "{pieces:?}");
    }
    // Whoever sends a reason with every piece is waited for, and not believed once it breaks off.
    let mut stream = stream(EVENTS);
    assert!(stream.push(events(&[&a]).as_bytes()).has_end);
    assert!(!stream.push(events(&[&plain_b]).as_bytes()).has_end);
    assert!(!stream.push(events(&[&b]).as_bytes()).has_end);
    let broken = failure(stream.finish_broken(&TransportError::Cut("reset".into())));
    assert_eq!((broken.cause.code(), &*broken.partial.unwrap().content), ("reply cut off", "abb"));
}

#[test]
fn an_answer_that_another_model_begins_anew_in_the_middle_is_none() {
    let piece = |id: &str, model: &str, text: &str| {
        let choices = json!([{"index":0,"delta":{"role":"assistant","content":text}}]);
        json!({"id": id, "model": model, "choices": choices}).to_string()
    };
    let ends = json!([{"index":0,"delta":{},"finish_reason":"stop"}]);
    let other_end = json!({"id": "2", "model": "other", "choices": ends}).to_string();
    let whole = answer(finished(&events(&[&piece("1", "m", "Paris"), &other_end])));
    assert_eq!(whole.content, "Paris");
    let stop = stopped("stop");
    let read = |second: &str| finished(&events(&[&piece("1", "m", "Half of an"), second, &stop]));
    let fallen_back = failure(read(&piece("2", "other", "Paris")));
    assert_eq!(fallen_back.class, FailureClass::Transient);
    assert!(fallen_back.partial.is_some(), "it was paid for");
    for (id, model) in [("1", "other"), ("2", "m"), ("", "other"), ("2", "")] {
        let same = answer(read(&piece(id, model, "other")));
        assert_eq!(same.content, "Half of another", "{id} {model}");
    }
}

#[test]
fn what_a_broken_stream_had_written_is_kept_and_after_its_end_nothing_is_broken() {
    let broken = [
        (TransportError::Cut("reset".into()), "reply cut off"),
        (TransportError::TimedOut(std::time::Duration::from_secs(9)), "timed out"),
    ];
    for (broken, cause) in broken {
        let mut half = stream(EVENTS);
        half.push(
            events(&[&delta(json!({"reasoning_content": "Hm."})), &content("Par")]).as_bytes(),
        );
        let half = failure(half.finish_broken(&broken));
        assert_eq!(
            (half.class, half.cause.code(), half.status),
            (FailureClass::Transient, cause, Some(200))
        );
        let partial = half.partial.unwrap();
        assert_eq!((&*partial.reasoning, &*partial.content), ("Hm.", "Par"));
        let mut whole = stream(EVENTS);
        whole.push(events(&[&content("Paris"), &stopped("stop")]).as_bytes());
        assert_eq!(answer(whole.finish_broken(&broken)).content, "Paris");
        let mut nothing = stream(EVENTS);
        nothing.push(b": keep-alive\n\n");
        assert_eq!(failure(nothing.finish_broken(&broken)).partial, None);
    }
}

#[test]
fn an_answer_in_one_piece_that_is_whole_needs_no_tidy_end() {
    let choice = |finish: &str| {
        let message = json!({"content": "Paris"});
        json!({"choices":[{"message":message,"finish_reason":finish}],"usage":{}}).to_string()
    };
    let whole = choice("stop");
    let broken = |status: u16, body: &str| {
        let mut stream = StreamParser::new(status, Vec::new());
        stream.push(body.as_bytes());
        stream.finish_broken(&TransportError::Cut(
            "connection closed before message completed".into(),
        ))
    };
    assert_eq!(answer(broken(200, &whole)).content, "Paris");
    let mut garbled = StreamParser::new(200, Vec::new());
    garbled.push(whole.as_bytes());
    let garbled = failure(garbled.finish_broken(&TransportError::Garbled("another sum".into())));
    assert_eq!(garbled.cause.code(), "reply cut off");
    assert_eq!(answer(broken(200, &format!("\u{feff} {whole}\n"))).content, "Paris");
    assert_eq!(failure(broken(200, &choice("length"))).class, FailureClass::CutByLength);
    for end in 1..whole.len() {
        assert_eq!(failure(broken(200, &whole[..end])).cause.code(), "reply cut off", "{end}");
    }
    for (status, body) in [
        (500, &*whole),
        (200, r#"{"choices":[{"message":{"content":"Paris"}}]}"#),
        (200, r#"{"error":{"code":401},"choices":[{"finish_reason":"stop"}]}"#),
        (200, "<html></html>"),
    ] {
        assert_eq!(failure(broken(status, body)).cause.code(), "reply cut off", "{body}");
    }
}

#[test]
fn a_refusal_whose_body_breaks_off_says_what_its_head_does() {
    use std::time::Duration;
    let read = |status: u16, wait: Option<&str>, body: &str, broken: &TransportError| {
        let wait = wait.map(|wait| ("retry-after".to_owned(), wait.to_owned()));
        let mut stream = StreamParser::new(status, wait.into_iter().collect());
        stream.push(body.as_bytes());
        failure(stream.finish_broken(broken))
    };
    let whole = r#"{"error":{"message":"Bad request: messages must not be empty"}}"#;
    let fifteen = Some(Duration::from_secs(15));
    for broken in [
        TransportError::Cut("end of file before message length reached".into()),
        TransportError::Reset("connection reset".into()),
        TransportError::Garbled("another sum".into()),
        TransportError::TimedOut(Duration::from_secs(9)),
    ] {
        for body in ["", r#"{"error":{"mess"#, "<html>", whole] {
            let class = |status, wait| read(status, wait, body, &broken).class;
            let throttled = |wait| FailureClass::Throttled { wait, width: None };
            assert_eq!(class(429, Some("15")), throttled(fifteen), "{broken:?} {body}");
            assert_eq!(class(429, None), throttled(None), "{broken:?} {body}");
            assert_eq!(class(529, Some("15")), throttled(fifteen), "{broken:?} {body}");
            assert_eq!(class(503, Some("15")), throttled(fifteen), "{broken:?} {body}");
            assert_eq!(class(401, None), FailureClass::KeyRefused, "{broken:?} {body}");
            assert_eq!(class(402, None), FailureClass::OutOfMoney, "{broken:?} {body}");
            let failed = read(500, Some("15"), body, &broken);
            assert_eq!((failed.class, failed.wait), (FailureClass::Transient, fifteen), "{body}");
            assert_eq!(failed.status, Some(500));
        }
        // What a refusal of the request is about is in its words.
        for status in [400, 403, 404, 422] {
            let cut = read(status, None, &whole[..30], &broken);
            assert_eq!((cut.class, cut.status), (FailureClass::Transient, Some(status)));
        }
    }
    let cut = TransportError::Cut("end of file before message length reached".into());
    let refused = FailureClass::Refused(crate::answer::Refusal::Request);
    assert_eq!(read(400, None, whole, &cut).class, refused);
    let quota =
        r#"{"error":{"code":"insufficient_quota","message":"You exceeded your current quota"}}"#;
    assert_eq!(read(429, None, quota, &cut).class, FailureClass::OutOfMoney);
    let broken_off = read(429, None, &quota[..quota.len() - 2], &cut).class;
    assert_eq!(broken_off, FailureClass::Throttled { wait: None, width: None });
}

#[test]
fn an_error_in_words_before_the_end_is_no_end() {
    let before = events(&[&content("Half an")]);
    let cut = format!("{before}data: Error: upstream connection reset\n\ndata: [DONE]\n\n");
    let failure = failure(finished(&cut));
    assert_eq!(failure.class, FailureClass::Transient);
    assert!(failure.message.contains("upstream connection reset"), "{}", failure.message);
    let ping = format!("{before}data: ping\n\ndata: [DONE]\n\n");
    assert_eq!(answer(finished(&ping)).content, "Half an");
}

#[test]
fn an_answer_as_long_as_its_limit_is_told_and_one_that_also_breaks_off_is_cut() {
    let of = |content: &str, tokens: u64| {
        let usage = json!({ "prompt_tokens": 3, "completion_tokens": tokens });
        let message = json!({ "content": content });
        let choice = json!({ "message": message, "finish_reason": "stop" });
        let whole = json!({ "choices": [choice], "usage": usage }).to_string();
        let counts = json!({ "choices": [], "usage": usage }).to_string();
        let pieces = [&*delta(message), &stopped("stop"), &counts, "[DONE]"];
        [whole, events(&pieces)]
    };
    let reading = |body: &str, limit| {
        let mut stream = stream("").with_token_limit(limit);
        stream.push(body.as_bytes());
        stream.finish()
    };
    let (half, whole) = ("Once upon a time there was a", "Once there was a cat.");
    for body in of(half, 20) {
        let cut = failure(reading(&body, Some(20)));
        assert_eq!((cut.class, cut.cause.code()), (FailureClass::CutByLength, "length limit"));
        assert!(cut.message.contains("after 20 tokens, though"), "{}", cut.message);
        assert_eq!(cut.partial.unwrap().content, half);
        assert!(!answer(reading(&body, Some(21))).at_token_limit);
        assert!(!answer(reading(&body, None)).at_token_limit);
    }
    for content in [whole, "Paris"] {
        for body in of(content, 20) {
            let told = answer(reading(&body, Some(20)));
            assert_eq!((&*told.content, told.at_token_limit), (content, true));
        }
    }
    for body in of("<think>We", 20) {
        assert_eq!(failure(reading(&body, Some(20))).class, FailureClass::CutByLength);
    }
}

#[test]
fn where_most_answers_have_a_reason_to_stop_one_without_is_cut() {
    let known = FinishReasons::new(true);
    let mut known_stream = stream(EVENTS);
    known_stream.push(events(&[&content("Paris is"), "[DONE]"]).as_bytes());
    known_stream.compare_end(&known);
    assert_eq!(failure(known_stream.finish()).cause.code(), "reply cut off");
    let reasons = FinishReasons::new(false);
    let read = |pieces: &[&str]| {
        let mut stream = stream(EVENTS);
        stream.push(events(pieces).as_bytes());
        stream.compare_end(&reasons);
        stream.finish()
    };
    let (text, stop) = (content("Paris is"), stopped("stop"));
    let without = [text.as_str(), "[DONE]"];
    assert_eq!(answer(read(&without)).content, "Paris is", "nothing is known of the service yet");
    for _ in 0..3 {
        assert_eq!(answer(read(&[&text, &stop, "[DONE]"])).content, "Paris is");
    }
    let cut = failure(read(&without));
    assert_eq!((cut.class, cut.cause.code()), (FailureClass::Transient, "reply cut off"));
    assert_eq!(cut.partial.unwrap().content, "Paris is");
    // A server behind the same gateway that never gives one is believed in the end.
    let read_of_many =
        (0..9).map(|_| read(&without)).filter(|one| matches!(one, ParsedReply::Answer(_)));
    assert!(read_of_many.count() > 6);
}

#[test]
fn no_line_of_an_answer_is_lost_for_the_name_of_its_field() {
    let [one, two] = [content("Paris "), content("is it.")];
    for body in [
        format!("Data: {one}\n\ndata: {two}\n\n"),
        format!("data: {one}\n\n{two}\n\n"),
        format!("data: {one}\n\nDATA:{two}\n\n"),
    ] {
        let body = body + &events(&[&stopped("stop"), "[DONE]"]);
        assert_eq!(answer(finished(&body)).content, "Paris is it.", "{body}");
    }
}

#[test]
fn an_error_that_a_server_names_beside_the_usual_places_is_no_end() {
    let error = r#"{"code":500,"message":"context shift failed","type":"server_error"}"#;
    for body in [
        events(&[&content("Paris is")]) + &format!("error: {error}\n\n") + &events(&["[DONE]"]),
        events(&[&content("Paris is")]) + "<html>502 Bad Gateway</html>\n\n" + &events(&["[DONE]"]),
        events(&[&content("Paris is")]) + "event: error\n\n" + &events(&["[DONE]"]),
        events(&[&content("Paris is")])
            + &json!({ "error": { "message": "overloaded" } }).to_string()
            + "\n\n"
            + &events(&["[DONE]"]),
        events(&[
            &content("Paris is"),
            &delta(json!({ "error": { "message": "overloaded" } })),
            "[DONE]",
        ]),
        events(&[
            &content("Paris is"),
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"error":"over capacity"}}"#,
            "[DONE]",
        ]),
    ] {
        let failure = failure(finished(&body));
        assert_eq!(failure.class, FailureClass::Transient, "{body}: {failure:?}");
        assert_eq!(failure.partial.unwrap().content, "Paris is", "{body}");
    }
}
