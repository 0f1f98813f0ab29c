//! Discovery: finding plugins in folders without letting a broken one hide the others.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use gathering_core::{
    BoxFuture, Change, LoadError, LoadErrorKind, Permissions, PluginId, PluginManifest, PluginSource,
    PluginStatus, Runtime,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::entry::Entry;
use crate::error::PluginError;
use crate::event::EventKind;
use crate::host::Inner;
use crate::skills;

/// The most files and folders that are looked at in one folder.
const MAX_CANDIDATES: usize = 10_000;
/// How many plugins are asked at once what they say of themselves.
const AT_ONCE: usize = 4;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Discovery {
    /// The plugins, known before or not, in the order of their paths.
    pub discovered: Vec<Discovered>,
    /// What looked like a plugin and is not one, and folders that could not be read.
    pub errors: Vec<DiscoveryError>,
}

/// A plugin that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Discovered {
    /// What it is called by.
    pub plugin_id: PluginId,
    /// Where it lies.
    pub path: PathBuf,
    /// Its name for people.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it was not known before.
    pub new: bool,
}

/// Something that looked like a plugin and is not one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiscoveryError {
    /// Where it lies.
    pub path: PathBuf,
    /// What is wrong with it.
    pub message: String,
    /// Where in its own code; may be empty.
    pub traceback: String,
}

/// Something that a runtime takes for a plugin.
type Candidate = (Arc<dyn Runtime>, PathBuf);

/// A plugin as its runtime describes it.
struct Described {
    runtime: Arc<dyn Runtime>,
    path: PathBuf,
    fingerprint: String,
    manifest: Arc<PluginManifest>,
}

pub(super) fn checked_directory(path: &Path) -> Result<PathBuf, PluginError> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(_) => Err(PluginError::Directory(format!("Plugin directory does not exist: {shown}"))),
        Ok(found) if !found.is_dir() => Err(PluginError::Directory(format!("Not a directory: {shown}"))),
        Ok(_) => {
            std::path::absolute(path).map_err(|error| PluginError::Directory(format!("{shown}: {error}")))
        }
    }
}

impl Inner {
    pub(super) async fn add_directory(&self, path: PathBuf) -> Result<(), PluginError> {
        let _writer = self.writer.lock().await;
        self.save(vec![Change::AddDirectory(path.clone())]).await?;
        let mut directories = self.directories.lock().expect("nothing panics while it holds this lock");
        if !directories.contains(&path) {
            directories.push(path);
        }
        Ok(())
    }

    pub(super) async fn remove_directory(&self, path: PathBuf) -> Result<bool, PluginError> {
        let _writer = self.writer.lock().await;
        self.save(vec![Change::RemoveDirectory(path.clone())]).await?;
        let mut directories = self.directories.lock().expect("nothing panics while it holds this lock");
        let before = directories.len();
        directories.retain(|known| *known != path);
        Ok(directories.len() < before)
    }

    /// Makes a plugin known by its source.
    pub(super) async fn add(&self, source: PluginSource) -> Result<PluginId, PluginError> {
        let mut refusal = None;
        for runtime in self.runtimes() {
            let Ok(fingerprint) = skills::fingerprint(&**runtime, &source) else { continue };
            match self.describe(&**runtime, &source).await {
                Ok(manifest) => {
                    let entry = self.new_entry(&**runtime, source, fingerprint.into(), Arc::new(manifest));
                    let id = entry.id.clone();
                    self.register_entry(entry).await?;
                    return Ok(id);
                }
                Err(error) => refusal = Some(error),
            }
        }
        let message = refusal.map_or_else(|| "no runtime knows it".to_owned(), |error| error.message);
        Err(PluginError::Directory(format!("{source} is no plugin: {message}")))
    }

    pub(super) async fn describe(
        &self,
        runtime: &dyn Runtime,
        source: &PluginSource,
    ) -> Result<PluginManifest, LoadError> {
        let limit = self.limits.load_timeout;
        let mut manifest = tokio::time::timeout(limit, runtime.describe(source, Instant::now() + limit))
            .await
            .map_err(|_| {
                LoadError::new(
                    LoadErrorKind::TimedOut,
                    format!("it did not describe itself within {limit:?}"),
                )
            })??;
        skills::add(runtime.kind(), source, &mut manifest)?;
        manifest.checked().map_err(|error| LoadError::new(LoadErrorKind::InvalidPlugin, error.to_string()))
    }

