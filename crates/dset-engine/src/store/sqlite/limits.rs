//! What a store is known by, and what SQLite can do with it.

/// The name of the store in its folder.
pub const STORE: &str = "dset.db";
/// The version of the schema that this program writes.
pub(in crate::store) const VERSION: i64 = 8;
/// Says that a SQLite file is ours: `dset` in ASCII.
pub(super) const APPLICATION: i64 = 0x6473_6574;
/// SQLite's own limit (`MAX_PATHNAME` of its Unix layer is 512), less its `-journal` and the end.
pub(in crate::store) const PATH_BYTES_MAX: usize = 503;
/// Where `meta` has the column of the input that has marks.
pub(in crate::store) const MARKS_COLUMN: &str = "marks_column";
/// Where `meta` has the first answer from which on `answer_facts` says when each came, and in which run.
pub(super) const FACTS_FROM: &str = "facts_from";
/// Where `meta` has what tells the store from all others.
pub(super) const IDENTITY: &str = "identity";
/// Where `meta` has when another store was last taken in.
pub(super) const MERGED_AT: &str = "merged_at";
/// Where `meta` says that others read the input too, so that it is never marked.
pub(in crate::store) const INPUT_IS_SHARED: &str = "input_is_shared";
