//! Shows a run to people: in a browser on this machine while it goes on, and as files that need neither
//! this program nor a server.
//!
//! What is shown comes from [`dset_engine::view::browse`] and from the reports of the commands, which
//! the caller brings ([`Reports`]), so that a page and a command never say different things. The
//! modules: `guard` decides who may see anything, `api` answers programs, `events` tells of what is
//! new, `assets` is the page itself, `folder` the page with its records as files.

mod address;
mod api;
mod assets;
mod events;
mod folder;
mod guard;
mod report;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use dset_engine::os::lock::{Running, running};
use dset_engine::view::browse::Browser;
use serde_json::Value;

pub use address::QueryError;
pub use folder::{Folder, FolderError, RECORDS_MAX, read_filter};
pub use guard::Token;
pub use report::{REPORT_MARK, Report};

/// What commands say with `--json`, for the pages that show it.
pub trait Reports: Send + Sync + 'static {
    /// `dset status --json`.
    fn status(&self) -> Result<Value, String>;
    /// `dset stats --json`.
    fn stats(&self) -> Result<Value, String>;
}

/// What every request needs.
struct Viewer {
    browser: Browser,
    reports: Box<dyn Reports>,
    guard: guard::Guard,
}

/// Where programs are answered.
const API: &str = "/api/v1";

type Shared = Arc<Viewer>;

/// A viewer that listens and does not answer yet.
#[derive(Debug)]
pub struct Listening {
    listener: tokio::net::TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
    /// Who has it may look.
    pub token: Token,
}

impl Listening {
    /// Listens on this port of the loopback interface, any free one where it is 0.
    pub async fn new(port: u16) -> std::io::Result<Listening> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok(Listening { listener, address, token: Token::random()? })
    }

    /// Returns the address that opens the viewer.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/?token={}", self.address, self.token.as_str())
    }

    /// Answers until `stop` is there.
    pub async fn serve(
        self,
        browser: Browser,
        reports: Box<dyn Reports>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let guard = guard::Guard::new(self.address, self.token);
        let viewer = Arc::new(Viewer { browser, reports, guard });
        let indexed = Arc::downgrade(&viewer);
        std::thread::Builder::new().name("dset-index".into()).spawn(move || index(&indexed))?;
        let app = routes(viewer);
        // Streams of events never end by themselves: nobody waits for them.
        tokio::select! {
            served = axum::serve(self.listener, app) => served,
            () = stop => Ok(()),
        }
    }
}

fn routes(viewer: Shared) -> Router {
    let api = Router::new()
        .route("/overview", get(api::overview))
        .route("/records", get(api::records))
        .route("/facets", get(api::facets))
        .route("/failure", get(api::next_failure))
        .route("/questions/{number}", get(api::question))
        .route("/answers/{id}/{text}", get(api::text))
        .route("/answers/{id}/review", post(api::review))
        .route("/attempts/{id}/reply", get(api::reply))
        .route("/distributions", get(api::distributions))
        .route("/compare", get(api::compare))
        .route("/records.jsonl", get(api::lines))
        .route("/status", get(api::status))
        .route("/stats", get(api::stats))
        .route("/events", get(events::events))
        .fallback(api::no_such);
    let guarded = axum::middleware::from_fn_with_state(Arc::clone(&viewer), guard::check);
    Router::new().nest(API, api).fallback(get(assets::asset)).layer(guarded).with_state(viewer)
}

/// How often the index looks for new answers.
const INDEX_EVERY: Duration = Duration::from_secs(2);
/// While a run goes on, the index works so much of the time at most: one part of this many.
const INDEX_SHARE: u32 = 12;

/// Keeps the index of words up to date, as long as somebody looks.
fn index(viewer: &std::sync::Weak<Viewer>) {
    while let Some(viewer) = viewer.upgrade() {
        let began = Instant::now();
        let more = viewer.browser.index_some();
        let took = began.elapsed();
        let is_running = matches!(running(&viewer.browser.settings().output), Running::Yes(_));
        drop(viewer);
        match more {
            Ok(true) if is_running => std::thread::sleep(took * (INDEX_SHARE - 1)),
            Ok(true) => {}
            // Where it cannot be written, a search reads all texts.
            Ok(false) | Err(_) => std::thread::sleep(INDEX_EVERY),
        }
    }
}
