//! What an answer is known by: a hash of the request that bought it.
//!
//! Everything the user can set that changes the answer goes in (rendered messages, model,
//! parameters), and nothing else: not the row number, the file's name or the endpoint. So rows may
//! be added, removed or reordered, and only what changed is asked. Blanks around a question are
//! sent and are no part of its key (see [`crate::template::Rendered::keyed`]). The layout hashed here is a
//! format on disk: a change of it would buy every answer again, hence `VERSION` and the test.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::item::Item;
use crate::item::content::{Turn, canonical_json};
use crate::item::params::Params;
use crate::item::question::Key;
use crate::planted::{PlantedBug, planted};
use crate::template::Rendered;

/// The version of what is hashed; part of every hash.
const VERSION: u32 = 1;

/// What every hash of a chat begins with, its version among it.
const CHAT_DOMAIN: &[u8] = b"chat/1\n";

/// Whatever of the settings changes an answer. An absent value is left out of the text that is
/// hashed, so that a setting added later changes no key of those who do not use it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestSettings {
    /// The model's name on the wire.
    pub model: String,
    /// The source of the template of the user message.
    pub template: String,
    /// The system prompt, or the source of its template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// It is a template. One that was sent as it stands by a version that knew none stays so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub system_is_template: bool,
    /// The most tokens an answer may have; the service's own limit where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Sampling temperature; the service's own where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Whether the model is to reason; the service's own choice where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<bool>,
    /// How much it is to reason, in the service's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    /// The schema that the answer has to fit, in its canonical text. How it is conveyed is no part of
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Further fields of the body.
    #[serde(rename = "param", default, skip_serializing_if = "Params::is_empty")]
    pub params: Params,
}

/// Tells a model from the others of a run, see [`RequestSettings::model_hash`].
pub type ModelHash = u64;

/// A hash of settings, as it stands beside every answer.
pub type SettingsHash = [u8; 16];

/// A hash of one rendered request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// Returns the part that a plan keeps of every row, to notice a change.
    #[must_use]
    pub fn short(self) -> u64 {
        u64::from_be_bytes(self.0[..8].try_into().expect("eight of sixteen bytes"))
    }
}

/// Hashes requests under one set of settings.
#[derive(Debug, Clone)]
pub struct RequestHasher {
    prefix: [u8; 16],
    buffer: Vec<u8>,
    /// The settings with the system prompt and the fields of the row before, whose hash is the prefix.
    settings: Box<RequestSettings>,
    /// The fields that every request has.
    params: Params,
    /// Those that the row before brought along.
    of_row: Option<Arc<Params>>,
}

impl RequestSettings {
    /// Returns the canonical text of these settings, which is stored beside their hash.
    #[must_use]
    pub fn canonical_json(&self) -> String {
        serde_json::to_string(self).expect("settings are plain values")
    }

    /// Reads that text back; `None` where it is none, as with the settings of the original script.
    #[must_use]
    pub fn from_canonical_json(text: &str) -> Option<RequestSettings> {
        serde_json::from_str(text).ok()
    }

    /// Hashes these settings, the template and the system prompt by their source.
    #[must_use]
    pub fn hash(&self) -> SettingsHash {
        xxh3_128(format!("settings/{VERSION}\n{}", self.canonical_json()).as_bytes()).to_be_bytes()
    }

    /// Hashes what tells the models of one run apart: the name, and whether it thinks, which two
    /// retired names of one model differ in. All else is the same for all of them.
    #[must_use]
    pub fn model_hash(&self) -> ModelHash {
        let (model, reasoning) = (self.model.clone(), self.reasoning);
        xxh3_64(
            RequestSettings { model, reasoning, ..RequestSettings::default() }
                .canonical_json()
                .as_bytes(),
        )
    }

    /// Tells whether other settings make the same prompts of a row.
    #[must_use]
    pub fn has_prompts_of(&self, other: &RequestSettings) -> bool {
        self.template == other.template
            && self.system == other.system
            && self.system_is_template == other.system_is_template
    }

    /// Returns the system prompt that every row has, where it is sent as it stands.
    #[must_use]
    pub fn fixed_system(&self) -> Option<&str> {
        self.system.as_deref().filter(|_| !self.system_is_template)
    }

    /// Returns the hasher of requests under these settings. The templates are no part of a request;
    /// what they render is.
    #[must_use]
    pub fn request_hasher(&self) -> RequestHasher {
        let mut rendered = RequestSettings { template: String::new(), ..self.clone() };
        if planted(PlantedBug::KeyLacksAParameter) {
            rendered.temperature = None;
        }
        if std::mem::take(&mut rendered.system_is_template) {
            rendered.system = None;
        }
        let prefix = rendered.prefix();
        let params = rendered.params.clone();
        let settings = Box::new(rendered);
        RequestHasher { prefix, buffer: Vec::new(), settings, params, of_row: None }
    }

