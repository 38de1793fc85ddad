//! Takes calls and answers them, or does what a fault says.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::answer::{Answer, Answers, BYTES_PER_TOKEN, tokens_for};
use crate::audit::Stats;
use crate::body::{End, PretendBody, Step};
use crate::draw::log_normal;
use crate::fault::Fault;
use crate::limit::{Limits, Refusal, RetryAfter, Rooms};
use crate::line::Line;
use crate::rate::tell_room;
use crate::reply;
use crate::settings::MockSettings;
use crate::work::{Books, Work};

/// The largest request that is read.
const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Blank lines before a reply that is kept alive.
const BLANK_LINES: usize = 10;
/// Between two of them.
const BLANK_EVERY: Duration = Duration::from_millis(20);
/// No answer takes longer.
const LATENCY_MAX: Duration = Duration::from_secs(3600);

type Reply = io::Result<Response<PretendBody>>;

/// A running service; it ends when this is dropped.
#[derive(Debug)]
pub struct Mock {
    addr: SocketAddr,
    service: Arc<Service>,
    task: JoinHandle<()>,
}

impl Mock {
    /// Starts a service on the current runtime.
    pub async fn start(settings: MockSettings) -> io::Result<Mock> {
        let answers = settings.answers.as_deref().map(Answers::read).transpose()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).await?;
        let addr = listener.local_addr()?;
        let service = Arc::new(Service {
            random: Mutex::new(fastrand::Rng::with_seed(settings.seed)),
            answers: answers.unwrap_or_default(),
            books: Arc::new(Books::new(Limits::new(&settings))),
            slots: settings.slots.map(|slots| Arc::new(Semaphore::new(slots))),
            settings,
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&service)));
        Ok(Mock { addr, service, task })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns what a client is told as base URL.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Returns what was asked and answered so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.service.stats(false)
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
        let reset = Arc::new(AtomicBool::new(false));
        let line = Line { stream, reset: Arc::clone(&reset) };
        let service = Arc::clone(&service);
        connections.spawn(async move {
            let serve = hyper::service::service_fn(move |request| {
                let (service, reset) = (Arc::clone(&service), Arc::clone(&reset));
                async move { service.serve(request, &reset).await }
            });
            // A connection that ends badly is what this service is for.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(line), serve)
                .await;
        });
    }
}

#[derive(Debug)]
struct Service {
    settings: MockSettings,
    answers: Answers,
    books: Arc<Books>,
    random: Mutex<fastrand::Rng>,
    slots: Option<Arc<Semaphore>>,
}

#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    thinking: Option<Thinking>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    role: String,
    #[serde(default)]
    content: String,
}

#[derive(Deserialize)]
struct Thinking {
    #[serde(rename = "type")]
    kind: String,
}

impl Service {
    async fn serve(&self, request: Request<hyper::body::Incoming>, reset: &AtomicBool) -> Reply {
        let path = request.uri().path().trim_end_matches('/');
        let path = path.strip_prefix("/v1").unwrap_or(path).to_owned();
        match (request.method(), path.as_str()) {
            (&Method::POST, "/chat/completions") => self.chat(request, reset).await,
            (&Method::GET, "/models") => Ok(json(200, reply::models())),
            (&Method::GET, "/user/balance") => {
                let billed = self.books.audit.billed();
                let left = self.settings.money.map(|money| money.saturating_sub(billed));
                Ok(json(200, reply::balance(left)))
            }
            (&Method::GET, "/stats") => {
                let by_question = request.uri().query().is_some_and(|q| q.contains("questions"));
                Ok(json(200, serde_json::to_vec(&self.stats(by_question))?))
            }
            (_, "/chat/completions" | "/models" | "/user/balance" | "/stats") => {
                Ok(json(405, reply::error("Method Not Allowed", "invalid_request_error")))
            }
            _ => Ok(json(404, reply::error("Not Found", "invalid_request_error"))),
        }
    }

