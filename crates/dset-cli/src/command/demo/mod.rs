//! `dset demo`: the whole of it in ten seconds, without a key or a network.

use std::path::Path;

use dset_core::settings::{Concurrency, Layer, Resolved, Switch, resolve};
use dset_engine::run::prepare::Decisions;
use dset_engine::store::Store;
use dset_mock::{Answers, Mock, MockSettings};

use crate::display::Demo;
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::{Environment, TerminalLayer};

const FOLDER: &str = "dset-demo";
/// Says that the folder is the demo's own.
const MARKER: &str = ".made-by-dset-demo";

/// What the pretend service answers, a line for each of `QUESTIONS`.
const ANSWERS: &str = include_str!("answers.jsonl");

const QUESTIONS: &str = "question,status
Why is the sky blue at noon and red at sunset?,
What is the smallest prime number above 100?,
\"How does a seed know which way is up, and which is down?\",
Explain the difference between speed and velocity.,
Which is heavier: a kilogram of feathers or a kilogram of iron?,
Prove that there are infinitely many primes.,
What makes bread rise?,
Tell me something that the service refuses to say.,
How do bees find their way home?,
\"Translate into French: good night, and thank you\",
Why do we have leap years?,
What is 17 times 23?,
";

pub(super) fn run() -> Result<Exit, UserError> {
    let folder = Path::new(FOLDER);
    let output = folder.join("dset_generator");
    prepare(folder)?;
    let again = Store::exists(&output);
    let mut on = vec![rule("Prove that=delay:2600"), rule("leap years=429*1")];
    // The second time the service has come to its senses.
    if !again {
        on.push(rule("refuses to say=risk"));
    }
    let runtime = super::shared::runtime()?;
    let answers = Answers::parse(ANSWERS.as_bytes()).expect("the demo's own answers are valid");
    let settings = MockSettings {
        latency_ms: 700,
        latency_sigma: 0.4,
        on,
        seed: 11,
        ..MockSettings::default()
    };
    let mock = runtime.block_on(Mock::start_with(settings, answers));
    let mock = mock.map_err(|error| {
        UserError::new(Exit::Ours, "cannot start the pretend service").cause(error.to_string())
    })?;
    let layer = Layer {
        input: Some(folder.join("q.csv")),
        output: Some(output),
        base_url: Some(vec![mock.base_url()]),
        key: Some("none".into()),
        concurrency: Some(Concurrency::AtMost(3)),
        share_pace: Some(Switch::Off),
        ..Layer::default()
    };
    let Resolved { spec, options, .. } = resolve(layer, None)?;
    let terminal = TerminalLayer::default().resolve();
    let settings = super::run::RunSettings { spec, options, terminal };
    let demo = Demo { again };
    let environment = Environment::default();
    let keys = super::run::Keys { keys: &[None], from: None, environment: &environment };
    let extras = super::run::Extras { demo: Some(&demo), ..Default::default() };
    let ending = super::run::ask(settings, Decisions::default(), &keys, None, extras)?.ending;
    drop(mock);
    // A refusal is part of the show.
    Ok(match Exit::of(&ending, true) {
        Exit::Marked => Exit::Done,
        exit => exit,
    })
}

fn rule(text: &str) -> dset_mock::TextFault {
    text.parse().expect("the demo's own rules are valid")
}

fn prepare(folder: &Path) -> Result<(), UserError> {
    if folder.exists() && !folder.join(MARKER).exists() {
        return Err(UserError::new(
            Exit::Usage,
            format!("there is a `{FOLDER}` that the demo did not make"),
        )
        .cause("it is left alone")
        .hint("Run the demo in another folder"));
    }
    let write = || -> std::io::Result<()> {
        fs_err::create_dir_all(folder)?;
        fs_err::write(folder.join(MARKER), "This folder can be deleted.\n")?;
        let questions = folder.join("q.csv");
        if questions.exists() { Ok(()) } else { fs_err::write(questions, QUESTIONS) }
    };
    write().map_err(|error| {
        UserError::new(Exit::Ours, format!("cannot write `{FOLDER}`"))
            .cause(error.to_string())
            .hint("Begin it in a folder that you may write to")
    })
}
