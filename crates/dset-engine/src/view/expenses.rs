//! What a folder has spent in all its runs, by the prices that hold: nothing of it is stored, so that
//! a corrected price corrects everything that was ever bought with it. A run with a limit of money of
//! an earlier version, of which nobody knows where each of several models was asked, counts for limits as what it
//! declared, whatever the price is now.

use std::collections::HashMap;
use std::path::Path;

use dset_core::key::RequestSettings;
use dset_core::money::{Asked, Billed, BilledAs, Expenses, Prices, SessionCost};
use dset_core::provider::Providers;
#[cfg(feature = "postgres")]
use dset_core::run::Spending;

use crate::store::{AskedPlace, Store, StoreError, StoredCall, open_readonly};

/// By what costs are worked out.
#[derive(Debug, Clone, Copy)]
pub struct Pricing<'a> {
    /// The prices.
    pub prices: &'a Prices,
    /// The services whose addresses are known: a price is its provider's, at an address of its own.
    pub providers: &'a Providers,
}

/// Works out what was spent in a folder; `None` where it has no store.
pub fn expenses(folder: &Path, pricing: Pricing<'_>) -> Result<Option<Expenses>, StoreError> {
    open_readonly(folder, |store| expenses_of(store, pricing))
}

/// Works out what runs in a folder were billed at most, without those of other workers whose answers were
/// brought into it; `None` where it has no store.
#[cfg(feature = "postgres")]
pub(crate) fn own_billed(
    folder: &Path,
    pricing: Pricing<'_>,
) -> Result<Option<Spending>, StoreError> {
    open_readonly(folder, |store| {
        let others = store.lives_of_others()?;
        let own = expenses_where(store, pricing, |life| !others.contains(&life))?;
        Ok(Spending { spent: own.spent.upper, unsure: own.unsure })
    })
}

/// Works out what was spent by what a store has.
pub(crate) fn expenses_of(store: &Store, pricing: Pricing<'_>) -> Result<Expenses, StoreError> {
    expenses_where(store, pricing, |_| true)
}

/// The same for some runs, by their numbers.
fn expenses_where(
    store: &Store,
    pricing: Pricing<'_>,
    is_meant: impl Fn(i64) -> bool,
) -> Result<Expenses, StoreError> {
    let asked = AskedBy::load(store, pricing.providers)?;
    let mut expenses = Expenses::default();
    let mut sessions = store.bounds()?;
    sessions.retain(|life, _| is_meant(*life));
    store.for_each_call(|call| {
        if !is_meant(call.session) {
            return;
        }
        let outcome = match &call.failed {
            None => Some(BilledAs::Answer),
            Some(failed) => failed.billed_as(),
        };
        let Some(outcome) = outcome else { return };
        let billed = asked.billed(call, outcome);
        let cost = expenses.add(pricing.prices, &billed);
        match sessions.get_mut(&call.session) {
            Some(session) => {
                session.recorded += cost.unwrap_or_default();
                let lacks_price = || pricing.prices.find(billed.asked, call.at).is_none();
                session.is_recorded_unsure |=
                    cost.is_none() && lacks_price() || !asked.is_sure(call);
            }
            None => expenses.uncounted += u64::from(cost.is_none()),
        }
    })?;
    store.for_each_call_before(|call| {
        let model = asked.model_of(call.model);
        let billed = asked.billed(&StoredCall { model, ..*call }, BilledAs::Answer);
        expenses.uncounted += u64::from(expenses.add(pricing.prices, &billed).is_none());
    })?;
    expenses.unsure = sessions.values().map(SessionCost::may_have_been_billed).sum();
    Ok(expenses)
}

/// Whom each run asked.
pub(crate) struct AskedBy {
    /// The models by the number of their settings.
    models: HashMap<i64, String>,
    /// Of each run of an earlier version its provider, and the settings of its first model.
    sessions: HashMap<i64, (Option<String>, i64)>,
    /// Of each other run its places, with who is paid there.
    places: HashMap<i64, Vec<AskedPlace>>,
    /// The providers of the models that were last asked. Of an earlier run with several models only the
    /// first one's address is known.
    last: HashMap<String, Option<String>>,
}

