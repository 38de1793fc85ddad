use super::planner::ordinals;
use super::*;
use crate::key::{RequestSettings, key};

fn settings(model: &str) -> RequestSettings {
    RequestSettings { model: model.into(), ..RequestSettings::default() }
}

fn planner(questions: &[&str]) -> Planner {
    let mut hasher = settings("a").request_hasher();
    let mut planner = Planner::new(true, Fanout::default());
    for question in questions {
        let (text, marked) = question.strip_suffix('!').map_or((*question, false), |q| (q, true));
        planner.push(QuestionId::hash_text(text), [hasher.fingerprint(text)], marked);
    }
    planner
}

/// The store after these questions were answered with these settings, the first id being 1.
fn stored(model: &str, bought: Provenance, questions: &[&str]) -> Vec<Stored> {
    let mut hasher = settings(model).request_hasher();
    let texts: Vec<u64> = questions.iter().map(|q| QuestionId::hash_text(q)).collect();
    let ordinals = ordinals(&texts);
    let mut stored: Vec<Stored> = (0..questions.len())
        .map(|at| Stored {
            key: key(hasher.fingerprint(questions[at]), 0, ordinals[at], 0),
            question: QuestionId { text_hash: texts[at], ordinal: ordinals[at] }.hash(),
            id: at as i64 + 1,
            provenance: bought,
            model: 0,
            sample: 0,
            found_by: FoundBy::Question,
            placed: true,
            is_outdated: false,
            standing: Standing::Accepted,
            waits: false,
            tries: Tries { count: 1, aside: 0 },
        })
        .collect();
    stored.sort_by_key(|answer| answer.key);
    stored
}

use Planned::{Failed, Pending, Placed, Presumed, Unplaced};

#[test]
fn rows_may_be_added_removed_and_reordered_and_only_new_ones_are_asked() {
    let before = stored("a", Provenance::Current, &["one", "two", "three"]);
    let plan = planner(&["three", "new", "one"]).plan(0, before, &StoreFacts::default());
    assert_eq!(plan.states, [Placed, Pending, Placed]);
}

#[test]
fn two_equal_rows_are_two_questions() {
    let before = stored("a", Provenance::Current, &["same"]);
    let plan = planner(&["same", "other", "same"]).plan(0, before, &StoreFacts::default());
    assert_eq!(plan.states, [Placed, Pending, Pending]);
    assert_eq!(plan.duplicates, 1);
}

#[test]
fn an_answer_bought_with_other_settings_counts_and_is_counted() {
    let before = stored("b", Provenance::OtherSettings, &["one", "two"]);
    let known = StoreFacts { has_other_provenance: true, ..StoreFacts::default() };
    let plan = planner(&["one", "new", "two"]).plan(0, before, &known);
    assert_eq!(plan.states, [Placed, Pending, Placed]);
    assert_eq!(plan.with_other_settings, [2]);
}

#[test]
fn answers_of_the_script_count_without_a_decision() {
    let before = stored("?", Provenance::Imported, &["one"]);
    let known = StoreFacts { has_other_provenance: true, ..StoreFacts::default() };
    let plan = planner(&["one", "two"]).plan(0, before, &known);
    assert_eq!(plan.states, [Placed, Pending]);
    assert_eq!(plan.with_other_settings, [0]);
}

#[test]
fn a_question_answered_under_both_settings_and_mended_since_is_asked() {
    let mut before = stored("b", Provenance::OtherSettings, &["one"]);
    let mut mended = stored("a", Provenance::Current, &["one"]);
    mended[0].key = Key([7; 16]);
    before.extend(mended);
    before.sort_by_key(|answer| answer.key);
    let known = StoreFacts { has_other_provenance: true, ..StoreFacts::default() };
    assert_eq!(planner(&["one"]).plan(0, before, &known).states, [Pending]);
}

#[test]
fn an_answer_to_a_question_that_is_not_under_its_key_is_a_contradiction() {
    let mut before = stored("a", Provenance::Current, &["one", "two", "deleted"]);
    let damaged = before.iter_mut().find(|answer| answer.id == 1).unwrap();
    damaged.key.0[15] ^= 1;
    let plan = planner(&["one", "two", "three"]).plan(0, before, &StoreFacts::default());
    assert_eq!((plan.inconsistent_keys, plan.states), (1, vec![Pending, Placed, Pending]));
}

