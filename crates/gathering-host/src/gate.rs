//! The gate: the one function that says whether a caller may call a tool. Listing, search and calls all pass it.

use gathering_core::{Caller, HeldCompetency, PluginStatus, Requirement, ToolError};

use crate::snapshot::Snapshot;
use crate::tool::Tool;

/// Whether `caller` may call `tool`. The operator may call what is loaded; an agent what is enabled and whose required
/// competencies it holds.
pub(crate) fn may_call(snapshot: &Snapshot, caller: &Caller, tool: &Tool) -> Result<(), ToolError> {
    let status = tool.status();
    match (status, caller) {
        (PluginStatus::Enabled, _) | (PluginStatus::Loaded, Caller::Operator) => {}
        (PluginStatus::Disabled, _) => {
            return Err(ToolError::PluginDisabled { tool: tool.name.clone(), plugin: tool.plugin().clone() });
        }
        (status, _) => {
            let reason = "it has to be enabled before agents are offered its tools".to_owned();
            return Err(ToolError::WrongState { plugin: tool.plugin().clone(), status, reason });
        }
    }
    let Caller::Agent { competencies, .. } = caller else { return Ok(()) };
    let missing: Vec<_> = tool
        .required_competencies
        .iter()
        .filter(|requirement| !holds(snapshot, competencies, requirement))
        .cloned()
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(ToolError::MissingCompetency { tool: tool.name.clone(), missing })
    }
}

/// Whether one of `held` is the required competency, or builds on it, at the required level.
fn holds(snapshot: &Snapshot, held: &[HeldCompetency], requirement: &Requirement) -> bool {
    let enough = |held: &HeldCompetency| {
        requirement.level.as_ref().is_none_or(|required| held.level.satisfies(required))
    };
    held.iter().any(|held| held.id == requirement.id && enough(held))
        || held
            .iter()
            .any(|held| enough(held) && snapshot.builds_on(held.id.as_str(), requirement.id.as_str()))
}
