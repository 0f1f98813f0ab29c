//! Plugins that are made of code: what is asked for, checked, and what a caller may ask of the host about them.

mod request;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{CompetencyDefinition, Permissions, PluginId, Requirement, ToolCategory, ToolName};

/// The most code that one tool may have, in bytes.
pub const MAX_CODE: usize = 256 * 1024;
/// The most code that a plugin's tools may have together, in bytes.
pub const MAX_ALL_CODE: usize = 2 * 1024 * 1024;

/// A plugin that is to be made of the code of its tools. [`DynamicPlugin::parse`] reads one from a stranger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DynamicPlugin {
    /// What it is called by.
    pub plugin_id: PluginId,
    /// Its name for people.
    pub name: String,
    /// What it does; empty until the documentation of its code was read, if nobody said it.
    pub description: String,
    /// Its version.
    pub version: String,
    /// Who wrote it.
    pub author: String,
    /// The code of all tools, in place of [`DynamicPlugin::tools`]: each public function is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<DynamicTool>,
    /// The competencies that it brings. They let nobody call what he could not call before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub competencies: Vec<CompetencyDefinition>,
    /// Its configuration, which the code finds as the global `config`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Map<String, Value>>,
    /// The schema of its configuration, or a bare map of its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<Value>,
    /// The Python packages that its code needs (PEP 508).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub python_dependencies: Vec<String>,
    /// What it asks to touch. It may, once its operator allows it too, and until its code changes.
    #[serde(default, skip_serializing_if = "Permissions::is_empty")]
    pub permissions: Permissions,
}

/// A tool that is to be made of code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DynamicTool {
    /// What it is called by.
    pub name: ToolName,
    /// What it does; empty: what the docstring of its function says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it is about.
    pub category: ToolCategory,
    /// A module: the function called like the tool, else the only public one, is the tool.
    pub code: String,
    /// The schema of its arguments, or a bare map of them; `None`: as its signature says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// The schema of its result; `None`: as its signature says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<Value>,
    /// Calls that show its use. Those that can be read as calls are tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Value>,
    /// The competencies its caller needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_competencies: Vec<Requirement>,
}

/// What a plugin asks of the host about plugins that are made of code, as the caller of the call it serves.
#[derive(Debug, Clone, PartialEq)]
pub enum Authoring {
    /// Makes a plugin, loads and enables it.
    Create(Box<DynamicPlugin>),
    /// Puts another version of a plugin in its place.
    Update(Box<DynamicPlugin>),
    /// Removes a plugin and all its versions.
    Remove(PluginId),
}

/// Why a plugin was not made, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AuthoringRefused {
    /// The stable code, the same as over REST.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub message: String,
    /// Where in the code; may be empty.
    pub traceback: String,
}
