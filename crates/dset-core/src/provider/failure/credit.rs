//! Recognises an empty account, and limits that only the account's owner can lift, by the words
//! that services use.
//!
//! Statuses say little: an empty account comes as a 400, 401, 402, 403, 429, 500 or 200, in
//! English, in Chinese or as a number. Words about balances and bills are certain whatever stands
//! beside them. Words about quotas are not: the same ones mean a limit that is full again in a
//! minute, which a wait or a rate beside them tells.

use serde_json::Value;

use super::echo::Echo;

/// What the words of an error say about money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Money {
    /// They do not mention it.
    Unsaid,
    /// There is none, unless a wait is named: it may be a limit for a short time.
    Doubtful,
    /// The account is empty, certainly.
    Gone,
}

/// Words that are certain by themselves; of letters and digits alone, as in [`normal`].
const GONE: [&str; 60] = [
    "account overdue",
    "arrearage",
    "arrears",
    "bill overdue",
    "overdue balance",
    "overdue payment",
    "payment overdue",
    "past due",
    "past invoices",
    "unpaid",
    "failure to pay",
    "failed payment",
    "payment required",
    "billing hard limit",
    "billing not active",
    "billing is not active",
    "billing is disabled",
    "billing disabled",
    "payment instrument",
    "billing has not been enabled",
    "billing to be enabled",
    "in good standing",
    "can only afford",
    "spend limit",
    "spending limit",
    "spend cap",
    "spending cap",
    "contract spend",
    "cost limit",
    "budget has been exceeded",
    "budget exceeded",
    "exceeded budget",
    "exceeded your budget",
    "over budget",
    "budget limit",
    "set inference limit",
    "set limit exceeded",
    "organization usage limit exceeded",
    "reached your specified api usage limits",
    "commodity not purchased",
    "total request limit reached",
    "resource pack exhausted",
    "resource package exhausted",
    "charge resource exhaust",
    "subscription has expired",
    "subscription expired",
    "subscription has ended",
    "subscription ended",
    "plan has expired",
    "plan expired",
    "package has expired",
    "package expired",
    "package is expired",
    "no active subscription",
    "no resource package",
    "insufficient user quota",
    "pre consume token quota",
    "quota is not enough",
    "trial has expired",
    "trial expired",
];

/// Words that mean an empty account or a limit per minute, depending on what stands beside them.
const DOUBTFUL: [&str; 21] = [
    // OpenAI says so of a limit of the minute, too.
    "payment method",
    "requires billing",
    "enable billing",
    "insufficient quota",
    "quota insufficient",
    "quota not enough",
    "not enough quota",
    "exceeded current quota",
    "plan and billing details",
    "billing account",
    "free trial quota",
    "free tier only",
    "free tier of the model has been exhausted",
    "free quota",
    "free allowance",
    "add credits",
    "buy credits",
    "purchase credits",
    "add funds",
    "please recharge",
    "top up your",
];

/// What is spent, and the words that say, a few words before or after it, that there is none.
const PURSES: [&str; 11] = [
    "balance",
    "balances",
    "credit",
    "credits",
    "fund",
    "funds",
    "wallet",
    "prepayment",
    "prepaid",
    "money",
    "points",
];
const EMPTY: [&str; 20] = [
    "insufficient",
    "enough",
    "sufficient",
    "inadequate",
    "depleted",
    "exhausted",
    "exhaust",
    "out",
    "used",
    "low",
    "negative",
    "overdue",
    "zero",
    "0",
    "below",
    "empty",
    "expired",
    "exceeded",
    "lack",
    "required",
];
/// Those of them that are not used for a limit of short duration.
const EMPTY_FOR_GOOD: [&str; 5] = ["insufficient", "depleted", "negative", "overdue", "low"];
/// Words that say so right before it.
const NONE: [&str; 5] = ["no", "any", "without", "zero", "0"];

/// How many words may be between the two: `your account balance of the month is insufficient`.
const WORDS_BETWEEN_MAX: usize = 5;

/// The same in Chinese: certain by themselves, …
const GONE_ZH: [&str; 8] = [
    "欠费",
    "欠款",
    "逾期",
    "套餐已到期",
    "套餐已过期",
    "无可用资源包",
    "没有可用资源包",
    "未开通付费",
];
/// … what is spent, …
const PURSES_ZH: [&str; 8] = ["余额", "額度", "额度", "餘額", "资源包", "积分", "点数", "残高"];
/// … and that there is none.
const EMPTY_ZH: [&str; 16] = [
    "不足", "不够", "不夠", "用尽", "用盡", "耗尽", "耗盡", "用完", "已用", "为0", "为 0", "为零",
    "为负", "超出", "超限", "透支",
];
/// How many characters may be between the two.
const CHARS_BETWEEN_MAX: usize = 8;

/// Words of a limit for a time that is soon over.
const RATES: [&str; 21] = [
    "per minute",
    "per second",
    "per min",
    "per sec",
    "/min",
    "requests per",
    "tokens per",
    "token-limit",
    "#rate-limit",
    "/rate-limits",
    "rate limit reached",
    "rate limit exceeded",
    "concurren",
    "burst",
    "每分钟",
    "每秒",
    "频率",
    "并发",
    "速率",
    "限流",
    "过于频繁",
];
/// Their short names, as words of their own.
const RATES_SHORT: [&str; 5] = ["tpm", "rpm", "qps", "rps", "qpm"];

