//! What stands beside a number: units, currencies, words that multiply, and what makes it no number.

use num_bigint::BigInt;
use num_rational::BigRational;

/// What words behind a number make of it.
pub(super) struct Beside {
    pub(super) factor: BigRational,
    pub(super) unit: String,
    /// The unit may as well be a factor: 3M, 300K.
    pub(super) may_be_factor: bool,
}

impl Beside {
    /// Reads what stands behind a number; `None` where that goes on as a sentence, or says another
    /// number in a way that is not read.
    pub(super) fn read(unit: &str, currency: &str, is_attached: bool) -> Option<Beside> {
        let mut words: Vec<&str> = unit.split(' ').collect();
        let mut factor = BigRational::from(BigInt::from(1));
        while let Some(thousands) = words.first().and_then(|word| factor_of(word)) {
            factor *= BigRational::from(BigInt::from(thousands));
            words.remove(0);
        }
        let of_unit =
            words.first().and_then(|word| MYRIADS_ZH.iter().find(|own| word.starts_with(own.0)));
        if let Some((sign, myriads)) = of_unit {
            factor *= BigRational::from(BigInt::from(*myriads));
            words[0] = &words[0][sign.len()..];
        }
        if let Some((first, rest)) = words.split_first() {
            let (letters, sign) = match first.char_indices().next_back() {
                Some((at, sign)) if first.len() > sign.len_utf8() && is_currency(sign) => {
                    (&first[..at], &first[at..])
                }
                _ => (*first, ""),
            };
            let is_money = !currency.is_empty() || !sign.is_empty();
            let of_money = money_factor_of(letters).filter(|_| is_money);
            let of_k = Some(1_000).filter(|_| is_attached && letters == "k");
            if let Some(own) = of_money.or(of_k) {
                factor *= BigRational::from(BigInt::from(own));
                words = [&[sign][..], rest].concat();
            }
        }
        let unit = words.join(" ").trim().to_owned();
        if PER_CENT.contains(&&*unit.trim_end_matches('.').to_lowercase()) {
            let factor = factor / BigInt::from(100);
            return Some(Beside { factor, unit: String::new(), may_be_factor: false });
        }
        let is_sentence = words.len() > WORDS_MAX
            || words.iter().any(|word| is_of_a_sentence(word))
            || words.first().is_some_and(|word| is_of_a_term(word));
        let letters = unit.trim_end_matches('.');
        let may_be_factor = is_attached && LETTERS.contains(&letters)
            || unit.starts_with(HUNDREDS_ZH) && !KILO_ZH.iter().any(|kilo| unit.starts_with(kilo));
        (!is_sentence).then_some(Beside { factor, unit, may_be_factor })
    }
}

/// How many words a unit has at most: `cubic metres per second`.
const WORDS_MAX: usize = 4;
const PER_CENT: [&str; 4] = ["percent", "per cent", "pct", "prozent"];
/// Letters that are a unit for some and a factor for others, where they stand at the number: `3M`, but `300 K`.
const LETTERS: [&str; 7] = ["k", "K", "M", "B", "b", "G", "T"];
/// A hundred and a thousand, of which the second is a kilo before units.
const HUNDREDS_ZH: [char; 3] = ['十', '百', '千'];
const KILO_ZH: [&str; 8] = ["千克", "千米", "千瓦", "千卡", "千赫", "千焦", "千帕", "千伏"];

/// What multiplies before a unit in Chinese, the longer first: `3万元`.
const MYRIADS_ZH: [(&str, u64); 5] = [
    ("万亿", 1_000_000_000_000),
    ("万", 10_000),
    ("萬", 10_000),
    ("亿", 100_000_000),
    ("億", 100_000_000),
];

/// Reads a word that multiplies.
fn factor_of(word: &str) -> Option<u64> {
    let lower = word.trim_end_matches('.').to_lowercase();
    Some(match lower.strip_suffix('s').unwrap_or(&lower) {
        "dozen" => 12,
        "hundred" => 100,
        "thousand" => 1_000,
        "万" | "萬" => 10_000,
        "million" | "mln" | "mio" => 1_000_000,
        "亿" | "億" => 100_000_000,
        "billion" | "bn" => 1_000_000_000,
        "trillion" | "tn" | "万亿" => 1_000_000_000_000,
        _ => return None,
    })
}

