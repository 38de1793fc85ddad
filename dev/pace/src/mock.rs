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
    /// Like `127.0.0.1:40123`.
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
    let mut flags = Vec::new();
    let mut add = |name: &str, value: String| flags.extend([format!("--{name}"), value]);
    let ms = |seconds: f64| format!("{:.0}", seconds * 1000.0);
    match service.latency {
        Latency::Exact(seconds) => add("latency-ms", ms(seconds)),
        Latency::Uniform(least, most) => {
            add("latency-ms", ms(least));
            add("latency-to-ms", ms(most));
        }
        Latency::LogNormal { median_s, sigma } => {
            add("latency-ms", ms(median_s));
            add("latency-sigma", sigma.to_string());
        }
        Latency::Tokens { base_s, per_second } => {
            add("latency-ms", ms(base_s));
            add("tokens-per-s", per_second.to_string());
        }
        Latency::Swelling { .. } => return Err(io::Error::other("no such latency")),
    }
    let mut burst = |burst_s: f64| add("burst-s", burst_s.to_string());
    for limit in &service.limits {
        match limit {
            Limit::Requests { burst_s, .. } | Limit::Tokens { burst_s, .. } => burst(*burst_s),
            _ => {}
        }
    }
    for limit in &service.limits {
        match limit {
            Limit::AtOnce(schedule) => {
                for (from_s, limit) in *schedule {
                    match *from_s {
                        0.0 => add("concurrency-max", limit.to_string()),
                        from_s => add("concurrency-at", format!("{from_s}={limit}")),
                    }
                }
            }
            Limit::Overload(limit) => add("overload-max", limit.to_string()),
            Limit::Slots(slots) => add("slots", slots.to_string()),
            Limit::Requests { per_minute, .. } => add("rpm", per_minute.to_string()),
            Limit::Window { per_minute } => {
                add("rpm", per_minute.to_string());
                add("window", "fixed".into());
            }
            Limit::Tokens { per_minute, .. } => {
                add("tpm", per_minute.to_string());
                add("tokens-in", service.tokens.input.to_string());
                add("tokens-median", service.tokens.output_median.to_string());
                add("tokens-sigma", service.tokens.sigma.to_string());
            }
            Limit::Knee(_) => return Err(io::Error::other("no such limit")),
        }
    }
    if service.says.retry_after {
        add("retry-after", "auto".into());
    }
    if service.trouble.resets > 0.0 {
        add("chance", format!("reset={}", service.trouble.resets));
    }
    if let Some((from, to)) = service.trouble.dead_s {
        add("during", format!("{from}..{to}=reset"));
    }
    if service.says.names_limit {
        flags.push("--name-limit".into());
    }
    if service.says.headers {
        flags.push("--rate-headers".into());
    }
    Ok(flags)
}
