//! `language`: the answer is written in a script, or in a language.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use whatlang::Lang;

use super::{Argument, Check, CheckError, Judged, Judgement, Kind, Table, arguments, table};

pub(super) const KIND: Kind = Kind {
    name: "language",
    version: 1,
    argument: Argument::Value("LANGUAGE", |language| table("language", language)),
    compile,
};

/// What share of the letters a script has where nobody says: names and quotes are in others.
const SHARE_MIN: f64 = 0.8;
/// How many letters must be there to tell a language by.
const LETTERS_MIN: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Arguments {
    language: Option<String>,
    script: Option<String>,
    min_share: Option<f64>,
}

#[derive(Debug)]
enum Language {
    Script { name: String, letter: Regex, min_share: f64 },
    Named(Lang),
}

static LETTER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\p{L}").expect("a test compiles it"));

/// Two letters of ISO 639-1, three of ISO 639-3.
static CODES: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let pairs = "af afr, am amh, ar ara, az aze, be bel, bg bul, bn ben, ca cat, cs ces, cy cym, da dan, \
                 de deu, el ell, en eng, eo epo, es spa, et est, fa pes, fi fin, fr fra, gu guj, he heb, \
                 hi hin, hr hrv, hu hun, hy hye, id ind, it ita, ja jpn, jv jav, ka kat, km khm, kn kan, \
                 ko kor, la lat, lt lit, lv lav, mk mkd, ml mal, mr mar, my mya, nb nob, ne nep, nl nld, \
                 or ori, pa pan, pl pol, pt por, ro ron, ru rus, si sin, sk slk, sl slv, sn sna, sr srp, \
                 sv swe, ta tam, te tel, th tha, tk tuk, tl tgl, tr tur, uk ukr, ur urd, uz uzb, vi vie, \
                 yi yid, zh cmn, zu zul";
    pairs.split(", ").filter_map(|pair| pair.split_once(' ')).collect()
});

fn compile(table: Table, _: &[String]) -> Result<Box<dyn Check>, CheckError> {
    let Arguments { language, script, min_share } = arguments(table)?;
    if min_share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err(CheckError::new("min-share", "is a share from 0 to 1"));
    }
    let check = match (language, script) {
        (Some(_), None) if min_share.is_some() => {
            return Err(CheckError::new("min-share", "is of a `script`"));
        }
        (Some(code), None) => {
            let found = Lang::from_code(*CODES.get(code.as_str()).unwrap_or(&code.as_str()));
            let all: Vec<&str> = CODES.keys().copied().collect();
            let detail =
                || format!("`{code}` is none that can be told; these can: {}", all.join(", "));
            Language::Named(found.ok_or_else(|| CheckError::new("language", detail()))?)
        }
        (None, Some(name)) => {
            let is_name = name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
            let letter =
                is_name.then(|| Regex::new(&format!(r"\p{{Script={name}}}")).ok()).flatten();
            let detail =
                || format!("`{name}` is no script of Unicode, like Latin, Cyrillic or Han");
            let letter = letter.ok_or_else(|| CheckError::new("script", detail()))?;
            Language::Script { name, letter, min_share: min_share.unwrap_or(SHARE_MIN) }
        }
        _ => return Err(CheckError::new("language", "give it, or `script`, and not both")),
    };
    Ok(Box::new(check))
}

impl Check for Language {
    fn judge(&self, judged: &Judged<'_>) -> Judgement {
        let letters = LETTER.find_iter(&judged.text).count();
        match self {
            _ if letters == 0 => Judgement::Unknown("there are no letters in it".into()),
            Language::Script { name, letter, min_share } => {
                // Marks and digits have scripts too.
                let found = LETTER.find_iter(&judged.text);
                let own = found.filter(|found| letter.is_match(found.as_str())).count();
                #[expect(clippy::cast_precision_loss, reason = "no answer has 2^52 letters")]
                let share = own as f64 / letters as f64;
                match share >= *min_share {
                    true => Judgement::Passed,
                    false => Judgement::Failed(format!(
                        "only {:.0} % of its letters are {name}, and {:.0} % must be",
                        share * 100.0,
                        min_share * 100.0
                    )),
                }
            }
            Language::Named(language) => named(&judged.text, letters, *language),
        }
    }
}

fn named(text: &str, letters: usize, language: Lang) -> Judgement {
    let unclear = || Judgement::Unknown("it is too short to tell the language".into());
    match whatlang::detect(text) {
        Some(found)
            if found.lang() == language && (found.is_reliable() || letters >= LETTERS_MIN) =>
        {
            Judgement::Passed
        }
        Some(found) if found.lang() != language && found.is_reliable() => Judgement::Failed(
            format!("this is not in {}, but in {}", language.eng_name(), found.lang().eng_name()),
        ),
        _ => unclear(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compiled, error, judge};
    use super::*;

    #[test]
    fn a_script_is_told_by_its_share_of_the_letters() {
        let check = compiled(r#"{"name":"language","script":"Han","min-share":0.5}"#);
        assert_eq!(judge(&*check, "这是 42 个问题。OK"), Judgement::Passed);
        let why = "only 0 % of its letters are Han, and 50 % must be";
        assert_eq!(judge(&*check, "Well"), Judgement::Failed(why.into()));
        assert!(matches!(judge(&*check, "42!"), Judgement::Unknown(_)));
    }

    #[test]
    fn a_language_is_told_where_the_text_is_long_enough() {
        let german =
            "Der Himmel ist blau, weil das Licht der Sonne an den Teilchen der Luft gestreut wird.";
        let english = "The sky is blue because the light of the sun is scattered by the particles of the air.";
        let check = compiled(r#"{"name":"language","language":"de"}"#);
        assert_eq!(judge(&*check, german), Judgement::Passed);
        let why = "this is not in German, but in English";
        assert_eq!(judge(&*check, english), Judgement::Failed(why.into()));
        assert!(matches!(judge(&*check, "42 ok"), Judgement::Unknown(_)));
        let chinese = compiled(r#"{"name":"language","language":"zh"}"#);
        assert_eq!(judge(&*chinese, "天空是蓝色的，因为太阳光被空气散射。"), Judgement::Passed);
        assert!(matches!(
            judge(&*chinese, "空が青いのは、太陽の光が空気で散らばるからです。"),
            Judgement::Failed(_)
        ));
    }

    #[test]
    fn every_code_is_known_and_others_are_refused() {
        for (two, three) in CODES.iter() {
            assert!(Lang::from_code(*three).is_some(), "{two}");
        }
        assert_eq!(error(r#"{"name":"language","language":"xx"}"#).field, "language");
        assert_eq!(error(r#"{"name":"language","script":"Runes!"}"#).field, "script");
        assert_eq!(error(r#"{"name":"language"}"#).field, "language");
        assert_eq!(error(r#"{"name":"language","script":"Han","min-share":2}"#).field, "min-share");
    }
}
