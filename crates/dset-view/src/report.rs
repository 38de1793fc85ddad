//! A report in one file: it needs no script, no server and no network, and everything that a model or a
//! service wrote is escaped.

use std::fmt::Write as _;

use dset_engine::view::browse::{BrowseError, Browser, Distribution, Filter, ListedRecord};
use serde_json::{Value, json};

/// Records that are chosen.
const CHOSEN: u64 = 20;
/// Examples of each cause, and answers at each end.
const EXAMPLES: usize = 3;
/// Records among which they are looked for: a row may have many.
const LOOKED_AT: usize = 100;
/// Characters of a text that are shown.
const SHOWN_CHARS: usize = 1500;

const STYLE: &str = include_str!("../assets/report.css");

/// What a report is made of.
#[derive(Debug)]
pub struct Report<'a> {
    /// The records.
    pub browser: &'a Browser,
    /// `dset status --json`.
    pub status: &'a Value,
    /// `dset stats --json`.
    pub stats: &'a Value,
    /// The day, as a person writes it.
    pub date: &'a str,
    /// The command that makes the run again.
    pub command: &'a str,
    /// Chooses the records.
    pub seed: u64,
}

/// Returns a foreign text as text of a page.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' | '\t' => escaped.push(c),
            '\u{0}'..='\u{1f}' => escaped.extend(char::from_u32(0x2400 + u32::from(c))),
            // What changes the direction of writing is named and does nothing.
            '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                let _ = write!(escaped, "<i>U+{:04X}</i>", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

fn shown(text: &str) -> String {
    let length = text.chars().count();
    let mut shown = escape(&text.chars().take(SHOWN_CHARS).collect::<String>());
    if length > SHOWN_CHARS {
        let _ =
            write!(shown, "<i> … {} more characters</i>", thousands((length - SHOWN_CHARS) as f64));
    }
    shown
}

