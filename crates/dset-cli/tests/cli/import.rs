//! Files that are almost right get an offer: a run says what they are and which command makes them
//! right, and that command does.

use crate::common::{Folder, Ran, Service};

const QUESTIONS: [&str; 2] = ["Was ist „schön“, und was nicht?", "Wie heißt \"grün\" auf Dänisch?"];

/// The questions in a form of CSV, with their answers to be.
fn table(sign: &str, header: &str) -> String {
    let quoted = QUESTIONS.map(|question| format!("\"{}\"", question.replace('"', "\"\"")));
    format!("{header}\n{}{sign}\n{}{sign}\n", quoted[0], quoted[1])
}

fn windows_1252(text: &str) -> Vec<u8> {
    let byte = |c: char| match c {
        '„' => 0x84,
        '“' => 0x93,
        c => u8::try_from(u32::from(c)).unwrap(),
    };
    text.chars().map(byte).collect()
}

fn utf_16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
}

/// Every command between ticks in the hints.
fn commands(ran: &Ran) -> Vec<String> {
    let hints = ran.err.lines().filter(|line| line.starts_with("hint: "));
    let ticked = hints.flat_map(|hint| hint.split('`').skip(1).step_by(2));
    ticked.filter(|text| text.starts_with("dset ")).map(str::to_owned).collect()
}

/// Runs on a file, does what the error says, and checks that the questions are asked as they are.
#[track_caller]
fn is_offered_and_asked(name: &str, bytes: &[u8], looks_like: &str, told: &str) {
    let folder = Folder::new();
    folder.write(name, bytes);
    let service = Service::friendly();
    folder.asks(&service);
    let arguments: &[&str] = if name == "q.csv" { &["run"] } else { &["run", name] };
    let refused = folder.dset(arguments).exits(2).says(looks_like);
    assert_eq!(service.stats().asked, 0);
    assert!(!folder.path("dset_generator/dset.db").exists(), "nothing was begun");
    let [import, run] = &commands(&refused)[..] else { panic!("{}", refused.err) };
    folder.shell(import).exits(0).tells(told).tells(&format!("`{run}`"));
    folder.shell(run).exits(0);
    let asked: Vec<String> = service.asked().into_keys().collect();
    let mut expected = QUESTIONS.to_vec();
    expected.sort_unstable();
    assert_eq!(asked, expected, "{name}");
    assert_eq!(std::fs::read(folder.path(name)).unwrap(), bytes, "it was only read");
}

/// A run asks the file as it is, and an import makes a CSV file of it.
fn is_asked_and_converted(name: &str, bytes: &[u8], more: &[&str], told: &str) {
    let folder = Folder::new();
    folder.write(name, bytes);
    let service = Service::friendly();
    service.run(&folder, &[&[name], more].concat()).exits(0);
    let mut expected = QUESTIONS.to_vec();
    expected.sort_unstable();
    assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), expected, "{name}");
    folder.dset(&["import", name, "-o", "converted.csv"]).exits(0).tells(told);
    assert_eq!(std::fs::read(folder.path(name)).unwrap(), bytes, "it was only read");
}

#[test]
fn a_file_in_another_encoding_is_told_converted_and_asked() {
    let csv = table(",", "question,status");
    let wide = |big, mark: &[u8]| [mark, &utf_16(&csv, big)].concat();
    for (bytes, name) in [
        (windows_1252(&csv), "windows-1252"),
        (wide(false, b"\xff\xfe"), "UTF-16LE"),
        (wide(false, b""), "UTF-16LE"),
        (wide(true, b"\xfe\xff"), "UTF-16BE"),
        (wide(true, b""), "UTF-16BE"),
    ] {
        is_offered_and_asked("q.csv", &bytes, &format!("looks like {name}"), name);
    }
}

