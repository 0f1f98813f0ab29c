//! Putting a GatheRing together: the data directory, the store, the runtimes, and the plugins that were there before.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gathering_agents::{Agents, ChatLimits, Chats, CountedModels};
use gathering_core::{PluginId, PluginSource, PluginStatus};
use gathering_host::{Dependencies, Host, Limits, Restored, SkillsRuntime};
use gathering_models::Models;
use gathering_plugins::{Builtin, NativeRuntime, OwnPlaces};
use gathering_runtime_python::{PythonConfig, PythonRuntime};
use gathering_sandbox::{Confinement, Prober};
use gathering_store::{CallJournal, SqliteStore};

use crate::config::Config;
use crate::data_dir::{DataDir, Lock, ServerInfo, default_path};
use crate::dynamic::DynamicPlugins;
use crate::error::StartError;
use crate::secrets::SecretsFile;
use crate::watch::Watch;

/// A host with every runtime, the built-in plugins, and its state in a data directory. Cloning gives the same one.
///
/// ```no_run
/// use gathering::{CallOptions, Caller, Config, GatheRing};
///
/// # async fn example() -> Result<(), gathering::StartError> {
/// let gathering = GatheRing::open(Config::default()).await?;
/// let arguments = serde_json::Map::from_iter([("expression".to_owned(), "6 * 7".into())]);
/// let report = gathering.host().execute(Caller::Operator, "calculate", arguments, CallOptions::default()).await;
/// println!("{:?}", report.outcome);
/// gathering.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GatheRing {
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    config: Config,
    data_dir: DataDir,
    python: Arc<PythonRuntime>,
    dynamic: Arc<DynamicPlugins>,
    agents: Agents,
    chats: Chats,
    problems: Vec<String>,
    held: Mutex<Held>,
}

/// What is given up at the end.
struct Held {
    lock: Option<Lock>,
    watch: Option<Watch>,
    is_announced: bool,
}

impl GatheRing {
    /// Opens the data directory, brings back the plugins that were there, looks for new ones, and loads and enables
    /// those that `plugins.enable` names.
    ///
    /// A plugin that fails is told by [`GatheRing::problems`] and keeps nothing else from starting. No plugin's code is
    /// run whose file has not changed since it was described last. Refused while another process has the data
    /// directory.
    pub async fn open(config: Config) -> Result<Self, StartError> {
        Self::open_with(config, []).await
    }

    /// The same, with plugins of the caller's own that are written in Rust, beside the built-in ones.
    pub async fn open_with(
        config: Config,
        plugins: impl IntoIterator<Item = Builtin>,
    ) -> Result<Self, StartError> {
        let place =
            config.data_dir.clone().or_else(|| default_path(|name| std::env::var_os(name).map(Into::into)));
        let data_dir = DataDir::new(place.ok_or(StartError::NoDataDir)?);
        data_dir.create()?;
        let lock = data_dir.lock()?;
        let store = Arc::new(SqliteStore::open(data_dir.state())?);
        let own = own_places(&config, &data_dir);
        let prober = prober(&config);
        let native =
            Arc::new(NativeRuntime::new(gathering_plugins::all(&own, &prober).into_iter().chain(plugins)));
        let python = Arc::new(python_runtime(&config, &data_dir, prober));
        let secrets = Arc::new(SecretsFile::new(data_dir.clone()));
        let models = Models::new(&config.models, Some(secrets.clone()));
        let mut builder = Host::builder()
            .runtime(native.clone())
            .runtime(python.clone())
            .runtime(Arc::new(SkillsRuntime))
            .evaluator(python.clone())
            .models(Arc::new(CountedModels::new(models.clone())))
            .store(store.clone())
            .limits(Limits::from(&config.limits))
            .secrets(secrets)
            .directory(data_dir.plugins())
            .agent_directory(data_dir.dynamic());
        for directory in config.plugins.directories.iter().map(absolute) {
            builder = builder.directory(directory);
        }
        for directory in config.skills.directories.iter().map(absolute) {
            builder = builder.skill_directory(directory);
        }
        if config.journal.enabled {
            builder =
                builder.journal(Arc::new(CallJournal::open(&data_dir.journal(), (&config.journal).into())?));
        }
        for (id, configuration) in &config.plugins.config {
            let id = plugin_id(id, || format!("plugins.config.{id}"))?;
            builder = builder.configure(&id, configuration.clone().into());
        }
        for (extension, plugin) in &config.files.handlers {
            let plugin = plugin_id(plugin, || format!("files.handlers.\"{extension}\""))?;
            builder = builder.file_handler(extension, plugin.as_str());
        }
        for (id, permissions) in &config.plugins.permissions {
            let id = plugin_id(id, || format!("plugins.permissions.{id}"))?;
            builder = builder.allow(&id, permissions.clone());
        }
        let host = builder.build();
        let agents = Agents::open(host.clone(), store.clone()).map_err(gathering_host::PluginError::from)?;
        let chats = Chats::new(agents.clone(), models, store, ChatLimits::from(&config.chat));
        let mut problems = bring_back(&host, &config, native.sources()).await?;
        let (dynamic, unfinished) = DynamicPlugins::open(
            host.clone(),
            agents.clone(),
            python.clone(),
            data_dir.dynamic(),
            data_dir.plugins(),
        )
        .await;
        problems.extend(unfinished);
        let watch = if config.plugins.watch {
            let (watch, unwatched) = Watch::start(host.clone());
            problems.extend(unwatched);
            Some(watch)
        } else {
            None
        };
        let held = Mutex::new(Held { lock: Some(lock), watch, is_announced: false });
        Ok(Self {
            inner: Arc::new(Inner { host, config, data_dir, python, dynamic, agents, chats, problems, held }),
        })
    }

