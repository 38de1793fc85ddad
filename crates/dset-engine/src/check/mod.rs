//! Holds answers against what is asked of them; what is asked, and what follows, is core's business.

mod program;

use std::path::Path;

use dset_core::acceptance::{Acceptance, Received, Verdict, Verdicts};
use dset_core::answer::Answer;
use dset_core::item::Item;
use dset_core::item::question::Question;
use dset_core::schema::dialect::Restore;
use serde_json::json;

use self::program::Program;
pub use self::program::ProgramError;

/// Judges answers.
#[derive(Debug)]
pub(crate) struct Judge {
    acceptance: Acceptance,
    /// The programs that judge, each with the index of its verdict.
    programs: Vec<(usize, Program)>,
    /// What is to be undone in the answers of each model before they are held against a schema.
    restores: Vec<Restore>,
}

impl Judge {
    /// Starts the programs that judge; what they complain of goes to a file in `folder`. Fails where
    /// one cannot be started.
    pub(crate) fn start(
        acceptance: Acceptance,
        restores: Vec<Restore>,
        folder: &Path,
    ) -> Result<Judge, ProgramError> {
        let programs = acceptance.commands().map(|(index, command)| {
            let complaints = folder.join(format!("check-{}.stderr", index + 1));
            Ok((index, Program::start(command.clone(), complaints)?))
        });
        let programs = programs.collect::<Result<_, _>>()?;
        Ok(Judge { acceptance, programs, restores })
    }

    /// Ends the programs: what they would still say is unknown.
    pub(crate) fn stop(&self) {
        self.programs.iter().for_each(|(_, program)| program.stop());
    }

    /// Tells whether judging waits for programs.
    pub(crate) fn has_programs(&self) -> bool {
        !self.programs.is_empty()
    }

    /// Tells whether the same answer may be judged otherwise once its row has changed; what programs would
    /// say apart.
    pub(crate) fn depends_on_rows(&self) -> bool {
        self.acceptance.depends_on_rows()
    }

    pub(crate) fn acceptance(&self) -> &Acceptance {
        &self.acceptance
    }

    /// Tells whether there is anything to judge in an answer: of a whole one nothing but that may be asked.
    pub(crate) fn asks_something_of(&self, answer: &Answer) -> bool {
        answer.is_cut() || !self.acceptance.is_empty()
    }

    /// Judges an answer to an item. Waits for programs.
    pub(crate) fn judge(&self, answer: Received<'_>, item: &Item<'_>) -> Verdicts {
        let mut verdicts = self.acceptance.accept(answer, item);
        if self.programs.is_empty() {
            return verdicts;
        }
        let parsed = verdicts.parsed.as_ref().and_then(|parsed| parsed.value.to_value().ok());
        let line = json!({
            "row": item.place.number(),
            "id": item.id,
            "question": item.text.trim(),
            "fields": item.fields.to_object(),
            "answer": answer.text,
            "parsed": parsed,
        });
        let line = line.to_string();
        for (index, program) in &self.programs {
            verdicts.replace(*index, program.ask(item.place.number(), &line));
        }
        verdicts
    }

    /// Judges an answer to an item once more, with what programs said of it before.
    pub(crate) fn judge_again(
        &self,
        answer: Received<'_>,
        item: &Item<'_>,
        before: &[Verdict],
    ) -> Verdicts {
        let mut verdicts = self.acceptance.accept(answer, item);
        self.programs.iter().for_each(|(index, _)| verdicts.restore(*index, before));
        verdicts
    }

    /// Judges an answer to a question. Waits for programs where it is to.
    pub(crate) fn judge_question(
        &self,
        question: &Question,
        answer: &Answer,
        waits: bool,
    ) -> Verdicts {
        let nothing = serde_json::Map::new();
        let item = Item::of_question(question, question.fields.as_deref().unwrap_or(&nothing));
        let restore = self.restores.get(usize::from(question.model)).copied().unwrap_or_default();
        let answer = Received { text: &answer.content, is_cut: answer.is_cut(), restore };
        match waits {
            true => self.judge(answer, &item),
            false => self.acceptance.accept(answer, &item),
        }
    }
}
