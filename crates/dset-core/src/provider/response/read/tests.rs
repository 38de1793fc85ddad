use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::answer::{MESSAGE_CHARS_MAX, Refusal, Usage};

fn parse(fixture: &[u8]) -> HttpReply {
    let end = fixture.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(fixture[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    HttpReply::new(status, headers, fixture[end + 4..].to_vec())
}

#[allow(clippy::disallowed_methods, reason = "fixtures are files; the code under test is not")]
pub(in crate::provider) fn fixtures() -> Vec<(String, HttpReply, Value)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/replies");
    let index = std::fs::read_to_string(folder.join("index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let fixtures = index["fixtures"].as_array().unwrap();
    fixtures
        .iter()
        .map(|fixture| {
            let file = fixture["file"].as_str().unwrap().to_owned();
            let reply = parse(&std::fs::read(folder.join(&file)).unwrap());
            (file, reply, fixture["expect"].clone())
        })
        .collect()
}

fn outcome(reading: &ParsedReply) -> &'static str {
    let failure = match reading {
        ParsedReply::Answer(_) => return "ok",
        ParsedReply::Failure(failure) => failure,
    };
    match failure.class {
        FailureClass::Throttled { .. } | FailureClass::Transient | FailureClass::Empty => "retry",
        FailureClass::CutByLength => "truncated",
        FailureClass::FailedCheck => unreachable!("no reply says so"),
        FailureClass::Refused(Refusal::Moderation) => "refused",
        FailureClass::Refused(Refusal::Settings | Refusal::Address)
        | FailureClass::OtherApi
        | FailureClass::KeyRefused
        | FailureClass::Forbidden
        | FailureClass::OutOfMoney => "stop_run",
        FailureClass::Refused(Refusal::Request | Refusal::Question) => "bad_request",
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "fixtures are files; the code under test is not")]
fn every_reply_on_file_is_in_the_index_and_every_service_has_replies_on_file() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/replies");
    let mut files = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            for file in std::fs::read_dir(entry.path()).unwrap().map(Result::unwrap) {
                files.insert(format!("{name}/{}", file.file_name().to_str().unwrap()));
            }
        } else if name != "index.json" {
            files.insert(name);
        }
    }
    let indexed = fixtures().into_iter().map(|(file, ..)| file).collect();
    assert_eq!(files, indexed);
    for preset in crate::provider::presets() {
        let own = |file: &&String| {
            file.starts_with(&format!("{}/", preset.id))
                || file.contains(&format!("-{}-", preset.id))
        };
        let is_any = preset.id.ends_with("-compatible");
        assert!(is_any || files.iter().find(own).is_some(), "{}", preset.id);
    }
}

#[test]
fn every_reply_on_file_is_read_as_it_must_be() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 37 + 40);
    for (file, reply, expect) in fixtures {
        let reading = parse_reply(&reply);
        // The parameter that only some models refuse is refused for every question alike.
        let expected = match expect["outcome"].as_str().unwrap() {
            "retry_with_limit" => "retry",
            "bad_request" if file.starts_with("36-") => "stop_run",
            outcome => outcome,
        };
        assert_eq!(outcome(&reading), expected, "{file}: {reading:?}");
        let answer = match &reading {
            ParsedReply::Answer(answer) => Some(answer),
            ParsedReply::Failure(failure) => failure.partial.as_deref(),
        };
        let check = |name: &str, found: Option<String>| {
            if let Some(value) = expect.get(name).filter(|value| !value.is_null()) {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                assert_eq!(found, Some(value), "{file}: {name}");
            }
        };
        let number = |count: Option<u64>| count.map(|count| count.to_string());
        check("content", answer.map(|a| a.content.clone()));
        check("reasoning", answer.map(|a| a.reasoning.clone()));
        check("finish", answer.map(|a| a.finish_reason.clone()));
        check("input", answer.and_then(|a| number(a.usage.input)));
        check("cached", answer.and_then(|a| number(a.usage.cached)));
        check("output", answer.and_then(|a| number(a.usage.output)));
        check("reasoning_tokens", answer.and_then(|a| number(a.usage.reasoning)));
        if let ParsedReply::Answer(answer) = &reading {
            check("request_id", answer.request_id.clone());
        }
        if let ParsedReply::Failure(failure) = &reading {
            let (wait, width) = match failure.class {
                FailureClass::Throttled { wait, width } => (wait, width),
                _ => (None, None),
            };
            check("retry_after_ms", wait.map(|w| (w.as_secs_f64() * 1000.0).round().to_string()));
            check("new_concurrency_limit", width.map(|w| w.to_string()));
            check("effective_status", failure.status.map(|s| s.to_string()));
            check("cause", Some(failure.cause.to_string()));
            check("message", Some(failure.message.clone()));
            check("request_id", failure.request_id.clone());
        }
    }
}

