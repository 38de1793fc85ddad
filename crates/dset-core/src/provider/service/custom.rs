//! Services of the user's own, and what the user says differently of those that are known.
//!
//! A table says it, field by field, in the names of [`Preset`]. One that has the name of a known
//! service changes the fields that it has and leaves the others; any other describes a service
//! anew. A table never holds a key, only the names of variables.

use std::sync::Arc;

use serde_json::Value;

use super::preset::{Preset, TABLE, preset, presets};
use crate::provider::service::validate_preset::PresetError;
use crate::settings::is_variable;

/// What a table says, by the names of its fields.
pub type Table = serde_json::Map<String, Value>;

/// What is known of our own facts and not of the user's; and the name, which the table itself has.
const NOT_SAID: [&str; 3] = ["id", "as-of", "source"];
/// Headers that carry keys and are never said in a table, whichever of them a service reads.
pub const KEY_HEADERS: [&str; 4] = ["authorization", "proxy-authorization", "x-api-key", "api-key"];

/// What is wrong with one field of a table. The value is not in it: it may be a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldError {
    /// No field has this name.
    Unknown,
    /// A key itself where the name of its variable belongs.
    IsKey,
    /// The field takes this, and it is something else.
    WrongKind(String),
}

/// Returns the fields that a table may have, with what they are where it has them not.
#[must_use]
pub fn fields() -> Table {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(Preset::default()) else {
        unreachable!("a preset is a table");
    };
    NOT_SAID.iter().for_each(|name| drop(fields.remove(*name)));
    fields
}

/// Checks one field of a table and returns it as the table is to have it: where a list belongs, a
/// single word is a list of one.
pub fn field(name: &str, value: Value) -> Result<Value, FieldError> {
    let empty = fields().remove(name).ok_or(FieldError::Unknown)?;
    let value = match value {
        Value::String(_) if empty.is_array() => Value::Array(vec![value]),
        value => value,
    };
    let table = Table::from_iter([(name.to_owned(), value.clone())]);
    let read: Preset = serde_json::from_value(Value::Object(table))
        .map_err(|error| FieldError::WrongKind(takes(&error.to_string())))?;
    let holds_key = |(header, _): (&String, _)| KEY_HEADERS.contains(&header.as_str());
    if !read.key_env.iter().all(|name| is_variable(name)) || read.headers.iter().any(holds_key) {
        return Err(FieldError::IsKey);
    }
    Ok(value)
}

/// Returns what serde expected, in a user's words and without what it found.
fn takes(error: &str) -> String {
    let expected = error.rsplit_once("expected ").map_or("something else", |(_, rest)| rest);
    match expected {
        "a string" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "u32" | "u64" => "a whole number".to_owned(),
        other => other.to_owned(),
    }
}

/// The services that can be chosen: the known ones, and the user's own.
#[derive(Debug, Clone, Default)]
pub struct Providers {
    own: Vec<Arc<Preset>>,
}

impl Providers {
    /// Makes services of tables whose fields were each checked by [`field`], by their names.
    /// Fails where no request could be made of a table.
    pub fn from_tables(
        tables: impl IntoIterator<Item = (String, Table)>,
    ) -> Result<Self, PresetError> {
        let mut own = Vec::new();
        for (id, table) in tables {
            own.push(Arc::new(made(&id, table)?));
        }
        Ok(Providers { own })
    }

    /// Returns every service, each once.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Preset>> {
        let changed = |known: &&Arc<Preset>| self.own.iter().any(|own| own.id == known.id);
        presets().iter().filter(move |known| !changed(known)).chain(&self.own)
    }

    /// Tells whether the user's own tables say something of a service.
    pub(super) fn has_own(&self, id: &str) -> bool {
        self.own.iter().any(|own| own.id == id)
    }

    /// Returns the service of this name or alias.
    #[must_use]
    pub fn preset(&self, id: &str) -> Option<&Arc<Preset>> {
        let is_alias = |preset: &&Arc<Preset>| preset.aliases.iter().any(|own| own == id);
        self.all().find(|preset| preset.id == id).or_else(|| self.all().find(is_alias))
    }
}

