//! Whether every output holds the rows that the store has ordered, byte for byte.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use dset_core::recover::legacy::{LegacyTexts, read_csv, read_json};
use dset_core::recover::output_diff::{OutputDifference, diff_output};
use dset_core::settings::JobSpec;
use fs_err as fs;

use crate::error::JobError;
use crate::output::live::{Expected, LiveFormat, OutputError};
use crate::store::{Store, StoreError};
use crate::view::verify::{Difference, Findings, NAMED_MAX, Note};

/// Checks every output that is wanted, where the order of its rows holds and no other process is
/// about to change them; returns the rows that are in each as they should be.
pub(super) fn check(
    store: &Store,
    settings: &JobSpec,
    in_flux: bool,
    order_holds: bool,
    found: &mut Findings,
) -> Result<Vec<(&'static str, u64)>, JobError> {
    let unfinished = match store.meta::<String>("moving")? {
        Some(_) => Some(Difference::MoveUnfinished),
        None => store.meta::<String>("rebuilding")?.map(|_| Difference::RebuildUnfinished),
    };
    if unfinished.is_some() {
        // While a run goes on, it is what does that.
        found.differences.extend(unfinished.filter(|_| !in_flux));
        return Ok(Vec::new());
    }
    if !order_holds {
        return Ok(Vec::new());
    }
    let mut outputs = Vec::new();
    for format in store.formats(&settings.formats)? {
        let generation = store.generation()?;
        let mut output = OutputCheck { store, generation, format, in_flux, rows: 0, found };
        output.check(&settings.output)?;
        let rows = output.rows;
        if settings.output.join(format.file).exists() {
            outputs.push((format.file, rows));
        }
    }
    Ok(outputs)
}

/// One output on its way through the check.
struct OutputCheck<'a> {
    store: &'a Store,
    generation: u32,
    format: LiveFormat,
    in_flux: bool,
    rows: u64,
    found: &'a mut Findings,
}

impl OutputCheck<'_> {
    fn check(&mut self, folder: &Path) -> Result<(), JobError> {
        let (path, file) = (folder.join(self.format.file), self.format.file);
        let checkpoints = self.store.checkpoints()?;
        let checkpoint = checkpoints.iter().find(|checkpoint| checkpoint.name == self.format.name);
        // Nothing is known yet of what a run that goes on has begun to write.
        if self.in_flux && checkpoint.is_none() {
            return Ok(());
        }
        self.format =
            checkpoint.map_or(self.format, |checkpoint| self.format.of_shape(checkpoint.shape));
        let (rows_known, written) =
            checkpoint.map_or((0, 0), |checkpoint| (checkpoint.rows, checkpoint.bytes));
        let rows_ordered = self.store.position(self.generation)?;
        // What a run that goes on has written beyond its checkpoint is not known yet.
        let rows = if self.in_flux { rows_known } else { rows_ordered };
        if !path.exists() {
            if rows > 0 || written > 0 {
                self.found.differences.push(Difference::OutputMissing { file, rows });
            }
            return Ok(());
        }
        self.format = self.format.as_in_file(&path).map_err(OutputError::Io)?;
        let bytes = fs::metadata(&path).map_err(OutputError::Io)?.len();
        if bytes < written {
            self.found.differences.push(Difference::OutputShort { file, bytes, written });
            return Ok(());
        }
        let upto = if self.in_flux { written } else { bytes };
        self.check_content(&path, upto, rows, (rows_known, rows_ordered))
    }

    /// Checks the first bytes of the file, in which so many rows should be; of those that are
    /// ordered, the first were written whole.
    fn check_content(
        &mut self,
        path: &Path,
        upto: u64,
        rows: u64,
        (rows_known, rows_ordered): (u64, u64),
    ) -> Result<(), JobError> {
        let of_script = match self.format.is_legacy() {
            true => self.store.rows_of_script(self.generation)?.min(rows),
            false => 0,
        };
        let mut from = 0;
        let mut found = self.compare(path, 0, upto, 0, rows)?;
        if of_script > 0 && !found.1.is_empty() {
            // As the script wrote it: its rows are looked for by their texts, and ours begin
            // with the first of them that can be found.
            from = self.begin_of_ours(path, upto, of_script, rows)?;
            self.check_script(path, from, of_script)?;
            found = self.compare(path, from, upto - from, of_script, rows)?;
            found.0 += of_script;
        }
        self.rows = found.0;
        for misfit in found.1 {
            let misfit = moved(misfit, from, if from > 0 { of_script } else { 0 });
            let difference = self.difference(misfit, rows_known, rows_ordered)?;
            self.found.differences.push(difference);
        }
        Ok(())
    }

    fn difference(
        &self,
        misfit: OutputDifference,
        rows_known: u64,
        rows_ordered: u64,
    ) -> Result<Difference, StoreError> {
        let file = self.format.file;
        Ok(match misfit {
            // Up to its checkpoint a file was whole; what is not there behind it was never there.
            OutputDifference::Missing { row, rows, .. }
                if row >= rows_known && row + rows == rows_ordered =>
            {
                Difference::RowsUnwritten { file, rows }
            }
            OutputDifference::Torn { row, .. } if row >= rows_known => {
                Difference::RowsUnwritten { file, rows: 0 }
            }
            misfit => Difference::Output { file, misfit, question: self.question(misfit)? },
        })
    }

    /// Compares a part of the file with a part of the rows: those that fit, and what does not.
    fn compare(
        &self,
        path: &Path,
        from: u64,
        bytes: u64,
        position: u64,
        rows: u64,
    ) -> Result<(u64, Vec<OutputDifference>), JobError> {
        let mut file = fs::File::open(path).map_err(OutputError::Io)?;
        file.seek(SeekFrom::Start(from)).map_err(OutputError::Io)?;
        let mut expected =
            Expected::from(self.store.as_reader(), self.generation, self.format, position, false);
        let header = if from == 0 { self.format.header } else { b"" };
        let wanted = expected.by_ref().take((rows - position) as usize);
        let compared = diff_output(file.take(bytes), header, wanted).map_err(OutputError::Io)?;
        expected.check()?;
        Ok((compared.rows, compared.differences))
    }

    /// Finds where the rows begin that are not the script's.
    fn begin_of_ours(
        &self,
        path: &Path,
        upto: u64,
        of_script: u64,
        rows: u64,
    ) -> Result<u64, JobError> {
        let mut expected =
            Expected::from(self.store.as_reader(), self.generation, self.format, of_script, false);
        let wanted: Vec<Vec<u8>> =
            expected.by_ref().take((rows - of_script).min(NAMED_MAX as u64) as usize).collect();
        expected.check()?;
        let bytes = fs::read(path).map_err(OutputError::Io)?;
        let bytes = &bytes[..bytes.len().min(upto as usize)];
        let found = wanted.iter().find_map(|row| memchr::memmem::find(bytes, row));
        Ok(found.map_or(upto, |at| at as u64))
    }

    /// Looks for the texts of the rows that the script wrote.
    fn check_script(&mut self, path: &Path, upto: u64, rows: u64) -> Result<(), JobError> {
        let file = self.format.file;
        let mut bytes = fs::read(path).map_err(OutputError::Io)?;
        bytes.truncate(upto as usize);
        let texts = match self.format.name {
            "csv" => LegacyTexts::from(read_csv(&bytes)),
            "json" => LegacyTexts::from(read_json(&bytes)),
            _ => LegacyTexts::Txt(&bytes),
        };
        let (mut lacking, mut first, mut position) = (0, None, 0);
        while position < rows {
            let ids = self.store.as_reader().order_from(self.generation, position)?;
            if ids.is_empty() {
                break;
            }
            for (id, _) in ids.into_iter().take((rows - position) as usize) {
                position += 1;
                let row = self.store.as_reader().row(id)?;
                if !texts.contain(&row) {
                    lacking += 1;
                    first.get_or_insert(row.question);
                }
            }
        }
        match first {
            Some(question) => {
                let rows = lacking;
                self.found.differences.push(Difference::RowsOfScriptLacking {
                    file,
                    rows,
                    question,
                });
            }
            None => self.found.notes.push(Note::RowsOfScript { file, rows }),
        }
        Ok(())
    }

    fn question(&self, misfit: OutputDifference) -> Result<Option<String>, StoreError> {
        let row = match misfit {
            OutputDifference::Changed { row, .. }
            | OutputDifference::Missing { row, .. }
            | OutputDifference::Torn { row, .. }
            | OutputDifference::NotCompared { row, .. } => row,
            OutputDifference::Header | OutputDifference::Foreign { .. } => return Ok(None),
        };
        match self.store.as_reader().order_from(self.generation, row)?.first() {
            Some(&(id, _)) => self.store.question(id),
            None => Ok(None),
        }
    }
}