fn thousands(number: f64) -> String {
    // An answer may cost thousandths of a cent.
    if number > 0.0 && number < 0.1 {
        let places = (-number.log10()).ceil() as usize + 1;
        return format!("{number:.places$}");
    }
    if number < 100.0 && number.fract() != 0.0 {
        return format!("{number:.2}");
    }
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// What every report has near its beginning, and nothing else.
pub const REPORT_MARK: &str = "<meta name=\"generator\" content=\"dset report\">";

impl Report<'_> {
    /// Writes the page.
    pub fn html(&self) -> Result<String, BrowseError> {
        let text = |value: &Value| escape(value.as_str().unwrap_or_default());
        let input = text(&self.status["input"]);
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n{REPORT_MARK}\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{input}: report</title>\n<style>{STYLE}</style></head><body><main>\n\
             <header><h1>{input}</h1><p>A dataset made with dset {}, {}</p></header>\n",
            env!("CARGO_PKG_VERSION"),
            escape(self.date)
        );
        self.ledger(&mut page);
        self.money_and_models(&mut page);
        self.settings(&mut page);
        self.checks(&mut page);
        let spread = self.browser.distributions(&Filter::default())?;
        page += "<section><h2>Time, tokens, length</h2><div class=\"plots\">";
        for one in &spread.numbers {
            page += &plot(one);
        }
        page += "</div></section>\n";
        self.causes(&mut page)?;
        self.ends(&mut page)?;
        self.chosen(&mut page)?;
        let _ = write!(
            page,
            "<section><h2>Made again by</h2><pre>{}</pre><p>Answers are kept in the store \
             beside the outputs: the same command buys none of them twice.</p></section>\n\
             </main></body></html>\n",
            escape(self.command)
        );
        Ok(page)
    }

    fn ledger(&self, page: &mut String) {
        let ledger = &self.status["ledger"];
        let count = |name: &str| ledger[name].as_u64().unwrap_or(0);
        *page += "<section><h2>Where every question stands</h2><dl class=\"ledger\">";
        let names = ["questions", "answered", "presumed", "rejected", "gave_up", "pending"];
        for name in names.into_iter().filter(|name| *name != "presumed" || count(name) > 0) {
            let _ = write!(
                page,
                "<div><dt>{}</dt><dd>{}</dd></div>",
                name.replace('_', " "),
                thousands(count(name) as f64)
            );
        }
        let verdict = match self.status["balances"].as_bool() {
            Some(true) => "Questions are the sum of the others: the ledger balances.",
            _ => "Questions are NOT the sum of the others.",
        };
        let _ = writeln!(page, "</dl><p>{verdict}</p></section>");
    }

    fn money_and_models(&self, page: &mut String) {
        *page += "<section><h2>Who was asked, and what it took</h2><table><thead><tr><th>Model</th>\
                  <th class=\"n\">Answers</th><th class=\"n\">Tokens sent</th>\
                  <th class=\"n\">Tokens received</th><th class=\"n\">of them reasoning</th></tr></thead><tbody>";
        for model in self.stats["models"].as_array().into_iter().flatten() {
            let number = |name: &str| thousands(model["tokens"][name].as_f64().unwrap_or(0.0));
            let _ = write!(
                page,
                "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
                 <td class=\"n\">{}</td></tr>",
                escape(model["model"].as_str().unwrap_or("unknown")),
                thousands(model["answers"].as_f64().unwrap_or(0.0)),
                number("input"),
                number("output"),
                number("reasoning"),
            );
        }
        *page += "</tbody></table>";
        let total = &self.stats["spent"]["total"];
        let of = |name: &str| total[name].as_str().map(escape);
        let _ = match (of("at_least"), of("at_most")) {
            (Some(least), Some(most)) if least == most => {
                write!(page, "<p>Spent: {least} US dollars.</p>")
            }
            (Some(least), Some(most)) => {
                write!(page, "<p>Spent: from {least} to {most} US dollars.</p>")
            }
            _ => write!(
                page,
                "<p>What was spent is not known: the prices of these models are not.</p>"
            ),
        };
        *page += "</section>\n";
    }

    fn settings(&self, page: &mut String) {
        *page += "<section><h2>Asked with</h2>";
        for request in self.browser.requests() {
            let Ok(Value::Object(settings)) = serde_json::to_value(request) else { continue };
            *page += "<table><tbody>";
            for (name, value) in settings.iter().filter(|(_, value)| !value.is_null()) {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let name = escape(&name.replace('_', " "));
                let _ = write!(
                    page,
                    "<tr><th scope=\"row\">{name}</th><td class=\"said\">{}</td></tr>",
                    shown(&value)
                );
            }
            *page += "</tbody></table>";
        }
        *page += "</section>\n";
    }

    fn checks(&self, page: &mut String) {
        let checks = self.stats["checks"].as_array().filter(|checks| !checks.is_empty());
        let Some(checks) = checks else { return };
        *page += "<section><h2>What answers were held against</h2><table><thead><tr><th>Check</th>\
                  <th class=\"n\">Passed</th><th class=\"n\">Failed</th>\
                  <th class=\"n\">Cannot be told</th></tr></thead><tbody>";
        for check in checks {
            let name = escape(check["check"].as_str().unwrap_or_default());
            let number = |name: &str| thousands(check[name].as_f64().unwrap_or(0.0));
            let _ = write!(
                page,
                "<tr><td>{name}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
                 <td class=\"n\">{}</td></tr>",
                number("passed"),
                number("failed"),
                number("unknown"),
            );
        }
        *page += "</tbody></table></section>\n";
    }

    fn list(
        &self,
        filter: &Filter,
        offset: u64,
        most: usize,
    ) -> Result<Vec<ListedRecord>, BrowseError> {
        Ok(self.browser.list(filter, offset, most)?.records)
    }

    /// A few records of different rows, where there are such.
    fn examples(&self, filter: &Filter) -> Result<Vec<ListedRecord>, BrowseError> {
        let mut found = self.list(filter, 0, LOOKED_AT)?;
        found.dedup_by_key(|record| record.row);
        found.truncate(EXAMPLES);
        Ok(found)
    }

    fn causes(&self, page: &mut String) -> Result<(), BrowseError> {
        let facets = self.browser.facets(&Filter::default())?;
        let causes = facets.into_iter().find(|facet| facet.name == "cause");
        let causes: Vec<_> = causes.into_iter().flat_map(|facet| facet.values).collect();
        *page += "<section><h2>Why questions failed</h2>";
        let mut any = false;
        for cause in causes {
            let Some(value) = cause.value else { continue };
            any = true;
            let count = thousands(cause.count as f64);
            let _ = write!(page, "<h3>{}: {count}</h3><ul>", escape(&value));
            let mut filter = Filter::default();
            filter.values.insert("cause".to_owned(), vec![value]);
            for record in self.examples(&filter)? {
                let question = shown(&record.question_text.text);
                let model = record.model.as_deref().map(escape).unwrap_or_default();
                let _ = write!(page, "<li>row {}, {model}: {question}", record.row);
                let detail = self.browser.detail(record.question, &Filter::default())?;
                let is_of = |ask: &&Value| {
                    ask["model"] == json!(record.model) && ask["sample"] == json!(record.sample)
                };
                let last = detail.attempts.iter().rev().find(is_of);
                let last = last.and_then(|last| last["message"].as_str());
                if let Some(last) = last.filter(|last| !last.is_empty()) {
                    let _ = write!(page, "<br><i>the service said: {}</i>", shown(last));
                }
                for (check, why) in failed_checks(&detail.question, &record) {
                    let _ = write!(page, "<br><i>{}: {}</i>", escape(&check), shown(&why));
                }
                *page += "</li>";
            }
            *page += "</ul>";
        }
        *page += if any { "</section>\n" } else { "<p>None failed.</p></section>\n" };
        Ok(())
    }

    fn ends(&self, page: &mut String) -> Result<(), BrowseError> {
        for (title, descending) in [("The longest answers", true), ("The shortest answers", false)]
        {
            let mut filter =
                Filter { sort: Some("answer_bytes".to_owned()), descending, ..Filter::default() };
            filter.values.insert("state".to_owned(), vec!["answered".to_owned()]);
            let _ = write!(page, "<section><h2>{title}</h2>");
            for record in self.list(&filter, 0, EXAMPLES)? {
                self.record(page, &record)?;
            }
            *page += "</section>\n";
        }
        Ok(())
    }

    fn chosen(&self, page: &mut String) -> Result<(), BrowseError> {
        let mut filter = Filter::default();
        filter.values.insert("state".to_owned(), vec!["answered".to_owned()]);
        let all = self.browser.list(&filter, 0, 0)?.count;
        let _ =
            write!(page, "<section><h2>{CHOSEN} records by chance</h2><p>Seed {}.</p>", self.seed);
        let mut chosen = std::collections::BTreeSet::new();
        let mut state = self.seed;
        while (chosen.len() as u64) < CHOSEN.min(all) {
            // SplitMix64: the same seed chooses the same records everywhere.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chosen.insert((mixed ^ (mixed >> 31)) % all);
        }
        for at in chosen {
            for record in self.list(&filter, at, 1)? {
                self.record(page, &record)?;
            }
        }
        *page += "</section>\n";
        Ok(())
    }

    fn record(&self, page: &mut String, record: &ListedRecord) -> Result<(), BrowseError> {
        let Some(id) = record.answer else { return Ok(()) };
        let (answer, _) = self.browser.texts(id.into())?;
        let _ = write!(
            page,
            "<article><h3>{}</h3><p class=\"facts\">row {} · {} · {} tokens · {} s</p><pre>{}</pre></article>",
            shown(&record.question_text.text),
            record.row,
            escape(record.model.as_deref().unwrap_or("unknown model")),
            thousands(record.output_tokens.unwrap_or(0).into()),
            record.seconds.map_or_else(|| "?".to_owned(), |seconds| format!("{seconds:.1}")),
            shown(&answer)
        );
        Ok(())
    }
}