    fn stats(&self, by_question: bool) -> Stats {
        self.books.audit.stats(self.books.now(), by_question)
    }

    async fn chat(&self, request: Request<hyper::body::Incoming>, reset: &AtomicBool) -> Reply {
        if let Some(expected) = &self.settings.expect_key {
            let given = request.headers().get("authorization").and_then(|key| key.to_str().ok());
            if given.and_then(|given| given.strip_prefix("Bearer ")) != Some(expected) {
                return Ok(status(401));
            }
        }
        let body = http_body_util::Limited::new(request.into_body(), REQUEST_BYTES_MAX);
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let refused = |message: &str| Ok(json(400, reply::error(message, "invalid_request_error")));
        let call: Call = match serde_json::from_slice(&body) {
            Ok(call) => call,
            Err(error) => {
                let message =
                    format!("Failed to deserialize the JSON body into the target type: {error}");
                return refused(&message);
            }
        };
        if call.stream {
            return refused("stream is not pretended");
        }
        if self.settings.strict_model && !reply::MODELS.contains(&call.model.as_str()) {
            return refused(&format!(
                "The supported API model names are {}, but you passed {}.",
                reply::MODELS.join(", "),
                call.model
            ));
        }
        let Some(message) = call.messages.iter().rfind(|message| message.role == "user") else {
            return refused("messages must hold a user message");
        };
        self.ask(&call, message.content.trim(), reset).await
    }

    async fn ask(&self, call: &Call, question: &str, reset: &AtomicBool) -> Reply {
        let mut work = Work::begin(&self.books, question, call.stream);
        let tokens_in = self.tokens_in(call);
        let (let_in, rooms) = if self.is_broke() {
            (None, Rooms::default())
        } else {
            let (let_in, rooms) = work.admit(tokens_in);
            (Some(let_in), rooms)
        };
        let mut reply = match let_in {
            None => status(402),
            Some(Err(refusal)) => self.refusal(refusal, &work),
            Some(Ok(())) => {
                let fault = self.fault(question, &work);
                if let Some(fault) = fault {
                    self.books.audit.fault(fault, bills(fault));
                }
                let answer = self.answer(call, question);
                self.take_time(fault, &answer, &mut work).await;
                self.reply(fault, answer, &work, call, tokens_in, reset).await?
            }
        };
        if self.settings.rate_headers {
            tell_room(reply.headers_mut(), &rooms);
        }
        if reply.status() != StatusCode::OK {
            self.books.audit.refused(self.books.now(), reply.status().as_u16());
        }
        reply.body_mut().replies_to(work);
        Ok(reply)
    }

    fn is_broke(&self) -> bool {
        self.settings.money.is_some_and(|money| self.books.audit.billed() >= money)
    }

    fn tokens_in(&self, call: &Call) -> u64 {
        let sent = || call.messages.iter().map(|message| message.content.len()).sum::<usize>();
        // What a chat template adds.
        self.settings.tokens_in.unwrap_or_else(|| sent().div_ceil(BYTES_PER_TOKEN) as u64 + 4)
    }

    /// Refuses for a limit of the service's own.
    fn refusal(&self, refusal: Refusal, work: &Work) -> Response<PretendBody> {
        if refusal == Refusal::Overloaded {
            self.books.audit.fault(Fault::Status(529), false);
            return status(529);
        }
        self.books.audit.fault(Fault::Status(429), false);
        let (refused, room_in) = match refusal {
            Refusal::Concurrency { at_once, most } if self.settings.name_limit => {
                let message = format!(
                    "Your current concurrency is {at_once}, which exceeds your concurrency limit \
                     of {most} based on your remaining balance. Please top up your balance to \
                     restore your concurrency."
                );
                (json(429, reply::error(&message, "rate_limit_error")), None)
            }
            Refusal::Requests { wait, .. } | Refusal::Tokens { wait, .. } => {
                (status(429), Some(wait))
            }
            _ => (status(429), None),
        };
        self.with_wait(refused, room_in, work)
    }

