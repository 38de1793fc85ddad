//! Writes the outputs anew from the store and the input: every answered question of the input, in
//! its order, once.
//!
//! What is to be is written to the store first, in one transaction: the new order, and that the
//! files do not follow it yet. Then the files are written, each beside the old one and renamed over
//! it, and a second transaction says that they are whole. A crash in between leaves that sentence
//! in the store, and whoever opens it next finishes the work in the same way.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use dset_core::plan::AnswerId;
use dset_core::recover::output_diff::diff_output;
use dset_core::run::Planned;
use dset_core::settings::JobSpec;
use dset_core::time::file_stamp;
use fs_err as fs;

use crate::error::JobError;
use crate::os::clock::unix_ms;
use crate::os::files;
use crate::os::lock::Lock;
use crate::output::live::{Beside, Expected, LIVE_FORMATS, LiveFormat, OutputError, write_anew};
use crate::recover::moved::finish_move;
use crate::recover::{Traces, take_back};
use crate::store::{CsvWish, Store, StoreError, Value, Write};
use crate::view::index::RunIndex;

/// What was rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Rows in every output.
    pub rows: u64,
    /// Rows that were in the outputs and are left out: their question is no longer in the input, or their
    /// answer counts no more.
    pub left_out: u64,
    /// Rows that have another answer now: the one that counts.
    pub replaced: u64,
    /// Rows that only an output had, taken back into the store first, and the name of its file.
    pub taken_back: Option<(u64, &'static str)>,
    /// Questions that have no answer yet.
    pub unanswered: u64,
    /// Questions that are only taken as answered: there is no text of them.
    pub presumed: u64,
    /// The outputs that were rebuilt.
    pub files: Vec<&'static str>,
    /// Outputs that were not what dset had written, copied before they were replaced.
    pub copied_to: Vec<PathBuf>,
}

/// Rebuilds the outputs of these settings; `None` where nothing was asked yet.
pub fn rebuild(settings: &JobSpec) -> Result<Option<Rebuilt>, JobError> {
    let (folder, now) = (&settings.output, unix_ms());
    if !Store::exists(folder) {
        return Ok(None);
    }
    let _lock = Lock::take(folder, now).map_err(|error| JobError::lock(folder, error))?;
    let stamp = file_stamp(now);
    let (mut store, _) = Store::open(folder)?;
    let wanted = store.formats(&settings.formats)?;
    if store.is_blank()? {
        return Ok(None);
    }
    finish_move(&store, folder)?;
    match finish(&mut store, folder, &wanted, Some(&stamp)) {
        // The new order may do without that answer.
        Ok(_) | Err(JobError::Store(StoreError::TextDamaged { .. })) => {}
        Err(error) => return Err(error),
    }
    let by_model = settings.models.len() > 1;
    let taken_back = match Traces::read(&store, folder)?.behind_mark() {
        Some((output, checkpoint)) => {
            take_back(&mut store, folder, (output, &checkpoint), by_model, now)?
        }
        None => None,
    };
    if let Some(found) = store.unsound()?.into_iter().next() {
        return Err(StoreError::Damaged(found).into());
    }
    let mut view = RunIndex::load(&store, settings)?;
    let order = order(&mut view)?;
    let ids: Vec<AnswerId> = order.iter().map(|(id, _)| *id).collect();
    if !store.has_answers(&ids)? {
        let found = "an answer that a question leads to is not there".to_owned();
        return Err(StoreError::Damaged(found).into());
    }
    // Before anything says that the outputs follow the new order.
    store.check_texts(&ids)?;
    let stays: HashSet<AnswerId> = ids.into_iter().collect();
    let placed = store.order(view.generation)?;
    let replaced = view.plan.outdated;
    let left_out = placed.iter().filter(|id| !stays.contains(id)).count() as u64;
    let copied_to = keep(&store, folder, view.generation, &stamp)?;
    store.keep_csv_wish(CsvWish::Bom, settings.csv_bom)?;
    store.keep_csv_wish(CsvWish::Id, settings.csv_id)?;
    let names_origin = view.plan.wanted().per_row() > 1;
    record(&mut store, view.generation, &order, names_origin, &stamp, now)?;
    finish(&mut store, folder, &wanted, None)?;
    let chosen = RunIndex::load_chosen(&store, settings)?.plan;
    let is_there = |format: &LiveFormat| folder.join(format.file).exists();
    Ok(Some(Rebuilt {
        files: LIVE_FORMATS.iter().filter(|f| is_there(f)).map(|format| format.file).collect(),
        rows: order.len() as u64,
        left_out: left_out.saturating_sub(replaced),
        replaced,
        taken_back,
        unanswered: chosen.count(Planned::Pending) + chosen.count(Planned::Failed),
        presumed: view.plan.count(Planned::Presumed),
        copied_to,
    }))
}

