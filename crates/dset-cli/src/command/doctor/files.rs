//! What is on this machine: the questions, the settings, `.env`, the folder of the outputs.

use std::path::Path;

use dset_core::csv::HeaderMode;
use dset_core::settings::JobSpec;
use dset_engine::error::JobError;
use dset_engine::os::files::{folder_of, free_bytes, is_open_to_others, try_to_write};
use dset_engine::os::lock::Running;
use dset_engine::store::Store;
use dset_engine::view::inspect::{Inspected, inspect};
use dset_engine::view::status::{RunStatus, run_status};

use super::Check;
use crate::config_file::ConfigFile;
use crate::display::text::{count, of, one_line, quoted, shortened, when};
use crate::explain;
use crate::git;
use crate::layers::Environment;
use crate::same_command::same_command_as;

/// What an answer takes with its row in each output, where no earlier one tells: a long train of
/// thought, written down four times.
const ANSWER_BYTES: u64 = 64 * 1024;
/// SQLite's log and the marks need some room of their own.
const SPARE_BYTES: u64 = 64 * 1024 * 1024;
/// With less not even the store of a small run can be made.
const LEAST_BYTES: u64 = 1024 * 1024;

/// The questions, and the columns of their file, where it can be read.
pub(super) fn questions(settings: &JobSpec) -> (Vec<Check>, Option<Vec<String>>) {
    let name = settings.input.display().to_string();
    let found = match inspect(settings) {
        Ok(found) if found.questions == 0 => {
            let bad_rows = Box::new(found.bad_rows);
            let error = JobError::NoQuestions { path: settings.input.clone(), bad_rows };
            return (vec![Check::error(name, explain::job(error))], None);
        }
        Ok(found) => found,
        Err(error) => return (vec![Check::error(name, explain::job(error))], None),
    };
    let mut checks = vec![Check::good(&name, contents(&found))];
    checks.extend(headerless(settings, &name, &found));
    if found.repeated > 0 {
        let pairs: Vec<String> =
            found.pairs.iter().map(|(row, first)| format!("{row} = {first}")).collect();
        let more = if found.repeated > found.pairs.len() as u64 { ", …" } else { "" };
        checks.push(Check::warning(
            &name,
            format!(
                "{} what an earlier row asks, and get answers of their own (rows {}{more})",
                match found.repeated {
                    1 => "1 row asks".to_owned(),
                    number => format!("{} rows ask", count(number)),
                },
                pairs.join(", ")
            ),
        ));
    }
    if found.marked > 0 {
        let rows = match found.marked {
            1 => "1 row says ERROR: the next run asks it again, unless the token limit cut it"
                .to_owned(),
            number => format!(
                "{} rows say ERROR: the next run asks them again, but not what the token limit cut",
                count(number)
            ),
        };
        checks.push(Check::warning(name, rows));
    }
    (checks, Some(found.columns))
}

/// Several columns without a header that dset knows: the first row may be one that it does not.
fn headerless(settings: &JobSpec, name: &str, found: &Inspected) -> Option<Check> {
    let first = found.first_row.as_ref().filter(|cells| cells.len() > 1)?;
    if settings.header != HeaderMode::Auto {
        return None;
    }
    let asked = one_line(first.get(found.question_column)?);
    let says = format!("row 1 is no header that dset knows: `{}` is asked", shortened(&asked, 40));
    let column = quoted(first.iter().find(|cell| **cell != asked).map_or("NAME", |cell| cell));
    Some(Check::warning(name, says).fix(format!(
        "If it is one, name the column with the questions, like `--column {column}`; if not, say \
         `--header no`"
    )))
}

fn contents(found: &Inspected) -> String {
    let columns: Vec<String> = found.columns.iter().map(|name| one_line(name)).collect();
    let mut words = format!("{}, UTF-8", of(found.questions, "question"));
    if found.empty > 0 {
        words += &format!(", {} skipped", of(found.empty, "empty row"));
    }
    let asked = columns.get(found.question_column).cloned().unwrap_or_default();
    match columns.as_slice() {
        [_] => words + &format!(", column {asked}"),
        _ if found.question_column == 0 => words + &format!(", columns {}", columns.join(",")),
        _ => words + &format!(", columns {}; `{asked}` is asked", columns.join(",")),
    }
}

/// The files of settings that are there; one that could not be read ended everything before.
pub(super) fn settings(environment: &Environment) -> Vec<Check> {
    let told = |file: &ConfigFile| {
        if !file.path.exists() {
            return None;
        }
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut words = of(file.lines.len() as u64, "setting");
        if !file.providers.is_empty() {
            words += &format!(", {}", of(file.providers.len() as u64, "service"));
        }
        Some(Check::good(name, words))
    };
    [&environment.project, &environment.user].into_iter().filter_map(told).collect()
}

