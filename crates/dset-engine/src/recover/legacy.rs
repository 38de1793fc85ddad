//! Takes over outputs that the store knows nothing of: their rows count as answered. The original
//! script left them, or our own store is gone.
//!
//! What is in them and what each lacks is decided in [`dset_core::recover::legacy`]. The files are copied
//! first; then torn rows are cut, what is lacking is appended, and all is recorded in the store.

use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use dset_core::answer::row::Row;
use dset_core::item::question::QuestionId;
use dset_core::recover::legacy::{
    Completion, LegacyAnswers, LegacyOutputs, ids, joint, read_csv, read_json,
    read_legacy_outputs as decide,
};
use fs_err as fs;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_128;

use crate::os::files;
use crate::os::files::EARLIER;
use crate::output::live::{LiveFormat, legacy};
use crate::store::{
    AnswerRef, Checkpoint, Given, NewAnswer, Store, StoreError, StoredCheckpoint,
    Write as ToRecord, tail_of,
};

/// What was taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegacyImport {
    /// Rows that count as answered.
    pub rows: u64,
    /// Torn rows that were cut off.
    pub torn: u64,
    /// Rows that one of the files lacked.
    pub completed: u64,
    /// Rows that could not be read, and stay where they are.
    pub unread: u64,
    /// Some of them are ours: there was a store once.
    pub ours: bool,
    /// Where the files were copied to.
    pub copied_to: String,
}

/// Why nothing was taken over; the files are as they were, or copied.
#[derive(Debug, Error)]
pub enum LegacyImportError {
    /// A file fails.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes over the outputs in a folder whose store has no record yet; `None` where there are none.
/// Where `by_model`, rows of different models answer the same question. All are read; only those in the formats that are wanted are completed, the others stay.
pub(crate) fn import_legacy(
    store: &mut Store,
    folder: &Path,
    wanted: &[LiveFormat],
    by_model: bool,
    stamp: &str,
    now: i64,
) -> Result<Option<LegacyImport>, LegacyImportError> {
    let read = |format: LiveFormat| {
        let path = folder.join(format.file);
        if path.is_file() { fs::read(path) } else { Ok(Vec::new()) }
    };
    let (csv, json, txt) = (read(legacy::CSV)?, read(legacy::JSON)?, read(legacy::TXT)?);
    // A header alone is what a run of ours leaves that died before it asked anything.
    let is_header =
        [false, true].iter().any(|bom| legacy::CSV.with_bom(*bom).header.starts_with(&csv));
    if is_header && json.is_empty() && txt.is_empty() {
        return Ok(None);
    }
    let paths = legacy::ALL.iter().map(|format| (format, folder.join(format.file)));
    for (format, path) in paths.filter(|(_, path)| path.is_file()) {
        let copy = files::path_in_earlier(folder, stamp, format.file)?;
        fs::copy(&path, &copy)?;
        fs::File::open(&copy)?.sync_all()?;
        // What a link leads to may be somebody else's, and is not to be completed.
        if fs::symlink_metadata(&path)?.is_symlink() {
            files::write_whole(&path, &fs::read(&copy)?)?;
        }
    }
    let outputs = LegacyOutputs { csv: &csv, json: &json, txt: &txt };
    let as_found = |format: LiveFormat| format.as_in_file(&folder.join(format.file));
    let (as_csv, as_txt) = (as_found(legacy::CSV)?, as_found(legacy::TXT)?);
    let mut adoption = decide(outputs, as_txt.write);
    if by_model {
        adoption.ids = ids(&adoption.rows, true);
    }

    // What stands there keeps its shape; only a new file has the one of now.
    let shape = match json.is_empty() || adoption.json_has_every_key {
        true => legacy::JSON.shape,
        false => 1,
    };
    let all = [
        (as_csv, &csv, &adoption.csv),
        (legacy::JSON.of_shape(shape), &json, &adoption.json),
        (as_txt, &txt, &adoption.txt),
    ];
    let is_wanted = |format: &LiveFormat| wanted.iter().any(|one| one.name == format.name);
    let all: Vec<_> = all.into_iter().filter(|(format, ..)| is_wanted(format)).collect();
    let mut completed = 0;
    for &(format, found, completion) in &all {
        complete(&folder.join(format.file), format, found, completion, &adoption)?;
        completed += completion.missing_rows.len() as u64;
    }
    let adopted = LegacyImport {
        rows: adoption.rows.len() as u64,
        torn: adoption.torn,
        completed,
        unread: adoption.unread,
        ours: adoption.rows.iter().any(|row| row.metadata.row.is_some()),
        copied_to: format!("{EARLIER}/{stamp}"),
    };
    let formats: Vec<LiveFormat> = all.iter().map(|&(format, ..)| format).collect();
    insert(store, folder, &formats, adoption, by_model, now)?;
    Ok(Some(adopted))
}

/// Cuts a torn end off, and appends the rows that are lacking. A file that is written anew is there as it was
/// until all of it is written: its rows may be nowhere else.
fn complete(
    path: &Path,
    format: LiveFormat,
    found: &[u8],
    completion: &Completion,
    adoption: &LegacyAnswers,
) -> io::Result<()> {
    let whole = &found[..completion.whole_bytes as usize];
    let mut bytes = joint(whole, format.header, format.newline).to_vec();
    completion.missing_rows.iter().for_each(|&at| (format.write)(&adoption.rows[at], &mut bytes));
    if whole.is_empty() && !found.is_empty() {
        files::replace(path, |file| file.write_all(&bytes).map(Some), || Ok::<_, io::Error>(()))?;
        return Ok(());
    }
    let file = fs::OpenOptions::new().create(true).read(true).append(true).open(path)?;
    file.set_len(completion.whole_bytes)?;
    (&file).write_all(&bytes)?;
    file.sync_all()
}

/// Records the rows as answered, and the files as whole, in one transaction.
fn insert(
    store: &mut Store,
    folder: &Path,
    wanted: &[LiveFormat],
    adoption: LegacyAnswers,
    by_model: bool,
    now: i64,
) -> Result<(), LegacyImportError> {
    let mut writes = Vec::new();
    let rows = adoption.rows.len() as u64;
    for (at, (row, id)) in adoption.rows.into_iter().zip(&adoption.ids).enumerate() {
        writes.extend((at == 0).then_some(ToRecord::LegacyImported { at: now }));
        writes.push(ToRecord::Answered(Box::new(imported_answer(row, *id, by_model, 0))));
        writes.push(ToRecord::Placed { generation: 0, answer: AnswerRef::New(at), row: None });
    }
    for format in wanted {
        let bytes = fs::read(folder.join(format.file))?;
        writes.push(ToRecord::Checkpoint(Checkpoint::for_bytes(*format, rows, &bytes)));
    }
    store.commit(&writes)?;
    Ok(())
}

/// One row as answered with settings that nobody knows.
fn imported_answer(row: Row, id: QuestionId, by_model: bool, generation: u32) -> NewAnswer {
    let hash = id.hash();
    // The script knew no generations: its keys are those of generation 0.
    let of_generation =
        if generation == 0 { Vec::new() } else { generation.to_le_bytes().to_vec() };
    let sample = row.metadata.sample.unwrap_or(0);
    let of_sample = if sample == 0 { Vec::new() } else { format!("/{sample}").into_bytes() };
    let of_model = row.metadata.model.as_deref().filter(|_| by_model).unwrap_or_default();
    let parts: [&[u8]; 5] = [b"script/1\n", &hash, &of_generation, &of_sample, of_model.as_bytes()];
    let key = xxh3_128(&parts.concat()).to_be_bytes();
    NewAnswer::taken_over(row, key, hash, generation)
}

/// An output whose rows can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenFrom {
    /// `output.json`.
    Json,
    /// `output.csv`, where there is no `output.json`.
    Csv,
}

