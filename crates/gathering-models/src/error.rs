//! Why a model did not answer: a variant for each thing that somebody can do something about.

use std::time::Duration;

use gathering_core::SecretError;

/// How much of what a provider says in an error is told, in characters.
const SAID: usize = 400;

/// Why a model did not answer. [`ModelError::code`] is stable, for programs; the text is for people.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No model is configured.
    #[error(
        "no model is configured: a table such as `[models.main]` in gathering.toml, with `provider = \"openai\"` (or \
         `\"anthropic\"`), `model`, and `url` and `secret` where they are needed, makes one"
    )]
    NoModel,
    /// Several models are configured, and none was named.
    #[error("none of the models {} is the default: `models.default` in gathering.toml names it", quoted(.known))]
    NoDefault {
        /// The models there are.
        known: Vec<String>,
    },
    /// No model is called so.
    #[error("there is no model `{asked}`: what is configured is {}", quoted(.known))]
    Unknown {
        /// What was asked for, shortened.
        asked: String,
        /// The models there are.
        known: Vec<String>,
    },
    /// The key is not there.
    #[error("the key of the model `{model}` is missing: `gathering secrets set {secret}` keeps it")]
    MissingSecret {
        /// The model.
        model: String,
        /// The secret that was to hold it.
        secret: String,
    },
    /// The key cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The provider does not know the key, or it may not do this.
    #[error("the provider of the model `{model}` refuses its key ({said}): {}", mend_key(.model, .secret))]
    Unauthenticated {
        /// The model.
        model: String,
        /// The secret that holds the key, if one is sent.
        secret: Option<String>,
        /// What the provider said.
        said: String,
    },
    /// The account has no credit left, or the like: waiting does not help.
    #[error(
        "the account of the model `{model}` is used up ({said}): its owner has to add credit at the provider"
    )]
    UsedUp {
        /// The model.
        model: String,
        /// What the provider said.
        said: String,
    },
    /// More was asked than the provider takes at the moment.
    #[error("the provider of the model `{model}` takes no more requests at the moment ({said}){}", again(.retry_after))]
    RateLimited {
        /// The model.
        model: String,
        /// What the provider said.
        said: String,
        /// When to ask again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The provider has trouble of its own.
    #[error("the provider of the model `{model}` has trouble of its own ({said}); try again later{}", again(.retry_after))]
    Overloaded {
        /// The model.
        model: String,
        /// What the provider said.
        said: String,
        /// When to ask again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The conversation is longer than the model takes.
    #[error(
        "the conversation is longer than the model `{model}` takes ({said}): begin a new one, or set \
         `models.{model}.context_window` to what it takes, so that it is shortened in time"
    )]
    ContextTooLong {
        /// The model.
        model: String,
        /// What the provider said.
        said: String,
    },
    /// The provider refuses what was asked.
    #[error(
        "the provider of the model `{model}` refuses the request ({said}): check `model` and `url` of `models.{model}`"
    )]
    Refused {
        /// The model.
        model: String,
        /// What the provider said.
        said: String,
    },
    /// What the provider sent is no answer, or more than is taken.
    #[error(
        "what the provider of the model `{model}` sent is no answer: {reason}; check that `models.{model}.url` speaks the \
         format of `{provider}`"
    )]
    BadAnswer {
        /// The model.
        model: String,
        /// The format that was expected.
        provider: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The answer broke off before its end.
    #[error("the answer of the model `{model}` broke off: {reason}; ask again")]
    BrokeOff {
        /// The model.
        model: String,
        /// What happened.
        reason: String,
    },
    /// Nobody answers at the address.
    #[error(
        "the provider of the model `{model}` cannot be reached at {url}: {reason}; check `models.{model}.url` and the network"
    )]
    Unreachable {
        /// The model.
        model: String,
        /// The address.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It took longer than it may.
    #[error("the model `{model}` did not answer in time")]
    TimedOut {
        /// The model.
        model: String,
    },
}

impl ModelError {
    /// The stable code, the same over REST, Python and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoModel | Self::NoDefault { .. } => "no_model",
            Self::Unknown { .. } => "unknown_model",
            Self::MissingSecret { .. } | Self::Secret(_) => "missing_secret",
            Self::Unauthenticated { .. } => "model_unauthenticated",
            Self::UsedUp { .. } => "model_used_up",
            Self::RateLimited { .. } => "model_rate_limited",
            Self::Overloaded { .. } => "model_overloaded",
            Self::ContextTooLong { .. } => "context_too_long",
            Self::Refused { .. } => "model_refused",
            Self::BadAnswer { .. } => "model_bad_answer",
            Self::BrokeOff { .. } => "model_broke_off",
            Self::Unreachable { .. } => "model_unreachable",
            Self::TimedOut { .. } => "timed_out",
        }
    }

    /// Whether the same request may be answered a little later.
    pub(crate) fn passes(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::Overloaded { .. }
                | Self::BrokeOff { .. }
                | Self::Unreachable { .. }
        )
    }

    /// When to ask again, if the provider said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Overloaded { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// What a provider said, short and without characters that move a cursor.
pub(crate) fn said(text: &str) -> String {
    let text = text.trim();
    let shown: String = text.chars().take(SAID).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SAID).is_some() { format!("{shown}...") } else { shown }
}

fn mend_key(model: &str, secret: &Option<String>) -> String {
    match secret {
        Some(secret) => format!("`gathering secrets set {secret}` keeps another"),
        None => format!(
            "none is sent; `models.{model}.secret` names the secret that holds it, and `gathering secrets set NAME` keeps it"
        ),
    }
}

fn again(after: &Option<Duration>) -> String {
    after.map_or_else(String::new, |after| {
        format!("; it says to ask again in {} s", after.as_secs_f64().ceil())
    })
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
