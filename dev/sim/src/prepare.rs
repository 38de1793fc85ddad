//! Begins a life as the engine does: plans it from the input and the store, and holds the plan
//! against what the user's words alone say.

use std::collections::BTreeMap;

use dset_core::acceptance::Standing;
use dset_core::csv::{ERROR, HeaderMode, Record, Records, STATUS, survey_marked};
use dset_core::item::error_marks::InputMarks;
use dset_core::item::question::{Question, QuestionId};
use dset_core::key::{RequestHasher, RequestSettings};
use dset_core::plan::{
    FoundBy, Plan, Planner, Provenance, StoreFacts, Stored as PlanStored, Tries, is_raised,
};
use dset_core::run::Planned;
use dset_core::template::DEFAULT_TEMPLATE;

use crate::disk::{Output, Request, Stored};
use crate::money::OUTPUT_MAX;
use crate::world::{World, next_id};

/// A question and which of the equal ones it is, a model and a sample.
type Slot<'a> = (&'a str, u32, (u16, u32));

/// What is known when a life begins.
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    pub(crate) questions: Vec<Question>,
    pub(crate) requests: Vec<Request>,
    /// Where in the rows of the input the question of each stands.
    pub(crate) places: Vec<usize>,
    /// The settings of each model, by their numbers.
    pub(crate) settings: Vec<i64>,
    pub(crate) max_tokens: Option<u64>,
    /// Every model has answered with these settings before.
    pub(crate) answered_before: bool,
}

impl Prepared {
    /// The tokens of an answer, at most.
    pub(crate) fn output_max(&self) -> u64 {
        self.max_tokens.unwrap_or(OUTPUT_MAX)
    }
}

impl World {
    /// Plans a life as the engine does, from the input and the store, and holds the plan against
    /// what the user's words alone say.
    pub(crate) fn prepare(&mut self, decision: Option<bool>) -> Option<Prepared> {
        self.store.take_in();
        let is_blank = self.store.answers.is_empty() && self.store.lives == 0;
        let settings = self.request_settings();
        self.store.order.resize_with(self.store.edition as usize + 1, Vec::new);
        let mut held = self.settings_ids(&settings);
        let mut plan = self.plan(&settings, &held);
        self.check_plan(&plan);
        if decision == Some(false) && !is_blank {
            let unfinished = plan.count(Planned::Pending) > 0;
            if self.store.edition == 0 || held.contains(&None) || !unfinished {
                self.store.edition += 1;
                self.store.order.push(Vec::new());
                self.store.checkpoints = Default::default();
                self.store.marks.clear();
                let edition = self.store.edition;
                let decided = settings.iter().map(|settings| (settings.hash(), edition));
                self.store.settings.extend(decided);
                self.outputs.iter_mut().for_each(Output::clear);
                held = self.settings_ids(&settings);
                plan = self.plan(&settings, &held);
                self.check_plan(&plan);
            }
        }
        let mut undecided =
            held.iter().zip(&plan.with_other_settings).filter(|(id, _)| id.is_none());
        // There is no decision: the run is refused, and the user tries again with a decision.
        if decision != Some(true) && undecided.any(|(_, otherwise)| *otherwise > 0) {
            return self.prepare(Some(true));
        }
        let answered = plan.count(Planned::Placed) + plan.count(Planned::Unplaced);
        let answered_before = answered > 0 && held.iter().all(Option::is_some);
        let mut ids = Vec::new();
        for (settings, held) in settings.iter().zip(held) {
            ids.push(held.unwrap_or_else(|| {
                self.store.settings.push((settings.hash(), self.store.edition));
                self.store.settings.len() as i64
            }));
        }
        let (questions, places) = self.questions(&settings, &plan);
        let requests = questions.iter().map(|question| self.request(question)).collect();
        let max_tokens = settings[0].max_tokens;
        let settings = ids;
        Some(Prepared { plan, questions, requests, places, settings, max_tokens, answered_before })
    }

