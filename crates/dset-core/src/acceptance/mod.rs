//! Whether an answer is accepted: it fits the schema and passes the checks.
//!
//! An acceptance is a value, and a projection: no answer is changed or lost by it, and another one
//! over the same answers costs nothing.

mod another_try;
mod terms;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::json;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_128;

use crate::answer::Cause;
use crate::check::{
    COMMAND, Check, CheckError, Command, Declaration, Judged, Judgement, KINDS, OnFail, WHOLE,
    Whole,
};
use crate::item::Item;
use crate::schema::dialect::Restore;
use crate::schema::{Reason, Schema};
use crate::structured::{Json, Parsed, Place, PlaceError, Unreadable, read};

pub use another_try::{RetryWith, another_try};
pub use terms::{Occasion, Rejudgement, Standing, Terms};

/// The version of what a schema holds for right; a check has its own in [`Kind::version`](crate::check::Kind).
const VERSION: u32 = 1;

/// The name of the check that an answer fits the schema.
pub const SCHEMA: &str = "schema";

/// An answer as it came.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// What the model wrote.
    pub text: &'a str,
    /// The token limit cut it.
    pub is_cut: bool,
    /// What the reduction of the schema brought into it.
    pub restore: Restore,
}

/// What an answer has to be. That it is whole is asked of every answer; one that is not marks its row where no
/// declaration of `whole` says otherwise.
#[derive(Debug, Default)]
pub struct Acceptance {
    schema: Option<(Schema, OnFail)>,
    checks: Vec<Entry>,
    /// What it is known by, see [`Acceptance::fingerprint`].
    canonical: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    on: Option<Place>,
    on_fail: OnFail,
    check: Box<dyn Check>,
}

/// What a verdict says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The check holds.
    Passed,
    /// It does not.
    Failed,
    /// It cannot be told. Never taken as passed.
    Unknown,
}

/// What one check says of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The name of its kind, or `schema`.
    pub check: String,
    /// What it says.
    pub outcome: Outcome,
    /// Why; none where it passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

/// What all checks say of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    /// The verdicts, in the order of the declarations, that of the schema first.
    pub list: Vec<Verdict>,
    /// The value of the answer, where the schema or a check asks for one and there is one.
    pub parsed: Option<Parsed>,
    on_fail: Vec<OnFail>,
}

/// What follows from verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consequence {
    /// The answer is accepted.
    Accept,
    /// The row is marked.
    Mark,
    /// The service is to be asked again, and the row is marked where that does not help.
    Retry,
}

/// What is wrong with a declared check.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AcceptanceError {
    /// No kind has this name.
    #[error("`{name}` is no check")]
    Unknown {
        /// Which of the declarations, from 0.
        index: usize,
        /// The name.
        name: String,
    },
    /// There is no schema that it could be about, or `schema` says what only a file does.
    #[error("`schema` stands in a check for `on-fail` alone, beside a schema")]
    Schema {
        /// Which of the declarations, from 0.
        index: usize,
    },
    /// `on` names no place.
    #[error("{name}: on: {error}")]
    Place {
        /// Which of the declarations, from 0.
        index: usize,
        /// The name of the check.
        name: String,
        /// What is wrong with it.
        error: PlaceError,
    },
    /// No answer that fits the schema has anything at this place.
    #[error("{name}: on: nothing that fits the schema has `{place}`")]
    Nowhere {
        /// Which of the declarations, from 0.
        index: usize,
        /// The name of the check.
        name: String,
        /// The place, as a JSON pointer.
        place: String,
        /// What there is where the place leads into nothing.
        names: Vec<String>,
    },
    /// The kind does not take what is said.
    #[error("{name}: {error}")]
    Check {
        /// Which of the declarations, from 0.
        index: usize,
        /// The name of the check.
        name: String,
        /// What is wrong.
        error: CheckError,
    },
}

impl Acceptance {
    /// Makes an acceptance for an input with these columns. Fails at the first declaration that
    /// none can be made of.
    pub fn new(
        schema: Option<Schema>,
        declarations: Vec<Declaration>,
        columns: &[String],
    ) -> Result<Acceptance, AcceptanceError> {
        let mut acceptance = Acceptance {
            schema: schema.map(|schema| (schema, OnFail::Retry)),
            ..Acceptance::default()
        };
        for (index, declaration) in declarations.into_iter().enumerate() {
            acceptance.declare(index, declaration, columns)?;
        }
        if acceptance.checks.iter().all(|entry| entry.name != WHOLE) {
            let (name, check) = (WHOLE.to_owned(), Box::new(Whole));
            acceptance.checks.push(Entry { name, on: None, on_fail: OnFail::Mark, check });
        }
        Ok(acceptance)
    }

