//! Skills of the folders for them: enabled when they are found, since they run nothing, and brought up to date.

use std::path::Path;

use gathering_core::{PluginId, PluginStatus};

use super::discover::{Discovery, DiscoveryError};
use crate::error::PluginError;
use crate::host::Inner;
use crate::skills;

impl Inner {
    /// Enables the skills among what was found that lie in a folder for skills, and takes over what has changed of them. One
    /// that its operator disabled stays so. What one builds on goes before it, however they are called.
    pub(super) async fn enable_skills(&self, discovery: &mut Discovery) {
        let is_skill =
            |path: &Path| self.skill_directories.iter().any(|folder| path.parent() == Some(folder));
        let mut left: Vec<PluginId> = discovery
            .discovered
            .iter()
            .filter(|found| is_skill(&found.path))
            .map(|found| found.plugin_id.clone())
            .collect();
        loop {
            let before = left.len();
            let mut failed = Vec::new();
            for id in left {
                if let Err(error) = self.enable_skill(&id).await {
                    failed.push((id, error));
                }
            }
            if failed.is_empty() {
                return;
            }
            if failed.len() == before {
                for (id, error) in failed {
                    let found = discovery.discovered.iter().find(|found| found.plugin_id == id);
                    let path = found.map(|found| found.path.clone()).unwrap_or_default();
                    let (message, traceback) = (error.to_string(), String::new());
                    discovery.errors.push(DiscoveryError { path, message, traceback });
                }
                return;
            }
            left = failed.into_iter().map(|(id, _)| id).collect();
        }
    }

    async fn enable_skill(&self, id: &PluginId) -> Result<(), PluginError> {
        let entry = self.entry(id.as_str())?;
        if &*entry.runtime != skills::KIND {
            return Ok(());
        }
        if !entry.is_registered() {
            return self.load_one(id, None, PluginStatus::Enabled).await;
        }
        let runtime =
            self.runtime(&entry.runtime).map_err(|error| PluginError::Load { id: id.clone(), error })?;
        let source = entry.source.clone();
        let now = self.blocking(move || skills::fingerprint(&*runtime, &source)).await?;
        match (now, self.this.upgrade()) {
            (Ok(now), Some(this)) if *now != *entry.fingerprint => this.reload(id.as_str(), None).await,
            _ => Ok(()),
        }
    }

    /// Unloads the skills of a folder for skills whose own folders are gone.
    pub(super) async fn unload_vanished_skills(&self, directory: &Path) {
        if !self.skill_directories.iter().any(|folder| folder == directory) {
            return;
        }
        let plugins = self.snapshot.load().plugins.list();
        let vanished = plugins.iter().filter(|entry| {
            let path = entry.source.path().filter(|path| path.parent() == Some(directory));
            entry.is_registered() && path.is_some_and(|path| !path.exists())
        });
        for entry in vanished {
            let Some(this) = self.this.upgrade() else { return };
            if let Err(error) = this.unload(entry.id.as_str(), false).await {
                tracing::warn!(plugin = %entry.id, %error, "the folder of the skill is gone; it stays, since others need it");
            }
        }
    }
}
