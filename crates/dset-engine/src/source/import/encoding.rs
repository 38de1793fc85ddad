//! Which encoding a text is in that is not UTF-8, as far as its bytes tell.
//!
//! The detector of Firefox makes the guess. It always makes one, so the guess is believed only where
//! nothing speaks against it: the detector says the same whatever country the file is said to be of,
//! and what is read looks like words. A wrong guess would be asked, and paid for, without anybody
//! seeing it.

use std::io::{self, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GBK, ISO_2022_JP, SHIFT_JIS, UTF_8};
use encoding_rs::{IBM866, MACINTOSH, WINDOWS_1251, WINDOWS_1252, X_MAC_CYRILLIC};

const CHUNK: usize = 64 * 1024;
/// So much of what is not ASCII is looked at.
const SAMPLE_BYTES_MAX: usize = 256 * 1024;
/// Lines that are shown as each encoding has them.
const LINES: usize = 3;
/// Encodings that are shown.
const CANDIDATES_MAX: usize = 6;
/// Bytes below this are never a part of a longer character, in any encoding that is known here.
const APART_BELOW: u8 = 0x30;
/// A country for every guess that one can change.
const COUNTRIES: [&str; 22] = [
    "com", "cn", "tw", "jp", "kr", "ru", "ua", "pl", "cz", "gr", "tr", "il", "ir", "sa", "lt",
    "lv", "ee", "th", "vn", "is", "bg", "hr",
];
/// Encodings of older systems that the detector does not know.
const OTHERS: [&Encoding; 3] = [MACINTOSH, X_MAC_CYRILLIC, IBM866];

/// What a text is in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EncodingDetection {
    /// This encoding.
    Sure(&'static Encoding),
    /// UTF-8, but for so many places.
    Torn(u64),
    /// One of these, the likeliest first.
    Unsure(Vec<EncodingCandidate>),
    /// An encoding that is known and cannot be read.
    Unreadable(&'static str),
}

/// Some lines of a file as an encoding has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingCandidate {
    /// What the encoding is called.
    pub encoding: &'static str,
    /// The first lines that are not plain ASCII.
    pub lines: Vec<String>,
}

/// What a whole text tells of its encoding.
#[derive(Debug, Default)]
pub(super) struct EncodingScan {
    /// Characters of UTF-8 that are not ASCII.
    characters: u64,
    /// Places that are no UTF-8.
    torn: u64,
    /// Whether there are the signs of ISO-2022.
    is_shifted: bool,
    /// Lines that are not ASCII.
    sample: Vec<u8>,
}

