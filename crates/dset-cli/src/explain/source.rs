//! Files of questions that cannot be read as they are.

use std::ffi::OsStr;
use std::path::Path;

use dset_core::csv::{DetectedEncoding, RecordsError, Suspicion, is_chat};
use dset_core::item::Place;
use dset_engine::source::bad_row::RowProblem;
use dset_engine::source::import::{Form, ImportError, check, encoding_of};
use dset_engine::source::{SourceError, is_packed, place_words};

use super::io_cause;
use crate::display::text::{count, one_line, quoted, same_command, shortened};
use crate::error::UserError;
use crate::exit::Exit;
use crate::file_suggestion::{import_and_run, nearby, no_default};
use crate::same_command::same_command_with;
use crate::spelling::meant;

/// What the disk says of the file that an error is about.
#[derive(Debug, Default)]
struct Diagnosis {
    /// A hint at the file that was probably meant.
    near: Option<String>,
    /// The command that makes a CSV file of it, and the one that asks that.
    import_and_run: (String, String),
    /// What is in it, where its name says that it is no CSV.
    form: Option<Form>,
    /// It is packed, which an import does not read.
    is_packed: bool,
    /// The encoding that it is in, where it is not UTF-8.
    encoding: &'static str,
}

impl Diagnosis {
    /// Says how the file becomes a CSV file that can be asked.
    fn convert(&self) -> String {
        let (import, run) = &self.import_and_run;
        if self.is_packed {
            return "Give it the ending of what it holds (`.jsonl.gz`, `.csv.gz`), or unpack it and ask that"
                .to_owned();
        }
        format!("Convert it with `{import}`, then run `{run}`")
    }
}

/// Explains why a file of questions cannot be read.
pub(crate) fn source(error: SourceError) -> UserError {
    match diagnose(&error) {
        Ok(diagnosis) => words(error, &diagnosis),
        Err(error) => super::import(error),
    }
}

/// Looks at the file again, for what the error does not say. Fails with what an import of it would
/// say.
fn diagnose(error: &SourceError) -> Result<Diagnosis, ImportError> {
    let mut diagnosis = Diagnosis::default();
    if let SourceError::Suspicious { path, .. } = error {
        diagnosis.is_packed = is_packed(path);
    }
    match error {
        SourceError::Missing { path } => diagnosis.near = nearby(path),
        SourceError::Suspicious { path, suspicion: Suspicion::NotCsv { ending } } => {
            let is_json = !matches!(ending.as_str(), "tsv" | "txt");
            diagnosis.form = (is_json && !diagnosis.is_packed).then(|| check(path)).transpose()?;
            diagnosis.import_and_run = import_and_run(path);
        }
        SourceError::Suspicious { path, .. } => diagnosis.import_and_run = import_and_run(path),
        SourceError::Records { path, error } => {
            if is_in_another_encoding(error) {
                diagnosis.encoding = encoding_of(path)?;
            }
            diagnosis.import_and_run = import_and_run(path);
        }
        _ => {}
    }
    Ok(diagnosis)
}

fn is_in_another_encoding(error: &RecordsError) -> bool {
    match error {
        RecordsError::NotUtf8 { guess, .. } => *guess != Some(DetectedEncoding::Archive),
        RecordsError::Nul { guess, .. } => {
            guess.is_some_and(|guess| guess != DetectedEncoding::Archive)
        }
        RecordsError::Shifted { .. } => true,
        _ => false,
    }
}

