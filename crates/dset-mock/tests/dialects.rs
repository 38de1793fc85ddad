//! Every service that is pretended, over the wire: an answer, a stream, a refusal, an error.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Reply, Service, post, question};
use dset_mock::{Dialect, MockSettings, RetryAfter};
use serde_json::{Value, json};

/// What is told about a dialect here, in words of its own.
struct Told {
    name: &'static str,
    /// Where the reasoning is found, in a message and in a delta.
    thought: &'static str,
    /// Where an error's code is found, and what it is for a 429.
    code: (&'static str, Value),
    request_id: Option<&'static str>,
    rate_header: &'static str,
    wait: Option<&'static str>,
}

const RETRY_AFTER: Option<&str> = Some("retry-after");
const X_LIMIT: &str = "x-ratelimit-limit-requests";

fn told() -> Vec<Told> {
    let line = |name, thought, code, request_id, rate_header, wait| Told {
        name,
        thought,
        code,
        request_id,
        rate_header,
        wait,
    };
    let code = "/error/code";
    let limit = || (code, json!("rate_limit_exceeded"));
    let (id, content) = (Some("x-request-id"), "reasoning_content");
    vec![
        line("deepseek", content, (code, json!("invalid_request_error")), id, X_LIMIT, RETRY_AFTER),
        line("openai", "", limit(), id, X_LIMIT, Some("retry-after-ms")),
        line("azure", "", limit(), Some("apim-request-id"), X_LIMIT, Some("retry-after-ms")),
        line("openrouter", "reasoning", (code, json!(429)), None, X_LIMIT, RETRY_AFTER),
        line(
            "anthropic",
            "",
            limit(),
            Some("request-id"),
            "anthropic-ratelimit-requests-limit",
            RETRY_AFTER,
        ),
        line("gemini", "", ("/0/error/status", json!("RESOURCE_EXHAUSTED")), None, X_LIMIT, None),
        line("mistral", "chunks", ("/code", json!("429")), None, X_LIMIT, RETRY_AFTER),
        line("groq", "reasoning", limit(), id, X_LIMIT, RETRY_AFTER),
        line(
            "together",
            "reasoning",
            limit(),
            None,
            "x-ratelimit-limit",
            Some("x-ratelimit-reset"),
        ),
        line("fireworks", content, limit(), None, X_LIMIT, RETRY_AFTER),
        line("xai", content, limit(), None, X_LIMIT, RETRY_AFTER),
        line("moonshot", content, limit(), None, X_LIMIT, RETRY_AFTER),
        line("qwen", content, limit(), None, X_LIMIT, RETRY_AFTER),
        line("zai", content, limit(), None, X_LIMIT, RETRY_AFTER),
        line("cerebras", "reasoning", limit(), None, X_LIMIT, RETRY_AFTER),
        line("nvidia", "<think>", limit(), None, X_LIMIT, RETRY_AFTER),
        line("vllm", "reasoning", (code, json!(429)), None, X_LIMIT, RETRY_AFTER),
        line("sglang", content, (code, json!(429)), None, X_LIMIT, RETRY_AFTER),
        line("llamacpp", content, (code, json!(429)), None, X_LIMIT, RETRY_AFTER),
        line("ollama", "reasoning", limit(), None, X_LIMIT, RETRY_AFTER),
        line("lmstudio", "<think>", limit(), None, X_LIMIT, RETRY_AFTER),
        line(
            "litellm",
            content,
            (code, json!("429")),
            Some("x-litellm-call-id"),
            X_LIMIT,
            RETRY_AFTER,
        ),
    ]
}

fn start(name: &str, settings: MockSettings) -> Service {
    Service::start(MockSettings { dialect: name.parse().unwrap(), ..settings })
}

fn stream(service: &Service, text: &str) -> Reply {
    let mut body = question(text);
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    post(service.addr(), "/any/prefix/chat/completions", &[], &body).unwrap()
}

/// The reasoning and the answer in a message, or in a delta.
fn read(message: &Value, thought: &str) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let content = &message["content"];
    match (thought, content) {
        ("", _) => (String::new(), text(content)),
        ("chunks", Value::Array(chunks)) => {
            let of = |kind: &str| chunks.iter().find(|chunk| chunk["type"] == kind);
            let thought = of("thinking").map(|chunk| text(&chunk["thinking"][0]["text"]));
            let content = of("text").map(|chunk| text(&chunk["text"]));
            (thought.unwrap_or_default(), content.unwrap_or_default())
        }
        (field, _) => (text(&message[field]), text(content)),
    }
}

