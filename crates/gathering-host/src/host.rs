//! The host: the value that holds the registries, the plugin manager and the call path.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use gathering_core::{
    Caller, Change, Evaluator, Journal, LanguageModels, Permissions, PluginId, PluginStatus, Runtime,
    Secrets, StateError, StateStore, ToolError,
};
use serde_json::Value;
use tokio::sync::broadcast;

use crate::authoring::PluginAuthor;
use crate::entry::PluginStats;
use crate::error::PluginError;
use crate::event::{Event, EventKind, Events};
use crate::execute::Ids;
use crate::file_handlers::Choices;
use crate::gate;
use crate::search::Search;
use crate::snapshot::Snapshot;
use crate::tool::Tool;
use crate::view::Views;

/// A GatheRing: knows plugins, registers what they contribute, and calls their tools. Cloning gives the same one.
#[derive(Clone)]
pub struct Host {
    pub(crate) inner: Arc<Inner>,
}

/// A [`Host`] that is there as long as somebody else keeps it.
#[derive(Clone)]
pub struct WeakHost(Weak<Inner>);

pub(crate) struct Inner {
    pub(crate) this: Weak<Inner>,
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) views: Views,
    pub(crate) search: Search,
    pub(crate) events: Events,
    pub(crate) ids: Ids,
    pub(crate) limits: Limits,
    runtimes: OnceLock<Vec<Arc<dyn Runtime>>>,
    pub(crate) store: Option<Arc<dyn StateStore>>,
    pub(crate) directories: Mutex<Vec<PathBuf>>,
    /// What plugins are configured with from outside, by their ids in lower case.
    pub(crate) configurations: HashMap<String, Value>,
    /// What plugins are allowed from outside, by their ids in lower case.
    pub(crate) allowances: HashMap<String, Permissions>,
    /// Where plugins lie that agents made.
    pub(crate) agent_directories: Vec<PathBuf>,
    /// Where skills lie that are enabled when they are found.
    pub(crate) skill_directories: Vec<PathBuf>,
    pub(crate) secrets: Option<Arc<dyn Secrets>>,
    pub(crate) evaluator: OnceLock<Arc<dyn Evaluator>>,
    pub(crate) models: Option<Arc<dyn LanguageModels>>,
    pub(crate) journal: Option<Arc<dyn Journal>>,
    /// Held while the snapshot is changed and saved; readers never wait for it.
    pub(crate) writer: tokio::sync::Mutex<()>,
    /// One lock a plugin, so that a slow load holds up nobody else's.
    pub(crate) operations: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    pub(crate) instances: AtomicU64,
    pub(crate) author: OnceLock<Weak<dyn PluginAuthor>>,
    shutting_down: AtomicBool,
}

/// Limits of time and size, with their defaults.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a call may take that does not say. Default: 60 s.
    pub call_timeout: Duration,
    /// How long any call may take. Default: 10 min.
    pub max_timeout: Duration,
    /// How long loading a plugin may take, with installing what it needs. Default: 120 s.
    pub load_timeout: Duration,
    /// How long a health check may take. Default: 5 s.
    pub health_timeout: Duration,
    /// How long `on_enable`, `on_disable` and `unload` may take. Default: 10 s.
    pub hook_timeout: Duration,
    /// How long calls in flight may go on when their plugin is unloaded. Default: 10 s.
    pub unload_grace: Duration,
    /// How many calls may wait for one plugin. Default: 64.
    pub queue: usize,
    /// How large a result may be, in bytes. Default: 8 MiB.
    pub max_output: usize,
    /// How large the arguments of a call may be, in bytes. Default: 8 MiB.
    pub max_arguments: usize,
    /// How deep tools may call each other. Default: 16.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(60),
            max_timeout: Duration::from_secs(600),
            load_timeout: Duration::from_secs(120),
            health_timeout: Duration::from_secs(5),
            hook_timeout: Duration::from_secs(10),
            unload_grace: Duration::from_secs(10),
            queue: 64,
            max_output: 8 * 1024 * 1024,
            max_arguments: 8 * 1024 * 1024,
            max_depth: 16,
        }
    }
}

