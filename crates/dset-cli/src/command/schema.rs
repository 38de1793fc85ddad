//! `dset schema`: what a service would be sent of a JSON Schema, and whether an answer fits it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dset_core::provider::reply::REPLY_BYTES_MAX;
use dset_core::schema::dialect::{Conveyed, Method, Restore, SENTENCE_VERSION};
use dset_core::schema::{Reason, Schema};
use dset_core::settings::{Layer, Model, resolve_with_providers};
use dset_core::structured::{ParsedFrom, read};
use serde_json::{Value, json};

use crate::display::page::{self, BAD, GOOD, Page};
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::Environment;
use crate::schema_file;

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    #[command(subcommand)]
    pub(crate) command: SchemaCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// What a model would be sent of a schema, and whether an answer fits; asks nothing
    Try(TryArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "The file is a JSON Schema (draft 2020-12; 2019-09 and 7 where `$schema` says so), in JSON, or in \
YAML where its name ends so. Services take different parts of JSON Schema: what is left out is listed, and is checked \
here all the same. Nobody is asked.

Exit codes: 0 told, and the answer fits; 1 it does not; 2 usage, or the file is no schema.

Examples:
  dset schema try answer.json                         for the model of the settings
  dset schema try answer.yaml -m openai/gpt-6-luna    for another
  dset schema try answer.json --answer - < reply.txt  and whether this answer fits"
)]
pub(crate) struct TryArgs {
    /// A file with a JSON Schema
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Model that would be asked [default: that of the settings]
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,

    /// File with an answer that is held against the schema; `-` is stdin
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,

    /// Write one JSON object to stdout
    #[arg(long)]
    json: bool,
}

/// What an answer is, held against a schema.
struct Judged {
    from: Option<ParsedFrom>,
    /// As it was written, without what the reduction brought into it.
    parsed: Option<String>,
    reasons: Vec<Reason>,
}

pub(super) fn run(command: &SchemaCommand) -> Result<Exit, UserError> {
    let SchemaCommand::Try(args) = command;
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    let model = args.model.clone().map(|model| vec![model]);
    let said = environment.under(Layer { model, ..Layer::default() })?;
    let terminal = said.terminal.resolve();
    let spec = resolve_with_providers(said.layer, None, &environment.providers)?.spec;
    let model = spec.model();
    let schema = schema_file::read(&args.file)?;
    let conveyed = model.preset.convey(&schema, &model.request.model);
    let answer = args.answer.as_deref().map(read_answer).transpose()?;
    let judged = answer.map(|answer| judge(&schema, &answer, conveyed.restore));
    match args.json || terminal.json {
        true => page::json(object(model, &conveyed, judged.as_ref())),
        false => show(&Page::open(), args, model, &conveyed, judged.as_ref()),
    }
    match judged {
        Some(judged) if !judged.reasons.is_empty() => Ok(Exit::Ours),
        _ => Ok(Exit::Done),
    }
}

fn read_answer(path: &Path) -> Result<String, UserError> {
    schema_file::text_of(path, || {
        let (mut bytes, most) = (Vec::new(), REPLY_BYTES_MAX as u64 + 1);
        match path == Path::new("-") {
            true => std::io::stdin().lock().take(most).read_to_end(&mut bytes)?,
            false => fs_err::File::open(path)?.take(most).read_to_end(&mut bytes)?,
        };
        Ok(bytes)
    })
}

fn judge(schema: &Schema, answer: &str, restore: Restore) -> Judged {
    let whole = |sentence: String| vec![Reason { place: String::new(), sentence }];
    match read(answer) {
        Err(why) => Judged { from: None, parsed: None, reasons: whole(why.to_string()) },
        Ok(parsed) => {
            let value = restore.apply(schema, parsed.value);
            let reasons = schema.reasons(&value);
            Judged { from: Some(parsed.from), parsed: Some(value.to_string()), reasons }
        }
    }
}

fn method_name(method: Method) -> &'static str {
    match method {
        Method::Strict => "strict",
        Method::Schema => "schema",
        Method::Json => "json",
        Method::Prompt => "prompt",
    }
}

