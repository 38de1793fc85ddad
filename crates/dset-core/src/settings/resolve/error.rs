//! What is wrong with settings, and what is worth saying of those that work.

use thiserror::Error;

/// What is wrong with a setting.
#[derive(Debug, Error, PartialEq)]
pub enum SettingsError {
    /// A base URL that is none.
    #[error("`{given}` is not a URL: {detail}")]
    BaseUrl {
        /// What was said.
        given: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A key itself where the name of its variable belongs.
    #[error("--key takes the name of a variable, not the key itself")]
    KeyItself,
    /// A key where the name of a model belongs.
    #[error("--model takes the name of a model, and this looks like a key")]
    KeyForModel,
    /// No name where that of a model belongs.
    #[error("--model is empty")]
    EmptyModel,
    /// A model of one name at two services: answers are told apart by the name alone.
    #[error("{} and {} are asked for `{model}`: a run asks a model at one service", services[0], services[1])]
    ModelTwice {
        /// The model, as both call it.
        model: String,
        /// Their names in settings.
        services: [String; 2],
    },
    /// A number out of range.
    #[error("{name} must be {bounds}, not {given}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// What it may be.
        bounds: &'static str,
        /// What was said.
        given: String,
    },
    /// A service that has no base URL of its own.
    #[error("{provider} is asked at a URL of your own, and none is named")]
    NoBaseUrl {
        /// The service, as people call it.
        provider: String,
    },
    /// A service without a model.
    #[error("--model names {provider} and no model of it")]
    NoModel {
        /// The service's name in settings.
        provider: String,
    },
    /// A model that several services have.
    #[error("several services have the model `{model}`: {}", providers.join(", "))]
    SeveralServices {
        /// The model.
        model: String,
        /// Their names in settings.
        providers: Vec<String>,
    },
    /// A service of which it is not known how it goes on with an answer.
    #[error("--last continue: how {provider} goes on with an answer that has begun is not known")]
    CannotContinue {
        /// The service, as people call it.
        provider: String,
    },
    /// Two settings that exclude each other.
    #[error("{one} and {other} say the same thing twice")]
    Both {
        /// One.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
}

/// Something worth saying about settings that work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The model is gone; another is asked in its place.
    RetiredModel {
        /// What was said.
        given: String,
        /// Since when it is gone, `YYYY-MM-DD`.
        since: String,
        /// What is asked.
        used: String,
        /// With reasoning or without.
        reasoning: bool,
    },
    /// The temperature is not sent: the service takes none while the model reasons.
    TemperatureLeftOut {
        /// The service, as people call it.
        provider: String,
    },
    /// Answers are not streamed: the service streams none that are to fit a schema.
    NotStreamed {
        /// The service, as people call it.
        provider: String,
    },
    /// A field of the request makes calls cost something else than what prices are counted by.
    OtherPrice {
        /// The field.
        field: &'static str,
        /// The model.
        model: String,
    },
    /// A field of the request makes calls cost something that is in no count of tokens.
    BilledApart {
        /// The field.
        field: &'static str,
    },
    /// The key will cross a network unencrypted.
    KeyInClear {
        /// To this host.
        host: String,
    },
}