fn words(error: SourceError, diagnosis: &Diagnosis) -> UserError {
    let user = UserError::new(Exit::Usage, one_line(&error.to_string()));
    match error {
        SourceError::Job(error) => super::job_file(error),
        SourceError::Missing { path } if path.as_os_str() == "q.csv" => {
            no_default(user, diagnosis.near.clone())
        }
        SourceError::Missing { .. } => user.hint(
            diagnosis
                .near
                .clone()
                .unwrap_or_else(|| "Check the name and the working folder".into()),
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
        SourceError::Suspicious { path, suspicion } => form(&path, suspicion, user, diagnosis),
        SourceError::NoSuchColumn { column, found, .. } => {
            let found: Vec<String> = found.iter().map(|name| one_line(name)).collect();
            let near = meant(&column, found.iter().cloned()).map(|near| quoted(&near));
            user.cause(format!("the columns are: {}", found.join(", "))).hint(match near {
                Some(near) => format!("Did you mean `--column {near}`?"),
                None => "Name the one with the questions: `--column NAME`".to_owned(),
            })
        }
        SourceError::Records { path, error } => records(&path, error, diagnosis),
        SourceError::NoQuestionField { found, .. } => user
            .cause(format!("the fields are: {}", listed(&found)))
            .hint(format!("Name the one with the questions: `{} --column NAME`", same_command_with("column")))
            .hint("Or say in a template what is sent: `-t '{{ topic }}'`"),
        SourceError::TwoFields { first, second, .. } => user
            .cause(format!("without a template only `{}` would be sent", one_line(&first)))
            .hint(format!(
                "If that is meant: `{} --column {}`",
                same_command_with("column"),
                quoted(&one_line(&first))
            ))
            .hint(match is_chat(&second) {
                true => format!("To send the chat: `--column {}`", quoted(&one_line(&second))),
                false => format!(
                    "To send both: `-t '{{{{ {} }}}} {{{{ {} }}}}'`",
                    one_line(&first),
                    one_line(&second)
                ),
            }),
        SourceError::BadRow { path, place, problem } => bad_row(&path, place, &problem),
        SourceError::Unreadable { .. } => user
            .cause("nothing behind it can be read")
            .hint("Get the file again, or write it again, and run the same command"),
        SourceError::MixedKinds { .. } => user
            .cause("the files of one input are all of one kind")
            .hint("Name those that are meant by a pattern in quotes: `'data/*.jsonl'`"),
        SourceError::SavedToDisk { .. } => user
            .cause("its rows are in Arrow files, which are not read")
            .hint("Write it as Parquet: `datasets.load_from_disk(…).to_parquet(\"q.parquet\")`"),
        SourceError::NamedFileMissing { .. } => user
            .cause("the rows in it would not be asked")
            .hint("Get the file as well, or take it out of the front matter of the README.md"),
        SourceError::UnreadPart { .. } => user
            .cause("files with questions end in .csv, .tsv, .jsonl, .json, .parquet or .txt, also with .gz or .zst")
            .hint("Write it in one of these forms, or move it elsewhere")
            .hint("Or name the files that are meant by a pattern in quotes: `'data/*.jsonl'`"),
        SourceError::LfsPointer { path } => user
            .cause("the repository was cloned without its large files")
            .hint(format!(
                "Get them: `git -C {} lfs pull`",
                quoted(&one_line(&folder_of(&path).display().to_string()))
            )),
        SourceError::NoFiles { .. } => user
            .cause("files with questions end in .csv, .tsv, .jsonl, .json, .parquet or .txt, also with .gz or .zst")
            .hint("Check the name and the working folder"),
        SourceError::WhichPart { what, given, found, .. } => {
            let flag = if what == "splits" { "--split" } else { "--config" };
            let cause = match given {
                Some(_) if found.is_empty() => format!("no name of a file or a folder tells of {what}"),
                Some(given) => format!("there is no `{}` among them", one_line(&given)),
                None => "which of them is meant is not said".to_owned(),
            };
            let first = found.first().map_or("NAME".to_owned(), |name| quoted(&one_line(name)));
            user.cause(cause).hint(format!(
                "Name one: `{} {flag} {first}`",
                same_command_with(flag.trim_start_matches('-'))
            ))
        }
        SourceError::OfNoUse { setting, .. } => user
            .cause(match setting {
                "split-on" => "it says what stands between the questions of a text",
                _ => "it chooses a part of a dataset, which is a folder",
            })
            .hint("Leave it out"),
        SourceError::Card { .. } => user.hint("Mend the front matter of its README.md, or name the files"),
        SourceError::Condition { .. } => user
            .hint("It is an expression over the columns, like `--where \"level > 2 and topic == 'art'\"`"),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| one_line(name)).collect::<Vec<_>>().join(", ")
}

/// Explains why a row cannot be asked.
fn bad_row(path: &Path, place: Place, problem: &RowProblem) -> UserError {
    let place = place_words(place);
    let user = UserError::new(
        Exit::Usage,
        format!("`{}` has a row that cannot be asked", one_line(&path.display().to_string())),
    );
    let user = user.cause(format!("{place}: {}", shortened(&one_line(&problem.to_string()), 200)));
    let user = match problem {
        RowProblem::EndsWithAssistant => user
            .hint(format!(
                "To leave out such answers and ask anew: `{} --last drop`",
                same_command_with("last")
            ))
            .hint("To have the model go on with them, where the service can: `--last continue`"),
        RowProblem::Setting { value, setter, .. } => user
            .hint(setting(setter, value))
            .hint("Take it out of the lines where it is not wanted"),
        RowProblem::Param { .. } => user.hint("Take it out of the lines"),
        RowProblem::NoField { field } if field.ends_with(".messages") => user.hint(
            "Lines of a batch are asked by the `messages` of chat completions: write the text as one \
             turn of the user",
        ),
        RowProblem::Beside { .. } => user.hint(
            "Say in a template what is sent, or name the column that is enough: `--column NAME`",
        ),
        RowProblem::NotUtf8 => {
            let (import, run) = import_and_run(path);
            user.hint(format!("Convert it with `{import}`, then run `{run}`"))
        }
        RowProblem::TooLarge(_) => user.hint("Look for what is missing at its end"),
        _ => user.hint("Mend the row"),
    };
    let cannot_be_left_out = matches!(problem, RowProblem::TooLarge(_));
    if cannot_be_left_out || same_command().contains("--on-bad-row skip") {
        return user;
    }
    user.hint(format!(
        "To ask the other rows, and count and name such ones: `{} --on-bad-row skip`",
        same_command_with("on_bad_row")
    ))
}

/// Says how what a row says for itself is said for all rows.
fn setting(setter: &str, value: &str) -> String {
    match setter {
        "--max-tokens" | "--temperature" | "--reasoning-effort" | "--samples" => format!(
            "If it is the same in all rows: `{} {setter} {value}`",
            same_command_with(&setter.trim_start_matches('-').replace('-', "_"))
        ),
        "--schema" => {
            "If all answers are to be JSON of one kind, write its JSON Schema into a file: \
                       `--schema FILE`"
                .to_owned()
        }
        _ => match setter.strip_prefix("--param ") {
            Some(name) => format!(
                "If it is the same in all rows: `{} --param {}`",
                same_command(),
                quoted(&format!("{name}{value}"))
            ),
            None => format!("If it is the same in all rows, say it by {setter}"),
        },
    }
}

/// Explains why a file is taken for something else than CSV.
fn form(path: &Path, suspicion: Suspicion, user: UserError, diagnosis: &Diagnosis) -> UserError {
    match suspicion {
        Suspicion::Separated { by } => UserError::new(
            Exit::Usage,
            format!("`{}` is separated by {}, not by commas", path.display(), delimiter_name(by)),
        )
        .hint(diagnosis.convert()),
        Suspicion::SeparatorLine { by } => user
            .cause(format!("it says that columns are separated by {}", delimiter_name(by)))
            .hint(diagnosis.convert()),
        Suspicion::NotCsv { ending } => {
            let holds = match (ending.as_str(), diagnosis.form) {
                ("tsv", _) => "columns separated by tabs",
                ("txt", _) => "plain text",
                (_, Some(Form::JsonArray)) => "a JSON array",
                _ if diagnosis.is_packed => "JSON",
                _ => "JSON lines",
            };
            UserError::new(Exit::Usage, format!("`{}` holds {holds}, not CSV", path.display()))
                .hint(diagnosis.convert())
        }
        suspicion => column(suspicion, user, diagnosis),
    }
}

/// Explains why it is not sure which column has the questions, or what stands in it.
fn column(suspicion: Suspicion, user: UserError, diagnosis: &Diagnosis) -> UserError {
    match suspicion {
        Suspicion::UnquotedComma { before, behind, column, .. } => user
            .cause(format!(
                "what is asked would be `{}`, without `,{}`",
                shortened(&before, 60),
                shortened(&behind, 60)
            ))
            .hint(diagnosis.convert())
            .hint(format!(
                "Or put quotes around it, or name every column in the header, or ask what \
                 stands before commas: `{} --column {column}`",
                same_command()
            )),
        Suspicion::TextOrCsv => user
            .cause("its name says nothing, and its first line has a comma and no name of a column")
            .hint("If each line is a question: keep it as `q.txt` and name that")
            .hint(format!(
                "If it is CSV: keep it as `q.csv`, or name its column, `{} --column 1`",
                same_command_with("column")
            )),
        Suspicion::WhichColumn { doubt } => {
            let (first, likelier) = (one_line(&doubt.first), one_line(&doubt.likelier));
            let found: Vec<String> = doubt.found.iter().map(|name| one_line(name)).collect();
            user.cause(format!(
                "the columns are: {}; the first holds numbers, and `{likelier}` holds sentences",
                found.join(", ")
            ))
            .hint(format!(
                "Ask those: `{} --column {}`",
                same_command_with("column"),
                quoted(&likelier)
            ))
            .hint(format!(
                "Ask the first: `{} --column {}`",
                same_command_with("column"),
                quoted(&first)
            ))
        }
        Suspicion::TwoColumns { first, second, rows } => {
            let has = if rows == 1 {
                "1 row has".to_owned()
            } else {
                format!("{} rows have", count(rows))
            };
            let (first, second) = (quoted(&one_line(&first)), quoted(&one_line(&second)));
            let again = same_command();
            user.cause(format!("{has} text in `{second}`, and it would not be asked"))
                .hint(format!(
                    "Ask both: `{again} --template '{{{{ {first} }}}} {{{{ {second} }}}}'`"
                ))
                .hint(format!("Ask the first: `{again} --column {first}`"))
                .hint(format!("Ask the second: `{again} --column {second}`"))
        }
        _ => user,
    }
}

/// Names a sign between columns.
pub(crate) fn delimiter_name(by: u8) -> &'static str {
    match by {
        b';' => "semicolons",
        b'\t' => "tabs",
        b'|' => "bars",
        b',' => "commas",
        _ => "another sign",
    }
}

