//! Restoring: what was loaded is registered again without starting it.

use std::path::PathBuf;
use std::sync::Arc;

use gathering_core::{LoadError, PluginId, PluginRecord, PluginStatus};
use serde::Serialize;

use super::load::{compile, complete_config};
use crate::dependency;
use crate::entry::Entry;
use crate::error::PluginError;
use crate::host::Inner;
use crate::instance::Instance;
use crate::skills;

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Restored {
    /// The plugins whose contributions are registered again.
    pub registered: Vec<PluginId>,
    /// Those that are merely known.
    pub known: Vec<PluginId>,
    /// Those that could not be brought back, and why.
    pub failed: Vec<(PluginId, String)>,
}

impl Inner {
    pub(super) async fn restore(self: Arc<Self>) -> Result<Restored, PluginError> {
        let Some(store) = self.store.clone() else { return Ok(Restored::default()) };
        let kept = self.blocking(move || Ok((store.directories()?, store.plugins()?))).await?;
        let (directories, records) = kept.map_err(PluginError::State)?;
        self.know_directories(directories);
        let entries: Vec<_> = records.into_iter().map(|record| self.known_entry(record)).collect();
        self.change(|next, _| {
            entries.iter().for_each(|(entry, _)| next.plugins.put(Arc::new(entry.clone())));
            Ok(())
        })
        .await?;
        let mut restored = Restored::default();
        for (entry, status) in self.in_order_of_need(entries) {
            if !was_registered(status) {
                restored.known.push(entry.id.clone());
                continue;
            }
            match self.bring_back(&entry, status).await {
                Ok(()) => restored.registered.push(entry.id.clone()),
                Err(error) => {
                    self.fail(&entry.id, &error).await;
                    restored.failed.push((entry.id.clone(), error.to_string()));
                }
            }
        }
        Ok(restored)
    }

    fn know_directories(&self, kept: Vec<PathBuf>) {
        let mut directories = self.directories.lock().expect("nothing panics while it holds this lock");
        for path in kept {
            if !directories.contains(&path) {
                directories.push(path);
            }
        }
    }

    /// The plugin as it is known until it is registered again, and the state it was kept in.
    fn known_entry(&self, record: PluginRecord) -> (Entry, PluginStatus) {
        let entry = Entry {
            config: self.configuration(&record.id).cloned().unwrap_or(record.config),
            id: record.id,
            runtime: record.runtime.into(),
            source: record.source,
            status: PluginStatus::Unloaded,
            error: None,
            allowed: record.allowed,
            manifest: Arc::new(record.manifest),
            fingerprint: record.fingerprint.into(),
            instance: None,
            generation: 0,
        };
        (entry, record.status)
    }

    /// Plugins after those that they need, else in the order in which they were kept.
    fn in_order_of_need(&self, mut entries: Vec<(Entry, PluginStatus)>) -> Vec<(Entry, PluginStatus)> {
        let snapshot = self.snapshot.load();
        let mut ordered: Vec<PluginId> = Vec::new();
        for (entry, _) in entries.iter().filter(|(_, status)| was_registered(*status)) {
            // What cannot be ordered is tried where it stands and says then what is wrong.
            let order =
                dependency::load_order(&snapshot, &entry.id).unwrap_or_else(|_| vec![entry.id.clone()]);
            for id in order {
                if !ordered.contains(&id) {
                    ordered.push(id);
                }
            }
        }
        entries.sort_by_key(|(entry, _)| ordered.iter().position(|id| *id == entry.id));
        entries
    }

    async fn bring_back(&self, entry: &Entry, status: PluginStatus) -> Result<(), PluginError> {
        let load_error = |error| PluginError::Load { id: entry.id.clone(), error };
        let runtime = self.runtime(&entry.runtime).map_err(load_error)?;
        let fingerprint = skills::fingerprint(&*runtime, &entry.source).map_err(|error| {
            let message = format!("{error} (it was {status} before the restart)");
            load_error(LoadError { message, ..error })
        })?;
        if *fingerprint != *entry.fingerprint {
            tracing::info!(plugin = %entry.id, "its code has changed since the last run; loading it anew");
            return self.load_one(&entry.id, None, status).await;
        }
        let config = complete_config(&entry.manifest, &entry.config)?;
        let launch = self.launch(entry, runtime, config).await?;
        let instance =
            Arc::new(Instance::to_be_started(self.next_instance(), launch, entry.manifest.clone()));
        let contributions = compile(&entry.manifest, &instance)?;
        instance.set_status(status);
        self.change(|next, _| {
            dependency::check(next, &entry.manifest)?;
            next.add_contributions(&entry.id, contributions)?;
            let back = Entry { status, instance: Some(instance), generation: 1, ..entry.clone() };
            next.plugins.put(Arc::new(back));
            Ok(())
        })
        .await
    }
}

fn was_registered(status: PluginStatus) -> bool {
    matches!(status, PluginStatus::Loaded | PluginStatus::Enabled | PluginStatus::Disabled)
}
