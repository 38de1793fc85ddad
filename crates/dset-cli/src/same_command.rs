//! The command that was given, again or as another one, for hints that can be copied.

use std::ffi::OsString;
use std::sync::OnceLock;

use clap::{Arg, Command};

use crate::display::text::{arguments, quoted};

/// The grammar of this process, as fixed as its arguments: set once by `main`.
static GRAMMAR: OnceLock<Command> = OnceLock::new();

/// Tells with which grammar the arguments of this process are read; hints repeat commands by it.
/// The first call counts.
pub(crate) fn set_grammar(grammar: Command) {
    let _ = GRAMMAR.set(grammar);
}

/// The arguments of this process without its name, where somebody else began it; set once.
static ARGUMENTS: OnceLock<Vec<OsString>> = OnceLock::new();

/// Takes these as the arguments of this process, its name first. The first call counts.
pub(crate) fn set_arguments(arguments: Vec<OsString>) {
    let _ = ARGUMENTS.set(arguments.into_iter().skip(1).collect());
}

/// Returns the arguments that were given, as far as they are text and no secrets.
pub(crate) fn given_arguments() -> Vec<String> {
    let shown = |argument: &OsString| without_query(argument.to_string_lossy().into_owned());
    ARGUMENTS.get().map(|given| given.iter().map(shown).collect()).unwrap_or_default()
}

/// Leaves out of a service's address its query, which can hold a key.
fn without_query(word: String) -> String {
    let value = match word.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => value,
        _ => &word,
    };
    let begins = |scheme: &str| {
        let beginning = value.trim_start().get(..scheme.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(scheme))
    };
    let is_address = ["http://", "https://"].into_iter().any(begins);
    match word.find('?').filter(|_| is_address) {
        Some(query) => format!("{}?…", &word[..query]),
        None => word,
    }
}

/// Returns the command that was given as another one, with the flags that both have, and without
/// those named: a hint must not lead to another run than the one that was meant.
pub(crate) fn same_command_as(name: &str, without: &[&str]) -> String {
    // A worker asks as a run does, and goes on as a worker.
    let name = if name == "run" && is_worker() { WORK } else { name };
    match GRAMMAR.get() {
        Some(grammar) => given_as(grammar, &arguments(), name, without),
        None => format!("dset {name}"),
    }
}

/// Returns the command that was given, where it has this argument and without it, and else that of a
/// run.
pub(crate) fn same_command_with(argument: &str) -> String {
    let words = arguments();
    let given = GRAMMAR.get().and_then(|grammar| given_command(grammar, &words));
    match given {
        Some((name, given, _)) if given.get_arguments().any(|arg| arg.get_id() == argument) => {
            same_command_as(&name, &[argument])
        }
        _ => "dset run".to_owned(),
    }
}

/// Returns the command that shows how far the run of the given one is: of a part of a job that of the job.
pub(crate) fn status_command() -> String {
    if is_worker() {
        return format!("dset job status {}", given_server());
    }
    match given_value(&arguments(), "--job") {
        Some(job) => format!("dset job status {}", quoted(&job)),
        None => same_command_as("status", &[]),
    }
}

/// Returns the name of the command that was given, as `job split`; empty where none was.
pub(crate) fn given_name() -> String {
    let words = arguments();
    let given = GRAMMAR.get().and_then(|grammar| given_command(grammar, &words));
    given.map(|(name, ..)| name).unwrap_or_default()
}

/// Returns the value of a flag that was given in full.
fn given_value(words: &[String], flag: &str) -> Option<String> {
    let at = words.iter().position(|word| word.split('=').next() == Some(flag))?;
    match words[at].split_once('=') {
        Some((_, value)) => Some(value.to_owned()),
        None => words.get(at + 1).cloned(),
    }
}

/// Returns the name of the command that was given, as `job split`, its grammar, and the words behind it.
fn given_command<'a>(
    root: &'a Command,
    words: &'a [String],
) -> Option<(String, &'a Command, &'a [String])> {
    let mut found = (String::new(), root, words);
    while let (name, command, [word, rest @ ..]) = &found
        && let Some(next) = command.find_subcommand(word)
    {
        let gap = if name.is_empty() { "" } else { " " };
        found = (format!("{name}{gap}{word}"), next, rest);
    }
    (!found.0.is_empty()).then_some(found)
}

/// The command of a worker.
const WORK: &str = "work";

/// Tells whether this process is a worker of a job on a server.
pub(crate) fn is_worker() -> bool {
    arguments().first().is_some_and(|word| word == WORK)
}

