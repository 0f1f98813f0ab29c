//! Making, updating, rolling back and removing plugins of code.

use std::sync::Arc;
use std::time::Instant;

use gathering_core::{
    AgentId, ArgumentError, Caller, DynamicPlugin, DynamicTool, PluginId, PluginManifest, PluginSource,
    PluginStatus, Progress, Schema, ToolCategory,
};
use gathering_host::{AuthoringError, Dependencies, InvalidCode, PluginError, PluginInfo};
use gathering_runtime_python::{ExamineError, Examined, plugin_file};
use serde_json::{Value, json};

use super::files::{Files, Record};
use super::{Inner, agent, now_ms};

/// A plugin whose code was examined.
pub(super) struct Draft {
    pub(super) plugin: DynamicPlugin,
    pub(super) examined: Examined,
    text: String,
    manifest: PluginManifest,
}

impl Inner {
    pub(super) async fn create(
        self: Arc<Self>,
        caller: Caller,
        plugin: DynamicPlugin,
        deadline: Instant,
    ) -> Result<PluginInfo, AuthoringError> {
        let id = plugin.plugin_id.clone();
        let _act = self.act(id.as_str()).await;
        self.check_id(&id)?;
        let draft = self.draft(plugin, deadline).await?;
        // Before any of its code runs.
        self.set_maker(&id, maker(&caller));
        let made = self.make(&caller, &draft, deadline).await;
        if made.is_err() {
            self.set_maker(&id, None);
            // Nobody knows it, so whatever there is of it goes.
            let of = id.clone();
            let python = self.python.clone();
            self.undo(&id, move |files| {
                files.remove_versions(&of)?;
                files.remove_current(&of)?;
                python.forget(&of)
            })
            .await;
        }
        made?;
        Ok(self.host.plugin(id.as_str())?)
    }

    async fn make(&self, caller: &Caller, draft: &Draft, deadline: Instant) -> Result<(), AuthoringError> {
        let id = draft.plugin.plugin_id.clone();
        let text = draft.text.clone();
        let of = id.clone();
        let number = self
            .on_disk(move |files| {
                files.remove_versions(&of)?;
                let number = files.stage(&of, &text)?;
                files.place(&of, number).map(|()| number)
            })
            .await?;
        let source = PluginSource::Path(self.files.current(&id));
        let try_out = async || self.host.try_out(source.clone(), draft.manifest.clone(), None).await;
        let trial = try_out().await?;
        let (tried, trial) = self.try_examples(caller, draft, trial, deadline).await?;
        // What the examples left behind in it is not to be seen by anybody.
        let trial = if tried {
            trial.end().await;
            try_out().await?
        } else {
            trial
        };
        let record = Record {
            number,
            created_ms: now_ms(),
            caller: agent(caller),
            owner: agent(caller),
            rolled_back_to: None,
            request: draft.plugin.clone(),
        };
        self.on_disk(move |files| files.complete(&id, &record)).await?;
        in_time(deadline)?;
        Ok(trial.keep(PluginStatus::Enabled).await?)
    }

    pub(super) async fn update(
        self: Arc<Self>,
        caller: Caller,
        plugin: DynamicPlugin,
        deadline: Instant,
    ) -> Result<PluginInfo, AuthoringError> {
        let _act = self.act(plugin.plugin_id.as_str()).await;
        let id = self.dynamic(plugin.plugin_id.as_str())?;
        self.may_change(&caller, &id).await?;
        let draft = self.draft(plugin, deadline).await?;
        let (of, text) = (id.clone(), draft.text.clone());
        let number = self.on_disk(move |files| files.stage(&of, &text)).await?;
        let owner = self.owner(&id).await?;
        let record = Record {
            number,
            created_ms: now_ms(),
            caller: agent(&caller),
            owner,
            rolled_back_to: None,
            request: draft.plugin.clone(),
        };
        let updated = async {
            let source = PluginSource::Path(self.files.version(&id, number));
            let trial = self.host.try_out(source, draft.manifest.clone(), None).await?;
            let (_, trial) = self.try_examples(&caller, &draft, trial, deadline).await?;
            trial.end().await;
            in_time(deadline)?;
            self.put(&id, record).await
        }
        .await;
        if updated.is_err() {
            let of = id.clone();
            self.undo(&id, move |files| files.remove_version(&of, number)).await;
        }
        updated?;
        Ok(self.host.plugin(id.as_str())?)
    }

