//! What several commands need: the run that is meant, the error where it has no store, a runtime.

use std::path::{Path, PathBuf};

use dset_core::settings::{JobSpec, resolve_with_providers};
use dset_engine::error::JobError;
use dset_engine::os::files::folder_of;
use dset_engine::os::open_files::try_files_needed;
use dset_engine::shard::is_of_job;
use dset_engine::source::is_there;
use dset_engine::source::spool::{STDIN, spool_path};
use dset_engine::store::{Store, last_input};
use dset_engine::view::elsewhere::{AnswersLocation, has_answers_to, locate_answers};

use crate::display::{self, text};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::file_suggestion::{nearby, with_file};
use crate::layers::{Environment, MergedLayer, Origin, SettingsLayer, TerminalOptions};
use crate::run_selector::RunSelectorArgs;
use crate::same_command::same_command_as;

/// Resolves which run is meant, with whatever else variables and .env say. Returns it as other commands
/// have to name it, too.
pub(super) fn settings_of(
    which: &RunSelectorArgs,
) -> Result<(RunSelectorArgs, JobSpec, TerminalOptions), UserError> {
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    let (settings, terminal) = settings_under(&environment, which.layer())?;
    let mut which = which.clone();
    // Without its name another file would be asked.
    let asked = environment.under(which.layer())?.layer;
    let asked = resolve_with_providers(asked, None, &environment.providers)?.spec.input;
    if settings.input != asked && asked != Path::new(STDIN) {
        which.input = Some(settings.input.clone());
    }
    Ok((which, settings, terminal))
}

/// Resolves the run that is looked at, where flags say more of it.
pub(crate) fn settings_under(
    environment: &Environment,
    flags: impl Into<SettingsLayer>,
) -> Result<(JobSpec, TerminalOptions), UserError> {
    let said = environment.under(flags)?;
    let names_folder = said.layer.output.is_some();
    let terminal = said.terminal.resolve();
    let mut settings =
        resolve_with_providers(said.layer.clone(), None, &environment.providers)?.spec;
    if let Some(input) = input_of_folder(&said, &settings)? {
        settings.input = input;
    } else if settings.input == Path::new(STDIN) {
        settings.input = spool_path(&settings.output);
    }
    Ok((placed(settings, names_folder, terminal)?, terminal))
}

/// Returns the input that the folder was asked from, where that is meant and nobody names another: whoever
/// names a folder means its answers, and not those to a file that lies in the working folder.
pub(super) fn input_of_folder(
    said: &MergedLayer,
    settings: &JobSpec,
) -> Result<Option<PathBuf>, UserError> {
    let names_input = said.layer.input.is_some();
    let names_folder = said.origin("output") == Origin::Flag;
    if said.origin("input") == Origin::Flag || (names_input && !names_folder) {
        return Ok(None);
    }
    let Some(last) = last_input(&settings.output) else { return Ok(None) };
    let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    if real(&last) == real(&settings.input) {
        return Ok(None);
    }
    let is_answered = |input: &Path| {
        is_there(input) && has_answers_to(&JobSpec { input: input.to_owned(), ..settings.clone() })
    };
    if !names_folder && is_answered(&settings.input) {
        return Ok(None);
    }
    if is_there(&last) {
        return Ok(Some(from_here(&last)));
    }
    // Renamed, or moved together with the folder.
    let name = last.file_name().unwrap_or_default();
    let near = [settings.input.clone(), name.into(), folder_of(&settings.output).join(name)];
    if let Some(found) = near.into_iter().find(|input| is_answered(input)) {
        return Ok(Some(found));
    }
    if !names_folder && is_there(&settings.input) {
        return Ok(None);
    }
    let words = text::arguments();
    let command = words.first().map(String::as_str).unwrap_or_default();
    let again = || match with_file(command, "FILE") {
        Some(again) => format!("Put the file back, or name it where it is now: `{again}`"),
        None => "Put the file back, or name it where it is now".to_owned(),
    };
    let (folder, last) = (settings.output.display(), from_here(&last));
    let error = UserError::new(Exit::Usage, format!("the questions of `{folder}` are gone"))
        .cause(format!("`{}` was asked there, and is not there any more", last.display()));
    Err(error.hint(nearby(&last).unwrap_or_else(again)))
}

/// Returns a path as seen from the working folder, where it lies in there.
pub(super) fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