fn object(model: &Model, conveyed: &Conveyed, judged: Option<&Judged>) -> Value {
    let left_out = conveyed.changes.iter().filter(|change| change.becomes.is_none());
    let rewritten = conveyed.changes.iter().filter_map(|change| {
        change.becomes.map(|becomes| json!({ "place": change.place, "becomes": becomes }))
    });
    json!({
        "provider": model.preset.id,
        "model": model.request.model,
        "method": method_name(conveyed.method),
        "fields": conveyed.fields,
        "sentence": conveyed.sentence,
        "sentence_version": conveyed.sentence.as_ref().map(|_| SENTENCE_VERSION),
        "may_stream": conveyed.may_stream,
        "left_out": left_out.map(|change| &change.place).collect::<Vec<_>>(),
        "rewritten": rewritten.collect::<Vec<_>>(),
        "obstacle": conveyed.obstacle.as_ref().map(|obstacle| {
            json!({ "place": obstacle.place, "why": obstacle.why })
        }),
        "nullable": conveyed.restore.nullable,
        "wrapped": conveyed.restore.wrapped,
        "answer": judged.map(|judged| json!({
            "fits": judged.reasons.is_empty(),
            "parsed_from": judged.from,
            "parsed": judged.parsed,
            "reasons": judged.reasons,
        })),
    })
}

fn show(page: &Page, args: &TryArgs, model: &Model, conveyed: &Conveyed, judged: Option<&Judged>) {
    let name = format!("{}/{}", model.preset.id, model.request.model);
    page.plain(&format!("{} {} {name}", args.file.display(), page.arrow));
    page.blank();
    page.pair(
        "asked",
        match conveyed.method {
            Method::Strict => {
                "for answers that fit what is sent; the service holds the model to it"
            }
            Method::Schema => "for answers that fit what is sent, as far as the service does that",
            Method::Json => "for JSON; the schema stands in the prompt",
            Method::Prompt => "in the prompt alone",
        },
    );
    if let Some(obstacle) = &conveyed.obstacle {
        page.pair("because", &format!("{}: {}", place(&obstacle.place), obstacle.why));
    }
    if !conveyed.may_stream {
        page.pair("stream", "no: the service streams no such answers");
    }
    if conveyed.restore.wrapped {
        page.pair("inside", "an object, as its one member `value`: services ask for objects");
    }
    if conveyed.restore.nullable {
        page.pair("null", "counts as absent at properties that may be absent and not null");
    }
    for (name, becomes) in [("left out", None), ("sent as", Some(()))] {
        let changes = conveyed.changes.iter().filter(|own| own.becomes.map(|_| ()) == becomes);
        for (at, change) in changes.enumerate() {
            let name = if at == 0 { name } else { "" };
            let becomes = change.becomes.map(|becomes| format!(" {} {becomes}", page.arrow));
            page.pair(name, &format!("{}{}", change.place, becomes.unwrap_or_default()));
        }
    }
    if !conveyed.fields.is_empty() {
        page.blank();
        let body = serde_json::to_string_pretty(&conveyed.fields).unwrap_or_default();
        page.text(&body, 0);
    }
    if let Some(sentence) = &conveyed.sentence {
        page.blank();
        page.text(sentence, 0);
    }
    if let Some(judged) = judged {
        page.blank();
        show_answer(page, judged);
    }
}

fn show_answer(page: &Page, judged: &Judged) {
    let from = match judged.from {
        Some(ParsedFrom::Fence) => ", read from a fenced block",
        Some(ParsedFrom::Text) => ", read from among words",
        Some(ParsedFrom::Whole) | None => "",
    };
    match judged.reasons.is_empty() {
        true => page.line(GOOD, page.tick, &format!(" the answer fits{from}"), 2),
        false => page.line(BAD, page.cross, &format!(" the answer does not fit{from}"), 2),
    }
    for reason in &judged.reasons {
        page.pair(&place(&reason.place), &reason.sentence);
    }
}

fn place(pointer: &str) -> String {
    match pointer {
        "" => "whole".to_owned(),
        pointer => pointer.to_owned(),
    }
}