fn is_currency(sign: char) -> bool {
    matches!(sign, '$' | '¢'..='¥' | '\u{20a0}'..='\u{20cf}')
}

/// Reads the letters that multiply money.
fn money_factor_of(letters: &str) -> Option<u64> {
    Some(match letters {
        "k" | "K" => 1_000,
        "m" | "M" | "mn" => 1_000_000,
        "b" | "B" => 1_000_000_000,
        "t" | "T" => 1_000_000_000_000,
        _ => return None,
    })
}

/// Words that no unit has: those that go on as a sentence, and those that make another number.
const OF_SENTENCES: &str = "is are was were be isn't ain't aren't wasn't not no nor never none \
    neither or and but if unless except than then so maybe perhaps probably possibly wrong incorrect false untrue \
    would should could cannot can't does doesn't do don't did has have think guess it which that \
    because plus minus too instead almost nearly roughly about approximately squared cubed \
    factorial half halves third thirds quarter quarters fifths tenth tenths hundredth \
    hundredths thousandths ist nicht falsch oder est pas ou faux";

/// What words of a sentence have in Chinese, and numbers that are not read.
const OF_SENTENCES_ZH: [char; 14] =
    ['不', '错', '非', '没', '无', '否', '或', '是', '吗', '但', '半', '多', '万', '亿'];

fn is_of_a_sentence(word: &str) -> bool {
    let lower = word.trim_end_matches('.').to_lowercase().replace('’', "'");
    OF_SENTENCES.split(' ').any(|own| own == lower) || lower.contains(OF_SENTENCES_ZH)
}

/// Functions and numbers that have names, which multiply what stands before them.
const OF_TERMS: [&str; 19] = [
    "pi", "theta", "phi", "sin", "cos", "tan", "cot", "csc", "sinh", "cosh", "tanh", "arcsin",
    "arccos", "arctan", "log", "ln", "lg", "exp", "sqrt",
];
/// Letters that stand for a number, or for one that is sought, more often than for a unit.
const VARIABLES: &str = "aceijnopqruvwxyzfDEIOPQRUXYZ";

/// Tells whether a word goes on as a term: `2x`, `2π`, `2 cos`, but not `2 km/h`.
fn is_of_a_term(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let parts = word.split(['/', '·', '^', '²', '³', '-']);
    let is_variable = |letter: char| {
        VARIABLES.contains(letter) || matches!(letter, '\u{391}'..='\u{3c9}') && letter != 'Ω'
    };
    let is_factor = |part: &str| {
        let mut letters = part.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => is_variable(letter),
            (Some(_), Some(_)) => part.chars().all(|letter| "xyzπ".contains(letter)),
            (None, _) => false,
        }
    };
    // A function has its letter with it at times: `cosx`.
    let name = word.trim_end_matches(['x', 'y', 'θ']);
    let is_named = OF_TERMS.iter().any(|own| *own == word || *own == name);
    is_named || word.contains('π') || parts.into_iter().any(is_factor)
}

/// Other names of units: the sign, and what else is written for it, without the plural.
const SAME_UNITS: [(&str, &[&str]); 5] = [
    ("°", &["degree", "deg"]),
    ("$", &["usd", "us$", "dollar"]),
    ("€", &["eur", "euro"]),
    ("£", &["gbp"]),
    ("₹", &["inr", "rupee"]),
];

/// Returns the unit that a currency before a number and words behind it make, by one name.
pub(super) fn unit_of(currency: &str, behind: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in std::iter::once(currency).chain(behind.split(' ')) {
        let word = word.trim_end_matches('.');
        // One apple and two apples are of one unit.
        let one = word.strip_suffix('s').filter(|one| one.chars().count() > 1).unwrap_or(word);
        let lower = one.to_lowercase();
        let same = SAME_UNITS.iter().find(|(_, others)| others.contains(&&*lower));
        let word = same.map_or(one, |(sign, _)| sign);
        if word == "$" && words.last() == Some(&"US") {
            words.pop();
        }
        if !word.is_empty() && words.last() != Some(&word) {
            words.push(word);
        }
    }
    words.join(" ")
}
