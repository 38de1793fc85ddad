//! The card of a dataset: front matter that loaders read, and a few lines for people.
//!
//! A card that is there is the user's as well: of its front matter only the keys of ours are written
//! anew, and of its text only what stands between our marks.

use std::fmt::Write as _;

use dset_core::layout::{Column, Kind};

/// What a card tells.
pub(super) struct Card<'a> {
    pub(super) title: String,
    pub(super) columns: &'a [Column],
    /// Every split, and its rows.
    pub(super) splits: &'a [(&'a str, u64)],
    pub(super) ending: &'static str,
    pub(super) has_moments: bool,
    pub(super) layout: &'a str,
    pub(super) models: &'a [&'a str],
    pub(super) rows: u64,
}

const BEGIN: &str = "<!-- dset begins: written anew by each export -->";
const END: &str = "<!-- dset ends -->";
const FENCE: &str = "---\n";

/// Keys of the front matter that are ours.
const OURS: [&str; 3] = ["configs", "dataset_info", "size_categories"];
/// Further ones, which a card gets once; the user may then change them.
const ONCE: &str = "tags:\n- synthetic\n- dset\n";

/// Writes a card over an earlier one, which may be empty, with its ends of lines.
pub(super) fn write_card(card: &Card<'_>, earlier: &str) -> String {
    let earlier = earlier.strip_prefix('\u{feff}').unwrap_or(earlier);
    match earlier.contains("\r\n") {
        true => with_line_feeds(card, &earlier.replace("\r\n", "\n")).replace('\n', "\r\n"),
        false => with_line_feeds(card, earlier),
    }
}

fn with_line_feeds(card: &Card<'_>, earlier: &str) -> String {
    let (head, body) = parts(earlier);
    let kept = head.map(users_keys);
    let mut text = FENCE.to_owned();
    text.push_str(kept.as_deref().unwrap_or(ONCE));
    front_matter(card, &mut text);
    text.push_str(FENCE);
    let section = format!("{BEGIN}\n{}{END}", section(card));
    match (earlier.is_empty(), body.split_once(BEGIN)) {
        (true, _) => {
            let _ = write!(text, "\n# {}\n\n{section}\n", card.title);
        }
        (false, Some((before, rest))) => {
            let behind = rest.split_once(END).map_or("\n", |(_, behind)| behind);
            let _ = write!(text, "{before}{section}{behind}");
        }
        // Whoever took the section out does not want it.
        (false, None) => text.push_str(body),
    }
    text
}

/// Divides a card into its front matter, where it has one, and its text.
fn parts(card: &str) -> (Option<&str>, &str) {
    let inner = card
        .strip_prefix(FENCE)
        .and_then(|rest| rest.find("\n---\n").map(|at| (Some(&rest[..=at]), &rest[at + 5..])));
    inner.unwrap_or((None, card))
}

/// Returns the lines of front matter that are not below a key of ours.
fn users_keys(head: &str) -> String {
    let mut is_ours = false;
    let mut kept = String::new();
    for line in head.split_inclusive('\n') {
        if let Some((key, _)) = line.split_once(':').filter(|_| begins_key(line)) {
            is_ours = OURS.contains(&key);
        }
        if !is_ours {
            kept.push_str(line);
        }
    }
    kept
}

