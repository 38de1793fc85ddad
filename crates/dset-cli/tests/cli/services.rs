//! `dset run` with streams, with the wires of other services, and with more than one place to ask.

use crate::common::{Folder, Ran, Service, questions};
use dset_mock::{Dialect, MockSettings};

#[test]
fn streamed_or_whole_the_outputs_are_the_same() {
    let service = Service::friendly();
    let [whole, streamed] = ["off", "on"].map(|stream| {
        let folder = Folder::with(&questions(30));
        service.run(&folder, &["--stream", stream]).exits(0);
        folder.agreed();
        folder.rows()
    });
    assert_eq!(whole, streamed);
    assert_eq!(service.stats().asked, 60);
}

#[test]
fn every_wire_is_read_streamed_and_whole() {
    for name in ["openai", "openrouter", "mistral", "groq", "ollama", "vllm", "litellm", "gemini"] {
        let dialect: Dialect = name.parse().unwrap();
        let service = Service::start(MockSettings { dialect, ..MockSettings::default() });
        for stream in ["on", "off"] {
            let folder = Folder::with(&questions(5));
            service.run(&folder, &["--stream", stream]).exits(0);
            assert_eq!(folder.agreed().len(), 5, "{name}, stream {stream}");
        }
    }
}

#[test]
fn a_base_url_that_ends_with_the_path_of_messages_is_spoken_to_in_messages() {
    // It refuses every call without a version, a limit of tokens and a key, which only they have.
    let dialect: Dialect = "anthropic".parse().unwrap();
    let expect_key = Some("right".to_owned());
    let service = Service::start(MockSettings { dialect, expect_key, ..MockSettings::default() });
    let url = format!("{}/v1/messages", service.url());
    for stream in ["on", "off"] {
        let folder = Folder::with(&questions(5));
        let arguments = ["run", "--base-url", &url, "-m", "any", "--stream", stream];
        let mut command = folder.command(&arguments);
        Ran::from(command.env("ANTHROPIC_API_KEY", "right").output().unwrap()).exits(0);
        assert_eq!(folder.agreed().len(), 5, "stream {stream}");
    }
}

#[test]
fn with_every_kind_of_broken_stream_all_are_answered_and_none_twice() {
    let folder = Folder::with(&questions(60));
    let chance = ["cut=0.03", "half=0.03", "stream-error=0.03", "reset=0.02", "empty=0.02"];
    let service = Service::start(MockSettings {
        chance: chance.iter().map(|chance| chance.parse().unwrap()).collect(),
        ..MockSettings::default()
    });
    let arguments = ["--stream", "on", "--backoff", "100ms"];
    service.run(&folder, &arguments).exits(0);
    assert_eq!(folder.agreed().len(), 60);
    assert_eq!(service.stats().questions_answered_again, 0, "{:?}", service.stats());
}

#[test]
fn what_was_written_before_a_stream_broke_is_kept_with_its_attempt() {
    let folder = Folder::with(&questions(1));
    let service = Service::with(&["Question 1=half*1"]);
    service.run(&folder, &["--stream", "on", "-c", "2"]).exits(0);
    let kept = "SELECT count(*) FROM attempts WHERE cause = 'reply cut off' AND length(body) > 0";
    assert_eq!(folder.count(kept), 1);
}

#[test]
fn a_stream_that_falls_silent_is_given_up_long_before_the_timeout() {
    let folder = Folder::with(&questions(3));
    let service = Service::with(&["Question 2=stall*1", "Question 3=comments*1"]);
    let arguments = ["--stream", "on", "-c", "8", "--idle-timeout", "300ms"];
    service.run(&folder, &arguments).exits(0).says("stream fell silent");
    assert_eq!(folder.agreed().len(), 3);
}

#[test]
fn an_endless_answer_is_ended_kept_and_not_bought_again() {
    let folder = Folder::with(&questions(3));
    let service = Service::with(&["Question 2=loop"]);
    let arguments = ["--stream", "on", "--stop-loops"];
    service.run(&folder, &arguments).exits(3).says("repeats itself");
    let asked = service.stats().asked;
    service.run(&folder, &arguments).exits(3);
    assert_eq!(service.stats().asked, asked, "it would run into the same");
}

