//! Settings: layers of what was said where, resolved into what holds.
//!
//! A [`Layer`] is what one place says: the command line, the environment, a file. Layers are put
//! over one another and resolved once into a [`JobSpec`], which says what is asked, and [`RunOptions`],
//! which say how. Nothing is left open in them that is not the service's own choice.

mod job_spec;
mod key_text;
mod layer;
mod reading;
mod resolve;
mod run_options;
mod schema_source;
mod values;

pub use job_spec::{Checks, JobSpec, Model, endpoint};
pub use key_text::begins_like_a_key;
pub(crate) use key_text::is_variable;
pub use layer::{Backoff as BackoffSpans, Layer, NO_KEY, Names};
pub use reading::{Choice, LastTurn, OnBadRow, Reading, Sample, Shard};
pub use resolve::{
    IDLE_TIMEOUT, Resolved, SettingsError, Warning, is_loopback, resolve, resolve_with_providers,
};
pub use run_options::{CostLimits, RunOptions};
pub use schema_source::SchemaSource;
pub use values::{Concurrency, Dollars, OnError, Span, Switch};
