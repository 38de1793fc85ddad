//! Does what dset-core decides: HTTP, SQLite, files and time.
//!
//! One effect a file and no policy. Prints nothing, installs no signal handlers and keeps no
//! globals, so that it can run inside another program; the caller gets reports through
//! [`crate::observer::Observer`].
//!
//! The modules, in the order of the data:
//!
//! 1. [`source`]: opens and reads the input, writes error marks into it, converts other formats.
//! 2. [`run`]: prepares a job, then drives the machine of `dset-core` to its end.
//! 3. [`http`]: one ask of an endpoint, and what a service reports without one.
//! 4. [`store`]: what is durable, in SQLite, and the thread that writes it.
//! 5. [`output`]: the files that are written from the store.
//! 6. [`recover`]: takes over the original script's outputs, rebuilds outputs.
//! 7. [`shard`]: a job split into parts, each of which is run in a folder of its own.
//! 8. [`export`]: datasets, written whole from the input and the store.
//! 9. [`view`]: read-only looks at a folder: status, verify, show, search, statistics.
//!
//! Beside them [`engine`], which does all of it for other programs, [`check`] (programs that judge answers),
//! [`os`] (clock, files, locks), [`observer`] and [`error`].
//!
//! A job of two questions, asked of a simulated service:
//!
//! ```
//! use dset_core::settings::{Layer, Resolved, resolve};
//! use dset_engine::http::ask::{Endpoint, EndpointSettings};
//! use dset_engine::observer::{LocalFailure, Observer};
//! use dset_engine::run::drive::{Target, drive};
//! use dset_engine::run::prepare::{Decisions, Job};
//!
//! struct Quiet;
//! impl Observer for Quiet {
//!     fn notice(&mut self, _: dset_core::time::Time, _: &dset_core::run::Notice) {}
//!     fn snapshot(&mut self, _: dset_core::time::Time, _: &dset_core::run::Snapshot) {}
//!     fn local_failure(&mut self, _: dset_core::time::Time, _: &LocalFailure) {}
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let folder = tempfile::tempdir()?;
//! let input = folder.path().join("q.csv");
//! std::fs::write(&input, "question\nWhy is the sky blue?\nHow old is the sun?\n")?;
//! let service = dset_mock::Mock::start(dset_mock::MockSettings::default()).await?;
//! let layer = Layer {
//!     input: Some(input),
//!     output: Some(folder.path().join("out")),
//!     base_url: Some(vec![service.base_url()]),
//!     ..Layer::default()
//! };
//! let Resolved { spec, options, .. } = resolve(layer, None)?;
//! let model = &spec.models[0];
//! let call = EndpointSettings::new(&options, model, &model.base_urls[0]);
//! let endpoint = Endpoint::new(call, None)?;
//! let job = Job::prepare(spec, Decisions::default(), true)?.begin()?;
//! let targets = vec![Target { model: 0, number: 0, endpoint, peer_limits: None }];
//! let (_controls, receiver) = tokio::sync::mpsc::channel(1);
//! drive(job, &options, targets, None, receiver, &mut Quiet).await?;
//! assert_eq!(service.stats().answered, 2);
//! assert!(folder.path().join("out/output.csv").exists());
//! # Ok(())
//! # })
//! # }
//! ```

pub mod check;
pub mod engine;
pub mod error;
pub mod export;
pub mod http;
pub mod observer;
pub mod os;
pub mod output;
pub mod recover;
pub mod run;
pub mod shard;
pub mod source;
pub mod store;
pub mod view;
