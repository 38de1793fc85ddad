//! Reasoning that stands in the content itself, between the marks of the model that wrote it.
//!
//! A mark counts only as the first thing of the content, or as a lone closing one, which chat
//! templates that open it in the prompt leave behind; the first closing mark ends it, so that marks
//! inside an answer stay. A lone closing mark in the middle of a sentence, in quotes or in code is
//! prose about marks. Marks that are plain words are written by prompts as well: they stay where the
//! service gave the reasoning in a field of its own, and where they are never closed.

/// The marks around reasoning, as the parsers of vLLM and SGLang and the models' own cards have
/// them.
const MARKS: [(&str, &str); 14] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel>thought", "<channel|>"),
    ("<unused94>thought", "<unused95>"),
];

/// Those that a prompt may ask for, as no model's own vocabulary has them.
const WORDS: [&str; 4] = ["<thinking>", "<thought>", "<thoughts>", "<reasoning>"];

/// Bytes within which an opening mark can be recognised, with the blanks before it.
pub(crate) const MARK_BYTES: usize = 32;

/// Marks around the whole of an answer, which only stand there because its reasoning has some too.
const WRAPS: [(&str, &str); 2] =
    [("<|begin_of_solution|>", "<|end_of_solution|>"), ("<|START_RESPONSE|>", "<|END_RESPONSE|>")];

/// The marks of the channels that gpt-oss writes (harmony): a header, then its text.
const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";
const START: &str = "<|start|>";
const FINAL: &str = "<|channel|>final";
/// What is left of the first and the last of them where a server takes the marks out.
const STRIPPED: &str = "analysis";
const STRIPPED_FINAL: &str = "assistantfinal";
/// What may stand at the end of such a text, or of one of Gemma.
const ENDS: [&str; 5] = ["<|return|>", "<|end|>", "<|call|>", "<turn|>", "<end_of_turn>"];
/// Closing marks that are examined: a text that has more is about them.
const CANDIDATES_MAX: u32 = 16;
/// No header of a channel is longer: a name, whom it is for, and a format.
const HEADER_BYTES_MAX: usize = 200;

/// An answer without the reasoning before it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Split {
    pub(crate) answer: String,
    pub(crate) reasoning: String,
    /// The reasoning was begun and never ended.
    pub(crate) is_open: bool,
}

/// Takes the reasoning out of a content; `known` is what the service gave beside it.
pub(crate) fn split(content: String, known: String) -> Split {
    let body = content.trim_start();
    let found = match body.starts_with(STRIPPED) || next_mark(body, 0).is_some() {
        true => {
            channels(body).or_else(|| opened(body, &known)).or_else(|| closed_alone(body, &known))
        }
        false => None,
    };
    match found {
        Some(found) => Split { reasoning: together(known, found.reasoning), ..found },
        None => Split { answer: content, reasoning: known, is_open: false },
    }
}

/// Returns true if a content, as far as it has come, is inside of a mark that it began with, of
/// which it is known that it was not closed within the first `open` bytes.
pub(crate) fn is_inside(content: &str, open: usize) -> bool {
    let body = content.trim_start();
    let Some((opening, closing)) = first_mark(body) else { return false };
    let new = content.as_bytes().get(open.saturating_sub(closing.len())..).unwrap_or_default();
    find(new, closing, body.starts_with(opening)).is_none()
}

/// Finds the next place at which a mark may begin: most answers have none, which one pass tells.
fn next_mark(text: &str, from: usize) -> Option<usize> {
    const TRIANGLE: u8 = "◁".as_bytes()[0];
    memchr::memchr3(b'<', b'[', TRIANGLE, &text.as_bytes()[from..]).map(|at| from + at)
}

/// Returns the marks of which the opening one is the first thing of a text; gateways shout some.
fn first_mark(text: &str) -> Option<(&'static str, &'static str)> {
    if !text.starts_with(['<', '[', '◁']) {
        return None;
    }
    let is_first = |opening: &str| {
        let begins = text.as_bytes().get(..opening.len());
        begins.is_some_and(|begins| begins.eq_ignore_ascii_case(opening.as_bytes()))
    };
    MARKS.into_iter().find(|(opening, _)| is_first(opening))
}

