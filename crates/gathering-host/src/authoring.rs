//! Plugins that are made of code: the contract of whoever makes them, and how everybody reaches it.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use gathering_core::{
    AgentRights, ArgumentError, Authoring, AuthoringRefused, BoxFuture, CallContext, Caller, DynamicPlugin,
    PluginId,
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::entry::PluginInfo;
use crate::error::PluginError;
use crate::host::{Host, Inner};

/// Makes plugins of code and keeps their versions. Each act runs to its end, even when whoever asked for it goes away; one
/// that fails leaves everything as it was.
///
/// An agent may change and remove only what it made itself, and may neither save nor promote; the operator may do all.
pub trait PluginAuthor: Send + Sync {
    /// Examines the code, tries its examples, then loads and enables the plugin.
    fn create(
        &self,
        caller: Caller,
        plugin: DynamicPlugin,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<PluginInfo, AuthoringError>>;

    /// The same for another version of a plugin, which takes over without losing a call.
    fn update(
        &self,
        caller: Caller,
        plugin: DynamicPlugin,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<PluginInfo, AuthoringError>>;

    /// Makes a version of before the newest one; without a number, the one before the current one.
    fn rollback(
        &self,
        caller: Caller,
        plugin: String,
        version: Option<u64>,
    ) -> BoxFuture<'_, Result<PluginInfo, AuthoringError>>;

    /// Unloads the plugin and removes it and all its versions. With `cascade`, plugins that need it are unloaded first.
    /// Returns what was unloaded or removed.
    fn remove(
        &self,
        caller: Caller,
        plugin: String,
        cascade: bool,
    ) -> BoxFuture<'_, Result<Vec<PluginId>, AuthoringError>>;

    /// Writes the plugin's file into a plugin folder and returns its path.
    fn save(
        &self,
        caller: Caller,
        plugin: String,
        path: Option<PathBuf>,
        overwrite: bool,
    ) -> BoxFuture<'_, Result<PathBuf, AuthoringError>>;

    /// Makes a plugin that an agent made the operator's: its tools are for every agent that holds what they require, and its
    /// maker may neither change nor remove it any more.
    fn promote(&self, caller: Caller, plugin: String) -> BoxFuture<'_, Result<PluginInfo, AuthoringError>>;

    /// The rights that the agent has at this moment which made the plugin; none at all if it is gone. `None`: no agent made
    /// it. They bound what the plugin's code may call, and say whose its tools are.
    fn maker(&self, plugin: &PluginId) -> Option<Arc<AgentRights>>;

    /// The versions that are kept, oldest first.
    fn versions(&self, plugin: String) -> BoxFuture<'_, Result<Vec<PluginVersion>, AuthoringError>>;
}

/// A version of a plugin that was made of code.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginVersion {
    /// Counts the versions of the plugin from 1.
    pub number: u64,
    /// What the plugin said its version is.
    pub version: String,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    #[serde(rename = "created_ms", serialize_with = "milliseconds")]
    pub created: SystemTime,
    /// Who made it: `operator`, or the agent's id.
    pub caller: String,
    /// The version that this one is a copy of, if it was rolled back.
    pub rolled_back_to: Option<u64>,
    /// Whether it is the one that runs.
    pub current: bool,
}

fn milliseconds<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    to.serialize_u64(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Why a plugin was not made of code, changed, removed or saved.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthoringError {
    /// What was asked for does not fit.
    #[error("the plugin cannot be made as asked: {}", joined(.0))]
    InvalidRequest(Vec<ArgumentError>),
    /// The code of a tool cannot be taken.
    #[error(transparent)]
    InvalidCode(Box<InvalidCode>),
    /// An example of a tool does not give what it says.
    #[error(transparent)]
    ExampleFailed(Box<FailedExample>),
    /// The plugin was not made of code.
    #[error("the plugin `{id}` was not made of code: its source is {origin}")]
    NotDynamic {
        /// The plugin.
        id: PluginId,
        /// Where it comes from.
        origin: String,
    },
    /// The plugin has no such version.
    #[error("`{id}` has no version {version}: there are {known}")]
    UnknownVersion {
        /// The plugin.
        id: PluginId,
        /// What was asked for.
        version: String,
        /// The versions that are kept, in words.
        known: String,
    },
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// A plugin cannot be saved there.
    #[error("a plugin cannot be saved as `{}`: {reason}", path.display())]
    InvalidPath {
        /// Where it was to be saved.
        path: PathBuf,
        /// What is wrong, and where it can be saved.
        reason: String,
    },
    /// There is a file already.
    #[error("`{}` is there already: save with `overwrite`, or under another name", .0.display())]
    FileExists(PathBuf),
    /// A file could not be written, read or removed.
    #[error("{0}")]
    Storage(gathering_core::StateError),
    /// This host makes no plugins of code.
    #[error("this GatheRing makes no plugins of code")]
    Unavailable,
    /// It took too long and was given up.
    #[error("it was not done in time, and nothing was changed")]
    TimedOut,
    /// What holds for every plugin.
    #[error(transparent)]
    Plugin(#[from] PluginError),
}

/// What is wrong with the code of a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the code of {}{} cannot be taken: {message}", whose(.tool.as_deref()), position(*.line, *.column))]
pub struct InvalidCode {
    /// The tool; `None`: the code of the whole plugin.
    pub tool: Option<String>,
    /// Where the code is in the request, as a JSON pointer.
    pub pointer: String,
    /// The line, counted from 1.
    pub line: Option<u64>,
    /// The column, counted from 1.
    pub column: Option<u64>,
    /// What is wrong and what to do.
    pub message: String,
    /// Where in the code it failed; may be empty.
    pub traceback: String,
}

/// An example that does not give what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the example `{example}` of `{tool}` failed: expected {expected}, got {got}")]
pub struct FailedExample {
    /// The tool.
    pub tool: String,
    /// The example, shortened.
    pub example: String,
    /// What it should have given, shortened.
    pub expected: String,
    /// What it gave, shortened.
    pub got: String,
    /// Where in the code it failed; may be empty.
    pub traceback: String,
}

impl AuthoringError {
    /// The stable code, the same over REST, MCP, Python and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "bad_request",
            Self::InvalidCode(_) => "invalid_code",
            Self::ExampleFailed(_) => "example_failed",
            Self::NotDynamic { .. } => "wrong_state",
            Self::UnknownVersion { .. } => "unknown_version",
            Self::Forbidden(_) => "forbidden",
            Self::InvalidPath { .. } => "invalid_path",
            Self::FileExists(_) => "file_exists",
            Self::Storage(error) => PluginError::State(error.clone()).code(),
            Self::Unavailable => "not_implemented",
            Self::TimedOut => "timed_out",
            Self::Plugin(error) => error.code(),
        }
    }

    /// Where in the code, for its author; may be empty.
    pub fn traceback(&self) -> &str {
        match self {
            Self::InvalidCode(problem) => &problem.traceback,
            Self::ExampleFailed(failed) => &failed.traceback,
            Self::Plugin(error) => error.traceback(),
            _ => "",
        }
    }
}

fn joined(errors: &[ArgumentError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn whose(tool: Option<&str>) -> String {
    tool.map_or_else(|| "the plugin".to_owned(), |tool| format!("`{tool}`"))
}

fn position(line: Option<u64>, column: Option<u64>) -> String {
    match (line, column) {
        (Some(line), Some(column)) => format!(", line {line}, column {column},"),
        (Some(line), None) => format!(", line {line},"),
        _ => String::new(),
    }
}

impl Host {
    /// Lets plugins be made of code by `author`, for as long as whoever owns it keeps it. The first one stays.
    pub fn set_author(&self, author: Weak<dyn PluginAuthor>) {
        self.inner.author.get_or_init(|| author);
    }

    /// Begins another generation in which nothing is registered that was not before: what is kept of a generation is worked
    /// out anew. For whoever changes whose a plugin is.
    pub async fn begin_generation(&self) -> Result<(), PluginError> {
        self.inner.change(|_, _| Ok(())).await
    }

    /// Who makes plugins of code.
    pub fn author(&self) -> Result<Arc<dyn PluginAuthor>, AuthoringError> {
        self.inner.plugin_author()
    }
}

impl Inner {
    fn plugin_author(&self) -> Result<Arc<dyn PluginAuthor>, AuthoringError> {
        self.author.get().and_then(Weak::upgrade).ok_or(AuthoringError::Unavailable)
    }

    /// Who made the plugin, if an agent did.
    pub(crate) fn maker(&self, plugin: &PluginId) -> Option<Arc<AgentRights>> {
        self.author.get().and_then(Weak::upgrade)?.maker(plugin)
    }

    /// As whom the plugin that serves `cx` calls others: as the caller, and if an agent made its code, with no right that
    /// this agent lacks. Else whoever calls what an agent wrote would lend it his rights.
    pub(crate) fn caller_within(&self, cx: &CallContext) -> Caller {
        match self.maker(cx.plugin()) {
            Some(maker) => cx.caller().bounded_by(&maker),
            None => cx.caller().clone(),
        }
    }

    /// Does what a plugin asks for, as the caller of its call and inside its time.
    pub(crate) async fn author_for(
        &self,
        cx: &CallContext,
        wanted: Authoring,
    ) -> Result<Value, AuthoringRefused> {
        let (caller, deadline) = (self.caller_within(cx), cx.deadline());
        let done = async {
            let author = self.plugin_author()?;
            let info = match wanted {
                Authoring::Create(plugin) => author.create(caller, *plugin, deadline).await?,
                Authoring::Update(plugin) => author.update(caller, *plugin, deadline).await?,
                Authoring::Remove(id) => {
                    let removed = author.remove(caller, id.to_string(), false).await?;
                    return Ok(json!({"plugin_id": id, "removed": removed}));
                }
            };
            let snapshot = self.snapshot.load();
            let tools = snapshot.tools.list_by(crate::Index::Plugin, info.metadata.id.as_str());
            let tools: Vec<_> = tools
                .iter()
                .map(|tool| json!({"name": tool.name, "description": tool.description, "parameters": tool.definition().parameters}))
                .collect();
            Ok(json!({
                "plugin_id": info.metadata.id,
                "version": info.metadata.version,
                "status": info.status,
                "tools": tools,
            }))
        };
        done.await.map_err(|error: AuthoringError| AuthoringRefused {
            code: error.code(),
            traceback: error.traceback().to_owned(),
            message: error.to_string(),
        })
    }
}
