//! What is sent for a row: the template and the system prompt, and what neither may hold.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::common::{Folder, Service};
use dset_core::key::{RequestSettings, key};
use serde_json::{Value, json};

const TOPICS: &str = "question,topic,Final grade\nWhy?,geo,A\nHow?,bio,B\nWhen?,,C\n";

/// A service that keeps every body that it is asked with.
pub struct Recorder {
    url: String,
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Recorder {
    fn start() -> Recorder {
        Recorder::counting(json!({ "prompt_tokens": 1, "completion_tokens": 2 }))
    }

    /// One that says this of the tokens of each reply.
    pub fn counting(usage: Value) -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (kept, usage) = (Arc::clone(&kept), usage.clone());
                std::thread::spawn(
                    move || while answer(stream.as_ref().unwrap(), &kept, &usage) {},
                );
            }
        });
        Recorder { url, bodies }
    }

    pub fn run(&self, folder: &Folder, arguments: &[&str]) -> crate::common::Ran {
        let all = ["run", "--base-url", &self.url, "--key", "none", "-m", "m", "-c", "1"];
        folder.dset(&[&all, arguments].concat())
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }

    /// The messages of every ask since the last time: their roles and texts.
    fn messages(&self) -> Vec<Vec<(String, String)>> {
        let bodies = std::mem::take(&mut *self.bodies.lock().unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let message = |message: &Value| (text(&message["role"]), text(&message["content"]));
        let messages =
            |body: &Value| body["messages"].as_array().unwrap().iter().map(message).collect();
        bodies.iter().map(messages).collect()
    }

    /// The last message of every ask since the last time.
    pub fn prompts(&self) -> Vec<String> {
        self.messages()
            .into_iter()
            .filter_map(|messages| Some(messages.last()?.1.clone()))
            .collect()
    }

    /// The system prompts of those asks.
    fn systems(&self) -> Vec<Option<String>> {
        let system = |messages: Vec<(String, String)>| {
            messages.into_iter().find(|(role, _)| role == "system").map(|(_, text)| text)
        };
        self.messages().into_iter().map(system).collect()
    }
}

/// Answers one call of a connection; false at its end.
fn answer(mut stream: &TcpStream, kept: &Mutex<Vec<Value>>, usage: &Value) -> bool {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return false;
        }
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    let reply = json!({ "choices": [{ "message": { "role": "assistant", "content": "An answer." },
        "finish_reason": "stop" }], "usage": usage });
    let reply = reply.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
    write!(stream, "{head}{}\r\n\r\n{reply}", reply.len()).is_ok()
}

#[test]
fn what_would_send_a_placeholder_is_refused_before_the_first_ask_wherever_it_is_said() {
    let service = Service::friendly();
    let refused = |arguments: &[&str], says: &str| {
        let folder = Folder::with(TOPICS);
        service.run(&folder, arguments).exits(2).says(says);
        assert!(!folder.path("dset_generator").exists(), "{arguments:?}");
    };
    for template in ["{question} about {topic}", "$question", "%s", "{Final grade}", "%(topic)s"] {
        refused(&["-t", template], "the template cannot be used");
        refused(&["-t", template], "would be sent as it stands");
        refused(&["-s", template], "the system prompt cannot be used");
    }
    refused(&["-t", "Tell me a joke"], "every row would ask the same");
    refused(&["-t", ""], "the template is empty");
    refused(&["-t", "\\boxed{{}} {{ question }}"], "{% raw %}\\boxed{{}}{% endraw %}");
    refused(&["-s", "{{ system }}"], "`system` is not a column");
    refused(&["-t", "{{ question }} {Final grade}"], "{{ row[\"Final grade\"] }}");

    let folder = Folder::with(TOPICS);
    folder.write("dset.toml", "template = \"{question}\"\n");
    service.run(&folder, &[]).exits(2).says("the template cannot be used");
    folder.write("dset.toml", "");
    folder.write(".env", "DSET_TEMPLATE=$topic\n");
    folder.write("s.txt", "You know\n{topic}.\n");
    service
        .run(&folder, &["-t", "{{ question }}", "--system-file", "s.txt"])
        .exits(2)
        .says("line 2");
    assert_eq!(service.stats().asked, 0);
}

#[test]
fn what_is_said_to_be_meant_so_is_sent() {
    let folder = Folder::with(TOPICS);
    let service = Recorder::start();
    let template =
        "{{ question }} {% raw %}{topic} $topic \\boxed{{}}{% endraw %}{{ '{{' }} $5, 100%";
    service.run(&folder, &["-t", template, "-s", "Reply as {\"answer\": 1}"]).exits(0);
    let sent = service.messages();
    assert_eq!(sent[0][0], ("system".to_owned(), "Reply as {\"answer\": 1}".to_owned()));
    assert_eq!(sent[0][1].1, "Why? {topic} $topic \\boxed{{}}{{ $5, 100%");
}

