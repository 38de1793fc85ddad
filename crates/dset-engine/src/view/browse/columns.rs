//! The numbers of every record in memory, column by column: about 55 bytes each, so that filters,
//! counts and orders over a million of them take milliseconds.

use dset_core::plan::AnswerId;
use serde::Serialize;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum State {
    /// There is an answer.
    Answered,
    /// The service refused it, or its answer may not be kept.
    Rejected,
    /// Every retry failed.
    GaveUp,
    /// Taken as answered, before a bookmark of the original script.
    Presumed,
    /// It was not answered yet.
    Pending,
    /// It was not answered, and is not among the rows that the last run chose.
    LeftOut,
}

impl State {
    /// All of them, in the order in which a viewer shows them.
    pub const ALL: [State; 6] = [
        State::Answered,
        State::Rejected,
        State::GaveUp,
        State::Presumed,
        State::Pending,
        State::LeftOut,
    ];

    /// Returns its name, as JSON has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Answered => "answered",
            State::Rejected => "rejected",
            State::GaveUp => "gave_up",
            State::Presumed => "presumed",
            State::Pending => "pending",
            State::LeftOut => "left_out",
        }
    }
}

/// The words of a column that has few of them. The first, number 0, is none.
#[derive(Debug, Default, Clone)]
pub(super) struct Names {
    names: Vec<String>,
}

impl Names {
    /// Returns the number of a name; names beyond the 254th are counted together.
    pub(super) fn number(&mut self, name: &str) -> u8 {
        const OTHER: &str = "…";
        if let Some(number) = self.find(name) {
            return number;
        }
        if self.names.len() < 253 {
            self.names.push(name.to_owned());
        } else if self.names.len() == 253 {
            self.names.push(OTHER.to_owned());
        }
        self.names.len() as u8
    }

    pub(super) fn find(&self, name: &str) -> Option<u8> {
        self.names.iter().position(|known| known == name).map(|at| at as u8 + 1)
    }

    pub(super) fn name(&self, number: u8) -> Option<&str> {
        self.names.get(usize::from(number).checked_sub(1)?).map(String::as_str)
    }
}

/// A number of an answer that nobody has told.
pub(super) const UNKNOWN: u32 = u32::MAX;

/// The numbers of an answer; any of them may be [`UNKNOWN`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Numbers {
    pub(super) input_tokens: u32,
    pub(super) output_tokens: u32,
    pub(super) reasoning_tokens: u32,
    pub(super) took_ms: u32,
    pub(super) reasoning_bytes: u32,
    pub(super) answer_bytes: u32,
    /// Dollars; what is not known is NaN.
    pub(super) cost: f32,
    /// Unix seconds.
    pub(super) answered_at: u32,
}

/// One record: an answer that a row of the input has, or is to get.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    /// Its row, among those that are asked.
    pub(super) row: u32,
    /// The answer in the store; 0 where there is none.
    pub(super) answer: u32,
    /// Those of its answer, or of the last one that was not accepted.
    pub(super) numbers: Numbers,
    /// The beginning of the key of its answer, which tells asks of one question apart.
    pub(super) key: u32,
    pub(super) sample: u16,
    pub(super) attempts: u16,
    pub(super) state: State,
    pub(super) cause: u8,
    /// The checks that it does not pass.
    pub(super) check: u8,
    pub(super) model: u8,
    pub(super) finish: u8,
    /// From 1 to 5; 0 where it was not rated.
    pub(super) rating: u8,
    pub(super) has_note: bool,
}

impl Record {
    /// Tells whether an answer has given it numbers, accepted or not.
    pub(super) fn has_numbers(&self) -> bool {
        self.numbers.answered_at > 0
    }

    /// Returns a record of which nothing is known but its row and its answer, 0 where there is none.
    pub(super) fn of(row: u32, answer: AnswerId) -> Record {
        Record {
            row,
            answer: answer as u32,
            numbers: Numbers { cost: f32::NAN, ..Numbers::default() },
            key: 0,
            sample: 0,
            state: State::Answered,
            cause: 0,
            check: 0,
            model: 0,
            finish: 0,
            attempts: 0,
            rating: 0,
            has_note: false,
        }
    }
}

/// All records, in the order of the input; those of a row one behind the other.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) records: Vec<Record>,
    /// The number of each row as a spreadsheet counts.
    pub(super) row_numbers: Vec<u32>,
    /// The beginning of the hash that each row's question is known by in the store.
    pub(super) questions: Vec<[u8; 8]>,
    pub(super) causes: Names,
    pub(super) checks: Names,
    pub(super) models: Names,
    pub(super) finishes: Names,
}

impl Columns {
    /// Returns the records of a row.
    pub(super) fn of_row(&self, row: u32) -> std::ops::Range<usize> {
        let from = self.records.partition_point(|record| record.row < row);
        let to = from + self.records[from..].partition_point(|record| record.row == row);
        from..to
    }

    /// Returns the row with this number as a spreadsheet counts, where rows are numbered upwards.
    pub(super) fn row_numbered(&self, number: u64) -> Option<u32> {
        let number = u32::try_from(number).ok()?;
        self.row_numbers.binary_search(&number).ok().map(|row| row as u32)
    }
}
