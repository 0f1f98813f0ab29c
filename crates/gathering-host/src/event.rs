//! What happened: one numbered stream for everybody who watches.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use gathering_core::{CallId, Permissions, PluginId, ToolName};
use serde::{Serialize, Serializer};
use tokio::sync::broadcast;

/// How many events a watcher may lag behind before it misses some.
const BUFFER: usize = 1024;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Counts up by one with each event that is published.
    pub sequence: u64,
    /// The generation of the registries when it happened.
    pub generation: u64,
    /// When, in milliseconds since 1970-01-01 UTC.
    #[serde(rename = "time_ms", serialize_with = "milliseconds")]
    pub time: SystemTime,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A plugin was found; nothing of it is registered yet.
    PluginDiscovered {
        /// The plugin.
        plugin_id: PluginId,
        /// Where it lies.
        path: String,
    },
    /// A plugin is being loaded.
    PluginLoading {
        /// The plugin.
        plugin_id: PluginId,
    },
    /// Long work on a plugin goes on, such as installing what it needs.
    PluginProgress {
        /// The plugin.
        plugin_id: PluginId,
        /// What is being done.
        message: String,
    },
    /// What a plugin contributes is registered.
    PluginLoaded {
        /// The plugin.
        plugin_id: PluginId,
    },
    /// A plugin is offered to agents.
    PluginEnabled {
        /// The plugin.
        plugin_id: PluginId,
    },
    /// Calls of a plugin's tools are refused.
    PluginDisabled {
        /// The plugin.
        plugin_id: PluginId,
    },
    /// Nothing of a plugin is registered any more.
    PluginUnloaded {
        /// The plugin.
        plugin_id: PluginId,
    },
    /// A new generation of a plugin took over.
    PluginReloaded {
        /// The plugin.
        plugin_id: PluginId,
    },
    /// A plugin is allowed more.
    PermissionsGranted {
        /// The plugin.
        plugin_id: PluginId,
        /// What it was allowed.
        permissions: Permissions,
    },
    /// A plugin is allowed less.
    PermissionsRevoked {
        /// The plugin.
        plugin_id: PluginId,
        /// What it is no longer allowed.
        permissions: Permissions,
    },
    /// A plugin could not be loaded, reloaded, started, or a hook of it failed.
    PluginFailed {
        /// The plugin.
        plugin_id: PluginId,
        /// Why.
        error: String,
    },
    /// A tool was called. Published only while somebody watches.
    ToolCalled {
        /// The call.
        call_id: CallId,
        /// The tool.
        tool: ToolName,
        /// Its plugin.
        plugin_id: PluginId,
        /// `operator`, or the agent's id.
        caller: Arc<str>,
        /// How long it took, in milliseconds.
        duration_ms: f64,
        /// The error's code; absent when it went well.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<&'static str>,
    },
}

impl EventKind {
    /// The event's word, such as `plugin_loaded`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PluginDiscovered { .. } => "plugin_discovered",
            Self::PluginLoading { .. } => "plugin_loading",
            Self::PluginProgress { .. } => "plugin_progress",
            Self::PluginLoaded { .. } => "plugin_loaded",
            Self::PluginEnabled { .. } => "plugin_enabled",
            Self::PluginDisabled { .. } => "plugin_disabled",
            Self::PluginUnloaded { .. } => "plugin_unloaded",
            Self::PluginReloaded { .. } => "plugin_reloaded",
            Self::PermissionsGranted { .. } => "permissions_granted",
            Self::PermissionsRevoked { .. } => "permissions_revoked",
            Self::PluginFailed { .. } => "plugin_failed",
            Self::ToolCalled { .. } => "tool_called",
        }
    }

    /// The plugin it is about.
    pub fn plugin_id(&self) -> &PluginId {
        match self {
            Self::PluginDiscovered { plugin_id, .. }
            | Self::PluginLoading { plugin_id }
            | Self::PluginProgress { plugin_id, .. }
            | Self::PluginLoaded { plugin_id }
            | Self::PluginEnabled { plugin_id }
            | Self::PluginDisabled { plugin_id }
            | Self::PluginUnloaded { plugin_id }
            | Self::PluginReloaded { plugin_id }
            | Self::PermissionsGranted { plugin_id, .. }
            | Self::PermissionsRevoked { plugin_id, .. }
            | Self::PluginFailed { plugin_id, .. }
            | Self::ToolCalled { plugin_id, .. } => plugin_id,
        }
    }
}

/// Where events are published.
pub(crate) struct Events {
    sender: broadcast::Sender<Arc<Event>>,
    sequence: AtomicU64,
    /// Whether anybody ever watched: to ask how many do takes a lock.
    was_watched: AtomicBool,
    recent: Mutex<VecDeque<Arc<Event>>>,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::channel(BUFFER).0,
            sequence: AtomicU64::new(0),
            was_watched: AtomicBool::new(false),
            recent: Mutex::default(),
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.was_watched.store(true, Ordering::Release);
        self.sender.subscribe()
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.was_watched.load(Ordering::Acquire) && self.sender.receiver_count() > 0
    }

    /// Publishes `kind`. The numbers leave in order, so one lock covers counting, keeping and sending.
    pub(crate) fn publish(&self, generation: u64, kind: EventKind) {
        let mut recent = self.recent.lock().expect("nothing panics while it holds this lock");
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let event = Arc::new(Event { sequence, generation, time: SystemTime::now(), kind });
        if recent.len() == BUFFER {
            recent.pop_front();
        }
        recent.push_back(event.clone());
        // No receiver is no error: nobody watches.
        let _ = self.sender.send(event);
    }

    /// The kept events after the one numbered `sequence`, oldest first.
    pub(crate) fn after(&self, sequence: u64) -> Vec<Arc<Event>> {
        let recent = self.recent.lock().expect("nothing panics while it holds this lock");
        recent.iter().filter(|event| event.sequence > sequence).cloned().collect()
    }
}

fn milliseconds<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    to.serialize_u64(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
