//! Takes calls and answers them, or does what a fault says.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::answer::Answers;
use crate::audit::{Asked, Audit, Stats};
use crate::body::PretendBody;
use crate::fault::Fault;
use crate::reply;
use crate::settings::MockSettings;

/// The largest request that is read.
const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Blank lines before a reply that is kept alive.
const BLANK_LINES: u32 = 10;

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
            audit: Arc::default(),
            began: Instant::now(),
            minute: Mutex::new((Instant::now(), 0)),
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
        self.service.audit.stats(false)
    }

    /// Returns the same, with every question.
    #[must_use]
    pub fn stats_by_question(&self) -> Stats {
        self.service.audit.stats(true)
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

/// A connection that can be reset: closed so that the other side gets an error, not an end.
struct Line {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, to)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[derive(Debug)]
struct Service {
    settings: MockSettings,
    answers: Answers,
    audit: Arc<Audit>,
    random: Mutex<fastrand::Rng>,
    began: Instant,
    /// When the current minute began, and the calls in it.
    minute: Mutex<(Instant, u64)>,
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

/// Counts a call as on its way, however it ends.
struct OnItsWay(Arc<Audit>);

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.left();
    }
}

impl Service {
    async fn serve(&self, request: Request<hyper::body::Incoming>, reset: &AtomicBool) -> Reply {
        let path = request.uri().path().trim_end_matches('/');
        let path = path.strip_prefix("/v1").unwrap_or(path).to_owned();
        match (request.method(), path.as_str()) {
            (&Method::POST, "/chat/completions") => self.chat(request, reset).await,
            (&Method::GET, "/models") => Ok(json(200, reply::models())),
            (&Method::GET, "/user/balance") => {
                let billed = self.audit.stats(false).billed;
                let left = self.settings.money.map(|money| money.saturating_sub(billed));
                Ok(json(200, reply::balance(left)))
            }
            (&Method::GET, "/stats") => {
                let by_question = request.uri().query().is_some_and(|q| q.contains("questions"));
                let stats = serde_json::to_vec(&self.audit.stats(by_question))?;
                Ok(json(200, stats))
            }
            (_, "/chat/completions" | "/models" | "/user/balance" | "/stats") => {
                Ok(json(405, reply::error("Method Not Allowed", "invalid_request_error")))
            }
            _ => Ok(json(404, reply::error("Not Found", "invalid_request_error"))),
        }
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
        let question = message.content.trim();
        let asked = self.audit.asked(question);
        let _on_its_way = OnItsWay(Arc::clone(&self.audit));
        if let Some(refusal) = self.refuse(asked) {
            return Ok(refusal);
        }
        let fault = self.fault(question, asked);
        if let Some(fault) = fault {
            self.audit.fault(fault, bills(fault));
        }
        tokio::time::sleep(self.latency(fault)).await;
        self.reply(fault, asked, &call, question, reset).await
    }

    /// Refuses for a limit of the service's own.
    fn refuse(&self, asked: Asked) -> Option<Response<PretendBody>> {
        if self.settings.money.is_some_and(|money| self.audit.stats(false).billed >= money) {
            return Some(status(402));
        }
        let (at_once, most) = (self.audit.in_flight(), self.settings.concurrency_max);
        if let Some(most) = most.filter(|most| at_once > *most) {
            let message = format!(
                "Your current concurrency is {at_once}, which exceeds your concurrency limit of \
                 {most} based on your remaining balance."
            );
            self.audit.fault(Fault::Status(429), false);
            return Some(
                self.with_wait(json(429, reply::error(&message, "rate_limit_error")), asked),
            );
        }
        let rpm = self.settings.rpm?;
        let mut minute = self.minute.lock().expect("no call panics here");
        if minute.0.elapsed() >= Duration::from_secs(60) {
            *minute = (Instant::now(), 0);
        }
        minute.1 += 1;
        if minute.1 <= rpm {
            return None;
        }
        let wait = Duration::from_secs(60).saturating_sub(minute.0.elapsed());
        self.audit.fault(Fault::Status(429), false);
        self.audit.told_to_wait(asked.question, wait);
        let mut refusal = status(429);
        let headers = refusal.headers_mut();
        headers.insert(RETRY_AFTER, number(wait.as_secs() + 1));
        headers.insert(HeaderName::from_static("x-ratelimit-limit-requests"), number(rpm));
        headers.insert(HeaderName::from_static("x-ratelimit-remaining-requests"), number(0));
        Some(refusal)
    }

    fn with_wait(&self, mut reply: Response<PretendBody>, asked: Asked) -> Response<PretendBody> {
        if let Some(seconds) = self.settings.retry_after {
            reply.headers_mut().insert(RETRY_AFTER, number(seconds.ceil() as u64));
            self.audit.told_to_wait(asked.question, Duration::from_secs_f64(seconds));
        }
        reply
    }

