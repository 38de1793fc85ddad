//! Errors for people: what happened, why, and what to do.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use dset_core::csv::{DetectedEncoding, RecordsError};
use dset_core::settings::SettingsError;
use dset_core::template::{PromptError, Role, TemplateError};
use dset_engine::os::lock::{Holder, LockError};
use dset_engine::output::live::{LIVE_FORMATS, SinkError};
use dset_engine::recover::legacy::LegacyImportError;
use dset_engine::run::prepare::JobError;
use dset_engine::source::SourceError;
use dset_engine::source::import::encoding_of;
use dset_engine::store::StoreError;

use crate::csv_suspicion::explain;
use crate::display::background_writer::last_words;
use crate::display::text::{clock, one_line, quoted, same_command, shortened, width_of};
use crate::display::wrap::broken;
use crate::exit::Exit;
use crate::file_suggestion::{nearby, no_default};
use crate::setting::{SEE_REFERENCE, key_for_model, meant};
use crate::usage::same_command_as;

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default().bold();

const COPY: &str = "Put a copy of `dset.db` back, if there is one, and run again";
const WITHOUT_STORE: &str = "Without one, move `dset.db` and `dset.db-wal` out of the folder: the next run takes \
over the answers in the outputs, and asks for the rest";

/// An error as a person reads it.
#[derive(Debug)]
pub(crate) struct UserError {
    pub(crate) message: String,
    pub(crate) cause: Option<String>,
    pub(crate) hints: Vec<String>,
    pub(crate) exit: Exit,
}

impl UserError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> UserError {
        UserError { message: message.into(), cause: None, hints: Vec::new(), exit }
    }

    pub(crate) fn cause(mut self, cause: impl Into<String>) -> UserError {
        self.cause = Some(cause.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> UserError {
        self.hints.push(hint.into());
        self
    }

    /// Returns its lines as standard error shows them.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![labelled(ERROR, "error: ", &self.message)];
        // A service's own words may end like a sentence.
        let cause = self.cause.as_deref().map(|cause| cause.strip_suffix('.').unwrap_or(cause));
        lines.extend(cause.map(|cause| labelled(Style::new(), "  cause: ", cause)));
        lines.extend((!self.hints.is_empty()).then(String::new));
        lines.extend(self.hints.iter().map(|hint| labelled(HINT, "hint: ", hint)));
        lines
    }

    pub(crate) fn print(&self) {
        last_words(&(self.lines().join("\n") + "\n"));
    }
}

/// Writes a label and a text, which goes on below itself where a terminal ends.
pub(crate) fn labelled(style: Style, label: &str, text: &str) -> String {
    let width = width_of(&std::io::stderr(), &console::Term::stderr());
    let text = broken(&one_line(text), label.len(), label.len(), width);
    format!("{style}{}{style:#} {text}", label.trim_end())
}

impl From<SettingsError> for UserError {
    fn from(error: SettingsError) -> UserError {
        let user = UserError::new(Exit::Usage, one_line(&error.to_string()));
        match error {
            SettingsError::BaseUrl { .. } => {
                user.hint("Give it like `--base-url http://localhost:8000/v1`")
            }
            SettingsError::KeyItself => user
                .cause("a key on the command line shows in the process list and the history")
                .hint("Keep it with `dset keys set PROVIDER`; `--key NAME` names another variable"),
            SettingsError::KeyForModel => key_for_model("`--model`"),
            SettingsError::OutOfRange { .. } => user.hint(SEE_REFERENCE),
            SettingsError::Both { .. } => user.hint("Give one of them"),
            SettingsError::NoBaseUrl { .. } => {
                user.hint("Name it with `--base-url`, and the model as it is called there")
            }
            SettingsError::NoModel { provider } => {
                user.hint(format!("Name it like `-m {provider}/NAME`"))
            }
            SettingsError::SeveralServices { model, providers } => {
                let one = providers.first().map_or("", String::as_str);
                user.hint(format!("Say which, like `-m {one}/{model}`"))
            }
        }
    }
}

