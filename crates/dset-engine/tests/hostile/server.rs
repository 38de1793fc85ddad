//! A service that writes whatever a test tells it to, byte by byte.
#![allow(dead_code, unreachable_pub, reason = "two test programs use a part each")]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use dset_core::answer::{Answer, Failure, FailureClass, ParsedReply};
use dset_core::item::question::{Key, Question, QuestionId};
use dset_core::key::RequestSettings;
use dset_core::provider::preset;
use dset_core::run::ask::{Ask, AskId};
use dset_engine::http::ask::{AskResult, Endpoint, EndpointSettings};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The key that every test sends, and that no test may find again.
pub const KEY: &str = "sk-Canary/0123456789+abcdef==";
/// Enough for anything that ends by itself, so that a test which needs it has failed.
pub const LONG: Duration = Duration::from_secs(30);
/// For what never ends by itself.
pub const SHORT: Duration = Duration::from_millis(300);

/// A server on a free port of this machine; it ends when this is dropped.
pub struct Server {
    pub addr: SocketAddr,
    /// Connections taken so far.
    pub connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// Gives every connection to `serve`, with its number from 0.
    pub async fn start<F, Serving>(serve: F) -> Server
    where
        F: Fn(TcpStream, usize) -> Serving + Send + 'static,
        Serving: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let taken = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                serving.spawn(serve(stream, taken.fetch_add(1, Ordering::SeqCst)));
            }
        });
        Server { addr, connections, task }
    }

    /// Reads a request, writes these bytes, and then does `then`.
    pub async fn writing(bytes: impl Into<Vec<u8>>, then: Then) -> Server {
        let bytes = bytes.into();
        Server::start(move |mut stream, _| {
            let bytes = bytes.clone();
            async move {
                request(&mut stream).await;
                // A client that has had enough hangs up.
                let _ = stream.write_all(&bytes).await;
                then.happens(stream).await;
            }
        })
        .await
    }

    /// Reads a request, writes `head`, and then `piece` again and again until the client hangs up
    /// or `most` bytes are written. The counter says how many were.
    pub async fn flooding(
        head: impl Into<Vec<u8>>,
        piece: Vec<u8>,
        most: u64,
    ) -> (Server, Arc<AtomicU64>) {
        let (head, written) = (head.into(), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&written);
        let server = Server::start(move |mut stream, _| {
            let (head, piece, count) = (head.clone(), piece.clone(), Arc::clone(&count));
            async move {
                request(&mut stream).await;
                let mut next = head;
                while count.load(Ordering::SeqCst) < most && stream.write_all(&next).await.is_ok() {
                    count.fetch_add(next.len() as u64, Ordering::SeqCst);
                    next.clone_from(&piece);
                }
            }
        })
        .await;
        (server, written)
    }

    /// Reads a request, writes `head`, and then a byte of `drops` every few milliseconds for ever.
    pub async fn dripping(head: impl Into<Vec<u8>>, drops: &'static [u8]) -> Server {
        let head = head.into();
        Server::start(move |mut stream, _| {
            let head = head.clone();
            async move {
                request(&mut stream).await;
                let mut clock = tokio::time::interval(Duration::from_millis(5));
                let mut open = stream.write_all(&head).await.is_ok();
                for drop in drops.iter().cycle() {
                    clock.tick().await;
                    open = open && stream.write_all(&[*drop]).await.is_ok();
                    if !open {
                        return;
                    }
                }
            }
        })
        .await
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn taken(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a server does once it has written.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    /// Closes, as after a whole reply.
    Closes,
    /// Waits until the client hangs up.
    Holds,
    /// Resets the connection.
    Resets,
}

impl Then {
    pub async fn happens(self, mut stream: TcpStream) {
        match self {
            Then::Closes => drop(stream),
            Then::Holds => {
                let _ = stream.read(&mut [0; 64]).await;
            }
            Then::Resets => stream.set_zero_linger().unwrap(),
        }
    }
}

/// Reads one request whole: head and body.
pub async fn request(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.unwrap_or(0);
        bytes.extend_from_slice(&piece[..read]);
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = head {
            let text = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = text.split("content-length: ").nth(1).unwrap_or("0");
            let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
            if bytes.len() >= end + 4 + length {
                return bytes;
            }
        }
        if read == 0 {
            return bytes;
        }
    }
}

/// A whole 200 with this body.
pub fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    with_head(&["content-type: application/json"], body)
}

/// A 200 with these headers and its length.
pub fn with_head(headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = b"HTTP/1.1 200 OK\r\n".to_vec();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// The body of a finished answer.
pub fn completion(answer: &str) -> String {
    let message = serde_json::json!({ "role": "assistant", "content": answer });
    let choice = serde_json::json!({ "index": 0, "message": message, "finish_reason": "stop" });
    serde_json::json!({ "id": "1", "model": "m", "choices": [choice] }).to_string()
}

/// What is spoken at this URL in these tests.
pub fn wire(url: &str, timeout: Duration) -> EndpointSettings {
    EndpointSettings {
        conveyed: None,
        preset: Arc::clone(preset("openai-compatible").unwrap()),
        base_url: url.parse().unwrap(),
        request: RequestSettings { model: "m".into(), ..RequestSettings::default() },
        stream: false,
        timeout,
        idle_timeout: timeout,
        stop_loops: false,
    }
}

/// An endpoint at this URL, with the key of these tests.
pub fn endpoint(url: &str, timeout: Duration) -> Endpoint {
    Endpoint::new(wire(url, timeout), Some(SecretString::from(KEY))).unwrap()
}

/// One attempt at a question.
pub fn ask(prompt: &str) -> Ask {
    let id = QuestionId { text_hash: QuestionId::hash_text(prompt), ordinal: 0 };
    let question = Question::new(0, 2, prompt.into(), Key([0; 16]), id);
    Ask { id: AskId(1), question: question.into(), attempt: 1, endpoint: 0, model: 0, sample: 0 }
}

/// Asks a server one thing; checks that the key is nowhere in what came.
pub async fn asked(server: &Server, timeout: Duration) -> AskResult {
    let came = endpoint(&server.url(), timeout).ask(&ask("Why?"), |_| ()).await;
    let shown = format!("{came:?}");
    assert!(!shown.contains(KEY), "the key came back: {shown:.2000}");
    came
}

#[track_caller]
pub fn failure(came: AskResult) -> Failure {
    match came.reading {
        ParsedReply::Failure(failure) => failure,
        ParsedReply::Answer(answer) => panic!("an answer came: {answer:?}"),
    }
}

#[track_caller]
pub fn answer(came: AskResult) -> Answer {
    match came.reading {
        ParsedReply::Answer(answer) => answer,
        ParsedReply::Failure(failure) => panic!("no answer came: {failure:?}"),
    }
}

/// Checks the class and the cause of a failure, and that people can read why.
#[track_caller]
pub fn check(name: &str, failure: &Failure, class: FailureClass, cause: &str) {
    assert_eq!(
        (failure.class, failure.cause.code()),
        (class, cause),
        "{name}: {}",
        failure.message
    );
    assert!(!failure.message.is_empty(), "{name}: it says why");
    let in_words = !failure.message.contains("::") && !failure.message.contains("Custom {");
    assert!(in_words, "{name}: {}", failure.message);
}
