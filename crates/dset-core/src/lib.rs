//! Decides what a run of dset does, and does nothing itself.
//!
//! No clock, file, socket, thread or randomness of its own: whatever it needs of the world is an
//! argument, and whatever it wants of the world is a value it returns. So an outage of seven
//! minutes and a thousand crashes run in milliseconds, and a failing seed can be run again.
//! `dset-engine` and the simulator call it; neither terminals nor SQL are here.
//!
//! The modules, in the order of the data:
//!
//! 1. [`settings`]: layers of settings become a checked `JobSpec` and `RunOptions`.
//! 2. [`csv`]: reads records of a CSV file and finds the columns of questions and marks.
//! 3. [`item`]: a row of the input as a question, and the error marks in the input.
//! 4. [`template`]: renders the messages of a row. [`key`] hashes what is asked.
//! 5. [`plan`]: holds the questions against the stored answers: what is left to ask.
//! 6. [`run`]: the machine, which decides what is asked, recorded and written, event by event.
//! 7. [`rate`]: how many asks at once and per minute an endpoint takes, and when to try again.
//! 8. [`provider`]: requests of each service, and the reading of its replies.
//! 9. [`answer`]: what a reply means, and the row of an output.
//! 10. [`structured`]: the JSON value in an answer. [`schema`]: what it has to look like, and what a
//!     service is sent of that. [`check`]: what else an answer is held against.
//!     [`acceptance`]: all of it, as one value.
//! 11. [`layout`]: rows of datasets, made of a row of the input and its answers.
//! 12. [`recover`]: what crashes and earlier programs left in outputs.
//! 13. [`money`]: what tokens cost, where and when, and what was spent.
//!
//! Beside them [`time`], [`text`], [`histogram`], and [`planted`]: bugs that the simulator must find.

pub mod acceptance;
pub mod answer;
pub mod check;
pub mod csv;
pub mod histogram;
pub mod item;
pub mod key;
pub mod layout;
pub mod money;
pub mod plan;
pub mod planted;
pub mod provider;
pub mod rate;
pub mod recover;
pub mod run;
pub mod schema;
pub mod settings;
pub mod structured;
pub mod template;
pub mod text;
pub mod time;
