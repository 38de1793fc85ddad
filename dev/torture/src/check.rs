//! Looks at what a finished run has left, with readers that are not the program's own.

use std::io;

use fs_err as fs;

use crate::world::{ServiceReaction, World, counted};

/// A row as one of the outputs has it: question, reasoning, answer.
type Row = [String; 3];

/// What a check counted.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct CheckResult {
    pub(crate) rows: u64,
    pub(crate) missing: u64,
    pub(crate) doubled: u64,
    /// Answered by the service more often than there are rows for it.
    pub(crate) again: u64,
}

/// Checks the files after the last life; what is wrong becomes a violation.
pub(crate) fn whole(world: &mut World<'_>) -> io::Result<CheckResult> {
    let mut found = CheckResult::default();
    let [csv, json, txt] = match outputs(world) {
        Ok(rows) => rows,
        Err(error) => {
            world.fail(format!("an output cannot be read: {error}"));
            return Ok(found);
        }
    };
    if csv != json || csv != txt {
        let counts = format!("{}, {}, {}", csv.len(), json.len(), txt.len());
        world.fail(format!("the outputs do not agree: {counts} rows"));
    }
    let wanted = world.lines.iter().filter(|line| line.taken != ServiceReaction::Refused);
    let wanted = counted(wanted.map(|line| line.text.as_str()));
    let had = counted(csv.iter().map(|row| row[0].as_str()));
    found.rows = csv.len() as u64;
    for (text, count) in &wanted {
        let had = had.get(text).copied().unwrap_or(0);
        found.missing += count.saturating_sub(had);
    }
    for (text, count) in &had {
        found.doubled += count.saturating_sub(wanted.get(text).copied().unwrap_or(0));
    }
    let mut wrong: Vec<String> = Vec::new();
    for [question, reasoning, answer] in &csv {
        if world.answer(question) != (reasoning.clone(), answer.clone()) {
            wrong.push(format!("not what was answered to {question:?}"));
        }
    }
    let (missing, doubled) = (found.missing, found.doubled);
    if missing + doubled > 0 {
        wrong.push(format!("{missing} rows missing, {doubled} doubled"));
    }
    for (text, (_, answered)) in world.audit() {
        let rows = world.lines.iter().filter(|line| line.text == text).count() as u64;
        found.again += answered.saturating_sub(rows);
    }
    let allowed = world.cut_lives * u64::from(world.width);
    if found.again > allowed {
        wrong.push(format!("{} answers bought twice, {allowed} allowed", found.again));
    }
    let input = fs::read_to_string(world.path("q.csv"))?;
    if !world.is_input(&input, |line| line.taken == ServiceReaction::Refused) {
        wrong.push("the input has other bytes than its marks explain".into());
    }
    let known = |folder: &str, name: &str| match folder {
        "" => matches!(name, "q.csv" | "dset_generator"),
        _ => matches!(
            name,
            "dset.db"
                | "dset.lock"
                | "dset.running"
                | "README.md"
                | "output.csv"
                | "output.json"
                | "output.txt"
        ),
    };
    for folder in ["", "dset_generator"] {
        for entry in fs::read_dir(world.path(folder))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let unread = name == "dset.rescue-unread" && world.may_lose;
            if !known(folder, &name) && !unread {
                wrong.push(format!("a stray file: {folder}/{name}"));
            }
        }
    }
    for entry in fs::read_dir(&world.temporary)? {
        wrong.push(format!("a stray temporary file: {}", entry?.path().display()));
    }
    wrong.extend(store(world));
    wrong.into_iter().for_each(|violation| world.fail(violation));
    Ok(found)
}

/// Checks the store alone: whole, and with everything that was acknowledged.
pub(crate) fn store(world: &World<'_>) -> Vec<String> {
    let path = world.path("dset_generator/dset.db");
    let look = || -> rusqlite::Result<Vec<String>> {
        let mut wrong = Vec::new();
        let store = rusqlite::Connection::open(&path)?;
        let says: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if says != "ok" {
            wrong.push(format!("the store is damaged: {says}"));
        }
        let acked = world.acked_keys();
        if acked.is_empty() {
            return Ok(wrong);
        }
        let sql = "SELECT count(*) FROM keys WHERE hex(key) = upper(?1)";
        let mut statement = store.prepare(sql)?;
        let mut lost = 0;
        for key in acked {
            let stored: i64 = statement.query_row([&key], |row| row.get(0))?;
            lost += i64::from(stored == 0);
        }
        if lost > 0 {
            wrong.push(format!("{lost} acknowledged answers are not in the store"));
        }
        Ok(wrong)
    };
    look().unwrap_or_else(|error| vec![format!("the store cannot be read: {error}")])
}

/// Rows in the outputs, each read with a reader of its own.
pub(crate) fn outputs(world: &World<'_>) -> io::Result<[Vec<Row>; 3]> {
    let path = |name: &str| world.path("dset_generator").join(name);
    let bad = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);

    let mut csv = Vec::new();
    let mut reader = csv::Reader::from_reader(fs::File::open(path("output.csv"))?);
    for record in reader.records() {
        let record = record.map_err(|error| bad(error.to_string()))?;
        csv.push([1, 2, 3].map(|at| record[at].to_owned()));
    }

    let mut json = Vec::new();
    let text = fs::read_to_string(path("output.json"))?;
    for line in text.split_inclusive('\n') {
        let line = line.strip_suffix('\n').ok_or_else(|| bad(format!("a torn line: {line:?}")))?;
        let line: serde_json::Value = serde_json::from_str(line)?;
        let text = |of: &str, name: &str| line[of][name].as_str().unwrap_or("?").to_owned();
        json.push([
            text("metadata", "question"),
            text("response", "reasoning"),
            text("response", "answer"),
        ]);
    }

    let mut txt = Vec::new();
    let text = fs::read_to_string(path("output.txt"))?;
    let mut rest = text.as_str();
    let end = format!("\n{}\n\n", "-".repeat(50));
    while !rest.is_empty() {
        let torn = || bad(format!("output.txt: not a row: {:?}", rest.get(..80).unwrap_or(rest)));
        let (block, after) = rest.split_once(&end).ok_or_else(torn)?;
        let (_, block) = block
            .strip_prefix("Timestamp: ")
            .and_then(|block| block.split_once("\nQuestion: "))
            .ok_or_else(torn)?;
        let (question, block) = block.split_once("\nThought Process: ").ok_or_else(torn)?;
        let (reasoning, answer) = block.split_once("\nFinal Answer: ").ok_or_else(torn)?;
        txt.push([question, reasoning, answer].map(str::to_owned));
        rest = after;
    }
    Ok([csv, json, txt])
}
