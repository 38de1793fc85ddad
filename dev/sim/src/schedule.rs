//! What happens to a run, decision by decision: drawn from a seed, or read from a file.
//!
//! A schedule holds only what differs from a calm world, and names each thing by its place (the
//! third ask of the second life), so that it still means the same when the code that draws from a
//! seed has changed.

use std::collections::BTreeMap;

use dset_core::run::EndpointSpec;
use serde::{Deserialize, Serialize};

use crate::money::Limit;

/// Everything that happens to one run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    /// What it shows, in the words of the check that fails.
    #[serde(default)]
    pub(crate) shows: String,
    /// The planted bug that it finds, if it is one of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) planted: Option<String>,
    /// What the run begins with.
    pub(crate) start: Start,
    /// The lives in which faults happen, in their order; calm ones follow.
    pub(crate) lives: Vec<FaultPlan>,
}

/// What a run begins with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// The questions, in the order of the input; empty rows are skipped.
    pub(crate) rows: Vec<String>,
    /// How many at once.
    pub(crate) width: u32,
    /// How many in a minute, at most.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) rpm: Option<u32>,
    /// How many tokens in a minute, at most.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) tpm: Option<u64>,
    /// Seeds the jitter of waits.
    #[serde(default)]
    pub(crate) seed: u64,
    /// At how many places each model is asked.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) endpoints: u32,
    /// How many models are asked.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) models: u32,
    /// How many answers each of them is to give to a question.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) samples: u32,
    /// The run pauses at the first failing question.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) pause_on_error: bool,
    /// Answers are held against checks; then the seed says everything.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) is_checked: bool,
    /// A limit of money, where there is one; then the service bills.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) limit: Option<Limit>,
}

impl Start {
    /// Where the models are asked.
    pub(crate) fn places(&self) -> Vec<EndpointSpec> {
        let models = 0..self.models.max(1) as u16;
        let endpoints = 0..self.endpoints.max(1) as u16;
        let of_model = |model| {
            endpoints.clone().map(move |endpoint| EndpointSpec { model, endpoint, limits: None })
        };
        models.flat_map(of_model).collect()
    }
}

/// What happens in one life, where it is not what happens in a calm one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct FaultPlan {
    /// What the user does before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) before: Vec<Edit>,
    /// The most questions that are asked.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) limit: Option<u64>,
    /// What becomes of the n-th ask, from 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) asks: BTreeMap<u64, Reply>,
    /// What becomes of the n-th commit, from 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) commits: BTreeMap<u64, Disk>,
    /// Whether the n-th abandoned ask was answered before it could be dropped, from 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) abandons: BTreeMap<u64, bool>,
    /// What becomes of the n-th appending to the outputs, from 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) appends: BTreeMap<u64, Option<Tear>>,
    /// What becomes of the n-th sync of the outputs, from 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) syncs: BTreeMap<u64, Disk>,
    /// What becomes of the n-th rewriting of the input, from 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) marks: BTreeMap<u64, Disk>,
    /// What happens right after the n-th event, from 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) events: BTreeMap<u64, ExternalEvent>,
}

/// What becomes of an ask.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Reply {
    /// How long it takes.
    pub(crate) ms: u64,
    /// What the service replies.
    pub(crate) what: ReplyKind,
}

impl Default for Reply {
    fn default() -> Reply {
        Reply { ms: 1_000, what: ReplyKind::Answer }
    }
}

/// What comes of an ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReplyKind {
    Answer,
    /// The answer is made, billed and lost in flight.
    Lost,
    Transient,
    Throttled {
        wait_s: Option<u64>,
        width: Option<u32>,
    },
    /// Cut by the token limit: billed, and kept.
    Cut,
    Moderated,
    TooLong,
    Refused,
    WrongSettings,
    Forbidden,
    KeyRefused,
    OutOfMoney,
}

/// What becomes of something that goes to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Disk {
    /// How long it takes.
    pub(crate) ms: u64,
    /// It fails; for a commit, what it held is rescued unless that fails too.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) fails: bool,
    /// The rescue fails as well: what was paid for is lost.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) lost: bool,
    /// It is durable although it failed.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) stays: bool,
}

impl Default for Disk {
    fn default() -> Disk {
        Disk { ms: 5, fails: false, lost: false, stays: false }
    }
}

/// Where the appending of rows fails: earlier outputs get theirs, this one some bytes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tear {
    pub(crate) output: usize,
    pub(crate) bytes: u64,
}

/// What a crash leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Crash {
    /// Bytes of each output that were not synced and are there.
    pub(crate) keeps: [u64; 2],
    /// From this one of those bytes on there are zeros in their place.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) zeros_from: Option<u64>,
    /// A commit that was in flight is done all the same.
    pub(crate) committed: bool,
    /// A rewriting of the input that was in flight is done all the same.
    pub(crate) marked: bool,
}

/// Something that happens to a life from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExternalEvent {
    /// The process or the machine dies. What was not synced is gone, but for what is said.
    Crash(Crash),
    Interrupt,
    Terminate,
    /// The run is paused, and resumed after this time.
    Hold {
        ms: u64,
    },
    /// The clock on the wall is set.
    Clock {
        ms: i64,
    },
    /// The user changes the input.
    Edit(Edit),
}

/// Something that the user does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Edit {
    Add {
        at: usize,
        text: String,
    },
    Delete {
        at: usize,
    },
    Swap {
        one: usize,
        other: usize,
    },
    Mend {
        at: usize,
        text: String,
    },
    /// Writes a word of one's own, ERROR or nothing into a row's status.
    Status {
        at: usize,
        word: String,
    },
    /// Appends a line to an output.
    Note {
        output: usize,
    },
    /// Deletes one of the output files.
    Drop {
        output: usize,
    },
    /// Sets the temperature, and keeps the answers there are (else asks all again).
    Temperature {
        to: u8,
        keep: bool,
    },
    /// Sets the token limit, and keeps the answers there are (else asks all again).
    MaxTokens {
        to: u64,
        keep: bool,
    },
    /// Asks everything again, as a new generation.
    Again,
}

fn one() -> u32 {
    1
}

fn is_one(count: &u32) -> bool {
    *count == 1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
