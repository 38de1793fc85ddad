//! Settings: layers of what was said where, resolved into what holds.
//!
//! A [`Layer`] is what one place says: the command line, the environment, a file. Layers are put
//! over one another and resolved once into [`Settings`], in which nothing is left open that is not
//! the service's own choice.

mod layer;
mod reading;
mod resolve;
mod values;

pub use layer::{Backoff as BackoffSpans, Layer, NO_KEY, Names};
pub use reading::{Choice, LastTurn, OnBadRow, Reading, Sample};
pub(crate) use resolve::is_variable;
pub use resolve::{
    CostLimits, Model, Settings, SettingsError, Warning, begins_like_a_key, endpoint, is_loopback,
    resolve, resolve_with_providers,
};
pub use values::{Concurrency, Dollars, LogFormat, OnError, Span, Switch};