    fn declare(
        &mut self,
        index: usize,
        declaration: Declaration,
        columns: &[String],
    ) -> Result<(), AcceptanceError> {
        let Declaration { name, on, on_fail, arguments } = declaration;
        if name == SCHEMA {
            let says_more = on.is_some() || !arguments.is_empty();
            let schema = self.schema.as_mut().filter(|_| !says_more);
            let (_, own) = schema.ok_or(AcceptanceError::Schema { index })?;
            *own = on_fail.unwrap_or(*own);
            return Ok(());
        }
        let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
            return Err(AcceptanceError::Unknown { index, name });
        };
        let place = on.as_deref().map(Place::read).transpose();
        let on = match place {
            Ok(on) => on,
            Err(error) => return Err(AcceptanceError::Place { index, name, error }),
        };
        if let (Some(place), Some((schema, _))) = (&on, &self.schema)
            && let Some(names) = schema.names_in_place_of(place.tokens())
        {
            return Err(AcceptanceError::Nowhere { index, name, place: place.to_string(), names });
        }
        let mut said: Vec<_> = arguments.iter().collect();
        said.sort_by_key(|(field, _)| *field);
        let on_text = on.as_ref().map(Place::to_string);
        self.canonical.push(match kind.version {
            1 => json!([name, on_text, said]).to_string(),
            later => json!([name, on_text, said, later]).to_string(),
        });
        let check = match (kind.compile)(arguments, columns) {
            Ok(check) => check,
            Err(error) => return Err(AcceptanceError::Check { index, name, error }),
        };
        self.checks.push(Entry { name, on, on_fail: on_fail.unwrap_or(OnFail::Mark), check });
        Ok(())
    }

    /// Returns the names of the verdicts that such declarations lead to, in their order.
    #[must_use]
    pub fn names(has_schema: bool, declared: &[Declaration]) -> Vec<String> {
        let checks = || declared.iter().map(|declaration| &*declaration.name);
        let whole = checks().all(|name| name != WHOLE).then_some(WHOLE);
        let schema = has_schema.then_some(SCHEMA);
        let all = schema.into_iter().chain(checks().filter(|name| *name != SCHEMA)).chain(whole);
        all.map(str::to_owned).collect()
    }

    /// Returns the same for people: of a name that several have, each with what it says.
    #[must_use]
    pub fn labels(has_schema: bool, declared: &[Declaration]) -> Vec<String> {
        let mut labels = Acceptance::names(has_schema, declared);
        let names = labels.clone();
        let checks = declared.iter().filter(|declaration| declaration.name != SCHEMA);
        for (at, declaration) in (usize::from(has_schema)..).zip(checks) {
            if names.iter().filter(|name| **name == names[at]).count() > 1 {
                labels[at] = declaration.label();
            }
        }
        labels
    }

    /// Returns true if nothing is declared of an answer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.schema.is_none() && self.canonical.is_empty()
    }

    /// Returns what verdicts under it are known by, in the order of the checks. What a failed check does
    /// is no part of it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 16] {
        let schema = self.schema.as_ref().map(|(schema, _)| schema.canonical());
        let text = json!([VERSION, schema, self.canonical]).to_string();
        xxh3_128(format!("acceptance/1\n{text}").as_bytes()).to_be_bytes()
    }

    /// Returns what each verdict asks for where it is not passed, in their order.
    #[must_use]
    pub fn on_fail(&self) -> Vec<OnFail> {
        let schema = self.schema.iter().map(|(_, on_fail)| *on_fail);
        schema.chain(self.checks.iter().map(|entry| entry.on_fail)).collect()
    }

    /// Returns the programs that judge, each with the index of its verdict; see
    /// [`Verdicts::replace`].
    pub fn commands(&self) -> impl Iterator<Item = (usize, &Command)> {
        let first = usize::from(self.schema.is_some());
        let checks = self.checks.iter().enumerate();
        checks.filter_map(move |(at, entry)| Some((first + at, entry.check.command()?)))
    }

    /// Tells whether the same answer may be judged otherwise once its row has changed; what programs would
    /// say apart.
    #[must_use]
    pub fn depends_on_rows(&self) -> bool {
        self.checks.iter().any(|entry| entry.check.depends_on_row())
    }

    /// Returns the places of the verdicts that depend so on rows.
    #[must_use]
    pub fn judged_by_rows(&self) -> Vec<usize> {
        let first = usize::from(self.schema.is_some());
        let checks = self.checks.iter().enumerate();
        let by_rows = checks.filter(|(_, entry)| entry.check.depends_on_row());
        by_rows.map(|(at, _)| first + at).collect()
    }

    /// Returns what an item expects of its answer, for the checks that depend on that.
    pub fn expected(&self, item: &Item<'_>) -> impl Iterator<Item = String> {
        self.checks.iter().filter_map(|entry| entry.check.expected(item))
    }

    /// Judges an answer to an item.
    #[must_use]
    pub fn accept(&self, answer: Received<'_>, item: &Item<'_>) -> Verdicts {
        let needs_value =
            self.schema.is_some() || self.checks.iter().any(|entry| entry.on.is_some());
        let parsed = needs_value.then(|| {
            let parsed = read(answer.text)?;
            let value = match &self.schema {
                Some((schema, _)) => answer.restore.apply(schema, parsed.value),
                None => parsed.value,
            };
            Ok(Parsed { value, ..parsed })
        });
        let mut list = Vec::with_capacity(1 + self.checks.len());
        if let (Some((schema, _)), Some(parsed)) = (&self.schema, &parsed) {
            list.push(fits(schema, parsed.as_ref().map(|parsed| &parsed.value)));
        }
        for entry in &self.checks {
            let value = parsed.as_ref().map(|parsed| parsed.as_ref().map(|parsed| &parsed.value));
            let judgement = entry.judge(answer, value, item);
            list.push(entry.verdict(judgement));
        }
        Verdicts { list, parsed: parsed.and_then(Result::ok), on_fail: self.on_fail() }
    }
}

