//! A host over real Python workers, with short ways to write plugin files and to call their tools.

#![allow(dead_code, reason = "each test file uses another part of it")]

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gathering_core::{Caller, PluginId, PluginSource, ToolError};
use gathering_host::{CallOptions, Dependencies, Host, HostBuilder};
use gathering_runtime_python::{PythonConfig, PythonRuntime};
use gathering_sandbox::{Confinement, Holds, Prober, Tier};
use serde_json::Value;
use tempfile::TempDir;

/// A host with the Python runtime and a folder for plugin files.
pub(crate) struct PythonHost {
    pub(crate) folder: TempDir,
    pub(crate) runtime: Arc<PythonRuntime>,
    pub(crate) host: Host,
}

impl Deref for PythonHost {
    type Target = Host;
    fn deref(&self) -> &Host {
        &self.host
    }
}

impl PythonHost {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut PythonConfig)) -> Self {
        Self::on(Host::builder(), change)
    }

    pub(crate) fn on(builder: HostBuilder, change: impl FnOnce(&mut PythonConfig)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = PythonConfig { data_dir: folder.path().join("data"), ..PythonConfig::default() };
        change(&mut config);
        let runtime = Arc::new(PythonRuntime::new(config));
        let host = builder.runtime(runtime.clone()).build();
        fs::create_dir(folder.path().join("plugins")).expect("a folder");
        Self { folder, runtime, host }
    }

    /// A host whose workers are confined. If there can be none, the test says why it does not run.
    pub(crate) async fn confined() -> Option<Self> {
        Self::confined_in(None, |_| {}).await
    }

    /// The same in one tier, and with other settings.
    #[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
    pub(crate) async fn confined_in(
        tier: Option<Tier>,
        change: impl FnOnce(&mut PythonConfig),
    ) -> Option<Self> {
        let Some(launcher) = launcher() else {
            println!("NOT RUN: no launcher was built beside this test: run the tests of the whole workspace");
            return None;
        };
        let host = Self::with(|config| {
            let confinement = Confinement::Sandbox { launcher, tier, or_unconfined: false };
            config.prober = Arc::new(Prober::new(confinement));
            change(config);
        });
        if let Holds::Nothing(report) = host.runtime.holds().await {
            println!("NOT RUN: no confinement holds here: {report}");
            return None;
        }
        Some(host)
    }

    pub(crate) fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.plugins().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        fs::write(&path, text).expect("it can be written");
        path
    }

    /// Writes a plugin file whose tools are the functions in `body`, and makes it known.
    pub(crate) async fn know(&self, id: &str, body: &str) -> PluginId {
        let path = self.write(&format!("{id}.py"), &plugin(id, body));
        self.host.add(PluginSource::Path(path)).await.expect("it describes itself")
    }

    /// The same, loaded and enabled.
    pub(crate) async fn enable_plugin(&self, id: &str, body: &str) -> PluginId {
        let id = self.know(id, body).await;
        self.enable_known(id.as_str()).await;
        id
    }

    pub(crate) async fn enable_known(&self, id: &str) {
        self.host.load(id, None, Dependencies::MustBeLoaded).await.expect("it loads");
        self.host.enable(id).await.expect("it can be enabled");
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        self.call_for(tool, arguments, Duration::from_secs(20)).await
    }

    pub(crate) async fn call_for(
        &self,
        tool: &str,
        arguments: Value,
        limit: Duration,
    ) -> Result<Value, ToolError> {
        self.call_as(Caller::Operator, tool, arguments, limit).await
    }

    pub(crate) async fn call_as(
        &self,
        caller: Caller,
        tool: &str,
        arguments: Value,
        limit: Duration,
    ) -> Result<Value, ToolError> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let options = CallOptions { timeout: Some(limit) };
        self.host.execute(caller, tool, arguments, options).await.outcome.map(|output| output.value)
    }

    pub(crate) fn log(&self, id: &str) -> String {
        self.runtime.log(&PluginId::new(id).expect("an id"), 1 << 20).expect("its log can be read")
    }
}

/// A program that applies the confinement: built beside the tests when the whole workspace is.
fn launcher() -> Option<PathBuf> {
    let this = std::env::current_exe().expect("this program has a path");
    let folder = this.ancestors().nth(2).expect("tests lie in `deps`");
    ["sandbox-launcher", "gathering"]
        .map(|name| folder.join(name))
        .into_iter()
        .find(|program| program.is_file())
}

/// A plugin file with the methods in `body`; those whose names begin with `tool_` are its tools, and take anything.
pub(crate) fn plugin(id: &str, body: &str) -> String {
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        r#"
import os, sys
from gathering.core.tool_registry import ToolCategory, ToolDefinition, tool_registry
from gathering.plugins import Plugin, PluginMetadata


class ThePlugin(Plugin):
    @property
    def metadata(self):
        return PluginMetadata(id="{id}", name="{id}", version="1.0.0", description="a plugin of a test")

    def register_tools(self):
        return [
            ToolDefinition(
                name=name[len("tool_"):],
                description="a tool of a test",
                category=ToolCategory.TESTING,
                function=getattr(self, name),
                requires_context="context" in getattr(self, name).__code__.co_varnames,
            )
            for name in dir(self)
            if name.startswith("tool_")
        ]

{body}
"#
    )
}

/// Whether a process with this number runs.
pub(crate) fn is_running(pid: u64) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
}