/// Finds a mark; `as_is` where it is written as in the table.
fn find(text: &[u8], mark: &str, as_is: bool) -> Option<usize> {
    let exact = memchr::memmem::find(text, mark.as_bytes());
    if exact.is_some() || as_is {
        return exact;
    }
    memchr::memmem::find(&text.to_ascii_lowercase(), mark.to_ascii_lowercase().as_bytes())
}

/// Takes the reasoning off that a content begins with.
fn opened(body: &str, known: &str) -> Option<Split> {
    let (opening, closing) = first_mark(body)?;
    let is_word = WORDS.contains(&opening);
    if is_word && !known.trim().is_empty() {
        return None;
    }
    let as_is = body.starts_with(opening);
    let mut rest = &body[opening.len()..];
    // Opened by the template, and once more by the model.
    while let Some(("<think>", _)) = first_mark(rest.trim_start()).filter(|_| opening == "<think>")
    {
        rest = &rest.trim_start()[opening.len()..];
    }
    let Some(at) = find(rest.as_bytes(), closing, as_is) else {
        if is_word {
            return None;
        }
        return Some(Split { answer: String::new(), reasoning: rest.trim().into(), is_open: true });
    };
    let (reasoning, answer) = (rest[..at].trim(), rest[at + closing.len()..].trim());
    // Closed at once by the template, where the model then thinks all the same.
    if reasoning.is_empty()
        && let Some(own) = opened(answer, known).filter(|own| !own.is_open)
    {
        return Some(own);
    }
    Some(Split { answer: unwrapped(answer).into(), reasoning: reasoning.into(), is_open: false })
}

/// Takes off what stands before a closing mark that was opened in the prompt.
fn closed_alone(body: &str, known: &str) -> Option<Split> {
    let mut candidates = 0;
    let mut from = 0;
    while let Some(at) = next_mark(body, from) {
        // The first byte of a triangle is that of many signs, and none of them a mark.
        from = at + 1;
        let ends =
            |(_, closing): &(&str, &str)| body.as_bytes()[at..].starts_with(closing.as_bytes());
        let Some((opening, closing)) = MARKS.into_iter().find(ends) else { continue };
        candidates += 1;
        if candidates > CANDIDATES_MAX {
            break;
        }
        let (before, after) = (&body[..at], &body[at + closing.len()..]);
        let reasoning = before.trim();
        let is_new = known.is_empty() || known.contains(reasoning);
        if !before.contains(opening) && is_new && stands_alone(before, after) {
            let answer = unwrapped(after.trim()).into();
            return Some(Split { answer, reasoning: reasoning.into(), is_open: false });
        }
    }
    None
}

/// Returns true if a closing mark between these ends a thought, and is no part of a sentence.
fn stands_alone(before: &str, after: &str) -> bool {
    if is_in_code(before) {
        return false;
    }
    let line = before.rsplit('\n').next().unwrap_or_default();
    let ends_line = after.is_empty() || after.starts_with(['\n', '\r']);
    match line.chars().next_back() {
        _ if line.trim().is_empty() => true,
        None => true,
        // A blank before it: the thought has come to its end, and so has the line.
        Some(last) if last.is_whitespace() => {
            ends_line && line.trim_end().ends_with(['.', '!', '?', '。', '！', '？'])
        }
        Some(last) => {
            let quotes = |c: char| "\"'`‘’“”«»„‚「」『』()[]{}<>".contains(c);
            !quotes(last)
                && !after.starts_with(['"', '\'', '`', '’', '”', '»', '」', '』', ')', ']'])
        }
    }
}

/// Returns true if a text breaks off inside of code, quoted in backticks.
fn is_in_code(text: &str) -> bool {
    let line = text.rsplit('\n').next().unwrap_or_default();
    text.matches("```").count() % 2 == 1 || line.matches('`').count() % 2 == 1
}