#[test]
fn a_file_with_another_separator_is_told_converted_and_asked() {
    for (sign, header, told) in [
        (";", "question;status", "separated by semicolons"),
        (";", "Frage;Antwort", "separated by semicolons"),
        ("\t", "prompt\tstatus", "separated by tabs"),
    ] {
        is_offered_and_asked("q.csv", table(sign, header).as_bytes(), told, told);
    }
    for (sign, told) in [(";", "semicolons"), (",", "commas"), ("\t", "tabs")] {
        let text = format!("sep={sign}\r\n{}", table(sign, &format!("Frage{sign}Antwort")));
        let told = format!("separated by {told}");
        is_offered_and_asked("q.csv", text.as_bytes(), &told, &told);
        let doctor = Folder::with(&text).dset(&["doctor", "--offline"]).exits(1);
        doctor.tells("the first line of `q.csv` is for spreadsheets");
    }
    let both = windows_1252(&table(";", "Frage;Antwort"));
    is_offered_and_asked("fragen.csv", &both, "separated by semicolons", "windows-1252");
}

#[test]
fn a_file_in_another_form_is_asked_and_converted() {
    let lines = QUESTIONS.map(|question| format!("{question}\n\n")).concat();
    is_asked_and_converted("q.txt", lines.as_bytes(), &[], "a question a line");
    let folder = Folder::new();
    folder.write("q.txt", "question\nWhy, then?\n");
    folder.dset(&["import", "q.txt"]).exits(0).tells("1 row").tells("a question a line");
    assert_eq!(folder.read("q.csv"), "question\n\"Why, then?\"\n");
    let lines = QUESTIONS.map(|question| question.replace('"', "'"));
    let one = format!("question\n{}\n{}\n", lines[0], lines[1]);
    let folder = Folder::with(&one);
    let service = Service::friendly();
    folder.asks(&service);
    let refused = folder.dset(&["run"]).exits(2).says("row 2, has a comma and no quotes");
    let [import, run, _] = &commands(&refused)[..] else { panic!("{}", refused.err) };
    folder.shell(import).exits(0).tells("1 question was put together again");
    folder.shell(run).exits(0);
    assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), lines);
    let tsv = table("\t", "Frage\tthema");
    is_asked_and_converted("q.tsv", tsv.as_bytes(), &[], "separated by tabs");
    let json = |make: fn(&str) -> serde_json::Value| {
        QUESTIONS.map(|question| format!("{}\n", make(question))).concat()
    };
    for text in [
        json(|text| serde_json::json!({"id": 1, "question": text})),
        json(|text| serde_json::json!({"prompt": text, "tags": ["a", "b"]})),
        json(|text| {
            serde_json::json!({"messages": [
                {"role": "user", "content": text},
                {"role": "assistant", "content": "No."},
            ]})
        }),
        json(|text| {
            let parts = serde_json::json!([{"type": "text", "text": text}]);
            serde_json::json!({"messages": [{"role": "user", "content": parts}]})
        }),
    ] {
        is_asked_and_converted("q.jsonl", text.as_bytes(), &["--last", "drop"], "JSON lines");
    }
}

#[test]
fn a_json_array_is_asked_and_converted() {
    let array = |make: fn(&str) -> serde_json::Value| {
        serde_json::to_string_pretty(&QUESTIONS.map(make)).unwrap()
    };
    for text in [
        array(|text| serde_json::json!({"id": 1, "question": text})),
        array(|text| serde_json::json!({"messages": [{"role": "user", "content": text}]})),
        array(|text| serde_json::json!(text)),
    ] {
        is_asked_and_converted("q.json", text.as_bytes(), &[], "a JSON array");
    }
    let folder = Folder::new();
    folder.write("in.json", "[{\"prompt\": \"A?\", \"id\": 7}, \"B?\", {\"query\": \"C?\"}]");
    folder.dset(&["import", "in.json"]).exits(0).tells("3 rows");
    assert_eq!(folder.read("q.csv"), "question,id\nA?,7\nB?,\nC?,\n");
}

