//! A host over fakes, with short ways to say what tests say often.

use std::ops::Deref;
use std::sync::Arc;

use gathering_core::{AgentRights, Caller, PluginId, PluginSource, ToolError};
use gathering_host::{CallOptions, Dependencies, Host, Limits, PluginError};
use serde_json::Value;

use crate::{FakePlugin, FakeRuntime, MemoryStore};

/// A [`Host`] over [`FakePlugin`]s. Reads like the host.
pub struct TestHost {
    /// The host.
    pub host: Host,
    /// What runs the fakes.
    pub runtime: Arc<FakeRuntime>,
    /// What keeps its state.
    pub store: Arc<MemoryStore>,
}

impl Deref for TestHost {
    type Target = Host;
    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Default for TestHost {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl TestHost {
    /// A host that knows no plugin.
    pub fn new(limits: Limits) -> Self {
        Self::over(Arc::default(), Arc::default(), limits)
    }

    /// A host over a runtime and a store of before: what a restart gives.
    pub fn over(runtime: Arc<FakeRuntime>, store: Arc<MemoryStore>, limits: Limits) -> Self {
        let host = Host::builder().runtime(runtime.clone()).store(store.clone()).limits(limits).build();
        Self { host, runtime, store }
    }

    /// Makes a fake known.
    pub async fn know(&self, plugin: FakePlugin) -> PluginId {
        let id = plugin.id();
        self.runtime.put(plugin);
        self.host.add(PluginSource::Builtin(id)).await.expect("a fake can be described")
    }

    /// Makes a fake known and loads it.
    pub async fn load_fake(&self, plugin: FakePlugin) -> Result<PluginId, PluginError> {
        let id = self.know(plugin).await;
        self.host.load(id.as_str(), None, Dependencies::MustBeLoaded).await?;
        Ok(id)
    }

    /// Makes a fake known, loads it and enables it.
    pub async fn enable_fake(&self, plugin: FakePlugin) -> PluginId {
        let id = self.load_fake(plugin).await.expect("the fake loads");
        self.host.enable(id.as_str()).await.expect("the fake can be enabled");
        id
    }

    /// Calls a tool as the operator and returns its value.
    pub async fn call(&self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        self.call_as(Caller::Operator, tool, arguments).await
    }

    /// Calls a tool as `caller` and returns its value.
    pub async fn call_as(&self, caller: Caller, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let report = self.host.execute(caller, tool, arguments, CallOptions::default()).await;
        report.outcome.map(|output| output.value)
    }

    /// An agent that holds `competencies`, each written `id` or `id:level`.
    pub fn agent(competencies: &[&str]) -> Caller {
        agent("agent", competencies)
    }

    /// The names of the registered tools.
    pub fn tool_names(&self) -> Vec<String> {
        self.host.snapshot().tools().list().iter().map(|tool| tool.name.to_string()).collect()
    }
}

/// The agent `id` that holds `competencies`, each written `id` or `id:level`.
pub fn agent(id: &str, competencies: &[&str]) -> Caller {
    let held = competencies.iter().map(|text| text.parse().expect("a good competency")).collect();
    Caller::Agent(Arc::new(AgentRights::new(id.parse().expect("a good agent id"), held)))
}

/// A plugin id that is known to be good.
pub fn id(text: &str) -> PluginId {
    PluginId::new(text).expect("the test gives a good id")
}