/// Counts a misfit of a part of a file from the file's beginning.
fn moved(misfit: OutputDifference, by: u64, by_rows: u64) -> OutputDifference {
    match misfit {
        OutputDifference::Header => OutputDifference::Header,
        OutputDifference::Foreign { at, bytes, row } => {
            OutputDifference::Foreign { at: at + by, bytes, row: row + by_rows }
        }
        OutputDifference::Changed { at, bytes, row, rows } => {
            OutputDifference::Changed { at: at + by, bytes, row: row + by_rows, rows }
        }
        OutputDifference::Missing { at, row, rows } => {
            OutputDifference::Missing { at: at + by, row: row + by_rows, rows }
        }
        OutputDifference::Torn { at, bytes, row } => {
            OutputDifference::Torn { at: at + by, bytes, row: row + by_rows }
        }
        OutputDifference::NotCompared { at, row } => {
            OutputDifference::NotCompared { at: at + by, row: row + by_rows }
        }
    }
}

#[cfg(test)]
mod tests {
    use dset_core::settings::{Layer, resolve};

    use super::*;
    use crate::os::lock::Lock;
    use crate::output::live::legacy;
    use crate::run::prepare::{Decisions, Job};
    use crate::view::verify::verify;

    #[test]
    fn what_a_run_that_goes_on_has_only_begun_is_no_difference() {
        let folder = tempfile::tempdir().unwrap();
        let (input, output) = (folder.path().join("q.csv"), folder.path().join("out"));
        fs::write(&input, "question\na\n").unwrap();
        let key = Some("none".into());
        let layer =
            Layer { input: Some(input), output: Some(output.clone()), key, ..Layer::default() };
        let settings = resolve(layer, None).unwrap().spec;
        let job = Job::prepare(settings.clone(), Decisions::default(), true);
        drop(job.unwrap().begin().unwrap());
        fs::write(output.join("output.csv"), legacy::CSV.header).unwrap();
        Store::open(&output).unwrap().0.forget_checkpoint("csv").unwrap();
        let _lock = Lock::take(&output, 0).unwrap();
        assert_eq!(verify(&settings).unwrap().unwrap().differences, []);
    }
}
