//! Loading: a plugin is started and all it contributes is registered, or nothing is.

use std::sync::Arc;

use gathering_core::{
    Change, LoadError, LoadErrorKind, Permissions, PluginId, PluginManifest, PluginStatus, Progress, Runtime,
};
use serde_json::{Map, Value};

use crate::check::Check;
use crate::dependency;
use crate::entry::Entry;
use crate::error::PluginError;
use crate::event::EventKind;
use crate::host::Inner;
use crate::instance::Instance;
use crate::skills;
use crate::snapshot::Contributions;
use crate::tool::Tool;

/// What to do about plugins that are needed and not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependencies {
    /// Refuse, naming them.
    MustBeLoaded,
    /// Load them first.
    LoadToo,
}

/// A generation that runs and is not registered yet.
pub(super) struct Started {
    pub(super) entry: Entry,
    pub(super) contributions: Contributions,
}

impl Inner {
    pub(super) async fn load(
        self: Arc<Self>,
        id: &str,
        config: Option<Value>,
        dependencies: Dependencies,
    ) -> Result<Vec<PluginId>, PluginError> {
        let entry = self.entry(id)?;
        if entry.is_registered() {
            let expected =
                "Plugin '{}' already loaded; reload it to run its code as it is now".replace("{}", id);
            return Err(PluginError::WrongState { id: entry.id.clone(), status: entry.status, expected });
        }
        let order = match dependencies {
            Dependencies::MustBeLoaded => vec![entry.id.clone()],
            Dependencies::LoadToo => {
                // A file that was edited since it was found may need other plugins now.
                self.refresh(&entry).await?;
                dependency::load_order(&self.snapshot.load(), &entry.id)?
            }
        };
        let mut loaded: Vec<PluginId> = Vec::new();
        for next in order {
            let config = if next == entry.id { config.clone() } else { None };
            if let Err(error) = self.load_one(&next, config, PluginStatus::Loaded).await {
                for id in loaded.iter().rev() {
                    if let Err(error) = self.clone().unload(id.as_str(), false).await {
                        tracing::warn!(plugin = %id, %error, "could not be unloaded again");
                    }
                }
                return Err(error);
            }
            loaded.push(next);
        }
        Ok(loaded)
    }

    /// Loads one plugin, whose dependencies must be loaded, and leaves it in `status`.
    pub(super) async fn load_one(
        &self,
        id: &PluginId,
        config: Option<Value>,
        status: PluginStatus,
    ) -> Result<(), PluginError> {
        let _operation = self.operate(id.as_str()).await;
        let entry = self.entry(id.as_str())?;
        if entry.is_registered() {
            let expected = format!("Plugin '{id}' already loaded");
            return Err(PluginError::WrongState { id: id.clone(), status: entry.status, expected });
        }
        self.publish_event(EventKind::PluginLoading { plugin_id: id.clone() });
        let loaded = async {
            let started = self.start(&entry, config).await?;
            self.register(started, status).await
        }
        .await;
        match loaded {
            Ok(()) => {
                self.publish_event(EventKind::PluginLoaded { plugin_id: id.clone() });
                if status == PluginStatus::Enabled {
                    self.publish_event(EventKind::PluginEnabled { plugin_id: id.clone() });
                }
                Ok(())
            }
            Err(error) => {
                // What its operator can mend from outside is no failure of the plugin.
                if !matches!(
                    error,
                    PluginError::MissingDependency(_)
                        | PluginError::InvalidConfig { .. }
                        | PluginError::State(_)
                ) {
                    self.fail(id, &error).await;
                }
                Err(error)
            }
        }
    }

    /// Describes the plugin anew if its code has changed.
    pub(super) async fn refresh(&self, entry: &Entry) -> Result<Entry, PluginError> {
        let load_error = |error| PluginError::Load { id: entry.id.clone(), error };
        let runtime = self.runtime(&entry.runtime).map_err(load_error)?;
        let fingerprint = {
            let (runtime, source) = (runtime.clone(), entry.source.clone());
            self.blocking(move || skills::fingerprint(&*runtime, &source)).await?.map_err(load_error)?
        };
        if *fingerprint == *entry.fingerprint {
            return Ok(entry.clone());
        }
        let manifest = self.describe(&*runtime, &entry.source).await.map_err(load_error)?;
        same_id(&entry.id, &manifest)?;
        let keeps_grants = self.keeps_grants(&entry.source).await?;
        let allowed =
            |entry: &Entry| if keeps_grants { entry.allowed.clone() } else { Permissions::default() };
        let refreshed = Entry {
            manifest: Arc::new(manifest),
            fingerprint: fingerprint.into(),
            allowed: allowed(entry),
            ..entry.clone()
        };
        if !entry.is_registered() {
            // Not saved: a restart finds out the same by the fingerprint.
            self.change(|next, _| {
                // What was allowed or configured meanwhile stays.
                if let Some(held) = next.plugins.get(entry.id.as_str()).filter(|held| !held.is_registered()) {
                    let (manifest, fingerprint) = (refreshed.manifest.clone(), refreshed.fingerprint.clone());
                    let allowed = allowed(held);
                    next.plugins.put(Arc::new(Entry { manifest, fingerprint, allowed, ..(**held).clone() }));
                }
                Ok(())
            })
            .await?;
            self.tell_lapsed(&entry.id, &entry.allowed, &refreshed.allowed);
        }
        Ok(refreshed)
    }