#[test]
fn an_answer_without_a_place_is_given_one() {
    let mut before = stored("a", Provenance::Current, &["one", "two"]);
    before.iter_mut().for_each(|answer| answer.placed = answer.id != 2);
    let plan = planner(&["one", "two"]).plan(0, before, &StoreFacts::default());
    assert_eq!(plan.states, [Placed, Unplaced]);
    assert_eq!(plan.unplaced, [(1, 2)]);
}

#[test]
fn a_mark_on_an_answered_row_is_cleared_and_one_that_was_not_written_is_set() {
    let id = |text| QuestionId { text_hash: QuestionId::hash_text(text), ordinal: 0 };
    let before = stored("a", Provenance::Current, &["one"]);
    let known = StoreFacts { unwritten_marks: [id("two").hash()].into(), ..StoreFacts::default() };
    let plan = planner(&["one!", "two", "three!"]).plan(0, before, &known);
    assert_eq!(plan.marks.clear, [id("one")].into());
    assert_eq!(plan.marks.set, [id("two")].into());
    assert_eq!((plan.marked_though_answered, plan.marked_and_pending), (1, 1));
}

#[test]
fn rows_before_a_bare_bookmark_are_presumed_and_cut_ones_are_kept() {
    let planner = planner(&["one", "two", "three!", "four"]);
    let presumed: HashSet<_> = planner.before_first_mark().into_iter().collect();
    assert_eq!(presumed.len(), 2);
    let cut = [QuestionId { text_hash: QuestionId::hash_text("four"), ordinal: 0 }.hash()];
    let known = StoreFacts { presumed, truncated: cut.into(), ..StoreFacts::default() };
    let plan = planner.plan(0, [], &known);
    assert_eq!(plan.states, [Presumed, Presumed, Pending, Failed]);
}

#[test]
fn a_row_that_is_kept_and_not_asked_again_is_marked_where_it_does_not_say_error() {
    let id = |text| QuestionId { text_hash: QuestionId::hash_text(text), ordinal: 0 };
    let cut = [id("one").hash(), id("two").hash()];
    let known = StoreFacts { truncated: cut.into(), ..StoreFacts::default() };
    let plan = planner(&["one", "two!", "three"]).plan(0, [], &known);
    assert_eq!(plan.states, [Failed, Failed, Pending]);
    assert_eq!(plan.marks.set, [id("one")].into());
}

#[test]
fn a_cut_answer_that_is_to_be_asked_again_is_not_settled_by_its_earlier_end() {
    let mut before = stored("a", Provenance::Current, &["one"]);
    (before[0].standing, before[0].placed) = (Standing::Another, false);
    let cut = [QuestionId { text_hash: QuestionId::hash_text("one"), ordinal: 0 }.hash()];
    let known = StoreFacts { truncated: cut.into(), ..StoreFacts::default() };
    let plan = planner(&["one"]).plan(0, before, &known);
    assert_eq!(plan.states, [Pending]);
    assert_eq!(plan.not_accepted[0].tries.count, 1);
}

#[test]
fn another_generation_asks_everything_again() {
    let before = stored("a", Provenance::Current, &["one"]);
    let plan = planner(&["one"]).plan(1, before, &StoreFacts::default());
    assert_eq!(plan.states, [Pending]);
}

#[test]
fn a_row_that_changed_since_it_was_planned_is_noticed() {
    let mut hasher = settings("a").request_hasher();
    let plan = planner(&["one", "two"]).plan(0, [], &StoreFacts::default());
    assert!(plan.fits(1, hasher.fingerprint("two")));
    assert!(!plan.fits(1, hasher.fingerprint("two.")));
    assert!(!plan.fits(2, hasher.fingerprint("three")));
}

