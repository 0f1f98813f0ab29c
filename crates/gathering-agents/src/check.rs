//! Checks what is said of an agent before anything is made of it.

use gathering_core::{
    AgentId, AgentLimits, AgentRights, CompetencyId, CompetencyLevel, HeldCompetency, Requirement, ToolName,
    ToolRules,
};
use gathering_host::{Index, Snapshot, nearest};

use crate::error::AgentError;
use crate::known::{Known, Member};
use crate::request::CompetencyGrant;

/// The longest name, provider or model, in characters.
const LONGEST_NAME: usize = 200;
/// The longest instructions, in bytes.
const LONGEST_INSTRUCTIONS: usize = 64 * 1024;
/// How many competencies, and how many tools in a rule, are taken at most.
const MOST: usize = 1_000;

/// A short text of one line, without spaces around it.
pub(crate) fn line(pointer: &'static str, text: &str) -> Result<String, AgentError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_NAME || text.chars().any(char::is_control) {
        let message = format!(
            "`{}` must be one line of 1 to {LONGEST_NAME} characters",
            pointer.trim_start_matches('/')
        );
        return Err(AgentError::Invalid { pointer, message });
    }
    Ok(text.to_owned())
}

pub(crate) fn instructions(text: String) -> Result<String, AgentError> {
    if text.len() > LONGEST_INSTRUCTIONS {
        let message = format!("`instructions` may be {LONGEST_INSTRUCTIONS} bytes long");
        return Err(AgentError::Invalid { pointer: "/instructions", message });
    }
    Ok(text)
}

pub(crate) fn limits(limits: AgentLimits) -> Result<AgentLimits, AgentError> {
    let invalid = |message: &str| AgentError::Invalid { pointer: "/limits", message: message.to_owned() };
    if limits.calls_per_minute == Some(0) {
        return Err(invalid("`calls_per_minute` must be at least 1; leave it out for no limit"));
    }
    if limits.call_seconds.is_some_and(|seconds| !seconds.is_finite() || seconds <= 0.0) {
        return Err(invalid("`call_seconds` must be a number greater than 0; leave it out for no limit"));
    }
    if limits.tokens_per_day == Some(0) {
        return Err(invalid("`tokens_per_day` must be at least 1; leave it out for no limit"));
    }
    if limits.cost_per_day.is_some_and(|cost| !cost.is_finite() || cost <= 0.0) {
        return Err(invalid("`cost_per_day` must be a number greater than 0; leave it out for no limit"));
    }
    Ok(limits)
}

/// The competencies, each registered and named once; the last level that was said of one holds.
pub(crate) fn competencies(
    snapshot: &Snapshot,
    granted: &[CompetencyGrant],
) -> Result<Vec<HeldCompetency>, AgentError> {
    if granted.len() > MOST {
        let message = format!("at most {MOST} competencies are taken");
        return Err(AgentError::Invalid { pointer: "/competencies", message });
    }
    let mut held: Vec<HeldCompetency> = Vec::with_capacity(granted.len());
    for grant in granted {
        let id = competency(snapshot, &grant.id)?;
        level(snapshot, &id, &grant.level)?;
        held.retain(|held| held.id != id);
        held.push(HeldCompetency { id, level: grant.level.clone() });
    }
    Ok(held)
}

/// The registered competency of this id.
pub(crate) fn competency(snapshot: &Snapshot, id: &str) -> Result<CompetencyId, AgentError> {
    snapshot.competencies().get_ignoring_case(id).map(|found| found.id.clone()).ok_or_else(|| {
        let all = snapshot.competencies().list();
        let nearest = nearest(all.iter().map(|competency| &competency.id), id);
        AgentError::UnknownCompetency {
            id: shortened(id),
            nearest: nearest.iter().map(ToString::to_string).collect(),
        }
    })
}

