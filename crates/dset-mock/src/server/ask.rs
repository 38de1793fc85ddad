//! One question: whether it is let in, what goes wrong with it, and how long it takes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::dialect::{Errors, Shape, Waits};
use crate::fault::Fault;
use crate::limit::{Refusal, RemainingLimit, RemainingLimits, RetryAfter};
use crate::random::log_normal;
use crate::request::ChatRequest;
use crate::response::answer::{Answer, BYTES_PER_TOKEN, is_wrong, tokens_for, wrong};
use crate::response::body::PretendBody;
use crate::response::completion::Writer;
use crate::response::error::{ApiError, HTML};
use crate::response::plan::{bills, streamed, whole};
use crate::response::rate_headers::{add_rate_headers, add_wait_headers, go_duration};
use crate::server::call_guard::CallGuard;
use crate::server::faulty_stream::StreamControl;
use crate::server::service::{Reply, Service};
use crate::structured::{instance, spoiled};

/// No answer takes longer.
const LATENCY_MAX: Duration = Duration::from_secs(3600);

impl Service {
    pub(crate) async fn ask(
        &self,
        call: &ChatRequest,
        question: &str,
        shape: &'static Shape,
        wire: &Arc<StreamControl>,
    ) -> Reply {
        let mut work = CallGuard::begin(&self.shared, question, call.stream);
        let tokens_in = self.settings.tokens_in.unwrap_or_else(|| call.tokens_in());
        let (let_in, rooms) = if self.is_broke() {
            (None, RemainingLimits::default())
        } else {
            let (let_in, rooms) = work.admit(tokens_in);
            (Some(let_in), rooms)
        };
        let mut reply = match let_in {
            None => self.refused(&ApiError::status(402, shape), shape, &work),
            Some(Err(refusal)) => self.limited(refusal, call, shape, &work),
            Some(Ok(())) => {
                self.admitted(call, question, tokens_in, shape, &mut work, wire).await?
            }
        };
        if self.settings.rate_headers {
            add_rate_headers(reply.headers_mut(), &rooms, shape.rate_headers);
        }
        if reply.status() != StatusCode::OK {
            self.shared.audit.refused(self.shared.now(), reply.status().as_u16());
        }
        add_request_id(&mut reply, shape, &work);
        reply.body_mut().replies_to(work, wire);
        Ok(reply)
    }

    fn is_broke(&self) -> bool {
        self.settings.money.is_some_and(|money| self.shared.audit.billed() >= money)
    }

    fn refused(
        &self,
        refused: &ApiError,
        shape: &Shape,
        work: &CallGuard,
    ) -> Response<PretendBody> {
        json(refused.status, refused.body(shape, &request_id(work)))
    }

    /// Refuses for a limit of the service's own.
    fn limited(
        &self,
        refusal: Refusal,
        call: &ChatRequest,
        shape: &Shape,
        work: &CallGuard,
    ) -> Response<PretendBody> {
        if refusal == Refusal::Overloaded {
            self.shared.audit.fault(Fault::Status(529), false);
            return self.refused(&ApiError::status(529, shape), shape, work);
        }
        self.shared.audit.fault(Fault::Status(429), false);
        let mut refused = ApiError::status(429, shape);
        let room_in = match refusal {
            Refusal::Requests { wait, .. } | Refusal::Tokens { wait, .. } => Some(wait),
            _ => None,
        };
        match refusal {
            Refusal::Concurrency { at_once, most } if self.settings.name_limit => {
                refused.message = format!(
                    "Your current concurrency is {at_once}, which exceeds your concurrency limit \
                     of {most} based on your remaining balance. Please top up your balance to \
                     restore your concurrency."
                );
            }
            Refusal::Requests { room, wait } => {
                self.describe_limit(&mut refused, call, shape, 1, room, wait)
            }
            Refusal::Tokens { room, wait, wanted } => {
                self.describe_limit(&mut refused, call, shape, wanted, room, wait);
                if matches!(shape.errors, Errors::OpenAi | Errors::Azure) {
                    refused.kind = "tokens";
                }
            }
            _ => {}
        }
        self.with_wait(refused, room_in, shape, work)
    }

