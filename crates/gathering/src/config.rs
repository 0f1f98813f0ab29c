//! The configuration: every setting, its meaning and its default.

mod chat;
mod error;
mod read;
mod seconds;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use gathering_core::Permissions;
use gathering_host::Limits;
use gathering_models::ModelsSettings;
use gathering_sandbox::Tier;
use gathering_store::{JournalSettings, OnFailure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use chat::ChatConfig;
pub use error::ConfigError;
pub use read::{ConfigSources, Flag, ReadConfig};

/// The configuration of a GatheRing. [`ConfigSources::read`] reads it from a file, variables and flags.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where state, logs and environments are kept; `$XDG_DATA_HOME/gathering` or `~/.local/share/gathering` if absent.
    pub data_dir: Option<PathBuf>,
    /// How it is served.
    pub server: ServerConfig,
    /// Which plugins there are.
    pub plugins: PluginsConfig,
    /// Which plugins handle which files.
    pub files: FilesConfig,
    /// Which skills there are beside those of plugins.
    pub skills: SkillsConfig,
    /// How Python plugins run.
    pub python: PythonSettings,
    /// Which language models there are.
    pub models: ModelsSettings,
    /// What talking with agents may take.
    pub chat: ChatConfig,
    /// How what runs is confined.
    pub sandbox: SandboxConfig,
    /// What calls and plugins may take.
    pub limits: LimitsConfig,
    /// What is kept of calls.
    pub journal: JournalConfig,
    /// What is logged.
    pub log: LogConfig,
}

/// How a GatheRing is served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// The address to listen on. One that other machines reach takes `require_token`. Default: `127.0.0.1`.
    pub host: String,
    /// The port to listen on; 0 takes a free one. Default: 8000.
    pub port: u16,
    /// Every request needs the operator's token, which is in the data directory as `operator.token`. Default: false.
    pub require_token: bool,
    /// Names that the `Host` header may give besides those of loopback. Default: none.
    pub allowed_hosts: Vec<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self { host: "127.0.0.1".into(), port: 8000, require_token: false, allowed_hosts: Vec::new() }
    }
}

/// Which plugins there are and how they are configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginsConfig {
    /// Folders to look for plugins in, besides `plugins` in the data directory. In a file they are relative to it.
    pub directories: Vec<PathBuf>,
    /// The plugins that are loaded, with those that they need, and enabled at each start, unless their operator disabled
    /// them: that is kept. Default: `core`.
    pub enable: Vec<String>,
    /// A plugin is reloaded when its file changes, and a new file is discovered. Default: false.
    pub watch: bool,
    /// Configurations by plugin id. Each goes before the one that was kept.
    pub config: BTreeMap<String, Map<String, Value>>,
    /// What plugins are allowed to touch, by plugin id, beside what was granted by command; as far as they ask for it. Not
    /// meant are plugins that agents made.
    pub permissions: BTreeMap<String, Permissions>,
}

impl Default for PluginsConfig {
    fn default() -> Self {
        Self {
            directories: Vec::new(),
            enable: vec!["core".into()],
            watch: false,
            config: BTreeMap::new(),
            permissions: BTreeMap::new(),
        }
    }
}

/// Which plugins handle which files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesConfig {
    /// The plugin that handles files which end so, such as `csv = "tables"`, where several would. Without it a plugin is
    /// refused that claims what another one handles.
    pub handlers: BTreeMap<String, String>,
}

/// Where skills are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SkillsConfig {
    /// Folders whose folders with a `SKILL.md` are competencies, enabled when they are found. In a file they are relative to it.
    /// Default: none.
    pub directories: Vec<PathBuf>,
}

/// How what runs is confined.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxConfig {
    /// The program `gathering`, which applies the confinement. Default: this program if it is that, else the one beside
    /// it.
    pub launcher: Option<PathBuf>,
    /// The one tier in which code runs, `isolated` or `confined`; where it does not hold, nothing is run. Default: the
    /// strongest that holds.
    pub tier: Option<Tier>,
    /// Where no confinement holds, code runs with all the rights of this user instead of not at all. Default: false.
    pub allow_unconfined: bool,
}

/// How Python plugins run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PythonSettings {
    /// The interpreter, CPython 3.10 or newer; the first such one on `PATH` if absent.
    pub interpreter: Option<PathBuf>,
    /// The `uv` that installs packages; the one on `PATH` or of the interpreter if absent, else `pip`.
    pub uv: Option<PathBuf>,
    /// Packages are taken from the installer's cache only. Default: false.
    pub offline: bool,
    /// Whether workers are forked from a warm parent, a Python of some 15 MB that runs no plugin's code, so that a tool is
    /// ready in milliseconds. Only in the tier `isolated`. Default: true.
    pub warm: bool,
    /// After how long without a call the workers of a plugin that was made of code are stopped, as a number of seconds or a
    /// text such as `5m`; the next call starts one. 0: never. Default: 5 min.
    #[serde(with = "seconds")]
    pub rest_after: Duration,
    /// How long the code of a plugin that is made of code may take when it is run to be examined, as a number of seconds or a
    /// text; installing its packages does not count. Default: 20 s.
    #[serde(with = "seconds")]
    pub examine_timeout: Duration,
    /// The most bytes that a plugin's log takes before it is begun anew. Default: 1 MiB.
    pub max_log: u64,
}