fn without_tags(thought: &str, read: (String, String)) -> (String, String) {
    if thought != "<think>" {
        return read;
    }
    let (inside, after) = read.1.strip_prefix("<think>\n").unwrap().split_once("</think>").unwrap();
    (inside.trim().to_owned(), after.trim().to_owned())
}

/// What was answered, put together from its pieces.
fn join(reply: &Reply, thought: &str) -> (String, String) {
    let mut all = (String::new(), String::new());
    for event in reply.events() {
        let Ok(chunk) = serde_json::from_str::<Value>(event) else { continue };
        let (reasoning, content) = read(&chunk["choices"][0]["delta"], thought);
        all.0 += &reasoning;
        all.1 += &content;
    }
    without_tags(thought, all)
}

#[test]
fn every_dialect_answers_streams_refuses_and_fails_in_its_own_way() {
    let told = told();
    let names: Vec<&str> = told.iter().map(|told| told.name).collect();
    assert_eq!(names, Dialect::all().map(Dialect::name).collect::<Vec<_>>());
    for told in &told {
        an_answer_and_its_stream_are_the_same(told);
        a_429_and_a_5xx_have_its_shape(told);
    }
}

fn an_answer_and_its_stream_are_the_same(told: &Told) {
    let Told { name, thought, .. } = told;
    let service = start(name, MockSettings::default());
    let whole = service.ask("why?");
    assert_eq!(whole.status, 200, "{name}");
    let body = whole.json();
    let answer = without_tags(thought, read(&body["choices"][0]["message"], thought));
    assert!(answer.1.starts_with("The answer is "), "{name}: {body}");
    assert_eq!(answer.0.is_empty(), thought.is_empty(), "{name}: {body}");
    assert_eq!(
        body["choices"][0]["finish_reason"],
        if *name == "together" { "eos" } else { "stop" }
    );
    let usage = &body["usage"];
    assert!(usage["completion_tokens"].as_u64().unwrap() > 50, "{name}: {usage}");
    assert!(told.request_id.is_none_or(|header| whole.header(header).is_some()), "{name}");

    let streamed = stream(&service, "why?");
    assert_eq!(streamed.header("content-type"), Some("text/event-stream"), "{name}");
    assert!(streamed.is_whole);
    assert_eq!(streamed.events().last(), Some(&"[DONE]"), "{name}");
    assert_eq!(join(&streamed, thought), answer, "{name}");
    let told_usage: Vec<Value> = streamed
        .events()
        .iter()
        .filter_map(|event| serde_json::from_str::<Value>(event).ok())
        .filter(|chunk| chunk["usage"].is_object())
        .collect();
    assert_eq!(told_usage.len(), 1, "{name}");
    assert_eq!(&told_usage[0]["usage"], usage, "{name}");
    let stats = service.stats();
    assert_eq!((stats.answered, stats.billed, stats.left), (2, 2, 0), "{name}");
    assert_eq!(stats.tokens_out, 2 * usage["completion_tokens"].as_u64().unwrap(), "{name}");
}

fn a_429_and_a_5xx_have_its_shape(told: &Told) {
    let name = told.name;
    let service = start(
        name,
        MockSettings {
            rpm: Some(2),
            retry_after: Some(RetryAfter::Seconds(3.0)),
            rate_headers: true,
            chance: vec!["503=1".parse().unwrap()],
            ..MockSettings::default()
        },
    );
    for reply in [service.ask("one"), stream(&service, "two")] {
        assert_eq!(reply.status, 503, "{name}");
        assert_eq!(reply.header(told.rate_header), Some("2"), "{name}");
        let text = reply.json().to_string();
        assert!(text.contains("message"), "{name}: {text}");
    }
    let refused = stream(&service, "three");
    assert_eq!(refused.status, 429, "{name}");
    let (at, code) = &told.code;
    assert_eq!(refused.json().pointer(at), Some(code), "{name}: {}", refused.body);
    match told.wait {
        Some("retry-after-ms") => {
            assert_eq!(refused.header("retry-after-ms"), Some("3000"));
            assert_eq!(refused.header("retry-after"), Some("3"));
        }
        Some(header) => assert_eq!(refused.header(header), Some("3"), "{name}"),
        None => assert_eq!(refused.json()[0]["error"]["details"][1]["retryDelay"], "3s"),
    }
}

#[test]
fn a_usage_that_nobody_asks_for_is_told_by_deepseek_and_not_by_openai() {
    for (name, told) in [("deepseek", true), ("openai", false), ("mistral", true), ("vllm", false)]
    {
        let service = start(name, MockSettings::default());
        let mut body = question("why?");
        body["stream"] = json!(true);
        let reply = post(service.addr(), "/chat/completions", &[], &body).unwrap();
        assert_eq!(reply.body.contains("prompt_tokens"), told, "{name}");
    }
}