    /// What each model is asked with.
    pub(crate) fn request_settings(&self) -> Vec<RequestSettings> {
        let models = ["m", "n"].iter().take(self.start.models as usize);
        models.map(|model| self.settings_of(model)).collect()
    }

    fn settings_of(&self, model: &str) -> RequestSettings {
        RequestSettings {
            model: model.into(),
            template: DEFAULT_TEMPLATE.into(),
            temperature: Some(f64::from(self.settings.temperature)),
            max_tokens: Some(self.settings.max_tokens).filter(|most| *most > 0),
            ..RequestSettings::default()
        }
    }

    fn settings_ids(&self, settings: &[RequestSettings]) -> Vec<Option<i64>> {
        let of = |settings: &RequestSettings| {
            let wanted = (settings.hash(), self.store.edition);
            let at = self.store.settings.iter().position(|known| *known == wanted)?;
            Some(at as i64 + 1)
        };
        settings.iter().map(of).collect()
    }

    fn request(&self, question: &Question) -> Request {
        Request {
            text: question.text.to_string(),
            ordinal: question.id.ordinal,
            model: question.model,
            sample: question.sample,
            temperature: self.settings.temperature,
            max_tokens: self.settings.max_tokens,
            edition: self.store.edition,
        }
    }

    fn plan(&self, settings: &[RequestSettings], held: &[Option<i64>]) -> Plan {
        let edition = self.store.edition;
        let mut planner = Planner::new(true, self.wanted());
        let mut hashers: Vec<RequestHasher> =
            settings.iter().map(RequestSettings::request_hasher).collect();
        self.read(|_, _, text, marked| match text {
            "" => planner.skip(QuestionId::hash_text(text)),
            text => {
                let prints = hashers.iter_mut().map(|hasher| hasher.fingerprint(text));
                planner.push(QuestionId::hash_text(text), prints, marked);
            }
        });
        let others = self.store.settings.iter().enumerate();
        let mut others = others.filter(|(_, (_, of))| *of == edition);
        let has_others = others.any(|(at, _)| !held.contains(&Some(at as i64 + 1)));
        let ended = || self.store.ended.iter().filter(|((_, of), _)| *of == edition);
        let cut = ended().filter_map(|((question, _), cut)| Some((question, (*cut)?)));
        let cut = cut.filter(|(_, (limit, reached))| {
            !is_raised(settings[0].max_tokens, *limit, Some(*reached))
        });
        let known = StoreFacts {
            ended: ended().map(|((question, _), _)| *question).collect(),
            truncated: cut.map(|(question, _)| *question).collect(),
            unwritten_marks: self.store.marks.iter().copied().collect(),
            has_other_provenance: has_others,
            ..StoreFacts::default()
        };
        let stored = self.store.answers.iter();
        let stored = stored.filter(|(_, stored)| stored.request.edition == edition);
        planner.plan(
            edition,
            stored.map(|(&key, stored)| PlanStored {
                key,
                question: stored.question,
                id: stored.id,
                provenance: match held[usize::from(stored.request.model)] {
                    Some(held) if held == stored.settings => Provenance::Current,
                    _ => Provenance::OtherSettings,
                },
                model: stored.request.model,
                sample: stored.request.sample,
                found_by: FoundBy::Question,
                placed: self.store.is_placed(stored.id),
                is_outdated: false,
                standing: Standing::Accepted,
                waits: false,
                tries: Tries { count: 1, aside: 0 },
            }),
            &known,
        )
    }

