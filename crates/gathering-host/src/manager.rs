//! The plugin manager: discovers, loads, enables, disables, reloads and unloads plugins while calls go on.
//!
//! Each operation on a plugin runs to its end, even when whoever asked for it goes away, and only one at a time per
//! plugin. What readers see changes in one step, after it was saved.

mod discover;
mod health;
mod lifecycle;
mod load;
mod permissions;
mod reload;
mod restore;
mod skills;
mod trial;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gathering_core::{Change, Permissions, PluginId};
use serde_json::Value;

pub use discover::{Discovered, Discovery, DiscoveryError};
pub use load::Dependencies;
pub use permissions::{Allowed, PermissionsChange, PluginPermissions};
pub use restore::Restored;
pub use trial::Trial;

use crate::entry::{Entry, PluginHealth, PluginInfo};
use crate::error::PluginError;
use crate::host::{Host, Inner};
use crate::table::edit_distance;

impl Host {
    /// What is known of the plugin `id`.
    pub fn plugin(&self, id: &str) -> Result<PluginInfo, PluginError> {
        self.inner.entry(id).map(|entry| entry.info())
    }

    /// Every known plugin, loaded or not, in the order in which they became known.
    pub fn plugins(&self) -> Vec<PluginInfo> {
        self.inner.snapshot.load().plugins.list().iter().map(|entry| entry.info()).collect()
    }

    /// The folders in which plugins are looked for.
    pub fn directories(&self) -> Vec<PathBuf> {
        self.inner.directories.lock().expect("nothing panics while it holds this lock").clone()
    }

    /// Adds a folder in which plugins are looked for; nothing happens if it is there already.
    pub async fn add_directory(&self, path: &Path) -> Result<(), PluginError> {
        let path = discover::checked_directory(path)?;
        self.to_the_end(async move |inner| inner.add_directory(path).await).await
    }

