//! What may go wrong, and when.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One way in which a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// This status, with the body that services send with it.
    Status(u16),
    /// The connection is reset without a reply.
    Reset,
    /// No reply, until the client leaves.
    Hang,
    /// The head and half of the body, then the connection ends.
    Cut,
    /// A 200 whose JSON is broken.
    Broken,
    /// A 200 with an answer of spaces.
    Empty,
    /// A 200 of blank lines that ends without an answer.
    Blank,
    /// Blank lines for a while, then the answer.
    Keepalive,
    /// An answer cut by the token limit.
    Length,
    /// An answer ended by the content filter.
    Filter,
    /// An answer broken off for want of resources.
    Insufficient,
    /// A gateway's HTML page.
    Html,
    /// A 429 that means that the money is gone.
    Quota,
    /// A 400 that means moderation.
    Risk,
    /// The answer, delayed by this many milliseconds.
    Delay(u64),
    /// The reply ends in the middle as if that were its end.
    Half,
    /// A stream without the mark of its end.
    NoDone,
    /// A stream that says in the middle that something went wrong; a 500 where there is no stream.
    StreamError,
    /// Half of the body, then nothing, until the client leaves.
    Stall,
    /// Comments of a stream, or blank lines, until the client leaves.
    Comments,
    /// An answer in a fenced block.
    Fenced,
    /// Words around an answer.
    Prose,
    /// Half of an answer that says that it is whole.
    CutJson,
    /// An answer with a value of another type than its schema's.
    WrongType,
    /// An answer with a member that its schema does not have.
    ExtraKeys,
    /// An answer with a member twice.
    DuplicateKeys,
    /// An answer as if the request had no schema.
    NoSchema,
    /// The model refuses to answer.
    Refusal,
    /// The answer again and again up to this many tokens; 0 stands for the call's own limit.
    Loop(u64),
}

const WORDS: [(&str, Fault); 28] = [
    ("reset", Fault::Reset),
    ("hang", Fault::Hang),
    ("cut", Fault::Cut),
    ("broken", Fault::Broken),
    ("empty", Fault::Empty),
    ("blank", Fault::Blank),
    ("keepalive", Fault::Keepalive),
    ("length", Fault::Length),
    ("filter", Fault::Filter),
    ("insufficient", Fault::Insufficient),
    ("html", Fault::Html),
    ("quota", Fault::Quota),
    ("risk", Fault::Risk),
    ("half", Fault::Half),
    ("no-done", Fault::NoDone),
    ("stream-error", Fault::StreamError),
    ("stall", Fault::Stall),
    ("comments", Fault::Comments),
    ("fenced", Fault::Fenced),
    ("prose", Fault::Prose),
    ("cut-json", Fault::CutJson),
    ("wrong-type", Fault::WrongType),
    ("extra-keys", Fault::ExtraKeys),
    ("duplicate-keys", Fault::DuplicateKeys),
    ("no-schema", Fault::NoSchema),
    ("refusal", Fault::Refusal),
    ("loop", Fault::Loop(0)),
    ("unauthorized", Fault::Status(401)),
];

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        if let Some((_, fault)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(*fault);
        }
        if let Some(ms) = text.strip_prefix("delay:") {
            return ms.parse().map(Fault::Delay).map_err(|_| format!("`{ms}` is no milliseconds"));
        }
        match text.parse() {
            Ok(status @ 300..=599) => Ok(Fault::Status(status)),
            _ => {
                let words = WORDS.map(|(word, _)| word).join(", ");
                Err(format!("`{text}` is no fault: a status from 300 to 599, delay:MS, {words}"))
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (WORDS.iter().find(|(_, fault)| fault == self), self) {
            (_, Fault::Status(status)) => write!(f, "{status}"),
            (_, Fault::Delay(ms)) => write!(f, "delay:{ms}"),
            (_, Fault::Loop(_)) => f.write_str("loop"),
            (Some((word, _)), _) => f.write_str(word),
            (None, _) => f.write_str("fault"),
        }
    }
}

/// A random fault, drawn anew for each call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomFault {
    /// The fault that a call gets.
    pub fault: Fault,
    /// Of how many calls, from 0 to 1.
    pub share: f64,
}

/// A fault of some questions.
#[derive(Debug, Clone, PartialEq)]
pub struct TextFault {
    /// What the questions contain.
    pub text: String,
    /// The fault that they get.
    pub fault: Fault,
    /// For the first calls of each question; absent for all of them.
    pub times: Option<u64>,
}

/// A fault of some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedFault {
    /// When it begins, since the start.
    pub from: Duration,
    /// When it ends, since the start.
    pub to: Duration,
    /// The fault of that time.
    pub fault: Fault,
}

impl FromStr for RandomFault {
    type Err = String;

    fn from_str(text: &str) -> Result<RandomFault, String> {
        let (fault, share) = text.split_once('=').ok_or("it must look like 429=0.05")?;
        match share.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => {
                Ok(RandomFault { fault: fault.parse()?, share })
            }
            _ => Err(format!("`{share}` is no number from 0 to 1")),
        }
    }
}

impl FromStr for TextFault {
    type Err = String;

    fn from_str(text: &str) -> Result<TextFault, String> {
        let (part, fault) = text.rsplit_once('=').ok_or("it must look like TEXT=FAULT")?;
        let (fault, times) = match fault.split_once('*') {
            Some((fault, times)) => {
                let times = times.parse().map_err(|_| format!("`{times}` is no number"))?;
                (fault, Some(times))
            }
            None => (fault, None),
        };
        Ok(TextFault { text: part.to_owned(), fault: fault.parse()?, times })
    }
}

impl FromStr for TimedFault {
    type Err = String;

    fn from_str(text: &str) -> Result<TimedFault, String> {
        let shape = || "it must look like 5..15=503".to_owned();
        let (window, fault) = text.split_once('=').ok_or_else(shape)?;
        let (from, to) = window.split_once("..").ok_or_else(shape)?;
        let seconds = |text: &str| {
            let seconds = text.parse().map_err(|_| shape())?;
            Duration::try_from_secs_f64(seconds).map_err(|_| shape())
        };
        Ok(TimedFault { from: seconds(from)?, to: seconds(to)?, fault: fault.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_written_as_it_is_read() {
        for text in ["429", "reset", "delay:250", "insufficient", "html", "503"] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for text in ["", "200", "delay:x", "fire"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn faults_are_placed_by_question_chance_and_time() {
        let on: TextFault = "a=b=503*2".parse().unwrap();
        assert_eq!(on, TextFault { text: "a=b".into(), fault: Fault::Status(503), times: Some(2) });
        let chance: RandomFault = "reset=0.5".parse().unwrap();
        assert_eq!(chance, RandomFault { fault: Fault::Reset, share: 0.5 });
        let during: TimedFault = "1.5..20=hang".parse().unwrap();
        assert_eq!((during.from.as_millis(), during.to.as_millis()), (1500, 20_000));
        assert!("429=2".parse::<RandomFault>().is_err());
        assert!("5-15=503".parse::<TimedFault>().is_err());
    }
}
