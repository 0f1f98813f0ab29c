//! One running generation of a plugin: its permits, its calls in flight, and its start when that was put off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gathering_core::{
    Grants, LoadError, LoadErrorKind, LoadRequest, Permissions, Plugin, PluginId, PluginManifest,
    PluginSecrets, PluginSource, PluginStatus, Progress, Runtime, Tier,
};
use serde_json::Value;
use tokio::sync::{Notify, OnceCell, OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::skills;

/// Everything that starting a generation of a plugin takes.
pub(crate) struct Launch {
    pub(crate) id: PluginId,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) source: PluginSource,
    /// The configuration with defaults.
    pub(crate) config: Value,
    pub(crate) grants: Grants,
    pub(crate) asked: Permissions,
    pub(crate) secrets: Arc<PluginSecrets>,
}

impl Launch {
    /// Starts it within `limit`. No secret is in the error.
    pub(crate) async fn start(
        &self,
        limit: Duration,
        progress: Progress,
    ) -> Result<Box<dyn Plugin>, LoadError> {
        let request = LoadRequest {
            source: &self.source,
            id: &self.id,
            config: &self.config,
            grants: &self.grants,
            asked: &self.asked,
            secrets: &self.secrets,
            deadline: Instant::now() + limit,
            progress,
        };
        let loaded = tokio::time::timeout(limit, self.runtime.load(request)).await.unwrap_or_else(|_| {
            Err(LoadError::new(LoadErrorKind::TimedOut, format!("it did not start within {limit:?}")))
        });
        loaded.map_err(|error| self.secrets.redact_load_error(error))
    }
}

/// One generation of a plugin, running or to be started by its first call.
pub(crate) struct Instance {
    /// Another number for each generation.
    pub(crate) number: u64,
    pub(crate) id: PluginId,
    pub(crate) manifest: Arc<PluginManifest>,
    launch: Launch,
    plugin: OnceCell<Box<dyn Plugin>>,
    /// Whether its calls need permits and are waited for: those that the program runs itself do not and are not.
    counts_calls: bool,
    status: AtomicU8,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    in_flight: AtomicUsize,
    idle: Notify,
    stopped: AtomicBool,
    stop: Notify,
}

/// Why no permit was given.
pub(crate) enum NoPermit {
    /// So many wait already.
    Busy(usize),
    /// The deadline passed in the queue.
    TimedOut,
    /// The generation is being stopped.
    Stopped,
}

impl Instance {
    /// A generation that runs already.
    pub(crate) fn running(
        number: u64,
        launch: Launch,
        manifest: Arc<PluginManifest>,
        plugin: Box<dyn Plugin>,
    ) -> Self {
        let permits = plugin.concurrency().max(1);
        Self::new(number, launch, manifest, OnceCell::new_with(Some(plugin)), permits)
    }

    /// A generation of a plugin that the program around the host runs, any number of its calls at once.
    pub(crate) fn of_the_program(
        number: u64,
        launch: Launch,
        manifest: Arc<PluginManifest>,
        plugin: Box<dyn Plugin>,
    ) -> Self {
        let running = Self::running(number, launch, manifest, plugin);
        Self { counts_calls: false, ..running }
    }

    /// A generation that its first call starts. Until then one call at a time may enter.
    pub(crate) fn to_be_started(number: u64, launch: Launch, manifest: Arc<PluginManifest>) -> Self {
        Self::new(number, launch, manifest, OnceCell::new(), 1)
    }

    fn new(
        number: u64,
        launch: Launch,
        manifest: Arc<PluginManifest>,
        plugin: OnceCell<Box<dyn Plugin>>,
        permits: usize,
    ) -> Self {
        Self {
            number,
            id: launch.id.clone(),
            manifest,
            launch,
            plugin,
            counts_calls: true,
            status: AtomicU8::new(code(PluginStatus::Loaded)),
            permits: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            idle: Notify::new(),
            stopped: AtomicBool::new(false),
            stop: Notify::new(),
        }
    }

    /// What it may touch.
    pub(crate) fn grants(&self) -> &Grants {
        &self.launch.grants
    }

    /// The secrets that it was handed: nothing that it says leaves the host without passing them.
    pub(crate) fn secrets(&self) -> &PluginSecrets {
        &self.launch.secrets
    }

    pub(crate) fn status(&self) -> PluginStatus {
        PluginStatus::ALL[usize::from(self.status.load(Ordering::Acquire))]
    }

    pub(crate) fn set_status(&self, status: PluginStatus) {
        self.status.store(code(status), Ordering::Release);
    }

    /// The plugin, if it was started.
    pub(crate) fn started(&self) -> Option<&dyn Plugin> {
        self.plugin.get().map(|plugin| &**plugin)
    }