    pub(super) async fn discover(
        self: Arc<Self>,
        directories: Vec<PathBuf>,
    ) -> Result<Discovery, PluginError> {
        let mut discovery = Discovery::default();
        let mut candidates = Vec::new();
        for directory in directories {
            let runtimes = self.runtimes().to_vec();
            let looked_in = directory.clone();
            match self.blocking(move || find_candidates(&looked_in, &runtimes)).await? {
                Ok(found) => candidates.extend(found),
                Err(message) => {
                    let traceback = String::new();
                    discovery.errors.push(DiscoveryError { path: directory.clone(), message, traceback });
                }
            }
            self.unload_vanished_skills(&directory).await;
            self.forget_vanished(&directory).await?;
        }
        let describing: Vec<BoxFuture<'static, _>> = candidates
            .into_iter()
            .map(|(runtime, path)| {
                let this = self.clone();
                Box::pin(async move { (path.clone(), this.describe_file(runtime, path).await) })
                    as BoxFuture<_>
            })
            .collect();
        let described: Vec<_> = futures_util::stream::iter(describing).buffered(AT_ONCE).collect().await;
        let mut seen: HashSet<String> = HashSet::new();
        for (path, result) in described {
            match self.take_described(path, result, &mut seen).await {
                Ok(found) => discovery.discovered.push(found),
                Err(error) => discovery.errors.push(error),
            }
        }
        self.enable_skills(&mut discovery).await;
        Ok(discovery)
    }

    async fn describe_file(&self, runtime: Arc<dyn Runtime>, path: PathBuf) -> Result<Described, LoadError> {
        let source = PluginSource::Path(path.clone());
        let fingerprint = {
            let (runtime, source) = (runtime.clone(), source.clone());
            self.blocking(move || skills::fingerprint(&*runtime, &source))
                .await
                .map_err(|error| LoadError::new(LoadErrorKind::RuntimeFailed, error.to_string()))??
        };
        let known = self.snapshot.load().plugins.list().iter().find(|entry| entry.source == source).cloned();
        let manifest = match known {
            Some(entry) if *entry.fingerprint == *fingerprint => entry.manifest.clone(),
            _ => Arc::new(self.describe(&*runtime, &source).await?),
        };
        Ok(Described { runtime, path, fingerprint, manifest })
    }

    async fn take_described(
        &self,
        path: PathBuf,
        result: Result<Described, LoadError>,
        seen: &mut HashSet<String>,
    ) -> Result<Discovered, DiscoveryError> {
        let refuse =
            |message: String| DiscoveryError { path: path.clone(), message, traceback: String::new() };
        let described = result.map_err(|error| DiscoveryError {
            path: path.clone(),
            message: error.message,
            traceback: error.traceback,
        })?;
        let metadata = described.manifest.metadata.clone();
        if !seen.insert(metadata.id.as_str().to_ascii_lowercase()) {
            return Err(refuse(format!("another file here is the plugin `{}` already", metadata.id)));
        }
        let source = PluginSource::Path(described.path.clone());
        let entry =
            self.new_entry(&*described.runtime, source, described.fingerprint.into(), described.manifest);
        let new = self.register_entry(entry).await.map_err(|error| refuse(error.to_string()))?;
        if new {
            let event = EventKind::PluginDiscovered {
                plugin_id: metadata.id.clone(),
                path: described.path.display().to_string(),
            };
            self.publish_event(event);
        }
        Ok(Discovered {
            plugin_id: metadata.id,
            path: described.path,
            name: metadata.name,
            version: metadata.version,
            new,
        })
    }

    pub(super) fn new_entry(
        &self,
        runtime: &dyn Runtime,
        source: PluginSource,
        fingerprint: Arc<str>,
        manifest: Arc<PluginManifest>,
    ) -> Entry {
        let id = &manifest.metadata.id;
        Entry {
            id: id.clone(),
            runtime: runtime.kind().into(),
            source,
            status: PluginStatus::Unloaded,
            error: None,
            config: self.configuration(id).cloned().unwrap_or_else(|| Value::Object(Map::new())),
            allowed: Permissions::default(),
            manifest,
            fingerprint,
            instance: None,
            generation: 0,
        }
    }

