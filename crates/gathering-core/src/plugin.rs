//! Plugins: what they say of themselves, and the contract of a loaded one.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::{
    BoxFuture, CallContext, CompetencyDefinition, FileHandlerDefinition, HookError, Permissions, PluginId,
    Schema, Tier, ToolCall, ToolDefinition, ToolError, ToolName, ToolOutput,
};

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginMetadata {
    /// What it is called by.
    pub id: PluginId,
    /// Its name for people.
    pub name: String,
    /// Its version (PEP 440 or semantic versioning).
    pub version: String,
    /// What it does.
    pub description: String,
    /// Who wrote it.
    #[serde(default)]
    pub author: String,
    /// Where to reach them.
    #[serde(default)]
    pub author_email: String,
    /// The licence, an SPDX expression by custom.
    #[serde(default = "default_license")]
    pub license: String,
    /// Where to read more.
    #[serde(default)]
    pub homepage: String,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The plugins it needs: an id, or an id with a version constraint such as `base>=1.2`.
    #[serde(default)]
    pub dependencies: Vec<String>,
    /// The Python packages it needs (PEP 508).
    #[serde(default)]
    pub python_dependencies: Vec<String>,
    /// The oldest GatheRing it works with: a version, or a constraint such as `>=0.4.0`.
    #[serde(default = "default_min_gathering_version")]
    pub min_gathering_version: String,
    /// The schema of its configuration, or a bare map of its settings; defaults are filled in.
    #[serde(default, deserialize_with = "Schema::deserialize_parameters")]
    pub config_schema: Schema,
    /// What it asks to touch.
    #[serde(default, deserialize_with = "permissions")]
    pub permissions: Permissions,
}

fn permissions<'de, D: Deserializer<'de>>(from: D) -> Result<Permissions, D::Error> {
    Permissions::deserialize(from)
        .map_err(|error| serde::de::Error::custom(format!("invalid permissions: {error}")))
}

fn default_license() -> String {
    "MIT".into()
}

fn default_min_gathering_version() -> String {
    "0.1.0".into()
}

/// A plugin as data: what it says of itself and what it contributes. Copies share the definitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginManifest {
    /// What it says of itself.
    pub metadata: PluginMetadata,
    /// Its tools; empty until it is loaded, unless its runtime knows them beforehand.
    #[serde(default)]
    pub tools: Vec<Arc<ToolDefinition>>,
    /// Its competencies; the same holds.
    #[serde(default)]
    pub competencies: Vec<Arc<CompetencyDefinition>>,
    /// Its file handlers; the same holds.
    #[serde(default)]
    pub file_handlers: Vec<Arc<FileHandlerDefinition>>,
}

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A required text is empty.
    #[error("{0} cannot be empty")]
    Empty(&'static str),
    /// A text is too long.
    #[error("{what} has {length} bytes, more than {limit}")]
    TooLong {
        /// Which text.
        what: String,
        /// How long it is.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// There are too many of something.
    #[error("there are {count} {what}, more than {limit}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The plugin brings two things of one name.
    #[error("the {kind} `{name}` is registered twice by this plugin")]
    Twice {
        /// `tool`, `competency` or `file handler`.
        kind: &'static str,
        /// The name, in lower case.
        name: String,
    },
}

impl PluginManifest {
    /// A manifest without contributions.
    pub fn new(metadata: PluginMetadata) -> Self {
        Self { metadata, tools: Vec::new(), competencies: Vec::new(), file_handlers: Vec::new() }
    }

    /// Sets the plugin's id on everything it contributes, then checks lengths, counts and names.
    pub fn checked(mut self) -> Result<Self, ManifestError> {
        let id = &self.metadata.id;
        // A definition that has its plugin's id already stays shared with other copies of the manifest.
        for tool in self.tools.iter_mut().filter(|tool| tool.plugin_id.as_ref() != Some(id)) {
            Arc::make_mut(tool).plugin_id = Some(id.clone());
        }
        for competency in self.competencies.iter_mut().filter(|held| held.plugin_id.as_ref() != Some(id)) {
            Arc::make_mut(competency).plugin_id = Some(id.clone());
        }
        for handler in self.file_handlers.iter_mut().filter(|handler| handler.plugin_id.as_ref() != Some(id))
        {
            Arc::make_mut(handler).plugin_id = Some(id.clone());
        }
        self.check_texts()?;
        few("tools", self.tools.len(), 10_000)?;
        few("competencies", self.competencies.len(), 10_000)?;
        few("file handlers", self.file_handlers.len(), 1_000)?;
        few("dependencies", self.metadata.dependencies.len(), 1_000)?;
        few("python dependencies", self.metadata.python_dependencies.len(), 1_000)?;
        no_name_twice("tool", self.tools.iter().map(|tool| tool.name.as_str()))?;
        no_name_twice("competency", self.competencies.iter().map(|competency| competency.id.as_str()))?;
        no_name_twice("file handler", self.file_handlers.iter().map(|handler| handler.name.as_str()))?;
        Ok(self)
    }

    fn check_texts(&self) -> Result<(), ManifestError> {
        let metadata = &self.metadata;
        filled("Plugin name", &metadata.name, 200)?;
        filled("Plugin version", &metadata.version, 100)?;
        short("the plugin's description", &metadata.description, 16 * 1024)?;
        for (what, text) in [
            ("the plugin's author", &metadata.author),
            ("the plugin's author_email", &metadata.author_email),
            ("the plugin's license", &metadata.license),
            ("the plugin's homepage", &metadata.homepage),
            ("the plugin's min_gathering_version", &metadata.min_gathering_version),
        ] {
            short(what, text, 1024)?;
        }
        for tool in &self.tools {
            filled("Tool description", &tool.description, 16 * 1024)?;
            short("a tool's category", tool.category.as_str(), 64)?;
            few("examples of one tool", tool.examples.len(), 100)?;
            few("required competencies of one tool", tool.required_competencies.len(), 100)?;
        }
        for competency in &self.competencies {
            filled("Competency name", &competency.name, 200)?;
            filled("Competency description", &competency.description, 16 * 1024)?;
            short("a competency's category", competency.category.as_str(), 64)?;
        }
        Ok(())
    }
}

fn filled(what: &'static str, text: &str, limit: usize) -> Result<(), ManifestError> {
    if text.trim().is_empty() { Err(ManifestError::Empty(what)) } else { short(what, text, limit) }
}

fn short(what: &str, text: &str, limit: usize) -> Result<(), ManifestError> {
    if text.len() <= limit {
        return Ok(());
    }
    Err(ManifestError::TooLong { what: what.to_owned(), length: text.len(), limit })
}

fn few(what: &'static str, count: usize, limit: usize) -> Result<(), ManifestError> {
    if count <= limit { Ok(()) } else { Err(ManifestError::TooMany { what, count, limit }) }
}

fn no_name_twice<'a>(kind: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), ManifestError> {
    let mut seen = HashSet::new();
    for name in names {
        let name = name.to_ascii_lowercase();
        if !seen.insert(name.clone()) {
            return Err(ManifestError::Twice { kind, name });
        }
    }
    Ok(())
}

