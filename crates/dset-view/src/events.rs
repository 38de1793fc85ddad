//! What is new, told to a page that stays open. A run does not know that it is watched: the store is
//! looked at, at most four times a second.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, unfold};
use serde_json::Value;

use crate::{Shared, api};

/// Between two looks while something changes.
const SOON: Duration = Duration::from_millis(250);
/// Between two looks while nothing does.
const LATER: Duration = Duration::from_secs(1);

/// Tells of the overview at once, and again whenever it has changed.
pub(crate) async fn events(
    State(viewer): State<Shared>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let viewer = Arc::downgrade(&viewer);
    let stream = unfold((Value::Null, Duration::ZERO), move |(mut told, mut wait)| {
        let viewer = viewer.clone();
        async move {
            loop {
                tokio::time::sleep(wait).await;
                let seen = api::overview_now(&viewer.upgrade()?).await.unwrap_or_default();
                wait = LATER;
                if !seen.is_null() && seen != told {
                    let event = Event::default().event("overview").data(seen.to_string());
                    told = seen;
                    return Some((Ok(event), (told, SOON)));
                }
            }
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
