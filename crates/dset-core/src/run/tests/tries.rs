//! Answers that are not accepted: kept, asked again, and never more often than they may be, whatever
//! ends a run between two tries.

use serde_json::{Map, json};

use super::*;
use crate::acceptance::{Acceptance, Consequence, Received, Standing, Terms, Verdicts};
use crate::answer::{Cause, Usage};
use crate::check::Judgement;
use crate::item::Item;
use crate::item::content::Content;
use crate::item::content::Role;
use crate::item::question::EarlierTries;
use crate::plan::Redo;
use crate::run::ask::Ask;
use crate::schema::dialect::Restore;
use crate::settings::Checks;

fn acceptance(on_fail: &str) -> Acceptance {
    let check = json!([{"name": "lacks", "pattern": "wrong", "on-fail": on_fail}]);
    Acceptance::new(None, serde_json::from_value(check).unwrap(), &[]).unwrap()
}

fn judged(on_fail: &str, answer: &str) -> Box<Verdicts> {
    let nothing = Map::new();
    let answer = Received { text: answer, is_cut: false, restore: Restore::default() };
    Box::new(acceptance(on_fail).accept(answer, &Item::of_fields(&nothing)))
}

/// One life of a run of one question, of which `tries` answers are there.
struct OneQuestion {
    machine: Machine,
    effects: Vec<Effect>,
}

impl OneQuestion {
    fn begin(asked: Question) -> OneQuestion {
        let mut life = OneQuestion { machine: Machine::new(rules(4)), effects: Vec::new() };
        let plan = PlanSummary { states: vec![Planned::Pending], ..PlanSummary::default() };
        life.tell(Event::Started(plan));
        life.tell(Event::Questions(vec![asked]));
        life
    }

    fn tell(&mut self, event: Event) {
        self.effects.clear();
        self.machine.handle(Time { monotonic_ms: 1_000, unix_ms: 1_000 }, event, &mut self.effects);
    }

    fn asked(&self) -> Option<Ask> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Ask(ask) => Some(ask.clone()),
            _ => None,
        })
    }

    /// The answers that were handed to the store, each with whether it is accepted.
    fn kept(&self) -> Vec<(u32, bool)> {
        let kept = self.effects.iter().filter_map(|effect| match effect {
            Effect::Record(_, JournalRecord::Answered { question, is_accepted, .. }) => {
                Some((question.try_number(), *is_accepted))
            }
            _ => None,
        });
        kept.collect()
    }

    fn answer(&mut self, ask: AskId, text: &str, on_fail: &str) {
        let answer = Answer { content: text.into(), ..Answer::default() };
        let (reading, verdicts) = (ParsedReply::Answer(answer), Some(judged(on_fail, text)));
        self.tell(Event::Replied { ask, reading, limits: None, verdicts });
    }
}

fn texts(ask: &Ask) -> Vec<(Role, String)> {
    match &ask.question.content {
        Content::Text(text) => vec![(Role::User, text.to_string())],
        Content::Chat(turns) => {
            turns.iter().map(|turn| (turn.role, turn.text.to_string())).collect()
        }
    }
}

#[test]
fn an_answer_that_fails_is_kept_and_shown_to_the_model_with_the_reasons() {
    let mut life = OneQuestion::begin(question(0));
    let first = life.asked().unwrap();
    let sent = texts(&first);
    assert_eq!(sent.len(), 1);
    life.answer(first.id, "wrong one", "retry");
    assert_eq!(life.kept(), [(1, false)]);
    let second = life.asked().expect("it is asked again at once");
    let turns = texts(&second);
    assert_eq!(turns[..2], [sent[0].clone(), (Role::Assistant, "wrong one".into())]);
    assert!(turns[2].1.contains("`wrong` must not be in it"), "{}", turns[2].1);
    // The third try shows the second answer alone.
    life.answer(second.id, "wrong two", "retry");
    let third = life.asked().unwrap();
    assert_eq!(texts(&third)[1].1, "wrong two");
    assert_eq!(texts(&third).len(), 3);
    life.answer(third.id, "right", "retry");
    assert_eq!(life.kept(), [(3, true)]);
    assert_eq!((life.machine.ledger().rejected, life.asked().is_none()), (0, true));
}

