//! What the service answers: the same question always gets the same answer.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead};
use std::path::Path;

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::random::log_normal;

/// Characters of an answer and its reasoning, where the settings give no length.
const BYTES: usize = 400;

/// What a model says that refuses.
const REFUSAL: &str = "I'm sorry, but I can't help with that.";

/// Characters of a token.
pub(crate) const BYTES_PER_TOKEN: usize = 3;
/// The longest answer that is drawn: a log-normal has no end.
const TOKENS_MAX: f64 = 1_000_000.0;

const WORDS: [&str; 48] = [
    "first",
    "we",
    "look",
    "at",
    "what",
    "is",
    "asked",
    "and",
    "note",
    "the",
    "parts",
    "that",
    "matter",
    "then",
    "each",
    "of",
    "them",
    "gives",
    "a",
    "small",
    "step",
    "towards",
    "result",
    "which",
    "can",
    "be",
    "checked",
    "by",
    "going",
    "back",
    "so",
    "if",
    "one",
    "fails",
    "another",
    "must",
    "hold",
    "because",
    "both",
    "cannot",
    "stand",
    "together",
    "here",
    "therefore",
    "it",
    "follows",
    "from",
    "before",
];

/// What is answered, and how many tokens that is.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Absent where the request switches reasoning off.
    pub(crate) reasoning: Option<String>,
    pub(crate) content: String,
    /// The model refuses: there is no content, and these words say so.
    pub(crate) refusal: Option<&'static str>,
    pub(crate) tokens_reasoning: u64,
    /// With those of the reasoning.
    pub(crate) tokens_out: u64,
}

impl Answer {
    pub(crate) fn new(reasoning: Option<String>, content: String) -> Answer {
        let tokens_reasoning = reasoning.as_deref().map_or(0, tokens_of);
        let tokens_out = tokens_reasoning + tokens_of(&content);
        Answer { reasoning, content, refusal: None, tokens_reasoning, tokens_out }
    }

    /// Makes a refusal of it.
    pub(crate) fn refused(self) -> Answer {
        Answer { refusal: Some(REFUSAL), ..Answer::new(self.reasoning, String::new()) }
    }

    /// Sets the number of tokens that the answer counts as.
    pub(crate) fn of_tokens(mut self, tokens: u64) -> Answer {
        self.tokens_reasoning = if self.reasoning.is_some() { tokens * 2 / 3 } else { 0 };
        self.tokens_out = tokens;
        self
    }

    /// Leaves the second half of the content out.
    pub(crate) fn half(self) -> Answer {
        let half = self.content.len() / 2;
        let end = (0..=half).rev().find(|at| self.content.is_char_boundary(*at)).unwrap_or(0);
        Answer::new(self.reasoning, self.content[..end].to_owned())
    }
}

/// Three characters of English are about one token.
pub(crate) fn tokens_of(text: &str) -> u64 {
    text.len().div_ceil(BYTES_PER_TOKEN) as u64
}

/// Draws how many tokens an answer has: always the same for the same question.
pub(crate) fn tokens_for(question: &str, median: u64, sigma: f64, seed: u64) -> u64 {
    let hash = xxh3_64_with_seed(question.trim().as_bytes(), seed);
    let drawn = log_normal(&mut fastrand::Rng::with_seed(hash), median as f64, sigma);
    drawn.round().clamp(1.0, TOKENS_MAX) as u64
}

/// Tells whether a question is one of those that are answered wrongly: always the same ones.
pub(crate) fn is_wrong(question: &str, share: f64, seed: u64) -> bool {
    let hash = xxh3_64_with_seed(question.trim().as_bytes(), seed ^ 0x77);
    fastrand::Rng::with_seed(hash).f64() < share
}

/// Returns a wrong answer in the place of a right one: other digits in it, or one more.
pub(crate) fn wrong(right: &str) -> String {
    let digits = right.chars().filter(char::is_ascii_digit).count();
    if digits == 0 {
        return format!("{right} 1");
    }
    let other = |c: char| match c.to_digit(10) {
        Some(digit) => char::from_digit((digit + 1) % 10, 10).unwrap_or(c),
        None => c,
    };
    right.chars().map(other).collect()
}

/// Answers given in a file, by trimmed question.
#[derive(Debug, Default)]
pub struct Answers {
    by_question: HashMap<String, (String, String)>,
}

#[derive(Deserialize)]
struct Line {
    metadata: Metadata,
    response: Response,
}

#[derive(Deserialize)]
struct Metadata {
    question: String,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    reasoning: String,
    answer: String,
}

impl Answers {
    /// Reads a file in the format of `output.json`.
    pub fn read(path: &Path) -> io::Result<Answers> {
        Answers::parse(io::BufReader::new(std::fs::File::open(path)?))
    }

    /// Reads lines in the format of `output.json`.
    pub fn parse(lines: impl BufRead) -> io::Result<Answers> {
        let mut answers = Answers::default();
        for line in lines.lines() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_str(&line)?;
            let question = line.metadata.question.trim().to_owned();
            let answer = (line.response.reasoning, line.response.answer);
            answers.by_question.insert(question, answer);
        }
        Ok(answers)
    }

    /// Tells whether the file answers a question.
    pub(crate) fn has(&self, question: &str) -> bool {
        self.by_question.contains_key(question.trim())
    }

    /// Returns the reasoning and the answer to a question: from the file, else made up.
    #[must_use]
    pub fn get(&self, question: &str, bytes: Option<usize>, seed: u64) -> (String, String) {
        match self.by_question.get(question.trim()) {
            Some(given) => given.clone(),
            None => answer_for(question, bytes, seed),
        }
    }
}

/// Makes up the reasoning and the answer to a question, `bytes` characters together (400 where
/// absent). The same arguments give the same texts.
#[must_use]
pub fn answer_for(question: &str, bytes: Option<usize>, seed: u64) -> (String, String) {
    let hash = xxh3_64_with_seed(question.trim().as_bytes(), seed);
    let bytes = bytes.unwrap_or(BYTES);
    let mut answer = format!("The answer is {}.", hash % 1000);
    let mut state = hash | 1;
    let mut reasoning = String::with_capacity(bytes);
    let wanted = bytes.saturating_sub(answer.len());
    while reasoning.len() < wanted * 2 / 3 {
        push_word(&mut reasoning, &mut state);
    }
    let wanted = wanted - reasoning.len().min(wanted);
    let from = answer.len();
    while answer.len() - from < wanted {
        push_word(&mut answer, &mut state);
    }
    (reasoning, answer)
}

fn push_word(text: &mut String, state: &mut u64) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    let word = WORDS[(*state % WORDS.len() as u64) as usize];
    let _ = if text.is_empty() { write!(text, "{word}") } else { write!(text, " {word}") };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_gets_the_same_answer_of_the_size_wanted() {
        let (reasoning, answer) = answer_for("Why?", Some(1600), 1);
        assert_eq!(answer_for(" Why? ", Some(1600), 1), (reasoning.clone(), answer.clone()));
        assert!((1590..1620).contains(&(reasoning.len() + answer.len())));
        assert_ne!(answer_for("How?", Some(1600), 1).1, answer);
        assert_ne!(answer_for("Why?", Some(1600), 2).1, answer);
    }
}
