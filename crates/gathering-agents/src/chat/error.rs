//! Why an agent did not answer.

use std::time::Duration;

use gathering_core::{AgentId, StateError, ToolError};
use gathering_models::ModelError;

use crate::check::shortened;
use crate::error::AgentError;

/// Why an agent did not answer. [`ChatError::code`] is stable, for programs; the text is for people.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// There is no such agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The model did not answer.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The agent has used what it may use in a day.
    #[error("{0}")]
    Limited(ToolError),
    /// What was said does not fit.
    #[error("{message}")]
    Invalid {
        /// Where, as a JSON pointer into what was said.
        pointer: &'static str,
        /// What is wrong and what was expected.
        message: String,
    },
    /// The agent has no such conversation.
    #[error(
        "the agent `{agent}` has no conversation `{conversation}`: without `conversation_id` a new one begins"
    )]
    UnknownConversation {
        /// The agent.
        agent: AgentId,
        /// What was asked for, shortened.
        conversation: String,
    },
    /// Somebody else is talking in the conversation.
    #[error(
        "the agent is still answering in the conversation `{conversation}`: wait for `done`, or begin another"
    )]
    Busy {
        /// The conversation.
        conversation: String,
    },
    /// The conversation is as long as one may be.
    #[error("the conversation has come to its limit of {limit}: begin a new one")]
    Full {
        /// What may not be exceeded.
        limit: String,
    },
    /// The last exchange alone is longer than the model takes.
    #[error(
        "what was said last is longer than the model `{model}` takes at once ({window} tokens): say less, or choose a model \
         with a larger `context_window`"
    )]
    TooLong {
        /// The model.
        model: String,
        /// What it takes, in tokens.
        window: u32,
    },
    /// The model was asked as often as it may be.
    #[error(
        "the agent has not come to an end in {steps} steps; say `go on` to let it continue, or raise `chat.steps` in \
         gathering.toml"
    )]
    TooManySteps {
        /// How often it was asked.
        steps: u32,
    },
    /// The same call was made again and again.
    #[error(
        "the agent called `{tool}` {times} times with the same arguments and got the same result: say what else to try"
    )]
    Repeating {
        /// The tool.
        tool: String,
        /// How often.
        times: u32,
    },
    /// The time is over.
    #[error(
        "the agent has not come to an end in {limit:?}; `chat.time` in gathering.toml sets how long it may take"
    )]
    TimedOut {
        /// The time it had.
        limit: Duration,
    },
    /// What was said could not be kept.
    #[error("the conversation could not be saved or read: {0}")]
    State(#[from] StateError),
}

impl ChatError {
    pub(crate) fn unknown(agent: &AgentId, conversation: &str) -> Self {
        Self::UnknownConversation { agent: agent.clone(), conversation: shortened(conversation) }
    }

    /// The stable code, the same over REST, Python and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Agent(error) => error.code(),
            Self::Model(error) => error.code(),
            Self::Limited(error) => error.code(),
            Self::Invalid { .. } => "bad_request",
            Self::UnknownConversation { .. } => "unknown_conversation",
            Self::Busy { .. } => "conversation_busy",
            Self::Full { .. } => "conversation_full",
            Self::TooLong { .. } => "context_too_long",
            Self::TooManySteps { .. } => "too_many_steps",
            Self::Repeating { .. } => "repeating",
            Self::TimedOut { .. } => "timed_out",
            Self::State(StateError::StorageFull(_)) => "storage_full",
            Self::State(StateError::Failed(_)) => "state_failed",
        }
    }
}
