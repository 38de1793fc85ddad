//! The order of asks that fills a provider's cache, against a service that has one.

use crate::common::{Folder, Service};
use dset_mock::{MockSettings, Stats};

/// Asks everything in a folder whose prices say that the provider caches, and returns what the service saw.
fn asked(rows: &str, cached_price: Option<&str>, more: &[&str]) -> Stats {
    let service = Service::start(MockSettings {
        price: Some("1/0.02/10".parse().unwrap()),
        prefix_cache: true,
        latency_ms: 4,
        tokens_median: Some(10),
        ..MockSettings::default()
    });
    let folder = Folder::with(rows);
    let set = ["prices", "set", "m", "--input", "1", "--output", "10"];
    let cached = cached_price.map(|price| ["--cached-input", price]);
    folder.dset(&[&set[..], cached.as_ref().map_or(&[], |said| &said[..])].concat()).exits(0);
    service.run(&folder, &[&["-m", "m"], more].concat()).exits(0);
    service.stats()
}

/// A text of so many tokens, three bytes each, of which no two are alike in their beginnings.
fn text(number: usize, tokens: usize) -> String {
    format!("{number:07} ").repeat(tokens * 3 / 8)
}

#[test]
fn one_system_prompt_is_in_the_cache_for_all_questions_but_the_first() {
    let rows: String = (0..400).map(|at| format!("What is {at}?\n")).collect();
    let system = text(1, 2_000);
    let said = ["--system", &system, "-c", "100"];
    let possible = 1_984.0 * 399.0;
    let stats = asked(&format!("question\n{rows}"), Some("0.02"), &said);
    let hits = stats.begun_tokens_cached as f64;
    assert!(hits >= 0.9 * possible, "{hits} of {possible}");
}

#[test]
fn the_samples_of_a_question_follow_its_first() {
    let rows: String = (0..60).map(|at| format!("{}\n", text(at, 600))).collect();
    let said = ["--samples", "4", "-c", "8"];
    let possible = 576.0 * 3.0 * 60.0;
    let stats = asked(&format!("question\n{rows}"), Some("0.02"), &said);
    let hits = stats.begun_tokens_cached as f64;
    assert!(hits >= 0.9 * possible, "{hits} of {possible}");
}

/// Sixty documents with twenty questions each, shuffled.
fn shuffled() -> String {
    let count = 1_200;
    // 731 and 1,200 have no divisor in common: each pair comes once, with its kind far away.
    let row = |at: usize| {
        let pair = at * 731 % count;
        format!("{}And what of {}?\n", text(pair / 20, 600), pair % 20)
    };
    format!("question\n{}", (0..count).map(row).collect::<String>())
}

#[test]
fn questions_about_one_document_come_one_after_the_other_wherever_they_stand() {
    let (rows, possible) = (shuffled(), 576.0 * 19.0 * 60.0);
    let stats = asked(&rows, Some("0.02"), &["-c", "8"]);
    let hits = stats.begun_tokens_cached as f64;
    let stats = asked(&rows, None, &["-c", "8"]);
    let before = stats.begun_tokens_cached as f64;
    assert!(hits >= 0.9 * possible, "{hits} of {possible}");
    assert!(before <= 0.5 * possible, "{before} of {possible} in the order of the file");
}
