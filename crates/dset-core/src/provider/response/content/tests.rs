use super::*;
use crate::provider::stream::text_accumulator::Texts;

fn texts(message: &str) -> (String, String) {
    let mut texts = Texts::default();
    texts.add(serde_json::from_str::<Message<'_>>(message).unwrap(), true, true);
    let split = texts.split();
    (split.answer, split.reasoning)
}

#[test]
fn reasoning_is_taken_from_the_first_place_that_has_any() {
    for message in [
        r#"{"content":"a","reasoning_content":"r"}"#,
        r#"{"content":"a","reasoning_content":"","reasoning":"r"}"#,
        r#"{"content":"a","reasoning_content":"r","reasoning":"s"}"#,
        r#"{"content":"a","reasoning_content":[{"type":"text","text":"r"}]}"#,
        r#"{"content":"a","reasoning":{"summary":[{"type":"summary_text","text":"r"}]}}"#,
        r#"{"content":"a","reasoning":{"content":"r","effort":"high"}}"#,
        r#"{"content":"a","reasoning":[{"type":"reasoning_text","text":"r"}]}"#,
        r#"{"content":"a","reasoning_details":[{"type":"reasoning.text","text":"r"}]}"#,
        r#"{"content":"a","reasoning_details":[{"type":"reasoning.summary","summary":"r"},
            {"type":"reasoning.encrypted","data":"x"}]}"#,
        r#"{"content":"a","reasoning_details":[{"type":"reasoning.summary","summary":"s"},
            {"type":"reasoning.text","text":"r"}]}"#,
        r#"{"content":"a","thinking":"r"}"#,
        r#"{"content":"a","thinking":{"type":"text","text":"r"}}"#,
        r#"{"content":"a","thinking_blocks":[{"type":"thinking","thinking":"r","signature":"s"}]}"#,
        r#"{"content":"a","thinking_blocks":[{"type":"redacted_thinking","data":"x"},
            {"type":"thinking","thinking":"r"}]}"#,
        r#"{"content":"a","reasoning_text":"r"}"#,
        r#"{"content":"a","thought":"r"}"#,
        r#"{"content":[{"type":"thinking","thinking":"r"},{"type":"text","text":"a"}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"r"}]},
            {"type":"text","text":"a"}]}"#,
        r#"{"content":[{"type":"reasoning","text":"r"},{"type":"text","text":"a"}]}"#,
        r#"{"content":[{"type":"reasoning","reasoning":"r"},{"type":"output_text","text":"a"}]}"#,
        r#"{"content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"r"}]},"a"]}"#,
        r#"{"content":[{"type":"reasoning","content":[{"type":"reasoning_text","text":"r"}]},"a"]}"#,
        r#"{"content":[{"type":"thought","text":"r"},{"type":"text","text":{"value":"a"}}]}"#,
    ] {
        assert_eq!(texts(message), ("a".to_owned(), "r".to_owned()), "{message}");
    }
    for message in [
        r#"{"content":"a","reasoning":{"effort":"high"},"refusal":0}"#,
        r#"{"content":"a","reasoning":false,"thinking":null,"thought":true}"#,
    ] {
        assert_eq!(texts(message), ("a".to_owned(), String::new()), "{message}");
    }
    assert_eq!(texts(r#"{"content":null}"#), (String::new(), String::new()));
}

#[test]
fn calls_of_tools_are_told_in_words_and_what_is_no_text_is_odd() {
    for (message, calls) in [
        (
            r#"{"tool_calls":[{"id":"c1","function":{"name":"search","arguments":"{}"}}]}"#,
            "search {}",
        ),
        (r#"{"function_call":{"name":"search","arguments":{"q":1}}}"#, r#"search {"q":1}"#),
        (
            r#"{"tool_calls":[{"function":{"name":"a"}},{"function":{"name":"b","arguments":"1"}}]}"#,
            "a ; b 1",
        ),
        (
            r#"{"content":[{"type":"tool_use","name":"search","input":{"q":1}}]}"#,
            r#"search {"q":1}"#,
        ),
        (r#"{"content":"a","tool_calls":[],"function_call":7}"#, ""),
    ] {
        let message: Message<'_> = serde_json::from_str(message).unwrap();
        assert_eq!(message.calls().collect::<String>(), calls, "{message:?}");
    }
    for (content, is_odd) in [
        ("4", true),
        ("4.5", true),
        ("[4]", true),
        (r#"{"answer":4}"#, true),
        (r#"[{"type":"image_url","image_url":{}}]"#, true),
        ("[]", false),
        (r#""""#, false),
        (r#"[{"type":"text","text":""}]"#, false),
        (r#"[{"type":"redacted_thinking","data":"x"}]"#, false),
    ] {
        let read: Content<'_> = serde_json::from_str(content).unwrap();
        assert_eq!(read.is_odd, is_odd, "{content}");
    }
}