#[test]
fn openai_takes_max_completion_tokens_and_refuses_max_tokens() {
    for name in ["openai", "azure"] {
        let service = start(name, MockSettings::default());
        let ask = |field: &str| {
            let mut body = question("why?");
            body[field] = json!(100);
            post(service.addr(), "/v1/chat/completions", &[], &body).unwrap()
        };
        assert_eq!(ask("max_completion_tokens").status, 200);
        let refused = ask("max_tokens");
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["error"]["code"], "unsupported_parameter");
        assert_eq!(refused.json()["error"]["param"], "max_tokens");
    }
}

#[test]
fn azure_takes_its_own_key_and_wants_a_version_for_a_deployment() {
    let expect_key = Some("right".to_owned());
    let service = start("azure", MockSettings { expect_key, ..MockSettings::default() });
    let ask = |path: &str, key: &str| {
        post(service.addr(), path, &[("api-key", key)], &question("why?")).unwrap()
    };
    let deployment = "/openai/deployments/mine/chat/completions";
    assert_eq!(
        ask(&format!("{deployment}?api-version=2026-01-01"), "right").json()["model"],
        "mine"
    );
    assert_eq!(ask(deployment, "right").status, 404);
    assert_eq!(ask("/openai/v1/chat/completions", "right").status, 200);
    assert_eq!(ask("/openai/v1/chat/completions", "wrong").status, 401);
}

#[test]
fn deepseek_refuses_what_it_does_not_serve() {
    let service = start("deepseek", MockSettings::default());
    for (field, value, word) in [
        ("max_tokens", json!(0), "Invalid max_tokens value"),
        ("stream_options", json!({ "include_usage": true }), "stream = true"),
        ("response_format", json!({ "type": "json_schema" }), "unavailable now"),
        ("response_format", json!({ "type": "json_object" }), "must contain the word 'json'"),
    ] {
        let mut body = question("why?");
        body[field] = value;
        let reply = post(service.addr(), "/chat/completions", &[], &body).unwrap();
        assert_eq!(reply.status, 400, "{field}");
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains(word), "{field}");
    }
    assert_eq!(service.stats().asked, 0);
}

#[test]
fn thinking_is_left_where_it_is_told_to_be_in_any_of_the_ways() {
    let service = start("qwen", MockSettings::default());
    for (field, value) in [
        ("thinking", json!({ "type": "disabled" })),
        ("reasoning_effort", json!("none")),
        ("enable_thinking", json!(false)),
        ("chat_template_kwargs", json!({ "enable_thinking": false })),
        ("reasoning", json!({ "enabled": false })),
    ] {
        let mut body = question("why?");
        body[field] = value;
        let reply = post(service.addr(), "/chat/completions", &[], &body).unwrap();
        assert!(reply.json()["choices"][0]["message"]["reasoning_content"].is_null(), "{field}");
    }
}

const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");
const KEY: (&str, &str) = ("x-api-key", "any");

fn message(more: Value) -> Value {
    let mut body = question("why?");
    body["max_tokens"] = json!(1000);
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    body
}

#[test]
fn messages_are_served_by_every_dialect_to_who_brings_a_key_and_a_version() {
    for dialect in Dialect::all() {
        let service = start(dialect.name(), MockSettings::default());
        let thinks = message(json!({ "thinking": { "type": "adaptive" } }));
        let reply = post(service.addr(), "/v1/messages", &[KEY, VERSION], &thinks).unwrap();
        let body = reply.json();
        assert_eq!((&body["type"], &body["stop_reason"]), (&json!("message"), &json!("end_turn")));
        assert_eq!(body["content"][0]["type"], "thinking");
        assert!(body["content"][1]["text"].as_str().unwrap().starts_with("The answer is"));
        assert!(reply.header("request-id").unwrap().starts_with("req_"));
    }
    let service = start("anthropic", MockSettings::default());
    let plain = message(json!({}));
    let newer = ("anthropic-version", "2026-10-21");
    let warm = message(json!({ "temperature": 1 }));
    for (headers, body, status, kind) in [
        (vec![VERSION], &plain, 401, "authentication_error"),
        (vec![KEY], &plain, 400, "invalid_request_error"),
        (vec![KEY, ("anthropic-version", "1")], &plain, 400, "invalid_request_error"),
        (vec![KEY, VERSION], &question("why?"), 400, "invalid_request_error"),
        (vec![KEY, newer], &warm, 400, "invalid_request_error"),
    ] {
        let reply = post(service.addr(), "/v1/messages", &headers, body).unwrap();
        assert_eq!(reply.status, status, "{}", reply.body);
        assert_eq!(reply.json()["error"]["type"], kind);
    }
    let bearer = ("authorization", "Bearer any");
    for headers in [vec![KEY, VERSION], vec![bearer, newer]] {
        let reply = post(service.addr(), "/v1/messages", &headers, &plain).unwrap();
        assert_eq!(reply.json()["content"].as_array().unwrap().len(), 1);
    }
    assert_eq!(post(service.addr(), "/v1/messages", &[KEY, VERSION], &warm).unwrap().status, 200);
}

