//! Plugins that the program around a host runs itself: their contributions are registered at once, their state is told.
//!
//! Nothing here needs an async runtime, and nothing is kept over a restart. What is registered may be objects of another
//! language: no lock is held while the last of one is dropped, so that its finalizer may come back to the host.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use gathering_core::{
    BoxFuture, CompetencyDefinition, CompetencyId, FileHandlerDefinition, Grants, LoadError, LoadErrorKind,
    LoadRequest, Origin, Permissions, Plugin, PluginManifest, PluginSecrets, PluginSource, PluginStatus,
    Runtime, ToolDefinition,
};
use serde_json::Value;

use crate::dependency;
use crate::entry::Entry;
use crate::error::PluginError;
use crate::event::EventKind;
use crate::host::{Host, Inner};
use crate::instance::{Instance, Launch};
use crate::snapshot::{Contributions, Snapshot};
use crate::tool::Tool;

/// The kind of such plugins.
const KIND: &str = "in-process";

/// What a program keeps with a tool that it runs itself, such as the function of another language.
pub type Handle = Box<dyn Any + Send + Sync>;

/// Definitions that are registered together.
#[derive(Default)]
pub struct Additions {
    /// Tools, and what the program keeps with each.
    pub tools: Vec<(Arc<ToolDefinition>, Handle)>,
    /// Competencies; they may build on each other in any order.
    pub competencies: Vec<Arc<CompetencyDefinition>>,
    /// File handlers.
    pub file_handlers: Vec<Arc<FileHandlerDefinition>>,
}

/// A plugin that this program runs. Cloning gives the same one.
#[derive(Clone)]
pub struct InProcess {
    host: Host,
    instance: Arc<Instance>,
}

impl Host {
    /// Gives `plugin` a place in this host under which definitions can be registered bit by bit. It is enabled, is not listed
    /// among the plugins, and none of them can need it.
    pub fn in_process(&self, plugin: Box<dyn Plugin>) -> InProcess {
        let instance = self.inner.in_process_instance(plugin, PluginManifest::clone);
        instance.set_status(PluginStatus::Enabled);
        InProcess { host: self.clone(), instance }
    }

    /// Registers all that a plugin of this program contributes, or nothing, and leaves it loaded. What it needs has to be
    /// loaded. `handles` are what the program keeps with its tools, in their order.
    ///
    /// Must not be called from within async code: it waits for whoever else changes the registries.
    pub fn attach(&self, plugin: Box<dyn Plugin>, handles: Vec<Handle>) -> Result<InProcess, PluginError> {
        let inner = &self.inner;
        let said = plugin.manifest().metadata.id.clone();
        let manifest =
            plugin.manifest().clone().checked().map_err(|error| PluginError::manifest(&said, &error))?;
        let instance = inner.in_process_instance(plugin, |_| manifest.clone());
        let id = instance.id.clone();
        let contributions = contributions(
            &instance,
            Additions {
                tools: manifest.tools.into_iter().zip(handles).collect(),
                competencies: manifest.competencies,
                file_handlers: manifest.file_handlers,
            },
        )?;
        let source = PluginSource::Builtin(id.clone());
        inner.change_now(|next| {
            dependency::check(next, &instance.manifest)?;
            if let Some(known) = next.plugins.get_ignoring_case(id.as_str()) {
                let (name, holder) = (id.to_string(), format!(" as {}", known.source));
                return Err(PluginError::AlreadyRegistered { id: id.clone(), kind: "plugin", name, holder });
            }
            next.add(&id, contributions)?;
            next.plugins.put(Arc::new(Entry {
                id: id.clone(),
                runtime: KIND.into(),
                source,
                status: PluginStatus::Loaded,
                error: None,
                config: Value::Null,
                allowed: Permissions::default(),
                manifest: instance.manifest.clone(),
                fingerprint: "".into(),
                instance: Some(instance.clone()),
                generation: 1,
            }));
            Ok(())
        })?;
        inner.publish_event(EventKind::PluginLoaded { plugin_id: id });
        Ok(InProcess { host: self.clone(), instance })
    }

    /// Removes the tool of this name; false if there is none.
    pub fn unregister_tool(&self, name: &str) -> bool {
        self.removing(|next| {
            let is_there = next.tools.get(name).is_some();
            is_there && next.tools.unregister(name).is_some()
        })
    }

    /// Removes the competency of this id; false if there is none. Refused with those that build on it.
    pub fn unregister_competency(&self, id: &str) -> Result<bool, Vec<CompetencyId>> {
        self.removing(|next| {
            let dependents = next.dependents(id);
            if !dependents.is_empty() {
                return Err(dependents);
            }
            let is_there = next.competencies.get(id).is_some();
            Ok(is_there && next.competencies.unregister(id).is_some())
        })
    }

    /// Removes the file handler of this name; false if there is none.
    pub fn unregister_file_handler(&self, name: &str) -> bool {
        self.removing(|next| {
            let is_there = next.file_handlers.get(name).is_some();
            is_there && next.file_handlers.unregister(name).is_some()
        })
    }

    /// Removes every tool.
    pub fn clear_tools(&self) {
        self.removing(|next| next.tools = Default::default());
    }

    /// Removes every competency.
    pub fn clear_competencies(&self) {
        self.removing(|next| next.competencies = Default::default());
    }

    /// Removes every file handler.
    pub fn clear_file_handlers(&self) {
        self.removing(|next| next.file_handlers = Default::default());
    }

