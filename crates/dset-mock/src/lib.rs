//! Pretends to be an OpenAI-compatible service, with every fault that real ones have.
//!
//! For `dset demo`, for tests and for benches: deterministic answers in DeepSeek's wire shape,
//! faults by question, by time and by chance, limits, and an audit of what was asked and answered,
//! which is what a provider's bill would say. Binds to loopback only.

mod answer;
mod audit;
mod body;
mod draw;
mod fault;
mod limit;
mod line;
mod rate;
mod reply;
mod serve;
mod settings;
mod tally;
mod work;

pub use answer::{Answers, answer_for};
pub use audit::{Repeated, Stats};
pub use fault::{Chance, During, Fault, On};
pub use limit::{ConcurrencyAt, RetryAfter, Window};
pub use serve::Mock;
pub use settings::MockSettings;
pub use tally::Second;
