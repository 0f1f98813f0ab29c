//! The gate: the one function that says whether a caller may call a tool. Listing, search and calls all pass it.

use std::time::{Duration, Instant};

use gathering_core::{AgentRights, Caller, Origin, PluginStatus, RateLimit, ToolError};

use crate::host::Inner;
use crate::snapshot::Snapshot;
use crate::tool::Tool;
use crate::view::View;

/// Whether `caller` may call `tool`. The operator may call what is loaded; an agent what is enabled, whose required
/// competencies it holds, which its rules let it call, and which no other agent made.
pub(crate) fn may_call(
    host: &Inner,
    snapshot: &Snapshot,
    caller: &Caller,
    tool: &Tool,
) -> Result<(), ToolError> {
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
    let Caller::Agent(rights) = caller else { return Ok(()) };
    within(host, rights, &host.views.of(snapshot, rights), tool)
}

/// Whether these rights, of which `view` knows what they amount to, let `tool` be called.
pub(crate) fn within(host: &Inner, rights: &AgentRights, view: &View, tool: &Tool) -> Result<(), ToolError> {
    for (rights, reach) in rights.lineage().zip(view.reaches()) {
        let agent = &rights.id;
        if rights.is_withdrawn() {
            let reason = format!(
                "the agent `{agent}` is gone, or something was taken from it after this call began: call again"
            );
            return Err(ToolError::Forbidden { reason });
        }
        let required = tool.required_competencies.iter();
        let missing: Vec<_> = required.filter(|requirement| !reach.satisfies(requirement)).cloned().collect();
        if !missing.is_empty() {
            return Err(ToolError::MissingCompetency {
                tool: tool.name.clone(),
                agent: agent.clone(),
                missing,
            });
        }
        if !rights.tools.permit(&tool.name) {
            let reason = format!(
                "the agent `{agent}` may not call `{}`, whatever it holds: `gathering agents show {agent}` shows which \
                 tools it may call, and `gathering agents update` changes it",
                tool.name
            );
            return Err(ToolError::Forbidden { reason });
        }
    }
    // Only what was made of code has a maker.
    if tool.instance.grants().origin == Origin::Agent
        && let Some(maker) = host.maker(tool.plugin())
        && !rights.are_within(&maker.id)
    {
        let reason = format!(
            "`{}` is of the agent `{}`, which made it: others may call it when the operator has promoted its plugin with \
             `gathering plugins promote {}`",
            tool.name,
            maker.id,
            tool.plugin()
        );
        return Err(ToolError::Forbidden { reason });
    }
    Ok(())
}

/// Counts a call against the limits of `caller` and of those whose rights bound its own.
pub(crate) fn count_call(caller: &Caller) -> Result<(), ToolError> {
    let Caller::Agent(rights) = caller else { return Ok(()) };
    let now = Instant::now();
    for rights in rights.lineage() {
        let Some(per_minute) = rights.limits.calls_per_minute else { continue };
        rights.usage.count(per_minute, now).map_err(|retry_after| ToolError::RateLimited {
            agent: rights.id.clone(),
            limit: RateLimit::CallsPerMinute(per_minute),
            retry_after,
        })?;
    }
    Ok(())
}

/// The longest that a call of `caller` may take, if its limits say so.
pub(crate) fn longest_call(caller: &Caller) -> Option<Duration> {
    let Caller::Agent(rights) = caller else { return None };
    let limits = rights.lineage().filter_map(|rights| rights.limits.call_seconds);
    limits.min_by(f64::total_cmp).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}
