//! Takes calls and answers them, or does what a fault says.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::audit::Stats;
use crate::dialect::{Errors, MESSAGES, Shape};
use crate::limit::Limits;
use crate::request::ChatRequest;
use crate::response::answer::Answers;
use crate::response::body::PretendBody;
use crate::response::error::ApiError;
use crate::server::account_routes::AccountRoute;
use crate::server::ask::json;
use crate::server::call_guard::SharedState;
use crate::server::faulty_stream::{FaultyStream, StreamControl};
use crate::settings::MockSettings;

/// The largest request that is read.
const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;

pub(crate) type Reply = io::Result<Response<PretendBody>>;

/// A running service; it ends when this is dropped.
#[derive(Debug)]
pub struct Mock {
    addr: SocketAddr,
    service: Arc<Service>,
    task: JoinHandle<()>,
}

impl Mock {
    /// Starts a service on the current runtime, with the answers of the file in its settings.
    pub async fn start(settings: MockSettings) -> io::Result<Mock> {
        let answers = settings.answers.as_deref().map(Answers::read).transpose()?;
        Mock::start_with(settings, answers.unwrap_or_default()).await
    }

    /// Starts a service on the current runtime that gives these answers.
    pub async fn start_with(settings: MockSettings, answers: Answers) -> io::Result<Mock> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).await?;
        let addr = listener.local_addr()?;
        let service = Arc::new(Service {
            random: Mutex::new(fastrand::Rng::with_seed(settings.seed)),
            answers,
            shared: Arc::new(SharedState::new(Limits::new(&settings))),
            slots: settings
                .slots
                .map(|slots| Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS)))),
            settings,
            requests: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&service)));
        Ok(Mock { addr, service, task })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the base URL for clients.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Returns what was asked and answered so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.service.stats(false)
    }

    /// Returns the bodies of the first calls, as many as the settings keep.
    #[must_use]
    pub fn requests(&self) -> Vec<Value> {
        self.service.requests()
    }

    /// Returns the same, with every question.
    #[must_use]
    pub fn stats_by_question(&self) -> Stats {
        self.service.stats(true)
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // The task owns every connection, and they end with it.
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, service: Arc<Service>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: some connection will end.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let wire = Arc::new(StreamControl::default());
        let line = FaultyStream { stream, wire: Arc::clone(&wire) };
        let service = Arc::clone(&service);
        connections.spawn(async move {
            let serve = hyper::service::service_fn(move |request| {
                let (service, wire) = (Arc::clone(&service), Arc::clone(&wire));
                async move { service.serve(request, &wire).await }
            });
            // A connection that ends badly is what this service is for.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(line), serve)
                .await;
        });
    }
}

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) settings: MockSettings,
    pub(crate) answers: Answers,
    pub(crate) shared: Arc<SharedState>,
    random: Mutex<fastrand::Rng>,
    pub(crate) slots: Option<Arc<Semaphore>>,
    requests: Mutex<Vec<Value>>,
}

/// What is asked for, by the end of the path: services have all kinds of prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Chat,
    Messages,
    Account(AccountRoute),
    Stats,
    Requests,
}

fn route(path: &str) -> Option<Route> {
    let path = path.trim_end_matches('/');
    let routes = [
        ("/chat/completions", Route::Chat),
        ("/messages", Route::Messages),
        ("/models", Route::Account(AccountRoute::Models)),
        ("/user/balance", Route::Account(AccountRoute::Balance)),
        ("/key", Route::Account(AccountRoute::Key)),
        ("/stats", Route::Stats),
        ("/requests", Route::Requests),
    ];
    routes.iter().find(|(end, _)| path.ends_with(end)).map(|(_, route)| *route)
}

