//! `dset view` and `dset report`: who may look, what programs are answered, and what is passed on.
#![cfg(feature = "view")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use crate::common::{Folder, Service, questions, until};
use dset_mock::MockSettings;
use serde_json::{Value, json};

/// A viewer of a folder; ended when it is dropped.
struct Viewer {
    child: Child,
    host: String,
    token: String,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer: its status, its head in small letters, and its body.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Viewer {
    fn of(folder: &Folder) -> Viewer {
        let mut command = folder.command(&["view", "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let api = said["api"].as_str().unwrap();
        let host = api.strip_prefix("http://").and_then(|api| api.split_once('/')).unwrap().0;
        let token = said["token"].as_str().unwrap().to_owned();
        Viewer { child, host: host.to_owned(), token }
    }

    /// Asks with these lines of a head, and nothing else.
    fn ask(&self, method: &str, path: &str, head: &[String], body: &str) -> Reply {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let head: String = head.iter().map(|line| format!("{line}\r\n")).collect();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\n{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let reply = String::from_utf8(reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    fn host(&self) -> String {
        format!("host: {}", self.host)
    }

    fn get(&self, path: &str) -> Value {
        let sign = if path.contains('?') { '&' } else { '?' };
        let path = format!("/api/v1/{path}{sign}token={}", self.token);
        let reply = self.ask("GET", &path, &[self.host()], "");
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("{path}: {}", reply.body))
    }

    fn rate(&self, answer: &Value, review: &Value) -> Reply {
        let path = format!("/api/v1/answers/{answer}/review?token={}", self.token);
        let head = [self.host(), format!("origin: http://{}", self.host)];
        self.ask("POST", &path, &head, &review.to_string())
    }
}

const HOSTILE: &str =
    "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}\u{1b}[31m";

/// Two models on four questions, of which one is refused and one is answered with hostile text.
fn asked() -> Folder {
    let folder = Folder::with(
        "question\nWhat are black holes?\nWhy is the sky blue?\nAn attack\nwhat is refused\n",
    );
    let answer = |question: &str, answer: &str| {
        let object = json!({
            "metadata": { "question": question },
            "response": { "reasoning": "Hm.", "answer": answer },
        });
        format!("{object}\n")
    };
    let answers =
        answer("What are black holes?", "黑洞 are places.") + &answer("An attack", HOSTILE);
    folder.write("answers.json", answers);
    let service = Service::start(MockSettings {
        answers: Some(folder.path("answers.json")),
        on: vec!["refused=400".parse().unwrap()],
        ..MockSettings::default()
    });
    service.run(&folder, &["-m", "deepseek-flash", "-m", "deepseek-v4-pro"]).exits(3);
    folder
}

#[test]
fn models_of_earlier_runs_are_known_where_they_have_answers() {
    let folder = Folder::with(&questions(2));
    let service = Service::friendly();
    service.run(&folder, &["-m", "one-model", "-m", "other-model"]).exits(0);
    service.run(&folder, &["-m", "one-model"]).exits(0);
    let overview = Viewer::of(&folder).get("overview");
    assert_eq!(overview["models"], json!(["one-model"]));
    assert_eq!(overview["all_models"], json!(["one-model", "other-model"]));
}

#[test]
fn a_failed_ask_is_told_of_the_answer_that_was_asked_for() {
    let folder = Folder::with("question\none\ntwo bad\n");
    let service = Service::with(&["bad=filter*1", "bad=400"]);
    service.run(&folder, &["-c", "1", "-m", "one-model", "-m", "other-model"]).exits(3);
    let viewer = Viewer::of(&folder);
    let seen = viewer.get("questions/2");
    let answers = seen["question"]["answers"].as_array().unwrap();
    let shown = folder.dset(&["show", "2", "--json"]).exits(0).json();
    for (answer, shown) in answers.iter().zip(shown["questions"][0]["answers"].as_array().unwrap())
    {
        assert_eq!(answer["last_ask"]["asks"], 1);
        assert_eq!(answer["last_ask"]["cause"], shown["last_ask"]["cause"]);
    }
    assert_ne!(answers[0]["last_ask"]["cause"], answers[1]["last_ask"]["cause"]);
    let of = |attempt: &Value| (attempt["model"].clone(), attempt["cause"].clone());
    let attempts: Vec<_> = seen["attempts"].as_array().unwrap().iter().map(of).collect();
    let answers: Vec<_> = answers
        .iter()
        .map(|one| (one["model"].clone(), one["last_ask"]["cause"].clone()))
        .collect();
    assert_eq!(attempts, answers);
}

#[test]
fn failed_asks_are_told_of_their_question_after_its_row_has_moved() {
    let folder = Folder::with("question\nalpha\nbad beta\ngamma\n");
    let service = Service::with(&["bad=400"]);
    service.run(&folder, &["-c", "1"]).exits(3);
    folder.write("q.csv", "question\nnew\nalpha\nbad beta\ngamma\n");
    let viewer = Viewer::of(&folder);
    let asks = |number: u32| {
        let seen = viewer.get(&format!("questions/{number}"));
        let of_slot = seen["question"]["answers"][0]["last_ask"]["asks"].as_u64();
        (seen["attempts"].as_array().unwrap().len(), of_slot)
    };
    assert_eq!([1, 2, 3, 4].map(asks), [(0, None), (0, None), (1, Some(1)), (0, None)]);
}

#[test]
fn a_record_says_what_was_sent_and_how_many_rows_were_left_out() {
    let folder = Folder::new();
    let turn = |role: &str, content: &str| json!({ "role": role, "content": content });
    let chat = |turns: &[Value]| json!({ "messages": turns }).to_string() + "\n";
    let first = [turn("system", "Be brief."), turn("user", "one"), turn("assistant", "1")];
    let picture = json!({ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "x" } }] });
    folder
        .write("q.jsonl", chat(&[&first[..], &[turn("user", "two")]].concat()) + &chat(&[picture]));
    let service = Service::friendly();
    service.run(&folder, &["q.jsonl", "--on-bad-row", "skip"]).exits(0);
    let viewer = Viewer::of(&folder);
    let sent = viewer.get("questions/1")["request"].clone();
    assert_eq!(sent["system"], "Be brief.");
    let said = |role: &str, text: &str| json!({ "role": role, "text": text });
    assert_eq!(
        sent["turns"],
        json!([said("user", "one"), said("assistant", "1"), said("user", "two")])
    );
    let overview = viewer.get("overview");
    assert_eq!(overview["bad_rows"], 1);
    let first = overview["first_bad_row"].as_str().unwrap();
    assert!(first.starts_with("line 2: turn 1 of the chat"), "{first}");
}

#[test]
fn an_answer_to_another_prompt_than_the_last_run_sends_has_its_own() {
    let folder = Folder::with(&questions(500));
    let service = Service::friendly();
    service.run(&folder, &["--system", "Old."]).exits(0);
    folder.write("q.csv", questions(600));
    service.run(&folder, &["--system", "New.", "--continue"]).exits(0);
    let viewer = Viewer::of(&folder);
    let sent = |number: u32| {
        let seen = viewer.get(&format!("questions/{number}"));
        let of = |request: &Value| request["system"].as_str().map(str::to_owned);
        let last = seen["request"]["turns"][0]["text"].clone();
        assert_eq!(last, seen["question"]["text"]);
        (of(&seen["request"]), of(&seen["question"]["answers"][0]["request"]))
    };
    let (new, old) = (Some("New.".to_owned()), Some("Old.".to_owned()));
    for number in [480, 481, 481, 3] {
        assert_eq!(sent(number), (new.clone(), old.clone()));
    }
    assert_eq!(sent(600), (new, None));
    folder.write("q.csv", questions(600).replace("status\n", "status\nanother,\n"));
    assert!(viewer.get("questions/480")["request"].is_null(), "nothing of another row is told");
}

#[test]
fn a_rating_and_a_note_that_come_at_once_are_both_kept() {
    let folder = asked();
    let viewer = Viewer::of(&folder);
    let answer = &viewer.get("records?q=attack")["records"][0]["answer"];
    for rating in (1..=5).cycle().take(20) {
        let note = format!("note {rating}");
        std::thread::scope(|scope| {
            scope.spawn(|| viewer.rate(answer, &json!({ "rating": rating })));
            scope.spawn(|| viewer.rate(answer, &json!({ "note": note })));
        });
        let reply = viewer.rate(answer, &json!({ "rating": rating }));
        let kept: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(kept, json!({ "rating": rating, "note": note }));
    }
}

#[test]
fn only_who_has_the_token_at_this_machines_name_is_answered() {
    let folder = asked();
    let viewer = Viewer::of(&folder);
    let with = |path: &str| format!("{path}?token={}", viewer.token);
    let own = || vec![viewer.host()];
    let status = |path: &str, head: Vec<String>| viewer.ask("GET", path, &head, "").status;
    assert_eq!(status("/", own()), 403);
    assert_eq!(status("/api/v1/records", own()), 403);
    assert_eq!(status("/api/v1/records?token=0123", own()), 403);
    assert_eq!(status(&with("/api/v1/records"), own()), 200);
    assert_eq!(status(&with("/"), vec!["host: evil.example".into()]), 403);
    let foreign = || vec![viewer.host(), "origin: http://evil.example".into()];
    assert_eq!(status(&with("/api/v1/records"), foreign()), 403);
    let page = viewer.ask("GET", &with("/"), &own(), "");
    assert!(page.head.contains("content-security-policy: default-src 'none'; script-src 'self'"));
    assert!(page.head.contains("samesite=strict") && page.head.contains("httponly"));
    assert!(!page.head.contains("access-control-allow"), "{}", page.head);
    // A review comes from a page, and a page says from where.
    let path = with("/api/v1/answers/1/review");
    assert_eq!(viewer.ask("POST", &path, &own(), "{\"rating\":1}").status, 403);
    assert_eq!(viewer.ask("POST", &path, &foreign(), "{\"rating\":1}").status, 403);
    assert!(!folder.path("dset_generator/review.db").exists());
}

#[test]
fn programs_are_answered_as_it_is_documented() {
    let folder = asked();
    let viewer = Viewer::of(&folder);
    let overview = viewer.get("overview");
    let counts = ["questions", "records", "answered", "failed"].map(|name| &overview[name]);
    assert_eq!(counts, [4, 8, 6, 2]);
    let records = viewer.get("records?state=rejected&sort=-question");
    assert_eq!((&records["count"], &records["of"]), (&json!(2), &json!(8)));
    assert_eq!(records["records"][0]["question"], 4);
    let facets = viewer.get("facets?model=deepseek-flash");
    let facet = facets["facets"].as_array().unwrap().iter().find(|facet| facet["name"] == "cause");
    assert!(facet.unwrap()["values"].as_array().unwrap().iter().any(|value| value["count"] == 1));
    assert_eq!(viewer.get("records?q=%E9%BB%91%E6%B4%9E")["count"], 2, "two signs are found");
    assert_eq!(viewer.get("failure")["place"], 6);
    let question = viewer.get("questions/4?state=rejected");
    assert_eq!((&question["place"], &question["count"]), (&json!(1), &json!(2)));
    assert_eq!(question["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(viewer.get("compare?a=deepseek-flash&b=deepseek-v4-pro")["both"], 3);
    let record = viewer.get("records?state=answered")["records"][0].clone();
    let path = format!("questions/{}", record["question"]);
    let answers = viewer.get(&path)["question"]["answers"].clone();
    let whole = answers.as_array().unwrap().iter().find(|one| one["id"] == record["answer"]);
    let at = whole.unwrap()["answered_at"].as_i64().unwrap();
    assert_eq!(record["answered_at"], at / 1000 * 1000, "one unit everywhere");
    assert!(viewer.get("distributions")["numbers"].as_array().unwrap().len() > 2);
    assert_eq!(viewer.get("status")["ledger"]["questions"], 8);
    let refused = |path: &str| {
        let path = format!("/api/v1/{path}token={}", viewer.token);
        viewer.ask("GET", &path, &[viewer.host()], "").status
    };
    assert_eq!(refused("records?min_nothing=1&"), 400);
    assert_eq!(refused("records?min_seconds=x&"), 400);
    for query in ["modle=m", "offset=abc", "limit=-1", "state=nope", "q=%25", "q=*+%22"] {
        assert_eq!(refused(&format!("records?{query}&")), 400, "{query}");
    }
    assert_eq!(refused("compare?a=m&b=m&only=nope&"), 400);
    for path in ["questions/abc", "answers/x/answer.txt", "attempts/-/reply", "questions/9", "x"] {
        let path = format!("/api/v1/{path}?token={}", viewer.token);
        let reply = viewer.ask("GET", &path, &[viewer.host()], "");
        let said: Value = serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("{path}"));
        assert!(reply.status >= 400 && said["error"].is_string(), "{path}: {said}");
    }
    let stranger = viewer.ask("GET", "/api/v1/records", &[viewer.host()], "");
    let said: Value = serde_json::from_str(&stranger.body).unwrap();
    assert!(stranger.status == 403 && said["error"].is_string());
    let nobody = &viewer.get("compare?a=deepseek-flash&b=nobody")["sides"][0];
    assert_eq!((&nobody["cost"], &nobody["output_tokens"]), (&Value::Null, &Value::Null));
    assert_eq!(refused("questions/9?"), 404);
    assert_eq!(refused("nothing?"), 404);
}

#[test]
fn what_somebody_thinks_of_answers_is_kept_and_becomes_columns_and_pairs() {
    let folder = asked();
    let viewer = Viewer::of(&folder);
    let store = || folder.count("SELECT count(*) FROM answers");
    let before = store();
    let answers = viewer.get("questions/1")["question"]["answers"].clone();
    let [good, bad] = [0, 1].map(|at| answers[at]["id"].clone());
    assert_eq!(viewer.rate(&good, &json!({ "rating": 5, "note": "clear" })).status, 200);
    assert_eq!(viewer.rate(&bad, &json!({ "rating": 2 })).status, 200);
    assert_eq!(viewer.rate(&bad, &json!({ "rating": 9 })).status, 400);
    assert_eq!(viewer.rate(&good, &json!({ "rating": 4 })).status, 200);
    let note = || viewer.get("questions/1")["question"]["answers"][0]["note"].clone();
    assert_eq!(note(), "clear", "what a review does not speak of stays");
    assert_eq!(viewer.rate(&good, &json!({})).status, 400);
    assert_eq!(viewer.rate(&good, &json!({ "raiting": 1 })).status, 400);
    assert_eq!(viewer.rate(&good, &json!({ "rating": null })).status, 200);
    assert_eq!(viewer.get("records?rating=4")["count"], 0);
    assert_eq!(viewer.rate(&good, &json!({ "rating": 5 })).status, 200);
    assert_eq!(viewer.get("records?min_rating=2")["count"], 2);
    assert_eq!(store(), before);
    let rows = |arguments: &[&str]| -> Vec<Value> {
        let all = [&["export", "--to", "out.jsonl", "--force"], arguments].concat();
        folder.dset(&all).exits(0);
        folder.read("out.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let rated = rows(&["--reviews", "--where", "rating and rating >= 3"]);
    assert_eq!(rated.len(), 1);
    assert_eq!((&rated[0]["rating"], &rated[0]["note"]), (&json!(5), &json!("clear")));
    assert!(rows(&[])[0].get("rating").is_none(), "nobody asked for it");
    let pairs = rows(&["--layout", "preference", "--rank", "rating", "--where", "rating"]);
    assert_eq!(pairs.len(), 1);
    let unrated = ["export", "--to", "p.jsonl", "--layout", "preference", "--rank", "rating"];
    folder.dset(&unrated).exits(2).says("--where '(rating) is not none'");
    let chat = ["export", "--to", "c.jsonl", "--layout", "chat", "--reviews"];
    folder.dset(&chat).exits(2).says("only the layout `rows`");
    // A folder that takes the answers in takes in what is thought of them, too; what was said last stays.
    folder.dset(&["merge", "dset_generator", "-o", "m"]).exits(0);
    assert_eq!(rows(&["-o", "m", "--reviews", "--where", "rating and rating >= 3"]), rated);
    assert_eq!(viewer.rate(&good, &json!({ "rating": 3 })).status, 200);
    for _ in 0..2 {
        folder.dset(&["merge", "dset_generator", "-o", "m"]).exits(0);
        let again = rows(&["-o", "m", "--reviews", "--where", "rating and rating >= 3"]);
        assert_eq!((&again[0]["rating"], &again[0]["note"]), (&json!(3), &json!("clear")));
    }
}

#[test]
fn broken_ratings_are_no_fault_of_the_store() {
    let folder = asked();
    folder.write("dset_generator/review.db", "garbage");
    for command in [&["view", "--static", "s"][..], &["export", "--to", "x.jsonl", "--reviews"]] {
        let said = folder.dset(command).exits(1).says("review.db").says("answers are sound");
        assert!(!said.err.contains("dset.db-wal"), "{}", said.err);
    }
}

#[test]
fn answers_that_checks_do_not_accept_are_shown_with_those_checks() {
    let folder = Folder::with(&questions(3));
    Service::friendly().run(&folder, &["--check", "matches=^never$"]).exits(3);
    let viewer = Viewer::of(&folder);
    let records = viewer.get("records?check=matches");
    assert_eq!(records["count"], 3, "{records}");
    let record = &records["records"][0];
    assert_eq!((&record["answer"], &record["finish_reason"]), (&Value::Null, &json!("stop")));
    for known in ["output_tokens", "seconds", "attempts", "answered_at"] {
        assert!(record[known].is_number(), "{known}: {record}");
    }
    assert_eq!(viewer.get("records?finish_reason=stop&min_output_tokens=1")["count"], 3);
    let answer = &viewer.get("questions/1")["question"]["answers"][0];
    assert_eq!(answer["state"], "rejected", "{answer}");
    let verdict = &answer["tries"][0]["verdicts"][0];
    assert_eq!((&verdict["check"], &verdict["outcome"]), (&json!("matches"), &json!("failed")));
    assert!(answer["tries"][0]["answer"].as_str().unwrap().starts_with("The answer"), "{answer}");
}

#[test]
fn what_is_cut_while_somebody_looks_is_shown_as_such() {
    let folder = Folder::with("question\nOne?\nTwo?\nThree?\nFour?\nFive?\n");
    let on = ["Two=length", "Four=length", "Five=hang"].map(|rule| rule.parse().unwrap());
    let service = Service::start(MockSettings {
        latency_ms: 300,
        on: on.to_vec(),
        ..MockSettings::default()
    });
    let going = service.begin(&folder, &["-c", "1"]);
    until("one is answered", || service.stats().answered > 0);
    let viewer = Viewer::of(&folder);
    until("both are cut", || viewer.get("records?state=rejected")["count"] == 2);
    let records = viewer.get("records?check=whole&cause=length+limit&finish_reason=length");
    assert_eq!(records["count"], 2, "{records}");
    assert_eq!(viewer.get("overview")["answered"], 2);
    let tried = &viewer.get("questions/4")["question"]["answers"][0]["tries"][0];
    assert_eq!(tried["verdicts"][0]["check"], "whole", "{tried}");
    assert_eq!(viewer.get("overview")["running"], true);
    going.kill();
    until("its end is seen", || viewer.get("overview")["running"] == false);
}

#[test]
fn a_folder_that_is_deleted_and_asked_anew_is_read_anew() {
    let folder = Folder::with(&questions(5));
    Service::friendly().run(&folder, &[]).exits(0);
    let viewer = Viewer::of(&folder);
    assert_eq!(viewer.get("overview")["answered"], 5);
    until("it is deleted", || std::fs::remove_dir_all(folder.path("dset_generator")).is_ok());
    Service::friendly().run(&folder, &["-n", "2"]).exits(0);
    assert_eq!(viewer.get("overview")["answered"], 2);
    assert_eq!(viewer.get("records?state=answered")["records"].as_array().unwrap().len(), 2);
}

#[test]
fn one_comes_through_all_questions_in_any_order() {
    let folder = asked();
    let viewer = Viewer::of(&folder);
    for order in ["seconds", "-seconds", "-question", "output_tokens", "-cost"] {
        let first = &viewer.get(&format!("records?sort={order}&limit=1"))["records"][0];
        let mut way = vec![first["question"].as_u64().unwrap()];
        let next =
            |of: u64, to: &str| viewer.get(&format!("questions/{of}?sort={order}"))[to].as_u64();
        while let Some(next) = next(*way.last().unwrap(), "next").filter(|_| way.len() < 9) {
            way.push(next);
        }
        let mut all = way.clone();
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4], "{order}: {way:?}");
        for pair in way.windows(2) {
            assert_eq!(next(pair[1], "previous"), Some(pair[0]), "{order}: {way:?}");
        }
    }
}

#[test]
fn a_report_is_one_small_file_in_which_nothing_runs() {
    let folder = asked();
    folder.dset(&["report"]).exits(0);
    folder.dset(&["report"]).exits(0);
    let (questions, store) =
        (folder.read("q.csv"), std::fs::read(folder.path("dset_generator/dset.db")).unwrap());
    for own in ["q.csv", "dset_generator/dset.db", "dset_generator/output.csv"] {
        folder.dset(&["report", "--to", own]).exits(2).says("belongs to the run");
    }
    folder.write("notes.html", "<p>mine</p>");
    folder.dset(&["report", "--to", "notes.html"]).exits(2).says("is there already");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Nobody writes into the pipe, or reads from it.
        folder.shell("mkfifo pipe.html").exits(0);
        folder.dset(&["report", "--to", "pipe.html"]).exits(2).says("`pipe.html` is no file");
        let mode = |name: &str| std::fs::metadata(folder.path(name)).unwrap().permissions().mode();
        assert_eq!(mode("report.html"), mode("notes.html"));
    }
    assert_eq!(
        (folder.read("q.csv"), folder.read("notes.html")),
        (questions, "<p>mine</p>".into())
    );
    assert_eq!(std::fs::read(folder.path("dset_generator/dset.db")).unwrap(), store);
    let report = folder.read("report.html");
    assert!(report.len() < 2_000_000);
    assert!(
        !report.contains("<script")
            && !report.contains("<img")
            && !report.contains("http-equiv=\"refresh")
    );
    assert!(report.contains("&lt;script&gt;alert(1)") && report.contains("<i>U+202E</i>"));
    assert!(!report.contains('\u{202e}') && !report.contains('\u{1b}'));
    assert!(report.contains("default-src 'none'; style-src 'unsafe-inline'"));
    assert!(report.contains("The ledger balances") || report.contains("the ledger balances"));
    folder.dset(&["report"]).exits(0);
    let again = folder.read("report.html");
    let without_date = |page: &str| {
        page.lines().filter(|line| !line.contains("made with dset")).collect::<String>()
    };
    assert_eq!(without_date(&again), without_date(&report), "the same seed, the same report");
}

#[test]
fn a_report_says_what_was_asked_of_answers_and_how_to_make_the_run_again() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    service.run(&folder, &["-m", "some-model", "--check", "matches=^never$"]).exits(3);
    folder.dset(&["report"]).exits(0);
    let report = folder.read("report.html");
    let (_, failed) = report.split_once("Why questions failed").unwrap();
    assert!(failed.contains("<i>matches: "), "{failed}");
    let (_, held) = report.split_once("What answers were held against").unwrap();
    assert!(held.contains("<td>matches</td>"), "{held}");
    let again = |report: &str| report.split_once("Made again by").unwrap().1.to_owned();
    assert!(again(&report).contains("(with the same checks as before)"), "{}", again(&report));
    let folder = Folder::with(&questions(3));
    service.run(&folder, &["-m", "some-model"]).exits(0);
    folder.dset(&["report"]).exits(0);
    let command = again(&folder.read("report.html"));
    assert!(command.contains("-m some-model") && command.contains("--base-url"), "{command}");
}

#[test]
fn a_folder_of_plain_files_is_whole_and_replaces_only_its_like() {
    let folder = asked();
    let site = ["view", "--static", "site"];
    folder.dset(&[&site[..], &["--filter", "state=rejected"]].concat()).exits(0).says("2 records");
    let records: Value = serde_json::from_str(&folder.read("site/data/records.json")).unwrap();
    assert_eq!(records.as_array().unwrap().len(), 2);
    folder.dset(&site).exits(0).says("8 records");
    let run: Value = serde_json::from_str(&folder.read("site/data/run.json")).unwrap();
    assert_eq!(run["parts"], json!([1]));
    let part: Value = serde_json::from_str(&folder.read("site/data/questions/0.json")).unwrap();
    assert_eq!(part.as_array().unwrap().len(), 4);
    assert!(folder.read("site/index.html").contains("default-src 'none'; script-src 'self'"));
    folder.write("site/mine.txt", "mine");
    let before = folder.everything();
    folder.dset(&site).exits(2).says("mine.txt");
    folder.dset(&["view", "--static", "elsewhere", "--filter", "stat=x"]).exits(2).says("`stat`");
    folder.dset(&["view", "--static", "elsewhere", "--filter", "q=nothing"]).exits(2);
    folder.dset(&["view", "--static", "elsewhere", "--filter", "sort=-zzz"]).exits(2).says("`zzz`");
    folder.dset(&["view", "--static", "."]).exits(2);
    assert_eq!(folder.everything(), before, "nothing is left half made");
}
