//! What comes of asking a model.

use serde::{Deserialize, Serialize};

use crate::{Message, ToolUse};

/// A part of an answer, as it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// More of the text.
    Text(String),
    /// It is asked again from the beginning: what came of this answer so far is void.
    Retry {
        /// Why.
        reason: String,
        /// How long it waits before.
        after: std::time::Duration,
    },
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The text; may be empty when tools are called.
    pub text: String,
    /// The tools that are to be called, in the model's order.
    pub calls: Vec<ToolUse>,
    /// Why the model stopped.
    pub stop: Stop,
    /// What it took.
    pub usage: Usage,
}

impl Answer {
    /// The answer as a message of the conversation.
    pub fn message(&self) -> Message {
        Message::Assistant { text: self.text.clone(), calls: self.calls.clone() }
    }
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// It was done.
    End,
    /// It waits for the results of its calls.
    Calls,
    /// It came to the most tokens that an answer may have; the end is missing.
    Length,
    /// It, or its provider, declined to go on.
    Refusal,
}

/// What answers took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of what was asked, those that the provider had in its cache among them.
    pub input_tokens: u64,
    /// Tokens of what was answered.
    pub output_tokens: u64,
    /// What it cost, by the configured prices; 0 without them.
    pub cost: f64,
}

impl Usage {
    /// All tokens.
    pub fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cost += other.cost;
    }
}
