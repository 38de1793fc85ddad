//! Whether a key works, tried where that costs nothing.

use dset_core::answer::{FailureClass, ParsedReply};
use dset_core::provider::parse_reply;
use dset_core::provider::reply::HttpReply;
use dset_core::provider::{Balance, ListsModels, read_balance, read_models};
use dset_core::settings::Model;
use dset_engine::http::probe;
use dset_engine::http::probe::{ProbeError, ProbeReply};
use secrecy::SecretString;

use crate::display;
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::prompt;

/// What came of it.
#[derive(Debug)]
pub(super) enum KeyCheck {
    /// It works, with this to spend where the service tells.
    Works(Option<Balance>),
    /// The service refuses it.
    Refused,
    /// Nobody knows, for this reason.
    NotKnown(String),
}

impl std::fmt::Display for KeyCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeyCheck::Works(Some(balance)) if !balance.amounts.is_empty() => {
                write!(f, "works, balance {}", money(balance))
            }
            KeyCheck::Works(_) => f.write_str("works"),
            KeyCheck::Refused => f.write_str("is refused"),
            KeyCheck::NotKnown(why) => write!(f, "could not be tried: {why}"),
        }
    }
}

/// Asks for a key until one is given that this model's service does not refuse, or none is. Without
/// a model it is not tried.
pub(super) fn read_key(
    question: &str,
    model: Option<&Model>,
) -> Result<Option<SecretString>, UserError> {
    loop {
        let Some(key) = prompt::key(question)? else { return Ok(None) };
        let Some(model) = model else { return Ok(Some(key)) };
        match check_key(model, &key)? {
            KeyCheck::Refused => display::warn(
                &format!("{} refuses this key", model.preset.name),
                Some("Type another, or Enter for none"),
            ),
            trial => {
                display::remark(&format!("the key {trial}"));
                return Ok(Some(key));
            }
        }
    }
}

/// Tries a key once, at the place where this model is asked; Ctrl-C ends it.
pub(super) fn check_key(model: &Model, key: &SecretString) -> Result<KeyCheck, UserError> {
    super::shared::runtime()?.block_on(async {
        tokio::select! {
            trial = ask_balance(model, key) => Ok(trial),
            // A question that was asked unseen has caught it for good.
            _ = tokio::signal::ctrl_c() => {
                Err(UserError::new(Exit::Interrupted, "stopped before the key was tried"))
            }
        }
    })
}

/// Asks the service for what is left to spend; `None` where it does not tell, or cannot be reached.
pub(super) fn balance(model: &Model, key: &SecretString) -> Result<Option<Balance>, UserError> {
    if model.preset.balance_url(model.base_url()).is_none() {
        return Ok(None);
    }
    Ok(match check_key(model, key)? {
        KeyCheck::Works(balance) => balance,
        KeyCheck::Refused | KeyCheck::NotKnown(_) => None,
    })
}

async fn ask_balance(model: &Model, key: &SecretString) -> KeyCheck {
    let (preset, base_url) = (&model.preset, model.base_url());
    let balance = preset.balance_url(base_url);
    let models = (preset.lists_models == ListsModels::WithKey).then(|| preset.models_url(base_url));
    let mut why = format!("{} has no free way to try one", preset.name);
    for url in balance.iter().chain(&models) {
        let is_balance = Some(url) == balance.as_ref();
        match probe::get(preset, url, Some(key)).await {
            Ok(told) if refuses_key(&told) => return KeyCheck::Refused,
            Ok(told) if told.status == 200 && is_balance => match read_balance(&told.body) {
                Some(balance) => return KeyCheck::Works(Some(balance)),
                None => why = "the reply tells no balance".into(),
            },
            Ok(told) if told.status == 200 && read_models(&told.body).is_some() => {
                return KeyCheck::Works(None);
            }
            Ok(told) => why = format!("the service says {}", told.status),
            Err(error) => return KeyCheck::NotKnown(unreached(&error)),
        }
    }
    KeyCheck::NotKnown(why)
}

/// Tells whether a reply refuses the key, in whatever words: some say it with a 400. A 403 does not:
/// there are keys that may ask and may not look around.
pub(super) fn refuses_key(told: &ProbeReply) -> bool {
    if (200..300).contains(&told.status) {
        return false;
    }
    let (status, body) = (told.status, told.body.clone());
    let reading = parse_reply(&HttpReply::new(status, Vec::new(), body));
    matches!(reading, ParsedReply::Failure(failure) if failure.class == FailureClass::KeyRefused)
}

/// Says why a service said nothing.
pub(super) fn unreached(error: &ProbeError) -> String {
    one_line(&error.to_string())
}

/// Writes a balance: `$4.87`, `35.20 CNY`.
pub(super) fn money(balance: &Balance) -> String {
    let amount = |(currency, amount): &(String, String)| match currency.as_str() {
        "USD" => match amount.strip_prefix('-') {
            Some(owed) => format!("-${owed}"),
            None => format!("${amount}"),
        },
        _ => format!("{amount} {}", one_line(currency)),
    };
    match balance.amounts.as_slice() {
        [] => "this key has no limit of its own".to_owned(),
        amounts => amounts.iter().map(amount).collect::<Vec<_>>().join(", "),
    }
}