/// Returns the flag that names the server, as it was given to a worker.
pub(crate) fn given_server() -> String {
    let words = arguments();
    let at = words.iter().position(|word| word == "--store" || word.starts_with("--store="));
    let Some(at) = at else { return "--store".to_owned() };
    let address = words.get(at + 1).filter(|next| words[at] == "--store" && !next.starts_with('-'));
    let given = [Some(&words[at]), address];
    given.into_iter().flatten().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn given_as(root: &Command, words: &[String], name: &str, without: &[&str]) -> String {
    let mut command = format!("dset {name}");
    let other: Vec<String> = name.split(' ').map(str::to_owned).collect();
    let (Some((_, given, words)), Some((_, other, _))) =
        (given_command(root, words), given_command(root, &other))
    else {
        return command;
    };
    let twin_of = |arg: &Arg| {
        let id = arg.get_id();
        let twin = other.get_arguments().find(|other| other.get_id() == id);
        twin.filter(|_| !without.contains(&id.as_str()))
    };
    let mut say = |word: &str| command += &format!(" {}", quoted(word));
    let mut words = words.iter().peekable();
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
        // A file stands for itself in one command, and behind a flag in another.
        let Some(arg) = arg else {
            let twin = given.get_positionals().next().and_then(twin_of);
            if let Some(flag) = twin.filter(|twin| !twin.is_positional()) {
                say(&format!("--{}", flag.get_long().unwrap_or_default()));
            }
            twin.into_iter().for_each(|_| say(word));
            continue;
        };
        let twin = twin_of(arg);
        if twin.is_some_and(Arg::is_positional) {
            let value = word.split_once('=').map(|(_, value)| value);
            let value = value.or_else(|| words.next().map(String::as_str));
            value.into_iter().for_each(&mut say);
            continue;
        }
        let is_kept = twin.is_some();
        if is_kept {
            say(word);
        }
        // `-m x`, but not `-mx`, nor `--model=x`.
        let is_bare = word.len() == 2 || word.starts_with("--") && !word.contains('=');
        // What may stand without a value has the next word, unless that is a flag.
        let value = match is_bare {
            true if needs_value(arg) => words.next(),
            true if may_have_value(arg) => words.next_if(|next| !next.starts_with('-')),
            _ => None,
        };
        value.filter(|_| is_kept).into_iter().for_each(|value| say(value));
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

fn may_have_value(arg: &Arg) -> bool {
    let most = arg.get_num_args().map_or(1, |count| count.max_values());
    arg.get_action().takes_values() && most > 0 && !arg.is_require_equals_set()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line;

    #[test]
    fn a_key_in_the_query_of_an_address_is_in_no_hint() {
        for (given, shown) in [
            ("--base-url=https://h/v1?key=sk-1", "--base-url=https://h/v1?…"),
            ("http://h?api_key=sk-1", "http://h?…"),
            ("--base-url= HTTP://h?key=sk-1", "--base-url= HTTP://h?…"),
            ("https://h/v1", "https://h/v1"),
            ("Is http://h/?q=1 up?", "Is http://h/?q=1 up?"),
            ("postgres://h/jobs?sslmode=disable", "postgres://h/jobs?sslmode=disable"),
        ] {
            assert_eq!(without_query(given.to_owned()), shown);
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
            ("run a.csv -o far", "redo", &[], "dset redo --questions a.csv -o far"),
            ("redo 1-5 --questions a.csv -m x", "run", &[], "dset run a.csv -m x"),
            ("redo 7 -o far --questions=a.csv", "run", &[], "dset run -o far a.csv"),
            ("redo 1-5", "redo", &[], "dset redo 1-5"),
            ("redo --failed --job j --shard 1", "redo", &["failed"], "dset redo --job j --shard 1"),
            ("redo 1-5 -o far", "redo", &["numbers"], "dset redo -o far"),
            (
                "job split q.csv --shards 5 -o job",
                "job split",
                &["output"],
                "dset job split q.csv --shards 5",
            ),
            ("status --watch 5 -o far", "run", &[], "dset run -o far"),
            ("status --watch a.csv", "verify", &[], "dset verify"),
            #[cfg(feature = "postgres")]
            (
                "work --store postgres://me@db/jobs -o w --quiet",
                "doctor",
                &["output"],
                "dset doctor --quiet",
            ),
            #[cfg(feature = "postgres")]
            (
                "job merge --store postgres://me@db/jobs -o m job",
                "job merge",
                &["job"],
                "dset job merge --store postgres://me@db/jobs -o m",
            ),
        ] {
            let words: Vec<String> = given.split(' ').map(str::to_owned).collect();
            assert_eq!(given_as(&command_line(), &words, name, without), command);
        }
    }
}
