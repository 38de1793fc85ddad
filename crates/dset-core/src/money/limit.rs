//! Limits that are likely to be enough.

use super::Amount;

/// Returns a limit of money under which what is left is likely to be paid for, of a folder whose limit is
/// reached. `used` is what was spent or may have been billed; `rest` what is left to ask will cost, by what
/// the answers so far have cost, and as much as the `limit` where that is unknown; a tenth is added, as
/// answers differ. The worst case `least` of an ask has to be free until the last.
#[must_use]
pub fn next_limit(used: Amount, limit: Amount, rest: Option<Amount>, least: Amount) -> Amount {
    let rest = rest.map_or(limit, |rest| rest.times(11).share(10));
    used.max(limit) + rest.max(least) + least
}

/// Returns a limit of tokens under which answers of this length and a tenth more fit, in round numbers.
#[must_use]
pub fn token_limit_above(tokens: u64) -> u64 {
    let step = if tokens < 1_000 { 50 } else { 500 };
    (tokens + tokens / 10).next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_limit_pays_for_the_rest_and_leaves_the_worst_case_free() {
        let dollars = |dollars| Amount::from_dollars(dollars).unwrap();
        for (rest, least, next) in [
            (Some(10.0), 0.5, 4.0 + 11.0 + 0.5),
            (Some(0.001), 0.5, 4.0 + 0.5 + 0.5),
            (Some(0.0), 0.0, 4.0),
            (None, 0.5, 4.0 + 4.0 + 0.5),
        ] {
            let limit = next_limit(dollars(3.0), dollars(4.0), rest.map(dollars), dollars(least));
            assert_eq!(limit, dollars(next), "{rest:?} {least}");
        }
    }

    #[test]
    fn a_token_limit_leaves_a_tenth_and_is_round() {
        let limits = [(0, 0), (40, 50), (460, 550), (999, 1_100), (1_000, 1_500), (4_546, 5_000)];
        for (tokens, limit) in limits {
            assert_eq!(token_limit_above(tokens), limit, "{tokens}");
        }
    }
}
