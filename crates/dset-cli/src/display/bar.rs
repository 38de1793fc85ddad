//! A bar on a terminal; what is finished scrolls away above it.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use dset_core::machine::{Ending, Notice, Snapshot};
use dset_core::question::Question;
use dset_core::settings::Settings;
use dset_core::time::Time;
use dset_engine::report::{Trouble, Watcher};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::ending::Closing;
use super::plain::told;
use super::tally::Tally;
use super::text::{about, clock, failure, of, place, shortened, span, tokens};
use super::{Demo, Display, Opening, TOLD_MAX, remarks};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const WAITS: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();

/// Characters for a bar and for verdicts, as the terminal can show them.
struct Glyphs {
    bar: &'static str,
    good: &'static str,
    bad: &'static str,
    waits: &'static str,
    dot: &'static str,
    arrow: &'static str,
}

const UNICODE: Glyphs =
    Glyphs { bar: "━━─", good: "✓", bad: "✗", waits: "↻", dot: "·", arrow: "→" };
const ASCII: Glyphs = Glyphs { bar: "##-", good: "+", bad: "x", waits: "~", dot: "|", arrow: "->" };

pub(super) struct Bar {
    bar: ProgressBar,
    glyphs: &'static Glyphs,
    has_colour: bool,
    settings: Settings,
    demo: Option<Demo>,
    key_from: Option<&'static str>,
    total: u64,
    tells: bool,
    tally: Tally,
    began: Instant,
    text_width: usize,
}

impl Bar {
    pub(super) fn open(opening: &Opening<'_>) -> Bar {
        let glyphs = if is_utf8() { &UNICODE } else { &ASCII };
        let choice = anstream::AutoStream::choice(&std::io::stderr());
        let has_colour = choice != anstream::ColorChoice::Never;
        let target = ProgressDrawTarget::stderr_with_hz(5);
        // Beside the text a line has the time, the numbers and what came of it.
        let width = usize::from(console::Term::stderr().size().1);
        let text_width = width.saturating_sub(44).clamp(12, 60);
        let bar = ProgressBar::with_draw_target(Some(opening.found.answers), target);
        let colour = if has_colour { ".green/dim" } else { "" };
        let template =
            format!("\n{{wide_bar:{colour}}}  {{pos}}/{{len}}  {{percent}}%\n{{wide_msg}}");
        let style = ProgressStyle::with_template(&template).expect("the template is a constant");
        bar.set_style(style.progress_chars(glyphs.bar));
        let mut out = anstream::stderr().lock();
        let _ = writeln!(out, "{}", remarks::first(opening, glyphs.arrow));
        for line in remarks::rest(opening) {
            let _ = writeln!(out, "{DIM}{line}{DIM:#}");
        }
        if opening.found.pending > 0 {
            let settings = opening.settings;
            let at_once = settings.concurrency;
            let _ = writeln!(
                out,
                "{DIM}{}, {at_once} at once{DIM:#}\n",
                settings.model().request.model
            );
        }
        Bar {
            bar,
            glyphs,
            has_colour,
            settings: opening.settings.clone(),
            demo: opening.demo.copied(),
            key_from: opening.key_from,
            total: opening.found.answers,
            tells: opening.found.pending <= TOLD_MAX || opening.settings.verbose,
            tally: Tally::default(),
            began: Instant::now(),
            text_width,
        }
    }

    fn say(&self, line: &str) {
        let line = if self.has_colour {
            line.to_owned()
        } else {
            anstream::adapter::strip_str(line).to_string()
        };
        self.bar.println(line);
    }

    fn line(&self, now: Time, question: &Question, style: Style, glyph: &str, rest: &str) {
        let width = self.total.to_string().len();
        let (number, total) = (question.index + 1, self.total);
        let most = self.text_width;
        let text = shortened(&question.text, most - 1);
        let at = clock(now.unix_ms);
        self.say(&format!(
            "{DIM}[{at}]{DIM:#} {number:>width$}/{total} {style}{glyph}{style:#} {text:<most$}  {rest}"
        ));
    }
}

/// Tells whether the locale can show more than ASCII.
pub(super) fn is_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

