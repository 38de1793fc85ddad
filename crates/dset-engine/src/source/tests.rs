//! A form of input that is added as one value in a list is chosen, planned and read like the others.

use std::cell::RefCell;
use std::sync::mpsc;

use dset_core::item::Status;
use dset_core::item::content::{Content, Role, Turn};
use dset_core::item::error_marks::InputMarks;
use dset_core::item::fields::Fields;
use dset_core::item::question::Question;
use dset_core::key::RequestSettings;
use dset_core::plan::StoreFacts;
use dset_core::run::Event;
use dset_core::settings::OnBadRow;
use dset_core::template::{DEFAULT_TEMPLATE, Prompts};
use serde_json::{Map, Value};

use super::*;
use crate::run::feeder::QuestionFeeder;
use crate::run::plan_input::{for_each_planned, plan_input};

/// A form of the user's own: a text a line, and a chat where a line begins with a bar.
const LIST: SourceKind = SourceKind {
    name: "list",
    endings: &["list"],
    sniff: |head| if head.starts_with(b"%list") { Likelihood::Likely } else { Likelihood::No },
    open: |path, _| {
        let text = fs_err::read_to_string(path).unwrap();
        let entries = text.lines().filter(|line| !line.starts_with('%')).map(Entry::new).collect();
        Ok(Box::new(List { shape: Shape::of_texts(), entries, next: 0 }))
    },
};

#[derive(Debug)]
struct List {
    shape: Shape,
    entries: Vec<Entry>,
    next: usize,
}

#[derive(Debug)]
struct Entry {
    text: String,
    fields: Map<String, Value>,
    turns: Option<Arc<[Turn]>>,
}

impl Entry {
    fn new(line: &str) -> Entry {
        let text = line.trim_start_matches('|').to_owned();
        let turn = |role, text: &str| Turn { role, text: text.into() };
        let turns = line.starts_with('|').then(|| {
            Arc::from([
                turn(Role::User, "Hello"),
                turn(Role::Assistant, "Yes?"),
                turn(Role::User, &text),
            ])
        });
        let fields = Map::from_iter([("question".to_owned(), text.clone().into())]);
        Entry { text, fields, turns }
    }
}

impl Source for List {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        self.next = 0;
        Ok(())
    }

    fn advance(&mut self) -> Result<bool, SourceError> {
        self.next += 1;
        Ok(self.next <= self.entries.len())
    }

    fn current(&self) -> Item<'_> {
        let entry = &self.entries[self.next - 1];
        Item {
            place: self.position(),
            text: &entry.text,
            turns: entry.turns.as_ref(),
            system: None,
            params: None,
            fields: Fields::Object(&entry.fields),
            bytes: &[],
            id: None,
            status: Status::Empty,
        }
    }

    fn take_ids_from(&mut self, _: &str) {}

    fn skip_bad_row(&mut self, _: RowProblem) -> Result<(), SourceError> {
        Ok(())
    }

    fn position(&self) -> Place {
        Place::Element(self.next as u64)
    }
}

fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, text).unwrap();
    (folder, path)
}

fn kinds() -> Vec<SourceKind> {
    SOURCES.iter().copied().chain([LIST]).collect()
}

#[test]
fn a_form_is_chosen_by_name_then_by_the_first_bytes_and_is_csv_otherwise() {
    for (name, text, kind) in [
        ("q.LIST", "a\n", "list"),
        ("q.csv", "%list\na\n", "csv"),
        ("q", "%list\na\n", "list"),
        ("q", "question\na\n", "csv"),
        // As `jq` writes objects, arrays, texts.
        ("q", "{\n  \"question\": \"a\"\n}\n{\n  \"question\": \"b\"\n}\n", "json"),
        ("q", "{\"question\": \"a\",\n \"id\": 1}\n", "json"),
        ("q", "[\n  \"a\",\n  \"b\"\n]\n", "json"),
        ("q", "[\n  [\n    {\n      \"role\": \"user\"", "json"),
        ("q", "[\"a\",\"b\"]\n", "json"),
        ("q", "[]\n", "json"),
        ("q", "\u{feff}{ \"question\": \"a\", \"x\": NaN }\n", "jsonl"),
        ("q", "\"a\"\n\"b\\nc\"\n", "jsonl"),
        // And what looks like it.
        ("q", "\"a\"\n\"b, c\"\n", "csv"),
        ("q", "\"question\"\n\"a\\nb\"\n", "csv"),
        ("q", "\"a\\nb\"\n\"\\alpha\"\n", "csv"),
        ("q", "\"a\",\"b\\nc\"\n", "csv"),
        ("q", "[1] Why?\n", "csv"),
        ("q", "[\"a\"] Why?\n", "csv"),
        ("q", "{x} Why?\n", "csv"),
    ] {
        let (_folder, path) = written(name, text);
        assert_eq!(choose(&kinds(), &path, &SourceOptions::default()).name, kind, "{name} {text}");
    }
    let missing = open_among(&kinds(), Path::new("no/such/file"), &SourceOptions::default());
    assert!(matches!(missing, Err(SourceError::Missing { .. })));
}

