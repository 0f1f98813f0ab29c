//! Tools: named, described, schema-checked functions that agents can call.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{PluginId, Requirement, Schema, ToolCategory, ToolName};

/// A tool as data. What runs it is the plugin that brought it; a call goes by name. A registry holds hundreds of
/// thousands, so nothing in it keeps room to grow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolDefinition {
    /// What it is called by; unique among all tools, whatever the case.
    pub name: ToolName,
    /// What it does, for a model that has to choose.
    pub description: Box<str>,
    /// What it is about.
    pub category: ToolCategory,
    /// The competencies its caller needs, all of them; empty: open to every agent.
    #[serde(default)]
    pub required_competencies: Box<[Requirement]>,
    /// The schema of its arguments; [`Schema::any`] checks nothing. The documents' bare property map is taken too.
    #[serde(default, deserialize_with = "Schema::deserialize_parameters")]
    pub parameters: Schema,
    /// The schema of its result; [`Schema::any`] checks nothing.
    #[serde(default)]
    pub returns: Schema,
    /// Calls that show its use: the documents write them as text.
    #[serde(default)]
    pub examples: Box<[Value]>,
    /// The plugin that brought it; `None` if it was registered by hand.
    #[serde(default)]
    pub plugin_id: Option<PluginId>,
    /// Whether the function behind it is asynchronous; callers need not care.
    #[serde(default)]
    pub async_function: bool,
    /// Whether the function asks for the context of the call.
    #[serde(default)]
    pub requires_context: bool,
    /// What its author says of its effects: hints, never promises.
    #[serde(default)]
    pub annotations: ToolAnnotations,
}

/// Hints on what calling a tool does, with the defaults of the Model Context Protocol (revision 2026-07-28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolAnnotations {
    /// It changes nothing. Default: false.
    pub read_only: bool,
    /// It may delete or overwrite. Default: true.
    pub destructive: bool,
    /// Calling it twice is as good as once. Default: false.
    pub idempotent: bool,
    /// It reaches beyond this machine's own data. Default: true.
    pub open_world: bool,
}

impl Default for ToolAnnotations {
    fn default() -> Self {
        Self { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}