    pub(super) async fn rollback(
        self: Arc<Self>,
        caller: Caller,
        plugin: &str,
        version: Option<u64>,
    ) -> Result<PluginInfo, AuthoringError> {
        let _act = self.act(plugin).await;
        let id = self.dynamic(plugin)?;
        self.may_change(&caller, &id).await?;
        let of = id.clone();
        let kept = self.on_disk(move |files| files.versions(&of)).await?;
        let found = match version {
            Some(number) => kept.iter().find(|record| record.number == number),
            None => kept.iter().nth_back(1),
        };
        let Some(found) = found else {
            let numbers: Vec<_> = kept.iter().map(|record| record.number.to_string()).collect();
            let version = version.map_or_else(|| "before the current one".to_owned(), |n| n.to_string());
            return Err(AuthoringError::UnknownVersion { id, version, known: numbers.join(", ") });
        };
        let (of, back_to) = (id.clone(), found.number);
        let number = self
            .on_disk(move |files| {
                let text = super::files::read(&files.version(&of, back_to))?;
                files.stage(&of, &text)
            })
            .await?;
        let record = Record {
            number,
            created_ms: now_ms(),
            caller: agent(&caller),
            rolled_back_to: Some(back_to),
            ..found.clone()
        };
        let put = self.put(&id, record).await;
        if put.is_err() {
            let of = id.clone();
            self.undo(&id, move |files| files.remove_version(&of, number)).await;
        }
        put?;
        Ok(self.host.plugin(id.as_str())?)
    }

    /// Completes a staged version and lets it take over. After an error what ran before runs on, from its own file.
    async fn put(&self, id: &PluginId, record: Record) -> Result<(), AuthoringError> {
        let of = id.clone();
        let before = self
            .on_disk(move |files| {
                let before = files.newest(&of)?.map(|newest| newest.number);
                files.complete(&of, &record)?;
                files.place(&of, record.number).map(|()| before)
            })
            .await?;
        let taken = self.take_over(id).await;
        if taken.is_err() {
            let of = id.clone();
            self.undo(id, move |files| match before {
                Some(before) => files.place(&of, before),
                None => Ok(()),
            })
            .await;
        }
        Ok(taken?)
    }

    /// Lets the file run that was placed.
    async fn take_over(&self, id: &PluginId) -> Result<(), PluginError> {
        let id = id.as_str();
        match self.host.plugin(id)?.status {
            // Its operator unloaded it; the new version is what he loads next.
            PluginStatus::Unloaded => Ok(()),
            PluginStatus::Error => {
                self.host.load(id, None, Dependencies::MustBeLoaded).await?;
                if let Err(error) = self.host.enable(id).await {
                    self.host.unload(id, false).await?;
                    return Err(error);
                }
                Ok(())
            }
            PluginStatus::Loaded | PluginStatus::Enabled | PluginStatus::Disabled => {
                self.host.reload(id, None).await
            }
        }
    }

    /// Takes files back after an act that failed. If that fails too, the next start does it.
    async fn undo(&self, id: &PluginId, work: impl FnOnce(&Files) -> std::io::Result<()> + Send + 'static) {
        if let Err(error) = self.on_disk(work).await {
            tracing::warn!(plugin = %id, %error, "what is left of an act that failed stays until the next start");
        }
    }

