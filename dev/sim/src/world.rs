//! A user, a service and a disk, over all the lives of one run.

use std::collections::{BTreeMap, BTreeSet};

use dset_core::csv::{ERROR, HeaderMode, STATUS, survey_marked};
use dset_core::item::error_marks::{InputMarks, rewrite};
use dset_core::item::question::QuestionId;
use dset_core::key::RequestSettings;
use dset_core::plan::AnswerId;
use dset_core::plan::fanout::Fanout;
use dset_core::run::{EndReason, Planned};

use crate::disk::{Cut, Output, Request, Store};
use crate::life::{Life, LifeResult};
use crate::minute::{Sends, longest_ms};
use crate::money::{Books, Limit};
use crate::schedule::{Edit, FaultPlan, Schedule, Start};
use crate::script::{FaultGenerator, Script};
use crate::trace::Trace;

/// Lives that chance may trouble; then the faults stop.
const CHAOS_LIVES: usize = 6;
/// Lives within which a run must finish once they have.
const CALM_LIVES: usize = 3;

/// What a world adds up to.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) questions: u64,
    pub(crate) lives: u64,
    pub(crate) crashes: u64,
    pub(crate) asks: u64,
    pub(crate) bought_twice: BTreeMap<Excuse, u64>,
    pub(crate) events: u64,
    /// Shares of limits that were used when they ended a run.
    pub(crate) used: Vec<f64>,
    /// Every event and effect, for the trace's hash and for reports.
    pub(crate) trace: Trace,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Totals) {
        self.questions += other.questions;
        self.lives += other.lives;
        self.crashes += other.crashes;
        self.asks += other.asks;
        for (excuse, count) in &other.bought_twice {
            *self.bought_twice.entry(*excuse).or_default() += count;
        }
        self.events += other.events;
        self.used.extend(&other.used);
        self.trace.number(other.trace.0);
    }

    /// Says how much was bought twice, by what excuses it.
    pub(crate) fn bought_twice(&self) -> String {
        let each = self.bought_twice.iter().map(|(why, count)| format!("{count} {}", why.words()));
        let each = each.collect::<Vec<_>>().join(", ");
        format!("{} bought twice ({each})", self.bought_twice.values().sum::<u64>())
    }
}

/// A row of the input, as the user knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) text: String,
    pub(crate) status: String,
}

/// Why a request may be bought once more: what was paid for it cannot be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excuse {
    LostOnTheWire,
    /// A crash came while it was in flight,
    CrashInFlight,
    /// or before it was durable.
    Unsynced,
    Abandoned,
    /// The store failed, and the rescue too.
    RescueLost,
}

impl Excuse {
    fn words(self) -> &'static str {
        match self {
            Excuse::LostOnTheWire => "lost on the wire",
            Excuse::CrashInFlight => "on their way in a crash",
            Excuse::Unsynced => "not synced in a crash",
            Excuse::Abandoned => "abandoned",
            Excuse::RescueLost => "lost with the rescue",
        }
    }
}

/// What the service and its bill say of one request.
#[derive(Debug, Default)]
pub(crate) struct Bill {
    pub(crate) bought: usize,
    /// In the order in which they came.
    pub(crate) excuses: Vec<Excuse>,
}

impl Bill {
    /// Returns what excuses each purchase after the first.
    fn again(&self) -> &[Excuse] {
        &self.excuses[..self.bought.saturating_sub(1)]
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) temperature: u8,
    pub(crate) max_tokens: u64,
}

pub(crate) struct World {
    pub(crate) start: Start,
    pub(crate) rows: Vec<Row>,
    /// The bytes of the input, which always say what `rows` says.
    pub(crate) input: Vec<u8>,
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) outputs: [Output; 2],
    pub(crate) bills: BTreeMap<Request, Bill>,
    /// Numbers answers in the order of their arrival.
    pub(crate) answers_count: AnswerId,
    pub(crate) unix_ms: i64,
    /// What was sent in the last minute.
    pub(crate) sends: Sends,
    pub(crate) books: Books,
    /// The last life came to its end, so that nothing in the outputs is torn.
    orderly: bool,
    calm: bool,
    shows: bool,
    pub(crate) totals: Totals,
    /// The lives so far, as they can be written down.
    pub(crate) lives: Vec<FaultPlan>,
}

impl World {
    fn new(start: Start, shows: bool) -> World {
        let row = |text: &String| Row { text: text.clone(), status: String::new() };
        let rows: Vec<Row> = start.rows.iter().map(row).collect();
        World {
            input: bytes_of(&rows),
            rows,
            settings: Settings::default(),
            store: Store::default(),
            outputs: Default::default(),
            bills: BTreeMap::new(),
            answers_count: 0,
            unix_ms: start.limit.map_or(1_795_348_800_000, Limit::begins_unix_ms),
            sends: Sends::default(),
            books: Books::default(),
            orderly: true,
            calm: false,
            shows,
            totals: Totals::default(),
            lives: Vec::new(),
            start,
        }
    }