    fn fault(&self, question: &str, asked: Asked) -> Option<Fault> {
        let now = self.began.elapsed();
        let during = self.settings.during.iter().find(|d| (d.from..d.to).contains(&now));
        if let Some(during) = during {
            return Some(during.fault);
        }
        let on = self.settings.on.iter().find(|on| {
            question.contains(&on.text) && on.times.is_none_or(|times| asked.times <= times)
        });
        if let Some(on) = on {
            return Some(on.fault);
        }
        if self.settings.chance.is_empty() {
            return None;
        }
        let mut drawn = self.random.lock().expect("no draw panics").f64();
        self.settings
            .chance
            .iter()
            .find(|chance| {
                drawn -= chance.share;
                drawn < 0.0
            })
            .map(|chance| chance.fault)
    }

    fn latency(&self, fault: Option<Fault>) -> Duration {
        let median = self.settings.latency_ms as f64;
        let ms = match fault {
            // Refusals come at once, from whoever stands before the model.
            Some(Fault::Status(_) | Fault::Reset | Fault::Quota | Fault::Risk | Fault::Html) => 0.0,
            Some(Fault::Delay(ms)) => median + ms as f64,
            _ if self.settings.latency_sigma > 0.0 => {
                let mut random = self.random.lock().expect("no draw panics");
                // Box and Muller.
                let (u, v) = (random.f64().max(f64::MIN_POSITIVE), random.f64());
                let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
                median * (self.settings.latency_sigma * normal).exp()
            }
            _ => median,
        };
        Duration::from_secs_f64((ms / 1000.0).min(3600.0))
    }

    async fn reply(
        &self,
        fault: Option<Fault>,
        asked: Asked,
        call: &Call,
        question: &str,
        reset: &AtomicBool,
    ) -> Reply {
        let sent: usize = call.messages.iter().map(|message| message.content.len()).sum();
        let answer = |finish: &str, share: f64| {
            let (size, seed) = (self.settings.answer_bytes, self.settings.seed);
            let (reasoning, content) = self.answers.get(question, size, seed);
            let end = (content.len() as f64 * share) as usize;
            let end = (0..=end).rev().find(|&at| content.is_char_boundary(at)).unwrap_or(0);
            let thinks = call.thinking.as_ref().is_none_or(|thinking| thinking.kind != "disabled");
            let reasoning = thinks.then_some(reasoning.as_str());
            reply::completion(asked.question, &call.model, sent, reasoning, &content[..end], finish)
        };
        let whole = |audit: &Arc<Audit>| {
            audit.billed();
            let bytes = Bytes::from(answer("stop", 1.0));
            let answers = Some((Arc::clone(audit), asked.question));
            PretendBody::Whole { bytes: Some(bytes), answers }
        };
        let Some(fault) = fault else { return Ok(with_body(200, whole(&self.audit))) };
        match fault {
            Fault::Delay(_) => Ok(with_body(200, whole(&self.audit))),
            Fault::Status(429) => Ok(self.with_wait(status(429), asked)),
            Fault::Status(code) => Ok(status(code)),
            Fault::Reset => {
                reset.store(true, Ordering::Relaxed);
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Fault::Hang => std::future::pending().await,
            Fault::Cut => {
                let bytes = answer("stop", 1.0);
                let length = bytes.len() as u64;
                let half = Bytes::from(bytes).slice(..length as usize / 2);
                let mut reply = with_body(200, PretendBody::Cut { bytes: Some(half) });
                reply.headers_mut().insert(CONTENT_LENGTH, number(length));
                Ok(reply)
            }
            Fault::Broken => {
                let mut bytes = answer("stop", 1.0);
                bytes.truncate(bytes.len() * 2 / 3);
                Ok(json(200, bytes))
            }
            Fault::Empty => {
                let bytes =
                    reply::completion(asked.question, &call.model, sent, None, "    ", "stop");
                Ok(json(200, bytes))
            }
            Fault::Blank => {
                let body = PretendBody::blank(
                    BLANK_LINES,
                    PretendBody::Whole { bytes: None, answers: None },
                );
                Ok(with_body(200, body))
            }
            Fault::Keepalive => {
                Ok(with_body(200, PretendBody::blank(BLANK_LINES, whole(&self.audit))))
            }
            Fault::Length => Ok(json(200, answer("length", 0.5))),
            Fault::Filter => Ok(json(200, answer("content_filter", 0.5))),
            Fault::Insufficient => Ok(json(200, answer("insufficient_system_resource", 0.5))),
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
