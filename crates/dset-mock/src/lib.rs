//! Pretends to be a service that answers, any of those that are known, with every fault that they
//! have.
//!
//! For `dset demo`, for tests and for benches: deterministic answers, in one piece or streamed,
//! faults by question, by time and by chance, limits, and an audit of what was asked and answered,
//! which is what a provider's bill would say. Binds to loopback only.

mod answer;
mod ask;
mod audit;
mod body;
mod call;
mod dialect;
mod draw;
mod error;
mod fault;
mod give;
mod limit;
mod line;
mod rate;
mod reply;
mod serve;
mod settings;
mod stream;
mod tally;
mod told;
mod work;

pub use answer::{Answers, answer_for};
pub use audit::{Repeated, Stats};
pub use dialect::{Dialect, Thought};
pub use fault::{Fault, RandomFault, TextFault, TimedFault};
pub use limit::{ConcurrencyAt, RetryAfter, Window};
pub use serve::Mock;
pub use settings::MockSettings;
pub use tally::Second;
