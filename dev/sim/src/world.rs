//! A user, a service and a disk, over all the lives of one run.

use std::collections::{BTreeMap, BTreeSet};

use dset_core::bookmark::{Marks, rewrite};
use dset_core::csv::{ERROR, HeaderMode, Record, Records, survey};
use dset_core::key::{Fingerprint, RequestSettings};
use dset_core::machine::{Planned, Why};
use dset_core::plan::{AnswerId, Bought, Known, Plan, Planner, Stored as PlanStored, is_raised};
use dset_core::prompt::DEFAULT_TEMPLATE;
use dset_core::question::{Key, Question, QuestionId};

use crate::disk::{Output, Request, Store, Stored};
use crate::life::Life;
use crate::schedule::{Chance, Edit, Fate, Schedule, Start, Teller};

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
    pub(crate) bought_twice: u64,
    pub(crate) events: u64,
    /// A hash of everything that happened.
    pub(crate) trace: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Totals) {
        self.questions += other.questions;
        self.lives += other.lives;
        self.crashes += other.crashes;
        self.asks += other.asks;
        self.bought_twice += other.bought_twice;
        self.events += other.events;
    }
}

/// A row of the input, as the user knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) text: String,
    pub(crate) status: String,
}

/// What the service and its bill say of one request.
#[derive(Debug, Default)]
pub(crate) struct Bill {
    pub(crate) bought: u32,
    /// Bought and lost where nobody can save it: on its way, not durable yet, or thrown away
    /// because the reply was cut or refused.
    pub(crate) excused: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Settings {
    temperature: u8,
    max_tokens: u64,
}

/// What is known when a life begins.
pub(crate) struct Begin {
    pub(crate) plan: Plan,
    pub(crate) questions: Vec<Question>,
    pub(crate) requests: Vec<Request>,
    /// Where in the rows of the input each question stands.
    pub(crate) places: Vec<usize>,
    pub(crate) settings: i64,
    pub(crate) max_tokens: Option<u64>,
}

pub(crate) struct World {
    pub(crate) start: Start,
    pub(crate) rows: Vec<Row>,
    /// The bytes of the input, which always say what `rows` says.
    pub(crate) input: Vec<u8>,
    settings: Settings,
    pub(crate) store: Store,
    pub(crate) outputs: [Output; 2],
    pub(crate) bills: BTreeMap<Request, Bill>,
    /// Numbers answers in the order of their arrival.
    pub(crate) answers_count: AnswerId,
    pub(crate) unix_ms: i64,
    /// The last life came to its end, so that nothing in the outputs is torn.
    orderly: bool,
    calm: bool,
    shows: bool,
    pub(crate) totals: Totals,
    /// The lives so far, as they can be written down.
    pub(crate) lives: Vec<Fate>,
}

impl World {
    fn new(start: Start, shows: bool) -> World {
        let row = |text: &String| Row { text: text.clone(), status: String::new() };
        let rows: Vec<Row> = start.rows.iter().map(row).collect();
        World {
            input: bytes_of(&rows),
            rows,
            start,
            settings: Settings::default(),
            store: Store::default(),
            outputs: Default::default(),
            bills: BTreeMap::new(),
            answers_count: 0,
            unix_ms: 1_795_348_800_000,
            orderly: true,
            calm: false,
            shows,
            totals: Totals::default(),
            lives: Vec::new(),
        }
    }

    /// Makes the world of a seed, to be run with its chance.
    pub(crate) fn drawn(seed: u64, shows: bool) -> (World, Chance) {
        let (chance, start) = Chance::new(seed);
        (World::new(start, shows), chance)
    }

    /// Makes the world of a schedule, to be run with its lives.
    pub(crate) fn written(schedule: &Schedule, shows: bool) -> World {
        World::new(schedule.start.clone(), shows)
    }

    /// Lives with faults by chance, then without, to the end.
    pub(crate) fn run_drawn(&mut self, chance: &mut Chance) {
        for _ in 0..CHAOS_LIVES {
            let teller = Teller::drawn(chance, self.rows.len());
            if self.live(teller) {
                break;
            }
        }
        self.run_calm();
    }

    /// Lives with the faults that are written, then without, to the end.
    pub(crate) fn run_written(&mut self, lives: &[Fate]) {
        for fate in lives {
            self.live(Teller::written(fate.clone()));
        }
        self.run_calm();
    }