    fn prefix(&self) -> [u8; 16] {
        xxh3_128(format!("request/{VERSION}\n{}", self.canonical_json()).as_bytes()).to_be_bytes()
    }
}

impl RequestHasher {
    /// Hashes the request of an item: its turns where it is a chat, with what else it brings along.
    pub fn fingerprint_of_item(&mut self, item: &Item<'_>, rendered: &Rendered<'_>) -> Fingerprint {
        self.set_params(item.params);
        match item.turns {
            Some(turns) => self.fingerprint_of_chat(turns, rendered.system.as_deref()),
            None => self.fingerprint_of(rendered),
        }
    }

    /// Hashes the request of a row. A system prompt counts by what it says, however it was made.
    pub(crate) fn fingerprint_of(&mut self, rendered: &Rendered<'_>) -> Fingerprint {
        self.set_system(rendered.system.as_deref());
        self.fingerprint(rendered.keyed())
    }

    /// Hashes the request of a chat with this system prompt, in a domain of its own: no text has the
    /// key of a chat.
    pub(crate) fn fingerprint_of_chat(
        &mut self,
        turns: &[Turn],
        system: Option<&str>,
    ) -> Fingerprint {
        self.set_system(system);
        self.buffer.clear();
        self.buffer.extend_from_slice(CHAT_DOMAIN);
        self.buffer.extend_from_slice(&self.prefix);
        self.buffer.extend_from_slice(canonical_json(turns).as_bytes());
        Fingerprint(xxh3_128(&self.buffer).to_be_bytes())
    }

    /// Takes the fields that a row brings along, for its request and those after it.
    fn set_params(&mut self, of_row: Option<&Arc<Params>>) {
        if self.of_row.as_ref() != of_row {
            self.of_row = of_row.map(Arc::clone);
            self.settings.params = match of_row {
                Some(own) => own.over(&self.params),
                None => self.params.clone(),
            };
            self.prefix = self.settings.prefix();
        }
    }

    fn set_system(&mut self, system: Option<&str>) {
        if self.settings.system.as_deref() != system {
            self.settings.system = system.map(str::to_owned);
            self.prefix = self.settings.prefix();
        }
    }

    /// Hashes the request with this user message, and the same system prompt as the one before.
    pub fn fingerprint(&mut self, prompt: &str) -> Fingerprint {
        self.buffer.clear();
        self.buffer.extend_from_slice(&self.prefix);
        self.buffer.extend_from_slice(prompt.as_bytes());
        Fingerprint(xxh3_128(&self.buffer).to_be_bytes())
    }
}

