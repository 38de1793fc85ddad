//! What is said before the first ask: what was found, and what was done about it.

use std::path::{Path, PathBuf};

use dset_core::csv::{Chosen, is_chat};
use dset_core::item::shape::Shape;
use dset_core::template::DEFAULT_TEMPLATE;
use dset_engine::output::live::Repair;
use dset_engine::recover::Recovered;
use dset_engine::recover::legacy::LegacyImport;
use dset_engine::run::choice::LeftOut;
use dset_engine::run::report::PreparationReport;
use dset_engine::source::bad_row::BadRows;
use dset_engine::source::place_words;
use dset_engine::store::Rescued;

use super::text::{by, count, of, one_line, shortened, when};
use super::{RunContext, conveyed};

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
        (found.failed_checks - found.without_verdict, "failed a check"),
        (found.without_verdict, "without a verdict"),
        (found.empty, "empty and skipped"),
        (found.bad_rows.count, "skipped that cannot be asked"),
        (found.left_out.count(), "left out"),
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

/// Everything else worth saying, a line each: how the input is read, what was put right, and what
/// this run makes of it.
pub(super) fn rest(opening: &RunContext<'_>) -> Vec<String> {
    let found = opening.found;
    let put_right = |wanted: fn(&Recovered) -> bool| {
        found.recovered.iter().filter(move |one| wanted(one)).flat_map(recovered)
    };
    let mut lines: Vec<String> = header(&found.shape).into_iter().collect();
    lines.extend(
        found.id_field.iter().map(|field| format!("rows are named by `{}`", one_line(field))),
    );
    lines.extend(found.id_before.iter().map(|before| {
        let before = one_line(before);
        format!(
            "rows were named by `{before}` before: ids in datasets are others now, and `--split` by them (`--id NAME` \
             names a renamed column)"
        )
    }));
    lines.extend(turns_as_json(opening));
    lines.extend(bad_rows(&found.bad_rows));
    lines.extend(surplus(&found.bad_rows));
    lines.extend(reasoning(&found.bad_rows));
    lines.extend(unread(&found.unread, &opening.settings.input));
    let by_sample =
        if found.pilot.is_some() { "of the rest, which the pilot does not ask" } else { BY_SAMPLE };
    lines.extend(left_out(&found.left_out, by_sample));
    lines.extend(put_right(|one| matches!(one, Recovered::TakenIn(_))));
    lines.extend(put_right(|one| matches!(one, Recovered::Renamed { .. })));
    lines.extend(put_right(|one| matches!(one, Recovered::Imported(_))));
    lines.extend(put_right(|one| matches!(one, Recovered::TakenBack { .. })));
    lines.extend(bookmark(found));
    lines.extend(last_run(found));
    lines.extend(put_right(|one| matches!(one, Recovered::Repaired(_))));
    lines.extend(put_right(|one| matches!(one, Recovered::Rebuilt | Recovered::LeftOut { .. })));
    lines.extend(put_right(|one| matches!(one, Recovered::Moved { .. })));
    lines.extend(put_right(|one| matches!(one, Recovered::InputMoved { .. })));
    if opening.terminal.verbose {
        lines.extend(opening.settings.models.iter().flat_map(conveyed::lines));
    }
    lines.extend(answers(found));
    lines.extend(surroundings(opening));
    lines
}

/// What was found and put right before a run, a sentence each.
pub(crate) fn put_right(found: &PreparationReport) -> Vec<String> {
    found.recovered.iter().flat_map(recovered).collect()
}

/// Says that a template puts the turns of chats in as they stand.
fn turns_as_json(opening: &RunContext<'_>) -> Option<String> {
    let shape = &opening.found.shape;
    let field = &shape.fields[shape.question];
    let template = &opening.settings.model().request.template;
    let bare: String = template.chars().filter(|c| !c.is_whitespace()).collect();
    let has = |name: &str| bare.contains(&format!("{{{{{name}}}}}"));
    let is_sent = template != DEFAULT_TEMPLATE && is_chat(field) && (has("question") || has(field));
    is_sent.then(|| {
        let field = one_line(field);
        format!("the template sends the turns in `{field}` as JSON, and not as turns of a chat")
    })
}

/// Which rows are skipped because they cannot be asked, and why.
pub(crate) fn bad_rows(bad: &BadRows) -> Option<String> {
    if bad.count == 0 {
        return None;
    }
    let named = bad.first.iter().map(|row| {
        let file = row.file.as_ref().and_then(|file| file.file_name());
        let file = file.map(|name| format!("{}, ", one_line(&name.to_string_lossy())));
        let problem = shortened(&one_line(&row.problem.to_string()), 80);
        format!("{}{}: {problem}", file.unwrap_or_default(), place_words(row.place))
    });
    let more = bad.count - bad.first.len() as u64;
    let more = if more > 0 { format!("; and {} more", count(more)) } else { String::new() };
    let named = named.collect::<Vec<_>>().join("; ");
    Some(format!("{} skipped that cannot be asked: {named}{more}", of(bad.count, "row")))
}