/// Returns the settings with the folder in which the answers to their file are: where nobody names
/// one, and the file lies in another folder, those may be beside it.
pub(crate) fn placed(
    settings: JobSpec,
    names_folder: bool,
    terminal: TerminalOptions,
) -> Result<JobSpec, UserError> {
    let found = if names_folder { AnswersLocation::Here } else { locate_answers(&settings) };
    match found {
        AnswersLocation::Here => Ok(settings),
        AnswersLocation::Nearby(folder) => {
            if !terminal.quiet {
                display::remark(&format!(
                    "the answers to {} are in {}/: that folder is used (`-o {}` takes the folder here)",
                    settings.input.display(),
                    folder.display(),
                    settings.output.display(),
                ));
            }
            Ok(JobSpec { output: folder, ..settings })
        }
        AnswersLocation::Several(folders) => Err(several(&settings, &folders)),
    }
}

/// The error where more than one folder may be meant.
fn several(settings: &JobSpec, folders: &[PathBuf]) -> UserError {
    let (input, command) = (settings.input.display(), text::same_command());
    let there = folders[1..].iter().map(|folder| format!("`{}`", folder.display()));
    let error = UserError::new(
        Exit::Usage,
        format!("there are answers to `{input}` in another folder than `{}`", folders[0].display()),
    );
    let error = error.cause(format!(
        "they are in {}; a second folder would have all of them asked again",
        there.collect::<Vec<_>>().join(" and in ")
    ));
    folders[1..].iter().chain(&folders[..1]).fold(error, |error, folder| {
        let folder = folder.to_string_lossy();
        error.hint(format!(
            "Use `{}`: `{command} -o {}`",
            text::one_line(&folder),
            text::quoted(&folder)
        ))
    })
}

/// The error of a command that needs a store where there is none. It proposes what shows something,
/// and a run, which costs money, only as what it is.
pub(crate) fn nothing_asked(which: &RunSelectorArgs, settings: &JobSpec) -> UserError {
    if let Some(error) = folder_of_job(&settings.output) {
        return error;
    }
    let error = UserError::new(Exit::Usage, "nothing was asked yet")
        .cause(format!("there is no store in `{}`", settings.output.display()));
    let words = text::arguments();
    let command = words.first().map(String::as_str).unwrap_or_default();
    if let Some(hint) = at_another_store(command, &stores_elsewhere(settings)) {
        return error.hint(hint);
    }
    if !settings.input.is_file() {
        let near = nearby(&settings.input);
        return error.hint(near.unwrap_or_else(|| {
            "Name the folder of the outputs with `-o DIR`, or go to the folder that it is in".into()
        }));
    }
    error.hint(format!(
        "There is something to see once `{}` has asked the questions; it asks a service, which may \
         cost money",
        which.command("run")
    ))
}

/// The error of a command about one run, where the folder is that of a job of shards and of no run.
pub(super) fn folder_of_job(folder: &Path) -> Option<UserError> {
    is_of_job(folder).then(|| explain::job(JobError::JobFolder { folder: folder.to_owned() }))
}

/// Entries of a folder that are looked at for stores, at most.
const ENTRIES_MAX: usize = 500;

/// Finds the folders with a store that were probably meant: beside where one was looked for, and
/// beside the questions.
pub(super) fn stores_elsewhere(settings: &JobSpec) -> Vec<PathBuf> {
    let here = Path::new(".");
    let beside = folder_of(&settings.input);
    let mut found = Vec::new();
    for folder in [here, beside].into_iter().take(if beside == here { 1 } else { 2 }) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(ENTRIES_MAX);
        let inner = entries.map(|entry| match folder == here {
            true => PathBuf::from(entry.file_name()),
            false => entry.path(),
        });
        let is_one = |path: &PathBuf| *path != settings.output && Store::exists(path);
        found.extend(std::iter::once(folder.to_owned()).chain(inner).filter(is_one));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Returns the hint at these stores, with the command that was given.
pub(super) fn at_another_store(command: &str, stores: &[PathBuf]) -> Option<String> {
    let shown = |path: &PathBuf| text::quoted(&path.display().to_string());
    match stores {
        [] => None,
        [one] => Some(format!(
            "There is a store in `{}`: `{} -o {}`",
            text::one_line(&one.display().to_string()),
            same_command_as(command, &["output"]),
            shown(one)
        )),
        several => Some(format!(
            "There are stores in {}: name one with `-o DIR`",
            several.iter().map(|path| format!("`{}`", shown(path))).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// Writes text that was asked for to standard output.
pub(super) use crate::display::stdout::write as write_out;

/// Makes the runtime that a command waits in.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, UserError> {
    try_files_needed().map_err(|error| {
        UserError::new(Exit::Ours, "this process may open too few files")
            .cause(text::one_line(&error.to_string()))
            .hint("Allow more with `ulimit -n 1024` in this shell, and run again")
    })?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| UserError::new(Exit::Ours, "cannot start").cause(error.to_string()))
}

/// Waits for Ctrl-C or SIGTERM.
pub(super) async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
