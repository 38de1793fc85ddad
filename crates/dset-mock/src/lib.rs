//! A simulated LLM service: any of the known dialects, with every fault that real services have.
//!
//! For `dset demo`, for tests and for benches: deterministic answers, in one piece or streamed,
//! faults by question, by time and at random, limits, and an audit of what was asked and answered,
//! which is what a provider's bill would say. Binds to loopback only.

mod audit;
mod dialect;
mod fault;
mod limit;
mod random;
mod request;
pub mod response;
pub mod server;
mod settings;
mod structured;

pub use crate::audit::timeline::Second;
pub use crate::response::answer::{Answers, answer_for};
pub use crate::server::service::Mock;
pub use audit::{Repeated, Stats};
pub use dialect::{Dialect, Thought};
pub use fault::{Fault, RandomFault, TextFault, TimedFault};
pub use limit::{ConcurrencyAt, RetryAfter, Window};
pub use settings::MockSettings;
