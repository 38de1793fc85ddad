//! Names that were probably meant: what slips of the keyboard make of a name, and nothing else.

/// Returns the one of these names that was probably meant: see [`slips`].
pub(crate) fn meant(name: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let near = names.into_iter().filter_map(|own| Some((slips(name, &own)?, own)));
    near.min_by_key(|(slips, _)| *slips).map(|(_, own)| own)
}

/// Counts the slips of the keyboard that make one name of another; nothing where they are more than
/// slips, so that a name of another meaning is never proposed: every word of a name must be the
/// other's but for a letter or two, and digits are never slips.
pub(crate) fn slips(given: &str, own: &str) -> Option<usize> {
    let plain = |name: &str| name.to_lowercase().replace('_', "-");
    let (given, own) = (plain(given), plain(own));
    let words = |name: &str| -> Vec<String> {
        name.split(['-', '.', '/', ':', ' ']).map(str::to_owned).collect()
    };
    let (left, right) = (words(&given), words(&own));
    if left.len() != right.len() {
        // A sign between words is left out, or put in.
        let bare = |words: &[String]| words.concat();
        let slips = slips_of_word(&bare(&left), &bare(&right))?;
        return (left.len().abs_diff(right.len()) == 1).then_some(slips + 1);
    }
    left.iter().zip(&right).map(|(given, own)| slips_of_word(given, own)).sum()
}

fn slips_of_word(given: &str, own: &str) -> Option<usize> {
    let digits = |word: &str| word.chars().filter(char::is_ascii_digit).collect::<String>();
    let (longer, shorter) = {
        let lengths = [given, own].map(|word| word.chars().count());
        (lengths[0].max(lengths[1]), lengths[0].min(lengths[1]))
    };
    let slips = strsim::osa_distance(given, own);
    if slips == 0 {
        return Some(0);
    }
    let begins_alike = |letters: usize| given.chars().take(letters).eq(own.chars().take(letters));
    let is_swapped = slips == 1 && longer == shorter && strsim::levenshtein(given, own) == 2;
    let is_slip = match slips {
        _ if shorter < 2 || digits(given) != digits(own) => false,
        1 if is_swapped => longer > 2,
        // Another letter makes another word of a short one: `rpm`, `tpm`.
        1 if longer == shorter => longer > 4 && begins_alike(1),
        1 => longer > 4 || begins_alike(1),
        2 => longer > 8 || longer > 5 && begins_alike(3),
        _ => false,
    };
    is_slip.then_some(slips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_for_another_only_where_few_letters_differ_and_it_may_mean_the_same() {
        for (given, own) in [
            ("modle", "model"),
            ("max_tokens", "max-tokens"),
            ("maxtokens", "max-tokens"),
            ("max-token", "max-tokens"),
            ("concurency", "concurrency"),
            ("rmp", "rpm"),
            ("onn", "on"),
            ("fromats", "formats"),
            ("retrys", "retries"),
            ("sampels", "samples"),
            ("gpt-6-lna", "gpt-6-luna"),
            ("rnu", "run"),
            ("stauts", "status"),
        ] {
            assert!(slips(given, own).is_some(), "{given} is {own}");
        }
        for (given, own) in [
            ("max-cost", "max-tokens"),
            ("max-time", "max-tokens"),
            ("rps", "rpm"),
            ("tpm", "rpm"),
            ("input", "output"),
            ("of", "on"),
            ("no", "on"),
            ("test", "text"),
            ("train", "test"),
            ("cost", "host"),
            ("gpt-5-luna", "gpt-6-luna"),
            ("q1", "q2"),
            ("questions-de", "questions-en"),
            ("log-file", "log-format"),
            ("idle-time", "timeout"),
            ("start", "stats"),
            ("no-stream", "stream"),
            ("seed", "system"),
        ] {
            assert_eq!(slips(given, own), None, "{given} is not {own}");
        }
    }
}