fn begins_key(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

fn front_matter(card: &Card<'_>, text: &mut String) {
    let _ = writeln!(text, "size_categories:\n- {}", size(card.rows));
    text.push_str("configs:\n- config_name: default\n  data_files:\n");
    for (name, _) in card.splits {
        let _ = writeln!(text, "  - split: {}", plain(name));
        let _ = writeln!(text, "    path: data/{name}-*.{}", card.ending);
    }
    // What lists and objects hold, the files say.
    if card.columns.iter().any(|column| column.kind == Kind::Json) {
        return;
    }
    // No `splits`: `datasets` wants the size of each in its memory, and leaves all out without it.
    text.push_str("dataset_info:\n  features:\n");
    for column in card.columns {
        let name = serde_json::Value::from(&*column.name);
        let _ = writeln!(text, "  - name: {name}\n    {}", feature(column.kind, card.has_moments));
    }
}

/// Words that YAML 1.1, which loaders read, takes for something else than a text.
const YAML_WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// Writes the name of a split so that it is read as a text.
fn plain(name: &str) -> String {
    let is_word = YAML_WORDS.iter().any(|word| name.eq_ignore_ascii_case(word));
    match is_word || name.starts_with(|sign: char| sign.is_ascii_digit()) {
        true => format!("\"{name}\""),
        false => name.to_owned(),
    }
}

fn feature(kind: Kind, has_moments: bool) -> String {
    match kind {
        Kind::Text | Kind::Json | Kind::Row => "dtype: string".into(),
        Kind::Integer => "dtype: int64".into(),
        Kind::Float => "dtype: float64".into(),
        Kind::Truth => "dtype: bool".into(),
        Kind::Time if has_moments => "dtype: timestamp[ms, tz=UTC]".into(),
        Kind::Time => "dtype: string".into(),
        Kind::Texts => "list: string".into(),
        Kind::Objects(keys) => {
            let keys = keys.iter().map(|key| format!("\n    - name: {key}\n      dtype: string"));
            format!("list:{}", keys.collect::<String>())
        }
    }
}

/// The Hub's name for a number of rows.
fn size(rows: u64) -> &'static str {
    match rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        1_000_000..10_000_000 => "1M<n<10M",
        10_000_000..100_000_000 => "10M<n<100M",
        100_000_000..1_000_000_000 => "100M<n<1B",
        _ => "n>1B",
    }
}

fn section(card: &Card<'_>) -> String {
    let mut text = String::new();
    let models: Vec<_> = card.models.iter().map(|model| format!("`{model}`")).collect();
    let _ = writeln!(
        text,
        "{} rows in the layout `{}`, answered by {}. `dset.json` says how they were made.\n",
        card.rows,
        card.layout,
        models.join(", ")
    );
    text.push_str("| split | rows |\n| --- | --- |\n");
    for (name, rows) in card.splits {
        let _ = writeln!(text, "| {name} | {rows} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(rows: u64) -> Card<'static> {
        Card {
            title: "hub".into(),
            columns: &[],
            splits: &[("train", 7)],
            ending: "parquet",
            has_moments: true,
            layout: "chat",
            models: &["m"],
            rows,
        }
    }

    #[test]
    fn names_of_splits_are_texts_to_every_loader() {
        let splits = [("No", 1), ("1", 1), ("1e3", 1), ("test", 1)];
        let card = Card { splits: &splits, ..card(4) };
        let text = write_card(&card, "");
        for line in ["split: \"No\"", "split: \"1\"", "split: \"1e3\"", "split: test"] {
            assert!(text.contains(&format!("  - {line}\n")), "{text}");
        }
    }

    #[test]
    fn what_the_user_wrote_into_a_card_stays_when_it_is_written_anew() {
        let first = write_card(&card(7), "");
        assert!(first.starts_with("---\ntags:\n- synthetic\n- dset\nsize_categories:\n- n<1K\n"));
        assert_eq!(write_card(&card(7), &first), first);
        let own = first
            .replace("tags:\n- synthetic\n", "license: mit\ntags:\n- mine\n")
            .replace("# hub\n", "# My set\n\nWhat it is for.\n")
            + "\n## Thanks\n";
        let second = write_card(&card(5_000), &own);
        assert_eq!(second, own.replace("n<1K", "1K<n<10K").replace("7 rows in", "5000 rows in"));
        for saved in [own.replace('\n', "\r\n"), format!("\u{feff}{own}")] {
            let written = write_card(&card(5_000), &saved);
            assert_eq!(written.replace("\r\n", "\n"), second, "{saved}");
            assert_eq!(write_card(&card(5_000), &written), written);
        }
        let without = "---\nlicense: mit\n---\n\n# Mine alone\n";
        let written = write_card(&card(7), without);
        assert!(written.ends_with("features:\n---\n\n# Mine alone\n"), "{written}");
    }
}
