//! What was found, as one JSON object.

use std::path::Path;

use dset_core::recover::output_diff::OutputDifference;
use dset_engine::view::verify::{Difference, Note, VerifyReport};
use serde_json::{Value, json};

use super::Words;
use crate::exit::Exit;

impl Words<'_> {
    pub(super) fn object(&self, verified: &VerifyReport, exit: Exit) -> Value {
        let path = |path: &Path| path.display().to_string();
        let differences = verified.differences.iter().map(|difference| {
            let (kind, text, mend) = self.difference(difference);
            let mut object = json!({ "kind": kind, "text": text, "mend": mend });
            match difference {
                Difference::Output { file, .. }
                | Difference::OutputMissing { file, .. }
                | Difference::OutputShort { file, .. }
                | Difference::RowsUnwritten { file, .. }
                | Difference::RowsOfScriptLacking { file, .. } => object["file"] = json!(file),
                _ => {}
            }
            if let Difference::Output {
                misfit:
                    OutputDifference::Foreign { at, bytes, .. }
                    | OutputDifference::Changed { at, bytes, .. },
                ..
            } = difference
            {
                (object["byte"], object["bytes"]) = (json!(at), json!(bytes));
            }
            object
        });
        let notes = verified.notes.iter().map(|note| {
            let kind = match note {
                Note::Gone { .. } => "gone",
                Note::TextsDamaged(_) => "texts-damaged",
                Note::NotAccepted(_) => "not_accepted",
                Note::RowsOfScript { .. } => "rows-of-script",
                Note::Moved(_) => "moved",
                Note::Presumed(_) => "presumed",
                Note::Leftover(_) => "leftover",
                Note::Unread(_) => "unread",
            };
            json!({ "kind": kind, "text": self.note(note) })
        });
        let outputs =
            verified.outputs.iter().map(|(file, rows)| json!({ "file": file, "rows": rows }));
        json!({
            "input": path(&self.settings.input),
            "output": path(&self.settings.output),
            "agrees": verified.differences.is_empty(),
            "running": crate::command::status::running(&verified.running),
            "ledger": verified.ledger,
            "answers": verified.answers,
            "outputs": outputs.collect::<Vec<_>>(),
            "differences": differences.collect::<Vec<_>>(),
            "notes": notes.collect::<Vec<_>>(),
            "exit": exit as u8,
        })
    }
}