impl From<JobError> for UserError {
    fn from(error: JobError) -> UserError {
        match error {
            JobError::Source(error) => error.into(),
            JobError::NoQuestions { path } => {
                UserError::new(Exit::Usage, format!("`{}` has no questions", path.display()))
                    .cause("there is a header, or empty rows, and nothing else")
                    .hint("Write one question a line below the header `question`")
            }
            JobError::Prompt(error) => error.into(),
            JobError::Format(unknown) => UserError::new(
                Exit::Usage,
                format!("there is no format `{}`", one_line(&unknown.name)),
            )
            .cause(format!(
                "the formats are: {}",
                LIVE_FORMATS.iter().map(|f| f.name).collect::<Vec<_>>().join(", ")
            ))
            .hint("Name those you want: `--formats csv,json`"),
            JobError::Folder { path, error } => {
                let user = UserError::new(
                    Exit::Ours,
                    format!("cannot use the folder `{}`", path.display()),
                )
                .cause(io_cause(&error));
                // In another folder everything that was asked in this one would be bought again.
                match path.is_dir() {
                    true => user.hint("Mend that and run again"),
                    false => {
                        user.hint("Mend that and run again, or choose another folder with `-o DIR`")
                    }
                }
            }
            JobError::Lock(LockError::InUse(holder)) => {
                folder_in_use("another `dset run` is using this folder", holder).hint(format!(
                    "Wait for it to end; `{}` shows how far it is",
                    same_command_as("status", &[])
                ))
            }
            JobError::Lock(LockError::Io(error)) => {
                UserError::new(Exit::Ours, "cannot lock the folder")
                    .cause(io_cause(&error))
                    .hint(mend())
            }
            JobError::Store(error) => error.into(),
            JobError::Sink(SinkError::Store(error))
            | JobError::Adopt(LegacyImportError::Store(error)) => error.into(),
            JobError::Sink(error @ (SinkError::NotAFile { .. } | SinkError::Gone { .. })) => {
                UserError::new(Exit::Ours, "cannot write the outputs")
                    .cause(one_line(&error.to_string()))
                    .hint("Move it out of the way and run again, or leave it out with `--formats`")
            }
            JobError::Sink(SinkError::Io(error)) => {
                UserError::new(Exit::Ours, "cannot write the outputs")
                    .cause(io_cause(&error))
                    .hint("Every answer is safe in the store; run again once that is mended")
            }
            JobError::Adopt(LegacyImportError::Io(error)) => UserError::new(
                Exit::Ours,
                "cannot take over the outputs of the earlier script",
            )
            .cause(io_cause(&error))
            .hint("Copies are in the folder `.earlier` beside them; run again once that is mended"),
            JobError::SettingsChanged { changes, answers } => {
                let shown = changes.iter().map(|(name, was, is)| {
                    let short = |text: &str| crate::display::text::shortened(text, 60);
                    format!("{name} was `{}` and is `{}`", short(was), short(is))
                });
                let answers = match answers {
                    1 => "1 answer was".to_owned(),
                    count => format!("{count} answers were"),
                };
                UserError::new(Exit::Usage, format!("{answers} bought with other settings"))
                    .cause(shown.collect::<Vec<_>>().join("; "))
                    .hint(format!(
                        "Keep them and ask the rest with the new settings: `{} --continue`",
                        same_command()
                    ))
                    .hint(format!(
                        "Ask and pay for all of them again, moving the earlier outputs aside: \
                         `{} --again`",
                        same_command()
                    ))
            }
            JobError::Bookmark { path, folder, row, before, questions } => {
                let name = path.display();
                let run = same_command_as("run", &["from_start", "from_bookmark"]);
                let before = match before {
                    1 => "1 question".to_owned(),
                    before => format!("{before} questions"),
                };
                UserError::new(
                    Exit::Usage,
                    format!("row {row} of `{name}` says ERROR, and {before} before it may have answers or none"),
                )
                .cause(format!(
                    "`{}` has neither a store of dset nor outputs of the original script",
                    folder.display()
                ))
                .hint(format!("Ask all {questions}: `{run} --from-start`"))
                .hint(format!(
                    "Take the {before} before it as answered, though without a text: \
                     `{run} --from-bookmark`"
                ))
                .hint("Or put the folder with the answers beside the file, and run again")
            }
            error @ JobError::TooMany { .. } => UserError::new(Exit::Usage, error.to_string())
                .hint("Ask for fewer samples or models, or split the file"),
            JobError::NoKey => UserError::new(Exit::Key, "there is no key")
                .hint("Keep one: `dset keys set deepseek`, or begin with `dset init`"),
            JobError::InputChanged => {
                UserError::new(Exit::Usage, "the questions were changed while they were being read")
                    .hint("Try again once nobody writes the file")
            }
        }
    }
}

/// Returns the error of a folder that a run is using.
pub(crate) fn folder_in_use(message: &str, holder: Option<Holder>) -> UserError {
    let error = UserError::new(Exit::Locked, message);
    match holder {
        Some(holder) => {
            error.cause(format!("process {}, started at {}", holder.pid, clock(holder.started_at)))
        }
        None => error,
    }
}