#[test]
fn a_question_with_a_comma_and_no_quotes_is_told_put_together_and_asked() {
    for text in [
        "question,status\nWhy?,\nHow tall is it, and why?\n",
        "question,status\nWhy?,todo later\nHow tall is it, and why?,\n",
        "id,question,status\n2,How tall is it, and why?,ERROR\n1,Why?,\n",
        "question,topic,status\nWhy?,geo,\nHow tall is it, and why?,geo,\n",
        "question\n\"Why?\"\nHow tall is it, and why?\n",
        "Why?\nHow tall is it, and why?\n",
    ] {
        let folder = Folder::with(text);
        let service = Service::friendly();
        folder.asks(&service);
        let refused = folder.dset(&["run"]).exits(2).says("has a comma and no quotes around it");
        assert!(!folder.path("dset_generator").exists(), "nothing was begun");
        folder.dset(&["doctor", "--offline"]).exits(1).tells("has a comma and no quotes");
        let [import, run, _] = &commands(&refused)[..] else { panic!("{}", refused.err) };
        folder
            .shell(import)
            .exits(0)
            .tells("1 question was put together again")
            .tells("where such a question ends cannot be known for sure");
        folder.shell(run).exits(0);
        let asked: Vec<String> = service.asked().into_keys().collect();
        assert_eq!(asked, ["How tall is it, and why?", "Why?"], "{text:?}");
    }
}

#[test]
fn what_an_import_makes_of_a_table_is_no_question_that_is_cut() {
    let folder = Folder::new();
    folder.write("wide.tsv", "question\ttopic\nWhy?\tgeo\ta note\nHow?\tgeo\n");
    folder.write("semi.csv", "Frage;Thema\nWarum; wieso, weshalb?;geo\nWie?;bio\n");
    for (name, expected) in [
        ("wide.tsv", "question,topic,\nWhy?,geo,a note\nHow?,geo\n"),
        ("semi.csv", "question,Thema\n\"Warum; wieso, weshalb?\",geo\nWie?,bio\n"),
    ] {
        folder.dset(&["import", name, "-o", "out.csv"]).exits(0);
        assert_eq!(folder.read("out.csv"), expected);
        folder.dset(&["doctor", "out.csv", "--offline"]).tells("2 questions");
        std::fs::remove_file(folder.path("out.csv")).unwrap();
    }
}

#[test]
fn an_import_puts_together_what_a_run_refuses_and_nothing_else() {
    for (text, mended) in [
        ("question, status\nWhy is it?, not yet\n", None),
        ("question, status\nWhy is it?, in progress\n", None),
        ("question, status\nWhy?, 2024-05-01 10:00\n", None),
        ("question, status\nExplain it, in progress\n", None),
        ("question,status\nExplain it,\" in progress\"\n", None),
        ("question,status\nWhy?,done,see page 4\n", None),
        ("question,answer\nWhat is it?, It is a thing, of course\n", None),
        ("question,status\nSay hello, world\n", Some("\"Say hello, world\"")),
        ("question,status\nInto French, please\n", Some("\"Into French, please\"")),
        ("question,status\nHow many in 2,024\n", Some("\"How many in 2,024\"")),
        ("One\nSay hello, world\n", Some("\"Say hello, world\"")),
        ("One\nInto French, please\n", Some("\"Into French, please\"")),
        ("One\nHow many in 2,024\n", Some("\"How many in 2,024\"")),
    ] {
        let folder = Folder::with(text);
        let doctor = folder.dset(&["doctor", "--offline"]);
        let is_refused = doctor.out.contains("has a comma and no quotes");
        assert_eq!(is_refused, mended.is_some(), "{text:?}: {}", doctor.out);
        let imported = folder.dset(&["import", "q.csv", "-o", "out.csv"]).exits(0);
        let told = imported.out.contains("1 question was put together again");
        assert_eq!(told, mended.is_some(), "{text:?}: {}", imported.out);
        let out = folder.read("out.csv");
        assert_eq!(out.contains('"'), mended.is_some(), "{out:?}");
        assert!(out.contains(mended.unwrap_or_default()), "{out:?}");
        let again = folder.dset(&["doctor", "out.csv", "--offline"]);
        assert!(!again.out.contains("no quotes"), "{out:?}: {}", again.out);
    }
}

