//! The body that is given for a call that was let in, as it should be or as a fault says.

use std::time::Duration;

use bytes::Bytes;

use crate::fault::Fault;
use crate::response::answer::Answer;
use crate::response::body::{End, PretendBody, Step};
use crate::response::completion::Writer;
use crate::response::events::Events;

/// Blank lines or comments before a reply that is kept alive.
const BLANK_LINES: usize = 10;
/// An answer that is none.
const BLANKS: &str = "    ";
/// Between two of them.
const BLANK_EVERY: Duration = Duration::from_millis(20);

/// Counts the tokens of output that the service makes and charges for.
pub(crate) fn tokens_made(fault: Option<Fault>, answer: &Answer) -> u64 {
    match fault {
        Some(Fault::Loop(most)) => most,
        Some(Fault::Length | Fault::Filter | Fault::Insufficient) => {
            answer.clone().half().tokens_out
        }
        Some(Fault::Empty) => Answer::new(None, BLANKS.to_owned()).tokens_out,
        _ => answer.tokens_out,
    }
}

/// Gives an answer in one piece.
pub(crate) fn whole(writer: &Writer<'_>, fault: Option<Fault>, answer: Answer) -> PretendBody {
    let ended = |answer: &Answer, finish: &str| {
        PretendBody::whole(writer.whole(answer, finish)).tokens(answer.tokens_out)
    };
    let part = |divisor: usize, end: End| {
        let mut bytes = writer.whole(&answer, "stop");
        bytes.truncate(bytes.len() / divisor);
        PretendBody::whole(bytes).tokens(answer.tokens_out).ends(end)
    };
    match fault {
        Some(Fault::Cut) => part(2, End::Cut),
        Some(Fault::Half | Fault::Broken) => part(2, End::Other),
        Some(Fault::Stall) => part(2, End::Stall),
        Some(Fault::Empty) => ended(&Answer::new(None, BLANKS.to_owned()), "stop"),
        Some(Fault::Blank) => PretendBody::steps(comments("\n").take(BLANK_LINES), End::Other),
        Some(Fault::Comments) => PretendBody::steps(comments("\n"), End::Other),
        Some(Fault::Keepalive) => {
            let bytes = writer.whole(&answer, "stop");
            let last = Step { tokens: answer.tokens_out, ..Step::now(bytes) };
            let steps = comments("\n").take(BLANK_LINES).chain([last]);
            PretendBody::steps(steps, End::Answer)
        }
        Some(Fault::Loop(most)) => ended(&repeated(&answer, most), "length"),
        Some(Fault::Length) => ended(&answer.half(), "length"),
        Some(Fault::Filter) => ended(&answer.half(), "content_filter"),
        Some(Fault::Insufficient) => ended(&answer.half(), "insufficient_system_resource"),
        _ => ended(&answer, "stop").ends(End::Answer),
    }
}

/// Gives an answer piece by piece, spread over `latency`.
pub(crate) fn streamed(
    writer: &Writer<'_>,
    fault: Option<Fault>,
    answer: &Answer,
    latency: Duration,
) -> PretendBody {
    let comment = writer.shape.comment;
    match fault {
        Some(Fault::Blank) => PretendBody::steps(comments(comment).take(BLANK_LINES), End::Other),
        Some(Fault::Comments) => PretendBody::steps(comments(comment), End::Other),
        Some(Fault::Loop(most)) => {
            // The same pieces again and again, and the end of an answer cut at the limit.
            let mut events = writer.stream(answer, "length");
            let end = writer.stream(&Answer::new(None, String::new()).of_tokens(most), "length");
            (events.finish, events.mark) = (end.finish, end.mark);
            looping(events, most, latency)
        }
        Some(Fault::Empty) => {
            let answer = Answer::new(None, BLANKS.to_owned());
            spread(writer.stream(&answer, "stop"), None, writer, latency)
        }
        Some(Fault::Length) => {
            spread(writer.stream(&answer.clone().half(), "length"), None, writer, latency)
        }
        Some(Fault::Filter) => {
            spread(writer.stream(&answer.clone().half(), "content_filter"), None, writer, latency)
        }
        Some(Fault::Insufficient) => {
            let events = writer.stream(&answer.clone().half(), "insufficient_system_resource");
            spread(events, None, writer, latency)
        }
        _ => spread(writer.stream(answer, "stop"), fault, writer, latency)
            .ends_in_an_answer(fault.is_none_or(|fault| !bills(fault))),
    }
}

