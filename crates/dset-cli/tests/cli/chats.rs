//! Chats are sent as they stand, whole or not at all, and what belongs to a question goes with it.

use crate::common::{Folder, Service};
use serde_json::{Value, json};

#[test]
fn chats_are_sent_whole_with_their_roles_or_not_at_all() {
    let folder = Folder::new();
    let chats = [
        json!({"conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "Hi"},
            {"from": "gpt", "value": "Hello"},
            {"from": "human", "value": "Why?"},
        ]}),
        json!({"conversations": [{"from": "human", "value": "So?"}, {"from": "gpt", "value": "So."}]}),
    ];
    folder.write("q.jsonl", chats.map(|chat| chat.to_string()).join("\n"));
    let service = Service::friendly();
    let refused = service.run(&folder, &["q.jsonl"]).exits(2);
    refused.says("line 2: the chat ends with the assistant").says("--last drop");
    assert_eq!(service.stats().asked, 0);
    service.run(&folder, &["q.jsonl", "--last", "drop"]).exits(0);
    service
        .run(&folder, &["q.jsonl", "--last", "drop", "-s", "Rhyme."])
        .exits(2)
        .says("system prompt of its own");
    assert_eq!(service.stats().asked, 2);
    service
        .run(&folder, &["q.jsonl", "--on-bad-row", "skip", "-o", "other"])
        .exits(0)
        .says("1 row skipped that cannot be asked: line 2");
    folder.dset(&["status", "q.jsonl", "-o", "other"]).exits(0).tells("1 row skipped");
}

#[test]
fn a_template_that_sends_turns_as_json_says_so() {
    let folder = Folder::new();
    let chat = json!({"messages": [{"role": "user", "content": "Why?"}]});
    folder.write("q.jsonl", format!("{chat}\n"));
    let service = Service::friendly();
    for (template, is_json) in [
        ("{{ question }} Be brief.", true),
        ("Rate: {{messages}}", true),
        ("{{ messages[0].content }} Be brief.", false),
    ] {
        let out = template.len().to_string();
        let ran = service.run(&folder, &["q.jsonl", "-t", template, "-o", &out]).exits(0);
        let says = "the template sends the turns in `messages` as JSON";
        assert_eq!(ran.err.contains(says), is_json, "{}", ran.err);
    }
}

#[test]
fn a_model_goes_on_with_an_answer_and_the_answer_is_the_whole_turn() {
    let folder = Folder::new();
    let service = Service::keeping("openai");
    let chat = r#"{"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "It is so, "}]}"#;
    folder.write("q.jsonl", format!("{chat}\n"));
    let url = service.url();
    let ran = folder.dset(&["run", "q.jsonl", "--base-url", &url, "-m", "x", "--key", "none"]);
    ran.exits(2).says("--last continue");
    let last = ["--last", "continue"];
    let ran = service.run(&folder, &[&["q.jsonl", "-m", "x"][..], &last].concat());
    ran.exits(2).says("is not known").says("`continuing` in `[provider.NAME]`");
    let table =
        format!("[provider.mine]\nbase-url = '{url}'\nkeyless = true\ncontinuing = 'prefix'\n");
    folder.write("dset.toml", table);
    let run = ["run", "q.jsonl", "-m", "mine/x", "--formats", "jsonl", "--last", "continue"];
    folder.dset(&run).exits(0);
    let request = &service.requests()[0];
    assert_eq!(request["messages"][1]["prefix"], true, "{request}");
    let row: Value = serde_json::from_str(&folder.read("dset_generator/output.jsonl")).unwrap();
    let answer = row["answer"].as_str().unwrap();
    assert!(answer.starts_with("It is so, ") && answer.len() > 10, "{answer}");
    assert_eq!(row["question"], "Why?");
    folder.dset(&run).exits(0);
    assert_eq!(service.stats().asked, 1, "nothing is asked twice");
    folder.dset(&["export", "--to", "chat.jsonl", "--layout", "chat"]).exits(0);
    let row: Value = serde_json::from_str(&folder.read("chat.jsonl")).unwrap();
    let said: Vec<_> = row["messages"].as_array().unwrap().iter().map(|m| &m["content"]).collect();
    assert_eq!(said, ["Why?", answer]);
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn a_chat_that_is_cut_is_not_a_question() {
    let service = Service::friendly();
    for text in ["[{\"role\":\"user\"", "[{'role': 'user', 'content': 'So?'}]", "null", "{}"] {
        let folder = Folder::new();
        let row = serde_json::json!({ "messages": text });
        folder.write("q.jsonl", format!("{row}\n{{\"messages\": []}}\n"));
        service.run(&folder, &["q.jsonl"]).exits(2).says("line 1: `messages` holds no chat");
        let skip = ["q.jsonl", "--on-bad-row", "skip"];
        let one = r#"{"messages": [{"role": "user", "content": "Why?"}]}"#;
        folder.write("q.jsonl", format!("{row}\n{one}\n"));
        service.run(&folder, &skip).says("line 1").exits(0);
    }
    assert_eq!(service.stats().asked, 4);
}

#[test]
fn what_belongs_to_a_question_is_not_left_out_whatever_the_form() {
    let chat = r#"[{""role"":""user"",""content"":""Why?""}]"#;
    let service = Service::friendly();
    for (name, text, said) in [
        ("a.csv", format!("question,messages\nWhat?,\"{chat}\"\n"), "`messages` beside `question`"),
        ("b.csv", "question,system\nWhat?,Be nice.\n".to_owned(), "`system` beside `question`"),
        ("c.tsv", "question\thistory\nWhat?\tHello\n".to_owned(), "`history` beside `question`"),
        ("d.csv", format!("messages,tools\n\"{chat}\",x\n"), "`tools` beside `messages`"),
    ] {
        let folder = Folder::new();
        folder.write(name, text);
        service.run(&folder, &[name]).exits(2).says(said);
    }
    let folder = Folder::new();
    folder.write("q.csv", "question,system,history\nWhat?,,\n");
    service.run(&folder, &[]).exits(0);
    folder.write("told.csv", "question,system\nWho?,Be nice.\n");
    service.run(&folder, &["told.csv", "-o", "told", "--column", "question"]).exits(0);
    assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), ["What?", "Who?"]);
    let kept = Service::keeping("openai");
    folder.write("chats.csv", format!("messages,system\n\"{chat}\",Be nice.\n"));
    kept.run(&folder, &["chats.csv", "-o", "chats"]).exits(0);
    let sent = &kept.requests()[0]["messages"];
    assert_eq!((&sent[0]["role"], &sent[0]["content"]), (&"system".into(), &"Be nice.".into()));
}
