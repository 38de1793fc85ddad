//! Words, numbers and times as people read them, and strangers' texts made safe.

use std::io::IsTerminal;
use std::time::Duration;

use dset_core::answer::Failure;
use dset_core::item::question::Question;
use dset_core::run::{StopSignal, TERM_GRACE};
use dset_core::settings::{JobSpec, Model, endpoint};
use dset_core::text::is_invisible;
use dset_engine::view::judged_before::JudgedBefore;
use dset_engine::view::status::Rows;
use unicode_width::UnicodeWidthChar as _;

/// Makes a text safe for a terminal and one line long, see [`clean`].
pub(crate) fn one_line(text: &str) -> String {
    clean(text).collect()
}

/// So many marks above and below one letter are shown; more would cover other lines.
const MARKS_MAX: usize = 3;

/// The characters of a stranger's text that a terminal may see, in one line: sequences that style
/// or move are left out, and so are characters without a width of their own that turn the direction
/// of writing, hide, or join; line ends and other control characters become spaces.
pub(crate) fn clean(text: &str) -> impl Iterator<Item = char> {
    let mut rest = text;
    let mut marks = 0;
    std::iter::from_fn(move || {
        loop {
            let skipped = sequence(rest);
            if skipped > 0 {
                rest = &rest[skipped..];
                continue;
            }
            let c = rest.chars().next()?;
            rest = &rest[c.len_utf8()..];
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                marks = 0;
                return Some(' ');
            }
            if is_invisible(c) {
                continue;
            }
            marks = if c.width() == Some(0) { marks + 1 } else { 0 };
            if marks <= MARKS_MAX {
                return Some(c);
            }
        }
    })
}

/// Returns how many bytes of escape sequences a text begins with. One without its end is none: it
/// would hide the rest of the text, as it does where anstream strips.
fn sequence(text: &str) -> usize {
    let introduced = |c1: char, c0: &str| text.strip_prefix(c1).or_else(|| text.strip_prefix(c0));
    let end = if let Some(rest) = introduced('\u{9b}', "\x1b[") {
        let parameters = rest.trim_start_matches(|c: char| (' '..='?').contains(&c));
        parameters.strip_prefix(|c: char| ('@'..='~').contains(&c))
    } else if let Some(rest) =
        introduced('\u{9d}', "\x1b]").or_else(|| introduced('\u{90}', "\x1bP"))
    {
        let ends = ["\x07", "\x1b\\", "\u{9c}"];
        let first = ends.iter().filter_map(|end| Some((rest.find(end)?, end.len()))).min();
        first.map(|(at, length)| &rest[at + length..])
    } else {
        None
    };
    end.map_or(0, |rest| text.len() - rest.len())
}

/// Makes a text of several lines safe for a terminal, each as [`one_line`] does; empty ones at its
/// beginning and end are left out.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = String> {
    let text = text.trim_start_matches(['\r', '\n']).trim_end();
    text.lines().map(|line| one_line(line.trim_end().replace('\t', "    ").as_str()))
}

/// Returns the first `most` characters of a text, safe, with `…` where there are more.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let text = one_line(text);
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}

/// Lines narrower than this are not broken any more.
const WIDTH_MIN: usize = 30;

/// Returns the width of a terminal; absent in a pipe, where every line is whole.
pub(crate) fn width_of(stream: &impl IsTerminal, terminal: &console::Term) -> Option<usize> {
    stream.is_terminal().then(|| usize::from(terminal.size().1).max(WIDTH_MIN))
}

/// Returns the first fifty characters and three dots, as the original script shows a question.
pub(crate) fn as_the_script(question: &str) -> String {
    format!("{}...", one_line(question).chars().take(50).collect::<String>())
}

/// Writes a span as `3.1s`, `42s`, `2m 10s`, `1h 5m`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", span.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Writes a span as a clock does: `0:31`, `12:05`, `1:02:03`.
pub(crate) fn minutes(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

/// Writes how long something may take: `about 40 s`, `about 3 min`, `about 2 h`.
pub(crate) fn about(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => "a few seconds".to_owned(),
        10..90 => format!("about {} s", seconds.div_ceil(10) * 10),
        90..5400 => format!("about {} min", (seconds + 30) / 60),
        _ => format!("about {} h", (seconds + 1800) / 3600),
    }
}

/// Writes a wait as the original script does, `1 minutes`, or in seconds where it is no minutes.
pub(crate) fn script_wait(wait: Duration) -> String {
    match wait.as_secs() {
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        _ => span(wait),
    }
}

/// Writes a count with commas.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns what a run counts: questions, or answers where each question is to get several.
pub(crate) fn counted(settings: &JobSpec) -> &'static str {
    if settings.wants_several() { "answer" } else { "question" }
}

