//! What is wrong with a command line, in our words: the parser's own are an essay.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use dset_engine::store::Store;

use crate::cli::command_line;
use crate::display::text::{arguments, one_line, quoted};
use crate::error::UserError;
use crate::exit::Exit;
use crate::file_suggestion::may_hold_questions;
use crate::help;
use crate::setting::{Setting, ticked};

/// Says why there is no command to run: help was asked for, or something is wrong.
pub(crate) fn print_usage_error(error: &clap::Error) -> ExitCode {
    match error.kind() {
        // Nobody is there to hear that the stream is closed.
        ErrorKind::DisplayVersion => {
            let _ = error.print();
            Exit::Done.into()
        }
        ErrorKind::DisplayHelp => {
            let _ = anstream::stdout().write_all(help::text(&arguments()).as_bytes());
            Exit::Done.into()
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = anstream::stderr().write_all(help::text(&arguments()).as_bytes());
            Exit::Usage.into()
        }
        _ => {
            let words = arguments();
            let error = error_of(error, &command_of(&words));
            error.print();
            error.exit.into()
        }
    }
}

/// Returns the command that was meant, as far as its words are commands: `dset config set`.
fn command_of(words: &[String]) -> String {
    let (root, mut path) = (command_line(), "dset".to_owned());
    let mut at: &Command = &root;
    for word in words {
        let Some(next) = at.find_subcommand(word) else { break };
        at = next;
        path += &format!(" {word}");
    }
    path
}

/// Returns the command that was given as another one, with the flags that both have, and without
/// those named: a hint must not lead to another run than the one that was meant.
pub(crate) fn same_command_as(name: &str, without: &[&str]) -> String {
    given_as(&arguments(), name, without)
}

/// Returns the command that was given, where it has this argument and without it, and else that of a
/// run.
pub(crate) fn same_command_with(argument: &str) -> String {
    let (words, root) = (arguments(), command_line());
    let given = words.first().and_then(|word| root.find_subcommand(word));
    let has = given.is_some_and(|given| given.get_arguments().any(|arg| arg.get_id() == argument));
    match (has, words.first()) {
        (true, Some(name)) => given_as(&words, name, &[argument]),
        _ => "dset run".to_owned(),
    }
}

fn given_as(words: &[String], name: &str, without: &[&str]) -> String {
    let root = command_line();
    let mut command = format!("dset {name}");
    let (Some(given), Some(other)) =
        (words.first().and_then(|word| root.find_subcommand(word)), root.find_subcommand(name))
    else {
        return command;
    };
    let is_of_both = |arg: &Arg| {
        let id = arg.get_id();
        !without.contains(&id.as_str()) && other.get_arguments().any(|arg| arg.get_id() == id)
    };
    let mut say = |word: &str| command += &format!(" {}", quoted(word));
    let mut words = words[1..].iter();
    while let Some(word) = words.next() {
        let arg = given.get_arguments().find(|arg| is_flag(word, arg));
        // `-vn 5` is several flags, and which of them are kept is not worth the words.
        if arg.is_some_and(|arg| !needs_value(arg)) && is_cluster(word) {
            let last = word.chars().last();
            let ends = given.get_arguments().find(|arg| arg.get_short() == last);
            if ends.is_some_and(needs_value) {
                words.next();
            }
            continue;
        }
        let is_kept = arg.is_none_or(is_of_both);
        if is_kept {
            say(word);
        }
        // `-m x`, but not `-mx`, nor `--model=x`.
        let is_bare = word.len() == 2 || word.starts_with("--") && !word.contains('=');
        if arg.is_some_and(needs_value) && is_bare {
            words.next().filter(|_| is_kept).into_iter().for_each(|value| say(value));
        }
    }
    command
}

fn is_cluster(word: &str) -> bool {
    word.len() > 2 && word.starts_with('-') && !word.starts_with("--")
}

fn is_flag(word: &str, arg: &Arg) -> bool {
    match word.strip_prefix("--") {
        Some(long) => long.split('=').next() == arg.get_long(),
        None => word
            .strip_prefix('-')
            .and_then(|short| short.chars().next())
            .is_some_and(|short| arg.get_short() == Some(short)),
    }
}

fn needs_value(arg: &Arg) -> bool {
    let least = arg.get_num_args().map_or(1, |count| count.min_values());
    arg.get_action().takes_values() && least > 0
}

/// Says a bound as people do.
fn in_words(cause: &str) -> String {
    match cause.split_once(" is not in ").map(|(given, range)| (given, range.split_once(".."))) {
        Some((given, Some((from, to)))) if to == u64::MAX.to_string() => {
            format!("{given} is not {from} or more")
        }
        _ if cause == "invalid digit found in string" => "it is no whole number".to_owned(),
        _ => cause.to_owned(),
    }
}

