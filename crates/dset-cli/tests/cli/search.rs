//! `dset search`: what is found, where, and that nothing changes.

use crate::common::{Folder, Service, questions};
use dset_mock::MockSettings;
use serde_json::{Value, json};

const QUESTIONS: &str =
    "question,status\nHow do black holes form?,\n\nWie groß ist das Meer?,\nWhat is refused?,\n";

fn answered() -> Folder {
    let folder = Folder::with(QUESTIONS);
    let answer = |question: &str, reasoning: &str, answer: &str| {
        let object = json!({
            "metadata": { "question": question },
            "response": { "reasoning": reasoning, "answer": answer },
        });
        format!("{object}\n")
    };
    let answers =
        answer(
            "How do black holes form?",
            "Stars collapse. Wait, all of them?",
            "Über\x1b[2J stars:\nblack\nHOLES form.",
        ) + &answer("Wie groß ist das Meer?", "The sea.", "Groß. A black sea has no holes.");
    folder.write("answers.json", answers);
    let service = Service::start(MockSettings {
        answers: Some(folder.path("answers.json")),
        on: vec!["refused=risk".parse().unwrap()],
        ..MockSettings::default()
    });
    service.run(&folder, &[]).exits(3);
    folder
}

fn found(folder: &Folder, arguments: &[&str]) -> (Vec<u64>, Value) {
    let all = [&["search", "--json"], arguments].concat();
    let ran = folder.dset(&all);
    let found = ran.json();
    let numbers = found["hits"].as_array().unwrap().iter();
    let numbers: Vec<u64> = numbers.map(|hit| hit["question"].as_u64().unwrap()).collect();
    assert_eq!(ran.code, Some(i32::from(numbers.is_empty())), "{found}");
    (numbers, found)
}

#[test]
fn words_are_found_wherever_they_are_and_phrases_where_they_hold_together() {
    let folder = answered();
    let before = folder.everything();
    let numbers = |arguments: &[&str]| found(&folder, arguments).0;
    assert_eq!(numbers(&["black", "holes"]), [1, 2], "in the order of the file");
    assert_eq!(numbers(&["black holes"]), [1]);
    assert_eq!(numbers(&["\"black holes\" stars"]), [1]);
    assert_eq!(numbers(&["hole"]), [0u64; 0], "words are whole");
    assert_eq!(numbers(&["uber"]), [1], "marks make no difference");
    assert_eq!(numbers(&["GROSS"]), [0u64; 0]);
    assert_eq!(numbers(&["GROß", "meer", "sea"]), [2], "in three places together");
    assert_eq!(numbers(&["refused"]), [3], "a question without an answer");
    assert_eq!(numbers(&["wait", "--in", "reasoning"]), [1]);
    assert_eq!(numbers(&["wait", "--in", "answer", "--in", "question"]), [0u64; 0]);
    assert_eq!(folder.everything(), before);
}

#[test]
fn a_hit_is_shown_with_its_number_and_the_words_around_it() {
    let folder = answered();
    let ran = folder.dset(&["search", "black holes"]).exits(0);
    assert_eq!(
        ran.out,
        "1/3  How do black holes form?\n  answer            Über stars: black HOLES form.\n\n1 question of 3\n"
    );
    folder
        .dset(&["search", "refused"])
        .exits(0)
        .tells("3/3  What is refused?\n  answer            none yet\n");
    let all = found(&folder, &["black holes"]).1;
    let hit = &all["hits"][0];
    assert_eq!((&all["v"], &all["count"], &all["of"]), (&json!(1), &json!(1), &json!(3)));
    assert_eq!((&hit["row"], &hit["snippets"]["question"]["hits"]), (&json!(2), &json!([[7, 18]])));
    let nothing = folder.dset(&["search", "nobody"]).exits(1).says("nothing has nobody");
    assert_eq!(nothing.out, "");
}