    /// Makes the world of a seed, to be run with its chance.
    ///
    /// `is_limited`: in it a service bills, and the user has a limit.
    pub(crate) fn drawn(seed: u64, is_limited: bool, shows: bool) -> (World, FaultGenerator) {
        let (chance, mut start) = FaultGenerator::new(seed);
        if is_limited {
            // Answers of any length say nothing of the tokens of a minute.
            (start.limit, start.tpm) = (Some(Limit::drawn(seed)), None);
        }
        (World::new(start, shows), chance)
    }

    /// Makes the world of a schedule, to be run with its lives.
    pub(crate) fn written(schedule: &Schedule, shows: bool) -> World {
        World::new(schedule.start.clone(), shows)
    }

    /// Lives with random faults, then without, to the end.
    pub(crate) fn run_drawn(&mut self, chance: &mut FaultGenerator) {
        for _ in 0..CHAOS_LIVES {
            let teller = Script::drawn(chance, self.rows.len());
            if self.live(teller) {
                break;
            }
        }
        self.run_calm();
    }

    /// Lives with the faults that are written, then without, to the end.
    pub(crate) fn run_written(&mut self, lives: &[FaultPlan]) {
        for fate in lives {
            self.live(Script::written(fate.clone()));
        }
        self.run_calm();
    }

    fn run_calm(&mut self) {
        self.calm = true;
        (self.start.pause_on_error, self.start.limit) = (false, None);
        let done = (0..CALM_LIVES).any(|_| self.live(Script::written(FaultPlan::default())));
        assert!(done, "when faults stop, the run finishes");
        self.check_end();
        // A run after the end asks nothing and writes nothing.
        let asks = self.totals.asks;
        let before = self.outputs.each_ref().map(|output| output.bytes.clone());
        self.live(Script::written(FaultPlan::default()));
        assert_eq!(asks, self.totals.asks, "a finished run asks nothing");
        let after = self.outputs.each_ref().map(|output| output.bytes.clone());
        assert!(before == after, "a finished run writes nothing");
        self.totals.used = std::mem::take(&mut self.books.used);
        for excuse in self.bills.values().flat_map(Bill::again) {
            *self.totals.bought_twice.entry(*excuse).or_default() += 1;
        }
        self.totals.questions = self.rows.iter().filter(|row| !row.text.is_empty()).count() as u64;
    }

    /// Lives once; returns true if everything is done.
    fn live(&mut self, teller: Script<'_>) -> bool {
        self.totals.lives += 1;
        let life = self.totals.lives;
        self.totals.trace.number(life);
        self.show(format_args!("life {life}"));
        self.lives.push(teller.fate.clone());
        let mut decision = None;
        for edit in &teller.fate.before {
            self.show(format_args!("   the user: {edit:?}"));
            decision = self.between(edit).or(decision);
        }
        let Some(begin) = self.prepare(decision) else { return false };
        for number in 0..self.outputs.len() {
            self.outputs[number].open(number, &self.store);
            self.store.checkpoints[number] = self.outputs[number].sync();
        }
        self.check_outputs();
        self.store.lives += 1;
        self.books.life();
        let (asked, began) = (begin.plan.count(Planned::Pending), self.unix_ms);
        let width = u64::from(self.start.width);
        let ended = Life::new(self, begin, teller).run();
        self.check_bills();
        let has_recorded = |ended: &LifeResult| ended.ending.dropped == 0 && !ended.store_failed;
        if !ended.as_ref().is_some_and(has_recorded) {
            self.sends.lost(self.unix_ms);
        }
        self.orderly = ended.as_ref().is_some_and(|ended| !ended.output_failed);
        let Some(LifeResult { ending, output_failed, store_failed }) = ended else {
            self.totals.crashes += 1;
            return false;
        };
        // A commit that failed and is durable all the same may hold rows that were not written.
        if !output_failed && !store_failed {
            self.check_outputs();
        }
        if self.calm {
            let took = (self.unix_ms - began) as u64;
            let most = 3 * (asked / width + 1) * 1_100 + 5_000 + longest_ms(&self.start, asked);
            assert!(took <= most, "{asked} questions took {took} ms, at most {most} were right");
        }
        matches!(ending.reason, EndReason::Complete) && ending.ledger.pending == 0 && self.is_done()
    }

    /// Every question is answered, or was cut and may not be asked again.
    fn is_done(&self) -> bool {
        let mut seen = BTreeMap::new();
        self.rows.iter().filter(|row| !row.text.is_empty()).all(|row| {
            let id = next_id(&mut seen, &row.text);
            self.entries().all(|at| {
                let mut answers = self.store.answers_to(&row.text, id.ordinal, self.of(at));
                self.cut(id, at).is_some() || answers.next().is_some()
            })
        })
    }

    /// The answers that every row is to get.
    pub(crate) fn wanted(&self) -> Fanout {
        let models = self.request_settings().iter().map(RequestSettings::model_hash).collect();
        Fanout::new(models, self.start.samples)
    }

    /// The answers that a row is to get, by their places in it.
    pub(crate) fn entries(&self) -> std::ops::Range<u32> {
        0..self.start.models * self.start.samples
    }

    /// The model and the sample of an answer by its place in its row.
    pub(crate) fn of(&self, at: u32) -> (u16, u32) {
        ((at / self.start.samples) as u16, at % self.start.samples)
    }

