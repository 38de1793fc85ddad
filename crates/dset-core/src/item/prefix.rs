//! Beginnings of prompts, by which providers find what they have cached.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::content::{Content, Role};
use super::params::Params;

/// No shorter beginning is told from others, in bytes: services cache none of fewer tokens.
const SHORTEST: usize = 1_024;
/// The first place within a message at which a beginning may end, in bytes; each further one is at
/// twice as many.
const FIRST_STEP: usize = 512;
/// Two beginnings of one prompt are so far apart at least, in bytes.
const APART: usize = 256;
/// So many beginnings of a prompt are told apart at most.
const COUNT_MAX: usize = 16;

/// Hashes growing beginnings of what is asked, the shortest first: those that end at steps within a
/// message, and with a message. Two prompts have a hash in common where everything up to there is the same.
///
/// Fields that a row brings along may change what a provider takes for the same: only rows with the
/// same ones have anything in common. `None` for a prompt that is too short to be cached.
#[must_use]
pub fn prefixes(
    system: Option<&str>,
    content: &Content,
    params: Option<&Params>,
) -> Option<Arc<[u64]>> {
    let total: usize = system.map_or(0, str::len) + content.texts().map(str::len).sum::<usize>();
    if total < SHORTEST {
        return None;
    }
    let seed = params.and_then(|params| serde_json::to_vec(params).ok());
    let mut found = Beginnings {
        hash: seed.map_or(0, |bytes| xxh3_64_with_seed(&bytes, 0)),
        bytes: 0,
        last: 0,
        hashes: Vec::new(),
    };
    system.into_iter().for_each(|text| found.message(Role::System, text));
    match content {
        Content::Text(text) => found.message(Role::User, text),
        Content::Chat(turns) => turns.iter().for_each(|turn| found.message(turn.role, &turn.text)),
    }
    (!found.hashes.is_empty()).then(|| found.hashes.into())
}

struct Beginnings {
    /// Of everything so far.
    hash: u64,
    bytes: usize,
    /// Where the last one ends.
    last: usize,
    hashes: Vec<u64>,
}

impl Beginnings {
    fn message(&mut self, role: Role, text: &str) {
        self.hash = xxh3_64_with_seed(role.name().as_bytes(), self.hash);
        let (mut rest, mut step) = (text.as_bytes(), FIRST_STEP);
        let mut at = 0;
        while at + rest.len() > step && self.hashes.len() < COUNT_MAX {
            let (piece, after) = rest.split_at(step - at);
            self.add(piece);
            self.end();
            (rest, at, step) = (after, step, 2 * step);
        }
        self.add(rest);
        self.end();
    }

    fn add(&mut self, piece: &[u8]) {
        self.hash = xxh3_64_with_seed(piece, self.hash);
        self.bytes += piece.len();
    }

    fn end(&mut self) {
        let is_far = self.last == 0 || self.bytes - self.last >= APART;
        if self.bytes >= SHORTEST && is_far && self.hashes.len() < COUNT_MAX {
            self.last = self.bytes;
            self.hashes.push(self.hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::content::Turn;

    fn of(system: Option<&str>, user: &str) -> Option<Arc<[u64]>> {
        prefixes(system, &Content::Text(user.into()), None)
    }

    fn shared(one: &[u64], other: &[u64]) -> usize {
        one.iter().zip(other).take_while(|(one, other)| one == other).count()
    }

    #[test]
    fn prompts_have_the_beginnings_in_common_that_are_the_same() {
        let system = "s".repeat(8_000);
        let one = of(Some(&system), "Who?").unwrap();
        let other = of(Some(&system), "What is it?").unwrap();
        assert_eq!(one, other, "the questions are too short to be told apart");
        let document = "d".repeat(3_000);
        let long = |question: &str| of(Some(&system), &format!("{document}{question}")).unwrap();
        let (who, what) = (long("Who is it, and why?"), long("What is it?"));
        assert_eq!(shared(&who, &one), one.len());
        assert_eq!(shared(&who, &what), who.len() - 1, "all but the question");
        let of_other = of(Some(&system), &"e".repeat(3_000)).unwrap();
        assert_eq!(shared(&who, &of_other), one.len());
    }

    #[test]
    fn a_short_prompt_has_none_and_a_long_one_few() {
        assert_eq!(of(Some("Be brief."), &"x".repeat(1_000)), None);
        assert_eq!(of(None, &"x".repeat(1_024)).unwrap().len(), 1);
        assert!(of(None, &"x".repeat(10_000_000)).unwrap().len() <= COUNT_MAX);
        let turn = |at: usize| Turn { role: Role::User, text: format!("{at:0300}").into() };
        let turns = Content::Chat((0..500).map(turn).collect());
        assert_eq!(prefixes(None, &turns, None).unwrap().len(), COUNT_MAX);
    }

    #[test]
    fn who_says_it_and_what_a_row_brings_along_tell_prompts_apart() {
        let text = "x".repeat(2_000);
        let said_by = |role| Content::Chat([Turn { role, text: text.as_str().into() }].into());
        let user = prefixes(None, &said_by(Role::User), None).unwrap();
        assert_eq!(of(None, &text).unwrap(), user);
        assert_eq!(shared(&prefixes(None, &said_by(Role::System), None).unwrap(), &user), 0);
        let params: Params = serde_json::from_str(r#"{"user_id":"a"}"#).unwrap();
        let with = prefixes(None, &said_by(Role::User), Some(&params)).unwrap();
        assert_eq!(shared(&with, &user), 0);
    }
}