/// Returns the key of the `ordinal`-th identical request (from 0) of a generation.
#[must_use]
pub fn key(fingerprint: Fingerprint, sample: u32, ordinal: u32, generation: u32) -> Key {
    let mut bytes = [0; 28];
    bytes[..16].copy_from_slice(&fingerprint.0);
    bytes[16..20].copy_from_slice(&sample.to_le_bytes());
    bytes[20..24].copy_from_slice(&ordinal.to_le_bytes());
    bytes[24..].copy_from_slice(&generation.to_le_bytes());
    Key(xxh3_128(&bytes).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RequestSettings {
        RequestSettings {
            model: "deepseek-flash".into(),
            template: crate::template::DEFAULT_TEMPLATE.into(),
            ..RequestSettings::default()
        }
    }

    #[test]
    fn the_hashes_on_disk_do_not_change_between_versions() {
        let key = key(settings().request_hasher().fingerprint("What is CRISPR?"), 0, 0, 0);
        assert_eq!(format!("{key:?}"), "2c8e2f36d5070ec41a5636f8719bca5a");
        let hash = Key(settings().hash());
        assert_eq!(format!("{hash:?}"), "db16dba36ca2dced95b813734c463445");
    }

    #[test]
    fn a_chat_has_a_key_of_its_own_domain_which_does_not_change_between_versions() {
        use crate::item::content::Role;
        let turn = |role, text: &str| Turn { role, text: text.into() };
        let chat = [turn(Role::System, "Be brief."), turn(Role::User, "What is CRISPR?")];
        let mut hasher = settings().request_hasher();
        let print = hasher.fingerprint_of_chat(&chat, None);
        assert_eq!(format!("{:?}", key(print, 0, 0, 0)), "117d083679a3e5855c80b3a6527e707b");
        let json = canonical_json(&chat);
        assert_eq!(
            json,
            r#"[{"role":"system","text":"Be brief."},{"role":"user","text":"What is CRISPR?"}]"#
        );
        assert_ne!(hasher.fingerprint(&json), print, "a text that says the same");
        let one = [turn(Role::User, "What is CRISPR?")];
        assert_ne!(hasher.fingerprint_of_chat(&one, None), hasher.fingerprint("What is CRISPR?"));
        let other = [turn(Role::Assistant, "What is CRISPR?")];
        assert_ne!(
            hasher.fingerprint_of_chat(&one, None),
            hasher.fingerprint_of_chat(&other, None)
        );
    }

    #[test]
    fn the_text_of_settings_is_read_back_as_it_was() {
        let all = RequestSettings {
            system: Some("Be brief.".into()),
            max_tokens: Some(9),
            temperature: Some(0.7),
            reasoning: Some(false),
            reasoning_effort: Some("low".into()),
            params: r#"{"top_p":0.5,"stop":["x"]}"#.parse().unwrap(),
            schema: Some(r#"{"type":"object"}"#.into()),
            ..settings()
        };
        for settings in [settings(), all] {
            assert_eq!(
                RequestSettings::from_canonical_json(&settings.canonical_json()),
                Some(settings)
            );
        }
        assert_eq!(RequestSettings::from_canonical_json("the original script"), None);
    }

    #[test]
    fn a_system_prompt_counts_by_what_it_says_however_it_was_made() {
        let literal = |system: Option<&str>| {
            let system = system.map(str::to_owned);
            RequestSettings { system, ..settings() }.request_hasher().fingerprint("a")
        };
        let template = RequestSettings {
            system: Some("You know {{ topic }}.".into()),
            system_is_template: true,
            ..settings()
        };
        let mut hasher = template.request_hasher();
        for system in [None, Some("You know geo."), Some("You know geo."), Some("x"), None] {
            let rendered =
                Rendered { user: "a".into(), keyed_user: None, system: system.map(Into::into) };
            assert_eq!(hasher.fingerprint_of(&rendered), literal(system), "{system:?}");
        }
        // What was sent as it stands keeps its key and its settings.
        let before = RequestSettings { system_is_template: false, ..template.clone() };
        assert!(!before.canonical_json().contains("is_template"));
        assert_ne!(before.hash(), template.hash());
        assert_eq!(
            RequestSettings::from_canonical_json(&template.canonical_json()),
            Some(template)
        );
    }

    #[test]
    fn what_a_row_brings_along_counts_as_if_it_had_been_said_for_all() {
        let print = |all: &str, row: Option<&str>| {
            let params = all.parse().unwrap();
            let mut hasher = RequestSettings { params, ..settings() }.request_hasher();
            hasher.set_params(row.map(|row| Arc::new(row.parse().unwrap())).as_ref());
            let of_row = hasher.fingerprint("a");
            hasher.set_params(None);
            (of_row, hasher.fingerprint("a"))
        };
        let none = settings().request_hasher().fingerprint("a");
        assert_eq!(print("{}", Some("top_p=0.5")), (print("top_p=0.5", None).0, none));
        assert_eq!(print("{}", Some("{}")), (none, none));
        let (both, all) = print(r#"{"seed":1,"top_p":1}"#, Some("top_p=0.5"));
        assert_eq!(both, print(r#"{"seed":1,"top_p":0.5}"#, None).0);
        assert_eq!(all, print(r#"{"top_p":1,"seed":1}"#, None).0);
    }

    #[test]
    fn every_parameter_changes_the_key_and_the_template_only_through_what_it_renders() {
        let prompt = "a";
        let base = settings();
        let print = |s: &RequestSettings| s.request_hasher().fingerprint(prompt);
        let changed = [
            RequestSettings { model: "other".into(), ..base.clone() },
            RequestSettings { system: Some(String::new()), ..base.clone() },
            RequestSettings { max_tokens: Some(1), ..base.clone() },
            RequestSettings { temperature: Some(0.0), ..base.clone() },
            RequestSettings { reasoning: Some(true), ..base.clone() },
            RequestSettings { reasoning: Some(false), ..base.clone() },
            RequestSettings { reasoning_effort: Some("low".into()), ..base.clone() },
            RequestSettings { params: "top_p=0.5".parse().unwrap(), ..base.clone() },
            RequestSettings { params: "top_k=5".parse().unwrap(), ..base.clone() },
            RequestSettings { schema: Some("{}".into()), ..base.clone() },
        ];
        for (at, one) in changed.iter().enumerate() {
            assert_ne!(print(one), print(&base));
            assert_ne!(one.hash(), base.hash());
            for other in &changed[..at] {
                assert_ne!(print(one), print(other));
            }
        }
        let template = RequestSettings { template: "{{ question }} ".into(), ..base.clone() };
        assert_eq!(print(&template), print(&base));
        assert_ne!(template.hash(), base.hash());
    }
}