/// Writes `1 question`, `2 questions`.
pub(crate) fn of(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Returns the word that goes with a number: `is` or `are`, `it` or `them`.
pub(crate) fn by<'a>(number: u64, one: &'a str, many: &'a str) -> &'a str {
    if number == 1 { one } else { many }
}

/// Writes a number of tokens: `412`, `3.9k`, `110k`, `1.2M`.
pub(crate) fn tokens(number: u64) -> String {
    let scaled = |by: f64, unit: &str| {
        let value = number as f64 / by;
        if value < 10.0 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
    };
    match number {
        0..1_000 => number.to_string(),
        1_000..999_500 => scaled(1e3, "k"),
        _ => scaled(1e6, "M"),
    }
}

/// Writes the time of day here, `14:30:45`.
pub(crate) fn clock(unix_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// Writes a moment for logs and programs, as RFC 3339 has it: `2026-11-28T14:30:45+01:00`, with
/// milliseconds where `exact`.
pub(crate) fn moment(unix_ms: i64, exact: bool) -> String {
    let at = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let at = at.to_zoned_datetime(jiff::tz::TimeZone::system());
    at.strftime(if exact { "%Y-%m-%dT%H:%M:%S%.3f%:z" } else { "%Y-%m-%dT%H:%M:%S%:z" }).to_string()
}

/// Writes what went wrong with an ask: `overloaded (503): Service is too busy`.
pub(crate) fn failure(failure: &Failure) -> String {
    let status = failure.status.map(|status| format!(" ({status})")).unwrap_or_default();
    let message = shortened(&failure.message, 200);
    if message.is_empty() {
        format!("{}{status}", failure.cause)
    } else {
        format!("{}{status}: {message}", failure.cause)
    }
}

/// Names what ends a run at once that this signal has made stop.
pub(crate) fn stops_now(signal: StopSignal) -> String {
    match signal {
        StopSignal::Interrupt => "Ctrl-C again".to_owned(),
        StopSignal::Terminate => {
            format!("it ends within {} s; another SIGTERM", TERM_GRACE.as_secs())
        }
    }
}

/// Names who is asked: the service, or its host where that is not the service's own.
pub(crate) fn service(model: &Model) -> String {
    let host = |url: &url::Url| url.host_str().unwrap_or_default().to_owned();
    match model.base_urls.iter().find(|url| !model.preset.is_official_host(url)) {
        Some(url) => host(url),
        None => model.preset.name.clone(),
    }
}

/// The number of a question in its file, from 1: with several answers to each it is not the place of
/// the answer.
pub(crate) fn number(settings: &JobSpec, question: &Question) -> u64 {
    let answers = settings.models.len() as u64 * u64::from(settings.samples);
    u64::from(question.index) / answers.max(1) + 1
}

/// Writes the number of a question: `13/100`, and `13` where it is not known up to what they go.
pub(crate) fn numbered((number, last): (u64, Option<u64>)) -> String {
    last.map_or_else(|| number.to_string(), |last| format!("{number}/{last}"))
}

/// Names the model that a question is put to.
pub(crate) fn model<'a>(settings: &'a JobSpec, question: &Question) -> &'a str {
    let model = settings.models.get(usize::from(question.model));
    model.map_or("", |model| &model.request.model)
}

/// Tells which of several answers to a question is meant, `deepseek-flash, sample 2`; samples count
/// from 0, as in the outputs. Nothing where there is one.
pub(crate) fn which(settings: &JobSpec, question: &Question) -> String {
    let mut words = Vec::new();
    if settings.models.len() > 1 {
        words.push(one_line(model(settings, question)));
    }
    if settings.samples > 1 {
        words.push(format!("sample {}", question.sample));
    }
    words.join(", ")
}

/// Names one of several places where models are asked: the model, and where that is.
pub(crate) fn place(settings: &JobSpec, model: u16, number: u16) -> String {
    let Some(model) = settings.models.get(usize::from(model)) else { return String::new() };
    let url = model.base_urls.get(usize::from(number)).map(endpoint).unwrap_or_default();
    format!("{} at {url}", model.request.model)
}

/// Writes an argument as a shell takes it, in one line that a terminal may see. What neither a line
/// of a terminal nor ticks around a command can hold is written in escapes, which most shells know.
pub(crate) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    if one_line(argument) == argument && !argument.contains('`') {
        return format!("'{}'", argument.replace('\'', r"'\''"));
    }
    let mut escaped = String::new();
    for c in argument.chars() {
        match c {
            '\n' => escaped += r"\n",
            '\t' => escaped += r"\t",
            '\'' | '\\' => escaped.extend(['\\', c]),
            c if c != '`' && (c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric()) => {
                escaped.push(c)
            }
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| escaped += &format!(r"\x{b:02x}")),
        }
    }
    format!("$'{escaped}'")
}

/// Returns a base URL as people give it: without the slash that stands for no path.
pub(crate) fn written(base_url: &str) -> &str {
    let bare = base_url.strip_suffix('/');
    bare.filter(|bare| bare.matches('/').count() == 2).unwrap_or(base_url)
}

