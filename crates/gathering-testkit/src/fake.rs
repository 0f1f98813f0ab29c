//! Plugins of the test's own making: they fail, hang and change when the test says so.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gathering_core::{
    BoxFuture, CallContext, CompetencyDefinition, FileHandlerDefinition, Grants, Health, HookError,
    LoadError, LoadErrorKind, LoadRequest, Plugin, PluginId, PluginManifest, PluginMetadata, PluginSource,
    Runtime, ToolCall, ToolDefinition, ToolError, ToolOutput,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A plugin that the test describes. Its tools are told apart by what their names begin with:
///
/// `echo…` returns its arguments, `add…` adds `x` and `y`, `count…` counts its calls, `fail…` fails with `message`,
/// `sleep…` waits `seconds`, `wait…` waits until it is stopped, `hold…` connects to `port` on loopback, sends a byte and
/// keeps the connection until it is stopped, `call…` calls `tool` with `arguments`, `version…` tells the plugin's version,
/// `grants…` what it was granted, and `secrets…` the secrets that it was told.
#[derive(Clone)]
pub struct FakePlugin {
    manifest: PluginManifest,
    concurrency: usize,
    load_error: Option<String>,
    enable_error: Option<String>,
    needs_secret: Option<String>,
    health: Health,
}

impl FakePlugin {
    /// A plugin of version 1.0.0 that contributes nothing.
    pub fn new(id: &str) -> Self {
        let metadata: PluginMetadata = serde_json::from_value(
            json!({"id": id, "name": id, "version": "1.0.0", "description": "a fake"}),
        )
        .expect("the test gives a good id");
        Self {
            manifest: PluginManifest::new(metadata),
            concurrency: 1000,
            load_error: None,
            enable_error: None,
            needs_secret: None,
            health: Health::healthy(),
        }
    }

    /// Its id.
    pub fn id(&self) -> PluginId {
        self.manifest.metadata.id.clone()
    }

    /// Adds a tool that takes anything and requires nothing.
    pub fn tool(self, name: &str) -> Self {
        self.tool_with(json!({"name": name, "description": name, "category": "custom"}))
    }

    /// Adds a tool given as JSON.
    pub fn tool_with(mut self, definition: Value) -> Self {
        let definition: ToolDefinition =
            serde_json::from_value(definition).expect("the test gives a good tool");
        self.manifest.tools.push(Arc::new(definition));
        self
    }

    /// Adds a competency that builds on `prerequisites`.
    pub fn competency(self, id: &str, prerequisites: &[&str]) -> Self {
        self.competency_with(json!({
            "id": id, "name": id, "description": id, "category": "custom", "prerequisites": prerequisites,
        }))
    }

    /// Adds a competency given as JSON.
    pub fn competency_with(mut self, definition: Value) -> Self {
        let definition: CompetencyDefinition =
            serde_json::from_value(definition).expect("the test gives a good competency");
        self.manifest.competencies.push(Arc::new(definition));
        self
    }

    /// Adds a file handler given as JSON.
    pub fn file_handler_with(mut self, definition: Value) -> Self {
        let definition: FileHandlerDefinition =
            serde_json::from_value(definition).expect("the test gives a good file handler");
        self.manifest.file_handlers.push(Arc::new(definition));
        self
    }

    /// Changes what it says of itself.
    pub fn metadata(mut self, change: impl FnOnce(&mut PluginMetadata)) -> Self {
        change(&mut self.manifest.metadata);
        self
    }

    /// Sets its version.
    pub fn version(self, version: &str) -> Self {
        self.metadata(|metadata| metadata.version = version.into())
    }

    /// Adds plugins that it needs.
    pub fn needs(self, dependencies: &[&str]) -> Self {
        self.metadata(|metadata| metadata.dependencies.extend(dependencies.iter().map(ToString::to_string)))
    }

    /// Sets how many calls it serves at once.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Lets loading it fail.
    pub fn fails_to_load(mut self, message: &str) -> Self {
        self.load_error = Some(message.into());
        self
    }

    /// Asks for permissions.
    pub fn asks(self, permissions: Value) -> Self {
        let permissions = serde_json::from_value(permissions).expect("the test gives good permissions");
        self.metadata(|metadata| metadata.permissions = permissions)
    }

    /// Lets loading it fail as long as it is told no secret.
    pub fn needs_secret(mut self, message: &str) -> Self {
        self.needs_secret = Some(message.into());
        self
    }

    /// Lets enabling it fail.
    pub fn fails_to_enable(mut self, message: &str) -> Self {
        self.enable_error = Some(message.into());
        self
    }

    /// Sets how it feels.
    pub fn health(mut self, health: Health) -> Self {
        self.health = health;
        self
    }
}

/// Runs [`FakePlugin`]s, which the test may put another in the place of at any time.
#[derive(Default)]
pub struct FakeRuntime {
    plugins: Mutex<HashMap<PluginId, (usize, FakePlugin)>>,
    running: Arc<AtomicUsize>,
    loads: AtomicUsize,
}

