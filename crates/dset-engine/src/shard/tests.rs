//! Invariant 15: a shard has the keys, rows and ids that its rows have in a run of the whole input.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use dset_core::item::error_marks::MarksColumn;
use dset_core::item::question::{Key, QuestionIndex};
use dset_core::run::Planned;
use dset_core::settings::{JobSpec, Layer, OnBadRow, Sample, resolve};
use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::run::run_plan::{RunPlan, ScannedInput};
use crate::source::items::Items;
use crate::source::{SourceError, bad_row::BadRows};

/// What is known of a row before it is asked.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    number: u64,
    key: Key,
    question: [u8; 16],
    id: Option<String>,
    is_left_out: bool,
    user: String,
}

fn seen(spec: &JobSpec) -> (Vec<Seen>, BadRows) {
    let mut spec = spec.clone();
    let mut input = ScannedInput::to_ask(&mut spec, MarksColumn::Unknown).unwrap();
    let plan = RunPlan::without_store(&input).plan;
    input.source.rewind().unwrap();
    let mut items = Items::new(&mut *input.source, &input.prompts, &input.requests);
    let (mut rows, mut row) = (Vec::new(), 0_u32);
    while let Some(prepared) = items.next().unwrap() {
        let Some(rendered) = &prepared.rendered else { continue };
        let at: QuestionIndex = row;
        rows.push(Seen {
            number: prepared.item.place.number(),
            key: plan.key(at, prepared.fingerprints[0]),
            question: plan.id(row, prepared.item.text_hash()).hash(),
            id: prepared.item.id.map(str::to_owned),
            is_left_out: plan.states[at as usize] == Planned::LeftOut,
            user: rendered.user.clone().into_owned(),
        });
        row += 1;
    }
    (rows, input.scanned.bad_rows)
}

fn spec(layer: Layer) -> JobSpec {
    let layer = Layer { on_bad_row: Some(OnBadRow::Skip), ..layer };
    resolve(layer, None).unwrap().spec
}

/// Splits and checks that the shards are the whole.
fn check(spec: &JobSpec, folder: &Path, shards: u32) {
    let (whole, bad) = seen(spec);
    let shards = shards.min(whole.len() as u32);
    if shards == 0 {
        return;
    }
    let job_folder = folder.join(format!("job-{shards}"));
    let SplitInput { job, bad_rows } =
        split(spec.clone(), shards, &job_folder, Map::new()).unwrap();
    assert_eq!(bad_rows, bad);
    assert_eq!(JobFile::read(&job_folder).unwrap(), job);
    let (mut all, mut bad_all) = (Vec::new(), 0);
    for number in 0..shards {
        let part = job.part(&job_folder, number, spec.clone()).unwrap();
        let (rows, bad) = seen(&part);
        let spread = rows.len().abs_diff(whole.len() / shards as usize);
        assert!(spread <= 1, "{} of {}", rows.len(), whole.len());
        let shard = job.shard(number).unwrap();
        let ends = (rows[0].number, rows[rows.len() - 1].number);
        assert_eq!(shard.rows, ends);
        all.extend(rows);
        bad_all += bad.count;
    }
    assert_eq!(all, whole);
    assert_eq!(bad_all, bad.count);
}

/// A row: its question, blank at times, and a further field.
type Row = (String, u8);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let text = prop_oneof![
        4 => "[abc]",
        2 => "[ab]{1,2} ?",
        1 => Just(String::new()),
        1 => Just("  ".to_owned()),
        1 => Just("two\nlines, \"quoted\"".to_owned()),
        1 => "[a-z]{40}",
    ];
    prop::collection::vec((text, 0..3_u8), 1..60)
}

fn table(rows: &[Row], sign: char, end: &str) -> String {
    let mut text = format!("question{sign}level{sign}uuid{end}");
    for (at, (question, level)) in rows.iter().enumerate() {
        if level == &2 && question == "a" {
            text += end;
        }
        let question = question.replace('"', "\"\"");
        text += &format!("\"{question}\"{sign}{level}{sign}u{at}{end}");
    }
    text
}

fn object(at: usize, (question, level): &Row) -> String {
    json!({"question": question, "level": level, "uuid": format!("u{at}")}).to_string()
}

