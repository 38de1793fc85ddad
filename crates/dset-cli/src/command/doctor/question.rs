//! Whether a question is answered: one is asked as a run would ask it, with a limit of one token.

use std::time::Duration;

use dset_core::answer::{Failure, FailureClass, ParsedReply, Refusal, Usage};
use dset_core::provider::is_address_failure;
use dset_core::settings::{Model, RunOptions};
use dset_engine::http::ask::EndpointSettings;
use dset_engine::http::probe;
use url::Url;

use super::Check;
use crate::display::settings_hints;
use crate::display::text::{self, of, one_line, same_command};
use crate::layers::Key;

const NAME: &str = "question";

/// Asks it, and tells what came of it and what it cost.
pub(super) async fn asked(
    options: &RunOptions,
    model: &Model,
    base_url: &Url,
    key: Option<&Key>,
) -> Check {
    let wire = EndpointSettings::new(options, model, base_url);
    let key = key.map(|key| key.secret.clone());
    match probe::question(wire, key).await {
        Ok((ParsedReply::Answer(answer), took)) => answered(model, took, answer.usage),
        Ok((ParsedReply::Failure(failure), took)) => match &failure.partial {
            // Cut by its limit, empty, or refused by the model: the service has answered.
            Some(answer) if !matches!(failure.class, FailureClass::Transient) => {
                answered(model, took, answer.usage)
            }
            _ => failed(model, base_url, &failure),
        },
        Err(error) => Check::problem(NAME, one_line(&error.to_string())),
    }
}

fn answered(model: &Model, took: Duration, usage: Usage) -> Check {
    let tokens = match (usage.input, usage.output) {
        (None, None) => "it does not say how many tokens it took".to_owned(),
        (sent, out) => {
            let [sent, out] = [sent, out].map(Option::unwrap_or_default);
            format!("it took {} in and {out} out", of(sent, "token"))
        }
    };
    let name = one_line(&model.request.model);
    Check::good(NAME, format!("{name} answers in {} ms; {tokens}", took.as_millis().max(1)))
}

fn failed(model: &Model, base_url: &Url, failure: &Failure) -> Check {
    let says = text::failure(failure);
    let fix = |check: Check, fix: Option<String>| match fix {
        Some(fix) => check.fix(fix),
        None => check,
    };
    // A limit that a run does not set is no fault of a run.
    let is_of_limit = model.request.max_tokens.is_none() && failure.message.contains("token");
    match failure.class {
        _ if is_address_failure(failure) => {
            let hint = settings_hints::address(&model.preset, base_url, failure).into_iter().next();
            fix(Check::problem(NAME, says), hint)
        }
        FailureClass::KeyRefused | FailureClass::Forbidden => {
            Check::problem(NAME, says).fix(match &model.key_variable {
                Some(name) => format!("Look at {name}: the question was asked with it"),
                None => "Name the variable with the key: `--key NAME`".to_owned(),
            })
        }
        FailureClass::FailedCheck => unreachable!("nothing is asked of this answer"),
        FailureClass::OutOfMoney => {
            let page = Some(model.preset.money_page.as_str())
                .filter(|page| !page.is_empty() && model.preset.is_official_host(base_url));
            fix(Check::problem(NAME, says), page.map(|page| format!("Top up at {page}")))
        }
        FailureClass::Refused(Refusal::Settings | Refusal::Request | Refusal::Question)
            if is_of_limit =>
        {
            Check::warning(NAME, format!("could not be tried with a limit of one token: {says}"))
        }
        FailureClass::Refused(Refusal::Moderation) => {
            Check::warning(NAME, format!("was refused: {says}"))
        }
        FailureClass::Refused(_) => {
            let hint = settings_hints::parameter(model, base_url, failure);
            let hint = hint.unwrap_or_else(|| "Change the setting that it names".to_owned());
            Check::problem(NAME, says).fix(hint)
        }
        FailureClass::OtherApi => Check::problem(NAME, says).fix(
            "Look at the base URL: `--base-url` wants that of an API for chat completions"
                .to_owned(),
        ),
        FailureClass::Throttled { .. }
        | FailureClass::Transient
        | FailureClass::Empty
        | FailureClass::CutByLength => Check::warning(NAME, says)
            .fix(format!("Look again later with `{}`; a run waits for it", same_command())),
    }
}