impl FakeRuntime {
    /// Puts `plugin` where its id says: what is loaded or reloaded next is this one.
    pub fn put(&self, plugin: FakePlugin) {
        let mut plugins = self.plugins.lock().expect("no test panics in here");
        let plugin =
            FakePlugin { manifest: plugin.manifest.clone().checked().unwrap_or(plugin.manifest), ..plugin };
        let id = plugin.manifest.metadata.id.clone();
        let edits = plugins.get(&id).map_or(0, |(edits, _)| edits + 1);
        plugins.insert(id, (edits, plugin));
    }

    /// How many plugins run.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// How often a plugin was started.
    pub fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    fn find(&self, source: &PluginSource) -> Result<(usize, FakePlugin), LoadError> {
        let PluginSource::Builtin(id) = source else {
            return Err(LoadError::new(LoadErrorKind::NotFound, "not a fake"));
        };
        let plugins = self.plugins.lock().expect("no test panics in here");
        plugins
            .get(id)
            .cloned()
            .ok_or_else(|| LoadError::new(LoadErrorKind::NotFound, format!("no fake `{id}`")))
    }
}

impl Runtime for FakeRuntime {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn recognises(&self, _path: &Path) -> bool {
        false
    }

    fn fingerprint(&self, source: &PluginSource) -> Result<String, LoadError> {
        self.find(source).map(|(edits, _)| edits.to_string())
    }

    fn describe<'a>(
        &'a self,
        source: &'a PluginSource,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<PluginManifest, LoadError>> {
        Box::pin(async move { Ok(self.find(source)?.1.manifest) })
    }

    fn load<'a>(&'a self, request: LoadRequest<'a>) -> BoxFuture<'a, Result<Box<dyn Plugin>, LoadError>> {
        Box::pin(async move {
            let (_, plugin) = self.find(request.source)?;
            if let Some(message) = &plugin.load_error {
                return Err(LoadError::new(LoadErrorKind::InvalidPlugin, message.clone()));
            }
            let secrets = request
                .secrets
                .all()
                .map_err(|error| LoadError::new(LoadErrorKind::RuntimeFailed, error.to_string()))?;
            if let Some(message) = &plugin.needs_secret
                && secrets.is_empty()
            {
                return Err(LoadError::new(LoadErrorKind::InvalidPlugin, message.clone()));
            }
            self.loads.fetch_add(1, Ordering::SeqCst);
            self.running.fetch_add(1, Ordering::SeqCst);
            let running = Running {
                plugin,
                grants: request.grants.clone(),
                secrets,
                running: self.running.clone(),
                calls: AtomicUsize::new(0),
            };
            Ok(Box::new(running) as Box<dyn Plugin>)
        })
    }
}

/// Counts as running until it is dropped.
struct Running {
    plugin: FakePlugin,
    grants: Grants,
    secrets: Vec<(String, String)>,
    running: Arc<AtomicUsize>,
    calls: AtomicUsize,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Plugin for Running {
    fn manifest(&self) -> &PluginManifest {
        &self.plugin.manifest
    }

    fn call<'a>(
        &'a self,
        call: ToolCall,
        cx: &'a CallContext,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            let argument = |name: &str| call.arguments.get(name).cloned().unwrap_or_default();
            let kind = call.tool.as_str().split(['_', '-']).next().unwrap_or_default();
            match kind.trim_end_matches(|c: char| c.is_ascii_digit()) {
                "echo" => Ok(Value::Object(call.arguments).into()),
                "add" => {
                    Ok((argument("x").as_i64().unwrap_or(0) + argument("y").as_i64().unwrap_or(0)).into())
                }
                "count" => Ok(calls.into()),
                "grants" => {
                    Ok(serde_json::to_value(&self.grants).expect("grants have a form in JSON").into())
                }
                "secrets" => {
                    Ok(self.secrets.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>().into())
                }
                "version" => Ok(self.plugin.manifest.metadata.version.clone().into()),
                "fail" => Err(ToolError::Failed {
                    tool: call.tool.clone(),
                    message: argument("message").as_str().unwrap_or("failed").to_owned(),
                    traceback: String::new(),
                }),
                "sleep" => {
                    tokio::time::sleep(Duration::from_secs_f64(argument("seconds").as_f64().unwrap_or(0.0)))
                        .await;
                    Ok(Value::Null.into())
                }
                "wait" => std::future::pending().await,
                "hold" => {
                    let port =
                        argument("port").as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
                    let mut held = TcpStream::connect(("127.0.0.1", port)).await.expect("the test listens");
                    held.write_all(b".").await.expect("the test reads");
                    std::future::pending().await
                }
                "call" => {
                    let arguments = argument("arguments").as_object().cloned().unwrap_or_default();
                    cx.services()
                        .call_tool(cx, argument("tool").as_str().unwrap_or_default(), arguments)
                        .await
                }
                other => panic!("the fake has no tool of the kind `{other}`"),
            }
        })
    }

    fn on_enable(&self) -> BoxFuture<'_, Result<(), HookError>> {
        Box::pin(async {
            match &self.plugin.enable_error {
                Some(message) => Err(HookError { message: message.clone() }),
                None => Ok(()),
            }
        })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async { self.plugin.health.clone() })
    }

    fn concurrency(&self) -> usize {
        self.plugin.concurrency
    }
}