/// The answers in the order of the input, each once and with its row; behind those of a row the further
/// ones that were accepted for it and are not wanted any more.
fn order(view: &mut RunIndex) -> Result<Vec<(AnswerId, u64)>, JobError> {
    let mut beside = view.other_answers()?.into_iter().peekable();
    let numbers = view.row_numbers()?;
    let per_row = view.plan.wanted().per_row() as usize;
    let mut seen = HashSet::new();
    let mut order = Vec::new();
    for (row, (answers, number)) in (0..).zip(view.answers.chunks(per_row).zip(numbers)) {
        let mut place = |id: AnswerId| {
            if seen.insert(id) {
                order.push((id, number));
            }
        };
        answers.iter().flatten().copied().for_each(&mut place);
        while let Some((_, id)) = beside.next_if(|(of, _)| *of == row) {
            place(id);
        }
    }
    Ok(order)
}

/// Returns these formats as a new file of them is to look.
pub(crate) fn wished(
    formats: Vec<LiveFormat>,
    store: &Store,
    settings: &JobSpec,
) -> Result<Vec<LiveFormat>, StoreError> {
    let bom = settings.csv_bom.or(store.csv_wish(CsvWish::Bom)?).unwrap_or(false);
    let id = settings.csv_id.or(store.csv_wish(CsvWish::Id)?).unwrap_or(false);
    let beside = Beside { id, origin: settings.models.len() > 1 || settings.samples > 1 };
    Ok(formats.into_iter().map(|format| format.with_beside(beside).with_bom(bom)).collect())
}

/// Gives `output.csv` a byte order mark or a column of ids, or takes it away, where the user says so
/// and every byte of it is ours; otherwise it stays as it is, until a rebuild.
pub(crate) fn reform(
    store: &mut Store,
    folder: &Path,
    wanted: &[LiveFormat],
    settings: &JobSpec,
    generation: u32,
) -> Result<(), JobError> {
    for format in wanted {
        let path = folder.join(format.file);
        if !path.is_file() {
            continue;
        }
        let as_it_is = format.as_in_file(&path).map_err(OutputError::Io)?;
        let beside = as_it_is.beside();
        let id = settings.csv_id.unwrap_or(beside.id);
        let has_bom = settings.csv_bom.unwrap_or(as_it_is.has_bom());
        let wished = as_it_is.with_beside(Beside { id, ..beside }).with_bom(has_bom);
        if as_it_is.header == wished.header {
            continue;
        }
        let mut rows = Expected::from(store.as_reader(), generation, as_it_is, 0, false);
        let compared = fs::File::open(&path)
            .and_then(|file| diff_output(file, as_it_is.header, rows.by_ref()))
            .map_err(OutputError::Io)?;
        rows.check().map_err(OutputError::Store)?;
        if !compared.differences.is_empty() {
            continue;
        }
        // Without its checkpoint a file is held against every row by the next run, whichever of the two
        // it is: a crash in between harms nothing.
        store.forget_checkpoint(format.name)?;
        let checkpoint = write_anew(folder, wished, store.as_reader(), generation)?;
        store.record_checkpoints(&[checkpoint])?;
    }
    Ok(())
}

/// Copies the outputs that hold anything that dset has not written.
fn keep(
    store: &Store,
    folder: &Path,
    generation: u32,
    stamp: &str,
) -> Result<Vec<PathBuf>, JobError> {
    let mut kept = Vec::new();
    let checkpoints = store.checkpoints()?;
    for &format in LIVE_FORMATS {
        let checkpoint = checkpoints.iter().find(|checkpoint| checkpoint.name == format.name);
        let format = checkpoint.map_or(format, |checkpoint| format.of_shape(checkpoint.shape));
        let path = folder.join(format.file);
        if !path.exists() {
            continue;
        }
        let format = format.as_in_file(&path).map_err(OutputError::Io)?;
        let mut rows = Expected::from(store.as_reader(), generation, format, 0, false);
        let compared = fs::File::open(&path)
            .and_then(|file| diff_output(file, format.header, rows.by_ref()))
            .map_err(OutputError::Io)?;
        // An order that cannot be followed is what a rebuild is for.
        if compared.has_foreign() || rows.check().is_err() {
            kept.push(copy(folder, &path, stamp).map_err(|error| JobError::folder(folder, error))?);
        }
    }
    Ok(kept)
}

