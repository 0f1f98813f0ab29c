//! Everything that is registered, at one moment: readers hold one of these and nothing changes under them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gathering_core::{CompetencyDefinition, CompetencyId, FileHandlerDefinition, PluginId};

use crate::entry::Entry;
use crate::error::PluginError;
use crate::file_handlers::Choices;
use crate::table::{Definition, Index, Table, Taken};
use crate::tool::Tool;

/// The registries and the plugins of one generation.
#[derive(Clone, Default)]
pub struct Snapshot {
    pub(crate) generation: u64,
    pub(crate) plugins: Table<Entry>,
    pub(crate) tools: Table<Tool>,
    pub(crate) competencies: Table<CompetencyDefinition>,
    pub(crate) file_handlers: Table<FileHandlerDefinition>,
    /// Which plugin handles a format that several claim.
    pub(crate) choices: Arc<Choices>,
}

impl Snapshot {
    /// Counts up by one with each change.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The registered tools.
    pub fn tools(&self) -> &Table<Tool> {
        &self.tools
    }

    /// The registered competencies.
    pub fn competencies(&self) -> &Table<CompetencyDefinition> {
        &self.competencies
    }

    /// The registered file handlers.
    pub fn file_handlers(&self) -> &Table<FileHandlerDefinition> {
        &self.file_handlers
    }

    /// What has to be held directly before the competency `id`; empty if it is unknown.
    pub fn prerequisites(&self, id: &str) -> Vec<CompetencyId> {
        self.competencies.get(id).map(|competency| competency.prerequisites.clone()).unwrap_or_default()
    }

    /// Everything that has to be held before the competency `id`, without itself, sorted; empty if it is unknown.
    pub fn all_prerequisites(&self, id: &str) -> Vec<CompetencyId> {
        let mut path = self.learning_path(id);
        path.pop();
        path.sort();
        path
    }

    /// The competencies that build on `id` directly, in the order of registration.
    pub fn dependents(&self, id: &str) -> Vec<CompetencyId> {
        self.competencies
            .list_by(Index::Prerequisite, id)
            .iter()
            .map(|competency| competency.id.clone())
            .collect()
    }

    /// What to learn to hold the competency `id`, prerequisites first, ending with `id`; empty if it is unknown.
    pub fn learning_path(&self, id: &str) -> Vec<CompetencyId> {
        let Some(goal) = self.competencies.get(id) else { return Vec::new() };
        let mut path = Vec::new();
        let mut seen = HashSet::from([goal.id.clone()]);
        // Depth first with a stack of its own: chains may be long.
        let mut stack = vec![(goal.clone(), 0)];
        while let Some((competency, next)) = stack.last_mut() {
            match competency.prerequisites.get(*next) {
                Some(prerequisite) => {
                    *next += 1;
                    if seen.insert(prerequisite.clone())
                        && let Some(found) = self.competencies.get(prerequisite.as_str())
                    {
                        stack.push((found.clone(), 0));
                    }
                }
                None => {
                    path.push(competency.id.clone());
                    stack.pop();
                }
            }
        }
        path
    }

    /// Registers all that a plugin contributes, or nothing. Names are checked before anything is added.
    pub(crate) fn add_contributions(
        &mut self,
        id: &PluginId,
        contributions: Contributions,
    ) -> Result<(), PluginError> {
        let places = self.remove_contributions(id);
        self.add_to(&places, id, contributions)
    }

    /// Registers these, or nothing, beside what the plugin has.
    pub(crate) fn add(&mut self, id: &PluginId, contributions: Contributions) -> Result<(), PluginError> {
        self.add_to(&Places::default(), id, contributions)
    }

    fn add_to(
        &mut self,
        places: &Places,
        id: &PluginId,
        contributions: Contributions,
    ) -> Result<(), PluginError> {
        self.check_competencies(id, &contributions.competencies)?;
        self.check_file_handlers(id, &contributions.file_handlers)?;
        for tool in contributions.tools {
            add(&mut self.tools, places.tools.get(tool.name()), tool, id)?;
        }
        for competency in contributions.competencies {
            let place = places.competencies.get(competency.id.as_str());
            add(&mut self.competencies, place, competency, id)?;
        }
        for handler in contributions.file_handlers {
            add(&mut self.file_handlers, places.file_handlers.get(handler.name.as_str()), handler, id)?;
        }
        Ok(())
    }

    /// Removes all that a plugin contributed, and says where it stood.
    pub(crate) fn remove_contributions(&mut self, id: &PluginId) -> Places {
        Places {
            tools: remove_all(&mut self.tools, id),
            competencies: remove_all(&mut self.competencies, id),
            file_handlers: remove_all(&mut self.file_handlers, id),
        }
    }

