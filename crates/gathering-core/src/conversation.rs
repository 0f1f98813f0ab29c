//! Conversations of agents, as they are kept over a restart, and the contract of whatever keeps them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AgentId, StateError};

/// What is known of a conversation without reading it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationRecord {
    /// What it is called by: 32 hexadecimal digits.
    pub id: String,
    /// Whose it is.
    pub agent: AgentId,
    /// What it is about: the beginning of the first message.
    pub title: String,
    /// The operator's name of the model that answered last.
    pub model: String,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// When something was last said, in milliseconds since 1970-01-01 UTC.
    pub updated_ms: u64,
    /// How many messages it has.
    pub messages: u64,
    /// How many tokens its answers have taken as input.
    pub input_tokens: u64,
    /// How many tokens its answers have.
    pub output_tokens: u64,
    /// What its answers have cost, by the configured prices.
    pub cost: f64,
}

/// Keeps conversations over a restart. What a message is, is known to whoever leads them. Its methods may block.
pub trait ConversationStore: Send + Sync {
    /// The conversations of an agent; the one in which something was said last comes first.
    fn conversations(&self, agent: &AgentId) -> Result<Vec<ConversationRecord>, StateError>;

    /// A conversation and its messages, oldest first.
    fn conversation(
        &self,
        agent: &AgentId,
        id: &str,
    ) -> Result<Option<(ConversationRecord, Vec<Value>)>, StateError>;

    /// Adds messages to the end of a conversation, which begins with them if it is not there, and keeps `record` as it is
    /// now. They are durable when this returns.
    fn continue_conversation(
        &self,
        record: &ConversationRecord,
        messages: &[Value],
    ) -> Result<(), StateError>;

    /// Forgets a conversation. False if there was none.
    fn remove_conversation(&self, agent: &AgentId, id: &str) -> Result<bool, StateError>;
}
