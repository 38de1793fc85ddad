//! What is known when a run begins.

use std::path::PathBuf;

use dset_core::item::shape::Shape;

use crate::recover::Recovered;
use crate::run::choice::LeftOut;
use crate::run::redo::RedoContinued;
use crate::source::bad_row::BadRows;

/// What was found and done before the first ask.
#[derive(Debug, Clone)]
pub struct PreparationReport {
    /// What the columns of the input mean.
    pub shape: Shape,
    /// Non-empty questions.
    pub questions: u64,
    /// Answers that are wanted to them; the counts of answers below are of these.
    pub answers: u64,
    /// Rows that are skipped because they are empty.
    pub empty: u64,
    /// Rows that are left out because they cannot be asked.
    pub bad_rows: BadRows,
    /// Files of the folder of questions that are not read.
    pub unread: Vec<PathBuf>,
    /// Rows that the user left out.
    pub left_out: LeftOut,
    /// Only so many rows are asked, evenly chosen, to learn what the rest will take.
    pub pilot: Option<u64>,
    /// The field that names the rows.
    pub id_field: Option<String>,
    /// The field that named them before, where that is another one or not there any more.
    pub id_before: Option<String>,
    /// Answered before this run.
    pub answered: u64,
    /// Taken as answered: before a bookmark.
    pub presumed: u64,
    /// Somebody has said in this run or an earlier one that they are to be taken so.
    pub presumed_agreed: bool,
    /// The row of the bookmark at which a run without any other record begins.
    pub starts_at_row: Option<u64>,
    /// To begin at a bookmark was wished, and there is a record, or no bookmark with rows before it.
    pub bookmark_unused: bool,
    /// Cut by the token limit, and not asked again under this one.
    pub kept: u64,
    /// Whole and not accepted, and not asked again.
    pub failed_checks: u64,
    /// Of these, those of which nothing is known but that a program gave no verdict.
    pub without_verdict: u64,
    /// To be asked.
    pub pending: u64,
    /// Questions that are the same request as an earlier one.
    pub duplicates: u64,
    /// Rows of the outputs whose question is no longer in the input, or whose answer counts no more.
    pub removed: u64,
    /// Rows of the outputs that have another answer than the one that counts.
    pub outdated: u64,
    /// Rows that said ERROR although they were answered.
    pub marked_though_answered: u64,
    /// Answers that other settings bought and that are kept.
    pub kept_from_others: u64,
    /// What was put right, in the order in which that was done.
    pub recovered: Vec<Recovered>,
    /// Asking again was begun by an earlier run and is continued.
    pub again_continued: bool,
    /// Asking rows again was begun by an earlier run and is continued.
    pub redo_continued: Option<RedoContinued>,
    /// The last run asked another endpoint.
    pub endpoint_before: Option<String>,
    /// The last run ended without saying goodbye.
    pub last_run_died: bool,
    /// This file system has no locks.
    pub is_unlocked: bool,
    /// The system prompt holds what would be read or refused now, and is sent as it stands, as it was
    /// when the answers were bought that are there.
    pub system_as_before: bool,
}