    /// Asks for a wait, where that is wanted; there may be room in `room_in`.
    fn with_wait(
        &self,
        mut reply: Response<PretendBody>,
        room_in: Option<Duration>,
        work: &Work,
    ) -> Response<PretendBody> {
        let wait = match (self.settings.retry_after, room_in) {
            (Some(RetryAfter::Seconds(seconds)), _) => Duration::from_secs_f64(seconds),
            (Some(RetryAfter::Auto), Some(wait)) => {
                Duration::from_secs(wait.as_secs_f64().ceil() as u64)
            }
            _ => return reply,
        };
        reply.headers_mut().insert(RETRY_AFTER, number(wait.as_secs_f64().ceil() as u64));
        self.books.audit.told_to_wait(self.books.now(), work.asked.question, wait);
        reply
    }

    fn fault(&self, question: &str, work: &Work) -> Option<Fault> {
        let now = self.books.now();
        let during = self.settings.during.iter().find(|d| (d.from..d.to).contains(&now));
        if let Some(during) = during {
            return Some(during.fault);
        }
        let on = self.settings.on.iter().find(|on| {
            question.contains(&on.text) && on.times.is_none_or(|times| work.asked.times <= times)
        });
        if let Some(on) = on {
            return Some(on.fault);
        }
        if self.settings.chance.is_empty() {
            return None;
        }
        let mut drawn = self.random().f64();
        self.settings
            .chance
            .iter()
            .find(|chance| {
                drawn -= chance.share;
                drawn < 0.0
            })
            .map(|chance| chance.fault)
    }

