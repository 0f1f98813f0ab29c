//! What happens while an agent answers.

use gathering_core::{CallId, Content};
use gathering_models::{Delta, Stop, Usage};
use serde::Serialize;
use serde_json::{Map, Value};

/// Something that happened while an agent answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChatEvent {
    /// It begins: which conversation goes on, and which model answers.
    Conversation {
        /// The conversation.
        conversation_id: String,
        /// The operator's name of the model.
        model: String,
    },
    /// More of the model's text.
    Text {
        /// The piece.
        text: String,
    },
    /// The model is asked again: the text that came since the last event of another kind is void.
    Retry {
        /// Why.
        reason: String,
        /// How long it waits before, in milliseconds.
        after_ms: u64,
    },
    /// The model calls a tool, which runs from now on.
    ToolCall {
        /// What the provider calls the call.
        id: String,
        /// The tool.
        tool: String,
        /// Its arguments.
        arguments: Map<String, Value>,
    },
    /// A call has ended.
    ToolResult {
        /// What the provider calls the call.
        id: String,
        /// The tool.
        tool: String,
        /// Whether it failed.
        is_error: bool,
        /// The code of the failure.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<&'static str>,
        /// What the model is told.
        content: Vec<Content>,
        /// The call in the journal; not there if nothing could be called.
        #[serde(skip_serializing_if = "Option::is_none")]
        call_id: Option<CallId>,
        /// How long it took, in milliseconds.
        duration_ms: f64,
    },
    /// The conversation is longer than the model takes: something is not shown to it any more.
    Context {
        /// How many of the oldest messages are left out.
        left_out: usize,
        /// How many results of tools are shortened.
        shortened: usize,
    },
    /// What the last step took.
    Usage {
        /// Tokens of what was asked.
        input_tokens: u64,
        /// Tokens of what was answered.
        output_tokens: u64,
        /// What it cost, by the configured prices.
        cost: f64,
    },
    /// The agent has answered.
    Done {
        /// The conversation, to go on with.
        conversation_id: String,
        /// The text of the last step.
        text: String,
        /// Why the model stopped.
        stop: Stop,
        /// How often the model was asked.
        steps: u32,
        /// What all steps took.
        usage: Usage,
    },
    /// The agent did not come to an end.
    Error {
        /// The stable code.
        code: &'static str,
        /// What happened and what to do.
        message: String,
        /// The conversation, if something of it was kept to go on with.
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation_id: Option<String>,
        /// What all steps took.
        usage: Usage,
    },
}

impl ChatEvent {
    /// The event's word, such as `tool_call`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conversation { .. } => "conversation",
            Self::Text { .. } => "text",
            Self::Retry { .. } => "retry",
            Self::ToolCall { .. } => "tool_call",
            Self::ToolResult { .. } => "tool_result",
            Self::Context { .. } => "context",
            Self::Usage { .. } => "usage",
            Self::Done { .. } => "done",
            Self::Error { .. } => "error",
        }
    }
}

impl From<Delta> for ChatEvent {
    fn from(delta: Delta) -> Self {
        match delta {
            Delta::Text(text) => Self::Text { text },
            Delta::Retry { reason, after } => {
                Self::Retry { reason, after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX) }
            }
        }
    }
}

impl From<Usage> for ChatEvent {
    fn from(Usage { input_tokens, output_tokens, cost }: Usage) -> Self {
        Self::Usage { input_tokens, output_tokens, cost }
    }
}
