//! File handlers: tools bound to file formats.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{FileHandlerName, PluginId, ToolName};

/// What knows a file format: its extensions and media types, and the tools that read and write it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileHandlerDefinition {
    /// What it is called by, such as `csv`.
    pub name: FileHandlerName,
    /// What the format is and what of it is understood.
    #[serde(default)]
    pub description: String,
    /// File name endings without the dot; compared without regard to case.
    pub extensions: Vec<String>,
    /// Media types such as `text/csv`.
    #[serde(default)]
    pub media_types: Vec<String>,
    /// Which tool does what to a file of the format. A file handler has no call path of its own.
    pub tools: BTreeMap<FileOperation, ToolName>,
    /// The plugin that brought it; `None` if it was registered by hand.
    #[serde(default)]
    pub plugin_id: Option<PluginId>,
}

/// What can be done to a file through its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileOperation {
    /// Content that an agent can use.
    Read,
    /// Facts that are cheap to find out.
    Info,
    /// A picture of the content.
    Preview,
    /// A new file.
    Write,
    /// The same content in another format.
    Convert,
}
