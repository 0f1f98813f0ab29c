//! What is kept over a restart, and the contract of whatever keeps it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AgentRecord, Permissions, PluginId, PluginManifest, PluginSource, PluginStatus};

/// A plugin as it is kept over a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginRecord {
    /// The plugin.
    pub id: PluginId,
    /// The kind of its runtime.
    pub runtime: String,
    /// Where it comes from.
    pub source: PluginSource,
    /// Where it stood. A plugin that failed is kept as it was before.
    pub status: PluginStatus,
    /// The configuration its operator gave, without defaults.
    pub config: Value,
    /// What its operator allows it to touch.
    #[serde(default, skip_serializing_if = "Permissions::is_empty")]
    pub allowed: Permissions,
    /// What it said of itself when it was last described or loaded.
    pub manifest: PluginManifest,
    /// The fingerprint of the source that the manifest belongs to.
    pub fingerprint: String,
}

/// One change to what is kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Adds the plugin, or puts this in its place; a new one comes last.
    SavePlugin(Box<PluginRecord>),
    /// Forgets the plugin.
    RemovePlugin(PluginId),
    /// Adds a folder in which plugins are looked for; nothing happens if it is there.
    AddDirectory(PathBuf),
    /// Forgets the folder.
    RemoveDirectory(PathBuf),
    /// Adds the agent, or puts this in its place; a new one comes last.
    SaveAgent(Box<AgentRecord>),
}

/// What is kept could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// There is no room on the disk.
    #[error("there is no room left to save the state: {0}")]
    StorageFull(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Keeps the state of plugins and agents over a restart. Its methods may block.
pub trait StateStore: Send + Sync {
    /// The plugins in the order in which they were first saved.
    fn plugins(&self) -> Result<Vec<PluginRecord>, StateError>;

    /// The folders in which plugins are looked for, in the order in which they were added.
    fn directories(&self) -> Result<Vec<PathBuf>, StateError>;

    /// The agents in the order in which they were first saved, the deleted ones among them.
    fn agents(&self) -> Result<Vec<AgentRecord>, StateError>;

    /// Makes all of the changes or, with an error, none. They are durable when this returns.
    fn apply(&self, changes: &[Change]) -> Result<(), StateError>;
}