/// Reads the channels of a content: `final` is the answer, the others are reasoning.
fn channels(body: &str) -> Option<Split> {
    if let Some(stripped) = body.strip_prefix(STRIPPED) {
        let (reasoning, answer) = stripped.split_once(STRIPPED_FINAL)?;
        let (reasoning, answer) = (reasoning.trim().into(), answer.trim().into());
        return Some(Split { answer, reasoning, is_open: false });
    }
    let first = memchr::memmem::find(body.as_bytes(), CHANNEL.as_bytes())?;
    // The first of them may be opened in the prompt.
    let leads = body.starts_with(CHANNEL) || body.starts_with(START);
    if !leads && (is_in_code(&body[..first]) || !body[first..].contains(FINAL)) {
        return None;
    }
    let mut split = Split::default();
    let mut reason = |text: &str| {
        let text = bare(text);
        if !text.is_empty() {
            let before = std::mem::take(&mut split.reasoning);
            split.reasoning = together(before, text.to_owned());
        }
    };
    reason(&body[..first]);
    let mut rest = &body[first..];
    while let Some(at) = memchr::memmem::find(rest.as_bytes(), CHANNEL.as_bytes()) {
        let (header, text) = rest[at + CHANNEL.len()..].split_once(MESSAGE)?;
        if header.len() > HEADER_BYTES_MAX {
            return None;
        }
        let name = header.trim().split([' ', '<', '\n']).next().unwrap_or_default();
        if !["analysis", "commentary", "thought"].contains(&name) {
            split.answer = bare(text).to_owned();
            return Some(split);
        }
        let end = memchr::memmem::find(text.as_bytes(), CHANNEL.as_bytes()).unwrap_or(text.len());
        reason(&text[..end]);
        rest = &text[end..];
    }
    Some(split)
}

/// A channel's text without the marks at its end.
fn bare(text: &str) -> &str {
    let mut text = text.trim();
    if let Some(before) = text.strip_suffix("assistant").and_then(|t| t.strip_suffix(START)) {
        text = before.trim_end();
    }
    if let Some(before) = text.strip_suffix(START) {
        text = before.trim_end();
    }
    while let Some(before) = ENDS.iter().find_map(|end| text.strip_suffix(end)) {
        text = before.trim_end();
    }
    text
}

/// An answer without marks around the whole of it.
fn unwrapped(answer: &str) -> &str {
    let answer = bare(answer);
    let inside = WRAPS.iter().find_map(|(opening, closing)| {
        let inside = answer.strip_prefix(opening)?;
        Some(inside.strip_suffix(closing).unwrap_or(inside))
    });
    inside.map_or(answer, str::trim)
}