/// Puts a host together.
#[derive(Default)]
pub struct HostBuilder {
    runtimes: Vec<Arc<dyn Runtime>>,
    store: Option<Arc<dyn StateStore>>,
    limits: Limits,
    directories: Vec<PathBuf>,
    configurations: HashMap<String, Value>,
    allowances: HashMap<String, Permissions>,
    agent_directories: Vec<PathBuf>,
    skill_directories: Vec<PathBuf>,
    secrets: Option<Arc<dyn Secrets>>,
    evaluator: Option<Arc<dyn Evaluator>>,
    models: Option<Arc<dyn LanguageModels>>,
    journal: Option<Arc<dyn Journal>>,
    choices: Choices,
}

impl HostBuilder {
    /// Adds a way of running plugins.
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.runtimes.push(runtime);
        self
    }

    /// Lets plugins have pieces of Python run by `evaluator`.
    pub fn evaluator(mut self, evaluator: Arc<dyn Evaluator>) -> Self {
        self.evaluator = Some(evaluator);
        self
    }

    /// Lets plugins ask language models.
    pub fn models(mut self, models: Arc<dyn LanguageModels>) -> Self {
        self.models = Some(models);
        self
    }

    /// Keeps a row of every call in `journal`. Without one no rows are kept.
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Has `plugin` handle files that end like this, where several plugins would.
    pub fn file_handler(mut self, extension: &str, plugin: &str) -> Self {
        let extension = extension.trim_start_matches('.').to_lowercase();
        self.choices.insert(extension, plugin.to_owned());
        self
    }

    /// Keeps the state in `store`. Without one it is gone when the host is.
    pub fn store(mut self, store: Arc<dyn StateStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Looks for plugins in `path`, which is absolute, as long as this host lives; [`Host::add_directory`] is what is
    /// kept. That it cannot be read is told by [`Host::discover`].
    pub fn directory(mut self, path: PathBuf) -> Self {
        if !self.directories.contains(&path) {
            self.directories.push(path);
        }
        self
    }

    /// Configures the plugin `id`, from its discovery or restoring on, in place of what was kept of it. A configuration
    /// that is given when it is loaded or reloaded goes before this.
    pub fn configure(mut self, id: &PluginId, configuration: Value) -> Self {
        self.configurations.insert(id.as_str().to_ascii_lowercase(), configuration);
        self
    }

    /// Allows the plugin `id` to touch this, beside what [`Host::grant`] allows. One that an agent made is not meant: its
    /// maker chose its id.
    pub fn allow(mut self, id: &PluginId, permissions: Permissions) -> Self {
        self.allowances.insert(id.as_str().to_ascii_lowercase(), permissions);
        self
    }

    /// Takes every plugin below `path`, which is absolute, for one that an agent made: it gets nothing without asking.
    pub fn agent_directory(mut self, path: PathBuf) -> Self {
        self.agent_directories.push(path);
        self
    }

    /// Looks for skills in `path`, which is absolute: folders with a `SKILL.md`, enabled as soon as they are found. Other
    /// plugins that lie there are found, too, and not loaded.
    pub fn skill_directory(mut self, path: PathBuf) -> Self {
        self.skill_directories.push(path.clone());
        self.directory(path)
    }

    /// Tells plugins the secrets of `secrets` that they are granted. Without it there are none.
    pub fn secrets(mut self, secrets: Arc<dyn Secrets>) -> Self {
        self.secrets = Some(secrets);
        self
    }

    /// The host. It knows no plugin yet: see [`Host::restore`] and [`Host::discover`].
    pub fn build(self) -> Host {
        let inner = Arc::new_cyclic(|this| Inner {
            this: this.clone(),
            snapshot: ArcSwap::from_pointee(Snapshot {
                choices: Arc::new(self.choices),
                ..Snapshot::default()
            }),
            views: Views::default(),
            search: Search::default(),
            events: Events::new(),
            ids: Ids::new(),
            limits: self.limits,
            runtimes: filled(Some(self.runtimes).filter(|runtimes| !runtimes.is_empty())),
            store: self.store,
            directories: Mutex::new(self.directories),
            configurations: self.configurations,
            allowances: self.allowances,
            agent_directories: self.agent_directories,
            skill_directories: self.skill_directories,
            secrets: self.secrets,
            evaluator: filled(self.evaluator),
            models: self.models,
            journal: self.journal,
            writer: tokio::sync::Mutex::default(),
            operations: Mutex::default(),
            instances: AtomicU64::new(1),
            author: OnceLock::new(),
            shutting_down: AtomicBool::new(false),
        });
        Host { inner }
    }
}