#[test]
fn two_places_share_the_questions_and_none_is_asked_at_both() {
    let folder = Folder::with(&questions(80));
    let slow = || MockSettings { latency_ms: 20, ..MockSettings::default() };
    let (one, other) = (Service::start(slow()), Service::start(slow()));
    let arguments = ["run", "--base-url", &one.url(), "--base-url", &other.url(), "--key", "none"];
    folder.dset(&arguments).exits(0);
    assert_eq!(folder.agreed().len(), 80);
    let (asked, asked_other) = (one.stats().asked, other.stats().asked);
    assert_eq!(asked + asked_other, 80);
    assert!(asked > 10 && asked_other > 10, "{asked} and {asked_other}");
}

#[test]
fn a_place_that_is_gone_is_left_alone_and_the_other_answers_everything() {
    let folder = Folder::with(&questions(60));
    let service = Service::start(MockSettings { latency_ms: 20, ..MockSettings::default() });
    let gone = Service::friendly().url();
    let arguments = ["run", "--base-url", &gone, "--base-url", &service.url(), "--key", "none"];
    folder.dset(&arguments).exits(0).says("does not answer");
    assert_eq!(folder.agreed().len(), 60);
    assert_eq!(service.stats().questions_answered_again, 0);
}

#[test]
fn a_place_that_refuses_what_the_other_answers_marks_no_row() {
    let folder = Folder::with(&questions(60));
    let service = Service::start(MockSettings { latency_ms: 100, ..MockSettings::default() });
    let refusing = Service::with(&["Question=403"]);
    let places = ["--base-url", &service.url(), "--base-url", &refusing.url()];
    let arguments = [&["run", "--key", "none", "-c", "8"][..], &places].concat();
    folder.dset(&arguments).exits(0).says("does not answer");
    assert_eq!(folder.agreed().len(), 60);
    assert!(!folder.read("q.csv").contains("ERROR"));
    assert!(refusing.stats().asked < 12, "{}", refusing.stats().asked);
}

#[test]
fn a_key_that_one_place_refuses_is_told_and_the_other_place_answers_everything() {
    let folder = Folder::with(&questions(12));
    let service = Service::start(MockSettings { latency_ms: 500, ..MockSettings::default() });
    let refusing = Service::with(&["Question=401"]);
    let places = ["--base-url", &service.url(), "--base-url", &refusing.url()];
    let arguments = [&["run", "--key", "none", "-c", "8"][..], &places].concat();
    folder.dset(&arguments).exits(0).says("does not answer: ");
    assert_eq!((folder.agreed().len(), service.stats().asked), (12, 12));
    let refusing_both = Folder::with(&questions(12));
    let places = ["--base-url", &refusing.url(), "--base-url", &refusing.url()];
    let arguments = [&["run", "--key", "none", "-c", "8"][..], &places].concat();
    refusing_both.dset(&arguments).exits(4);
    assert!(!refusing_both.read("q.csv").contains("ERROR"));
}

#[test]
fn rows_that_are_refused_again_in_a_later_run_are_marked_and_new_ones_are_asked() {
    for fault in ["403", "404", "400"] {
        let row = |at: usize| format!("Good {at}\nBad {at}\n");
        let folder = Folder::with(&format!("question\n{}", (0..20).map(row).collect::<String>()));
        let service = Service::with(&[&*format!("Bad={fault}")]);
        service.run(&folder, &[]).exits(3);
        service.run(&folder, &[]).exits(3);
        let more: String = (0..5).map(|at| format!("Good new {at}\n")).collect();
        let before = folder.read("q.csv");
        folder.write("q.csv", format!("{before}{more}"));
        service.run(&folder, &[]).exits(3);
        assert_eq!(folder.agreed().len(), 25, "{fault}");
        assert_eq!(folder.read("q.csv").matches("ERROR").count(), 20, "{fault}");
    }
}