    fn random(&self) -> std::sync::MutexGuard<'_, fastrand::Rng> {
        self.random.lock().expect("no draw panics")
    }

    fn answer(&self, call: &Call, question: &str) -> Answer {
        let thinks = call.thinking.as_ref().is_none_or(|thinking| thinking.kind != "disabled");
        let (settings, seed) = (&self.settings, self.settings.seed);
        let Some(median) = settings.tokens_median else {
            let (reasoning, content) = self.answers.get(question, settings.answer_bytes, seed);
            return Answer::new(thinks.then_some(reasoning), content);
        };
        let tokens = tokens_for(question, median, settings.tokens_sigma, seed);
        let bytes = tokens as usize * BYTES_PER_TOKEN;
        let (reasoning, content) = self.answers.get(question, Some(bytes), seed);
        Answer::new(thinks.then_some(reasoning), content).of_tokens(tokens)
    }

    /// Waits for a place, and then as long as the answer takes.
    async fn take_time(&self, fault: Option<Fault>, answer: &Answer, work: &mut Work) {
        if matches!(
            fault,
            Some(Fault::Status(_) | Fault::Reset | Fault::Quota | Fault::Risk | Fault::Html)
        ) {
            // Refusals come at once, from whoever stands before the model.
            return;
        }
        if let Some(slots) = &self.slots {
            let slot = Arc::clone(slots).acquire_owned().await;
            work.holds(slot.expect("nobody closes the queue"));
        }
        let latency = self.latency(fault, answer);
        // A timer takes a millisecond, even one for nothing.
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }

    fn latency(&self, fault: Option<Fault>, answer: &Answer) -> Duration {
        let settings = &self.settings;
        let median = settings.latency_ms as f64;
        let mut ms = match settings.latency_to_ms {
            Some(to) => median + (to as f64 - median).max(0.0) * self.random().f64(),
            None if settings.latency_sigma > 0.0 => {
                log_normal(&mut self.random(), median, settings.latency_sigma)
            }
            None => median,
        };
        if let Some(Fault::Delay(more)) = fault {
            ms += more as f64;
        }
        if let Some(per_s) = settings.tokens_per_s {
            ms += answer.tokens_out as f64 * 1000.0 / per_s;
        }
        Duration::try_from_secs_f64(ms / 1000.0).map_or(LATENCY_MAX, |ms| ms.min(LATENCY_MAX))
    }

    async fn reply(
        &self,
        fault: Option<Fault>,
        answer: Answer,
        work: &Work,
        call: &Call,
        tokens_in: u64,
        reset: &AtomicBool,
    ) -> Reply {
        let asked = work.asked.question;
        let write = |answer: &Answer, finish: &str| {
            reply::completion(asked, &call.model, tokens_in, answer, finish)
        };
        let ended = |answer: &Answer, finish: &str| {
            let body = PretendBody::whole(write(answer, finish)).tokens(answer.tokens_out);
            Ok(with_body(200, body))
        };
        let whole = || {
            self.books.audit.bill();
            write(&answer, "stop")
        };
        let Some(fault) = fault else {
            let body = PretendBody::whole(whole()).tokens(answer.tokens_out);
            return Ok(with_body(200, body.ends(End::Answer)));
        };
        match fault {
            Fault::Delay(_) => {
                let body = PretendBody::whole(whole()).tokens(answer.tokens_out);
                Ok(with_body(200, body.ends(End::Answer)))
            }
            Fault::Status(429) => Ok(self.with_wait(status(429), None, work)),
            Fault::Status(code) => Ok(status(code)),
            Fault::Reset => {
                reset.store(true, Ordering::Relaxed);
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Fault::Hang => std::future::pending().await,
            Fault::Cut => {
                let bytes = write(&answer, "stop");
                let length = bytes.len() as u64;
                let half = Bytes::from(bytes).slice(..length as usize / 2);
                let body = PretendBody::whole(half).tokens(answer.tokens_out).ends(End::Cut);
                let mut reply = with_body(200, body);
                reply.headers_mut().insert(CONTENT_LENGTH, number(length));
                Ok(reply)
            }
            Fault::Broken => {
                let mut bytes = write(&answer, "stop");
                bytes.truncate(bytes.len() * 2 / 3);
                Ok(with_body(200, PretendBody::whole(bytes).tokens(answer.tokens_out)))
            }
            Fault::Empty => ended(&Answer::new(None, "    ".to_owned()), "stop"),
            Fault::Blank => Ok(with_body(200, PretendBody::steps(blank_lines(), End::Other))),
            Fault::Keepalive => {
                let last = Step { tokens: answer.tokens_out, ..Step::now(whole()) };
                let steps = blank_lines().chain([last]);
                Ok(with_body(200, PretendBody::steps(steps, End::Answer)))
            }
            Fault::Length => ended(&answer.half(), "length"),
            Fault::Filter => ended(&answer.half(), "content_filter"),
            Fault::Insufficient => ended(&answer.half(), "insufficient_system_resource"),
            Fault::Html => {
                let mut reply = json(502, reply::HTML.as_bytes().to_vec());
                reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
                Ok(reply)
            }
            Fault::Quota => Ok(json(429, reply::quota())),
            Fault::Risk => {
                Ok(json(400, reply::error("Content Exists Risk", "invalid_request_error")))
            }
        }
    }
}

fn blank_lines() -> impl Iterator<Item = Step> {
    let line = Step { after: BLANK_EVERY, ..Step::now("\n") };
    std::iter::repeat_n(line, BLANK_LINES)
}

/// Tells whether a service that fails in this way has made an answer first, and bills it.
fn bills(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::Cut
            | Fault::Broken
            | Fault::Empty
            | Fault::Length
            | Fault::Filter
            | Fault::Insufficient
    )
}

fn status(code: u16) -> Response<PretendBody> {
    let (message, kind) = reply::words_of(code);
    json(code, reply::error(message, kind))
}

fn json(status: u16, bytes: Vec<u8>) -> Response<PretendBody> {
    with_body(status, PretendBody::whole(bytes))
}

fn with_body(status: u16, body: PretendBody) -> Response<PretendBody> {
    let mut reply = Response::new(body);
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

fn number(value: u64) -> HeaderValue {
    HeaderValue::from(value)
}
