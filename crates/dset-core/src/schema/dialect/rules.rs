//! What each service takes of a schema, as data.

use serde::{Deserialize, Serialize};

/// How a service is asked for answers that fit a schema.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Structured {
    /// `response_format` with a schema, as servers on the user's own machine and many services take
    /// it, each with another engine behind it.
    #[default]
    JsonSchema,
    /// The same in OpenAI's strict form.
    Openai,
    /// OpenAI's strict form, only to routes that take it.
    Openrouter,
    /// OpenAI's strict form for some models, JSON of any kind for the others; never as a stream.
    Groq,
    /// `response_format` with a strict schema whose properties may be optional.
    Mistral,
    /// Gemini's part of JSON Schema.
    Gemini,
    /// `output_config.format`.
    Anthropic,
    /// JSON of any kind; the schema stands in the prompt.
    JsonObject,
    /// Nothing is asked for but in the prompt.
    Prompt,
}

/// What a property that may be absent becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Optional {
    /// It may be absent.
    Kept,
    /// It is required, and may be null.
    Nullable,
}

/// What a service takes of a schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Keywords that limit values and are sent, beside those that every service takes: `type`,
    /// `enum`, `const`, `anyOf`, `$ref`, `properties`, `required`, `items`, `additionalProperties`.
    pub(super) keeps: &'static [&'static str],
    /// Formats that are sent.
    pub(super) formats: &'static [&'static str],
    pub(super) optional: Optional,
    /// Objects whose other properties are not spoken of get none.
    pub(super) closes: bool,
    /// Every object must name its properties, every array its items, every place its type.
    pub(super) is_strict: bool,
    /// A schema may refer to itself.
    pub(super) recursion: bool,
    /// Written for engines that know less: types one by one, constants as lists of one, numbers
    /// and patterns only where all of them agree.
    pub(super) for_engines: bool,
    /// How many properties may be absent, and how many unions there may be.
    pub(super) optional_max: usize,
    pub(super) unions_max: usize,
    /// How many properties there may be, and how deep.
    pub(super) properties_max: usize,
    pub(super) levels_max: usize,
    /// How many values all its enumerations may have, and how many letters one of them that is long.
    pub(super) enum_values_max: usize,
    pub(super) enum_letters_max: usize,
}

const ANY: usize = usize::MAX;

const OPENAI: Rules = Rules {
    keeps: &[],
    formats: &[],
    optional: Optional::Nullable,
    closes: true,
    is_strict: true,
    recursion: true,
    for_engines: false,
    optional_max: ANY,
    unions_max: ANY,
    // https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas".
    properties_max: 5_000,
    levels_max: 10,
    enum_values_max: 1_000,
    enum_letters_max: 15_000,
};

const ANTHROPIC: Rules = Rules {
    formats: &[
        "date-time",
        "time",
        "date",
        "duration",
        "email",
        "hostname",
        "uri",
        "ipv4",
        "ipv6",
        "uuid",
    ],
    optional: Optional::Kept,
    recursion: false,
    optional_max: 24,
    unions_max: 16,
    properties_max: ANY,
    levels_max: ANY,
    enum_values_max: ANY,
    enum_letters_max: ANY,
    ..OPENAI
};

const GEMINI: Rules = Rules {
    keeps: &["minItems", "maxItems", "minimum", "maximum", "prefixItems"],
    formats: &["date-time", "date", "time"],
    optional: Optional::Kept,
    closes: false,
    is_strict: false,
    properties_max: ANY,
    levels_max: ANY,
    enum_values_max: ANY,
    enum_letters_max: ANY,
    ..OPENAI
};

const MISTRAL: Rules = Rules { keeps: &[], formats: &[], closes: true, ..GEMINI };

const ENGINES: Rules = Rules {
    keeps: &["minItems", "maxItems", "minimum", "maximum", "pattern"],
    for_engines: true,
    ..MISTRAL
};

impl Structured {
    /// Returns what is sent of a schema; `None` where none is.
    pub(super) fn rules(self) -> Option<&'static Rules> {
        match self {
            Structured::JsonSchema => Some(&ENGINES),
            Structured::Openai | Structured::Openrouter | Structured::Groq => Some(&OPENAI),
            Structured::Mistral => Some(&MISTRAL),
            Structured::Gemini => Some(&GEMINI),
            Structured::Anthropic => Some(&ANTHROPIC),
            Structured::JsonObject | Structured::Prompt => None,
        }
    }

    /// Returns how this model of the service is asked.
    #[must_use]
    pub fn for_model(self, model: &str) -> Structured {
        match self {
            Structured::Groq if !model.starts_with("openai/gpt-oss") => Structured::JsonObject,
            other => other,
        }
    }
}