/// Which rows have cells that no column names.
fn surplus(rows: &BadRows) -> Option<String> {
    let first = rows.first_surplus?;
    Some(format!(
        "{} more cells than the header names, from {}: they are not kept with the answers",
        match rows.surplus {
            1 => "1 row has".to_owned(),
            number => format!("{} have", of(number, "row")),
        },
        place_words(first)
    ))
}

/// Which chats have reasoning in their turns.
fn reasoning(rows: &BadRows) -> Option<String> {
    let first = rows.first_reasoning?;
    Some(format!(
        "{} reasoning in earlier turns, from {}: it is not sent, as services want it",
        match rows.reasoning {
            1 => "1 chat has".to_owned(),
            number => format!("{} have", of(number, "chat")),
        },
        place_words(first)
    ))
}

/// Files that are named one by one, at most.
const NAMED_FILES_MAX: usize = 5;

/// Which files of the folder of questions are not read.
fn unread(files: &[PathBuf], folder: &Path) -> Option<String> {
    let name =
        |file: &PathBuf| one_line(&file.strip_prefix(folder).unwrap_or(file).display().to_string());
    let named: Vec<String> = files.iter().take(NAMED_FILES_MAX).map(name).collect();
    let more = match files.len() - named.len() {
        0 => String::new(),
        more => format!(", and {} more", count(more as u64)),
    };
    let number = match files.len() {
        0 => return None,
        1 => "1 file of the folder is".to_owned(),
        number => format!("{} files of the folder are", count(number as u64)),
    };
    Some(format!("{number} not read: {}{more}", named.join(", ")))
}

/// What leaves out the rows that are not in a sample.
pub(crate) const BY_SAMPLE: &str = "by --sample";

/// Which rows the user left out.
pub(crate) fn left_out(left_out: &LeftOut, by_sample: &str) -> Option<String> {
    let parts: Vec<String> = [
        (left_out.by_condition, "by --where"),
        (left_out.by_offset, "by --offset"),
        (left_out.by_sample, by_sample),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, words)| format!("{} {words}", count(number)))
    .collect();
    let all = left_out.count();
    (all > 0).then(|| format!("{} left out: {}", of(all, "row"), parts.join(", ")))
}

/// Which column is asked, where that is not plain.
fn header(shape: &Shape) -> Option<String> {
    let column = shape.fields.get(shape.question).map(|name| one_line(name)).unwrap_or_default();
    Some(match (shape.has_names, shape.chosen) {
        (false, Chosen::ByUser) => {
            format!("no header: the first row is a question; questions are in {column}")
        }
        (false, _) if shape.fields.len() > 1 => format!(
            "no header, as the first row names no column that is known: it is a question \
             (--header yes says otherwise); questions are taken from the first of {} columns \
             (--column N names another)",
            shape.fields.len()
        ),
        (false, _) => "no header: the first row is a question (--header yes says otherwise)".into(),
        (true, Chosen::ByName) if column == "question" => return None,
        (true, _) if !shape.is_table => format!("questions are in `{column}`"),
        (true, Chosen::First) => format!(
            "the first row is a header; questions are taken from its first column, `{column}`, as no \
             name is one of questions (--column names another)"
        ),
        (true, _) => format!("the first row is a header; questions are in column `{column}`"),
    })
}

/// What was put right before the run.
fn recovered(one: &Recovered) -> Vec<String> {
    match one {
        Recovered::TakenIn(rescued) => taken_in(rescued),
        Recovered::Renamed { from, to } => vec![format!(
            "{from} is {to} now: loaders of datasets took what an earlier version called so for data"
        )],
        Recovered::Imported(import) => imported(import),
        Recovered::TakenBack { rows, from } => vec![format!(
            "the store lacks the end of its log, or is an older copy: {} taken back from {from}",
            of(*rows, "row")
        )],
        Recovered::Repaired(repair) => vec![repaired(repair)],
        Recovered::Rebuilt => {
            vec!["a rebuild of the outputs was cut short: it is finished now".into()]
        }
        Recovered::LeftOut { rows, to } => vec![format!(
            "{} with a damaged text left out of the outputs, which are made anew; those before are in {to}",
            of(*rows, "row")
        )],
        Recovered::Moved { to } => {
            vec![format!("asking everything again; the earlier outputs are in {to}")]
        }
        Recovered::InputMoved { to } => {
            vec![format!("what an earlier run was given through a pipe is in {to}")]
        }
    }
}

