//! A service that says the key aloud.

use crate::server::{KEY, LONG, Server, Then, answer, asked, completion, failure, ok};

/// The key as services write it: as it is, in JSON, in JSON with slashes escaped, in a URL.
fn forms() -> [String; 4] {
    let [upper, lower] =
        [["%2F", "%2B", "%3D"], ["%2f", "%2b", "%3d"]].map(|[slash, plus, equals]| {
            KEY.replace('/', slash).replace('+', plus).replace('=', equals)
        });
    [KEY.to_owned(), KEY.replace('/', "\\/"), upper, lower]
}

#[tokio::test]
async fn a_key_that_is_echoed_is_taken_out_of_everything_that_is_kept() {
    for form in forms() {
        for body in [
            format!(r#"{{"error":{{"message":"Incorrect API key provided: {form}."}}}}"#),
            format!("Incorrect API key provided: {form}."),
            format!("<html><title>No key {form}</title></html>"),
            // Across the place where a long message is cut.
            format!("{}{form}", "x".repeat(1_990)),
            form.clone(),
        ] {
            for status in [200, 400, 401, 402, 403, 429, 500, 503] {
                let length = body.len();
                let reply = format!(
                    "HTTP/1.1 {status} No\r\nx-request-id: {form}\r\nretry-after: {form}\r\n\
                     content-length: {length}\r\n\r\n{body}"
                );
                let server = Server::writing(reply, Then::Closes).await;
                let came = asked(&server, LONG).await;
                let kept = came.body.clone().unwrap_or_default();
                let shown = format!("{:?} {}", failure(came), String::from_utf8_lossy(&kept));
                let shown = shown.to_lowercase().replace("\\\\", "\\");
                for form in forms().map(|form| form.to_lowercase()) {
                    assert!(!shown.contains(&form), "{status} {body}: {shown}");
                }
                assert!(!shown.contains("canary"), "no part of it: {shown}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_full_of_keys_is_read_in_one_pass() {
    let body = format!(r#"{{"error":"{}"}}"#, KEY.repeat(8_000_000 / KEY.len()));
    let reply = format!("HTTP/1.1 500 No\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let server = Server::writing(reply, Then::Closes).await;
    // Moving the rest at every key would take hours, which the time for one ask does not end.
    let began = std::time::Instant::now();
    assert!(failure(asked(&server, LONG).await).message.contains("***"));
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_answer_with_a_key_in_it_loses_the_key_and_nothing_else() {
    let body = completion(&format!("The key is {KEY}, I think."));
    let server = Server::writing(ok(body), Then::Closes).await;
    assert_eq!(answer(asked(&server, LONG).await).content, "The key is ***, I think.");
}