/// Says what a file is that is no text, by its name.
pub(super) fn archive(user: UserError, path: &Path) -> UserError {
    let name = path.to_string_lossy();
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "parquet" => user
            .cause("it is Parquet, which needs no import")
            .hint(format!("Ask it as it is: `dset run {}`", quoted(&name))),
        "arrow" | "feather" | "ipc" => {
            let to = path.with_extension("parquet");
            let to = to.file_name().unwrap_or_default().to_string_lossy();
            user.cause("it is a file of Arrow, which is not read; Parquet is").hint(format!(
                "Make Parquet of it, in Python: `pyarrow.parquet.write_table(\
                 pyarrow.feather.read_table(…), '{}')`",
                one_line(&to)
            ))
        }
        _ => match unpacking(&name) {
            Some(command) => user
                .cause("it is packed in a way that is not read; .gz and .zst are")
                .hint(format!("Unpack it: `{command} {}`", quoted(&name))),
            None => user
                .cause("it looks like a workbook, or another archive")
                .hint("Save it as CSV in UTF-8 in the program that it is of"),
        },
    }
}

/// The command that unpacks a file of this name, where the name tells how it is packed.
fn unpacking(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    [
        (".tar", "tar -xf"),
        (".tgz", "tar -xf"),
        (".bz2", "bunzip2 -k"),
        (".xz", "xz -dk"),
        (".zip", "unzip"),
    ]
    .into_iter()
    .find(|(ending, _)| name.contains(ending))
    .map(|(_, command)| command)
}

