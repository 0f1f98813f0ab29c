//! Plugins that are made of code: generated, tried, kept with their versions, and saved as plugin files.
//!
//! Such a plugin is an ordinary plugin file in the data directory, so that loading, restart, reload and grants are what
//! they are for every plugin.

mod examples;
mod files;
mod make;
mod promote;
mod save;
mod tidy;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use gathering_agents::Agents;
use gathering_core::{AgentId, AgentRights, BoxFuture, Caller, DynamicPlugin, PluginId, StateError};
use gathering_host::{AuthoringError, Host, PluginAuthor, PluginInfo, PluginVersion};
use gathering_runtime_python::PythonRuntime;

use files::{Files, Record};

/// Makes plugins of code. [`PluginAuthor`] says what each act does.
pub struct DynamicPlugins {
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    python: Arc<PythonRuntime>,
    files: Files,
    /// Where plugins are saved if nobody says where.
    plugins: PathBuf,
    /// One lock a plugin, so that a slow one holds up no other.
    acts: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Which agent made each plugin, by the plugin's id in lower case; what the operator made is not in it.
    makers: RwLock<HashMap<String, AgentId>>,
    agents: Agents,
}

impl DynamicPlugins {
    /// Those in `folder`, which is the host's folder of plugins that agents made. Finishes or undoes what a killed process
    /// left half done; returns what could not be, too.
    pub(crate) async fn open(
        host: Host,
        agents: Agents,
        python: Arc<PythonRuntime>,
        folder: PathBuf,
        plugins: PathBuf,
    ) -> (Arc<Self>, Vec<String>) {
        let files = Files::new(folder);
        let (acts, makers) = (Mutex::default(), RwLock::default());
        let inner = Arc::new(Inner { host, python, files, plugins, acts, makers, agents });
        let problems = tidy::tidy(&inner).await;
        let this = Arc::new(Self { inner });
        let author: Arc<dyn PluginAuthor> = this.clone();
        this.inner.host.set_author(Arc::downgrade(&author));
        (this, problems)
    }

    /// Runs an act to its end, even when whoever waits for it goes away.
    fn to_the_end<T, F>(&self, act: impl FnOnce(Arc<Inner>) -> F) -> BoxFuture<'_, Result<T, AuthoringError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AuthoringError>> + Send + 'static,
    {
        let running = tokio::spawn(act(self.inner.clone()));
        Box::pin(async move {
            match running.await {
                Ok(result) => result,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        })
    }
}

impl PluginAuthor for DynamicPlugins {
    fn create(
        &self,
        caller: Caller,
        plugin: DynamicPlugin,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<PluginInfo, AuthoringError>> {
        self.to_the_end(async move |inner| inner.create(caller, plugin, deadline).await)
    }

    fn update(
        &self,
        caller: Caller,
        plugin: DynamicPlugin,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<PluginInfo, AuthoringError>> {
        self.to_the_end(async move |inner| inner.update(caller, plugin, deadline).await)
    }

    fn rollback(
        &self,
        caller: Caller,
        plugin: String,
        version: Option<u64>,
    ) -> BoxFuture<'_, Result<PluginInfo, AuthoringError>> {
        self.to_the_end(async move |inner| inner.rollback(caller, &plugin, version).await)
    }

    fn remove(
        &self,
        caller: Caller,
        plugin: String,
        cascade: bool,
    ) -> BoxFuture<'_, Result<Vec<PluginId>, AuthoringError>> {
        self.to_the_end(async move |inner| inner.remove(caller, &plugin, cascade).await)
    }

    fn save(
        &self,
        caller: Caller,
        plugin: String,
        path: Option<PathBuf>,
        overwrite: bool,
    ) -> BoxFuture<'_, Result<PathBuf, AuthoringError>> {
        self.to_the_end(async move |inner| inner.save(caller, &plugin, path, overwrite).await)
    }