fn lines(rows: &[Row]) -> String {
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        // Blank lines, and rows that cannot be asked.
        text += match (row.1, &*row.0) {
            (2, "b") => "\n",
            (1, "c") => "{\"other\": 1}\n",
            (2, "c") => "not json\n",
            _ => "",
        };
        text += &object(at, row);
        text += "\n";
    }
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// The rows in every form.
fn forms(rows: &[Row], folder: &Path) -> Vec<PathBuf> {
    let all: Vec<String> = rows.iter().enumerate().map(|(at, row)| object(at, row)).collect();
    let texts: Vec<String> = rows.iter().map(|row| row.0.replace('\n', " ")).collect();
    let csv = table(rows, ',', "\n");
    let half = rows.len() / 2;
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("q.csv", csv.clone().into_bytes()),
        ("bom.csv", format!("\u{feff}{}", table(rows, ',', "\r\n")).into_bytes()),
        ("cr.csv", table(rows, ',', "\r").into_bytes()),
        ("q.tsv", table(rows, '\t', "\n").into_bytes()),
        ("q.csv.gz", gzip(csv.as_bytes())),
        ("q.jsonl", lines(rows).into_bytes()),
        ("q.jsonl.zst", zstd::encode_all(lines(rows).as_bytes(), 1).unwrap()),
        ("q.json", format!("[{}]", all.join(",\n")).into_bytes()),
        ("object.json", format!("{{\"data\": [{}]}}", all.join(",\n")).into_bytes()),
        ("q.txt", texts.join("\n").into_bytes()),
        ("several/a.jsonl", lines(&rows[..half.max(1)]).into_bytes()),
        ("several/b.jsonl", lines(&rows[half..]).into_bytes()),
    ];
    let mut paths = Vec::new();
    for (name, bytes) in files {
        let path = folder.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, bytes).unwrap();
        match path.parent().unwrap().ends_with("several") {
            true if name.ends_with("a.jsonl") => {}
            true => paths.push(folder.join("several")),
            false => paths.push(path),
        }
    }
    #[cfg(feature = "parquet")]
    paths.push(parquet(rows, folder));
    paths
}

#[cfg(feature = "parquet")]
fn parquet(rows: &[Row], folder: &Path) -> PathBuf {
    use dset_core::layout::{Cell, Column, Kind};
    let path = folder.join("q.parquet");
    let file = fs_err::File::create(&path).unwrap();
    let columns = [Column::new("question", Kind::Text), Column::new("level", Kind::Text)];
    let mut options = dset_parquet::WriterOptions::default();
    options.group_rows = 7;
    let mut writer = dset_parquet::Writer::new(file, &columns, options).unwrap();
    for (question, level) in rows {
        let level = level.to_string();
        writer.push(&[Cell::Text(question.into()), Cell::Text(level.into())]).unwrap();
    }
    writer.finish().unwrap();
    path
}