#[test]
fn rows_that_are_skipped_count_among_equal_texts_as_they_do_for_bookmarks() {
    let mut hasher = settings("a").request_hasher();
    let mut planner = Planner::new(false, Fanout::default());
    for text in ["same", ""].map(QuestionId::hash_text) {
        planner.push(text, [hasher.fingerprint("x")], false);
        planner.skip(text);
        planner.push(text, [hasher.fingerprint("y")], false);
    }
    let plan = planner.plan(0, [], &StoreFacts::default());
    let texts = ["same", "same", "", ""].map(QuestionId::hash_text);
    let ordinals = (0..).zip(texts).map(|(at, text)| plan.id(at, text).ordinal);
    assert_eq!(ordinals.collect::<Vec<_>>(), [0, 2, 0, 2]);
}

#[test]
fn a_cut_answer_is_asked_again_only_under_a_higher_limit() {
    for (now, limit, reached, again) in [
        (Some(100), Some(100), Some(100), false),
        (Some(99), Some(100), None, false),
        (Some(101), Some(100), Some(100), true),
        (None, Some(100), Some(100), true),
        (None, None, Some(65_536), false),
        (Some(1_000), None, Some(65_536), false),
        (Some(100_000), None, Some(65_536), true),
        (Some(1), None, None, true),
    ] {
        assert_eq!(is_raised(now, limit, reached), again, "{now:?} {limit:?} {reached:?}");
    }
}

#[test]
fn a_mark_that_the_store_still_wants_is_wanted_although_the_row_has_it() {
    let id = QuestionId { text_hash: QuestionId::hash_text("one"), ordinal: 0 };
    let known = StoreFacts { unwritten_marks: [id.hash()].into(), ..StoreFacts::default() };
    let plan = planner(&["one!"]).plan(0, Vec::new(), &known);
    assert_eq!(plan.marks.set, [id].into(), "so that the store hears that it is there");
}

#[test]
fn a_mark_is_not_wanted_any_more_in_a_row_that_other_settings_have_answered() {
    let before = stored("b", Provenance::OtherSettings, &["one"]);
    let id = QuestionId { text_hash: QuestionId::hash_text("one"), ordinal: 0 };
    let known = StoreFacts {
        has_other_provenance: true,
        unwritten_marks: [id.hash()].into(),
        ..StoreFacts::default()
    };
    let plan = planner(&["one"]).plan(0, before, &known);
    let forgotten = InputMarks { clear: [id].into(), ..InputMarks::default() };
    assert_eq!(
        (plan.states, plan.marks),
        (vec![Placed], forgotten),
        "so that the store hears of it"
    );
}

const MODELS: [&str; 2] = ["a", "b"];

/// Plans for these models and so many samples.
fn of_several(models: &[&str], samples: u32, questions: &[&str]) -> Planner {
    let hashes = models.iter().map(|model| settings(model).model_hash()).collect();
    let wanted = Fanout::new(hashes, samples);
    let mut planner = Planner::new(true, wanted);
    for question in questions {
        let (text, marked) = question.strip_suffix('!').map_or((*question, false), |q| (q, true));
        let prints = models.iter().map(|model| settings(model).request_hasher().fingerprint(text));
        planner.push(QuestionId::hash_text(text), prints.collect::<Vec<_>>(), marked);
    }
    planner
}

/// The store after the first questions were answered: question, model, sample.
fn stored_of_several(answers: &[(&str, &str, u32)], models: &[&str]) -> Vec<Stored> {
    let mut stored: Vec<Stored> = answers
        .iter()
        .zip(1..)
        .map(|(&(text, model, sample), id)| {
            let of = models.iter().position(|one| *one == model);
            Stored {
                key: key(settings(model).request_hasher().fingerprint(text), sample, 0, 0),
                question: QuestionId { text_hash: QuestionId::hash_text(text), ordinal: 0 }.hash(),
                id,
                provenance: if of.is_some() { Provenance::Current } else { Provenance::OtherModel },
                model: of.unwrap_or(models.len()) as u16,
                sample,
                found_by: FoundBy::Question,
                placed: true,
                is_outdated: false,
                standing: Standing::Accepted,
                waits: false,
                tries: Tries { count: 1, aside: 0 },
            }
        })
        .collect();
    stored.sort_by_key(|answer| answer.key);
    stored
}