impl Service {
    async fn serve(&self, request: Request<Incoming>, wire: &Arc<StreamControl>) -> Reply {
        let own = self.settings.dialect.0;
        match (request.method(), route(request.uri().path())) {
            (&Method::POST, Some(Route::Chat)) => self.answer_to(request, own, wire).await,
            (&Method::POST, Some(Route::Messages)) => {
                self.answer_to(request, &MESSAGES, wire).await
            }
            (&Method::GET, Some(Route::Account(free))) => {
                self.account_reply(free, request.uri().path(), request.headers()).await
            }
            (&Method::GET, Some(Route::Stats)) => {
                let by_question = request.uri().query().is_some_and(|q| q.contains("questions"));
                Ok(json(200, serde_json::to_vec(&self.stats(by_question))?))
            }
            (&Method::GET, Some(Route::Requests)) => {
                Ok(json(200, serde_json::to_vec(&self.requests())?))
            }
            (_, Some(_)) => Ok(refused(&ApiError::status(405, own), own)),
            (_, None) => Ok(refused(&ApiError::status(404, own), own)),
        }
    }

    fn stats(&self, by_question: bool) -> Stats {
        self.shared.audit.stats(self.shared.now(), by_question)
    }

    fn requests(&self) -> Vec<Value> {
        self.requests.lock().expect("no push panics").clone()
    }

    /// Keeps what a call asks, among the first ones.
    fn keep(&self, body: &[u8]) {
        if self.settings.keep_requests == 0 {
            return;
        }
        let mut requests = self.requests.lock().expect("no push panics");
        if requests.len() < self.settings.keep_requests {
            requests.extend(serde_json::from_slice::<Value>(body).ok());
        }
    }

    pub(crate) fn random(&self) -> std::sync::MutexGuard<'_, fastrand::Rng> {
        self.random.lock().expect("no draw panics")
    }

    async fn answer_to(
        &self,
        request: Request<Incoming>,
        shape: &'static Shape,
        wire: &Arc<StreamControl>,
    ) -> Reply {
        let (head, body) = request.into_parts();
        if !self.takes_key(&head.headers, shape) {
            return Ok(refused(&ApiError::status(401, shape), shape));
        }
        let body = http_body_util::Limited::new(body, REQUEST_BYTES_MAX);
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        self.keep(&body);
        match self.read(&head, &body, shape) {
            Ok((call, question)) => self.ask(&call, &question, shape, wire).await,
            Err(error) => Ok(refused(&error, shape)),
        }
    }

    /// Anthropic's wants a key, whichever; others want one where it must be a certain one.
    pub(crate) fn takes_key(&self, headers: &HeaderMap, shape: &Shape) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let given = [bearer, shape.key_header.and_then(text)];
        match &self.settings.expect_key {
            Some(expected) => given.contains(&Some(expected)),
            None => !shape.is_messages() || given.iter().any(Option::is_some),
        }
    }

    fn read(
        &self,
        head: &hyper::http::request::Parts,
        body: &[u8],
        shape: &Shape,
    ) -> Result<(ChatRequest, String), ApiError> {
        let mut call = ChatRequest::read(body, shape)?;
        if shape.is_messages() {
            let version = head.headers.get("anthropic-version");
            call.check_version(version.and_then(|version| version.to_str().ok()))?;
        }
        if shape.errors == Errors::Azure
            && let Some((_, deployment)) = head.uri.path().split_once("/deployments/")
        {
            if !head.uri.query().is_some_and(|query| query.contains("api-version=")) {
                let message = "Resource not found";
                return Err(ApiError { status: 404, ..ApiError::request(message) });
            }
            call.model = deployment.split('/').next().unwrap_or_default().to_owned();
        } else if self.settings.strict_model {
            check_model(&call.model, self.settings.dialect.0)?;
        }
        let question = call.question();
        let question =
            question.ok_or_else(|| ApiError::request("messages must hold a user message"))?;
        Ok((call, question))
    }
}

fn check_model(model: &str, shape: &Shape) -> Result<(), ApiError> {
    if shape.models.contains(&model) {
        return Ok(());
    }
    if shape.errors == Errors::DeepSeek {
        let names = shape.models.join(", ");
        return Err(ApiError::request(format!(
            "The supported API model names are {names}, but you passed {model}."
        )));
    }
    let message = format!("The model `{model}` does not exist or you do not have access to it.");
    Err(ApiError { status: 404, code: Some("model_not_found"), ..ApiError::request(message) })
}

/// Refuses what is no question, so that no call is counted.
fn refused(refused: &ApiError, shape: &Shape) -> Response<PretendBody> {
    json(refused.status, refused.body(shape, "req_pretend"))
}
