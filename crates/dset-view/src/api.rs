//! The answers for programs, which are those of the page too. Every answer is one snapshot of the
//! store; a file of lines has the records that there were when it was begun.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use dset_engine::os::lock::{Running, running};
use dset_engine::store::ReviewChange;
use dset_engine::view::browse::BrowseError;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::address::{Query, QueryError};
use crate::{Shared, Viewer};

/// Characters of a note, at most.
const NOTE_CHARS_MAX: usize = 20_000;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct ApiError(StatusCode, String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        json_response(self.0, &json!({ "error": self.1 }))
    }
}

impl From<BrowseError> for ApiError {
    fn from(error: BrowseError) -> ApiError {
        let status = match &error {
            BrowseError::Filter(_) => StatusCode::BAD_REQUEST,
            BrowseError::NoSuch => StatusCode::NOT_FOUND,
            BrowseError::Job(_) | BrowseError::Gone => StatusCode::INTERNAL_SERVER_ERROR,
        };
        ApiError(status, error.to_string())
    }
}

/// Refuses a request in the form in which everything here is answered.
pub(crate) fn forbidden(words: &str) -> Response {
    ApiError(StatusCode::FORBIDDEN, words.to_owned()).into_response()
}

fn json_response(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_string(value).unwrap_or_else(|error| error.to_string());
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

type Answer = Result<Response, ApiError>;

/// What a path names, or why it names nothing.
type Named<T> = Result<Path<T>, PathRejection>;

impl From<PathRejection> for ApiError {
    fn from(error: PathRejection) -> ApiError {
        ApiError(error.status(), error.body_text())
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> ApiError {
        ApiError(StatusCode::BAD_REQUEST, error.to_string())
    }
}

/// Works something out where it may take its time.
async fn look<T: Send + 'static>(
    viewer: Shared,
    look: impl FnOnce(&Viewer) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let looked = tokio::task::spawn_blocking(move || look(&viewer)).await;
    looked
        .unwrap_or_else(|error| Err(ApiError(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())))
}

async fn json_of<T: Serialize + Send + 'static>(
    viewer: Shared,
    look_at: impl FnOnce(&Viewer) -> Result<T, ApiError> + Send + 'static,
) -> Answer {
    Ok(json_response(StatusCode::OK, &look(viewer, look_at).await?))
}

pub(crate) async fn overview(State(viewer): State<Shared>) -> Answer {
    json_of(viewer, overview_of).await
}

/// What is said of the run, and again whenever it changes.
pub(crate) fn overview_of(viewer: &Viewer) -> Result<Value, ApiError> {
    let settings = viewer.browser.settings();
    let mut overview = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "input": settings.input,
        "output": settings.output,
        "running": matches!(running(&settings.output), Running::Yes(_)),
    });
    let seen = json!(viewer.browser.overview()?);
    if let (Some(object), Value::Object(seen)) = (overview.as_object_mut(), seen) {
        object.extend(seen);
    }
    Ok(overview)
}

pub(crate) async fn records(State(viewer): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::read(&query.unwrap_or_default())?;
    json_of(viewer, move |viewer| {
        Ok(viewer.browser.list(&query.filter, query.offset, query.limit)?)
    })
    .await
}

pub(crate) async fn facets(State(viewer): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::read(&query.unwrap_or_default())?;
    json_of(viewer, move |viewer| Ok(json!({ "facets": viewer.browser.facets(&query.filter)? })))
        .await
}

pub(crate) async fn next_failure(
    State(viewer): State<Shared>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Query::read(&query.unwrap_or_default())?;
    json_of(viewer, move |viewer| {
        Ok(json!({ "place": viewer.browser.next_failure(&query.filter, query.offset)? }))
    })
    .await
}

pub(crate) async fn question(
    State(viewer): State<Shared>,
    number: Named<u64>,
    RawQuery(query): RawQuery,
) -> Answer {
    let Path(number) = number?;
    let query = Query::read(&query.unwrap_or_default())?;
    json_of(viewer, move |viewer| Ok(viewer.browser.detail(number, &query.filter)?)).await
}

pub(crate) async fn distributions(
    State(viewer): State<Shared>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Query::read(&query.unwrap_or_default())?;
    json_of(viewer, move |viewer| Ok(viewer.browser.distributions(&query.filter)?)).await
}

