//! Connections that are used again: an answer must never be taken for another question's.

use std::sync::mpsc;

use dset_core::answer::ParsedReply;
use tokio::io::AsyncWriteExt;

use crate::server::{LONG, Server, answer, ask, completion, endpoint, ok, request};

/// Answers each request with the question that stands in it.
fn echo(request: &[u8]) -> Vec<u8> {
    let body = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let body: serde_json::Value = serde_json::from_slice(&request[body..]).unwrap();
    ok(completion(body["messages"][0]["content"].as_str().unwrap()))
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::start(|mut stream, _| async move {
        loop {
            let request = request(&mut stream).await;
            if request.is_empty() || stream.write_all(&echo(&request)).await.is_err() {
                return;
            }
        }
    })
    .await;
    let endpoint = endpoint(&server.url(), LONG);
    for question in ["one", "two", "three"] {
        assert_eq!(answer(endpoint.ask(&ask(question), |_| ()).await).content, question);
    }
    assert_eq!(server.taken(), 1, "the tests below poison what is used again");
}

#[tokio::test]
async fn a_connection_that_is_kept_for_a_counted_time_only_is_not_used_again() {
    let server = Server::start(|mut stream, number| async move {
        let asked = request(&mut stream).await;
        // The first ask cannot know; the others say that they will not come again.
        let closes = String::from_utf8_lossy(&asked).contains("connection: close\r\n");
        assert_eq!(closes, number > 0);
        let reply = String::from_utf8(echo(&asked)).unwrap();
        let kept = reply.replacen("\r\n", "\r\nkeep-alive: timeout=5, max=100\r\n", 1);
        stream.write_all(kept.as_bytes()).await.unwrap();
        // It stays open here, and would be used again.
        request(&mut stream).await;
    })
    .await;
    let endpoint = endpoint(&server.url(), LONG);
    // However long nothing is lost.
    for number in 0..150 {
        let question = format!("question {number}");
        assert_eq!(answer(endpoint.ask(&ask(&question), |_| ()).await).content, question);
        assert_eq!(server.taken(), number + 1);
    }
}

#[tokio::test]
async fn connections_that_are_closed_behind_each_reply_without_a_word_are_not_used_again() {
    let server = Server::start(|mut stream, _| async move {
        let asked = request(&mut stream).await;
        stream.write_all(&echo(&asked)).await.unwrap();
        // Whatever comes next on it is lost.
        request(&mut stream).await;
    })
    .await;
    let endpoint = endpoint(&server.url(), LONG);
    let mut lost = 0;
    for number in 0..12 {
        let came = endpoint.ask(&ask(&format!("question {number}")), |_| ()).await;
        lost += u32::from(!matches!(came.reading, ParsedReply::Answer(_)));
    }
    assert_eq!(lost, 3);
}

/// Asks so many questions of a service that closes its first connections behind a reply, without a
/// word; returns how many were lost, and how many connections that took.
async fn asked_where_the_first_connections_close(closing: usize, asks: usize) -> (usize, usize) {
    let server = Server::start(move |mut stream, number| async move {
        loop {
            let asked = request(&mut stream).await;
            if asked.is_empty() || stream.write_all(&echo(&asked)).await.is_err() {
                return;
            }
            if number < closing {
                request(&mut stream).await;
                return;
            }
        }
    })
    .await;
    let endpoint = endpoint(&server.url(), LONG);
    let mut lost = 0;
    for number in 0..asks {
        let came = endpoint.ask(&ask(&format!("question {number}")), |_| ()).await;
        lost += usize::from(!matches!(came.reading, ParsedReply::Answer(_)));
    }
    (lost, server.taken())
}

#[tokio::test]
async fn connections_are_used_again_after_two_losses() {
    assert_eq!(asked_where_the_first_connections_close(2, 12).await, (2, 3));
}

#[tokio::test]
async fn connections_are_used_again_where_no_ask_was_lost_for_long() {
    // 64 replies beside the three losses, 64 without a loss, and ten on one connection.
    let (lost, taken) = asked_where_the_first_connections_close(3, 3 + 64 + 64 + 10).await;
    assert_eq!((lost, taken), (3, 64 + 64 + 1));
}