impl AskedBy {
    /// Reads it of a store.
    pub(crate) fn load(store: &Store, providers: &Providers) -> Result<AskedBy, StoreError> {
        let provider = |url: &str, model: &str| {
            providers.payee(&url.parse().ok()?, model).map(|preset| preset.id.to_string())
        };
        let model = |(id, text): (i64, String)| {
            Some((id, RequestSettings::from_canonical_json(&text)?.model))
        };
        let (known, sessions): (Vec<_>, Vec<_>) =
            store.sessions()?.into_iter().partition(|session| !session.places.is_empty());
        let with_provider = |place: AskedPlace| AskedPlace {
            // One that has another name now is known by its address.
            provider: place
                .provider
                .filter(|id| providers.preset(id).is_some())
                .or_else(|| provider(&place.endpoint, &place.model)),
            ..place
        };
        let requests = store.last_requests(store.generation()?)?.map(|(requests, _)| requests);
        let places = store.last_invocation()?.map(|call| call.places).unwrap_or_default();
        let last = requests.unwrap_or_default().into_iter().zip(&places);
        let models: HashMap<i64, String> =
            store.settings_texts()?.into_iter().filter_map(model).collect();
        let first = |request: i64| models.get(&request).map_or("", String::as_str);
        Ok(AskedBy {
            places: known
                .into_iter()
                .map(|one| (one.id, one.places.into_iter().map(with_provider).collect()))
                .collect(),
            sessions: sessions
                .into_iter()
                .map(|one| (one.id, (provider(&one.endpoint, first(one.request)), one.request)))
                .collect(),
            last: last
                .map(|(request, place)| {
                    let known = place.payees.first().cloned().flatten();
                    let by_url = || provider(place.base_urls.first()?, &request.model);
                    let provider = known.or_else(by_url);
                    (request.model, provider)
                })
                .collect(),
            models,
        })
    }

    /// Returns the model that was asked where an answer says this of it: services may call it otherwise.
    fn model_of<'a>(&'a self, said: Option<&'a str>) -> Option<&'a str> {
        let is_asked = |said: &&str| self.models.values().any(|model| model == said);
        let mut last = self.last.keys();
        let only = || last.next().filter(|_| self.last.len() == 1).map(String::as_str);
        said.filter(is_asked).or_else(only)
    }

    /// Tells whether it is known where a call asked, or what that cost there; else it is taken for where its model was
    /// asked last.
    fn is_sure(&self, call: &StoredCall<'_>) -> bool {
        if call.said.is_some_and(|said| said > 0.0) {
            return true;
        }
        if self.place_of(call).is_some() {
            return true;
        }
        let first = self.sessions.get(&call.session).and_then(|(_, first)| self.models.get(first));
        first.is_some_and(|first| first == self.of(call).model)
    }

    /// Returns where a call asked, in runs that say it.
    fn place_of(&self, call: &StoredCall<'_>) -> Option<&AskedPlace> {
        self.places.get(&call.session)?.get(call.place? as usize)
    }

    /// Returns whom a call asked.
    pub(crate) fn of(&self, call: &StoredCall<'_>) -> Asked<'_> {
        if let Some(AskedPlace { model, provider, .. }) = self.place_of(call) {
            return Asked { provider: provider.as_deref(), model };
        }
        let session = self.sessions.get(&call.session);
        let of_request = call.request.and_then(|request| self.models.get_key_value(&request));
        let first = session.and_then(|(_, first)| self.models.get_key_value(first));
        let by_name = call.model.and_then(|name| {
            let own = first.filter(|(_, model)| *model == name);
            own.or_else(|| self.models.iter().find(|(_, model)| *model == name))
        });
        let Some((request, model)) = by_name.or(of_request) else {
            return Asked { provider: None, model: "" };
        };
        let provider = match session {
            Some((provider, first)) if request == first => provider.as_deref(),
            _ => self.last.get(model).and_then(Option::as_deref),
        };
        Asked { provider, model }
    }

    /// Returns what is billed for a call that came to this.
    pub(crate) fn billed<'a>(&'a self, call: &StoredCall<'_>, outcome: BilledAs<'a>) -> Billed<'a> {
        let StoredCall { at, tokens, said, most, .. } = *call;
        let is_later_try = call.later_try_of.is_some();
        Billed { asked: self.of(call), at, tokens, said, most, outcome, is_later_try }
    }
}