impl Host {
    /// Starts putting a host together.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Gives the ways of running plugins to a host that was built without any, and what runs pieces of Python. Only the first
    /// who does has an effect: a program need not set up what no plugin of it wants.
    pub fn equip(&self, equipment: impl FnOnce() -> (Vec<Arc<dyn Runtime>>, Arc<dyn Evaluator>)) {
        self.inner.runtimes.get_or_init(|| {
            let (runtimes, evaluator) = equipment();
            self.inner.evaluator.get_or_init(|| evaluator);
            runtimes
        });
    }

    /// Whether this is the same host as `other`.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The same host, without keeping it.
    pub fn downgrade(&self) -> WeakHost {
        WeakHost(Arc::downgrade(&self.inner))
    }

    /// The registries at this moment. Never waits.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot.load_full()
    }

    /// The tools that `caller` may call, in the order of registration; to the operator, all that are registered.
    pub fn tools_for(&self, caller: &Caller) -> Arc<[Arc<Tool>]> {
        self.inner.visible_tools(&self.inner.snapshot.load(), caller)
    }

    /// The tool of this name, if [`Host::tools_for`] lists it; else the error that a call would get.
    pub fn tool_for(&self, caller: &Caller, name: &str) -> Result<Arc<Tool>, ToolError> {
        self.inner.visible_tool(&self.inner.snapshot.load(), caller, name)
    }

    /// Whether `caller` may call the tool now, without calling it: for a door that does the same in another form. It counts
    /// as a call.
    pub fn authorize(&self, caller: &Caller, tool: &str) -> Result<(), ToolError> {
        gate::count_call(caller)?;
        self.tool_for(caller, tool).map(|_| ())
    }

    /// What keeps a row of every call, if anything does.
    pub fn journal(&self) -> Option<&Arc<dyn Journal>> {
        self.inner.journal.as_ref()
    }

    /// The limits it was built with.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// What happens from now on. Tool calls are told only while somebody listens.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.inner.events.subscribe()
    }

    /// The last events after the one numbered `sequence`, oldest first; at most 1,024 are kept.
    pub fn events_after(&self, sequence: u64) -> Vec<Arc<Event>> {
        self.inner.events.after(sequence)
    }

    /// Counts of plugins and of what they contribute.
    pub fn stats(&self) -> PluginStats {
        let snapshot = self.inner.snapshot.load();
        let mut by_status: std::collections::BTreeMap<_, _> =
            PluginStatus::ALL.iter().map(|status| (*status, 0)).collect();
        let plugins = snapshot.plugins.list();
        for plugin in plugins.iter() {
            *by_status.entry(plugin.status).or_default() += 1;
        }
        PluginStats {
            available_plugins: plugins.len(),
            loaded_plugins: plugins.iter().filter(|plugin| plugin.is_registered()).count(),
            enabled_plugins: by_status[&PluginStatus::Enabled],
            plugins_by_status: by_status,
            total_tools_from_plugins: snapshot.tools.len(),
            total_competencies_from_plugins: snapshot.competencies.len(),
        }
    }

    /// Takes no new calls, lets those in flight go on for `grace`, then ends them and stops every plugin. The state
    /// that was saved stays as it was.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.shutting_down.store(true, Ordering::Release);
        let snapshot = self.snapshot();
        let instances: Vec<_> =
            snapshot.plugins.list().iter().filter_map(|entry| entry.instance.clone()).collect();
        let hook_timeout = self.inner.limits.hook_timeout;
        futures_util::future::join_all(instances.iter().map(|instance| instance.retire(grace, hook_timeout)))
            .await;
    }
}