type Value<'a> = Result<&'a Json, &'a Unreadable>;

fn fits(schema: &Schema, value: Value<'_>) -> Verdict {
    let reasons = match value {
        Ok(value) => schema.reasons(value),
        Err(why) => vec![Reason { place: String::new(), sentence: why.to_string() }],
    };
    let outcome = if reasons.is_empty() { Outcome::Passed } else { Outcome::Failed };
    Verdict { check: SCHEMA.to_owned(), outcome, reasons }
}

impl Entry {
    fn judge(&self, answer: Received<'_>, value: Option<Value<'_>>, item: &Item<'_>) -> Judgement {
        let text = match (&self.on, value) {
            (Some(_), Some(Err(why))) => return Judgement::Failed(why.to_string()),
            (Some(place), Some(Ok(value))) => match place.find(value) {
                Some(Json::String(text)) => Cow::Borrowed(text.as_str()),
                Some(other) => Cow::Owned(other.to_string()),
                None => return Judgement::Failed("there is nothing at this place".into()),
            },
            _ => Cow::Borrowed(answer.text),
        };
        self.check.judge(&Judged { text, is_cut: answer.is_cut, item })
    }

    fn verdict(&self, judgement: Judgement) -> Verdict {
        let place = self.on.as_ref().map(Place::to_string).unwrap_or_default();
        Verdict::new(self.name.clone(), place, judgement)
    }
}

impl Verdict {
    /// Tells whether it says that the token limit cut the answer.
    #[must_use]
    pub fn says_cut(&self) -> bool {
        self.check == WHOLE && self.outcome == Outcome::Failed
    }

    /// Tells whether there is none so far: its program is still to judge.
    #[must_use]
    pub fn is_outstanding(&self) -> bool {
        self.outcome == Outcome::Unknown
            && self.reasons.iter().any(|reason| Command::is_outstanding(&reason.sentence))
    }

    /// Tells whether it is that of a program that gave none.
    fn lacks_program(&self) -> bool {
        self.check == COMMAND && self.outcome == Outcome::Unknown
    }

    fn new(check: String, place: String, judgement: Judgement) -> Verdict {
        let (outcome, sentence) = match judgement {
            Judgement::Passed => (Outcome::Passed, None),
            Judgement::Failed(sentence) => (Outcome::Failed, Some(sentence)),
            Judgement::Unknown(sentence) => (Outcome::Unknown, Some(sentence)),
        };
        let reasons = sentence.map(|sentence| Reason { place, sentence }).into_iter().collect();
        Verdict { check, outcome, reasons }
    }
}

