//! What a run adds up to, for its last lines.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dset_core::histogram::Histogram;
use dset_core::item::question::Question;
use dset_core::run::Notice;
use dset_engine::observer::LocalFailure;

#[derive(Debug, Default)]
pub(super) struct LiveStats {
    pub(super) answered: u64,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) reasoning: u64,
    /// Questions that took more than one ask.
    pub(super) retried: u64,
    /// Failed asks that were repeated, by cause.
    pub(super) repeated: BTreeMap<&'static str, u64>,
    /// Questions without an answer, by cause.
    pub(super) failed: BTreeMap<&'static str, u64>,
    pub(super) slowest: Option<(Duration, Arc<Question>)>,
    /// Milliseconds per answer.
    times: Histogram,
    /// The store, if it failed.
    pub(super) store: Option<FailedStore>,
    /// Why an output cannot be written, naming its file.
    pub(super) output_failed: Option<String>,
    /// It is the text of an answer that cannot be read.
    pub(super) is_text_damaged: bool,
}

/// A store that failed, and what became of the answers that came after that.
#[derive(Debug)]
pub(super) struct FailedStore {
    pub(super) path: PathBuf,
    pub(super) detail: String,
    /// Answers that the next run takes in, by file.
    pub(super) kept: BTreeMap<PathBuf, u64>,
    /// Answers that could be kept nowhere.
    pub(super) lost: u64,
}

impl LiveStats {
    pub(super) fn add(&mut self, notice: &Notice) {
        match notice {
            Notice::Answered { question, took, usage, attempts } => {
                self.answered += 1;
                self.input += usage.input.unwrap_or(0);
                self.output += usage.output.unwrap_or(0);
                self.reasoning += usage.reasoning.unwrap_or(0);
                self.retried += u64::from(*attempts > 1);
                self.times.add(took.as_millis() as u64);
                if self.slowest.as_ref().is_none_or(|(slowest, _)| took > slowest) {
                    self.slowest = Some((*took, Arc::clone(question)));
                }
            }
            Notice::Retrying { failure, .. }
            | Notice::OutageBegan { failure, .. }
            | Notice::OutageContinues { failure, .. } => {
                *self.repeated.entry(failure.cause.code()).or_default() += 1;
            }
            Notice::Ended { failure, .. } => {
                *self.failed.entry(failure.cause.code()).or_default() += 1
            }
            _ => {}
        }
    }

    /// Adds trouble; tells whether it is news.
    pub(super) fn trouble(&mut self, trouble: &LocalFailure) -> bool {
        match trouble {
            LocalFailure::Marks { .. } | LocalFailure::Server { .. } => true,
            LocalFailure::Output { detail, is_text_damaged } => {
                self.is_text_damaged = *is_text_damaged;
                self.output_failed.replace(detail.clone()).is_none()
            }
            LocalFailure::Store { path, detail, rescued, answers } => {
                let is_news = self.store.is_none();
                let store = self.store.get_or_insert_with(|| FailedStore {
                    path: path.clone(),
                    detail: detail.clone(),
                    kept: BTreeMap::new(),
                    lost: 0,
                });
                match rescued {
                    Some(path) => *store.kept.entry(path.clone()).or_default() += answers,
                    None => store.lost += answers,
                }
                is_news
            }
        }
    }

    /// Writes ` (82 % reasoning)`; nothing where no reasoning was counted.
    pub(super) fn reasoning_share(&self) -> String {
        match (self.reasoning * 100).checked_div(self.output) {
            Some(share) if self.reasoning > 0 && share <= 100 => format!(" ({share} % reasoning)"),
            _ => String::new(),
        }
    }

    /// The middle of the times, off by less than 0.8 %.
    pub(super) fn median(&self) -> Option<Duration> {
        self.times.quantile(0.5).map(Duration::from_millis)
    }

    /// Writes `4 overloaded, 2 timed out`, the most frequent first.
    pub(super) fn causes(counts: &BTreeMap<&'static str, u64>) -> String {
        let mut counts: Vec<_> = counts.iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let words: Vec<_> =
            counts.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
        words.join(", ")
    }
}