#[test]
fn raising_the_samples_asks_only_what_is_missing_and_lowering_them_asks_nothing() {
    let before = || stored_of_several(&[("one", "a", 0), ("one", "a", 1)], &["a"]);
    let raised = of_several(&["a"], 4, &["one"]).plan(0, before(), &StoreFacts::default());
    assert_eq!(raised.states, [Placed, Placed, Pending, Pending]);
    let lowered = of_several(&["a"], 1, &["one"]).plan(0, before(), &StoreFacts::default());
    assert_eq!((&lowered.states[..], lowered.inconsistent_keys), (&[Placed][..], 0));
    assert_eq!(lowered.counting_unwanted().count(), 1, "it is kept");
}

#[test]
fn of_what_is_not_wanted_nothing_counts_whose_question_is_gone() {
    let answers = [("one", "a", 0), ("one", "a", 1), ("two", "a", 0), ("two", "a", 1)];
    let before = stored_of_several(&answers, &["a"]);
    let plan = of_several(&["a"], 1, &["one"]).plan(0, before, &StoreFacts::default());
    assert_eq!((plan.counting_unwanted().count(), plan.gone), (1, 2));
}

#[test]
fn a_further_model_asks_only_its_own_answers_and_wants_no_decision() {
    let before = stored_of_several(&[("one", "a", 0)], &MODELS);
    let plan = of_several(&MODELS, 1, &["one"]).plan(0, before, &StoreFacts::default());
    assert_eq!((plan.states, plan.with_other_settings), (vec![Placed, Pending], vec![0, 0]));
    let both = stored_of_several(&[("one", "a", 0), ("two", "b", 0)], &["a"]);
    let plan = of_several(&["a"], 1, &["one", "two"]).plan(0, both, &StoreFacts::default());
    assert_eq!(plan.states, [Placed, Pending], "what the other model said stands for nothing");
    assert_eq!((&plan.with_other_settings, plan.counting_unwanted().count()), (&vec![0], 1));
}

#[test]
fn of_what_is_not_wanted_any_more_one_accepted_answer_to_a_sample_counts() {
    type Change = fn(&mut Stored);
    let change = |answers: &mut Vec<Stored>, id: AnswerId, change: Change| {
        change(answers.iter_mut().find(|one| one.id == id).unwrap());
    };
    let other_settings = |one: &mut Stored| {
        (one.provenance, one.key) = (Provenance::OtherSettings, Key([7; 16]));
    };
    let answers = [("one", "a", 1), ("one", "a", 1), ("one", "b", 0), ("one", "b", 0)];
    let counting = |changes: &[(AnswerId, Change)]| {
        let mut before = stored_of_several(&answers, &["a"]);
        change(&mut before, 1, other_settings);
        changes.iter().for_each(|(id, each)| change(&mut before, *id, *each));
        let known = StoreFacts { has_other_provenance: true, ..StoreFacts::default() };
        let plan = of_several(&["a"], 1, &["one"]).plan(0, before, &known);
        assert_eq!((plan.unwanted.len(), plan.orphaned), (4, 0));
        let mut counting: Vec<_> = plan.counting_unwanted().map(|(_, id)| id).collect();
        counting.sort_unstable();
        counting
    };
    assert_eq!(counting(&[]), [2, 4]);
    assert_eq!(counting(&[(2, |one| one.standing = Standing::Failed)]), [1, 4]);
    assert_eq!(counting(&[(4, |one| one.placed = false)]), [2, 3]);
    // Set aside, with nothing in their place.
    assert_eq!(
        counting(&[1, 2].map(|id| (id, (|one| one.standing = Standing::Another) as Change))),
        [4]
    );
}

#[test]
fn what_other_settings_bought_counts_for_its_own_model_and_sample() {
    let mut before = stored_of_several(&[("one", "b", 1)], &MODELS);
    (before[0].provenance, before[0].key) = (Provenance::OtherSettings, Key([9; 16]));
    let known = StoreFacts { has_other_provenance: true, ..StoreFacts::default() };
    let plan = of_several(&MODELS, 2, &["one"]).plan(0, before, &known);
    assert_eq!(plan.states, [Pending, Pending, Pending, Placed]);
    assert_eq!(plan.with_other_settings, [0, 1]);
}