/// What MiniMax puts behind its words.
const MINIMAX: &str = "(1008)";
/// Codes that services give without saying more: Zhipu's, SiliconFlow's.
const CODES: [&str; 2] = ["1113", "30001"];

/// Reads what the texts of an error say about money.
pub(crate) fn money(texts: &[String], echo: &Echo<'_>) -> Money {
    let says = |text: &String| {
        let normal = normal(text);
        let words: Vec<&str> = normal.split(' ').collect();
        let has = |list: &[&str]| {
            list.iter().any(|phrase| has_words(&normal, phrase) && !echo.has_words(phrase))
        };
        let is_rate = RATES.iter().any(|rate| text.to_lowercase().contains(rate))
            || words.iter().any(|word| RATES_SHORT.contains(word));
        let is_gone = has(&GONE)
            || is_empty(&words, is_rate, echo)
            || text.trim_end().ends_with(MINIMAX)
            || GONE_ZH.iter().any(|gone| text.contains(gone) && !echo.has(gone))
            || is_empty_zh(text, echo) && !is_rate;
        match (is_gone, has(&DOUBTFUL) || text.contains("充值"), is_rate) {
            (true, ..) => (Money::Gone, is_rate),
            (false, true, _) => (Money::Doubtful, is_rate),
            (false, false, _) => (Money::Unsaid, is_rate),
        }
    };
    let said: Vec<(Money, bool)> = texts.iter().map(says).collect();
    let has = |money| said.iter().any(|(said, _)| *said == money);
    if has(Money::Gone) {
        return Money::Gone;
    }
    // The code and the message are two texts: what one leaves open the other may tell.
    let is_rate = said.iter().any(|(_, is_rate)| *is_rate);
    if has(Money::Doubtful) && !is_rate { Money::Doubtful } else { Money::Unsaid }
}

/// Returns true if a code of an error means an empty account.
pub(crate) fn is_code(code: &Value) -> bool {
    match code {
        Value::String(code) => CODES.contains(&code.as_str()),
        Value::Number(code) => CODES.contains(&code.to_string().as_str()),
        _ => false,
    }
}

fn is_empty(words: &[&str], is_rate: bool, echo: &Echo<'_>) -> bool {
    let empty = if is_rate { &EMPTY_FOR_GOOD[..] } else { &EMPTY };
    words.iter().enumerate().filter(|(_, word)| PURSES.contains(word)).any(|(at, _)| {
        let from = at.saturating_sub(WORDS_BETWEEN_MAX + 1);
        let before = &words[from..at];
        let after = &words[at + 1..words.len().min(at + 2 + WORDS_BETWEEN_MAX)];
        let is_told = |from: usize, to: usize| !echo.has_words(&words[from..=to].join(" "));
        // A load balancer without servers is no account without money.
        let is_load = before.last() == Some(&"load");
        // `based on your remaining balance` is a reason, and says nothing of the amount.
        let is_none = |word: &str, before: usize| !is_rate && before <= 2 && NONE.contains(&word);
        let says_before = before.iter().enumerate().any(|(i, word)| {
            let i = from + i;
            (empty.contains(word) || is_none(word, at - i)) && is_told(i, at)
        });
        let says_after = after
            .iter()
            .enumerate()
            .any(|(i, word)| empty.contains(word) && is_told(at, at + 1 + i));
        !is_load && (says_before || says_after)
    })
}

fn is_empty_zh(text: &str, echo: &Echo<'_>) -> bool {
    let pairs = PURSES_ZH.iter().flat_map(|purse| EMPTY_ZH.iter().map(move |empty| (purse, empty)));
    let mut near = pairs.flat_map(|(purse, empty)| {
        let behind = text.split(purse).skip(1).map(move |rest| (*purse, rest, *empty));
        let before = text.split(empty).skip(1).map(move |rest| (*empty, rest, *purse));
        behind.chain(before)
    });
    near.any(|(first, rest, wanted)| {
        rest.find(wanted).is_some_and(|at| {
            let between = &rest[..at];
            between.chars().count() <= CHARS_BETWEEN_MAX
                && !between.contains(['。', ';', '；'])
                && !echo.has(&format!("{first}{between}{wanted}"))
        })
    })
}

/// Writes a text in lower case with one space in the place of all that is neither letter nor digit:
/// `AccountOverdueError`, `INSUFFICIENT_BALANCE` and `Insufficient balance.` are words alike.
pub(crate) fn normal(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    let mut was_lower = false;
    for c in text.chars() {
        let is_new_word = !c.is_alphanumeric() || c.is_uppercase() && was_lower;
        if is_new_word && !normal.ends_with(' ') {
            normal.push(' ');
        }
        if c.is_alphanumeric() {
            normal.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    normal.trim().to_owned()
}

/// Returns true if words stand in a normal text, as whole words.
pub(super) fn has_words(normal: &str, phrase: &str) -> bool {
    normal.match_indices(phrase).any(|(at, found)| {
        let ends = |c: Option<char>| c.is_none_or(|c| c == ' ');
        ends(normal[..at].chars().next_back()) && ends(normal[at + found.len()..].chars().next())
    })
}
