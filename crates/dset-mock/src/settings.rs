//! How the service is to behave.

use std::path::PathBuf;

use crate::bill::{Dollars, PeakPrices, TokenPrices};
use crate::dialect::{Dialect, Thought};
use crate::fault::{RandomFault, TextFault, TimedFault};
use crate::limit::{ConcurrencyAt, RetryAfter, Window};

/// How the service is to behave; everything left alone is a friendly, instant service.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct MockSettings {
    /// Port to listen on at 127.0.0.1; 0 takes a free one
    #[cfg_attr(feature = "clap", arg(long, default_value_t = 0, value_name = "PORT"))]
    pub port: u16,

    /// Service to be: deepseek, openai, azure, openrouter, anthropic, gemini, mistral, groq,
    /// together, fireworks, xai, moonshot, qwen, zai, cerebras, nvidia, vllm, sglang, llamacpp,
    /// ollama, lmstudio, litellm
    #[cfg_attr(feature = "clap", arg(long, default_value = "deepseek", value_name = "NAME"))]
    pub dialect: Dialect,

    /// Place of the reasoning, if not where the service puts it: reasoning_content, reasoning,
    /// reasoning_details, both, thinking_blocks, tags, closing-tag, chunks, nothing
    #[cfg_attr(feature = "clap", arg(long, value_name = "PLACE"))]
    pub reasoning_as: Option<Thought>,

    /// Time an answer takes, in milliseconds
    #[cfg_attr(feature = "clap", arg(long, default_value_t = 0, value_name = "MS"))]
    pub latency_ms: u64,

    /// Spread of that time: sigma of a log-normal with that median; 0 is always the same
    #[cfg_attr(feature = "clap", arg(long, default_value_t = 0.0, value_name = "SIGMA"))]
    pub latency_sigma: f64,

    /// Longest time of an answer, in milliseconds: every time from `--latency-ms` to this is as
    /// likely
    #[cfg_attr(feature = "clap", arg(long, value_name = "MS", conflicts_with = "latency_sigma"))]
    pub latency_to_ms: Option<u64>,

    /// Tokens of an answer with its reasoning; given by the size of its text where absent
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", conflicts_with_all = ["answer_bytes", "answers"]))]
    pub tokens_median: Option<u64>,

    /// Spread of those tokens: sigma of a log-normal with that median; 0 is always the same
    #[cfg_attr(feature = "clap", arg(long, default_value_t = 0.0, value_name = "SIGMA"))]
    pub tokens_sigma: f64,

    /// Tokens of a question; given by the size of its text where absent
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub tokens_in: Option<u64>,

    /// Tokens of an answer that are made in a second, on top of its time
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub tokens_per_s: Option<f64>,

    /// Characters of an answer and its reasoning together [default: 400]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub answer_bytes: Option<usize>,

    /// File with answers to give, in the format of output.json
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub answers: Option<PathBuf>,

    /// Answer so many questions wrongly, from 0 to 1, until that answer is shown to be wrong, and why
    #[cfg_attr(feature = "clap", arg(long, value_name = "P", value_parser = share))]
    pub wrong: Option<f64>,

    /// Fault by chance, as FAULT=P: 429=0.05
    #[cfg_attr(feature = "clap", arg(long, value_name = "FAULT=P"))]
    pub chance: Vec<RandomFault>,

    /// Fault for questions that contain a text, as TEXT=FAULT, or TEXT=FAULT*N for the first N times
    #[cfg_attr(feature = "clap", arg(long, value_name = "TEXT=FAULT"))]
    pub on: Vec<TextFault>,

    /// Fault in a window of seconds since the start, as FROM..TO=FAULT: 5..15=503
    #[cfg_attr(feature = "clap", arg(long, value_name = "FROM..TO=FAULT"))]
    pub during: Vec<TimedFault>,

    /// Wait that 429s ask for, in seconds; `auto` is whole seconds until there is room, where the
    /// limit is one that knows
    #[cfg_attr(feature = "clap", arg(long, value_name = "SECONDS|auto"))]
    pub retry_after: Option<RetryAfter>,

    /// Refuse more at once than this
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub concurrency_max: Option<usize>,

    /// From that second since the start on, refuse more at once than this
    #[cfg_attr(feature = "clap", arg(long, value_name = "SECONDS=N"))]
    pub concurrency_at: Vec<ConcurrencyAt>,

    /// Name the limit in the text of such a refusal, as DeepSeek does
    #[cfg_attr(feature = "clap", arg(long))]
    pub name_limit: bool,

    /// Reply 529 to more at once than this
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub overload_max: Option<usize>,

    /// Work on so many at once; the others wait in a queue
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub slots: Option<usize>,

    /// Refuse more in a minute than this
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..)))]
    pub rpm: Option<u64>,

    /// Refuse more tokens in a minute than this; output counts when an answer ends
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..)))]
    pub tpm: Option<u64>,

    /// Seconds' worth of a limit per minute that may be had at once [default: 60]
    #[cfg_attr(feature = "clap", arg(long, value_name = "SECONDS"))]
    pub burst_s: Option<f64>,

    /// How limits per minute are counted: a bucket that fills evenly, or fixed minutes since the
    /// start
    #[cfg_attr(feature = "clap", arg(long, default_value = "bucket", value_name = "bucket|fixed"))]
    pub window: Window,

    /// Tell what is left of limits per minute in the headers of every reply
    #[cfg_attr(feature = "clap", arg(long))]
    pub rate_headers: bool,

    /// Refuse every key but this
    #[cfg_attr(feature = "clap", arg(long, value_name = "TEXT"))]
    pub expect_key: Option<String>,

    /// Have money for so many answers
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub money: Option<u64>,

    /// Have so many dollars; when they are spent, every call gets a 402
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "DOLLARS", requires = "price", conflicts_with = "money")
    )]
    pub balance: Option<Dollars>,

    /// Bill tokens, as INPUT/CACHED/OUTPUT in dollars a million: 0.30/0.006/1.20
    #[cfg_attr(feature = "clap", arg(long, value_name = "PRICES"))]
    pub price: Option<TokenPrices>,

    /// Bill a multiple in a window of seconds since the start, as FROM..TO=N: 5..15=2
    #[cfg_attr(feature = "clap", arg(long, value_name = "FROM..TO=N", requires = "price"))]
    pub price_during: Vec<PeakPrices>,

    /// Find the beginnings of prompts in a cache: in units of 64 tokens, 20 prompts for each
    /// `user_id`, for five minutes
    #[cfg_attr(feature = "clap", arg(long))]
    pub prefix_cache: bool,

    /// Refuse models that the service does not have
    #[cfg_attr(feature = "clap", arg(long))]
    pub strict_model: bool,

    /// Keep what the first N calls asked, for `GET /requests`
    #[cfg_attr(feature = "clap", arg(long, default_value_t = 0, value_name = "N"))]
    pub keep_requests: usize,

    /// Seed of chances, latencies and texts
    #[cfg_attr(feature = "clap", arg(long, default_value_t = 1, value_name = "N"))]
    pub seed: u64,
}

#[cfg(feature = "clap")]
fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("`{text}` is no number from 0 to 1")),
    }
}