impl From<SourceError> for UserError {
    fn from(error: SourceError) -> UserError {
        let user = UserError::new(Exit::Usage, one_line(&error.to_string()));
        match error {
            SourceError::Missing { path } if path.as_os_str() == "q.csv" => no_default(user, &path),
            SourceError::Missing { path } => user.hint(
                nearby(&path).unwrap_or_else(|| "Check the name and the working folder".into()),
            ),
            SourceError::NotAFile { is_folder: true, .. } => {
                user.cause("it is a folder").hint("Name a CSV file in it")
            }
            SourceError::NotAFile { .. } => user
                .cause("questions are read twice, and their rows marked: that takes a file")
                .hint("Write them into a file first, and name that"),
            SourceError::NoPermission { .. } => user.hint("Look at its owner with `ls -l`"),
            SourceError::Empty { .. } => {
                user.hint("Write one question a line below the header `question`")
            }
            SourceError::NoSuchColumn { column, found, .. } => {
                let found: Vec<String> = found.iter().map(|name| one_line(name)).collect();
                let near = meant(&column, found.iter().cloned()).map(|near| quoted(&near));
                user.cause(format!("the columns are: {}", found.join(", "))).hint(match near {
                    Some(near) => format!("Did you mean `--column {near}`?"),
                    None => "Name the one with the questions: `--column NAME`".to_owned(),
                })
            }
            SourceError::Suspicious { path, suspicion } => explain(user, &path, suspicion),
            SourceError::Records { path, error } => records(&path, error),
        }
    }
}

/// Returns the command that makes a CSV file of a file, and the one that asks that.
pub(crate) fn import_and_run(path: &Path) -> (String, String) {
    let ending = path.extension().unwrap_or_default();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let plain = format!("{stem}.csv");
    let names = [plain, format!("{stem}-utf8.csv"), format!("{stem}-2.csv")];
    let taken = usize::from(ending.eq_ignore_ascii_case("csv"));
    let mut paths = names[taken..].iter().map(|name| path.with_file_name(name));
    let to = paths.find(|path| !path.exists()).unwrap_or_else(|| "OUT.csv".into());
    let (from, to) = (quoted(&path.to_string_lossy()), quoted(&to.to_string_lossy()));
    let run = if to == "q.csv" { "dset run".to_owned() } else { format!("dset run {to}") };
    (format!("dset import {from} -o {to}"), run)
}

/// Says how a file becomes a CSV file that can be asked.
pub(crate) fn convert(path: &Path) -> String {
    let (import, run) = import_and_run(path);
    format!("Convert it with `{import}`, then run `{run}`")
}

fn records(path: &Path, error: RecordsError) -> UserError {
    let shown = path.display();
    match error {
        RecordsError::NotUtf8 { guess: Some(DetectedEncoding::Archive), .. }
        | RecordsError::Nul { guess: Some(DetectedEncoding::Archive), .. } => {
            UserError::new(Exit::Usage, format!("`{shown}` is not text"))
                .cause("it looks like a workbook, or another archive")
                .hint("Save it as CSV in UTF-8 in the program that it is of")
        }
        RecordsError::NotUtf8 { line, column, byte, near, .. } => match encoding_of(path) {
            Ok(name) => UserError::new(Exit::Usage, format!("`{shown}` is not UTF-8"))
                .cause(format!(
                    "line {line}, column {column}: byte 0x{byte:02X} (\"{}\"); the file looks like \
                     {name}",
                    one_line(&near)
                ))
                .hint(convert(path)),
            Err(error) => error.into(),
        },
        RecordsError::Shifted { .. } | RecordsError::Nul { guess: Some(_), .. } => {
            match encoding_of(path) {
                Ok(name) => UserError::new(Exit::Usage, format!("`{shown}` is not UTF-8"))
                    .cause(format!("the file looks like {name}"))
                    .hint(convert(path)),
                Err(error) => error.into(),
            }
        }
        RecordsError::Backslash { row, .. } => UserError::new(
            Exit::Usage,
            format!("`{shown}` has quotes with backslashes"),
        )
        .cause(format!(
            "row {row}: within quotes a quote is written \\\", as Spark and MySQL do, and not \
                     twice"
        ))
        .hint(convert(path)),
        RecordsError::StrayQuote { row, line, cell } => {
            UserError::new(Exit::Usage, format!("`{shown}` has a quote in the middle of a cell"))
                .cause(format!("row {row}, line {line}: {}", shortened(&one_line(&cell), 80)))
                .hint("Within quotes a quote is written twice; or take the outer quotes away")
        }
        RecordsError::Nul { line, column, guess: None } => {
            UserError::new(Exit::Usage, format!("`{shown}` is not text"))
                .cause(format!("line {line}, column {column}: a NUL byte"))
                .hint("Save it as CSV in UTF-8")
        }
        RecordsError::TooLarge { line } => {
            UserError::new(Exit::Usage, format!("`{shown}` has a row that does not end"))
                .cause(format!("the row that begins on line {line} is larger than 64 MiB"))
                .hint("Look for a quote that is never closed there")
        }
        RecordsError::Unclosed { line } => {
            UserError::new(Exit::Usage, format!("`{shown}` has a quote that is never closed"))
                .cause(format!("line {line}: everything behind its quote would be one cell"))
                .hint("Close it there, or take it away; within quotes a quote is written twice")
        }
        RecordsError::Io(error) => UserError::new(Exit::Usage, format!("cannot read `{shown}`"))
            .cause(io_cause(&error))
            .hint("Mend that, or name another file"),
    }
}

