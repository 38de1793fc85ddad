//! What a service tells for free: its models, and the money that is left.

use std::io;
use std::time::Duration;

use hyper::header::{HeaderValue, LOCATION};
use hyper::{HeaderMap, Response};

use crate::bill::Dollars;
use crate::dialect::{MESSAGES, Shape};
use crate::fault::Fault;
use crate::response::body::PretendBody;
use crate::response::completion;
use crate::response::error::{ApiError, HTML};
use crate::server::ask::json;
use crate::server::service::{Reply, Service};

/// Services that list their models without a key.
const OPEN: [&str; 2] = ["openrouter", "nvidia"];

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountRoute {
    Models,
    Balance,
    /// OpenRouter's account of a key.
    Key,
}

impl Service {
    /// Replies to a call about the account, if its key is right. A fault for questions that contain
    /// a path, like `/models`, is one of that path as well, as far as it is one of a whole reply.
    pub(crate) async fn account_reply(
        &self,
        free: AccountRoute,
        path: &str,
        headers: &HeaderMap,
    ) -> Reply {
        let on = self.settings.on.iter();
        let mut on = on.filter(|on| on.text.starts_with('/') && path.ends_with(&on.text));
        // Both are at the same path; this is how a client of Anthropic's is known.
        let is_messages = headers.contains_key("anthropic-version");
        let shape = if is_messages { &MESSAGES } else { self.settings.dialect.0 };
        match on.next().map(|on| on.fault) {
            Some(Fault::Status(status)) => return Ok(refused(status, shape)),
            Some(Fault::Html) => return Ok(json(502, HTML.as_bytes().to_vec())),
            Some(Fault::Broken) => return Ok(json(200, b"{\"data\":[{\"id\":".to_vec())),
            Some(Fault::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Delay(ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
            _ => {}
        }
        let is_open = free == AccountRoute::Models && OPEN.contains(&shape.name);
        if !is_open && self.settings.expect_key.is_some() && !self.takes_key(headers, shape) {
            return Ok(refused(401, shape));
        }
        let billed = self.shared.audit.billed();
        let unit = 1_000_000_000_000;
        let cost = self.shared.audit.cost().0;
        let left = match (self.settings.balance, self.settings.money) {
            (Some(balance), _) => Some(Dollars(balance.0.saturating_sub(cost))),
            (None, money) => money.map(|money| Dollars(money.saturating_sub(billed) * unit)),
        };
        Ok(json(
            200,
            match free {
                AccountRoute::Models if is_messages => completion::message_models(),
                AccountRoute::Models => completion::models(shape),
                AccountRoute::Balance => completion::balance(left),
                AccountRoute::Key => completion::key(left),
            },
        ))
    }
}

fn refused(status: u16, shape: &Shape) -> Response<PretendBody> {
    let mut reply = json(status, ApiError::status(status, shape).body(shape, "req_pretend"));
    if (300..400).contains(&status) {
        reply.headers_mut().insert(LOCATION, HeaderValue::from_static("http://127.0.0.1:9/"));
    }
    reply
}
