//! The letter that an answer to a multiple choice chooses.

use std::sync::LazyLock;

use regex::Regex;

use super::latex;

const ANSWER: &str = "answer|choice|option|antwort|respuesta|réponse|resposta|risposta|ответ|答案|正解|선택|정답|选项";
/// What may stand around a letter.
const MARKUP: &str = r#"[\s:：(\[（【*_`$"'{]*"#;

struct Patterns {
    alone: Regex,
    tagged: Regex,
    stated: Regex,
    concluded: Regex,
    last_line: Regex,
    first: Regex,
    line: Regex,
    another: Regex,
    named: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let new = |pattern: &str| Regex::new(pattern).expect("a test compiles it");
    Patterns {
        alone: new(r"^[\s(\[*_`'.$]*([A-Za-z])[\s)\]*_`'.:$]*$"),
        tagged: new(r"(?is).*<answer>(.*?)</answer>"),
        // It is said: `The answer is B`.
        stated: new(&format!(
            r"(?i:(wrong|incorrect|false|falsche)\s+)?(?i:{ANSWER})[*_`]*(?:\s+(?i:is|ist|es|est|è|é)\b|\s*[:：]|是|为|為|は)+{MARKUP}(?:(?i:option|choice)\s+{MARKUP})?([A-Za-z])"
        )),
        // The last line ends with it: `So it is B`, `故选B`.
        concluded: new(
            r"(?:(?i:\b(?:is|be|choose|chose|pick|select)\b)|[选選])[\s:：(\[（*_`$]*([A-Z])[)\]）*_`$.。!\s]*$",
        ),
        last_line: new(r"\n[\s(\[*_`'.$]*([A-Z])[\s)\]*_`'.:$]*$"),
        // Before its text: `B) the second`; `A) is wrong` goes on about it.
        first: new(
            r"^[\s(\[*_`]*([A-Z])[*_`]*[)\].:](?:[\s*_`]+(?P<verb>(?i:is|was|isn't|cannot|can't|does|doesn't|would|seems|says)\b)|[\s*_`])",
        ),
        line: new(r"(?m)^[\s(\[*_`-]*([A-Z])[*_`]*[)\].:][\s*_`]"),
        another: new(
            r"(?:^|[\s(,/&])([A-Z])(?:[)\].:,/]|\s+(?:or|and|oder|und|ou|o|y)\b|[*_`\s]*$)",
        ),
        named: new(&format!(
            r"(?s).*(?i:{ANSWER})(?i:\s+is|\s+ist|\s+es|\s+est)?\s*:?\s*[(\[*_`$]*([A-Z])\b[^A-Za-z]*$"
        )),
    }
});

/// What a text says of its choice in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// This letter.
    Letter(char),
    /// This letter, and nothing behind it.
    AtTheEnd(char),
    /// One of several.
    Several,
}

/// Returns the letter that is chosen, where that is clear.
pub(super) fn choice(text: &str) -> Option<char> {
    let own = &*PATTERNS;
    let tagged = || own.tagged.captures(text).map(|found| found.extract::<1>().1[0]);
    if let Some(inner) = latex::boxed(text).or_else(tagged)
        && let Some(letter) = choice(inner)
    {
        return Some(letter);
    }
    let text = &*latex::without_commands(text);
    let letter = |pattern: &Regex, text: &str| -> Option<char> {
        pattern.captures(text)?[1].chars().next().map(|letter| letter.to_ascii_uppercase())
    };
    if let Some(alone) = letter(&own.alone, text) {
        return Some(alone);
    }
    let said: Vec<Said> = statements(text).collect();
    match said.last() {
        None => {}
        Some(Said::AtTheEnd(letter)) => return Some(*letter),
        Some(last) => {
            let is_agreed = said.iter().all(|one| one.letter() == last.letter());
            return last.letter().filter(|_| is_agreed);
        }
    }
    let last_line = text.trim_end().lines().next_back().unwrap_or_default();
    letter(&own.concluded, last_line)
        .or_else(|| letter(&own.last_line, text))
        .or_else(|| before_its_text(text))
        .or_else(|| named_at_the_end(text))
}

impl Said {
    fn letter(self) -> Option<char> {
        match self {
            Said::Letter(letter) | Said::AtTheEnd(letter) => Some(letter),
            Said::Several => None,
        }
    }
}

/// Returns what is said of the answer, in its order.
fn statements(text: &str) -> impl Iterator<Item = Said> + '_ {
    let all = PATTERNS.stated.captures_iter(text).filter(|found| found.get(1).is_none());
    all.filter_map(|found| {
        let at = found.get(2)?;
        let letter = at.as_str().chars().next()?;
        said_with(letter, &text[at.end()..])
    })
}