    fn run_calm(&mut self) {
        self.calm = true;
        self.start.pause_on_error = false;
        let done = (0..CALM_LIVES).any(|_| self.live(Teller::written(Fate::default())));
        assert!(done, "when faults stop, the run finishes");
        self.check_end();
        // A run after the end asks nothing and writes nothing.
        let asks = self.totals.asks;
        let before = self.outputs.each_ref().map(|output| output.bytes.clone());
        self.live(Teller::written(Fate::default()));
        assert_eq!(asks, self.totals.asks, "a finished run asks nothing");
        let after = self.outputs.each_ref().map(|output| output.bytes.clone());
        assert!(before == after, "a finished run writes nothing");
        let twice = self.bills.values().map(|bill| u64::from(bill.bought.saturating_sub(1)));
        self.totals.bought_twice = twice.sum();
        self.totals.questions = self.rows.iter().filter(|row| !row.text.is_empty()).count() as u64;
    }

    /// Lives once; tells whether everything is done.
    fn live(&mut self, teller: Teller<'_>) -> bool {
        self.totals.lives += 1;
        let life = self.totals.lives;
        self.log(format_args!("life {life}"));
        self.lives.push(teller.fate.clone());
        let mut decision = None;
        for edit in &teller.fate.before {
            self.log(format_args!("   the user: {edit:?}"));
            decision = self.between(edit).or(decision);
        }
        let Some(begin) = self.prepare(decision) else { return false };
        for number in 0..self.outputs.len() {
            self.outputs[number].open(number, &self.store);
            self.store.sinks[number] = self.outputs[number].sync();
        }
        self.check_outputs();
        self.store.lives += 1;
        let (asked, began) = (begin.plan.count(Planned::Pending), self.unix_ms);
        let width = u64::from(self.start.width);
        let ending = Life::new(self, begin, teller).run();
        self.check_bills();
        self.orderly = ending.is_some();
        let Some(ending) = ending else {
            self.totals.crashes += 1;
            return false;
        };
        if !matches!(ending.why, Why::OutputFailed) {
            self.check_outputs();
        }
        if self.calm {
            let took = (self.unix_ms - began) as u64;
            let most = 3 * (asked / width + 1) * 1_100 + 5_000;
            assert!(took <= most, "{asked} questions took {took} ms, at most {most} were right");
        }
        matches!(ending.why, Why::Complete) && ending.ledger.pending == 0 && self.is_done()
    }

    /// Every question is answered, or was cut and may not be asked again.
    fn is_done(&self) -> bool {
        let mut seen = BTreeMap::new();
        self.rows.iter().filter(|row| !row.text.is_empty()).all(|row| {
            let id = next_id(&mut seen, &row.text);
            let cut = self.store.ended.get(&(id.hash(), self.store.edition));
            cut.is_some_and(|cut| cut.is_some()) || self.has_answer(&row.text, id.ordinal)
        })
    }

