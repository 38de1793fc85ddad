//! What is wrong with a command line, in our words: the parser's own are an essay.

use std::io::Write as _;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use dset_engine::store::Store;

use crate::display::stdout;
use crate::display::text::{arguments, one_line, quoted};
use crate::error::UserError;
use crate::exit::Exit;
use crate::file_suggestion::may_hold_questions;
use crate::help;
use crate::prompt::may_be_a_key;
use crate::setting::{Setting, ticked};

/// Says why there is no command to run: help was asked for, or something is wrong.
pub(crate) fn print_usage_error(grammar: &Command, error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayVersion => {
            stdout::note(error.print());
            Exit::Done
        }
        ErrorKind::DisplayHelp => {
            stdout::write_styled(&help::text(grammar, &arguments()));
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = anstream::stderr().write_all(help::text(grammar, &arguments()).as_bytes());
            Exit::Usage
        }
        _ => {
            let words = arguments();
            let error = error_of(grammar, error, &command_of(grammar, &words));
            error.print();
            error.exit
        }
    }
}

/// Returns the command that was meant, as far as its words are commands: `dset config set`.
fn command_of(grammar: &Command, words: &[String]) -> String {
    let mut path = "dset".to_owned();
    let mut at = grammar;
    for word in words {
        let Some(next) = at.find_subcommand(word) else { break };
        at = next;
        path += &format!(" {word}");
    }
    path
}

/// Says a bound as people do.
fn in_words(cause: &str) -> String {
    match cause.split_once(" is not in ").map(|(given, range)| (given, range.split_once(".."))) {
        Some((given, Some((from, to)))) if to == u64::MAX.to_string() => {
            format!("{given} is not {from} or more")
        }
        Some((_, Some((from, to)))) => {
            format!("it takes a number from {from} to {}", to.trim_start_matches('='))
        }
        _ if cause == "invalid digit found in string" => "it is no whole number".to_owned(),
        _ => cause.to_owned(),
    }
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

/// What the parser found wrong, and with which command.
struct Mistake<'a> {
    grammar: &'a Command,
    error: &'a clap::Error,
    /// `dset config set`.
    command: &'a str,
}

/// Explains what is wrong with the words of a command.
pub(crate) fn error_of(grammar: &Command, error: &clap::Error, command: &str) -> UserError {
    Mistake { grammar, error, command }.explained()
}

/// Returns the name alone of `--retries <N>`, `--json[=<BOOL>]` or `--model=x`; what follows may be a key.
fn name(text: &str) -> String {
    let name = text.split([' ', '=']).next().unwrap_or_default();
    one_line(name.strip_suffix('[').unwrap_or(name))
}

fn wrong(message: String) -> UserError {
    UserError::new(Exit::Usage, message)
}