    /// Says in words what OpenAI says, where a 429 is to tell anything.
    fn describe_limit(
        &self,
        refused: &mut ApiError,
        call: &ChatRequest,
        shape: &Shape,
        wanted: u64,
        room: RemainingLimit,
        wait: Duration,
    ) {
        let tells = self.settings.retry_after == Some(RetryAfter::Auto);
        if !tells || !matches!(shape.errors, Errors::OpenAi | Errors::Azure) {
            return;
        }
        let what = if wanted == 1 { "requests per min (RPM)" } else { "tokens per min (TPM)" };
        refused.message = format!(
            "Rate limit reached for {} in organization org-pretend on {what}: Limit {}, Used {}, \
             Requested {wanted}. Please try again in {}. Visit \
             https://platform.openai.com/account/rate-limits to learn more.",
            call.model,
            room.limit,
            room.limit - room.remaining,
            go_duration(wait)
        );
    }

    /// Asks for a wait, where that is wanted; there may be room in `room_in`.
    fn with_wait(
        &self,
        mut refused: ApiError,
        room_in: Option<Duration>,
        shape: &Shape,
        work: &CallGuard,
    ) -> Response<PretendBody> {
        let wait = match (self.settings.retry_after, room_in) {
            (Some(RetryAfter::Seconds(seconds)), _) => Some(Duration::from_secs_f64(seconds)),
            (Some(RetryAfter::Auto), Some(wait)) => {
                Some(Duration::from_secs(wait.as_secs_f64().ceil() as u64))
            }
            _ => None,
        };
        if shape.waits == Waits::Body {
            refused.wait = wait;
        }
        let mut reply = self.refused(&refused, shape, work);
        if let Some(wait) = wait {
            add_wait_headers(reply.headers_mut(), wait, shape.waits);
            self.shared.audit.wait_requested(self.shared.now(), work.asked.question, wait);
        }
        reply
    }

    fn fault(&self, call: &ChatRequest, question: &str, work: &CallGuard) -> Option<Fault> {
        let fault = self.planned(question, work)?;
        self.shared.audit.fault(fault, bills(fault));
        Some(if fault == Fault::Loop(0) { Fault::Loop(call.tokens_max()) } else { fault })
    }

