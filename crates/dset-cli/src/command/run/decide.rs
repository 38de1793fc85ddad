//! What whoever sits at the terminal is asked where a run cannot begin without a decision.

use dset_engine::error::JobError;
use dset_engine::run::prepare::Decisions;

use crate::display;
use crate::error::UserError;
use crate::explain;
use crate::prompt;

/// A question at the terminal.
struct Choice {
    question: &'static str,
    /// Why it is asked is shown as well.
    shows_cause: bool,
    /// What may be answered; any other word stops the run.
    answers: [Answer; 2],
}

struct Answer {
    letter: &'static str,
    word: &'static str,
    decides: fn(&mut Decisions),
}

const fn answer(letter: &'static str, word: &'static str, decides: fn(&mut Decisions)) -> Answer {
    Answer { letter, word, decides }
}

/// Where to begin in a file with bookmarks of which nothing is known.
const BEGIN: Choice = Choice {
    question: "Ask all rows (a), take those before the first ERROR as answered (b), stop (s)",
    shows_cause: true,
    answers: [
        answer("a", "all", |decisions| decisions.from_start = true),
        answer("b", "bookmark", |decisions| decisions.from_bookmark = true),
    ],
};

/// What is to become of answers that other settings bought.
const SETTINGS: Choice = Choice {
    question: "Keep them and ask the rest (k), ask all again (a), stop (s)",
    shows_cause: true,
    answers: [
        answer("k", "keep", |decisions| decisions.keep_answers = true),
        answer("a", "again", |decisions| decisions.ask_again = true),
    ],
};

/// What is to become of answers that do not pass any more.
const ACCEPTANCE: Choice = Choice {
    question: "Keep them all the same (k), ask again for them (a), stop (s)",
    shows_cause: false,
    answers: [
        answer("k", "keep", |decisions| decisions.keep_answers = true),
        answer("a", "again", |decisions| decisions.again_failed = true),
    ],
};

/// Asks for the decision without which the run cannot begin; fails with `error` where there is none, or
/// nobody to ask.
pub(super) fn decide(error: JobError, decisions: &mut Decisions) -> Result<(), UserError> {
    let choice = match &error {
        JobError::Bookmark { .. } => Some(BEGIN),
        JobError::SettingsChanged { .. } => Some(SETTINGS),
        JobError::AcceptanceChanged { .. } => Some(ACCEPTANCE),
        _ => None,
    };
    let error = explain::job(error);
    let Some(choice) = choice.filter(|_| prompt::is_possible()) else { return Err(error) };
    let cause = error.cause.as_deref().filter(|_| choice.shows_cause);
    let shown: Vec<&str> = [Some(&*error.message), cause].into_iter().flatten().collect();
    display::warn(&shown.join(": "), None);
    let word = prompt::word(choice.question, "s")?.to_ascii_lowercase();
    match choice.answers.iter().find(|answer| [answer.letter, answer.word].contains(&&*word)) {
        Some(answer) => (answer.decides)(decisions),
        None => return Err(error),
    }
    Ok(())
}
