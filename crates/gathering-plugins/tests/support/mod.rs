//! A host with the core plugin over a folder of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::sync::Arc;

use gathering_core::{Caller, ToolOutput};
use gathering_host::{CallOptions, Dependencies, Host};
use gathering_plugins::{NativeRuntime, OwnPlaces};
use gathering_sandbox::Prober;
use serde_json::{Value, json};

pub(crate) struct Core {
    host: Host,
    base: String,
    /// Removes the folder at the end.
    _folder: Option<tempfile::TempDir>,
}

#[allow(dead_code, clippy::allow_attributes, reason = "each file of tests uses some of it")]
impl Core {
    pub(crate) async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// Over a new folder `base` inside a folder of its own.
    pub(crate) async fn with(config: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap().join("base");
        std::fs::create_dir(&base).unwrap();
        let mut core = Self::at(base.to_str().unwrap(), config).await;
        core._folder = Some(folder);
        core
    }

    pub(crate) async fn at(base: &str, config: Value) -> Self {
        Self::try_at(base, config).await.unwrap()
    }

    pub(crate) async fn try_at(base: &str, config: Value) -> Result<Self, String> {
        Self::build(base, config, &OwnPlaces::default(), Prober::default()).await
    }

    /// Over what runs commands as `prober` knows.
    pub(crate) async fn build(
        base: &str,
        mut config: Value,
        own: &OwnPlaces,
        prober: Prober,
    ) -> Result<Self, String> {
        config["base_path"] = base.into();
        let runtime = NativeRuntime::new(gathering_plugins::all(own, &Arc::new(prober)));
        let sources = runtime.sources();
        let host = Host::builder().runtime(Arc::new(runtime)).build();
        for source in sources {
            host.add(source).await.unwrap();
        }
        host.load("core", Some(config), Dependencies::MustBeLoaded)
            .await
            .map_err(|error| error.to_string())?;
        host.enable("core").await.unwrap();
        Ok(Self { host, base: base.to_owned(), _folder: None })
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A path inside the base.
    pub(crate) fn path(&self, inside: &str) -> String {
        format!("{}/{inside}", self.base)
    }

    pub(crate) fn path_exists(&self, inside: &str) -> bool {
        std::fs::exists(self.path(inside)).unwrap()
    }

    /// A folder beside the base, not made yet.
    pub(crate) fn outside(&self) -> PathBuf {
        PathBuf::from(&self.base).parent().unwrap().join("outside")
    }

    /// Calls a tool as the operator.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, String> {
        self.output(tool, arguments).await.map(|output| output.value)
    }

    /// The parts of a result as a model sees them.
    pub(crate) async fn content(&self, tool: &str, arguments: Value) -> Value {
        serde_json::to_value(self.output(tool, arguments).await.unwrap().content()).unwrap()
    }

    async fn output(&self, tool: &str, arguments: Value) -> Result<ToolOutput, String> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let report = self.host.execute(Caller::Operator, tool, arguments, CallOptions::default()).await;
        report.outcome.map_err(|error| error.to_string())
    }
}
