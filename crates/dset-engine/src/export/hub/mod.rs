//! What stands beside the rows in a folder for the Hub: the card that loaders and people read, and
//! how the rows were made.

mod card;

use std::collections::BTreeMap;
use std::io::ErrorKind;

use dset_core::key::RequestSettings;
use dset_core::layout::Kind;
use dset_core::settings::JobSpec;
use fs_err as fs;
use serde_json::{Value, json};

use self::card::{Card, write_card};
use super::error::ExportError;
use super::prepare::Prepared;
use super::target::Target;
use super::{ExportRequest, ExportedFile, Order, Samples, left_out};

/// The card. `datasets` and the Hub look for it under this name.
pub(super) const CARD: &str = "README.md";
/// How the rows were made. By it dset knows a folder of its own.
pub(super) const MANIFEST: &str = "dset.json";
/// Its form.
const VERSION: u32 = 1;

/// Returns the files with rows that a manifest tells of; `None` where it is none of ours.
pub(super) fn files_of(manifest: &str) -> Option<Vec<String>> {
    let manifest: Value = serde_json::from_str(manifest).ok()?;
    manifest.get("dset")?;
    let files = manifest.get("files")?.as_array()?;
    files.iter().map(|file| file.get("path")?.as_str().map(str::to_owned)).collect()
}

/// Writes the card and the manifest. Neither holds a time, so that the same rows give the same bytes.
pub(super) fn describe(
    settings: &JobSpec,
    request: &ExportRequest<'_>,
    prepared: &Prepared,
    target: &Target<'_>,
    files: &[ExportedFile],
) -> Result<[String; 2], ExportError> {
    let mut splits: Vec<(&str, u64)> = Vec::new();
    for file in files {
        let name = file.split.as_deref().unwrap_or_default();
        match splits.iter_mut().find(|(own, _)| *own == name) {
            Some((_, rows)) => *rows += file.rows,
            None => splits.push((name, file.rows)),
        }
    }
    let (kind, _) = target.kind();
    let mut models: Vec<&str> = Vec::new();
    for request in requests(prepared) {
        if !models.contains(&&*request.model) {
            models.push(&request.model);
        }
    }
    let card = Card {
        title: target.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
        columns: &prepared.columns,
        splits: &splits,
        ending: kind.ending,
        has_moments: kind.has_moments,
        layout: prepared.selection.layout.name(),
        models: &models,
        rows: files.iter().map(|file| file.rows).sum(),
    };
    let text = write_card(&card, &earlier_card(target)?);
    Ok([text, manifest(settings, request, prepared, &splits, files)])
}

/// Returns the settings of the last run, and others that bought answers which count for it.
fn requests(prepared: &Prepared) -> impl Iterator<Item = &RequestSettings> {
    prepared.index.requests.iter().chain(prepared.selection.sent.other_requests())
}

/// Returns the card that is there, empty where none is. Fails where it cannot be read: the user's words in it
/// would be lost.
pub(super) fn earlier_card(target: &Target<'_>) -> Result<String, ExportError> {
    let path = target.path().join(CARD);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(ExportError::io(&path)(error)),
        read => Ok(read.unwrap_or_default()),
    }
}

fn manifest(
    settings: &JobSpec,
    request: &ExportRequest<'_>,
    prepared: &Prepared,
    splits: &[(&str, u64)],
    files: &[ExportedFile],
) -> String {
    let selection = &prepared.selection;
    let left_out = left_out(prepared);
    let column = |column: &dset_core::layout::Column| json!({ "name": column.name, "kind": kind_name(column.kind) });
    let file = |file: &ExportedFile| {
        // As on every system, and as the card has it.
        let path = file.path.to_string_lossy().replace('\\', "/");
        json!({ "path": path, "rows": file.rows, "bytes": file.bytes })
    };
    let input = settings.input.file_name().unwrap_or_default().to_string_lossy();
    let manifest = json!({
        "dset": env!("CARGO_PKG_VERSION"),
        "manifest": VERSION,
        "input": input,
        "questions": prepared.index.plan.rows(),
        "requests": requests(prepared).collect::<Vec<_>>(),
        "layout": selection.layout.name(),
        "reasoning": selection.options.reasoning.name(),
        "where": request.filter,
        "rank": request.rank,
        "samples": match request.samples {
            Samples::All => "all",
            Samples::First => "first",
            Samples::Best => "best",
        },
        "order": match request.order {
            Order::Input => "input".to_owned(),
            Order::Answered => "answered".to_owned(),
            Order::Shuffle(seed) => format!("shuffle {seed}"),
        },
        "columns": prepared.columns.iter().map(column).collect::<Vec<_>>(),
        "splits": splits.iter().copied().collect::<BTreeMap<_, _>>(),
        "left_out": {
            "unanswered": left_out.unanswered,
            "filtered": left_out.filtered,
            "duplicates": left_out.duplicates,
            "other_samples": left_out.other_samples,
            "chats": left_out.chats,
            "one_answer": left_out.one_answer,
            "ties": left_out.ties,
            "gone": left_out.gone,
            "unwanted": left_out.unwanted,
            "bad_rows": left_out.bad_rows,
        },
        "files": files.iter().map(file).collect::<Vec<_>>(),
    });
    format!("{manifest:#}\n")
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Integer => "integer",
        Kind::Float => "float",
        Kind::Truth => "truth",
        Kind::Time => "time",
        Kind::Texts => "texts",
        Kind::Objects(_) => "objects",
        Kind::Json | Kind::Row => "json",
    }
}