/// Tells what a letter is with this behind it; `None` where it begins a word or is one.
fn said_with(letter: char, behind: &str) -> Option<Said> {
    let goes_on = |c: char| (c.is_alphanumeric() && c < '\u{2e80}') || "'’-".contains(c);
    if behind.starts_with(goes_on) {
        return None;
    }
    let upper = letter.to_ascii_uppercase();
    let closed = behind.trim_start_matches(|c: char| "*_`$}\"".contains(c));
    let line = closed.split('\n').next().unwrap_or_default();
    let ends_line = line.chars().all(|c| !c.is_alphanumeric());
    let is_marked = closed.starts_with(|c: char| ").]:）】，。,;".contains(c) || c > '\u{2e80}');
    if letter.is_lowercase() && !ends_line && !closed.starts_with(')') {
        return None;
    }
    if ends_line && behind.chars().all(|c| !c.is_alphanumeric()) {
        return Some(Said::AtTheEnd(upper));
    }
    let before_why = line.split(" because ").next().unwrap_or_default();
    let mut others = PATTERNS.another.captures_iter(before_why);
    if others.any(|other| !other[1].starts_with(upper)) {
        return Some(Said::Several);
    }
    let word = line.trim_start().split(' ').next().unwrap_or_default();
    let may_be_a_word = ['A', 'I'].contains(&letter) && !ends_line && !is_marked;
    let goes_on_about_it = ["because", "since", "as", "for", "given", "-", "–", "—"];
    (!may_be_a_word || goes_on_about_it.contains(&word)).then_some(Said::Letter(upper))
}

/// Reads the letter that a text begins with, where it does not go through all of them.
fn before_its_text(text: &str) -> Option<char> {
    let found = PATTERNS.first.captures(text)?;
    let letter = found[1].chars().next()?;
    let of_line = |found: regex::Captures<'_>| found[1].chars().next();
    let mut lines = PATTERNS.line.captures_iter(text).filter_map(of_line);
    let next = lines.find(|other| *other != letter);
    let goes_through = next.is_some_and(|next| next as u32 == letter as u32 + 1);
    (found.name("verb").is_none() && !goes_through).then_some(letter)
}

/// Reads the letter that a text ends with behind its name: `I take option B`.
fn named_at_the_end(text: &str) -> Option<char> {
    let found = PATTERNS.named.captures(text)?;
    let letter = found.get(1)?;
    let words: Vec<&str> = text[..letter.start()].split_whitespace().rev().take(3).collect();
    let denied = ["not", "nor", "neither", "than", "so", "wrong", "isn't", "wasn't"];
    let is_denied = words.iter().any(|word| denied.contains(&&*word.to_lowercase()));
    (!is_denied).then(|| letter.as_str().chars().next())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_read_where_one_is_chosen() {
        for text in [
            "B",
            "(B)",
            "b",
            "**B**",
            "$B$",
            "B) the second",
            "B. Two",
            "The answer is B.",
            "Answer: (B)",
            "Answer: b",
            "So it is not A.\nThe correct option is **B**",
            "A) one B) two. Answer: B",
            "A) one\nB) two\n\n**Answer:** B",
            "A) one\nB) two\nThe correct option is (B).",
            "A. one\nB. two\n\n**B**",
            "B) the second. A) is wrong, and so is option C",
            "A) is wrong.\nB) is right.\n\nSo it is B.",
            "A) is wrong. B) is right. So it is B.",
            "The correct answer is B) Paris.",
            "The correct answer is: **B. Paris**",
            "Answer: B. Paris",
            "Answer: B\n\nExplanation: A is a city, and so is C.",
            "**Answer: B**\n\nA) is wrong.",
            "The answer is B because A) is wrong.",
            "The answer is option B.",
            "I would choose B.",
            "I take option B",
            r"\boxed{B}",
            r"So the answer is $\boxed{\text{B}}$.",
            r"\boxed{\textbf{(B)}}",
            r"The answer is $\textbf{(B)}$.",
            "<answer>B</answer>",
            "<think>A?</think><answer> (B) </answer>",
            "答案：B",
            "答案是B。",
            "正确答案是 B，因为",
            "故选B。",
            "If the answer is A, it is odd. So the answer is B.",
            "The wrong answer is A. The answer is B",
            "B. Two\n\nA. is less, and C. is more",
        ] {
            assert_eq!(choice(text), Some('B'), "{text}");
        }
        assert_eq!(choice("The answer is A because it is."), Some('A'));
    }

    #[test]
    fn no_letter_is_read_where_several_are_or_it_is_a_word() {
        for text in [
            "",
            "A cat is a B",
            "A or B",
            "Both",
            "Answer: A or B",
            "Answer: A, B",
            "The answer is A and B.",
            "The answer is A cat.",
            "The answer is a cat.",
            "The answer is Paris",
            "Answer: I'm not sure",
            "A) is wrong.\nB) is right.",
            "A) is wrong. B) is right.",
            "A. one\nB. two",
            "The answer is A) one. No: the answer is B) two, I think",
            "The wrong answer is A, I think",
            r"\boxed{42}",
            "<answer></answer>",
        ] {
            assert_eq!(choice(text), None, "{text}");
        }
    }
}
