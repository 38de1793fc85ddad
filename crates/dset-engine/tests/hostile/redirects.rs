//! A service that sends the client, and its key, elsewhere.

use dset_core::answer::{FailureClass, Refusal};

use crate::server::{LONG, Server, Then, asked, check, completion, failure, ok};

#[tokio::test]
async fn no_redirect_is_followed_so_the_key_goes_nowhere_else() {
    let elsewhere = Server::writing(ok(completion("stolen")), Then::Closes).await;
    for status in [300, 301, 302, 303, 307, 308] {
        for header in ["location", "refresh", "content-location"] {
            let url = match header {
                "refresh" => format!("0; url={}/", elsewhere.url()),
                _ => format!("{}/chat/completions", elsewhere.url()),
            };
            let reply =
                format!("HTTP/1.1 {status} Moved\r\n{header}: {url}\r\ncontent-length: 0\r\n\r\n");
            let server = Server::writing(reply, Then::Closes).await;
            let failure = failure(asked(&server, LONG).await);
            let name = format!("{status} with {header}");
            check(&name, &failure, FailureClass::Refused(Refusal::Settings), "redirect");
            let told = format!("{}/chat/completions: sends to {url}", server.url());
            assert_eq!(failure.message == told, header == "location", "{}", failure.message);
        }
    }
    assert_eq!(elsewhere.taken(), 0);
}
