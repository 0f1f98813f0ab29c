//! The registries, the plugin manager and the one call path of GatheRing.
//!
//! A [`Host`] is a value: it knows plugins, registers what they contribute in immutable [`Snapshot`]s, and calls their
//! tools. Readers of a snapshot never wait and never see half a plugin.

mod admit;
mod authoring;
mod check;
mod dependency;
mod entry;
mod error;
mod event;
mod execute;
mod file_handlers;
mod gate;
mod host;
mod in_process;
mod instance;
mod journal;
mod manager;
mod reach;
mod search;
mod skills;
mod snapshot;
mod table;
mod tool;
mod view;

pub use admit::{Admitted, By};
pub use authoring::{AuthoringError, FailedExample, InvalidCode, PluginAuthor, PluginVersion};
pub use check::{Check, Look, Seen};
pub use entry::{PluginHealth, PluginInfo, PluginStats};
pub use error::PluginError;
pub use event::{Event, EventKind};
pub use execute::{CallOptions, CallReport};
pub use host::{Host, HostBuilder, Limits, WeakHost};
pub use in_process::{Additions, Handle, InProcess};
pub use manager::{
    Allowed, Dependencies, Discovered, Discovery, DiscoveryError, PermissionsChange, PluginPermissions,
    Restored, Trial,
};
pub use reach::Reach;
pub use search::{Found, Takes};
pub use skills::SkillsRuntime;
pub use snapshot::Snapshot;
pub use table::{Definition, Index, Table, Taken, nearest};
pub use tool::Tool;