#[test]
fn a_byte_order_mark_and_a_column_of_another_name_just_work() {
    let service = Service::friendly();
    for (header, said) in [
        ("question,status", ""),
        ("Frage", "questions are in column `Frage`"),
        ("prompt", "questions are in column `prompt`"),
        ("id,text", "questions are in column `text`"),
        ("instruction", "questions are in column `instruction`"),
    ] {
        let folder = Folder::new();
        let row = if header.starts_with("id") { "1,Why?" } else { "Why?" };
        folder.write("q.csv", format!("\u{feff}{header}\n{row}\n"));
        service.run(&folder, &[]).exits(0).says(said);
        assert_eq!(folder.agreed(), ["Why?"], "{header}");
    }
}

#[test]
fn numbers_are_not_bought_where_another_column_holds_sentences() {
    let folder = Folder::with("Nr,Thema,Aufgabe\n1,geo,What is there?\n2,bio,What lives there?\n");
    let service = Service::friendly();
    folder.asks(&service);
    let refused = folder.dset(&["run"]).exits(2).says("cannot tell which column");
    assert_eq!(service.stats().asked, 0);
    let commands = commands(&refused);
    assert_eq!(commands, ["dset run --column Aufgabe", "dset run --column Nr"]);
    folder.shell(&commands[0]).exits(0);
    let asked: Vec<String> = service.asked().into_keys().collect();
    assert_eq!(asked, ["What is there?", "What lives there?"]);
}

#[test]
fn an_import_keeps_the_other_columns_and_overwrites_nothing() {
    let folder = Folder::new();
    folder.write("in.csv", "id;Frage;question\n1;\"Warum, wieso?\";old\n2;;\n");
    folder
        .dset(&["import", "in.csv", "--column", "Frage"])
        .exits(0)
        .tells("q.csv has 2 rows of in.csv (UTF-8, separated by semicolons)")
        .tells("the questions are those of `Frage`, which is called `question` now")
        .tells("1 row without a question");
    let written = "id,question,question_3\n1,\"Warum, wieso?\",old\n2,,\n";
    assert_eq!(folder.read("q.csv"), written);
    folder.dset(&["import", "in.csv"]).exits(2).says("there is a `q.csv` already");
    assert_eq!(folder.read("q.csv"), written);

    let json = "{\"id\": 7, \"prompt\": \"A?\", \"more\": {\"x\": 1}}\n{\"prompt\": \"B?\", \"id\": null}\n";
    folder.write("in.jsonl", json);
    folder.dset(&["import", "in.jsonl", "-o", "j.csv"]).exits(0);
    assert_eq!(folder.read("j.csv"), "question,id,more\nA?,7,\"{\"\"x\"\":1}\"\nB?,,\n");
    folder
        .dset(&["import", "in.jsonl", "--column", "id", "-o", "k.csv"])
        .exits(0)
        .tells("2 rows")
        .tells("1 row without a question");
}

#[test]
fn what_is_said_of_a_file_outranks_what_it_looks_like() {
    let folder = Folder::new();
    // `ą` and `ę` of Polish, which Windows-1252 would read as other letters.
    folder.write("pl.csv", b"question|x\nM\xb9ka i m\xeaka?|1\n");
    folder.dset(&["import", "pl.csv", "--encoding", "windows-1250"]).exits(0);
    assert_eq!(folder.read("q.csv"), "question,x\nMąka i męka?,1\n");
    folder.write("bad.csv", b"question\ncaf\xe9\n");
    folder
        .dset(&["import", "bad.csv", "--encoding", "utf-8", "-o", "bad-utf8.csv"])
        .exits(0)
        .tells("1 row with characters that UTF-8 has not");
    folder.write("plain.csv", "a;b\nc;d\n");
    folder.dset(&["import", "plain.csv", "--separator", ",", "-o", "one.csv"]).exits(0);
    assert_eq!(folder.read("one.csv"), "question\na;b\nc;d\n");
}

#[test]
fn a_file_larger_than_one_look_is_read_to_its_end() {
    let folder = Folder::new();
    let row = "Frage mit vielen Worten;x\n";
    let mut bytes = format!("Frage;Thema\n{}", row.repeat(9_000)).into_bytes();
    // The first byte that is no UTF-8 stands at the very end.
    bytes.extend(b"caf\xe9;x\n");
    folder.write("big.csv", &bytes);
    folder.dset(&["import", "big.csv"]).exits(0).tells("9,001 rows").tells("windows-1252");
    assert!(folder.read("q.csv").ends_with("café,x\n"));
}

