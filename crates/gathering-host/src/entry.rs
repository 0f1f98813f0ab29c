//! A plugin that the host knows, and what it tells about it.

use std::sync::Arc;

use gathering_core::{
    HealthStatus, Permissions, PluginId, PluginManifest, PluginMetadata, PluginRecord, PluginSource,
    PluginStatus, Tier,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::dependency;
use crate::instance::Instance;
use crate::table::{Definition, Index, unique};

/// A plugin that the host knows. Never changes: a change puts another in its place.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) id: PluginId,
    pub(crate) runtime: Arc<str>,
    pub(crate) source: PluginSource,
    pub(crate) status: PluginStatus,
    pub(crate) error: Option<String>,
    /// As its operator gave it, without defaults.
    pub(crate) config: Value,
    /// What its operator allowed by command.
    pub(crate) allowed: Permissions,
    pub(crate) manifest: Arc<PluginManifest>,
    pub(crate) fingerprint: Arc<str>,
    pub(crate) instance: Option<Arc<Instance>>,
    /// Counts the generations since the host started.
    pub(crate) generation: u64,
}

impl Entry {
    /// Whether its contributions are registered.
    pub(crate) fn is_registered(&self) -> bool {
        self.instance.is_some()
    }

    pub(crate) fn record(&self) -> PluginRecord {
        PluginRecord {
            id: self.id.clone(),
            runtime: self.runtime.as_ref().to_owned(),
            source: self.source.clone(),
            status: self.status,
            config: self.config.clone(),
            allowed: self.allowed.clone(),
            manifest: (*self.manifest).clone(),
            fingerprint: self.fingerprint.as_ref().to_owned(),
        }
    }

    pub(crate) fn info(&self) -> PluginInfo {
        let counted = if self.is_registered() {
            (self.manifest.tools.len(), self.manifest.competencies.len(), self.manifest.file_handlers.len())
        } else {
            (0, 0, 0)
        };
        PluginInfo {
            metadata: self.manifest.metadata.clone(),
            status: self.status,
            error: self.error.clone(),
            runtime: self.runtime.as_ref().to_owned(),
            source: self.source.to_string(),
            tools_count: counted.0,
            competencies_count: counted.1,
            file_handlers_count: counted.2,
            tier: self.instance.as_ref().and_then(|instance| instance.tier()),
            started: self.instance.as_ref().is_some_and(|instance| instance.started().is_some()),
            generation: self.generation,
        }
    }
}

impl Definition for Entry {
    const KIND: &'static str = "plugin";

    fn name(&self) -> &str {
        self.id.as_str()
    }

    fn index(&self, add: &mut dyn FnMut(Index, &str)) {
        // What cannot be read as a dependency keeps the plugin from being loaded, so nobody is needed by it.
        let needed = dependency::dependencies(&self.manifest).unwrap_or_default();
        let needed: Vec<_> = needed.iter().map(|needed| needed.id.as_str().to_ascii_lowercase()).collect();
        for id in unique(&needed, String::as_str) {
            add(Index::Dependency, id);
        }
    }
}

/// What the host tells about a plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginInfo {
    /// What it says of itself.
    #[serde(flatten)]
    pub metadata: PluginMetadata,
    /// Where it stands.
    pub status: PluginStatus,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// What runs it: `native`, `python` and so on.
    pub runtime: String,
    /// Where it comes from.
    pub source: String,
    /// How many tools of it are registered.
    pub tools_count: usize,
    /// How many competencies of it are registered.
    pub competencies_count: usize,
    /// How many file handlers of it are registered.
    pub file_handlers_count: usize,
    /// How it is confined; `None` while it does not run.
    pub tier: Option<Tier>,
    /// Whether it runs; a restored plugin is started by its first call.
    pub started: bool,
    /// Counts its loads and reloads since the host started.
    pub generation: u64,
}

/// How a loaded plugin feels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginHealth {
    /// The plugin.
    pub plugin_id: PluginId,
    /// In one word.
    pub status: HealthStatus,
    /// Where it stands.
    pub plugin_status: PluginStatus,
    /// Why it is not healthy, if it is not and said so.
    pub error: Option<String>,
    /// What its own check said.
    pub details: Map<String, Value>,
}

/// Counts of plugins and of what they contribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginStats {
    /// Known plugins, loaded or not.
    pub available_plugins: usize,
    /// Those whose contributions are registered.
    pub loaded_plugins: usize,
    /// Those that are offered to agents.
    pub enabled_plugins: usize,
    /// How many are in each state.
    pub plugins_by_status: std::collections::BTreeMap<PluginStatus, usize>,
    /// Registered tools.
    pub total_tools_from_plugins: usize,
    /// Registered competencies.
    pub total_competencies_from_plugins: usize,
}