/// Finds a command by all its words: `dset config set`.
fn find<'a>(root: &'a Command, command: &str) -> Option<&'a Command> {
    command.split(' ').skip(1).try_fold(root, |at, name| at.find_subcommand(name))
}

/// Says what to do with a file of questions, or a folder of outputs, that stands where the command
/// belongs.
fn of_a_path(given: &str, command: &str) -> Option<String> {
    if command != "dset" {
        return None;
    }
    let path = Path::new(given);
    if Store::exists(path) {
        return Some(format!("See how far the run in it is: `dset status -o {}`", quoted(given)));
    }
    if !may_hold_questions(path) {
        return None;
    }
    // With flags it would be another run without them; they are not repeated, because one may be a
    // key.
    Some(match arguments().len() {
        1 => format!("Ask the questions in it with `dset run {}`", quoted(given)),
        _ => format!("The command comes first: `dset run {} …`", quoted(given)),
    })
}

fn error_of(error: &clap::Error, command: &str) -> UserError {
    let of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let one = |kind| of(kind).into_iter().next().unwrap_or_default();
    // `--retries <N>`, `--model=x`: the name alone; what follows may be a key.
    let name = |text: &str| one_line(text.split([' ', '=']).next().unwrap_or_default());
    let argument = name(&one(ContextKind::InvalidArg));
    let see = format!("`{command} --help` lists what there is");
    let wrong = |message: String| UserError::new(Exit::Usage, message);
    let meant = |error: UserError, meant: Option<String>| match meant {
        Some(meant) => error.hint(format!("Did you mean `{meant}`?")).hint(&see),
        None => error.hint(&see),
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let given = one(ContextKind::InvalidSubcommand);
            let error = wrong(format!("there is no command {}", ticked(&given)));
            if let Some(hint) = of_a_path(&given, command) {
                return error.hint(hint).hint(see);
            }
            let root = command_line();
            let names = find(&root, command).into_iter().flat_map(Command::get_subcommands);
            let near = crate::setting::meant(&given, names.map(|own| own.get_name().to_owned()));
            let near = near.map(|near| format!("{command} {near}"));
            meant(error, near)
        }
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            let root = command_line();
            let of = |at: &Command| -> Vec<String> {
                at.get_arguments().filter_map(Arg::get_long).map(str::to_owned).collect()
            };
            let flags = find(&root, command).map(of).unwrap_or_default();
            let near = argument
                .strip_prefix("--")
                .and_then(|given| crate::setting::meant(given, flags))
                .map(|near| format!("--{near}"));
            meant(wrong(format!("`{command}` has no `{argument}`")), near)
        }
        ErrorKind::UnknownArgument => meant(
            wrong(format!("`{command}` has no use for {}", ticked(&one(ContextKind::InvalidArg)))),
            None,
        ),
        ErrorKind::InvalidValue if one(ContextKind::InvalidValue).is_empty() => {
            let takes = of(ContextKind::ValidValue).join("`, `");
            let error = wrong(format!("`{argument}` needs a value"));
            let error =
                if takes.is_empty() { error } else { error.cause(format!("it takes `{takes}`")) };
            error.hint(see)
        }
        ErrorKind::InvalidValue => {
            let takes = of(ContextKind::ValidValue).join("`, `");
            let given = ticked(&one(ContextKind::InvalidValue));
            let near =
                crate::setting::meant(&one(ContextKind::InvalidValue), of(ContextKind::ValidValue));
            // What has no flag is said by its value alone.
            let near = near.map(|near| match argument.starts_with('-') {
                true => format!("{argument} {near}"),
                false => near,
            });
            let error = wrong(format!("`{argument}` cannot be {given}"));
            meant(error.cause(format!("it takes `{takes}`")), near)
        }
        ErrorKind::ValueValidation => {
            let given = one(ContextKind::InvalidValue);
            let setting = Setting::named(argument.trim_start_matches('-'));
            if let Some(Err(fault)) = setting.map(|setting| setting.read(&given)) {
                return fault.at("", &argument, &ticked(&given));
            }
            let source = std::error::Error::source(error).map(ToString::to_string);
            wrong(format!("`{argument}` cannot be {}", ticked(&given)))
                .cause(in_words(&one_line(&source.unwrap_or_default())))
                .hint(see)
        }
        ErrorKind::ArgumentConflict => {
            let other = name(&one(ContextKind::PriorArg));
            let error = match other == argument || other.is_empty() {
                true => wrong(format!("`{argument}` is given twice")),
                false => wrong(format!("`{argument}` and `{other}` cannot both be given")),
            };
            error.hint("Give one of them").hint(see)
        }
        ErrorKind::MissingRequiredArgument => {
            let lacking: Vec<String> = of(ContextKind::InvalidArg);
            let lacking =
                lacking.iter().map(|text| one_line(text)).collect::<Vec<_>>().join("`, `");
            wrong(format!("`{command}` needs `{lacking}`")).hint(see)
        }
        ErrorKind::MissingSubcommand => wrong(format!("`{command}` needs a command")).hint(see),
        _ => {
            // Seldom, and then in the parser's own words: the first line says it.
            let text = error.render().to_string();
            let line = text.lines().next().unwrap_or_default();
            wrong(one_line(line.trim_start_matches("error: "))).hint(see)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str]) -> UserError {
        let all = ["dset"].iter().chain(words);
        let error = crate::cli::read(all).unwrap_err();
        error_of(&error, &command_of(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()))
    }

    #[test]
    fn what_is_wrong_with_a_command_line_is_said_with_what_was_meant() {
        for (words, message, hint) in [
            (&["rnu"][..], "there is no command `rnu`", "Did you mean `dset run`?"),
            (&["stauts"][..], "there is no command `stauts`", "Did you mean `dset status`?"),
            (&["run", "--modle", "x"], "`dset run` has no `--modle`", "Did you mean `--model`?"),
            (
                &["run", "--max-cost", "2"],
                "`dset run` has no `--max-cost`",
                "`dset run --help` lists what there is",
            ),
            (
                &["questions.csv"],
                "there is no command `questions.csv`",
                "The command comes first: `dset run questions.csv …`",
            ),
            (
                &["run", "--log-format", "jason"],
                "`--log-format` cannot be `jason`",
                "Did you mean `--log-format json`?",
            ),
            (
                &["run", "--on-error", "stop"],
                "`--on-error` cannot be `stop`",
                "`dset run --help` lists what there is",
            ),
            (
                &["config", "set", "--usr"],
                "`dset config set` has no `--usr`",
                "Did you mean `--user`?",
            ),
            (
                &["run", "--reasoning", "onn"],
                "`--reasoning` cannot be `onn`",
                "Did you mean `--reasoning on`?",
            ),
            (&["completions", "bsh"], "`<SHELL>` cannot be `bsh`", "Did you mean `bash`?"),
            (
                &["run", "--retries", "many"],
                "`--retries` cannot be `many`",
                "`dset config reference` says what every setting takes",
            ),
            (
                &["run", "--continue", "--again"],
                "`--continue` and `--again` cannot both be given",
                "Give one of them",
            ),
            (
                &["config", "set", "model"],
                "`dset config set` needs `<VALUE>`",
                "`dset config set --help` lists what there is",
            ),
            (
                &["run", "a.csv", "b.csv"],
                "`dset run` has no use for `b.csv`",
                "`dset run --help` lists what there is",
            ),
        ] {
            let error = said(words);
            assert_eq!((error.message.as_str(), error.hints[0].as_str()), (message, hint));
        }
    }

    #[test]
    fn a_command_is_given_again_as_another_with_the_flags_that_both_have() {
        for (given, name, without, command) in [
            (
                "run other.csv -n 5 --again -m openai/gpt-6-luna --key=K -c8 --from-start",
                "doctor",
                &[][..],
                "dset doctor other.csv -m openai/gpt-6-luna --key=K -c8",
            ),
            ("run --limit=5 -n3 --continue -v", "doctor", &[], "dset doctor -v"),
            ("run -vn 5 -m x -qv", "doctor", &[], "dset doctor -m x"),
            ("doctor --offline --base-url URL", "run", &[], "dset run --base-url URL"),
            ("doctor other.csv -o far -m x", "status", &[], "dset status other.csv -o far"),
            ("import a.jsonl --column nope", "import", &["column"], "dset import a.jsonl"),
            ("demo", "doctor", &[], "dset doctor"),
        ] {
            let words: Vec<String> = given.split(' ').map(str::to_owned).collect();
            assert_eq!(given_as(&words, name, without), command);
        }
    }

    #[test]
    fn what_follows_an_unknown_flag_is_not_shown() {
        for words in
            [&["run", "--api-key=sk-0123456789"][..], &["run", "--api-key", "sk-0123456789"]]
        {
            let error = said(words);
            assert!(!format!("{error:?}").contains("0123"), "{error:?}");
        }
    }
}