#[test]
fn a_streamed_message_has_all_events_in_their_order_and_the_text_of_the_whole_one() {
    let service = start("anthropic", MockSettings::default());
    let thinking = json!({ "type": "enabled", "budget_tokens": 1024 });
    let ask = |stream: bool| {
        let body = message(json!({ "thinking": thinking, "stream": stream }));
        post(service.addr(), "/v1/messages", &[KEY, VERSION], &body).unwrap()
    };
    let (whole, streamed) = (ask(false).json(), ask(true));
    let (mut names, mut thought, mut text) = (Vec::new(), String::new(), String::new());
    for event in streamed.events() {
        let event: Value = serde_json::from_str(event).unwrap();
        let name = event["type"].as_str().unwrap().to_owned();
        thought += event["delta"]["thinking"].as_str().unwrap_or_default();
        text += event["delta"]["text"].as_str().unwrap_or_default();
        if name == "message_delta" {
            assert_eq!(event["usage"]["output_tokens"], whole["usage"]["output_tokens"]);
            assert_eq!(event["delta"]["stop_reason"], "end_turn");
        }
        names.push(name);
    }
    names.dedup();
    let (begin, delta, end) = ("content_block_start", "content_block_delta", "content_block_stop");
    let block = [begin, delta, end];
    let expected =
        [&["message_start", "ping"][..], &block, &block, &["message_delta", "message_stop"]];
    assert_eq!(names, expected.concat());
    assert_eq!(whole["content"][0]["thinking"], thought);
    assert_eq!(whole["content"][1]["text"], text);
    let lines: Vec<&str> = streamed.body.lines().filter(|l| l.starts_with("event: ")).collect();
    assert_eq!(lines.len(), streamed.events().len());
}

#[test]
fn a_spent_purse_and_a_forbidden_question_are_told_in_the_words_of_each() {
    let reply = |name: &str, fault: &str| {
        let chance = vec![format!("{fault}=1").parse().unwrap()];
        start(name, MockSettings { chance, ..MockSettings::default() }).ask("why?")
    };
    for (name, at, value) in [
        ("deepseek", "/error/code", json!("insufficient_quota")),
        ("openai", "/error/type", json!("insufficient_quota")),
        (
            "gemini",
            "/0/error/details/0/violations/0/quotaId",
            json!("GenerateRequestsPerDayPerProjectPerModel"),
        ),
    ] {
        assert_eq!(reply(name, "quota").json().pointer(at), Some(&value), "{name}");
    }
    let raw = reply("openrouter", "quota").json()["error"]["metadata"]["raw"].clone();
    assert!(raw.as_str().unwrap().contains("insufficient_quota"));
    assert_eq!(reply("deepseek", "risk").json()["error"]["message"], "Content Exists Risk");
    let azure = reply("azure", "risk").json();
    assert_eq!(azure["error"]["innererror"]["code"], "ResponsibleAIPolicyViolation");
    let router = reply("openrouter", "risk");
    assert_eq!((router.status, &router.json()["error"]["code"]), (403, &json!(403)));
    for (name, reason) in [
        ("litellm", "stop"),
        ("zai", "network_error"),
        ("deepseek", "insufficient_system_resource"),
    ] {
        assert_eq!(reply(name, "insufficient").json()["choices"][0]["finish_reason"], reason);
    }
}

#[test]
fn the_reasoning_can_be_put_elsewhere() {
    for (place, expected) in [
        ("tags", "<think>\n"),
        ("closing-tag", "</think>\n\nThe answer is"),
        ("reasoning", "\"reasoning\":"),
        ("nothing", "\"content\":\"The answer is"),
    ] {
        let reasoning_as = Some(place.parse().unwrap());
        let service = start("vllm", MockSettings { reasoning_as, ..MockSettings::default() });
        let body = service.ask("why?").body.replace("\\n", "\n");
        assert!(body.contains(expected), "{place}: {body}");
    }
}
