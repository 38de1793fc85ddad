//! What the service answers: the same question always gets the same answer.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead};
use std::path::Path;

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Characters of an answer and its reasoning where nobody says.
const BYTES: usize = 400;

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
        let mut answers = Answers::default();
        for line in io::BufReader::new(std::fs::File::open(path)?).lines() {
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