fn made(id: &str, table: Table) -> Result<Preset, PresetError> {
    let wrong = |field, detail: String| PresetError { id: id.to_owned(), field, detail };
    if let Some(known) = preset(id).filter(|known| known.id != id) {
        let detail = format!("is another name of `{0}`: write [provider.{0}]", known.id);
        return Err(wrong("name", detail));
    }
    let known: Vec<Table> = serde_json::from_str(TABLE).expect("a test reads presets.json");
    let known = known.into_iter().find(|known| known["id"] == id);
    let is_new = known.is_none();
    if is_new && !table.contains_key("base-url") {
        return Err(wrong("base-url", "is missing".into()));
    }
    let mut whole = known.unwrap_or_default();
    // A known service behind another URL has its official host there, and its key goes there alone.
    if table.contains_key("base-url") {
        whole.remove("hosts");
    }
    whole.extend(table);
    let mut own: Preset = serde_json::from_value(Value::Object(whole))
        .map_err(|_| wrong("table", "has a field that is none".into()))?;
    // The key of another service must not be sent to one that names none.
    own.keyless |= is_new && own.key_env.is_empty();
    own.named(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::{Layer, resolve_with_providers};

    fn table(value: Value) -> Table {
        let Value::Object(table) = value else { panic!("a table") };
        table
            .into_iter()
            .map(|(name, value)| (name.clone(), field(&name, value).unwrap()))
            .collect()
    }

    fn with(id: &str, value: Value) -> Result<Providers, PresetError> {
        Providers::from_tables([(id.to_owned(), table(value))])
    }

    #[test]
    fn a_service_of_ones_own_is_chosen_like_a_known_one() {
        let mine = json!({"base-url": "https://llm.example/v1", "key-env": "MINE_KEY"});
        let providers = with("mine", mine).unwrap();
        let layer = Layer { model: Some(vec!["mine/a/b".into()]), ..Layer::default() };
        let now = resolve_with_providers(layer, None, &providers).unwrap();
        let model = now.spec.model();
        assert_eq!((&*model.preset.id, &*model.request.model), ("mine", "a/b"));
        assert_eq!(model.base_url().as_str(), "https://llm.example/v1");
        assert_eq!((model.key_variable.as_deref(), now.warnings.len()), (Some("MINE_KEY"), 0));
        let url = "https://llm.example/other".parse().unwrap();
        assert_eq!(providers.by_url(&url).unwrap().id, "mine");
    }

    #[test]
    fn two_sets_of_services_have_each_their_own_under_one_name() {
        let at = |url: &str| with("mine", json!({ "base-url": url })).unwrap();
        let (one, other) = (at("https://one.example/v1"), at("https://other.example/v1"));
        let url = |providers: &Providers| providers.preset("mine").unwrap().base_url.clone();
        assert_eq!(url(&one), "https://one.example/v1");
        assert_eq!(url(&other), "https://other.example/v1");
    }

    #[test]
    fn a_service_of_ones_own_that_names_no_key_gets_none() {
        let providers = with("mine", json!({"base-url": "https://llm.example/v1"})).unwrap();
        let layer = Layer { model: Some(vec!["mine/m".into()]), ..Layer::default() };
        let now = resolve_with_providers(layer, None, &providers).unwrap();
        assert_eq!(now.spec.model().key_variable, None);
    }

    #[test]
    fn a_table_with_a_known_name_changes_what_it_says_and_nothing_else() {
        let known = preset("deepseek").unwrap();
        let providers =
            with("deepseek", json!({"base-url": "https://gateway.example/ds"})).unwrap();
        let own = providers.preset("deepseek").unwrap();
        assert_eq!(own.base_url, "https://gateway.example/ds");
        assert_eq!(own.hosts, ["gateway.example"]);
        let back = Preset {
            base_url: known.base_url.clone(),
            hosts: known.hosts.clone(),
            ..Preset::clone(own)
        };
        assert_eq!(back, **known);
        assert_eq!(providers.all().count(), presets().len());
        let providers = with("anthropic", json!({"key-env": ["MY_CLAUDE"]})).unwrap();
        let (own, known) = (providers.preset("anthropic").unwrap(), preset("anthropic").unwrap());
        assert_eq!((own.key_variable(), &own.headers), ("MY_CLAUDE", &known.headers));
    }

    #[test]
    fn what_cannot_be_a_service_is_refused_with_the_field() {
        for (id, value, said) in [
            ("mine", json!({}), "provider `mine`: base-url is missing"),
            ("mine", json!({"base-url": "llm.example"}), "provider `mine`: base-url is not a URL"),
            ("Mine", json!({"base-url": "http://h"}), "provider `Mine`: name may have"),
            ("google", json!({}), "name is another name of `gemini`: write [provider.gemini]"),
        ] {
            let error = with(id, value).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_field_is_told_without_the_value() {
        let takes = |text: &str| FieldError::WrongKind(text.to_owned());
        for (name, value, fault) in [
            ("base_url", json!("x"), FieldError::Unknown),
            ("id", json!("x"), FieldError::Unknown),
            ("key", json!("sk-0123456789abcdef"), FieldError::Unknown),
            ("key-env", json!("sk-0123456789abcdef"), FieldError::IsKey),
            ("key-env", json!(["OK", "sk-0123456789abcdef"]), FieldError::IsKey),
            ("headers", json!({"authorization": "Bearer x"}), FieldError::IsKey),
            ("key-env", json!(5), takes("a list")),
            ("base-url", json!(5), takes("text")),
            ("keyless", json!("yes"), takes("true or false")),
            ("headers", json!("x"), takes("a table")),
            ("max-tokens-default", json!("x"), takes("a whole number")),
            ("dialect", json!("gemini"), takes("`chat` or `anthropic`")),
        ] {
            assert_eq!(field(name, value.clone()), Err(fault), "{name} = {value}");
        }
        assert_eq!(field("key-env", json!("MINE")), Ok(json!(["MINE"])));
    }
}