    pub(crate) fn tier(&self) -> Option<Tier> {
        self.started().map(Plugin::tier)
    }

    /// The plugin, started now if it was not yet. The start goes on when the caller goes away.
    pub(crate) async fn start(
        self: &Arc<Self>,
        limit: Duration,
        progress: Progress,
    ) -> Result<&dyn Plugin, LoadError> {
        if let Some(plugin) = self.started() {
            return Ok(plugin);
        }
        let this = self.clone();
        let start =
            async move { this.plugin.get_or_try_init(|| this.load(limit, progress)).await.map(|_| ()) };
        tokio::spawn(start)
            .await
            .unwrap_or_else(|panic| Err(LoadError::new(LoadErrorKind::RuntimeFailed, panic.to_string())))?;
        Ok(self.started().expect("it was started just now"))
    }

    async fn load(&self, limit: Duration, progress: Progress) -> Result<Box<dyn Plugin>, LoadError> {
        let plugin = self.launch.start(limit, progress).await?;
        let mut manifest = plugin.manifest().clone();
        skills::add(self.launch.runtime.kind(), &self.launch.source, &mut manifest)?;
        if manifest.checked().ok().as_ref() != Some(&*self.manifest) {
            let message = "it registers other things than when it was loaded: reload it";
            return Err(LoadError::new(LoadErrorKind::InvalidPlugin, message));
        }
        if self.status() == PluginStatus::Enabled {
            plugin.on_enable().await.map_err(|error| {
                let message = format!("on_enable failed: {error}");
                self.secrets().redact_load_error(LoadError::new(LoadErrorKind::InvalidPlugin, message))
            })?;
        }
        self.permits.add_permits(plugin.concurrency().clamp(1, Semaphore::MAX_PERMITS / 2) - 1);
        Ok(plugin)
    }

    /// A permit to call the plugin, if there is one at once.
    pub(crate) fn permit_now(&self) -> Result<Option<OwnedSemaphorePermit>, NoPermit> {
        if !self.counts_calls {
            return Ok(None);
        }
        self.permits.clone().try_acquire_owned().map(Some).map_err(|error| match error {
            TryAcquireError::NoPermits => NoPermit::Busy(self.waiting.load(Ordering::Acquire)),
            TryAcquireError::Closed => NoPermit::Stopped,
        })
    }

    /// Waits for a permit to call the plugin, in a queue of at most `queue`, until `deadline`.
    pub(crate) async fn permit(
        &self,
        queue: usize,
        deadline: Instant,
    ) -> Result<Option<OwnedSemaphorePermit>, NoPermit> {
        if let Ok(permit) = self.permit_now() {
            return Ok(permit);
        }
        let _waiting = Waiting::enter(&self.waiting, queue).map_err(NoPermit::Busy)?;
        match tokio::time::timeout_at(deadline.into(), self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            Ok(Err(_closed)) => Err(NoPermit::Stopped),
            Err(_elapsed) => Err(NoPermit::TimedOut),
        }
    }

    /// Counts a call as in flight until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        self.counts_calls.then(|| {
            self.in_flight.fetch_add(1, Ordering::AcqRel);
            InFlight(self.clone())
        })
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Returns when no call is in flight.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.in_flight() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Returns when the generation is being stopped; calls in flight end then.
    pub(crate) async fn stopped(&self) {
        loop {
            let stop = self.stop.notified();
            if self.stopped.load(Ordering::Acquire) {
                return;
            }
            stop.await;
        }
    }

    /// Lets calls in flight go on for `grace`, then ends them, and unloads what was started.
    pub(crate) async fn retire(&self, grace: Duration, unload_limit: Duration) {
        self.permits.close();
        if tokio::time::timeout(grace, self.idle()).await.is_err() {
            self.stopped.store(true, Ordering::Release);
            self.stop.notify_waiters();
            self.idle().await;
        }
        if let Some(plugin) = self.started()
            && tokio::time::timeout(unload_limit, plugin.unload()).await.is_err()
        {
            tracing::warn!(plugin = %self.id, "unload did not end within {unload_limit:?}; it was stopped");
        }
    }
}

fn code(status: PluginStatus) -> u8 {
    match status {
        PluginStatus::Unloaded => 0,
        PluginStatus::Loaded => 1,
        PluginStatus::Enabled => 2,
        PluginStatus::Disabled => 3,
        PluginStatus::Error => 4,
    }
}

/// A call in flight.
pub(crate) struct InFlight(Arc<Instance>);

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(waiting: &'a AtomicUsize, limit: usize) -> Result<Self, usize> {
        let before = waiting.fetch_add(1, Ordering::AcqRel);
        let place = Self(waiting);
        if before < limit { Ok(place) } else { Err(before) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
