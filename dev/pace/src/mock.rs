//! A service as a real process: `dset mock` with the flags that make it so, and what it counted.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::service::{Latency, Limit, Service};

/// How long the counters may take; the service answers at once.
const STATS_WAIT_MAX: Duration = Duration::from_secs(10);

/// A pretended service that runs; it is killed when this is dropped.
pub(crate) struct Mock {
    process: Child,
    /// The address it listens at, like `127.0.0.1:40123`.
    address: String,
    /// From when on its seconds count, to a few milliseconds.
    pub(crate) began: Instant,
}

impl Mock {
    pub(crate) fn start(dset: &Path, service: &Service) -> io::Result<Mock> {
        let flags = flags(service)?;
        let mut command = Command::new(dset);
        command.args(["mock", "--port", "0"]).args(flags).env_clear().stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let began = Instant::now();
        let out = process.stdout.take().expect("stdout is piped");
        // Held from here on, so that it is killed also where it says something else.
        let mut mock = Mock { process, address: String::new(), began };
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://");
        mock.address = address.ok_or_else(|| io::Error::other(format!("it says {line:?}")))?.into();
        Ok(mock)
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks what it has counted.
    pub(crate) fn stats(&self) -> io::Result<Value> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(STATS_WAIT_MAX))?;
        let address = &self.address;
        write!(stream, "GET /stats HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).map_err(|error| {
            let start: String = reply.chars().take(200).collect();
            io::Error::other(format!("{error} in {start:?}"))
        })
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the flags that make `dset mock` the service.
pub(crate) fn flags(service: &Service) -> io::Result<Vec<String>> {
    let mut flags = latency_flags(service.latency)?;
    for limit in &service.limits {
        flags.extend(limit_flags(*limit, service)?);
    }
    if service.says.names_limit {
        flags.push("--name-limit".into());
    }
    if service.says.retry_after {
        flags.extend(flag("retry-after", "auto"));
    }
    if service.says.headers {
        flags.push("--rate-headers".into());
    }
    if service.trouble.resets > 0.0 {
        flags.extend(flag("chance", format!("reset={}", service.trouble.resets)));
    }
    if service.trouble.refused > 0.0 {
        flags.extend(flag("chance", format!("429={}", service.trouble.refused)));
    }
    if let Some((from, to)) = service.trouble.dead_s {
        flags.extend(flag("during", format!("{from}..{to}=reset")));
    }
    Ok(flags)
}

fn flag(name: &str, value: impl ToString) -> [String; 2] {
    [format!("--{name}"), value.to_string()]
}

fn latency_flags(latency: Latency) -> io::Result<Vec<String>> {
    let ms = |seconds: f64| flag("latency-ms", format!("{:.0}", seconds * 1000.0));
    let (time, more) = match latency {
        Latency::Exact(seconds) => return Ok(ms(seconds).to_vec()),
        Latency::Uniform(least, most) => {
            (ms(least), flag("latency-to-ms", (most * 1000.0).round()))
        }
        Latency::LogNormal { median_s, sigma } => (ms(median_s), flag("latency-sigma", sigma)),
        Latency::Tokens { base_s, per_second } => (ms(base_s), flag("tokens-per-s", per_second)),
        Latency::Swelling { .. } => return Err(io::Error::other("no such latency")),
    };
    Ok([time, more].concat())
}

fn limit_flags(limit: Limit, service: &Service) -> io::Result<Vec<String>> {
    let tokens = service.tokens;
    Ok(match limit {
        Limit::AtOnce(schedule) => schedule
            .iter()
            .flat_map(|(from_s, limit)| match from_s {
                0.0 => flag("concurrency-max", limit),
                from_s => flag("concurrency-at", format!("{from_s}={limit}")),
            })
            .collect(),
        Limit::Overload(limit) => flag("overload-max", limit).to_vec(),
        Limit::Slots(slots) => flag("slots", slots).to_vec(),
        Limit::Requests { per_minute, burst_s } => {
            [flag("rpm", per_minute), flag("burst-s", burst_s)].concat()
        }
        Limit::Window { limit, seconds: 60.0 } => {
            [flag("rpm", limit), flag("window", "fixed")].concat()
        }
        Limit::Tokens { per_minute, burst_s } => [
            flag("tpm", per_minute),
            flag("burst-s", burst_s),
            flag("tokens-in", tokens.input),
            flag("tokens-median", tokens.output_median),
            flag("tokens-sigma", tokens.sigma),
        ]
        .concat(),
        Limit::Window { .. } | Limit::Knee(_) => return Err(io::Error::other("no such limit")),
    })
}