    /// The plugins, other than `id`, whose competencies build on one that `id` contributes.
    pub(crate) fn plugins_building_on(&self, id: &PluginId) -> Vec<PluginId> {
        let mut plugins = Vec::new();
        for competency in self.competencies.list_by(Index::Plugin, id.as_str()).iter() {
            for dependent in self.competencies.list_by(Index::Prerequisite, competency.id.as_str()).iter() {
                if let Some(plugin) = &dependent.plugin_id
                    && plugin != id
                    && !plugins.contains(plugin)
                {
                    plugins.push(plugin.clone());
                }
            }
        }
        plugins
    }

    /// Each prerequisite must be registered or come along, and none may lead back to itself.
    fn check_competencies(
        &self,
        id: &PluginId,
        new: &[Arc<CompetencyDefinition>],
    ) -> Result<(), PluginError> {
        let refuse = |reason| PluginError::InvalidPlugin { id: id.clone(), reason };
        let mut left: Vec<&Arc<CompetencyDefinition>> = new.iter().collect();
        let mut ready: HashSet<&CompetencyId> = HashSet::new();
        let own: HashSet<&CompetencyId> = new.iter().map(|competency| &competency.id).collect();
        for competency in new {
            for prerequisite in &competency.prerequisites {
                if !own.contains(prerequisite) && self.competencies.get(prerequisite.as_str()).is_none() {
                    return Err(refuse(format!(
                        "Prerequisite '{prerequisite}' for competency '{}' is not registered. \
                         Register prerequisites first.",
                        competency.id
                    )));
                }
            }
        }
        while !left.is_empty() {
            let before = left.len();
            left.retain(|competency| {
                let waits = competency.prerequisites.iter().any(|p| own.contains(p) && !ready.contains(p));
                if !waits {
                    ready.insert(&competency.id);
                }
                waits
            });
            if left.len() == before {
                let ids: Vec<_> = left.iter().map(|competency| format!("`{}`", competency.id)).collect();
                return Err(refuse(format!(
                    "the prerequisites of {} lead back to themselves",
                    ids.join(", ")
                )));
            }
        }
        Ok(())
    }
}

/// What a plugin contributes, compiled.
pub(crate) struct Contributions {
    pub(crate) tools: Vec<Arc<Tool>>,
    pub(crate) competencies: Vec<Arc<CompetencyDefinition>>,
    pub(crate) file_handlers: Vec<Arc<FileHandlerDefinition>>,
}

/// Where the contributions of a plugin stood, so that a new generation of it takes the same places.
#[derive(Default)]
pub(crate) struct Places {
    tools: HashMap<Box<str>, u64>,
    competencies: HashMap<Box<str>, u64>,
    file_handlers: HashMap<Box<str>, u64>,
}

fn remove_all<D: Definition>(table: &mut Table<D>, plugin: &PluginId) -> HashMap<Box<str>, u64> {
    let items = table.list_by(Index::Plugin, plugin.as_str());
    items
        .iter()
        .filter_map(|item| table.take(item.name()).map(|(item, place)| (item.name().into(), place)))
        .collect()
}

fn add<D: Definition + PluginOwned>(
    table: &mut Table<D>,
    place: Option<&u64>,
    item: Arc<D>,
    id: &PluginId,
) -> Result<(), PluginError> {
    let name = item.name().to_owned();
    let added = match place {
        Some(place) => table.insert_at(*place, item),
        None => table.register(item),
    };
    added.map_err(|Taken { holder }| PluginError::AlreadyRegistered {
        id: id.clone(),
        kind: D::KIND,
        holder: match holder.owner() {
            Some(owner) if holder.name() == name => format!(" by the plugin `{owner}`"),
            Some(owner) => {
                format!(" as `{}` by the plugin `{owner}`, and case makes no difference", holder.name())
            }
            None => String::new(),
        },
        name,
    })
}

/// Something that a plugin brought.
trait PluginOwned {
    fn owner(&self) -> Option<&PluginId>;
}
impl PluginOwned for Tool {
    fn owner(&self) -> Option<&PluginId> {
        self.plugin_id.as_ref()
    }
}
impl PluginOwned for CompetencyDefinition {
    fn owner(&self) -> Option<&PluginId> {
        self.plugin_id.as_ref()
    }
}
impl PluginOwned for FileHandlerDefinition {
    fn owner(&self) -> Option<&PluginId> {
        self.plugin_id.as_ref()
    }
}