impl WeakHost {
    /// The host, if anybody keeps it.
    pub fn upgrade(&self) -> Option<Host> {
        Some(Host { inner: self.0.upgrade()? })
    }
}

fn filled<T>(value: Option<T>) -> OnceLock<T> {
    value.map(OnceLock::from).unwrap_or_default()
}

impl Inner {
    /// The ways of running plugins.
    pub(crate) fn runtimes(&self) -> &[Arc<dyn Runtime>] {
        self.runtimes.get().map_or(&[], Vec::as_slice)
    }

    /// What `id` is configured with from outside.
    pub(crate) fn configuration(&self, id: &PluginId) -> Option<&Value> {
        self.configurations.get(&id.as_str().to_ascii_lowercase())
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Acquire)
    }

    pub(crate) fn publish_event(&self, kind: EventKind) {
        self.events.publish(self.snapshot.load().generation, kind);
    }

    pub(crate) fn next_instance(&self) -> u64 {
        self.instances.fetch_add(1, Ordering::Relaxed)
    }

    /// Changes the snapshot: builds the next one, saves what it says to save, and only then lets readers see it.
    pub(crate) async fn change<T>(
        &self,
        build: impl FnOnce(&mut Snapshot, &mut Vec<Change>) -> Result<T, PluginError>,
    ) -> Result<T, PluginError> {
        // Dropped after the lock: see `change_now`.
        let _old;
        let _writer = self.writer.lock().await;
        let mut next = (**self.snapshot.load()).clone();
        let mut changes = Vec::new();
        let made = build(&mut next, &mut changes)?;
        self.save(changes).await?;
        next.generation += 1;
        _old = self.snapshot.swap(Arc::new(next));
        Ok(made)
    }

    /// The same for what is not saved, without an async runtime.
    ///
    /// Dropping what is removed may run code of the program around the host, which may come back here: it is dropped when
    /// the lock is free.
    pub(crate) fn change_now<T>(
        &self,
        build: impl FnOnce(&mut Snapshot) -> Result<T, PluginError>,
    ) -> Result<T, PluginError> {
        let mut next;
        let _old;
        let _writer = self.writer.blocking_lock();
        next = (**self.snapshot.load()).clone();
        let made = build(&mut next)?;
        next.generation += 1;
        _old = self.snapshot.swap(Arc::new(next));
        Ok(made)
    }

    pub(crate) async fn save(&self, changes: Vec<Change>) -> Result<(), PluginError> {
        match &self.store {
            Some(store) if !changes.is_empty() => {
                let store = store.clone();
                self.blocking(move || store.apply(&changes)).await?.map_err(PluginError::from)
            }
            _ => Ok(()),
        }
    }

    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PluginError> {
        tokio::task::spawn_blocking(work).await.map_err(|e| StateError::Failed(e.to_string()).into())
    }

    /// Waits until no other operation on the plugin runs.
    pub(crate) async fn operate(&self, id: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut operations = self.operations.lock().expect("nothing panics while it holds this lock");
            operations.retain(|_, lock| Arc::strong_count(lock) > 1);
            operations.entry(id.to_ascii_lowercase()).or_default().clone()
        };
        lock.lock_owned().await
    }
}
