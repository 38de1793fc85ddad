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

/// Everything else worth saying, in this order. A remark may have several lines, and most say
/// nothing of most runs.
const REMARKS: [fn(&RunContext<'_>) -> Vec<String>; 18] = [
    column,
    rescued,
    renamed,
    imported,
    recovered,
    bookmark,
    bookmark_unused,
    last_run_died,
    repairs,
    rebuild_finished,
    again,
    again_continued,
    kept_from_others,
    system_as_before,
    marked_though_answered,
    duplicates,
    another_endpoint,
    unlocked,
];

/// Everything else worth saying, a line each.
pub(super) fn rest(opening: &RunContext<'_>) -> Vec<String> {
    REMARKS.iter().flat_map(|remark| remark(opening)).collect()
}

/// A remark of one line, where something holds.
fn when(holds: bool, line: impl FnOnce() -> String) -> Vec<String> {
    if holds { vec![line()] } else { Vec::new() }
}

fn column(opening: &RunContext<'_>) -> Vec<String> {
    let layout = &opening.found.layout;
    let column = layout.columns.get(layout.question).map(|name| one_line(name)).unwrap_or_default();
    let is_usual = layout.has_header && layout.chosen == Chosen::ByName && column == "question";
    when(!is_usual, || match (layout.has_header, layout.chosen) {
        (false, Chosen::ByUser) => {
            format!("no header: the first row is a question; questions are in {column}")
        }
        (false, _) => "no header: the first row is a question (--header yes says otherwise)".into(),
        (true, Chosen::First) => format!(
            "the first row is a header; questions are taken from its first column, `{column}`"
        ),
        (true, _) => format!("the first row is a header; questions are in column `{column}`"),
    })
}

fn rescued(opening: &RunContext<'_>) -> Vec<String> {
    let rescued = opening.found.rescued.filter(|rescued| rescued.answers + rescued.unread > 0);
    let Some(rescued) = rescued else { return Vec::new() };
    let mut lines = vec![format!(
        "took in {} that the last run could only rescue",
        of(rescued.answers, "answer")
    )];
    lines.extend(when(rescued.unread > 0, || {
        format!(
            "{} of what was rescued cannot be read; the file is kept as dset.rescue-unread",
            of(rescued.unread, "line")
        )
    }));
    lines
}

fn renamed(opening: &RunContext<'_>) -> Vec<String> {
    let line = |(old, new): &_| {
        format!(
            "{old} is {new} now: loaders of datasets took what an earlier version called so for \
             data"
        )
    };
    opening.found.renamed.iter().map(line).collect()
}

fn imported(opening: &RunContext<'_>) -> Vec<String> {
    let Some(adopted) = &opening.found.imported else { return Vec::new() };
    let whose =
        if adopted.ours { "that are there, without a store" } else { "of the original script" };
    let mut lines = vec![format!(
        "took over the outputs {whose}: {} {} as answered (copies in {})",
        of(adopted.rows, "row"),
        by(adopted.rows, "counts", "count"),
        adopted.copied_to
    )];
    let of_rows = [
        (adopted.torn, "torn at the end of a file and cut off"),
        (adopted.completed, "missing in one of the files and added"),
        (adopted.unread, "unreadable and left as they are"),
    ];
    let of_rows = of_rows.into_iter().filter(|(number, _)| *number > 0);
    lines.extend(of_rows.map(|(number, words)| format!("  {} {words}", of(number, "row"))));
    lines
}

fn recovered(opening: &RunContext<'_>) -> Vec<String> {
    let rows = opening.found.recovered;
    when(rows > 0, || {
        format!(
            "the store had lost the end of its log: {} taken back from output.json",
            of(rows, "row")
        )
    })
}

fn bookmark(opening: &RunContext<'_>) -> Vec<String> {
    let Some(row) = opening.found.starts_at_row else { return Vec::new() };
    let before = opening.found.presumed;
    vec![format!(
        "starting at the bookmark in row {row}: the {} before it {} taken as answered \
         (--from-start asks {})",
        of(before, "row"),
        by(before, "is", "are"),
        by(before, "it", "them")
    )]
}

fn bookmark_unused(opening: &RunContext<'_>) -> Vec<String> {
    when(opening.found.bookmark_unused, || {
        "--from-bookmark does nothing here: answers are on record, or no row before the first one \
         says ERROR"
            .into()
    })
}

fn last_run_died(opening: &RunContext<'_>) -> Vec<String> {
    when(opening.found.last_run_died, || {
        let answers = match opening.found.answered {
            1 => "its 1 answer is".to_owned(),
            number => format!("all {} answers are", count(number)),
        };
        format!("the last run ended without saying goodbye; {answers} intact")
    })
}

fn repairs(opening: &RunContext<'_>) -> Vec<String> {
    let line = |repair: &Repair| match repair {
        Repair::Missing { file, rows } => format!(
            "{file} was missing and is written anew with {}: the answers were kept (`dset run \
             --again` would ask, and pay for, all of them again)",
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
    };
    opening.found.repairs.iter().map(line).collect()
}

fn rebuild_finished(opening: &RunContext<'_>) -> Vec<String> {
    when(opening.found.rebuild_finished, || {
        "a rebuild of the outputs was cut short: it is finished now".into()
    })
}

fn again(opening: &RunContext<'_>) -> Vec<String> {
    let line =
        |moved_to: &_| format!("asking everything again; the earlier outputs are in {moved_to}");
    opening.found.moved_to.iter().map(line).collect()
}

fn again_continued(opening: &RunContext<'_>) -> Vec<String> {
    when(opening.found.again_continued, || {
        "continuing to ask everything again, as an earlier run began".into()
    })
}

fn kept_from_others(opening: &RunContext<'_>) -> Vec<String> {
    let kept = opening.found.kept_from_others;
    when(kept > 0, || format!("keeping {} bought with other settings", of(kept, "answer")))
}

fn system_as_before(opening: &RunContext<'_>) -> Vec<String> {
    when(opening.found.system_as_before, || {
        "the system prompt is sent as it stands, as for the answers that are there; \
         write columns in it as `{{ topic }}` and change it to have them filled in"
            .into()
    })
}

fn marked_though_answered(opening: &RunContext<'_>) -> Vec<String> {
    let rows = opening.found.marked_though_answered;
    when(rows > 0, || format!("{} said ERROR although answered: cleared", of(rows, "row")))
}

fn duplicates(opening: &RunContext<'_>) -> Vec<String> {
    let duplicates = opening.found.duplicates;
    when(duplicates > 0, || {
        let are = match duplicates {
            1 => "1 question is".to_owned(),
            number => format!("{} questions are", count(number)),
        };
        format!("{are} the same as an earlier one; each is asked")
    })
}

fn another_endpoint(opening: &RunContext<'_>) -> Vec<String> {
    let before = opening.found.endpoint_before.as_ref().filter(|before| is_news(before, opening));
    let line = |before: &String| {
        let now = opening.settings.model().endpoint();
        format!("the last run asked {}, this one asks {now}", one_line(before))
    };
    before.into_iter().map(line).collect()
}

fn unlocked(opening: &RunContext<'_>) -> Vec<String> {
    when(opening.found.is_unlocked, || {
        "this file system has no locks: do not start a second run on this folder".into()
    })
}

/// Another port of this machine is the same server, started again.
fn is_news(before: &str, opening: &RunContext<'_>) -> bool {
    let local = |url: &url::Url| dset_core::settings::is_loopback(url);
    let before_is_local = before.parse().is_ok_and(|url: url::Url| local(&url));
    !(before_is_local && local(opening.settings.model().base_url()))
}
