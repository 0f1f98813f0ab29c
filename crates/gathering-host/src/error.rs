//! The errors of the plugin manager's door.

use gathering_core::{LoadError, ManifestError, PluginId, PluginStatus, SchemaError, StateError};

/// Why a plugin could not be managed. [`PluginError::code`] is stable, for programs; the text is for people.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// No plugin has this id.
    #[error("there is no plugin called `{id}`{hint}; `discover` finds new ones in the plugin folders")]
    Unknown {
        /// What was asked for.
        id: String,
        /// Ids that look like it, as a half-sentence; may be empty.
        hint: String,
    },
    /// The plugin is not in the state that this takes.
    #[error("the plugin `{id}` is {status}: {expected}")]
    WrongState {
        /// The plugin.
        id: PluginId,
        /// Its state.
        status: PluginStatus,
        /// What it would have to be, and how to get there.
        expected: String,
    },
    /// Others need the plugin.
    #[error("`{id}` is needed by {}: {action} them first, or use cascade", quoted(.dependents))]
    HasDependents {
        /// The plugin.
        id: PluginId,
        /// Who needs it.
        dependents: Vec<PluginId>,
        /// `disable` or `unload`.
        action: &'static str,
    },
    /// A plugin that it depends on is missing, not loaded, or of another version.
    #[error("{0}")]
    MissingDependency(String),
    /// The plugins that it depends on lead back to it.
    #[error("the dependencies form a cycle: {}", path.join(" -> "))]
    DependencyCycle {
        /// The cycle, with its first plugin repeated as its last.
        path: Vec<String>,
    },
    /// The configuration does not fit the plugin's schema.
    #[error("the configuration of `{id}` does not fit its schema: {reason}")]
    InvalidConfig {
        /// The plugin.
        id: PluginId,
        /// What does not fit.
        reason: String,
    },
    /// What the plugin says of itself or contributes cannot be taken.
    #[error("the plugin `{id}` cannot be taken: {reason}")]
    InvalidPlugin {
        /// The plugin.
        id: PluginId,
        /// Why, and what to change.
        reason: String,
    },
    /// A name that the plugin brings is taken. Nothing of it was registered.
    #[error("{} is already registered{holder}; nothing of `{id}` was registered", brought(kind, name, id))]
    AlreadyRegistered {
        /// The plugin that was refused.
        id: PluginId,
        /// `tool`, `competency` or `file handler`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Who has it, as a half-sentence.
        holder: String,
    },
    /// The runtime could not describe or start the plugin.
    #[error("the plugin `{id}` could not be loaded: {error}")]
    Load {
        /// The plugin.
        id: PluginId,
        /// What the runtime said.
        error: LoadError,
    },
    /// A hook of the plugin failed.
    #[error("`{hook}` of the plugin `{id}` failed: {message}")]
    Hook {
        /// The plugin.
        id: PluginId,
        /// `on_enable` or the like.
        hook: &'static str,
        /// What it said.
        message: String,
    },
    /// The new generation of the plugin is not healthy; the old one stays.
    #[error("the new generation of `{id}` is unhealthy, so the old one stays: {reason}")]
    Unhealthy {
        /// The plugin.
        id: PluginId,
        /// What its health check said.
        reason: String,
    },
    /// What is to be revoked was not granted.
    #[error("`{permissions}` cannot be revoked, because it was not granted to `{id}`: {granted}")]
    NotGranted {
        /// The plugin.
        id: PluginId,
        /// What was to be revoked and was not granted.
        permissions: String,
        /// What is granted, and where else it may be allowed.
        granted: String,
    },
    /// Something was revoked, and the plugin cannot run without it.
    #[error("the permission was revoked, and `{id}` was unloaded, because it cannot go on without: {reason}")]
    StoppedByRevoke {
        /// The plugin.
        id: PluginId,
        /// Why its new generation did not take over.
        reason: String,
    },
    /// A folder of plugins cannot be used.
    #[error("{0}")]
    Directory(String),
    /// The change could not be saved, so it was not made.
    #[error("the change was not made, because it could not be saved: {0}")]
    State(#[from] StateError),
    /// The host is stopping.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl PluginError {
    /// The stable code, the same over REST, MCP, Python and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown_plugin",
            Self::WrongState { .. } => "wrong_state",
            Self::HasDependents { .. } => "has_dependents",
            Self::MissingDependency(_) => "missing_dependency",
            Self::DependencyCycle { .. } => "dependency_cycle",
            Self::InvalidConfig { .. } => "invalid_config",
            Self::InvalidPlugin { .. } => "invalid_plugin",
            Self::AlreadyRegistered { .. } => "already_registered",
            Self::Load { error, .. } => error.kind.code(),
            Self::Hook { .. } => "hook_failed",
            Self::Unhealthy { .. } => "unhealthy",
            Self::NotGranted { .. } => "not_granted",
            Self::StoppedByRevoke { .. } => "stopped_by_revoke",
            Self::Directory(_) => "invalid_directory",
            Self::State(StateError::StorageFull(_)) => "storage_full",
            Self::State(StateError::Failed(_)) => "state_failed",
            Self::ShuttingDown => "shutting_down",
        }
    }

    /// Where in the plugin's own code, for its author; may be empty.
    pub fn traceback(&self) -> &str {
        match self {
            Self::Load { error, .. } => &error.traceback,
            _ => "",
        }
    }

    pub(crate) fn schema(id: &PluginId, what: &str, error: &SchemaError) -> Self {
        Self::InvalidPlugin { id: id.clone(), reason: format!("invalid {what}: {error}") }
    }

    pub(crate) fn manifest(id: &PluginId, error: &ManifestError) -> Self {
        Self::InvalidPlugin { id: id.clone(), reason: error.to_string() }
    }
}

fn quoted(ids: &[PluginId]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

/// What a plugin brings, unless it is itself what is spoken of.
fn brought(kind: &str, name: &str, id: &PluginId) -> String {
    match kind {
        "plugin" => format!("the plugin `{name}`"),
        kind => format!("the {kind} `{name}` of the plugin `{id}`"),
    }
}
