//! A store that cannot be used.

use dset_engine::store::StoreError;

use super::{io_cause, mend};
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;

const COPY: &str = "Put a copy of `dset.db` back, if there is one, and run again";
const WITHOUT_STORE: &str = "Without one, move `dset.db` and `dset.db-wal` out of the folder: the next run takes \
over the answers in the outputs, and asks for the rest";

/// What leads out where the text of one answer is damaged.
pub(crate) const DAMAGED_TEXT: &str = "Every other answer can be read: `dset verify` names the question, and the `dset redo` that \
asks it again";

impl From<StoreError> for UserError {
    fn from(error: StoreError) -> UserError {
        let user = UserError::new(Exit::Ours, "cannot use the store `dset.db`");
        match error {
            StoreError::Newer { found, by } => {
                let by = by.map(|by| format!(", last written by dset {}", one_line(&by)));
                let cause = format!("it has version {found}{}", by.unwrap_or_default());
                UserError::new(Exit::Usage, "the store `dset.db` was written by a newer dset")
                    .cause(cause)
                    .hint(
                        "Update this dset with `cargo install --path crates/dset-cli` in its newest \
                         source: in another folder everything would be asked again",
                    )
            }
            StoreError::Foreign => UserError::new(Exit::Usage, "`dset.db` is not a store of dset")
                .cause("it is another program's, or its first page is damaged")
                .hint("Put a copy of it back, if it was a store")
                .hint("If nothing was asked here yet, use another folder with `-o DIR`"),
            StoreError::Damaged(detail) | StoreError::Unreadable(detail) => {
                user.cause(one_line(&detail)).hint(COPY).hint(WITHOUT_STORE)
            }
            damaged @ StoreError::TextDamaged { .. } => {
                UserError::new(Exit::Ours, "cannot read an answer in the store `dset.db`")
                    .cause(damaged.to_string())
                    .hint(DAMAGED_TEXT)
            }
            gone @ StoreError::Gone { .. } => user
                .cause(one_line(&gone.to_string()))
                .hint("Leave the folder alone while a run goes on, and run again"),
            long @ StoreError::PathTooLong(_) => user
                .cause(long.to_string())
                .hint("Move the folder to where its path is shorter, and everything in it"),
            StoreError::Reviews { path, why } => {
                let path = one_line(&path.display().to_string());
                UserError::new(Exit::Ours, format!("cannot read the ratings and notes in `{path}`"))
                    .cause(one_line(&why))
                    .hint("The answers are sound: put a copy of that file back, or move it away and rate anew")
            }
            StoreError::Busy => user
                .cause("another program has it locked")
                .hint("Close whatever has `dset.db` open and run again"),
            // The store may be whole: whoever moves it away then has answers bought again.
            StoreError::Failed(detail) => user.cause(one_line(&detail)).hint(mend()),
            StoreError::Io(error) => user.cause(io_cause(&error)).hint(mend()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_damaged_store_is_to_be_moved_away() {
        let hints = |error: StoreError| UserError::from(error).hints.join(" ");
        assert!(hints(StoreError::Damaged("x".into())).contains("out of the folder"));
        let text = StoreError::TextDamaged { answer: 7, row: Some(8) };
        let error = UserError::from(text);
        assert_eq!(error.cause.as_deref(), Some("the text of answer 7 (row 8) is damaged"));
        assert!(error.hints.join(" ").contains("dset redo"), "{:?}", error.hints);
        for whole in ["database or disk is full", "disk I/O error"] {
            let hints = hints(StoreError::Failed(whole.into()));
            assert!(hints.contains("Make room") && !hints.contains("dset.db"), "{hints}");
        }
    }
}