/// Runs against a service that writes each of its first replies twice: question B asked on that
/// connection must not get the answer of question A.
async fn answers_stay_with_their_questions() {
    for extra in [0, 1, 2, 3] {
        let server = Server::start(move |mut stream, _| async move {
            loop {
                let request = request(&mut stream).await;
                if request.is_empty() {
                    return;
                }
                let reply = echo(&request);
                let unsolicited = match extra {
                    0 => reply.clone(),
                    1 => reply[..reply.len() / 2].to_vec(),
                    2 => b"\r\n".to_vec(),
                    _ => ok(completion("a third answer")),
                };
                if stream.write_all(&[reply, unsolicited].concat()).await.is_err() {
                    return;
                }
            }
        })
        .await;
        let endpoint = endpoint(&server.url(), LONG);
        for question in ["A", "B", "C", "D"] {
            match endpoint.ask(&ask(question), |_| ()).await.reading {
                ParsedReply::Answer(answer) => {
                    assert_eq!(answer.content, question, "extra {extra}")
                }
                ParsedReply::Failure(failure) => panic!("{question}, {extra}: {failure:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_second_reply_behind_the_first_is_not_the_next_questions() {
    answers_stay_with_their_questions().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_reply_behind_the_first_is_not_the_next_questions_on_several_threads() {
    answers_stay_with_their_questions().await;
}

/// A thread that answers each request and, when it is told to, once more; then it waits, when it is
/// told to, until the client has hung up. Returns its URL, and where to tell it and hear it.
fn answering_twice(waits: bool) -> (String, mpsc::Sender<()>, mpsc::Receiver<()>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel::<()>();
    let (wrote, has_written) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            stream.set_nodelay(true).unwrap();
            let mut bytes = Vec::new();
            loop {
                let mut piece = [0; 4096];
                let read = stream.read(&mut piece).unwrap_or(0);
                bytes.extend_from_slice(&piece[..read]);
                if read == 0 {
                    break;
                }
                if !bytes.ends_with(b"}") {
                    continue;
                }
                let reply = echo(&bytes);
                bytes.clear();
                if stream.write_all(&reply).is_err() {
                    break;
                }
                if told.recv().is_err() {
                    return;
                }
                stream.write_all(&reply).unwrap();
                if waits {
                    // Reset or closed, it is gone.
                    let _ = stream.read(&mut piece);
                    wrote.send(()).unwrap();
                    break;
                }
                wrote.send(()).unwrap();
            }
        }
    });
    (url, tell, has_written)
}

#[tokio::test]
async fn a_reply_that_nobody_asked_for_is_not_the_next_questions() {
    // The one thread of the client is held still until the reply is in its socket: the client
    // cannot have seen it when the next question is asked.
    let (url, tell, has_written) = answering_twice(false);
    let endpoint = endpoint(&url, LONG);
    for question in ["A", "B", "C", "D"] {
        assert_eq!(answer(endpoint.ask(&ask(question), |_| ()).await).content, question);
        tell.send(()).unwrap();
        has_written.recv().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_with_a_reply_that_nobody_asked_for_is_closed() {
    let (url, tell, is_closed) = answering_twice(true);
    let endpoint = endpoint(&url, LONG);
    for question in ["A", "B", "C", "D"] {
        assert_eq!(answer(endpoint.ask(&ask(question), |_| ()).await).content, question);
        tell.send(()).unwrap();
        is_closed.recv_timeout(LONG).expect("the client hangs up by itself");
    }
}

#[tokio::test]
async fn an_ask_that_was_given_up_takes_its_connection_with_it() {
    // The first question of a connection is answered only when a second one comes.
    let server = Server::start(|mut stream, number| async move {
        let first = request(&mut stream).await;
        if number == 0 {
            request(&mut stream).await;
        }
        let _ = stream.write_all(&echo(&first)).await;
    })
    .await;
    let endpoint = endpoint(&server.url(), LONG);
    let (slow, other) = (ask("A"), ask("B"));
    let given_up = tokio::time::timeout(crate::server::SHORT, endpoint.ask(&slow, |_| ())).await;
    assert!(given_up.is_err(), "A is not answered");
    assert_eq!(answer(endpoint.ask(&other, |_| ()).await).content, "B");
    assert_eq!(server.taken(), 2);
}