    /// Makes `entry` known, or brings what is known of it up to date; a loaded one is left to `reload`. True if it was
    /// not known.
    async fn register_entry(&self, entry: Entry) -> Result<bool, PluginError> {
        let known = self.snapshot.load().plugins.get_ignoring_case(entry.id.as_str()).cloned();
        if let Some(known) = &known {
            let is_there = known.source.path().is_none_or(Path::exists);
            // Who puts a file of its own where plugins are looked for means that one, unless the built-in one is in use.
            let is_replaced =
                known.source.path().is_none() && entry.source.path().is_some() && !known.is_registered();
            let is_elsewhere = known.source != entry.source && is_there && !is_replaced;
            if is_elsewhere && entry.source.path().is_none() && known.source.path().is_some() {
                return Ok(false);
            }
            // A copy of it, such as a dynamic plugin that was saved, is no other plugin.
            if is_elsewhere && known.fingerprint == entry.fingerprint {
                return Ok(false);
            }
            if is_elsewhere {
                return Err(PluginError::AlreadyRegistered {
                    id: entry.id.clone(),
                    kind: "plugin",
                    name: entry.id.to_string(),
                    holder: format!(" from {}", known.source),
                });
            }
            let same = known.fingerprint == entry.fingerprint && known.source == entry.source;
            if known.is_registered() || (same && known.status == PluginStatus::Unloaded) {
                return Ok(false);
            }
        }
        let keeps_grants = match &known {
            Some(known) if known.source != entry.source => false,
            Some(known) if known.fingerprint != entry.fingerprint => self.keeps_grants(&entry.source).await?,
            _ => true,
        };
        let id = entry.id.clone();
        self.change(|next, changes| {
            let held = next.plugins.get_ignoring_case(entry.id.as_str());
            if held.is_some_and(|held| held.is_registered()) {
                return Ok(());
            }
            let mut entry = entry;
            if let Some(held) = held {
                entry.config = held.config.clone();
                // What was granted was so to the file that was there, and not to another of its id.
                if keeps_grants {
                    entry.allowed = held.allowed.clone();
                }
                entry.generation = held.generation;
            }
            changes.push(Change::SavePlugin(Box::new(entry.record())));
            next.plugins.put(Arc::new(entry));
            Ok(())
        })
        .await?;
        if let Some(known) = &known
            && !keeps_grants
        {
            self.tell_lapsed(&id, &known.allowed, &Permissions::default());
        }
        Ok(known.is_none())
    }

    /// Forgets the plugins of a folder whose files are gone and of which nothing is registered.
    async fn forget_vanished(&self, directory: &Path) -> Result<(), PluginError> {
        let vanished: Vec<_> = self
            .snapshot
            .load()
            .plugins
            .list()
            .iter()
            .filter(|entry| !entry.is_registered())
            .filter(|entry| {
                entry.source.path().is_some_and(|path| path.parent() == Some(directory) && !path.exists())
            })
            .map(|entry| entry.id.clone())
            .collect();
        if vanished.is_empty() {
            return Ok(());
        }
        self.change(|next, changes| {
            for id in vanished {
                if next.plugins.get(id.as_str()).is_some_and(|entry| !entry.is_registered()) {
                    next.plugins.unregister(id.as_str());
                    changes.push(Change::RemovePlugin(id));
                }
            }
            Ok(())
        })
        .await
    }
}

/// What in `directory` one of `runtimes` takes for a plugin, sorted by name. Names that start with `_` or `.` are not
/// looked at.
fn find_candidates(directory: &Path, runtimes: &[Arc<dyn Runtime>]) -> Result<Vec<Candidate>, String> {
    let entries =
        std::fs::read_dir(directory).map_err(|error| format!("the folder cannot be read: {error}"))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| format!("the folder cannot be read: {error}"))?.path();
        let hidden = path.file_name().is_none_or(|name| {
            name.as_encoded_bytes().starts_with(b"_") || name.as_encoded_bytes().starts_with(b".")
        });
        if !hidden {
            paths.push(path);
        }
        if paths.len() > MAX_CANDIDATES {
            return Err(format!(
                "the folder holds more than {MAX_CANDIDATES} files: plugins want a folder of their own"
            ));
        }
    }
    paths.sort();
    let of_runtime = |path: PathBuf| {
        let runtime = runtimes.iter().find(|runtime| runtime.recognises(&path))?;
        Some((runtime.clone(), path))
    };
    Ok(paths.into_iter().filter_map(of_runtime).collect())
}
