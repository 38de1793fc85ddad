//! What comes in is asked as it is meant, or not at all: encodings, quotes, chats, headers, blanks.

use crate::common::{Folder, Service};

/// What an import writes, but for the header.
fn imported(name: &str, bytes: &[u8], more: &[&str]) -> String {
    let folder = Folder::new();
    folder.write(name, bytes);
    folder.dset(&[&["import", name, "-o", "out.csv"], more].concat()).exits(0);
    let text = folder.read("out.csv");
    text.split_once('\n').unwrap().1.to_owned()
}

/// Every question that a run asks.
fn asked(csv: &[u8]) -> Vec<String> {
    let folder = Folder::new();
    folder.write("q.csv", csv);
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    service.asked().into_keys().collect()
}

#[test]
fn an_encoding_is_read_where_it_is_sure_and_shown_where_it_is_not() {
    let gbk = b"question\n\xca\xb2\xc3\xb4\xca\xc7\xc8\xcb\xb9\xa4\xd6\xc7\xc4\xdc\xa3\xbf\n";
    assert_eq!(imported("q.csv", gbk, &[]), "什么是人工智能？\n");
    let koi8 =
        b"question\n\xf0\xcf\xde\xc5\xcd\xd5 \xce\xc5\xc2\xcf \xc7\xcf\xcc\xd5\xc2\xcf\xc5?\n";
    assert_eq!(imported("q.csv", koi8, &[]), "Почему небо голубое?\n");
    let shifted = b"question\n\x1b$B6u$O$J$<@D$$!)\x1b(B\n";
    assert_eq!(imported("q.csv", shifted, &[]), "空はなぜ青い？\n");
    let turkish = b"question\nI\xfe\xfdk nedir?\n";
    let macintosh = b"question\nWhat is a caf\x8e?\n";
    let dos = b"question\nWie sch\x94n ist M\x81nchen?\n";
    for (bytes, reads) in [
        (&turkish[..], "--encoding windows-1254` reads: Işık nedir?"),
        (macintosh, "--encoding macintosh` reads: What is a café?"),
        (dos, "iconv -f CP850"),
    ] {
        let folder = Folder::new();
        folder.write("q.csv", bytes);
        folder.dset(&["import", "q.csv", "-o", "out.csv"]).exits(2).says(reads);
        assert!(!folder.path("out.csv").exists());
        let service = Service::friendly();
        service.run(&folder, &[]).exits(2).says("cannot tell which encoding");
        assert_eq!(service.stats().asked, 0);
    }
    assert_eq!(imported("q.csv", turkish, &["--encoding", "windows-1254"]), "Işık nedir?\n");
}

#[test]
fn one_torn_byte_is_told_with_its_place_and_changes_no_other_row() {
    let bytes = b"question\nWas hei\xc3\x9ft sch\xc3\xb6n?\nUnd nun \xc3\n";
    let folder = Folder::new();
    folder.write("q.csv", bytes);
    for command in [&["run", "-m", "x", "--key", "none"][..], &["import", "q.csv", "-o", "out.csv"]]
    {
        folder.dset(command).exits(2).says("row 3, line 3, byte 36 of the file: 0xC3");
    }
    let read = imported("q.csv", bytes, &["--encoding", "utf-8"]);
    assert_eq!(read, "Was heißt schön?\nUnd nun \u{fffd}\n");
}

#[test]
fn quotes_with_backslashes_are_refused_by_a_run_and_read_by_an_import() {
    let text = r#"id,question
1,"He said \"stop\" and left. Why?"
2,"Translate: \"good morning\""
3,"A path: C:\\dir\\"
4,"\"x\", \"y\" and \frac{1}{2}"
"#;
    let folder = Folder::with(text);
    let service = Service::friendly();
    service.run(&folder, &[]).exits(2).says("quotes with backslashes").says("row 2:");
    assert_eq!(service.stats().asked, 0);
    folder
        .dset(&["import", "q.csv", "-o", "out.csv"])
        .exits(0)
        .tells("4 rows")
        .tells("were read as quotes");
    service.run(&folder, &["out.csv"]).exits(0);
    let asked: Vec<String> = service.asked().into_keys().collect();
    assert_eq!(
        asked,
        [
            r#""x", "y" and \frac{1}{2}"#,
            r"A path: C:\dir\",
            r#"He said "stop" and left. Why?"#,
            r#"Translate: "good morning""#,
        ]
    );
    let latex = "question\n\"Schr\\\"\"odinger, why?\"\n";
    assert_eq!(asked_one(latex), "Schr\\\"odinger, why?", "two quotes are one");
}