#[test]
fn a_system_prompt_may_differ_by_row_and_is_bought_once_by_what_it_says() {
    let folder = Folder::with(TOPICS);
    let service = Recorder::start();
    let system = "{% if topic %}You know {{ topic }}.{% endif %}";
    service.run(&folder, &["-s", system]).exits(0);
    let of = |text: &str| Some(text.to_owned());
    assert_eq!(service.systems(), [of("You know geo."), of("You know bio."), None]);
    service.run(&folder, &["-s", system]).exits(0).says("3 already answered");
    assert_eq!(service.systems(), []);

    // A changed cell changes what is asked, and nothing else is.
    folder.write("q.csv", TOPICS.replace("How?,bio", "How?,physics"));
    service.run(&folder, &["-s", system]).exits(0);
    assert_eq!(service.systems(), [of("You know physics.")]);
    folder.dset(&["verify"]).exits(0);
    folder.dset(&["status"]).exits(0);

    // The same words, written out.
    folder.write("q.csv", "question,topic\nWhy?,geo\n");
    service.run(&folder, &["-s", "You know geo.", "--continue"]).exits(0);
    assert_eq!(service.systems(), []);
}

#[test]
fn the_same_question_under_two_system_prompts_is_two_questions() {
    let folder = Folder::with("question,topic\nWhy?,geo\nWhy?,bio\n");
    let service = Recorder::start();
    service.run(&folder, &["-s", "{{ topic }}"]).exits(0);
    folder.write("q.csv", "question,topic\nWhy?,bio\nWhy?,geo\n");
    service.systems();
    service.run(&folder, &["-s", "{{ topic }}"]).exits(0).says("2 already answered");
    assert_eq!(service.systems(), []);
}

#[test]
fn a_system_prompt_that_was_sent_as_it_stands_is_sent_so_until_it_is_changed() {
    for system in ["Know {{ topic }}.", "Know {{ this }} \\boxed{{}}", "Know {topic}."] {
        let folder = Folder::with(TOPICS);
        let service = Recorder::start();
        // As a version that knew no templates there left it: one answer of three.
        service.run(&folder, &["-s", "PLAIN", "-n", "1"]).exits(0);
        service.systems();
        let settings = sent_as_it_stands(system);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let key = key(settings.request_hasher().fingerprint("Why?"), 0, 0, 0);
        folder.sql(&format!("UPDATE keys_by_row SET key = x'{}'", hex(&key.0)));
        let (text, hash) = (settings.canonical_json().replace('\'', "''"), hex(&settings.hash()));
        folder.sql(&format!("UPDATE settings SET text = '{text}', hash = x'{hash}' WHERE id <> 0"));

        service.run(&folder, &["-s", system]).exits(0).says("is sent as it stands");
        let as_it_stands = Some(system.to_owned());
        assert_eq!(service.systems(), [as_it_stands.clone(), as_it_stands], "{system}");
        service.run(&folder, &["-s", system]).exits(0).says("3 already answered");
        folder.dset(&["verify"]).exits(0);

        service.run(&folder, &["-s", "Now {{ topic }}."]).exits(2).says("other settings");
        folder.write("q.csv", format!("{TOPICS}Who?,art,D\n"));
        service.run(&folder, &["-s", "Now {{ topic }}.", "--continue"]).exits(0);
        assert_eq!(service.systems(), [Some("Now art.".to_owned())]);
    }
}

/// The settings of a version that knew no templates there.
fn sent_as_it_stands(system: &str) -> RequestSettings {
    let (model, template) = ("m".into(), "{{ question }}".into());
    RequestSettings { model, template, system: Some(system.into()), ..RequestSettings::default() }
}

#[test]
fn doctor_and_config_see_what_a_run_would_refuse() {
    let folder = Folder::with(TOPICS);
    folder.write("dset.toml", "template = \"{question}\"\nkey = \"none\"\n");
    let offline = folder.dset(&["doctor", "--offline"]);
    offline.exits(1).tells("would be sent as it stands");
    for template in ["{question}", "Tell me a joke", "{{ question", ""] {
        folder.dset(&["config", "set", "template", template]).exits(2);
    }
    folder.dset(&["config", "set", "template", "{{ question }} in {{ topic }}"]).exits(0);
    folder.dset(&["doctor", "--offline"]).exits(0);
}