    /// Reads the input as the engine does: place, row number, trimmed question, marked.
    fn read(&self, mut each: impl FnMut(usize, u64, &str, bool)) {
        let layout = survey_marked(self.input.as_slice(), HeaderMode::Auto, None, Some(STATUS))
            .expect("a fine input");
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

    fn questions(&self, settings: &[RequestSettings], plan: &Plan) -> (Vec<Question>, Vec<usize>) {
        let (mut questions, mut places) = (Vec::new(), Vec::new());
        let mut hashers: Vec<RequestHasher> =
            settings.iter().map(RequestSettings::request_hasher).collect();
        let mut row = 0;
        let mut seen = BTreeMap::new();
        self.read(|place, row_number, text, marked| {
            if text.is_empty() {
                return;
            }
            assert!(
                plan.fits(row, hashers[0].fingerprint(text)),
                "a row that did not change fits its plan"
            );
            let id = plan.id(row, QuestionId::hash_text(text));
            row += 1;
            assert_eq!(id, next_id(&mut seen, text), "equal rows are numbered in their order");
            let text: std::sync::Arc<str> = text.into();
            for at in self.entries() {
                let index = u32::try_from(questions.len()).expect("few questions");
                let (model, sample) = self.of(at);
                let key = plan.key(index, hashers[usize::from(model)].fingerprint(&text));
                questions.push(Question {
                    failure_key: self.wanted().failure_key(id, at),
                    marked,
                    has_failed: plan.has_failed(id, index),
                    model,
                    sample,
                    ..Question::new(index, row_number, std::sync::Arc::clone(&text), key, id)
                });
                places.push(place);
            }
        });
        (questions, places)
    }

    /// Holds a plan against what follows from the store's own words, without keys and hashes.
    fn check_plan(&self, plan: &Plan) {
        let edition = self.store.edition;
        let mut stored: BTreeMap<Slot<'_>, Vec<&Stored>> = BTreeMap::new();
        for answer in self.store.answers.values().filter(|a| a.request.edition == edition) {
            let request = &answer.request;
            let of = (request.model, request.sample);
            stored.entry((&request.text, request.ordinal, of)).or_default().push(answer);
        }
        let mut seen = BTreeMap::new();
        let (mut at, mut otherwise) = (0, 0);
        let mut marks = InputMarks::default();
        for row in self.rows.iter().filter(|row| !row.text.is_empty()) {
            let id = next_id(&mut seen, &row.text);
            let (mut is_answered, mut any_kept) = (true, false);
            for entry in self.entries() {
                let answers = stored.get(&(row.text.as_str(), id.ordinal, self.of(entry)));
                let of_now = |answer: &&&Stored| {
                    let request = &answer.request;
                    (request.temperature, request.max_tokens)
                        == (self.settings.temperature, self.settings.max_tokens)
                };
                let now = answers.and_then(|answers| answers.iter().find(of_now));
                otherwise += u64::from(answers.is_some() && now.is_none());
                let cut = self.cut(id, entry);
                let most = Some(self.settings.max_tokens).filter(|most| *most > 0);
                let kept =
                    cut.is_some_and(|(limit, reached)| !is_raised(most, limit, Some(reached)));
                let state = plan.states[at];
                let right = match (now, answers) {
                    (Some(now), _) if self.store.is_placed(now.id) => state == Planned::Placed,
                    (Some(_), _) => state == Planned::Unplaced,
                    (None, Some(_)) => matches!(state, Planned::Placed | Planned::Unplaced),
                    (None, None) if kept => state == Planned::Failed,
                    (None, None) => state == Planned::Pending,
                };
                assert!(
                    right,
                    "the plan knows what is answered, cut and left: row {at} is {state:?}"
                );
                is_answered &= answers.is_some();
                any_kept |= answers.is_none() && kept;
                at += 1;
            }
            let is_wanted = self.store.marks.contains(&id.hash());
            if is_answered && (is_wanted || row.status == ERROR) {
                marks.clear.insert(id);
            }
            let unmarked = any_kept && row.status != ERROR;
            if !is_answered && (unmarked || is_wanted) {
                marks.set.insert(id);
            }
        }
        assert_eq!(plan.states.len(), at, "every question is planned");
        assert_eq!(
            plan.with_other_settings.iter().sum::<u64>(),
            otherwise,
            "other settings' answers are told apart"
        );
        assert_eq!(plan.marks, marks, "marks agree with what is answered");
    }
}
