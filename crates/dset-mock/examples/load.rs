//! Asks a service as fast as it answers: `load ADDR SECONDS CONNECTIONS`.
//!
//! Each connection keeps one call in flight. Says how many answers came in a second. `load serve`
//! is a service to be asked, in a process of its own, so that each one's work can be told.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|argument| argument == "serve") {
        serve();
    }
    let [_, addr, seconds, connections] = arguments.as_slice() else {
        println!("load ADDR SECONDS CONNECTIONS");
        return;
    };
    let span = Duration::from_secs_f64(seconds.parse().expect("seconds are a number"));
    let connections: u64 = connections.parse().expect("connections are a number");
    let answered = AtomicU64::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for connection in 0..connections {
            let answered = &answered;
            scope.spawn(move || {
                let mut stream = TcpStream::connect(addr).expect("the service listens");
                let mut buffer = vec![0; 64 * 1024];
                for ask in 0.. {
                    if began.elapsed() > span {
                        return;
                    }
                    let body = format!(
                        r#"{{"model":"deepseek-flash","messages":[{{"role":"user","content":"{connection} {ask}"}}]}}"#
                    );
                    let head = "POST /chat/completions HTTP/1.1\r\nhost: load\r\ncontent-length: ";
                    let request = format!("{head}{}\r\n\r\n{body}", body.len());
                    stream.write_all(request.as_bytes()).expect("the service reads");
                    let read = stream.read(&mut buffer).expect("the service replies");
                    // A reply is one write, and ends with its JSON.
                    assert!(buffer[..read].ends_with(b"}"), "a reply came in parts");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let answered = answered.load(Ordering::Relaxed);
    println!("{:.0} answers/s", answered as f64 / began.elapsed().as_secs_f64());
}

fn serve() -> ! {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let mock = runtime.block_on(dset_mock::Mock::start(dset_mock::MockSettings::default()));
    let mock = mock.expect("a free port is found");
    println!("listening on {}", mock.addr());
    loop {
        std::thread::park();
    }
}