fn copy(folder: &Path, path: &Path, stamp: &str) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let copy = files::path_in_earlier(folder, stamp, &name)?;
    fs::copy(path, &copy)?;
    fs::File::open(&copy)?.sync_all()?;
    files::sync_folder(files::folder_of(&copy))?;
    Ok(copy)
}

/// Decides the new order, and that the outputs do not follow it yet.
fn record(
    store: &mut Store,
    generation: u32,
    order: &[(AnswerId, u64)],
    names_origin: bool,
    stamp: &str,
    now: i64,
) -> Result<(), StoreError> {
    let meta = |name, value| Write::Meta { name, value: Some(value) };
    store.commit(&[
        Write::Ordered { generation, answers: order.to_vec() },
        Write::CheckpointsForgotten,
        meta("rebuilding", Value::Text(stamp.to_owned())),
        meta("rebuilt_at", Value::Number(now)),
        meta("rebuilt_with_origin", Value::Number(names_origin.into())),
    ])?;
    Ok(())
}

/// Finishes a rebuild that was recorded; tells whether there was one.
///
/// `stamp` is given where another process began it: what stands in the place of an output may then
/// be anything, and is copied unless it is what belongs there.
pub(crate) fn finish(
    store: &mut Store,
    folder: &Path,
    wanted: &[LiveFormat],
    stamp: Option<&str>,
) -> Result<bool, JobError> {
    if store.meta::<String>("rebuilding")?.is_none() {
        return Ok(false);
    }
    let (generation, bom) = (store.generation()?, store.csv_wish(CsvWish::Bom)?);
    store.check_texts(&store.order(generation)?)?;
    let id = store.csv_wish(CsvWish::Id)?.unwrap_or(false);
    let origin = store.meta("rebuilt_with_origin")?.unwrap_or(false);
    let beside = Beside { id, origin };
    let mut checkpoints = Vec::new();
    for &format in LIVE_FORMATS {
        let path = folder.join(format.file);
        // One that is left out, and there, follows the new order too.
        if !path.exists() && !wanted.iter().any(|one| one.name == format.name) {
            continue;
        }
        let as_it_is = format.as_in_file(&path).map_err(OutputError::Io)?;
        if let Some(stamp) = stamp.filter(|_| path.exists()) {
            let mut rows = Expected::from(store.as_reader(), generation, as_it_is, 0, false);
            let compared = fs::File::open(&path)
                .and_then(|file| diff_output(file, as_it_is.header, rows.by_ref()))
                .map_err(OutputError::Io)?;
            if compared.has_foreign() {
                copy(folder, &path, stamp).map_err(|error| JobError::folder(folder, error))?;
            }
        }
        // One that is there keeps what its rows tell beside the original's fields, ids apart.
        let wished = match path.exists() {
            false => format.with_beside(beside),
            true if as_it_is.header.is_empty() => as_it_is,
            true => as_it_is.with_beside(Beside { id: beside.id, ..as_it_is.beside() }),
        };
        let wished = wished.with_bom(bom.unwrap_or(as_it_is.has_bom()));
        checkpoints.push(write_anew(folder, wished, store.as_reader(), generation)?);
    }
    let mut writes: Vec<Write> = checkpoints.into_iter().map(Write::Checkpoint).collect();
    writes.push(Write::Meta { name: "rebuilding", value: None });
    store.commit(&writes)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use dset_core::settings::{Layer, resolve};

    use super::*;
    use crate::output::live::legacy;
    use crate::recover::Recovered;
    use crate::run::prepare::{Decisions, Job};
    use crate::view::verify::verify;

    /// A folder whose outputs are of the original script, and taken over.
    fn taken_over(folder: &Path) -> JobSpec {
        let (input, output) = (folder.join("q.csv"), folder.join("out"));
        fs::write(&input, "question\nc\nb\na\n").unwrap();
        fs::create_dir(&output).unwrap();
        let line = |question: &str| {
            format!(
                "{{\"metadata\": {{\"timestamp\": \"2026-11-22 11:49:24\", \"question\": \"{question}\"}}, \"response\": {{\"reasoning\": \"\", \"answer\": \"x\"}}}}\n"
            )
        };
        fs::write(output.join("output.json"), ["a", "gone", "b", "c"].map(line).concat()).unwrap();
        let layer = Layer {
            input: Some(input),
            output: Some(output),
            key: Some("none".into()),
            ..Layer::default()
        };
        let settings = resolve(layer, None).unwrap().spec;
        next_run(&settings);
        settings
    }

    fn next_run(settings: &JobSpec) -> Job {
        let job =
            Job::prepare(settings.clone(), Decisions::default(), true).unwrap().begin().unwrap();
        assert_eq!((job.report().answered, job.report().pending), (3, 0));
        job
    }

    fn outputs(settings: &JobSpec) -> Vec<Vec<u8>> {
        legacy::ALL
            .iter()
            .map(|format| fs::read(settings.output.join(format.file)).unwrap())
            .collect()
    }

    #[test]
    fn cut_short_at_any_step_a_rebuild_is_finished_by_the_next_run_or_was_never_begun() {
        let whole = tempfile::tempdir().unwrap();
        let settings = taken_over(whole.path());
        let before = outputs(&settings);
        assert_eq!(rebuild(&settings).unwrap().unwrap().rows, 3);
        let rebuilt = outputs(&settings);
        assert_ne!(rebuilt, before);

        for steps in 0..=2 + legacy::ALL.len() {
            let folder = tempfile::tempdir().unwrap();
            let settings = taken_over(folder.path());
            let out = settings.output.as_path();
            {
                let (mut store, _) = Store::open(out).unwrap();
                let mut view = RunIndex::load(&store, &settings).unwrap();
                if steps > 0 {
                    keep(&store, out, 0, "then").unwrap();
                }
                if steps > 1 {
                    record(&mut store, 0, &order(&mut view).unwrap(), false, "then", 7).unwrap();
                }
                for format in legacy::ALL.iter().take(steps.saturating_sub(2)) {
                    write_anew(out, *format, store.as_reader(), 0).unwrap();
                }
            }
            let job = next_run(&settings);
            assert_eq!(job.report().recovered.contains(&Recovered::Rebuilt), steps > 1, "{steps}");
            let repairs = |one: &Recovered| matches!(one, Recovered::Repaired(_));
            assert!(!job.report().recovered.iter().any(repairs), "{steps}");
            drop(job);
            let expected = if steps > 1 { &rebuilt } else { &before };
            assert_eq!(&outputs(&settings), expected, "{steps}");
            let verified = verify(&settings).unwrap().unwrap();
            assert_eq!(verified.differences, [], "{steps}");
            assert!(
                !next_run(&settings).report().recovered.contains(&Recovered::Rebuilt),
                "{steps}"
            );
        }
    }

    #[test]
    fn what_was_put_in_the_place_of_an_output_after_the_crash_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let settings = taken_over(folder.path());
        let out = settings.output.as_path();
        {
            let (mut store, _) = Store::open(out).unwrap();
            let mut view = RunIndex::load(&store, &settings).unwrap();
            record(&mut store, 0, &order(&mut view).unwrap(), false, "then", 7).unwrap();
        }
        fs::write(out.join("output.csv"), "mine\n").unwrap();
        drop(next_run(&settings));
        let copies = fs::read_dir(out.join(".earlier")).unwrap().map(|entry| entry.unwrap().path());
        let mut texts = copies.filter_map(|folder| fs::read(folder.join("output.csv")).ok());
        assert!(texts.any(|text| text == b"mine\n"));
    }

    #[test]
    fn two_rebuilds_of_one_store_are_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let settings = taken_over(folder.path());
        rebuild(&settings).unwrap().unwrap();
        let first = outputs(&settings);
        assert_eq!(rebuild(&settings).unwrap().unwrap().copied_to, Vec::<PathBuf>::new());
        assert_eq!(outputs(&settings), first);
    }

    #[test]
    fn a_store_with_an_answer_that_is_not_there_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let settings = taken_over(folder.path());
        let before = outputs(&settings);
        let (mut store, _) = Store::open(&settings.output).unwrap();
        store.connection().execute("DELETE FROM answers WHERE id = 1", []).unwrap();
        drop(store);
        assert!(matches!(rebuild(&settings), Err(JobError::Store(StoreError::Damaged(_)))));
        assert_eq!(outputs(&settings), before);
    }
}