#[test]
fn carriage_returns_alone_end_lines() {
    let folder = Folder::new();
    folder.write("mac.txt", "Why?\rHow?\r");
    folder.dset(&["import", "mac.txt"]).exits(0).tells("2 rows");
    assert_eq!(folder.read("q.csv"), "question\nWhy?\nHow?\n");
}

#[test]
fn whole_numbers_of_an_array_keep_their_digits() {
    let folder = Folder::new();
    let row = r#"{"question": "a", "big": 12345678901234567890123}"#;
    for (name, text) in
        [("rows.json", format!("[{row}, {row}]")), ("rows.jsonl", format!("{row}\n{row}\n"))]
    {
        folder.write(name, text);
        let out = format!("{name}.csv");
        folder.dset(&["import", name, "-o", &out]).exits(0);
        let line = "a,12345678901234567890123\n";
        assert_eq!(folder.read(&out), format!("question,big\n{line}{line}"), "{name}");
    }
}

#[test]
fn a_folder_of_the_script_is_taken_over_and_left_as_it_was() {
    let line = "{\"metadata\": {\"timestamp\": \"2026-11-22 11:49:24\", \"question\": \"one\"}, \"response\": {\"reasoning\": \"\", \"answer\": \"1\"}}\n";
    for named in ["old", "old/dset_generator"] {
        let folder = Folder::new();
        folder.write("old/q.csv", "question,status\none,\ntwo,ERROR\n");
        folder.write("old/dset_generator/output.json", line);
        folder.write("old/.env", "DEEPSEEK_API_KEY=sk-0123456789\n");
        let service = Service::friendly();
        folder.asks(&service);
        let before = folder.everything();
        folder.dset(&["import", named]).exits(0).tells("output.json").tells("`dset run`");
        for (path, bytes) in &before {
            assert_eq!(&std::fs::read(path).unwrap(), bytes);
        }
        folder.dset(&["run"]).exits(0);
        assert_eq!(folder.agreed(), ["one", "two"]);
        assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), ["two"]);
        folder.dset(&["import", named]).exits(2).says("already");
        assert!(!folder.read("q.csv").contains("ERROR"));
    }
}

#[test]
fn a_column_that_is_not_there_is_named_anew_and_once() {
    let folder = Folder::new();
    folder.write("a.jsonl", "{\"task\": \"One?\"}\n");
    let ran = folder.dset(&["import", "a.jsonl", "--column", "nope"]).exits(2);
    let command = "dset import a.jsonl --column task";
    ran.says(&format!("hint: Name the field: `{command}`"));
    folder.shell(command).exits(0);
}

#[test]
fn what_stands_beside_the_question_is_kept_as_it_was() {
    let folder = Folder::new();
    let fields: Vec<String> = (0..250).map(|at| format!("\"f{at}\": {at}")).collect();
    let row = format!("{{\"question\": \"own\", \"task\": \"One?\", {}}}\n", fields.join(", "));
    folder.write("a.jsonl", row);
    folder.dset(&["import", "a.jsonl", "--column", "task", "-o", "a.csv"]).exits(0);
    let written = folder.read("a.csv");
    assert!(written.starts_with("question,question_2,f0,"), "{written}");
    assert!(written.contains(",f249") && written.contains("One?,own,0,"), "{written}");
    folder.write("b.csv", "question;code\nWhy?;\"    return 1\"\n");
    folder.dset(&["import", "b.csv", "-o", "c.csv"]).exits(0);
    assert_eq!(folder.read("c.csv"), "question,code\nWhy?,    return 1\n");
    folder.write("d.json", r#"{"topic": "art", "questions": ["One?", "Two?"]}"#);
    folder.dset(&["import", "d.json", "-o", "d.csv"]).exits(0);
    assert_eq!(folder.read("d.csv"), "question,topic\nOne?,art\nTwo?,art\n");
}