    pub(super) async fn remove(
        self: Arc<Self>,
        caller: Caller,
        plugin: &str,
        cascade: bool,
    ) -> Result<Vec<PluginId>, AuthoringError> {
        let _act = self.act(plugin).await;
        let id = self.dynamic(plugin)?;
        self.may_change(&caller, &id).await?;
        let loaded =
            !matches!(self.host.plugin(id.as_str())?.status, PluginStatus::Unloaded | PluginStatus::Error);
        // If this process is killed from here on, the next one finishes.
        let of = id.clone();
        self.on_disk(move |files| files.mark_removal(&of)).await?;
        let unloaded =
            if loaded { self.host.unload(id.as_str(), cascade).await } else { Ok(vec![id.clone()]) };
        let of = id.clone();
        let removed = match unloaded {
            Ok(removed) => removed,
            Err(error) => {
                self.undo(&id, move |files| files.unmark_removal(&of)).await;
                return Err(error.into());
            }
        };
        self.on_disk(move |files| files.remove_versions(&of)).await?;
        self.host.forget(id.as_str(), cascade).await?;
        self.set_maker(&id, None);
        let python = self.python.clone();
        self.on_disk(move |files| files.remove_current(&id).and_then(|()| python.forget(&id))).await?;
        Ok(removed)
    }

    async fn owner(&self, id: &PluginId) -> Result<Option<String>, AuthoringError> {
        let of = id.clone();
        Ok(self.on_disk(move |files| files.newest(&of)).await?.and_then(|newest| newest.owner))
    }

    /// Refuses an id that another plugin has.
    fn check_id(&self, id: &PluginId) -> Result<(), AuthoringError> {
        let plugins = self.host.plugins();
        let held = plugins.iter().find(|held| held.metadata.id.as_str().eq_ignore_ascii_case(id.as_str()));
        let Some(held) = held else { return Ok(()) };
        let of_code = held.source == self.files.current(&held.metadata.id).display().to_string();
        let holder = match of_code {
            true => format!(" from {}: update or remove it instead", held.source),
            false => format!(" from {}", held.source),
        };
        let error = PluginError::AlreadyRegistered {
            id: id.clone(),
            kind: "plugin",
            name: held.metadata.id.to_string(),
            holder,
        };
        Err(error.into())
    }

    /// Examines the code and writes the plugin's file. Nothing is kept.
    async fn draft(&self, mut plugin: DynamicPlugin, deadline: Instant) -> Result<Draft, AuthoringError> {
        self.check_tools(&plugin)?;
        let id = plugin.plugin_id.clone();
        let told = id.clone();
        let progress: Progress = Arc::new(move |message| tracing::info!(plugin = %told, "{message}"));
        let examined = self
            .python
            .examine(&mut plugin, deadline, &progress)
            .await
            .map_err(|error| examine_error(&id, error))?;
        if let Some(code) = plugin.code.take() {
            let tool = |found: &gathering_runtime_python::ExaminedTool| DynamicTool {
                name: found.name.clone(),
                description: String::new(),
                category: ToolCategory::CUSTOM,
                code: code.clone(),
                parameters: None,
                returns: None,
                examples: Vec::new(),
                required_competencies: Vec::new(),
            };
            plugin.tools = examined.tools.iter().map(tool).collect();
            self.check_tools(&plugin)?;
        }
        for (place, tool) in examined.tools.iter().enumerate() {
            if tool.description.trim().is_empty() {
                let message = format!(
                    "`{}` has no description: give one, or write a docstring, so that a model knows when to call it",
                    tool.name
                );
                let pointer = format!("/tools/{place}/description");
                return Err(AuthoringError::InvalidRequest(vec![ArgumentError { pointer, message }]));
            }
        }
        if plugin.description.is_empty() {
            let names: Vec<_> = plugin.tools.iter().map(|tool| tool.name.as_str()).collect();
            plugin.description = match examined.documentation.split("\n\n").next() {
                Some(text) if !text.trim().is_empty() => text.trim().to_owned(),
                _ => format!("The tools {}", names.join(", ")),
            };
        }
        configure(&mut plugin);
        let manifest = manifest(&plugin)?;
        let text = plugin_file(&plugin, &examined);
        Ok(Draft { plugin, examined, text, manifest })
    }

