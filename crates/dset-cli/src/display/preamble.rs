//! What is said before the first ask: what was found, and what was done about it.

use dset_core::csv::Chosen;
use dset_engine::output::live::Repair;

use super::RunContext;
use super::text::{by, count, of, one_line};

/// The first line: from where to where, and what is left.
pub(super) fn first(opening: &RunContext<'_>, arrow: &str) -> String {
    let (settings, found) = (opening.settings, opening.found);
    let mut line = format!(
        "{} {arrow} {}/: {}, {} already answered",
        settings.input.display(),
        settings.output.display(),
        wanted(found.questions, found.answers),
        count(found.answered),
    );
    for (number, words) in [
        (found.presumed, "taken as answered"),
        (found.kept, "cut by the token limit"),
        (found.empty, "empty and skipped"),
    ] {
        if number > 0 {
            line += &format!(", {} {words}", count(number));
        }
    }
    line
}

/// `5 questions`, or `5 questions, 15 answers` where each is to get several.
fn wanted(questions: u64, answers: u64) -> String {
    let mut words = of(questions, "question");
    if answers != questions {
        words += &format!(", {}", of(answers, "answer"));
    }
    words
}

/// Everything else worth saying, a line each.
pub(super) fn rest(opening: &RunContext<'_>) -> Vec<String> {
    let found = opening.found;
    let shape = &found.shape;
    let mut lines = Vec::new();
    let mut say = |line: String| lines.push(line);
    let column = shape.fields.get(shape.question).map(|name| one_line(name)).unwrap_or_default();
    match (shape.has_names, shape.chosen) {
        (false, Chosen::ByUser) => {
            say(format!("no header: the first row is a question; questions are in {column}"))
        }
        (false, _) => {
            say("no header: the first row is a question (--header yes says otherwise)".into())
        }
        (true, Chosen::ByName) if column == "question" => {}
        (true, Chosen::First) => {
            say(format!(
                "the first row is a header; questions are taken from its first column, `{column}`"
            ));
        }
        (true, _) => say(format!("the first row is a header; questions are in column `{column}`")),
    }
    if let Some(rescued) = found.rescued.filter(|rescued| rescued.answers + rescued.unread > 0) {
        say(format!(
            "took in {} that the last run could only rescue",
            of(rescued.answers, "answer")
        ));
        if rescued.unread > 0 {
            say(format!(
                "{} of what was rescued cannot be read; the file is kept as dset.rescue-unread",
                of(rescued.unread, "line")
            ));
        }
    }
    for (old, new) in &found.renamed {
        say(format!(
            "{old} is {new} now: loaders of datasets took what an earlier version called so for data"
        ));
    }
    if let Some(adopted) = &found.imported {
        let whose =
            if adopted.ours { "that are there, without a store" } else { "of the original script" };
        say(format!(
            "took over the outputs {whose}: {} {} as answered (copies in {})",
            of(adopted.rows, "row"),
            by(adopted.rows, "counts", "count"),
            adopted.copied_to
        ));
        for (number, words) in [
            (adopted.torn, "torn at the end of a file and cut off"),
            (adopted.completed, "missing in one of the files and added"),
            (adopted.unread, "unreadable and left as they are"),
        ] {
            if number > 0 {
                say(format!("  {} {words}", of(number, "row")));
            }
        }
    }
    if found.recovered > 0 {
        say(format!(
            "the store had lost the end of its log: {} taken back from output.json",
            of(found.recovered, "row")
        ));
    }
    if let Some(row) = found.starts_at_row {
        say(format!(
            "starting at the bookmark in row {row}: the {} before it {} taken as answered (--from-start asks {})",
            of(found.presumed, "row"),
            by(found.presumed, "is", "are"),
            by(found.presumed, "it", "them")
        ));
    }
    if found.bookmark_unused {
        say(
            "--from-bookmark does nothing here: answers are on record, or no row before the first \
             one says ERROR"
                .into(),
        );
    }
    if found.last_run_died {
        say(format!(
            "the last run ended without saying goodbye; {} intact",
            match found.answered {
                1 => "its 1 answer is".to_owned(),
                number => format!("all {} answers are", count(number)),
            }
        ));
    }
    for repair in &found.repairs {
        say(match repair {
            Repair::Missing { file, rows } => format!(
                "{file} was missing and is written anew with {}: the answers were kept (`dset run --again` would ask, and pay for, all of them again)",
                of(*rows, "row")
            ),
            Repair::Differed { file, moved_to } => format!(
                "{file} was not what dset had written: moved to {} and written anew",
                moved_to.display()
            ),
            Repair::Torn { file } => format!("{file} ended in a torn row, which is written again"),
            Repair::Foreign { file } => {
                format!("{file} ends in text that is not ours: it stays, and rows follow it")
            }
        });
    }
    if found.rebuild_finished {
        say("a rebuild of the outputs was cut short: it is finished now".into());
    }
    if let Some(moved_to) = &found.moved_to {
        say(format!("asking everything again; the earlier outputs are in {moved_to}"));
    }
    if found.again_continued {
        say("continuing to ask everything again, as an earlier run began".into());
    }
    if found.kept_from_others > 0 {
        say(format!("keeping {} bought with other settings", of(found.kept_from_others, "answer")));
    }
    if found.system_as_before {
        say("the system prompt is sent as it stands, as for the answers that are there; \
             write columns in it as `{{ topic }}` and change it to have them filled in"
            .into());
    }
    if found.marked_though_answered > 0 {
        say(format!(
            "{} said ERROR although answered: cleared",
            of(found.marked_though_answered, "row")
        ));
    }
    if found.duplicates > 0 {
        say(format!(
            "{} the same as an earlier one; each is asked",
            match found.duplicates {
                1 => "1 question is".to_owned(),
                number => format!("{} questions are", count(number)),
            }
        ));
    }
    if let Some(before) = found.endpoint_before.as_ref().filter(|before| is_news(before, opening)) {
        say(format!(
            "the last run asked {}, this one asks {}",
            one_line(before),
            opening.settings.model().endpoint()
        ));
    }
    if found.is_unlocked {
        say("this file system has no locks: do not start a second run on this folder".into());
    }
    lines
}

/// Another port of this machine is the same server, started again.
fn is_news(before: &str, opening: &RunContext<'_>) -> bool {
    let local = |url: &url::Url| dset_core::settings::is_loopback(url);
    let before_is_local = before.parse().is_ok_and(|url: url::Url| local(&url));
    !(before_is_local && local(opening.settings.model().base_url()))
}