/// Joins what two places say of the reasoning, of which one may repeat the other.
fn together(known: String, found: String) -> String {
    match () {
        () if found.is_empty() || known.contains(&found) => known,
        () if known.is_empty() || found.contains(known.trim()) => found,
        () => format!("{known}\n\n{found}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> (String, String) {
        let split = split(content.to_owned(), String::new());
        (split.reasoning, split.answer)
    }

    #[test]
    fn reasoning_between_the_marks_of_any_model_is_no_part_of_the_answer() {
        for content in [
            "<think>We add.</think>4",
            "\n<think>\nWe add.\n</think>\n\n4",
            "<thinking>We add.</thinking>4",
            "<Think>We add.</Think>4",
            "<THINK>We add.</THINK>\n4",
            "<thought>We add.</thought>4",
            "<thoughts>We add.</thoughts>\n4",
            "<reasoning>We add.</reasoning>4",
            "[THINK]We add.[/THINK]4",
            "<seed:think>We add.</seed:think>4",
            "<longcat_think>We add.</longcat_think>4",
            "◁think▷We add.◁/think▷4",
            "<|begin_of_thought|>\nWe add.\n<|end_of_thought|>\n<|begin_of_solution|>\n4\n<|end_of_solution|>",
            "<|START_THINKING|>We add.<|END_THINKING|><|START_RESPONSE|>4<|END_RESPONSE|>",
            "<|inner_prefix|>We add.<|inner_suffix|>4",
            "<|channel>thought\nWe add.\n<channel|>4",
            "<|channel>thought\nWe add.\n<channel|>4<turn|>",
            "<unused94>thought\nWe add.<unused95>4",
            "<think><think>We add.</think>4",
            "<think>\n\n</think>\n\n<think>We add.</think>4",
            "<|channel|>analysis<|message|>We add.<|end|><|start|>assistant<|channel|>final<|message|>4<|return|>",
            "<|channel|>analysis<|message|>We add.<|end|><|channel|>final<|message|>4",
            "<|start|>assistant<|channel|>analysis<|message|>We add.<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>4<|return|>",
            "We add.<|end|><|start|>assistant<|channel|>final<|message|>4<|return|>",
            "analysisWe add.assistantfinal4",
        ] {
            assert_eq!(read(content), ("We add.".into(), "4".into()), "{content}");
        }
        let final_only = "<|channel|>final<|message|>4<|return|>";
        assert_eq!(read(final_only), (String::new(), "4".into()));
        let commented = "<|channel|>analysis<|message|>One.<|end|><|start|>assistant<|channel|>commentary<|message|>Two.<|end|><|start|>assistant<|channel|>final<|message|>4";
        assert_eq!(read(commented), ("One.\n\nTwo.".into(), "4".into()));
    }

    #[test]
    fn a_lone_closing_mark_ends_a_thought_where_it_is_no_part_of_a_sentence() {
        for content in [
            "We add.\n</think>\n\n4",
            "We add.</think>4",
            "We add. </think>\n4",
            "We add.\n</think>4",
            "We add.\n[/THINK]\n4",
            "We add.</seed:think>4",
            "We add.<|END_THINKING|>4",
        ] {
            assert_eq!(read(content), ("We add.".into(), "4".into()), "{content}");
        }
        assert_eq!(read("\n</think>\n\n4"), (String::new(), "4".into()));
        for prose in [
            "A template ends a thought with `</think>` and goes on with the answer.",
            "The </think> tag closes a thought.",
            "It is \"</think>\" that ends it.",
            "Write </think> last.",
            "(</think>)",
            "```\nwe think\n</think>\n4\n```",
            "The tag <think>x</think> is a tag.",
            "Use `<|channel|>final<|message|>` before the answer.",
            "Mistral closes it with [/THINK], as in `[/THINK]`.",
            "analysis of the data",
            " plain ",
            "<answer>4</answer>",
        ] {
            assert_eq!(read(prose), (String::new(), prose.into()), "{prose}");
        }
    }

    #[test]
    fn a_tag_in_an_answer_stays_and_one_that_is_never_closed_leaves_none() {
        assert_eq!(read("<think>r</think>use </think> so"), ("r".into(), "use </think> so".into()));
        for content in ["<think>r", "[THINK]r", "<|channel>thought\nr"] {
            let open = Split { answer: String::new(), reasoning: "r".into(), is_open: true };
            assert_eq!(split(content.into(), String::new()), open, "{content}");
        }
        for content in ["<reasoning>r", "<thinking> is a tag.", "<thought>r", "<Thoughts>r"] {
            assert_eq!(read(content), (String::new(), content.into()), "{content}");
        }
    }

    #[test]
    fn what_a_field_and_a_mark_say_alike_is_said_once() {
        let both = |content: &str| {
            let split = split(content.into(), "We add.".into());
            (split.reasoning, split.answer)
        };
        for content in [
            "<think>We add.</think>4",
            "<think>\n</think>4",
            "We add.\n</think>\n4",
            "\n</think>4",
            "4",
        ] {
            assert_eq!(both(content), ("We add.".into(), "4".into()), "{content}");
        }
        // What a prompt asked for is part of the answer.
        for content in [
            "<reasoning>We check.</reasoning>\n<answer>4</answer>",
            "<thinking>We add.</thinking>4",
            "<thought>",
            "<reasoning> is a tag.",
        ] {
            assert_eq!(both(content), ("We add.".into(), content.into()), "{content}");
        }
        let more = both("<think>And check.</think>4");
        assert_eq!(more, ("We add.\n\nAnd check.".into(), "4".into()));
        let prose = "It ends\n</think>\nthere.";
        assert_eq!(both(prose), ("We add.".into(), prose.into()));
    }

    #[test]
    fn a_content_is_inside_of_a_mark_until_it_is_closed() {
        for (content, inside) in [
            ("<think>We", true),
            ("\n[THINK]We add.", true),
            ("<think>We add.</think>", false),
            ("<Think>We add.</Think>4", false),
            ("We add.", false),
            ("<thi", false),
        ] {
            assert_eq!(is_inside(content, 0), inside, "{content}");
        }
    }
}