#[test]
fn tries_are_used_up_and_the_row_is_marked() {
    let mut life = OneQuestion::begin(question(0));
    for number in 1..=3 {
        let ask = life.asked().expect("a try is left");
        assert_eq!(ask.question.try_number(), number);
        life.answer(ask.id, "wrong", "retry");
    }
    assert!(life.asked().is_none());
    assert_eq!(life.machine.ledger().rejected, 1);
    let ended = life.effects.iter().find_map(|effect| match effect {
        Effect::Record(_, JournalRecord::Ended { cause, .. }) => Some(*cause),
        _ => None,
    });
    assert_eq!(ended, Some(Cause::FailedCheck));
}

#[test]
fn mark_asks_once_and_keep_accepts() {
    for (on_fail, is_accepted) in [("mark", false), ("keep", true)] {
        let mut life = OneQuestion::begin(question(0));
        let ask = life.asked().unwrap();
        life.answer(ask.id, "wrong", on_fail);
        assert_eq!(life.kept(), [(1, is_accepted)], "{on_fail}");
        assert!(life.asked().is_none(), "{on_fail}");
        assert_eq!(life.machine.ledger().rejected, u64::from(!is_accepted), "{on_fail}");
    }
}

#[test]
fn a_cut_answer_is_kept_and_ends_its_question_or_is_shown_to_the_model() {
    for (on_fail, cause) in [("mark", Some(Cause::LengthLimit)), ("retry", None)] {
        let mut life = OneQuestion::begin(question(0));
        let ask = life.asked().unwrap();
        let check = serde_json::from_value(json!([{"name": "whole", "on-fail": on_fail}])).unwrap();
        let acceptance = Acceptance::new(None, check, &[]).unwrap();
        let (nothing, restore) = (Map::new(), Restore::default());
        let received = Received { text: "half", is_cut: true, restore };
        let verdicts = Some(Box::new(acceptance.accept(received, &Item::of_fields(&nothing))));
        let usage = Usage { output: Some(20), ..Usage::default() };
        let answer = Answer { content: "half".into(), usage, ..Answer::default() };
        let reading = ParsedReply::Answer(answer);
        life.tell(Event::Replied { ask: ask.id, reading, limits: None, verdicts });
        assert_eq!(life.kept(), [(1, false)], "{on_fail}");
        let ended = life.effects.iter().find_map(|effect| match effect {
            Effect::Record(_, JournalRecord::Ended { cause, cut_at_tokens, .. }) => {
                Some((*cause, *cut_at_tokens))
            }
            _ => None,
        });
        assert_eq!(ended, cause.map(|cause| (cause, Some(20))), "{on_fail}");
        let again = life.asked().map(|ask| texts(&ask)[2].1.clone());
        assert_eq!(again.is_some(), on_fail == "retry");
        assert!(again.is_none_or(|said| said.contains("cut by the token limit")));
    }
}

#[test]
fn an_answer_that_fails_keeps_its_slot_until_it_is_durable() {
    let mut life = OneQuestion::begin(question(0));
    life.machine = Machine::new(rules(1));
    let plan = PlanSummary { states: vec![Planned::Pending], ..PlanSummary::default() };
    life.tell(Event::Started(plan));
    life.tell(Event::Questions(vec![question(0)]));
    let ask = life.asked().unwrap();
    life.answer(ask.id, "wrong", "retry");
    assert!(life.asked().is_none(), "its slot is taken");
    life.tell(Event::Synced { upto: Seq(1) });
    assert!(life.asked().is_some());
}

/// What is durable of one question: its answers, in the order of their tries.
#[derive(Default)]
struct Durable {
    answers: Vec<String>,
    paid: u32,
}

