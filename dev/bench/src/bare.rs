//! The client that everything is compared with: hyper-util's pool, one runtime, every reply parsed
//! as JSON and dropped.
//!
//! It keeps no answer, tries nothing again and knows no limit but its width: what is above it is
//! what dset costs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::world::question;

#[derive(Args)]
pub(crate) struct Bare {
    /// The service
    url: String,
    /// How many requests
    requests: u64,
    /// How many at once
    width: u64,
}

pub(crate) fn run(bare: &Bare) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(ask(bare))
}

async fn ask(bare: &Bare) -> io::Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    let url: hyper::Uri = format!("{}/chat/completions", bare.url).parse().map_err(other)?;
    for _ in 0..bare.width {
        let (client, next, url) = (client.clone(), Arc::clone(&next), url.clone());
        let requests = bare.requests;
        tasks.spawn(async move {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= requests {
                    return Ok(());
                }
                let body = serde_json::json!({
                    "model": "deepseek-chat",
                    "messages": [{ "role": "user", "content": question(at) }],
                });
                let request = Request::post(url.clone())
                    .header("content-type", "application/json")
                    .header("authorization", "Bearer none")
                    .body(Full::new(Bytes::from(body.to_string())))
                    .map_err(other)?;
                let reply = client.request(request).await.map_err(other)?;
                let body = reply.into_body().collect().await.map_err(other)?.to_bytes();
                let value: serde_json::Value = serde_json::from_slice(&body)?;
                if value["choices"][0]["message"]["content"].as_str().is_none_or(str::is_empty) {
                    return Err(io::Error::other("a reply had no content"));
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(other)??;
    }
    Ok(())
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}