impl EncodingScan {
    /// Reads a text to its end.
    pub(super) fn from_reader(mut text: impl Read) -> io::Result<EncodingScan> {
        let mut scanned = EncodingScan::default();
        let mut held = Vec::new();
        loop {
            let from = held.len();
            held.resize(from + CHUNK, 0);
            let read = text.read(&mut held[from..])?;
            held.truncate(from + read);
            let whole = match read {
                0 => held.len(),
                // A character must not be cut in two.
                _ => held.iter().rposition(|byte| *byte < APART_BELOW).map_or(0, |at| at + 1),
            };
            scanned.take(&held[..whole]);
            held.drain(..whole);
            if read == 0 {
                return Ok(scanned);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if bytes.is_ascii() {
            self.is_shifted |= memchr::memmem::find(bytes, b"\x1b$").is_some();
        } else {
            for chunk in bytes.utf8_chunks() {
                self.characters +=
                    chunk.valid().bytes().filter(|byte| *byte >= 0xc0).count() as u64;
                self.torn += u64::from(!chunk.invalid().is_empty());
            }
        }
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        for line in lines.filter(|line| !line.is_ascii() || line.contains(&0x1b)) {
            if self.sample.len() + line.len() <= SAMPLE_BYTES_MAX || self.sample.is_empty() {
                self.sample.extend_from_slice(line);
            }
        }
    }

    pub(super) fn detect(&self) -> EncodingDetection {
        if self.torn == 0 {
            return match self.is_shifted {
                false => EncodingDetection::Sure(UTF_8),
                true if ISO_2022_JP.decode(&self.sample).2 => {
                    EncodingDetection::Unreadable("ISO-2022-KR")
                }
                true => EncodingDetection::Sure(ISO_2022_JP),
            };
        }
        if self.characters >= self.torn * 2 {
            return EncodingDetection::Torn(self.torn);
        }
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        detector.feed(&self.sample, true);
        let guess = |country: &&str| detector.guess(Some(country.as_bytes()), Utf8Detection::Deny);
        let first = guess(&COUNTRIES[0]);
        let text = first.decode(&self.sample).0;
        let agreeing = |country: &&&str| {
            let other = guess(country);
            other == first || other.decode(&self.sample).0 == text
        };
        let agreeing = COUNTRIES.iter().filter(agreeing).count();
        if agreeing * 2 >= COUNTRIES.len() && oddness(first, &self.sample) < ODD_MAX {
            return EncodingDetection::Sure(first);
        }
        let mut encodings = vec![first];
        let others = COUNTRIES.iter().map(guess).chain([WINDOWS_1252]).chain(OTHERS);
        for other in others {
            if !encodings.contains(&other) {
                encodings.push(other);
            }
        }
        EncodingDetection::Unsure(self.candidates(&encodings))
    }

    /// Returns the encodings with some lines as each has them: first those that look like words, of
    /// two that are the same one.
    fn candidates(&self, encodings: &[&'static Encoding]) -> Vec<EncodingCandidate> {
        let mut odd: Vec<(u64, &'static Encoding)> =
            encodings.iter().map(|encoding| (oddness(encoding, &self.sample), *encoding)).collect();
        if self.characters * 4 >= self.torn {
            odd.insert(0, (0, UTF_8));
        }
        odd.sort_by_key(|(odd, _)| *odd);
        let mut readings: Vec<EncodingCandidate> = Vec::new();
        for (_, encoding) in odd {
            let text = encoding.decode(&self.sample).0;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_ascii());
            let lines: Vec<String> = lines.take(LINES).map(str::to_owned).collect();
            if readings.len() < CANDIDATES_MAX && readings.iter().all(|own| own.lines != lines) {
                readings.push(EncodingCandidate { encoding: encoding.name(), lines });
            }
        }
        readings
    }
}

/// From so many odd places in a hundred characters on a text is not believed.
const ODD_MAX: u64 = 6;
/// A text with something that no text has.
const IMPOSSIBLE: u64 = 1000;
/// So many characters are weighed.
const WEIGHED_MAX: usize = 20_000;

/// Returns how many of a hundred characters that are not ASCII stand where no writing has them.
fn oddness(encoding: &'static Encoding, bytes: &[u8]) -> u64 {
    let (text, _, is_broken) = encoding.decode(bytes);
    if is_broken {
        return IMPOSSIBLE;
    }
    let chars: Vec<char> = text.chars().take(WEIGHED_MAX).collect();
    let (mut all, mut odd, mut rare, mut wide) = (0u64, 0u64, 0u64, 0u64);
    for (at, &c) in chars.iter().enumerate().filter(|(_, c)| !c.is_ascii()) {
        let before = at.checked_sub(1).map_or(' ', |at| chars[at]);
        let behind = chars.get(at + 1).copied().unwrap_or(' ');
        if matches!(c, '\u{80}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fffd}') {
            return IMPOSSIBLE;
        }
        all += 1;
        odd += u64::from(is_odd(before, c, behind));
        if let Some(is_common) = is_common(encoding, c) {
            wide += 1;
            rare += u64::from(!is_common);
        }
    }
    // Of a text in Chinese, Japanese or Korean most characters are everyday ones.
    let is_rare = rare * 10 > wide * 4;
    let is_strange = is_rare || is_another(encoding, &chars);
    odd * 100 / all.max(1) + if is_strange { IMPOSSIBLE / 2 } else { 0 }
}

/// Tells whether a text has letters that no language has together, as it does where it is in an
/// encoding much like this one.
fn is_another(encoding: &'static Encoding, chars: &[char]) -> bool {
    let has = |list: &str| chars.iter().any(|c| list.contains(*c));
    let pairs = || chars.windows(2);
    match encoding {
        e if e == WINDOWS_1252 => {
            // ISO-8859-15 has € and œ there, windows-1250 and ISO-8859-2 ő and ű.
            has("¤")
                || pairs().any(|pair| matches!(pair[0], '½' | '¼' | '¾') && pair[1].is_alphabetic())
                || has("áéíóú") && pairs().any(|pair| pair[0] == 'õ' && pair[1] != 'e')
                || has("û") && has("öüáíó")
        }
        e if e == WINDOWS_1251 => has("ЂЃЅЈЉЊЋЌЏ") && has("ыэяюё"),
        e if e == IBM866 => {
            let letters = chars.iter().filter(|c| !c.is_ascii() && c.is_alphabetic());
            let small = letters.clone().filter(|c| c.is_lowercase()).count();
            small * 2 < letters.count()
        }
        _ => false,
    }
}

/// Tells whether a character does not belong between these two.
fn is_odd(before: char, c: char, behind: char) -> bool {
    let is_letter = |c: char| c.is_alphabetic() && !matches!(c, 'ª' | 'º');
    if is_letter(c) {
        let mixed = |other: char| script(other).zip(script(c)).is_some_and(|(a, b)| a != b);
        return before.is_lowercase() && c.is_uppercase() || mixed(before) || mixed(behind);
    }
    match c {
        // What opens something, or stands before a number, behind a letter.
        '‚' | '„' | '‘' | '¡' | '¿' | '¢' | '£' | '¤' | '¥' | '¦' | 'ˆ' | '˜' | '¬' | '¨' | '¸' => {
            is_letter(before)
        }
        '†' | '‡' | '‰' | '•' => is_letter(before) || is_letter(behind),
        '\u{a0}' => before == ' ' || behind == ' ',
        '—' if before.is_whitespace() => script(behind) == Some(2) && behind.is_lowercase(),
        '’' | '´' | '·' | '–' | '—' | '…' | '\u{ad}' => false,
        // Signs of scripts whose letters are joined by marks, and whatever else is no sign.
        _ if u32::from(c) >= 0x300 && !matches!(c, '\u{2000}'..='\u{2bff}') => false,
        _ => is_letter(before) && is_letter(behind),
    }
}

/// Returns the alphabet of a letter, for those that no word mixes.
fn script(c: char) -> Option<u8> {
    match c {
        'a'..='z' | 'A'..='Z' | 'À'..='ɏ' if c.is_alphabetic() => Some(0),
        'Ͱ'..='Ͽ' => Some(1),
        'Ѐ'..='ԯ' => Some(2),
        '\u{5d0}'..='\u{5ea}' => Some(3),
        '\u{620}'..='\u{6ff}' => Some(4),
        '\u{e01}'..='\u{e5b}' => Some(5),
        _ => None,
    }
}

/// Tells whether a character is among the everyday ones of an encoding of many; nothing where the
/// encoding is none of those.
fn is_common(encoding: &'static Encoding, c: char) -> Option<bool> {
    let mut buffer = [0; 4];
    let bytes = encoding.encode(c.encode_utf8(&mut buffer)).0;
    let (lead, trail) = (*bytes.first()?, bytes.get(1).copied().unwrap_or(0));
    let (signs, letters) = match encoding {
        e if e == GBK => (0xa1..=0xa3, 0xb0..=0xd7),
        e if e == EUC_KR => (0xa1..=0xa3, 0xb0..=0xc8),
        e if e == EUC_JP => (0xa1..=0xa5, 0xb0..=0xcf),
        e if e == BIG5 => (0xa1..=0xa3, 0xa4..=0xc6),
        e if e == SHIFT_JIS => (0x81..=0x83, 0x88..=0x98),
        _ => return None,
    };
    let is_first = encoding == BIG5 || encoding == SHIFT_JIS || trail >= 0xa1;
    Some(trail > 0 && is_first && (signs.contains(&lead) || letters.contains(&lead)))
}