/// Returns what checks say of the last answer of a record.
fn failed_checks(question: &Value, record: &ListedRecord) -> Vec<(String, String)> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_it = |answer: &Value| {
        answer["model"].as_str() == record.model.as_deref() && answer["sample"] == record.sample
    };
    let answer = list(&question["answers"]).into_iter().find(is_it).unwrap_or_default();
    let verdicts =
        answer["tries"].as_array().and_then(|tries| Some(list(&tries.last()?["verdicts"])));
    let failed = verdicts.unwrap_or_default().into_iter().filter(|one| one["outcome"] != "passed");
    failed
        .flat_map(|verdict| {
            let reasons = list(&verdict["reasons"]).into_iter();
            reasons
                .map(|reason| {
                    let place = text(&reason["place"]);
                    let gap = if place.is_empty() { "" } else { ": " };
                    (text(&verdict["check"]), format!("{place}{gap}{}", text(&reason["sentence"])))
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Draws how a number is spread.
fn plot(one: &Distribution) -> String {
    const WIDTH: f64 = 300.0;
    const HEIGHT: f64 = 90.0;
    let most = one.counts.iter().copied().max().unwrap_or(1).max(1) as f64;
    let step = WIDTH / one.counts.len() as f64;
    let mut bars = String::new();
    for (at, count) in one.counts.iter().enumerate() {
        let height = *count as f64 / most * HEIGHT;
        let _ = write!(
            bars,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
            at as f64 * step,
            HEIGHT - height,
            step - 1.5
        );
    }
    let name = one.name.replace('_', " ");
    format!(
        "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{name}: median {}\">{bars}</svg>\
         <figcaption><b>{name}</b>: {} to {}, median {}, 95 of 100 below {}</figcaption></figure>",
        thousands(one.median),
        thousands(one.least),
        thousands(one.most),
        thousands(one.median),
        thousands(one.p95)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_text() {
        let escaped = escape("</pre><script>x</script>\" ' & \u{202e}\u{1b}[31m");
        assert_eq!(
            escaped,
            "&lt;/pre&gt;&lt;script&gt;x&lt;/script&gt;&quot; &#39; &amp; <i>U+202E</i>␛[31m"
        );
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!((thousands(0.25), thousands(999.0)), ("0.25".to_owned(), "999".to_owned()));
    }
}
