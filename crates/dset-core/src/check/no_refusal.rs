//! `no-refusal`: the answer does not begin like a refusal. The shapes are data, by language.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Regex, RegexSet, RegexSetBuilder};
use serde::Deserialize;

use super::{Argument, Check, Judged, Judgement, Kind, NoArguments, arguments};

pub(super) const KIND: Kind = Kind {
    name: "no-refusal",
    version: 1,
    argument: Argument::None,
    compile: |table, _| {
        let NoArguments {} = arguments(table)?;
        Ok(Box::new(NoRefusal))
    },
};

/// How much of an answer is looked at: what stands further below is about something.
const BEGINNING_CHARS: usize = 240;

#[derive(Debug, Deserialize)]
struct Shapes {
    /// What may stand before a refusal.
    opening: String,
    languages: BTreeMap<String, Vec<String>>,
}

static SHAPES: LazyLock<RegexSet> = LazyLock::new(|| {
    let shapes: Shapes =
        serde_json::from_str(include_str!("refusals.json")).expect("a test reads refusals.json");
    let all = shapes.languages.into_values().flatten();
    let patterns = all.map(|shape| format!("^(?:{})?(?:{shape})", shapes.opening));
    RegexSetBuilder::new(patterns).case_insensitive(true).build().expect("a test compiles them")
});

static BLANKS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\s+").expect("a test compiles it"));

#[derive(Debug)]
struct NoRefusal;

impl Check for NoRefusal {
    fn judge(&self, judged: &Judged<'_>) -> Judgement {
        let text = judged.text.trim_start_matches(|c: char| !c.is_alphabetic());
        let end = text.char_indices().nth(BEGINNING_CHARS).map_or(text.len(), |(end, _)| end);
        match SHAPES.is_match(&BLANKS.replace_all(&text[..end], " ")) {
            true => Judgement::Failed("this is a refusal and no answer".into()),
            false => Judgement::Passed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compiled, judge};
    use super::*;

    fn is_refusal(text: &str) -> bool {
        judge(&*compiled(r#"{"name":"no-refusal"}"#), text) != Judgement::Passed
    }

    #[test]
    fn refusals_are_known_in_their_languages() {
        for text in [
            "I'm sorry, but I can't help with that.",
            "I’m sorry, but I can’t assist with that request.",
            "I cannot provide instructions for that.",
            "Sorry, I'm unable to comply with this request.",
            "**I won't help** you with this.",
            "As an AI language model, I cannot form opinions.",
            "I apologize, but I am not able to continue this story.",
            "Unfortunately, I can not answer that.",
            "Es tut mir leid, aber dabei kann ich nicht helfen.",
            "Ich kann Ihnen bei dieser Anfrage leider nicht helfen.",
            "Als KI-Sprachmodell habe ich dazu keine Meinung.",
            "Je suis désolé, mais je ne peux pas vous aider avec cette demande.",
            "Lo siento, pero no puedo ayudarte con eso.",
            "Desculpe, mas não posso ajudar com isso.",
            "Mi dispiace, ma non posso aiutarti con questa richiesta.",
            "Het spijt me, maar ik kan u daar niet bij helpen.",
            "Przepraszam, ale nie mogę w tym pomóc.",
            "Извините, но я не могу помочь с этим.",
            "很抱歉，我无法提供这方面的帮助。",
            "抱歉，我不能回答这个问题。",
            "你好，这个问题我暂时无法回答，让我们换个话题再聊聊吧。",
            "申し訳ありませんが、そのご質問にはお答えできません。",
            "죄송하지만 그 요청은 도와드릴 수 없습니다.",
        ] {
            assert!(is_refusal(text), "{text}");
        }
    }

    #[test]
    fn answers_that_sound_alike_are_none() {
        for text in [
            "",
            "I can help with that.",
            "Sorry to hear that! Here is what you can do.",
            "I can't believe how simple it is: use a map.",
            "I cannot recommend this book enough.",
            "\"I'm sorry,\" she said, and closed the door.",
            "The phrase \"I cannot help with that\" is a refusal.",
            "You cannot help with that, because the lock is held.",
            "As an AI engineer, you write tests.",
            "As an assistant professor, she cannot vote.",
            "Unfortunately, the function returns null.",
            "This request is a GET request.",
            "Leider regnet es morgen.",
            "Ich kann nicht genug betonen, wie wichtig das ist.",
            "Das kann ich erklären: es ist die Brechung.",
            "Je ne peux pas m'empêcher de sourire.",
            "No puedo negar que es difícil.",
            "Não posso deixar de mencionar o clima.",
            "Non posso che confermare.",
            "Я не могу не согласиться.",
            "无法避免的是，熵总会增加。",
            "我们不能忽视这个问题。",
            "作为一个人工智能，它的训练需要大量数据。",
            "この関数は値を返します。",
            "이 함수는 값을 반환합니다.",
        ] {
            assert!(!is_refusal(text), "{text}");
        }
    }

    #[test]
    fn a_refusal_that_is_told_of_far_below_is_none() {
        assert!(!is_refusal(&format!(
            "{} I'm sorry, I can't help with that.",
            "A word. ".repeat(60)
        )));
    }
}