impl Mistake<'_> {
    fn explained(&self) -> UserError {
        let (command, argument) = (self.command, self.argument());
        match self.error.kind() {
            ErrorKind::InvalidSubcommand => self.no_such_command(),
            ErrorKind::UnknownArgument if argument.starts_with('-') => self.no_such_flag(&argument),
            ErrorKind::UnknownArgument => {
                let given = self.one(ContextKind::InvalidArg);
                let given = match may_be_a_key(&given) {
                    true => "what looks like a key".to_owned(),
                    false => ticked(&given),
                };
                self.meant(wrong(format!("`{command}` has no use for {given}")), None)
            }
            ErrorKind::InvalidValue => self.value_not_taken(&argument),
            ErrorKind::ValueValidation => self.value_unusable(&argument),
            ErrorKind::ArgumentConflict => {
                let other = name(&self.one(ContextKind::PriorArg));
                let error = match other == argument || other.is_empty() {
                    true => wrong(format!("`{argument}` is given twice")),
                    false => wrong(format!("`{argument}` and `{other}` cannot both be given")),
                };
                error.hint("Give one of them").hint(self.see())
            }
            ErrorKind::MissingRequiredArgument => {
                let lacking = self.all(ContextKind::InvalidArg);
                let lacking: Vec<String> = lacking.iter().map(|text| one_line(text)).collect();
                wrong(format!("`{command}` needs `{}`", lacking.join("`, `"))).hint(self.see())
            }
            ErrorKind::MissingSubcommand => {
                wrong(format!("`{command}` needs a command")).hint(self.see())
            }
            _ => {
                // Seldom, and then in the parser's own words: the first line says it.
                let text = self.error.render().to_string();
                let line = text.lines().next().unwrap_or_default();
                wrong(one_line(line.trim_start_matches("error: "))).hint(self.see())
            }
        }
    }

    fn no_such_command(&self) -> UserError {
        let given = self.one(ContextKind::InvalidSubcommand);
        let error = wrong(format!("there is no command {}", ticked(&given)));
        if let Some(hint) = of_a_path(&given, self.command) {
            return error.hint(hint).hint(self.see());
        }
        let names = self.found().into_iter().flat_map(Command::get_subcommands);
        let near = crate::spelling::meant(&given, names.map(|own| own.get_name().to_owned()));
        self.meant(error, near.map(|near| format!("{} {near}", self.command)))
    }

    fn no_such_flag(&self, argument: &str) -> UserError {
        let of = |at: &Command| -> Vec<String> {
            at.get_arguments().filter_map(Arg::get_long).map(str::to_owned).collect()
        };
        let flags = self.found().map(of).unwrap_or_default();
        let near = argument
            .strip_prefix("--")
            .and_then(|given| crate::spelling::meant(given, flags))
            .map(|near| format!("--{near}"));
        self.meant(wrong(format!("`{}` has no `{argument}`", self.command)), near)
    }

    /// A value that is none of the words that are taken, or none at all.
    fn value_not_taken(&self, argument: &str) -> UserError {
        let (given, words) =
            (self.one(ContextKind::InvalidValue), self.all(ContextKind::ValidValue));
        let takes = format!("it takes `{}`", words.join("`, `"));
        if given.is_empty() {
            let error = wrong(format!("`{argument}` needs a value"));
            let error = if words.is_empty() { error } else { error.cause(takes) };
            return error.hint(self.see());
        }
        let near = crate::spelling::meant(&given, words);
        // What has no flag is said by its value alone.
        let near = near.map(|near| match argument.starts_with('-') {
            true => format!("{argument} {near}"),
            false => near,
        });
        let error = wrong(format!("`{argument}` cannot be {}", ticked(&given)));
        self.meant(error.cause(takes), near)
    }

    /// A value that the setting's own parser refuses.
    fn value_unusable(&self, argument: &str) -> UserError {
        let given = self.one(ContextKind::InvalidValue);
        let setting = Setting::named(argument.trim_start_matches('-'))
            .filter(|_| self.is_setting(argument.trim_start_matches('-')));
        if let Some(Err(fault)) = setting.map(|setting| setting.read(&given)) {
            return fault.at("", argument, &ticked(&given));
        }
        let source = std::error::Error::source(self.error).map(ToString::to_string);
        wrong(format!("`{argument}` cannot be {}", ticked(&given)))
            .cause(in_words(&one_line(&source.unwrap_or_default())))
            .hint(self.see())
    }

    fn meant(&self, error: UserError, meant: Option<String>) -> UserError {
        match meant {
            Some(meant) => error.hint(format!("Did you mean `{meant}`?")).hint(self.see()),
            None => error.hint(self.see()),
        }
    }

    fn see(&self) -> String {
        format!("`{} --help` lists what there is", self.command)
    }

    /// Tells whether the command's argument of this name is the setting, and not one of its own.
    fn is_setting(&self, name: &str) -> bool {
        let help = |command: &Command| {
            let mut arguments = command.get_arguments();
            let found = arguments.find(|argument| argument.get_long() == Some(name))?;
            found.get_help().map(ToString::to_string)
        };
        let of_run = self.grammar.find_subcommand("run").and_then(help);
        self.found().and_then(help).is_none_or(|own| Some(own) == of_run)
    }

    /// The command as the grammar has it.
    fn found(&self) -> Option<&Command> {
        let mut names = self.command.split(' ').skip(1);
        names.try_fold(self.grammar, |at, name| at.find_subcommand(name))
    }

    /// The argument that the mistake is about, like `--model`.
    fn argument(&self) -> String {
        name(&self.one(ContextKind::InvalidArg))
    }

    fn one(&self, kind: ContextKind) -> String {
        self.all(kind).into_iter().next().unwrap_or_default()
    }

    fn all(&self, kind: ContextKind) -> Vec<String> {
        match self.error.get(kind) {
            Some(ContextValue::String(text)) => vec![text.clone()],
            Some(ContextValue::Strings(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line;

    fn said(words: &[&str]) -> UserError {
        let all = ["dset"].iter().chain(words);
        let error = crate::cli::read(all).unwrap_err();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        error_of(&command_line(), &error, &command_of(&command_line(), &words))
    }

    #[test]
    fn what_is_wrong_with_a_command_line_is_said_with_what_was_meant() {
        for (words, message, hint) in [
            (&["rnu"][..], "there is no command `rnu`", "Did you mean `dset run`?"),
            (
                &["show", "--last", "0"],
                "`--last` cannot be `0`",
                "`dset show --help` lists what there is",
            ),
            (&["stauts"][..], "there is no command `stauts`", "Did you mean `dset status`?"),
            (&["run", "--modle", "x"], "`dset run` has no `--modle`", "Did you mean `--model`?"),
            (
                &["run", "--budget", "2"],
                "`dset run` has no `--budget`",
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
            (
                &["run", "--json=maybe"],
                "`--json` cannot be `maybe`",
                "`dset config reference` says what every setting takes",
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
    fn what_follows_an_unknown_flag_or_looks_like_a_key_is_not_shown() {
        for words in [
            &["run", "--api-key=sk-0123456789"][..],
            &["run", "--api-key", "sk-0123456789"],
            &["keys", "set", "deepseek", "sk-0123456789"],
        ] {
            let error = said(words);
            assert!(!format!("{error:?}").contains("0123"), "{error:?}");
        }
    }
}
