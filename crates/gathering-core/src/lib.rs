//! The words and the two contracts of GatheRing: plain data and traits, no I/O, no async runtime.
//!
//! A [`Runtime`] is one way of running plugins; a [`Plugin`] is a loaded plugin, whatever runs it. Everything
//! else here is the data that passes between them and the host: definitions, calls, outputs and errors.

mod agent;
mod asking;
mod authoring;
mod call;
mod category;
mod competency;
mod conversation;
mod error;
mod evaluation;
mod file_handler;
mod instructions;
mod journal;
pub mod json;
mod names;
mod output;
mod permissions;
mod plugin;
mod runtime;
mod schema;
mod secrets;
mod state;
mod tool;

use std::future::Future;
use std::pin::Pin;

pub use agent::{AgentLimits, AgentRecord, AgentRights, AgentUsage, HeldCompetency, RateLimit, ToolRules};
pub use asking::{Asked, Asking, AskingRefused, LanguageModels};
pub use authoring::{Authoring, AuthoringRefused, DynamicPlugin, DynamicTool, MAX_ALL_CODE, MAX_CODE};
pub use call::{CallContext, CallId, Caller, HostServices, Tier, ToolCall, TraceId};
pub use category::{CompetencyCategory, ToolCategory};
pub use competency::{CompetencyDefinition, CompetencyLevel, Requirement};
pub use conversation::{ConversationRecord, ConversationStore};
pub use error::{ArgumentError, HookError, LoadError, LoadErrorKind, ReachedLimit, ToolError};
pub use evaluation::{Evaluated, Evaluation, EvaluationError, Evaluator};
pub use file_handler::{FileHandlerDefinition, FileOperation};
pub use instructions::{Instructions, InstructionsError};
pub use journal::{CallFilter, CallPage, CallRow, Decision, Journal, JournalError, ResultDigest};
pub use names::{
    AgentId, CompetencyId, FileHandlerName, NameError, PluginId, RESERVED_PLUGIN_IDS, ToolName, edit_distance,
};
pub use output::{Content, ToolOutput};
pub use permissions::{
    Access, Grants, HostPattern, Origin, PermissionError, Permissions, ResourceLimits, is_public,
};
pub use plugin::{Health, HealthStatus, ManifestError, Plugin, PluginManifest, PluginMetadata, PluginStatus};
pub use runtime::{LoadRequest, PluginSource, Progress, Runtime};
pub use schema::{MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH, Schema, SchemaError};
pub use secrets::{MAX_SECRET, MIN_SECRET, PluginSecrets, SecretError, Secrets, check_secret};
pub use state::{Change, PluginRecord, StateError, StateStore};
pub use tool::{ToolAnnotations, ToolDefinition};

/// A boxed future that may cross threads: what the methods of the two contracts return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The version of GatheRing, which a plugin's `min_gathering_version` is compared with.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