impl TakenFrom {
    /// Returns its format.
    #[must_use]
    pub fn format(self) -> LiveFormat {
        match self {
            TakenFrom::Json => legacy::JSON,
            TakenFrom::Csv => legacy::CSV,
        }
    }

    fn read(self, bytes: &[u8]) -> Vec<Row> {
        match self {
            TakenFrom::Json => read_json(bytes).rows,
            TakenFrom::Csv => read_csv(bytes).rows,
        }
    }

    fn is_ours(self, row: &Row) -> bool {
        match self {
            TakenFrom::Json => row.metadata.row.is_some(),
            TakenFrom::Csv => row.answered_at != 0,
        }
    }
}

/// Takes back rows of ours in an output of which the store does not know the answer or the place; returns how
/// many. They were durable before they were written, so the store has lost the end of its log, or is an older
/// copy. `mark` is how far that output is known to be whole. One that was written anew since is not that any more:
/// of all its rows those are taken back whose answers the store does not know.
pub(crate) fn recover_from_output(
    store: &mut Store,
    folder: &Path,
    (output, mark): (TakenFrom, &StoredCheckpoint),
    by_model: bool,
    generation: u32,
    now: i64,
) -> Result<u64, LegacyImportError> {
    let path = folder.join(output.format().file);
    // The usual case: nothing stands behind the mark.
    if !path.is_file() || fs::metadata(&path)?.len() <= mark.bytes {
        return Ok(0);
    }
    let mut file = fs::File::open(&path)?;
    let mut behind = Vec::new();
    if output == TakenFrom::Csv && mark.bytes > 0 {
        // What the columns are.
        let mut header = BufReader::new(&mut file);
        header.read_until(b'\n', &mut behind)?;
    }
    file.seek(SeekFrom::Start(mark.bytes))?;
    file.read_to_end(&mut behind)?;
    let behind = output.read(&behind);
    let ours = behind.iter().filter(|row| output.is_ours(row)).count() as u64;
    // Rows follow the order of the store: where that has as many places, it has lost none of them,
    // and the rows before the mark need not be read.
    if ours <= store.position(generation)?.saturating_sub(mark.rows) {
        return Ok(0);
    }
    let bytes = fs::read(&path)?;
    let before = &bytes[..mark.bytes as usize];
    let is_as_marked = mark.fits(tail_of(before));
    let mut all = output.read(if is_as_marked { before } else { &bytes });
    let from = if is_as_marked { all.len() } else { 0 };
    all.extend(behind.into_iter().filter(|_| is_as_marked));
    let ids = ids(&all, by_model);
    let known = store.by_question(generation, by_model)?;
    let mut writes = Vec::new();
    let (mut taken, mut new) = (0, 0);
    for (row, id) in all.into_iter().zip(&ids).skip(from).filter(|(row, _)| output.is_ours(row)) {
        let model = row.metadata.model.clone().filter(|_| by_model);
        let sample = row.metadata.sample.unwrap_or(0);
        let answer = match known.get(&Given { question: id.hash(), sample, model }) {
            Some((_, true)) => continue,
            // Its answer is there, and only its place was lost.
            Some((answer, false)) if is_as_marked => AnswerRef::Stored(*answer),
            Some(_) => continue,
            None => {
                writes.extend((new == 0).then_some(ToRecord::LegacyImported { at: now }));
                writes.push(ToRecord::Answered(Box::new(imported_answer(
                    row, *id, by_model, generation,
                ))));
                new += 1;
                AnswerRef::New(new - 1)
            }
        };
        writes.push(ToRecord::Placed { generation, answer, row: None });
        taken += 1;
    }
    store.commit(&writes)?;
    Ok(taken)
}