/// Says what follows from verdicts, each with what its failing asks for: a check that is not known
/// counts as failed, but asking again would not help it. What was cut is asked again under the same
/// token limit only where that is declared.
#[must_use]
pub fn consequence(list: &[Verdict], on_fail: &[OnFail]) -> Consequence {
    if list.iter().zip(on_fail).any(|(one, on_fail)| one.says_cut() && *on_fail == OnFail::Mark) {
        return Consequence::Mark;
    }
    let all = list.iter().zip(on_fail).map(|(verdict, on_fail)| match (verdict.outcome, on_fail) {
        (Outcome::Passed, _) | (_, OnFail::Keep) => Consequence::Accept,
        (Outcome::Failed, OnFail::Retry) => Consequence::Retry,
        _ => Consequence::Mark,
    });
    all.max().unwrap_or(Consequence::Accept)
}

/// Names why an answer is not accepted, by verdicts, each with what its failing asks for. Where nothing stands against
/// it but that a program gave no verdict, no other answer is needed once that gives one.
fn rejection(list: &[Verdict], on_fail: &[OnFail]) -> Cause {
    match list.iter().any(Verdict::says_cut) {
        true => Cause::LengthLimit,
        false if against(list, on_fail).all(Verdict::lacks_program) => Cause::NoVerdict,
        false => Cause::FailedCheck,
    }
}

/// Returns the verdicts that stand against an answer.
fn against<'v>(list: &'v [Verdict], on_fail: &'v [OnFail]) -> impl Iterator<Item = &'v Verdict> {
    let all = list.iter().zip(on_fail);
    let against =
        all.filter(|(one, on_fail)| one.outcome != Outcome::Passed && **on_fail != OnFail::Keep);
    against.map(|(verdict, _)| verdict)
}

/// Tells in one line what these verdicts say, each with its first reason.
#[must_use]
pub fn summary<'v>(verdicts: impl Iterator<Item = &'v Verdict>) -> String {
    let one = |verdict: &Verdict| match verdict.reasons.first() {
        Some(reason) => format!("{}: {}", verdict.check, reason.sentence),
        None => verdict.check.clone(),
    };
    verdicts.map(one).collect::<Vec<_>>().join("; ")
}

impl Verdicts {
    /// Says what follows, see [`consequence`].
    #[must_use]
    pub fn consequence(&self) -> Consequence {
        consequence(&self.list, &self.on_fail)
    }

    /// Names why the answer is not accepted.
    #[must_use]
    pub(crate) fn rejection(&self) -> Cause {
        rejection(&self.list, &self.on_fail)
    }

    /// Tells whether a program that has to accept the answer gave no verdict.
    #[must_use]
    pub(crate) fn lack_a_program(&self) -> bool {
        against(&self.list, &self.on_fail).any(Verdict::lacks_program)
    }

    /// Tells whether every check passed.
    #[must_use]
    pub fn are_passed(&self) -> bool {
        self.list.iter().all(|verdict| verdict.outcome == Outcome::Passed)
    }

    /// Tells why the answer is not accepted, in one line: every check that asks for something, with its
    /// first reason.
    #[must_use]
    pub fn summary(&self) -> String {
        summary(against(&self.list, &self.on_fail))
    }

    /// Puts what a program said in the place of a verdict, see [`Acceptance::commands`].
    pub fn replace(&mut self, index: usize, judgement: Judgement) {
        if let Some(verdict) = self.list.get_mut(index) {
            let place = verdict.reasons.first().map(|reason| reason.place.clone());
            let check = std::mem::take(&mut verdict.check);
            *verdict = Verdict::new(check, place.unwrap_or_default(), judgement);
        }
    }

    /// Puts what a program said before in the place of a verdict; none of a program is among verdicts that all
    /// passed.
    pub fn restore(&mut self, index: usize, before: &[Verdict]) {
        match (before.get(index), self.list.get_mut(index)) {
            (Some(before), Some(verdict)) => *verdict = before.clone(),
            _ => self.replace(index, Judgement::Passed),
        }
    }

    /// Returns why the answer is not accepted, what asking again could mend alone.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        let failed = self.list.iter().filter(|verdict| verdict.outcome == Outcome::Failed);
        failed.flat_map(|verdict| &verdict.reasons)
    }
}

#[cfg(test)]
mod tests;