    fn has_answer(&self, text: &str, ordinal: u32) -> bool {
        self.store.answers.values().any(|stored| {
            let request = &stored.request;
            (request.text.as_str(), request.ordinal) == (text, ordinal)
                && request.edition == self.store.edition
        })
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
    pub(crate) fn mark(&mut self, marks: &Marks) {
        let layout = survey(self.input.as_slice(), HeaderMode::Auto, None).expect("a fine input");
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

    /// Plans a life as the engine does, from the input and the store, and holds the plan against
    /// what the user's words alone say.
    fn prepare(&mut self, decision: Option<bool>) -> Option<Begin> {
        self.store.take_in();
        let is_blank = self.store.answers.is_empty() && self.store.lives == 0;
        let settings = self.request_settings();
        self.store.order.resize_with(self.store.edition as usize + 1, Vec::new);
        let mut held = self.settings_id(&settings);
        let mut plan = self.plan(&settings, held);
        self.check_plan(&plan);
        if decision == Some(false) && !is_blank {
            let unfinished = plan.count(Planned::Pending) > 0;
            if self.store.edition == 0 || held.is_none() || !unfinished {
                self.store.edition += 1;
                self.store.order.push(Vec::new());
                self.store.sinks = Default::default();
                self.store.marks.clear();
                self.store.settings.push((settings.hash(), self.store.edition));
                self.outputs.iter_mut().for_each(Output::clear);
                held = self.settings_id(&settings);
                plan = self.plan(&settings, held);
                self.check_plan(&plan);
            }
        }
        let settings_id = match held {
            Some(id) => id,
            // Nobody has decided: the run is refused, and the user tries again with a decision.
            None if plan.bought_otherwise > 0 && decision != Some(true) => {
                return self.prepare(Some(true));
            }
            None => {
                self.store.settings.push((settings.hash(), self.store.edition));
                self.store.settings.len() as i64
            }
        };
        let (questions, places) = self.questions(&settings, &plan);
        let requests = questions.iter().map(|question| self.request(question)).collect();
        let max_tokens = settings.max_tokens;
        Some(Begin { plan, questions, requests, places, settings: settings_id, max_tokens })
    }

    fn request_settings(&self) -> RequestSettings {
        RequestSettings {
            model: "m".into(),
            template: DEFAULT_TEMPLATE.into(),
            temperature: Some(f64::from(self.settings.temperature)),
            max_tokens: Some(self.settings.max_tokens).filter(|most| *most > 0),
            ..RequestSettings::default()
        }
    }

    fn settings_id(&self, settings: &RequestSettings) -> Option<i64> {
        let wanted = (settings.hash(), self.store.edition);
        let at = self.store.settings.iter().position(|known| *known == wanted)?;
        Some(at as i64 + 1)
    }

    fn request(&self, question: &Question) -> Request {
        Request {
            text: question.text.to_string(),
            ordinal: question.id.ordinal,
            temperature: self.settings.temperature,
            max_tokens: self.settings.max_tokens,
            edition: self.store.edition,
        }
    }

    fn plan(&self, settings: &RequestSettings, held: Option<i64>) -> Plan {
        let edition = self.store.edition;
        let mut planner = Planner::new(edition, true);
        let mut hasher = settings.hasher();
        self.read(|_, _, text, marked| match text {
            "" => planner.skip(text),
            text => planner.push(text, hasher.fingerprint(text), marked),
        });
        let others = self.store.settings.iter().enumerate();
        let has_others =
            others.filter(|(_, (_, of))| *of == edition).any(|(at, _)| Some(at as i64 + 1) != held);
        let cut = self.store.ended.iter().filter(|((_, of), _)| *of == edition);
        let cut = cut.filter_map(|((question, _), cut)| Some((question, (*cut)?)));
        let cut = cut.filter(|(_, (limit, reached))| {
            !is_raised(settings.max_tokens, *limit, Some(*reached))
        });
        let known = Known {
            cut: cut.map(|(question, _)| *question).collect(),
            unwritten: self.store.marks.iter().copied().collect(),
            has_others,
            ..Known::default()
        };
        let stored = self.store.answers.iter();
        let stored = stored.filter(|(_, stored)| stored.request.edition == edition);
        planner.plan(
            stored.map(|(&key, stored)| PlanStored {
                key,
                question: stored.question,
                id: stored.id,
                bought: if Some(stored.settings) == held { Bought::Now } else { Bought::Otherwise },
                placed: self.store.is_placed(stored.id),
            }),
            &known,
        )
    }

    /// Reads the input as the engine does: place, row number, trimmed question, marked.
    fn read(&self, mut each: impl FnMut(usize, u64, &str, bool)) {
        let layout = survey(self.input.as_slice(), HeaderMode::Auto, None).expect("a fine input");
        let (mut records, mut record) = (Records::new(self.input.as_slice()), Record::default());
        let mut place = 0;
        let mut header = layout.has_header;
        while records.next(&mut record).expect("a fine input") {
            if std::mem::take(&mut header) {
                continue;
            }
            let text = record.cell(layout.question).unwrap_or_default().trim();
            let status = layout.status.and_then(|at| record.cell(at)).unwrap_or_default();
            let row = &self.rows[place];
            assert_eq!((text, status), (row.text.as_str(), row.status.as_str()), "rows are read");
            each(place, record.row_number, text, status.trim() == ERROR);
            place += 1;
        }
        assert_eq!(place, self.rows.len(), "every row is read");
    }

    fn questions(&self, settings: &RequestSettings, plan: &Plan) -> (Vec<Question>, Vec<usize>) {
        let (mut questions, mut places) = (Vec::new(), Vec::new());
        let mut hasher = settings.hasher();
        let mut seen = BTreeMap::new();
        self.read(|place, row_number, text, marked| {
            if text.is_empty() {
                return;
            }
            let index = u32::try_from(questions.len()).expect("few questions");
            let print: Fingerprint = hasher.fingerprint(text);
            assert!(plan.fits(index, print), "a row that did not change fits its plan");
            let id = plan.id(index, text);
            assert_eq!(id, next_id(&mut seen, text), "equal rows are numbered in their order");
            let key: Key = plan.key(index, print);
            let text: std::sync::Arc<str> = text.into();
            let prompt = std::sync::Arc::clone(&text);
            questions.push(Question { index, row_number, text, prompt, key, id, marked });
            places.push(place);
        });
        (questions, places)
    }

    /// Holds a plan against what follows from the store's own words, without keys and hashes.
    fn check_plan(&self, plan: &Plan) {
        let edition = self.store.edition;
        let mut stored: BTreeMap<(&str, u32), Vec<&Stored>> = BTreeMap::new();
        for answer in self.store.answers.values().filter(|a| a.request.edition == edition) {
            let request = &answer.request;
            stored.entry((&request.text, request.ordinal)).or_default().push(answer);
        }
        let mut seen = BTreeMap::new();
        let (mut at, mut otherwise) = (0, 0);
        let mut marks = Marks::default();
        for row in self.rows.iter().filter(|row| !row.text.is_empty()) {
            let id = next_id(&mut seen, &row.text);
            let answers = stored.get(&(row.text.as_str(), id.ordinal));
            let of_now = |answer: &&&Stored| {
                let request = &answer.request;
                (request.temperature, request.max_tokens)
                    == (self.settings.temperature, self.settings.max_tokens)
            };
            let now = answers.and_then(|answers| answers.iter().find(of_now));
            otherwise += u64::from(answers.is_some() && now.is_none());
            let cut = self.store.ended.get(&(id.hash(), edition)).copied().flatten();
            let most = Some(self.settings.max_tokens).filter(|most| *most > 0);
            let kept = cut.is_some_and(|(limit, reached)| !is_raised(most, limit, Some(reached)));
            let state = plan.states[at];
            let right = match (now, answers) {
                (Some(now), _) if self.store.is_placed(now.id) => state == Planned::Settled,
                (Some(_), _) => state == Planned::Unplaced,
                (None, Some(_)) => matches!(state, Planned::Settled | Planned::Unplaced),
                (None, None) if kept => state == Planned::Kept,
                (None, None) => state == Planned::Pending,
            };
            assert!(right, "the plan knows what is answered, cut and left: row {at} is {state:?}");
            let answered = answers.is_some();
            if answered && row.status == ERROR {
                marks.clear.insert(id);
            }
            let unmarked = kept && row.status != ERROR;
            if !answered && (unmarked || self.store.marks.contains(&id.hash())) {
                marks.set.insert(id);
            }
            at += 1;
        }
        assert_eq!(plan.states.len(), at, "every question is planned");
        assert_eq!(plan.bought_otherwise, otherwise, "other settings' answers are told apart");
        assert_eq!(plan.marks, marks, "marks agree with what is answered");
    }

    fn check_outputs(&self) {
        self.outputs.iter().enumerate().for_each(|(at, output)| output.check(at, &self.store));
    }

    /// Nothing was bought more often than once and what cannot be helped.
    fn check_bills(&self) {
        for (request, bill) in &self.bills {
            let (bought, most) = (bill.bought, 1 + bill.excused);
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
            let of_it = self.store.answers.values().filter(|stored| {
                let request = &stored.request;
                request.edition == self.store.edition
                    && (request.text.as_str(), request.ordinal) == (row.text.as_str(), id.ordinal)
            });
            let rows = of_it.filter(|stored| placed.contains(&stored.id)).count();
            let cut = self.store.ended.get(&(id.hash(), self.store.edition));
            let is_cut = cut.is_some_and(|cut| cut.is_some());
            assert!(rows == 1 || rows == 0 && is_cut, "every question has one row in the end");
            assert!(row.status != ERROR || is_cut, "no answered row says ERROR in the end");
        }
    }

    /// Folds a line into the trace, and shows it where that is wanted.
    pub(crate) fn log(&mut self, line: std::fmt::Arguments<'_>) {
        let mut trace = Trace(self.totals.trace);
        let _ = std::fmt::Write::write_fmt(&mut trace, line);
        self.totals.trace = trace.0;
        if self.shows {
            println!("{line}");
        }
    }
}

/// FNV-1a, as the words come.
struct Trace(u64);

impl std::fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

/// Numbers equal texts in their order.
fn next_id(seen: &mut BTreeMap<u64, u32>, text: &str) -> QuestionId {
    let text_hash = QuestionId::hash_text(text);
    let next = seen.entry(text_hash).or_default();
    *next += 1;
    QuestionId { text_hash, ordinal: *next - 1 }
}

fn bytes_of(rows: &[Row]) -> Vec<u8> {
    let rows = rows.iter().map(|row| format!("{},{}\n", row.text, row.status));
    format!("question,status\n{}", rows.collect::<String>()).into_bytes()
}
