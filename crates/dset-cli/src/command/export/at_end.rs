//! The datasets that `dset run` writes when it has gone to its end.

use std::path::{Path, PathBuf};

use dset_core::run::{EndReason, Ending, StopSignal};
use dset_core::settings::JobSpec;
use dset_engine::export::{ExportRequest, check};
use dset_engine::os::files::real_place;
use dset_engine::store::AsAsked;
use serde_json::json;

use super::dataset::{Lines, each_dataset, lines, object, write};
use crate::command::shared::write_out;
use crate::datasets::DatasetArgs;
use crate::display::{self, json::event_now};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::TerminalOptions;
use crate::run_selector::RunSelectorArgs;

/// The datasets that a run writes, each as `dset export` would.
#[derive(Debug)]
pub(crate) struct DatasetsAtEnd {
    pub(in crate::command) which: RunSelectorArgs,
    pub(in crate::command) datasets: Vec<DatasetArgs>,
}

impl DatasetsAtEnd {
    /// Finds out before anything is asked whether all of them can be written.
    pub(crate) fn check(&self, spec: &JobSpec) -> Result<(), UserError> {
        if let Some((one, other)) = overlap(&self.datasets) {
            return Err(UserError::new(Exit::Usage, "two datasets go to the same place")
                .cause(format!("they are `{}` and `{}`", one.display(), other.display()))
                .hint("Give each `[[export]]` in dset.toml a place of its own"));
        }
        let mut places: Vec<PathBuf> = Vec::new();
        for said in &self.datasets {
            let Some(request) = said.request(false)? else { continue };
            let files = check(spec, &request).map_err(|error| self.explained(error, said))?;
            if let Some(file) = files.iter().find(|file| places.contains(&real_place(file))) {
                return Err(UserError::new(Exit::Usage, "two datasets go to the same place")
                    .cause(format!("both write `{}`", file.display()))
                    .hint("Give each `[[export]]` in dset.toml a place of its own"));
            }
            places.extend(files.iter().map(|file| real_place(file)));
        }
        Ok(())
    }

    /// Tells whether there is anything to write behind a run that ended so.
    pub(in crate::command) fn are_due(&self, ending: &Ending) -> bool {
        matches!(ending.reason, EndReason::Complete) && !self.datasets.is_empty()
    }

    /// Writes them where the run has gone to its end; fails when all that can be written are.
    pub(crate) fn write(
        &self,
        spec: &JobSpec,
        terminal: TerminalOptions,
        ending: &Ending,
        of_run: &AsAsked,
    ) -> Result<(), UserError> {
        if !self.are_due(ending) {
            if !self.datasets.is_empty() && !terminal.quiet {
                display::remark("the datasets are written by the run that goes to its end");
            }
            return Ok(());
        }
        each_dataset(&self.datasets, |said| {
            let written = self.write_one(spec, terminal, said, of_run);
            if let (Err(error), true) = (&written, terminal.json) {
                let place = said.to.as_ref().map(|to| to.display().to_string());
                let event = json!({ "event": "dataset", "to": place, "error": error.message });
                write_out(event_now(event).as_bytes());
            }
            written
        })
    }

    /// The error where a signal comes while they are written: under each name there is a whole one, or what was
    /// there before.
    pub(crate) fn stopped(&self) -> impl FnOnce(StopSignal) -> UserError + use<> {
        let export = self.which.command("export");
        let flags = self.datasets.iter().filter_map(DatasetArgs::flags);
        let named = flags.map(|flags| format!("{export} {flags}"));
        let is_declared = self.datasets.iter().any(|said| said.flags().is_none());
        let commands: Vec<_> = named.chain(is_declared.then(|| export.clone())).collect();
        move |signal| {
            let error =
                UserError::new(Exit::of_signal(signal), "stopped before all datasets were written")
                    .cause("the run itself has gone to its end, and asks nothing more");
            commands
                .iter()
                .fold(error, |error, command| error.hint(format!("Write them: `{command}`")))
        }
    }

    fn write_one(
        &self,
        spec: &JobSpec,
        terminal: TerminalOptions,
        said: &DatasetArgs,
        of_run: &AsAsked,
    ) -> Result<(), UserError> {
        let Some(request) = said.request(false)? else { return Ok(()) };
        let request = ExportRequest { of_run: Some(of_run), ..request };
        let exported =
            write(spec, &request, !terminal.quiet).map_err(|error| self.explained(error, said))?;
        let Some(exported) = exported else { return Ok(()) };
        if terminal.json {
            let mut event = json!({ "event": "dataset" });
            if let (Some(event), serde_json::Value::Object(of)) =
                (event.as_object_mut(), object(&exported))
            {
                event.extend(of);
            }
            write_out(event_now(event).as_bytes());
        }
        if !terminal.quiet {
            let Lines { files, left_out } = lines(&exported, said);
            let lines = files
                .iter()
                .map(|line| line.trim_start())
                .chain(left_out.iter().map(|line| &**line));
            lines.for_each(display::remark);
        }
        Ok(())
    }

    fn explained(&self, error: dset_engine::export::ExportError, said: &DatasetArgs) -> UserError {
        explain::export_at_end(error, &self.which, said)
    }
}

/// Finds two datasets that go to the same place, or one into the other.
fn overlap(datasets: &[DatasetArgs]) -> Option<(&Path, &Path)> {
    let places: Vec<_> = datasets.iter().filter_map(|said| said.to.as_deref()).collect();
    let pairs = places.iter().enumerate();
    let mut pairs =
        pairs.flat_map(|(at, one)| places[at + 1..].iter().map(move |other| (*one, *other)));
    pairs.find(|(one, other)| {
        let (one, other) = (real_place(one), real_place(other));
        one.starts_with(&other) || other.starts_with(&one)
    })
}
