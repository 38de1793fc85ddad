//! Tells by its text alone that an answer breaks off.
//!
//! Only asked of an answer that is exactly as long as its token limit although the service says
//! that the model came to its end: both may be true, and then the text decides.

/// The least number of words of a sentence, …
const WORDS_MIN: usize = 3;
/// … or of characters, in scripts without blanks between words. What is shorter may be a name or a
/// label, which ends without a full stop.
const SIGNS_MIN: usize = 12;

/// Returns true if a text ends in the middle: of JSON, of a block of code, of a sentence.
pub(crate) fn breaks_off(text: &str) -> bool {
    let text = text.trim();
    is_open_json(text) || text.matches("```").count() % 2 == 1 || is_open_sentence(text)
}

fn is_open_json(text: &str) -> bool {
    text.starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

fn is_open_sentence(text: &str) -> bool {
    let signs = text.chars().filter(|c| !c.is_ascii() && c.is_alphanumeric()).count();
    let is_sentence = text.split_whitespace().take(WORDS_MIN).count() == WORDS_MIN;
    let goes_on = |last: char| last.is_alphanumeric() || ",;:-–—(=+/\\&，、；：".contains(last);
    (is_sentence || signs >= SIGNS_MIN) && text.chars().next_back().is_some_and(goes_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_breaks_off_in_the_middle_of_a_sentence_of_json_or_of_code() {
        for text in [
            "Once upon a time there was a",
            "Once upon a time there was a ",
            "The capital of Fra",
            "There are three reasons:\n\n1. The first,",
            "黑洞是时空曲率大到光都无法从其事件视界逃脱的",
            r#"{"answer": 4, "reason": "because of"#,
            r#"{"answer": [1, 2"#,
            "[1, 2,",
            "```json\n{\"answer\": 4",
            "Use this.\n\n```python\nprint(4)",
        ] {
            assert!(breaks_off(text), "{text}");
        }
        for text in [
            "Once upon a time there was a cat.",
            "Is it so?",
            "He said: \"no\"",
            "黑洞是时空曲率大到光都无法从其事件视界逃脱的天体。",
            "Paris",
            "Yes",
            "42",
            "Victor Hugo",
            "东京都",
            r#"{"answer": 4}"#,
            "[1] See there.",
            "```\nprint(4)\n```",
            "",
        ] {
            assert!(!breaks_off(text), "{text}");
        }
    }
}