#[test]
fn parts_of_sentences_without_blanks_are_found_and_shown() {
    let folder = Folder::with(
        "question\n请解释黑洞和引力？\nブラックホールとは？\nหลุมดำคืออะไร\nWhat is a hole?\n",
    );
    Service::friendly().run(&folder, &[]).exits(0);
    let numbers = |arguments: &[&str]| found(&folder, arguments).0;
    assert_eq!(numbers(&["黑洞"]), [1]);
    assert_eq!(numbers(&["引力", "黑洞"]), [1]);
    assert_eq!(numbers(&["ブラックホール"]), [2]);
    assert_eq!(numbers(&["หลุมดำ"]), [3]);
    assert_eq!(numbers(&["白洞"]), [0u64; 0]);
    assert_eq!(numbers(&["hol*", "--in", "question"]), [4]);
    let hit = &found(&folder, &["引力", "--in", "question"]).1["hits"][0];
    assert_eq!(hit["snippets"]["question"]["hits"], json!([[6, 8]]));
    folder.dset(&["search", "引力"]).exits(0).tells("1/4  请解释黑洞和引力？");
    for term in ["h*le", "*ole", "hole**"] {
        folder.dset(&["search", term]).exits(2).says("`*` stands at the end of a word");
    }
}

#[test]
fn all_are_counted_and_the_first_are_shown() {
    let folder = Folder::with(&questions(30));
    Service::friendly().run(&folder, &[]).exits(0);
    let (numbers, all) = found(&folder, &["question", "-n", "4"]);
    assert_eq!((numbers, &all["count"]), (vec![1, 2, 3, 4], &json!(30)));
    folder
        .dset(&["search", "what then"])
        .exits(0)
        .tells("30 questions of 30, the first 20 shown; -n 200 for more");
}

#[test]
fn whatever_is_wrong_is_told_apart_from_finding_nothing() {
    let folder = Folder::with(&questions(2));
    folder.dset(&["search", "x"]).exits(2).says("nothing was asked yet");
    Service::friendly().run(&folder, &[]).exits(0);
    folder.dset(&["search", "?!"]).exits(2).says("there is no word to look for");
    folder.dset(&["search"]).exits(2);
    folder.write("dset_generator/dset.db", "no database at all, but text\n".repeat(99));
    folder.dset(&["search", "x"]).exits(2).says("cannot use the store");
}

#[test]
fn the_answers_of_every_model_are_looked_into_and_a_question_comes_once() {
    let folder = Folder::with(&questions(2));
    let service = Service::friendly();
    service.run(&folder, &["-m", "one", "-m", "two", "--samples", "2"]).exits(0);
    assert_eq!(found(&folder, &["question"]).0, [1, 2]);
    // The answers of a model that was not asked any more.
    service.run(&folder, &["-m", "two"]).exits(0);
    let sql = "SELECT count(*) FROM answer_facts WHERE model = 'one'";
    assert_eq!(folder.count(sql), 4);
    folder.sql(
        "UPDATE answers SET answer = 'Zanzibar'
         WHERE id IN (SELECT answer FROM answer_facts WHERE model = 'one')",
    );
    let (numbers, all) = found(&folder, &["zanzibar"]);
    assert_eq!((numbers, &all["hits"][0]["model"]), (vec![1, 2], &json!("one")));
}

#[test]
fn while_a_run_goes_on_what_is_there_is_found() {
    let folder = Folder::with(&questions(5));
    let service = Service::with(&["Question 5,=hang"]);
    let going = service.begin_until(&folder, 4);
    let (numbers, all) = found(&folder, &["what then"]);
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(all["hits"][4]["is_answered"], false);
    going.kill();
}

#[test]
fn no_more_are_hinted_at_than_can_be_shown() {
    let folder = Folder::with(&questions(7_001));
    Service::friendly().run(&folder, &["-n", "1", "-q"]).exits(0);
    for (most, hint) in [("20", "the first 20 shown; -n 200"), ("7000", "7,000 shown; -n 65535")] {
        folder.dset(&["search", "then", "-n", most]).exits(0).tells(&format!("{hint} for more"));
    }
    folder.dset(&["search", "then", "-n", "65535"]).exits(0).tells("7,001 questions of 7,001\n");
}