    /// Refuses tools and competencies whose names others have, before anything is run.
    fn check_tools(&self, plugin: &DynamicPlugin) -> Result<(), AuthoringError> {
        let snapshot = self.host.snapshot();
        let own = &plugin.plugin_id;
        let taken = |kind, name: &str, holder: Option<&PluginId>| match holder {
            Some(holder) if holder != own => {
                let (id, name, holder) = (own.clone(), name.to_owned(), format!(" by the plugin `{holder}`"));
                Err(PluginError::AlreadyRegistered { id, kind, name, holder })
            }
            _ => Ok(()),
        };
        for tool in &plugin.tools {
            let held = snapshot.tools().get_ignoring_case(tool.name.as_str());
            taken("tool", tool.name.as_str(), held.and_then(|held| held.plugin_id.as_ref()))?;
        }
        for competency in &plugin.competencies {
            let held = snapshot.competencies().get_ignoring_case(competency.id.as_str());
            taken("competency", competency.id.as_str(), held.and_then(|held| held.plugin_id.as_ref()))?;
        }
        Ok(())
    }
}

fn maker(caller: &Caller) -> Option<AgentId> {
    match caller {
        Caller::Operator => None,
        Caller::Agent(rights) => Some(rights.id.clone()),
    }
}

fn in_time(deadline: Instant) -> Result<(), AuthoringError> {
    if Instant::now() < deadline { Ok(()) } else { Err(AuthoringError::TimedOut) }
}

fn examine_error(id: &PluginId, error: ExamineError) -> AuthoringError {
    match error {
        ExamineError::Load(error) => PluginError::Load { id: id.clone(), error }.into(),
        ExamineError::Code(problem) => AuthoringError::InvalidCode(Box::new(InvalidCode {
            pointer: match problem.place {
                Some(place) => format!("/tools/{place}/code"),
                None => "/code".to_owned(),
            },
            tool: problem.tool,
            line: problem.line,
            column: problem.column,
            message: problem.message,
            traceback: problem.traceback,
        })),
    }
}

/// What is known of the plugin before it runs.
pub(super) fn manifest(plugin: &DynamicPlugin) -> Result<PluginManifest, AuthoringError> {
    let metadata = json!({
        "id": plugin.plugin_id,
        "name": plugin.name,
        "version": plugin.version,
        "description": plugin.description,
        "author": plugin.author,
        "python_dependencies": plugin.python_dependencies,
        "permissions": plugin.permissions,
        "config_schema": plugin.config_schema.clone().unwrap_or_else(|| json!({})),
    });
    let invalid = |reason: String| PluginError::InvalidPlugin { id: plugin.plugin_id.clone(), reason };
    let metadata = serde_json::from_value(metadata).map_err(|error| invalid(error.to_string()))?;
    Ok(PluginManifest::new(metadata).checked().map_err(|error| invalid(error.to_string()))?)
}

/// Makes the configuration the defaults of its schema, so that it holds wherever the file is loaded.
fn configure(plugin: &mut DynamicPlugin) {
    let (Some(config), Some(schema)) = (&plugin.config, &mut plugin.config_schema) else { return };
    let is_bare = Schema::parameters(schema).is_ok_and(|whole| whole.to_value() != *schema);
    let properties = if is_bare { Some(schema) } else { schema.get_mut("properties") };
    let Some(properties) = properties.and_then(Value::as_object_mut) else { return };
    for (name, value) in config {
        if let Some(Value::Object(property)) = properties.get_mut(name) {
            property.insert("default".to_owned(), value.clone());
        }
    }
}
