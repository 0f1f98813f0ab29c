//! Runtimes: the ways of running plugins.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BoxFuture, Grants, LoadError, Permissions, Plugin, PluginId, PluginManifest, PluginSecrets};

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginSource {
    /// A part of this program, by its id.
    Builtin(PluginId),
    /// A file or folder; absolute.
    Path(PathBuf),
}

impl PluginSource {
    /// The file or folder, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Builtin(_) => None,
        }
    }

    /// The plugin's own folder: the package, or where its file lies.
    pub fn folder(&self) -> Option<&Path> {
        let path = self.path()?;
        if path.is_dir() { Some(path) } else { path.parent() }
    }
}

impl std::fmt::Display for PluginSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Builtin(id) => write!(f, "built-in `{id}`"),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

/// Told in a line what long work is doing, such as `installing humanize`.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// What a plugin is loaded with.
pub struct LoadRequest<'a> {
    /// Where it comes from.
    pub source: &'a PluginSource,
    /// The id under which the host knows it: its workers' logs are kept by it.
    pub id: &'a PluginId,
    /// Its configuration, checked against its schema, with defaults.
    pub config: &'a Value,
    /// What it may touch.
    pub grants: &'a Grants,
    /// What it asks to touch: what it is refused, it is told with this.
    pub asked: &'a Permissions,
    /// The secrets that it is granted: to be read at the last moment, and kept out of its log.
    pub secrets: &'a Arc<PluginSecrets>,
    /// When loading is given up.
    pub deadline: Instant,
    /// Who is told about long work.
    pub progress: Progress,
}

/// One way of running plugins.
pub trait Runtime: Send + Sync {
    /// The word for it: `native`, `python`, `wasm` or `mcp`.
    fn kind(&self) -> &'static str;

    /// Whether running code can be stopped. In-process Python cannot.
    fn interruptible(&self) -> bool {
        true
    }

    /// Whether the file or folder at `path` looks like a plugin of this runtime. Looks, but runs nothing.
    fn recognises(&self, path: &Path) -> bool;

    /// A text that changes when the plugin's code, or anything else its manifest hangs on, does.
    fn fingerprint(&self, source: &PluginSource) -> Result<String, LoadError>;

    /// Finds out what the plugin says of itself. Its contributions may be left empty until it is loaded.
    fn describe<'a>(
        &'a self,
        source: &'a PluginSource,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<PluginManifest, LoadError>>;

    /// Starts the plugin. The manifest of what is returned has been through [`PluginManifest::checked`].
    fn load<'a>(&'a self, request: LoadRequest<'a>) -> BoxFuture<'a, Result<Box<dyn Plugin>, LoadError>>;
}
