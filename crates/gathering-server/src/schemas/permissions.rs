//! The shapes of what plugins may touch.

use serde::Serialize;
use utoipa::ToSchema;

use super::shapes;

/// Who made a plugin.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// Its operator installed it.
    Installed,
    /// An agent wrote it.
    Agent,
}

shapes! {
    /// What a plugin asks to touch, or is allowed. What is absent is empty. In a request, a single text stands for a list
    /// of one.
    struct Permissions {
        /// Files and folders to read; absolute, or below the home folder as `~/name`.
        #[schema(required = false)]
        read: Vec<String>,
        /// Files and folders to write. What may be written may be read.
        #[schema(required = false)]
        write: Vec<String>,
        /// Hosts to connect to: `api.example.com`, `*.example.com:443`, `*`, `127.0.0.1:8080`.
        #[schema(required = false)]
        network: Vec<String>,
        /// Variables of the server's environment to see, by name.
        #[schema(required = false)]
        environment: Vec<String>,
        /// Secrets to know, by name.
        #[schema(required = false)]
        secrets: Vec<String>,
        /// Programs to run, by name.
        #[schema(required = false)]
        commands: Vec<String>,
        /// How much to use.
        #[schema(required = false)]
        limits: ResourceLimits,
    }

    /// How much a plugin may use. What is absent is not limited, or was not said.
    struct ResourceLimits {
        /// Memory of all of its processes together, in bytes. In a request also a text such as `512MiB`.
        #[schema(required = false)]
        memory: u64,
        /// Processor time of one process, in seconds.
        #[schema(required = false)]
        cpu_seconds: u64,
        /// Processes and threads at once.
        #[schema(required = false)]
        processes: u64,
        /// The largest file that it may write, in bytes.
        #[schema(required = false)]
        file_size: u64,
        /// What it may keep in its temporary folder, in bytes.
        #[schema(required = false)]
        tmp_size: u64,
        /// What all files that it makes or changes may take on disk together, in bytes.
        #[schema(required = false)]
        disk: u64,
    }

    /// What a plugin may really touch: what it asks for and is allowed, and what it gets without asking.
    struct Grants {
        /// Who made it.
        origin: Origin,
        /// Files and folders that it may read; links are resolved.
        read: Vec<String>,
        /// Files and folders that it may read and write, likewise.
        write: Vec<String>,
        /// Hosts that it may connect to.
        network: Vec<String>,
        /// Variables of the server's environment that it sees.
        environment: Vec<String>,
        /// Secrets that it is told.
        secrets: Vec<String>,
        /// Programs that it may run.
        commands: Vec<String>,
        /// How much it may use.
        limits: ResourceLimits,
    }

    /// What the operator allows a plugin, by where it was said. Both hold.
    struct Allowed {
        /// With `POST /plugins/{id}/grant`.
        granted: Permissions,
        /// In the configuration.
        configured: Permissions,
    }

    /// What a plugin asks for, what its operator allows, and what follows.
    struct PluginPermissions {
        /// The plugin.
        plugin_id: String,
        /// What it asks for.
        asked: Permissions,
        /// What its operator allows.
        allowed: Allowed,
        /// What it may touch.
        effective: Grants,
        /// What it asks for and is not allowed, not even a part of it.
        missing: Permissions,
        /// The command that would allow what is missing; null if nothing is.
        #[schema(required)]
        grant_command: Option<String>,
    }

    /// What came of granting or revoking.
    struct PermissionsChange {
        /// True: a failure is a problem document.
        success: bool,
        /// What was done, in words.
        message: String,
        /// The permissions as they are now.
        permissions: PluginPermissions,
        /// Whether the plugin was reloaded for it. False if it is not loaded, or may touch what it could before.
        reloaded: bool,
    }
}