fn reply(status: u16, body: &str) -> HttpReply {
    HttpReply::new(status, Vec::new(), body.into())
}

fn class(status: u16, body: &str) -> FailureClass {
    match parse_reply(&reply(status, body)) {
        ParsedReply::Failure(failure) => failure.class,
        ParsedReply::Answer(answer) => panic!("an answer: {answer:?}"),
    }
}

fn choice(finish: &str, content: &str) -> String {
    format!(r#"{{"choices":[{{"message":{{"content":"{content}"}},"finish_reason":{finish}}}]}}"#)
}

#[test]
fn finish_reasons_are_an_open_list_in_which_half_an_answer_is_told_by_stems() {
    for finish in ["stop", "eos", "STOP", "tool_calls", "function_call", "a word of tomorrow"] {
        let body = choice(&format!("\"{finish}\""), "a");
        assert!(matches!(parse_reply(&reply(200, &body)), ParsedReply::Answer(_)), "{finish}");
    }
    assert!(matches!(parse_reply(&reply(200, &choice("null", "a"))), ParsedReply::Answer(_)));
    let filtered = FailureClass::Refused(Refusal::Moderation);
    for (class_expected, finishes) in [
        (
            FailureClass::CutByLength,
            &["length", "LENGTH", "MAX_TOKENS", "token_limit", "token_cap", "max_output_tokens"][..],
        ),
        (
            FailureClass::CutByLength,
            &["max_new_tokens", "model_length", "contextLengthReached", "ERROR_LIMIT"],
        ),
        (FailureClass::CutByLength, &["model_context_window_exceeded", "reached_max_tokens"]),
        (
            FailureClass::CutByLength,
            &["FinishReason.MAX_TOKENS", "FINISH_REASON_MAX_TOKENS", "REASON_MAX_LEN", "maxTokens"],
        ),
        (
            FailureClass::Transient,
            &["aborted", "abort", "cancelled", "canceled", "timeout", "request_timeout", "error"],
        ),
        (FailureClass::Transient, &["incomplete", "not_finished", "error: upstream", "rate_limit"]),
        (FailureClass::Transient, &["time_limit", "internal_error", "model_error", "preempted"]),
        (
            FailureClass::Transient,
            &["engine_overloaded", "out_of_memory", "kv_cache_full", "USER_CANCEL"],
        ),
        (FailureClass::Transient, &["MALFORMED_FUNCTION_CALL"]),
        (FailureClass::CutByLength, &["repetition_truncation", "repetition"]),
        (filtered, &["LANGUAGE"]),
        (
            filtered,
            &["content_filter", "content_filter: RECITATION", "content_filter: PROHIBITED_CONTENT"],
        ),
        (filtered, &["SAFETY", "image_safety", "RECITATION", "PROHIBITED_CONTENT", "ERROR_TOXIC"]),
        (filtered, &["FinishReason.RECITATION", "FINISH_REASON_SPII", "FinishReason.SAFETY"]),
        (filtered, &["content_policy_violation", "policy_violation", "filtered"]),
        (filtered, &["guardrail_intervened", "content_filtered", "censored", "refusal", "SPII"]),
    ] {
        for finish in finishes {
            let body = choice(&format!("\"{finish}\""), "a");
            assert_eq!(class(200, &body), class_expected, "{finish}");
        }
    }
    // The model would do so again.
    let body = choice("\"MALFORMED_FUNCTION_CALL\"", "");
    assert_eq!(class(200, &body), FailureClass::Empty);
    // Gemini leaves the message out where it filters.
    let body = r#"{"choices":[{"index":0,"finish_reason":"content_filter: PROHIBITED_CONTENT"}]}"#;
    assert_eq!(class(200, body), filtered);
}

#[test]
fn a_reason_that_a_proxy_translated_is_outranked_by_the_native_one() {
    let body = r#"{"choices":[{"message":{"content":"half"},"finish_reason":"STOP",
        "provider_specific_fields":{"native_finish_reason":"insufficient_system_resource"}}]}"#;
    assert_eq!(class(200, body), FailureClass::Transient);
}