pub(crate) async fn compare(State(viewer): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let said = query.unwrap_or_default();
    let query = Query::read(&said)?;
    let of = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(said.as_bytes());
        pairs.find(|(said, _)| said == name).map(|(_, value)| value.into_owned())
    };
    let (a, b) = (of("a").unwrap_or_default(), of("b").unwrap_or_default());
    let only_different = of("only").as_deref() == Some("different");
    json_of(viewer, move |viewer| {
        let part = (query.offset, query.limit);
        Ok(viewer.browser.compare([&a, &b], &query.filter, only_different, part)?)
    })
    .await
}

/// The records that a filter lets through, as a file that is written while it is read.
pub(crate) async fn lines(State(viewer): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::read(&query.unwrap_or_default())?;
    // What is wrong with the filter is said before the file begins.
    let all = look(Arc::clone(&viewer), move |viewer| Ok(viewer.browser.lines(&query.filter)?));
    let stream = futures_util::stream::unfold(Some(all.await?), move |rest| {
        let viewer = Arc::clone(&viewer);
        async move {
            let mut rest = rest?;
            let next = move |viewer: &Viewer| {
                let lines = viewer.browser.next_lines(&mut rest)?;
                Ok(lines.map(|lines| (lines, rest)))
            };
            match look(viewer, next).await {
                Ok(next) => next.map(|(lines, rest)| (Ok(lines), Some(rest))),
                Err(ApiError(_, words)) => Some((Err(std::io::Error::other(words)), None)),
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"records.jsonl\""),
    ];
    Ok((headers, axum::body::Body::from_stream(stream)).into_response())
}

/// A foreign text as a file: never shown as anything that runs.
fn text_response(text: impl Into<axum::body::Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment"),
    ];
    (headers, text.into()).into_response()
}

pub(crate) async fn text(State(viewer): State<Shared>, named: Named<(i64, String)>) -> Answer {
    let Path((id, text)) = named?;
    let (answer, reasoning) = look(viewer, move |viewer| Ok(viewer.browser.texts(id)?)).await?;
    match &*text {
        "answer.txt" => Ok(text_response(answer)),
        "reasoning.txt" => Ok(text_response(reasoning)),
        _ => Err(no_such().await),
    }
}

pub(crate) async fn reply(State(viewer): State<Shared>, id: Named<i64>) -> Answer {
    let Path(id) = id?;
    let reply = look(viewer, move |viewer| Ok(viewer.browser.reply(id)?)).await?;
    Ok(text_response(reply))
}

/// What a review says anew; what it does not speak of stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default, deserialize_with = "said")]
    rating: Option<Option<u8>>,
    #[serde(default)]
    note: Option<String>,
}

/// A rating that is taken back is null, and one that is not spoken of absent.
fn said<'de, D: Deserializer<'de>>(said: D) -> Result<Option<Option<u8>>, D::Error> {
    Option::deserialize(said).map(Some)
}

pub(crate) async fn review(State(viewer): State<Shared>, id: Named<i64>, body: Bytes) -> Answer {
    let Path(id) = id?;
    let bad = |words: &str| ApiError(StatusCode::BAD_REQUEST, words.to_owned());
    let change: Change = serde_json::from_slice(&body).map_err(|error| bad(&error.to_string()))?;
    if change.rating.is_none() && change.note.is_none() {
        return Err(bad("a review has a `rating`, a `note` or both"));
    }
    if change.rating.flatten().is_some_and(|rating| !(1..=5).contains(&rating)) {
        return Err(bad("a rating is from 1 to 5"));
    }
    if change.note.as_ref().is_some_and(|note| note.chars().count() > NOTE_CHARS_MAX) {
        return Err(bad("a note has 20,000 characters at most"));
    }
    let change = ReviewChange { rating: change.rating, note: change.note };
    json_of(viewer, move |viewer| Ok(viewer.browser.review(id, change)?)).await
}

fn failed(words: String) -> ApiError {
    ApiError(StatusCode::INTERNAL_SERVER_ERROR, words)
}

pub(crate) async fn status(State(viewer): State<Shared>) -> Answer {
    json_of(viewer, |viewer| viewer.reports.status().map_err(failed)).await
}

pub(crate) async fn stats(State(viewer): State<Shared>) -> Answer {
    json_of(viewer, |viewer| viewer.reports.stats().map_err(failed)).await
}

pub(crate) async fn no_such() -> ApiError {
    ApiError(StatusCode::NOT_FOUND, "there is no such thing here".to_owned())
}

/// Returns the overview without holding up what waits beside it.
pub(crate) async fn overview_now(viewer: &Shared) -> Option<Value> {
    look(Arc::clone(viewer), overview_of).await.ok()
}