    /// The limit that cut an answer to a question, and how far it got.
    pub(crate) fn cut(&self, id: QuestionId, at: u32) -> Cut {
        self.store.cut(self.wanted().failure_key(id, at))
    }

    /// Does what the user does between two lives; returns what was decided about answers.
    fn between(&mut self, edit: &Edit) -> Option<bool> {
        match *edit {
            Edit::Note { output } if self.orderly => self.outputs[output % 2].note(),
            Edit::Note { .. } => {}
            Edit::Drop { output } => self.outputs[output % 2].clear(),
            Edit::Temperature { to, keep } => {
                self.settings.temperature = to;
                return Some(keep);
            }
            Edit::MaxTokens { to, keep } => {
                self.settings.max_tokens = to;
                return Some(keep);
            }
            Edit::Again => return Some(false),
            _ => drop(self.edit(edit)),
        }
        None
    }

    /// Changes the input; returns the first row that says another question than before.
    pub(crate) fn edit(&mut self, edit: &Edit) -> Option<usize> {
        let count = self.rows.len();
        let row = |text: &String| Row { text: text.clone(), status: String::new() };
        let changed = match edit {
            Edit::Add { at, text } => {
                self.rows.insert((*at).min(count), row(text));
                Some((*at).min(count))
            }
            Edit::Delete { at } if *at < count && count > 1 => {
                self.rows.remove(*at);
                Some(*at)
            }
            Edit::Swap { one, other } if one.max(other) < &count => {
                self.rows.swap(*one, *other);
                Some(*one.min(other))
            }
            Edit::Mend { at, text } if *at < count => {
                self.rows[*at].text.clone_from(text);
                Some(*at)
            }
            Edit::Status { at, word } if *at < count => {
                self.rows[*at].status.clone_from(word);
                None
            }
            _ => None,
        };
        self.input = bytes_of(&self.rows);
        changed
    }

    /// Rewrites the input with these marks, and holds every byte against what the user knows.
    pub(crate) fn mark(&mut self, marks: &InputMarks) {
        let layout = survey_marked(self.input.as_slice(), HeaderMode::Auto, None, Some(STATUS))
            .expect("a fine input");
        let mut output = Vec::new();
        rewrite(self.input.as_slice(), &mut output, &layout, marks).expect("a fine input");
        self.input = output;
        let mut seen = BTreeMap::new();
        for row in &mut self.rows {
            let id = next_id(&mut seen, &row.text);
            match row.status.as_str() {
                "" if marks.set.contains(&id) => row.status = ERROR.into(),
                ERROR if marks.clear.contains(&id) => row.status.clear(),
                _ => {}
            }
        }
        assert!(
            self.input == bytes_of(&self.rows),
            "marks change their own cells and no other byte"
        );
    }

    fn check_outputs(&self) {
        self.outputs.iter().enumerate().for_each(|(at, output)| output.check(at, &self.store));
    }

    /// Takes that what was paid for this request may be lost.
    pub(crate) fn excuse(&mut self, request: Request, why: Excuse) {
        self.bills.entry(request).or_default().excuses.push(why);
    }

    /// Nothing was bought more often than once and what cannot be helped.
    fn check_bills(&self) {
        for (request, bill) in &self.bills {
            let (bought, most) = (bill.bought, 1 + bill.excuses.len());
            assert!(bought <= most, "{request:?} was bought {bought} times, {most} can be excused");
        }
    }

    /// Every question has its answer in the outputs once, or was cut.
    fn check_end(&self) {
        let placed: BTreeSet<AnswerId> =
            self.store.order[self.store.edition as usize].iter().copied().collect();
        let mut seen = BTreeMap::new();
        for row in self.rows.iter().filter(|row| !row.text.is_empty()) {
            let id = next_id(&mut seen, &row.text);
            let mut any_cut = false;
            for at in self.entries() {
                let of_it = self.store.answers_to(&row.text, id.ordinal, self.of(at));
                let rows = of_it.filter(|stored| placed.contains(&stored.id)).count();
                let is_cut = self.cut(id, at).is_some();
                any_cut |= is_cut;
                assert!(rows == 1 || rows == 0 && is_cut, "every question has one row in the end");
            }
            assert!(row.status != ERROR || any_cut, "no answered row says ERROR in the end");
        }
    }

    /// Shows a line where that is wanted.
    pub(crate) fn show(&self, line: std::fmt::Arguments<'_>) {
        if self.shows {
            println!("{line}");
        }
    }
}

/// Numbers equal texts in their order.
pub(crate) fn next_id(seen: &mut BTreeMap<u64, u32>, text: &str) -> QuestionId {
    let text_hash = QuestionId::hash_text(text);
    let next = seen.entry(text_hash).or_default();
    *next += 1;
    QuestionId { text_hash, ordinal: *next - 1 }
}

fn bytes_of(rows: &[Row]) -> Vec<u8> {
    let rows = rows.iter().map(|row| format!("{},{}\n", row.text, row.status));
    format!("question,status\n{}", rows.collect::<String>()).into_bytes()
}
