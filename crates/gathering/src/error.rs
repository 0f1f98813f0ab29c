//! Why a GatheRing could not be started.

use std::path::PathBuf;

use gathering_host::PluginError;
use gathering_store::OpenError;

/// Why a GatheRing could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Nothing says where to keep the state.
    #[error("there is no place for the data directory: set `data_dir` or GATHERING_DATA_DIR, or HOME")]
    NoDataDir,
    /// The data directory cannot be used.
    #[error("the data directory `{}` cannot be {what}: {reason}", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// `made` or `locked`.
        what: &'static str,
        /// What the operating system said.
        reason: String,
    },
    /// Another process has the data directory.
    #[error("the data directory `{}` is in use by {}", path.display(), holder(*.pid, url.as_deref()))]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process, if it said so.
        pid: Option<u32>,
        /// Where it answers, if it is a server.
        url: Option<String>,
    },
    /// The operator's token cannot be read or made.
    #[error("the operator's token in `{}` cannot be taken: {reason}; delete the file to get a new one", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A section `[plugins.config.<id>]` or `[plugins.permissions.<id>]`, or an entry of `plugins.enable`, is of something that no plugin can be called.
    #[error("`{key}`: {reason}")]
    PluginId {
        /// The key of the configuration.
        key: String,
        /// The rule.
        reason: String,
    },
    /// The state cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// What was kept cannot be brought back.
    #[error(transparent)]
    Plugins(#[from] PluginError),
}

fn holder(pid: Option<u32>, url: Option<&str>) -> String {
    let process = pid.map(|pid| format!("process {pid}")).unwrap_or_else(|| "another process".to_owned());
    match url {
        Some(url) => format!("the server at {url} ({process}): stop it, or choose another one"),
        None => format!("{process}: wait until it ends, or choose another one"),
    }
}