    /// Forgets a folder in which plugins are looked for; its plugins stay. False if it was not known.
    pub async fn remove_directory(&self, path: &Path) -> Result<bool, PluginError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.to_the_end(async move |inner| inner.remove_directory(path).await).await
    }

    /// Looks for plugins in `directory`, or in all known folders. Reads what each says of itself; loads nothing. One
    /// that is broken is reported and hides no other.
    pub async fn discover(&self, directory: Option<&Path>) -> Result<Discovery, PluginError> {
        let directories = match directory {
            Some(path) => vec![discover::checked_directory(path)?],
            None => self.directories(),
        };
        self.to_the_end(async move |inner| inner.discover(directories).await).await
    }

    /// Makes a plugin known that its runtime can find by `source`, such as one that is built in.
    pub async fn add(&self, source: gathering_core::PluginSource) -> Result<PluginId, PluginError> {
        self.to_the_end(async move |inner| inner.add(source).await).await
    }

    /// Loads a plugin: starts it and registers all it contributes, or nothing. Returns what was loaded, dependencies
    /// first.
    pub async fn load(
        &self,
        id: &str,
        config: Option<Value>,
        dependencies: Dependencies,
    ) -> Result<Vec<PluginId>, PluginError> {
        let id = id.to_owned();
        self.to_the_end(async move |inner| inner.load(&id, config, dependencies).await).await
    }

    /// Offers the plugin's tools to agents, after those plugins that it needs and that are merely loaded. Returns what
    /// was enabled.
    pub async fn enable(&self, id: &str) -> Result<Vec<PluginId>, PluginError> {
        let id = id.to_owned();
        self.to_the_end(async move |inner| inner.enable(&id).await).await
    }

    /// Refuses every call of the plugin's tools from now on. With `cascade`, enabled plugins that need it are disabled
    /// before it. Returns what was disabled.
    pub async fn disable(&self, id: &str, cascade: bool) -> Result<Vec<PluginId>, PluginError> {
        let id = id.to_owned();
        self.to_the_end(async move |inner| inner.disable(&id, cascade).await).await
    }

    /// Removes all that the plugin contributed, lets its calls end, and stops it. With `cascade`, plugins that need it
    /// are unloaded before it. Returns what was unloaded.
    pub async fn unload(&self, id: &str, cascade: bool) -> Result<Vec<PluginId>, PluginError> {
        let id = id.to_owned();
        self.to_the_end(async move |inner| inner.unload(&id, cascade).await).await
    }

    /// Starts the plugin's code as it is now beside the running generation, and lets it take over at once; calls in
    /// flight end in the old one. If the new generation fails, the old one stays. No call is lost.
    pub async fn reload(&self, id: &str, config: Option<Value>) -> Result<(), PluginError> {
        let id = id.to_owned();
        self.to_the_end(async move |inner| inner.reload(&id, config).await).await
    }

    /// What the plugin asks to touch, what it is allowed, and what it may touch because of both.
    pub async fn permissions(&self, id: &str) -> Result<PluginPermissions, PluginError> {
        self.inner.permissions(id).await
    }

    /// Allows the plugin to touch more, as far as it asks for it. If that changes anything and it is loaded, it is
    /// reloaded; no call is lost. An error of the reload leaves the permission granted and the old generation running.
    ///
    /// It is granted to the plugin as it is: to another file of this id it is not, and to one that an agent made it is no
    /// longer once its code changes.
    pub async fn grant(&self, id: &str, permissions: Permissions) -> Result<PermissionsChange, PluginError> {
        let id = id.to_owned();
        self.to_the_end(async move |inner| inner.grant(&id, permissions).await).await
    }

    /// Takes back what [`Host::grant`] allowed: these entries, written as they were granted, or all. A loaded plugin is
    /// reloaded, and no call is lost; one that cannot go on without is unloaded, with those that need it, and the error
    /// says so.
    pub async fn revoke(
        &self,
        id: &str,
        permissions: Option<Permissions>,
    ) -> Result<PermissionsChange, PluginError> {
        let id = id.to_owned();
        self.to_the_end(async move |inner| inner.revoke(&id, permissions).await).await
    }

    /// How a loaded plugin feels. One that was not started since the restart is not started for this.
    pub async fn health(&self, id: &str) -> Result<PluginHealth, PluginError> {
        self.inner.health(id).await
    }

    /// How each loaded plugin feels. One that fails or hangs spoils no other's answer.
    pub async fn health_all(&self) -> Vec<PluginHealth> {
        self.inner.health_all().await
    }

    /// Brings back what the state store kept: registered from what each plugin said last, started by its first call. A
    /// plugin whose code has changed since is loaded anew; one that cannot be is in error, and the others are not.
    pub async fn restore(&self) -> Result<Restored, PluginError> {
        self.to_the_end(async move |inner| inner.restore().await).await
    }

    /// Runs an operation to its end, even when whoever waits for it goes away.
    async fn to_the_end<T, F>(&self, operation: impl FnOnce(Arc<Inner>) -> F) -> Result<T, PluginError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, PluginError>> + Send + 'static,
    {
        if self.inner.is_shutting_down() {
            return Err(PluginError::ShuttingDown);
        }
        match tokio::spawn(operation(self.inner.clone())).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl Inner {
    pub(super) fn entry(&self, id: &str) -> Result<Arc<Entry>, PluginError> {
        let snapshot = self.snapshot.load();
        snapshot.plugins.get(id).cloned().ok_or_else(|| {
            let plugins = snapshot.plugins.list();
            let near = plugins
                .iter()
                .filter_map(|entry| {
                    let distance =
                        edit_distance(&entry.id.as_str().to_ascii_lowercase(), &id.to_ascii_lowercase(), 3)?;
                    Some((distance, &entry.id))
                })
                .min();
            let hint = near.map(|(_, near)| format!(", did you mean `{near}`?")).unwrap_or_default();
            PluginError::Unknown { id: id.chars().take(64).flat_map(char::escape_debug).collect(), hint }
        })
    }

    /// Replaces an entry with what `change` makes of it as it is now, and saves it.
    async fn update(
        &self,
        id: &PluginId,
        change: impl FnOnce(&mut Entry) -> Result<(), PluginError>,
    ) -> Result<(), PluginError> {
        self.change(|next, changes| {
            let Some(current) = next.plugins.get(id.as_str()) else {
                return Err(PluginError::Unknown { id: id.to_string(), hint: String::new() });
            };
            let mut entry = (**current).clone();
            change(&mut entry)?;
            changes.push(Change::SavePlugin(Box::new(entry.record())));
            next.plugins.put(Arc::new(entry));
            Ok(())
        })
        .await
    }

    /// Notes why a plugin failed. What is saved stays as it was, so that a restart tries again.
    async fn fail(&self, id: &PluginId, error: &PluginError) {
        let noted = self
            .change(|next, _| {
                if let Some(current) = next.plugins.get(id.as_str()) {
                    let mut entry = (**current).clone();
                    entry.error = Some(error.to_string());
                    if !entry.is_registered() {
                        entry.status = gathering_core::PluginStatus::Error;
                    }
                    next.plugins.put(Arc::new(entry));
                }
                Ok(())
            })
            .await;
        debug_assert!(noted.is_ok(), "nothing was to be saved");
        self.publish_event(crate::EventKind::PluginFailed {
            plugin_id: id.clone(),
            error: error.to_string(),
        });
    }
}

/// Gives a hook its time; `None` when it took longer.
async fn within<T>(limit: Duration, hook: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, hook).await.ok()
}
