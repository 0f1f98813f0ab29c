//! The errors of the agents' door.

use gathering_core::{AgentId, StateError};

/// Why an agent could not be made, found or changed. [`AgentError::code`] is stable, for programs; the text is for people.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// No agent has this id.
    #[error("there is no agent called `{id}`{}", meant(.nearest))]
    Unknown {
        /// What was asked for, shortened.
        id: String,
        /// Ids that look like it.
        nearest: Vec<String>,
    },
    /// No competency has this id.
    #[error("there is no competency called `{id}`{}", meant(.nearest))]
    UnknownCompetency {
        /// What was asked for, shortened.
        id: String,
        /// Ids that look like it.
        nearest: Vec<String>,
    },
    /// No tool has this name.
    #[error("there is no tool called `{tool}`{}", meant(.nearest))]
    UnknownTool {
        /// What was asked for, shortened.
        tool: String,
        /// Names that look like it.
        nearest: Vec<String>,
    },
    /// Something that was said does not fit.
    #[error("{message}")]
    Invalid {
        /// Where, as a JSON pointer into what was said.
        pointer: &'static str,
        /// What is wrong and what was expected.
        message: String,
    },
    /// A sub-agent never holds more than its parent.
    #[error(
        "a sub-agent holds no more than its parent, and `{parent}` does not hold {}: \
         `gathering agents grant {parent} {}` comes first",
        quoted(.excess), .excess.join(" ")
    )]
    ExceedsParent {
        /// The parent.
        parent: AgentId,
        /// What the parent does not hold, as it would be granted.
        excess: Vec<String>,
    },
    /// What is to be revoked is not held.
    #[error("the agent `{agent}` does not itself hold `{competency}`: {held}")]
    NotHeld {
        /// The agent.
        agent: AgentId,
        /// What was to be revoked, shortened.
        competency: String,
        /// What it holds, as a half-sentence.
        held: String,
    },
    /// Other agents belong to it.
    #[error("`{agent}` is the parent of {}: delete them first, or use cascade", quoted(.children))]
    HasDependents {
        /// The agent.
        agent: AgentId,
        /// Its sub-agents, theirs among them.
        children: Vec<String>,
    },
    /// The change could not be saved, so it was not made.
    #[error("the change was not made, because it could not be saved: {0}")]
    State(#[from] StateError),
}

impl AgentError {
    /// The stable code, the same over REST, MCP, Python and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown_agent",
            Self::UnknownCompetency { .. } => "unknown_competency",
            Self::UnknownTool { .. } => "unknown_tool",
            Self::Invalid { .. } => "bad_request",
            Self::ExceedsParent { .. } => "exceeds_parent",
            Self::NotHeld { .. } => "not_granted",
            Self::HasDependents { .. } => "has_dependents",
            Self::State(StateError::StorageFull(_)) => "storage_full",
            Self::State(StateError::Failed(_)) => "state_failed",
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn meant(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        names => {
            let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("; did you mean {}?", quoted.join(" or "))
        }
    }
}
