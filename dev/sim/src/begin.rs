//! Begins a life as the engine does: plans it from the input and the store, and holds the plan
//! against what the user's words alone say.

use std::collections::BTreeMap;

use dset_core::bookmark::Marks;
use dset_core::csv::{ERROR, HeaderMode, Record, Records, survey};
use dset_core::key::{Fingerprint, RequestSettings};
use dset_core::machine::Planned;
use dset_core::plan::{Bought, Known, Plan, Planner, Stored as PlanStored, is_raised};
use dset_core::prompt::DEFAULT_TEMPLATE;
use dset_core::question::{Key, Question};

use crate::disk::{Output, Request, Stored};
use crate::world::{World, next_id};

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

impl World {
    /// Plans a life as the engine does, from the input and the store, and holds the plan against
    /// what the user's words alone say.
    pub(crate) fn prepare(&mut self, decision: Option<bool>) -> Option<Begin> {
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
            questions.push(Question {
                index,
                row_number,
                text,
                prompt,
                key,
                id,
                marked,
                model: 0,
                sample: 0,
            });
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
            let cut = self.store.cut(id);
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
}