impl Watcher for Bar {
    fn notice(&mut self, now: Time, notice: &Notice) {
        self.tally.add(notice);
        match notice {
            Notice::Asking { .. } => {}
            Notice::Answered { question, took, usage, .. } => {
                if self.tells {
                    let tokens = usage.output.map(|n| format!("{:>5} tok", tokens(n)));
                    let rest = format!("{:>7}  {}", span(*took), tokens.unwrap_or_default());
                    self.line(now, question, GOOD, self.glyphs.good, &rest);
                }
            }
            Notice::Retrying { question, failure: why, wait } => {
                if self.tells {
                    let rest = format!("{}, again in {}", why.cause, span(*wait));
                    self.line(now, question, WAITS, self.glyphs.waits, &rest);
                }
            }
            Notice::Ended { question, failure: why, .. } => {
                let rest = shortened(&failure(why), 24.max(self.text_width));
                self.line(now, question, BAD, self.glyphs.bad, &rest);
            }
            Notice::OutageBegan { failure: why, .. } => {
                let saved = of(self.bar.position(), "answer");
                self.say(&format!("\n{WAITS}The service does not answer.{WAITS:#} {saved} safe on disk, nothing is lost"));
                self.say(&format!("  why  {}", failure(why)));
            }
            Notice::OutageRetry { retry, of } => self.say(&format!("  retry {retry} of {of}")),
            Notice::OutageGoesOn { failure: why, .. } => {
                self.say(&format!("  why  {}", failure(why)))
            }
            Notice::OutageFinal { .. } => self.say("  the last retry failed"),
            Notice::OutageOver { lasted } => {
                self.say(&format!(
                    "{GOOD}The service answers again{GOOD:#} after {}\n",
                    span(*lasted)
                ));
            }
            Notice::PlaceDown { model, endpoint, failure: why } => {
                let place = place(&self.settings, *model, *endpoint);
                self.say(&format!("{WAITS}{place} does not answer:{WAITS:#} {}", failure(why)));
            }
            Notice::PlaceUp { model, endpoint } => {
                let place = place(&self.settings, *model, *endpoint);
                self.say(&format!("{GOOD}{place} answers again{GOOD:#}"));
            }
            Notice::Bookmarking { .. } => {}
            Notice::Draining { in_flight, longest, .. } => {
                let asks = of(*in_flight as u64, "question");
                self.say(&format!(
                    "\nStopping. Waiting for {asks} already asked, the longest since {}\nPress Ctrl-C again to stop now (they would be asked again)\n",
                    span(*longest)
                ));
            }
        }
    }

    fn snapshot(&mut self, now: Time, snapshot: &Snapshot) {
        let ledger = &snapshot.ledger;
        self.bar.set_position(ledger.questions - ledger.pending);
        let dot = self.glyphs.dot;
        let mut parts = vec![format!("{} elapsed", span(self.began.elapsed()))];
        if let Some(outage) = snapshot.outage {
            let (retry, of) = (outage.retry, outage.of);
            parts.push(match outage.retry_at {
                Some(at) => format!("retry {retry} of {of} in {}", span(at.since(now))),
                None => format!("retry {retry} of {of} on its way"),
            });
        } else {
            let rate = self.tally.answered as f64 / self.began.elapsed().as_secs_f64();
            if self.tally.answered >= 5 && rate > 0.0 && !snapshot.stopping {
                let left = Duration::from_secs_f64(ledger.pending as f64 / rate);
                parts[0] += &format!(", {} left", about(left));
                parts.push(format!("{:.0}/min", rate * 60.0));
            }
            parts.push(format!("{} in flight", snapshot.in_flight));
            if let Some(next) = snapshot.send_at.filter(|_| snapshot.in_flight == 0) {
                parts.push(format!("next in {}", span(next.since(now))));
            }
        }
        if let Some(until) = snapshot.paused_until {
            parts.push(format!("told to wait {}", span(until.since(now))));
        }
        for (number, words) in [(snapshot.retrying as u64, "retrying"), (ledger.failed(), "failed")]
        {
            if number > 0 {
                parts.push(format!("{number} {words}"));
            }
        }
        let output = self.tally.output + snapshot.coming_tokens;
        if output > 0 {
            let share = self.tally.reasoning_share();
            parts.push(format!("{} tokens{share}", tokens(output)));
        }
        self.bar.set_message(parts.join(&format!(" {dot} ")));
    }

    fn trouble(&mut self, _now: Time, trouble: &Trouble) {
        if self.tally.trouble(trouble) {
            self.say(&told(trouble));
        }
    }
}

impl Display for Bar {
    fn end(&mut self, ending: &Ending) {
        self.bar.finish_and_clear();
        let closing = Closing {
            settings: &self.settings,
            ending,
            tally: &self.tally,
            took: self.began.elapsed(),
            demo: self.demo,
            key_from: self.key_from,
            tick: self.glyphs.good,
        };
        let mut out = anstream::stderr().lock();
        let _ = writeln!(out);
        for line in closing.lines() {
            let _ = writeln!(out, "{line}");
        }
    }
}