fn records(path: &Path, error: RecordsError, diagnosis: &Diagnosis) -> UserError {
    let shown = path.display();
    match error {
        RecordsError::NotUtf8 { guess: Some(DetectedEncoding::Archive), .. }
        | RecordsError::Nul { guess: Some(DetectedEncoding::Archive), .. } => {
            archive(UserError::new(Exit::Usage, format!("`{shown}` is not text")), path)
        }
        RecordsError::NotUtf8 { line, column, byte, near, .. } => not_utf8(
            path,
            format!(
                "line {line}, column {column}: byte 0x{byte:02X} (\"{}\"); the file looks like {}",
                one_line(&near),
                diagnosis.encoding
            ),
            diagnosis,
        ),
        RecordsError::Shifted { .. } | RecordsError::Nul { guess: Some(_), .. } => {
            not_utf8(path, format!("the file looks like {}", diagnosis.encoding), diagnosis)
        }
        RecordsError::Backslash { row, .. } => UserError::new(
            Exit::Usage,
            format!("`{shown}` has quotes with backslashes"),
        )
        .cause(format!(
            "row {row}: within quotes a quote is written \\\", as Spark and MySQL do, and not \
                     twice"
        ))
        .hint(diagnosis.convert()),
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

fn not_utf8(path: &Path, cause: String, diagnosis: &Diagnosis) -> UserError {
    UserError::new(Exit::Usage, format!("`{}` is not UTF-8", path.display()))
        .cause(cause)
        .hint(diagnosis.convert())
}