fn asked_one(csv: &str) -> String {
    let asked = asked(csv.as_bytes());
    assert_eq!(asked.len(), 1, "{asked:?}");
    asked.into_iter().next().unwrap()
}

#[test]
fn a_header_and_the_mark_at_the_end_of_a_text_are_no_questions() {
    for header in
        ["prompts", "queries", "question_text", "user_prompt", "q", "userPrompt", "вопрос"]
    {
        assert_eq!(asked_one(&format!("{header}\nWhy?\n")), "Why?", "{header}");
    }
    for text in
        ["question\r\nWhy?\r\n\u{1a}", "question\r\nWhy?\u{1a}", "question\nWhy?\n\u{1a}\r\n"]
    {
        assert_eq!(asked_one(text), "Why?", "{text:?}");
        assert_eq!(imported("q.csv", text.as_bytes(), &[]), "Why?\n", "{text:?}");
        assert_eq!(imported("q.txt", text.as_bytes(), &[]), "Why?\n", "{text:?}");
    }
    assert_eq!(imported("q.jsonl", b"{\"question\":\"Why?\"}\r\n\x1a", &[]), "Why?\n");
}

#[test]
fn blanks_around_a_question_are_sent_and_kept_and_buy_nothing_again() {
    let folder = Folder::with("question\n\"return a + b\"\nWhy?\n");
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    // As an earlier version asked it: without the blanks.
    folder.write("q.csv", "question\n\"    return a + b  \"\n Why?\n");
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked, 2, "a row that has an answer counts as answered");
    folder.dset(&["verify"]).exits(0);
    folder.write("q.csv", "question\n\"    return a + b  \"\n Why?\n\"\n  if x:\n    y\n\"\n");
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.asked().get("\n  if x:\n    y\n"), Some(&1));
    assert_eq!(folder.agreed(), ["return a + b", "Why?", "\n  if x:\n    y\n"]);
    folder.dset(&["verify"]).exits(0);
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked, 3);
    let spaced = Folder::with("id, question\n1, Why?\n2, \"How?\"\n");
    let service = Service::friendly();
    service.run(&spaced, &[]).exits(0);
    assert!(service.asked().contains_key("Why?"), "{:?}", service.asked());
}

#[test]
fn outputs_with_blanks_around_questions_are_taken_over_without_their_store() {
    let folder = Folder::with("question\n\"  a  \"\n");
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    let before = folder.outputs();
    for name in ["dset.db", "dset.db-wal", "dset.db-shm"] {
        let _ = std::fs::remove_file(folder.path(&format!("dset_generator/{name}")));
    }
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked, 1);
    assert_eq!(folder.outputs(), before);
}

#[test]
fn an_instruction_is_not_asked_without_its_input_in_csv_or_json() {
    let csv = "instruction,input,output\nTranslate.,good,bon\nName three.,,red\n";
    let folder = Folder::with(csv);
    let service = Service::friendly();
    service.run(&folder, &[]).exits(2).says("1 row has text in `input`");
    assert_eq!(service.stats().asked, 0);
    folder.dset(&["import", "q.csv", "-o", "a.csv"]).exits(2).says("1 row has text in `input`");
    folder.write("a.jsonl", "{\"instruction\":\"Translate.\",\"input\":\"good\"}\n");
    folder.dset(&["import", "a.jsonl", "-o", "a.csv"]).exits(2).says("1 row has text in `input`");
    service.run(&folder, &["--template", "{{ instruction }} {{ input }}"]).exits(0);
    assert!(service.asked().contains_key("Translate. good"), "{:?}", service.asked());
    // Where the input says nothing there is one question.
    assert_eq!(asked_one("instruction,input,output\nName three.,,red\n"), "Name three.");
    let json = b"{\"instruction\":\"Name three.\",\"input\":\"\",\"output\":\"red\"}\n";
    assert_eq!(imported("a.jsonl", json, &[]), "Name three.,,red\n");
    let told = imported("a.csv", csv.as_bytes(), &["--column", "instruction"]);
    assert_eq!(asked(format!("question,input,output\n{told}").as_bytes()).len(), 2);
}

