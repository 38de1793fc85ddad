//! A service, and a client that reads what comes over the wire.
#![allow(dead_code, unreachable_pub, reason = "each file of tests uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use dset_mock::{Mock, MockSettings, Stats};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A condition that takes longer will not come true.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running service.
pub struct Service {
    runtime: Runtime,
    pub mock: Mock,
}

impl Service {
    pub fn start(settings: MockSettings) -> Service {
        let runtime = Runtime::new().unwrap();
        let mock = runtime.block_on(Mock::start(settings)).unwrap();
        Service { runtime, mock }
    }

    pub fn addr(&self) -> SocketAddr {
        self.mock.addr()
    }

    pub fn stats(&self) -> Stats {
        self.mock.stats()
    }

    /// Waits until the audit says so.
    pub fn until(&self, what: impl Fn(&Stats) -> bool) {
        let began = Instant::now();
        while !what(&self.stats()) {
            assert!(began.elapsed() < PATIENCE, "it does not happen: {:?}", self.stats());
            std::thread::yield_now();
        }
    }

    pub fn ask(&self, question: &str) -> Reply {
        ask(self.addr(), question)
    }
}

/// What came over the wire.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The body is as long as its head says.
    pub is_whole: bool,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The data of every event of a stream.
    pub fn events(&self) -> Vec<&str> {
        self.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
    }
}

/// The body of a request for an answer.
pub fn question(text: &str) -> Value {
    json!({ "model": "deepseek-flash", "messages": [{ "role": "user", "content": text }] })
}

pub fn ask(addr: SocketAddr, text: &str) -> Reply {
    post(addr, "/v1/chat/completions", &[], &question(text)).unwrap()
}

pub fn post(
    addr: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> io::Result<Reply> {
    read(send(addr, "POST", path, headers, &body.to_string())?)
}

pub fn get(addr: SocketAddr, path: &str) -> Reply {
    read(send(addr, "GET", path, &[], "").unwrap()).unwrap()
}

/// Sends a request, and leaves the reply unread.
pub fn send(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes())?;
    Ok(stream)
}

/// Reads a reply until the connection ends.
pub fn read(mut stream: TcpStream) -> io::Result<Reply> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let (body, is_whole) = match header("content-length") {
        Some(length) => (body.to_owned(), body.len() == length.parse::<usize>().unwrap()),
        None => unchunk(body),
    };
    Ok(Reply { status, headers, body, is_whole })
}

fn unchunk(mut text: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((length, rest)) = text.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return (body, true);
        }
        let Some(chunk) = rest.get(..length) else { break };
        body += chunk;
        text = rest[length..].trim_start_matches("\r\n");
    }
    (body, false)
}