#[test]
fn what_the_script_did_counts_for_the_first_answer_of_a_row() {
    let planner = of_several(&MODELS, 2, &["one", "two!"]);
    let presumed = planner.before_first_mark().into_iter().collect();
    let plan = planner.plan(0, [], &StoreFacts { presumed, ..StoreFacts::default() });
    let first_row = [Presumed, Pending, Pending, Pending];
    assert_eq!(plan.states[..4], first_row);
    assert_eq!(plan.states[4..], [Pending; 4]);
}

#[test]
fn an_answer_that_was_cut_is_kept_for_its_own_model_and_sample() {
    let id = QuestionId { text_hash: QuestionId::hash_text("one"), ordinal: 0 };
    let planner = of_several(&MODELS, 2, &["one"]);
    let wanted = Fanout::new(MODELS.map(|model| settings(model).model_hash()).to_vec(), 2);
    let cut = [wanted.failure_key(id, 0), wanted.failure_key(id, 3)].into();
    let plan = planner.plan(0, [], &StoreFacts { truncated: cut, ..StoreFacts::default() });
    assert_eq!(plan.states, [Failed, Pending, Pending, Failed]);
    assert_eq!(plan.marks.set, [id].into(), "its row says ERROR, once");
}

#[test]
fn a_mark_is_cleared_only_where_every_answer_of_the_row_is_there() {
    let id = |text| QuestionId { text_hash: QuestionId::hash_text(text), ordinal: 0 };
    let answers = [("one", "a", 0), ("one", "a", 1), ("two", "a", 0)];
    let before = stored_of_several(&answers, &["a"]);
    let known = StoreFacts { unwritten_marks: [id("two").hash()].into(), ..StoreFacts::default() };
    let plan = of_several(&["a"], 2, &["one!", "two"]).plan(0, before, &known);
    assert_eq!(plan.marks.clear, [id("one")].into());
    assert_eq!(plan.marks.set, [id("two")].into());
    assert_eq!(plan.marked_though_answered, 1);
}

#[test]
fn a_row_of_other_settings_keeps_its_place_and_its_answer_until_one_of_these_is_accepted() {
    let known = StoreFacts { has_other_provenance: true, ..StoreFacts::default() };
    let plan = |own: Standing, other: Standing| {
        let mut all = stored("b", Provenance::OtherSettings, &["one"]);
        let mut new = stored("a", Provenance::Current, &["one"]);
        (all[0].standing, new[0].standing) = (other, own);
        (new[0].id, new[0].placed) = (2, false);
        all.extend(new);
        let mut counts = None;
        let plan = planner(&["one"]).plan_and_note(0, all, &known, |_, answer, role| {
            counts = counts.or(Some(answer).filter(|_| role == Role::Counts));
        });
        (plan, counts)
    };
    let (replaced, counts) = plan(Standing::Accepted, Standing::Accepted);
    assert_eq!((replaced.states, replaced.unplaced, counts), (vec![Placed], vec![], Some(2)));
    assert_eq!((replaced.outdated, replaced.orphaned), (1, 0));
    let (both, _) = plan(Standing::Accepted, Standing::Another);
    assert_eq!((both.states, both.outdated), (vec![Placed], 1));
    let (kept, counts) = plan(Standing::Failed, Standing::Accepted);
    assert_eq!((&kept.states, kept.not_accepted.len(), counts), (&vec![Placed], 0, Some(1)));
    assert_eq!((kept.outdated, kept.orphaned), (0, 0));
    let (asked, counts) = plan(Standing::Another, Standing::Failed);
    assert_eq!((&asked.states, counts), (&vec![Pending], None));
    assert!(asked.not_accepted[0].placed, "its answer is not written beside the other");
    assert_eq!(asked.orphaned, 0);
}

#[test]
fn an_answer_in_place_of_one_that_was_set_aside_takes_its_place_and_is_not_gone() {
    let known = StoreFacts { has_other_provenance: true, ..StoreFacts::default() };
    for (is_other_placed, orphaned) in [(false, 0), (true, 1)] {
        let mut own = stored("a", Provenance::Current, &["one"]);
        let mut new = stored("b", Provenance::OtherSettings, &["one"]);
        (own[0].standing, own[0].tries) = (Standing::Another, Tries { count: 0, aside: 1 });
        (new[0].id, new[0].placed) = (2, is_other_placed);
        own.extend(new);
        let plan = planner(&["one"]).plan(0, own, &known);
        assert_eq!((&*plan.states, plan.unplaced.len()), (&[Placed][..], 0));
        assert_eq!(plan.outdated, u64::from(!is_other_placed));
        assert_eq!((plan.orphaned, plan.gone), (orphaned, 0));
    }
}