pub(super) fn dot_env(environment: &Environment) -> Vec<Check> {
    let path = Path::new(".env");
    let mut checks = Vec::new();
    for (warning, hint) in &environment.warnings {
        let fix = hint.as_deref().unwrap_or("Mend that line of .env, like `NAME=value`");
        checks.push(Check::warning("variables", warning).fix(fix));
    }
    if !path.exists() || !environment.has_secrets_in_dot_env() {
        return checks;
    }
    let is_open = is_open_to_others(path);
    let is_handed_on = git::is_within(Path::new(".")) && !git::ignores_dot_env(Path::new("."));
    checks.push(match (is_open, is_handed_on) {
        (true, true) => {
            Check::warning(".env", "can be read by others, and .gitignore does not have it")
                .fix("Fix .env with `chmod 600 .env && echo .env >> .gitignore`")
        }
        (true, false) => {
            Check::warning(".env", "can be read by others").fix("Shut it with `chmod 600 .env`")
        }
        (false, true) => {
            Check::warning(".env", "is in a git repository, and .gitignore does not have it")
                .fix("Keep it out with `echo .env >> .gitignore`")
        }
        (false, false) => Check::good(".env", "only you can read it"),
    });
    checks
}

/// A keys file that others can read, where no key of it is wanted now: a run that wants one fails.
pub(super) fn keys_file(environment: &Environment, told: &[Check]) -> Option<Check> {
    let path = environment.keys_file()?.path().display().to_string();
    let is_told = told.iter().any(|check| check.says.contains(&path));
    if is_told || !is_open_to_others(Path::new(&path)) {
        return None;
    }
    let check = Check::warning("keys.toml", format!("{path} can be read by others"));
    Some(check.fix(format!("Shut it with `chmod 600 {}`", quoted(&path))))
}

/// The folder of the outputs, and the store in it; and how many answers are left to be asked for,
/// where that is known.
pub(super) fn output(settings: &JobSpec, can_be_read: bool) -> (Vec<Check>, Option<u64>) {
    let folder = settings.output.as_path();
    let place = format!("{}/", folder.display());
    let there = std::iter::successors(Some(folder), |folder| Some(folder_of(folder)))
        .find(|folder| folder.exists() || *folder == Path::new("."))
        .unwrap_or(Path::new("."));
    if let Err(error) = try_to_write(there) {
        let says = format!("{place} cannot be written: {}", one_line(&error.to_string()));
        let check = Check::problem("output", says).fix(match there.is_dir() {
            true => format!("Mend who may write there, see `ls -ld {}`", there.display()),
            false => {
                "Move that file out of the way, or use another folder with `-o DIR`".to_owned()
            }
        });
        return (vec![check], None);
    }
    if !can_be_read {
        return (vec![space(&place, there, 0)], None);
    }
    match run_status(settings) {
        Ok(standing) => {
            let mut checks = vec![space(&place, there, needed(&standing))];
            if let Running::Yes(holder) = &standing.running {
                let who = holder.as_ref().map_or(String::new(), |holder| {
                    format!(", process {} since {}", holder.pid, when(holder.started_at))
                });
                checks.push(
                    Check::warning("output", format!("a run is at work in {place}{who}")).fix(
                        format!("See how far it is with `{}`", same_command_as("status", &[])),
                    ),
                );
            }
            checks.push(store(&standing));
            (checks, Some(standing.left()))
        }
        Err(error) => {
            let error = Check::error("store", explain::job(error));
            (vec![space(&place, there, 0), error], None)
        }
    }
}

fn store(standing: &RunStatus) -> Check {
    let ledger = &standing.ledger;
    match standing.has_store {
        true => Check::good(
            "store",
            format!(
                "{} answered, {}{} pending, {} failed",
                count(ledger.answered),
                match ledger.presumed {
                    0 => String::new(),
                    presumed => format!("{} taken as answered, ", count(presumed)),
                },
                count(ledger.pending),
                count(ledger.failed())
            ),
        ),
        false => Check::good("store", "none yet: the first run makes it"),
    }
}

/// What the rest of the run will need, by what answers took so far.
fn needed(standing: &RunStatus) -> u64 {
    let left = standing.left();
    let answered = standing.ledger.answered;
    let outputs: u64 = standing.outputs.iter().map(|output| output.bytes).sum();
    // The store holds what the longest of the outputs does, and an index.
    let each = (outputs * 2).checked_div(answered).filter(|bytes| *bytes > 0);
    left.saturating_mul(each.unwrap_or(ANSWER_BYTES))
}

fn space(place: &str, folder: &Path, needed: u64) -> Check {
    let Some(free) = free_bytes(folder) else {
        return Check::good("output", format!("{place} can be written"));
    };
    // In another folder everything that was asked in this one would be bought again.
    let room = match Store::exists(folder) {
        true => "Make room there",
        false => "Make room there, or use another folder with `-o DIR`",
    };
    let free_words = bytes(free);
    if free < LEAST_BYTES {
        let says = format!("{place} has {free_words} left: that is too little");
        return Check::problem("output", says).fix(room);
    }
    if free.saturating_sub(SPARE_BYTES) < needed || free < SPARE_BYTES {
        let says = format!("{place} has {free_words} left, and the run may need {}", bytes(needed));
        return Check::warning("output", says).fix(room);
    }
    Check::good("output", format!("{place} can be written, {free_words} free"))
}

/// Writes a number of bytes: `512 MB`, `80 GB`.
fn bytes(number: u64) -> String {
    match number {
        0..1_000_000 => format!("{} kB", number.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", number / 1_000_000),
        _ => format!("{:.0} GB", number as f64 / 1e9),
    }
}