    fn promote(&self, caller: Caller, plugin: String) -> BoxFuture<'_, Result<PluginInfo, AuthoringError>> {
        self.to_the_end(async move |inner| inner.promote(caller, &plugin).await)
    }

    fn maker(&self, plugin: &PluginId) -> Option<Arc<AgentRights>> {
        let makers = self.inner.makers.read().unwrap_or_else(PoisonError::into_inner);
        let agent = makers.get(&plugin.as_str().to_ascii_lowercase())?;
        let gone = || {
            let rights = AgentRights::new(agent.clone(), Vec::new());
            rights.withdraw();
            Arc::new(rights)
        };
        Some(self.inner.agents.rights(agent.as_str()).unwrap_or_else(|_| gone()))
    }

    fn versions(&self, plugin: String) -> BoxFuture<'_, Result<Vec<PluginVersion>, AuthoringError>> {
        self.to_the_end(async move |inner| {
            let id = inner.dynamic(&plugin)?;
            let kept = inner.on_disk(move |files| files.versions(&id)).await?;
            let current = kept.last().map(|record| record.number);
            let version = |record: Record| PluginVersion {
                number: record.number,
                version: record.request.version,
                created: UNIX_EPOCH + std::time::Duration::from_millis(record.created_ms),
                caller: record.caller.unwrap_or_else(|| "operator".to_owned()),
                rolled_back_to: record.rolled_back_to,
                current: Some(record.number) == current,
            };
            Ok(kept.into_iter().map(version).collect())
        })
    }
}

impl Inner {
    /// Waits until no other act on the plugin runs.
    async fn act(&self, id: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut acts = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
            acts.retain(|_, lock| Arc::strong_count(lock) > 1);
            acts.entry(id.to_ascii_lowercase()).or_default().clone()
        };
        lock.lock_owned().await
    }

    /// The plugin of this id, if it was made of code.
    fn dynamic(&self, id: &str) -> Result<PluginId, AuthoringError> {
        let plugin = self.host.plugin(id)?;
        let id = plugin.metadata.id;
        if plugin.source == self.files.current(&id).display().to_string() {
            return Ok(id);
        }
        Err(AuthoringError::NotDynamic { id, origin: plugin.source })
    }

    /// Keeps in mind who made a plugin; `None`: the operator, or nobody any more.
    fn set_maker(&self, id: &PluginId, maker: Option<AgentId>) {
        let mut makers = self.makers.write().unwrap_or_else(PoisonError::into_inner);
        let id = id.as_str().to_ascii_lowercase();
        match maker {
            Some(maker) => makers.insert(id, maker),
            None => makers.remove(&id),
        };
    }

    /// Refuses an agent that did not make the plugin.
    async fn may_change(&self, caller: &Caller, id: &PluginId) -> Result<(), AuthoringError> {
        let Caller::Agent(rights) = caller else { return Ok(()) };
        let of = id.clone();
        let owner = self.on_disk(move |files| files.newest(&of)).await?.and_then(|newest| newest.owner);
        if owner.as_deref() == Some(rights.id.as_str()) {
            return Ok(());
        }
        let owner = owner.map_or_else(|| "the operator".to_owned(), |owner| format!("`{owner}`"));
        Err(AuthoringError::Forbidden(format!(
            "`{id}` was made by {owner}: an agent may change and remove only the plugins that it made itself"
        )))
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, AuthoringError> {
        let files = self.files.clone();
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        done.unwrap_or_else(|panic| Err(std::io::Error::other(panic))).map_err(storage)
    }
}

fn storage(error: std::io::Error) -> AuthoringError {
    let message = format!("the plugin's file could not be kept: {error}");
    AuthoringError::Storage(match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            StateError::StorageFull(message)
        }
        _ => StateError::Failed(message),
    })
}

/// Whose id a caller has; `None` for the operator.
fn agent(caller: &Caller) -> Option<String> {
    match caller {
        Caller::Operator => None,
        Caller::Agent(rights) => Some(rights.id.to_string()),
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
