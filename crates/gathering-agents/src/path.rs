//! Learning paths: what an agent has to be granted to hold a competency, and which tools each step opens to it.

use std::collections::HashSet;
use std::sync::Arc;

use gathering_core::{AgentId, AgentRights, Caller, CompetencyId, HeldCompetency, Requirement, ToolName};
use serde::Serialize;

use crate::agents::Agents;
use crate::check;
use crate::error::AgentError;
use crate::request::CompetencyGrant;

/// What lies between an agent and a competency.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LearningPath {
    /// The agent.
    pub agent_id: AgentId,
    /// Where it leads.
    pub competency_id: CompetencyId,
    /// Whether the agent holds it, by itself or through one that builds on it.
    pub held: bool,
    /// The way there: prerequisites first, the competency last.
    pub steps: Vec<Step>,
    /// What grants it; `None` if it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_command: Option<String>,
}

/// A competency on the way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The competency.
    pub competency_id: CompetencyId,
    /// Whether the agent holds it, by itself or through one that builds on it.
    pub held: bool,
    /// The tools that it may call with it and the steps before, and may not call without it.
    pub gains: Vec<ToolName>,
}

impl Agents {
    /// What lies between an agent and a competency, written `id` or `id:level`.
    pub fn learning_path(&self, id: &str, to: &str) -> Result<LearningPath, AgentError> {
        let rights = self.rights(id)?;
        let snapshot = self.host().snapshot();
        let goal = check::competencies(&snapshot, &[CompetencyGrant::from(to)])?.remove(0);
        let holds = |held: &[HeldCompetency], wanted: &CompetencyId, level: Option<&HeldCompetency>| {
            let level = level.map(|goal| goal.level.clone());
            snapshot.reach(held).satisfies(&Requirement { id: wanted.clone(), level })
        };
        let wanted_level = to.contains(':').then_some(&goal);
        let mut held = rights.competencies.clone();
        let mut open: HashSet<ToolName> = self.open_to(&rights, &held).into_iter().collect();
        let mut steps = Vec::new();
        for step in snapshot.learning_path(goal.id.as_str()) {
            let is_goal = step == goal.id;
            let level = if is_goal { wanted_level } else { None };
            let is_held = holds(&rights.competencies, &step, level);
            let mut gains = Vec::new();
            if !holds(&held, &step, level) {
                held.retain(|held| held.id != step);
                held.push(HeldCompetency {
                    level: if is_goal { goal.level.clone() } else { Default::default() },
                    id: step.clone(),
                });
                gains = self.open_to(&rights, &held);
                gains.retain(|tool| open.insert(tool.clone()));
            }
            steps.push(Step { competency_id: step, held: is_held, gains });
        }
        let is_held = steps.last().is_some_and(|goal| goal.held);
        Ok(LearningPath {
            agent_id: rights.id.clone(),
            grant_command: (!is_held)
                .then(|| format!("gathering agents grant {} {}", rights.id, check::granted_as(&goal))),
            competency_id: goal.id,
            held: is_held,
            steps,
        })
    }

    /// The tools that an agent could call if it held `competencies`.
    fn open_to(&self, rights: &AgentRights, competencies: &[HeldCompetency]) -> Vec<ToolName> {
        let mut supposed = AgentRights::new(rights.id.clone(), competencies.to_vec());
        supposed.tools = rights.tools.clone();
        supposed.parent = rights.parent.clone();
        let tools = self.host().tools_for(&Caller::Agent(Arc::new(supposed)));
        tools.iter().map(|tool| tool.name.clone()).collect()
    }
}