    fn removing<T>(&self, remove: impl FnOnce(&mut Snapshot) -> T) -> T {
        let removed = self.inner.change_now(|next| Ok(remove(next)));
        removed.unwrap_or_else(|_| unreachable!("removing does not fail"))
    }
}

impl InProcess {
    /// Registers more in the plugin's place, all of it or nothing. Waits as [`Host::attach`] does.
    pub fn register(&self, additions: Additions) -> Result<(), PluginError> {
        let contributions = contributions(&self.instance, additions)?;
        self.host.inner.change_now(|next| next.add(&self.instance.id, contributions))
    }

    /// Where it stands.
    pub fn status(&self) -> PluginStatus {
        self.instance.status()
    }

    /// Says that the program has enabled it: its tools are offered to agents from now on.
    pub fn enabled(&self) -> Result<(), PluginError> {
        self.stands(PluginStatus::Enabled)?;
        self.tell(|plugin_id| EventKind::PluginEnabled { plugin_id });
        Ok(())
    }

    /// Says that the program disables it: calls of its tools are refused from now on.
    pub fn disabled(&self) -> Result<(), PluginError> {
        self.stands(PluginStatus::Disabled)?;
        self.tell(|plugin_id| EventKind::PluginDisabled { plugin_id });
        Ok(())
    }

    /// Removes all that it contributed, and itself. Refused with the names of those that need it.
    pub fn detach(&self) -> Result<(), PluginError> {
        let id = &self.instance.id;
        self.host.inner.change_now(|next| {
            let dependents = dependency::dependents(next, id);
            if self.entry(next).is_some() && !dependents.is_empty() {
                return Err(PluginError::HasDependents { id: id.clone(), dependents, action: "unload" });
            }
            next.remove_contributions(id);
            if self.entry(next).is_some() {
                next.plugins.unregister(id.as_str());
            }
            Ok(())
        })?;
        self.instance.set_status(PluginStatus::Unloaded);
        self.tell(|plugin_id| EventKind::PluginUnloaded { plugin_id });
        Ok(())
    }

    fn stands(&self, status: PluginStatus) -> Result<(), PluginError> {
        self.host.inner.change_now(|next| {
            if let Some(entry) = self.entry(next) {
                let entry = Entry { status, ..(**entry).clone() };
                next.plugins.put(Arc::new(entry));
            }
            Ok(())
        })?;
        self.instance.set_status(status);
        Ok(())
    }

    /// What is listed of it.
    fn entry<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Arc<Entry>> {
        let is_its = |entry: &&Arc<Entry>| {
            entry.instance.as_ref().is_some_and(|instance| Arc::ptr_eq(instance, &self.instance))
        };
        snapshot.plugins.get(self.instance.id.as_str()).filter(is_its)
    }

    fn tell(&self, kind: impl FnOnce(gathering_core::PluginId) -> EventKind) {
        self.host.inner.publish_event(kind(self.instance.id.clone()));
    }
}

impl Inner {
    fn in_process_instance(
        &self,
        plugin: Box<dyn Plugin>,
        manifest: impl FnOnce(&PluginManifest) -> PluginManifest,
    ) -> Arc<Instance> {
        let manifest = Arc::new(manifest(plugin.manifest()));
        let id = manifest.metadata.id.clone();
        let launch = Launch {
            id: id.clone(),
            runtime: Arc::new(OfTheProgram),
            source: PluginSource::Builtin(id),
            config: Value::Null,
            grants: Grants::new(Origin::Installed, None, &Permissions::default(), &Permissions::default()),
            asked: Permissions::default(),
            secrets: PluginSecrets::none(),
        };
        Arc::new(Instance::of_the_program(self.next_instance(), launch, manifest, plugin))
    }
}

fn contributions(instance: &Arc<Instance>, additions: Additions) -> Result<Contributions, PluginError> {
    let tool = |(definition, handle): (Arc<ToolDefinition>, Handle)| {
        let name = definition.name.clone();
        let tool = Tool::new(definition, instance.clone()).map_err(|(what, error)| {
            PluginError::schema(&instance.id, &format!("{what} of the tool `{name}`"), &error)
        })?;
        tool.keep(handle);
        Ok(Arc::new(tool))
    };
    Ok(Contributions {
        tools: additions.tools.into_iter().map(tool).collect::<Result<_, PluginError>>()?,
        competencies: additions.competencies,
        file_handlers: additions.file_handlers,
    })
}

/// The runtime of plugins that their program has loaded already.
struct OfTheProgram;

impl Runtime for OfTheProgram {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn interruptible(&self) -> bool {
        false
    }

    fn recognises(&self, _path: &Path) -> bool {
        false
    }

    fn fingerprint(&self, _source: &PluginSource) -> Result<String, LoadError> {
        Ok(String::new())
    }

    fn describe<'a>(
        &'a self,
        _source: &'a PluginSource,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<PluginManifest, LoadError>> {
        Box::pin(async { Err(of_the_program()) })
    }

    fn load<'a>(&'a self, _request: LoadRequest<'a>) -> BoxFuture<'a, Result<Box<dyn Plugin>, LoadError>> {
        Box::pin(async { Err(of_the_program()) })
    }
}

fn of_the_program() -> LoadError {
    LoadError::new(
        LoadErrorKind::NotFound,
        "it is loaded by the program that it is a part of, not by its host",
    )
}