fn taken_in(rescued: &Rescued) -> Vec<String> {
    if rescued.answers + rescued.unread == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "took in {} that the last run could only rescue",
        of(rescued.answers, "answer")
    )];
    if rescued.unread > 0 {
        lines.push(format!(
            "{} of what was rescued cannot be read; the file is kept as dset.rescue-unread",
            of(rescued.unread, "line")
        ));
    }
    lines
}

fn imported(import: &LegacyImport) -> Vec<String> {
    let whose =
        if import.ours { "that are there, without a store" } else { "of the original script" };
    let mut lines = vec![format!(
        "took over the outputs {whose}: {} {} as answered (copies in {})",
        of(import.rows, "row"),
        by(import.rows, "counts", "count"),
        import.copied_to
    )];
    let cost = match import.ours {
        true => "what they cost counts, as far as output.json tells their tokens",
        false => "what they cost is not known: it is in no sum, and no limit counts it",
    };
    lines.push(format!("  {cost}"));
    for (number, words) in [
        (import.torn, "torn at the end of a file and cut off"),
        (import.completed, "missing in one of the files and added"),
        (import.unread, "unreadable and left as they are"),
    ] {
        if number > 0 {
            lines.push(format!("  {} {words}", of(number, "row")));
        }
    }
    lines
}

fn repaired(repair: &Repair) -> String {
    match repair {
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
    }
}

fn bookmark(found: &PreparationReport) -> Vec<String> {
    let starts = found.starts_at_row.map(|row| {
        format!(
            "starting at the bookmark in row {row}: the {} before it {} taken as answered (--from-start asks {})",
            of(found.presumed, "row"),
            by(found.presumed, "is", "are"),
            by(found.presumed, "it", "them")
        )
    });
    let unused = found.bookmark_unused.then(|| {
        "--from-bookmark does nothing here: answers are on record, or no row before the first \
         one says ERROR"
            .to_owned()
    });
    starts.into_iter().chain(unused).collect()
}

fn last_run(found: &PreparationReport) -> Option<String> {
    let answers = match found.answered {
        1 => "its 1 answer is".to_owned(),
        number => format!("all {} answers are", count(number)),
    };
    let died = found.last_run_died;
    died.then(|| format!("the last run ended without saying goodbye; {answers} intact"))
}

/// What becomes of the answers that are there, and which questions are asked although they look
/// alike.
fn answers(found: &PreparationReport) -> Vec<String> {
    let mut lines = Vec::new();
    if found.again_continued {
        lines.push("continuing to ask everything again, as an earlier run began".into());
    }
    if let Some(redo) = found.redo_continued {
        lines.push(format!(
            "going on where the redo of {} was cut short: {} of its {} {} done and {} not asked once more",
            when(redo.began),
            count(redo.done),
            of(found.questions, "row"),
            by(redo.done, "is", "are"),
            by(redo.done, "is", "are"),
        ));
    }
    if found.kept_from_others > 0 {
        let kept = of(found.kept_from_others, "answer");
        lines.push(format!("keeping {kept} bought with other settings"));
    }
    if found.system_as_before {
        lines.push(
            "the system prompt is sent as it stands, as for the answers that are there; \
             write columns in it as `{{ topic }}` and change it to have them filled in"
                .into(),
        );
    }
    if found.marked_though_answered > 0 {
        let rows = of(found.marked_though_answered, "row");
        lines.push(format!("{rows} said ERROR although answered: cleared"));
    }
    if found.duplicates > 0 {
        let questions = match found.duplicates {
            1 => "1 question is".to_owned(),
            number => format!("{} questions are", count(number)),
        };
        lines.push(format!("{questions} the same as an earlier one; each is asked"));
    }
    lines
}

/// What else is not as the last run found it, or as a run would have it.
fn surroundings(opening: &RunContext<'_>) -> Vec<String> {
    let (found, endpoint) = (opening.found, opening.settings.model().endpoint());
    let before = found.endpoint_before.as_ref().filter(|before| is_news(before, opening));
    let moved = before
        .map(|before| format!("the last run asked {}, this one asks {endpoint}", one_line(before)));
    let unlocked = found.is_unlocked.then(|| {
        "this file system has no locks: do not start a second run on this folder".to_owned()
    });
    moved.into_iter().chain(unlocked).collect()
}

/// Another port of this machine is the same server, started again.
fn is_news(before: &str, opening: &RunContext<'_>) -> bool {
    let local = |url: &url::Url| dset_core::settings::is_loopback(url);
    let before_is_local = before.parse().is_ok_and(|url: url::Url| local(&url));
    !(before_is_local && local(opening.settings.model().base_url()))
}