    /// The registries, the plugin manager and the call path.
    pub fn host(&self) -> &Host {
        &self.inner.host
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Where it keeps what it has to keep.
    pub fn data_dir(&self) -> &DataDir {
        &self.inner.data_dir
    }

    /// What runs Python plugins.
    pub fn python(&self) -> &PythonRuntime {
        &self.inner.python
    }

    /// What makes plugins of code; [`PluginAuthor`](gathering_host::PluginAuthor) says how.
    pub fn dynamic(&self) -> &DynamicPlugins {
        &self.inner.dynamic
    }

    /// Who calls beside the operator.
    pub fn agents(&self) -> &Agents {
        &self.inner.agents
    }

    /// Talking with agents, and the models that are talked with.
    pub fn chats(&self) -> &Chats {
        &self.inner.chats
    }

    /// What went wrong at the start and kept nothing else from starting, a sentence each.
    pub fn problems(&self) -> &[String] {
        &self.inner.problems
    }

    /// The last lines that a plugin printed, at most `bytes` of them. May block.
    pub fn plugin_log(&self, plugin: &PluginId, bytes: u64) -> io::Result<String> {
        self.inner.python.log(plugin, bytes)
    }

    /// The secrets of its plugins.
    pub fn secrets(&self) -> SecretsFile {
        SecretsFile::new(self.inner.data_dir.clone())
    }

    /// The operator's token, made at its first use.
    pub fn operator_token(&self) -> Result<String, StartError> {
        self.inner.data_dir.make_operator_token()
    }

    /// Tells other processes of this user where it is served. Forgotten at [`GatheRing::shutdown`].
    pub fn announce(&self, url: &str) -> io::Result<()> {
        self.inner.data_dir.announce(&ServerInfo { url: url.to_owned(), pid: std::process::id() })?;
        self.inner.held().is_announced = true;
        Ok(())
    }

    /// Takes no new calls, gives those in flight `limits.shutdown_grace`, stops every plugin and gives up the data
    /// directory. What was kept stays.
    pub async fn shutdown(&self) {
        drop(self.inner.held().watch.take());
        self.inner.host.shutdown(self.inner.config.limits.shutdown_grace).await;
        self.inner.give_up();
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_up(&self) {
        let mut held = self.held();
        if std::mem::take(&mut held.is_announced)
            && let Err(error) = self.data_dir.unannounce()
        {
            tracing::warn!(%error, "the address of the server could not be taken back");
        }
        held.lock = None;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Knows how what runs is confined on this machine, as far as `config` lets it. Making it tries nothing.
pub fn prober(config: &Config) -> Arc<Prober> {
    Arc::new(Prober::new(Confinement::Sandbox {
        launcher: config.sandbox.launcher.clone().unwrap_or_else(launcher),
        tier: config.sandbox.tier,
        or_unconfined: config.sandbox.allow_unconfined,
    }))
}

/// What runs Python plugins as `config` says, without anything around it. Making it starts nothing.
pub fn python_runtime(config: &Config, data_dir: &DataDir, prober: Arc<Prober>) -> PythonRuntime {
    PythonRuntime::new(PythonConfig {
        interpreter: config.python.interpreter.clone(),
        uv: config.python.uv.clone(),
        offline: config.python.offline,
        data_dir: data_dir.path().to_owned(),
        agents: Some(data_dir.dynamic()),
        prober,
        examine_timeout: config.python.examine_timeout,
        max_output: config.limits.max_output,
        warm: config.python.warm,
        rest: Some(config.python.rest_after).filter(|rest| !rest.is_zero()),
        max_log: config.python.max_log,
    })
}

/// The program `gathering`: this one, or the one beside it. `/proc/self/exe` may be Python, a test or somebody's own.
fn launcher() -> PathBuf {
    let name = OsStr::new("gathering");
    let this = std::env::current_exe().unwrap_or_default();
    if this.file_name() == Some(name) {
        return this;
    }
    // Tests and examples lie in a folder of their own, below that of the programs.
    let beside = this.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    beside.into_iter().find(|program| program.is_file()).unwrap_or_else(|| this.with_file_name(name))
}

fn absolute(path: &PathBuf) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.clone())
}

/// What the tools for files and commands stay away from: the data directory, and the folders of plugins and skills that the
/// configuration names.
pub(crate) fn own_places(config: &Config, data_dir: &DataDir) -> OwnPlaces {
    OwnPlaces {
        private: vec![data_dir.path().to_owned()],
        protected: config
            .plugins
            .directories
            .iter()
            .chain(&config.skills.directories)
            .map(absolute)
            .collect(),
    }
}

/// Restores, discovers and enables; returns what went wrong with single plugins.
async fn bring_back(
    host: &Host,
    config: &Config,
    builtins: Vec<PluginSource>,
) -> Result<Vec<String>, StartError> {
    let mut problems = Vec::new();
    let restored = host.restore().await?;
    problems.extend(restored.failed.iter().map(|(_, error)| error.clone()));
    for source in builtins {
        if let Err(error) = host.add(source).await {
            problems.push(error.to_string());
        }
    }
    forget_skills(host).await?;
    let wanted = config.plugins.enable.iter().map(|id| plugin_id(id, || "plugins.enable".to_owned()));
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    // Built-in plugins that are wanted are in use before files are looked for, of which none takes their place then.
    let is_native = |id: &PluginId| host.plugin(id.as_str()).is_ok_and(|known| known.runtime == "native");
    let (built_in, others): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_native);
    for id in &built_in {
        problems.extend(enable(host, id, &restored).await.err().map(|error| error.to_string()));
    }
    let discovery = host.discover(None).await?;
    let broken = discovery.errors.iter();
    problems.extend(broken.map(|error| format!("`{}`: {}", error.path.display(), error.message)));
    for id in &others {
        problems.extend(enable(host, id, &restored).await.err().map(|error| error.to_string()));
    }
    Ok(problems)
}

/// Forgets the skills of folders that the configuration no longer names.
async fn forget_skills(host: &Host) -> Result<(), StartError> {
    let directories = host.directories();
    let is_named = |source: &Path| directories.iter().any(|directory| source.parent() == Some(directory));
    for plugin in host.plugins() {
        if plugin.runtime == "skill" && !is_named(Path::new(&plugin.source)) {
            host.forget(plugin.metadata.id.as_str(), true).await?;
        }
    }
    Ok(())
}

/// Loads and enables a plugin that the configuration wants enabled.
///
/// A plugin that its operator disabled stays so: `disable` is kept. `unload` is not such a word of the operator's, and
/// holds until the next start. What could not be restored just now is not tried twice.
async fn enable(host: &Host, id: &PluginId, restored: &Restored) -> Result<(), gathering_host::PluginError> {
    let id = id.as_str();
    let plugin = host.plugin(id)?;
    let failed = restored.failed.iter().any(|(failed, _)| *failed == plugin.metadata.id);
    match plugin.status {
        PluginStatus::Enabled | PluginStatus::Disabled => return Ok(()),
        PluginStatus::Error if failed => return Ok(()),
        PluginStatus::Loaded => {}
        PluginStatus::Unloaded | PluginStatus::Error => {
            host.load(id, None, Dependencies::LoadToo).await?;
        }
    }
    host.enable(id).await.map(|_| ())
}

fn plugin_id(text: &str, key: impl FnOnce() -> String) -> Result<PluginId, StartError> {
    PluginId::new(text).map_err(|error| StartError::PluginId { key: key(), reason: error.to_string() })
}