impl Durable {
    /// Plans as the next life does: what is to be asked, if anything.
    fn next(&self, terms: &Terms) -> Option<Question> {
        let Some(last) = self.answers.last() else { return Some(question(0)) };
        let verdicts = judged("retry", last);
        let consequence = terms.consequence(Some(&verdicts.list));
        let count = self.answers.len() as u32;
        match terms.standing(consequence, count) {
            Standing::Another => {
                let content = question(0).content;
                let earlier = EarlierTries { count: count - 1, aside: 0, content };
                let asked = Question { earlier: Some(Arc::new(earlier)), ..question(0) };
                Some(asked.another_try(last, verdicts.reasons(), RetryWith::Reasons))
            }
            Standing::Accepted | Standing::Failed => None,
        }
    }
}

#[test]
fn a_kill_between_tries_resumes_at_the_next_try() {
    let checks = Checks { tries: 3, ..Checks::default() };
    let terms = Terms::new(&acceptance("retry"), &checks);
    // Of every life, after how many durable answers it is killed, and whether with one on its way.
    for script in 0..3_u32.pow(4) {
        for right_at in 1..=4_u32 {
            let mut durable = Durable::default();
            let mut lost = 0;
            for life in 0..6 {
                let Some(asked) = durable.next(&terms) else { break };
                let kill_after = script / 3_u32.pow(life) % 3;
                let mut run = OneQuestion::begin(asked);
                let mut seq = 0;
                while let Some(ask) = run.asked() {
                    let number = ask.question.try_number();
                    assert_eq!(number as usize, durable.answers.len() + 1, "no try is skipped");
                    if number > 1 {
                        let shown = &texts(&ask)[1].1;
                        assert_eq!(Some(shown), durable.answers.last(), "its own last answer");
                    }
                    let word = if number == right_at { "right" } else { "wrong" };
                    let text = format!("{word} {number}");
                    durable.paid += 1;
                    run.answer(ask.id, &text, "retry");
                    let is_again = run.asked();
                    if life < 4 && kill_after == 1 && seq == 0 {
                        lost += 1;
                        break;
                    }
                    durable.answers.push(text);
                    if life < 4 && kill_after == 2 {
                        break;
                    }
                    // What follows the answer is asked only where it is.
                    let mut records = run.effects.iter().filter_map(|effect| match effect {
                        Effect::Record(seq, _) => Some(*seq),
                        _ => None,
                    });
                    let upto = records.next_back().unwrap();
                    seq = upto.0;
                    run.tell(Event::Synced { upto });
                    if let Some(ask) = is_again {
                        run.effects.push(Effect::Ask(ask));
                    }
                }
            }
            let tries = right_at.min(3);
            assert_eq!(durable.answers.len() as u32, tries, "{script} {right_at}");
            assert_eq!(durable.paid, tries + lost, "nothing durable is bought again");
            assert!(durable.next(&terms).is_none(), "and nothing is asked any more");
            let last = judged("retry", durable.answers.last().unwrap()).consequence();
            assert_eq!(last == Consequence::Accept, right_at <= 3);
        }
    }
}

#[test]
fn an_accepted_answer_stands_until_another_is_accepted_and_its_row_is_not_marked() {
    let mut life = OneQuestion { machine: Machine::new(rules(4)), effects: Vec::new() };
    let redo = Redo { stands: [1].into(), answered_beside: 1, presumed_beside: 0 };
    let states = vec![Planned::Placed, Planned::Pending];
    let placed_before = [1].into();
    life.tell(Event::Started(PlanSummary {
        states,
        per_row: 1,
        placed_before,
        redo,
        ..PlanSummary::default()
    }));
    life.tell(Event::Questions(vec![question(1)]));
    let ask = life.asked().unwrap();
    life.tell(Event::QuestionsEnd);
    assert_eq!((life.machine.ledger().questions, life.machine.ledger().answered), (1, 0));
    life.answer(ask.id, "wrong", "mark");
    let is_end = |effect: &Effect| {
        let Effect::Record(_, record) = effect else { return false };
        matches!(record, JournalRecord::Ended { .. } | JournalRecord::RowMarked { .. })
    };
    assert!(!life.effects.iter().any(is_end));
    life.tell(Event::Synced { upto: Seq(1) });
    let ending = life.effects.iter().find_map(|effect| match effect {
        Effect::Finish(ending) => Some((ending.standing, ending.outdated, ending.ledger.rejected)),
        _ => None,
    });
    assert_eq!(ending, Some((1, 0, 1)));
}

