//! Trying a plugin out: it runs, its tools can be called, and nobody else sees it until it is kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gathering_core::{
    Caller, LoadError, LoadErrorKind, PluginId, PluginManifest, PluginSource, PluginStatus, ToolError,
    ToolOutput,
};
use serde_json::{Map, Value};

use super::load::Started;
use crate::error::PluginError;
use crate::event::EventKind;
use crate::host::{Host, Inner};
use crate::table::nearest;

/// A plugin that runs and is not registered. Dropping it ends it.
pub struct Trial {
    inner: Arc<Inner>,
    started: Started,
}

impl Host {
    /// Starts the plugin at `source` beside whatever runs of it. `manifest` is what it is expected to say of itself, with
    /// or without its contributions: it tells what the plugin asks to touch and how it is configured.
    pub async fn try_out(
        &self,
        source: PluginSource,
        manifest: PluginManifest,
        config: Option<Value>,
    ) -> Result<Trial, PluginError> {
        self.to_the_end(async move |inner| {
            let started = inner.start_unknown(source, manifest, config).await?;
            Ok(Trial { inner, started })
        })
        .await
    }

    /// Forgets a plugin, its configuration and what it was allowed; unloads it first if it is loaded. With `cascade`,
    /// plugins that need it are unloaded before it. Returns what was unloaded or forgotten. Its file stays.
    pub async fn forget(&self, id: &str, cascade: bool) -> Result<Vec<PluginId>, PluginError> {
        let id = id.to_owned();
        self.to_the_end(async move |inner| inner.forget(&id, cascade).await).await
    }
}

impl Trial {
    /// What the plugin says of itself and contributes.
    pub fn manifest(&self) -> &PluginManifest {
        &self.started.entry.manifest
    }

    /// Calls a tool of it as any call is made: the arguments are checked, and so is the result.
    pub async fn call(
        &self,
        caller: Caller,
        tool: &str,
        arguments: Map<String, Value>,
        limit: Duration,
    ) -> Result<ToolOutput, ToolError> {
        let tools = &self.started.contributions.tools;
        let Some(found) = tools.iter().find(|found| found.name.as_str() == tool) else {
            let nearest = nearest(tools.iter().map(|tool| &tool.name), tool);
            return Err(ToolError::UnknownTool { tool: tool.to_owned(), nearest });
        };
        Inner::call_unregistered(&self.inner, found, caller, arguments, limit).await
    }

    /// Registers all that it contributes, saves that it is in `status`, and lets it run on. If that fails, it is stopped.
    pub async fn keep(self, status: PluginStatus) -> Result<(), PluginError> {
        let Self { inner, started } = self;
        let host = Host { inner };
        host.to_the_end(async move |inner| inner.keep(started, status).await).await
    }

    /// Stops it and waits until nothing of it runs.
    pub async fn end(self) {
        if let Some(instance) = &self.started.entry.instance {
            instance.retire(Duration::ZERO, self.inner.limits.hook_timeout).await;
        }
    }
}

impl Inner {
    async fn start_unknown(
        &self,
        source: PluginSource,
        manifest: PluginManifest,
        config: Option<Value>,
    ) -> Result<Started, PluginError> {
        let id = manifest.metadata.id.clone();
        let load_error = |error| PluginError::Load { id: id.clone(), error };
        let runtimes = self.runtimes().to_vec();
        let looked_at = source.clone();
        let found = self
            .blocking(move || {
                let path = looked_at.path()?;
                let runtime = runtimes.iter().find(|runtime| runtime.recognises(path))?;
                Some(runtime.fingerprint(&looked_at).map(|fingerprint| (runtime.clone(), fingerprint)))
            })
            .await?;
        let (runtime, fingerprint) = match found {
            Some(found) => found.map_err(load_error)?,
            None => {
                let message = format!("no runtime takes {source} for a plugin");
                return Err(load_error(LoadError::new(LoadErrorKind::NotFound, message)));
            }
        };
        let entry = self.new_entry(&*runtime, source, fingerprint.into(), Arc::new(manifest));
        self.start(&entry, config).await
    }

    async fn keep(self: Arc<Self>, started: Started, status: PluginStatus) -> Result<(), PluginError> {
        let id = started.entry.id.clone();
        let _operation = self.operate(id.as_str()).await;
        let known = self.snapshot.load().plugins.get_ignoring_case(id.as_str()).cloned();
        if let Some(known) =
            known.filter(|known| known.is_registered() || known.source != started.entry.source)
        {
            let holder = format!(" from {}", known.source);
            if let Some(instance) = &started.entry.instance {
                instance.retire(Duration::ZERO, self.limits.hook_timeout).await;
            }
            return Err(PluginError::AlreadyRegistered { name: id.to_string(), id, kind: "plugin", holder });
        }
        self.register(started, status).await?;
        self.publish_event(EventKind::PluginLoaded { plugin_id: id.clone() });
        if status == PluginStatus::Enabled {
            self.publish_event(EventKind::PluginEnabled { plugin_id: id });
        }
        Ok(())
    }

    async fn forget(self: Arc<Self>, id: &str, cascade: bool) -> Result<Vec<PluginId>, PluginError> {
        let entry = self.entry(id)?;
        let id = entry.id.clone();
        let unloaded = if entry.is_registered() {
            self.clone().unload(id.as_str(), cascade).await?
        } else {
            vec![id.clone()]
        };
        let _operation = self.operate(id.as_str()).await;
        self.change(|next, changes| {
            match next.plugins.get(id.as_str()) {
                Some(entry) if entry.is_registered() => {
                    let expected = "it was loaded again meanwhile".to_owned();
                    return Err(PluginError::WrongState { id: id.clone(), status: entry.status, expected });
                }
                _ => next.plugins.unregister(id.as_str()),
            };
            changes.push(gathering_core::Change::RemovePlugin(id.clone()));
            Ok(())
        })
        .await?;
        Ok(unloaded)
    }

    /// Calls a tool that is not registered.
    async fn call_unregistered(
        this: &Arc<Self>,
        tool: &Arc<crate::Tool>,
        caller: Caller,
        mut arguments: Map<String, Value>,
        limit: Duration,
    ) -> Result<ToolOutput, ToolError> {
        tool.parameters
            .arguments(&mut arguments)
            .map_err(|errors| ToolError::InvalidArguments { tool: tool.name.clone(), errors })?;
        let cx = this.root_context(&tool.instance, caller, Instant::now() + limit);
        let mut outcome = this.call(tool, arguments, &cx, limit).await;
        outcome = outcome.and_then(|output| this.check_output(tool, &output).map(|()| output));
        tool.instance.secrets().redact_outcome(&mut outcome);
        outcome
    }
}
