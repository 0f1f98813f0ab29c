//! A GatheRing in a folder of its own, and short ways to make plugins in it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gathering::{
    AgentRights, AuthoringError, CallOptions, Caller, Config, DynamicPlugin, GatheRing, PluginAuthor,
    PluginInfo, ToolError,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A GatheRing and its folder.
pub(crate) struct House {
    pub(crate) gathering: GatheRing,
    pub(crate) folder: TempDir,
}

impl House {
    /// A new one; `None`, and the reason is printed, if there is no Python.
    #[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
    pub(crate) async fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let gathering = open(folder.path()).await;
        if let Err(error) = gathering.python().interpreter().await {
            println!("NOT RUN: {error}");
            return None;
        }
        Some(Self { gathering, folder })
    }

    /// The same after a restart.
    pub(crate) async fn restarted(self) -> Self {
        self.gathering.shutdown().await;
        Self { gathering: open(self.folder.path()).await, folder: self.folder }
    }

    /// The same after a restart with another configuration.
    pub(crate) async fn restarted_with(self, configure: impl FnOnce(&mut Config)) -> Self {
        self.gathering.shutdown().await;
        Self { gathering: open_with(self.folder.path(), configure).await, folder: self.folder }
    }

    /// The same after its process was killed: nothing was told to end.
    pub(crate) async fn killed(self) -> Self {
        let Self { gathering, folder } = self;
        drop(gathering);
        Self { gathering: open(folder.path()).await, folder }
    }

    pub(crate) async fn create(&self, plugin: Value) -> Result<PluginInfo, AuthoringError> {
        self.create_as(Caller::Operator, plugin).await
    }

    pub(crate) async fn create_as(
        &self,
        caller: Caller,
        plugin: Value,
    ) -> Result<PluginInfo, AuthoringError> {
        let plugin = DynamicPlugin::parse(plugin).map_err(AuthoringError::InvalidRequest)?;
        self.gathering.dynamic().create(caller, plugin, deadline()).await
    }

    pub(crate) async fn update(&self, plugin: Value) -> Result<PluginInfo, AuthoringError> {
        self.update_as(Caller::Operator, plugin).await
    }

    pub(crate) async fn update_as(
        &self,
        caller: Caller,
        plugin: Value,
    ) -> Result<PluginInfo, AuthoringError> {
        let plugin = DynamicPlugin::parse(plugin).map_err(AuthoringError::InvalidRequest)?;
        self.gathering.dynamic().update(caller, plugin, deadline()).await
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        self.call_as(Caller::Operator, tool, arguments).await
    }

    pub(crate) async fn call_as(
        &self,
        caller: Caller,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, ToolError> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let report = self.gathering.host().execute(caller, tool, arguments, CallOptions::default()).await;
        report.outcome.map(|output| output.value)
    }

    /// The names below the folder of dynamic plugins, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names = Vec::new();
        list(&self.gathering.data_dir().dynamic(), "", &mut names);
        names.sort();
        names
    }

    /// The ids of the plugins that are not built in.
    pub(crate) fn plugins(&self) -> Vec<String> {
        let plugins = self.gathering.host().plugins();
        let others = plugins.iter().filter(|plugin| plugin.runtime != "native");
        others.map(|plugin| plugin.metadata.id.to_string()).collect()
    }
}

pub(crate) async fn open(folder: &Path) -> GatheRing {
    open_with(folder, |_| {}).await
}

async fn open_with(folder: &Path, configure: impl FnOnce(&mut Config)) -> GatheRing {
    let mut config = Config { data_dir: Some(folder.join("data")), ..Config::default() };
    configure(&mut config);
    GatheRing::open(config).await.expect("it can be opened")
}

pub(crate) fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            list(&entry.path(), &format!("{name}/"), names);
        } else {
            names.push(name);
        }
    }
}

/// The greeter of the documents.
pub(crate) fn greeter() -> Value {
    json!({
        "plugin_id": "greeter",
        "name": "Greeter Plugin",
        "description": "A simple greeting plugin",
        "tools": [{
            "name": "greet",
            "description": "Greet someone",
            "category": "custom",
            "code": "def greet(name): return f\"Hello, {name}!\"",
            "parameters": {"name": {"type": "string"}},
        }],
    })
}

/// The greeter with this code and these examples.
pub(crate) fn greeter_with(code: &str, examples: Value) -> Value {
    let mut plugin = greeter();
    plugin["tools"][0]["code"] = code.into();
    plugin["tools"][0]["examples"] = examples;
    plugin
}

pub(crate) fn agent(id: &str, competencies: &[&str]) -> Caller {
    let held = competencies
        .iter()
        .map(|name| serde_json::from_value(json!({"id": name, "level": "expert"})).expect("a competency"));
    Caller::Agent(Arc::new(AgentRights::new(id.parse().expect("an id"), held.collect())))
}