#[test]
fn where_a_sample_cannot_be_judged_spare_ones_are_left_to_a_later_run() {
    let enough = Some(Enough { accepted: 1, samples: 3 });
    let mut bench = Bench::idle(Rules { enough, ..rules(4) }, 6);
    bench.start(3, InputMarks::default());
    let (ask, _) = bench.asks.remove(0);
    let ParsedReply::Answer(came) = answer() else { unreachable!() };
    let verdicts = judged("mark", "an answer");
    bench.event(Event::NotJudged { ask, answer: Box::new(came), verdicts });
    while let Some(&at) = bench.on_their_way().first() {
        bench.reply(at, answer());
    }
    assert_eq!(bench.sent, 2);
    assert!(matches!(bench.why(), EndReason::Complete), "{:?}", bench.why());
}

#[test]
fn where_the_last_answer_that_may_be_asked_for_makes_enough_the_row_is_whole() {
    let enough = Some(Enough { accepted: 1, samples: 3 });
    for limit in [1, 2] {
        let mut bench = Bench::idle(Rules { enough, limit: Some(limit), ..rules(4) }, 6);
        bench.start(3, InputMarks::default());
        let mut whole = 0;
        while let Some(&at) = bench.on_their_way().first() {
            bench.reply(at, answer());
            whole += 1;
        }
        let ledger = bench.ending.as_ref().unwrap().ledger;
        assert_eq!((u64::from(bench.sent), whole), (limit, limit));
        assert_eq!((ledger.answered, ledger.pending), (limit, 3 * (2 - limit)), "{ledger:?}");
    }
}

/// What is thought of an answer that a program judges; where it says nothing, that is unknown.
fn judged_by_program(text: &str, says: Option<Judgement>) -> Box<Verdicts> {
    let check =
        json!([{"name": "command", "command": ["judge"]}, {"name": "lacks", "pattern": "wrong"}]);
    let acceptance = Acceptance::new(None, serde_json::from_value(check).unwrap(), &[]).unwrap();
    let (nothing, restore) = (Map::new(), Restore::default());
    let received = Received { text, is_cut: false, restore };
    let mut verdicts = acceptance.accept(received, &Item::of_fields(&nothing));
    says.into_iter().for_each(|says| verdicts.replace(0, says));
    Box::new(verdicts)
}

/// Lets so many questions be answered one after the other, as long as more are asked; `says` is what the program says of
/// each, by its index.
fn judged_by(count: u32, says: impl Fn(u32) -> (&'static str, Option<Judgement>)) -> Bench {
    let mut bench = Bench::new(rules(1), count);
    while let Some((ask, index)) = bench.asks.pop() {
        let (text, says) = says(index);
        let reading = ParsedReply::Answer(Answer { content: text.into(), ..Answer::default() });
        let verdicts = Some(judged_by_program(text, says));
        bench.event(Event::Replied { ask, reading, limits: None, verdicts });
    }
    bench
}

#[test]
fn a_program_that_says_nothing_of_the_first_answers_ends_the_run_before_more_is_bought() {
    let reason = |bench: &Bench| bench.ending.as_ref().unwrap().reason.clone();
    let dead = judged_by(30, |_| ("a", None));
    assert_eq!(dead.sent, 10);
    let EndReason::WrongSettings(why) = reason(&dead) else { panic!("{:?}", dead.ending) };
    assert_eq!((why.class, why.cause), (FailureClass::FailedCheck, Cause::NoVerdict));
    // What another check has against answers proves no program.
    let beside = judged_by(30, |at| (if at % 2 == 0 { "wrong" } else { "a" }, None));
    assert_eq!(beside.sent, 10);
    for spoken in [Judgement::Passed, Judgement::Failed("no".into())] {
        let alive = judged_by(30, |at| ("a", (at == 9).then(|| spoken.clone())));
        assert_eq!(alive.sent, 30);
        assert!(matches!(reason(&alive), EndReason::Complete));
    }
    let last = judged_by(10, |_| ("a", None));
    assert!(matches!(reason(&last), EndReason::Complete), "nothing is left to buy");
}