#[test]
fn of_two_answers_of_other_settings_the_accepted_one_counts_and_the_place_is_kept() {
    let answer = |id, standing, placed| {
        let other = stored("b", Provenance::OtherSettings, &["one"]).remove(0);
        let key = Key([id as u8; 16]);
        Stored { id, key, standing, placed, found_by: FoundBy::FormerKey, ..other }
    };
    let (first, second, behind) = ((1, Role::Counts), (2, Role::Counts), (2, Role::Behind));
    for (one, other, state, counts, outdated) in [
        ((Standing::Accepted, true), (Standing::Accepted, false), Placed, &[first, behind][..], 0),
        ((Standing::Accepted, false), (Standing::Failed, true), Placed, &[first], 1),
        ((Standing::Failed, false), (Standing::Accepted, false), Unplaced, &[second], 0),
    ] {
        let both = [answer(1, one.0, one.1), answer(2, other.0, other.1)];
        let former_keys = both.iter().map(|one| (one.key, 0)).collect();
        let known = StoreFacts { has_other_provenance: true, former_keys, ..StoreFacts::default() };
        for order in [[0, 1], [1, 0]] {
            let mut answered = Vec::new();
            let planned = planner(&["one"]).plan_and_note(
                0,
                order.map(|at| both[at]),
                &known,
                |_, id, role| answered.push((id, role)),
            );
            assert_eq!((&*planned.states, &*answered), (&[state][..], counts));
            assert_eq!(planned.outdated, outdated);
        }
    }
}

#[test]
fn every_answer_that_may_count_is_told_whatever_bought_it() {
    let known = StoreFacts { has_other_provenance: true, ..StoreFacts::default() };
    let mut all: Vec<_> = ["b", "c"]
        .iter()
        .flat_map(|model| stored(model, Provenance::OtherSettings, &["one", "two"]))
        .chain(stored("a", Provenance::Current, &["one"]))
        .collect();
    all.iter_mut().zip(1..).for_each(|(answer, id)| answer.id = id);
    let texts = ["one", "two"];
    for is_reversed in [false, true] {
        if is_reversed {
            all.reverse();
        }
        let mut told: HashMap<_, Vec<_>> = HashMap::new();
        planner(&texts).plan_and_note(0, all.iter().copied(), &known, |at, id, role| {
            let of_it = told.entry(at).or_default();
            assert_eq!(role == Role::Counts, of_it.is_empty(), "it is told first");
            of_it.push(id);
        });
        for (at, text) in (0..).zip(texts) {
            let question = QuestionId { text_hash: QuestionId::hash_text(text), ordinal: 0 }.hash();
            let of_it = all.iter().filter(|one| one.question == question).map(|one| one.id);
            let mut of_it: Vec<_> = of_it.collect();
            let told = told.get_mut(&at).unwrap();
            told.sort_unstable();
            of_it.sort_unstable();
            assert_eq!(*told, of_it);
        }
    }
}

/// Rows that are asked their question with a document behind it.
fn with_documents(rows: &[(&str, &str)]) -> Planner {
    let mut hasher = settings("a").request_hasher();
    let mut planner = Planner::new(false, Fanout::default());
    for (question, document) in rows {
        let print = hasher.fingerprint(&format!("{question} {document}"));
        planner.push(QuestionId::hash_text(question), [print], false);
    }
    planner
}

/// An answer that other settings bought to the first row with this question; `asked` as now, or as nobody can tell.
fn to_document(id: AnswerId, question: &str, ordinal: u32, asked: Option<&str>) -> Stored {
    let mut hasher = settings("a").request_hasher();
    let of_now =
        asked.map(|asked| key(hasher.fingerprint(&format!("{question} {asked}")), 0, 0, 0));
    Stored {
        id,
        key: of_now.unwrap_or(Key([id as u8; 16])),
        question: QuestionId { text_hash: QuestionId::hash_text(question), ordinal }.hash(),
        found_by: FoundBy::LoneQuestion,
        ..stored("b", Provenance::OtherSettings, &["one"])[0]
    }
}