/// Where a plugin stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginStatus {
    /// Known, but nothing of it is registered.
    Unloaded,
    /// Registered; its operator can try it, agents are not offered it.
    Loaded,
    /// Registered and offered to agents.
    Enabled,
    /// Registered; every call is refused.
    Disabled,
    /// Failed, with the reason kept; nothing of it is registered.
    Error,
}

impl PluginStatus {
    /// The five states, in the order of a plugin's life.
    pub const ALL: [Self; 5] = [Self::Unloaded, Self::Loaded, Self::Enabled, Self::Disabled, Self::Error];

    /// The state's word, such as `enabled`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unloaded => "unloaded",
            Self::Loaded => "loaded",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for PluginStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a plugin feels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// In one word.
    pub status: HealthStatus,
    /// What its own check said, as it said it.
    #[serde(default)]
    pub details: Map<String, Value>,
}

/// How a plugin feels, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All is well.
    Healthy,
    /// It works in part.
    Degraded,
    /// It does not work.
    Unhealthy,
}

impl Health {
    /// All is well, nothing to add.
    pub fn healthy() -> Self {
        Self { status: HealthStatus::Healthy, details: Map::new() }
    }

    /// It does not work, for this reason.
    pub fn unhealthy(reason: impl Into<String>) -> Self {
        let details = Map::from_iter([("error".to_owned(), Value::String(reason.into()))]);
        Self { status: HealthStatus::Unhealthy, details }
    }
}

/// A loaded plugin, whatever runs it.
///
/// Dropping the future of any method stops the work it stands for: a worker is killed, a component interrupted.
pub trait Plugin: Send + Sync {
    /// What it says of itself and contributes: plain data that never changes.
    fn manifest(&self) -> &PluginManifest;

    /// Calls one of its tools. The arguments fit the tool's schema, the caller may call it, and a permit is held.
    fn call<'a>(
        &'a self,
        call: ToolCall,
        cx: &'a CallContext,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>>;

    /// It is about to be offered to agents; refuses with an error.
    fn on_enable(&self) -> BoxFuture<'_, Result<(), HookError>> {
        Box::pin(async { Ok(()) })
    }

    /// It is no longer offered to agents. An error is reported; it is disabled all the same.
    fn on_disable(&self) -> BoxFuture<'_, Result<(), HookError>> {
        Box::pin(async { Ok(()) })
    }

    /// How it feels.
    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async { Health::healthy() })
    }

    /// Its last chance to clean up; nothing of it runs when this returns.
    fn unload(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// How it is confined.
    fn tier(&self) -> Tier {
        Tier::Native
    }

    /// How what runs one of its tools is confined; `None` if that is not known yet, or nothing can run it.
    fn tool_tier(&self, _tool: &ToolName) -> Option<Tier> {
        Some(self.tier())
    }

    /// How many calls it serves at once; the host lets no more in. At least 1.
    fn concurrency(&self) -> usize {
        1
    }
}