#[test]
fn words_of_a_proxy_behind_an_answer_do_not_lose_it() {
    let body = choice(r#""stop""#, "an answer");
    let read = |rest: &str| parse_reply(&reply(200, &format!("{body}{rest}")));
    for rest in ["\n<!-- proxied -->", " ok", "\0"] {
        let ParsedReply::Answer(answer) = read(rest) else { panic!("{rest}: {:?}", read(rest)) };
        assert_eq!(answer.content, "an answer");
    }
    for rest in ["{}", "\n[1]"] {
        assert!(matches!(read(rest), ParsedReply::Failure(_)), "{rest}");
    }
}

#[test]
fn half_an_emoji_does_not_lose_an_answer() {
    let ParsedReply::Answer(answer) =
        parse_reply(&reply(200, &choice(r#""stop""#, r"a\ud83d b \ud83d\ude00 \\ud83d")))
    else {
        panic!("not read")
    };
    assert_eq!(answer.content, "a\u{fffd} b \u{1f600} \\ud83d");
}

#[test]
fn counts_may_be_strings_and_absent_ones_are_not_zero() {
    let body = r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":"12","completion_tokens":null,"prompt_tokens_details":null}}"#;
    let ParsedReply::Answer(answer) = parse_reply(&reply(200, body)) else { panic!("not read") };
    assert_eq!(answer.usage, Usage { input: Some(12), ..Usage::default() });
}

/// Reads a reply that must be an answer.
fn said(body: &str) -> String {
    match parse_reply(&reply(200, body)) {
        ParsedReply::Answer(answer) => answer.content,
        ParsedReply::Failure(failure) => panic!("{body}: {failure:?}"),
    }
}

#[test]
fn no_answer_is_lost_to_what_stands_beside_it() {
    let good = r#"{"id":"c","choices":[{"index":0,"message":{"content":"Four"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"total_tokens":9}}"#;
    let counts = r#"{"prompt_tokens":5,"total_tokens":9}"#;
    let beside = |field: &str| good.replacen('{', &format!("{{{field},"), 1);
    let mut bodies = Vec::new();
    for error in [r#"{}"#, r#""""#, "false", "[]", "null", r#"{"code":0,"message":""}"#] {
        bodies.push(beside(&format!(r#""error":{error}"#)));
    }
    for other in [r#""none""#, "0", "[]", "true", "null", "[{}]"] {
        bodies.push(good.replace(counts, other));
        for details in ["prompt_tokens_details", "completion_tokens_details"] {
            bodies.push(good.replace(r#""total_tokens""#, &format!(r#""{details}":{other},"t""#)));
        }
        bodies.push(beside(&format!(r#""x_groq":{other}"#)));
        bodies.push(beside(&format!(r#""x_groq":{{"usage":{other}}}"#)));
        let fields = format!(r#""provider_specific_fields":{other},"finish_reason""#);
        bodies.push(good.replace(r#""finish_reason""#, &fields));
        bodies.push(beside(&format!(r#""delta":{other},"content_block":{other}"#)));
    }
    for twice in [r#""id":"d""#, r#""usage":{"prompt_tokens":1}"#, r#""object":"a","object":"b""#] {
        bodies.push(format!("{},{twice}}}", &good[..good.len() - 1]));
    }
    let content = r#""content":"Four""#;
    for other in [
        r#""content":"lost","content":"Four""#,
        r#""reasoning_content":"Hm.","content":"Four","reasoning_content":"Hm.""#,
        r#""content":{"type":"text","text":"Four"}"#,
        r#""content":"Four","reasoning":false,"reasoning_details":false,"refusal":{}"#,
        r#""content":["Four"]"#,
        r#""content":["Fo",{"type":"text","text":"ur"},null]"#,
    ] {
        bodies.push(good.replace(content, other));
    }
    for number in ["NaN", "Infinity", "-Infinity", r#"{"a":[-Infinity,NaN]}"#] {
        bodies.push(beside(&format!(r#""score":{number}"#)));
    }
    bodies.push(good.replace(r#""index":0"#, r#""index":1"#));
    bodies.push(good.replace("[{\"index", "[null,{\"index"));
    bodies
        .push(good.replace("[{\"index", "[{\"index\":2,\"message\":{\"content\":\"2\"}},{\"index"));
    bodies.push(good.replace(['[', ']'], ""));
    for body in bodies {
        assert_eq!(said(&body), "Four", "{body}");
    }
    // Nothing that is no text becomes one, and an error is one beside an answer too.
    assert_eq!(class(200, &good.replace("\"Four\"", "[4]")), FailureClass::Empty);
    for error in [r#""boom""#, "true", r#"{"code":0,"message":"boom"}"#] {
        let body = beside(&format!(r#""error":{error}"#));
        assert_eq!(class(200, &body), FailureClass::Transient, "{body}");
    }
}

#[test]
fn a_text_with_raw_control_characters_is_read_and_so_are_words_that_look_like_numbers() {
    let body = choice(r#""stop""#, "a\tb\nc\u{1}d NaN \\\"NaN, \\u0041 \\n Infinity");
    assert_eq!(said(&body), "a\tb\nc d NaN \"NaN, A \n Infinity");
    let body = r#"{"x":NaN,"choices":[{"message":{"content":"NaN \ud83d"}}]}"#;
    assert_eq!(said(body), "NaN \u{fffd}");
}

#[test]
fn odd_errors_of_real_servers_are_told_apart() {
    use FailureClass::{Forbidden, KeyRefused, OutOfMoney, Refused, Transient};
    for (status, body, expected) in [
        (
            400,
            r#"{"error":{"message":"No connected db.","type":"no_db_connection","code":"400"}}"#,
            KeyRefused,
        ),
        (401, r#"{"detail":"Invalid API key"}"#, KeyRefused),
        (403, r#"{"error":{"message":"Forbidden"}}"#, Forbidden),
        (404, r#"{"detail":"Not Found"}"#, Refused(Refusal::Address)),
        (408, r#"{"error":{"type":"invalid_request_error","code":"408"}}"#, Transient),
        (500, "Internal Server Error", Transient),
        (302, "", Refused(Refusal::Settings)),
        (413, "", Refused(Refusal::Question)),
        (413, "<html>413 Request Entity Too Large</html>", Refused(Refusal::Question)),
        (
            400,
            r#"{"error":{"message":"Invalid max_tokens value, the valid range of max_tokens is [1, 393216]"}}"#,
            Refused(Refusal::Settings),
        ),
        (402, r#"{"error":{"message":"Insufficient Balance"}}"#, OutOfMoney),
        (403, r#"{"error":{"message":"Key limit exceeded (daily limit)."}}"#, OutOfMoney),
        (403, r#"{"error":{"message":"x","code":"insufficient_user_quota"}}"#, OutOfMoney),
        (
            429,
            r#"{"error":{"message":"per-key limit exceeded"}}"#,
            FailureClass::Throttled { wait: None, width: None },
        ),
        (403, r#"{"error":{"message":"用户额度不足, 剩余额度: 0"}}"#, OutOfMoney),
        (403, r#"{"error":{"code":"pre_consume_token_quota_failed"}}"#, OutOfMoney),
        (403, r#"{"error":{"message":"token quota is not enough"}}"#, OutOfMoney),
        (
            429,
            r#"{"error":{"message":"Request too large for gpt-4o in organization o on tokens per min (TPM): Limit 30000, Requested 342389. The input or output tokens must be reduced in order to run successfully.","type":"tokens","code":"rate_limit_exceeded"}}"#,
            Refused(Refusal::Question),
        ),
        (
            424,
            r#"{"error":"Request failed during generation: Server error: CUDA error"}"#,
            Transient,
        ),
        (423, "locked", Transient),
        (449, "", Transient),
        (498, r#"{"error":{"message":"Flex tier capacity exceeded"}}"#, Transient),
        (499, "", Transient),
        (200, r#"{"object":"error","message":"x"}"#, Transient),
        (200, "[]", Transient),
        (200, "{}", Transient),
        (200, "<html><title>Hello</title></html>", Refused(Refusal::Address)),
    ] {
        assert_eq!(class(status, body), expected, "{status} {body}");
    }
}

#[test]
fn the_words_of_a_question_that_an_error_repeats_are_no_reason() {
    for word in ["insufficient balance", "unknown model", "moderation", "incorrect api key"] {
        let sent = serde_json::json!({"messages":[{"role":"user","content":word}]});
        for name in ["input", "ctx", "body"] {
            let detail = serde_json::json!({"type":"value_error","loc":["body","messages"],
                "msg":"bad value",name:sent});
            let body = serde_json::json!({"detail":[detail]}).to_string();
            assert_eq!(class(422, &body), FailureClass::Refused(Refusal::Request), "{body}");
            let body = serde_json::json!({"detail":"bad value",name:sent}).to_string();
            assert_eq!(class(422, &body), FailureClass::Refused(Refusal::Request), "{body}");
        }
    }
    let body = r#"{"detail":[{"type":"extra_forbidden","loc":["body","top_k"],"msg":"no"}]}"#;
    assert_eq!(class(422, body), FailureClass::Refused(Refusal::Settings));
    let body = r#"{"error":{"message":"x","body":{"error":{"code":"insufficient_quota"}}}}"#;
    assert_eq!(class(429, body), FailureClass::OutOfMoney);
}

#[test]
fn a_403_that_names_a_wait_is_a_matter_of_pace() {
    let mut limited = reply(403, r#"{"message":"You have exceeded a secondary rate limit."}"#);
    limited.headers = vec![("retry-after".into(), "60".into())];
    let ParsedReply::Failure(failure) = parse_reply(&limited) else { panic!("no failure") };
    let wait = Some(std::time::Duration::from_secs(60));
    assert_eq!(failure.class, FailureClass::Throttled { wait, width: None });
}

#[test]
fn an_error_in_a_200_that_no_other_try_will_mend_is_told_by_its_words() {
    use FailureClass::{KeyRefused, OutOfMoney, Refused, Transient};
    let openai = |message: &str, kind: &str, code: &str| {
        serde_json::json!({"error":{"message":message,"type":kind,"code":code}}).to_string()
    };
    let asked = "invalid_request_error";
    let policy = "Output blocked by content filtering policy";
    for (error, expected) in [
        (
            openai("Output data may be bad.", "data_inspection_failed", "data_inspection_failed"),
            Refused(Refusal::Moderation),
        ),
        (openai("The response was filtered", "", "content_filter"), Refused(Refusal::Moderation)),
        (
            serde_json::json!({"type":"error","error":{"type":asked,"message":policy}}).to_string(),
            Refused(Refusal::Moderation),
        ),
        (
            r#"{"code":"DataInspectionFailed","message":"Input data …","request_id":"x"}"#.into(),
            Refused(Refusal::Moderation),
        ),
        (openai("x", asked, "context_length_exceeded"), Refused(Refusal::Question)),
        (openai("Insufficient Balance", "unknown_error", asked), OutOfMoney),
        (r#"{"code":"Arrearage","message":"Access denied."}"#.into(), OutOfMoney),
        (openai("Incorrect API key provided", asked, ""), KeyRefused),
        (r#"{"code":"InvalidApiKey","message":"No."}"#.into(), KeyRefused),
        (openai("no such model", asked, "model_not_found"), Refused(Refusal::Settings)),
        (
            r#"{"code":"Throttling.RateQuota","message":"x"}"#.into(),
            FailureClass::Throttled { wait: None, width: None },
        ),
        (openai("the engine died", asked, ""), Transient),
        (r#"{"code":"InternalError","message":"x"}"#.into(), Transient),
    ] {
        assert_eq!(class(200, &error), expected, "{error}");
        let half = r#"{"choices":[{"delta":{"content":"Half"}}]}"#;
        let stream = format!("data: {half}\n\nevent: error\ndata: {error}\n\n");
        let ParsedReply::Failure(failure) = parse_reply(&reply(200, &stream)) else {
            panic!("{error}")
        };
        assert_eq!(failure.class, expected, "{stream}");
        assert_eq!(failure.partial.unwrap().content, "Half", "{stream}");
    }
}

#[test]
fn a_message_beside_a_code_of_success_is_no_error() {
    let body = r#"{"code":"Success","message":"insufficient balance"}"#;
    assert_eq!(class(200, body), FailureClass::OtherApi);
    let stream = format!("event: error\ndata: {body}\n\n");
    assert_eq!(class(200, &stream), FailureClass::OtherApi);
}

#[test]
fn the_same_refusal_of_different_questions_has_one_signature() {
    let signature = crate::provider::refusal_signature;
    assert_eq!(
        signature("bad value 12 at req_0a1b2c3d4e (request_id: 1-2)"),
        signature("bad value 7 at req_ffffffff00 (request_id: 3)")
    );
    assert_ne!(signature("bad value"), signature("bad question"));
}

proptest! {
    #[test]
    fn no_bytes_panic_and_messages_are_bounded(
        status in 100u16..1000,
        body in prop::collection::vec(any::<u8>(), 0..400),
        json in r#"[\[{"a-z:,0-9\\u}\] d8]{0,200}"#,
        header in "[ -~]{0,40}",
    ) {
        for body in [body, json.into_bytes()] {
            let headers = vec![("retry-after".to_owned(), header.clone())];
            if let ParsedReply::Failure(failure) = parse_reply(&HttpReply::new(status, headers, body)) {
                prop_assert!(failure.message.chars().count() <= MESSAGE_CHARS_MAX);
                prop_assert!(!failure.message.contains(char::is_control));
            }
        }
    }
}

#[test]
fn a_hostile_depth_is_an_unreadable_reply() {
    assert_eq!(class(200, &"[".repeat(100_000)), FailureClass::Transient);
    assert_eq!(class(400, &"[".repeat(100_000)), FailureClass::Refused(Refusal::Request));
}

#[test]
fn a_count_that_overflows_every_sum_is_none() {
    let most = u64::MAX;
    for usage in [
        format!(r#"{{"input_tokens":{most},"cache_read_input_tokens":{most}}}"#),
        format!(r#"{{"prompt_tokens":"{most}","completion_tokens":{most}}}"#),
        r#"{"prompt_tokens":1e300,"completion_tokens":-1}"#.to_owned(),
    ] {
        let body = choice("null", "Hello").replacen('{', &format!(r#"{{"usage":{usage},"#), 1);
        let ParsedReply::Answer(answer) = parse_reply(&reply(200, &body)) else { panic!("{body}") };
        assert_eq!((answer.usage.input, answer.usage.output), (None, None), "{usage}");
    }
}

#[test]
fn of_several_choices_the_first_is_read_and_of_a_long_error_the_beginning() {
    let body = r#"{"choices":[{"message":{"content":"first"}},{"message":7},null]}"#;
    let ParsedReply::Answer(answer) = parse_reply(&reply(200, body)) else { panic!("{body}") };
    assert_eq!(answer.content, "first");
    let long = format!(r#"{{"error":{{"message":"{}","code":429}}}}"#, "no ".repeat(100_000));
    for status in [200, 500] {
        let ParsedReply::Failure(failure) = parse_reply(&reply(status, &long)) else {
            panic!("{status}")
        };
        assert_eq!(
            (failure.class, failure.cause.code()),
            (FailureClass::Transient, "server error")
        );
        assert!(failure.message.starts_with(r#"{"#) && failure.message.contains("no no no"));
    }
}

#[test]
fn a_server_error_may_ask_to_be_left_alone_as_well() {
    for status in [408, 500, 502, 504, 520] {
        let headers = vec![("retry-after".to_owned(), "5".to_owned())];
        let ParsedReply::Failure(failure) =
            parse_reply(&HttpReply::new(status, headers, Vec::new()))
        else {
            panic!("{status} is a failure");
        };
        assert_eq!(failure.class, FailureClass::Transient);
        assert_eq!(failure.wait, Some(std::time::Duration::from_secs(5)), "{status}");
    }
}

#[test]
fn of_two_reasons_the_one_that_leaves_half_an_answer_counts() {
    for (reason, native, expected) in [
        ("length", "CAPPED", FailureClass::CutByLength),
        ("length", "done", FailureClass::CutByLength),
        ("content_filter", "done", FailureClass::Refused(Refusal::Moderation)),
        ("stop", "MAX_TOKENS", FailureClass::CutByLength),
    ] {
        let body = format!(
            r#"{{"choices":[{{"message":{{"content":"half"}},"finish_reason":"{reason}",
            "provider_specific_fields":{{"native_finish_reason":"{native}"}}}}]}}"#
        );
        assert_eq!(class(200, &body), expected, "{reason}, {native}");
    }
}

#[test]
fn an_error_of_a_choice_is_one_and_a_success_in_its_place_is_none() {
    let with = |beside: &str, of_choice: &str| {
        format!(
            r#"{{{beside}"choices":[{{"message":{{"content":"a"}},"finish_reason":"stop"{of_choice}}}]}}"#
        )
    };
    let failed = with("", r#","error":{"code":502,"message":"upstream reset"}"#);
    assert_eq!(class(200, &failed), FailureClass::Transient);
    for none in [
        r#"{"code":200,"message":"success"}"#,
        r#"{"code":0,"message":"ok"}"#,
        r#""none""#,
        r#""null""#,
    ] {
        let body = with(&format!(r#""error":{none},"#), "");
        assert!(matches!(parse_reply(&reply(200, &body)), ParsedReply::Answer(_)), "{none}");
    }
}

#[test]
fn zeros_beside_a_text_are_unknown_and_a_cost_is_kept() {
    let with = |usage: &str| {
        let body = format!(
            r#"{{"choices":[{{"message":{{"content":"4"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
        );
        match parse_reply(&reply(200, &body)) {
            ParsedReply::Answer(answer) => answer,
            ParsedReply::Failure(failure) => panic!("{failure:?}"),
        }
    };
    let zeros = with(r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#);
    assert_eq!(zeros.usage, Usage::default());
    let priced = with(r#"{"prompt_tokens":5,"completion_tokens":7,"cost":0.00014}"#);
    assert_eq!((priced.usage.output, priced.cost), (Some(7), Some(0.00014)));
}