/// Whether an input of this form has anything to ask, and can be read under these settings.
fn is_usable(spec: &JobSpec) -> bool {
    match ScannedInput::to_ask(&mut spec.clone(), MarksColumn::Unknown) {
        Ok(input) => !input.scanned.planner.is_empty(),
        Err(error) => {
            let words = error.to_string();
            assert!(words.contains("empty") || words.contains("holds questions"), "{words}");
            false
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn shards_have_the_keys_rows_and_ids_of_the_whole_in_every_form(
        rows in rows(),
        shards in 1..9_u32,
        way in 0..5_u8,
    ) {
        let folder = tempfile::tempdir().unwrap();
        for path in forms(&rows, folder.path()) {
            let is_text = path.extension().is_some_and(|kind| kind == "txt");
            let layer = Layer { input: Some(path.clone()), ..Layer::default() };
            let layer = match way {
                // Rows that differ in their texts are alike, and the other way round.
                1 if !is_text => Layer { template: Some("Level {{ level }}".into()), ..layer },
                2 if !is_text => Layer {
                    template: Some("{{ question }}: {{ level }}".into()),
                    system: Some("You are at level {{ level }}.".into()),
                    r#where: Some("level|int != 1".into()),
                    ..layer
                },
                3 => Layer { sample: Some(Sample::Rows(5)), offset: Some(2), ..layer },
                4 => Layer { sample: Some(Sample::Millionths(300_000)), ..layer },
                _ => layer,
            };
            let spec = spec(layer);
            if is_usable(&spec) {
                let own = folder.path().join(format!("jobs-{}", path.file_name().unwrap().display()));
                check(&spec, &own, shards);
            }
        }
    }
}

/// A table of ten questions, split into three.
fn job() -> (tempfile::TempDir, JobSpec, JobFile, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.csv");
    let rows: Vec<Row> = (0..10).map(|at| (format!("question {at}"), 0)).collect();
    fs_err::write(&path, table(&rows, ',', "\n")).unwrap();
    let spec = spec(Layer { input: Some(path), ..Layer::default() });
    let job_folder = folder.path().join("job");
    let job = split(spec.clone(), 3, &job_folder, Map::new()).unwrap().job;
    (folder, spec, job, job_folder)
}

#[test]
fn an_input_that_changed_is_refused_with_the_first_difference() {
    let (_folder, spec, job, job_folder) = job();
    let path = &spec.input;
    let text = fs_err::read_to_string(path).unwrap();
    let opened = |number: u32| {
        let mut part = job.part(&job_folder, number, spec.clone()).unwrap();
        ScannedInput::to_ask(&mut part, MarksColumn::Unknown)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(opened(1), Ok(()));
    fs_err::write(path, text.replace("question 4", "Question 4")).unwrap();
    let error = opened(1).unwrap_err();
    assert!(error.contains("q.csv` differs first within lines 1 to 11"), "{error}");
    fs_err::write(path, format!("{text}question 10,0,u10\n")).unwrap();
    for number in 0..3 {
        let error = opened(number).unwrap_err();
        assert!(error.contains("goes on behind its") && error.contains("line 12"), "{error}");
    }
    fs_err::write(path, &text).unwrap();
    assert_eq!(opened(2), Ok(()));
}

#[test]
fn a_job_is_split_once_and_the_same_way_again() {
    let (_folder, spec, job, job_folder) = job();
    let again = |shards: u32| split(spec.clone(), shards, &job_folder, Map::new());
    assert_eq!(again(3).unwrap().job, job);
    // By whatever version of dset.
    let path = job_folder.join("job.json");
    let text = fs_err::read_to_string(&path).unwrap();
    let earlier = text.replace(concat!("dset ", env!("CARGO_PKG_VERSION")), "dset 0.0.1");
    assert_ne!(text, earlier);
    fs_err::write(&path, &earlier).unwrap();
    again(3).unwrap();
    assert_eq!(fs_err::read_to_string(&path).unwrap(), earlier);
    fs_err::write(&path, text).unwrap();
    let is_other = |error: crate::error::JobError| {
        matches!(
            error,
            crate::error::JobError::Source(SourceError::Job(JobFileError::Exists { .. }))
        )
    };
    assert!(is_other(again(4).unwrap_err()));
    let many = split(spec.clone(), 11, &job_folder.join("many"), Map::new()).unwrap_err();
    assert!(many.to_string().contains("10 questions cannot be split into 11"), "{many}");
    assert!(matches!(job.shard(3), Err(JobFileError::NoSuchShard { number: 3, shards: 3 })));
    // Moved together, they find each other.
    assert_eq!(job.input_path(&job_folder).file_name(), spec.input.file_name());
    let text = fs_err::read_to_string(job_folder.join("job.json")).unwrap();
    assert!(text.contains(r#""path": "../q.csv""#), "{text}");
    for broken in [text.replace("\"items\": 3", "\"items\": \"3\""), text[..100].to_owned()] {
        fs_err::write(job_folder.join("job.json"), broken).unwrap();
        assert!(matches!(JobFile::read(&job_folder), Err(JobFileError::Unreadable { .. })));
    }
    fs_err::write(job_folder.join("job.json"), text.replace("\"version\": 1", "\"version\": 2"))
        .unwrap();
    assert!(matches!(JobFile::read(&job_folder), Err(JobFileError::Newer { .. })));
}

#[test]
fn settings_that_would_make_other_shards_are_refused_by_name() {
    let (_folder, spec, job, _) = job();
    assert!(job.check_settings(&spec).is_ok());
    let refused = |change: &dyn Fn(&mut JobSpec)| {
        let mut spec = spec.clone();
        change(&mut spec);
        match job.check_settings(&spec) {
            Err(JobFileError::OtherSetting { setting }) => setting,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&|spec| spec.models[0].request.template = "x".into()), "template");
    assert_eq!(refused(&|spec| spec.column = Some("level".into())), "column");
    assert_eq!(refused(&|spec| spec.reading.choice.offset = 1), "offset");
    assert_eq!(refused(&|spec| spec.models[0].request.max_tokens = Some(5)), "max-tokens");
    assert_eq!(refused(&|spec| spec.models[0].request.model = "other".into()), "model");
    assert_eq!(refused(&|spec| spec.samples = 2), "samples");
    assert_eq!(refused(&|spec| spec.checks.tries = 9), "check");
    // Where it is asked is the run's own.
    let mut other = spec.clone();
    other.models[0].base_urls = vec!["http://localhost:1/".parse().unwrap()];
    assert!(job.check_settings(&other).is_ok());
}
