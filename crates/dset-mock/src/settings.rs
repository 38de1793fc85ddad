//! How the service is to behave.

use std::path::PathBuf;

use crate::fault::{Chance, During, On};

/// How the service is to behave; everything left alone is a friendly, instant service.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct MockSettings {
    /// Port to listen on at 127.0.0.1; 0 takes a free one
    #[cfg_attr(feature = "clap", arg(long, default_value_t = 0, value_name = "PORT"))]
    pub port: u16,

    /// Time an answer takes, in milliseconds
    #[cfg_attr(feature = "clap", arg(long, default_value_t = 0, value_name = "MS"))]
    pub latency_ms: u64,

    /// Spread of that time: sigma of a log-normal with that median; 0 is always the same
    #[cfg_attr(feature = "clap", arg(long, default_value_t = 0.0, value_name = "SIGMA"))]
    pub latency_sigma: f64,

    /// Characters of an answer and its reasoning together [default: 400]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub answer_bytes: Option<usize>,

    /// File with answers to give, in the format of output.json
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub answers: Option<PathBuf>,

    /// Fault by chance, as FAULT=P: 429=0.05
    #[cfg_attr(feature = "clap", arg(long, value_name = "FAULT=P"))]
    pub chance: Vec<Chance>,

    /// Fault for questions that contain a text, as TEXT=FAULT, or TEXT=FAULT*N for the first N times
    #[cfg_attr(feature = "clap", arg(long, value_name = "TEXT=FAULT"))]
    pub on: Vec<On>,

    /// Fault in a window of seconds since the start, as FROM..TO=FAULT: 5..15=503
    #[cfg_attr(feature = "clap", arg(long, value_name = "FROM..TO=FAULT"))]
    pub during: Vec<During>,

    /// Seconds that every 429 asks to wait
    #[cfg_attr(feature = "clap", arg(long, value_name = "SECONDS"))]
    pub retry_after: Option<f64>,

    /// Refuse more at once than this
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub concurrency_max: Option<usize>,

    /// Refuse more in a minute than this
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub rpm: Option<u64>,

    /// Refuse every key but this
    #[cfg_attr(feature = "clap", arg(long, value_name = "TEXT"))]
    pub expect_key: Option<String>,

    /// Have money for so many answers
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub money: Option<u64>,

    /// Refuse models that DeepSeek does not serve
    #[cfg_attr(feature = "clap", arg(long))]
    pub strict_model: bool,

    /// Seed of chances, latencies and texts
    #[cfg_attr(feature = "clap", arg(long, default_value_t = 1, value_name = "N"))]
    pub seed: u64,
}