/// Names some rows of the input: `rows 3, 7 and 2 more`.
pub(crate) fn row_numbers(rows: &Rows) -> String {
    let named: Vec<String> = rows.first.iter().map(u64::to_string).collect();
    let more = match rows.count - rows.first.len() as u64 {
        0 => String::new(),
        more => format!(" and {} more", count(more)),
    };
    format!("{} {}{more}", by(rows.count, "row", "rows"), named.join(", "))
}

/// Says that answers were judged against another value than their rows have now.
pub(crate) fn judged_before(JudgedBefore { rows, columns }: &JudgedBefore) -> Option<String> {
    let columns: Vec<String> = columns.iter().map(|name| format!("`{}`", one_line(name))).collect();
    let with = match &columns[..] {
        [] => "what they are compared with".to_owned(),
        columns => columns.join(" and "),
    };
    (rows.count > 0).then(|| {
        format!(
            "{} {} judged when another value stood in {with} ({}): `dset check --apply` judges anew",
            of(rows.count, "row"),
            by(rows.count, "was", "were"),
            row_numbers(rows),
        )
    })
}

/// Writes a moment: the time of day, with the date where it was not today.
pub(crate) fn when(unix_ms: i64) -> String {
    let zone = jiff::tz::TimeZone::system();
    let at = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let (at, now) =
        (at.to_zoned_datetime(zone.clone()), jiff::Timestamp::now().to_zoned_datetime(zone));
    let format = if at.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    at.strftime(format).to_string()
}

/// Writes a moment with its date.
#[cfg(feature = "view")]
pub(crate) fn date(unix_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The arguments that were given, as far as they are text.
pub(crate) fn arguments() -> Vec<String> {
    crate::same_command::given_arguments()
}

/// Returns the command that was given, to be given again.
pub(crate) fn same_command() -> String {
    let arguments = arguments().into_iter().map(|argument| quoted(&argument));
    ["dset".to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_cannot_move_the_cursor_or_turn_the_line() {
        for (text, shown) in [
            ("a\x1b[2Jb\r\n\u{202e}c\u{9b}", "ab  c "),
            ("\x1b[1m\x1b[31;1mred\x1b[0m \u{9b}7mturned", "red turned"),
            ("\x1b]0;a title\x07 \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", " link"),
            ("\x1b]0;never ended", " ]0;never ended"),
            ("\x1bPq#0\x1b\\sixel \x1bc reset \x1b[999", "sixel  c reset  [999"),
            ("\x1b[\x1b[2J\x1b[31\x1b[m", " [ [31"),
            ("pay\u{200b}pal \u{2066}\u{2069}\u{feff}\u{e0041}", "paypal "),
            ("nul\0 bell\x07 back\x08 del\x7f", "nul  bell  back  del "),
            ("line\u{2028}end\u{85}tab\t.", "line end tab ."),
            ("Z\u{301}\u{302}\u{303}\u{304}\u{305}algo", "Z\u{301}\u{302}\u{303}algo"),
            ("हिन्दी, ไทย, 日本語, é", "हिन्दी, ไทย, 日本語, é"),
        ] {
            assert_eq!(one_line(text), shown, "{text:?}");
        }
        assert_eq!(as_the_script("Hi"), "Hi...");
        assert_eq!(shortened("a long text", 6), "a long…");
    }

    #[test]
    fn an_argument_is_one_word_to_a_shell_and_one_line_to_a_terminal() {
        for (argument, written) in [
            ("q.csv", "q.csv"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's $HOME", r"'it'\''s $HOME'"),
            ("a\nb's\t`c` \\", r"$'a\nb\'s\t\x60c\x60 \\'"),
            ("\x1b[2Ju\u{202e} é\n", r"$'\x1b[2Ju\xe2\x80\xae é\n'"),
        ] {
            assert_eq!(quoted(argument), written);
        }
    }

    #[test]
    fn a_base_url_has_no_slash_that_nobody_gave_it() {
        for (url, shown) in [
            ("http://localhost:1/", "http://localhost:1"),
            ("http://localhost:1", "http://localhost:1"),
            ("http://localhost:1/v1/", "http://localhost:1/v1/"),
        ] {
            assert_eq!(written(url), shown);
        }
    }

    #[test]
    fn numbers_and_times_are_short() {
        let seconds = Duration::from_secs_f64;
        for (shown, text) in [
            (span(seconds(3.12)), "3.1s"),
            (span(seconds(61.0)), "1m 1s"),
            (span(seconds(3900.0)), "1h 5m"),
            (script_wait(seconds(60.0)), "1 minutes"),
            (script_wait(seconds(2.0)), "2.0s"),
            (minutes(seconds(31.9)), "0:31"),
            (minutes(seconds(3723.0)), "1:02:03"),
            (about(seconds(3.0)), "a few seconds"),
            (about(seconds(170.0)), "about 3 min"),
            (count(1_234_567), "1,234,567"),
            (of(1, "question"), "1 question"),
            (tokens(3_904), "3.9k"),
            (tokens(110_200), "110k"),
            (tokens(999_700), "1.0M"),
        ] {
            assert_eq!(shown, text);
        }
    }
}