impl Default for PythonSettings {
    fn default() -> Self {
        Self {
            interpreter: None,
            uv: None,
            offline: false,
            warm: true,
            rest_after: Duration::from_secs(300),
            examine_timeout: Duration::from_secs(20),
            max_log: 1 << 20,
        }
    }
}

/// What calls and plugins may take: [`Limits`], with times as seconds or texts such as `30s`, `500ms` and `2m`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// How long a call may take that does not say. Default: 60 s.
    #[serde(with = "seconds")]
    pub call_timeout: Duration,
    /// How long any call may take. Default: 10 min.
    #[serde(with = "seconds")]
    pub max_timeout: Duration,
    /// How long loading a plugin may take, with installing what it needs. Default: 120 s.
    #[serde(with = "seconds")]
    pub load_timeout: Duration,
    /// How long a health check may take. Default: 5 s.
    #[serde(with = "seconds")]
    pub health_timeout: Duration,
    /// How long `on_enable`, `on_disable` and `unload` may take. Default: 10 s.
    #[serde(with = "seconds")]
    pub hook_timeout: Duration,
    /// How long calls in flight may go on when their plugin is unloaded. Default: 10 s.
    #[serde(with = "seconds")]
    pub unload_grace: Duration,
    /// How long calls in flight may go on when everything is shut down. Default: 5 s.
    #[serde(with = "seconds")]
    pub shutdown_grace: Duration,
    /// How many calls may wait for one plugin. Default: 64.
    pub queue: usize,
    /// How large a result may be, in bytes. Default: 8 MiB.
    pub max_output: usize,
    /// How large the arguments of a call may be, in bytes. Default: 8 MiB.
    pub max_arguments: usize,
    /// How deep tools may call each other. Default: 16.
    pub max_depth: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            call_timeout: limits.call_timeout,
            max_timeout: limits.max_timeout,
            load_timeout: limits.load_timeout,
            health_timeout: limits.health_timeout,
            hook_timeout: limits.hook_timeout,
            unload_grace: limits.unload_grace,
            shutdown_grace: Duration::from_secs(5),
            queue: limits.queue,
            max_output: limits.max_output,
            max_arguments: limits.max_arguments,
            max_depth: limits.max_depth,
        }
    }
}

impl From<&LimitsConfig> for Limits {
    fn from(config: &LimitsConfig) -> Self {
        Self {
            call_timeout: config.call_timeout,
            max_timeout: config.max_timeout,
            load_timeout: config.load_timeout,
            health_timeout: config.health_timeout,
            hook_timeout: config.hook_timeout,
            unload_grace: config.unload_grace,
            queue: config.queue,
            max_output: config.max_output,
            max_arguments: config.max_arguments,
            max_depth: config.max_depth,
        }
    }
}

/// What is kept of calls: a row of each, in the folder `journal` of the data directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalConfig {
    /// Whether rows are kept. Default: true.
    pub enabled: bool,
    /// The most rows that are kept; the oldest go first. Default: 1,000,000.
    pub keep_rows: u64,
    /// How long rows are kept, as a number of seconds or a text such as `12h`. Default: 30 days.
    #[serde(with = "seconds")]
    pub keep_for: Duration,
    /// How many bytes of a call's arguments, as JSON, a row keeps. Default: 8,192.
    pub max_arguments: usize,
    /// What becomes of calls while no rows can be kept, such as on a full disk: `refuse` runs nothing, `continue` runs them
    /// without rows. Default: `refuse`.
    pub on_failure: OnFailure,
}

impl Default for JournalConfig {
    fn default() -> Self {
        let JournalSettings { keep_rows, keep_for, max_arguments, on_failure } = JournalSettings::default();
        Self { enabled: true, keep_rows, keep_for, max_arguments, on_failure }
    }
}

impl From<&JournalConfig> for JournalSettings {
    fn from(config: &JournalConfig) -> Self {
        let JournalConfig { keep_rows, keep_for, max_arguments, on_failure, .. } = *config;
        Self { keep_rows, keep_for, max_arguments, on_failure }
    }
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or directives such as `info,gathering_host=debug`.
    /// Default: `info`.
    pub level: String,
    /// `text`, or `json` for a JSON object a line. Default: `text`.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
