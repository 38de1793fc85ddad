//! Help, laid out for the terminal that it is read on. The parser does it but for what must not be
//! broken anywhere: the list of commands and the examples.

use clap::Command;
use clap::builder::styling::{AnsiColor, Styles};

use crate::display::terminal_variables;
use crate::display::wrap::{broken, columns};

pub(crate) const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// The commands, by what somebody is about to do.
pub(crate) const GROUPS: [(&str, &[&str]); 4] = [
    ("Start here", &["demo", "init", "doctor"]),
    ("Every day", &["run", "status", "show", "search", "view", "redo"]),
    ("Results", &["check", "stats", "estimate", "verify", "export", "report"]),
    (
        "More",
        &[
            "import",
            "job",
            "work",
            "merge",
            "config",
            "keys",
            "models",
            "prices",
            "schema",
            "mock",
            "completions",
            "man",
            "version",
            "help",
        ],
    ),
];

/// Help is no wider than this, and this wide where nobody says how wide a line may be.
const WIDTH_MAX: usize = 100;
/// The list of commands says what each is from this column on.
const ABOUT: usize = 15;
/// An example that has no room beside its words has them below it, from this column on.
const BELOW: usize = 6;

/// Returns the help that these words ask for, with its colours.
pub(crate) fn text(grammar: &Command, words: &[String]) -> String {
    let width = width();
    let mut asked = grammar;
    for word in words {
        let Some(next) = asked.find_subcommand(word) else { break };
        asked = next;
    }
    let below = asked.get_after_help().map(|below| laid_out(&below.to_string(), width));
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{}{header}Options:{header:#}\n{{options}}",
        groups(grammar, width),
        header = STYLES.get_header(),
    );
    let mut parser = without_below(grammar.clone()).term_width(width).help_template(template);
    let all = ["dset"].into_iter().chain(words.iter().map(String::as_str));
    let help = parser.try_get_matches_from_mut(all).err();
    let help = help.map(|help| help.render().ansi().to_string()).unwrap_or_default();
    match below {
        Some(below) => format!("{}\n\n{below}\n", help.trim_end()),
        None => help,
    }
}

/// Returns how wide a line may be. Help that goes to a pager is read on a terminal all the same.
fn width() -> usize {
    let of_terminal = |terminal: console::Term| Some(usize::from(terminal.size_checked()?.1));
    let terminal = of_terminal(console::Term::stdout());
    let width = terminal
        .or_else(|| of_terminal(console::Term::stderr()))
        .or_else(terminal_variables::columns);
    width.filter(|width| *width > 0).map_or(WIDTH_MAX, |width: usize| width.min(WIDTH_MAX))
}

/// What stands below the options is laid out here, and not by the parser.
fn without_below(command: Command) -> Command {
    command.after_help(None::<&str>).mut_subcommands(without_below)
}

/// The commands, by what somebody is about to do.
fn groups(grammar: &Command, width: usize) -> String {
    let (header, literal) = (STYLES.get_header(), STYLES.get_literal());
    let mut groups = String::new();
    for (title, names) in GROUPS {
        groups += &format!("{header}{title}:{header:#}\n");
        for name in names {
            // A build may lack one.
            let Some(command) = grammar.find_subcommand(name) else { continue };
            let about = command.get_about().map(ToString::to_string);
            let about = broken(&about.unwrap_or_default(), ABOUT, ABOUT, Some(width));
            groups += &format!("  {literal}{name:<11}{literal:#}  {about}\n");
        }
        groups += "\n";
    }
    groups
}

/// Lays out paragraphs, and lists of what is indented: examples, each with what it does behind a
/// gap, or below it where one of them is too long for that. No example is broken: it can be copied.
fn laid_out(text: &str, width: usize) -> String {
    let is_listed = |line: &&str| line.starts_with("  ");
    let lines: Vec<&str> = text.lines().collect();
    let mut all: Vec<String> = Vec::new();
    for block in lines.chunk_by(|one, next| is_listed(one) == is_listed(next)) {
        let fits = block.iter().all(|line| columns(line) <= width);
        for line in block {
            if !is_listed(line) {
                all.push(broken(line, 0, 0, Some(width)));
                continue;
            }
            match line.trim_start().split_once("  ").filter(|_| !fits) {
                Some((example, what)) => {
                    let what = broken(what.trim_start(), BELOW, BELOW, Some(width));
                    all.push(format!("  {example}\n{:BELOW$}{what}", ""));
                }
                None => all.push((*line).to_owned()),
            }
        }
    }
    all.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_stand_below_each_other_where_a_line_is_too_short() {
        let text =
            "Some words of it.\n\nExamples:\n  dset run -o far    asks, and writes there\n  dset";
        assert_eq!(laid_out(text, 80), text);
        assert_eq!(
            laid_out(text, 24),
            "Some words of it.\n\nExamples:\n  dset run -o far\n      asks, and writes\n      \
             there\n  dset"
        );
        assert!(laid_out(text, 10).contains("\n  dset run -o far\n"));
    }
}