#[test]
fn chats_of_every_shape_give_the_question_and_say_what_they_cannot() {
    for (text, question) in [
        (
            r#"{"conversations":[{"from":"human","value":"Why?"},{"from":"gpt","value":"So."}]}"#,
            "Why?",
        ),
        (r#"{"prompt":[{"role":"user","content":"Why?"}]}"#, "Why?"),
        (r#"[{"role":"user","content":"Why?"}]"#, "Why?"),
        (r#"{"messages":"[{\"role\":\"user\",\"content\":\"Why?\"}]"}"#, "Why?"),
        (r#"{"contents":[{"parts":[{"text":"Why?"}]}]}"#, "Why?"),
        (r#"{"custom_id":"r1","body":{"input":"Why?"}}"#, "Why?,r1,{}"),
        (
            r#"{"custom_id":"r1","body":{"model":"m","messages":[{"role":"user","content":"Why?"}]}}"#,
            r#"Why?,r1,"{""model"":""m""}""#,
        ),
        (
            r#"{"custom_id":"r1","params":{"messages":[{"role":"user","content":[{"type":"text","text":"Why?"}]}]}}"#,
            "Why?,r1,{}",
        ),
    ] {
        assert_eq!(imported("q.jsonl", text.as_bytes(), &[]).trim_end(), question, "{text}");
    }
    let turns = b"[\n{\"role\":\"user\",\"content\":\"Why?\"},\n{\"role\":\"assistant\",\"content\":\"So.\"}\n]\n";
    assert_eq!(imported("q.json", turns, &[]), "Why?\n");
    let user = r#"{"role":"user","content":"Why?"}"#;
    for (text, left, unsent) in [
        (format!(r#"{{"messages":[{{"role":"system","content":"x"}},{user}]}}"#), "system prompts in 1 row", None),
        (format!(r#"{{"messages":[{user}],"system":"x"}}"#), "system prompts in 1 row", None),
        (r#"{"prompt":"Why?","system_prompt":"x"}"#.to_owned(), "system prompts in 1 row", Some("system_prompt")),
        (format!(r#"{{"messages":[{user},{user}]}}"#), "further turns in 1 row", None),
        (r#"{"instruction":"Why?","history":[["a","b"]]}"#.to_owned(), "further turns in 1 row", Some("history")),
        (format!(r#"{{"messages":[{user}],"tools":[{{"name":"t"}}]}}"#), "tools in 1 row", Some("tools")),
        (r#"{"question":"What is it?","image":"x.png"}"#.to_owned(), "images or other parts in 1 row", Some("image")),
        (
            r#"{"custom_id":"r","params":{"system":"x","messages":[{"role":"user","content":"Why?"}]}}"#.to_owned(),
            "system prompts in 1 row",
            None,
        ),
    ] {
        let folder = Folder::new();
        folder.write("q.jsonl", &text);
        folder.dset(&["import", "q.jsonl"]).exits(2).says(left).says("--first-turn-only");
        folder.dset(&["import", "q.jsonl", "--first-turn-only"]).exits(0).tells(left);
        assert!(folder.read("q.csv").contains("W"), "{text}");
        folder.write("run.jsonl", &text);
        let service = Service::friendly();
        let ran = service.run(&folder, &["run.jsonl"]);
        match unsent {
            Some(field) => drop(ran.exits(2).says(&format!("`{field}` stands beside"))),
            None => drop(ran.exits(0)),
        }
    }
}

#[test]
fn chats_in_a_table_mean_what_they_mean_in_json() {
    let cell = |turns: &str| format!("\"{}\"", turns.replace('"', "\"\""));
    let one = cell(r#"[{"role":"user","content":"Why?"}]"#);
    let two = cell(r#"[{"role":"system","content":"x"},{"role":"user","content":"How?"}]"#);
    let folder = Folder::with(&format!("id,messages\n1,{one}\n2,{two}\n"));
    let service = Service::friendly();
    let before = folder.read("q.csv");
    service.run(&folder, &[]).exits(0).says("questions are in column `messages`");
    assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), ["How?", "Why?"]);
    assert_eq!(folder.read("q.csv"), before, "it is never marked");
    folder.dset(&["import", "q.csv", "-o", "a.csv"]).exits(2).says("system prompts in 1 row");
    folder.dset(&["import", "q.csv", "-o", "a.csv", "--first-turn-only"]).exits(0);
    assert_eq!(folder.read("a.csv"), "id,question\n1,Why?\n2,How?\n");
}

#[test]
fn json_as_it_is_met_is_read_or_named() {
    for (name, text, rows) in [
        (
            "a.jsonl",
            "{\"question\":\"A?\"}\n{\"question\":null}\n{\"question\":\"C?\"}\n",
            "A?\n\"\"\nC?\n",
        ),
        ("a.jsonl", "{\"question\":\"A?\",\"score\":NaN}\n", "A?,\n"),
        ("a.jsonl", "{\"question\":\"A \\ud83d sign?\"}\n", "A \u{fffd} sign?\n"),
        ("a.json", "[{\"question\":\"A?\",\"score\":NaN}]", "A?,\n"),
        ("a.json", "{\"data\":[{\"question\":\"A?\"}]}", "A?\n"),
        ("a.json", "{\n  \"rows\": [\n    \"A?\",\n    \"B?\"\n  ]\n}\n", "A?\nB?\n"),
        ("a.json", "{\n  \"question\": \"A?\"\n}\n{\n  \"question\": \"B?\"\n}\n", "A?\nB?\n"),
        ("a.jsonl", "\"A?\"\n\"B?\"\n", "A?\nB?\n"),
        ("a.txt", "[\n {\"question\":\"A?\"}\n]\n", "A?\n"),
        ("a.jsonl", "{\"text\":\"t\",\"question\":\"A?\"}\n", "A?,t\n"),
    ] {
        assert_eq!(imported(name, text.as_bytes(), &[]), rows, "{text}");
    }
    let folder = Folder::new();
    folder.write("a.jsonl", "{\"question\":\"A \\ud83d sign?\"}\n{\"question\":\"\"}\n");
    folder
        .dset(&["import", "a.jsonl"])
        .exits(0)
        .tells("1 row with half a character")
        .tells("1 row without a question");
    for (name, text, says) in [
        ("q.yaml", "- question: Why?\n", "is YAML"),
        ("q.yml", "questions:\n  - Why?\n", "is YAML"),
        ("q.txt", "- question: Why?\n- question: How?\n", "is YAML"),
        ("q.csv", "- question: Why?\n- question: How?\n", "is YAML"),
        ("q.xml", "<q>Why?</q>\n", "is XML"),
        ("r.csv", "{\\rtf1 Why?}\n", "is RTF"),
        ("q.jsonl", "{\"dialogue\":[\"Hi\",\"Hello\"]}\n", "`dialogue` is n"),
        ("q.json", "{\"question\":[\"a\",\"b\"],\"id\":[1,2]}", "`question` is n"),
    ] {
        folder.write(name, text);
        folder.dset(&["import", name, "-o", "x.csv"]).exits(2).says(says);
        if !name.ends_with(".txt") {
            folder.dset(&["run", name, "-m", "x", "--key", "none"]).exits(2).says(says);
        }
    }
}