    /// Starts a generation of the plugin beside whatever runs of it.
    pub(super) async fn start(&self, entry: &Entry, config: Option<Value>) -> Result<Started, PluginError> {
        let entry = self.refresh(entry).await?;
        let id = &entry.id;
        let load_error = |error| PluginError::Load { id: id.clone(), error };
        dependency::check(&self.snapshot.load(), &entry.manifest)?;
        let given = config.unwrap_or_else(|| entry.config.clone());
        let config = complete_config(&entry.manifest, &given)?;
        let runtime = self.runtime(&entry.runtime).map_err(load_error)?;
        let launch = self.launch(&entry, runtime, config).await?;
        let plugin = launch.start(self.limits.load_timeout, self.progress(id)).await.map_err(load_error)?;
        let mut manifest = plugin.manifest().clone();
        same_id(id, &manifest)?;
        skills::add(&entry.runtime, &entry.source, &mut manifest).map_err(load_error)?;
        let manifest = Arc::new(manifest.checked().map_err(|error| PluginError::manifest(id, &error))?);
        // What it needs may be known only now that it runs.
        dependency::check(&self.snapshot.load(), &manifest)?;
        let instance = Arc::new(Instance::running(self.next_instance(), launch, manifest.clone(), plugin));
        let contributions = compile(&manifest, &instance)?;
        let generation = entry.generation + 1;
        let entry =
            Entry { config: given, manifest, instance: Some(instance), error: None, generation, ..entry };
        Ok(Started { entry, contributions })
    }

    /// Registers what a started plugin contributes and saves that it is loaded. When that fails, it is stopped again.
    pub(super) async fn register(&self, started: Started, status: PluginStatus) -> Result<(), PluginError> {
        let Started { mut entry, contributions } = started;
        let instance = entry.instance.clone().expect("a started entry has an instance");
        let registered = async {
            if status == PluginStatus::Enabled {
                self.run_on_enable(&instance).await?;
            }
            instance.set_status(status);
            entry.status = status;
            let id = entry.id.clone();
            self.change(move |next, changes| {
                dependency::check(next, &entry.manifest)?;
                next.add_contributions(&id, contributions)?;
                changes.push(Change::SavePlugin(Box::new(entry.record())));
                next.plugins.put(Arc::new(entry));
                Ok(())
            })
            .await
        }
        .await;
        if registered.is_err() {
            instance.retire(std::time::Duration::ZERO, self.limits.hook_timeout).await;
        }
        registered
    }

    pub(super) fn runtime(&self, kind: &str) -> Result<Arc<dyn Runtime>, LoadError> {
        self.runtimes().iter().find(|runtime| runtime.kind() == kind).cloned().ok_or_else(|| {
            let message = format!("this GatheRing has no runtime for plugins of the kind `{kind}`");
            LoadError::new(LoadErrorKind::RuntimeFailed, message)
        })
    }

    /// Tells what long work on the plugin is doing, as events.
    pub(crate) fn progress(&self, id: &PluginId) -> Progress {
        let (this, id) = (self.this.clone(), id.clone());
        Arc::new(move |message| {
            tracing::info!(plugin = %id, "{message}");
            if let Some(this) = this.upgrade() {
                let message = message.chars().take(1000).collect();
                this.publish_event(EventKind::PluginProgress { plugin_id: id.clone(), message });
            }
        })
    }
}

/// The configuration with defaults, if it fits the plugin's schema.
pub(super) fn complete_config(manifest: &PluginManifest, given: &Value) -> Result<Value, PluginError> {
    let id = &manifest.metadata.id;
    let mut config = match given {
        Value::Null => Map::new(),
        Value::Object(config) => config.clone(),
        _ => {
            return Err(PluginError::InvalidConfig { id: id.clone(), reason: "it must be an object".into() });
        }
    };
    let check = Check::compile(&manifest.metadata.config_schema)
        .map_err(|error| PluginError::schema(id, "config_schema", &error))?;
    check.arguments(&mut config).map_err(|errors| {
        let reasons: Vec<_> = errors.iter().map(ToString::to_string).collect();
        PluginError::InvalidConfig { id: id.clone(), reason: reasons.join("; ") }
    })?;
    Ok(Value::Object(config))
}

fn same_id(id: &PluginId, manifest: &PluginManifest) -> Result<(), PluginError> {
    let said = &manifest.metadata.id;
    if said == id {
        return Ok(());
    }
    let reason = format!("Plugin metadata ID '{said}' doesn't match registered ID '{id}'");
    Err(PluginError::InvalidPlugin { id: id.clone(), reason })
}

/// Compiles every schema of the manifest.
pub(super) fn compile(
    manifest: &PluginManifest,
    instance: &Arc<Instance>,
) -> Result<Contributions, PluginError> {
    let id = &manifest.metadata.id;
    let mut tools = Vec::with_capacity(manifest.tools.len());
    for definition in &manifest.tools {
        let name = definition.name.clone();
        let tool = Tool::new(definition.clone(), instance.clone()).map_err(|(what, error)| {
            PluginError::schema(id, &format!("{what} of the tool `{name}`"), &error)
        })?;
        tools.push(Arc::new(tool));
    }
    Ok(Contributions {
        tools,
        competencies: manifest.competencies.clone(),
        file_handlers: manifest.file_handlers.clone(),
    })
}