impl From<PromptError> for UserError {
    fn from(PromptError { role, error }: PromptError) -> UserError {
        let of = if role == Role::User { "the template" } else { "the system prompt" };
        let user = match error {
            TemplateError::Blank => UserError::new(Exit::Usage, format!("{of} is empty")),
            _ => UserError::new(Exit::Usage, format!("{of} cannot be used")),
        };
        let columns = |known: &[String]| {
            let known: Vec<_> = known.iter().map(|name| one_line(name)).collect();
            format!("There are: {}", known.join(", "))
        };
        match error {
            TemplateError::Undefined { name, known } => user
                .cause(format!("`{}` is not a column", one_line(&name)))
                .hint(columns(&known))
                .hint("A column with spaces is written `{{ row[\"Final grade\"] }}`")
                .hint(LITERAL_BRACES),
            TemplateError::Placeholder { line, text, column } => {
                let text = one_line(&text);
                let user = user.cause(format!(
                    "line {line}: `{text}` would be sent as it stands, in every row"
                ));
                let field = field(column.as_deref().unwrap_or("question"));
                user.hint(format!("A column is written between two braces: `{field}`"))
                    .hint(format!("If it is meant so: `{{% raw %}}{text}{{% endraw %}}`"))
            }
            TemplateError::NoField { known } => user
                .cause("no column stands in it, so that every row would ask the same")
                .hint("A column is written between two braces: `{{ question }}`")
                .hint(columns(&known)),
            TemplateError::Blank => user
                .cause("nothing would be sent")
                .hint("Leave it out to send the question alone, which is `{{ question }}`"),
            TemplateError::Row { .. } => user
                .cause(one_line(&error.to_string()))
                .hint("A column stands between two braces, as in `{{ question }}`"),
            TemplateError::Syntax { .. } | TemplateError::Braces { .. } => user
                .cause(one_line(&error.to_string()))
                .hint("A column stands between two braces, as in `{{ question }}`")
                .hint(LITERAL_BRACES),
        }
    }
}

/// For LaTeX and for the braces of other template languages.
const LITERAL_BRACES: &str =
    "Braces that are sent as they stand: `{% raw %}\\boxed{{}}{% endraw %}`, or `{{ '{{' }}`";

/// Writes a column as a template names it.
fn field(column: &str) -> String {
    let begins = column.starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '_');
    let is_name = begins && column.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
    match is_name {
        true => format!("{{{{ {column} }}}}"),
        false => format!("{{{{ row[\"{}\"] }}}}", one_line(column)),
    }
}

impl From<StoreError> for UserError {
    fn from(error: StoreError) -> UserError {
        let user = UserError::new(Exit::Ours, "cannot use the store `dset.db`");
        match error {
            StoreError::Newer { found, by } => {
                let by = by.map(|by| format!(", last written by dset {}", one_line(&by)));
                let cause = format!("it has version {found}{}", by.unwrap_or_default());
                UserError::new(Exit::Usage, "the store `dset.db` was written by a newer dset")
                    .cause(cause)
                    .hint(
                        "Update this dset with `cargo install --path crates/dset-cli` in its newest \
                         source: in another folder everything would be asked again",
                    )
            }
            StoreError::Foreign => UserError::new(Exit::Usage, "`dset.db` is not a store of dset")
                .cause("it is another program's, or its first page is damaged")
                .hint("Put a copy of it back, if it was a store")
                .hint("If nothing was asked here yet, use another folder with `-o DIR`"),
            StoreError::Damaged(detail) => {
                user.cause(one_line(&detail)).hint(COPY).hint(WITHOUT_STORE)
            }
            gone @ StoreError::Gone { .. } => user
                .cause(one_line(&gone.to_string()))
                .hint("Leave the folder alone while a run goes on, and run again"),
            long @ StoreError::PathTooLong(_) => user
                .cause(long.to_string())
                .hint("Move the folder to where its path is shorter, and everything in it"),
            StoreError::Busy => user
                .cause("another program has it locked")
                .hint("Close whatever has `dset.db` open and run again"),
            StoreError::Unreadable(detail) | StoreError::Failed(detail) => {
                user.cause(one_line(&detail)).hint(mend()).hint(COPY).hint(WITHOUT_STORE)
            }
            StoreError::Io(error) => user.cause(io_cause(&error)).hint(mend()),
        }
    }
}

fn mend() -> String {
    format!("Make room, or mend the disk or who may write there, then run `{}`", same_command())
}

fn io_cause(error: &std::io::Error) -> String {
    one_line(&error.to_string())
}
