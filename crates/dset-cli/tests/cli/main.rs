//! The program as a user meets it: the real binary in a folder of its own. One file a subject, all in
//! one program, since each program of tests would be built and linked anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "what tests share is of this program alone")]

mod common;

mod advice;
mod caches;
mod chats;
mod checks;
mod config;
mod cut;
mod damage;
mod datasets;
mod demo;
mod doctor;
mod edits;
mod elsewhere;
mod errors;
mod export;
mod folder;
mod help;
mod hostile;
mod import;
mod incoming;
mod init;
mod job;
mod jsonl;
mod keys;
mod limits;
mod log_format;
mod marks;
mod merged;
mod older_copy;
mod params;
mod prices;
mod prompts;
mod proxies;
mod redo;
mod redo_cut_short;
mod refused;
mod replies;
mod run;
mod samples;
mod schema;
mod screen;
mod script;
mod search;
mod secrets;
mod services;
mod show;
mod signals;
mod sources;
mod stalled;
mod stats;
mod status;
mod stores;
mod structured;
mod tries;
mod verify;
mod view;
mod watch;
