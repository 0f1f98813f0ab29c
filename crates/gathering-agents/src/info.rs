//! What is shown of an agent.

use gathering_core::{AgentId, AgentLimits, AgentRecord, HeldCompetency, ToolName};
use serde::Serialize;

/// What is known of an agent, without what its token could be found by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentInfo {
    /// The agent.
    pub id: AgentId,
    /// Its name for people.
    pub name: String,
    /// What it holds.
    pub competencies: Vec<HeldCompetency>,
    /// The only tools that it may call; `None`: all that its competencies open to it.
    pub allowed_tools: Option<Vec<ToolName>>,
    /// Tools that it may not call, whatever it holds.
    pub denied_tools: Vec<ToolName>,
    /// How much it may do.
    pub limits: AgentLimits,
    /// The provider of its model.
    pub provider: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// What it is told before everything else.
    pub instructions: String,
    /// The agent whose rights bound its own.
    pub parent: Option<AgentId>,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
}

impl From<&AgentRecord> for AgentInfo {
    fn from(record: &AgentRecord) -> Self {
        Self {
            id: record.id.clone(),
            name: record.name.clone(),
            competencies: record.competencies.clone(),
            allowed_tools: record.tools.allowed.clone(),
            denied_tools: record.tools.denied.clone(),
            limits: record.limits.clone(),
            provider: record.provider.clone(),
            model: record.model.clone(),
            instructions: record.instructions.clone(),
            parent: record.parent.clone(),
            created_ms: record.created_ms,
        }
    }
}

/// An agent and its token, which is told this once and kept nowhere.
#[derive(Clone)]
pub struct NewToken {
    /// The agent.
    pub agent: AgentInfo,
    /// What it is known by: `gat_` and 256 random bits in hexadecimal digits.
    pub token: String,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("agent", &self.agent).finish_non_exhaustive()
    }
}
