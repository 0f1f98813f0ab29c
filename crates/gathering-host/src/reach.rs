//! What somebody who holds some competencies is past: these, and all that they build on.

use std::collections::{HashMap, HashSet};

use gathering_core::{
    CompetencyDefinition, CompetencyId, CompetencyLevel, HeldCompetency, Origin, Requirement,
};

use crate::snapshot::Snapshot;

/// What held competencies amount to. [`Snapshot::reach`] works it out once; a requirement is then looked up.
#[derive(Debug, Default)]
pub struct Reach {
    /// For each competency that is held or built on, the levels at which those are held that lead there.
    levels: HashMap<CompetencyId, Vec<CompetencyLevel>, ahash::RandomState>,
}

impl Reach {
    /// Whether the required competency, or one that builds on it, is held at the required level.
    pub fn satisfies(&self, requirement: &Requirement) -> bool {
        self.levels.get(&requirement.id).is_some_and(|levels| match &requirement.level {
            None => true,
            Some(required) => levels.iter().any(|held| held.satisfies(required)),
        })
    }
}

impl Snapshot {
    /// What `held` amounts to. What a competency builds on counts only if no agent made it: else an agent could say of one
    /// that it holds that it builds on whatever it wants.
    pub fn reach(&self, held: &[HeldCompetency]) -> Reach {
        let mut reach = Reach::default();
        for HeldCompetency { id, level } in held {
            let mut seen: HashSet<&CompetencyId> = HashSet::from([id]);
            let mut left = vec![id];
            while let Some(id) = left.pop() {
                let levels = reach.levels.entry(id.clone()).or_default();
                if !levels.contains(level) {
                    levels.push(level.clone());
                }
                if let Some(competency) = self.competencies.get(id.as_str())
                    && !self.is_of_agents(competency)
                {
                    left.extend(
                        competency.prerequisites.iter().filter(|prerequisite| seen.insert(prerequisite)),
                    );
                }
            }
        }
        reach
    }

    /// Whether the competency comes from a plugin that an agent made.
    fn is_of_agents(&self, competency: &CompetencyDefinition) -> bool {
        let plugin = competency.plugin_id.as_ref().and_then(|id| self.plugins.get(id.as_str()));
        plugin.and_then(|entry| entry.instance.as_ref()).is_some_and(|i| i.grants().origin == Origin::Agent)
    }
}
