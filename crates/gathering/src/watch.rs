//! Watching plugin folders: a loaded plugin whose file changes is reloaded, and a new file is discovered.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gathering_core::PluginStatus;
use gathering_host::Host;
use notify::{Config, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Files are looked at when nothing has changed for so long: editors write in several steps.
const QUIET: Duration = Duration::from_millis(150);
/// They are looked at after so long even if something goes on changing.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How often files are compared where the system does not tell of changes.
const POLL: Duration = Duration::from_secs(2);

/// Watches the plugin folders of a host until it is dropped.
pub(crate) struct Watch {
    task: JoinHandle<()>,
    _watchers: Vec<Box<dyn Watcher + Send>>,
}

/// What changed and was not looked at yet.
#[derive(Default)]
struct Changed {
    paths: Mutex<BTreeSet<PathBuf>>,
    some: Notify,
}

impl Watch {
    /// Watches the folders that the host knows now, and tells which cannot be watched.
    pub(crate) fn start(host: Host) -> (Self, Vec<String>) {
        let changed = Arc::new(Changed::default());
        let (mut watchers, mut problems) = (Vec::new(), Vec::new());
        for directory in host.directories() {
            match watch(&directory, &changed) {
                Ok(watcher) => watchers.push(watcher),
                Err(error) => {
                    problems.push(format!("the folder `{}` cannot be watched: {error}", directory.display()));
                }
            }
        }
        let task = tokio::spawn(async move {
            loop {
                let paths = changed.take().await;
                look_at(&host, &paths).await;
            }
        });
        (Self { task, _watchers: watchers }, problems)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Changed {
    fn add(&self, event: notify::Result<notify::Event>) {
        match event {
            Ok(event) if event.kind.is_access() => return,
            Ok(event) => self.lock().extend(event.paths.into_iter().filter(|path| is_source(path))),
            Err(error) => tracing::warn!(%error, "a change in a plugin folder may have been missed"),
        }
        self.some.notify_one();
    }

    /// Waits for changes, and for their end.
    async fn take(&self) -> BTreeSet<PathBuf> {
        while self.lock().is_empty() {
            self.some.notified().await;
        }
        let latest = Instant::now() + LONGEST_WAIT;
        while timeout_at(latest.min(Instant::now() + QUIET), self.some.notified()).await.is_ok() {}
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A watcher of a folder that the system wakes, or, where it cannot, one that compares files.
fn watch(directory: &Path, changed: &Arc<Changed>) -> notify::Result<Box<dyn Watcher + Send>> {
    let tell = |changed: Arc<Changed>| move |event| changed.add(event);
    let woken = RecommendedWatcher::new(tell(changed.clone()), Config::default())
        .and_then(|mut watcher| watcher.watch(directory, RecursiveMode::Recursive).map(|()| watcher));
    let error = match woken {
        Ok(watcher) => return Ok(Box::new(watcher)),
        Err(error) if !directory.is_dir() => return Err(error),
        Err(error) => error,
    };
    tracing::info!(folder = %directory.display(), %error, "the system does not tell of changes here; files are compared");
    let mut polling = PollWatcher::new(tell(changed.clone()), Config::default().with_poll_interval(POLL))?;
    polling.watch(directory, RecursiveMode::Recursive)?;
    Ok(Box::new(polling))
}

/// Whether a change of the file can change a plugin: not of what Python compiles, nor of what editors leave.
fn is_source(path: &Path) -> bool {
    let of_no_plugin = |name: &str| name == "__pycache__" || name.starts_with('.') || name.ends_with('~');
    !path.file_name().is_some_and(|name| of_no_plugin(&name.to_string_lossy()))
        && !path.components().any(|part| part.as_os_str() == "__pycache__")
}

/// Reloads the loaded plugins that a changed path belongs to, and discovers in the folders of the others. What fails is
/// an event and a line in the log, and the watch goes on.
async fn look_at(host: &Host, paths: &BTreeSet<PathBuf>) {
    let mut others: BTreeSet<&Path> = paths.iter().map(PathBuf::as_path).collect();
    for plugin in host.plugins() {
        let source = Path::new(&plugin.source);
        let touched: Vec<_> = paths.iter().filter(|path| path.starts_with(source)).collect();
        let is_loaded =
            matches!(plugin.status, PluginStatus::Loaded | PluginStatus::Enabled | PluginStatus::Disabled);
        if touched.is_empty() || !is_loaded {
            continue;
        }
        touched.iter().for_each(|path| {
            others.remove(path.as_path());
        });
        let id = &plugin.metadata.id;
        if !source.exists() {
            tracing::warn!(plugin = %id, "its file is gone; it runs on as it was loaded until it is unloaded");
            continue;
        }
        match host.reload(id.as_str(), None).await {
            Ok(()) => tracing::info!(plugin = %id, "its file has changed; reloaded"),
            Err(error) => tracing::warn!(plugin = %id, %error, "its file has changed and cannot be reloaded"),
        }
    }
    for directory in host.directories() {
        if !others.iter().any(|path| path.starts_with(&directory)) {
            continue;
        }
        match host.discover(Some(&directory)).await {
            Ok(discovery) => {
                for error in discovery
                    .errors
                    .iter()
                    .filter(|error| others.iter().any(|path| path.starts_with(&error.path)))
                {
                    tracing::warn!(path = %error.path.display(), "cannot be taken for a plugin: {}", error.message);
                }
            }
            Err(error) => {
                tracing::warn!(folder = %directory.display(), %error, "the folder cannot be looked at")
            }
        }
    }
}