/// Spreads a stream over a time, without what a fault leaves out.
fn spread(
    mut events: Events,
    fault: Option<Fault>,
    writer: &Writer<'_>,
    latency: Duration,
) -> PretendBody {
    let half = events.pieces.len() / 2;
    let mut end = End::Other;
    let all = events.head.len() + events.pieces.len() + events.finish.len() + 1;
    match fault {
        Some(Fault::Cut) => end = End::Cut,
        Some(Fault::Stall) => end = End::Stall,
        _ => {}
    }
    match fault {
        Some(Fault::Cut | Fault::Half | Fault::Stall) => {
            events.pieces.truncate(half);
            events.finish.clear();
            events.mark.clear();
        }
        Some(Fault::StreamError) => {
            events.pieces.truncate(half);
            events.finish = vec![writer.stream_error()];
            events.mark.clear();
        }
        Some(Fault::NoDone) => events.mark.clear(),
        Some(Fault::Broken) => {
            if let Some((bytes, _)) = events.pieces.get_mut(half) {
                *bytes = [&bytes[..bytes.len() * 2 / 3], b"\n\n"].concat().into();
            }
        }
        _ => {}
    }
    let after = latency / all as u32;
    let step = move |(bytes, tokens): (Bytes, u64)| Step { after, bytes, tokens };
    let free = |bytes: Bytes| (bytes, 0);
    let keepalive = usize::from(fault == Some(Fault::Keepalive)) * BLANK_LINES;
    let steps = comments(writer.shape.comment).take(keepalive).chain(
        events
            .head
            .into_iter()
            .map(free)
            .chain(events.pieces)
            .chain(events.finish.into_iter().map(free))
            .chain(Some(events.mark).filter(|mark| !mark.is_empty()).map(free))
            .map(step),
    );
    PretendBody::steps(steps, end)
}

fn looping(events: Events, most: u64, latency: Duration) -> PretendBody {
    let after = latency / (events.pieces.len() as u32 + 1);
    let free = move |bytes| Step { after, bytes, tokens: 0 };
    let mut left = most;
    let again = events.pieces.into_iter().cycle().map_while(move |(bytes, tokens)| {
        if left == 0 {
            return None;
        }
        // A piece without tokens would never come to an end.
        let tokens = tokens.clamp(1, left);
        left -= tokens;
        Some(Step { after, bytes, tokens })
    });
    let head = events.head.into_iter().map(free);
    let tail = events.finish.into_iter().chain([events.mark]).map(free);
    PretendBody::steps(head.chain(again).chain(tail), End::Other)
}

/// Repeats the content until it has `most` tokens.
fn repeated(answer: &Answer, most: u64) -> Answer {
    let times = (most / answer.tokens_out.max(1)).max(1) as usize;
    let content = vec![answer.content.as_str(); times].join(" ");
    Answer { content, ..answer.clone() }.of_tokens(most)
}

fn comments(text: &'static str) -> impl Iterator<Item = Step> + Send + 'static {
    std::iter::repeat(Step { after: BLANK_EVERY, ..Step::now(text) })
}

/// Returns true if a service that fails in this way has made an answer first, and bills it.
pub(crate) fn bills(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::Cut
            | Fault::Half
            | Fault::NoDone
            | Fault::StreamError
            | Fault::Stall
            | Fault::Loop(_)
            | Fault::Broken
            | Fault::Empty
            | Fault::Length
            | Fault::Filter
            | Fault::Insufficient
    )
}
