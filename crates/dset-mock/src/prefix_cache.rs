//! A cache of the beginnings of prompts, as DeepSeek has one: in units of 64 tokens.
//!
//! Knows no clock: it takes the time since the start.

use std::collections::HashMap;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::response::answer::BYTES_PER_TOKEN;

/// Tokens of a unit: a prompt is cached, and found, in whole ones.
pub(crate) const UNIT_TOKENS: u64 = 64;
const UNIT_BYTES: usize = UNIT_TOKENS as usize * BYTES_PER_TOKEN;
/// A prompt is forgotten so long after it was last found.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Prompts that are kept for one user; the one that was not found for longest makes room.
const HELD: usize = 20;

/// A prompt as the cache sees it: for each of its whole units, a hash of everything until its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrefixHashes(Vec<u64>);

impl PrefixHashes {
    pub(crate) fn of(prompt: &[u8]) -> PrefixHashes {
        let units = prompt.chunks_exact(UNIT_BYTES);
        PrefixHashes(
            units
                .scan(0, |before, unit| {
                    *before = xxh3_64_with_seed(unit, *before);
                    Some(*before)
                })
                .collect(),
        )
    }

    /// Counts the units that both begin with.
    fn shared(&self, other: &PrefixHashes) -> usize {
        // Each hash is of all before it, too.
        self.0.iter().zip(&other.0).take_while(|(a, b)| a == b).count()
    }
}

#[derive(Debug)]
struct Held {
    prompt: PrefixHashes,
    found: Duration,
}

/// What is kept for all users.
#[derive(Debug, Default)]
pub(crate) struct PrefixCache {
    by_user: HashMap<String, Vec<Held>>,
}

impl PrefixCache {
    /// Returns how many tokens of a prompt are found.
    pub(crate) fn find(&mut self, now: Duration, user: &str, prompt: &PrefixHashes) -> u64 {
        let Some(all) = self.by_user.get_mut(user) else { return 0 };
        all.retain(|held| now.saturating_sub(held.found) < LIFETIME);
        let best = all.iter_mut().max_by_key(|held| held.prompt.shared(prompt));
        let Some(best) = best else { return 0 };
        let units = best.prompt.shared(prompt);
        if units > 0 {
            best.found = now;
        }
        units as u64 * UNIT_TOKENS
    }

    /// Keeps a prompt, of which the first output is there.
    pub(crate) fn keep(&mut self, now: Duration, user: &str, prompt: PrefixHashes) {
        if prompt.0.is_empty() {
            return;
        }
        let all = self.by_user.entry(user.to_owned()).or_default();
        let of_new = |held: &Held| held.prompt.shared(&prompt);
        if let Some(longer) = all.iter_mut().find(|held| of_new(held) == prompt.0.len()) {
            longer.found = now;
            return;
        }
        all.retain(|held| held.prompt.shared(&prompt) < held.prompt.0.len());
        if all.len() == HELD
            && let Some((oldest, _)) = all.iter().enumerate().min_by_key(|(_, held)| held.found)
        {
            all.swap_remove(oldest);
        }
        all.push(Held { prompt, found: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    fn prompt(document: usize, units: usize, question: &str) -> PrefixHashes {
        let mut text = format!("{document:08}").repeat(UNIT_BYTES / 8 * units);
        text.push_str(question);
        PrefixHashes::of(text.as_bytes())
    }

    #[test]
    fn whole_units_of_what_was_asked_before_are_found_by_the_same_user() {
        let mut cache = PrefixCache::default();
        let first = prompt(1, 3, "Who?");
        assert_eq!(cache.find(START, "a", &first), 0);
        cache.keep(START, "a", first);
        assert_eq!(cache.find(START, "a", &prompt(1, 3, "What?")), 192);
        assert_eq!(cache.find(START, "a", &prompt(1, 2, "What?")), 128);
        assert_eq!(cache.find(START, "a", &prompt(2, 3, "Who?")), 0);
        assert_eq!(cache.find(START, "b", &prompt(1, 3, "Who?")), 0);
    }

    #[test]
    fn a_prompt_is_forgotten_five_minutes_after_it_was_found() {
        let mut cache = PrefixCache::default();
        let at = Duration::from_secs;
        cache.keep(START, "", prompt(1, 1, ""));
        assert_eq!(cache.find(at(299), "", &prompt(1, 1, "")), 64);
        assert_eq!(cache.find(at(598), "", &prompt(1, 1, "")), 64);
        assert_eq!(cache.find(at(898), "", &prompt(1, 1, "")), 0);
    }

    #[test]
    fn twenty_prompts_are_kept_and_one_that_continues_another_takes_its_place() {
        let mut cache = PrefixCache::default();
        let at = |second: usize| Duration::from_secs(second as u64);
        for document in 0..HELD {
            cache.keep(at(document), "", prompt(document, 1, ""));
        }
        cache.keep(at(30), "", prompt(5, 2, ""));
        assert_eq!(cache.find(at(31), "", &prompt(0, 1, "")), 64);
        cache.keep(at(32), "", prompt(99, 1, ""));
        assert_eq!(cache.find(at(33), "", &prompt(1, 1, "")), 0, "it was found longest ago");
        assert_eq!(cache.find(at(33), "", &prompt(0, 1, "")), 64);
        assert_eq!(cache.find(at(33), "", &prompt(5, 2, "")), 128);
    }
}
