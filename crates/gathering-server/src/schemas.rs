//! What answers look like, for the OpenAPI document: the JSON of types whose own crates know nothing of it.
//!
//! The tests hold every real answer against these shapes; those made by `shapes!` take no member that they don't name.

#![expect(dead_code, reason = "these are only described, never made")]

mod agents;
mod calls;
mod chat;
mod competencies;
mod dynamic;
mod permissions;
mod plugins;
mod tools;

use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use agents::{AgentChange, AgentDetails, AgentLearningPath, AgentList, CompetencyGrant, NewAgent};
pub(crate) use calls::{Call, Calls};
pub(crate) use chat::{ChatEvent, ConversationList, FullConversation, ModelList, NewMessage};
pub(crate) use competencies::{Competencies, CompetencyDetails, FileHandlers, Instructions, LearningPath};
pub(crate) use dynamic::{DynamicPlugin, PluginVersions};
pub(crate) use permissions::{Permissions, PermissionsChange, PluginPermissions};
pub(crate) use plugins::{
    Discovery, Plugin, PluginHealth, PluginIds, PluginLog, PluginStats, PluginStatus, Plugins, PluginsHealth,
    Tier,
};
pub(crate) use tools::{Content, PluginTools, Tool, Tools};

macro_rules! shapes {
    ($($(#[$meta:meta])* struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })*) => { $(
        #[derive(Serialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$meta])*
        pub(crate) struct $name { $($(#[$field_meta])* $field: $type,)* }
    )* };
}
use shapes;

/// Something that happened. What else it holds depends on `event`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Event {
    /// Counts up by one with each event.
    sequence: u64,
    /// The generation of the registries when it happened.
    generation: u64,
    /// When, in milliseconds since 1970-01-01 UTC.
    time_ms: u64,
    /// What, such as `plugin_loaded` or `tool_called`.
    event: String,
    /// The plugin it is about.
    plugin_id: String,
}