#[test]
fn an_answer_to_the_request_of_a_row_is_that_rows_and_no_others() {
    let known = StoreFacts { has_other_provenance: true, ..StoreFacts::default() };
    for found_by in [FoundBy::Question, FoundBy::FormerKey, FoundBy::LoneQuestion] {
        let of = |id, ordinal, asked| Stored { found_by, ..to_document(id, "sum", ordinal, asked) };
        let before = [of(1, 0, Some("A")), of(2, 1, Some("B"))];
        let mut counts = Vec::new();
        let plan = with_documents(&[("sum", "C"), ("sum", "A"), ("sum", "B")]).plan_and_note(
            0,
            before,
            &known,
            |at, answer, _| counts.push((at, answer)),
        );
        assert_eq!((&*plan.states, plan.orphaned), (&[Pending, Placed, Placed][..], 0));
        counts.sort_unstable();
        assert_eq!(counts, [(1, 1), (2, 2)]);
    }
}

#[test]
fn an_answer_of_which_nobody_knows_what_was_asked_counts_for_a_lone_question_alone() {
    let known = StoreFacts { has_other_provenance: true, ..StoreFacts::default() };
    let states = |rows: &[(&str, &str)], before: &[Stored]| {
        let plan = with_documents(rows).plan(0, before.iter().copied(), &known);
        (plan.states, plan.orphaned)
    };
    let lone = to_document(1, "sum", 0, None);
    assert_eq!(states(&[("new", "C"), ("sum", "A")], &[lone]), (vec![Pending, Placed], 0));
    assert_eq!(states(&[("sum", "C"), ("sum", "A")], &[lone]), (vec![Pending, Pending], 1));
    let both = [lone, to_document(2, "sum", 1, None)];
    assert_eq!(states(&[("sum", "B")], &both), (vec![Pending], 2));
    assert_eq!(states(&[("sum", "A"), ("sum", "B")], &both), (vec![Pending, Pending], 2));
}

#[test]
fn where_more_is_asked_than_the_question_an_ending_is_that_of_what_was_asked() {
    let id = QuestionId { text_hash: QuestionId::hash_text("sum"), ordinal: 0 };
    let before = with_documents(&[("sum", "A"), ("sum", "B")]).plan(0, [], &StoreFacts::default());
    let truncated: HashSet<_> = [before.failure_key(id, 0)].into();
    let ended = truncated.clone();
    let known = StoreFacts { truncated, ended, ..StoreFacts::default() };
    let plan = |rows: &[(&str, &str)]| with_documents(rows).plan(0, [], &known);
    assert_eq!(
        plan(&[("sum", "C"), ("sum", "A"), ("sum", "B")]).states,
        [Pending, Failed, Pending]
    );
    assert_eq!(plan(&[("sum", "shorter"), ("sum", "B")]).states, [Pending, Pending]);
    let moved = plan(&[("sum", "B"), ("sum", "A")]);
    let of = |ordinal| QuestionId { ordinal, ..id };
    assert_eq!([moved.has_failed(of(0), 0), moved.has_failed(of(1), 1)], [false, true]);
}

#[test]
fn what_a_program_is_still_to_judge_is_open_for_whoever_looks_and_nothing_to_ask() {
    let mut before = stored("a", Provenance::Current, &["one", "two"]);
    for answer in &mut before {
        (answer.standing, answer.placed, answer.waits) = (Standing::Failed, false, answer.id == 1);
    }
    let mut plan = planner(&["one", "two", "three"]).plan(0, before, &StoreFacts::default());
    assert_eq!(plan.states, [Failed, Failed, Pending], "no run asks for it");
    plan.open_unjudged();
    assert_eq!(plan.states, [Pending, Failed, Pending]);
    assert_eq!((plan.unjudged(), plan.pending_by_model()), (1, vec![1]));
    assert_eq!([0, 1, 2].map(|at| plan.is_unjudged(at)), [true, false, false]);
}