    fn planned(&self, question: &str, work: &CallGuard) -> Option<Fault> {
        let now = self.shared.now();
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

    async fn admitted(
        &self,
        call: &ChatRequest,
        question: &str,
        tokens_in: u64,
        shape: &'static Shape,
        work: &mut CallGuard,
        wire: &Arc<StreamControl>,
    ) -> Reply {
        let fault = self.fault(call, question, work);
        // Refusals come at once, from the gateway before the model.
        match fault {
            Some(Fault::Status(429)) => {
                return Ok(self.with_wait(ApiError::status(429, shape), None, shape, work));
            }
            Some(Fault::Status(status)) => {
                return Ok(self.refused(&ApiError::status(status, shape), shape, work));
            }
            Some(Fault::Quota) => return Ok(self.refused(&ApiError::quota(), shape, work)),
            Some(Fault::Risk) if !shape.is_messages() => {
                return Ok(self.refused(&ApiError::risk(shape), shape, work));
            }
            Some(Fault::Html) => {
                let mut reply = json(502, HTML.as_bytes().to_vec());
                reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
                return Ok(reply);
            }
            Some(Fault::Reset) => {
                wire.reset();
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Some(Fault::StreamError) if !call.stream => {
                return Ok(self.refused(&ApiError::status(500, shape), shape, work));
            }
            _ => {}
        }
        if let Some(slots) = &self.slots {
            let slot = Arc::clone(slots).acquire_owned().await;
            work.holds(slot.expect("nobody closes the queue"));
        }
        let answer = self.answer(call, question, shape, fault);
        let latency = self.latency(fault, &answer);
        self.shared.audit.begun(tokens_in, answer.tokens_out);
        // A timer takes a millisecond, even one for nothing.
        if !call.stream && !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if fault == Some(Fault::Hang) {
            std::future::pending::<()>().await;
        }
        // Anthropic's refusals are answers.
        let is_refusal = matches!(fault, Some(Fault::Risk | Fault::Refusal));
        let fault = if is_refusal && shape.is_messages() { Some(Fault::Filter) } else { fault };
        let own = self.settings.reasoning_as.or(call.thought()).unwrap_or(shape.thought);
        let writer = Writer {
            shape,
            thought: own,
            question: work.asked.question,
            model: &call.model,
            tokens_in,
            wants_usage: call.wants_usage(),
        };
        if !fault.is_some_and(bills) && !matches!(fault, Some(Fault::Blank | Fault::Comments)) {
            self.shared.audit.bill();
        }
        Ok(if call.stream {
            let mut reply = with_body(200, streamed(&writer, fault, &answer, latency));
            let headers = reply.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            reply
        } else {
            with_length(fault, whole(&writer, fault, answer))
        })
    }

    fn answer(
        &self,
        call: &ChatRequest,
        question: &str,
        shape: &Shape,
        fault: Option<Fault>,
    ) -> Answer {
        let thinks = call.thinks(shape);
        let (settings, seed) = (&self.settings, self.settings.seed);
        let Some(median) = settings.tokens_median else {
            let (reasoning, content) = self.answers.get(question, settings.answer_bytes, seed);
            let content = self.content(call, question, content, fault);
            let answer = Answer::new(thinks.then_some(reasoning), content);
            return if fault == Some(Fault::Refusal) { answer.refused() } else { answer };
        };
        let tokens = tokens_for(question, median, settings.tokens_sigma, seed);
        let bytes = tokens as usize * BYTES_PER_TOKEN;
        let (reasoning, content) = self.answers.get(question, Some(bytes), seed);
        let content = self.content(call, question, content, fault);
        Answer::new(thinks.then_some(reasoning), content).of_tokens(tokens)
    }

    /// Returns the content of an answer: right, or wrong for a question that is answered wrongly until
    /// the request shows that very answer, and what is wrong with it.
    fn content(
        &self,
        call: &ChatRequest,
        question: &str,
        plain: String,
        fault: Option<Fault>,
    ) -> String {
        let schema = call.schema().filter(|_| fault != Some(Fault::NoSchema));
        let right = match schema.filter(|_| !self.answers.has(question)) {
            Some(schema) => {
                let hash = xxh3_64_with_seed(question.trim().as_bytes(), self.settings.seed);
                instance(&schema, &mut fastrand::Rng::with_seed(hash)).to_string()
            }
            None => plain,
        };
        spoiled(fault, self.right_or_wrong(call, question, right))
    }

    fn right_or_wrong(&self, call: &ChatRequest, question: &str, right: String) -> String {
        let Some(share) = self.settings.wrong else { return right };
        if !is_wrong(question, share, self.settings.seed) {
            return right;
        }
        let wrong = wrong(&right);
        let mends = call.correction().is_some_and(|(shown, says)| {
            // What is wrong in an object has a place.
            let reason = if wrong.trim_start().starts_with('{') { "- at `/" } else { "- " };
            shown == wrong && says.lines().any(|line| line.starts_with(reason))
        });
        if mends { right } else { wrong }
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
}

/// Promises the whole length where half of it will come.
fn with_length(fault: Option<Fault>, body: PretendBody) -> Response<PretendBody> {
    let half = body.first_bytes();
    let mut reply = with_body(200, body);
    if matches!(fault, Some(Fault::Cut | Fault::Stall)) {
        reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(half * 2));
    }
    reply
}

fn request_id(work: &CallGuard) -> String {
    format!("req_{:016x}", work.asked.question)
}

fn add_request_id(reply: &mut Response<PretendBody>, shape: &Shape, work: &CallGuard) {
    if let Some(name) = shape.request_id_header
        && let Ok(id) = HeaderValue::from_str(&request_id(work))
    {
        reply.headers_mut().insert(HeaderName::from_static(name), id);
    }
}

pub(crate) fn json(status: u16, bytes: Vec<u8>) -> Response<PretendBody> {
    with_body(status, PretendBody::whole(bytes))
}

fn with_body(status: u16, body: PretendBody) -> Response<PretendBody> {
    let mut reply = Response::new(body);
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}