/// Refuses a level that nothing uses: it would satisfy nothing, and is most likely a slip.
fn level(snapshot: &Snapshot, id: &CompetencyId, level: &CompetencyLevel) -> Result<(), AgentError> {
    let CompetencyLevel::Other(word) = level else { return Ok(()) };
    let is_required = || {
        let tools = snapshot.tools().list_by(Index::Competency, id.as_str());
        tools.iter().flat_map(|tool| &tool.required_competencies).any(|r| r.level.as_ref() == Some(level))
    };
    let is_its_own = snapshot.competencies().get(id.as_str()).is_some_and(|found| found.level == *level);
    if is_its_own || is_required() {
        return Ok(());
    }
    let message = format!(
        "`{}` is no level of `{id}`: there are novice, intermediate, advanced and expert",
        shortened(word)
    );
    Err(AgentError::Invalid { pointer: "/competencies", message })
}

/// The rules, of tools that are registered.
pub(crate) fn rules(
    snapshot: &Snapshot,
    allowed: Option<&[String]>,
    denied: &[String],
) -> Result<ToolRules, AgentError> {
    let names = |pointer, names: &[String]| -> Result<Vec<ToolName>, AgentError> {
        if names.len() > MOST {
            return Err(AgentError::Invalid { pointer, message: format!("at most {MOST} tools are taken") });
        }
        names.iter().map(|name| tool(snapshot, name)).collect()
    };
    Ok(ToolRules {
        allowed: allowed.map(|allowed| names("/allowed_tools", allowed)).transpose()?,
        denied: names("/denied_tools", denied)?,
    })
}

fn tool(snapshot: &Snapshot, name: &str) -> Result<ToolName, AgentError> {
    snapshot.tools().get_ignoring_case(name).map(|tool| tool.name.clone()).ok_or_else(|| {
        let all = snapshot.tools().list();
        let nearest = nearest(all.iter().map(|tool| &tool.name), name);
        AgentError::UnknownTool {
            tool: shortened(name),
            nearest: nearest.iter().map(ToString::to_string).collect(),
        }
    })
}

/// Refuses what `parent`, or one above it, does not hold.
pub(crate) fn within_parent(
    snapshot: &Snapshot,
    parent: Option<&AgentRights>,
    held: &[HeldCompetency],
) -> Result<(), AgentError> {
    for above in parent.into_iter().flat_map(AgentRights::lineage) {
        let reach = snapshot.reach(&above.competencies);
        let excess = held.iter().filter_map(|held| {
            let required = Requirement { id: held.id.clone(), level: Some(held.level.clone()) };
            (!reach.satisfies(&required)).then(|| granted_as(held))
        });
        let excess: Vec<_> = excess.collect();
        if !excess.is_empty() {
            return Err(AgentError::ExceedsParent { parent: above.id.clone(), excess });
        }
    }
    Ok(())
}

/// The agent of this id that is there.
pub(crate) fn living<'a>(known: &'a Known, id: &str) -> Result<&'a Member, AgentError> {
    known.at(id).filter(|member| !member.record.deleted).ok_or_else(|| {
        let nearest = nearest(known.living().map(|member| &member.record.id), id);
        AgentError::Unknown { id: shortened(id), nearest: nearest.iter().map(ToString::to_string).collect() }
    })
}

/// An id for an agent called `name` that no agent has had: its letters and digits, and a number if that is taken.
pub(crate) fn new_id(known: &Known, name: &str) -> AgentId {
    let mut word = String::new();
    for c in name.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' | '_' => word.push(c),
            _ if !word.ends_with('-') && !word.is_empty() => word.push('-'),
            _ => {}
        }
    }
    // Room for a hyphen and a number.
    word.truncate(48);
    let word = word.trim_matches(['-', '_']);
    let word = if word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        word.to_owned()
    } else {
        format!("agent-{word}")
    };
    let word = word.trim_end_matches('-');
    let numbered = (2_u64..).map(|number| format!("{word}-{number}"));
    std::iter::once(word.to_owned())
        .chain(numbered)
        .filter(|id| known.at(id).is_none())
        .find_map(|id| AgentId::new(id).ok())
        .expect("there are more numbers than agents")
}

/// How a held competency is written in a command.
pub(crate) fn granted_as(held: &HeldCompetency) -> String {
    if held.level == CompetencyLevel::default() {
        held.id.to_string()
    } else {
        format!("{}:{}", held.id, held.level)
    }
}

pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}
