//! Asking a language model: what a plugin asks of the host, and what comes of it.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::{BoxFuture, Caller};

/// Something that a language model is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    /// The question.
    pub message: String,
    /// What the model is told before it; may be empty.
    pub system: String,
    /// The model: the operator's name of one, or what its provider calls it; `None`: the default.
    pub model: Option<String>,
    /// When it is given up.
    pub deadline: Instant,
}

/// What a language model answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The answer.
    pub text: String,
    /// The operator's name of the model.
    pub model: String,
    /// Whether it is whole: it can come to the most tokens that an answer may have, or be declined in the middle.
    pub complete: bool,
    /// Tokens of what was asked.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// What it cost, by the prices that are configured; 0 without them.
    pub cost: f64,
}

/// Why a language model did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AskingRefused {
    /// The stable code, the same as over REST.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

/// Asks language models. Dropping the future ends the request.
pub trait LanguageModels: Send + Sync {
    /// Asks for `caller`, whose limits hold.
    fn ask<'a>(&'a self, caller: &'a Caller, asking: Asking) -> BoxFuture<'a, Result<Asked, AskingRefused>>;
}
