//! `dset help`: of a command what its `--help` says, and a few topics that no command has.

use clap::Args;
use dset_engine::output::live::LIVE_FORMATS;

use crate::cli::command_line;
use crate::display::page::Page;
use crate::display::stdout;
use crate::error::UserError;
use crate::exit::Exit;
use crate::help;
use crate::setting::ticked;
use crate::spelling::meant;

#[derive(Debug, Args)]
#[command(after_help = "Topics:
  exit-codes   what each exit code says, and what to do then
  resume       what a run does after whatever stopped it
  files        which files dset reads and writes
  checks       what answers can be held against, and how it is said

Exit codes: 0 told, 2 no such command or topic.

Examples:
  dset help run
  dset help exit-codes")]
pub(crate) struct HelpArgs {
    /// Command, or topic
    #[arg(value_name = "COMMAND|TOPIC")]
    words: Vec<String>,
}

pub(super) const TOPICS: [&str; 4] = ["exit-codes", "resume", "files", "checks"];

/// Returns what is said of a topic.
fn topic(name: &str) -> Option<String> {
    match name {
        "exit-codes" => Some(exit_codes()),
        "resume" => Some(RESUME.to_owned()),
        "files" => Some(files()),
        "checks" => Some(CHECKS.to_owned()),
        _ => None,
    }
}

const RESUME: &str = "\
What a run does after whatever stopped it

The same command goes on: `dset run`. It compares the questions with the
store, and asks those that have no answer yet.

  you                                 and the next run
  pressed Ctrl-C                      asks the rest
  killed it, or the power failed      asks the rest, and what was on its way
  added or changed rows               asks those
  deleted or moved rows               asks nothing
  deleted an output                   writes it again, from the store
  changed the model or the template   wants --continue or --again
  changed -c or --base-url            goes on

A row that says ERROR is asked again. `dset status` tells what is left, and
`dset verify` whether store, outputs and marks agree. Nothing that was paid
for is lost, bought twice or written twice.

To ask everything again and keep the earlier outputs: `dset run --again`.
";

const CHECKS: &str = "\
What answers can be held against

  in dset.toml a table, and for one run a flag
  [[check]]                            --check lacks='as an AI'
  name = \"lacks\"
  pattern = \"as an AI\"
  on-fail = \"retry\"

  equals       column, or template; as = auto, text, number, set or choice;
               --gold COLUMN is this with as = auto
  matches      pattern, a regular expression that must be found
  lacks        pattern, one that must not
  length       min, max, unit = characters, words or lines
  language     language, as in de, or script
  no-refusal   not one of the ways to say that it cannot be answered
  no-repeat    no loop
  whole        not cut by the token limit; held against every answer, in a run
               without checks too; asked again only where on-fail says it here
  schema       the JSON Schema of --schema; named for its on-fail alone, which
               is retry
  command      command = [\"./judge.py\"], seconds = 10: a program that reads a
               line of JSON a row and answers {\"ok\": true} or
               {\"ok\": false, \"why\": \"...\"}

  on           the place in a JSON answer that is judged, from its root: label
               in {\"label\": \"yes\"}, steps.0.text, or /steps/0/text
  on-fail      retry asks again, up to --tries, and shows the model its answer
               and the reasons; mark marks the row ERROR (the default); keep
               keeps the answer with the verdict

Every answer that came whole is kept, whatever is thought of it: `dset check`
reads all of them again, free, and `dset show N` has each try.
";

fn files() -> String {
    let outputs = LIVE_FORMATS.iter();
    let outputs = outputs.map(|format| format!("  {:<15} {}\n", format.file, format.about));
    FILES.replace("{outputs}", &outputs.collect::<String>())
}

const FILES: &str = "\
Which files dset reads and writes

  q.csv           the questions; only cells of `status` are ever changed
  .env            keys, and DSET_ variables
  dset.toml       settings of this folder; those of yours for all folders
                  are in ~/.config/dset/config.toml

and in dset_generator/

{outputs}  dset.db         the store, from which the others can be made again
  README.md       which of these is the data, also for loaders of datasets
  .earlier/       what was moved out of the way; nothing is deleted

`dset run other.csv -o other` reads and writes elsewhere. Questions in another
form become a CSV file by `dset import`. A key is in .env and in your keys file
(`dset keys path`), where you put it there, and in no other file that dset
writes.
";

pub(super) fn run(args: &HelpArgs) -> Result<Exit, UserError> {
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    if let [word] = words.as_slice()
        && let Some(text) = topic(word)
    {
        tell(&text);
        return Ok(Exit::Done);
    }
    let root = command_line();
    let mut at = &root;
    for (before, word) in words.iter().enumerate() {
        let names = at.get_subcommands().map(|command| command.get_name().to_owned());
        let topics = TOPICS.iter().filter(|_| before == 0).map(|topic| (*topic).to_owned());
        let near = meant(word, names.chain(topics));
        let near = near.map(|near| [&words[..before], &[&*near]].concat().join(" "));
        at = at.find_subcommand(word).ok_or_else(|| {
            let error =
                UserError::new(Exit::Usage, format!("there is no help for {}", ticked(word)));
            match near {
                Some(near) => error.hint(format!("Did you mean `dset help {near}`?")),
                None => error.hint("`dset --help` lists the commands, `dset help help` the topics"),
            }
        })?;
    }
    let asked: Vec<String> = words.into_iter().chain(["--help"]).map(str::to_owned).collect();
    stdout::write_styled(&help::text(&root, &asked));
    Ok(Exit::Done)
}

/// Writes a topic; on a narrow terminal a line of a table goes on below its last column.
fn tell(text: &str) {
    let page = Page::open();
    for line in text.lines() {
        let column = line.trim_start().rfind("  ").filter(|_| line.starts_with(' '));
        let indent = line.len() - line.trim_start().len() + column.map_or(0, |at| at + 2);
        page.line(anstyle::Style::new(), "", line, indent);
    }
}

/// The table of exit codes, of which `docs/exit-codes.md` has a copy.
fn exit_codes() -> String {
    let mut text = "What the exit codes say\n\n".to_owned();
    for exit in Exit::ALL {
        text += &format!("{:>5}  {}\n", exit as u8, exit.meaning());
        if let Some(next) = exit.next() {
            text += &format!("       {next}\n");
        }
    }
    text + "\nAny other code is a failure, too.\n"
}