/// Plans an input and reads what is to be asked of it.
fn asked(source: Box<dyn Source>, template: &str) -> Vec<Question> {
    let mut source = source;
    let request = RequestSettings { template: template.into(), ..RequestSettings::default() };
    let prompts = Prompts::new(&request, source.shape()).unwrap();
    let requests = [request];
    let planned = plan_input(&mut *source, &prompts, &requests, 1, &Reading::default()).unwrap();
    let plan = Arc::new(planned.planner.plan(0, [], &StoreFacts::default()));
    let mut seen = 0;
    for_each_planned(&mut *source, &prompts, &requests[0], &plan, |_| seen += 1).unwrap();
    source.rewind().unwrap();
    let hashers = requests.iter().map(RequestSettings::request_hasher).collect();
    let caches = Vec::new();
    let feeder = QuestionFeeder { source, prompts, hashers, plan, earlier: None, caches, next: 0 };
    let (want, wanted) = mpsc::channel();
    want.send(100).unwrap();
    let questions = RefCell::new(Vec::new());
    let fed = feeder.run(&wanted, |event| {
        if let Event::Questions(read) = event {
            questions.borrow_mut().extend(read);
        }
    });
    fed.unwrap();
    assert_eq!(questions.borrow().len(), seen);
    questions.into_inner()
}

#[test]
fn a_form_that_is_one_value_in_a_list_is_planned_and_read_and_its_texts_have_the_keys_of_csv() {
    let (_list, list) = written("q.list", "a\n\nb c\n|b c\n");
    let (_csv, csv) = written("q.csv", "question\na\n\nb c\n");
    let open = |path: &Path| open_among(&kinds(), path, &SourceOptions::default()).unwrap();
    let template = "Say {{ question }}";
    assert_eq!(open(&list).marker().map(|_| ()), None);
    for template in [DEFAULT_TEMPLATE, template] {
        let (from_list, from_csv) = (asked(open(&list), template), asked(open(&csv), template));
        assert_eq!(from_list.iter().map(|q| q.row_number).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(from_csv.iter().map(|q| q.row_number).collect::<Vec<_>>(), [2, 4]);
        for (one, other) in from_list.iter().zip(&from_csv) {
            assert_eq!((one.key, one.id, &one.content), (other.key, other.id, &other.content));
        }
        let chat = &from_list[2];
        assert!(matches!(&chat.content, Content::Chat(turns) if turns.len() == 3));
        assert_ne!(chat.key, from_list[1].key, "a chat that ends with the same words");
    }
}

#[test]
fn a_mark_goes_to_the_row_that_was_asked_whatever_rows_before_it_were_not() {
    let rows = "a,one,many\na,two,1\n,,1\n,three,1\na,four,3\n";
    let (_folder, path) = written("q.csv", &format!("question,topic,level\n{rows}"));
    let reading = Reading { on_bad_row: OnBadRow::Skip, ..Reading::default() };
    let options = SourceOptions { has_template: true, reading, ..SourceOptions::default() };
    let source = open(&path, &options).unwrap();
    let marker = source.marker().unwrap();
    let questions = asked(source, "{{ topic }}{% if level > 2 %}!{% endif %}");
    assert_eq!(questions.iter().map(|q| q.row_number).collect::<Vec<_>>(), [3, 5, 6]);
    let set = questions.iter().map(|question| question.id).collect();
    marker.write(&InputMarks { set, ..InputMarks::default() }, None).unwrap();
    let marked = "question,topic,level,status\na,one,many\na,two,1,ERROR\n,,1\n,three,1,ERROR\na,four,3,ERROR\n";
    assert_eq!(fs_err::read_to_string(&path).unwrap(), marked);
}
