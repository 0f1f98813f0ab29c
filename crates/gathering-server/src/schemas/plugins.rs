//! The shapes of plugins, their health and their discovery.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Permissions, shapes};

/// Where a plugin stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PluginStatus {
    /// Known, but nothing of it is registered.
    Unloaded,
    /// Registered; its operator can try it, agents are not offered it.
    Loaded,
    /// Registered and offered to agents.
    Enabled,
    /// Registered; every call is refused.
    Disabled,
    /// Failed, with the reason in `error`.
    Error,
}

/// How a plugin feels.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HealthStatus {
    /// All is well.
    Healthy,
    /// It works in part.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// How what runs a plugin is confined.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tier {
    /// Code of this program, in its own process.
    Native,
    /// A process of its own with namespaces, Landlock, seccomp and limits.
    Isolated,
    /// A process of its own with Landlock, seccomp and limits.
    Confined,
    /// A process of its own with all the rights of the user who started the server.
    Unconfined,
}

shapes! {
    /// A plugin.
    struct Plugin {
        /// What it is called by.
        id: String,
        /// Its name for people.
        name: String,
        /// Its version.
        version: String,
        /// What it does.
        description: String,
        /// Who wrote it.
        author: String,
        /// Where to reach them.
        author_email: String,
        /// Its licence.
        license: String,
        /// Where to read more.
        homepage: String,
        /// Words to find it by.
        tags: Vec<String>,
        /// The plugins it needs, with version constraints.
        dependencies: Vec<String>,
        /// The Python packages it needs (PEP 508).
        python_dependencies: Vec<String>,
        /// The oldest GatheRing it works with.
        min_gathering_version: String,
        /// The JSON Schema of its configuration.
        #[schema(value_type = Object)]
        config_schema: Value,
        /// What it asks to touch.
        #[schema(value_type = Object)]
        permissions: Permissions,
        /// Where it stands.
        status: PluginStatus,
        /// Why it failed, if it did.
        #[schema(required)]
        error: Option<String>,
        /// What runs it: `native`, `python` and so on.
        runtime: String,
        /// Where it comes from.
        source: String,
        /// How many tools of it are registered.
        tools_count: usize,
        /// How many competencies of it are registered.
        competencies_count: usize,
        /// How many file handlers of it are registered.
        file_handlers_count: usize,
        /// How it is confined; null while it does not run.
        #[schema(required)]
        tier: Option<Tier>,
        /// Whether it runs. A restored plugin is started by its first call.
        started: bool,
        /// Counts its loads and reloads since the server started.
        generation: u64,
    }

    /// Plugins.
    struct Plugins {
        /// The plugins.
        plugins: Vec<Plugin>,
        /// How many there are.
        total: usize,
    }

    /// Ids of plugins.
    struct PluginIds {
        /// The ids.
        plugins: Vec<String>,
        /// How many there are.
        total: usize,
    }

    /// Counts of plugins and of what they contribute.
    struct PluginStats {
        /// Known plugins, loaded or not.
        available_plugins: usize,
        /// Those whose contributions are registered.
        loaded_plugins: usize,
        /// Those that are offered to agents.
        enabled_plugins: usize,
        /// How many are in each state.
        plugins_by_status: BTreeMap<String, usize>,
        /// Registered tools.
        total_tools_from_plugins: usize,
        /// Registered competencies.
        total_competencies_from_plugins: usize,
    }

    /// How a loaded plugin feels.
    struct PluginHealth {
        /// The plugin.
        plugin_id: String,
        /// In one word.
        status: HealthStatus,
        /// Where it stands.
        plugin_status: PluginStatus,
        /// Why it is not healthy, if it said so.
        #[schema(required)]
        error: Option<String>,
        /// What its own check said.
        #[schema(value_type = Object)]
        details: Value,
    }

    /// How the loaded plugins feel.
    struct PluginsHealth {
        /// By plugin.
        plugins: BTreeMap<String, PluginHealth>,
        /// How many there are.
        total: usize,
    }

    /// The end of what a plugin printed.
    struct PluginLog {
        /// The plugin.
        plugin_id: String,
        /// What it printed.
        log: String,
    }

    /// What was found in folders of plugins.
    struct Discovery {
        /// The plugins, known before or not.
        discovered: Vec<Discovered>,
        /// What looked like a plugin and is not one.
        errors: Vec<DiscoveryError>,
        /// How many plugins were found.
        total: usize,
    }

    /// A plugin that was found.
    struct Discovered {
        /// What it is called by.
        plugin_id: String,
        /// Where it lies.
        path: String,
        /// Its name for people.
        name: String,
        /// Its version.
        version: String,
        /// Whether it was not known before.
        new: bool,
    }

    /// Something that looked like a plugin and is not one.
    struct DiscoveryError {
        /// Where it lies.
        path: String,
        /// What is wrong with it.
        message: String,
        /// Where in its own code; may be empty.
        traceback: String,
    }
}
