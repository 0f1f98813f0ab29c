//! Instructions of competencies: what somebody is told who holds one.

use serde::Serialize;

use crate::{AgentId, CompetencyId};

/// The instructions of a competency, or a file beside them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instructions {
    /// The competency.
    pub id: CompetencyId,
    /// The text: Markdown, if no other file was asked for.
    pub text: String,
    /// The files beside the instructions, each to be asked for by this name.
    pub files: Vec<String>,
}

/// Why there are no instructions to be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstructionsError {
    /// No competency has this id.
    #[error("there is no competency called `{id}`{}", meant(.nearest))]
    Unknown {
        /// What was asked for, shortened.
        id: String,
        /// Ids that look like it.
        nearest: Vec<CompetencyId>,
    },
    /// Only who holds a competency reads its instructions.
    #[error(
        "the agent `{agent}` does not hold `{id}`; the operator grants it with `gathering agents grant {agent} {id}`, if its \
         plugin is enabled"
    )]
    NotHeld {
        /// The competency.
        id: CompetencyId,
        /// The agent.
        agent: AgentId,
    },
    /// The competency has none.
    #[error("the competency `{0}` has no instructions: it did not come from a folder with a `SKILL.md`")]
    None(CompetencyId),
    /// The file cannot be read.
    #[error("`{file}` of the competency `{id}` cannot be read: {reason}")]
    File {
        /// The competency.
        id: CompetencyId,
        /// The file, shortened.
        file: String,
        /// Why.
        reason: String,
    },
}

impl InstructionsError {
    /// The stable code, the same over REST, MCP, Python and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown_competency",
            Self::NotHeld { .. } => "missing_competency",
            Self::None(_) => "no_instructions",
            Self::File { .. } => "unknown_file",
        }
    }
}

fn meant(nearest: &[CompetencyId]) -> String {
    let quoted: Vec<_> = nearest.iter().map(|id| format!("`{id}`")).collect();
    if quoted.is_empty() { String::new() } else { format!("; did you mean {}?", quoted.join(" or ")) }
}
